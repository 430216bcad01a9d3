"""Tasks: an item before a labeler, in an order, for a time.

For ``lease_seconds`` nobody else fills that place, and the same labeler asking again gets the
same task. A lease that ends without an answer returns to the queue; its task can still be
answered late.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, bindparam, literal_column, select, update
from sqlalchemy.orm import Session

from accord.config import InputError
from accord.records import Item, Purpose
from accord.store import balance, events, items, places, tables
from accord.store.labelers import Labeler, is_locked
from accord.store.specs import ProjectSpec, TaskKind
from accord.store.tables import EXPIRED, LEASED, SHOW

AT_ONCE = 100  # leases returned by one transaction, which has to be short
TASK_ID_BYTES = 18  # random: a task's id says nothing about the item or its models

_ASSIGNMENT, _COMPARISON = tables.assignments.c, tables.comparisons.c
_DRAFT = tables.drafts.c
IS_LEASED = _ASSIGNMENT.state == literal_column(f"'{LEASED}'")  # as the partial indexes say it


class NotYours(InputError):
    """No such task or answer is this labeler's. Whether it is somebody else's is not said."""

    def __init__(self, identifier: str) -> None:
        super().__init__(f"`{identifier}` is not before this labeler; ask for the next task")


class AlreadyAnswered(InputError):
    """The task has an answer already, perhaps from another tab."""

    def __init__(self, answer_id: str) -> None:
        super().__init__("this item is answered already; undo that answer to change it")
        self.answer_id = answer_id


@dataclass(frozen=True)
class Task:
    """An item before a labeler. ``purpose`` is not for the page: it would give tests away."""

    id: str
    project_id: str
    kind: TaskKind
    item: Item
    shown_order: tuple[int, ...]  #: index of the response that stands at each place
    purpose: Purpose
    guideline: str  #: digest of the guidelines to show beside it
    expires_at: datetime
    draft: str | None = None  #: what the labeler had typed


def hold(
    session: Session,
    spec: ProjectSpec,
    person: Labeler,
    item: Item,
    *,
    asked: "Asked",
    now: datetime,
) -> Task:
    """Put an item before a labeler: the assignment, and the event that says so."""
    task_id = secrets.token_urlsafe(TASK_ID_BYTES)
    order, mark = asked.order, ""
    if order is None:
        order, mark = balance.deal(
            session,
            item.responses,
            project_id=spec.id,
            person=person.id,
            seed=asked.seed,
            purpose=asked.purpose,
        )
    expires_at = now + timedelta(seconds=spec.settings.lease_seconds)
    shown = {
        "project_id": spec.id,
        "comparison_id": item.id,
        "labeler_id": person.id,
        "purpose": asked.purpose,
        "shown_order": list(order),
    }
    session.execute(
        tables.INSERT_ASSIGNMENT,
        {
            **shown,
            "task_id": task_id,
            "state": LEASED,
            "number": asked.number,
            "order_seed": asked.seed,
            "balance": mark,
            "shown_at": now,
            "expires_at": expires_at,
        },
    )
    body: dict[str, Any] = {"order_seed": asked.seed}
    if asked.drawn is not None:
        body["drawn"] = vars(asked.drawn)
    values = {**shown, "guideline": spec.guideline, "body": body}
    events.append(session, SHOW, task_id, now=now, values=values)
    return Task(
        task_id,
        spec.id,
        spec.task,
        item,
        order,
        asked.purpose,
        spec.guideline,
        expires_at,
    )


@dataclass(frozen=True)
class Drawn:
    """How an item was drawn among others, for weighting by the inverse of its probability."""

    probability: float  #: of this item, among the candidates
    candidates: int
    random_share: float  #: of the draws, that are uniform over the candidates
    read_until: int  #: place in the ledger; the votes up to it decided the rest


@dataclass(frozen=True)
class Asked:
    """Why and how an item is put before a labeler."""

    number: int  #: of the labeler's tasks in this project
    seed: int
    purpose: Purpose = "vote"
    order: tuple[int, ...] | None = None  #: dealt from the labeler's deck when None
    drawn: Drawn | None = None  #: None when it was the next in order


def _columns() -> Select[Any]:
    return (
        select(tables.assignments, _COMPARISON.payload, _DRAFT.body.label("draft"))
        .join(tables.comparisons, _COMPARISON.id == _ASSIGNMENT.comparison_id)
        .join(tables.drafts, _DRAFT.task_id == _ASSIGNMENT.task_id, isouter=True)
    )


_HELD = (
    _columns()
    .where(
        _ASSIGNMENT.labeler_id == bindparam("person"),
        _ASSIGNMENT.project_id == bindparam("project"),
        IS_LEASED,
    )
    .order_by(_ASSIGNMENT.shown_at.desc(), _ASSIGNMENT.task_id)
)
_ONE = _columns().where(
    _ASSIGNMENT.task_id == bindparam("of"), _ASSIGNMENT.labeler_id == bindparam("person")
)
_ANY_EXPIRED = (  # one look into the index; joining all labelers at each vote costs more
    select(_ASSIGNMENT.task_id)
    .where(IS_LEASED, _ASSIGNMENT.expires_at <= bindparam("now"))
    .limit(1)
)
_EXPIRED = (
    select(
        _ASSIGNMENT.task_id,
        _ASSIGNMENT.project_id,
        _ASSIGNMENT.comparison_id,
        _ASSIGNMENT.labeler_id,
        _ASSIGNMENT.purpose,
        _ASSIGNMENT.balance,
    )
    .join(tables.labelers, tables.labelers.c.id == _ASSIGNMENT.labeler_id)
    .where(IS_LEASED, _ASSIGNMENT.expires_at <= bindparam("now"))
    .order_by(_ASSIGNMENT.comparison_id, _ASSIGNMENT.labeler_id)
    .limit(AT_ONCE)
    .with_for_update(skip_locked=True)  # of the labeler too: its own transactions come first
)
_SET = (
    update(tables.assignments)
    .where(_ASSIGNMENT.task_id == bindparam("of"))
    .values(state=bindparam("to"), expires_at=bindparam("until"), answer_id=bindparam("by_answer"))
)


def held(session: Session, spec: ProjectSpec, person: Labeler) -> Task | None:
    """What is before a labeler; the latest, when undoing put a second one there."""
    row = session.execute(_HELD, {"person": person.id, "project": spec.id}).first()
    return None if row is None else task_of(row, spec)


def find(session: Session, task_id: str, person: Labeler) -> Row[Any] | None:
    """The assignment of a task of this labeler with its item's payload and draft, or None.

    A transaction that has locked the labeler reads it once.
    """
    known: Row[Any] | None = session.info.get(_key(task_id))
    if known is None or known.labeler_id != person.id:
        known = session.execute(_ONE, {"of": task_id, "person": person.id}).one_or_none()
        if known is not None and is_locked(session, person):
            session.info[_key(task_id)] = known
    return known


def forget(session: Session, task_id: str) -> None:
    """Read a task anew at the next look: its assignment or its draft has changed."""
    session.info.pop(_key(task_id), None)


def _key(task_id: str) -> tuple[str, str]:
    return "task", task_id


def task_of(row: Row[Any], spec: ProjectSpec) -> Task:
    """The task of an assignment's row."""
    return Task(
        row.task_id,
        row.project_id,
        spec.task,
        items.parsed(row.payload),
        tuple(row.shown_order),
        row.purpose,
        spec.guideline,
        row.expires_at,
        row.draft,
    )


def put(
    session: Session,
    task_id: str,
    state: str,
    *,
    until: datetime | None = None,
    answer_id: str | None = None,
) -> None:
    """Say what became of a task."""
    values = {"of": task_id, "to": state, "until": until, "by_answer": answer_id}
    session.execute(_SET, values)
    forget(session, task_id)


def free(session: Session, row: Row[Any], state: str, *, now: datetime) -> None:
    """End a task without an answer, or whose answer no longer counts: its place is open again."""
    put(session, row.task_id, state)
    balance.give_back(session, row.balance, project_id=row.project_id, person=row.labeler_id)
    if row.purpose == "vote":
        places.give_back(session, row.project_id, row.comparison_id, now=now)


def return_expired(session: Session, now: datetime) -> None:
    """Give the places of leases that have ended back to the queue."""
    if session.execute(_ANY_EXPIRED, {"now": now}).first() is None:
        return
    rows: Sequence[Any] = session.execute(_EXPIRED, {"now": now}).all()
    for row in rows:
        free(session, row, EXPIRED, now=now)
