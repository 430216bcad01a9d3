"""Advantages and returns: known answers, laws, a twin, edges."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.functional.advantages import discounted_returns, gae


def drawn(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def everything(x: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(x, dtype=torch.bool)


# By hand: the known answers C7


@pytest.mark.parametrize(
    ("gamma", "gae_lambda", "expected"),
    [
        (1.0, 0.95, [0.46575, 0.385, 0.3]),
        (1.0, 1.0, [0.5, 0.4, 0.3]),
        (1.0, 0.0, [0.1, 0.1, 0.3]),
        (0.99, 0.95, [0.446828575, 0.37515, 0.3]),
    ],
)
def test_gae_by_hand(gamma, gae_lambda, expected):
    rewards = torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64)
    values = torch.tensor([[0.5, 0.6, 0.7]], dtype=torch.float64)
    advantages, returns = gae(
        rewards, values, everything(rewards), gamma=gamma, gae_lambda=gae_lambda
    )
    assert advantages[0].tolist() == pytest.approx(expected)
    assert returns[0].tolist() == pytest.approx(
        [a + v for a, v in zip(expected, [0.5, 0.6, 0.7], strict=True)]
    )


def test_gae_of_a_taxed_episode_by_hand():
    rewards = torch.tensor([[-0.1, 0.05, 1.2]])
    values = torch.tensor([[0.2, 0.4, 0.8]])
    advantages, _ = gae(rewards, values, everything(rewards), gamma=1.0, gae_lambda=0.95)
    torch.testing.assert_close(advantages, torch.tensor([[0.8885, 0.83, 0.4]]))


def test_discounted_returns_by_hand():
    # 4; 2 + 4/2 = 4; 1 + 4/2 = 3
    rewards = torch.tensor([[1.0, 2.0, 4.0]])
    found = discounted_returns(rewards, everything(rewards), gamma=0.5)
    assert found.tolist() == [[3, 4, 4]]


# By law


@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=30)
def test_lambda_one_is_monte_carlo_minus_baseline(seed):
    rewards, values = drawn(seed, 2, 5), drawn(seed + 1, 2, 5)
    advantages, returns = gae(rewards, values, everything(rewards), gamma=1.0, gae_lambda=1.0)
    to_go = rewards.flip(1).cumsum(1).flip(1)
    torch.testing.assert_close(advantages, to_go - values)
    torch.testing.assert_close(returns, to_go)
    torch.testing.assert_close(discounted_returns(rewards, everything(rewards), gamma=1.0), to_go)


@given(seed=st.integers(0, 10_000), gamma=st.floats(0, 1))
@settings(deadline=None, max_examples=30)
def test_lambda_zero_is_the_one_step_error(seed, gamma):
    rewards, values = drawn(seed, 2, 5), drawn(seed + 1, 2, 5)
    advantages, _ = gae(rewards, values, everything(rewards), gamma=gamma, gae_lambda=0.0)
    after = torch.cat([values[:, 1:], torch.zeros(2, 1)], dim=1)
    torch.testing.assert_close(advantages, rewards + gamma * after - values)


@given(
    seed=st.integers(0, 10_000),
    length=st.integers(1, 6),
    pad=st.integers(0, 4),
    gamma=st.floats(0, 1),
    gae_lambda=st.floats(0, 1),
)
@settings(deadline=None, max_examples=50)
def test_padding_never_leaks_in(seed, length, pad, gamma, gae_lambda):
    rewards, values = drawn(seed, 1, length + pad), drawn(seed + 1, 1, length + pad)
    mask = torch.arange(length + pad)[None] < length
    rewards[~mask], values[~mask] = math.nan, math.inf
    settings_ = {"gamma": gamma, "gae_lambda": gae_lambda}
    padded = gae(rewards, values, mask, **settings_)
    alone = gae(rewards[:, :length], values[:, :length], mask[:, :length], **settings_)
    for whole, part in zip(padded, alone, strict=True):
        torch.testing.assert_close(whole[:, :length], part)
        assert (whole[:, length:] == 0).all()
    found = discounted_returns(rewards, mask, gamma=gamma)
    torch.testing.assert_close(
        found[:, :length], discounted_returns(rewards[:, :length], mask[:, :length], gamma=gamma)
    )
    assert (found[:, length:] == 0).all()


def test_batch_mates_do_not_matter():
    rewards, values = drawn(0, 3, 4), drawn(1, 3, 4)
    together, _ = gae(rewards, values, everything(rewards), gamma=0.9, gae_lambda=0.8)
    for b in range(3):
        one = slice(b, b + 1)
        alone, _ = gae(
            rewards[one], values[one], everything(rewards[one]), gamma=0.9, gae_lambda=0.8
        )
        assert torch.equal(together[one], alone)


def test_a_gap_in_the_mask_ends_an_episode():
    # 4 - 1 = 3 alone; nothing in the gap; 2 - 1 = 1 as if nothing came after
    rewards, values = torch.tensor([[2.0, 9.0, 4.0]]), torch.tensor([[1.0, 9.0, 1.0]])
    mask = torch.tensor([[True, False, True]])
    advantages, returns = gae(rewards, values, mask, gamma=1.0, gae_lambda=1.0)
    assert advantages.tolist() == [[1, 0, 3]]
    assert returns.tolist() == [[2, 0, 4]]


def test_no_gradient_flows_from_the_values():
    values = torch.zeros(1, 3, requires_grad=True)
    rewards = torch.zeros(1, 3, requires_grad=True)
    advantages, returns = gae(rewards, values, everything(values), gamma=1.0, gae_lambda=1.0)
    assert not advantages.requires_grad and not returns.requires_grad


# By twin


@given(seed=st.integers(0, 10_000), gamma=st.floats(0, 1), gae_lambda=st.floats(0, 1))
@settings(deadline=None, max_examples=30)
def test_gae_agrees_with_the_sum_of_its_definition(seed, gamma, gae_lambda):
    r, v = drawn(seed, 1, 6), drawn(seed + 1, 1, 6)
    advantages, _ = gae(r, v, everything(r), gamma=gamma, gae_lambda=gae_lambda)
    reward, value = r[0].tolist(), [*v[0].tolist(), 0.0]
    deltas = [reward[t] + gamma * value[t + 1] - value[t] for t in range(6)]
    for t in range(6):
        expected = sum((gamma * gae_lambda) ** (k - t) * deltas[k] for k in range(t, 6))
        assert advantages[0, t].item() == pytest.approx(expected, abs=1e-12)


# Edges


def test_one_token():
    one = torch.tensor([[True]])
    advantages, returns = gae(
        torch.tensor([[2.0]]), torch.tensor([[0.5]]), one, gamma=1.0, gae_lambda=0.95
    )
    assert (advantages.item(), returns.item()) == (1.5, 2)


def test_no_token():
    none = torch.zeros(2, 3, dtype=torch.bool)
    advantages, returns = gae(torch.ones(2, 3), torch.ones(2, 3), none, gamma=1.0, gae_lambda=1.0)
    assert advantages.eq(0).all() and returns.eq(0).all()
    empty = torch.zeros(2, 0)
    assert gae(empty, empty, empty.bool(), gamma=1.0, gae_lambda=1.0)[0].shape == (2, 0)


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(Exception, match="mask"):
        gae(
            torch.zeros(1, 3),
            torch.zeros(1, 3),
            torch.ones(1, 2, dtype=torch.bool),
            gamma=1.0,
            gae_lambda=1.0,
        )
