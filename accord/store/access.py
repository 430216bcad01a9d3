"""Ways in: links that work once, sessions of browsers, keys of programs, and their limits.

Secrets are random texts of 256 bits. They are shown once; the database keeps their digests.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from accord.config import InputError
from accord.store.account_tables import (
    accounts,
    attempts,
    invitations,
    sessions,
    spent_forms,
    tokens,
)
from accord.store.accounts import (
    COLUMNS,
    Account,
    Role,
    account_of,
    assign,
    create,
    get,
    set_password,
)

FAILURES_OF_A_NAME, FAILURES_OF_AN_ADDRESS = 5, 30  # that cost nothing, within WINDOW
WINDOW = timedelta(hours=1)  # since the last try; then all is forgotten
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=15), timedelta(minutes=15)

_A, _I, _S, _T = accounts.c, invitations.c, sessions.c, tokens.c
_F, _P = attempts.c, spent_forms.c


@dataclass(frozen=True)
class Invitation:
    """A link that works once, as it is kept; the link itself is known to who got it only."""

    digest: str
    role: Role
    account: str | None  #: whose password it sets anew; None for somebody new
    projects: tuple[str, ...]
    note: str
    made_by: str
    expires_at: datetime
    used_at: datetime | None


_OF_SESSION = (
    select(*COLUMNS)
    .join(sessions, _S.account_id == _A.id)
    .where(_S.digest == bindparam("of"), _S.expires_at > bindparam("now"), _A.active)
)
_OF_TOKEN = (
    select(*COLUMNS, _T.expires_at)
    .join(tokens, _T.account_id == _A.id)
    .where(_T.digest == bindparam("of"), _A.active)
)


def new_secret() -> str:
    """A random text of 256 bits that nobody can guess, fit for an address."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """What is kept of a secret. A plain hash is enough, since the secret is random."""
    return hashlib.sha256(secret.encode()).hexdigest()


def invite(
    session: Session,
    *,
    role: Role,
    made_by: str,
    now: datetime,
    lifetime: timedelta,
    account: Account | None = None,
    projects: Sequence[str] = (),
    note: str = "",
) -> str:
    """Make a link for somebody new or, with ``account``, for its new password.

    Returns:
        The secret part of the link. It is shown once; only its digest is kept.
    """
    secret = new_secret()
    row = {
        "digest": digest_of(secret),
        "role": role,
        "account_id": None if account is None else account.id,
        "projects": list(projects),
        "note": note[:200],
        "made_by": made_by,
        "created_at": now,
        "expires_at": now + lifetime,
    }
    session.execute(insert(invitations), row)
    return secret


def invitation(session: Session, secret: str, *, now: datetime) -> Invitation:
    """The invitation behind a link.

    Raises:
        InputError: there is none, it was used, or its time is over.
    """
    found = _invitations(session, _I.digest == digest_of(secret))
    if not found:
        raise InputError("this link is not known; ask for a new one")
    if found[0].used_at is not None:
        raise InputError("this link was used already; log in, or ask for a new one")
    if found[0].expires_at <= now:
        raise InputError("the time of this link is over; ask for a new one")
    return found[0]


def accept(session: Session, secret: str, *, name: str, password: str, now: datetime) -> Account:
    """Use a link: make the account, or set the password of the one that it is for.

    Raises:
        InputError: the link no longer works, or the name is not fit or taken.
    """
    found = invitation(session, secret, now=now)
    used = (
        update(invitations)
        .where(_I.digest == found.digest, _I.used_at.is_(None))
        .values(used_at=now)
        .returning(_I.digest)
    )
    if session.scalars(used).first() is None:
        raise InputError("this link was used already; log in, or ask for a new one")
    if found.account is not None:
        account = get(session, found.account)
        set_password(session, account, password)
    else:
        account = create(session, name, role=found.role, password=password, now=now)
        assign(session, account, found.projects)
    return account


def open_invitations(session: Session, *, now: datetime) -> list[Invitation]:
    """Invitations that still work, the newest first."""
    return _invitations(session, _I.used_at.is_(None) & (_I.expires_at > now))


def cancel_invitation(session: Session, digest: str) -> bool:
    """Make a link useless; False if it was so already."""
    gone = delete(invitations).where(_I.digest == digest, _I.used_at.is_(None))
    return session.scalars(gone.returning(_I.digest)).first() is not None


def _invitations(session: Session, condition: Any) -> list[Invitation]:
    columns = (_I.digest, _I.role, _A.name, _I.projects, _I.note, _I.made_by)
    statement = (
        select(*columns, _I.expires_at, _I.used_at)
        .outerjoin(accounts, _A.id == _I.account_id)
        .where(condition)
        .order_by(_I.created_at.desc(), _I.digest)
    )
    rows = session.execute(statement)
    return [Invitation(*row[:3], tuple(row.projects), *row[4:]) for row in rows]


def begin_session(session: Session, account: Account, *, now: datetime, lifetime: timedelta) -> str:
    """Log in: the secret of a new session. Sessions whose time is over are forgotten."""
    session.execute(delete(sessions).where(_S.expires_at <= now))
    secret = new_secret()
    row = {"digest": digest_of(secret), "account_id": account.id, "created_at": now}
    session.execute(insert(sessions), row | {"expires_at": now + lifetime})
    return secret


def of_session(session: Session, secret: str, *, now: datetime) -> Account | None:
    """Who is logged in with this session; None when it ended."""
    row = session.execute(_OF_SESSION, {"of": digest_of(secret), "now": now}).one_or_none()
    return None if row is None else account_of(row)


def end_session(session: Session, secret: str) -> None:
    """Log out."""
    session.execute(delete(sessions).where(_S.digest == digest_of(secret)))


def make_token(
    session: Session,
    account: Account,
    *,
    label: str,
    now: datetime,
    lifetime: timedelta | None = None,
) -> str:
    """A key for a program; it is shown once, only its digest is kept."""
    secret = "accord_" + new_secret()
    expires_at = None if lifetime is None else now + lifetime
    row = {"digest": digest_of(secret), "account_id": account.id, "label": label[:200]}
    session.execute(insert(tokens), row | {"created_at": now, "expires_at": expires_at})
    return secret


def of_token(session: Session, secret: str, *, now: datetime) -> Account | None:
    """Whose key this is; None when it is nobody's or its time is over."""
    row = session.execute(_OF_TOKEN, {"of": digest_of(secret)}).one_or_none()
    if row is None or (row.expires_at is not None and row.expires_at <= now):
        return None
    return account_of(row)


def revoke_tokens(session: Session, account: Account) -> int:
    """Make every key of an account useless; return how many there were."""
    gone = delete(tokens).where(_T.account_id == account.id).returning(_T.digest)
    return len(session.scalars(gone).all())


def login_wait(session: Session, *, name: str, address: str, now: datetime) -> timedelta:
    """Count one try to log in, before its password is looked at, and say how long to wait.

    After ``FAILURES_OF_A_NAME`` failures for one name, or ``FAILURES_OF_AN_ADDRESS`` from one
    address, each further try doubles the wait, from 15 seconds to 15 minutes. A try that must
    wait is not counted, so that waiting is enough.

    Args:
        session: a writing transaction, committed before the password is checked: many tries at
            once are then counted one by one.
        name: key of the name, whether or not there is such an account.
        address: network address of who asks.
        now: the present time, with zone.

    Returns:
        Zero if the password may be looked at.
    """
    limits = {
        digest_of("name:" + name): FAILURES_OF_A_NAME,
        digest_of("address:" + address): FAILURES_OF_AN_ADDRESS,
    }
    session.execute(delete(attempts).where(_F.since <= now - WINDOW))
    rows = {row.key: row for row in session.execute(select(attempts).where(_F.key.in_(limits)))}
    blocked = [row.blocked_until - now for row in rows.values() if row.blocked_until is not None]
    wait = max(blocked, default=timedelta(0))
    if wait > timedelta(0):
        return wait
    for key, limit in limits.items():
        if key not in rows:
            session.execute(insert(attempts), {"key": key, "failures": 1, "since": now})
            continue
        over = rows[key].failures + 1 - limit
        until = now + min(FIRST_WAIT * 2 ** min(over, 20), LONGEST_WAIT) if over >= 0 else None
        session.execute(
            update(attempts)
            .where(_F.key == key)
            .values(failures=_F.failures + 1, since=now, blocked_until=until)
        )
    return timedelta(0)


def login_succeeded(session: Session, *, name: str, address: str) -> None:
    """Forget the failures of a name, and that this try was counted for its address."""
    session.execute(delete(attempts).where(_F.key == digest_of("name:" + name)))
    session.execute(
        update(attempts)
        .where(_F.key == digest_of("address:" + address), _F.failures > 0)
        .values(failures=_F.failures - 1, blocked_until=None)
    )


def spend_form(session: Session, nonce: str, *, now: datetime, expires_at: datetime) -> bool:
    """Note that a form was sent; False if the same one was sent before.

    Args:
        session: the transaction of what the form does: both happen, or neither.
        nonce: what makes this form unlike every other one.
        now: the present time, with zone.
        expires_at: when the form is refused for its age, so that it need not be remembered.
    """
    session.execute(delete(spent_forms).where(_P.expires_at <= now))
    digest = digest_of(nonce)
    if session.scalars(select(func.count()).where(_P.digest == digest)).one():
        return False
    session.execute(insert(spent_forms), {"digest": digest, "expires_at": expires_at})
    return True
