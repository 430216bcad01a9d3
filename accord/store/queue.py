"""What a labeler sees next.

Order: the comparison that needs the fewest further votes to be complete comes first, then the
one published first, so that an interrupted round leaves few comparisons half answered. Who has
had all of the ``WINDOW`` first in that order is given an untouched one, so that one labeler alone
with a long queue waits no longer than many. Nobody gets the same comparison twice.

What is shown is leased: for ``lease_seconds`` nobody else fills that place, and the same labeler
asking again gets the same comparison in the same order. A lease that ends without an answer
returns to the queue.

Position on the screen is balanced by design, not only random: over every K comparisons of K
responses that one labeler is shown, each response index stands once at each place.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    bindparam,
    delete,
    exists,
    func,
    select,
    true,
    update,
)
from sqlalchemy.orm import Session

from accord.records import Comparison
from accord.store import tables
from accord.store.labelers import Labeler, locked
from accord.store.tables import LEASED, SHOW

WINDOW = 100  # comparisons near completion that are looked through before an untouched one

_QUEUE, _COMPARISON = tables.queue.c, tables.comparisons.c
_ASSIGNMENT, _MEMBER = tables.assignments.c, tables.members.c


def next(
    session: Session,
    labeler: str,
    *,
    now: datetime,
    lease_seconds: float,
    seed: int,
    batches: Sequence[str] | None = None,
) -> tuple[Comparison, tuple[int, ...]] | None:
    """Lease the next comparison to a labeler.

    Args:
        session: a writing transaction.
        labeler: its name.
        now: the present time, with zone.
        lease_seconds: how long the place is kept for this labeler, in seconds.
        seed: decides the order in which responses are shown.
        batches: only comparisons of these batches; all by default.

    Returns:
        The comparison and the order to show its responses in (``order[j]`` is the index of the
        response at place j), or None when nothing is left for this labeler or it is paused.

    Raises:
        InputError: no such labeler.
    """
    person = locked(session, labeler)
    if person.paused:
        return None
    _return_expired(session, now)
    asked = {"person": person.id, "batches": list(batches or ())}
    held = session.execute(_held(batches is not None), asked).first()
    if held is not None:
        return Comparison.model_validate_json(held.payload), tuple(held.shown_order)
    chosen = _choose(session, person, batches)
    if chosen is None:
        return None
    order = shown_order(chosen.size, labeler=labeler, shown=person.shown, seed=seed)
    expires_at = now + timedelta(seconds=lease_seconds)
    _lease(session, person, chosen.id, order=order, now=now, expires_at=expires_at)
    return Comparison.model_validate_json(chosen.payload), order


def shown_order(size: int, *, labeler: str, shown: int, seed: int) -> tuple[int, ...]:
    """The order in which ``size`` responses are shown to a labeler that saw ``shown`` before.

    A block of ``size`` showings uses the rows of one random Latin square in random order.

    >>> [shown_order(2, labeler="ann", shown=n, seed=0) for n in range(4)]
    [(0, 1), (1, 0), (1, 0), (0, 1)]
    """
    block, within = divmod(shown, size)
    rng = random.Random(f"{seed}:{labeler}:{block}")
    base, rotations = list(range(size)), list(range(size))
    rng.shuffle(base)
    rng.shuffle(rotations)
    turn = rotations[within]
    return tuple(base[turn:] + base[:turn])


def open_votes(session: Session, batches: Sequence[str] | None = None) -> int:
    """How many votes are still wanted; leased places count as taken."""
    statement = select(func.coalesce(func.sum(_QUEUE.open), 0)).where(
        _QUEUE.open > 0, in_batches(_QUEUE.comparison_id, batches is not None)
    )
    return int(session.scalars(statement, {"batches": list(batches or ())}).one())


def in_batches(comparison_id: ColumnElement[str], restricted: bool) -> ColumnElement[bool]:
    """The condition that a comparison is in one of the batches of the parameter ``batches``."""
    if not restricted:
        return true()
    return exists().where(
        _MEMBER.batch.in_(bindparam("batches", expanding=True)),
        _MEMBER.comparison_id == comparison_id,
    )


_WIDEN = (
    update(tables.queue)
    .where(_QUEUE.comparison_id == bindparam("of"))
    .values(open=_QUEUE.open + bindparam("by"))
)


def widen(session: Session, comparison_id: str, *, by: int) -> None:
    """Change how many places of a comparison are open."""
    session.execute(_WIDEN, {"of": comparison_id, "by": by})


_EXPIRED = (
    select(_ASSIGNMENT.comparison_id, _ASSIGNMENT.labeler_id)
    .where(_ASSIGNMENT.state == LEASED, _ASSIGNMENT.expires_at <= bindparam("now"))
    .order_by(_ASSIGNMENT.comparison_id, _ASSIGNMENT.labeler_id)
    .with_for_update(skip_locked=True)
)


def _return_expired(session: Session, now: datetime) -> None:
    for comparison_id, labeler_id in session.execute(_EXPIRED, {"now": now}).all():
        session.execute(
            delete(tables.assignments).where(
                _ASSIGNMENT.comparison_id == comparison_id, _ASSIGNMENT.labeler_id == labeler_id
            )
        )
        widen(session, comparison_id, by=1)


@cache
def _held(restricted: bool) -> Select[Any]:
    """What is leased to the parameter ``person``."""
    shown = [_COMPARISON.payload, _ASSIGNMENT.shown_order]
    return (
        select(*shown)
        .join(tables.assignments, _ASSIGNMENT.comparison_id == _COMPARISON.id)
        .where(
            _ASSIGNMENT.labeler_id == bindparam("person"),
            _ASSIGNMENT.state == LEASED,
            in_batches(_ASSIGNMENT.comparison_id, restricted),
        )
        .order_by(_COMPARISON.id)
    )


def _choose(session: Session, person: Labeler, batches: Sequence[str] | None) -> Row[Any] | None:
    """The first comparison that wants a vote and that this labeler has not had, locked."""
    asked = {"person": person.id, "batches": list(batches or ())}
    while True:
        chosen = session.scalar(_nearly_complete(batches is not None), asked) or session.scalar(
            _untouched(batches is not None), asked
        )
        if chosen is None:
            return None
        row = session.execute(_TAKE, {"of": chosen}).one_or_none()
        if row is not None:
            return row  # None: another labeler took the last place a moment ago, so look again


_TAKE = (
    select(*[_COMPARISON.id, _COMPARISON.payload, _COMPARISON.size])
    .join(tables.queue, _QUEUE.comparison_id == _COMPARISON.id)
    .where(_COMPARISON.id == bindparam("of"), _QUEUE.open > 0)
    .with_for_update(of=tables.queue)
)


def _had(comparison_id: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(
        _ASSIGNMENT.comparison_id == comparison_id,
        _ASSIGNMENT.labeler_id == bindparam("person"),
    )


@cache
def _nearly_complete(restricted: bool) -> Select[Any]:
    """Among the ``WINDOW`` comparisons nearest to completion, the first not had."""
    window = (
        select(_QUEUE.comparison_id, _QUEUE.open, _QUEUE.position)
        .where(_QUEUE.open > 0, in_batches(_QUEUE.comparison_id, restricted))
        .order_by(_QUEUE.open, _QUEUE.position, _QUEUE.comparison_id)
        .limit(WINDOW)
        .subquery()
    )
    return (
        select(window.c.comparison_id)
        .where(~_had(window.c.comparison_id))
        .order_by(window.c.open, window.c.position, window.c.comparison_id)
        .limit(1)
    )


@cache
def _untouched(restricted: bool) -> Select[Any]:
    """The first not had, those that want most votes first: seldom had, so soon found."""
    return (
        select(_QUEUE.comparison_id)
        .where(
            _QUEUE.open > 0,
            ~_had(_QUEUE.comparison_id),
            in_batches(_QUEUE.comparison_id, restricted),
        )
        .order_by(_QUEUE.open.desc(), _QUEUE.position, _QUEUE.comparison_id)
        .limit(1)
    )


_COUNT_SHOWN = (
    update(tables.labelers)
    .where(tables.labelers.c.id == bindparam("person"))
    .values(shown=tables.labelers.c.shown + 1)
)


def _lease(
    session: Session,
    person: Labeler,
    comparison_id: str,
    *,
    order: tuple[int, ...],
    now: datetime,
    expires_at: datetime,
) -> None:
    place = {"comparison_id": comparison_id, "labeler_id": person.id, "shown_order": list(order)}
    session.execute(tables.INSERT_ASSIGNMENT, {**place, "state": LEASED, "expires_at": expires_at})
    widen(session, comparison_id, by=-1)
    session.execute(
        tables.INSERT_EVENT,
        {**place, "kind": SHOW, "id": f"{person.id}:{person.shown}", "created_at": now},
    )
    session.execute(_COUNT_SHOWN, {"person": person.id})
