"""How a labeler stands in a project: past the entry test or not, and how much it was given."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

from sqlalchemy import Update, bindparam, case, insert, select, update
from sqlalchemy.orm import Session

from accord.store import tables
from accord.store.labelers import Labeler, is_locked
from accord.store.specs import ProjectSpec

State = Literal["screening", "waiting", "ready", "failed"]

_STANDING = tables.standings.c
_COUNTERS = (
    _STANDING.state,
    _STANDING.shown,
    _STANDING.streamed,
    _STANDING.answered,
    _STANDING.gold_shown,
    _STANDING.repeats_shown,
    _STANDING.day,
    _STANDING.on_day,
    _STANDING.nothing_since,
)
_HERE = (
    _STANDING.project_id == bindparam("project"),
    _STANDING.labeler_id == bindparam("person"),
)
_ONE = select(*_COUNTERS).where(*_HERE)


@dataclass(frozen=True)
class Standing:
    """Counters of one labeler in one project."""

    state: State  #: waiting: the entry test is answered, and written responses are to be graded
    shown: int = 0
    streamed: int = 0  #: of these, after the entry test
    answered: int = 0
    gold_shown: int = 0
    repeats_shown: int = 0
    day: str = ""  #: of the last answer
    on_day: int = 0  #: answers on that day
    nothing_since: datetime | None = None  #: when a search found nothing left

    def answers_on(self, now: datetime) -> int:
        """How many answers were given on the day of ``now``, in UTC."""
        return self.on_day if self.day == day_of(now) else 0


def find(session: Session, spec: ProjectSpec, person: Labeler) -> Standing:
    """How a labeler stands, whether it began or not."""
    return _kept(session, spec, person) or _at_first(spec)


def of_project(session: Session, project_id: str) -> dict[str, Standing]:
    """How everybody stands who began in a project, by name."""
    statement = (
        select(tables.labelers.c.name, *_COUNTERS)
        .join(tables.labelers, tables.labelers.c.id == _STANDING.labeler_id)
        .where(_STANDING.project_id == project_id)
        .order_by(tables.labelers.c.name)
    )
    return {name: Standing(*counters) for name, *counters in session.execute(statement)}


def of_labeler(session: Session, person: Labeler) -> dict[str, Standing]:
    """How a labeler stands in every project that it began in, by the project's id."""
    statement = (
        select(_STANDING.project_id, *_COUNTERS)
        .where(_STANDING.labeler_id == person.id)
        .order_by(_STANDING.project_id)
    )
    return {project: Standing(*counters) for project, *counters in session.execute(statement)}


def begun(session: Session, spec: ProjectSpec, person: Labeler) -> Standing:
    """How a labeler stands that begins now at the latest."""
    known = _kept(session, spec, person)
    if known is not None:
        return known
    first = _at_first(spec)
    values = {"project_id": spec.id, "labeler_id": person.id, **vars(first)}
    session.execute(insert(tables.standings), values)
    return first


def put(session: Session, spec: ProjectSpec, person: Labeler, **changed: Any) -> None:
    """Change counters of a labeler that has begun."""
    here = {"project": spec.id, "person": person.id}
    values = {f"new_{name}": value for name, value in changed.items()}
    session.execute(_setting(tuple(changed)), {**here, **values})
    known = session.info.get(_key(spec, person))
    if known is not None:
        session.info[_key(spec, person)] = replace(known, **changed)


@cache
def _setting(names: tuple[str, ...]) -> Update:
    """Built once for each set of counters: building it takes longer than running it."""
    changed: Any = {name: bindparam(f"new_{name}", type_=_STANDING[name].type) for name in names}
    return update(tables.standings).where(*_HERE).values(changed)


_SAME_DAY = case((_STANDING.day == bindparam("today"), _STANDING.on_day), else_=0)
_ANSWERED = (
    update(tables.standings)
    .where(*_HERE)
    .values(
        answered=_STANDING.answered + bindparam("by"),
        day=bindparam("today"),
        on_day=case((_SAME_DAY + bindparam("by") > 0, _SAME_DAY + bindparam("by")), else_=0),
    )
)


def count_answer(
    session: Session, spec: ProjectSpec, person: Labeler, *, now: datetime, by: int = 1
) -> None:
    """Count an answer, or one less, of a labeler that has begun."""
    values = {"project": spec.id, "person": person.id, "by": by, "today": day_of(now)}
    session.execute(_ANSWERED, values)
    session.info.pop(_key(spec, person), None)


def day_of(now: datetime) -> str:
    """The day in UTC, ``2026-01-31``."""
    return now.astimezone(UTC).date().isoformat()


def _kept(session: Session, spec: ProjectSpec, person: Labeler) -> Standing | None:
    """The row of a labeler that has begun; read once by a transaction that locked the labeler."""
    known: Standing | None = session.info.get(_key(spec, person))
    if known is None:
        row = session.execute(_ONE, {"project": spec.id, "person": person.id}).one_or_none()
        known = None if row is None else Standing(*row)
        if known is not None and is_locked(session, person):
            session.info[_key(spec, person)] = known
    return known


def _key(spec: ProjectSpec, person: Labeler) -> tuple[str, str, int]:
    return "standing", spec.id, person.id


def _at_first(spec: ProjectSpec) -> Standing:
    return Standing("screening" if spec.settings.screening.items else "ready")
