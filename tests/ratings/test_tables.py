"""Tables: ratings, ranks, differences and win probabilities of a fit."""

import math

import numpy as np
import pytest
from scipy import stats

from accord.ratings.elo import POINTS_PER_NAT, win_probability
from accord.ratings.fit import fit
from accord.ratings.tables import differences, ratings_table, win_probability_matrix
from accord.ratings.votes import from_pairs


def votes_of(wins, **columns):
    rows = [(a, b, 1.0) for (a, b), n in wins.items() for _ in range(n)]
    return from_pairs(*zip(*rows, strict=True), **columns)


TWO = votes_of({("x", "y"): 57, ("y", "x"): 43})
TRIANGLE = votes_of(
    {
        ("a", "b"): 60,
        ("b", "a"): 40,
        ("b", "c"): 60,
        ("c", "b"): 40,
        ("a", "c"): 70,
        ("c", "a"): 30,
    }
)

# by hand


def test_the_difference_of_two_policies():
    (gap,) = differences(fit(TWO, prior_sd=None, cluster=()))
    assert (gap.a, gap.b) == ("x", "y")
    assert gap.difference == pytest.approx(48.9626, abs=1e-4)
    assert gap.low == pytest.approx(48.9626 - 1.959964 * 35.089, abs=1e-2)
    assert gap.high == pytest.approx(48.9626 + 1.959964 * 35.089, abs=1e-2)
    assert gap.p_a_beats_b == pytest.approx(0.57)
    assert gap.p_value == pytest.approx(0.162915, abs=1e-4)  # 2 Φ(-48.9626 / 35.0891)


def test_ratings_of_two_policies():
    best, other = ratings_table(fit(TWO, prior_sd=None, cluster=()), 0.9)
    assert (best.name, other.name) == ("x", "y")
    assert best.rating == pytest.approx(48.9626 / 2, abs=1e-4)
    assert other.rating == pytest.approx(-48.9626 / 2, abs=1e-4)
    assert best.se == pytest.approx(35.089 / 2, abs=1e-3)
    half = 1.644854 * 35.089 / 2
    assert (best.low, best.high) == pytest.approx(
        (best.rating - half, best.rating + half), abs=1e-2
    )
    assert (best.rank_low, best.rank_high, best.votes, best.group) == (1, 2, 100, 0)


def test_ranks_that_the_votes_show():
    # Neighbours are 2.1 standard errors apart, a and c 4.2. Alone 1.96 would do, but three
    # pairs tested together need 2.394 (Bonferroni).
    wins = {("a", "b"): 45, ("b", "a"): 30, ("b", "c"): 45, ("c", "b"): 30}
    fitted = fit(votes_of(wins | {("a", "c"): 52, ("c", "a"): 23}), cluster=())
    assert [gap.low > 0 for gap in differences(fitted)] == [True, True, True]
    ranks = {row.name: (row.rank_low, row.rank_high) for row in ratings_table(fitted)}
    assert ranks == {"a": (1, 2), "b": (1, 3), "c": (2, 3)}
    # The same with the names the other way round: c best, a worst.
    wins = {("c", "b"): 45, ("b", "c"): 30, ("b", "a"): 45, ("a", "b"): 30}
    fitted = fit(votes_of(wins | {("c", "a"): 52, ("a", "c"): 23}), cluster=())
    ranks = {row.name: (row.rank_low, row.rank_high) for row in ratings_table(fitted)}
    assert ranks == {"c": (1, 2), "b": (1, 3), "a": (2, 3)}
    sure = {row.name: row.rank_high for row in ratings_table(fit(TRIANGLE, cluster=()))}
    assert sure == {"a": 1, "b": 2, "c": 3}


def test_win_probabilities():
    matrix = win_probability_matrix(fit(TWO, prior_sd=None))
    assert matrix == pytest.approx(np.array([[0.5, 0.57], [0.43, 0.5]]))


# by law


def test_differences_are_differences_of_ratings_with_their_own_error():
    fitted = fit(TRIANGLE)
    rating = {row.name: row for row in ratings_table(fitted)}
    for gap in differences(fitted):
        assert gap.difference == pytest.approx(rating[gap.a].rating - rating[gap.b].rating)
        assert gap.p_a_beats_b == pytest.approx(
            win_probability(rating[gap.a].rating, rating[gap.b].rating)
        )
        assert (gap.p_value < 0.05) == (gap.low > 0 or gap.high < 0)


def test_opposite_win_probabilities_sum_to_one():
    matrix = win_probability_matrix(fit(TRIANGLE))
    assert matrix + matrix.T == pytest.approx(np.ones((3, 3)))


def test_never_narrower_than_independent_votes():
    # Every prompt holds one win and one loss of each pair, so the clustered variance is 0.
    votes = votes_of({("x", "y"): 10, ("y", "x"): 10}, prompt=[f"p{i % 10}" for i in range(20)])
    clustered = fit(votes, prior_sd=None, cluster=["prompt"])
    assert clustered.covariance == pytest.approx(np.zeros((2, 2)), abs=1e-12)
    (gap,) = differences(clustered)
    independent = POINTS_PER_NAT / math.sqrt(20 * 0.25)
    assert gap.high == pytest.approx(stats.t.ppf(0.975, 9) * independent)


def test_few_clusters_widen():
    fitted = fit(votes_of({("x", "y"): 6, ("y", "x"): 6}, labeler=list("klm") * 4))
    (narrow,) = differences(fitted, 0.5)
    (gap,) = differences(fitted, 0.95)
    ratio = stats.t.ppf(0.975, 2) / stats.t.ppf(0.75, 2)
    assert (gap.high - gap.difference) == pytest.approx(ratio * (narrow.high - narrow.difference))


# edges


def test_nothing_is_said_across_groups():
    wins = {("a", "b"): 30, ("b", "a"): 1, ("c", "d"): 1, ("d", "c"): 30}
    fitted = fit(votes_of(wins), cluster=())
    assert [(gap.a, gap.b) for gap in differences(fitted)] == [("a", "b"), ("c", "d")]
    rows = ratings_table(fitted)
    assert [(row.name, row.group) for row in rows] == [("a", 0), ("b", 0), ("d", 1), ("c", 1)]
    assert [(row.rank_low, row.rank_high) for row in rows] == [(1, 1), (2, 2), (1, 1), (2, 2)]
    matrix = win_probability_matrix(fitted)
    assert np.isnan(matrix[:2, 2:]).all()
    assert np.isfinite(matrix[:2, :2]).all()


def test_one_policy_alone():
    fitted = fit(from_pairs(["x"], ["x"], [1]))
    (row,) = ratings_table(fitted)
    assert (row.rating, row.rank_low, row.rank_high, row.votes) == (0, 1, 1, 0)
    assert row.se == pytest.approx(3 * POINTS_PER_NAT)  # the prior: nothing is known
    assert differences(fitted) == ()


def test_confidence_must_be_a_probability():
    for function in (ratings_table, differences):
        with pytest.raises(ValueError, match="confidence"):
            function(fit(TWO), 1.0)
