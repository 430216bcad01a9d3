"""The ledger: comparisons, batches, labelers, events, and the queue's working state."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

FACTS = ("comparisons", "events")  # rows that nothing may change or delete


def upgrade() -> None:
    """Create every table, then forbid changes to facts."""
    _facts()
    _working_state()
    protections = {"sqlite": _protect_in_sqlite, "postgresql": _protect_in_postgresql}
    protections.get(op.get_bind().dialect.name, _protect_by_convention)()


def _facts() -> None:
    op.create_table(
        "comparisons",
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
    )
    op.create_table(
        "members",
        sa.Column("batch", sa.String(200), primary_key=True),
        sa.Column(
            "comparison_id", sa.String(200), sa.ForeignKey("comparisons.id"), primary_key=True
        ),
    )
    op.create_table(
        "labelers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False, unique=True),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.Column("shown", sa.Integer, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("comparison_id", sa.String(200), sa.ForeignKey("comparisons.id"), nullable=False),
        sa.Column("labeler_id", sa.Integer, sa.ForeignKey("labelers.id"), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("ranks", sa.JSON),
        sa.Column("shown_order", sa.JSON, nullable=False),
        sa.Column("strength", sa.Integer),
        sa.Column("seconds", sa.Float),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("guideline", sa.String(64), nullable=False),
        sa.UniqueConstraint("kind", "id", name="events_once"),
    )
    op.create_index("events_by_comparison", "events", ["comparison_id", "kind"])


def _working_state() -> None:
    op.create_table(
        "queue",
        sa.Column(
            "comparison_id", sa.String(200), sa.ForeignKey("comparisons.id"), primary_key=True
        ),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("wanted", sa.Integer, nullable=False),
        sa.Column("open", sa.Integer, nullable=False),
    )
    op.create_index("queue_nearly_complete", "queue", ["open", "position", "comparison_id"])
    op.create_index("queue_untouched", "queue", [sa.desc("open"), "position", "comparison_id"])
    op.create_table(
        "assignments",
        sa.Column(
            "comparison_id", sa.String(200), sa.ForeignKey("comparisons.id"), primary_key=True
        ),
        sa.Column("labeler_id", sa.Integer, sa.ForeignKey("labelers.id"), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("shown_order", sa.JSON, nullable=False),
        sa.Column("expires_at", sa.String(32)),
    )
    op.create_index("assignments_by_labeler", "assignments", ["labeler_id", "state"])
    op.create_index("assignments_by_expiry", "assignments", ["state", "expires_at"])


def _protect_in_sqlite() -> None:
    for table in FACTS:
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
            )


def _protect_in_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION accord_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$"
    )
    for table in FACTS:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION accord_append_only()"
        )


def _protect_by_convention() -> None:
    """Other databases: only the functions of the store keep the facts as they are."""
