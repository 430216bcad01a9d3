"""A trunk in two parts is the whole trunk."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from accord.models import split
from accord.models.trunk import hidden_states

TOKENS = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 0]])
FULL, RAGGED = torch.tensor([4, 4]), torch.tensor([4, 3])


def model_of(kind, **more):
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind,
        vocab_size=17,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=16,
        **more,
    )
    return AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()


@pytest.mark.parametrize("lengths", [FULL, RAGGED], ids=["full", "ragged"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", sorted(split.LAST_NORM))
def test_lower_then_upper_is_the_whole_to_the_bit(kind, layers, lengths):
    model = model_of(kind)
    with torch.no_grad():
        lower = split.lower_states(model, TOKENS, lengths, layers=layers)
        parts = split.upper_states(model, lower, lengths, layers=layers)
        assert torch.equal(parts, hidden_states(model, TOKENS, lengths))


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_gradients_reach_the_upper_layers_as_in_the_whole(kind):
    model = model_of(kind)

    def gradients(hidden):
        model.zero_grad()
        hidden.square().sum().backward()
        return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    whole = gradients(hidden_states(model, TOKENS, FULL))
    with torch.no_grad():
        lower = split.lower_states(model, TOKENS, FULL, layers=1)
    upper = gradients(split.upper_states(model, lower, FULL, layers=1))
    assert upper
    for name, gradient in upper.items():
        torch.testing.assert_close(gradient, whole[name])
    missing = set(whole) - set(upper)
    assert all(".0." in name or "emb" in name or "wte" in name or "wpe" in name for name in missing)


def test_the_model_stays_whole():
    model = model_of("gpt2")
    names = [name for name, _ in model.named_parameters()]
    split.lower_states(model, TOKENS, FULL, layers=2)
    split.upper_states(model, torch.zeros(1, 2, 16), torch.tensor([2]), layers=2)
    assert [name for name, _ in model.named_parameters()] == names


def test_what_cannot_be_split():
    with pytest.raises(ValueError, match="cannot split 3 layers after 3"):
        split.lower_states(model_of("gpt2"), TOKENS, FULL, layers=3)
    odd = model_of("gpt2")
    odd.config.model_type = "odd"
    assert not split.can_split(odd)
    with pytest.raises(ValueError, match="type `odd`"):
        split.lower_states(odd, TOKENS, FULL, layers=1)
