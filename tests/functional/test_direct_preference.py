"""DPO: by hand, against the Bradley-Terry loss, and at the optimum where it should rest."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.functional.direct_preference import direct_preference_loss, implicit_scores
from accord.functional.optimal import tilted_distribution


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_by_hand():
    # chosen moved up by 1 nat, rejected down by 1: margin .1 · 2, loss ln(1 + e^−.2)
    chosen = implicit_scores(double(-4.0), double(-5.0), beta=0.1)
    rejected = implicit_scores(double(-8.0), double(-7.0), beta=0.1)
    assert (chosen.item(), rejected.item()) == pytest.approx((0.1, -0.1))
    loss = direct_preference_loss(chosen - rejected)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-0.2)))
    assert loss.item() == pytest.approx(0.5981389, abs=1e-7)


def test_where_policy_and_reference_agree_the_loss_is_that_of_a_coin():
    same = implicit_scores(double(-3.0, -9.0), double(-3.0, -9.0), beta=0.5)
    found = direct_preference_loss(same[:1] - same[1:], label_smoothing=0.2)
    assert found.item() == pytest.approx(math.log(2))


@settings(max_examples=50, deadline=None)
@given(st.floats(-30, 30), st.floats(0, 0.45))
def test_against_plain_floats(margin, smoothing):
    p = 1 / (1 + math.exp(-margin))
    twin = -(1 - smoothing) * math.log(p) - smoothing * math.log(1 / (1 + math.exp(margin)))
    found = direct_preference_loss(double(margin), label_smoothing=smoothing)
    assert found.item() == pytest.approx(twin, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("margin", [-1e4, 1e4])
def test_large_margins_stay_finite(margin):
    assert math.isfinite(direct_preference_loss(double(margin), label_smoothing=0.1).item())


def test_smoothing_stops_at_a_finite_margin():
    margin = double(math.log(0.9 / 0.1)).requires_grad_()
    (gradient,) = torch.autograd.grad(
        direct_preference_loss(margin, label_smoothing=0.1).sum(), margin
    )
    assert gradient.item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("smoothing", [-0.1, 0.5])
def test_a_label_that_is_as_likely_wrong_as_right_is_refused(smoothing):
    with pytest.raises(ValueError, match="label_smoothing is"):
        direct_preference_loss(double(0.0), label_smoothing=smoothing)


def test_the_policy_that_is_best_for_a_reward_is_where_the_loss_is_smallest():
    """Labels by Bradley-Terry from r: at π* ∝ π_ref e^{r/β} the expected gradient is 0."""
    ref, rewards, beta = double(0.5, 0.3, 0.2), double(0.7, -0.4, 1.1), 0.3
    best = tilted_distribution(ref, rewards, kl_coef=beta)
    logits = best.log().requires_grad_()
    scores = implicit_scores(logits.log_softmax(0), ref.log(), beta=beta)
    expected = double(0.0).sum()
    for a in range(3):
        for b in range(3):
            if a != b:
                p = torch.sigmoid(rewards[a] - rewards[b])
                expected = (
                    expected + p * direct_preference_loss((scores[a] - scores[b])[None]).sum()
                )
    (gradient,) = torch.autograd.grad(expected, logits)
    assert gradient.abs().max() < 1e-12
