"""Silent repeats: an item that a labeler answered long ago, with the sides swapped.

They measure how consistent a labeler is with itself. They fill no place in the queue and do not
count as votes.
"""

import random
from typing import Any

from sqlalchemy import bindparam, exists, select
from sqlalchemy.orm import Session

from accord.records import Item
from accord.store import items, tables
from accord.store.labelers import Labeler
from accord.store.specs import ProjectSpec
from accord.store.tables import VOTED

REPEATED_TASKS = ("comparison", "ranking", "rating")

_FIRST = tables.assignments.alias("first")
_AGAIN = tables.assignments.alias("again")
_ELIGIBLE = (
    select(_FIRST.c.comparison_id, _FIRST.c.shown_order, tables.comparisons.c.payload)
    .join(tables.comparisons, tables.comparisons.c.id == _FIRST.c.comparison_id)
    .where(
        _FIRST.c.labeler_id == bindparam("person"),
        _FIRST.c.project_id == bindparam("project"),
        _FIRST.c.number >= bindparam("begin"),
        _FIRST.c.number <= bindparam("end"),
        _FIRST.c.purpose == "vote",
        _FIRST.c.state == VOTED,
        ~exists().where(
            _AGAIN.c.labeler_id == _FIRST.c.labeler_id,
            _AGAIN.c.project_id == _FIRST.c.project_id,
            _AGAIN.c.comparison_id == _FIRST.c.comparison_id,
            _AGAIN.c.purpose == "repeat",
        ),
    )
    .order_by(_FIRST.c.number)
    .limit(1)
)


def choose(
    session: Session, spec: ProjectSpec, person: Labeler, *, shown: int, label: str
) -> tuple[Item, tuple[int, ...]] | None:
    """One of the labeler's earlier items, and its order mirrored.

    At random among those answered at least ``repeat_after`` tasks ago and not repeated yet.

    Returns:
        The item and the order to show it in, or None when there is none yet.
    """
    if spec.task not in REPEATED_TASKS:
        return None
    last = shown - spec.settings.repeat_after
    if last < 0:
        return None
    begin = random.Random(f"{label}:repeat:{shown}").randint(0, last)
    asked: dict[str, Any] = {"person": person.id, "project": spec.id, "begin": begin, "end": last}
    row = session.execute(_ELIGIBLE, asked).first()
    if row is None:
        row = session.execute(_ELIGIBLE, {**asked, "begin": 0, "end": begin}).first()
    if row is None:
        return None
    return items.parsed(row.payload), tuple(reversed(row.shown_order))
