"""Tables of the ledger, without behaviour.

Two kinds, never mixed:

* facts, written once: ``comparisons``, ``members``, ``guidelines``, ``labelers`` (names),
  ``events``. The database itself refuses to change or delete a comparison, a guideline or an
  event. Taking a vote back is a new event, and so is every decision of a manager.
* working state, which could be computed again from the facts and the clock, or lost without
  harm: ``projects`` (the latest setting of each), ``queue``, ``gold``, ``assignments``,
  ``standings``, ``balances``, ``drafts`` and the counters of ``labelers``. It exists so that
  "what next?" reads a few rows instead of the whole ledger.

These are Core tables, and statements on them are built once per process: a vote costs some
fifteen statements, and mapped classes made each of them five times as slow.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
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
    text,
)
from sqlalchemy.types import TypeDecorator

# Kinds of events. Answers: what a labeler says about an item.
VOTE = "vote"  #: ranks
RATING = "rating"  #: ratings and flags of one response
WRITTEN = "written"  #: a response that the labeler wrote or edited
ANSWERS = (VOTE, RATING, WRITTEN)
# What else happens to an item.
SHOW = "show"  #: it was put before a labeler, in this order
SKIP = "skip"  #: the labeler did not want to answer it
REPORT = "report"  #: the labeler says that something is wrong with it
WITHDRAW = "withdraw"  #: the answer with the same id no longer counts
GRADE = "grade"  #: a reviewer's grade of a written response
# Conversations.
OPEN = "open"  #: a conversation begins; its goal
CLOSE = "close"  #: it ends; the rating
# Decisions of managers.
PROJECT = "project"  #: a project as it is from here on
GUIDELINE = "guideline"  #: a version of guidelines was published
GOLD = "gold"  #: what is known about an item, or that it no longer is gold
PAUSE = "pause"
RESUME = "resume"
HOLD = "hold"  #: an item is given to nobody more, or to labelers again; ``body`` says which
SCREENED = "screened"  #: the result of an entry test, or a manager's decision about it

# States of an assignment.
LEASED = "leased"  #: shown, not yet answered
VOTED = "voted"
SKIPPED = "skipped"
REPORTED = "reported"
EXPIRED = "expired"  #: the lease ended; a late answer still counts
WITHDRAWN = "withdrawn"  #: answered, and the answer taken back for good
FREE = (EXPIRED, WITHDRAWN)  #: the labeler may get the item again

NO_PROJECT = ""  #: of what stages publish and collect, outside any project


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

IS_NO_VOTE = text("purpose <> 'vote'")  #: of an event: a test or a repeat, which are few

# Guidelines as Markdown, by the SHA-256 of their text.
guidelines = Table(
    "guidelines",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("text", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index("guidelines_by_digest", "digest"),
)

# One thing that happened. A second one of the same kind and id is the same event; a withdrawal
# has the id of the answer that it takes back. ``seq`` is the order of the ledger. Decisions of
# managers have no comparison, those about a project no labeler either; ``body`` says by whom.
events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("id", String(200), nullable=False),
    Column("comparison_id", ForeignKey("comparisons.id")),
    Column("labeler_id", ForeignKey("labelers.id")),
    Column("created_at", Instant, nullable=False),
    Column("ranks", JSON(none_as_null=True)),
    Column("shown_order", JSON, nullable=False, default=list),
    Column("strength", Integer),
    Column("seconds", Float),
    Column("note", Text, nullable=False, default=""),  # a remark, or the reason
    Column("guideline", String(64), nullable=False, default=""),  # version that applied
    Column("project_id", String(200), nullable=False, default="", server_default=""),
    Column("purpose", String(16), nullable=False, default="vote", server_default="vote"),
    Column("gold", Float),  # share right, of what is known about the item
    Column("body", JSON(none_as_null=True)),  # what has no column of its own
    UniqueConstraint("kind", "id", name="events_once"),
    Index("events_by_comparison", "comparison_id", "kind"),
    Index("events_by_project", "project_id", "labeler_id", "kind"),
    Index(
        "events_of_no_vote",
        "project_id",
        "kind",
        sqlite_where=IS_NO_VOTE,
        postgresql_where=IS_NO_VOTE,
    ),
)

# Working state: the latest setting of each project.
projects = Table(
    "projects",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("spec", Text, nullable=False),
    Column("closed", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
)

# Working state: how many more votes an item wants in a project.
# open = wanted - votes that count - leases that have not ended; ``opened_at`` is when it last rose.
queue = Table(
    "queue",
    metadata,
    Column("project_id", String(200), primary_key=True, default=NO_PROJECT),
    Column("comparison_id", ForeignKey("comparisons.id"), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("wanted", Integer, nullable=False),
    Column("open", Integer, nullable=False),
    Column("pool", Boolean, nullable=False, default=False),  # asked of more labelers, for agreement
    Column("held", Integer, nullable=False, default=0),  # 1: reported, given to nobody
    Column("opened_at", Instant),
    Index("queue_nearly_complete", "project_id", "open", "position", "comparison_id"),
    Index("queue_untouched", "project_id", desc("open"), "position", "comparison_id"),
    Index("queue_by_comparison", "comparison_id"),
    Index("queue_by_opening", "project_id", "opened_at"),
)

# Working state: items of which the right answer is known, in JSON.
gold = Table(
    "gold",
    metadata,
    Column("project_id", String(200), primary_key=True),
    Column("comparison_id", ForeignKey("comparisons.id"), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("screening", Boolean, nullable=False),  # in the entry test; otherwise mixed in
    Column("expected", Text, nullable=False),
)

_IS_LEASED = text("state = 'leased'")

# Working state: what was put before whom, and what became of it. ``number`` counts what one
# labeler was given in one project.
assignments = Table(
    "assignments",
    metadata,
    Column("task_id", String(250), primary_key=True),
    Column("project_id", String(200), nullable=False),
    Column("comparison_id", ForeignKey("comparisons.id"), nullable=False),
    Column("labeler_id", ForeignKey("labelers.id"), nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("number", Integer, nullable=False),
    Column("shown_order", JSON, nullable=False),
    Column("order_seed", BigInteger),
    Column("balance", String(32), nullable=False),
    Column("shown_at", Instant),
    Column("expires_at", Instant),
    Column("answer_id", String(200)),
    Index("assignments_by_labeler", "labeler_id", "project_id", "comparison_id"),
    Index("assignments_by_number", "labeler_id", "project_id", "number"),
    Index(
        "assignments_leased",
        "expires_at",
        sqlite_where=_IS_LEASED,
        postgresql_where=_IS_LEASED,
    ),
    Index(
        "assignments_held",
        "labeler_id",
        "project_id",
        sqlite_where=_IS_LEASED,
        postgresql_where=_IS_LEASED,
    ),
)

# Working state: how a labeler stands in a project; counters of what it was given and answered.
standings = Table(
    "standings",
    metadata,
    Column("project_id", String(200), primary_key=True),
    Column("labeler_id", ForeignKey("labelers.id"), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("shown", Integer, nullable=False),  # numbers the assignments
    Column("streamed", Integer, nullable=False),  # shown after the entry test
    Column("answered", Integer, nullable=False),
    Column("gold_shown", Integer, nullable=False),
    Column("repeats_shown", Integer, nullable=False),
    Column("day", String(10), nullable=False),  # of the last answer, in UTC
    Column("on_day", Integer, nullable=False),  # answers on that day
    Column("nothing_since", Instant),  # when a search found nothing left for it
)

# Working state: how far the order of the models on a labeler's screen is counterbalanced.
balances = Table(
    "balances",
    metadata,
    Column("project_id", String(200), primary_key=True),
    Column("labeler_id", ForeignKey("labelers.id"), primary_key=True),
    Column("key", String(32), primary_key=True),  # which models
    Column("decks", Integer, nullable=False),  # how many were begun
    Column("deck", JSON, nullable=False),  # orders that are left of the present one
)

# Working state: what a labeler has typed and not sent.
drafts = Table(
    "drafts",
    metadata,
    Column("task_id", String(250), primary_key=True),
    Column("labeler_id", ForeignKey("labelers.id"), nullable=False),
    Column("body", Text, nullable=False),
    Column("saved_at", Instant, nullable=False),
)

# Built once; building one takes as long as running it.
INSERT_EVENT = insert(events)
INSERT_ASSIGNMENT = insert(assignments)
