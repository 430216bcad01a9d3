"""Best of n: known answers C12, laws, twins that count and that draw, edges."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.functional.best_of_n import best_index, best_of_n_mean, best_of_n_probs, median_index
from accord.functional.kl import best_of_n_kl, exact_kl


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def kl_of(probs, scores, n):
    best = best_of_n_probs(probs, scores, n=n)
    return float(exact_kl(best.log(), probs.log()))


@pytest.mark.parametrize(("p", "n", "kl"), [(0.5, 2, 0.1308120), (0.1, 4, 0.2173976)])
def test_two_outcomes_by_hand(p, n, kl):
    # the better outcome is missed only if all n draws miss it: q = 1 − (1 − p)ⁿ
    probs, scores = double(p, 1 - p), double(1.0, 0.0)
    q = 1 - (1 - p) ** n
    assert best_of_n_probs(probs, scores, n=n).tolist() == pytest.approx([q, 1 - q])
    assert kl_of(probs, scores, n) == pytest.approx(kl, abs=1e-7)
    assert kl < best_of_n_kl(n)


def test_many_unlikely_responses_reach_the_formula():
    probs, scores = torch.full((4000,), 1 / 4000).double(), torch.arange(4000).double()
    for n in (2, 16):
        assert kl_of(probs, scores, n) == pytest.approx(best_of_n_kl(n), abs=2e-3)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 2), min_size=2, max_size=4),
    st.integers(1, 3),
    st.randoms(use_true_random=False),
)
def test_against_all_sequences_of_draws(scores, n, random):
    """The twin lists every sequence of n draws; ties are split between the winners."""
    weights = [random.random() + 0.05 for _ in scores]
    probs = [w / sum(weights) for w in weights]
    twin = [0.0] * len(scores)
    for drawn in itertools.product(range(len(scores)), repeat=n):
        chance = math.prod(probs[y] for y in drawn)
        winners = [y for y in drawn if scores[y] == max(scores[d] for d in drawn)]
        for y in winners:
            twin[y] += chance / len(winners)
    found = best_of_n_probs(double(*probs), double(*map(float, scores)), n=n)
    assert found.tolist() == pytest.approx(twin, abs=1e-12)
    assert kl_of(double(*probs), double(*map(float, scores)), n) <= best_of_n_kl(n) + 1e-9


@pytest.mark.parametrize(("n", "expected"), [(1, 2.5), (2, 10 / 3), (3, 3.75), (4, 4.0)])
def test_the_unbiased_maximum_by_hand(n, expected):
    draws = double(3.0, 1.0, 4.0, 2.0)
    assert float(best_of_n_mean(draws, draws, n=n)) == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-2, 2), min_size=1, max_size=6), st.data())
def test_against_the_mean_over_all_subsets(scores, data):
    n = data.draw(st.integers(1, len(scores)))
    values = [float(s * s + 3 * i) for i, s in enumerate(scores)]
    picks = []
    for subset in itertools.combinations(range(len(scores)), n):
        top = [i for i in subset if scores[i] == max(scores[j] for j in subset)]
        picks.append(sum(values[i] for i in top) / len(top))
    found = best_of_n_mean(double(*values), double(*map(float, scores)), n=n)
    # equal scores share their weights, which is the mean over ways to break the tie
    assert float(found) == pytest.approx(sum(picks) / len(picks))


@pytest.mark.parametrize(("n", "expected"), [(2, 0.5641896), (4, 1.0293754), (16, 1.7659914)])
def test_the_maximum_of_normals_is_met_from_few_draws(n, expected):
    draws = torch.randn(20_000, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert float(best_of_n_mean(draws, draws, n=n).mean()) == pytest.approx(expected, abs=0.01)
    assert expected < math.sqrt(2 * best_of_n_kl(n))


def test_rows_are_prompts_of_their_own():
    scores = torch.tensor([[1.0, 2.0, 3.0], [5.0, 4.0, 6.0]])
    values = torch.tensor([[10.0, 0.0, 1.0], [2.0, 3.0, 4.0]])
    assert best_of_n_mean(values, scores, n=3).tolist() == [1.0, 4.0]


def test_many_draws_do_not_overflow():
    draws = torch.arange(2048).double()
    assert float(best_of_n_mean(draws, draws, n=1000)) == pytest.approx(
        2048 * 1000 / 1001 - 0.0005, abs=1
    )


def test_the_best_and_the_median_by_hand():
    scores = torch.tensor([[5.0, 1.0, 3.0], [2.0, 2.0, 0.0]])
    assert best_index(scores).tolist() == [0, 0]
    assert median_index(scores).tolist() == [2, 0]
    assert median_index(torch.tensor([4.0, 1.0, 3.0, 2.0])).tolist() == 3


@pytest.mark.parametrize("n", [0, 4])
def test_what_cannot_be_drawn_is_refused(n):
    with pytest.raises(ValueError, match=f"n is `{n}`"):
        best_of_n_mean(torch.ones(3), torch.ones(3), n=n)


def test_no_draws_are_refused():
    with pytest.raises(ValueError, match="n is `0`"):
        best_of_n_probs(torch.ones(1), torch.ones(1), n=0)
