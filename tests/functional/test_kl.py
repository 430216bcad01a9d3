"""KL estimators, rewards and controllers: known answers, laws, twins, edges."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.functional.kl import (
    best_of_n_kl,
    exact_kl,
    k1,
    k2,
    k3,
    missing_eos,
    next_kl_coef,
    next_penalty_coef,
    replaced_eos,
    token_rewards,
)

P, Q = torch.tensor([0.5, 0.5]), torch.tensor([0.9, 0.1])


def logprobs(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return -torch.rand(*shape, generator=generator, dtype=torch.float64) * 4


# By hand: the known answers C9, C11 and C12


def test_the_estimators_by_hand():
    logratio = torch.tensor([0.0, 1.0, -1.0])
    assert k1(logratio).tolist() == [0, 1, -1]
    assert k2(logratio).tolist() == [0, 0.5, 0.5]
    # e^-1 - 1 + 1 = .3678794 and e - 1 - 1 = .7182818
    torch.testing.assert_close(k3(logratio), torch.tensor([0.0, 0.3678794, 0.7182818]))


def test_expectations_under_p_by_hand():
    logratio = (P / Q).log()
    expected = [(P * k(logratio)).sum().item() for k in (k1, k2, k3)]
    assert expected == pytest.approx([0.5108256, 0.7339459, 0.5108256], abs=1e-6)


def test_exact_kl_by_hand():
    assert exact_kl(P.log(), Q.log()).item() == pytest.approx(0.5108256, abs=1e-6)
    assert exact_kl(Q.log(), P.log()).item() == pytest.approx(0.3680642, abs=1e-6)


def test_token_rewards_by_hand():
    # total reward 2.5 - .15 * 6 = 1.6
    mask = torch.tensor([[True, True, True, False]])
    ours = torch.tensor([[-1.0, -1.0, -1.0, -50.0]])
    ref = torch.tensor([[-2.0, -3.0, -4.0, 0.0]])
    rewards = token_rewards(torch.tensor([2.5]), ours, ref, mask, kl_coef=0.15)
    torch.testing.assert_close(rewards, torch.tensor([[-0.15, -0.3, 2.05, 0.0]]))
    assert rewards.sum().item() == pytest.approx(1.6)


@pytest.mark.parametrize(
    ("score", "kl", "total"),
    # samples printed by lm-human-preference-details: total = score - .15 kl
    [(1.86, 7.88, 0.68), (2.71, 3.18, 2.23), (2.2, 11.0, 0.55), (3.29, 11.87, 1.51)],
)
def test_published_totals(score, kl, total):
    one = torch.tensor([[True]])
    rewards = token_rewards(
        torch.tensor([score]), torch.tensor([[kl]]), torch.zeros(1, 1), one, kl_coef=0.15
    )
    assert rewards.item() == pytest.approx(total, abs=0.006)


def test_missing_eos_by_hand():
    scores = missing_eos(torch.tensor([1.0, 1.0]), torch.tensor([True, False]), penalty=2.5)
    assert scores.tolist() == [1, -1.5]


@pytest.mark.parametrize(
    ("observed", "paper", "code"),
    [
        (9.0, 0.153, 0.151536),
        (7.2, 0.153, 0.151536),
        (6.6, 0.1515, 0.150768),
        (6.0, 0.15, 0.15),
        (5.4, 0.1485, 0.149232),
        (3.0, 0.147, 0.148464),
    ],
)
def test_the_controller_by_hand(observed, paper, code):
    # the paper's gain .1 is 1,000 episodes over a horizon of 10,000
    of_paper = next_kl_coef(0.15, observed, target_kl=6.0, horizon=10_000.0, episodes=1_000)
    of_code = next_kl_coef(0.15, observed, target_kl=6.0, horizon=10_000.0, episodes=512)
    assert (of_paper, of_code) == (pytest.approx(paper), pytest.approx(code))


def test_a_hundred_saturated_updates():
    kl_coef = 0.15
    for _ in range(100):
        kl_coef = next_kl_coef(kl_coef, 1_000.0, target_kl=6.0, horizon=10_000.0, episodes=512)
    assert kl_coef == pytest.approx(0.4154773, abs=1e-6)


@pytest.mark.parametrize(
    ("observed", "after"),
    [(0.006, 0.5), (0.0066, 0.5), (0.008, 1.0), (0.014, 1.0), (0.0151, 2.0), (0.02, 2.0)],
)
def test_the_penalty_controller_by_hand(observed, after):
    assert next_penalty_coef(1.0, observed, target_kl=0.01) == after
    assert next_penalty_coef(3.0, observed, target_kl=0.01) == 3 * after


def test_the_penalty_controller_stands_still_on_its_bounds():
    assert next_penalty_coef(1.0, 6.0, target_kl=4.0) == 1  # exactly 1.5 times
    assert next_penalty_coef(1.0, 4.0, target_kl=6.0) == 1  # exactly one 1.5th


def test_a_response_without_an_end_may_get_another_score():
    scores = torch.tensor([2.0, 2.0, -3.0])
    finished = torch.tensor([True, False, False])
    assert replaced_eos(scores, finished, penalty=1.0).tolist() == [2, -1, -1]
    assert replaced_eos(scores, finished, penalty=0.0).tolist() == [2, 0, 0]
    assert scores.tolist() == [2, 2, -3]


@pytest.mark.parametrize(
    ("n", "kl"),
    [
        (1, 0),
        (2, 0.1931472),
        (4, 0.6362944),
        (10, 1.4025851),
        (16, 1.8350887),
        (64, 3.1745081),
        (1000, 5.9087553),
        (60_000, 10.0021165),
    ],
)
def test_best_of_n_by_hand(n, kl):
    assert best_of_n_kl(n) == pytest.approx(kl, abs=1e-6)


# By law


@given(seed=st.integers(0, 10_000), vocabulary=st.integers(2, 9))
@settings(deadline=None, max_examples=50)
def test_k1_and_k3_are_unbiased_and_k3_is_never_negative(seed, vocabulary):
    p, q = logprobs(seed, vocabulary), logprobs(seed + 1, vocabulary)
    logratio = p.log_softmax(0) - q.log_softmax(0)
    truth = exact_kl(p, q)
    torch.testing.assert_close((p.softmax(0) * k1(logratio)).sum(), truth)
    torch.testing.assert_close((p.softmax(0) * k3(logratio)).sum(), truth)
    assert (k3(logratio) >= 0).all() and (k2(logratio) >= 0).all() and truth >= 0
    torch.testing.assert_close(exact_kl(p + 3, q - 5), truth)
    assert exact_kl(p, p).item() == pytest.approx(0)


def test_only_k2_has_the_gradient_of_the_kl():
    # enumerate all tokens: the expectation of the estimators' gradients is exact
    q = logprobs(2, 5).log_softmax(0)
    p = logprobs(1, 5).requires_grad_()
    weights = p.detach().softmax(0)
    wanted = torch.autograd.grad(exact_kl(p, q), p)[0]
    of_k2 = torch.autograd.grad((weights * k2(p.log_softmax(0) - q)).sum(), p)[0]
    of_k1 = torch.autograd.grad((weights * k1(p.log_softmax(0) - q)).sum(), p)[0]
    torch.testing.assert_close(of_k2, wanted)
    torch.testing.assert_close(of_k1, torch.zeros_like(wanted))


@given(
    seed=st.integers(0, 10_000),
    lengths=st.lists(st.integers(0, 5), min_size=1, max_size=4),
    pad=st.integers(0, 3),
    kl_coef=st.floats(0, 2),
)
@settings(deadline=None, max_examples=50)
def test_rewards_add_up_to_score_minus_the_tax(seed, lengths, pad, kl_coef):
    width = max(lengths) + pad
    mask = torch.arange(width)[None] < torch.tensor(lengths)[:, None]
    ours, ref = logprobs(seed, len(lengths), width), logprobs(seed + 1, len(lengths), width)
    ours[~mask] = math.nan  # padding never leaks
    scores = logprobs(seed + 2, len(lengths)) + 2
    rewards = token_rewards(scores, ours, ref, mask, kl_coef=kl_coef)
    assert (rewards[~mask] == 0).all()
    for b, length in enumerate(lengths):
        tax = kl_coef * sum(ours[b, t].item() - ref[b, t].item() for t in range(length))
        expected = scores[b].item() - tax if length else 0
        assert rewards[b].sum().item() == pytest.approx(expected, abs=1e-9)
        if length > 1:  # the score is on the last token and nowhere else
            first = -kl_coef * (ours[b, 0] - ref[b, 0]).item()
            assert rewards[b, 0].item() == pytest.approx(first, abs=1e-9)


def test_no_gradient_flows_through_a_reward():
    ours = torch.zeros(1, 2, requires_grad=True)
    scores = torch.zeros(1, requires_grad=True)
    mask = torch.tensor([[True, True]])
    assert not token_rewards(scores, ours, ours * 2, mask, kl_coef=1.0).requires_grad


@given(observed=st.floats(0, 100), target=st.floats(0.1, 20), episodes=st.integers(1, 5000))
def test_the_controller_moves_towards_the_target(observed, target, episodes):
    after = next_kl_coef(1.0, observed, target_kl=target, horizon=10_000.0, episodes=episodes)
    assert after > 0
    assert (after >= 1) if observed >= target else (after <= 1)
    assert abs(after - 1) <= 0.2 * episodes / 10_000 + 1e-12


# By twin


def test_the_best_of_n_formula_agrees_with_an_integral():
    # density of the best of n uniform draws is n u^(n-1); KL = ∫ f log f
    n, steps = 7, 200_000
    u = (torch.arange(steps, dtype=torch.float64) + 0.5) / steps
    density = n * u ** (n - 1)
    assert (density * density.log()).mean().item() == pytest.approx(best_of_n_kl(n), abs=1e-6)


def test_exact_kl_agrees_with_a_loop_and_its_gradient_with_finite_differences():
    p, q = logprobs(3, 2, 4), logprobs(4, 2, 4)
    found = exact_kl(p, q)
    for b in range(2):
        x, y = p[b].softmax(0).tolist(), q[b].softmax(0).tolist()
        expected = sum(a * math.log(a / c) for a, c in zip(x, y, strict=True))
        assert found[b].item() == pytest.approx(expected)
    assert torch.autograd.gradcheck(exact_kl, (p.requires_grad_(), q.requires_grad_()))


# Edges


def test_a_token_that_neither_has_adds_nothing():
    p = torch.tensor([0.5, 0.5, 0.0]).log()
    assert exact_kl(p, torch.tensor([0.9, 0.1, 0.0]).log()).item() == pytest.approx(0.5108256)
    assert exact_kl(p, torch.tensor([1.0, 0.0, 0.0]).log()).item() == math.inf


def test_k3_is_accurate_for_tiny_ratios():
    # ½ x² to leading order; exp(-x) - 1 + x would be noise in float32
    assert k3(torch.tensor([1e-3])).item() == pytest.approx(4.998e-7, rel=0.2)


def test_one_token_and_none():
    mask = torch.tensor([[True], [False]])
    rewards = token_rewards(
        torch.tensor([3.0, 3.0]), torch.ones(2, 1), torch.zeros(2, 1), mask, kl_coef=1.0
    )
    assert rewards.tolist() == [[2], [0]]


@pytest.mark.parametrize(("target", "horizon"), [(0.0, 1.0), (-1.0, 1.0), (1.0, 0.0), (1.0, -1.0)])
def test_a_controller_without_a_target_is_refused(target, horizon):
    with pytest.raises(ValueError, match="target_kl"):
        next_kl_coef(0.1, 1.0, target_kl=target, horizon=horizon, episodes=1)


def test_small_positive_targets_and_horizons_are_fine():
    # e = clip(.05 / .1 - 1) = -.2: 1 - .2 * 1 / .5
    assert next_kl_coef(1.0, 0.05, target_kl=0.1, horizon=0.5, episodes=1) == pytest.approx(0.6)
    assert next_penalty_coef(1.0, 0.1, target_kl=0.1) == 1


@pytest.mark.parametrize("target", [0.0, -1.0])
def test_a_penalty_controller_without_a_target_is_refused(target):
    with pytest.raises(ValueError, match="target_kl"):
        next_penalty_coef(1.0, 1.0, target_kl=target)


def test_the_best_of_no_samples_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        best_of_n_kl(0)
