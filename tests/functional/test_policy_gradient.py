"""Baselines and the policy gradient: by hand, against slow loops, and that they are unbiased."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.functional.policy_gradient import (
    group_normalised,
    leave_one_out,
    next_baseline,
    reinforce_loss,
)

groups = st.lists(
    st.lists(st.integers(-5, 5).map(float), min_size=4, max_size=4), min_size=1, max_size=5
)


def double(rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_leave_one_out_by_hand():
    # 1 − (2 + 6)/2, 2 − (1 + 6)/2, 6 − (1 + 2)/2
    assert leave_one_out(double([[1.0, 2.0, 6.0]])).tolist() == [[-3.0, -1.5, 4.5]]


def test_group_normalised_by_hand():
    # mean 3, deviations −2, −1, 3, variance 14/3 and not 14/2
    found = group_normalised(double([[1.0, 2.0, 6.0]]), eps=0.0)
    std = math.sqrt(14 / 3)
    assert found.tolist()[0] == pytest.approx([-2 / std, -1 / std, 3 / std])


@settings(max_examples=40, deadline=None)
@given(groups)
def test_against_loops(rows):
    found, normalised = leave_one_out(double(rows)), group_normalised(double(rows), eps=0.01)
    for n, row in enumerate(rows):
        mean = sum(row) / len(row)
        std = math.sqrt(sum((r - mean) ** 2 for r in row) / len(row))
        for k, reward in enumerate(row):
            others = [r for j, r in enumerate(row) if j != k]
            assert float(found[n, k]) == pytest.approx(reward - sum(others) / len(others))
            assert float(normalised[n, k]) == pytest.approx((reward - mean) / (std + 0.01))


@settings(max_examples=40, deadline=None)
@given(groups, st.floats(-100, 100))
def test_a_bonus_for_a_whole_prompt_changes_nothing(rows, bonus):
    for advantages in (leave_one_out, group_normalised):
        torch.testing.assert_close(
            advantages(double(rows) + bonus), advantages(double(rows)), atol=1e-9, rtol=0
        )
        assert float(advantages(double(rows)).sum(1).abs().max()) < 1e-9


def test_alike_responses_teach_nothing():
    same = double([[0.1, 0.1, 0.1], [2.0, 2.0, 2.0]])
    assert group_normalised(same, eps=0.0).abs().max() == 0
    assert leave_one_out(same).abs().max() < 1e-12


@pytest.mark.parametrize("advantages", [leave_one_out, group_normalised])
def test_a_group_of_one_is_refused(advantages):
    with pytest.raises(ValueError, match="a group needs at least 2"):
        advantages(torch.ones(3, 1))


def test_the_loss_by_hand_and_outside_the_mask():
    logprobs = torch.tensor([[-1.0, -2.0, float("nan")]])
    mask = torch.tensor([[True, True, False]])
    assert reinforce_loss(logprobs, torch.full((1, 3), 2.0), mask).tolist() == [[2.0, 4.0, 0.0]]


def test_no_gradient_flows_through_advantages():
    advantages = torch.ones(1, 1, requires_grad=True)
    logprobs = torch.zeros(1, 1, requires_grad=True)
    reinforce_loss(logprobs, advantages, torch.tensor([[True]])).sum().backward()
    assert advantages.grad is None
    assert logprobs.grad.tolist() == [[-1.0]]


@pytest.mark.parametrize("normalise", [False, True])
def test_leave_one_out_is_the_policy_gradient_on_average_and_grpo_is_not(normalise):
    """The twin is the exact gradient of E[R] over every pair of draws of a three-armed policy."""
    logits = double([0.3, -0.2, 0.5]).requires_grad_()
    rewards = double([1.0, 0.0, 4.0])
    probs = logits.softmax(0)
    (exact,) = torch.autograd.grad((probs * rewards).sum(), logits, retain_graph=True)
    advantages = group_normalised if normalise else leave_one_out
    found = torch.zeros(3, dtype=torch.float64)
    for a in range(3):
        for b in range(3):
            drawn = torch.tensor([a, b])
            advantage = advantages(rewards[drawn][None])
            logprobs = logits.log_softmax(0)[drawn][None]
            loss = reinforce_loss(logprobs, advantage, torch.ones(1, 2, dtype=torch.bool)).mean()
            (gradient,) = torch.autograd.grad(-loss, logits, retain_graph=True)
            found += probs.detach()[a] * probs.detach()[b] * gradient
    assert torch.allclose(found, exact, atol=1e-12) == (not normalise)


def test_the_moving_baseline_by_hand():
    assert next_baseline(1.0, 2.0, decay=0.75) == 1.25
    assert next_baseline(1.0, 2.0, decay=0.0) == 2.0
    with pytest.raises(ValueError, match=r"decay is `1\.0`"):
        next_baseline(0.0, 0.0, decay=1.0)
