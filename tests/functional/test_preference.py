"""Losses of preference models: known answers C5 and C6, laws, twins, edges."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.functional.preference import (
    accuracy,
    best_of_k_loss,
    bradley_terry_loss,
    normalise,
    plackett_luce_loss,
    ranking_loss,
    ranking_pairs,
    soft_ranking_loss,
)

LN2 = 0.6931472


def drawn(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64) * 2


def one(*values: float) -> torch.Tensor:
    return torch.tensor([values], dtype=torch.float64)


def ranked(*ranks: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ranks of one comparison and a mask of present candidates; rank 0 stands for absent."""
    values = torch.tensor([ranks])
    return values, values > 0


# By hand


def test_bradley_terry_by_hand():
    # 1, 2 and 4 nats: .7310586, .8807971, .9820138
    loss = bradley_terry_loss(torch.tensor([1.0, 2.5, 4.0]), torch.tensor([0.0, 0.5, 0.0]))
    torch.testing.assert_close(
        loss.exp().reciprocal(), torch.tensor([0.7310586, 0.8807971, 0.9820138])
    )


@pytest.mark.parametrize(("margin", "loss"), [(0, LN2), (0.4054651, 0.6730117), (2, 0.9269280)])
def test_a_soft_target_by_hand(margin, loss):
    found = bradley_terry_loss(torch.tensor([float(margin)]), torch.zeros(1), target=0.6)
    assert found.item() == pytest.approx(loss, abs=1e-6)
    found = bradley_terry_loss(
        torch.tensor([float(margin)]), torch.zeros(1), target=torch.tensor([0.6])
    )
    assert found.item() == pytest.approx(loss, abs=1e-6)


@pytest.mark.parametrize(
    ("scores", "pairs", "plackett_luce", "best"),
    [
        ((1, 0, -1), 0.2511505, 0.7208677, 0.4076060),
        ((-1, 0, 1), 1.5844838, 3.7208677, 2.4076060),
        ((2, 1, 0, -1), 0.2070381, 1.1610574, 0.4401897),
        ((0, 0, 0, 0), LN2, 3.1780538, 1.3862944),
        ((0,) * 9, LN2, 12.8018275, 2.1972246),
    ],
)
def test_rankings_by_hand(scores, pairs, plackett_luce, best):
    ranks, mask = ranked(*range(1, len(scores) + 1))
    assert ranking_loss(one(*scores), ranks, mask).item() == pytest.approx(pairs, abs=1e-6)
    found = plackett_luce_loss(one(*scores), ranks, mask)
    assert found.item() == pytest.approx(plackett_luce, abs=1e-6)
    found = best_of_k_loss(one(*scores), torch.tensor([0]))
    assert found.item() == pytest.approx(best, abs=1e-6)


def test_ziegler_four_way_by_hand():
    scores = torch.tensor([[1.0, 0.0, 0.0, -1.0]] * 2)
    found = best_of_k_loss(scores, torch.tensor([0, 3]))
    torch.testing.assert_close(found, torch.tensor([0.6265234, 2.6265234]))


def test_the_gradient_of_a_ranking_by_hand():
    scores = one(1, 0, -1).requires_grad_()
    ranking_loss(scores, *ranked(1, 2, 3)).sum().backward()
    assert scores.grad[0].tolist() == pytest.approx([-0.1293815, 0, 0.1293815], abs=1e-6)


def test_pairs_by_hand():
    # the second is best, the first and third tie, the fourth is absent
    pairs = ranking_pairs(*ranked(2, 1, 2, 0))
    assert pairs[0].nonzero().tolist() == [[1, 0], [1, 2]]


def test_ties_and_absent_candidates_by_hand():
    # only 1 over 0 and 1 over 2 count: margins 1 and 2, mean of .3132617 and .1269280
    found = ranking_loss(one(0, 1, -1, 77), *ranked(2, 1, 2, 0))
    assert found.item() == pytest.approx((0.3132617 + 0.1269280) / 2, abs=1e-6)


def test_several_labelers_by_hand():
    # three put 0 above 1, one the other way; the margin is ln 3, where the loss is least:
    # 3/4 ln(4/3) + 1/4 ln 4
    wins = torch.tensor([[[0.0, 3.0], [1.0, 0.0]]], dtype=torch.float64)
    scores = one(math.log(3), 0).requires_grad_()
    loss = soft_ranking_loss(scores, wins)
    assert loss.item() == pytest.approx(0.5623351, abs=1e-6)
    loss.sum().backward()
    assert scores.grad.abs().max() < 1e-12


def test_fractional_wins_by_hand():
    # half a win each way is a tie; together they weigh as much as one answer
    tie = torch.tensor([[[0.0, 0.5], [0.5, 0.0]]], dtype=torch.float64)
    # 1/2 · .3132617 + 1/2 · 1.3132617
    assert soft_ranking_loss(one(1, 0), tie).item() == pytest.approx(0.8132617, abs=1e-6)
    # a tenth of a win weighs as much as any other single answer
    small = torch.tensor([[[0.0, 0.1], [0.0, 0.0]]], dtype=torch.float64)
    assert soft_ranking_loss(one(1, 0), small).item() == pytest.approx(0.3132617, abs=1e-6)


def test_accuracy_by_hand():
    # right, wrong, equal, right
    chosen, rejected = torch.tensor([1.0, 0.0, 2.0, 5.0]), torch.tensor([0.0, 1.0, 2.0, 4.0])
    assert accuracy(chosen, rejected).item() == pytest.approx(2.5 / 4)


def test_normalise_by_hand():
    assert normalise(2.0, 4.0) == (0.25, -0.5)
    assert normalise(0.3, 0.5) == (2.0, -0.6)


# By law


@given(seed=st.integers(0, 10_000), target=st.floats(0, 1))
@settings(deadline=None, max_examples=30)
def test_swapping_the_sides_swaps_the_target(seed, target):
    chosen, rejected = drawn(seed, 4), drawn(seed + 1, 4)
    torch.testing.assert_close(
        bradley_terry_loss(chosen, rejected, target=target),
        bradley_terry_loss(rejected, chosen, target=1 - target),
    )
    likelihoods = bradley_terry_loss(chosen, rejected), bradley_terry_loss(rejected, chosen)
    torch.testing.assert_close(
        (-likelihoods[0]).exp() + (-likelihoods[1]).exp(), torch.ones(4, dtype=torch.float64)
    )


@given(seed=st.integers(0, 10_000), shift=st.floats(-50, 50), order=st.permutations(range(4)))
@settings(deadline=None, max_examples=30)
def test_neither_a_constant_nor_the_order_of_candidates_matters(seed, shift, order):
    scores, (ranks, mask) = drawn(seed, 1, 4), ranked(2, 4, 1, 3)
    for loss in (ranking_loss, plackett_luce_loss):
        plain = loss(scores, ranks, mask)
        torch.testing.assert_close(loss(scores + shift, ranks, mask), plain)
        shuffled = loss(scores[:, order], ranks[:, order], mask[:, order])
        torch.testing.assert_close(shuffled, plain)
    best = best_of_k_loss(scores, torch.tensor([2]))
    torch.testing.assert_close(best_of_k_loss(scores + shift, torch.tensor([2])), best)


@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=20)
def test_the_probabilities_of_all_rankings_sum_to_one(seed):
    scores = drawn(seed, 1, 4)
    total = sum(
        math.exp(-plackett_luce_loss(scores, *ranked(*ranks)).item())
        for ranks in itertools.permutations((1, 2, 3, 4))
    )
    assert total == pytest.approx(1)
    total = sum(math.exp(-best_of_k_loss(scores, torch.tensor([k])).item()) for k in range(4))
    assert total == pytest.approx(1)


@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=20)
def test_two_candidates_are_one_comparison(seed):
    scores = drawn(seed, 1, 2)
    expected = bradley_terry_loss(scores[:, 0], scores[:, 1])
    torch.testing.assert_close(ranking_loss(scores, *ranked(1, 2)), expected)
    torch.testing.assert_close(plackett_luce_loss(scores, *ranked(1, 2)), expected)
    torch.testing.assert_close(best_of_k_loss(scores, torch.tensor([0])), expected)


@pytest.mark.parametrize("poison", [math.inf, -math.inf, math.nan, 1e30])
def test_absent_candidates_leak_into_neither_value_nor_gradient(poison):
    scores = torch.tensor([[1.0, 0.0, poison]], requires_grad=True)
    ranks, mask = torch.tensor([[1, 2, 1]]), torch.tensor([[True, True, False]])
    for loss in (ranking_loss(scores, ranks, mask), plackett_luce_loss(scores, ranks, mask)):
        assert loss.item() == pytest.approx(0.3132617, abs=1e-6)
        (gradient,) = torch.autograd.grad(loss.sum(), scores)
        assert gradient[0].tolist() == pytest.approx([-0.2689414, 0.2689414, 0], abs=1e-6)


def test_soft_ranking_of_one_answer_is_the_ranking_loss():
    scores, (ranks, mask) = drawn(5, 2, 4), ranked(3, 1, 2, 2)
    ranks, mask = ranks.expand(2, 4), mask.expand(2, 4)
    wins = ranking_pairs(ranks, mask).double()
    torch.testing.assert_close(soft_ranking_loss(scores, wins), ranking_loss(scores, ranks, mask))
    torch.testing.assert_close(soft_ranking_loss(scores, 3 * wins), soft_ranking_loss(scores, wins))


# By twin


def test_rankings_agree_with_loops_over_pairs():
    scores = drawn(7, 3, 5)
    ranks = torch.tensor([[1, 2, 2, 3, 0], [5, 4, 3, 2, 1], [1, 1, 1, 1, 0]])
    found = ranking_loss(scores, ranks, ranks > 0)
    for n in range(3):
        losses = [
            math.log1p(math.exp((scores[n, j] - scores[n, i]).item()))
            for i, j in itertools.permutations(range(5), 2)
            if 0 < ranks[n, i] < ranks[n, j]
        ]
        expected = sum(losses) / len(losses) if losses else 0
        assert found[n].item() == pytest.approx(expected)


def test_plackett_luce_agrees_with_a_loop():
    scores, order = drawn(8, 4), [2, 0, 3, 1]  # best first
    ranks = torch.tensor([[order.index(k) + 1 for k in range(4)]])
    expected = 0.0
    for place in range(4):
        rest = [math.exp(scores[k]) for k in order[place:]]
        expected -= math.log(rest[0] / sum(rest))
    found = plackett_luce_loss(scores[None], ranks, ranks > 0)
    assert found.item() == pytest.approx(expected)


def test_gradients_agree_with_finite_differences():
    scores, (ranks, mask) = drawn(9, 1, 4).requires_grad_(), ranked(2, 1, 3, 0)
    assert torch.autograd.gradcheck(lambda s: ranking_loss(s, ranks, mask), scores)
    assert torch.autograd.gradcheck(lambda s: plackett_luce_loss(s, ranks, mask), scores)
    assert torch.autograd.gradcheck(lambda s: best_of_k_loss(s, torch.tensor([1])), scores)
    pair = drawn(10, 3).requires_grad_(), drawn(11, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: bradley_terry_loss(a, b, target=0.3), pair)


# Edges


def test_extreme_scores_do_not_overflow():
    big, zero = torch.tensor([1e4]), torch.tensor([0.0])
    assert bradley_terry_loss(big, zero).item() == 0
    assert bradley_terry_loss(zero, big).item() == 1e4
    assert ranking_loss(one(0, 1e4), *ranked(1, 2)).item() == 1e4


def test_comparisons_that_decide_nothing_cost_nothing():
    scores = one(1, 2).requires_grad_()
    for ranks in ((1, 1), (0, 0), (1, 0)):
        loss = ranking_loss(scores, *ranked(*ranks))
        assert loss.item() == 0
        assert torch.autograd.grad(loss.sum(), scores)[0].tolist() == [[0, 0]]
    assert plackett_luce_loss(scores, *ranked(0, 0)).item() == 0
    assert plackett_luce_loss(scores, *ranked(1, 0)).item() == 0
    assert accuracy(torch.zeros(0), torch.zeros(0)).item() == 0


def test_plackett_luce_refuses_ties():
    with pytest.raises(ValueError, match="share a rank"):
        plackett_luce_loss(one(1, 2), *ranked(1, 1))


@pytest.mark.parametrize("std", [0.0, -1.0])
def test_scores_that_do_not_differ_cannot_be_normalised(std):
    with pytest.raises(ValueError, match="differ"):
        normalise(0.0, std)
