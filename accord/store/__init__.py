"""The store: an append-only ledger of what was shown to people and what they answered.

tables.py       what is kept; session.py opens a store and gives transactions
comparisons.py  add comparisons, record, withdraw and skip
queue.py        what a labeler sees next
labelers.py     who may answer
export.py       rows -> records, and the digest of the votes that count
"""
