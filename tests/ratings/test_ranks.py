"""Contrasts, simultaneous ranks, P(best) and P(better)."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from accord.ratings.contrasts import (
    difference_variances,
    members,
    root,
    upper_covariance,
    vote_information,
)
from accord.ratings.fit import fit
from accord.ratings.fitted import Fit
from accord.ratings.ranks import p_best, p_better, simultaneous_ranks
from accord.ratings.votes import from_pairs


def a_fit(strengths, covariance, degrees_of_freedom=math.inf, groups=None, **more):
    """A fit made by hand; its model's covariance is negligible."""
    strengths = np.asarray(strengths, dtype=float)
    names = tuple(f"m{i:02d}" for i in range(len(strengths)))
    return Fit(
        names=names,
        strengths=strengths,
        covariance=np.asarray(covariance, dtype=float),
        model_covariance=1e-12 * np.eye(len(names)),
        groups=groups or (names,),
        votes=np.ones(len(names)),
        degrees_of_freedom=degrees_of_freedom,
        problems=(),
        log_likelihood=0.0,
        **more,
    )


def ranges(fitted, **settings):
    return [(row.low, row.high) for row in simultaneous_ranks(fitted, **settings)]


# by hand


def test_variance_of_a_difference():
    fitted = a_fit([1, 0, -1], [[4, 1, 0], [1, 9, 2], [0, 2, 16]])
    assert difference_variances(fitted).tolist() == [[0, 11, 20], [11, 0, 21], [20, 21, 0]]


def test_the_larger_variance_counts():
    fitted = replace(a_fit([1, -1], np.eye(2)), model_covariance=3 * np.eye(2))
    assert difference_variances(fitted)[0, 1] == 6
    assert upper_covariance(fitted, np.array([0, 1])) == pytest.approx(3 * np.eye(2))


def test_three_policies_far_apart_and_two_together():
    # Errors of a difference are √2/10; gaps of 1 are 7 of them, one of 0.05 is none.
    fitted = a_fit([1.05, 1.0, 0.0], np.eye(3) / 100)
    assert ranges(fitted) == [(1, 2), (1, 2), (3, 3)]


def test_probability_of_being_better():
    fitted = a_fit([1.0, 0.0], np.eye(2) / 2)  # one standard error apart
    assert p_better(fitted) == pytest.approx(np.array([[0.5, 0.8413447], [0.1586553, 0.5]]))
    with_few = replace(fitted, degrees_of_freedom=1.0)  # Cauchy: 1/2 + arctan(1)/π
    assert p_better(with_few)[0, 1] == pytest.approx(0.75)


def test_probability_of_being_best():
    # Three equal policies, and one that is ten standard errors behind.
    best = p_best(a_fit([1, 1, 1, -3], np.eye(4) / 8))
    assert best[:3] == pytest.approx(np.full(3, 1 / 3), abs=0.015)
    assert best[3] == 0


@pytest.mark.parametrize(
    ("model", "tie", "information"),
    [
        ("bradley_terry", None, 0.1875),  # p (1 − p) at 3 to 1
        ("davidson", 2.0, 0.1160254),  # (p_w + p_l)/4 − (p_w − p_l)²/4 at √3 : 2 : 1/√3
        ("rao_kupper", 2.0, 0.2546939),  # 0.6, 0.2571, 0.1429 with slopes 0.4, −0.4571, −0.8571
    ],
)
def test_information_of_a_vote_at_odds_of_three(model, tie, information):
    fitted = a_fit([0, 0], np.eye(2), model=model, tie=tie)
    assert vote_information(fitted, np.array([[math.log(3)]]))[0, 0] == pytest.approx(information)


def test_information_of_a_vote_in_thurstones_model():
    fitted = a_fit([0, 0], np.eye(2), model="thurstone")
    assert vote_information(fitted, np.array([0.0])) == pytest.approx(2 / math.pi)  # φ(0)²/¼


# by law


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.floats(0.1, 3))
def test_ranges_hold_the_order_of_the_strengths(seed, number, spread):
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(number, number)) / 5
    fitted = a_fit(rng.normal(size=number) * spread, half @ half.T, 12.0)
    found = ranges(fitted, draws=200)
    place = np.argsort(np.argsort(-fitted.strengths)) + 1
    assert all(low <= rank <= high for (low, high), rank in zip(found, place, strict=True))
    wider = ranges(fitted, draws=200, confidence=0.999)
    assert all(w[0] <= f[0] and f[1] <= w[1] for w, f in zip(wider, found, strict=True))
    assert p_best(fitted, draws=200).sum() == pytest.approx(1)
    better = p_better(fitted)
    assert better + better.T == pytest.approx(np.ones((number, number)))


def test_the_same_seed_gives_the_same_ranks():
    fitted = a_fit(np.linspace(1, -1, 8), np.eye(8) / 10, 9.0)
    assert ranges(fitted, seed=3) == ranges(fitted, seed=3)
    assert p_best(fitted, seed=3).tolist() == p_best(fitted, seed=3).tolist()


def test_no_contrast_undercuts_the_upper_covariance():
    rng = np.random.default_rng(0)
    a, b = (half @ half.T for half in rng.normal(size=(2, 5, 5)))
    fitted = replace(a_fit(np.zeros(5), b), model_covariance=a)
    upper = upper_covariance(fitted, np.arange(5))
    for contrast in rng.normal(size=(50, 5)):
        of = [contrast @ matrix @ contrast for matrix in (a, b, upper)]
        assert of[2] >= max(of[:2]) - 1e-9


def test_a_covariance_that_is_not_positive_has_a_root():
    half = root(np.array([[1.0, 2.0], [2.0, 1.0]]))  # eigenvalues 3 and −1
    assert half @ half.T == pytest.approx(np.full((2, 2), 1.5))


def test_ranks_that_hold_together_hold_often_enough():
    """With ten labelers and no true difference a direction is shown in at most 5% of samples."""
    rng, wrong = np.random.default_rng(0), 0
    truth = np.linspace(0, -1e-9, 6)  # in truth m00 is the best, m05 the worst, by nothing
    for sample in range(300):
        scores = truth + rng.normal(size=(10, 6)) @ np.diag([1, 1, 1, 2, 2, 2])
        fitted = a_fit(scores.mean(axis=0), np.cov(scores.T) / 10, 9.0)
        found = ranges(fitted, draws=400, seed=sample)
        wrong += any(not low <= rank <= high for rank, (low, high) in enumerate(found, start=1))
    assert wrong / 300 <= 0.06


# by twin


def test_the_simulated_bound_is_tukeys_studentized_range():
    """Equal independent variances and one pooled estimate: known exactly, below Bonferroni's."""
    number, pairs = 12, 66
    tukey = stats.studentized_range.ppf(0.95, number, math.inf) / math.sqrt(2)
    bonferroni = stats.norm.isf(0.025 / pairs)
    assert tukey < bonferroni
    others = np.zeros(number - 1)
    for gap, is_shown in ((tukey * 1.02, True), (tukey * 0.98, False)):
        strengths = np.concatenate([[gap * math.sqrt(2)], others])
        strengths[1] = 0.0
        low, high = ranges(a_fit(strengths, np.eye(number)), draws=20_000)[0]
        assert (low, high) == ((1, 1) if is_shown else (1, number))


def test_large_groups_use_bonferroni():
    number = 101
    bonferroni = stats.norm.isf(0.025 / (number * (number - 1) / 2))
    for factor, high in ((1.01, 1), (0.99, number)):
        strengths = np.zeros(number)
        strengths[0] = factor * bonferroni * math.sqrt(2)
        assert ranges(a_fit(strengths, np.eye(number)))[0] == (1, high)


# edges


def test_nothing_is_said_across_groups():
    apart = fit(from_pairs(["x", "z"] * 9, ["y", "w"] * 9, [1, 1] * 9), cluster=())
    between = [(apart.names.index(a), apart.names.index(b)) for a in "xy" for b in "zw"]
    for matrix in (p_better(apart), difference_variances(apart)):
        assert all(math.isnan(matrix[i, j]) and math.isnan(matrix[j, i]) for i, j in between)
    assert p_best(apart).sum() == pytest.approx(2)  # one best in each group
    assert all(row.high <= 2 for row in simultaneous_ranks(apart))
    assert [part.tolist() for part in members(apart)] == [[0, 3], [1, 2]]


def test_one_policy_is_first_of_one():
    alone = a_fit([0.0], [[0.0]])
    assert ranges(alone) == [(1, 1)]
    assert p_best(alone).tolist() == [1]
    assert p_better(alone).tolist() == [[0.5]]


def test_all_ties_leave_every_rank_open():
    ties = fit(from_pairs(["x", "y", "z"] * 5, ["y", "z", "x"] * 5, [0.5] * 15))
    assert ranges(ties) == [(1, 3)] * 3


@pytest.mark.parametrize("confidence", [0, 1, -1, 2])
def test_a_confidence_outside_its_range(confidence):
    with pytest.raises(ValueError, match="strictly between"):
        simultaneous_ranks(a_fit([0.0], [[0.0]]), confidence)
