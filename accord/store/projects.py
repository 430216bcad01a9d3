"""Projects: labelling tasks set up by a manager, and the items that each asks about.

A project is created and changed by events that hold it whole; the latest stands in a row of its
own. Its items come from published batches, or are added to it directly.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from accord.config import InputError, nearest
from accord.records import Comparison, Item
from accord.store import events, guidelines, items, places, tables
from accord.store.specs import ProjectSpec
from accord.store.tables import PROJECT

CHUNK = 400

_PROJECT = tables.projects.c
_COLUMNS = (
    _PROJECT.id,
    _PROJECT.version,
    _PROJECT.spec,
    _PROJECT.created_at,
)
_ONE = select(*_COLUMNS).where(_PROJECT.id == bindparam("of"))
_LOCK = _ONE.with_for_update()


@dataclass(frozen=True)
class Project:
    """A project as it is now."""

    id: str
    version: int  #: 1 when created, one more at every change
    spec: ProjectSpec
    created_at: datetime


def create(session: Session, spec: ProjectSpec, *, now: datetime, by: str = "") -> Project:
    """Set up a project; its batches' items go into its queue.

    Creating the very same project again changes nothing.

    Raises:
        InputError: another project has this id, the guidelines are not published, or an item of a
            batch does not fit the task.
    """
    known = find(session, spec.id)
    if known is not None:
        if known.spec == spec:
            return known
        raise InputError(f"there is another project `{spec.id}` already; choose another id")
    _check(session, spec)
    row = {"id": spec.id, "version": 1, "spec": _text(spec), "closed": spec.closed}
    session.execute(insert(tables.projects), {**row, "created_at": now})
    _event(session, spec, 1, now=now, by=by)
    places.refill(session, spec, now=now)
    return get(session, spec.id)


def change(session: Session, spec: ProjectSpec, *, now: datetime, by: str = "") -> Project:
    """Give a project other settings, from here on; answers keep those they came under.

    More wanted votes and further batches apply to items that are there; fewer never take back
    what was asked for.

    Raises:
        InputError: no such project, its task would change, or see ``create``.
    """
    known = get(session, spec.id, lock=True)
    if known.spec == spec:
        return known
    if known.spec.task != spec.task:
        raise InputError(
            f"project `{spec.id}` is a {known.spec.task} task; set up another project for "
            f"a {spec.task} task"
        )
    _check(session, spec)
    version = known.version + 1
    session.execute(
        update(tables.projects)
        .where(_PROJECT.id == spec.id)
        .values(version=version, spec=_text(spec), closed=spec.closed)
    )
    session.info.pop(_key(spec.id))
    _event(session, spec, version, now=now, by=by)
    places.refill(session, spec, now=now)
    return get(session, spec.id)


def get(session: Session, project_id: str, *, lock: bool = False) -> Project:
    """A project as it is now.

    Raises:
        InputError: no such project.
    """
    found = find(session, project_id, lock=lock)
    if found is None:
        names = list(session.scalars(select(_PROJECT.id)))
        raise InputError(f"no project `{project_id}`{nearest(project_id, names)}")
    return found


def find(session: Session, project_id: str, *, lock: bool = False) -> Project | None:
    """A project as it is now, or None; a transaction sees it in one state."""
    known: Project | None = session.info.get(_key(project_id))
    if known is not None and not lock:
        return known
    row = session.execute(_LOCK if lock else _ONE, {"of": project_id}).one_or_none()
    if row is None:
        return None
    session.info[_key(project_id)] = found = _project(row)
    return found


def list_(session: Session) -> list[Project]:
    """Every project, by id."""
    return [_project(row) for row in session.execute(select(*_COLUMNS).order_by(_PROJECT.id))]


def add_items(
    session: Session,
    project_id: str,
    new: Iterable[Item | Comparison],
    *,
    now: datetime,
    batch: str = "",
) -> int:
    """Put items into the ledger and this project's queue, in the order given.

    Adding the same items again changes nothing.

    Args:
        session: a writing transaction.
        project_id: of a project.
        new: the items; each fits the project's task.
        now: the present time, with zone.
        batch: name of this delivery, ``<project>/items`` by default.

    Returns:
        How many were new to the project's queue.

    Raises:
        InputError: no such project, an item does not fit its task, or another item has its id.
    """
    spec = get(session, project_id, lock=True).spec
    added, remaining = 0, iter(new)
    while chunk := list(islice(remaining, CHUNK)):
        for item in chunk:
            check_size(spec, item.id, len(item.responses))
        items.insert_new(session, chunk)
        identifiers = list(dict.fromkeys(item.id for item in chunk))
        items.join(session, identifiers, batch or f"{project_id}/items")
        added += places.add(session, spec, identifiers, now=now)
    return added


def batches(spec: ProjectSpec) -> list[str]:
    """The batches that hold the items of a project, those that its labelers made included."""
    made = [f"{spec.id}/{part}" for part in ("items", "edits", "conversations")]
    return [*spec.batches, *made]


def check_size(spec: ProjectSpec, item_id: str, size: int) -> None:
    """Refuse an item of which this project's task cannot be asked."""
    fewest, most = spec.sizes
    if not fewest <= size <= most:
        wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
        raise InputError(
            f"item `{item_id}` has {size} responses; a {spec.task} task has {wanted}, so "
            f"project `{spec.id}` cannot ask about it"
        )


def _check(session: Session, spec: ProjectSpec) -> None:
    if spec.guideline:
        guidelines.get(session, spec.guideline)
    for batch in spec.batches:
        sizes = items.sizes(session, batch)
        if not sizes:
            raise InputError(f"no batch `{batch}` in the store; publish or import it first")
        for item_id, size in sizes:
            check_size(spec, item_id, size)


def _event(session: Session, spec: ProjectSpec, version: int, *, now: datetime, by: str) -> None:
    values = {
        "project_id": spec.id,
        "guideline": spec.guideline,
        "body": {"by": by, "version": version, "spec": spec.model_dump(mode="json", by_alias=True)},
    }
    events.append(session, PROJECT, f"{spec.id}:{version}", now=now, values=values)


def _key(project_id: str) -> tuple[str, str]:
    return "project", project_id


def _text(spec: ProjectSpec) -> str:
    return spec.model_dump_json(by_alias=True)


@lru_cache(maxsize=256)
def _parsed(text: str) -> ProjectSpec:
    return ProjectSpec.model_validate_json(text)


def _project(row: Any) -> Project:
    return Project(row.id, row.version, _parsed(row.spec), row.created_at)
