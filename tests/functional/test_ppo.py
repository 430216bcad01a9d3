"""PPO's losses and diagnostics: known answers, laws, twins, edges."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.functional.ppo import (
    approx_kl,
    clip_fraction,
    clipped_policy_loss,
    clipped_value_loss,
    explained_variance,
    penalised_policy_loss,
    unclipped_policy_loss,
)

ONE = torch.tensor([[True]])


def row(*values: float) -> torch.Tensor:
    return torch.tensor([values], dtype=torch.float64)


def drawn(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def everything(x: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(x, dtype=torch.bool)


def policy_loss(ratio, advantage, clip_range=0.2):
    """Loss and its gradient with respect to the ratio, for one token."""
    r = row(ratio).requires_grad_()
    loss = clipped_policy_loss(r.log(), row(0.0), row(advantage), ONE, clip_range=clip_range)
    loss.sum().backward()
    return loss.item(), r.grad.item()


# By hand: the known answers C10


@pytest.mark.parametrize(
    ("ratio", "advantage", "objective", "slope"),
    [
        (0.5, 1.0, 0.5, 1.0),
        (0.9, 1.0, 0.9, 1.0),
        (1.1, 1.0, 1.1, 1.0),
        (1.5, 1.0, 1.2, 0.0),
        (0.5, -1.0, -0.8, 0.0),
        (0.9, -1.0, -0.9, -1.0),
        (1.21, -1.0, -1.21, -1.0),
        (1.5, -1.0, -1.5, -1.0),
        (1.5, 3.0, 3.6, 0.0),
    ],
)
def test_the_clipped_objective_by_hand(ratio, advantage, objective, slope):
    loss, gradient = policy_loss(ratio, advantage)
    assert loss == pytest.approx(-objective)
    assert gradient == pytest.approx(-slope)


def test_the_clip_range_is_the_one_given():
    assert policy_loss(1.5, 1.0, clip_range=0.1)[0] == pytest.approx(-1.1)
    assert policy_loss(0.5, -1.0, clip_range=0.3)[0] == pytest.approx(0.7)


def test_the_unclipped_objective_by_hand():
    found = unclipped_policy_loss(row(1.5, 0.5).log(), row(0, 0), row(1, -2), everything(row(1, 1)))
    assert found[0].tolist() == pytest.approx([-1.5, 1.0])


@pytest.mark.parametrize(
    ("value", "old", "target", "loss"),
    [
        (1.0, 0.5, 1.0, 0.045),  # clipped to .7: the worse of 0 and .09, halved
        (0.0, 0.5, 1.0, 0.5),  # clipped to .3: the worse of 1 and .49
        (0.6, 0.5, 1.0, 0.08),  # not clipped
        (0.0, 0.5, 0.0, 0.045),  # clipped to .3: the worse of 0 and .09
        (3.0, 0.5, 1.0, 2.0),  # far beyond: the unclipped error is the worse
    ],
)
def test_the_value_loss_by_hand(value, old, target, loss):
    found = clipped_value_loss(row(value), row(old), row(target), ONE, value_clip_range=0.2)
    assert found.item() == pytest.approx(loss)


def test_the_clip_fraction_by_hand():
    # clipping decides where the ratio left the range in the direction of the advantage: 2 of 5
    ratios, advantages = row(1.5, 1.5, 0.5, 0.5, 1.1), row(1, -1, 1, -1, 1)
    mask = everything(ratios)
    found = clip_fraction(ratios.log(), row(0, 0, 0, 0, 0), advantages, mask, clip_range=0.2)
    assert found.item() == pytest.approx(0.4)
    mask[0, 1:3] = False
    found = clip_fraction(ratios.log(), row(0, 0, 0, 0, 0), advantages, mask, clip_range=0.2)
    assert found.item() == pytest.approx(2 / 3)
    found = clip_fraction(ratios.log(), row(0, 0, 0, 0, 0), advantages, mask, clip_range=0.6)
    assert found.item() == 0


def test_approx_kl_by_hand():
    # log ratios new - old of ln 2 and 0: (2 - 1 - ln 2 + 0) / 2
    found = approx_kl(row(0.6931472, 0.0), row(0, 0), everything(row(0, 0)))
    assert found.item() == pytest.approx(0.1534264, abs=1e-6)
    # what stands at padding does not count, neither above nor below the line
    padded = torch.tensor([[True, True, False, False]])
    found = approx_kl(row(0.6931472, 0.0, 3.0, 0.0), row(0, 0, 0, 0), padded)
    assert found.item() == pytest.approx(0.1534264, abs=1e-6)


@pytest.mark.parametrize(
    ("values", "expected"),
    # returns 1, 3, 5 have variance 8/3; the residuals' variances are 0, 8/3, 2/3 and 32/3
    [((1, 3, 5), 1.0), ((7, 7, 7), 0.0), ((2, 3, 4), 0.75), ((5, 3, 1), -3.0), ((2, 4, 6), 1.0)],
)
def test_explained_variance_by_hand(values, expected):
    returns = row(1, 3, 5)
    assert explained_variance(row(*values), returns, everything(returns)).item() == pytest.approx(
        expected
    )


# By law


@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=30)
def test_before_the_first_step_it_is_the_policy_gradient(seed):
    logprobs = drawn(seed, 2, 4).requires_grad_()
    advantages = drawn(seed + 1, 2, 4)
    mask = everything(advantages)
    old = logprobs.detach().clone()
    loss = clipped_policy_loss(logprobs, old, advantages, mask, clip_range=0.2)
    torch.testing.assert_close(loss, -advantages)
    (gradient,) = torch.autograd.grad(loss.sum(), logprobs)
    torch.testing.assert_close(gradient, -advantages)
    assert approx_kl(old, old, mask) == 0
    assert clip_fraction(old, old, advantages, mask, clip_range=0.2) == 0


@given(seed=st.integers(0, 10_000), clip_range=st.floats(0.01, 0.9))
@settings(deadline=None, max_examples=30)
def test_the_clipped_objective_never_promises_more_than_the_plain_one(seed, clip_range):
    new, old, advantages = drawn(seed, 3, 4), drawn(seed + 1, 3, 4), drawn(seed + 2, 3, 4)
    mask = everything(new)
    clipped = clipped_policy_loss(new, old, advantages, mask, clip_range=clip_range)
    assert (clipped >= unclipped_policy_loss(new, old, advantages, mask)).all()
    # and in the limit of a wide range they are the same
    wide = clipped_policy_loss(new, old, advantages, mask, clip_range=1e6)
    torch.testing.assert_close(wide, unclipped_policy_loss(new, old, advantages, mask))


@given(seed=st.integers(0, 10_000), clip_range=st.floats(0.01, 2))
@settings(deadline=None, max_examples=30)
def test_clipping_a_value_never_lowers_its_loss(seed, clip_range):
    new, old, target = drawn(seed, 3, 4), drawn(seed + 1, 3, 4), drawn(seed + 2, 3, 4)
    mask = everything(new)
    clipped = clipped_value_loss(new, old, target, mask, value_clip_range=clip_range)
    assert (clipped >= 0.5 * (new - target) ** 2).all()
    still = clipped_value_loss(old, old, target, mask, value_clip_range=clip_range)
    torch.testing.assert_close(still, 0.5 * (old - target) ** 2)


@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=30)
def test_approx_kl_is_never_negative(seed):
    new, old = drawn(seed, 2, 5), drawn(seed + 1, 2, 5)
    assert approx_kl(new, old, everything(new)) >= 0


@pytest.mark.parametrize("poison", [math.inf, -math.inf, math.nan, 1e30])
def test_what_is_masked_leaks_into_neither_value_nor_gradient(poison):
    mask = torch.tensor([[True, False]])
    new = torch.tensor([[0.1, poison]], dtype=torch.float64, requires_grad=True)
    bad, good = row(0.0, poison), row(2.0, poison)
    losses = (
        clipped_policy_loss(new, bad, good, mask, clip_range=0.2),
        unclipped_policy_loss(new, bad, good, mask),
        clipped_value_loss(new, bad, good, mask, value_clip_range=0.2),
    )
    for loss in losses:
        assert loss[0, 1] == 0 and loss[0, 0].isfinite()
        (gradient,) = torch.autograd.grad(loss.sum(), new)
        assert gradient[0, 1] == 0 and gradient[0, 0].abs() > 0
    assert clip_fraction(new, bad, good, mask, clip_range=0.2).item() == 0
    assert approx_kl(new, bad, mask).item() == pytest.approx(math.exp(0.1) - 1.1)
    two = torch.tensor([[True, True, False]])
    assert explained_variance(row(1, 3, poison), row(1, 3, poison), two).item() == 1


def test_gradients_flow_into_what_learns_only():
    mask = everything(row(0, 0))
    new, others = row(0.1, 0.2), [row(0.0, 0.1).requires_grad_(), row(1.0, -1.0).requires_grad_()]
    losses = (
        clipped_policy_loss(new, *others, mask, clip_range=0.2),
        unclipped_policy_loss(new, *others, mask),
        clipped_value_loss(new, *others, mask, value_clip_range=0.2),
    )
    assert not any(loss.requires_grad for loss in losses)


# By twin


def test_the_losses_agree_with_loops():
    new, old, advantages = drawn(1, 3, 4) / 3, drawn(2, 3, 4) / 3, drawn(3, 3, 4)
    mask = torch.tensor([[True] * 4, [True, True, False, False], [False] * 4])
    policy = clipped_policy_loss(new, old, advantages, mask, clip_range=0.2)
    value = clipped_value_loss(new, old, advantages, mask, value_clip_range=0.2)
    for b in range(3):
        for t in range(4):
            if not mask[b, t]:
                assert policy[b, t] == 0 and value[b, t] == 0
                continue
            n, o, a = (x[b, t].item() for x in (new, old, advantages))
            ratio = math.exp(n - o)
            objective = min(ratio * a, min(max(ratio, 0.8), 1.2) * a)
            assert policy[b, t].item() == pytest.approx(-objective)
            held = min(max(n, o - 0.2), o + 0.2)
            assert value[b, t].item() == pytest.approx(max((n - a) ** 2, (held - a) ** 2) / 2)


def test_gradients_agree_with_finite_differences():
    new, old, target = drawn(4, 2, 3).requires_grad_(), drawn(5, 2, 3), drawn(6, 2, 3)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    for loss in (
        lambda x: clipped_policy_loss(x, old, target, mask, clip_range=0.2),
        lambda x: unclipped_policy_loss(x, old, target, mask),
        lambda x: clipped_value_loss(x, old, target, mask, value_clip_range=0.2),
    ):
        assert torch.autograd.gradcheck(loss, new)


# Edges


def test_an_empty_mask():
    none, x = torch.zeros(1, 2, dtype=torch.bool), row(1.0, 2.0)
    assert clipped_policy_loss(x, x, x, none, clip_range=0.2).eq(0).all()
    assert clipped_value_loss(x, x, x, none, value_clip_range=0.2).eq(0).all()
    assert clip_fraction(x, -x, x, none, clip_range=0.2) == 0
    assert approx_kl(x, -x, none) == 0
    assert explained_variance(x, x, none) == 0


def test_returns_that_do_not_vary_are_not_explained():
    assert explained_variance(row(1, 2), row(3, 3), everything(row(0, 0))) == 0


# PPO with a KL penalty


@pytest.mark.parametrize(
    ("ratio", "advantage", "beta", "loss", "slope"),
    [
        # − r A + β (r − 1 − ln r);  slope − A + β (1 − 1/r)
        (1.0, 1.0, 3.0, -1.0, -1.0),
        (2.0, 1.0, 1.0, -2.0 + 1 - 0.6931472, -0.5),
        (0.5, 1.0, 2.0, -0.5 + 2 * (-0.5 + 0.6931472), -3.0),
        (2.0, -1.0, 1.0, 2.0 + 1 - 0.6931472, 1.5),
        (2.0, 4.0, 0.0, -8.0, -4.0),
    ],
)
def test_the_penalised_loss_by_hand(ratio, advantage, beta, loss, slope):
    r = row(ratio).requires_grad_()
    found = penalised_policy_loss(r.log(), row(0.0), row(advantage), ONE, penalty_coef=beta)
    found.sum().backward()
    assert found.item() == pytest.approx(loss, abs=1e-6)
    assert r.grad.item() == pytest.approx(slope, abs=1e-6)


@given(seed=st.integers(0, 10_000), vocabulary=st.integers(2, 7))
@settings(deadline=None, max_examples=30)
def test_the_penalty_has_the_gradient_of_kl_old_new(seed, vocabulary):
    """Over all tokens that the old policy could draw, weighted by how often it draws them."""
    old = drawn(seed, 1, vocabulary).log_softmax(-1)
    logits = drawn(seed + 1, 1, vocabulary).requires_grad_()
    nothing = torch.zeros_like(old)
    mask = everything(old)
    penalty = penalised_policy_loss(logits.log_softmax(-1), old, nothing, mask, penalty_coef=2.0)
    (estimated,) = torch.autograd.grad((old.exp() * penalty).sum(), logits, retain_graph=True)
    exact = 2.0 * (old.exp() * (old - logits.log_softmax(-1))).sum()
    (wanted,) = torch.autograd.grad(exact, logits)
    torch.testing.assert_close(estimated, wanted)
    assert (old.exp() * penalty).sum().item() == pytest.approx(exact.item())


def test_the_penalised_loss_agrees_with_a_loop_and_is_0_outside_the_mask():
    new, old, advantages = drawn(1, 3, 4), drawn(2, 3, 4), drawn(3, 3, 4)
    mask = torch.tensor([[True] * 4, [True, True, False, False], [False] * 4])
    new[2] = float("inf")
    found = penalised_policy_loss(new, old, advantages, mask, penalty_coef=0.7)
    for b in range(3):
        for t in range(4):
            expected = 0.0
            if mask[b, t]:
                log_ratio = new[b, t].item() - old[b, t].item()
                ratio = math.exp(log_ratio)
                expected = -ratio * advantages[b, t].item() + 0.7 * (ratio - 1 - log_ratio)
            assert found[b, t].item() == pytest.approx(expected)
    old.requires_grad_()
    advantages.requires_grad_()
    new = drawn(1, 3, 4).requires_grad_()
    penalised_policy_loss(new, old, advantages, mask, penalty_coef=0.7).sum().backward()
    assert old.grad is None
    assert advantages.grad is None
    assert (new.grad[~mask] == 0).all()
