"""The preference model stage: learns what is planted, forwards once, resumes, is calibrated."""

import json
import random
import shutil
from typing import get_args

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from accord.config import InputError, build
from accord.data.chat import encode_prompt, encode_responses
from accord.functional.preference import ranking_loss
from accord.models import packed
from accord.models import preference_model as scoring
from accord.models.load import load_scalar_model
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
from accord.runtime.preference_losses import Kind
from accord.runtime.seeding import generator
from accord.stages import preference_model

WORDS = ["is", "what", "four", "two", "knows", "far"]
SMALL = {"epochs": 2, "batch_size": 8, "microbatch_size": 4, "learning_rate": 5e-3}


def comparison(number, rng, *, k=3):
    """Planted: the more often a response says `good`, the better; votes follow a logit of 2."""
    prompt = Prompt(
        id=f"p{number}",
        messages=(Message(role="user", content=f"{number} {rng.choice(WORDS)}?"),),
    )
    goods = rng.sample(range(4), k)
    texts = []
    for good in goods:
        words = ["good"] * good + [rng.choice(WORDS) for _ in range(rng.randint(1, 4))]
        rng.shuffle(words)
        texts.append(" ".join(words))
    responses = tuple(
        Response(id=f"{number}-{i}", prompt_id=prompt.id, text=text, policy="sft")
        for i, text in enumerate(texts)
    )
    votes = []
    for labeler in range(3):
        noisy = [2 * good + rng.gauss(0, 1) for good in goods]
        order = sorted(range(k), key=lambda i: -noisy[i])
        ranks = tuple(order.index(i) + 1 for i in range(k))
        votes.append(
            Preference(
                id=f"{number}-{labeler}",
                comparison_id=f"c{number}",
                labeler=f"labeler {labeler}",
                ranks=ranks,
                strength=1 + (number + labeler) % 4,
            )
        )
    return LabeledComparison(
        comparison=Comparison(id=f"c{number}", prompt=prompt, responses=responses),
        preferences=tuple(votes),
    )


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, tiny_models):
    rng = random.Random(0)
    folder = tmp_path_factory.mktemp("comparisons")
    made = [comparison(n, rng, k=2 + n % 2) for n in range(60)]
    write_records(folder / "comparisons-train.jsonl", made[:40])
    write_records(folder / "comparisons-test.jsonl", made[40:])
    return preference_model.Inputs(model=tiny_models["llama"], comparisons=folder)


@pytest.fixture(scope="module")
def few(inputs, tmp_path_factory):
    """The same with two steps an epoch, for what need not be learnt."""
    folder = tmp_path_factory.mktemp("few")
    for side, number in (("train", 16), ("test", 8)):
        name = f"comparisons-{side}.jsonl"
        lines = (inputs.comparisons / name).read_text().splitlines(keepends=True)
        (folder / name).write_text("".join(lines[:number]))
    return inputs.model_copy(update={"comparisons": folder})


@pytest.fixture(scope="module")
def quick(few, tmp_path_factory):
    return trained(few, tmp_path_factory.mktemp("quick") / "pm", epochs=1)


def trained(inputs, out, **settings):
    config = build(preference_model.Config, SMALL | settings, where="[preference_model]")
    return run_stage(preference_model.run, config, inputs, out)


@pytest.fixture(scope="module")
def straight(inputs, tmp_path_factory):
    return trained(inputs, tmp_path_factory.mktemp("straight") / "pm")


def outcome(out):
    return (
        read_json(out / "DONE.json")["digest"],
        (out / "metrics.jsonl").read_bytes(),
        (out / "evaluation.json").read_bytes(),
    )


def test_the_planted_preference_is_learnt(straight):
    metrics = read_metrics(straight)
    evaluation = read_json(straight / "evaluation.json")
    assert metrics[0]["held_out/accuracy"] < 0.75
    assert evaluation["accuracy"]["value"] > 0.85
    assert evaluation["accuracy"]["low"] > 0.7
    assert evaluation["log_loss"] < metrics[0]["held_out/log_loss"] - 0.2
    assert evaluation["ceiling"]["low"] <= evaluation["ceiling"]["accuracy"]
    assert evaluation["train_size"] == 40
    assert metrics[-1]["preference/loss"] < metrics[1]["preference/loss"]


def test_what_is_logged(straight):
    metrics = read_metrics(straight)
    assert [line["step"] for line in metrics] == list(range(11))
    # Before the first step and after each of the two epochs of five steps.
    held_out = [line["step"] for line in metrics if "held_out/accuracy" in line]
    assert held_out == [0, 5, 10]
    headline = read_json(straight / "DONE.json")["headline"]
    assert headline["held_out_accuracy"] == read_json(straight / "evaluation.json")["accuracy"]


def test_plain_transformers_gives_the_same_scores(straight, inputs):
    """Padded by the saved tokenizer, read by transformers, against Accord's own scores."""
    output = straight / "output"
    model, _ = load_scalar_model(output)
    plain = AutoModelForSequenceClassification.from_pretrained(output)
    tokenizer = AutoTokenizer.from_pretrained(output)
    labeled = comparison(7, random.Random(7))
    rows = [
        encode_prompt(tokenizer, labeled.comparison.prompt)
        + encode_responses(tokenizer, [response.text])[0]
        for response in labeled.comparison.responses
    ]
    padded = tokenizer.pad({"input_ids": rows}, return_tensors="pt")
    with torch.no_grad():
        logits = plain(**padded).logits.squeeze(1)
        scores = scoring.scores(
            model, padded["input_ids"], torch.tensor([len(row) for row in rows])
        )
    assert torch.allclose(logits + plain.config.score_bias, scores, atol=1e-5)
    differences = logits[:, None] - logits[None, :]
    assert torch.allclose(differences, scores[:, None] - scores[None, :], atol=1e-5)


def test_scores_of_the_training_responses_have_mean_0_and_std_1(straight, inputs):
    model, tokenizer = load_scalar_model(straight / "output")
    items = prepared(inputs, model, tokenizer)
    scores = torch.tensor(
        [s for row in preference_training.score_all(model, items, microbatch_size=4) for s in row]
    )
    assert float(scores.mean()) == pytest.approx(0, abs=1e-4)
    assert float(scores.std(correction=0)) == pytest.approx(1, abs=1e-4)
    normalisation = read_json(straight / "evaluation.json")["normalisation"]
    assert normalisation["reference"] == "training responses"
    assert normalisation["responses"] == len(scores) == 100
    assert model.config.score_gain == pytest.approx(normalisation["gain"])


def prepared(inputs, model, tokenizer, side="train"):
    from accord.records import read_records  # noqa: PLC0415

    return preference_training.prepare(
        tokenizer,
        read_records(inputs.comparisons / f"comparisons-{side}.jsonl", LabeledComparison),
        model=model,
        context=96,
        ties="drop",
        minimum_strength=1,
    ).items


def plan(**settings):
    config = build(preference_model.Config, SMALL | settings, where="[preference_model]")
    return preference_model._plan(config)


def loss_of(model, items, **settings):
    part = preference_training.Part(list(items))
    return preference_training._loss(preference_training.Heads(model), part, plan(**settings), 1.0)


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("shared", [True, False])
def test_every_response_is_forwarded_exactly_once(inputs, monkeypatch, shared, kind):
    """K forwards for the K(K-1)/2 pairs of a comparison; one of a prompt that is shared."""
    model, tokenizer = load_scalar_model(inputs.model, random=generator(0))
    items = prepared(inputs, model, tokenizer)[:6]
    monkeypatch.setattr(packed, "sharing_pays", lambda *_: shared)
    packed.can_pack(model)
    can_unpad(model.model)
    real = []

    def count(module, _, given):
        real.append(int((given["input_ids"] != model.config.pad_token_id).sum()))

    model.model.register_forward_pre_hook(count, with_kwargs=True)
    loss_of(model, items, loss={"kind": kind})
    prompts = sum(len(i.prompt) * (1 if shared else len(i.responses)) for i in items)
    assert real == [prompts + sum(len(r) for i in items for r in i.responses)]
    assert sum(len(i.responses) for i in items) == 15
    assert sum(len(i.wins) * (len(i.wins) - 1) // 2 for i in items) == 12


def test_one_labeler_gives_the_ranking_loss(inputs):
    """With a single answer the loss is the mean over pairs of Ouyang et al. 2022, eq. 1."""
    model, tokenizer = load_scalar_model(inputs.model, random=generator(0))
    labeled = comparison(1, random.Random(1))
    single = labeled.model_copy(update={"preferences": labeled.preferences[:1]})
    items = preference_training.prepare(
        tokenizer, [single], model=model, context=96, ties="drop", minimum_strength=1
    ).items
    loss, sums = loss_of(model, items)
    scores = torch.tensor(preference_training.score_all(model, items, microbatch_size=4))
    ranks = torch.tensor([labeled.preferences[0].ranks])
    expected = ranking_loss(scores, ranks, torch.ones(1, 3, dtype=torch.bool))
    assert float(loss.detach()) == pytest.approx(float(expected), abs=1e-5)
    assert sums["preference/loss"] == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("at", [1, 2])
def test_killed_and_resumed_is_as_if_straight(inputs, straight, tmp_path, monkeypatch, at):
    saves = []
    original = preference_training.MetricsLog.log

    def dying(self, step, values):
        original(self, step, values)
        saves.append(step)
        if len(saves) == 4 * at:
            raise KeyboardInterrupt

    monkeypatch.setattr(preference_training.MetricsLog, "log", dying)
    with pytest.raises(KeyboardInterrupt):
        trained(inputs, tmp_path / "pm", checkpoint_every=2)
    monkeypatch.undo()
    assert sorted((tmp_path / "pm" / "checkpoints").iterdir())
    assert outcome(trained(inputs, tmp_path / "pm", checkpoint_every=2)) == outcome(straight)


def test_microbatches_change_nothing_but_memory(few, quick, tmp_path):
    out = trained(few, tmp_path / "pm", epochs=1, microbatch_size=1)
    for one, other in zip(read_metrics(out), read_metrics(quick), strict=True):
        assert one == pytest.approx(other, rel=2e-4, abs=2e-4)


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
        {"context": 24},
        {"minimum_strength": 3},
        {"normalise": False},
        {"confidence": 0.5},
        {"calibration_bins": 2},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_every_setting_changes_something(few, quick, tmp_path, settings):
    out = trained(few, tmp_path / "pm", **({"epochs": 1} | settings))
    assert outcome(out) != outcome(quick)


def test_ties_as_half_wins_change_the_model(few, tmp_path):
    folder = shutil.copytree(few.comparisons, tmp_path / "ties")
    lines = (folder / "comparisons-train.jsonl").read_text().splitlines()
    changed = []
    for line in lines:
        value = json.loads(line)
        value["preferences"][0]["ranks"] = [1] * len(value["comparison"]["responses"])
        changed.append(json.dumps(value))
    (folder / "comparisons-train.jsonl").write_text("\n".join(changed) + "\n")
    tied = few.model_copy(update={"comparisons": folder})
    first = trained(tied, tmp_path / "drop", ties="drop", epochs=1)
    second = trained(tied, tmp_path / "half", ties="half", epochs=1)
    assert outcome(first)[0] != outcome(second)[0]


def test_scores_are_normalised_on_a_reference_when_one_is_given(few, tmp_path):
    reference = tmp_path / "sample"
    reference.mkdir()
    write_records(
        reference / "comparisons.jsonl",
        [comparison(n, random.Random(n)).comparison for n in range(5)],
    )
    given = few.model_copy(update={"reference": reference})
    out = trained(given, tmp_path / "pm", epochs=1)
    normalisation = read_json(out / "evaluation.json")["normalisation"]
    assert normalisation["reference"] == "reference responses"
    assert normalisation["responses"] == 15


def test_a_normalised_model_is_continued_in_nats(straight, inputs, tmp_path):
    """Its scores are per gain; calibration would be off if they were taken for log-odds."""
    again = inputs.model_copy(update={"model": straight})
    out = trained(again, tmp_path / "pm", epochs=1, learning_rate=1e-9)
    before = read_json(straight / "evaluation.json")["log_loss"]
    assert read_json(out / "evaluation.json")["log_loss"] == pytest.approx(before, abs=1e-4)


def test_comparisons_that_do_not_fit_are_counted(few, tmp_path):
    evaluation = read_json(trained(few, tmp_path / "pm", epochs=1, context=24) / "evaluation.json")
    assert 0 < evaluation["train_size"] < 16
    assert evaluation["train_size"] + evaluation["train_too_long"] == 16
    with pytest.raises(InputError, match="is decided and fits `context` = 2 tokens"):
        trained(few, tmp_path / "short", context=2)


def test_long_prompts_can_be_shortened_instead(few, tmp_path):
    folder = shutil.copytree(few.comparisons, tmp_path / "long")
    longer = '"content":"what is two and two? what is four? as far as one knows. '
    for file in folder.iterdir():
        file.write_text(file.read_text().replace('"content":"', longer))
    long = few.model_copy(update={"comparisons": folder})
    counts = {}
    for choice in ("leave_out", "shorten"):
        out = trained(long, tmp_path / choice, epochs=1, context=40, long_prompts=choice)
        counts[choice] = read_json(out / "evaluation.json")
    dropped, cut = counts["leave_out"], counts["shorten"]
    assert dropped["train_shortened"] == dropped["test_shortened"] == 0
    assert cut["train_shortened"] == cut["train_size"] - dropped["train_size"] > 0


@pytest.mark.parametrize(("text", "message"), [("x", "same score"), ("x" * 99, "no response of")])
def test_a_reference_that_says_nothing(few, tmp_path, text, message):
    one = comparison(0, random.Random(0)).comparison
    same = tuple(response.model_copy(update={"text": text}) for response in one.responses)
    reference = one.model_copy(update={"responses": same})
    write_records(tmp_path / "comparisons.jsonl", [reference] * 2)
    given = few.model_copy(update={"reference": tmp_path})
    with pytest.raises(InputError, match=message):
        trained(given, tmp_path / "pm", epochs=1, context=90)
