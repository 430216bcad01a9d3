"""Preference pretraining: two heads on one trunk learn, and the scalar one is handed on."""

import random

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from accord.config import InputError, build
from accord.functional.preference import bradley_terry_loss
from accord.models.load import load_both_heads, load_scalar_model
from accord.models.unpadded import can_unpad
from accord.records import (
    Comparison,
    LabeledComparison,
    Message,
    Preference,
    Prompt,
    Response,
    write_records,
)
from accord.runtime import preference_training
from accord.runtime.artifacts import read_json, run_stage
from accord.runtime.metrics import read_metrics
from accord.runtime.seeding import generator
from accord.stages import preference_pretraining

WORDS = ["is", "what", "four", "two", "knows", "far"]
SMALL = {"batch_size": 8, "microbatch_size": 4, "learning_rate": 5e-3, "test_fraction": 0.25}


def pair(number, rng, *, strength=None):
    """Planted: the response with `good` in it is better, nine times in ten."""
    prompt = Prompt(
        id=f"p{number}", messages=(Message(role="user", content=f"{number} {rng.choice(WORDS)}"),)
    )
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(2, 5))) for _ in range(2)]
    better = rng.randrange(2)
    texts[better] += " good"
    ranks = [2, 2]
    ranks[better if rng.random() < 0.9 else 1 - better] = 1
    return LabeledComparison(
        comparison=Comparison(
            id=f"c{number}",
            prompt=prompt,
            responses=tuple(
                Response(id=f"{number}-{i}", prompt_id=prompt.id, text=text, policy="public")
                for i, text in enumerate(texts)
            ),
        ),
        preferences=(
            Preference(
                id=f"v{number}",
                comparison_id=f"c{number}",
                labeler="public",
                ranks=tuple(ranks),
                strength=strength,
            ),
        ),
    )


def written(folder, number):
    rng = random.Random(0)
    pairs = [pair(n, rng, strength=1 + n % 4) for n in range(number)]
    write_records(folder / "public-comparisons.jsonl", pairs)
    return folder


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, tiny_models):
    folder = written(tmp_path_factory.mktemp("public"), 80)
    return preference_pretraining.Inputs(model=tiny_models["gpt2"], comparisons=folder)


@pytest.fixture(scope="module")
def few(inputs, tmp_path_factory):
    folder = written(tmp_path_factory.mktemp("few"), 24)
    return inputs.model_copy(update={"comparisons": folder / "public-comparisons.jsonl"})


def trained(inputs, out, **settings):
    config = build(preference_pretraining.Config, SMALL | settings, where="[pmp]")
    return run_stage(preference_pretraining.run, config, inputs, out)


@pytest.fixture(scope="module")
def straight(inputs, tmp_path_factory):
    return trained(inputs, tmp_path_factory.mktemp("straight") / "pmp", epochs=2)


@pytest.fixture(scope="module")
def quick(few, tmp_path_factory):
    return trained(few, tmp_path_factory.mktemp("quick") / "pmp")


def outcome(out):
    return (
        read_json(out / "DONE.json")["digest"],
        (out / "metrics.jsonl").read_bytes(),
        (out / "evaluation.json").read_bytes(),
    )


def test_both_heads_learn(straight):
    metrics = read_metrics(straight)
    assert metrics[-1]["language/loss"] < metrics[1]["language/loss"] - 0.5
    assert metrics[-1]["preference/loss"] < metrics[1]["preference/loss"]
    evaluation = read_json(straight / "evaluation.json")
    assert evaluation["accuracy"]["value"] > 0.75
    assert evaluation["train_size"] + evaluation["test_size"] == 80
    headline = read_json(straight / "DONE.json")["headline"]
    assert headline["held_out_accuracy"] == evaluation["accuracy"]


def test_the_output_is_a_preference_model_for_plain_transformers(straight):
    plain = AutoModelForSequenceClassification.from_pretrained(straight / "output")
    assert plain.config.num_labels == 1
    again, _ = load_scalar_model(straight / "output")
    tokens = torch.tensor([[5, 6, 7, 1]])
    with torch.no_grad():
        assert torch.equal(plain(tokens).logits, again(tokens).logits)


def part_of(items):
    return preference_training.Part(list(items))


def plan(lm_coef):
    settings = {"lm_coef": lm_coef}
    config = build(preference_pretraining.Config, settings, where="[preference_pretraining]")
    return preference_pretraining._plan(config)


def test_the_loss_is_that_of_its_two_parts(inputs):
    """Against Bradley-Terry and the next-token loss of whole forwards, padding included."""
    rng = random.Random(3)
    pairs = [pair(n, rng) for n in range(5)]
    scalar, language, tokenizer = load_both_heads(inputs.model, random=generator(0))
    items = preference_training.prepare(
        tokenizer, pairs, model=scalar, context=96, ties="drop", minimum_strength=1
    ).items
    better = [item.conversations[item.wins[1][0] > 0] for item in items]
    learnt = sum(len(row) - 1 for row in better)
    heads = preference_training.Heads(scalar, language)
    with torch.no_grad():
        loss, sums = preference_training._loss(
            heads, part_of(items), plan(0.3), learnt / len(items)
        )
        losses = []
        for row in better:  # one by one, without padding
            logprobs = language(torch.tensor([row])).logits[0].log_softmax(dim=-1)
            losses += [-logprobs[s, token] for s, token in enumerate(row[1:])]
        language_loss = torch.stack(losses).sum() / learnt
        scores = torch.tensor(preference_training.score_all(scalar, items, microbatch_size=4))
    rows = torch.arange(len(items))
    first = torch.tensor([int(item.wins[1][0] > 0) for item in items])
    plain = bradley_terry_loss(scores[rows, first], scores[rows, 1 - first]).mean()
    expected = float(plain + 0.3 * language_loss)
    assert float(loss) / len(items) == pytest.approx(expected, abs=1e-5)
    assert sums["language/loss"] / len(items) == pytest.approx(float(language_loss), abs=1e-5)


def test_without_the_language_loss_there_is_no_language_head(few, tmp_path):
    metrics = read_metrics(trained(few, tmp_path / "pmp", lm_coef=0))
    assert not any("language/loss" in line for line in metrics)


def test_one_forward_a_response(inputs):
    scalar, language, tokenizer = load_both_heads(inputs.model, random=generator(0))
    pairs = [pair(n, random.Random(n)) for n in range(5)]
    items = preference_training.prepare(
        tokenizer, pairs, model=scalar, context=96, ties="drop", minimum_strength=1
    ).items
    can_unpad(scalar.transformer)
    real = []

    def count(module, _, passed):
        real.append(int((passed["input_ids"] != scalar.config.pad_token_id).sum()))

    scalar.transformer.register_forward_pre_hook(count, with_kwargs=True)
    heads = preference_training.Heads(scalar, language)
    preference_training._loss(heads, part_of(items), plan(1.0), 1.0)
    assert real == [sum(len(tokens) for item in items for tokens in item.conversations)]


def test_killed_and_resumed_is_as_if_straight(few, quick, tmp_path, monkeypatch):
    original = preference_training.MetricsLog.log

    def dying(self, step, values):
        if step == 2:
            raise KeyboardInterrupt
        original(self, step, values)

    monkeypatch.setattr(preference_training.MetricsLog, "log", dying)
    with pytest.raises(KeyboardInterrupt):
        trained(few, tmp_path / "pmp", checkpoint_every=1)
    monkeypatch.undo()
    assert outcome(trained(few, tmp_path / "pmp")) == outcome(quick)


@pytest.mark.parametrize(
    "settings",
    [
        {"seed": 1},
        {"epochs": 2},
        {"batch_size": 5},
        {"learning_rate": 1e-3},
        {"schedule": "constant"},
        {"warmup": 0.5},
        {"final_learning_rate": 0.9},
        {"max_grad_norm": 1e-3},
        {"lm_coef": 0.5},
        {"context": 16},
        {"minimum_strength": 3},
        {"test_fraction": 0.5},
        {"form": "binary"},
        {"confidence": 0.5},
        {"calibration_bins": 2},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_every_setting_changes_something(few, quick, tmp_path, settings):
    assert outcome(trained(few, tmp_path / "pmp", **settings)) != outcome(quick)


def test_microbatches_change_nothing_but_memory(few, quick, tmp_path):
    out = trained(few, tmp_path / "pmp", microbatch_size=1)
    for one, other in zip(read_metrics(out), read_metrics(quick), strict=True):
        assert one == pytest.approx(other, rel=2e-4, abs=2e-4)


def test_ties_count_half_when_they_are_asked_to(tmp_path, few):
    rng = random.Random(0)
    pairs = [pair(n, rng) for n in range(12)]
    tied = [
        labeled.model_copy(
            update={"preferences": (labeled.preferences[0].model_copy(update={"ranks": (1, 1)}),)}
        )
        for labeled in [pair(n, rng) for n in range(12, 20)]
    ]
    write_records(tmp_path / "public-comparisons.jsonl", pairs + tied)
    given = few.model_copy(update={"comparisons": tmp_path})
    dropped = read_json(trained(given, tmp_path / "drop") / "evaluation.json")
    halved = read_json(trained(given, tmp_path / "half", ties="half") / "evaluation.json")
    assert dropped["train_undecided"] + dropped["test_undecided"] == 8
    assert halved["train_undecided"] + halved["test_undecided"] == 0


def test_a_split_that_leaves_a_side_empty(tmp_path, few):
    write_records(tmp_path / "public-comparisons.jsonl", [pair(0, random.Random(0))])
    given = few.model_copy(update={"comparisons": tmp_path})
    with pytest.raises(InputError, match=r"leaves no (train|test) comparisons out of 1"):
        trained(given, tmp_path / "out")
