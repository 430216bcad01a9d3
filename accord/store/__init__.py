"""The store: an append-only ledger of what was shown to people and what they answered.

tables.py          what is kept; session.py opens a store and gives transactions
events.py          the log: append, find
items.py           what can be answered; comparisons.py: stages and files add and vote
specs.py           what a project is; projects.py, guidelines.py: setting one up
queue.py           what a labeler sees next: choice.py, places.py, leases.py, standings.py,
                   active.py (which pair tells most), balance.py (sides), repeats.py, gold.py
                   and screening.py (tests)
answers.py         submit, undo, skip, report: fitting.py, adaptive.py, edits.py; drafts.py
conversations.py   turns, choices; dialogues.py reads them
labelers.py        who may answer; accounts.py, access.py: who may come in
export.py          rows -> records, and the digest of the votes that count; views.py: data sets
statistics.py      how labelers and projects are doing; measures.py
"""
