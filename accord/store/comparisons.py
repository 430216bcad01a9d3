"""Comparisons in, answers in: add, record, withdraw, skip.

Everything here can be repeated: adding the same comparisons or sending the same vote twice does
the work once, so a caller that does not know whether it succeeded simply calls again.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from accord.config import InputError
from accord.records import Comparison, Preference
from accord.store import tables
from accord.store.labelers import Labeler, locked
from accord.store.queue import widen
from accord.store.tables import LEASED, SKIP, SKIPPED, VOTE, VOTED, WITHDRAW

CHUNK = 400  # comparisons looked up by one statement; SQLite allows 32,766 values in one

_COMPARISON, _MEMBER, _QUEUE = tables.comparisons.c, tables.members.c, tables.queue.c
_EVENT, _ASSIGNMENT = tables.events.c, tables.assignments.c

_PLACE = (
    _ASSIGNMENT.comparison_id == bindparam("of"),
    _ASSIGNMENT.labeler_id == bindparam("person"),
)
_ASSIGNED = select(_ASSIGNMENT.state, _ASSIGNMENT.shown_order).where(*_PLACE).with_for_update()
_ANSWERED = update(tables.assignments).where(*_PLACE).values(state=bindparam("to"), expires_at=None)
_SIZE = select(_COMPARISON.size).where(_COMPARISON.id == bindparam("of"))
_SAME_EVENT = select(_EVENT.comparison_id, _EVENT.labeler_id, _EVENT.ranks).where(
    _EVENT.kind == bindparam("of_kind"), _EVENT.id == bindparam("of_id")
)


def add(
    session: Session, comparisons: Iterable[Comparison], *, batch: str, votes_wanted: int
) -> int:
    """Put comparisons into the ledger and the queue.

    A comparison that is there already joins the batch as well; its wanted votes are raised to
    ``votes_wanted`` if they were fewer, and never lowered.

    Args:
        session: a writing transaction.
        comparisons: in the order in which people shall see them.
        batch: name of this delivery, for example the digest of the artifact it comes from.
        votes_wanted: votes per comparison, at least 1.

    Returns:
        How many comparisons were new to the ledger.

    Raises:
        InputError: another comparison with the same id is there.
    """
    if votes_wanted < 1:
        raise InputError(f"`votes_wanted` is `{votes_wanted}`; a comparison wants at least 1 vote")
    position = session.scalars(select(func.coalesce(func.max(_QUEUE.position), -1))).one() + 1
    added = 0
    remaining = iter(comparisons)
    while chunk := list(islice(remaining, CHUNK)):
        payloads = {c.id: c.model_dump_json(by_alias=True) for c in chunk}
        known = _known(session, payloads)
        new = [c for c in {c.id: c for c in chunk}.values() if c.id not in known]
        _insert(session, new, payloads, position=position + added, votes_wanted=votes_wanted)
        _raise_wanted(session, known, votes_wanted)
        _join(session, list(payloads), batch)
        added += len(new)
    return added


def record(session: Session, preference: Preference, *, now: datetime, guideline: str = "") -> bool:
    """Record one vote, once.

    A vote without a lease, or after the lease ended, counts as well: work is never thrown away.

    Args:
        session: a writing transaction.
        preference: the vote; its id makes repeating safe.
        now: the present time, with zone.
        guideline: version of the instructions that the labeler saw.

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
    _take_place(session, preference, person)
    session.execute(
        tables.INSERT_EVENT,
        {
            "kind": VOTE,
            "id": preference.id,
            "comparison_id": preference.comparison_id,
            "labeler_id": person.id,
            "created_at": now,
            "ranks": list(preference.ranks),
            "shown_order": list(preference.shown_order),
            "strength": preference.strength,
            "seconds": preference.seconds,
            "note": preference.note,
            "guideline": guideline,
        },
    )
    return True


def withdraw(
    session: Session, preference_id: str, *, labeler: str, reason: str, now: datetime
) -> bool:
    """Take a vote back: a new event; the vote stays in the ledger but no longer counts.

    The comparison returns to the queue, for this labeler too.

    Returns:
        False if the vote was withdrawn already.

    Raises:
        InputError: no such vote, or it is another labeler's.
    """
    person = locked(session, labeler)
    vote = _event(session, VOTE, preference_id)
    if vote is None or vote.labeler_id != person.id:
        raise InputError(f"labeler `{labeler}` has no vote `{preference_id}`; check its id")
    if _event(session, WITHDRAW, preference_id) is not None:
        return False
    _note(session, WITHDRAW, preference_id, (vote.comparison_id, person), reason=reason, now=now)
    place = {"of": vote.comparison_id, "person": person.id}
    session.execute(delete(tables.assignments).where(*_PLACE), place)
    widen(session, vote.comparison_id, by=1)
    return True


def skip(session: Session, comparison_id: str, *, labeler: str, reason: str, now: datetime) -> bool:
    """Note that a labeler does not want to answer; others are asked instead.

    Returns:
        False if the labeler skipped it already.

    Raises:
        InputError: no such labeler, or the comparison is not before this labeler.
    """
    person = locked(session, labeler)
    place = {"of": comparison_id, "person": person.id}
    state = session.scalars(_ASSIGNED, place).one_or_none()
    if state == SKIPPED:
        return False
    if state != LEASED:
        raise InputError(
            f"comparison `{comparison_id}` is not before labeler `{labeler}`; "
            "only what the queue gave out can be skipped"
        )
    latest = session.scalars(select(func.max(_EVENT.seq))).one()  # there is one: the showing
    _note(session, SKIP, f"{person.id}:{latest}", (comparison_id, person), reason=reason, now=now)
    session.execute(_ANSWERED, {**place, "to": SKIPPED})
    widen(session, comparison_id, by=1)
    return True


def _known(session: Session, payloads: dict[str, str]) -> list[str]:
    """The ids that are in the ledger already, with exactly this content."""
    rows = session.execute(
        select(_COMPARISON.id, _COMPARISON.payload).where(_COMPARISON.id.in_(payloads))
    )
    known = []
    for identifier, payload in rows:
        if payload != payloads[identifier]:
            raise InputError(
                f"the ledger holds another comparison with the id `{identifier}`; "
                "ids must be unique, use another store or other ids"
            )
        known.append(identifier)
    return known


def _insert(
    session: Session,
    new: Sequence[Comparison],
    payloads: dict[str, str],
    *,
    position: int,
    votes_wanted: int,
) -> None:
    if not new:
        return
    session.execute(
        insert(tables.comparisons),
        [{"id": c.id, "payload": payloads[c.id], "size": len(c.responses)} for c in new],
    )
    session.execute(
        insert(tables.queue),
        [
            {"comparison_id": c.id, "position": place, "wanted": votes_wanted, "open": votes_wanted}
            for place, c in enumerate(new, start=position)
        ],
    )


def _raise_wanted(session: Session, known: Sequence[str], votes_wanted: int) -> None:
    session.execute(
        update(tables.queue)
        .where(_QUEUE.comparison_id.in_(known), _QUEUE.wanted < votes_wanted)
        .values(open=_QUEUE.open + votes_wanted - _QUEUE.wanted, wanted=votes_wanted)
    )


def _join(session: Session, identifiers: Sequence[str], batch: str) -> None:
    members = set(
        session.scalars(
            select(_MEMBER.comparison_id).where(
                _MEMBER.batch == batch, _MEMBER.comparison_id.in_(identifiers)
            )
        )
    )
    rows = [{"batch": batch, "comparison_id": i} for i in identifiers if i not in members]
    if rows:
        session.execute(insert(tables.members), rows)


def _event(session: Session, kind: str, identifier: str) -> Any | None:
    return session.execute(_SAME_EVENT, {"of_kind": kind, "of_id": identifier}).one_or_none()


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
    session.execute(
        tables.INSERT_EVENT,
        {
            "kind": kind,
            "id": identifier,
            "comparison_id": comparison_id,
            "labeler_id": person.id,
            "created_at": now,
            "shown_order": [],
            "note": reason,
        },
    )


def _is_recorded(session: Session, preference: Preference, person: Labeler) -> bool:
    """True if the ledger holds this vote; an error if it holds another one of this id."""
    vote = _event(session, VOTE, preference.id)
    if vote is None:
        return False
    if tuple(vote) == (preference.comparison_id, person.id, list(preference.ranks)):
        return True
    raise InputError(
        f"the ledger holds another vote with the id `{preference.id}`; give each vote its own id"
    )


def _take_place(session: Session, preference: Preference, person: Labeler) -> None:
    """Turn the labeler's lease into a vote, or open a place for a vote that has none."""
    place = {"of": preference.comparison_id, "person": person.id}
    held = session.execute(_ASSIGNED, place).one_or_none()
    if held is None:
        session.execute(
            tables.INSERT_ASSIGNMENT,
            {
                "comparison_id": preference.comparison_id,
                "labeler_id": person.id,
                "state": VOTED,
                "shown_order": list(preference.shown_order),
            },
        )
        widen(session, preference.comparison_id, by=-1)
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
        widen(session, preference.comparison_id, by=-1)
    session.execute(_ANSWERED, {**place, "to": VOTED})
