"""Labelers: who may answer. A name is all that is kept of a person."""

from dataclasses import dataclass

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from accord.config import InputError, nearest
from accord.store.tables import LabelerRow


@dataclass(frozen=True)
class Labeler:
    """A labeler as the store knows it."""

    id: int
    name: str
    paused: bool  #: gets no comparisons until it goes on
    shown: int  #: comparisons it was shown so far


_COLUMNS = (LabelerRow.id, LabelerRow.name, LabelerRow.paused, LabelerRow.shown)


def add(session: Session, name: str) -> bool:
    """Add a labeler; return False if the name is there already."""
    if not name.strip():
        raise InputError("a labeler needs a name; give one that is not empty")
    if session.scalar(select(LabelerRow.id).where(LabelerRow.name == name)) is not None:
        return False
    session.execute(insert(LabelerRow).values(name=name))
    return True


def roster(session: Session) -> list[Labeler]:
    """Every labeler, by name."""
    rows = session.execute(select(*_COLUMNS).order_by(LabelerRow.name))
    return [Labeler(*row) for row in rows]


def pause(session: Session, name: str, *, paused: bool = True) -> None:
    """Give a labeler nothing more (or, with ``paused=False``, go on). Its votes stay."""
    person = locked(session, name)
    session.execute(update(LabelerRow).where(LabelerRow.id == person.id).values(paused=paused))


def locked(session: Session, name: str) -> Labeler:
    """One labeler, locked until the transaction ends, so that its requests come one by one.

    Raises:
        InputError: nobody has this name.
    """
    statement = select(*_COLUMNS).where(LabelerRow.name == name).with_for_update()
    row = session.execute(statement).one_or_none()
    if row is None:
        names = [person.name for person in roster(session)]
        raise InputError(f"no labeler `{name}`{nearest(name, names)}")
    return Labeler(*row)
