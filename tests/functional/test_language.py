"""The next-token loss: known answers, laws, a twin, edges."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.functional.language import next_token_loss


def drawn(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


# By hand


def test_next_token_loss_by_hand():
    # position 0 says 1/4, 3/4 and the next token is 1; position 1 says 1/2, 1/2
    logits = torch.tensor([[[0.0, math.log(3)], [0.0, 0.0], [50.0, 0.0]]])
    tokens = torch.tensor([[0, 1, 0]])
    found = next_token_loss(logits, tokens, torch.ones(1, 3, dtype=torch.bool))
    torch.testing.assert_close(found, torch.tensor([[0.2876821, 0.6931472]]))


def test_only_target_tokens_count():
    logits, tokens = torch.zeros(1, 4, 8), torch.tensor([[1, 2, 3, 4]])
    mask = torch.tensor([[True, False, True, False]])
    found = next_token_loss(logits, tokens, mask)
    torch.testing.assert_close(found, torch.tensor([[0.0, math.log(8), 0.0]]))


# By law


@given(seed=st.integers(0, 10_000), pad=st.integers(1, 3))
@settings(deadline=None, max_examples=25)
def test_padding_and_batch_mates_never_leak(seed, pad):
    logits, tokens = drawn(seed, 2, 4, 5), torch.arange(8).reshape(2, 4) % 5
    mask = torch.tensor([[False, True, True, True], [False, False, True, False]])
    loss = next_token_loss(logits, tokens, mask)
    wide_logits = torch.cat([logits, torch.full((2, pad, 5), math.nan)], dim=1)
    wide_tokens = torch.cat([tokens, torch.zeros(2, pad, dtype=torch.long)], dim=1)
    wide_mask = torch.cat([mask, torch.zeros(2, pad, dtype=torch.bool)], dim=1)
    wide = next_token_loss(wide_logits, wide_tokens, wide_mask)
    torch.testing.assert_close(wide[:, :3], loss)
    assert (wide[:, 3:] == 0).all()
    torch.testing.assert_close(next_token_loss(logits[1:], tokens[1:], mask[1:]), loss[1:])


def test_learning_a_token_raises_its_logit():
    logits = torch.zeros(1, 2, 3, requires_grad=True)
    tokens, mask = torch.tensor([[0, 2]]), torch.ones(1, 2, dtype=torch.bool)
    next_token_loss(logits, tokens, mask).sum().backward()
    expected = torch.tensor([[[1 / 3, 1 / 3, -2 / 3], [0.0, 0.0, 0.0]]])
    torch.testing.assert_close(logits.grad, expected)


# By twin


def test_it_agrees_with_the_library():
    logits, tokens = drawn(3, 2, 5, 7), torch.arange(10).reshape(2, 5) % 7
    found = next_token_loss(logits, tokens, torch.ones(2, 5, dtype=torch.bool))
    expected = torch.nn.functional.cross_entropy(
        logits[:, :-1].reshape(-1, 7), tokens[:, 1:].reshape(-1), reduction="none"
    )
    torch.testing.assert_close(found.flatten(), expected)


# Edges


def test_one_token_has_nothing_to_predict():
    one = torch.ones(2, 1, dtype=torch.bool)
    assert next_token_loss(torch.zeros(2, 1, 3), torch.zeros(2, 1).long(), one).shape == (2, 0)


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(Exception, match="mask"):
        next_token_loss(torch.zeros(1, 2, 3), torch.zeros(1, 2).long(), torch.ones(1, 3).bool())
