"""Answers in: submit, undo, skip, report, withdraw. Each can be sent again without harm.

A client makes the id of an answer. The same id is the same answer, whoever sends it how often; a
task has one answer that counts, whichever tab it came from. Nothing is overwritten: taking an
answer back is a new event.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, func, select
from sqlalchemy.orm import Session

from accord.config import InputError
from accord.records import Answer
from accord.store import (
    adaptive,
    balance,
    comparisons,
    drafts,
    edits,
    events,
    fitting,
    gold,
    items,
    leases,
    places,
    projects,
    screening,
    standings,
    tables,
)
from accord.store.labelers import Labeler, locked
from accord.store.leases import AlreadyAnswered, NotYours, Task
from accord.store.projects import Project
from accord.store.specs import TaskKind
from accord.store.tables import (
    EXPIRED,
    LEASED,
    RATING,
    REPORT,
    REPORTED,
    SHOW,
    SKIP,
    SKIPPED,
    VOTE,
    VOTED,
    WITHDRAW,
    WITHDRAWN,
    WRITTEN,
)

KINDS: dict[TaskKind, str] = {
    "comparison": VOTE,
    "ranking": VOTE,
    "rating": RATING,
    "demonstration": WRITTEN,
}

_ASSIGNMENT = tables.assignments.c
_OTHERS = select(tables.assignments).where(
    _ASSIGNMENT.labeler_id == bindparam("person"),
    _ASSIGNMENT.project_id == bindparam("project"),
    _ASSIGNMENT.comparison_id == bindparam("of"),
    _ASSIGNMENT.purpose == bindparam("why"),
    _ASSIGNMENT.task_id != bindparam("task"),
)


@dataclass(frozen=True)
class Receipt:
    """What became of an answer: from here on it is in the ledger."""

    recorded: bool  #: False when this very answer was there already
    answer_id: str
    seq: int  #: its place in the ledger
    counts: bool = True  #: False when it was taken back since


def submit(
    session: Session, task_id: str, answer: Answer, *, labeler: str, now: datetime
) -> Receipt:
    """Record the answer to a task, once.

    An answer that comes after its lease ended counts as well: work is never thrown away.

    Args:
        session: a writing transaction.
        task_id: of ``queue.next_task``.
        answer: its id makes repeating safe.
        labeler: whose task it is.
        now: the present time, with zone.

    Raises:
        NotYours: no such task is this labeler's.
        AlreadyAnswered: another answer to this task, or to this item, counts already.
        InputError: the answer does not fit the task, or its id belongs to another answer.
    """
    person = locked(session, labeler)
    row = leases.find(session, task_id, person)
    if row is None:
        raise NotYours(task_id)
    project = projects.get(session, row.project_id)
    spec, item = project.spec, items.parsed(row.payload)
    earlier = events.find(session, answer.id)
    if earlier is not None:
        return receipt_again(session, earlier, row, answer)
    fitting.check(spec, item, answer)
    if row.state == VOTED:
        raise AlreadyAnswered(row.answer_id or "")
    reopen(session, row, now=now)
    known = gold.expected_of(session, spec.id, item.id) if _is_test(row) else None
    values = event_values(project, row, answer)
    if known is not None:
        outcome = gold.compare(known, answer)
        values["gold"] = outcome.share
        values["body"] |= {"gold": vars(outcome)}
    if spec.settings.active is not None:
        shown = events.find(session, task_id, [SHOW])
        drawn = ((shown.body if shown is not None else None) or {}).get("drawn")
        values["body"] |= {"probability": drawn["probability"]} if drawn else {}
    seq = events.append(session, KINDS[spec.task], answer.id, now=now, values=values)
    leases.put(session, task_id, VOTED, answer_id=answer.id)
    if row.draft is not None:
        drafts.drop(session, task_id)
    standings.count_answer(session, spec, person, now=now)
    if row.purpose == "screening":
        screening.look(session, spec, person, now=now)
    if row.purpose == "vote":
        edits.record(session, spec, item, answer, values=values, now=now)
        adaptive.ask_more(session, spec, item.id, now=now)
    return Receipt(True, answer.id, seq)


def undo(session: Session, answer_id: str, *, labeler: str, now: datetime) -> Task:
    """Take an answer of one's own back and get the same item again, in the same order.

    Doing so again gives the same task again.

    Raises:
        NotYours: no such answer is this labeler's.
        AlreadyAnswered: the task has a newer answer.
        InputError: the entry test it belongs to is over.
    """
    person = locked(session, labeler)
    event, row = _own(session, answer_id, person)
    if event.comparison_id != row.comparison_id:
        raise NotYours(answer_id)  # of a turn, or made of an edit: there is no task of its own
    spec = projects.get(session, row.project_id).spec
    if row.state == VOTED and row.answer_id != answer_id:
        raise AlreadyAnswered(row.answer_id or "")
    if row.purpose == "screening":
        screening.refuse_when_over(session, spec, person)
    until = now + timedelta(seconds=spec.settings.lease_seconds)
    if row.state == VOTED:
        _withdraw(session, event, reason="undo", by=labeler, now=now)
        standings.count_answer(session, spec, person, now=now, by=-1)
    elif row.state != LEASED:
        reopen(session, row, now=now)
    leases.put(session, row.task_id, LEASED, until=until)
    found = leases.find(session, row.task_id, person)
    assert found is not None  # it was found above
    return leases.task_of(found, spec)


def withdraw(session: Session, answer_id: str, *, reason: str, by: str, now: datetime) -> bool:
    """Take an answer out of what counts, for good; others are asked instead.

    Args:
        session: a writing transaction.
        answer_id: of any answer.
        reason: kept in the ledger.
        by: who decides.
        now: the present time, with zone.

    Returns:
        False if it was taken back already.

    Raises:
        NotYours: there is no such answer.
    """
    event = events.find(session, answer_id)
    if event is None:
        raise NotYours(answer_id)
    name = session.scalars(
        select(tables.labelers.c.name).where(tables.labelers.c.id == event.labeler_id)
    ).one()
    person = locked(session, name)
    if events.is_withdrawn(session, answer_id):
        return False
    if not (event.body or {}).get("task"):
        return comparisons.withdraw(session, answer_id, labeler=name, reason=reason, now=now)
    _, row = _own(session, answer_id, person)
    _withdraw(session, event, reason=reason, by=by, now=now)
    if row.answer_id != answer_id:
        return True  # of a turn, or made of an edit: it has no place of its own
    leases.free(session, row, WITHDRAWN, now=now)
    spec = projects.get(session, row.project_id).spec
    standings.count_answer(session, spec, person, now=now, by=-1)
    return True


def skip(session: Session, task_id: str, *, reason: str, labeler: str, now: datetime) -> bool:
    """Say that one does not want to answer; others are asked instead.

    Returns:
        False if the task was skipped already.

    Raises:
        NotYours: no such task is this labeler's.
        AlreadyAnswered: it has an answer.
        InputError: it is part of an entry test.
    """
    return _turn_down(session, task_id, SKIP, SKIPPED, (reason, labeler), now=now) is not None


def report(session: Session, task_id: str, *, reason: str, labeler: str, now: datetime) -> bool:
    """Say that something is wrong with an item.

    Others are asked instead, until ``hold_after_reports`` labelers have reported it; then nobody
    gets it until a manager lets it go on.

    Returns:
        False if the task was reported already.

    Raises:
        NotYours: no such task is this labeler's.
        AlreadyAnswered: it has an answer.
        InputError: the reason is empty.
    """
    if not reason.strip():
        raise InputError("reason: is empty; say what is wrong with the item")
    row = _turn_down(session, task_id, REPORT, REPORTED, (reason, labeler), now=now)
    if row is None:
        return False
    event = tables.events.c
    reporters = select(func.count(event.labeler_id.distinct())).where(
        event.comparison_id == row.comparison_id,
        event.kind == REPORT,
        event.project_id == row.project_id,
    )
    settings = projects.get(session, row.project_id).spec.settings
    if session.scalars(reporters).one() >= settings.hold_after_reports:
        places.hold(session, row.project_id, row.comparison_id, now=now)
    return True


def event_values(project: Project, row: Row[Any], answer: Answer) -> dict[str, Any]:
    """Columns of the event of an answer, and what has no column of its own in ``body``."""
    spec = project.spec
    body: dict[str, Any] = {
        "task": row.task_id,
        "version": project.version,
        "mode": spec.mode,
        "priority": spec.priority,
        "polarity": spec.polarity,
        "order_seed": row.order_seed,
    }
    body |= {name: value for name in ("tie", "text") if (value := getattr(answer, name))}
    if any(answer.ratings):
        body["ratings"] = [dict(given) for given in answer.ratings]
    if any(answer.flags):
        body["flags"] = [sorted(set(given)) for given in answer.flags]
    return {
        "comparison_id": row.comparison_id,
        "labeler_id": row.labeler_id,
        "ranks": list(answer.ranks) or None,
        "shown_order": list(row.shown_order),
        "strength": answer.strength,
        "seconds": answer.seconds,
        "note": answer.comment,
        "guideline": answer.guideline or spec.guideline,
        "project_id": spec.id,
        "purpose": row.purpose,
        "body": body,
    }


def receipt_again(session: Session, earlier: Row[Any], row: Row[Any], answer: Answer) -> Receipt:
    """The receipt of an answer that is in the ledger; an error if it is another one of this id."""
    body = earlier.body or {}
    same = (earlier.labeler_id, body.get("task")) == (row.labeler_id, row.task_id)
    if not same or (earlier.ranks or []) != list(answer.ranks) or body.get("text") != answer.text:
        raise InputError(
            f"the ledger holds another answer with the id `{answer.id}`; give each its own id"
        )
    counts = not events.is_withdrawn(session, answer.id)
    return Receipt(False, answer.id, earlier.seq, counts)


def reopen(session: Session, row: Row[Any], *, now: datetime) -> None:
    """Take a place again for a task that had lost it; no other task on the item may count."""
    if row.state == LEASED:
        return
    asked = {"person": row.labeler_id, "project": row.project_id, "of": row.comparison_id}
    others = session.execute(_OTHERS, {**asked, "why": row.purpose, "task": row.task_id}).all()
    for other in others:
        if other.state == VOTED:
            raise AlreadyAnswered(other.answer_id or "")
        if other.state == LEASED:
            leases.free(session, other, EXPIRED, now=now)
    balance.take(session, row.balance, project_id=row.project_id, person=row.labeler_id)
    if row.purpose == "vote":
        places.take(session, row.project_id, row.comparison_id)


def _own(session: Session, answer_id: str, person: Labeler) -> tuple[Row[Any], Row[Any]]:
    """The event of a labeler's answer, and the assignment of its task."""
    event = events.find(session, answer_id)
    task_id = (event.body or {}).get("task") if event is not None else None
    row = leases.find(session, task_id, person) if task_id else None
    if event is None or row is None or event.labeler_id != person.id:
        raise NotYours(answer_id)
    return event, row


def _withdraw(session: Session, event: Row[Any], *, reason: str, by: str, now: datetime) -> None:
    values = {
        "comparison_id": event.comparison_id,
        "labeler_id": event.labeler_id,
        "project_id": event.project_id,
        "purpose": event.purpose,
        "note": reason,
        "body": {"by": by},
    }
    events.append(session, WITHDRAW, event.id, now=now, values=values)
    edits.withdraw(session, event, values=values, now=now)


def _turn_down(
    session: Session, task_id: str, kind: str, state: str, said: tuple[str, str], *, now: datetime
) -> Row[Any] | None:
    """End a task without an answer; None if it was ended in this way already."""
    reason, labeler = said
    person = locked(session, labeler)
    row = leases.find(session, task_id, person)
    if row is None:
        raise NotYours(task_id)
    if row.state == state:
        return None
    if row.state == VOTED:
        raise AlreadyAnswered(row.answer_id or "")
    if kind == SKIP and row.purpose == "screening":
        raise InputError("an item of the entry test cannot be skipped; answer it, or report it")
    values = {
        "comparison_id": row.comparison_id,
        "labeler_id": person.id,
        "project_id": row.project_id,
        "purpose": row.purpose,
        "note": reason,
        "body": {"task": task_id},
    }
    events.append(session, kind, f"{task_id}:{events.latest(session)}", now=now, values=values)
    if row.state == LEASED:
        leases.free(session, row, state, now=now)
    else:
        leases.put(session, task_id, state)
    if row.draft is not None:
        drafts.drop(session, task_id)
    return row


def _is_test(row: Row[Any]) -> bool:
    return row.purpose in ("gold", "screening")
