"""Ratings of the policies whose responses a project asks about, from its own votes.

The functions of ``accord rate``, on the latest votes: Bradley-Terry with intervals clustered by
labeler and prompt. In red-team mode votes are turned round first, so the higher is the better one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from accord.ratings.fit import fit
from accord.ratings.ranks import p_best
from accord.ratings.reliability import fit_reliability
from accord.ratings.tables import Rating, ratings_table
from accord.ratings.votes import Votes, from_rankings
from accord.store import measures, projects
from accord.store.measures import Answers
from accord.store.statistics import LATEST_OF_PROJECT
from accord.store.tables import VOTE

CARELESS = 0.5  # probability of not looking from which on a manager is told


@dataclass(frozen=True)
class PolicyRatings:
    """What the votes say about the policies; empty while they say nothing."""

    ratings: tuple[Rating, ...] = ()  #: best first within each group
    p_best: dict[str, float] | None = None  #: of being the best of its group
    votes: int = 0  #: pairs that were compared
    of_latest: int = 0  #: answers that they come from
    problems: tuple[str, ...] = ()  #: what a reader has to know, in sentences


def of_project(session: Session, project_id: str, *, without: Sequence[str] = ()) -> PolicyRatings:
    """Rate the policies of a project.

    Args:
        session: any transaction.
        project_id: of a project.
        without: labelers whose votes are left out.

    Raises:
        InputError: no such project.
    """
    votes, answers = _votes(session, project_id, without)
    if votes is None or not (votes.a != votes.b).any():
        return PolicyRatings(of_latest=answers)
    fitted = fit(votes)
    best = p_best(fitted)
    return PolicyRatings(
        ratings=ratings_table(fitted),
        p_best={name: float(p) for name, p in zip(fitted.names, best, strict=True)},
        votes=int((votes.a != votes.b).sum()),
        of_latest=answers,
        problems=tuple(problem.message for problem in fitted.problems),
    )


def careless(session: Session, project_id: str) -> dict[str, float]:
    """Of each labeler, how probable it is that it votes without looking; see ``careless.py``.

    Raises:
        InputError: no such project.
    """
    votes, _ = _votes(session, project_id, ())
    if votes is None or votes.both_bad.all() or len(votes.labelers) < 2:  # noqa: PLR2004
        return {}
    return {one.labeler: one.careless for one in fit_reliability(votes).labelers}


def _votes(session: Session, project_id: str, without: Sequence[str]) -> tuple[Votes | None, int]:
    """The latest votes, the better response first, and how many answers they are."""
    projects.get(session, project_id)
    rows = measures.latest(session, project_id, None, LATEST_OF_PROJECT)
    voted = [
        row
        for row in rows
        if row.purpose == "vote" and row.kind == VOTE and row.labeler not in without
    ]
    return _turned(voted), len(voted)


def _turned(rows: Answers) -> Votes | None:
    rankings = []
    for row in rows:
        ranking = measures.ranking(row)
        if (row.body or {}).get("polarity") == "harmful_first":
            last = max(ranking.ranks)
            ranking = replace(ranking, ranks=tuple(last + 1 - rank for rank in ranking.ranks))
        rankings.append(ranking)
    return from_rankings(rankings) if rankings else None
