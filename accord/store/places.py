"""Places in the queue: how many more labelers an item is asked of, in one project.

``open`` = wanted - votes that count - leases that have not ended. Late votes may take it below 0.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from accord.store import tables
from accord.store.specs import ProjectSpec
from accord.store.tables import NO_PROJECT

CHUNK = 400

_QUEUE, _MEMBER, _GOLD = tables.queue.c, tables.members.c, tables.gold.c
_COMPARISON, _PROJECT = tables.comparisons.c, tables.projects.c
_HERE = (_QUEUE.project_id == bindparam("project"), _QUEUE.comparison_id == bindparam("of"))
_TAKEN = update(tables.queue).where(*_HERE).values(open=_QUEUE.open - 1)
_RETURNED = (
    update(tables.queue)
    .where(*_HERE)
    .values(
        open=_QUEUE.open + 1, wanted=_QUEUE.wanted + bindparam("more"), opened_at=bindparam("at")
    )
)
_LATEST = select(func.max(_QUEUE.opened_at)).where(_QUEUE.project_id == bindparam("project"))


def take(session: Session, project_id: str, comparison_id: str) -> None:
    """Fill a place of an item."""
    session.execute(_TAKEN, {"project": project_id, "of": comparison_id})


def give_back(session: Session, project_id: str, comparison_id: str, *, now: datetime) -> None:
    """Open a place of an item again."""
    values = {"project": project_id, "of": comparison_id, "more": 0, "at": now}
    session.execute(_RETURNED, values)


def ask_more(session: Session, project_id: str, comparison_id: str, *, now: datetime) -> None:
    """Ask one more labeler about an item."""
    values = {"project": project_id, "of": comparison_id, "more": 1, "at": now}
    session.execute(_RETURNED, values)


def hold(
    session: Session, project_id: str, comparison_id: str, *, now: datetime, held: bool = True
) -> None:
    """Give an item to nobody more, or, with ``held=False``, to labelers again."""
    session.execute(
        update(tables.queue)
        .where(_QUEUE.project_id == project_id, _QUEUE.comparison_id == comparison_id)
        .values(held=int(held), opened_at=now)
    )


def last_opened(session: Session, project_id: str) -> datetime | None:
    """When a place of a project was last opened."""
    found: datetime | None = session.scalars(_LATEST, {"project": project_id}).one()
    return found


def add(session: Session, spec: ProjectSpec, identifiers: Sequence[str], *, now: datetime) -> int:
    """Queue the items that a project does not ask about yet; return how many.

    The overlap pool is an exact share of all items: of each delivery, those whose hash comes
    first, so that neither order nor content decides who is in it.
    """
    known = set(
        session.scalars(
            select(_QUEUE.comparison_id).where(
                _QUEUE.project_id == spec.id, _QUEUE.comparison_id.in_(identifiers)
            )
        )
    ) | set(
        session.scalars(
            select(_GOLD.comparison_id).where(
                _GOLD.project_id == spec.id, _GOLD.comparison_id.in_(identifiers)
            )
        )
    )
    new = [identifier for identifier in identifiers if identifier not in known]
    if not new:
        return 0
    total, pooled, position = session.execute(
        select(
            func.count(),
            func.count().filter(_QUEUE.pool),
            func.coalesce(func.max(_QUEUE.position), -1),
        ).where(_QUEUE.project_id == spec.id)
    ).one()
    overlap = spec.settings.overlap
    target = round(overlap.share * (total + len(new)))
    pool = set(sorted(new, key=lambda i: _hash(spec.id, i))[: max(0, target - pooled)])
    rows = [
        {
            "project_id": spec.id,
            "comparison_id": identifier,
            "position": place,
            "wanted": _wanted(spec, pool=identifier in pool),
            "open": _wanted(spec, pool=identifier in pool),
            "pool": identifier in pool,
            "opened_at": now,
        }
        for place, identifier in enumerate(new, start=position + 1)
    ]
    session.execute(insert(tables.queue), rows)
    return len(new)


def refill(session: Session, spec: ProjectSpec, *, now: datetime) -> int:
    """Queue whatever the project's batches hold and it does not ask about yet; raise wanted votes.

    The items of a batch come in the order in which they were published.
    """
    _raise_wanted(session, spec, now)
    missing = _missing(session, spec)
    return sum(
        add(session, spec, missing[start : start + CHUNK], now=now)
        for start in range(0, len(missing), CHUNK)
    )


def serving(session: Session, batch: str) -> list[ProjectSpec]:
    """The projects that ask about the items of a batch."""
    specs = session.scalars(select(_PROJECT.spec)).all()
    parsed = [ProjectSpec.model_validate_json(text) for text in specs]
    return [spec for spec in parsed if batch in spec.batches]


def _missing(session: Session, spec: ProjectSpec) -> list[str]:
    if not spec.batches:
        return []
    published, mine = tables.queue.alias("published"), tables.queue.alias("mine")
    statement = (
        select(_MEMBER.comparison_id, func.min(published.c.position))
        .join(
            published,
            and_(
                published.c.project_id == NO_PROJECT,
                published.c.comparison_id == _MEMBER.comparison_id,
            ),
            isouter=True,
        )
        .join(
            mine,
            and_(mine.c.project_id == spec.id, mine.c.comparison_id == _MEMBER.comparison_id),
            isouter=True,
        )
        .where(_MEMBER.batch.in_(spec.batches), mine.c.comparison_id.is_(None))
        .group_by(_MEMBER.comparison_id)
        .order_by(func.min(published.c.position), _MEMBER.comparison_id)
    )
    return [row.comparison_id for row in session.execute(statement)]


def _raise_wanted(session: Session, spec: ProjectSpec, now: datetime) -> None:
    for pool in (True, False):
        wanted = _wanted(spec, pool=pool)
        session.execute(
            update(tables.queue)
            .where(_QUEUE.project_id == spec.id, _QUEUE.pool.is_(pool), _QUEUE.wanted < wanted)
            .values(open=_QUEUE.open + wanted - _QUEUE.wanted, wanted=wanted, opened_at=now)
        )


def _wanted(spec: ProjectSpec, *, pool: bool) -> int:
    votes = spec.settings.votes_wanted
    return max(votes, spec.settings.overlap.votes) if pool else votes


def _hash(project_id: str, identifier: str) -> bytes:
    return hashlib.sha256(f"{project_id}\0{identifier}".encode()).digest()
