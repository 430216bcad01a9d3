"""The log itself: append an event, find one. Nothing here changes or deletes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, exists, func, select
from sqlalchemy.orm import Session

from accord.store import tables
from accord.store.tables import ANSWERS, WITHDRAW

_EVENT = tables.events.c
_FIND = select(tables.events).where(
    _EVENT.id == bindparam("of"), _EVENT.kind.in_(bindparam("kinds", expanding=True))
)
_WITHDRAWAL = select(_EVENT.seq).where(_EVENT.kind == WITHDRAW, _EVENT.id == bindparam("of"))

_LATEST = select(func.coalesce(func.max(_EVENT.seq), 0))


def append(
    session: Session, kind: str, identifier: str, *, now: datetime, values: dict[str, Any]
) -> int:
    """Add one event.

    Args:
        session: a writing transaction.
        kind: one of the kinds of ``tables``.
        identifier: with the kind, what makes the event the only one of its sort.
        now: the present time, with zone.
        values: further columns.

    Returns:
        Its place in the log.
    """
    row = {"kind": kind, "id": identifier, "created_at": now, **values}
    row.setdefault("shown_order", [])
    result: Any = session.execute(tables.INSERT_EVENT, row)
    return int(result.inserted_primary_key[0])


def find(session: Session, identifier: str, kinds: Sequence[str] = ANSWERS) -> Row[Any] | None:
    """The event of this id and of one of these kinds, or None."""
    return session.execute(_FIND, {"of": identifier, "kinds": list(kinds)}).first()


def is_withdrawn(session: Session, identifier: str) -> bool:
    """True if the answer of this id was taken back."""
    return session.execute(_WITHDRAWAL, {"of": identifier}).first() is not None


def latest(session: Session) -> int:
    """The place of the newest event, 0 when there is none."""
    return int(session.scalars(_LATEST).one())


def standing() -> Any:
    """The condition that an answer of ``events`` was not taken back."""
    withdrawal = tables.events.alias("withdrawal")
    return ~exists().where(withdrawal.c.kind == WITHDRAW, withdrawal.c.id == _EVENT.id)
