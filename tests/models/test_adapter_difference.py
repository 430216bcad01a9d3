"""The adapter between a model and what was trained from it."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from accord.config import InputError
from accord.models import adapter_difference, adapters
from accord.models.trunk import hidden_states

TOKENS = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 0]])
LENGTHS = torch.tensor([4, 4])


def pair(kind, rank=2):
    """A language model, and a scalar model that was trained from it with an adapter and merged."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind, vocab_size=17, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=16, num_labels=1,
    )  # fmt: skip
    policy = AutoModelForCausalLM.from_config(config).eval()
    judge = AutoModelForSequenceClassification.from_config(config).eval()
    body = getattr(judge, judge.base_model_prefix)
    body.load_state_dict(getattr(policy, policy.base_model_prefix).state_dict())
    if rank:
        adapters.add_adapter(judge, "judge", rank=rank, alpha=4.0, random=torch.Generator())
        for weight in adapters.adapter_parameters(judge, "judge"):
            torch.nn.init.normal_(weight, std=0.3)
        adapters.merge(judge)
    return policy, judge


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_one_trunk_computes_what_the_other_did(kind):
    policy, judge = pair(kind)
    with torch.no_grad():
        alone, wanted = (
            hidden_states(policy, TOKENS, LENGTHS),
            hidden_states(judge, TOKENS, LENGTHS),
        )
        adapter_difference.add_difference(policy, judge, "judge", rank=3)
        torch.testing.assert_close(
            hidden_states(policy, TOKENS, LENGTHS), wanted, atol=1e-5, rtol=1e-5
        )
        assert not torch.allclose(alone, wanted, atol=1e-2)
        with adapters.using(policy, None):
            assert torch.equal(hidden_states(policy, TOKENS, LENGTHS), alone)


def test_a_model_that_is_the_same_needs_an_adapter_of_nothing():
    policy, judge = pair("llama", rank=0)
    adapter_difference.add_difference(policy, judge, "judge", rank=1)
    with torch.no_grad():
        assert torch.equal(
            hidden_states(policy, TOKENS, LENGTHS), hidden_states(judge, TOKENS, LENGTHS)
        )


def test_a_small_adapter_on_large_weights_is_found_in_spite_of_their_rounding():
    policy, judge = pair("gpt2", rank=0)
    path = "transformer.h.0.attn.c_attn.weight"
    weight, other = policy.get_parameter(path), judge.get_parameter(path)
    with torch.no_grad():
        weight.mul_(8 / weight.abs().max())
        up, down = torch.randn(16, 1) * 1e-2, torch.randn(1, 48) * 1e-2
        other.copy_(weight + up @ down)  # 2^-21 is the step between numbers near 8
    adapter_difference.add_difference(policy, judge, "judge", rank=1)
    found = policy.transformer.h[0].attn.c_attn.get_delta_weight("judge")
    torch.testing.assert_close(found, up @ down, atol=1e-6, rtol=0)


def test_what_no_adapter_can_do():
    policy, judge = pair("gpt2", rank=4)
    with pytest.raises(InputError, match="more than an adapter of rank 2"):
        adapter_difference.add_difference(policy, judge, "judge", rank=2)
    policy, judge = pair("gpt2", rank=1)
    with torch.no_grad():
        judge.transformer.wte.weight[3, 3] += 0.1
    with pytest.raises(InputError, match=r"`wte\.weight` differs, which"):
        adapter_difference.add_difference(policy, judge, "judge", rank=2)
    with pytest.raises(InputError, match="another architecture"):
        adapter_difference.add_difference(pair("llama")[0], pair("gpt2")[1], "judge", rank=2)


def test_the_nearest_matrix_of_a_rank():
    matrix = torch.diag(torch.tensor([3.0, 2.0, 1.0]))
    down, up = adapter_difference.factors(matrix, rank=2)
    torch.testing.assert_close(up @ down, torch.diag(torch.tensor([3.0, 2.0, 0.0])))
    down, up = adapter_difference.factors(matrix, rank=5)
    assert (down.shape, up.shape) == ((5, 3), (3, 5))
    torch.testing.assert_close(up @ down, matrix)
