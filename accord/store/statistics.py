"""How labelers and projects are doing, with intervals: what a manager decides by.

Rates are of the latest answers (``LATEST``), so that a page stays quick however long the ledger
is. Intervals are those of ``accord.ratings``: 95%, clustered by prompt.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from accord.ratings.agreement import accuracy_ceiling, preference_alpha, raw_agreement
from accord.ratings.intervals import Estimate
from accord.ratings.votes import Votes
from accord.store import labelers, measures, projects, standings, tables
from accord.store.labelers import Labeler
from accord.store.leases import IS_LEASED
from accord.store.measures import Latest, Rate
from accord.store.specs import ProjectSpec
from accord.store.tables import ANSWERS, REPORT, SKIP, WITHDRAW, WRITTEN

LATEST = 2_000  # answers of one labeler
UNKNOWN = Rate()

_EVENT, _LABELER = tables.events.c, tables.labelers.c
_QUEUE, _STANDING, _ASSIGNMENT = tables.queue.c, tables.standings.c, tables.assignments.c


@dataclass(frozen=True)
class LabelerStatistics:
    """One labeler in one project."""

    labeler: str
    paused: bool
    state: str  #: screening, waiting, ready or failed
    answered: int  #: answers that count, tests and repeats included
    today: int
    skips: int
    reports: int
    gold: Rate  #: of hidden gold items, the share answered right
    screening: Rate  #: the same in the entry test
    peers: Rate  #: of pairs on which the others have a majority, the share that go with it
    consistency: Rate  #: of silent repeats, the share of pairs answered as before
    first_place: Rate  #: of decided pairs, the share won by the response shown first; fair is 0.5
    longer: Rate  #: of decided pairs, the share won by the longer response
    ties: Rate  #: share of pairs called equal
    seconds: float | None  #: median active time of an answer
    last_answer: datetime | None


@dataclass(frozen=True)
class ProjectStatistics:
    """One project."""

    project: str
    items: int
    complete: int  #: items with all the votes that they want
    wanted: int  #: votes, all items together
    answered: int  #: answers that count and are no tests or repeats
    open: int  #: places that nobody holds
    held: int  #: items that were reported and wait for a manager
    skips: int
    reports: int
    labelers: int  #: who answered
    agreement: Rate = UNKNOWN  #: how often two labelers say the same about the same pair
    alpha: Rate = UNKNOWN  #: Krippendorff's, of preferences; may be below 0
    ceiling: float | None = None  #: accuracy that agreement leaves a model room for
    seconds: float | None = None  #: median active time of an answer
    of_latest: int = 0  #: answers that the rates are of


def labeler(session: Session, project_id: str, name: str, *, now: datetime) -> LabelerStatistics:
    """How a labeler is doing in a project.

    Args:
        session: any transaction.
        project_id: of a project.
        name: the labeler's.
        now: the present time, with zone: which answers are today's.

    Raises:
        InputError: no such labeler or project.
    """
    spec, person = projects.get(session, project_id).spec, labelers.get(session, name)
    own = measures.latest(session, project_id, person, LATEST)
    voted = [row for row in own if row.purpose == "vote"]
    habits = measures.habits(measures.votes_of(voted))
    with_peers = measures.with_peers(session, project_id, person, voted)
    return _of_labeler(session, spec, person, own, (with_peers, *habits), now)


def labelers_of(
    session: Session, project_id: str, *, now: datetime, latest: Latest | None = None
) -> list[LabelerStatistics]:
    """Every labeler who began in a project, by name, seen beside the latest answers of all.

    Args:
        session: any transaction.
        project_id: of a project.
        now: the present time, with zone: which answers are today's.
        latest: of ``measures.latest_of_project``, where the caller has read it already.

    Raises:
        InputError: no such project.
    """
    spec = projects.get(session, project_id).spec
    people = session.scalars(
        select(_LABELER.name)
        .join(tables.standings, _STANDING.labeler_id == _LABELER.id)
        .where(_STANDING.project_id == project_id)
        .order_by(_LABELER.name)
    ).all()
    known = latest or measures.latest_of_project(session, project_id)
    with_peers = measures.all_with_peers(known.votes, known.voted)
    found = []
    for name in people:
        habits = measures.habits_of(known.votes, name)
        rates = (with_peers.get(name, Rate()), *habits)
        person = labelers.get(session, name)
        found.append(_of_labeler(session, spec, person, known.of(name), rates, now))
    return found


def project(
    session: Session, project_id: str, *, latest: Latest | None = None
) -> ProjectStatistics:
    """How far a project is, and how well its labelers agree.

    Args:
        session: any transaction.
        project_id: of a project.
        latest: of ``measures.latest_of_project``, where the caller has read it already.

    Raises:
        InputError: no such project.
    """
    counted = progress(session, project_id)
    known = latest or measures.latest_of_project(session, project_id)
    return replace(
        counted,
        agreement=_of(raw_agreement, known.votes),
        alpha=_of(preference_alpha, known.votes),
        ceiling=_ceiling(known.votes),
        seconds=measures.median_seconds(known.voted),
        of_latest=len(known.voted),
    )


def progress(session: Session, project_id: str) -> ProjectStatistics:
    """How far a project is: the counts alone, since the rates take longer.

    Raises:
        InputError: no such project.
    """
    spec = projects.get(session, project_id).spec
    place = session.execute(
        select(
            func.count().label("items"),
            func.coalesce(func.sum(_QUEUE.wanted), 0).label("wanted"),
            func.coalesce(func.sum(_QUEUE.open).filter(_QUEUE.open > 0), 0).label("open"),
            func.coalesce(func.sum(_QUEUE.held), 0).label("held"),
        ).where(_QUEUE.project_id == project_id)
    ).one()
    answered, skips, reports = _votes_counted(session, spec)
    return ProjectStatistics(
        project=project_id,
        items=place.items,
        complete=_complete(session, project_id),
        wanted=place.wanted,
        answered=answered,
        open=place.open,
        held=place.held,
        skips=skips,
        reports=reports,
        labelers=_people(session, project_id),
    )


def _of_labeler(
    session: Session,
    spec: ProjectSpec,
    person: Labeler,
    own: measures.Answers,
    rates: tuple[Rate, Rate, Rate, Rate],
    now: datetime,
) -> LabelerStatistics:
    standing = standings.find(session, spec, person)
    of_person = (_EVENT.project_id == spec.id, _EVENT.labeler_id == person.id)
    skips, reports = session.execute(
        select(_number(SKIP), _number(REPORT)).where(*of_person, _EVENT.kind.in_((SKIP, REPORT)))
    ).one()
    with_peers, first_place, longer, ties = rates
    return LabelerStatistics(
        labeler=person.name,
        paused=person.paused,
        state=standing.state,
        answered=standing.answered,
        today=standing.answers_on(now),
        skips=skips,
        reports=reports,
        gold=measures.of_gold(own, "gold"),
        screening=measures.of_gold(own, "screening"),
        peers=with_peers,
        consistency=measures.consistency(own),
        first_place=first_place,
        longer=longer,
        ties=ties,
        seconds=measures.median_seconds(own),
        last_answer=own[0].created_at if own else None,
    )


def _number(*kinds: str) -> ColumnElement[int]:
    return func.count().filter(_EVENT.kind.in_(kinds))


def answer_kinds(spec: ProjectSpec) -> tuple[str, ...]:
    """Kinds of events that are answers to a task; the vote that an edit stands for is none."""
    return (WRITTEN,) if spec.task == "demonstration" else ANSWERS


def _votes_counted(session: Session, spec: ProjectSpec) -> tuple[int, int, int]:
    """Answers that count, skips and reports of a project, without those of tests and repeats.

    Everything is counted in an index that knows neither purposes nor withdrawals. Tests, repeats
    and what was taken back are few: they are counted by themselves and subtracted.
    """
    kinds, here = answer_kinds(spec), _EVENT.project_id == spec.id
    numbers = select(_number(*kinds), _number(SKIP), _number(REPORT)).where(here)
    answer = tables.events.alias("answer")
    withdrawn = select(func.count()).where(
        here,
        _EVENT.kind == WITHDRAW,
        exists().where(
            answer.c.id == _EVENT.id, answer.c.kind.in_(kinds), answer.c.purpose == "vote"
        ),
    )
    every = session.execute(numbers).one()
    tests = session.execute(numbers.where(tables.IS_NO_VOTE)).one()
    answered, skips, reports = (n - m for n, m in zip(every, tests, strict=True))
    return answered - session.scalars(withdrawn).one(), skips, reports


def _complete(session: Session, project_id: str) -> int:
    """Items whose wanted votes are all in: no place is open, and none waits for an answer."""
    full = (_QUEUE.project_id == project_id, _QUEUE.open <= 0)
    waiting = (
        select(func.count(_ASSIGNMENT.comparison_id.distinct()))
        .join(tables.queue, _QUEUE.comparison_id == _ASSIGNMENT.comparison_id)
        .where(IS_LEASED, _ASSIGNMENT.project_id == project_id, _ASSIGNMENT.purpose == "vote")
    )
    every, not_yet = select(func.count()).where(*full), waiting.where(*full)
    return int(session.scalars(every).one() - session.scalars(not_yet).one())


def _people(session: Session, project_id: str) -> int:
    statement = select(func.count()).where(
        _STANDING.project_id == project_id, _STANDING.answered > 0
    )
    return int(session.scalars(statement).one())


def _of(measure: Callable[[Votes], Estimate], votes: Votes | None) -> Rate:
    if votes is None:
        return Rate()
    try:
        found = measure(votes)
    except ValueError:  # no two responses were judged twice: nothing is known
        return Rate()
    return Rate(found.mean, found.low, found.high, found.n)


def _ceiling(votes: Votes | None) -> float | None:
    try:
        return None if votes is None else accuracy_ceiling(votes).accuracy
    except ValueError:  # no two responses have two decided votes
        return None
