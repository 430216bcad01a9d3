"""Tables of the ledger, without behaviour.

Two kinds, never mixed:

* facts, written once: ``comparisons``, ``members``, ``labelers`` (names), ``events``. The database
  itself refuses to change or delete a comparison or an event. Taking a vote back is a new event.
* working state, which could be computed again from the facts and the clock: ``queue``,
  ``assignments`` and the counters of ``labelers``. It exists so that "what next?" reads a few
  rows instead of the whole ledger.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Dialect, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
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


class Table(DeclarativeBase):
    """The declarative registry of all tables below."""


class ComparisonRow(Table):
    """A comparison as it was published; ``payload`` is its record in JSON."""

    __tablename__ = "comparisons"

    id: Mapped[str] = mapped_column(String(200), primary_key=True)
    payload: Mapped[str] = mapped_column(Text)
    size: Mapped[int]  #: responses in it (K)


class MemberRow(Table):
    """A batch holds a comparison; one comparison may be in several batches."""

    __tablename__ = "members"

    batch: Mapped[str] = mapped_column(String(200), primary_key=True)
    comparison_id: Mapped[str] = mapped_column(ForeignKey("comparisons.id"), primary_key=True)


class LabelerRow(Table):
    """A person, or a program, that answers; ``shown`` counts what it was shown."""

    __tablename__ = "labelers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    paused: Mapped[bool] = mapped_column(default=False)
    shown: Mapped[int] = mapped_column(default=0)


class EventRow(Table):
    """One thing that happened: shown, voted, skipped or withdrawn. Never changed.

    A withdrawal has the id of the vote that it takes back.
    """

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("kind", "id", name="events_once"),
        Index("events_by_comparison", "comparison_id", "kind"),
    )

    seq: Mapped[int] = mapped_column(primary_key=True)  #: order of the ledger
    kind: Mapped[str] = mapped_column(String(16))
    id: Mapped[str] = mapped_column(String(200))  #: a second one of this kind is the same event
    comparison_id: Mapped[str] = mapped_column(ForeignKey("comparisons.id"))
    labeler_id: Mapped[int] = mapped_column(ForeignKey("labelers.id"))
    created_at: Mapped[datetime] = mapped_column(Instant)
    ranks: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    shown_order: Mapped[list[int]] = mapped_column(JSON)
    strength: Mapped[int | None]
    seconds: Mapped[float | None]
    note: Mapped[str] = mapped_column(Text, default="")  #: a remark, or why
    guideline: Mapped[str] = mapped_column(String(64), default="")  #: version that applied


class QueueRow(Table):
    """Working state: how many more votes a comparison wants.

    ``open`` = ``wanted`` - votes that count - leases that have not ended.
    """

    __tablename__ = "queue"
    __table_args__ = (Index("queue_order", "open", "position", "comparison_id"),)

    comparison_id: Mapped[str] = mapped_column(ForeignKey("comparisons.id"), primary_key=True)
    position: Mapped[int]
    wanted: Mapped[int]
    open: Mapped[int]


class AssignmentRow(Table):
    """Working state: how one labeler stands to one comparison. At most one row each."""

    __tablename__ = "assignments"
    __table_args__ = (
        Index("assignments_by_labeler", "labeler_id", "state"),
        Index("assignments_by_expiry", "state", "expires_at"),
    )

    comparison_id: Mapped[str] = mapped_column(ForeignKey("comparisons.id"), primary_key=True)
    labeler_id: Mapped[int] = mapped_column(ForeignKey("labelers.id"), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    shown_order: Mapped[list[int]] = mapped_column(JSON)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
