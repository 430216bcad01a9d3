"""Loading and saving models: what works, and what is refused in one sentence."""

import json
import shutil

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertLMHeadModel,
    GPT2Config,
    LlamaConfig,
    LlamaForCausalLM,
)

from accord.config import InputError
from accord.models import load, scalar_head
from accord.runtime.seeding import generator


@pytest.fixture
def broken(tiny_models, tmp_path):
    """A copy of the llama that a test may damage."""
    return shutil.copytree(tiny_models["llama"], tmp_path / "copy")


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_a_policy_comes_ready_to_score(tiny_models, architecture):
    model, tokenizer = load.load_policy(tiny_models[architecture])
    assert not model.training
    assert model.dtype == torch.float32
    assert tokenizer.eos_token == "<|end|>"


def test_dropout_is_off_unless_asked_for(tiny_models):
    model, _ = load.load_policy(tiny_models["gpt2"])
    model.train()
    tokens = torch.tensor([[5, 6, 7]])
    assert torch.equal(model(tokens).logits, model(tokens).logits)
    model, _ = load.load_policy(tiny_models["gpt2"], dropout=0.5)
    model.train()
    with torch.random.fork_rng():
        assert not torch.equal(model(tokens).logits, model(tokens).logits)


def test_saved_and_loaded_again_is_the_same(tiny_models, tmp_path):
    model, tokenizer = load.load_policy(tiny_models["gpt2"])
    load.save_model(model, tokenizer, tmp_path / "saved")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "saved")
    tokens = torch.tensor([[5, 6, 7]])
    assert torch.equal(model(tokens).logits, again(tokens).logits)
    assert AutoTokenizer.from_pretrained(tmp_path / "saved")("a b")["input_ids"]
    assert not list((tmp_path / "saved").glob("*.bin"))


def test_a_fresh_head_depends_on_the_generator_alone(tiny_models):
    before = torch.random.get_rng_state()
    first, _ = load.load_scalar_model(tiny_models["llama"], random=generator(0, "head"))
    second, _ = load.load_scalar_model(tiny_models["llama"], random=generator(0, "head"))
    third, _ = load.load_scalar_model(tiny_models["llama"], random=generator(1, "head"))
    assert torch.equal(first.score.weight, second.score.weight)
    assert not torch.equal(first.score.weight, third.score.weight)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_trained_head_is_kept(tiny_models, tmp_path):
    model, tokenizer = load.load_scalar_model(tiny_models["llama"], random=generator(0, "head"))
    scalar_head.normalise(model, gain=2.0, bias=0.5)
    load.save_model(model, tokenizer, tmp_path)
    again, _ = load.load_scalar_model(tmp_path, random=generator(7, "head"))
    assert torch.equal(model.score.weight, again.score.weight)
    assert (scalar_head.score_gain(again), scalar_head.score_bias(again)) == (2.0, 0.5)


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_both_heads_share_one_trunk(tiny_models, architecture):
    scalar, language, _ = load.load_both_heads(tiny_models[architecture], random=generator(0))
    assert load.trunk(scalar) is load.trunk(language)


def test_the_tokenizer_alone(tiny_models):
    assert load.load_tokenizer(tiny_models["llama"]).eos_token == "<|end|>"


def test_padding_is_never_the_end_of_sequence(tiny_models):
    tokenizer = load.load_tokenizer(tiny_models["llama"])
    assert load.pad_id(tokenizer) == tokenizer.pad_token_id == 0
    tokenizer.pad_token = tokenizer.eos_token
    assert load.pad_id(tokenizer) not in (load.eos_id(tokenizer), tokenizer.pad_token_id)
    tokenizer.pad_token = None
    assert load.pad_id(tokenizer) == 0
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(0)
    assert load.pad_id(tokenizer) == 1


def test_the_context_is_what_the_model_states(tiny_models):
    for folder in tiny_models.values():
        assert load.context_length(load.load_policy(folder)[0]) == 96


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere", "no directory `nowhere`; give a model's directory, `hf:NAME` or"),
        ("hf:no/such/model", "cannot read the tokenizer of `hf:no/such/model`"),
    ],
)
def test_a_source_that_is_not_there(source, message, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match=message):
        load.load_policy(source)


def test_a_directory_that_is_no_model(tmp_path):
    with pytest.raises(InputError, match=r"is no model: it has no `config.json`"):
        load.load_policy(tmp_path)


def test_weights_are_never_unpickled(broken):
    torch.save({}, broken / "pytorch_model.bin")
    (broken / "model.safetensors").unlink()
    with pytest.raises(InputError, match="pickled weights only"):
        load.load_policy(broken)
    (broken / "pytorch_model.bin").unlink()
    with pytest.raises(InputError, match=r"has no `\*.safetensors` file"):
        load.load_policy(broken)


def test_a_missing_tokenizer(broken):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (broken / name).unlink()
    with pytest.raises(InputError, match="has no tokenizer; save one beside the model"):
        load.load_policy(broken)


def test_an_unreadable_tokenizer(broken):
    (broken / "tokenizer.json").write_text("{")
    with pytest.raises(InputError, match="cannot read the tokenizer"):
        load.load_policy(broken)


def test_a_tokenizer_without_an_end_of_sequence(broken):
    settings = json.loads((broken / "tokenizer_config.json").read_text())
    del settings["eos_token"]
    (broken / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match="has no end-of-sequence token"):
        load.load_policy(broken)


@pytest.mark.parametrize("content", ["{", '{"model_type": "unheard_of"}'])
def test_a_config_that_cannot_be_read(broken, content):
    (broken / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"cannot (load|read)"):
        load.load_policy(broken)


def test_broken_weights(broken):
    (broken / "model.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(InputError, match="cannot load"):
        load.load_policy(broken)


def test_a_preference_model_is_no_policy_and_the_reverse(tiny_models, tmp_path):
    with pytest.raises(InputError, match="is a language model; give a preference model"):
        load.load_scalar_model(tiny_models["llama"])
    model, tokenizer = load.load_scalar_model(tiny_models["llama"], random=generator(0))
    load.save_model(model, tokenizer, tmp_path)
    with pytest.raises(InputError, match="is a preference model; give a policy"):
        load.load_policy(tmp_path)


def test_weights_that_belong_to_something_else(broken, tmp_path):
    settings = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(settings | {"num_hidden_layers": 3}))
    with pytest.raises(InputError, match=r"lacks the weights `model\.layers\.2"):
        load.load_policy(broken)
    with pytest.raises(InputError, match=r"lacks the weights `model\.layers\.2"):
        load.load_scalar_model(broken, random=generator(0))


def test_a_tokenizer_larger_than_its_model(tiny_tokenizer, tmp_path):
    config = LlamaConfig(
        vocab_size=50, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=1, max_position_embeddings=8,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        load.save_model(LlamaForCausalLM(config), tiny_tokenizer, tmp_path)
    with pytest.raises(InputError, match="tokens and its model only 50"):
        load.load_policy(tmp_path)


def test_a_model_that_looks_ahead(tiny_tokenizer, tmp_path):
    config = BertConfig(
        vocab_size=len(tiny_tokenizer), hidden_size=8, num_hidden_layers=1,
        num_attention_heads=1, intermediate_size=8, is_decoder=False, initializer_range=0.5,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        load.save_model(BertLMHeadModel(config), tiny_tokenizer, tmp_path)
    with pytest.raises(InputError, match="is not causal"):
        load.load_policy(tmp_path)


def test_logits_that_accord_would_compute_otherwise(tiny_models, monkeypatch):
    monkeypatch.setattr(load, "unembed", lambda model, hidden: model.lm_head(hidden) + 1)
    with pytest.raises(InputError, match="changes its logits in a way that Accord does not know"):
        load.load_policy(tiny_models["llama"])


def test_the_builtin_model_is_a_directory_of_the_package():
    assert load.BUILTIN.parts[-3:] == ("accord", "worlds", "assistant_base")


def test_layerdrop_and_nested_settings_are_covered():
    config = GPT2Config(resid_pdrop=0.1, layerdrop=0.3, drop_last=True)
    config.inner = GPT2Config(attn_pdrop=0.2)
    load.set_dropout(config, 0.5)
    assert (config.resid_pdrop, config.layerdrop, config.drop_last) == (0.5, 0.0, True)
    assert config.inner.attn_pdrop == 0.5
