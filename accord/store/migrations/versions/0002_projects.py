"""Projects, guidelines, gold items, and events that have no item or no labeler.

A store of version 0001 keeps every event, lease and queue place; they belong to no project.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

EVENT_COLUMNS = (
    "seq, kind, id, comparison_id, labeler_id, created_at, ranks, shown_order, strength, seconds, "
    "note, guideline"
)


def upgrade() -> None:
    """Widen the ledger, then make the working state anew from what it was."""
    dialect = op.get_bind().dialect.name
    _guidelines()
    if dialect == "sqlite":
        _events_anew()
    else:
        _events_wider()
    op.create_index("events_by_project", "events", ["project_id", "labeler_id", "kind"])
    _projects()
    _queue()
    _assignments()
    _counters()
    protections = {"sqlite": _protect_in_sqlite, "postgresql": _protect_in_postgresql}
    protections.get(dialect, _protect_by_convention)()


def _guidelines() -> None:
    op.create_table(
        "guidelines",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
    )
    op.create_index("guidelines_by_digest", "guidelines", ["digest"])


def _added_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("project_id", sa.String(200), nullable=False, server_default=""),
        sa.Column("purpose", sa.String(16), nullable=False, server_default="vote"),
        sa.Column("gold", sa.Float),
        sa.Column("body", sa.JSON),
    ]


def _events_wider() -> None:
    op.alter_column("events", "comparison_id", nullable=True, existing_type=sa.String(200))
    op.alter_column("events", "labeler_id", nullable=True, existing_type=sa.Integer)
    for column in _added_columns():
        op.add_column("events", column)


def _events_anew() -> None:
    """SQLite cannot take back NOT NULL, so the table is copied, triggers excepted."""
    op.drop_index("events_by_comparison", "events")
    op.rename_table("events", "events_0001")
    op.create_table(
        "events",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("comparison_id", sa.String(200), sa.ForeignKey("comparisons.id")),
        sa.Column("labeler_id", sa.Integer, sa.ForeignKey("labelers.id")),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("ranks", sa.JSON),
        sa.Column("shown_order", sa.JSON, nullable=False),
        sa.Column("strength", sa.Integer),
        sa.Column("seconds", sa.Float),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("guideline", sa.String(64), nullable=False),
        *_added_columns(),
        sa.UniqueConstraint("kind", "id", name="events_once"),
    )
    op.execute(
        f"INSERT INTO events ({EVENT_COLUMNS}) SELECT {EVENT_COLUMNS} FROM events_0001 ORDER BY seq"
    )
    op.drop_table("events_0001")
    op.create_index("events_by_comparison", "events", ["comparison_id", "kind"])


def _projects() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
    )
    op.create_table(
        "gold",
        sa.Column("project_id", sa.String(200), primary_key=True),
        sa.Column(
            "comparison_id", sa.String(200), sa.ForeignKey("comparisons.id"), primary_key=True
        ),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("screening", sa.Boolean, nullable=False),
        sa.Column("expected", sa.Text, nullable=False),
    )


def _queue() -> None:
    op.drop_index("queue_nearly_complete", "queue")
    op.drop_index("queue_untouched", "queue")
    op.rename_table("queue", "queue_0001")
    op.create_table(
        "queue",
        sa.Column("project_id", sa.String(200), primary_key=True),
        sa.Column(
            "comparison_id", sa.String(200), sa.ForeignKey("comparisons.id"), primary_key=True
        ),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("wanted", sa.Integer, nullable=False),
        sa.Column("open", sa.Integer, nullable=False),
        sa.Column("pool", sa.Boolean, nullable=False),
        sa.Column("held", sa.Integer, nullable=False),
        sa.Column("opened_at", sa.String(32)),
    )
    nothing = sa.false().compile(dialect=op.get_bind().dialect)
    op.execute(
        "INSERT INTO queue (project_id, comparison_id, position, wanted, open, pool, held) "
        f"SELECT '', comparison_id, position, wanted, open, {nothing}, 0 FROM queue_0001"
    )
    op.drop_table("queue_0001")
    where = ["project_id", "open", "position", "comparison_id"]
    op.create_index("queue_nearly_complete", "queue", where)
    op.create_index("queue_untouched", "queue", [where[0], sa.desc("open"), *where[2:]])
    op.create_index("queue_by_comparison", "queue", ["comparison_id"])
    op.create_index("queue_by_opening", "queue", ["project_id", "opened_at"])


def _assignments() -> None:
    op.drop_index("assignments_by_labeler", "assignments")
    op.drop_index("assignments_by_expiry", "assignments")
    op.rename_table("assignments", "assignments_0001")
    op.create_table(
        "assignments",
        sa.Column("task_id", sa.String(250), primary_key=True),
        sa.Column("project_id", sa.String(200), nullable=False),
        sa.Column("comparison_id", sa.String(200), sa.ForeignKey("comparisons.id"), nullable=False),
        sa.Column("labeler_id", sa.Integer, sa.ForeignKey("labelers.id"), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("shown_order", sa.JSON, nullable=False),
        sa.Column("order_seed", sa.BigInteger),
        sa.Column("balance", sa.String(32), nullable=False),
        sa.Column("shown_at", sa.String(32)),
        sa.Column("expires_at", sa.String(32)),
        sa.Column("answer_id", sa.String(200)),
    )
    op.execute(
        "INSERT INTO assignments (task_id, project_id, comparison_id, labeler_id, purpose, state, "
        "number, shown_order, balance, expires_at) "
        "SELECT '0001:' || labeler_id || ':' || comparison_id, '', comparison_id, labeler_id, "
        "'vote', state, 0, shown_order, '', expires_at FROM assignments_0001"
    )
    op.drop_table("assignments_0001")
    who = ["labeler_id", "project_id"]
    op.create_index("assignments_by_labeler", "assignments", [*who, "comparison_id"])
    op.create_index("assignments_by_number", "assignments", [*who, "number"])
    leased = sa.text("state = 'leased'")
    for name, columns in (("assignments_leased", ["expires_at"]), ("assignments_held", who)):
        op.create_index(name, "assignments", columns, sqlite_where=leased, postgresql_where=leased)


def _counters() -> None:
    op.create_table(
        "standings",
        sa.Column("project_id", sa.String(200), primary_key=True),
        sa.Column("labeler_id", sa.Integer, sa.ForeignKey("labelers.id"), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        *[
            sa.Column(name, sa.Integer, nullable=False)
            for name in ("shown", "streamed", "answered", "gold_shown", "repeats_shown")
        ],
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("on_day", sa.Integer, nullable=False),
        sa.Column("nothing_since", sa.String(32)),
    )
    op.create_table(
        "balances",
        sa.Column("project_id", sa.String(200), primary_key=True),
        sa.Column("labeler_id", sa.Integer, sa.ForeignKey("labelers.id"), primary_key=True),
        sa.Column("key", sa.String(32), primary_key=True),
        sa.Column("decks", sa.Integer, nullable=False),
        sa.Column("deck", sa.JSON, nullable=False),
    )
    op.create_table(
        "drafts",
        sa.Column("task_id", sa.String(250), primary_key=True),
        sa.Column("labeler_id", sa.Integer, sa.ForeignKey("labelers.id"), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("saved_at", sa.String(32), nullable=False),
    )


def _protect_in_sqlite() -> None:
    for table in ("events", "guidelines"):
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
            )


def _protect_in_postgresql() -> None:
    op.execute(
        "CREATE TRIGGER guidelines_append_only BEFORE UPDATE OR DELETE ON guidelines "
        "FOR EACH ROW EXECUTE FUNCTION accord_append_only()"
    )


def _protect_by_convention() -> None:
    """Other databases: only the functions of the store keep the facts as they are."""
