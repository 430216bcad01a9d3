"""Numbered changes of the ledger's tables, forward only, applied when a store is opened.

A file here is never edited once released: the next change is the next number. Tests compare the
result of all of them with ``tables.py``.
"""
