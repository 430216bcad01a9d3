"""Which item of the queue: the first that wants a vote and that the labeler has not had.

Nearly complete items come first; who has had all of the ``WINDOW`` first of them is given an
untouched one.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, exists, func, select, true
from sqlalchemy.orm import Session

from accord.store import tables
from accord.store.labelers import Labeler
from accord.store.tables import FREE, NO_PROJECT

WINDOW = 100  # items near completion that are looked through before an untouched one
AT_ONCE = 5  # of which one is taken; more labelers than one look at the same time

_QUEUE, _COMPARISON = tables.queue.c, tables.comparisons.c
_ASSIGNMENT, _MEMBER = tables.assignments.c, tables.members.c


def choose(
    session: Session, person: Labeler, project_id: str, batches: Sequence[str] | None
) -> Row[Any] | None:
    """The first item that wants a vote and that this labeler has not had, locked."""
    asked: dict[str, Any] = {"project": project_id, "person": person.id}
    if batches is not None:
        asked["batches"] = list(batches)
    while True:
        found = session.scalars(_nearly_complete(batches is not None), asked).all()
        found = found or session.scalars(_untouched(batches is not None), asked).all()
        if not found:
            return None
        for wait in (False, True):
            for identifier in found:
                row = take(session, project_id, identifier, wait=wait)
                if row is not None:
                    return row
        # others took the last places of all of them a moment ago, so look again


def take(session: Session, project_id: str, identifier: str, *, wait: bool) -> Row[Any] | None:
    """Lock an item, if it still wants a vote; what somebody else has locked only with ``wait``."""
    statement = _TAKE if wait else _TAKE_IF_FREE
    return session.execute(statement, {"project": project_id, "of": identifier}).first()


_TAKE = (
    select(*[_COMPARISON.id, _COMPARISON.payload, _COMPARISON.size])
    .join(tables.queue, _QUEUE.comparison_id == _COMPARISON.id)
    .where(
        _QUEUE.project_id == bindparam("project"),
        _QUEUE.comparison_id == bindparam("of"),
        _QUEUE.open > 0,
        _QUEUE.held == 0,
    )
    .with_for_update(of=tables.queue)
)
_TAKE_IF_FREE = _TAKE.with_for_update(of=tables.queue, skip_locked=True)


def had(comparison_id: ColumnElement[str]) -> ColumnElement[bool]:
    """The condition that the labeler has had an item; parameters ``person`` and ``project``."""
    return exists().where(
        _ASSIGNMENT.labeler_id == bindparam("person"),
        _ASSIGNMENT.project_id == bindparam("project"),
        _ASSIGNMENT.comparison_id == comparison_id,
        _ASSIGNMENT.state.not_in(FREE),
    )


@cache
def _nearly_complete(restricted: bool) -> Select[Any]:
    """Among the ``WINDOW`` items nearest to completion, the first not had."""
    window = (
        select(_QUEUE.comparison_id, _QUEUE.open, _QUEUE.position)
        .where(
            _QUEUE.project_id == bindparam("project"),
            _QUEUE.open > 0,
            _QUEUE.held == 0,
            in_batches(_QUEUE.comparison_id, restricted),
        )
        .order_by(_QUEUE.open, _QUEUE.position, _QUEUE.comparison_id)
        .limit(WINDOW)
        .subquery()
    )
    return (
        select(window.c.comparison_id)
        .where(~had(window.c.comparison_id))
        .order_by(window.c.open, window.c.position, window.c.comparison_id)
        .limit(AT_ONCE)
    )


@cache
def _untouched(restricted: bool) -> Select[Any]:
    """The first not had, those that want most votes first: seldom had, so soon found."""
    return (
        select(_QUEUE.comparison_id)
        .where(
            _QUEUE.project_id == bindparam("project"),
            _QUEUE.open > 0,
            _QUEUE.held == 0,
            ~had(_QUEUE.comparison_id),
            in_batches(_QUEUE.comparison_id, restricted),
        )
        .order_by(_QUEUE.open.desc(), _QUEUE.position, _QUEUE.comparison_id)
        .limit(AT_ONCE)
    )


def open_votes(
    session: Session, batches: Sequence[str] | None = None, *, project_id: str = NO_PROJECT
) -> int:
    """How many votes are still wanted; leased places count as taken."""
    statement = select(func.coalesce(func.sum(_QUEUE.open), 0)).where(
        _QUEUE.project_id == project_id,
        _QUEUE.open > 0,
        _QUEUE.held == 0,
        in_batches(_QUEUE.comparison_id, batches is not None),
    )
    return int(session.scalars(statement, {"batches": list(batches or ())}).one())


def in_batches(comparison_id: ColumnElement[Any], restricted: bool) -> ColumnElement[bool]:
    """The condition that a comparison is in one of the batches of the parameter ``batches``."""
    if not restricted:
        return true()
    return exists().where(
        _MEMBER.batch.in_(bindparam("batches", expanding=True)),
        _MEMBER.comparison_id == comparison_id,
    )
