"""Where results come from, and whether they are still what they were.

Every artifact answers for its own files (``DONE.json``), the run for its artifacts, its report and
its ledger (``manifest.json``); both carry their own digest, so that no byte can change unnoticed.
"""

from accord.trace.lineage import Origin, newest_policy, origin
from accord.trace.seal import seal, unseal
from accord.trace.verify import Findings, verify
from accord.trace.votes import refuse_changed_votes

__all__ = [
    "Findings",
    "Origin",
    "newest_policy",
    "origin",
    "refuse_changed_votes",
    "seal",
    "unseal",
    "verify",
]
