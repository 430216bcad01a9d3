"""A fit as people read it: ratings with ranks, differences, win probabilities.

A rating's interval is about its distance from the mean of its group; whether two policies
differ is the question of their difference, which has an interval of its own. Each standard
error is the larger of the clustered one and the one for independent votes, because with few
clusters the first can be far too small by luck (Angrist and Pischke 2009, section 8.2.3).
"""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats
from scipy.special import expit

from accord.ratings.bradley_terry import Fit
from accord.ratings.elo import POINTS_PER_NAT
from accord.ratings.intervals import critical_value
from accord.ratings.votes import FloatArray


@dataclass(frozen=True)
class Rating:
    """One policy's place; points relative to the mean of its group."""

    name: str
    rating: float
    se: float
    low: float
    high: float
    rank_low: int  #: best rank that the votes allow; ranks of all policies hold together
    rank_high: int  #: worst rank that the votes allow
    votes: float
    group: int  #: ratings of different groups cannot be compared


@dataclass(frozen=True)
class Difference:
    """How far two policies of one group are apart."""

    a: str
    b: str
    difference: float  #: points, positive when a is better
    low: float
    high: float
    p_a_beats_b: float  #: fitted probability that a response of a is preferred to one of b
    p_value: float  #: of no difference, two-sided


def ratings_table(fit: Fit, confidence: float = 0.95) -> tuple[Rating, ...]:
    """Ratings in Elo points, best first within each group.

        rating ± t · se;  rank_low = 1 + number of policies shown to be better,
        rank_high = group size − number shown to be worse, all pairs tested together

    Args:
        fit: from ``bradley_terry``.
        confidence: of each interval, and of all ranks of a group holding at once.

    Returns:
        One row a policy.

    Raises:
        ValueError: a confidence outside 0..1.

    Source: simultaneous ranks from simultaneous differences as in Mogstad et al. 2024, here
    with Bonferroni's correction over the pairs of a group.

    >>> from accord.ratings import bradley_terry, votes
    >>> three_to_one = votes.from_pairs(["x"] * 4, ["y"] * 4, [1, 1, 1, 0])
    >>> best = ratings_table(bradley_terry.fit(three_to_one, prior_sd=None, cluster=()))[0]
    >>> best.name, round(2 * best.rating, 1), (best.rank_low, best.rank_high)
    ('x', 190.8, (1, 2))
    """
    multiple = critical_value(confidence, fit.degrees_of_freedom)
    rows = []
    for number, group in enumerate(fit.groups):
        members = [fit.names.index(name) for name in group]
        better = _shown_better(fit, members, confidence)
        for place, i in enumerate(members):
            rating = float(fit.strengths[i]) * POINTS_PER_NAT
            se = _standard_error(fit, np.eye(len(fit.names))[i])  # the strengths are centered
            rows.append(
                Rating(
                    name=fit.names[i],
                    rating=rating,
                    se=se,
                    low=rating - multiple * se,
                    high=rating + multiple * se,
                    rank_low=1 + int(better[:, place].sum()),
                    rank_high=len(members) - int(better[place].sum()),
                    votes=float(fit.votes[i]),
                    group=number,
                )
            )
    return tuple(sorted(rows, key=lambda row: (row.group, -row.rating, row.name)))


def differences(fit: Fit, confidence: float = 0.95) -> tuple[Difference, ...]:
    """Every two policies of one group; pairs of different groups do not appear.

        (θ_a − θ_b) · 173.72 ± t · se of the difference

    Args:
        fit: from ``bradley_terry``.
        confidence: of each interval on its own.

    Returns:
        One row a pair, in the order of ``fit.names``.

    Raises:
        ValueError: a confidence outside 0..1.

    Source: Bradley and Terry 1952; intervals as in the module's docstring.

    >>> from accord.ratings import bradley_terry, votes
    >>> three_to_one = votes.from_pairs(["x"] * 4, ["y"] * 4, [1, 1, 1, 0])
    >>> gap = differences(bradley_terry.fit(three_to_one, prior_sd=None, cluster=()))[0]
    >>> gap.a, gap.b, round(gap.difference, 2), round(gap.p_a_beats_b, 6)
    ('x', 'y', 190.85, 0.75)
    """
    multiple = critical_value(confidence, fit.degrees_of_freedom)
    rows = []
    for group in fit.groups:
        for a, b in combinations(group, 2):
            gap, se = _gap(fit, fit.names.index(a), fit.names.index(b))
            rows.append(
                Difference(
                    a=a,
                    b=b,
                    difference=gap,
                    low=gap - multiple * se,
                    high=gap + multiple * se,
                    p_a_beats_b=float(expit(gap / POINTS_PER_NAT)),
                    p_value=float(2 * stats.t.sf(abs(gap) / se, fit.degrees_of_freedom)),
                )
            )
    return tuple(rows)


def win_probability_matrix(fit: Fit) -> FloatArray:
    """Fitted probability that the row's response is preferred to the column's.

        σ(θ_row − θ_column)

    Args:
        fit: from ``bradley_terry``.

    Returns:
        [policies, policies] in the order of ``fit.names``; 0.5 on the diagonal, NaN for
        policies of different groups. For a fit with ties: given that there is no tie.

    Source: Bradley and Terry 1952.

    >>> from accord.ratings import bradley_terry, votes
    >>> three_to_one = votes.from_pairs(["x"] * 4, ["y"] * 4, [1, 1, 1, 0])
    >>> win_probability_matrix(bradley_terry.fit(three_to_one, prior_sd=None)).round(6)
    array([[0.5 , 0.75],
           [0.25, 0.5 ]])
    """
    matrix = np.full((len(fit.names), len(fit.names)), math.nan)
    for group in fit.groups:
        members = np.array([fit.names.index(name) for name in group])
        strengths = fit.strengths[members]
        matrix[np.ix_(members, members)] = expit(strengths[:, None] - strengths[None, :])
    return matrix


def _standard_error(fit: Fit, contrast: FloatArray) -> float:
    """Of a weighted sum of strengths, in points."""
    variance = max(
        float(contrast @ fit.covariance @ contrast),
        float(contrast @ fit.model_covariance @ contrast),
        0.0,
    )
    return math.sqrt(variance) * POINTS_PER_NAT


def _gap(fit: Fit, i: int, j: int) -> tuple[float, float]:
    """Difference of two ratings and its standard error, in points."""
    contrast = np.zeros(len(fit.names))
    contrast[i], contrast[j] = 1, -1
    return float(contrast @ fit.strengths) * POINTS_PER_NAT, _standard_error(fit, contrast)


def _shown_better(fit: Fit, members: list[int], confidence: float) -> FloatArray:
    """[i, j] is 1 where i is shown to be better than j, all pairs of the group together."""
    better = np.zeros((len(members), len(members)))
    pairs = list(combinations(range(len(members)), 2))
    if not pairs:
        return better
    together = 1 - (1 - confidence) / len(pairs)
    multiple = critical_value(together, fit.degrees_of_freedom)
    for i, j in pairs:
        gap, se = _gap(fit, members[i], members[j])
        if abs(gap) > multiple * se:
            better[(i, j) if gap > 0 else (j, i)] = 1
    return better
