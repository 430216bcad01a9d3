"""What a labeler sees next.

Order: the item that needs the fewest further votes to be complete comes first, then the one
published first, so that an interrupted round leaves few items half answered. Who has had all of
the first of them is given an untouched one, so that one labeler alone with a long
queue waits no longer than many. Nobody gets the same item twice but for a planned repeat. A
project with ``active`` draws items by what a vote on them tells instead, see ``active.py``.

Hidden tests and repeats are mixed in at random moments, at exactly the rate that was asked for:
the k-th comes after ``(k + u) / share`` others, u uniform between 0 and 1.
"""

import random
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, select, update
from sqlalchemy.orm import Session

from accord.records import Comparison, Item
from accord.store import (
    active,
    gold,
    items,
    leases,
    places,
    projects,
    repeats,
    standings,
    tables,
)
from accord.store.choice import choose, in_batches, open_votes
from accord.store.labelers import Labeler, forget, locked
from accord.store.leases import Asked, Drawn, Task
from accord.store.projects import Project
from accord.store.specs import ProjectSpec
from accord.store.tables import LEASED, NO_PROJECT, SHOW

LOOK_AGAIN = timedelta(seconds=60)  # clocks of two servers, and transactions, differ by less

_COMPARISON, _ASSIGNMENT = tables.comparisons.c, tables.assignments.c

__all__ = ["is_due", "next", "next_task", "open_votes", "shown_order", "why_nothing"]


def next_task(
    session: Session, project_id: str, labeler: str, *, now: datetime, seed: int
) -> Task | None:
    """Put the next item of a project before a labeler.

    Args:
        session: a writing transaction.
        project_id: of a project.
        labeler: its name.
        now: the present time, with zone.
        seed: decides the order of responses and when hidden tests come.

    Returns:
        The task, the same one until it is answered, skipped or reported, or its lease ends; None
        when there is nothing for this labeler, see ``why_nothing``.

    Raises:
        InputError: no such labeler or project.
    """
    person = locked(session, labeler)
    project = projects.get(session, project_id)
    leases.return_expired(session, now)
    if person.paused:
        return None
    spec = project.spec
    held = leases.held(session, spec, person)
    if held is not None or spec.closed:
        return held
    standing = standings.begun(session, spec, person)
    cap = spec.settings.care.daily_cap
    if cap is not None and standing.answers_on(now) >= cap:
        return None
    if standing.state == "screening":
        return _test(session, project, person, standing, now=now, seed=seed)
    if standing.state != "ready":
        return None
    return _stream(session, project, person, standing, now=now, seed=seed)


def why_nothing(session: Session, project_id: str, labeler: str, *, now: datetime) -> str:
    """Why ``next_task`` gives nothing: one of the words below.

    Returns:
        ``paused``, ``closed``, ``daily_cap``, ``waiting`` (the entry test is being looked at),
        ``failed`` (the entry test), or ``done`` (nothing is left at the moment).
    """
    person = locked(session, labeler)
    spec = projects.get(session, project_id).spec
    standing = standings.find(session, spec, person)
    cap = spec.settings.care.daily_cap
    if person.paused:
        return "paused"
    if spec.closed:
        return "closed"
    if standing.state in ("waiting", "failed"):
        return standing.state
    return "daily_cap" if cap is not None and standing.answers_on(now) >= cap else "done"


def is_due(count: int, given: int, *, share: float, seed: str) -> bool:
    """True if another hidden item is due after ``count`` tasks, ``given`` of which were hidden.

    >>> [n for n in range(9) if is_due(n, 0, share=0.25, seed="any")][0] < 4
    True
    >>> is_due(1000, 0, share=0.0, seed="any")
    False
    """
    if not share:
        return False
    return count >= int((given + random.Random(f"{seed}:{given}").random()) / share)


def _test(
    session: Session,
    project: Project,
    person: Labeler,
    standing: standings.Standing,
    *,
    now: datetime,
    seed: int,
) -> Task | None:
    """The next item of the entry test."""
    spec = project.spec
    item = gold.next_item(session, spec, person, screening=True)
    if item is None:
        return None  # the manager has not put enough items into the test yet
    asked = Asked(standing.shown, seed, "screening")
    task = leases.hold(session, spec, person, item, asked=asked, now=now)
    standings.put(session, spec, person, shown=standing.shown + 1)
    return task


def _stream(
    session: Session,
    project: Project,
    person: Labeler,
    standing: standings.Standing,
    *,
    now: datetime,
    seed: int,
) -> Task | None:
    """The next item of the stream, with hidden tests and repeats mixed in."""
    spec, settings = project.spec, project.spec.settings
    counters = {"shown": standing.shown + 1, "streamed": standing.streamed + 1}
    label = f"{seed}:{spec.id}:{person.name}"
    task = None
    if is_due(
        standing.streamed, standing.gold_shown, share=settings.gold_share, seed=f"{label}:gold"
    ):
        item = gold.next_item(session, spec, person, screening=False)
        if item is not None:
            asked = Asked(standing.shown, seed, "gold")
            task = leases.hold(session, spec, person, item, asked=asked, now=now)
            counters["gold_shown"] = standing.gold_shown + 1
    if task is None and is_due(
        standing.streamed, standing.repeats_shown, share=settings.repeat_share, seed=f"{label}:re"
    ):
        again = repeats.choose(session, spec, person, shown=standing.shown, label=label)
        if again is not None:
            item, order = again
            asked = Asked(standing.shown, seed, "repeat", order)
            task = leases.hold(session, spec, person, item, asked=asked, now=now)
            counters["repeats_shown"] = standing.repeats_shown + 1
    if task is None and not _is_known_empty(session, spec.id, standing):
        drawn: Drawn | None = None
        if settings.active is None:
            chosen = choose(session, person, spec.id, None)
        else:
            chosen, drawn = active.draw(session, spec, person, label=f"{label}:{standing.shown}")
        if chosen is not None:
            asked = Asked(standing.shown, seed, drawn=drawn)
            item = items.parsed(chosen.payload)
            task = leases.hold(session, spec, person, item, asked=asked, now=now)
            places.take(session, spec.id, item.id)
        elif spec.task != "conversation" or not settings.free_conversations:
            standings.put(session, spec, person, nothing_since=now)
    if task is None and spec.task == "conversation" and settings.free_conversations:
        item = _made_for(session, spec)
        task = leases.hold(session, spec, person, item, asked=Asked(standing.shown, seed), now=now)
    if task is not None:
        standings.put(session, spec, person, **counters)
    return task


def _made_for(session: Session, spec: ProjectSpec) -> Item:
    """An item for one conversation that begins with nothing; it is in no queue."""
    name = secrets.token_urlsafe(leases.TASK_ID_BYTES)
    item = Item(id=f"{spec.id}/{name}", instruction=spec.title)
    items.insert_new(session, [item])
    return item


def _is_known_empty(session: Session, project_id: str, standing: standings.Standing) -> bool:
    """True if a search found nothing for this labeler, and no place was opened since.

    Without this, everybody who is done would search the whole queue at each look.
    """
    if standing.nothing_since is None:
        return False
    opened = places.last_opened(session, project_id)
    return opened is None or opened < standing.nothing_since - LOOK_AGAIN


def next(
    session: Session,
    labeler: str,
    *,
    now: datetime,
    lease_seconds: float,
    seed: int,
    batches: Sequence[str] | None = None,
) -> tuple[Comparison, tuple[int, ...]] | None:
    """Lease the next comparison of no project to a labeler, for stages that answer themselves.

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
    leases.return_expired(session, now)
    asked = {"person": person.id, "batches": list(batches or ())}
    held = session.execute(_held(batches is not None), asked).first()
    if held is not None:
        return Comparison.model_validate_json(held.payload), tuple(held.shown_order)
    chosen = choose(session, person, NO_PROJECT, batches)
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


@cache
def _held(restricted: bool) -> Select[Any]:
    """What is leased to the parameter ``person``."""
    shown = [_COMPARISON.payload, _ASSIGNMENT.shown_order]
    return (
        select(*shown)
        .join(tables.assignments, _ASSIGNMENT.comparison_id == _COMPARISON.id)
        .where(
            _ASSIGNMENT.labeler_id == bindparam("person"),
            _ASSIGNMENT.project_id == NO_PROJECT,
            leases.IS_LEASED,
            in_batches(_ASSIGNMENT.comparison_id, restricted),
        )
        .order_by(_COMPARISON.id)
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
    identifier = f"{person.id}:{person.shown}"
    session.execute(
        tables.INSERT_ASSIGNMENT,
        {
            **place,
            "task_id": identifier,
            "project_id": NO_PROJECT,
            "purpose": "vote",
            "state": LEASED,
            "number": person.shown,
            "balance": "",
            "shown_at": now,
            "expires_at": expires_at,
        },
    )
    places.take(session, NO_PROJECT, comparison_id)
    session.execute(
        tables.INSERT_EVENT, {**place, "kind": SHOW, "id": identifier, "created_at": now}
    )
    session.execute(_COUNT_SHOWN, {"person": person.id})
    forget(session, person.name)
