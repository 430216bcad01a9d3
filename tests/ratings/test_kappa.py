"""Cohen's and Fleiss' kappa."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.ratings.alpha import value_counts
from accord.ratings.kappa import cohen_kappa, cross_table, fleiss_kappa

FLEISS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


# by hand


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        ([[20, 5], [10, 15]], 0.4),
        ([[45, 15], [25, 15]], 0.1304348),
        ([[25, 35], [5, 35]], 0.2592593),
    ],
)
def test_cohen(table, kappa):
    assert cohen_kappa(table) == pytest.approx(kappa, abs=5e-8)


def test_fleiss():
    # Observed 0.378022, by chance 0.212755.
    assert fleiss_kappa(FLEISS) == pytest.approx(0.2099307, abs=5e-8)


def test_one_unit_is_enough_for_fleiss():
    # P = (4 + 1 - 3) / 6 = 1/3, P_e = 4/9 + 1/9 = 5/9.
    assert fleiss_kappa([[2, 1]]) == pytest.approx((1 / 3 - 5 / 9) / (4 / 9))


def test_fleiss_with_missing_ratings_by_hand():
    # P of the first two units: 1 and 1/3; shares: (1 + 2/3 + 0)/3 = 5/9 and 4/9.
    observed, expected = (1 + 1 / 3) / 2, (5 / 9) ** 2 + (4 / 9) ** 2
    kappa = fleiss_kappa([[2, 0], [2, 1], [0, 1], [0, 0]])
    assert kappa == pytest.approx((observed - expected) / (1 - expected))


def test_a_table_from_long_format():
    # k and l both rated u, v, w; only k rated x, only l rated y; m does not count.
    # l changed its mind about w: the later rating, 2, counts.
    units = ["u", "v", "w", "x", "w", "u", "v", "w", "y", "u"]
    labelers = ["k", "k", "k", "k", "l", "l", "l", "l", "l", "m"]
    values = [1, 2, 2, 3, 1, 1, 1, 2, 3, 9]
    table = cross_table(units, labelers, values, first="k", second="l")
    assert table.tolist() == [[1, 0], [1, 1]]
    words = cross_table(list("ab"), list("kk"), ["yes", "no"], first="k", second="k")
    assert words.tolist() == [[1, 0], [0, 1]]


# by law


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.integers(0, 20), min_size=3, max_size=3), min_size=3, max_size=3))
def test_cohen_does_not_know_who_is_first(table):
    if sum(map(sum, table)):
        one, other = cohen_kappa(table), cohen_kappa(np.transpose(table))
        assert one == pytest.approx(other, nan_ok=True)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=1, max_size=6))
def test_fleiss_is_at_most_one_and_does_not_know_the_categories(table):
    if max(map(sum, table)) > 1:
        kappa = fleiss_kappa(table)
        assert math.isnan(kappa) or kappa <= 1 + 1e-12
        assert fleiss_kappa([row[::-1] for row in table]) == pytest.approx(kappa, nan_ok=True)


# by twin


def test_kappas_are_those_of_statsmodels():
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    table = np.random.default_rng(0).multinomial(6, [0.5, 0.3, 0.2], size=30)
    assert fleiss_kappa(table) == pytest.approx(inter_rater.fleiss_kappa(table))
    square = np.random.default_rng(1).integers(1, 30, size=(4, 4))
    assert cohen_kappa(square) == pytest.approx(
        inter_rater.cohens_kappa(square, return_results=False)
    )


def test_long_format_is_that_of_statsmodels():
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    rng = np.random.default_rng(2)
    ratings = rng.integers(0, 3, size=(40, 5))  # units by raters
    units, labelers = np.indices(ratings.shape)
    counts, _ = value_counts(units.ravel(), ratings.ravel())
    assert (counts == inter_rater.aggregate_raters(ratings)[0]).all()
    columns = units.ravel(), labelers.ravel(), ratings.ravel()
    table = cross_table(*columns, first=1, second=4)
    assert (table == inter_rater.to_table(ratings[:, [1, 4]])[0]).all()


# edges


def test_no_disagreement_was_possible():
    assert math.isnan(cohen_kappa([[5, 0], [0, 0]]))
    assert math.isnan(fleiss_kappa([[2, 0], [2, 0]]))


def test_tables_that_make_no_sense():
    for table, message in [
        ([[1, 2, 3], [1, 2, 3]], "square"),
        ([1, 2], "square"),
        ([[0, 0], [0, 0]], "counts"),
        ([[1, -1], [1, 1]], "counts"),
    ]:
        with pytest.raises(ValueError, match=message):
            cohen_kappa(table)
    for table, message in [
        ([[1, 0], [0, 1]], "no unit has two"),
        ([2, 0], "a table"),
        ([[0, 0]], "counts"),
        ([[3, -1]], "counts"),
    ]:
        with pytest.raises(ValueError, match=message):
            fleiss_kappa(table)
    with pytest.raises(ValueError, match="one entry a rating"):
        cross_table(["u"], ["k", "l"], [1, 2], first="k", second="l")
    with pytest.raises(ValueError, match="no unit was rated by both `k` and `l`"):
        cross_table(["u", "v"], ["k", "l"], [1, 2], first="k", second="l")
