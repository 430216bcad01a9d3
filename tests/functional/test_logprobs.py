"""Log-probabilities, entropy and truncation: known answers, laws, twins, edges."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.functional.logprobs import (
    entropy,
    filter_logits,
    token_logprobs,
    token_logprobs_from_hidden,
)

LN2 = 0.6931472


def drawn(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64) * 3


# By hand


def test_token_logprobs_by_hand():
    # probabilities 1/4 and 3/4
    logits = torch.tensor([[0.0, math.log(3)], [0.0, math.log(3)]])
    found = token_logprobs(logits, torch.tensor([0, 1]))
    torch.testing.assert_close(found, torch.tensor([-1.3862944, -0.2876821]))


def test_temperature_divides_the_logits():
    # log 9 over 2 is log 3: probabilities 1/4 and 3/4 again
    logits = torch.tensor([[0.0, math.log(9)]])
    found = token_logprobs(logits, torch.tensor([1]), temperature=2.0)
    torch.testing.assert_close(found, torch.tensor([-0.2876821]))
    # and halving it squares the odds: 1/10 and 9/10
    found = token_logprobs(torch.tensor([[0.0, math.log(3)]]), torch.tensor([0]), temperature=0.5)
    torch.testing.assert_close(found, torch.tensor([math.log(0.1)]))


def test_entropy_by_hand():
    # (1/4, 3/4): .25 ln 4 + .75 ln(4/3) = .5623351
    logits = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]])
    torch.testing.assert_close(entropy(logits), torch.tensor([0.5623351, LN2]))
    # bits of .7 are .8812909 (papers: known answer C17), in nats times ln 2
    seventy = torch.tensor([0.7, 0.3]).log()
    assert entropy(seventy).item() == pytest.approx(0.8812909 * LN2, abs=1e-6)


def test_entropy_at_a_temperature_by_hand():
    assert entropy(torch.tensor([0.0, math.log(9)]), temperature=2.0).item() == pytest.approx(
        0.5623351, abs=1e-6
    )


def test_top_k_by_hand():
    logits = torch.tensor([1.0, 3.0, 2.0])
    assert filter_logits(logits, top_k=1).tolist() == [-math.inf, 3, -math.inf]
    assert filter_logits(logits, top_k=2).tolist() == [-math.inf, 3, 2]
    assert filter_logits(logits, top_k=3).tolist() == [1, 3, 2]
    assert filter_logits(logits, top_k=9).tolist() == [1, 3, 2]


@pytest.mark.parametrize(
    ("top_p", "kept"),
    # of .2, .5, .3: .5 alone reaches .5; .8 needs two; .81 and .99 need all three
    [(0.4, [1]), (0.5, [1]), (0.6, [1, 2]), (0.79, [1, 2]), (0.81, [0, 1, 2]), (0.99, [0, 1, 2])],
)
def test_top_p_by_hand(top_p, kept):
    logits = torch.tensor([0.2, 0.5, 0.3]).log()
    filtered = filter_logits(logits, top_p=top_p)
    assert filtered.isfinite().nonzero().flatten().tolist() == kept
    torch.testing.assert_close(filtered[kept], logits[kept])


def test_top_p_looks_at_what_top_k_left():
    # of .4, .3, .2, .1 two remain with 4/7 and 3/7: .55 is reached by the first alone
    logits = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
    assert filter_logits(logits, top_k=2, top_p=0.55).isfinite().tolist() == [1, 0, 0, 0]
    assert filter_logits(logits, top_k=0, top_p=0.55).isfinite().tolist() == [1, 1, 0, 0]


def test_of_equal_logits_the_lower_token_is_kept():
    assert filter_logits(torch.zeros(4), top_k=1).isfinite().tolist() == [1, 0, 0, 0]
    assert filter_logits(torch.zeros(4), top_p=0.5).isfinite().tolist() == [1, 1, 0, 0]


def test_of_many_equal_logits_the_first_are_kept():
    kept = filter_logits(torch.zeros(1000), top_k=3).isfinite().nonzero().flatten()
    assert kept.tolist() == [0, 1, 2]


def test_every_row_is_truncated_for_itself():
    logits = torch.tensor([[0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8], [0.5, 0.4, 0.1]])
    kept = filter_logits(logits.log(), top_k=2, top_p=0.75).isfinite()
    # of the best two, 7/9, 6/9, 8/9 and 5/9 are the share of the best one
    assert kept.tolist() == [[0, 1, 0], [1, 1, 0], [0, 0, 1], [1, 1, 0]]


def test_hidden_states_by_hand():
    # logits 0 and ln 3 out of a hidden state of 1: probabilities 1/4 and 3/4
    matrix = torch.tensor([[0.0], [math.log(3)]])
    found = token_logprobs_from_hidden(torch.ones(2, 1), matrix, torch.tensor([0, 1]))
    torch.testing.assert_close(found, torch.tensor([-1.3862944, -0.2876821]))


# By law


@given(seed=st.integers(0, 10_000), temperature=st.floats(0.1, 5))
@settings(deadline=None, max_examples=40)
def test_probabilities_sum_to_one_and_a_constant_changes_nothing(seed, temperature):
    logits = drawn(seed, 5).expand(5, 5)
    logprobs = token_logprobs(logits, torch.arange(5), temperature=temperature)
    assert logprobs.exp().sum().item() == pytest.approx(1)
    shifted = token_logprobs(logits + 100, torch.arange(5), temperature=temperature)
    torch.testing.assert_close(shifted, logprobs)


@given(seed=st.integers(0, 10_000), temperature=st.floats(0.1, 5))
@settings(deadline=None, max_examples=40)
def test_entropy_is_the_mean_surprise_and_has_its_bounds(seed, temperature):
    logits = drawn(seed, 5)
    logprobs = token_logprobs(logits.expand(5, 5), torch.arange(5), temperature=temperature)
    found = entropy(logits, temperature=temperature)
    torch.testing.assert_close(found, sum(-p.exp() * p for p in logprobs))
    assert -1e-12 <= found <= math.log(5) + 1e-12


@given(seed=st.integers(0, 10_000), top_p=st.floats(0.01, 0.999), top_k=st.integers(0, 8))
@settings(deadline=None, max_examples=60)
def test_truncation_keeps_the_likeliest_and_no_more_than_needed(seed, top_p, top_k):
    logits = drawn(seed, 8)
    kept = filter_logits(logits, top_k=top_k, top_p=top_p).isfinite()
    assert kept[logits.argmax()]
    assert top_k == 0 or kept.sum() <= top_k
    if not kept.all():
        assert logits[kept].min() >= logits[~kept].max()
    if top_k == 0:
        probs = logits.softmax(0)[kept]
        assert probs.sum() >= top_p - 1e-9
        assert probs.sum() - probs.min() < top_p + 1e-9


@given(seed=st.integers(0, 10_000), chunk=st.integers(1, 9))
@settings(deadline=None, max_examples=30)
def test_the_chunk_changes_neither_result_nor_gradient(seed, chunk):
    hidden, matrix = drawn(seed, 7, 3), drawn(seed + 1, 5, 3)
    tokens = torch.arange(7) % 5
    grads = []
    for way in ("chunked", "whole"):
        h, m = hidden.clone().requires_grad_(), matrix.clone().requires_grad_()
        if way == "chunked":
            found = token_logprobs_from_hidden(h, m, tokens, temperature=0.7, chunk=chunk)
        else:
            found = token_logprobs(h @ m.T, tokens, temperature=0.7)
        (found * torch.arange(7)).sum().backward()
        grads.append((found.detach(), h.grad, m.grad))
    for ours, whole in zip(*grads, strict=True):
        torch.testing.assert_close(ours, whole)
    with torch.no_grad():
        found = token_logprobs_from_hidden(hidden, matrix, tokens, temperature=0.7, chunk=chunk)
    torch.testing.assert_close(found, grads[1][0])


def test_the_chunk_bounds_what_is_held(monkeypatch):
    sizes = []

    def spy(logits, tokens, *, temperature):
        sizes.append(logits.shape[0])
        return token_logprobs(logits, tokens, temperature=temperature)

    monkeypatch.setattr("accord.functional.logprobs.token_logprobs", spy)
    with torch.no_grad():
        arguments = (torch.zeros(5, 2), torch.zeros(3, 2), torch.zeros(5, dtype=torch.long))
        token_logprobs_from_hidden(*arguments, chunk=2)
        assert sizes == [2, 2, 1]
        sizes.clear()
        many = torch.zeros(1025, dtype=torch.long)
        token_logprobs_from_hidden(torch.zeros(1025, 2), torch.zeros(3, 2), many)
        assert sizes == [1024, 1]


def test_nothing_of_a_chunk_is_kept_for_the_backward_pass():
    hidden = torch.zeros(8, 2, requires_grad=True)
    kept: list[int] = []

    def note(tensor):
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        token_logprobs_from_hidden(
            hidden, torch.zeros(50, 2), torch.zeros(8, dtype=torch.long), chunk=8
        )
    assert max(kept, default=0) < 8 * 50


# By twin


def test_token_logprobs_agree_with_a_loop():
    logits, tokens = drawn(3, 2, 3, 4), torch.tensor([[0, 1, 2], [3, 3, 0]])
    found = token_logprobs(logits, tokens, temperature=1.5)
    for b in range(2):
        for t in range(3):
            weights = [math.exp(z / 1.5) for z in logits[b, t].tolist()]
            expected = math.log(weights[tokens[b, t]] / sum(weights))
            assert found[b, t].item() == pytest.approx(expected)


def test_gradients_agree_with_finite_differences():
    logits = drawn(5, 2, 4).requires_grad_()
    tokens = torch.tensor([1, 3])
    assert torch.autograd.gradcheck(lambda z: token_logprobs(z, tokens, temperature=0.7), logits)
    assert torch.autograd.gradcheck(lambda z: entropy(z, temperature=0.7), logits)


# Edges


def test_half_precision_is_raised_to_float32():
    logits = torch.zeros(1, 3, dtype=torch.bfloat16)
    assert token_logprobs(logits, torch.tensor([0])).dtype == torch.float32
    assert entropy(logits).dtype == torch.float32
    assert token_logprobs(logits.double(), torch.tensor([0])).dtype == torch.float64


def test_extreme_logits_do_not_overflow():
    logits = torch.tensor([[1e4, -1e4]])
    assert token_logprobs(logits, torch.tensor([0])).item() == 0
    assert token_logprobs(logits, torch.tensor([1])).item() == -2e4
    assert entropy(logits).item() == 0


def test_a_token_that_cannot_be_drawn():
    logits = torch.tensor([[0.0, -math.inf, 0.0]], requires_grad=True)
    assert token_logprobs(logits, torch.tensor([1])).item() == -math.inf
    found = entropy(logits)
    assert found.item() == pytest.approx(LN2)
    found.sum().backward()
    assert logits.grad.isfinite().all()


def test_no_tokens_at_all():
    empty = torch.zeros(0, dtype=torch.long)
    assert token_logprobs_from_hidden(torch.zeros(0, 2), torch.zeros(3, 2), empty).shape == (0,)


def test_without_truncation_the_logits_come_back_untouched():
    logits = drawn(1, 3)
    assert filter_logits(logits) is logits


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    with pytest.raises(ValueError, match="temperature"):
        token_logprobs(torch.zeros(1, 2), torch.tensor([0]), temperature=temperature)
    with pytest.raises(ValueError, match="temperature"):
        entropy(torch.zeros(1, 2), temperature=temperature)


def test_bad_truncations_and_chunks_are_refused():
    for bad in ({"top_k": -1}, {"top_p": 0.0}, {"top_p": 1.1}):
        with pytest.raises(ValueError, match="top_k"):
            filter_logits(torch.zeros(2), **bad)
    with pytest.raises(ValueError, match="chunk"):
        empty = torch.zeros(1, dtype=torch.long)
        token_logprobs_from_hidden(torch.zeros(1, 2), torch.zeros(3, 2), empty, chunk=0)
