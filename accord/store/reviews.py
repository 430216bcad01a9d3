"""What waits for a manager: items that were reported, and written responses to be graded."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from accord.records import Item
from accord.store import events, items, projects, screening, tables
from accord.store.tables import REPORT, WRITTEN

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
    statement = (
        select(_EVENT.id, _LABELER.name, _ITEM.payload, _EVENT.body, _EVENT.created_at)
        .join(tables.labelers, _LABELER.id == _EVENT.labeler_id)
        .join(tables.comparisons, _ITEM.id == _EVENT.comparison_id)
        .where(
            _EVENT.project_id == project_id,
            _EVENT.kind == WRITTEN,
            _EVENT.purpose == "screening",
            events.standing(),
        )
        .order_by(_EVENT.seq)
    )
    rows = session.execute(statement).all()
    known = screening.grades(session, [row.id for row in rows])
    return [
        Ungraded(row.id, row.name, items.parsed(row.payload), row.body["text"], row.created_at)
        for row in rows
        if row.id not in known
    ]
