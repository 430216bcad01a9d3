"""Preferences as numbers: what labelers said about every two responses of a comparison."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from accord.records import LabeledComparison, Preference

Ties = Literal["drop", "half"]


@dataclass(frozen=True)
class PairVote:
    """One labeler put one response of a comparison above another.

    Attributes:
        better: index of the response that was preferred.
        worse: index of the other.
        labeler: who said so.
        strength: 1 hardly better, 4 far better; None when not said.
    """

    better: int
    worse: int
    labeler: str
    strength: int | None = None


def pair_votes(labeled: LabeledComparison, *, minimum_strength: int = 1) -> Iterator[PairVote]:
    """Every decided pair of every ranking; ties are left out.

    Args:
        labeled: a comparison with its preferences.
        minimum_strength: weaker preferences are left out; one without a strength counts.
    """
    for preference in _strong(labeled.preferences, minimum_strength):
        ranks = preference.ranks
        for i, j in combinations(range(len(ranks)), 2):
            if ranks[i] != ranks[j]:
                better, worse = (i, j) if ranks[i] < ranks[j] else (j, i)
                yield PairVote(better, worse, preference.labeler, preference.strength)


def wins(
    labeled: LabeledComparison,
    *,
    ties: Ties = "drop",
    minimum_strength: int = 1,
    weights: Mapping[str, float] | None = None,
) -> list[list[float]]:
    """How many labelers put response i above response j, for every i and j.

        wins[i][j] / (wins[i][j] + wins[j][i])  is the share of labelers who prefer i

    Args:
        labeled: a comparison with its preferences.
        ties: ``drop`` leaves equal ranks out, as in Bai et al. 2022 and Ouyang et al. 2022;
            ``half`` counts half a win each way.
        minimum_strength: weaker preferences are left out; one without a strength counts.
        weights: what the votes of each labeler count, at least 0; 1 for others.
    """
    weights = weights or {}
    number = len(labeled.comparison.responses)
    table = [[0.0] * number for _ in range(number)]
    for vote in pair_votes(labeled, minimum_strength=minimum_strength):
        table[vote.better][vote.worse] += weights.get(vote.labeler, 1.0)
    if ties == "half":
        for preference in _strong(labeled.preferences, minimum_strength):
            half = weights.get(preference.labeler, 1.0) / 2
            for i, j in combinations(range(number), 2):
                if preference.ranks[i] == preference.ranks[j]:
                    table[i][j] += half
                    table[j][i] += half
    return table


def best(table: Sequence[Sequence[float]]) -> int:
    """The response with the most wins; the first of several.

    >>> best([[0, 1], [2, 0]])
    1
    """
    totals = [sum(row) for row in table]
    return totals.index(max(totals))


def _strong(preferences: Sequence[Preference], minimum: int) -> Iterator[Preference]:
    """Strong enough, and the better response first whatever the labelers were asked for."""
    return (p.better_first() for p in preferences if p.strength is None or p.strength >= minimum)
