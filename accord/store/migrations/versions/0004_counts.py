"""An index of tests and repeats: votes are counted without reading them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the index."""
    few = sa.text("purpose <> 'vote'")
    op.create_index(
        "events_of_no_vote",
        "events",
        ["project_id", "kind"],
        sqlite_where=few,
        postgresql_where=few,
    )
