"""Pretraining learns, repeats itself, and goes on where it was stopped."""

import json
import math

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from accord.config import InputError, build, identity
from accord.runtime import train
from accord.runtime.artifacts import digest, read_json, run_stage
from accord.runtime.metrics import read_metrics
from accord.stages import pretrain

SMALL = {
    "vocabulary_size": 280,
    "hidden_size": 32,
    "layers": 2,
    "heads": 2,
    "context": 32,
    "batch_tokens": 96,
    "epochs": 2.0,
    "held_out_fraction": 0.1,
    "log_every": 4,
    "checkpoint_every": 5,
}
WORDS = ["red", "green", "blue", "cat", "dog", "sun", "moon", "tea"]


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """Sentences in which every word has one successor, and dialogues."""
    file = tmp_path_factory.mktemp("documents") / "pretraining.jsonl"
    lines = []
    for i in range(36):
        words = [WORDS[(i + j) % len(WORDS)] for j in range(3 + i % 9)]
        lines.append({"text": " ".join(words) + f" {i}"})
        turns = [{"role": "user", "content": words[0]}, {"role": "assistant", "content": words[1]}]
        lines.append({"messages": turns} if i % 5 == 0 else {"text": " ".join(words[::-1])})
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def pretrained(documents, out, model=None, **settings):
    config = build(pretrain.Config, SMALL | settings, where="[pretrain]")
    inputs = pretrain.Inputs(documents=documents, model=model)
    return run_stage(pretrain.run, config, inputs, out)


@pytest.fixture(scope="module")
def straight(documents, tmp_path_factory):
    return pretrained(documents, tmp_path_factory.mktemp("straight") / "pretrain")


def outcome(out):
    return read_json(out / "DONE.json")["digest"], (out / "metrics.jsonl").read_bytes()


def losses(out):
    return [line["train/loss"] for line in read_metrics(out) if "train/loss" in line]


def test_the_loss_falls(straight):
    assert losses(straight)[0] < math.log(280) + 0.5
    assert losses(straight)[-1] < losses(straight)[0] - 1
    held_out = [line["held_out/loss"] for line in read_metrics(straight) if "held_out/loss" in line]
    assert len(held_out) == 4
    assert held_out[-1] < held_out[0]
    headline = read_json(straight / "DONE.json")["headline"]
    assert headline["held_out_loss"] == held_out[-1]
    assert headline["parameters"] == 280 * 32 + 2 * (4 * 32 * 32 + 3 * 32 * 88 + 2 * 32) + 32


def test_the_output_loads_without_accord(straight):
    model = AutoModelForCausalLM.from_pretrained(straight / "output")
    tokenizer = AutoTokenizer.from_pretrained(straight / "output")
    ids = tokenizer("red green blue", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        logits = model(ids).logits
    assert logits.shape == (1, ids.shape[1], len(tokenizer))
    assert model.config.eos_token_id == tokenizer.eos_token_id
    assert not [p for p in (straight / "output").iterdir() if p.suffix in {".bin", ".pt"}]


def test_the_held_out_loss_is_what_transformers_computes(straight, documents):
    """The way around HF's loss changes the cost, not the number."""
    config = build(pretrain.Config, SMALL, where="")
    texts = list(pretrain.read_documents(documents))
    _, held_out = pretrain._split(texts, config)
    model = AutoModelForCausalLM.from_pretrained(straight / "output")
    tokenizer = AutoTokenizer.from_pretrained(straight / "output")
    total = count = 0
    for text in held_out:
        ids = torch.tensor([[*tokenizer(text)["input_ids"], tokenizer.eos_token_id]])
        for piece in ids.split(config.context, dim=1):
            if piece.shape[1] > 1:
                with torch.no_grad():
                    total += float(model(piece, labels=piece).loss) * (piece.shape[1] - 1)
                count += piece.shape[1] - 1
    assert read_metrics(straight)[-1]["held_out/loss"] == pytest.approx(total / count, rel=1e-5)


@pytest.mark.parametrize("calls", [1, 5, 11])
def test_killed_and_resumed_equals_straight(documents, straight, tmp_path, monkeypatch, calls):
    step, left = train.optimiser_step, calls

    def dies(*args, **kwargs):
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return step(*args, **kwargs)

    with monkeypatch.context() as killed:
        killed.setattr(train, "optimiser_step", dies)
        with pytest.raises(KeyboardInterrupt):
            pretrained(documents, tmp_path / "out")
    assert not (tmp_path / "out" / "DONE.json").exists()
    pretrained(documents, tmp_path / "out")
    assert outcome(tmp_path / "out") == outcome(straight)


def test_killed_while_the_model_is_written(documents, straight, tmp_path, monkeypatch):
    def dies(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(pretrain, "save_model", dies)
        with pytest.raises(KeyboardInterrupt):
            pretrained(documents, tmp_path / "out")
    pretrained(documents, tmp_path / "out")
    assert outcome(tmp_path / "out") == outcome(straight)


CHANGES = {
    "seed": 1,
    "vocabulary_size": 270,
    "hidden_size": 16,
    "layers": 1,
    "heads": 1,
    "context": 16,
    "batch_tokens": 64,
    "epochs": 1.5,
    "learning_rate": 1e-3,
    "warmup": 0.5,
    "final_learning_rate": 0.9,
    "weight_decay": 0.0,
    "max_grad_norm": 0.01,
    "held_out_fraction": 0.3,
    "precision": "bfloat16",
}


def test_every_field_is_known_to_these_tests():
    free = set(pretrain.Config.model_fields) - set(identity(pretrain.Config()))
    assert free == {"microbatch_size", "checkpoint_every"}
    assert set(CHANGES) | free | {"log_every"} == set(pretrain.Config.model_fields)


@pytest.mark.parametrize("field", sorted(CHANGES))
def test_every_field_changes_something(documents, straight, tmp_path, field):
    out = pretrained(documents, tmp_path / "out", **{field: CHANGES[field]})
    assert outcome(out)[0] != outcome(straight)[0]


def test_how_often_is_logged_changes_the_log_only(documents, straight, tmp_path):
    out = pretrained(documents, tmp_path / "out", log_every=3)
    assert outcome(out)[0] == outcome(straight)[0]
    assert outcome(out)[1] != outcome(straight)[1]


def test_what_is_memory_only_changes_nothing_but_rounding(documents, straight, tmp_path):
    out = pretrained(documents, tmp_path / "out", microbatch_size=2, checkpoint_every=100)
    for ours, theirs in zip(read_metrics(out), read_metrics(straight), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3)


def test_a_model_goes_on(documents, straight, tmp_path):
    settings = {k: v for k, v in SMALL.items() if k not in pretrain.ARCHITECTURE}
    config = build(pretrain.Config, settings | {"learning_rate": 1e-4, "epochs": 1}, where="")
    inputs = pretrain.Inputs(documents=documents, model=straight)
    out = run_stage(pretrain.run, config, inputs, tmp_path / "more")
    assert losses(out)[0] < losses(straight)[0] - 1
    assert digest(out / "output" / "tokenizer.json") == digest(
        straight / "output" / "tokenizer.json"
    )


def test_a_field_without_effect_is_refused(documents, straight, tmp_path):
    with pytest.raises(InputError, match="`vocabulary_size` has no effect"):
        pretrained(documents, tmp_path / "out", model=straight)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"heads": 5}, "even multiple of `heads`"), ({"vocabulary_size": 100}, "vocabulary_size")],
)
def test_settings_that_cannot_be(documents, tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        pretrained(documents, tmp_path / "out", **settings)


def test_documents_without_text_are_refused(tmp_path):
    (tmp_path / "pretraining.jsonl").write_text('{"text": ""}\n')
    with pytest.raises(InputError, match="no text to train on"):
        pretrained(tmp_path, tmp_path / "out", held_out_fraction=0.0)


def test_a_folder_without_documents_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds no `pretraining\.jsonl`"):
        pretrained(tmp_path / "empty", tmp_path / "out")
