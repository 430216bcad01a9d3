"""The quality of a project as figures: each labeler's rates beside those of the others.

Somebody is marked where the whole 95% interval lies on the wrong side of a line: the cut-off of
the entry test for gold items, one half for the place on the screen, the median labeler for the
rest. So of twenty honest labelers one is marked by chance on each figure, and the page says so.
"""

import statistics as numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from accord.ratings.tables import Rating
from accord.store import measures, policy_ratings, projects, statistics
from accord.store.measures import Rate
from accord.store.policy_ratings import CARELESS, PolicyRatings
from accord.store.statistics import LabelerStatistics, ProjectStatistics

Wrong = Literal["below", "apart"]
FAIR = 0.5  # of the first place
FAST = 1 / 3  # of the median labeler's time
EDGE = 0.05  # of the axis of ratings, kept free at both ends


@dataclass(frozen=True)
class Mark:
    """One row of a figure: a dot on its interval; places in percent of the axis."""

    name: str
    text: str  #: the value
    detail: str  #: interval and number of observations
    at: float | None  #: None while nothing is known
    low: float = 0.0
    high: float = 100.0
    out: str = ""  #: why it is out of line; empty when it is not


@dataclass(frozen=True)
class Panel:
    """One figure."""

    key: str
    title: str
    about: str
    marks: tuple[Mark, ...]
    line: float | None  #: percent; where the line is that marks are seen against
    line_text: str
    ends: tuple[str, str]  #: of the axis

    @property
    def is_known(self) -> bool:
        """True if there is anything to see."""
        return any(mark.at is not None for mark in self.marks)


@dataclass(frozen=True)
class Noticed:
    """A labeler to look at."""

    name: str
    paused: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Quality:
    """Everything that the page shows."""

    project: ProjectStatistics
    labelers: tuple[LabelerStatistics, ...]
    panels: tuple[Panel, ...]
    noticed: tuple[Noticed, ...]
    policies: Panel
    rated: PolicyRatings
    careless: dict[str, float]


@dataclass(frozen=True)
class _Measure:
    """What a figure shows of each labeler, and which side of which line is wrong."""

    key: str
    title: str
    about: str
    of: Callable[[LabelerStatistics], Rate]
    wrong: Wrong
    said: str  #: of somebody on the wrong side
    line: float | None = None  #: None takes the median labeler
    line_text: str = ""


def quality(session: Session, project_id: str, *, now: datetime) -> Quality:
    """The quality of a project.

    Args:
        session: any transaction.
        project_id: of a project.
        now: the present time, with zone: which answers are today's.

    Raises:
        InputError: no such project.
    """
    spec = projects.get(session, project_id).spec
    latest = measures.latest_of_project(session, project_id)
    people = tuple(statistics.labelers_of(session, project_id, now=now, latest=latest))
    careless = policy_ratings.careless(session, project_id, latest=latest)
    paused = [one.labeler for one in people if one.paused]
    rated = policy_ratings.of_project(session, project_id, without=paused, latest=latest)
    panels = tuple(
        _panel(measure, people) for measure in _measures(spec.settings.screening.ranking_share)
    )
    panels += (_time_panel(people),)
    return Quality(
        project=statistics.project(session, project_id, latest=latest),
        labelers=people,
        panels=panels,
        noticed=_noticed(people, panels, careless),
        policies=policies_panel(rated.ratings),
        rated=rated,
        careless=careless,
    )


def _measures(cut_off: float) -> tuple[_Measure, ...]:
    return (
        _Measure(
            "gold",
            "Known answers",
            "Share right of the hidden gold items.",
            lambda one: one.gold,
            "below",
            "misses the cut-off on known answers",
            cut_off,
            f"cut-off of the entry test, {_percent(cut_off)}",
        ),
        _Measure(
            "peers",
            "As the others say",
            "Share of votes that go with the majority of the others.",
            lambda one: one.peers,
            "below",
            "agrees with the others less than the median labeler",
        ),
        _Measure(
            "consistency",
            "As the first time",
            "Share of silent repeats, sides exchanged, that were answered as before.",
            lambda one: one.consistency,
            "below",
            "repeats own answers less than the median labeler",
        ),
        _Measure(
            "first_place",
            "First place",
            "Share of decided votes won by the response shown first.",
            lambda one: one.first_place,
            "apart",
            "is drawn to one side of the screen",
            FAIR,
            "one half, which is fair",
        ),
        _Measure(
            "longer",
            "Longer response",
            "Share of decided votes won by the longer response; it may well be the better one.",
            lambda one: one.longer,
            "apart",
            "looks at length unlike the median labeler",
        ),
        _Measure(
            "ties",
            "Ties",
            "Share of pairs called equal.",
            lambda one: one.ties,
            "apart",
            "calls ties unlike the median labeler",
        ),
    )


def _panel(measure: _Measure, people: Sequence[LabelerStatistics]) -> Panel:
    known = [rate.value for one in people if (rate := measure.of(one)).value is not None]
    line, text = measure.line, measure.line_text
    if line is None and len(known) > 1:
        line = numbers.median(known)
        text = f"median labeler, {_percent(line)}"
    marks = tuple(_mark(one.labeler, measure.of(one), line, measure) for one in people)
    return Panel(
        key=measure.key,
        title=measure.title,
        about=measure.about,
        marks=marks,
        line=None if line is None else 100 * line,
        line_text=text,
        ends=("0 %", "100 %"),
    )


def _mark(name: str, rate: Rate, line: float | None, measure: _Measure) -> Mark:
    if rate.value is None:
        return Mark(name, "unknown", "no observation yet", None)
    is_out = line is not None and (
        rate.high < line or (measure.wrong == "apart" and rate.low > line)
    )
    return Mark(
        name=name,
        text=_percent(rate.value),
        detail=f"{100 * rate.low:.0f} to {_percent(rate.high)}, n {rate.n:.0f}",
        at=100 * rate.value,
        low=100 * rate.low,
        high=100 * rate.high,
        out=measure.said if is_out else "",
    )


def _time_panel(people: Sequence[LabelerStatistics]) -> Panel:
    known = [one.seconds for one in people if one.seconds is not None]
    middle = numbers.median(known) if known else None
    most = max(known, default=0.0) * 1.1 or 1.0
    marks = []
    for one in people:
        if one.seconds is None:
            marks.append(Mark(one.labeler, "unknown", "no observation yet", None))
            continue
        at = 100 * one.seconds / most
        is_fast = len(known) > 1 and middle is not None and one.seconds < FAST * middle
        said = "is three times as fast as the median labeler" if is_fast else ""
        n = f"{one.answered} answers"
        marks.append(Mark(one.labeler, _seconds(one.seconds), n, at, at, at, said))
    return Panel(
        key="seconds",
        title="Time an item",
        about="Median active time; time without touching the page is left out.",
        marks=tuple(marks),
        line=None if middle is None or len(known) < 2 else 100 * middle / most,  # noqa: PLR2004
        line_text="" if middle is None else f"median labeler, {_seconds(middle)}",
        ends=("0 s", _seconds(most)),
    )


def _noticed(
    people: Sequence[LabelerStatistics], panels: Sequence[Panel], careless: dict[str, float]
) -> tuple[Noticed, ...]:
    found = []
    for index, one in enumerate(people):
        reasons = [panel.marks[index].out for panel in panels if panel.marks[index].out]
        probability = careless.get(one.labeler, 0.0)
        if probability >= CARELESS:
            reasons.insert(0, f"probably votes without looking ({_percent(probability)})")
        if reasons:
            found.append(Noticed(one.labeler, one.paused, tuple(reasons)))
    here = {one.labeler for one in people}
    found += [  # of votes that were imported: their people have no place on the figures
        Noticed(name, False, (f"probably votes without looking ({_percent(probability)})",))
        for name, probability in careless.items()
        if probability >= CARELESS and name not in here
    ]
    return tuple(sorted(found, key=lambda one: (one.paused, -len(one.reasons), one.name)))


def policies_panel(ratings: Sequence[Rating]) -> Panel:
    """The figure of the policies' ratings, on an axis as wide as their intervals."""
    ends = [end for rating in ratings for end in (rating.low, rating.high)]
    low, high = min(ends, default=-1.0), max(ends, default=1.0)
    room = (high - low or 1.0) * EDGE
    low, high = low - room, high + room

    def at(value: float) -> float:
        return 100 * (value - low) / (high - low)

    marks = tuple(
        Mark(
            name=rating.name,
            text=f"{rating.rating:+.0f}",
            detail=f"{rating.low:+.0f} to {rating.high:+.0f}, {_ranks(rating)}, "
            f"{rating.votes:.0f} votes",
            at=at(rating.rating),
            low=at(rating.low),
            high=at(rating.high),
        )
        for rating in ratings
    )
    return Panel(
        key="policies",
        title="Policies",
        about="Elo points around the mean of all, with 95% intervals clustered by labeler and "
        "prompt. Ranks are those that all votes together allow.",
        marks=marks,
        line=at(0.0) if low < 0 < high else None,
        line_text="mean of all",
        ends=(f"{low:+.0f}", f"{high:+.0f}"),
    )


def _ranks(rating: Rating) -> str:
    if rating.rank_low == rating.rank_high:
        return f"rank {rating.rank_low}"
    return f"rank {rating.rank_low} to {rating.rank_high}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _seconds(seconds: float) -> str:
    minute = 60
    return f"{seconds:.0f} s" if seconds < 2 * minute else f"{seconds / minute:.1f} min"
