"""Rates and means whose observations go together in two ways: votes of one labeler, on one prompt.

Neither kind of cluster lies within the other, so that sums over one of them are not enough. The
variance adds both and takes away what was counted twice:

    V = V_prompt + V_labeler − V_both,   never below either, nor below that of independent votes
    degrees of freedom: of the way with the fewer effective clusters

A way with a single cluster says nothing about spread, and is left out.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accord.ratings.covariance import sandwich
from accord.ratings.few_clusters import degrees_of_freedom
from accord.ratings.intervals import (
    NO_SPREAD,
    Estimate,
    clustered_mean,
    clustered_rate,
    critical_value,
    score_interval,
)
from accord.ratings.votes import FloatArray, IntArray


def two_way_rate(
    values: ArrayLike, prompts: ArrayLike, labelers: ArrayLike, confidence: float = 0.95
) -> Estimate:
    """Mean of values in [0, 1] with an interval for votes that go together by prompt and labeler.

        Wilson's interval with n_eff = m (1 − m) / V  and  t for z

    Args:
        values: one number in [0, 1] a vote, for example 1 where a score agrees with it.
        prompts: which prompt each vote is about.
        labelers: who gave each vote; when all are of one, they are clustered by prompt alone.
        confidence: probability that the interval covers.

    Returns:
        The rate; ``n_clusters`` counts the clusters of the way with fewer of them. Never narrower
        than ``clustered_rate`` by prompt.

    Raises:
        ValueError: no votes, values outside [0, 1], lengths that differ.

    Source: Cameron, Gelbach and Miller 2011, eq. 2.3, for the variance; the interval as in
    ``intervals.clustered_rate``. Differs from the source: the variance is never smaller than
    that of either way.

    >>> rate = two_way_rate([1, 1, 0, 0], ["p", "q", "p", "q"], ["ann", "ann", "ben", "ben"])
    >>> rate.mean, rate.n_clusters
    (0.5, 2)
    """
    by_prompt = clustered_rate(values, prompts, confidence)
    x, ways = np.asarray(values, dtype=np.float64), _ways(prompts, labelers)
    if len(ways) < 2:  # noqa: PLR2004 - two ways
        return by_prompt
    number = min(len(np.unique(way)) for way in ways)
    if ((x - x.mean()) ** 2).mean() / len(x) < NO_SPREAD:
        narrow = clustered_rate(values, labelers, confidence)
        return _widest(by_prompt, narrow, number)
    mean, variance, degrees = _moments(x, ways)
    effective = mean * (1 - mean) / variance
    low, high = score_interval(mean * effective, effective, critical_value(confidence, degrees))
    return _widest(by_prompt, Estimate(mean, low, high, len(x), number), number)


def two_way_mean(
    values: ArrayLike, prompts: ArrayLike, labelers: ArrayLike, confidence: float = 0.95
) -> Estimate:
    """Mean with an interval for votes that go together by prompt and by labeler.

        m ± t √V

    Args:
        values: one number a vote.
        prompts: which prompt each vote is about.
        labelers: who gave each vote; when all are of one, they are clustered by prompt alone.
        confidence: probability that the interval covers.

    Returns:
        The mean; ``n_clusters`` counts the clusters of the way with fewer of them. Never narrower
        than ``clustered_mean`` by prompt.

    Raises:
        ValueError: no votes, lengths that differ.

    Source: as ``two_way_rate``.

    >>> two_way_mean([1, 3], ["p", "q"], ["ann", "ann"]).n_clusters  # by prompt alone
    2
    """
    by_prompt = clustered_mean(values, prompts, confidence)
    x, ways = np.asarray(values, dtype=np.float64), _ways(prompts, labelers)
    if len(ways) < 2:  # noqa: PLR2004 - two ways
        return by_prompt
    mean, variance, degrees = _moments(x, ways)
    half = critical_value(confidence, degrees) * math.sqrt(variance)
    number = min(len(np.unique(way)) for way in ways)
    return _widest(by_prompt, Estimate(mean, mean - half, mean + half, len(x), number), number)


def _ways(prompts: ArrayLike, labelers: ArrayLike) -> list[IntArray]:
    """The clusterings that have at least two clusters, as numbers from 0."""
    numbered = []
    for given in (prompts, labelers):
        names: NDArray[np.generic] = np.asarray(given)
        found = np.unique(names, return_inverse=True)[1].astype(np.int64).reshape(-1)
        if found.max(initial=0) > 0:
            numbered.append(found)
    return numbered


def _moments(x: FloatArray, ways: Sequence[IntArray]) -> tuple[float, float, float]:
    """Mean, its variance, and the degrees of freedom of Student's t."""
    n, mean = len(x), float(x.mean())
    scores, bread = (x - mean)[:, None], np.array([[1 / n]])
    independent = float(scores[:, 0] @ scores[:, 0]) / n / max(n - 1, 1)
    alone = [float(sandwich(scores, bread, [way])[0, 0]) for way in ways]
    both = float(sandwich(scores, bread, list(ways))[0, 0])
    weight = np.ones(n)
    degrees = min(degrees_of_freedom(way, weight) for way in ways)
    return mean, max(independent, both, *alone), degrees


def _widest(one: Estimate, other: Estimate, number: int) -> Estimate:
    """The hull of two intervals around the same mean."""
    low, high = min(one.low, other.low), max(one.high, other.high)
    return Estimate(one.mean, low, high, one.n, number)
