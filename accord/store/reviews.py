"""What waits for a manager: items that were reported, and written responses to be graded."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from accord.records import Item
from accord.store import events, items, places, projects, screening, tables
from accord.store.tables import HOLD, REPORT, WRITTEN

_EVENT, _LABELER, _ITEM = tables.events.c, tables.labelers.c, tables.comparisons.c
_QUEUE = tables.queue.c


@dataclass(frozen=True)
class Report:
    """What one labeler said about an item."""

    labeler: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class Reported:
    """An item that labelers reported."""

    item: Item
    reports: tuple[Report, ...]  #: the first one first
    held: bool  #: True: nobody gets it until a manager lets it go on


@dataclass(frozen=True)
class Ungraded:
    """A written response of an entry test that nobody graded yet."""

    answer_id: str
    labeler: str
    item: Item
    text: str
    at: datetime


@dataclass(frozen=True)
class Waiting:
    """How much waits for a manager in a project."""

    held: int  #: items that were reported and that nobody gets
    ungraded: int  #: written responses of entry tests

    @property
    def total(self) -> int:
        """All of it."""
        return self.held + self.ungraded


def waiting(session: Session, project_id: str) -> Waiting:
    """What waits for a manager.

    Raises:
        InputError: no such project.
    """
    projects.get(session, project_id)
    held = select(func.count()).where(_QUEUE.project_id == project_id, _QUEUE.held == 1)
    return Waiting(
        held=int(session.scalars(held).one()),
        ungraded=len(_ungraded_ids(session, project_id)),
    )


def set_held(
    session: Session, project_id: str, item_id: str, held: bool, *, by: str, now: datetime
) -> None:
    """Give an item to nobody more, or to labelers again; the decision is an event.

    Raises:
        InputError: no such project, or the item is not in its queue.
    """
    projects.get(session, project_id, lock=True)
    statement = select(_QUEUE.held).where(
        _QUEUE.project_id == project_id, _QUEUE.comparison_id == item_id
    )
    before = session.scalars(statement).one_or_none()
    if before is None:
        raise items.unknown(item_id)
    if bool(before) == held:
        return
    places.hold(session, project_id, item_id, now=now, held=held)
    values = {
        "project_id": project_id,
        "comparison_id": item_id,
        "body": {"by": by, "held": held},
    }
    events.append(
        session, HOLD, f"{events.latest(session)}:{item_id}"[:200], now=now, values=values
    )


def reported(session: Session, project_id: str) -> list[Reported]:
    """Items of a project that were reported, those that are held first.

    Raises:
        InputError: no such project.
    """
    projects.get(session, project_id)
    statement = (
        select(_EVENT.comparison_id, _LABELER.name, _EVENT.note, _EVENT.created_at)
        .join(tables.labelers, _LABELER.id == _EVENT.labeler_id)
        .where(_EVENT.project_id == project_id, _EVENT.kind == REPORT)
        .order_by(_EVENT.seq)
    )
    said: dict[str, list[Report]] = {}
    for item_id, name, reason, at in session.execute(statement):
        said.setdefault(item_id, []).append(Report(name, reason, at))
    held = set(
        session.scalars(
            select(_QUEUE.comparison_id).where(_QUEUE.project_id == project_id, _QUEUE.held == 1)
        )
    )
    found = [
        Reported(items.get(session, item_id), tuple(reports), item_id in held)
        for item_id, reports in said.items()
    ]
    return sorted(found, key=lambda one: not one.held)


def ungraded(session: Session, project_id: str) -> list[Ungraded]:
    """Written responses of entry tests that wait for a grade, the oldest first.

    Raises:
        InputError: no such project.
    """
    projects.get(session, project_id)
    waiting = _ungraded_ids(session, project_id)
    statement = (
        select(_EVENT.id, _LABELER.name, _ITEM.payload, _EVENT.body, _EVENT.created_at)
        .join(tables.labelers, _LABELER.id == _EVENT.labeler_id)
        .join(tables.comparisons, _ITEM.id == _EVENT.comparison_id)
        .where(_EVENT.kind == WRITTEN, _EVENT.id.in_(waiting))
        .order_by(_EVENT.seq)
    )
    return [
        Ungraded(row.id, row.name, items.parsed(row.payload), row.body["text"], row.created_at)
        for row in session.execute(statement)
    ]


def _ungraded_ids(session: Session, project_id: str) -> list[str]:
    statement = select(_EVENT.id).where(
        _EVENT.project_id == project_id,
        _EVENT.kind == WRITTEN,
        tables.IS_NO_VOTE,  # for the index; the next line alone would read all that was written
        _EVENT.purpose == "screening",
        events.standing(),
    )
    written = list(session.scalars(statement))
    known = screening.grades(session, written) if written else {}
    return [identifier for identifier in written if identifier not in known]
