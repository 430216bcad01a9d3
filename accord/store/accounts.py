"""Accounts: who may come in and as what; access.py has the links, sessions and tokens for it.

An account is a person or a program that answers or manages. Its name is also the labeler's name in
the ledger; nothing else of an account is there. Roles, each with what the ones before it may:

    labeler < manager (projects, labelers, guidelines, files) < admin (managers and admins)
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from accord.config import InputError
from accord.store import labelers
from accord.store.account_tables import accounts, memberships, sessions

Role = Literal["labeler", "manager", "admin"]
ROLES: tuple[Role, ...] = ("labeler", "manager", "admin")
LONGEST_NAME = 64
_NAME = re.compile(r"[\w][\w .@+-]*[\w]|[\w]")

_A, _S, _M = accounts.c, sessions.c, memberships.c


@dataclass(frozen=True)
class Account:
    """Who may come in."""

    id: int
    name: str
    role: Role
    active: bool  #: False: may no longer come in; what it did stays
    has_password: bool
    consents: tuple[str, ...]  #: content classes that the person agreed to see
    created_at: datetime

    def may(self, role: Role) -> bool:
        """True if the account may do what this role may."""
        return ROLES.index(self.role) >= ROLES.index(role)


COLUMNS = (_A.id, _A.name, _A.role, _A.active, _A.password, _A.consents, _A.created_at)
_OF_KEY = select(*COLUMNS).where(_A.key == bindparam("of"))
_IS_MEMBER = select(_M.project_id).where(
    _M.account_id == bindparam("of"), _M.project_id == bindparam("project")
)
_PROJECTS = select(_M.project_id).where(_M.account_id == bindparam("of")).order_by(_M.project_id)


def key_of(name: str) -> str:
    """A name as it is compared: capitals and compatible letters do not make another person.

    >>> key_of(" Ann ") == key_of("ann")
    True
    """
    return unicodedata.normalize("NFKC", name).strip().casefold()


def create(
    session: Session,
    name: str,
    *,
    role: Role,
    password: str | None,
    now: datetime,
    known_labeler: bool = False,
) -> Account:
    """Make an account, and the labeler of the same name.

    Args:
        session: a writing transaction.
        name: 1 to 64 letters, digits, spaces and ``. @ + - _``.
        role: what it may do.
        password: hash of the password, or None for a program.
        now: the present time, with zone.
        known_labeler: True to continue as a labeler who is in the ledger already.

    Raises:
        InputError: the name is not fit, or is taken.
    """
    name = unicodedata.normalize("NFKC", name).strip()
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise InputError(
            f"`{name[:80]}` is no name; use 1 to {LONGEST_NAME} letters, digits, spaces and . @ + -"
        )
    if _by_key(session, key_of(name)) is not None:
        raise InputError(f"the name `{name}` is taken; choose another one")
    if not labelers.add(session, name) and not known_labeler:
        raise InputError(f"the ledger has a labeler `{name}` already; choose another name")
    row: dict[str, Any] = {
        "name": name,
        "key": key_of(name),
        "role": role,
        "password": password,
        "active": True,
        "consents": [],
        "created_at": now,
    }
    session.execute(insert(accounts), row)
    return get(session, name)


def get(session: Session, name: str) -> Account:
    """The account of this name.

    Raises:
        InputError: there is none.
    """
    row = _by_key(session, key_of(name))
    if row is None:
        raise InputError(f"no account `{name[:80]}`")
    return account_of(row)


def roster(session: Session) -> list[Account]:
    """Every account, by name."""
    return [account_of(row) for row in session.execute(select(*COLUMNS).order_by(_A.key))]


def password_of(session: Session, name: str) -> str | None:
    """Hash of the password of an active account; None if it has none or there is no such account.

    For the login only, which must not say which of these it is.
    """
    row = _by_key(session, key_of(name))
    return str(row.password) if row is not None and row.active and row.password else None


def set_password(session: Session, account: Account, password: str) -> None:
    """Give a new password (its hash), and end every session of the account."""
    session.execute(update(accounts).where(_A.id == account.id).values(password=password))
    end_sessions(session, account)


def set_role(session: Session, account: Account, role: Role) -> None:
    """Let an account do more or less; the last admin stays one."""
    if account.role == "admin" and role != "admin":
        _keep_an_admin(session, account)
    session.execute(update(accounts).where(_A.id == account.id).values(role=role))


def set_active(session: Session, account: Account, active: bool) -> None:
    """Close an account or open it again; closing ends its sessions at once."""
    if account.role == "admin" and not active:
        _keep_an_admin(session, account)
    session.execute(update(accounts).where(_A.id == account.id).values(active=active))
    if not active:
        end_sessions(session, account)


def set_consents(session: Session, account: Account, consents: Sequence[str]) -> None:
    """Note which content classes a person agrees to see; an empty list takes all back."""
    kept = sorted(set(consents))
    session.execute(update(accounts).where(_A.id == account.id).values(consents=kept))


def has_admin(session: Session) -> bool:
    """True once an admin with a password exists."""
    return _count_admins(session) > 0


def end_sessions(session: Session, account: Account) -> None:
    """Log an account out everywhere."""
    session.execute(delete(sessions).where(_S.account_id == account.id))


def projects_of(session: Session, account: Account) -> list[str]:
    """Projects that were given to an account. A manager may work on every project besides."""
    return list(session.scalars(_PROJECTS, {"of": account.id}))


def is_member(session: Session, account: Account, project_id: str) -> bool:
    """True if a project was given to an account."""
    return (
        session.execute(_IS_MEMBER, {"of": account.id, "project": project_id}).first() is not None
    )


def members_of(session: Session, project_id: str) -> list[str]:
    """Names of the accounts that a project was given to."""
    statement = select(_A.name).join(memberships, _M.account_id == _A.id)
    return list(session.scalars(statement.where(_M.project_id == project_id).order_by(_A.key)))


def assign(session: Session, account: Account, projects: Sequence[str]) -> None:
    """Give exactly these projects to an account."""
    session.execute(delete(memberships).where(_M.account_id == account.id))
    for project in dict.fromkeys(projects):
        session.execute(insert(memberships), {"account_id": account.id, "project_id": project})


def account_of(row: Any) -> Account:
    """An account from a row that has ``COLUMNS``."""
    return Account(
        id=row.id,
        name=row.name,
        role=row.role,
        active=row.active,
        has_password=row.password is not None,
        consents=tuple(row.consents),
        created_at=row.created_at,
    )


def _by_key(session: Session, key: str) -> Any | None:
    return session.execute(_OF_KEY, {"of": key}).one_or_none()


def _count_admins(session: Session) -> int:
    condition = (_A.role == "admin") & _A.active & _A.password.is_not(None)
    return int(session.scalars(select(func.count()).select_from(accounts).where(condition)).one())


def _keep_an_admin(session: Session, account: Account) -> None:
    if account.active and account.has_password and _count_admins(session) <= 1:
        raise InputError(f"`{account.name}` is the last admin; make another one first")
