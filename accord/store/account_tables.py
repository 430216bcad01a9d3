"""Tables of accounts: who may come in. Nothing of them is in the ledger but the labeler's name.

Secrets of every kind (sessions, tokens, links) are kept as SHA-256 digests: whoever reads the
database cannot come in with what it holds.
"""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
)

from accord.store.tables import Instant, metadata

# ``key`` is the name as it is compared: two names that look alike are one.
accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("key", String(200), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("password", String(200)),  # argon2; none for programs and before the first login
    Column("active", Boolean, nullable=False, default=True),
    Column("consents", JSON, nullable=False),  # content classes that the person agreed to see
    Column("created_at", Instant, nullable=False),
)

# A project that an account may work on. Managers may work on all of them.
memberships = Table(
    "memberships",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("project_id", String(200), primary_key=True),
)

# A link that works once: for somebody new (no account) or for a new password of an account.
invitations = Table(
    "invitations",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("account_id", ForeignKey("accounts.id")),
    Column("projects", JSON, nullable=False),
    Column("note", String(200), nullable=False, default=""),
    Column("made_by", String(200), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
)

# A login of a browser. Deleting the row ends it, wherever the cookie is.
sessions = Table(
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Index("sessions_by_account", "account_id"),
)

# A key of a program.
tokens = Table(
    "tokens",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("label", String(200), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Index("tokens_by_account", "account_id"),
)

# Failed logins of a name or of an address; ``since`` is the time of the last one.
attempts = Table(
    "attempts",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("since", Instant, nullable=False),
    Column("blocked_until", Instant),
)

# Forms that were sent; a form counts once.
spent_forms = Table(
    "spent_forms",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("expires_at", Instant, nullable=False),
    Index("spent_forms_by_expiry", "expires_at"),
)
