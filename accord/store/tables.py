"""Tables of the ledger, without behaviour.

Two kinds, never mixed:

* facts, written once: ``comparisons``, ``members``, ``labelers`` (names), ``events``. The database
  itself refuses to change or delete a comparison or an event. Taking a vote back is a new event.
* working state, which could be computed again from the facts and the clock: ``queue``,
  ``assignments`` and the counters of ``labelers``. It exists so that "what next?" reads a few
  rows instead of the whole ledger.

These are Core tables, and statements on them are built once per process: a vote costs some
fifteen statements, and mapped classes made each of them five times as slow.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    desc,
    insert,
)
from sqlalchemy.types import TypeDecorator

VOTE = "vote"  #: an answer
SHOW = "show"  #: a comparison was put before a labeler, in this order
SKIP = "skip"  #: the labeler did not want to answer it
WITHDRAW = "withdraw"  #: the vote with the same id no longer counts

LEASED = "leased"  #: shown, not yet answered
VOTED = "voted"
SKIPPED = "skipped"


class Instant(TypeDecorator[datetime]):
    """A time with its zone, kept as ISO 8601 text in UTC: sorts by time, same in every database."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Text of a time; a time without a zone is a mistake of the caller."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time in the ledger has a time zone, for example UTC")
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Time of a text."""
        return None if value is None else datetime.fromisoformat(value)


metadata = MetaData()

# A comparison as it was published: its record in JSON, and how many responses it has (K).
comparisons = Table(
    "comparisons",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("payload", Text, nullable=False),
    Column("size", Integer, nullable=False),
)

# A batch holds a comparison; one comparison may be in several batches.
members = Table(
    "members",
    metadata,
    Column("batch", String(200), primary_key=True),
    Column("comparison_id", ForeignKey("comparisons.id"), primary_key=True),
)

# A person, or a program, that answers. ``shown`` counts what was put before it.
labelers = Table(
    "labelers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("paused", Boolean, nullable=False, default=False),
    Column("shown", Integer, nullable=False, default=0),
)

# One thing that happened. A second one of the same kind and id is the same event; a withdrawal
# has the id of the vote that it takes back. ``seq`` is the order of the ledger.
events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("id", String(200), nullable=False),
    Column("comparison_id", ForeignKey("comparisons.id"), nullable=False),
    Column("labeler_id", ForeignKey("labelers.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ranks", JSON(none_as_null=True)),
    Column("shown_order", JSON, nullable=False),
    Column("strength", Integer),
    Column("seconds", Float),
    Column("note", Text, nullable=False, default=""),  # a remark, or the reason
    Column("guideline", String(64), nullable=False, default=""),  # version that applied
    UniqueConstraint("kind", "id", name="events_once"),
    Index("events_by_comparison", "comparison_id", "kind"),
)

# Working state: how many more votes a comparison wants.
# open = wanted - votes that count - leases that have not ended
queue = Table(
    "queue",
    metadata,
    Column("comparison_id", ForeignKey("comparisons.id"), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("wanted", Integer, nullable=False),
    Column("open", Integer, nullable=False),
    Index("queue_nearly_complete", "open", "position", "comparison_id"),
    Index("queue_untouched", desc("open"), "position", "comparison_id"),
)

# Working state: how one labeler stands to one comparison, at most one row each.
assignments = Table(
    "assignments",
    metadata,
    Column("comparison_id", ForeignKey("comparisons.id"), primary_key=True),
    Column("labeler_id", ForeignKey("labelers.id"), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("shown_order", JSON, nullable=False),
    Column("expires_at", Instant),
    Index("assignments_by_labeler", "labeler_id", "state"),
    Index("assignments_by_expiry", "state", "expires_at"),
)

# Built once; building one takes as long as running it.
INSERT_EVENT = insert(events)
INSERT_ASSIGNMENT = insert(assignments)
