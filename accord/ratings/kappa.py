"""Cohen's and Fleiss' kappa: agreement beyond what chance alone would give.

Two people who flip coins agree half of the time. A kappa puts that at 0 and perfect agreement
at 1. Cohen's is for two raters, Fleiss' for many; ``alpha`` is for any number of them, with any
ratings missing, and for answers that are more or less far apart.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from accord.ratings.votes import FloatArray

TWO_DIMENSIONS = 2


def cohen_kappa(table: ArrayLike) -> float:
    """Agreement of two raters beyond chance.

        κ = (p_o − p_e) / (1 − p_e),   p_o = Σ n_ii / n,   p_e = Σ_i n_i· n_·i / n²

    Args:
        table: counts [categories, categories]; row what the first said, column the second.
            ``cross_table`` makes one from ratings in long format.

    Returns:
        1 for perfect agreement, 0 for chance; NaN when chance agreement is certain.

    Raises:
        ValueError: the table is not square, is empty or has negative counts.

    Source: Cohen 1960.

    >>> round(cohen_kappa([[20, 5], [10, 15]]), 6)
    0.4
    """
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != TWO_DIMENSIONS or counts.shape[0] != counts.shape[1]:
        raise ValueError("the table of two raters must be square")
    n = _total(counts)
    observed = float(np.trace(counts)) / n
    return _beyond_chance(observed, float(counts.sum(axis=0) @ counts.sum(axis=1)) / n**2)


def cross_table(
    units: ArrayLike, labelers: ArrayLike, values: ArrayLike, *, first: object, second: object
) -> FloatArray:
    """How often one rater gave each value where another gave each value, from long format.

        n_cd = number of units that ``first`` rated c and ``second`` rated d

    Args:
        units: what was rated, one entry a rating.
        labelers: who rated it.
        values: the rating, numbers or text.
        first: the rater of the rows.
        second: the rater of the columns.

    Returns:
        [values, values], in sorted order, of the units that both rated. Who rated a unit twice
        counts with the later rating.

    Raises:
        ValueError: columns of different lengths, or no unit that both rated.

    Source: none needed; only a change of form.

    >>> cross_table(["u", "v", "u", "v"], ["k", "k", "l", "l"], [1, 2, 1, 1],
    ...     first="k", second="l")
    array([[1., 0.],
           [1., 0.]])
    """
    unit, labeler, value = np.asarray(units), np.asarray(labelers), np.asarray(values)
    if not len(unit) == len(labeler) == len(value):
        raise ValueError("units, labelers and values must have one entry a rating")
    of_first = dict(zip(*(column[labeler == first].tolist() for column in (unit, value))))  # noqa: B905 - one mask
    of_second = dict(zip(*(column[labeler == second].tolist() for column in (unit, value))))  # noqa: B905 - one mask
    both = [u for u in of_first if u in of_second]
    if not both:
        raise ValueError(f"no unit was rated by both `{first}` and `{second}`")
    levels = sorted({said[u] for said in (of_first, of_second) for u in both})
    place = {level: i for i, level in enumerate(levels)}
    table = np.zeros((len(levels), len(levels)))
    for u in both:
        table[place[of_first[u]], place[of_second[u]]] += 1
    return table


def fleiss_kappa(counts: ArrayLike) -> float:
    """Agreement of many raters beyond chance.

        κ = (P̄ − P_e) / (1 − P_e),   P_u = (Σ_c n_uc² − m_u) / (m_u(m_u − 1))
        P̄ = mean of P_u where m_u ≥ 2,   P_e = Σ_c p_c²,   p_c = mean of n_uc / m_u

    Args:
        counts: [units, categories]; how many raters put the unit into the category.
            ``alpha.value_counts`` makes them from ratings in long format.

    Returns:
        1 for perfect agreement, 0 for chance; NaN when chance agreement is certain.

    Raises:
        ValueError: negative counts, or no unit with two ratings.

    Source: Fleiss 1971, who has equally many ratings of every unit; for unequal numbers as
    Gwet 2014, Handbook of Inter-Rater Reliability, section 2.6: every unit counts the same, and
    one with a single rating only through the shares. With missing ratings prefer Krippendorff's
    alpha, in which every rating counts the same.

    >>> fleiss_kappa([[2, 0], [0, 2]])
    1.0
    """
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != TWO_DIMENSIONS:
        raise ValueError("the counts must be a table [units, categories]")
    _total(table)
    m = table.sum(axis=1)
    several = m > 1
    if not several.any():
        raise ValueError("no unit has two ratings: there is nothing to agree on")
    agreeing = ((table**2).sum(axis=1) - m)[several] / (m * (m - 1))[several]
    shares = (table[m > 0] / m[m > 0, None]).mean(axis=0)
    return _beyond_chance(float(agreeing.mean()), float(shares @ shares))


def _beyond_chance(observed: float, expected: float) -> float:
    certain = math.isclose(expected, 1, rel_tol=0, abs_tol=1e-15)
    return math.nan if certain else (observed - expected) / (1 - expected)


def _total(counts: FloatArray) -> float:
    total = float(counts.sum())
    if total <= 0 or counts.min() < 0:
        raise ValueError("counts must not be negative and must not all be 0")
    return total
