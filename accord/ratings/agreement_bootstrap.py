"""Intervals for agreement: resampling whole labelers, whole units, or both.

What a pair of ratings says depends on two labelers and one unit, so neither pairs nor ratings are
independent. A resample gives every labeler and every unit a number of copies, and a pair counts
as the product: copies of the one labeler × copies of the other × copies of the unit. Copies of
one labeler are never compared with each other: they would agree perfectly.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accord.ratings.intervals import Estimate, critical_value
from accord.ratings.votes import FloatArray, IntArray

FEWEST_CLUSTERS = 3  # two labelers always resample to the one pair they are
DENSE = 10_000_000  # entries of a table that is cheaper than sorting


class Copies(NamedTuple):
    """One resample: how many copies there are of each labeler and of each unit."""

    labeler: FloatArray | None  #: None when labelers are not resampled
    unit: FloatArray


@dataclass(frozen=True, eq=False)
class Ratings:
    """Ratings in long format, as codes; every array has one entry a rating."""

    unit: IntArray
    labeler: IntArray
    level: IntArray
    levels: int  #: how many there are
    cluster: IntArray  #: for each *unit*, what it is resampled with: its prompt, or itself

    @cached_property
    def _cell(self) -> IntArray:
        return self.unit * self.levels + self.level

    @cached_property
    def counts(self) -> FloatArray:
        """How often each unit got each level, [units, levels]."""
        return count(self.unit, self.level, self.levels, len(self.cluster))

    def sums(self, copies: Copies) -> tuple[FloatArray, FloatArray]:
        """Σ w and Σ w² of each unit and level, w being the copies of the labeler.

        n² − Σ w² of a unit is twice its pairs of ratings of different labelers.
        """
        if copies.labeler is None:
            return self.counts, self.counts
        w, shape = copies.labeler[self.labeler], (len(self.cluster), self.levels)
        sums = [
            np.asarray(np.bincount(self._cell, x, shape[0] * shape[1]), dtype=np.float64)
            for x in (w, w * w)
        ]
        return sums[0].reshape(shape), sums[1].reshape(shape)


def count(
    unit: IntArray, level: IntArray, levels: int, units: int, weight: FloatArray | None = None
) -> FloatArray:
    """Table [units, levels] of how often, or with what weight, each unit got each level."""
    sums = np.bincount(unit * levels + level, weight, minlength=units * levels)
    return sums.astype(np.float64).reshape(units, levels)


def latest(ratings: Ratings) -> Ratings:
    """The last rating of each labeler of each unit: nobody agrees with themselves."""
    labelers = int(ratings.labeler.max(initial=-1)) + 1
    key = ratings.unit * labelers + ratings.labeler
    size = len(ratings.cluster) * labelers
    if size <= max(DENSE, 4 * len(key)):
        last = np.full(size, -1)
        last[key] = np.arange(len(key))  # numpy keeps the last of repeated indices
        keep = last[last >= 0]
    else:
        _, first = np.unique(key[::-1], return_index=True)
        keep = len(key) - 1 - first
    if len(keep) == len(key):
        return ratings
    keep = np.sort(keep)
    return Ratings(
        ratings.unit[keep],
        ratings.labeler[keep],
        ratings.level[keep],
        ratings.levels,
        ratings.cluster,
    )


def estimate(
    ratings: Ratings,
    statistic: Callable[[Copies], float],
    by: Sequence[str],
    confidence: float,
    *,
    draws: int,
    seed: int,
) -> Estimate:
    """A statistic of the ratings with an interval.

    Args:
        ratings: none by one labeler of one unit twice, see ``latest``.
        statistic: of a resample; a ``ValueError`` says that it left nothing to compute from.
        by: any of ``"labeler"`` and ``"unit"``; one with fewer than three clusters is left out.
        confidence: probability that the interval covers.
        draws: number of resamples.
        seed: of the resampling.

    Returns:
        The statistic; ``n`` counts the units with two ratings, ``n_clusters`` the labelers or
        units, whichever are fewer of those resampled. Infinite ends when none can be.

    Raises:
        ValueError: an unknown ``by``, or what ``statistic`` raises for the ratings as they are.

    Source: Owen 2007, "The pigeonhole bootstrap", arXiv:0712.1111.
    """
    value = statistic(Copies(None, np.ones(len(ratings.cluster))))
    several = ratings.counts.sum(axis=1) > 1
    sizes = {
        "labeler": len(np.unique(ratings.labeler[several[ratings.unit]])),
        "unit": len(np.unique(ratings.cluster[several])),
    }
    if not set(by) <= set(sizes):
        raise ValueError(f"`by` must be any of labeler and unit, not {', '.join(map(str, by))}")
    ways = [way for way in dict.fromkeys(by) if sizes[way] >= FEWEST_CLUSTERS]
    n_clusters = min((sizes[way] for way in ways or by), default=1)
    found = []
    for copies in _resamples(ratings, several, ways, draws, seed):
        try:
            found.append(statistic(copies))
        except ValueError:
            found.append(math.nan)  # this resample left no two people on one unit
    low, high = expanded_interval(found, n_clusters, confidence) if ways else (-np.inf, np.inf)
    return Estimate(value, low, high, int(several.sum()), n_clusters)


def expanded_interval(
    draws: ArrayLike, n_clusters: int, confidence: float = 0.95
) -> tuple[float, float]:
    """The middle part of bootstrap draws, widened for few clusters.

        quantiles Φ(∓ t_{G−1} √(G/(G−1)));  draws that are NaN are left out

    Args:
        draws: one value a resample.
        n_clusters: G, how many clusters were resampled, above 1.
        confidence: probability that the interval covers, strictly between 0 and 1.

    Returns:
        Low and high end; infinite when every draw is NaN.

    Source: Hesterberg 2015, "What Teachers Should Know About the Bootstrap", section 5.4: the
    percentile interval is too narrow by √((G−1)/G) and takes no account of estimating a spread.

    >>> low, high = expanded_interval(np.arange(1001), 1000)
    >>> round(low, 1), round(high, 1)
    (24.8, 975.2)
    """
    values = np.asarray(draws, dtype=np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        return -math.inf, math.inf
    multiple = critical_value(confidence, n_clusters - 1)
    tail = _normal_tail(multiple * math.sqrt(n_clusters / (n_clusters - 1)))
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _normal_tail(x: float) -> float:
    return math.erfc(x / math.sqrt(2)) / 2


def _resamples(
    ratings: Ratings, several: NDArray[np.bool_], ways: Sequence[str], draws: int, seed: int
) -> Iterator[Copies]:
    """Only what has a pair of ratings is resampled."""
    generator = np.random.default_rng(seed)
    labelers = np.unique(ratings.labeler[several[ratings.unit]])
    clusters = np.unique(ratings.cluster[several])
    for _ in range(draws if ways else 0):
        of_labeler, of_unit = None, np.ones(len(ratings.cluster))
        if "labeler" in ways:
            of_labeler = np.zeros(int(ratings.labeler.max()) + 1)
            of_labeler[labelers] = _multinomial(generator, len(labelers))
        if "unit" in ways:
            of_cluster = np.zeros(int(ratings.cluster.max()) + 1)
            of_cluster[clusters] = _multinomial(generator, len(clusters))
            of_unit = of_cluster[ratings.cluster]
        yield Copies(of_labeler, of_unit)


def _multinomial(generator: np.random.Generator, n: int) -> FloatArray:
    return np.bincount(generator.integers(n, size=n), minlength=n).astype(np.float64)
