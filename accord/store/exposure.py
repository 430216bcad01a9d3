"""How long somebody has been at work without a pause, and what they answered last."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from accord.store import events, tables
from accord.store.labelers import Labeler
from accord.store.tables import ANSWERS

LOOKED_AT = 300  # answers; more than anybody gives in one spell between two breaks

_EVENT = tables.events.c
_LATEST = (  # answers of a kind, the last one first
    select(_EVENT.seq, _EVENT.id, _EVENT.created_at)
    .where(
        _EVENT.project_id == bindparam("project"),
        _EVENT.labeler_id == bindparam("person"),
        _EVENT.kind == bindparam("kind"),
    )
    .order_by(_EVENT.seq.desc())
    .limit(bindparam("most"))
)


def spell(
    session: Session, project_id: str, person: Labeler, *, now: datetime, pause: timedelta
) -> timedelta:
    """Time since the last pause: from its end to now, or zero during a pause.

    Args:
        session: any transaction.
        project_id: of a project.
        person: whose time.
        now: the present time, with zone.
        pause: time between two answers that counts as a pause.
    """
    times = sorted(
        (
            row.created_at
            for kind in ANSWERS
            for row in session.execute(_LATEST, _of(project_id, person, kind, LOOKED_AT))
        ),
        reverse=True,
    )
    began = now
    for moment in times:
        if began - moment >= pause:
            break
        began = moment
    return now - began


def latest_answer(session: Session, project_id: str, person: Labeler) -> str | None:
    """Id of the answer that this labeler gave last and did not take back, or None."""
    rows = [
        row
        for kind in ANSWERS
        if (row := session.execute(_LATEST, _of(project_id, person, kind, 1)).first())
    ]
    if not rows:
        return None
    last = max(rows, key=lambda row: row.seq)
    return None if events.is_withdrawn(session, last.id) else str(last.id)


def _of(project_id: str, person: Labeler, kind: str, most: int) -> dict[str, Any]:
    return {"project": project_id, "person": person.id, "kind": kind, "most": most}
