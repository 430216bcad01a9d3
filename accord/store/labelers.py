"""Labelers: who may answer. A name is all that is kept of a person."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from accord.config import InputError, nearest
from accord.store import events, tables
from accord.store.tables import PAUSE, RESUME


@dataclass(frozen=True)
class Labeler:
    """A labeler as the store knows it."""

    id: int
    name: str
    paused: bool  #: gets nothing more until it goes on
    shown: int  #: comparisons it was shown so far, outside projects


_LABELER, _EVENT = tables.labelers.c, tables.events.c
_ALL = select(_LABELER.id, _LABELER.name, _LABELER.paused, _LABELER.shown).order_by(_LABELER.name)
_ONE = _ALL.where(_LABELER.name == bindparam("of"))
_LOCK = _ONE.with_for_update()


def add(session: Session, name: str) -> bool:
    """Add a labeler; return False if the name is there already."""
    if not name.strip():
        raise InputError("a labeler needs a name; give one that is not empty")
    if session.execute(_LOCK, {"of": name}).first() is not None:
        return False
    session.execute(insert(tables.labelers), {"name": name})
    return True


def roster(session: Session) -> list[Labeler]:
    """Every labeler, by name."""
    return [Labeler(*row) for row in session.execute(_ALL)]


def get(session: Session, name: str) -> Labeler:
    """One labeler, for reading.

    Raises:
        InputError: nobody has this name.
    """
    return _found(session, name, session.execute(_ONE, {"of": name}).one_or_none())


def pause(session: Session, name: str, *, reason: str, by: str, now: datetime) -> bool:
    """Give a labeler nothing more. Its answers stay; data sets may leave them out.

    Returns:
        False if it is paused already.
    """
    return _set_paused(session, name, True, reason=reason, by=by, now=now)


def resume(session: Session, name: str, *, reason: str, by: str, now: datetime) -> bool:
    """Let a paused labeler go on; False if it is not paused."""
    return _set_paused(session, name, False, reason=reason, by=by, now=now)


def locked(session: Session, name: str) -> Labeler:
    """One labeler, locked until the transaction ends, so that its requests come one by one.

    Raises:
        InputError: nobody has this name.
    """
    known: Labeler | None = session.info.get(_key(name))
    if known is None:
        known = _found(session, name, session.execute(_LOCK, {"of": name}).one_or_none())
        session.info[_key(name)] = known
    return known


def is_locked(session: Session, person: Labeler) -> bool:
    """True if this transaction has locked a labeler: what is the labeler's stays as it was read."""
    return _key(person.name) in session.info


def forget(session: Session, name: str) -> None:
    """Read a labeler that was locked anew at the next look: its row has changed."""
    session.info.pop(_key(name), None)


def _key(name: str) -> tuple[str, str]:
    return "labeler", name  # a session is one transaction, which sees one state of what it locked


def _found(session: Session, name: str, row: object | None) -> Labeler:
    if row is None:
        names = [person.name for person in roster(session)]
        raise InputError(f"no labeler `{name}`{nearest(name, names)}")
    return Labeler(*row)  # type: ignore[misc]  # a row of _ALL has the fields in this order


def _set_paused(
    session: Session, name: str, paused: bool, *, reason: str, by: str, now: datetime
) -> bool:
    person = locked(session, name)
    if person.paused == paused:
        return False
    kind = PAUSE if paused else RESUME
    earlier = session.scalars(
        select(func.count())
        .select_from(tables.events)
        .where(_EVENT.kind == kind, _EVENT.labeler_id == person.id)
    ).one()
    values = {"labeler_id": person.id, "note": reason, "body": {"by": by}}
    events.append(session, kind, f"{person.id}:{earlier}", now=now, values=values)
    session.execute(update(tables.labelers).where(_LABELER.id == person.id).values(paused=paused))
    forget(session, name)
    return True
