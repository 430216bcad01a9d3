"""Ranks that hold together, the probability of being best, and of being better than another.

A rank is a statement about many differences at once, so the intervals of single differences do
not give it. Everything stays within a group: nothing ranks policies that no votes connect.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from accord.ratings.contrasts import difference_variances, members, root, upper_covariance
from accord.ratings.fitted import Fit
from accord.ratings.intervals import critical_value
from accord.ratings.votes import FloatArray

LARGE_GROUP = 100  # policies; above, Bonferroni: simulation would take minutes and gain little
MANY_CLUSTERS = 200  # degrees of freedom above which Student's t is the normal distribution
CHUNK = 2_000_000  # numbers held at once while simulating


class RankRange(NamedTuple):
    """Between which ranks of its group a policy lies; 1 is best."""

    name: str
    low: int
    high: int


def simultaneous_ranks(
    fit: Fit, confidence: float = 0.95, *, draws: int = 2000, seed: int = 0
) -> tuple[RankRange, ...]:
    """Ranges of ranks that hold for all policies of a group at once.

        low_i  = 1 + number of j shown to be better than i
        high_i = group size − number of j shown to be worse than i
        j is shown to be better than i when (θ_j − θ_i) / se_ij > c

    c is the quantile of the largest such statistic when no two strengths differ, under the
    covariance of the fit: it is below Bonferroni's because differences share policies. Then the
    directions already shown are left out, c is computed again for the rest, and so on until
    nothing new is shown.

    Args:
        fit: of any model.
        confidence: probability that every range of a group holds, strictly between 0 and 1.
        draws: simulated maxima. Groups of more than 100 policies use Bonferroni's c.
        seed: of the simulation.

    Returns:
        One range a policy, in the order of ``fit.names``.

    Raises:
        ValueError: a confidence outside 0..1.

    Source: Mogstad, Romano, Shaikh and Wilhelm 2024, section 3.2 and algorithm 3.2 (stepwise);
    Romano and Wolf 2005 for the steps. Differs from them: strengths and their covariance are
    simulated as normal with a Wishart covariance on the fit's degrees of freedom, which is
    exact for clusters of equal design, instead of resampled.

    >>> from accord.ratings.fit import fit
    >>> from accord.ratings.votes import from_pairs
    >>> clear = from_pairs(["x"] * 20, ["y"] * 20, [1] * 16 + [0] * 4)
    >>> simultaneous_ranks(fit(clear, cluster=()))
    (RankRange(name='x', low=1, high=1), RankRange(name='y', low=2, high=2))
    """
    critical_value(confidence)  # refuses a confidence outside 0..1
    variances = difference_variances(fit)
    low = np.ones(len(fit.names), dtype=np.int64)
    high = np.ones(len(fit.names), dtype=np.int64)
    for part in members(fit):
        block = np.ix_(part, part)
        gaps = fit.strengths[part][:, None] - fit.strengths[part][None, :]
        shown = _shown(
            _studentized(gaps, variances[block]),
            root(fit.covariance[block]) if len(part) <= LARGE_GROUP else fit.covariance[block],
            fit.degrees_of_freedom,
            confidence,
            (draws, seed),
        )
        low[part] = 1 + shown.sum(axis=0)
        high[part] = len(part) - shown.sum(axis=1)
    rows = zip(fit.names, low.tolist(), high.tolist(), strict=True)
    return tuple(RankRange(*row) for row in rows)


def p_best(fit: Fit, *, draws: int = 20_000, seed: int = 0) -> FloatArray:
    """Probability that each policy is the best of its group.

        share of draws θ* ~ t_df(θ, U) in which θ*_i is the largest,  U from ``upper_covariance``

    Args:
        fit: of any model.
        draws: simulated strengths; the error of a probability is at most 0.5/√draws.
        seed: of the simulation.

    Returns:
        One probability a policy, in the order of ``fit.names``; they sum to 1 in each group, and
        a policy alone in its group has 1, which says nothing.

    Source: the normal approximation of a posterior with a flat prior, Gelman et al. 2013,
    section 4.1, with Student's t for few clusters.

    >>> from accord.ratings.fit import fit
    >>> from accord.ratings.votes import from_pairs
    >>> even = from_pairs(["x"] * 16, ["y"] * 16, [1, 0] * 8)
    >>> p_best(fit(even, cluster=())).round(1)
    array([0.5, 0.5])
    """
    probability = np.zeros(len(fit.names))
    for part in members(fit):
        rng = np.random.default_rng(seed)
        normal = rng.normal(size=(draws, len(part))) @ root(upper_covariance(fit, part)).T
        if math.isfinite(fit.degrees_of_freedom):
            df = fit.degrees_of_freedom
            normal /= np.sqrt(rng.chisquare(df, size=(draws, 1)) / df)
        best = np.argmax(fit.strengths[part] + normal, axis=1)
        probability[part] = np.bincount(best, minlength=len(part)) / draws
    return probability


def p_better(fit: Fit) -> FloatArray:
    """Probability that the row's policy is truly better than the column's.

        P(θ_i > θ_j) = T_df((θ̂_i − θ̂_j) / se_ij)

    That is not the probability that one response of i beats one of j: with many votes it goes
    to 0 or 1 however small the difference is.

    Args:
        fit: of any model.

    Returns:
        [policies, policies]; 0.5 on the diagonal, NaN for policies of different groups.

    Source: as ``p_best``; it is 1 minus the one-sided p-value of no difference.

    >>> from accord.ratings.fit import fit
    >>> from accord.ratings.votes import from_pairs
    >>> clear = from_pairs(["x"] * 16, ["y"] * 16, [1] * 12 + [0] * 4)
    >>> p_better(fit(clear, prior_sd=None, cluster=())).round(3)
    array([[0.5  , 0.971],
           [0.029, 0.5  ]])
    """
    gaps = fit.strengths[:, None] - fit.strengths[None, :]
    return np.asarray(
        stats.t.cdf(_studentized(gaps, difference_variances(fit)), fit.degrees_of_freedom)
    )


def _studentized(gaps: FloatArray, variances: FloatArray) -> FloatArray:
    """Gaps in standard errors; 0 where there is neither a gap nor uncertainty."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = gaps / np.sqrt(variances)
    return np.where((gaps == 0) & (variances == 0), 0.0, ratio)


def _shown(
    t: FloatArray,
    factor: FloatArray,
    degrees_of_freedom: float,
    confidence: float,
    simulation: tuple[int, int],
) -> NDArray[np.bool_]:
    """[i, j] is True where i is shown to be better than j, all directions together."""
    size = len(t)
    shown = np.zeros((size, size), dtype=bool)
    while size > 1:
        rest = ~shown & ~np.eye(size, dtype=bool)
        # Bonferroni over the directions left, two for each pair.
        critical = critical_value(1 - 2 * (1 - confidence) / rest.sum(), degrees_of_freedom)
        if size <= LARGE_GROUP and np.any(t > 0):
            maxima = _largest(factor, degrees_of_freedom, rest, simulation)
            place = math.ceil((len(maxima) + 1) * confidence) - 1
            if place < len(maxima):
                critical = min(critical, float(np.partition(maxima, place)[place]))
        new = rest & (t > critical)
        if not new.any():
            break
        shown |= new
    return shown


def _largest(
    factor: FloatArray,
    degrees_of_freedom: float,
    rest: NDArray[np.bool_],
    simulation: tuple[int, int],
) -> FloatArray:
    """Simulated maxima over the directions in ``rest`` when no two strengths differ."""
    draws, seed = simulation
    rng = np.random.default_rng(seed)
    maxima = []
    most = max(1, CHUNK // rest.size)
    for size in _chunks(draws, most):
        strengths = rng.normal(size=(size, len(factor))) @ factor.T
        gaps = strengths[:, :, None] - strengths[:, None, :]
        spread = _simulated_covariance(rng, factor, degrees_of_freedom, size)
        diagonal = np.diagonal(spread, axis1=1, axis2=2)
        variances = diagonal[:, :, None] + diagonal[:, None, :] - 2 * spread
        t = _studentized(gaps, np.where(rest, np.maximum(variances, 0.0), math.inf))
        maxima.append(t.reshape(size, -1).max(axis=1))
    return np.concatenate(maxima)


def _simulated_covariance(
    rng: np.random.Generator, factor: FloatArray, degrees_of_freedom: float, size: int
) -> FloatArray:
    """What a fit on so few clusters would take for its covariance: Wishart / df."""
    number, df = len(factor), degrees_of_freedom
    if df > MANY_CLUSTERS:
        return np.asarray(factor @ factor.T)[None]
    if df > number - 1:  # Bartlett 1933: a triangle of normals with a diagonal of chi
        half = np.tril(rng.normal(size=(size, number, number)), -1)
        diagonal = np.arange(number)
        half[:, diagonal, diagonal] = np.sqrt(rng.chisquare(df - diagonal, size=(size, number)))
        half = factor @ half
    else:
        df = max(int(df), 1)
        half = factor @ rng.normal(size=(size, number, df))
    return np.asarray(half @ half.transpose(0, 2, 1) / df)


def _chunks(draws: int, most: int) -> Iterator[int]:
    for start in range(0, draws, most):
        yield min(most, draws - start)
