"""Krippendorff's alpha and its interval."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.ratings.agreement_bootstrap import expanded_interval
from accord.ratings.alpha import (
    alpha_interval,
    alpha_of_counts,
    krippendorff_alpha,
    value_counts,
)
from accord.ratings.intervals import percentile_interval

NONE = None
METRICS = ["nominal", "ordinal", "interval", "ratio"]
FOUR_OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3],
    [NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE],
]
THREE_CODERS = [
    [NONE, NONE, NONE, NONE, NONE, 3, 4, 1, 2, 1, 1, 3, 3, NONE, 3],
    [1, NONE, 2, 1, 3, 3, 4, 3, NONE, NONE, NONE, NONE, NONE, NONE, NONE],
    [NONE, NONE, 2, 1, 3, 4, 4, NONE, 2, 1, 1, 3, 3, NONE, 4],
]
answers = st.lists(st.lists(st.integers(1, 4), min_size=2, max_size=5), min_size=2, max_size=8)


def long(table):
    """Units, values and raters of a table [raters, units]."""
    rows = [(u, v, r) for r, row in enumerate(table) for u, v in enumerate(row) if v is not None]
    return tuple(zip(*rows, strict=True))


def by_unit(table):
    """Units and values of {unit: values}, every unit having as many as it has."""
    return [u for u, row in enumerate(table) for _ in row], [v for row in table for v in row]


# by hand


@pytest.mark.parametrize(
    ("table", "metric", "alpha"),
    [
        (FOUR_OBSERVERS, "nominal", 0.7434211),
        (FOUR_OBSERVERS, "ordinal", 0.8153875),
        (FOUR_OBSERVERS, "interval", 0.8491071),
        (FOUR_OBSERVERS, "ratio", 0.7974028),
        (THREE_CODERS, "nominal", 0.6913580),
        (THREE_CODERS, "interval", 0.8108449),
    ],
)
def test_krippendorff(table, metric, alpha):
    units, values, raters = long(table)
    assert krippendorff_alpha(units, values, metric=metric) == pytest.approx(alpha, abs=5e-8)
    counts, levels = value_counts(units, values)
    assert alpha_of_counts(counts, levels, metric=metric) == pytest.approx(alpha, abs=5e-8)
    found = alpha_interval(units, values, raters, metric=metric, draws=50)
    assert found.mean == pytest.approx(alpha, abs=5e-8)
    assert found.low < found.mean < found.high
    assert found.n == sum(counts.sum(axis=1) > 1)


def test_counts_of_any_values():
    counts, levels = value_counts(["v", "u", "v"], [0.5, -3, 0.5])
    assert (counts.tolist(), levels.tolist()) == ([[1, 0], [0, 2]], [-3, 0.5])
    counts, levels = value_counts([5, 2, 5], [1e6, 0, 0])  # far apart: not counted in between
    assert levels.tolist() == [0, 1e6]
    assert counts[[2, 5]].tolist() == [[1, 0], [1, 1]]


# by law


@settings(deadline=None, max_examples=40)
@given(answers, st.sampled_from(METRICS))
def test_alpha_is_at_most_one_and_ignores_single_ratings(table, metric):
    units, values = by_unit(table)
    alpha = krippendorff_alpha(units, values, metric=metric)
    assert math.isnan(alpha) or alpha <= 1 + 1e-12
    more = krippendorff_alpha([*units, 99], [*values, 4], metric=metric)
    assert more == pytest.approx(alpha, nan_ok=True)


@settings(deadline=None, max_examples=40)
@given(answers)
def test_interval_alpha_does_not_know_the_unit(table):
    units, values = by_unit(table)
    one = krippendorff_alpha(units, values, metric="interval")
    other = krippendorff_alpha(units, 10 * np.array(values) - 3, metric="interval")
    assert other == pytest.approx(one, nan_ok=True)


@settings(deadline=None, max_examples=40)
@given(answers)
def test_ratio_alpha_does_not_know_the_unit(table):
    units, values = by_unit(table)
    one = krippendorff_alpha(units, values, metric="ratio")
    other = krippendorff_alpha(units, 0.7 * np.array(values), metric="ratio")
    assert other == pytest.approx(one, nan_ok=True)


@settings(deadline=None, max_examples=40)
@given(answers, st.sampled_from(["nominal", "ordinal"]))
def test_only_the_order_of_levels_counts(table, metric):
    units, values = by_unit(table)
    one = krippendorff_alpha(units, values, metric=metric)
    other = krippendorff_alpha(units, np.exp(3.0 * np.array(values)), metric=metric)
    assert other == pytest.approx(one, nan_ok=True)


def test_an_interval_is_the_same_for_the_same_seed():
    units, values, raters = long(THREE_CODERS)
    one = alpha_interval(units, values, raters, draws=20, seed=3)
    assert one == alpha_interval(units, values, raters, draws=20, seed=3)
    assert one != alpha_interval(units, values, raters, draws=20, seed=4)


def test_few_clusters_widen_an_interval():
    draws = np.random.default_rng(0).normal(size=5000)
    wide, narrow = expanded_interval(draws, 5), expanded_interval(draws, 500)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    assert expanded_interval(draws, 10**6) == pytest.approx(percentile_interval(draws), abs=0.01)
    assert expanded_interval([math.nan], 5) == (-math.inf, math.inf)
    assert expanded_interval([math.nan, 1.0], 5) == (1, 1)


# by twin


@settings(deadline=None, max_examples=40)
@given(answers)
def test_nominal_alpha_is_pairable_disagreement(table):
    units, values = by_unit(table)
    n = len(values)
    observed = sum(
        sum(a != b for a, b in combinations(row, 2)) * 2 / (len(row) - 1) for row in table
    )
    expected = sum(a != b for a, b in combinations(values, 2)) * 2 / (n - 1)
    twin = 1 - observed / expected if expected else math.nan
    alpha = krippendorff_alpha(units, values, metric="nominal")
    assert alpha == pytest.approx(twin, nan_ok=True)


def random_table(seed):
    rng = np.random.default_rng(seed)
    table = rng.integers(1, 6, size=(7, 25)).astype(float)
    table[:, :12] = table[0, :12]  # some agreement
    table[rng.random(table.shape) < 0.3] = np.nan
    return table


@pytest.mark.parametrize("metric", METRICS)
def test_alpha_is_that_of_evalica(metric):
    evalica = pytest.importorskip("evalica")
    pandas = pytest.importorskip("pandas")
    table = random_table(5)
    units, values, _ = long(np.where(np.isnan(table), None, table))
    twin = evalica.alpha(pandas.DataFrame(table), distance=metric, solver="naive").alpha
    assert krippendorff_alpha(units, values, metric=metric) == pytest.approx(twin, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_alpha_is_that_of_krippendorff(metric):
    krippendorff = pytest.importorskip("krippendorff")  # GPL: compared with where it is, no more
    table = random_table(6)
    units, values, _ = long(np.where(np.isnan(table), None, table))
    twin = krippendorff.alpha(reliability_data=table, level_of_measurement=metric)
    assert krippendorff_alpha(units, values, metric=metric) == pytest.approx(twin, abs=1e-12)


def slow_copies(rows, copies, metric):
    """Alpha of a resample, pair by pair; ``rows`` are (unit, rater, value)."""

    def apart(a, b):
        return float(a != b) if metric == "nominal" else (a - b) ** 2

    observed = weight = 0.0
    for unit in {u for u, _, _ in rows}:
        mine = [(copies[r], v) for u, r, v in rows if u == unit]
        pairs = sum(w * x for (w, _), (x, _) in combinations(mine, 2))
        if pairs:
            total = sum(w * x * apart(a, b) for (w, a), (x, b) in combinations(mine, 2))
            observed += sum(w for w, _ in mine) * total / pairs
            weight += sum(w for w, _ in mine)
    kept = [
        (copies[r], v) for u, r, v in rows if sum(copies[s] > 0 for w, s, _ in rows if w == u) > 1
    ]
    every = list(combinations(kept, 2))
    chance = sum(w * x * apart(a, b) for (w, a), (x, b) in every) / sum(
        w * x for (w, _), (x, _) in every
    )
    return 1 - observed / weight / chance


@pytest.mark.parametrize("metric", ["nominal", "interval"])
def test_a_resample_of_raters_pair_by_pair(metric):
    units, values, raters = long(FOUR_OBSERVERS)
    rows = list(zip(units, raters, values, strict=True))
    generator = np.random.default_rng(7)  # the only draw: four raters out of four
    copies = np.bincount(generator.integers(4, size=4), minlength=4)
    assert copies.max() > 1
    found = alpha_interval(units, values, raters, metric=metric, by=["labeler"], draws=1, seed=7)
    assert found.low == found.high == pytest.approx(slow_copies(rows, copies, metric))


def test_the_interval_covers_when_raters_differ():
    """Raters of differing care: another dozen raters would give another alpha."""
    units = np.repeat(np.arange(100), 12)
    raters = np.tile(np.arange(12), 100)

    def alpha(rng):
        care = rng.uniform(0.2, 1.0, size=12)
        truth = rng.integers(3, size=100)
        knows = rng.random(1200) < care[raters]
        return np.where(knows, truth[units], rng.integers(3, size=1200))

    truth = np.mean(
        [krippendorff_alpha(units, alpha(np.random.default_rng(s))) for s in range(400)]
    )
    covered, alone = [], []
    for seed in range(1000, 1080):
        values = alpha(np.random.default_rng(seed))
        for ways, kept in ((["labeler", "unit"], covered), (["unit"], alone)):
            found = alpha_interval(units, values, raters, by=ways, draws=100)
            kept.append(found.low <= truth <= found.high)
    assert np.mean(covered) >= 0.9
    assert np.mean(alone) < 0.8  # raters taken as given cover far too rarely


# edges


def test_no_disagreement_was_possible():
    assert math.isnan(krippendorff_alpha([0, 0], [1, 1], metric="nominal"))


def test_ratio_of_zeros_is_equality():
    assert krippendorff_alpha([0, 0, 1, 1], [0, 0, 1, 1], metric="ratio") == 1


def test_the_later_rating_counts():
    once = alpha_interval([0, 0, 1, 1], [1, 1, 2, 1], list("klkl"), draws=0)
    again = alpha_interval([0, 0, 0, 1, 1], [7, 1, 1, 2, 1], list("kklkl"), draws=0)
    assert again.mean == once.mean


def test_two_raters_cannot_be_resampled():
    columns = [0, 0, 1, 1, 2, 2], [1, 1, 2, 2, 1, 2], list("klklkl")
    assert alpha_interval(*columns, by=["labeler"])[1:] == (-math.inf, math.inf, 3, 2)
    assert alpha_interval(*columns) == alpha_interval(*columns, by=["unit"])


def test_ratings_that_make_no_sense():
    with pytest.raises(ValueError, match="unknown metric `cosine`"):
        krippendorff_alpha([0, 0], [1, 2], metric="cosine")
    with pytest.raises(ValueError, match="one entry"):
        krippendorff_alpha([0, 0], [1])
    with pytest.raises(ValueError, match="one entry"):
        alpha_interval([0, 0], [1, 2], ["k"])
    with pytest.raises(ValueError, match="finite"):
        krippendorff_alpha([0, 0], [1, math.nan])
    with pytest.raises(ValueError, match="any of labeler and unit, not prompt"):
        alpha_interval([0, 0], [1, 2], ["k", "l"], by=["prompt"])
    for counts, levels in [([1, 2], [0, 1]), ([[1, 2]], [0]), ([[1, -2]], None)]:
        with pytest.raises(ValueError, match="counts"):
            alpha_of_counts(counts, levels)
    for units in ([], [0, 1]):
        with pytest.raises(ValueError, match="no unit"):
            krippendorff_alpha(units, units)
