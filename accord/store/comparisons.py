"""Comparisons in, answers in: add, record, withdraw, skip.

Everything here can be repeated: adding the same comparisons or sending the same vote twice does
the work once, so a caller that does not know whether it succeeded simply calls again.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from accord.config import InputError
from accord.records import Comparison, Preference
from accord.store import events, items, leases, places, tables
from accord.store.labelers import Labeler, locked
from accord.store.rows import BODY_FIELDS
from accord.store.tables import (
    FREE,
    LEASED,
    NO_PROJECT,
    SKIP,
    SKIPPED,
    VOTE,
    VOTED,
    WITHDRAW,
    WITHDRAWN,
)

CHUNK = 400  # comparisons looked up by one statement; SQLite allows 32,766 values in one

_COMPARISON, _QUEUE, _ASSIGNMENT = tables.comparisons.c, tables.queue.c, tables.assignments.c

_PLACE = (
    select(tables.assignments)
    .where(
        _ASSIGNMENT.labeler_id == bindparam("person"),
        _ASSIGNMENT.project_id == NO_PROJECT,
        _ASSIGNMENT.comparison_id == bindparam("of"),
        _ASSIGNMENT.state.not_in(FREE),
    )
    .with_for_update()
)
_SIZE = select(_COMPARISON.size).where(_COMPARISON.id == bindparam("of"))


def add(
    session: Session,
    comparisons: Iterable[Comparison],
    *,
    batch: str,
    votes_wanted: int,
    now: datetime | None = None,
) -> int:
    """Put comparisons into the ledger and the queue.

    A comparison that is there already joins the batch as well; its wanted votes are raised to
    ``votes_wanted`` if they were fewer, and never lowered. Projects that ask about the batch get
    it too.

    Args:
        session: a writing transaction.
        comparisons: in the order in which people shall see them.
        batch: name of this delivery, for example the digest of the artifact it comes from.
        votes_wanted: votes per comparison, at least 1.
        now: the present time, with zone; that of the clock by default.

    Returns:
        How many comparisons were new to the ledger.

    Raises:
        InputError: another comparison with the same id is there.
    """
    if votes_wanted < 1:
        raise InputError(f"`votes_wanted` is `{votes_wanted}`; a comparison wants at least 1 vote")
    added = 0
    remaining = iter(comparisons)
    while chunk := list(islice(remaining, CHUNK)):
        new, known = items.insert_new(session, chunk)
        _queue(session, new + _unqueued(session, known), votes_wanted)
        _raise_wanted(session, known, votes_wanted)
        items.join(session, list(dict.fromkeys(c.id for c in chunk)), batch)
        added += len(new)
    for spec in places.serving(session, batch):
        places.refill(session, spec, now=now or datetime.now(UTC))
    return added


def record(session: Session, preference: Preference, *, now: datetime, guideline: str = "") -> bool:
    """Record one vote, once, outside any task: of a stage, or from a file.

    A vote without a lease, or after the lease ended, counts as well: work is never thrown away.

    Args:
        session: a writing transaction.
        preference: the vote; its id makes repeating safe.
        now: the present time, with zone.
        guideline: version of the instructions that the labeler saw; the vote's own by default.

    Returns:
        False if this very vote is in the ledger already.

    Raises:
        InputError: the id belongs to another vote, the comparison or the labeler is not known, the
            ranks do not fit, the order is not the one shown, or the labeler voted here already.
    """
    person = locked(session, preference.labeler)
    if _is_recorded(session, preference, person):
        return False
    size = session.scalars(_SIZE, {"of": preference.comparison_id}).one_or_none()
    if size is None:
        raise InputError(f"no comparison `{preference.comparison_id}`; publish it first")
    if size != len(preference.ranks):
        raise InputError(
            f"vote `{preference.id}` ranks {len(preference.ranks)} responses but comparison "
            f"`{preference.comparison_id}` has {size}; rank each of them"
        )
    if preference.purpose == "vote":  # tests and repeats fill no place
        _take_place(session, preference, person)
    values = {
        "comparison_id": preference.comparison_id,
        "labeler_id": person.id,
        "ranks": list(preference.ranks),
        "shown_order": list(preference.shown_order),
        "strength": preference.strength,
        "seconds": preference.seconds,
        "note": preference.note,
        "guideline": guideline or preference.guideline,
        "project_id": preference.project,
        "purpose": preference.purpose,
        "gold": preference.gold,
        "body": _body(preference),
    }
    events.append(session, VOTE, preference.id, now=now, values=values)
    return True


def withdraw(
    session: Session, preference_id: str, *, labeler: str, reason: str, now: datetime
) -> bool:
    """Take a vote back: a new event; the vote stays in the ledger but no longer counts.

    The comparison returns to the queue, for this labeler too.

    Returns:
        False if the vote was withdrawn already.

    Raises:
        InputError: no such vote, it is another labeler's, or it came through a task.
    """
    person = locked(session, labeler)
    vote = events.find(session, preference_id, [VOTE])
    if vote is None or vote.labeler_id != person.id:
        raise InputError(f"labeler `{labeler}` has no vote `{preference_id}`; check its id")
    if (vote.body or {}).get("task"):
        raise InputError(f"vote `{preference_id}` answers a task; undo or withdraw it there")
    if events.is_withdrawn(session, preference_id):
        return False
    _note(session, WITHDRAW, preference_id, (vote.comparison_id, person), reason=reason, now=now)
    row = session.execute(_PLACE, {"of": vote.comparison_id, "person": person.id}).first()
    if row is not None:
        leases.free(session, row, WITHDRAWN, now=now)
    return True


def skip(session: Session, comparison_id: str, *, labeler: str, reason: str, now: datetime) -> bool:
    """Note that a labeler does not want to answer; others are asked instead.

    Returns:
        False if the labeler skipped it already.

    Raises:
        InputError: no such labeler, or the comparison is not before this labeler.
    """
    person = locked(session, labeler)
    row = session.execute(_PLACE, {"of": comparison_id, "person": person.id}).first()
    if row is not None and row.state == SKIPPED:
        return False
    if row is None or row.state != LEASED:
        raise InputError(
            f"comparison `{comparison_id}` is not before labeler `{labeler}`; "
            "only what the queue gave out can be skipped"
        )
    identifier = f"{person.id}:{events.latest(session)}"  # there is one: the showing
    _note(session, SKIP, identifier, (comparison_id, person), reason=reason, now=now)
    leases.free(session, row, SKIPPED, now=now)
    return True


def _last_position(session: Session) -> int:
    last: int = session.scalars(
        select(func.coalesce(func.max(_QUEUE.position), -1)).where(_QUEUE.project_id == NO_PROJECT)
    ).one()
    return last


def _unqueued(session: Session, known: Sequence[str]) -> list[str]:
    """Of the items that are in the ledger, those that only a project asked about so far."""
    queued = set(
        session.scalars(
            select(_QUEUE.comparison_id).where(
                _QUEUE.project_id == NO_PROJECT, _QUEUE.comparison_id.in_(known)
            )
        )
    )
    return [identifier for identifier in known if identifier not in queued]


def _queue(session: Session, identifiers: Sequence[str], votes_wanted: int) -> None:
    if not identifiers:
        return
    session.execute(
        insert(tables.queue),
        [
            {
                "project_id": NO_PROJECT,
                "comparison_id": identifier,
                "position": place,
                "wanted": votes_wanted,
                "open": votes_wanted,
            }
            for place, identifier in enumerate(identifiers, start=_last_position(session) + 1)
        ],
    )


def _raise_wanted(session: Session, known: Sequence[str], votes_wanted: int) -> None:
    session.execute(
        update(tables.queue)
        .where(
            _QUEUE.project_id == NO_PROJECT,
            _QUEUE.comparison_id.in_(known),
            _QUEUE.wanted < votes_wanted,
        )
        .values(open=_QUEUE.open + votes_wanted - _QUEUE.wanted, wanted=votes_wanted)
    )


def _note(
    session: Session,
    kind: str,
    identifier: str,
    where: tuple[str, Labeler],
    *,
    reason: str,
    now: datetime,
) -> None:
    comparison_id, person = where
    values = {"comparison_id": comparison_id, "labeler_id": person.id, "note": reason}
    events.append(session, kind, identifier, now=now, values=values)


def _body(preference: Preference) -> dict[str, Any] | None:
    """What of a vote has no column of its own; None when it says nothing."""
    said = preference.model_dump(mode="json", include=set(BODY_FIELDS))
    return said or None


def _is_recorded(session: Session, preference: Preference, person: Labeler) -> bool:
    """True if the ledger holds this vote; an error if it holds another one of this id."""
    vote = events.find(session, preference.id, [VOTE])
    if vote is None:
        return False
    here = (vote.comparison_id, vote.labeler_id, list(vote.ranks))
    if here == (preference.comparison_id, person.id, list(preference.ranks)):
        return True
    raise InputError(
        f"the ledger holds another vote with the id `{preference.id}`; give each vote its own id"
    )


def _take_place(session: Session, preference: Preference, person: Labeler) -> None:
    """Turn the labeler's lease into a vote, or open a place for a vote that has none."""
    place = {"of": preference.comparison_id, "person": person.id}
    held: Row[Any] | None = session.execute(_PLACE, place).first()
    if held is None:
        session.execute(
            tables.INSERT_ASSIGNMENT,
            {
                "task_id": f"vote:{preference.id}",
                "project_id": NO_PROJECT,
                "comparison_id": preference.comparison_id,
                "labeler_id": person.id,
                "purpose": "vote",
                "state": VOTED,
                "number": 0,
                "shown_order": list(preference.shown_order),
                "balance": "",
                "answer_id": preference.id,
            },
        )
        places.take(session, NO_PROJECT, preference.comparison_id)
        return
    if held.state == VOTED:
        raise InputError(
            f"labeler `{preference.labeler}` voted on comparison `{preference.comparison_id}` "
            "already; withdraw that vote first"
        )
    if held.state == LEASED and preference.shown_order not in ((), tuple(held.shown_order)):
        raise InputError(
            f"vote `{preference.id}` says the responses were shown as {preference.shown_order}, "
            f"the queue gave {tuple(held.shown_order)}; send the order that was shown"
        )
    if held.state == SKIPPED:
        places.take(session, NO_PROJECT, preference.comparison_id)
    leases.put(session, held.task_id, VOTED, answer_id=preference.id)
