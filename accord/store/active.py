"""The next item by what a vote on it tells: ``ratings.active`` on the votes of a project.

Candidates are the items that the queue would give next, and others at random places of it, so that
a queue in which one pair of models comes after the other still has something to choose from. Each
draw is written into the ledger with its probability and with how far the ledger had been read, so
anybody can compute it again, and weight votes by the inverse of it.

Ratings are computed again when the project has a twentieth more answers, from its last
``MOST_VOTES`` votes: that bounds what a labeler waits (0.2 s) and leaves plenty to plan by.
"""

import random
from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from sqlalchemy import Engine, Row, bindparam, func, select
from sqlalchemy.orm import Session

from accord.ratings.active import next_pair
from accord.ratings.fit import Fit, fit
from accord.ratings.votes import Ranking, from_rankings
from accord.store import choice, events, items, tables
from accord.store.labelers import Labeler
from accord.store.leases import Drawn
from accord.store.specs import ProjectSpec
from accord.store.tables import VOTE

IN_ORDER = 100  # candidates that come first in the queue
AT_RANDOM = 100  # random places that are looked at beside them
MOST_VOTES = 5_000  # of which ratings are computed
GROWTH, LEAST = 0.05, 10  # more answers until they are computed again

_QUEUE, _EVENT, _COMPARISON = tables.queue.c, tables.events.c, tables.comparisons.c
_STANDING = tables.standings.c


class _Known(NamedTuple):
    """What the votes of a project say, and when that was computed."""

    answered: int  #: answers of the project then
    read_until: int  #: place in the ledger
    fit: Fit | None  #: None before the first vote


# Computed from the ledger alone, so a process may forget it at any time.
_KNOWN: WeakKeyDictionary[Engine, dict[str, _Known]] = WeakKeyDictionary()


def draw(
    session: Session, spec: ProjectSpec, person: Labeler, *, label: str
) -> tuple[Row[Any] | None, Drawn | None]:
    """Draw the next item for a labeler, and lock it.

    Args:
        session: a writing transaction.
        spec: of a comparison project with ``settings.active``.
        person: who asks.
        label: decides the draw.

    Returns:
        The item and how it was drawn; None twice when nothing is left for this labeler.
    """
    assert spec.settings.active is not None  # the caller looked
    share = spec.settings.active.random_share
    known = _known(session, spec.id)
    random_numbers = random.Random(f"{label}:active")
    rng = np.random.default_rng(random_numbers.getrandbits(128))
    wait = False
    while left := _candidates(session, spec.id, person, random_numbers):
        while left:
            pairs = [_policies(row.payload) for row in left]
            chosen = next_pair(known.fit, pairs, rng, random_share=share)
            row = choice.take(session, spec.id, left[chosen.index].id, wait=wait)
            if row is not None:
                probability = float(chosen.probability[chosen.index])
                return row, Drawn(probability, len(left), share, known.read_until)
            del left[chosen.index]  # somebody else has it: draw among the rest
        wait = True
    return None, None


_OPEN = (_QUEUE.project_id == bindparam("project"), _QUEUE.open > 0, _QUEUE.held == 0)
_IN_ORDER = (_QUEUE.open, _QUEUE.position, _QUEUE.comparison_id)
_FIRST = select(_QUEUE.comparison_id).where(*_OPEN).order_by(*_IN_ORDER).limit(IN_ORDER)
_PLACED = (
    select(_QUEUE.comparison_id)
    .where(
        *_OPEN,
        # Equality in all three finds a place by the index; ``open`` is one of a few small numbers.
        _QUEUE.open.in_(bindparam("opens", expanding=True)),
        _QUEUE.position.in_(bindparam("positions", expanding=True)),
    )
    .order_by(*_IN_ORDER)
)
_UNTOUCHED = (
    select(_QUEUE.comparison_id)
    .where(*_OPEN, ~choice.had(_QUEUE.comparison_id))
    .order_by(_QUEUE.open.desc(), _QUEUE.position, _QUEUE.comparison_id)
    .limit(IN_ORDER)
)
_NOT_HAD = select(_COMPARISON.id, _COMPARISON.payload).where(
    _COMPARISON.id.in_(bindparam("among", expanding=True)), ~choice.had(_COMPARISON.id)
)
_EXTENT = select(func.max(_QUEUE.open), func.max(_QUEUE.position)).where(
    _QUEUE.project_id == bindparam("project")
)


def _candidates(
    session: Session, project_id: str, person: Labeler, random_numbers: random.Random
) -> list[Any]:
    """Items that the labeler has not had: the first, and some at random places.

    Who has had all of these is given untouched ones.
    """
    asked: dict[str, Any] = {"project": project_id, "person": person.id}
    most, last = session.execute(_EXTENT, asked).one()
    if last is None or most <= 0:
        return []
    positions = {random_numbers.randrange(last + 1) for _ in range(AT_RANDOM)}
    placed = {**asked, "opens": list(range(1, most + 1)), "positions": sorted(positions)}
    looked_at = [*session.scalars(_FIRST, asked), *session.scalars(_PLACED, placed)]
    for found in (looked_at, session.scalars(_UNTOUCHED, asked).all()):
        among = list(dict.fromkeys(found))
        rows: Sequence[Any] = session.execute(_NOT_HAD, {**asked, "among": among}).all()
        if rows:
            return sorted(rows, key=lambda row: among.index(row.id))
    return []


def _policies(payload: str) -> tuple[str, str]:
    first, second = items.parsed(payload).responses
    return first.policy, second.policy


_ANSWERED = select(func.coalesce(func.sum(_STANDING.answered), 0)).where(
    _STANDING.project_id == bindparam("project")
)
_VOTES = (
    select(_EVENT.ranks, _EVENT.body, _COMPARISON.payload)
    .join(tables.comparisons, _COMPARISON.id == _EVENT.comparison_id)
    .where(
        _EVENT.project_id == bindparam("project"),
        _EVENT.kind == VOTE,
        _EVENT.purpose == "vote",
        events.standing(),
    )
    .order_by(_EVENT.seq.desc())
    .limit(MOST_VOTES)
)


def _known(session: Session, project_id: str) -> _Known:
    engine = session.get_bind().engine
    of_engine = _KNOWN.setdefault(engine, {})
    answered = int(session.scalars(_ANSWERED, {"project": project_id}).one())
    known = of_engine.get(project_id)
    if known is None or abs(answered - known.answered) >= max(LEAST, GROWTH * known.answered):
        votes = session.execute(_VOTES, {"project": project_id}).all()
        known = _Known(answered, events.latest(session), _fitted(votes))
        of_engine[project_id] = known
    return known


def _fitted(votes: Sequence[Any]) -> Fit | None:
    """Ratings that need no clusters: how labelers differ says nothing about which pair to ask."""
    rankings = [
        Ranking(
            _policies(row.payload), tuple(row.ranks), both_bad=row.body.get("tie") == "both_bad"
        )
        for row in votes
    ]
    return fit(from_rankings(rankings), cluster=()) if rankings else None
