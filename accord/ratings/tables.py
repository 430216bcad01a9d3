"""A fit as people read it: ratings with ranks, differences, win probabilities, effects.

A rating's interval is about its distance from the mean of its group; whether two policies
differ is the question of their difference, which has an interval of its own. Each standard
error is the larger of the clustered one and the one for independent votes, because with few
clusters the first can be far too small by luck (Angrist and Pischke 2009, section 8.2.3).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from accord.ratings.contrasts import difference_variances, members
from accord.ratings.fitted import Fit
from accord.ratings.intervals import critical_value
from accord.ratings.ranks import simultaneous_ranks
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


@dataclass(frozen=True)
class Effect:
    """What a covariate is worth: it was taken out of the ratings."""

    name: str
    points: float  #: for a difference of 1 in the covariate; for ``side``, half of first − second
    se: float
    low: float
    high: float
    p_value: float  #: of no effect, two-sided


def ratings_table(fit: Fit, confidence: float = 0.95) -> tuple[Rating, ...]:
    """Ratings in Elo points, best first within each group.

        rating ± t · se;  ranks that hold for all policies of a group at once

    Args:
        fit: of any model.
        confidence: of each interval, and of all ranks of a group holding at once.

    Returns:
        One row a policy.

    Raises:
        ValueError: a confidence outside 0..1.

    Source: intervals as in the module's docstring; ranks: ``ranks.simultaneous_ranks``.

    >>> from accord.ratings import votes
    >>> from accord.ratings.fit import fit
    >>> three_to_one = votes.from_pairs(["x"] * 4, ["y"] * 4, [1, 1, 1, 0])
    >>> best = ratings_table(fit(three_to_one, prior_sd=None, cluster=()))[0]
    >>> best.name, round(2 * best.rating, 1), (best.rank_low, best.rank_high)
    ('x', 190.8, (1, 2))
    """
    multiple = critical_value(confidence, fit.degrees_of_freedom)
    ranks = simultaneous_ranks(fit, confidence)
    ratings = fit.strengths * fit.points_per_unit
    errors = _standard_errors(fit.covariance, fit.model_covariance) * fit.points_per_unit
    rows = []
    for number, part in enumerate(members(fit)):
        for i in part.tolist():
            rating, se = float(ratings[i]), float(errors[i])
            rows.append(
                Rating(
                    name=fit.names[i],
                    rating=rating,
                    se=se,
                    low=rating - multiple * se,
                    high=rating + multiple * se,
                    rank_low=ranks[i].low,
                    rank_high=ranks[i].high,
                    votes=float(fit.votes[i]),
                    group=number,
                )
            )
    return tuple(sorted(rows, key=lambda row: (row.group, -row.rating, row.name)))


def differences(
    fit: Fit, confidence: float = 0.95, *, among: Sequence[str] | None = None
) -> tuple[Difference, ...]:
    """Every two policies of one group; pairs of different groups do not appear.

        (θ_a − θ_b) · points per unit ± t · se of the difference

    Args:
        fit: of any model.
        confidence: of each interval on its own.
        among: only these policies; thousands of them have millions of differences.

    Returns:
        One row a pair, in the order of ``fit.names``.

    Raises:
        ValueError: a confidence outside 0..1.

    Source: Bradley and Terry 1952; intervals as in the module's docstring.

    >>> from accord.ratings import votes
    >>> from accord.ratings.fit import fit
    >>> three_to_one = votes.from_pairs(["x"] * 4, ["y"] * 4, [1, 1, 1, 0])
    >>> gap = differences(fit(three_to_one, prior_sd=None, cluster=()))[0]
    >>> gap.a, gap.b, round(gap.difference, 2), round(gap.p_a_beats_b, 6)
    ('x', 'y', 190.85, 0.75)
    """
    multiple = critical_value(confidence, fit.degrees_of_freedom)
    wanted = set(fit.names if among is None else among)
    errors = np.sqrt(difference_variances(fit))
    rows: list[Difference] = []
    for part in members(fit):
        chosen = [i for i in part.tolist() if fit.names[i] in wanted]
        if len(chosen) < 2:  # noqa: PLR2004 - a pair
            continue
        first, second = np.array(list(combinations(chosen, 2))).T
        gaps, se = fit.strengths[first] - fit.strengths[second], errors[first, second]
        half, points = multiple * se * fit.points_per_unit, gaps * fit.points_per_unit
        columns = (
            [fit.names[i] for i in first],
            [fit.names[i] for i in second],
            points.tolist(),
            (points - half).tolist(),
            (points + half).tolist(),
            fit.win_probability(gaps).tolist(),
            _p_values(gaps, se, fit.degrees_of_freedom).tolist(),
        )
        rows += [Difference(*row) for row in zip(*columns, strict=True)]
    return tuple(rows)


def effects(fit: Fit, confidence: float = 0.95) -> tuple[Effect, ...]:
    """What each covariate of a fit is worth, in points.

        β · points per unit ± t · se

    Args:
        fit: with covariates.
        confidence: of each interval on its own.

    Returns:
        One row a covariate. ``side`` is +1 for the first place and −1 for the second: the gap
        of two equal policies grows by its points when one is shown first.

    Raises:
        ValueError: a confidence outside 0..1.

    Source: Davidson and Beaver 1977 for the side; intervals as in the module's docstring.

    >>> from accord.ratings import votes
    >>> from accord.ratings.fit import fit
    >>> first = votes.from_columns(["x"] * 4, ["y"] * 4, [1, 1, 0, 0], a_first=[1, 1, 1, 0])
    >>> side = effects(fit(first, covariates=["side"], cluster=()))[0]
    >>> side.name, side.points > 0, side.low < 0 < side.high
    ('side', True, True)
    """
    multiple = critical_value(confidence, fit.degrees_of_freedom)
    se = _standard_errors(fit.coefficient_covariance, fit.coefficient_model_covariance)
    p_values = _p_values(fit.coefficients, se, fit.degrees_of_freedom)
    rows = []
    for i, name in enumerate(fit.covariates):
        points, error = (float(v[i]) * fit.points_per_unit for v in (fit.coefficients, se))
        low, high = points - multiple * error, points + multiple * error
        rows.append(Effect(name, points, error, low, high, float(p_values[i])))
    return tuple(rows)


def win_probability_matrix(fit: Fit) -> FloatArray:
    """Fitted probability that the row's response is preferred to the column's.

        σ(θ_row − θ_column),  or what the model has in its place

    Args:
        fit: of any model.

    Returns:
        [policies, policies] in the order of ``fit.names``; 0.5 on the diagonal, NaN for
        policies of different groups. For a fit with ties: given that there is no tie.

    Source: Bradley and Terry 1952; ``Fit.win_probability`` for the other models.

    >>> from accord.ratings import votes
    >>> from accord.ratings.fit import fit
    >>> three_to_one = votes.from_pairs(["x"] * 4, ["y"] * 4, [1, 1, 1, 0])
    >>> win_probability_matrix(fit(three_to_one, prior_sd=None)).round(6)
    array([[0.5 , 0.75],
           [0.25, 0.5 ]])
    """
    matrix = np.full((len(fit.names), len(fit.names)), math.nan)
    for part in members(fit):
        gaps = fit.strengths[part][:, None] - fit.strengths[part][None, :]
        matrix[np.ix_(part, part)] = fit.win_probability(gaps)
    return matrix


def _standard_errors(covariance: FloatArray, least: FloatArray) -> FloatArray:
    """Square roots of the larger of two diagonals."""
    if not covariance.size:
        return np.zeros(0)
    return np.asarray(np.sqrt(np.maximum(np.maximum(np.diag(covariance), np.diag(least)), 0.0)))


def _p_values(value: FloatArray, se: FloatArray, degrees_of_freedom: float) -> FloatArray:
    """Two-sided, of no difference."""
    ratio = np.abs(value) / np.maximum(se, np.finfo(float).tiny)
    return np.asarray(2 * stats.t.sf(ratio, degrees_of_freedom))
