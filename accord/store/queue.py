"""What a labeler sees next.

Order: the comparison that needs the fewest further votes to be complete comes first, then the
one published first, so that an interrupted round leaves few comparisons half answered. Nobody
gets the same comparison twice. What is shown is leased: for ``lease_seconds`` nobody else fills
that place, and the same labeler asking again gets the same comparison in the same order. A lease
that ends without an answer returns to the queue.

Position on the screen is balanced by design, not only random: over every K comparisons of K
responses that one labeler is shown, each response index stands once at each place.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, exists, func, insert, select, true, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from accord.records import Comparison
from accord.store.labelers import Labeler, locked
from accord.store.tables import (
    LEASED,
    SHOW,
    AssignmentRow,
    ComparisonRow,
    EventRow,
    LabelerRow,
    MemberRow,
    QueueRow,
)

_HELD = (ComparisonRow.payload, AssignmentRow.shown_order)
_OPEN = (ComparisonRow.id, ComparisonRow.payload, ComparisonRow.size)


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
    held = session.execute(_held(person, batches)).first()
    if held is not None:
        return Comparison.model_validate_json(held.payload), tuple(held.shown_order)
    chosen = session.execute(_first_open(person, batches)).first()
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
    statement = select(func.coalesce(func.sum(QueueRow.open), 0)).where(
        QueueRow.open > 0, in_batches(QueueRow.comparison_id, batches)
    )
    return int(session.scalars(statement).one())


def in_batches(
    comparison_id: InstrumentedAttribute[str], batches: Sequence[str] | None
) -> ColumnElement[bool]:
    """The condition that a comparison is in one of these batches; always true for None."""
    if batches is None:
        return true()
    return exists().where(MemberRow.batch.in_(batches), MemberRow.comparison_id == comparison_id)


def _return_expired(session: Session, now: datetime) -> None:
    expired = session.execute(
        select(AssignmentRow.comparison_id, AssignmentRow.labeler_id)
        .where(AssignmentRow.state == LEASED, AssignmentRow.expires_at <= now)
        .order_by(AssignmentRow.comparison_id, AssignmentRow.labeler_id)
        .with_for_update(skip_locked=True)
    ).all()
    for comparison_id, labeler_id in expired:
        session.execute(
            delete(AssignmentRow).where(
                AssignmentRow.comparison_id == comparison_id,
                AssignmentRow.labeler_id == labeler_id,
            )
        )
        widen(session, comparison_id, by=1)


def widen(session: Session, comparison_id: str, *, by: int) -> None:
    """Change how many places of a comparison are open."""
    session.execute(
        update(QueueRow)
        .where(QueueRow.comparison_id == comparison_id)
        .values(open=QueueRow.open + by)
    )


def _held(person: Labeler, batches: Sequence[str] | None) -> Select[Any]:
    return (
        select(*_HELD)
        .join(AssignmentRow, AssignmentRow.comparison_id == ComparisonRow.id)
        .where(
            AssignmentRow.labeler_id == person.id,
            AssignmentRow.state == LEASED,
            in_batches(AssignmentRow.comparison_id, batches),
        )
        .order_by(ComparisonRow.id)
    )


def _first_open(person: Labeler, batches: Sequence[str] | None) -> Select[Any]:
    seen = exists().where(
        AssignmentRow.comparison_id == QueueRow.comparison_id,
        AssignmentRow.labeler_id == person.id,
    )
    return (
        select(*_OPEN)
        .join(QueueRow, QueueRow.comparison_id == ComparisonRow.id)
        .where(QueueRow.open > 0, ~seen, in_batches(QueueRow.comparison_id, batches))
        .order_by(QueueRow.open, QueueRow.position, QueueRow.comparison_id)
        .limit(1)
        .with_for_update(of=QueueRow, skip_locked=True)
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
    session.execute(
        insert(AssignmentRow).values(
            comparison_id=comparison_id,
            labeler_id=person.id,
            state=LEASED,
            shown_order=list(order),
            expires_at=expires_at,
        )
    )
    widen(session, comparison_id, by=-1)
    session.execute(
        insert(EventRow).values(
            id=f"show:{person.id}:{person.shown}",
            kind=SHOW,
            comparison_id=comparison_id,
            labeler_id=person.id,
            created_at=now,
            shown_order=list(order),
        )
    )
    session.execute(
        update(LabelerRow).where(LabelerRow.id == person.id).values(shown=person.shown + 1)
    )
