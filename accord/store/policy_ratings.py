"""Ratings of the policies whose responses a project asks about, from its own votes.

The functions of ``accord rate``, on the latest votes: Bradley-Terry with intervals clustered by
labeler and prompt. In red-team mode votes are turned round first, so the higher is the better one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Pool, Row
from sqlalchemy.orm import Session

from accord.ratings.fit import fit
from accord.ratings.ranks import p_best
from accord.ratings.reliability import fit_reliability
from accord.ratings.tables import Rating, ratings_table
from accord.ratings.votes import Votes, from_rankings
from accord.store import measures, projects
from accord.store.measures import Answers, Latest
from accord.store.tables import VOTE

LOOKED_AT = 10_000  # latest votes that are searched for who does not look
CARELESS = 0.5  # probability of not looking from which on a manager is told


@dataclass(frozen=True)
class PolicyRatings:
    """What the votes say about the policies; empty while they say nothing."""

    ratings: tuple[Rating, ...] = ()  #: best first within each group
    p_best: dict[str, float] | None = None  #: of being the best of its group
    votes: int = 0  #: pairs that were compared
    of_latest: int = 0  #: answers that they come from
    problems: tuple[str, ...] = ()  #: what a reader has to know, in sentences


# Of each project: the places in the ledger of the votes, and who votes without looking. Computed
# from the ledger alone, so a process may forget it at any time. The pool of connections stands for
# the database: a transaction that reads has an engine of its own, with the same pool.
_KNOWN: WeakKeyDictionary[Pool, dict[str, tuple[int, dict[str, float]]]] = WeakKeyDictionary()


def of_project(
    session: Session,
    project_id: str,
    *,
    without: Sequence[str] = (),
    latest: Latest | None = None,
) -> PolicyRatings:
    """Rate the policies of a project.

    Args:
        session: any transaction.
        project_id: of a project.
        without: labelers whose votes are left out.
        latest: of ``measures.latest_of_project``, where the caller has read it already.

    Raises:
        InputError: no such project.
    """
    votes, answers = _votes(_latest(session, project_id, latest), without)
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


def careless(
    session: Session, project_id: str, *, latest: Latest | None = None
) -> dict[str, float]:
    """Of each labeler, how probable it is that it votes without looking; see ``careless.py``.

    Of the ``LOOKED_AT`` latest votes; the same ones are looked at once, which takes a second.

    Args:
        session: any transaction.
        project_id: of a project.
        latest: of ``measures.latest_of_project``, where the caller has read it already.

    Raises:
        InputError: no such project.
    """
    read = _latest(session, project_id, latest).first(LOOKED_AT)
    places = hash(tuple(row.seq for row in read.voted))
    of_database = _KNOWN.setdefault(session.get_bind().engine.pool, {})
    known = of_database.get(project_id)
    if known is None or known[0] != places:
        known = of_database[project_id] = (places, _careless(_votes(read, ())[0]))
    return dict(known[1])


def _careless(votes: Votes | None) -> dict[str, float]:
    if votes is None or votes.both_bad.all() or len(votes.labelers) < 2:  # noqa: PLR2004
        return {}
    return {one.labeler: one.careless for one in fit_reliability(votes).labelers}


def _latest(session: Session, project_id: str, read: Latest | None) -> Latest:
    projects.get(session, project_id)
    return read or measures.latest_of_project(session, project_id)


def _votes(read: Latest, without: Sequence[str]) -> tuple[Votes | None, int]:
    """The latest votes, the better response first, and how many answers they are."""
    voted = [row for row in read.voted if row.kind == VOTE and row.labeler not in without]
    as_given = len(voted) == len(read.voted) and not any(map(_is_harmful_first, voted))
    return read.votes if as_given else _turned(voted), len(voted)


def _is_harmful_first(row: Row[Any]) -> bool:
    return (row.body or {}).get("polarity") == "harmful_first"


def _turned(rows: Answers) -> Votes | None:
    rankings = []
    for row in rows:
        ranking = measures.ranking(row)
        if _is_harmful_first(row):
            last = max(ranking.ranks)
            ranking = replace(ranking, ranks=tuple(last + 1 - rank for rank in ranking.ranks))
        rankings.append(ranking)
    return from_rankings(rankings) if rankings else None
