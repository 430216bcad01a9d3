"""Adapters and frozen layers: fresh ones change nothing, none is the model, merged is plain."""

import copy
import importlib

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from accord.config import InputError
from accord.models import adapters, load, preference_model, scalar_head
from accord.models.adapters import Trained
from accord.models.trunk import hidden_states
from accord.runtime.seeding import generator

TOKENS = torch.tensor([[5, 6, 7, 20, 1], [9, 10, 11, 12, 1]])
LENGTHS = torch.tensor([5, 5])


@pytest.fixture(params=["llama", "gpt2"])
def model(request, tiny_models):
    found, _ = load.load_scalar_model(tiny_models[request.param], random=generator(0, "head"))
    return found


def scores(model):
    with torch.no_grad():
        return preference_model.scores(model, TOKENS, LENGTHS)


def add(model, name, seed=0):
    adapters.add_adapter(model, name, rank=3, alpha=6.0, random=generator(seed, name))


def disturb(model, name):
    """As if it had been trained: B is no longer zero."""
    with torch.no_grad():
        for number, parameter in enumerate(adapters.adapter_parameters(model, name)):
            parameter.add_(torch.randn(parameter.shape, generator=generator(number, name)) * 0.1)


def test_a_fresh_adapter_changes_nothing_and_freezes_the_trunk(model):
    before = scores(model)
    drawn = torch.get_rng_state()
    add(model, "policy")
    assert torch.equal(torch.get_rng_state(), drawn)
    assert torch.equal(scores(model), before)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {n for n, _ in model.named_parameters() if "lora_" in n} | {"score.weight"}
    # two layers, and every linear map of each has an A and a B
    maps = 7 if "Llama" in type(model).__name__ else 4
    assert len(adapters.adapter_parameters(model, "policy")) == 2 * 2 * maps


def test_adapters_are_drawn_from_their_generator(model):
    other = copy.deepcopy(model)
    add(model, "policy", seed=1)
    add(other, "policy", seed=1)
    pairs = zip(
        adapters.adapter_parameters(model, "policy"),
        adapters.adapter_parameters(other, "policy"),
        strict=True,
    )
    assert all(torch.equal(a, b) for a, b in pairs)


def test_lora_by_hand(model):
    """W x + alpha / rank · B A x, on the first linear map of the trunk."""
    add(model, "policy")
    disturb(model, "policy")
    layer = adapters._layers(model)[0]
    x = torch.randn(2, layer.in_features, generator=generator(1))
    a, b = layer.lora_A["policy"].weight, layer.lora_B["policy"].weight
    with torch.no_grad():
        expected = layer.base_layer(x) + 2.0 * (x @ a.T @ b.T)
        assert torch.allclose(layer(x), expected, atol=1e-5)


def test_without_adapters_it_is_the_frozen_copy_to_the_bit(model):
    frozen = copy.deepcopy(model)
    for name in ("policy", "value"):
        add(model, name)
        disturb(model, name)
    by_name = {}
    for name in ("policy", "value"):
        with adapters.using(model, name):
            by_name[name] = scores(model)
    with adapters.using(model, None):
        assert adapters.active(model) is None
        assert torch.equal(
            hidden_states(model, TOKENS, LENGTHS), hidden_states(frozen, TOKENS, LENGTHS)
        )
        assert torch.equal(scores(model), scores(frozen))
    assert adapters.active(model) == "value"
    assert not torch.allclose(by_name["policy"], by_name["value"], atol=1e-3)
    assert not torch.allclose(by_name["policy"], scores(frozen), atol=1e-3)
    assert all(p.requires_grad for p in adapters.adapter_parameters(model, "policy"))


def test_each_adapter_learns_alone(model):
    add(model, "policy")
    add(model, "value")
    with adapters.using(model, "policy"):
        parameters = adapters.adapter_parameters(model, "policy")
        gradients = torch.autograd.grad(
            preference_model.scores(model, TOKENS, LENGTHS).sum(),
            parameters + adapters.adapter_parameters(model, "value"),
            allow_unused=True,
        )
    assert all(g is not None for g in gradients[: len(parameters)])
    assert all(g is None for g in gradients[len(parameters) :])


def test_a_merged_model_is_plain_and_scores_the_same(model, tiny_tokenizer, tmp_path):
    plain_names = [name for name, _ in model.named_parameters()]
    add(model, "policy")
    disturb(model, "policy")
    scalar_head.normalise(model, gain=2.0, bias=0.5)
    adapted = scores(model)
    adapters.merge(model)
    assert [name for name, _ in model.named_parameters()] == plain_names
    assert all(p.requires_grad for p in model.parameters())
    assert torch.allclose(scores(model), adapted, atol=1e-5)
    load.save_model(model, tiny_tokenizer, tmp_path)
    assert not list(tmp_path.glob("adapter*"))
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    logits = plain(TOKENS).logits.squeeze(1) + plain.config.score_bias
    assert torch.allclose(logits, adapted, atol=1e-5)


def test_a_merged_policy_is_plain(tiny_models, tiny_tokenizer, tmp_path):
    model, _ = load.load_policy(tiny_models["llama"])
    add(model, "policy")
    disturb(model, "policy")
    with torch.no_grad():
        adapted = model(TOKENS).logits
    adapters.merge(model)
    load.save_model(model, tiny_tokenizer, tmp_path)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert torch.allclose(plain(TOKENS).logits, adapted, atol=1e-4)


def test_merging_without_an_adapter_in_use_leaves_the_weights(model):
    before = scores(model)
    add(model, "policy")
    disturb(model, "policy")
    adapters.activate(model, None)
    adapters.merge(model)
    assert torch.equal(scores(model), before)
    adapters.merge(model)  # nothing to do
    assert adapters.adapter_names(model) == []


def test_frozen_lower_layers(model):
    adapters.prepare(model, Trained(frozen_layers=1), random=generator(0))
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert "score.weight" in trained
    assert any(".1." in name for name in trained)
    assert not any(
        ".0." in name or "embed" in name or "wte" in name or "wpe" in name for name in trained
    )
    with pytest.raises(InputError, match="`frozen_layers` = 3, but the model has 2 layers"):
        adapters.freeze_lower_layers(model, 3)


def test_adapters_of_frozen_layers_are_frozen_too(model):
    adapters.prepare(model, Trained(lora_rank=2, frozen_layers=1), random=generator(0))
    adapters.activate(model, adapters.DEFAULT)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert any("lora_" in name and ".1." in name for name in trained)
    assert not any(".0." in name for name in trained)


def test_names_that_cannot_be(model):
    add(model, "policy")
    for name, message in (("policy", "already"), ("a.b", "no name for an adapter")):
        with pytest.raises(ValueError, match=message):
            add(model, name)
    with pytest.raises(KeyError, match="no adapter `x`"):
        adapters.activate(model, "x")


def test_without_peft_the_sentence_says_what_to_install(model, monkeypatch):
    def missing(name, *args):
        if name == "peft":
            raise ImportError(name)
        return original(name, *args)

    original = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(InputError, match=r"pip install \"accord\[lora\]\""):
        add(model, "policy")
