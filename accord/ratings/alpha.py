"""Krippendorff's alpha: agreement beyond chance for any raters, any ratings missing.

Alpha compares two averages of how far two ratings lie apart: of two raters of the same unit
(observed), and of any two ratings whatsoever (chance). It works on counts, so that ten thousand
units with two thousand raters take a tenth of a second, and takes ratings in long format: one
row says who gave what which value.

Its interval resamples whole labelers, whole units, or both, since neither the ratings of one
labeler nor those of one unit are independent of each other.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from accord.ratings.agreement_bootstrap import Copies, Ratings, count, estimate, latest
from accord.ratings.intervals import Estimate
from accord.ratings.votes import FloatArray, IntArray

FEW = 1000  # levels next to each other that are counted without sorting
#: δ² between levels, given the levels in ascending order and how often each occurs
Metric = Callable[[FloatArray, FloatArray], FloatArray]


def krippendorff_alpha(units: ArrayLike, values: ArrayLike, *, metric: str = "nominal") -> float:
    """Agreement beyond chance for any number of raters, with ratings missing.

        α = 1 − D_o / D_e
        D_o = Σ_cd o_cd δ²_cd / n,   o_cd = Σ_u n_uc (n_ud − [c = d]) / (m_u − 1)
        D_e = Σ_cd n_c (n_d − [c = d]) δ²_cd / (n (n − 1))

    Args:
        units: what was rated, one entry a rating. A missing rating has no entry.
        values: the rating, as a number.
        metric: ``"nominal"``, ``"ordinal"``, ``"interval"`` or ``"ratio"``; δ² is 0 or 1, the
            squared number of ratings between, (c − d)², or ((c − d)/(c + d))².

    Returns:
        1 for perfect agreement, 0 for chance, negative for less than chance; NaN when all
        ratings are equal, since nothing could have disagreed.

    Raises:
        ValueError: an unknown metric, lengths that differ, a rating that is not a finite
            number, or no unit with two ratings.

    Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability".

    >>> krippendorff_alpha(["u", "u", "v", "v"], [1, 1, 2, 2])
    1.0
    """
    counts, levels = value_counts(units, values)
    return alpha_of_counts(counts, levels, metric=metric)


def alpha_of_counts(
    counts: ArrayLike, levels: ArrayLike | None = None, *, metric: str = "nominal"
) -> float:
    """Krippendorff's alpha from how often each unit got each value; see ``krippendorff_alpha``.

    Args:
        counts: [units, levels].
        levels: the value of each column, ascending; 0, 1, 2, ... when left out.
        metric: as there.

    Returns:
        As there. Ten thousand units and a handful of levels take a millisecond, however many
        raters there are.

    Raises:
        ValueError: as there, counts that are negative, or levels that do not fit.

    Source: Krippendorff 2011.

    >>> alpha_of_counts([[2, 0], [0, 2], [1, 1]])
    0.4444444444444444
    """
    table = np.asarray(counts, dtype=np.float64)
    values = np.arange(table.shape[-1]) if levels is None else np.asarray(levels)
    if table.ndim != 2 or values.shape != table.shape[1:]:  # noqa: PLR2004 - a table
        raise ValueError("the counts must be a table [units, levels] with one level a column")
    if not np.isfinite(table).all() or table.min(initial=0) < 0:
        raise ValueError("counts must be finite and not negative")
    distance = _metric(metric, values.astype(np.float64))
    return alpha_of_pairs(table, table, np.ones(len(table)), distance)


def alpha_interval(
    units: ArrayLike,
    values: ArrayLike,
    labelers: ArrayLike,
    *,
    metric: str = "nominal",
    by: Sequence[str] = ("labeler", "unit"),
    confidence: float = 0.95,
    draws: int = 200,
    seed: int = 0,
) -> Estimate:
    """Krippendorff's alpha with a bootstrap interval, resampling labelers, units, or both.

        each draw gives every labeler and every unit a number of copies; a pair of ratings counts
        copies of the one labeler × copies of the other × copies of the unit

    Args:
        units: what was rated, one entry a rating. A missing rating has no entry.
        values: the rating, as a number.
        labelers: who gave it. Who rated a unit twice counts with the later rating.
        metric: as ``krippendorff_alpha``.
        by: any of ``"labeler"`` (what would other people have said?) and ``"unit"`` (what would
            have been said of other units?). A way with fewer than three clusters is left out.
        confidence: probability that the interval covers.
        draws: number of resamples.
        seed: of the resampling.

    Returns:
        Alpha; ``n`` counts the units with two ratings, ``n_clusters`` the labelers or units,
        whichever are fewer of those resampled. Infinite ends when nothing can be resampled.

    Raises:
        ValueError: as ``krippendorff_alpha``, or an unknown way of resampling.

    Source: Owen 2007, "The pigeonhole bootstrap", arXiv:0712.1111, for both ways; it errs
    towards intervals that are too wide. Copies of one labeler are never compared with each other,
    which would count as agreement.

    >>> units, values = ["u", "u", "v", "v", "w", "w"] * 2, [1, 1, 2, 2, 1, 2] * 2
    >>> found = alpha_interval(units, values, list("klklkl") + list("mnmnmn"), draws=20)
    >>> found.low <= found.mean <= found.high
    True
    """
    unit, level, numbers = _coded(units, values)
    labeler = _codes(labelers)
    if len(labeler) != len(unit):
        raise ValueError("units, values and labelers must have one entry a rating")
    distance = _metric(metric, numbers)
    clusters = np.arange(int(unit.max(initial=-1)) + 1)
    ratings = latest(Ratings(unit, labeler, level, len(numbers), clusters))

    def alpha(copies: Copies) -> float:
        return alpha_of_pairs(*ratings.sums(copies), copies.unit, distance)

    return estimate(ratings, alpha, by, confidence, draws=draws, seed=seed)


def value_counts(units: ArrayLike, values: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """How often each unit got each value, from ratings in long format.

    Args:
        units: what was rated, one entry a rating.
        values: the rating, as a number.

    Returns:
        Counts [units, levels], and the levels in ascending order. Whole numbers near each other
        are counted without sorting, so a level may be one that nobody used.

    Raises:
        ValueError: lengths that differ, or a rating that is not a finite number.

    Source: none needed; only a change of form.

    >>> value_counts(["v", "u", "v"], [3, 1, 3])
    (array([[1., 0., 0.],
           [0., 0., 2.]]), array([1., 2., 3.]))
    """
    unit, level, levels = _coded(units, values)
    return count(unit, level, len(levels), int(unit.max(initial=-1)) + 1), levels


def alpha_of_pairs(
    counts: FloatArray,
    squares: FloatArray,
    copies: FloatArray,
    distance: Metric,
    chance: FloatArray | None = None,
) -> float:
    """Alpha of weighted ratings.

        D_o = Σ_u k_u n_u d_u / Σ_u k_u n_u,   d_u = mean δ² over pairs of ratings of u, w_i w_j
        D_e = mean δ² over all pairs of ratings of all units that have a pair

    Args:
        counts: Σ w of each unit and level, w being copies of the labeler.
        squares: Σ w² likewise; the pairs of a rating with itself, which do not count.
        copies: k of each unit.
        distance: δ² from the levels' totals; the levels themselves are bound to it.
        chance: δ² of the pairs that chance makes, when it is not the same.

    Returns:
        As ``krippendorff_alpha``.

    Raises:
        ValueError: no unit has two ratings.

    Source: Krippendorff 2011; with copies of labelers and units, their resampled ratings.
    """
    all_levels = np.ones(counts.shape[1])  # a product with ones sums short rows ten times faster
    each = counts @ all_levels
    pairs = each**2 - squares @ all_levels
    k = copies * (pairs > 0)
    if not k.any():
        raise ValueError("no unit has two ratings: there is nothing to agree on")
    totals = k @ counts
    delta = distance(np.arange(len(totals), dtype=np.float64), totals)
    apart = ((counts @ delta) * counts) @ all_levels - squares @ np.diag(delta)
    observed = float((k * each) @ (apart / np.where(pairs > 0, pairs, 1))) / float(k @ each)
    by_chance = np.outer(totals, totals) - np.diag(k**2 @ squares)
    expected = float((by_chance * (delta if chance is None else chance)).sum() / by_chance.sum())
    return 1 - observed / expected if expected > 0 else math.nan


def _coded(units: ArrayLike, values: ArrayLike) -> tuple[IntArray, IntArray, FloatArray]:
    """Codes of units and of levels, and the levels in ascending order."""
    numbers = np.asarray(values, dtype=np.float64)
    unit = _codes(units)
    if len(unit) != len(numbers):
        raise ValueError("units and values must have one entry a rating")
    if not len(numbers):
        return unit, unit, np.zeros(0)
    if not np.isfinite(numbers).all():
        raise ValueError("every rating must be a finite number; leave a missing one out")
    low, high = float(numbers.min()), float(numbers.max())
    whole = numbers.astype(np.int64) if max(-low, high) < 2**53 else np.zeros(0, dtype=np.int64)
    if len(whole) and high - low < FEW and (whole == numbers).all():
        return unit, whole - int(low), np.arange(low, high + 1)
    levels, level = np.unique(numbers, return_inverse=True)
    return unit, level, levels


def _codes(column: ArrayLike) -> IntArray:
    """Small whole numbers as they are, anything else numbered from 0."""
    labels = np.asarray(column)
    if labels.dtype.kind in "iu" and len(labels):
        low, high = int(labels.min()), int(labels.max())
        if 0 <= low and high <= 4 * len(labels) + FEW:  # gaps cost less than sorting
            return labels.astype(np.int64)
    return np.unique(labels, return_inverse=True)[1].astype(np.int64).reshape(-1)


def _metric(name: str, levels: FloatArray) -> Metric:
    if name not in METRICS:
        raise ValueError(f"unknown metric `{name}`; known: {', '.join(METRICS)}")
    return lambda _, totals: METRICS[name](levels, totals)


def nominal(levels: FloatArray, totals: FloatArray) -> FloatArray:
    """0 for equal levels, else 1."""
    return 1 - np.eye(len(levels))


def _ordinal(levels: FloatArray, totals: FloatArray) -> FloatArray:
    # Ratings from c to d, both included, less half of those at the two ends: a difference of
    # mid-ranks, so the two orders of c and d give the same square.
    middle = np.cumsum(totals) - totals / 2
    return np.asarray((middle[:, None] - middle[None, :]) ** 2)


def _interval(levels: FloatArray, totals: FloatArray) -> FloatArray:
    return np.asarray((levels[:, None] - levels[None, :]) ** 2)


def _ratio(levels: FloatArray, totals: FloatArray) -> FloatArray:
    total = levels[:, None] + levels[None, :]
    gap = levels[:, None] - levels[None, :]
    # 0 and 0 are equal, not undefined.
    return np.asarray((gap / np.where(total == 0, 1.0, total)) ** 2)


METRICS: dict[str, Metric] = {
    "nominal": nominal,
    "ordinal": _ordinal,
    "interval": _interval,
    "ratio": _ratio,
}
