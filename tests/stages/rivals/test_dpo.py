"""DPO learns what was preferred, from where its reference is."""

import json
import math

import pytest
import torch

from accord.config import InputError, build
from accord.data.chat import encode_prompts, encode_responses
from accord.data.collate import build as collate
from accord.models import policy as policies
from accord.models.load import load_policy, pad_id
from accord.records import (
    Comparison,
    LabeledComparison,
    Message,
    Preference,
    Prompt,
    Response,
    write_records,
)
from accord.runtime.artifacts import run_stage
from accord.runtime.metrics import read_metrics
from accord.stages import dpo

PLAIN = {"batch_size": 6, "microbatch_size": 4, "learning_rate": 3e-3, "checkpoint_every": 2}
NICE, NASTY = ("tea sun", "sun tea", "moon", "tea"), ("dog cat", "red dog", "dog", "cat blue")


def labeled(number, ranks=(1, 2), strength=2):
    asked = Prompt(id=f"q{number}", messages=(Message(role="user", content=f"red {number}"),))
    texts = NICE[number % 4], NASTY[number % 4]
    responses = tuple(
        Response(id=f"r{number}-{i}", prompt_id=asked.id, text=text, policy="p")
        for i, text in enumerate(texts)
    )
    name = f"c{number}"
    preference = Preference(
        id=f"v{number}", comparison_id=name, labeler="ann", ranks=ranks, strength=strength
    )
    return LabeledComparison(
        comparison=Comparison(id=name, prompt=asked, responses=responses), preferences=(preference,)
    )


@pytest.fixture(scope="module")
def votes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("votes")
    train = [labeled(n, strength=1 + n % 3) for n in range(24)]
    write_records(folder / "comparisons-train.jsonl", [*train, labeled(24, ranks=(1, 1))])
    write_records(folder / "comparisons-test.jsonl", [labeled(n) for n in range(30, 38)])
    return folder


def run(models, votes, out, **settings):
    config = build(dpo.Config, PLAIN | settings, where="[dpo]")
    inputs = dpo.Inputs(policy=models / "policy", comparisons=votes)
    run_stage(dpo.run, config, inputs, out)
    return read_metrics(out)


def logprob(folder, text):
    """Of a response to an unseen prompt."""
    model, tokenizer = load_policy(folder)
    prompt = Prompt(id="x", messages=(Message(role="user", content="red 99"),))
    batch = collate(
        encode_prompts(tokenizer, [prompt]), encode_responses(tokenizer, [text]), pad_id(tokenizer)
    )
    with torch.no_grad():
        found = policies.logprobs(model, batch.tokens, batch.prompt_lengths, batch.response_lengths)
    return float(found.sum())


def test_it_starts_at_a_coin_toss_and_learns_what_was_preferred(models, votes, tmp_path):
    lines = run(models, votes, tmp_path / "out", epochs=5)
    assert lines[0]["train/loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert lines[0]["preference/margin"] == pytest.approx(0, abs=1e-5)
    held_out = [line for line in lines if "held_out/accuracy" in line]
    assert [line["step"] for line in held_out] == [4, 8, 12, 16, 20]
    assert held_out[-1]["held_out/accuracy"] == 1
    assert held_out[-1]["held_out/loss"] < held_out[0]["held_out/loss"] < math.log(2)
    before = [logprob(models / "policy", text) for text in (NICE[0], NASTY[0])]
    after = [logprob(tmp_path / "out/output", text) for text in (NICE[0], NASTY[0])]
    assert after[0] - after[1] > before[0] - before[1] + 1
    headline = json.loads((tmp_path / "out/DONE.json").read_text())["headline"]
    assert (headline["trained_on"], headline["held_out"]) == (24, 8)  # the tie is left out
    assert headline["held_out_accuracy"] == 1


def test_turned_votes_teach_the_opposite(models, tmp_path):
    write_records(
        tmp_path / "comparisons-train.jsonl", [labeled(n, ranks=(2, 1)) for n in range(24)]
    )
    lines = run(models, tmp_path, tmp_path / "out", epochs=4)
    assert "held_out/loss" not in lines[-1]
    before = [logprob(models / "policy", text) for text in (NICE[0], NASTY[0])]
    after = [logprob(tmp_path / "out/output", text) for text in (NICE[0], NASTY[0])]
    assert after[0] - after[1] < before[0] - before[1] - 1


def test_killed_and_resumed_is_the_same_to_the_byte(models, votes, tmp_path, monkeypatch):
    straight = run(models, votes, tmp_path / "straight")
    whole, steps = dpo.optimiser_step, []

    def killed(*args, **named):
        steps.append(1)
        if len(steps) == 4:
            raise KeyboardInterrupt
        return whole(*args, **named)

    monkeypatch.setattr(dpo, "optimiser_step", killed)
    with pytest.raises(KeyboardInterrupt):
        run(models, votes, tmp_path / "killed")
    assert run(models, votes, tmp_path / "killed") == straight
    assert len(steps) == 6  # the third step was lost with the fourth
    digests = [
        json.loads((tmp_path / name / "DONE.json").read_text())["digest"]
        for name in ("straight", "killed")
    ]
    assert digests[0] == digests[1]


@pytest.fixture(scope="module")
def plain(models, votes, tmp_path_factory):
    return run(models, votes, tmp_path_factory.mktemp("plain") / "out")


def test_the_microbatch_changes_memory_only(models, votes, plain, tmp_path):
    other = run(models, votes, tmp_path / "out", microbatch_size=1)
    for a, b in zip(plain, other, strict=True):
        assert a == pytest.approx(b, rel=2e-3, abs=1e-4)


CHANGES = [
    {"seed": 1},
    {"epochs": 2},
    {"batch_size": 5},
    {"context": 12},
    {"beta": 0.5},
    {"label_smoothing": 0.2},
    {"minimum_strength": 2},
    {"learning_rate": 1e-4},
    {"warmup": 0.5},
    {"max_grad_norm": 1e-3},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_every_setting_changes_something(models, votes, plain, tmp_path, change):
    assert run(models, votes, tmp_path / "out", **change) != plain


def test_no_setting_is_forgotten():
    named = {name for change in CHANGES for name in change}
    assert named | {"microbatch_size", "checkpoint_every"} == set(dpo.Config.model_fields)


def test_another_reference_counts_from_elsewhere(models, votes, plain, tmp_path):
    run(models, votes, tmp_path / "moved", epochs=2)
    inputs = dpo.Inputs(
        policy=models / "policy", comparisons=votes, reference=tmp_path / "moved/output"
    )
    run_stage(dpo.run, build(dpo.Config, PLAIN, where="[dpo]"), inputs, tmp_path / "out")
    assert (
        read_metrics(tmp_path / "out")[0]["preference/margin"]
        < -0.01
        < plain[0]["preference/margin"]
    )


def test_nothing_to_learn_from_is_said(models, tmp_path):
    write_records(tmp_path / "comparisons-train.jsonl", [labeled(0, ranks=(1, 1))])
    with pytest.raises(InputError, match=r"no comparison of .* is decided and fits"):
        run(models, tmp_path, tmp_path / "out")


def test_models_of_two_tokenizers_are_refused(models, tiny_models, votes, tmp_path):
    inputs = dpo.Inputs(policy=models / "policy", comparisons=votes, reference=tiny_models["llama"])
    with pytest.raises(InputError, match="have different tokenizers"):
        run_stage(dpo.run, build(dpo.Config, PLAIN, where="[dpo]"), inputs, tmp_path / "out")
