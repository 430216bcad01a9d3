"""The ledger as people read it: event after event, the newest first, in pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, func, select, type_coerce
from sqlalchemy import String as Text
from sqlalchemy.orm import Session

from accord.store import labelers, tables
from accord.store.foreign import IMPORT, ORIGIN
from accord.store.tables import (
    ANSWERS,
    CLOSE,
    GOLD,
    GRADE,
    GUIDELINE,
    HOLD,
    OPEN,
    PAUSE,
    PROJECT,
    REPORT,
    RESUME,
    SCREENED,
    SHOW,
    SKIP,
    WITHDRAW,
)

Sort = Literal["all", "answers", "withdrawals", "skips", "reports", "decisions", "showings"]
SORTS: tuple[Sort, ...] = get_args(Sort)
KINDS: dict[Sort, tuple[str, ...]] = {
    "all": (),
    "answers": ANSWERS,
    "withdrawals": (WITHDRAW,),
    "skips": (SKIP,),
    "reports": (REPORT,),
    "decisions": (PROJECT, GUIDELINE, GOLD, PAUSE, RESUME, HOLD, SCREENED, GRADE, IMPORT),
    "showings": (SHOW, OPEN, CLOSE, ORIGIN),
}
LATEST = 20_000  # events in which days are counted

_EVENT, _LABELER = tables.events.c, tables.labelers.c


@dataclass(frozen=True)
class LogLine:
    """One event."""

    seq: int
    at: datetime
    kind: str
    labeler: str  #: empty for a decision about a project
    project: str
    item_id: str
    purpose: str
    note: str  #: a comment, a reason, a name
    by: str  #: which manager; empty for what labelers do


def page(
    session: Session,
    *,
    sort: Sort = "all",
    project: str = "",
    labeler: str = "",
    before: int | None = None,
    most: int = 50,
) -> list[LogLine]:
    """Events, the newest first.

    Args:
        session: any transaction.
        sort: all, or those of one sort.
        project: only of this one; of all and of none when empty.
        labeler: only of this one.
        before: place in the ledger before which the page begins; its end when None.
        most: events of the page.

    Raises:
        InputError: no such labeler.
    """
    conditions: list[ColumnElement[bool]] = []
    if KINDS[sort]:
        conditions.append(_EVENT.kind.in_(KINDS[sort]))
    if project:
        conditions.append(_EVENT.project_id == project)
    if labeler:
        conditions.append(_EVENT.labeler_id == labelers.get(session, labeler).id)
    if before is not None:
        conditions.append(_EVENT.seq < before)
    statement = (
        select(tables.events, _LABELER.name)
        .outerjoin(tables.labelers, _LABELER.id == _EVENT.labeler_id)
        .where(*conditions)
        .order_by(_EVENT.seq.desc())
        .limit(most)
    )
    return [_line(row) for row in session.execute(statement)]


def answers_by_day(
    session: Session, project_id: str, *, labeler: str = "", kinds: Sequence[str] = ANSWERS
) -> list[tuple[str, int]]:
    """How many answers came on each day, in UTC, of the ``LATEST``; the oldest day first.

    A day without one is not there; a day that the latest answers do not reach is not there either.
    """
    conditions: list[ColumnElement[bool]] = [
        _EVENT.project_id == project_id,
        _EVENT.kind.in_(kinds),
    ]
    if labeler:
        conditions.append(_EVENT.labeler_id == labelers.get(session, labeler).id)
    latest = (
        select(func.substr(type_coerce(_EVENT.created_at, Text), 1, 10).label("day"))
        .where(*conditions)
        .order_by(_EVENT.seq.desc())
        .limit(LATEST)
        .subquery()
    )
    statement = select(latest.c.day, func.count()).group_by(latest.c.day).order_by(latest.c.day)
    return [(str(day), int(count)) for day, count in session.execute(statement)]


def _line(row: Any) -> LogLine:
    body = row.body or {}
    return LogLine(
        seq=row.seq,
        at=row.created_at,
        kind=row.kind,
        labeler=row.name or "",
        project=row.project_id,
        item_id=row.comparison_id or "",
        purpose=row.purpose,
        note=row.note,
        by=str(body.get("by") or ""),
    )
