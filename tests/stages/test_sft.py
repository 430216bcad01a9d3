"""Supervised fine-tuning learns responses, and only responses."""

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from accord.config import InputError, build, identity
from accord.data.tokenizers import train_tokenizer
from accord.models.load import load_policy, load_scalar_model, save_model
from accord.records import Demonstration, Message, Prompt, Sampling, write_records
from accord.runtime import supervised, train
from accord.runtime.artifacts import read_json, run_stage
from accord.runtime.generate import HuggingFaceGenerator
from accord.runtime.metrics import read_metrics
from accord.runtime.seeding import generator, seeded_globals
from accord.stages import sft

SMALL = {
    "epochs": 4,
    "batch_size": 8,
    "microbatch_size": 4,
    "learning_rate": 1e-2,
    "log_every": 3,
    "checkpoint_every": 4,
}
WORDS = ["red", "green", "blue", "cat", "dog", "sun", "moon", "tea"]


def demonstration(number):
    """The response repeats the last word of the prompt."""
    words = [WORDS[(number * 5 + i * i) % 8] for i in range(1 + number % 4)]
    message = Message(role="user", content=f"{number} {' '.join(words)}")
    return Demonstration(prompt=Prompt(id=str(number), messages=[message]), response=words[-1])


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    write_records(folder / "demonstrations.jsonl", [demonstration(i) for i in range(32)])
    tokenizer = train_tokenizer([" ".join(WORDS), " " + " ".join(WORDS)] * 3, 290)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=48,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with seeded_globals(0, "tiny"):
        save_model(LlamaForCausalLM(config), tokenizer, folder / "model")
    return sft.Inputs(model=folder / "model", demonstrations=folder)


def tuned(inputs, out, **settings):
    config = build(sft.Config, SMALL | settings, where="[sft]")
    return run_stage(sft.run, config, inputs, out)


@pytest.fixture(scope="module")
def straight(inputs, tmp_path_factory):
    return tuned(inputs, tmp_path_factory.mktemp("straight") / "sft")


def outcome(out):
    return read_json(out / "DONE.json")["digest"], (out / "metrics.jsonl").read_bytes()


def test_the_loss_falls_and_the_counts_add_up(straight):
    losses = [line["train/loss"] for line in read_metrics(straight) if "train/loss" in line]
    assert losses[-1] < losses[0] - 1
    headline = read_json(straight / "DONE.json")["headline"]
    assert headline["trained_on"] + headline["held_out"] == 32
    assert 0 < headline["held_out"] < 10
    assert headline["too_long"] == 0
    assert headline["held_out_loss"] == read_metrics(straight)[-1]["held_out/loss"]


def test_the_policy_learns_to_answer_and_to_stop(inputs, tmp_path):
    out = tuned(inputs, tmp_path / "out", epochs=24)
    model, tokenizer = load_policy(out / "output")
    wanted = [demonstration(i) for i in range(4)]
    encoded = sft.encode_demonstrations(tokenizer, wanted, context=99)
    samples = HuggingFaceGenerator(model, tokenizer).sample(
        [e.prompt for e in encoded], Sampling(temperature=0, max_tokens=8), random=generator(0)
    )
    assert samples.responses == [e.response for e in encoded]
    assert all(samples.finished)


def test_only_responses_are_learnt(inputs):
    """The gradient is that of the response's log-probability, computed by transformers."""
    model, tokenizer = load_policy(inputs.model)
    encoded = sft.encode_demonstrations(tokenizer, [demonstration(i) for i in range(5)], context=99)
    loss = supervised.response_loss(model, sft._batch(encoded, range(5), 0), "float32")
    expected = 0.0
    for example in encoded:
        ids = torch.tensor([[*example.prompt, *example.response]])
        labels = ids.clone()
        labels[:, : len(example.prompt)] = -100
        expected += model(ids, labels=labels).loss * len(example.response)
    torch.testing.assert_close(loss, expected)
    parameters = list(model.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(loss, parameters),
        torch.autograd.grad(expected, parameters),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("calls", "dropout"), [(1, 0.0), (4, 0.0), (6, 0.2)])
def test_killed_and_resumed_equals_straight(inputs, tmp_path, monkeypatch, calls, dropout):
    expected = outcome(tuned(inputs, tmp_path / "straight", dropout=dropout))
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
            tuned(inputs, tmp_path / "out", dropout=dropout)
    tuned(inputs, tmp_path / "out", dropout=dropout)
    assert outcome(tmp_path / "out") == expected


CHANGES = {
    "seed": 1,
    "epochs": 3,
    "batch_size": 6,
    "context": 10,
    "learning_rate": 1e-3,
    "warmup": 0.5,
    "final_learning_rate": 0.9,
    "weight_decay": 0.5,
    "dropout": 0.2,
    "max_grad_norm": 0.01,
    "held_out_fraction": 0.5,
    "packing": True,
    "keep": "loss",
    "trained": {"lora_rank": 2},
}


def test_every_field_is_known_to_these_tests():
    free = set(sft.Config.model_fields) - set(identity(sft.Config()))
    assert free == {"microbatch_size", "checkpoint_every"}
    assert set(CHANGES) | free | {"log_every"} == set(sft.Config.model_fields)


@pytest.mark.parametrize("field", sorted(CHANGES))
def test_every_field_changes_something(inputs, straight, tmp_path, field):
    # at a learning rate that is too large the last weights are not the best
    rate = {"learning_rate": 0.3} if field == "keep" else {}
    base = tuned(inputs, tmp_path / "base", **rate) if rate else straight
    out = tuned(inputs, tmp_path / "out", **rate, **{field: CHANGES[field]})
    assert outcome(out)[0] != outcome(base)[0]


def test_how_often_is_logged_changes_the_log_only(inputs, straight, tmp_path):
    out = tuned(inputs, tmp_path / "out", log_every=2)
    assert outcome(out)[0] == outcome(straight)[0]
    assert outcome(out)[1] != outcome(straight)[1]


def test_the_microbatch_size_changes_nothing_but_rounding(inputs, straight, tmp_path):
    out = tuned(inputs, tmp_path / "out", microbatch_size=1)
    for ours, theirs in zip(read_metrics(out), read_metrics(straight), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3)


def test_dropout_is_off_in_what_is_written(inputs, tmp_path):
    out = tuned(inputs, tmp_path / "out", dropout=0.2)
    model = AutoModelForCausalLM.from_pretrained(out / "output")
    tokens = torch.tensor([[5, 6, 7]])
    model.train()
    assert torch.equal(model(tokens).logits, model(tokens).logits)


def test_nothing_held_out_is_no_number(inputs, tmp_path):
    out = tuned(inputs, tmp_path / "out", held_out_fraction=0.0, epochs=1)
    assert read_metrics(out)[-1]["held_out/loss"] is None
    assert read_json(out / "DONE.json")["headline"]["held_out_loss"] is None


def test_nothing_to_train_on_is_said(inputs, tmp_path):
    with pytest.raises(InputError, match="none of 32 demonstrations"):
        tuned(inputs, tmp_path / "out", context=3)


def test_the_best_weights_by_held_out_loss_are_kept(inputs, tmp_path):
    out = tuned(inputs, tmp_path / "out", learning_rate=0.3, keep="loss")
    losses = [line["held_out/loss"] for line in read_metrics(out) if "held_out/loss" in line]
    assert len(losses) == 4
    assert min(losses) < losses[-1]
    model, tokenizer = load_policy(out / "output")
    encoded = sft.encode_demonstrations(
        tokenizer, [demonstration(i) for i in range(32)], context=48
    )
    config = build(sft.Config, SMALL, where="[sft]")
    _, held_out = sft._split([demonstration(i) for i in range(32)], encoded, config)
    rows = [sft._batch(held_out, range(len(held_out)), 0)]
    assert supervised.mean_loss(model, rows, "float32") == pytest.approx(min(losses), abs=1e-4)
    assert read_json(out / "DONE.json")["headline"]["held_out_loss"] == min(losses)


@pytest.fixture(scope="module")
def preference_model(inputs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("judge")
    model, tokenizer = load_scalar_model(inputs.model, random=generator(3))
    save_model(model, tokenizer, folder)
    return folder


@pytest.mark.parametrize("calls", [5, 11])
def test_the_best_weights_by_score_are_kept_and_survive_a_kill(
    inputs, preference_model, tmp_path, monkeypatch, calls
):
    given = inputs.model_copy(update={"preference_model": preference_model})
    options = {"keep": "score", "trained": {"lora_rank": 2}, "packing": True, "checkpoint_every": 2}
    straight = tuned(given, tmp_path / "straight", **options)
    scores = [line["held_out/score"] for line in read_metrics(straight) if "held_out/score" in line]
    assert len(set(scores)) == 4
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
            tuned(given, tmp_path / "out", **options)
    tuned(given, tmp_path / "out", **options)
    assert outcome(tmp_path / "out") == outcome(straight)


def test_settings_that_cannot_be_followed_are_refused(inputs, tmp_path):
    with pytest.raises(InputError, match="needs the input `preference_model`"):
        tuned(inputs, tmp_path / "a", keep="score")
    with pytest.raises(InputError, match="needs held-out demonstrations"):
        tuned(inputs, tmp_path / "b", keep="loss", held_out_fraction=0.0)
