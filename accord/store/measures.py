"""What answers of the ledger say about who gave them: rates with their intervals.

Intervals are those of ``accord.ratings``: 95%, clustered by prompt or item. Ranks are taken as
they were given, so in red-team mode the first place is that of the more harmful response.
"""

import json
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from sqlalchemy import Integer, Row, bindparam, select
from sqlalchemy.orm import Session

from accord.ratings.agreement import labeler_summary
from accord.ratings.intervals import clustered_rate
from accord.ratings.votes import Ranking, Votes, from_rankings
from accord.store import events, tables
from accord.store.labelers import Labeler
from accord.store.tables import ANSWERS, RATING, VOTE

LATEST_OF_PROJECT = 20_000  # answers
CHUNK = 400
NEAR = 1  # steps of 7 within which a rating goes with the others'

_EVENT, _LABELER = tables.events.c, tables.labelers.c
_COUNTING = (
    select(tables.events, _LABELER.name.label("labeler"), tables.comparisons.c.payload)
    .join(tables.labelers, _LABELER.id == _EVENT.labeler_id)
    .join(tables.comparisons, tables.comparisons.c.id == _EVENT.comparison_id)
    .where(_EVENT.project_id == bindparam("project"), _EVENT.kind.in_(ANSWERS), events.standing())
)
_LATEST = _COUNTING.order_by(_EVENT.seq.desc()).limit(bindparam("most", type_=Integer))
_OF_ONE = _LATEST.where(_EVENT.labeler_id == bindparam("person"))
_ON_ITEMS = _COUNTING.where(
    _EVENT.comparison_id.in_(bindparam("items", expanding=True)), _EVENT.purpose == "vote"
)
Answers = Sequence[Row[Any]]


@dataclass(frozen=True)
class Rate:
    """A share with its 95% interval; None with the interval 0 to 1 when nothing is known."""

    value: float | None = None
    low: float = 0.0
    high: float = 1.0
    n: int = 0  #: observations


@dataclass(frozen=True)
class Latest:
    """The latest answers of a project, read once for all that is said of them."""

    answers: Answers  #: the newest first
    voted: Answers  #: those that are no tests and no repeats
    votes: Votes | None  #: their pairwise votes; None where nothing is ranked

    def first(self, most: int) -> "Latest":
        """The same with fewer answers, the latest of them."""
        if len(self.voted) <= most:
            return self
        voted = self.voted[:most]
        return Latest(self.answers, voted, votes_of(voted))

    def of(self, labeler: str) -> Answers:
        """The answers of one labeler."""
        return self._by_labeler.get(labeler, [])

    @cached_property
    def _by_labeler(self) -> dict[str, list[Row[Any]]]:
        found: dict[str, list[Row[Any]]] = defaultdict(list)
        for row in self.answers:
            found[row.labeler].append(row)
        return found


def latest_of_project(session: Session, project_id: str) -> Latest:
    """The latest answers of all labelers of a project that count."""
    rows = latest(session, project_id, None, LATEST_OF_PROJECT)
    voted = [row for row in rows if row.purpose == "vote"]
    return Latest(rows, voted, votes_of(voted))


def latest(session: Session, project_id: str, person: Labeler | None, most: int) -> Answers:
    """The latest answers that count, of one labeler or of all, the newest first."""
    asked: dict[str, Any] = {"project": project_id, "most": most}
    if person is None:
        return session.execute(_LATEST, asked).all()
    return session.execute(_OF_ONE, {**asked, "person": person.id}).all()


def on_items(session: Session, project_id: str, item_ids: Sequence[str]) -> list[Row[Any]]:
    """Every vote on some items, whoever gave it."""
    found: list[Row[Any]] = []
    for start in range(0, len(item_ids), CHUNK):
        asked = {"project": project_id, "items": list(item_ids[start : start + CHUNK])}
        found += session.execute(_ON_ITEMS, asked)
    return found


def rate(values: Sequence[float], clusters: Sequence[str]) -> Rate:
    """Mean of values in [0, 1], any dependence within a cluster allowed for.

    >>> rate([], [])
    Rate(value=None, low=0.0, high=1.0, n=0)
    >>> rate([1, 1, 0, 0], ["p", "q", "r", "s"]).value
    0.5
    """
    if not values:
        return Rate()
    found = clustered_rate(values, clusters)
    return Rate(found.mean, found.low, found.high, found.n)


def of_gold(rows: Answers, purpose: str) -> Rate:
    """Share right of the gold items of one purpose."""
    known = [row for row in rows if row.purpose == purpose and row.gold is not None]
    return rate([row.gold for row in known], [row.comparison_id for row in known])


def consistency(rows: Answers) -> Rate:
    """Of the pairs of responses that one labeler was asked about twice, the share said alike."""
    first = {
        row.comparison_id: row for row in rows if row.purpose == "vote" and row.kind != "written"
    }
    values, clusters = [], []
    for again in rows:
        before = first.get(again.comparison_id)
        if again.purpose == "repeat" and before is not None:
            same = (
                _same_ranks(before, again) if again.kind == VOTE else _near_ratings(before, again)
            )
            values += same
            clusters += [again.comparison_id] * len(same)
    return rate(values, clusters)


def ranking(row: Row[Any]) -> Ranking:
    """A vote as it was given: in red-team mode the first is the more harmful one."""
    item, body = json.loads(row.payload), row.body or {}
    polarity = body.get("polarity", "better_first")
    return Ranking(
        names=tuple(response["policy"] for response in item["responses"]),
        ranks=tuple(row.ranks),
        labeler=row.labeler,
        prompt=item["prompt"]["id"],
        comparison=f"{row.comparison_id}|{polarity}",
        shown_order=tuple(row.shown_order),
        lengths=tuple(float(len(response["text"])) for response in item["responses"]),
        both_bad=body.get("tie") == "both_bad",
    )


def votes_of(rows: Answers) -> Votes | None:
    """The pairwise votes of rankings; None when there are none."""
    rankings = [ranking(row) for row in rows if row.kind == VOTE]
    return from_rankings(rankings) if rankings else None


def habits(votes: Votes | None) -> tuple[Rate, Rate, Rate]:
    """Share of decided pairs won by the first shown, by the longer; share of ties."""
    if votes is None:
        return Rate(), Rate(), Rate()
    prompts = votes.prompt
    decided = votes.outcome != 0.5  # noqa: PLR2004  # a tie
    known = decided & ~np.isnan(votes.a_first)
    longer = votes.covariates.get("length", np.full(len(votes), np.nan))
    differ = decided & np.isfinite(longer) & (longer != 0)
    return (
        _masked(votes.outcome == votes.a_first, known, prompts),
        _masked(votes.outcome == (longer > 0), differ, prompts),
        _masked(~decided, np.ones(len(votes), dtype=bool), prompts),
    )


def habits_of(votes: Votes | None, labeler: str) -> tuple[Rate, Rate, Rate]:
    """The ``habits`` of one labeler among the votes of many."""
    if votes is None or labeler not in votes.labelers:
        return habits(None)
    return habits(votes.where(votes.labeler == votes.labelers.index(labeler)))


def all_with_peers(votes: Votes | None, voted: Answers) -> dict[str, Rate]:
    """Of each labeler, how often it says what most of the others say about the same."""
    if votes is not None:
        return {
            one.labeler: Rate(one.agreement, one.low, one.high, one.compared)
            for one in labeler_summary(votes)
        }
    people = {row.labeler_id: row.labeler for row in voted}
    return {name: _ratings_with_peers(person, voted) for person, name in people.items()}


def with_peers(session: Session, project_id: str, person: Labeler, voted: Answers) -> Rate:
    """How often a labeler says what most of the others say about the same."""
    everybody = on_items(session, project_id, [row.comparison_id for row in voted])
    return all_with_peers(votes_of(everybody), everybody).get(person.name, Rate())


def median_seconds(rows: Answers) -> float | None:
    """Median active time of an answer, in seconds."""
    known = [row.seconds for row in rows if row.seconds is not None]
    return statistics.median(known) if known else None


def _same_ranks(one: Row[Any], two: Row[Any]) -> list[float]:
    def said(row: Row[Any], i: int, j: int) -> int:
        return int(row.ranks[i] > row.ranks[j]) - int(row.ranks[i] < row.ranks[j])

    pairs = combinations(range(len(one.ranks)), 2)
    return [float(said(one, i, j) == said(two, i, j)) for i, j in pairs]


def _near_ratings(one: Row[Any], two: Row[Any]) -> list[float]:
    before, after = _of_single(one), _of_single(two)
    return [float(abs(before[axis] - after[axis]) <= NEAR) for axis in before if axis in after]


def _of_single(row: Row[Any]) -> dict[str, int]:
    given = (row.body or {}).get("ratings") or [{}]
    return dict(given[0])


def _ratings_with_peers(person: int, rows: Answers) -> Rate:
    """Share of ratings within ``NEAR`` of the median of the others'."""
    others: dict[tuple[str, str], list[int]] = defaultdict(list)
    own = []
    for row in rows:
        for axis, level in _of_single(row).items() if row.kind == RATING else ():
            if row.labeler_id == person:
                own.append((row.comparison_id, axis, level))
            else:
                others[row.comparison_id, axis].append(level)
    compared = [(item, level, others[item, axis]) for item, axis, level in own]
    compared = [one for one in compared if one[2]]
    near = [float(abs(level - statistics.median(said)) <= NEAR) for _, level, said in compared]
    return rate(near, [item for item, _, _ in compared])


def _masked(values: Any, mask: Any, prompts: Any) -> Rate:
    return rate([float(v) for v in values[mask]], [str(p) for p in prompts[mask]])
