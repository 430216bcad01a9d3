"""Rows without their padding give what padded rows give."""

import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    BloomConfig,
    BloomForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from accord.models import unpadded
from accord.models.policy import logprobs
from accord.models.split import LAST_NORM
from accord.models.trunk import hidden_states, trunk

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 32}
MORE = {"intermediate_size": 24, "max_position_embeddings": 64, "attn_implementation": "eager"}
ROWS = [[5, 6, 7, 8, 9, 10], [11, 12], [13, 14, 15, 16], [17]]  # little more than half full


def model_of(kind, **more):
    """Weights large enough that attention is far from even."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **SIZES, **MORE, **more)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.mul_(10)
    return model


def batch(rows):
    lengths = torch.tensor([len(row) for row in rows])
    width = int(lengths.max())
    return torch.tensor([row + [0] * (width - len(row)) for row in rows]), lengths


def alone(model, row):
    return trunk(model)(input_ids=torch.tensor([row]), use_cache=False).last_hidden_state[0]


@pytest.mark.parametrize("kind", sorted(LAST_NORM))
def test_each_row_gets_the_states_it_has_alone(kind):
    grouped = {} if kind in {"gpt2", "gpt_neox", "phi"} else {"num_key_value_heads": 1}
    model = model_of(kind, **grouped)
    assert unpadded.can_unpad(trunk(model))
    tokens, lengths = batch(ROWS)
    found = hidden_states(model, tokens, lengths)
    for row, states in zip(ROWS, found, strict=True):
        torch.testing.assert_close(states[: len(row)], alone(model, row), atol=1e-5, rtol=1e-5)
        assert not states[len(row) :].any()


def test_only_real_tokens_are_computed():
    model = model_of("llama")
    tokens, lengths = batch(ROWS)
    seen = []
    norm = model.model.layers[0].input_layernorm
    norm.register_forward_hook(lambda module, given, made: seen.append(made.shape[:-1].numel()))
    unpadded.can_unpad(trunk(model))
    seen.clear()
    hidden_states(model, tokens, lengths)
    assert seen == [sum(map(len, ROWS))]


def test_gradients_are_those_of_padded_rows():
    model = model_of("llama", num_key_value_heads=1)
    tokens, lengths = batch(ROWS)
    real = torch.arange(tokens.shape[1]) < lengths[:, None]

    def gradients(hidden):
        model.zero_grad()
        hidden[real].sin().sum().backward()
        return [p.grad.clone() for p in trunk(model).parameters()]

    padded = trunk(model)(input_ids=tokens, use_cache=False).last_hidden_state
    expected = gradients(padded)
    found = gradients(hidden_states(model, tokens, lengths))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)


@settings(max_examples=20)
@given(rows=st.lists(st.lists(st.integers(0, 31), min_size=2, max_size=9), min_size=1, max_size=5))
def test_a_row_does_not_see_its_mates(rows):
    model = _llama()
    tokens, lengths = batch(rows)
    ones = torch.ones_like(lengths)
    with torch.no_grad():
        found = logprobs(model, tokens, ones, lengths - 1)
        for row, numbers in zip(rows, found, strict=True):
            one = torch.tensor([row])
            expected = logprobs(model, one, ones[:1], torch.tensor([len(row) - 1]))[0]
            torch.testing.assert_close(numbers[: len(row) - 1], expected, atol=1e-5, rtol=1e-5)


_made = []


def _llama():
    if not _made:
        _made.append(model_of("llama"))
    return _made[0]


def test_the_model_is_what_it_was():
    model = model_of("gpt2")
    tokens, lengths = batch(ROWS)
    hidden_states(model, tokens, lengths)
    assert model.config._attn_implementation == "eager"
    assert all(
        module.config._attn_implementation == "eager"
        for module in model.modules()
        if hasattr(module, "config")
    )


def test_training_is_not_switched_off_by_the_trial():
    model = model_of("llama").train()
    assert unpadded.can_unpad(trunk(model))
    assert all(module.training for module in model.modules())


def test_two_threads_with_different_rows_do_not_mix():
    model = model_of("llama")
    batches = [batch(ROWS), batch([ROWS[3], ROWS[0], ROWS[1]])]
    with torch.no_grad():
        expected = [hidden_states(model, *one) for one in batches]
    wrong = []

    def work(number):
        with torch.no_grad():
            for _ in range(40):
                if not torch.equal(hidden_states(model, *batches[number]), expected[number]):
                    wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def _bloom():
    return BloomForCausalLM(BloomConfig(vocab_size=32, hidden_size=16, n_layer=2, n_head=2))


def _mistral():
    return MistralForCausalLM(MistralConfig(**SIZES, num_key_value_heads=2, sliding_window=3))


def _gemma():
    return Gemma2ForCausalLM(Gemma2Config(**SIZES, num_key_value_heads=2, head_dim=8))


@pytest.mark.parametrize("make", [_bloom, _mistral, _gemma])
def test_models_with_another_attention_are_padded(make):
    torch.manual_seed(0)
    model = make().eval()
    assert not unpadded.can_unpad(trunk(model))
    tokens, lengths = batch(ROWS)
    found = hidden_states(model, tokens, lengths)
    for row, states in zip(ROWS, found, strict=True):
        torch.testing.assert_close(states[: len(row)], alone(model, row), atol=1e-5, rtol=1e-5)


def test_attention_of_an_unknown_kind_is_refused():
    x = torch.zeros(1, 1, 2, 4)
    with pytest.raises(TypeError, match="softcap"):
        unpadded.unpadded_attention(torch.nn.Identity(), x, x, x, None, softcap=30.0)


def test_what_is_computed_again_in_the_backward_pass_is_padded():
    model = model_of("llama").train()
    model.activation_checkpointing_enable()
    tokens, lengths = batch(ROWS)
    hidden_states(model, tokens, lengths).square().sum().backward()
    assert all(p.grad is not None for p in trunk(model).parameters())


def test_a_row_without_tokens():
    model = model_of("llama")
    tokens = torch.tensor([[5, 6, 7, 8], [0, 0, 0, 0]])
    found = hidden_states(model, tokens, torch.tensor([4, 0]))
    torch.testing.assert_close(found[0], alone(model, [5, 6, 7, 8]), atol=1e-5, rtol=1e-5)
