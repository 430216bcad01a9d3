"""Several sequences in a row give what each gives alone; prompts are shared where that pays."""

import pytest
import torch
from transformers import BloomConfig, BloomForCausalLM

from accord.models import load
from accord.models.packed import (
    can_pack,
    packed_hidden_states,
    seen,
    sharing_pays,
    with_shared_prompts,
)
from accord.models.trunk import hidden_states

PROMPTS = [[5, 6, 7, 20], [9]]
RESPONSES = [[[10, 11, 1], [12, 1], [13, 14, 15, 16, 1]], [[17, 1], [18, 19, 1]]]


@pytest.fixture(params=["llama", "gpt2"])
def model(request, tiny_models):
    found, _ = load.load_policy(tiny_models[request.param])
    return found.requires_grad_(False)


def alone(model, tokens):
    return hidden_states(model, torch.tensor([tokens]), torch.tensor([len(tokens)]))[0]


def test_shared_prompts_give_the_states_of_single_rows(model):
    rows, ends = with_shared_prompts(PROMPTS, RESPONSES, 0)
    assert rows.tokens.shape == (2, 14)
    states = packed_hidden_states(model, rows)
    for row, (prompt, responses) in enumerate(zip(PROMPTS, RESPONSES, strict=True)):
        for end, response in zip(ends[row], responses, strict=True):
            expected = alone(model, prompt + response)[len(prompt) :]
            found = states[row, end - len(response) + 1 : end + 1]
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_gradients_are_those_of_single_rows(tiny_models):
    model, _ = load.load_policy(tiny_models["llama"])
    rows, ends = with_shared_prompts(PROMPTS, RESPONSES, 0)
    weight = model.model.layers[0].self_attn.q_proj.weight
    states = packed_hidden_states(model, rows)
    packed = torch.stack([states[r, e].sin().sum() for r in range(2) for e in ends[r]]).sum()
    single = torch.stack(
        [
            alone(model, prompt + response)[-1].sin().sum()
            for prompt, responses in zip(PROMPTS, RESPONSES, strict=True)
            for response in responses
        ]
    ).sum()
    first, second = (torch.autograd.grad(loss, weight)[0] for loss in (packed, single))
    torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)


def test_what_is_seen_by_hand():
    # prompt of two, responses of two and one, then padding
    segments = torch.tensor([[0, 0, 1, 1, 2, -1]])
    assert seen(segments)[0].int().tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 0, 0, 1, 0],
        [1, 1, 0, 0, 0, 1],
    ]


def test_positions_by_hand():
    rows, ends = with_shared_prompts([[5, 6]], [[[7, 8], [9]]], 0)
    assert rows.positions.tolist() == [[0, 1, 2, 3, 2]]
    assert ends == [[3, 4]]


def test_which_models_can_be_packed(model):
    assert can_pack(model)


def test_a_model_without_positions_or_with_a_window_cannot(model):
    bloom = BloomForCausalLM(BloomConfig(vocab_size=40, hidden_size=16, n_layer=1, n_head=2))
    assert not can_pack(bloom)
    model.config.sliding_window = 8
    assert not can_pack(model)


def test_sharing_pays_for_long_prompts_only():
    assert sharing_pays([200, 180], [[40, 30], [50, 20]], hidden=128)
    assert not sharing_pays([4, 4], [[300] * 9, [300] * 9], hidden=128)
