"""The optimal policy: known answers C13, laws, a twin, edges."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.functional import optimal
from accord.functional.optimal import (
    optimal_objective,
    tilted_distribution,
    tilted_kl,
    tilted_weights,
)

HALVES = torch.tensor([0.5, 0.5], dtype=torch.float64)
REWARDS = torch.tensor([1.0, 0.0], dtype=torch.float64)


def objective(probs: torch.Tensor, ref: torch.Tensor, rewards: torch.Tensor, kl_coef: float):
    """E[r] − kl_coef · KL, written as a loop."""
    return sum(
        p * (r - kl_coef * math.log(p / q))
        for p, q, r in zip(probs.tolist(), ref.tolist(), rewards.tolist(), strict=True)
        if p > 0
    )


@pytest.mark.parametrize(
    ("kl_coef", "best", "value"),
    [(1.0, 0.7310586, 0.6201145), (0.5, 0.8807971, 0.7168904), (0.1, 0.9999546, 0.9306898)],
)
def test_two_responses_by_hand(kl_coef, best, value):
    found = tilted_distribution(HALVES, REWARDS, kl_coef=kl_coef)
    assert found.tolist() == pytest.approx([best, 1 - best], abs=1e-7)
    assert objective(found, HALVES, REWARDS, kl_coef) == pytest.approx(value, abs=1e-6)


def test_the_reference_matters_by_hand():
    # (.2, .8) with reward ln 4 for the first at kl_coef 1: .8 and .8
    found = tilted_distribution(
        torch.tensor([0.2, 0.8]), torch.tensor([math.log(4), 0.0]), kl_coef=1.0
    )
    torch.testing.assert_close(found, torch.tensor([0.5, 0.5]))


@given(seed=st.integers(0, 10_000), kl_coef=st.floats(0.1, 5), shift=st.floats(-9, 9))
@settings(deadline=None, max_examples=30)
def test_nothing_does_better_and_a_constant_changes_nothing(seed, kl_coef, shift):
    generator = torch.Generator().manual_seed(seed)
    ref, rewards, other = torch.randn(3, 5, generator=generator, dtype=torch.float64)
    ref, other = ref.softmax(0), other.softmax(0)
    found = tilted_distribution(ref, rewards, kl_coef=kl_coef)
    assert found.sum().item() == pytest.approx(1)
    best = objective(found, ref, rewards, kl_coef)
    assert best >= objective(other, ref, rewards, kl_coef) - 1e-9
    # the value of the optimum is kl_coef · log E_ref exp(r / kl_coef)
    mean = sum(
        q * math.exp(r / kl_coef) for q, r in zip(ref.tolist(), rewards.tolist(), strict=True)
    )
    assert best == pytest.approx(kl_coef * math.log(mean))
    shifted = tilted_distribution(ref, rewards + shift, kl_coef=kl_coef)
    torch.testing.assert_close(shifted, found)


def test_what_the_reference_never_says_stays_unsaid():
    found = tilted_distribution(torch.tensor([0.0, 1.0]), torch.tensor([100.0, 0.0]), kl_coef=0.1)
    assert found.tolist() == [0, 1]


def test_rows_are_separate_and_small_coefficients_do_not_overflow():
    ref = torch.full((3, 2), 0.5)
    rewards = torch.tensor([[1e3, 0.0], [0.0, 1e3], [0.0, 0.0]])
    found = tilted_distribution(ref, rewards, kl_coef=1e-3)
    assert found.tolist() == [[1, 0], [0, 1], [0.5, 0.5]]


@pytest.mark.parametrize("kl_coef", [0.0, -1.0])
def test_a_coefficient_that_is_not_positive_is_refused(kl_coef):
    with pytest.raises(ValueError, match="kl_coef"):
        tilted_distribution(HALVES, REWARDS, kl_coef=kl_coef)


@pytest.mark.parametrize(
    ("kl_coef", "value"), [(1.0, 0.6201145), (0.5, 0.7168904), (0.1, 0.9306898)]
)
def test_the_optimum_by_hand(kl_coef, value):
    assert float(optimal_objective(HALVES, REWARDS, kl_coef=kl_coef)) == pytest.approx(
        value, abs=1e-7
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-2, 2), min_size=2, max_size=6), st.floats(0.1, 3), st.integers(0, 99))
def test_no_policy_passes_the_optimum_and_the_tilted_one_reaches_it(rewards, kl_coef, seed):
    random = torch.Generator().manual_seed(seed)
    draws = torch.rand(2, len(rewards), generator=random, dtype=torch.float64) + 0.01
    ref, other = draws / draws.sum(dim=1, keepdim=True)
    scores = torch.tensor(rewards, dtype=torch.float64)
    best = optimal_objective(ref, scores, kl_coef=kl_coef)
    tilted = tilted_distribution(ref, scores, kl_coef=kl_coef)
    reached = optimal.objective(tilted, ref, scores, kl_coef=kl_coef)
    assert float(reached) == pytest.approx(float(best), abs=1e-9)
    assert float(reached) == pytest.approx(objective(tilted, ref, scores, kl_coef), abs=1e-9)
    assert optimal.objective(other, ref, scores, kl_coef=kl_coef) <= best + 1e-9


def test_weighted_draws_of_a_normal_score_lie_on_the_line_of_slope_root_two():
    """A normal score tilted by t: mean t, KL t²/2, so that the score is √2 · √KL (C13)."""
    random = torch.Generator().manual_seed(0)
    scores = torch.randn(200_000, generator=random, dtype=torch.float64)
    for t in (0.5, 1.0, 1.5):
        weights = tilted_weights(scores, kl_coef=1 / t)
        assert float((weights * scores).sum()) == pytest.approx(t, abs=0.03)
        assert float(tilted_kl(weights)) == pytest.approx(t**2 / 2, abs=0.05)


def test_from_k_draws_no_more_than_log_k_nats_can_be_seen():
    weights = tilted_weights(torch.tensor([0.0, 0.0, 9.0]), kl_coef=0.01)
    assert float(tilted_kl(weights)) == pytest.approx(math.log(3), abs=1e-6)


@pytest.mark.parametrize("kl_coef", [0.0, -1.0])
def test_no_tax_has_no_optimum(kl_coef):
    for call in (
        lambda: optimal_objective(HALVES, REWARDS, kl_coef=kl_coef),
        lambda: tilted_weights(REWARDS, kl_coef=kl_coef),
    ):
        with pytest.raises(ValueError, match="kl_coef is"):
            call()
