"""Labelers: who may answer. A name is all that is kept of a person."""

from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from accord.config import InputError, nearest
from accord.store import tables


@dataclass(frozen=True)
class Labeler:
    """A labeler as the store knows it."""

    id: int
    name: str
    paused: bool  #: gets no comparisons until it goes on
    shown: int  #: comparisons it was shown so far


_LABELER = tables.labelers.c
_ALL = select(_LABELER.id, _LABELER.name, _LABELER.paused, _LABELER.shown).order_by(_LABELER.name)
_LOCK = _ALL.where(_LABELER.name == bindparam("of")).with_for_update()


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


def pause(session: Session, name: str, *, paused: bool = True) -> None:
    """Give a labeler nothing more (or, with ``paused=False``, go on). Its votes stay."""
    person = locked(session, name)
    session.execute(update(tables.labelers).where(_LABELER.id == person.id).values(paused=paused))


def locked(session: Session, name: str) -> Labeler:
    """One labeler, locked until the transaction ends, so that its requests come one by one.

    Raises:
        InputError: nobody has this name.
    """
    row = session.execute(_LOCK, {"of": name}).one_or_none()
    if row is None:
        names = [person.name for person in roster(session)]
        raise InputError(f"no labeler `{name}`{nearest(name, names)}")
    return Labeler(*row)
