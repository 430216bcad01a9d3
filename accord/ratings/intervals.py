"""Intervals for rates and means when observations come in clusters.

Answers to one prompt resemble each other, and so do the votes of one labeler. Treating them
as independent makes intervals too narrow, so everything here sums within clusters first.

One rule throughout: with few clusters the clustered variance is itself uncertain and can come
out far too small by luck, so the larger of the clustered and the independent one is used
(Angrist and Pischke 2009, section 8.2.3), with Student's t on G − 1 degrees of freedom for G
clusters.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from accord.ratings.votes import FloatArray, IntArray

NO_SPREAD = 1e-24  # variance of values in [0, 1] that differ by rounding only


class Estimate(NamedTuple):
    """A mean or a rate with its interval."""

    mean: float
    low: float
    high: float
    n: int  #: observations
    n_clusters: int


class WinRate(NamedTuple):
    """How often one policy beat another, with ties left out and with ties as half a win."""

    decided: float  #: wins / (wins + losses)
    decided_low: float
    decided_high: float
    half_ties: float  #: (wins + ties / 2) / n
    half_ties_low: float
    half_ties_high: float
    wins: int
    losses: int
    ties: int
    n: int
    n_clusters: int


def wilson(successes: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion of independent trials.

        (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n)

    Args:
        successes: number of successes, from 0 to n; need not be whole.
        n: number of trials, above 0.
        confidence: probability that the interval covers, strictly between 0 and 1.

    Returns:
        Low and high end, within [0, 1].

    Raises:
        ValueError: no trials, successes outside 0..n, or a confidence outside 0..1.

    Source: Wilson 1927; it neither leaves [0, 1] nor collapses at 0 or n successes.

    >>> low, high = wilson(0, 10)
    >>> low, round(high, 6)
    (0.0, 0.277533)
    """
    return score_interval(successes, n, critical_value(confidence))


def score_interval(successes: float, n: float, multiple: float) -> tuple[float, float]:
    """Wilson's score interval with any multiple of the standard error in the place of z.

        (p + t²/2n ± t √(p(1−p)/n + t²/4n²)) / (1 + t²/n)

    Args:
        successes: number of successes, from 0 to n; need not be whole.
        n: number of trials, or the effective number, above 0.
        multiple: t, half the width of an interval in standard errors; see ``critical_value``.

    Returns:
        Low and high end, within [0, 1].

    Raises:
        ValueError: no trials, or successes outside 0..n.

    Source: Wilson 1927; with Student's t and an effective n, Dean and Pagano 2015.

    >>> low, high = score_interval(5, 10, 2.0)
    >>> round(low, 4), round(high, 4)
    (0.2327, 0.7673)
    """
    if n <= 0 or not 0 <= successes <= n * (1 + 1e-12):
        raise ValueError("`n` must be above 0 and `successes` between 0 and `n`")
    rate, z2n = successes / n, multiple**2 / n
    center = (rate + z2n / 2) / (1 + z2n)
    half = math.sqrt(max(rate * (1 - rate), 0) * z2n + z2n**2 / 4) / (1 + z2n)
    # At 0 and n successes an end is exactly 0 or 1, up to rounding.
    low = 0.0 if rate <= 0 else max(center - half, 0.0)
    high = 1.0 if rate >= 1 else min(center + half, 1.0)
    return low, high


def critical_value(confidence: float, degrees_of_freedom: float = math.inf) -> float:
    """Half the width of a two-sided interval in standard errors.

        t_{df}⁻¹((1 + confidence) / 2),  the normal quantile when df is infinite

    Args:
        confidence: probability that the interval covers, strictly between 0 and 1.
        degrees_of_freedom: of Student's t; infinite for the normal distribution.

    Returns:
        A positive number, 1.96 for 0.95 and the normal distribution.

    Raises:
        ValueError: a confidence outside 0..1.

    Source: Student 1908.

    >>> round(critical_value(0.95), 4), round(critical_value(0.95, 7), 4)
    (1.96, 2.3646)
    """
    if not 0 < confidence < 1:
        raise ValueError("`confidence` must lie strictly between 0 and 1")
    return float(stats.t.ppf((1 + confidence) / 2, degrees_of_freedom))


def clustered_mean(
    values: ArrayLike,
    clusters: ArrayLike,
    confidence: float = 0.95,
    *,
    weights: ArrayLike | None = None,
) -> Estimate:
    """Mean with an interval that allows any dependence within a cluster.

        m = Σ wx / Σ w,   se² = G/(G−1) Σ_g (Σ_{i∈g} w(x−m))² / (Σ w)²,   m ± t_{G−1} se

    Args:
        values: one number an observation.
        clusters: which cluster each observation belongs to, for example its prompt.
        confidence: probability that the interval covers.
        weights: how often each observation counts; 1 when left out.

    Returns:
        The mean and its interval. With a single cluster nothing is known about the spread
        and the interval is infinite.

    Raises:
        ValueError: no observations, lengths that differ, weights that are negative or sum to 0.

    Source: Liang and Zeger 1986; G − 1 degrees of freedom as in Cameron and Miller 2015,
    section VI. Differs from the source: never below the variance of independent observations.

    >>> clustered_mean([1, 1, 3, 3], ["p", "p", "q", "q"]).mean
    2.0
    """
    x, w, codes = _columns(values, clusters, weights)
    mean, _, variance = _moments(x, w, codes)
    n_clusters = int(codes.max()) + 1
    if n_clusters == 1:
        return Estimate(mean, -math.inf, math.inf, len(x), 1)
    half = critical_value(confidence, n_clusters - 1) * math.sqrt(variance)
    return Estimate(mean, mean - half, mean + half, len(x), n_clusters)


def clustered_rate(
    values: ArrayLike,
    clusters: ArrayLike,
    confidence: float = 0.95,
    *,
    weights: ArrayLike | None = None,
) -> Estimate:
    """Mean of values in [0, 1] with an interval that stays in [0, 1] and never collapses.

        Wilson's interval with n_eff = n / design effect  and  t_{G−1} for z

    Args:
        values: one number in [0, 1] an observation, for example 1 for a success.
        clusters: which cluster each observation belongs to, for example its prompt.
        confidence: probability that the interval covers.
        weights: how often each observation counts; 1 when left out.

    Returns:
        The rate and its interval. Where all values are equal each cluster counts once.

    Raises:
        ValueError: no observations, values outside [0, 1], lengths that differ, weights that
            are negative or sum to 0.

    Source: Korn and Graubard 1998 (effective sample size), with Wilson's interval instead of
    Clopper and Pearson's as in Dean and Pagano 2015.

    >>> rate = clustered_rate([1, 1, 1, 0], ["p", "q", "r", "s"])
    >>> rate.mean, rate.n_clusters
    (0.75, 4)
    """
    x, w, codes = _columns(values, clusters, weights)
    if x.min() < 0 or x.max() > 1:
        raise ValueError("the values of a rate must lie between 0 and 1")
    mean, independent, variance = _moments(x, w, codes)
    n_clusters = int(codes.max()) + 1
    if independent < NO_SPREAD or n_clusters == 1:
        effective = float(n_clusters)
    else:
        unbiased = independent * len(x) / (len(x) - 1)
        effective = mean * (1 - mean) / independent / (variance / unbiased)
    multiple = critical_value(confidence, n_clusters - 1 if n_clusters > 1 else math.inf)
    low, high = score_interval(mean * effective, effective, multiple)
    return Estimate(mean, low, high, len(x), n_clusters)


def win_rate(outcomes: ArrayLike, clusters: ArrayLike, confidence: float = 0.95) -> WinRate:
    """Win rate over decided comparisons, and with ties as half a win.

        decided = wins / (wins + losses),   half_ties = (wins + ties/2) / n

    Args:
        outcomes: 1 a win, 0.5 a tie, 0 a loss.
        clusters: which cluster each outcome belongs to, for example its prompt.
        confidence: probability that each interval covers.

    Returns:
        Both rates with ``clustered_rate`` intervals, and the counts. When nothing was decided
        the first rate is 0.5 with the interval 0 to 1: nothing is known.

    Raises:
        ValueError: no outcomes, an outcome that is not 1, 0.5 or 0, lengths that differ.

    Source: both conventions are in use; Stiennon et al. 2020, arXiv:2009.01325, leave ties out.

    >>> rate = win_rate([1, 1, 0, 0.5], ["p", "q", "r", "s"])
    >>> round(rate.decided, 3), rate.half_ties, rate.wins, rate.losses, rate.ties
    (0.667, 0.625, 2, 1, 1)
    """
    x = np.asarray(outcomes, dtype=np.float64)
    groups = np.asarray(clusters)
    if not np.isin(x, (0.0, 0.5, 1.0)).all():
        raise ValueError("an outcome must be 1, 0.5 or 0")
    halves = clustered_rate(x, groups, confidence)
    is_decided = x != 0.5  # noqa: PLR2004 - a tie
    decided = (0.5, 0.0, 1.0)
    if is_decided.any():
        decided = clustered_rate(x[is_decided], groups[is_decided], confidence)[:3]
    return WinRate(
        *decided,
        *halves[:3],
        wins=int((x == 1).sum()),
        losses=int((x == 0).sum()),
        ties=int((~is_decided).sum()),
        n=len(x),
        n_clusters=halves.n_clusters,
    )


def bootstrap(
    statistic: Callable[[IntArray], float], clusters: ArrayLike, *, draws: int = 1000, seed: int = 0
) -> FloatArray:
    """A statistic on resampled clusters.

        draw G clusters with replacement, take all their observations, compute; repeat

    Args:
        statistic: of the observations at the given indices, which repeat.
        clusters: which cluster each observation belongs to.
        draws: number of resamples.
        seed: of the resampling.

    Returns:
        One value a draw; give them to ``percentile_interval``.

    Raises:
        ValueError: no observations.

    Source: Efron and Tibshirani 1993, chapter 8; whole clusters as in Davison and Hinkley 1997,
    section 3.8.

    >>> values = np.array([1.0, 1.0, 1.0])
    >>> bootstrap(lambda i: float(values[i].mean()), ["p", "q", "q"], draws=2)
    array([1., 1.])
    """
    codes = _codes(clusters)
    order = np.argsort(codes, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    generator = np.random.default_rng(seed)
    picks = generator.integers(len(members), size=(draws, len(members)))
    return np.array([statistic(np.concatenate([members[g] for g in pick])) for pick in picks])


def percentile_interval(draws: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """The middle part of bootstrap draws.

        quantiles (1 − confidence)/2 and (1 + confidence)/2;  draws that are NaN are left out

    Args:
        draws: what ``bootstrap`` returned.
        confidence: the share of draws between the ends.

    Returns:
        Low and high end; both NaN when every draw is.

    Raises:
        ValueError: a confidence outside 0..1.

    Source: Efron and Tibshirani 1993, section 13.3.

    >>> percentile_interval([1, 2, 3, 4, 5], 0.5)
    (2.0, 4.0)
    """
    if not 0 < confidence < 1:
        raise ValueError("`confidence` must lie strictly between 0 and 1")
    values = np.asarray(draws, dtype=np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        return math.nan, math.nan
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _moments(x: FloatArray, w: FloatArray, codes: IntArray) -> tuple[float, float, float]:
    """Mean, its variance for independent observations (biased), and the larger variance."""
    total, n = float(w.sum()), len(x)
    mean = float(w @ x) / total
    residuals = w * (x - mean)
    independent = float(residuals @ residuals) / total**2
    sums = np.bincount(codes, weights=residuals)
    clustered = float(sums @ sums) / total**2 * len(sums) / max(len(sums) - 1, 1)
    return mean, independent, max(clustered, independent * n / max(n - 1, 1))


def _columns(
    values: ArrayLike, clusters: ArrayLike, weights: ArrayLike | None
) -> tuple[FloatArray, FloatArray, IntArray]:
    x = np.asarray(values, dtype=np.float64)
    w = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    codes = _codes(clusters)
    if not len(x) == len(w) == len(codes):
        raise ValueError("values, clusters and weights must have one entry an observation")
    if not np.isfinite(x).all():
        raise ValueError("the values must be finite")
    if w.min() < 0 or w.sum() <= 0:
        raise ValueError("weights must not be negative and must not all be 0")
    return x, w, codes


def _codes(clusters: ArrayLike) -> IntArray:
    """Clusters numbered from 0 without gaps."""
    labels: NDArray[Any] = np.asarray(clusters)
    if not len(labels):
        raise ValueError("there are no observations")
    return np.unique(labels, return_inverse=True)[1].astype(np.int64).reshape(-1)
