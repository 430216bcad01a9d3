"""Losses of whole answers, ties and ratings: known answers C5 and C6, laws, twins, edges."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.functional.preference import (
    best_of_k_loss,
    plackett_luce_loss,
    ranking_loss,
    soft_ranking_loss,
)
from accord.functional.rankings import (
    clamped,
    clamped_wins,
    first_choice_loss,
    margin_ranking_loss,
    tied_plackett_luce_loss,
)
from accord.functional.regression import rating_difference_loss, rating_loss
from accord.functional.ties import davidson_loss, rao_kupper_loss

LN2 = 0.6931472


def number(value):
    return torch.tensor(float(value), dtype=torch.float64)


def one(*values):
    return torch.tensor([values], dtype=torch.float64)


def ranked(*ranks):
    """Ranks of one answer and a mask of present candidates; rank 0 stands for absent."""
    values = torch.tensor([ranks])
    return values, values > 0


# By hand


def test_clamped_labels_by_hand():
    found = clamped(torch.tensor([0.97, 0.55, 0.02]), 0.6)
    torch.testing.assert_close(found, torch.tensor([0.6, 0.55, 0.4]))
    with pytest.raises(ValueError, match="largest label is"):
        clamped(torch.tensor([1.0]), 0.4)


def test_a_clamped_label_asks_for_ln_one_and_a_half():
    """At a label of .6 the loss is least at a margin of .4054651, where it is .6730117."""
    wins = clamped_wins(torch.tensor([[[0.0, 5.0], [0.0, 0.0]]], dtype=torch.float64), 0.6)
    assert wins[0].tolist() == [[0, pytest.approx(3)], [pytest.approx(2), 0]]
    scores = one(0.4054651, 0).requires_grad_()
    loss = soft_ranking_loss(scores, wins)
    loss.sum().backward()
    assert loss.item() == pytest.approx(0.6730117, abs=1e-6)
    assert scores.grad.abs().max() < 1e-6


@pytest.mark.parametrize(
    ("scores", "best", "loss"),
    [((1, 0, 0, -1), 0, 0.6265234), ((1, 0, 0, -1), 3, 2.6265234), ((1, 0, -1), 0, 0.4076060)],
)
def test_first_choices_by_hand(scores, best, loss):
    ranks, mask = ranked(*(1 if k == best else 2 for k in range(len(scores))))
    assert first_choice_loss(one(*scores), ranks, mask).item() == pytest.approx(loss, abs=1e-6)


def test_a_shared_first_place_by_hand():
    # .5 · .6265234 + .5 · 2.6265234; an absent candidate with a huge score is not there
    ranks, mask = ranked(1, 2, 2, 1, 0)
    found = first_choice_loss(one(1, 0, 0, -1, 99), ranks, mask)
    assert found.item() == pytest.approx(1.6265234, abs=1e-6)


@pytest.mark.parametrize(
    ("scores", "loss"),
    [((1, 0, -1), 0.7208677), ((-1, 0, 1), 3.7208677), ((2, 1, 0, -1), 1.1610574)],
)
def test_without_ties_it_is_plackett_and_luce(scores, loss):
    ranks, mask = ranked(*range(1, len(scores) + 1))
    found = tied_plackett_luce_loss(one(*scores), ranks, mask, number(-60))
    assert found.item() == pytest.approx(loss, abs=1e-6)


def test_a_ranking_with_a_tie_by_hand():
    # equal scores, ν = 1: of three, seven sets are equally likely; of the last two, three sets
    found = tied_plackett_luce_loss(one(0, 0, 0), *ranked(1, 2, 2), number(0))
    assert found.item() == pytest.approx(math.log(7) + math.log(3))
    # all three equal: one set of seven. With ν = 2 the sets weigh 3 · 1 + 3 · 2 + 4 = 13
    found = tied_plackett_luce_loss(one(0, 0, 0), *ranked(1, 1, 1), number(0))
    assert found.item() == pytest.approx(math.log(7))
    found = tied_plackett_luce_loss(one(0, 0, 0), *ranked(1, 1, 1), number(math.log(2)))
    assert found.item() == pytest.approx(math.log(13 / 4))


def test_davidson_by_hand():
    # equal responses, ν = 2: win 1/4, tie 1/2
    tie = number(math.log(2))
    assert davidson_loss(one(0, 0), *ranked(1, 2), tie).item() == pytest.approx(2 * LN2)
    assert davidson_loss(one(0, 0), *ranked(1, 1), tie).item() == pytest.approx(LN2)
    # margin 2 ln 2, ν = 1: weights 2, 1/2, 1 of 3.5
    scores = one(2 * math.log(2), 0)
    assert davidson_loss(scores, *ranked(1, 2), number(0)).item() == pytest.approx(
        math.log(3.5 / 2)
    )
    assert davidson_loss(scores, *ranked(2, 1), number(0)).item() == pytest.approx(math.log(7))
    assert davidson_loss(scores, *ranked(1, 1), number(0)).item() == pytest.approx(math.log(3.5))


def test_rao_and_kupper_by_hand():
    # equal responses, θ = 3: win 1/4, tie 1/2
    threshold = number(math.log(3))
    assert rao_kupper_loss(one(0, 0), *ranked(1, 2), threshold).item() == pytest.approx(2 * LN2)
    assert rao_kupper_loss(one(0, 0), *ranked(1, 1), threshold).item() == pytest.approx(LN2)
    # strengths 4 and 1, θ = 2: wins 4/6 and 1/9, tie the rest, 2/9
    scores = one(math.log(4), 0)
    for ranks, probability in (((1, 2), 2 / 3), ((2, 1), 1 / 9), ((1, 1), 2 / 9)):
        found = rao_kupper_loss(scores, *ranked(*ranks), number(math.log(2)))
        assert found.item() == pytest.approx(-math.log(probability))


def test_a_margin_by_hand():
    # 1 − 0 − 1 = 0 and 1 − (−1) − 1 = 1 nats, and 0 − (−1) − 1 = 0: (2 ln 2 + .3132617) / 3
    found = margin_ranking_loss(one(1, 0, -1), *ranked(1, 2, 3), one(1)[0])
    assert found.item() == pytest.approx((2 * LN2 + 0.3132617) / 3, abs=1e-6)


def test_ratings_by_hand():
    scores, ratings = one(1, 3, 9), one(2, 5, 0)
    mask = torch.tensor([[True, True, False]])
    assert rating_loss(scores, ratings, mask).item() == pytest.approx(2.5)
    assert rating_difference_loss(scores, ratings, mask).item() == pytest.approx(1)
    # differences: −2 − −3, −8 − 2, −6 − 5
    every = torch.ones(1, 3, dtype=torch.bool)
    found = rating_difference_loss(scores, ratings, every)
    assert found.item() == pytest.approx((1 + 100 + 121) / 3)


# By law

TIE = number(0.3)
LOSSES = {
    "first choice": first_choice_loss,
    "margin": lambda s, r, m: margin_ranking_loss(s, r, m, s.new_full((len(s),), 0.4)),
    "plackett-luce": lambda s, r, m: tied_plackett_luce_loss(s, r, m, TIE),
    "davidson": lambda s, r, m: davidson_loss(s, r, m, TIE),
    "rao-kupper": lambda s, r, m: rao_kupper_loss(s, r, m, TIE),
    "rating difference": lambda s, r, m: rating_difference_loss(s, -r.to(s.dtype), m),
}
answers = st.lists(st.integers(1, 3), min_size=2, max_size=5)


def drawn(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("name", LOSSES)
@given(ranks=answers, seed=st.integers(0, 999), shift=st.floats(-9, 9))
@settings(deadline=None, max_examples=15)
def test_a_constant_changes_nothing_and_order_of_candidates_neither(name, ranks, seed, shift):
    loss = LOSSES[name]
    scores = drawn(seed, 1, len(ranks))
    values, mask = ranked(*ranks)
    found = loss(scores, values, mask)
    torch.testing.assert_close(loss(scores + shift, values, mask), found)
    order = torch.randperm(len(ranks), generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(loss(scores[:, order], values[:, order], mask[:, order]), found)


@pytest.mark.parametrize("name", [*LOSSES, "rating"])
@given(ranks=answers, seed=st.integers(0, 999), wild=st.floats(-50, 50))
@settings(deadline=None, max_examples=10)
def test_an_absent_candidate_has_no_part(name, ranks, seed, wild):
    loss = (LOSSES | {"rating": lambda s, r, m: rating_loss(s, r.to(s.dtype), m)})[name]
    scores = drawn(seed, 1, len(ranks))
    wider = torch.cat([scores, one(wild)], dim=1).requires_grad_()
    found = loss(wider, *ranked(*ranks, 0))
    torch.testing.assert_close(found, loss(scores, *ranked(*ranks)))
    found.sum().backward()
    assert wider.grad[0, -1] == 0
    assert wider.grad.isfinite().all()


@given(seed=st.integers(0, 999), tie=st.floats(-3, 3))
@settings(deadline=None, max_examples=15)
def test_win_loss_and_tie_are_all_there_is(seed, tie):
    scores = drawn(seed, 1, 2)
    answers = [(1, 2), (2, 1), (1, 1)]
    for loss, value in (
        (davidson_loss, tie),
        (rao_kupper_loss, math.exp(tie)),
        (tied_plackett_luce_loss, tie),
    ):
        total = sum((-loss(scores, *ranked(*ranks), number(value))).exp() for ranks in answers)
        assert total.item() == pytest.approx(1)


@given(seed=st.integers(0, 999), tie=st.floats(-3, 3), ranks=st.sampled_from([(1, 2), (1, 1)]))
@settings(deadline=None, max_examples=10)
def test_two_candidates_with_ties_are_davidsons(seed, tie, ranks):
    scores = drawn(seed, 1, 2)
    torch.testing.assert_close(
        tied_plackett_luce_loss(scores, *ranked(*ranks), number(tie)),
        davidson_loss(scores, *ranked(*ranks), number(tie)),
    )


def test_every_ranking_of_three_together_is_certain():
    """13 weak orders of three candidates; their probabilities add up to one."""
    orders = {
        tuple(sorted(set(ranks)).index(rank) + 1 for rank in ranks)
        for ranks in itertools.product((1, 2, 3), repeat=3)
    }
    assert len(orders) == 13
    total = sum(
        (-tied_plackett_luce_loss(one(0.3, -1, 2), *ranked(*order), TIE)).exp() for order in orders
    )
    assert total.item() == pytest.approx(1)


def test_without_ties_the_old_losses_come_out():
    scores, (ranks, mask) = drawn(3, 1, 4), ranked(2, 4, 1, 3)
    torch.testing.assert_close(
        margin_ranking_loss(scores, ranks, mask, scores.new_zeros(1)),
        ranking_loss(scores, ranks, mask),
    )
    torch.testing.assert_close(
        first_choice_loss(scores, ranks, mask), best_of_k_loss(scores, torch.tensor([2]))
    )
    torch.testing.assert_close(
        tied_plackett_luce_loss(scores, ranks, mask, number(-80)),
        plackett_luce_loss(scores, ranks, mask),
    )
    # no threshold, no ties: Bradley and Terry
    torch.testing.assert_close(
        rao_kupper_loss(scores, ranks, mask, number(1e-12)), ranking_loss(scores, ranks, mask)
    )
    torch.testing.assert_close(
        davidson_loss(scores, ranks, mask, number(-80)), ranking_loss(scores, ranks, mask)
    )


# By twins: plain probabilities, pair by pair and set by set


def twin_tied(scores, ranks, nu):
    left, total = list(range(len(ranks))), 0.0
    while left:
        best = min(ranks[k] for k in left)
        chosen = [k for k in left if ranks[k] == best]

        def weight(some):
            product = math.prod(math.exp(scores[k]) for k in some)
            return nu ** (len(some) - 1) * product ** (1 / len(some))

        sets = [s for n in range(1, len(left) + 1) for s in itertools.combinations(left, n)]
        total -= math.log(weight(chosen) / sum(map(weight, sets)))
        left = [k for k in left if k not in chosen]
    return total


def twin_pairs(scores, ranks, win, tie):
    losses = []
    for i, j in itertools.combinations(range(len(ranks)), 2):
        if ranks[i] == ranks[j]:
            losses.append(-math.log(tie(math.exp(scores[i]), math.exp(scores[j]))))
        else:
            a, b = (i, j) if ranks[i] < ranks[j] else (j, i)
            losses.append(-math.log(win(math.exp(scores[a]), math.exp(scores[b]))))
    return sum(losses) / len(losses)


def twin_davidson(scores, ranks, nu):
    def total(p, q):
        return p + q + nu * math.sqrt(p * q)

    return twin_pairs(
        scores,
        ranks,
        lambda p, q: p / total(p, q),
        lambda p, q: nu * math.sqrt(p * q) / total(p, q),
    )


def twin_rao_kupper(scores, ranks, theta):
    return twin_pairs(
        scores,
        ranks,
        lambda p, q: p / (p + theta * q),
        lambda p, q: 1 - p / (p + theta * q) - q / (q + theta * p),
    )


def twin_margin(scores, ranks, margin):
    pairs = [
        math.log1p(math.exp(-(scores[i] - scores[j] - margin)))
        for i, j in itertools.permutations(range(len(ranks)), 2)
        if ranks[i] < ranks[j]
    ]
    return sum(pairs) / max(len(pairs), 1)


def twin_first(scores, ranks, _):
    first = [k for k, rank in enumerate(ranks) if rank == min(ranks)]
    total = sum(map(math.exp, scores))
    return -sum(math.log(math.exp(scores[k]) / total) for k in first) / len(first)


TWINS = [
    (tied_plackett_luce_loss, twin_tied, math.exp),
    (davidson_loss, twin_davidson, math.exp),
    (rao_kupper_loss, twin_rao_kupper, math.exp),
    (lambda s, r, m, x: margin_ranking_loss(s, r, m, x[None]), twin_margin, float),
    (lambda s, r, m, x: first_choice_loss(s, r, m) + 0 * x, twin_first, float),
]


@pytest.mark.parametrize(
    ("loss", "twin", "parameter"), TWINS, ids=lambda v: getattr(v, "__name__", "")
)
@pytest.mark.parametrize("ranks", [(1, 2), (1, 1, 2), (2, 1, 3, 2), (1, 1, 1), (3, 1, 2, 3, 3)])
def test_gradients_equal_those_of_slow_twins(loss, twin, parameter, ranks):
    """Central differences of the twin, in float64, to 1e-6; of the parameter as well."""
    scores, free = drawn(len(ranks), 1, len(ranks)).requires_grad_(), number(0.7).requires_grad_()
    found = loss(scores, *ranked(*ranks), free)
    assert found.item() == pytest.approx(twin(scores[0].tolist(), ranks, parameter(0.7)), abs=1e-9)
    found.sum().backward()
    values, step = scores[0].tolist(), 1e-5

    def at(index, change):
        moved = [v + change * (k == index) for k, v in enumerate(values)]
        free_value = 0.7 + change * (index == len(values))
        return twin(moved, ranks, parameter(free_value))

    gradient = [*scores.grad[0].tolist(), free.grad.item()]
    slopes = [(at(k, step) - at(k, -step)) / (2 * step) for k in range(len(values) + 1)]
    assert gradient == pytest.approx(slopes, abs=1e-6)


def twin_rating(scores, ratings):
    rated = [(s - r) ** 2 for s, r in zip(scores, ratings, strict=True) if r is not None]
    return sum(rated) / max(len(rated), 1)


def twin_rating_difference(scores, ratings):
    rated = [(s, r) for s, r in zip(scores, ratings, strict=True) if r is not None]
    pairs = [((s - t) - (r - q)) ** 2 for (s, r), (t, q) in itertools.combinations(rated, 2)]
    return sum(pairs) / max(len(pairs), 1)


@pytest.mark.parametrize(
    ("loss", "twin"),
    [(rating_loss, twin_rating), (rating_difference_loss, twin_rating_difference)],
    ids=["rating", "rating difference"],
)
@pytest.mark.parametrize(
    "ratings", [(2, 5), (1, None, 4), (3, 3, 1, 7), (None, 2), (None, None)], ids=str
)
def test_gradients_of_ratings_equal_those_of_slow_twins(loss, twin, ratings):
    """As above; where nobody rated, neither the score nor the filler counts."""
    scores = drawn(len(ratings), 1, len(ratings)).requires_grad_()
    given = one(*(50 if rating is None else rating for rating in ratings))
    found = loss(scores, given, torch.tensor([[rating is not None for rating in ratings]]))
    values, step = scores[0].tolist(), 1e-5
    assert found.item() == pytest.approx(twin(values, ratings), abs=1e-9)
    found.sum().backward()

    def at(index, change):
        return twin([v + change * (k == index) for k, v in enumerate(values)], ratings)

    slopes = [(at(k, step) - at(k, -step)) / (2 * step) for k in range(len(values))]
    assert scores.grad[0].tolist() == pytest.approx(slopes, abs=1e-6)


# Edges


def test_too_many_candidates_for_sets():
    with pytest.raises(ValueError, match="at most 9"):
        tied_plackett_luce_loss(torch.zeros(1, 10), *ranked(*range(1, 11)), torch.tensor(0.0))


@pytest.mark.parametrize("name", ["davidson", "rao-kupper", "margin", "plackett-luce"])
def test_large_scores_stay_finite(name):
    scores = one(800, -800, 0).requires_grad_()
    for ranks in ((1, 2, 3), (3, 2, 1), (1, 1, 1)):
        loss = LOSSES[name](scores, *ranked(*ranks))
        (gradient,) = torch.autograd.grad(loss.sum(), scores)
        assert loss.isfinite().all()
        assert gradient.isfinite().all()
