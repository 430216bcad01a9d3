"""What else a preference model can be trained with: every loss, LoRA, ensembles, reliability."""

import json
import math
import random

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from accord.config import InputError, build
from accord.models.ensemble import FILE, load_ensemble
from accord.models.load import load_scalar_model
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
from accord.runtime.preference_items import Answer, Item
from accord.runtime.preference_losses import Loss, losses, needs, targets_of
from accord.runtime.seeding import generator
from accord.stages import preference_model

SMALL = {"epochs": 3, "batch_size": 8, "microbatch_size": 4, "learning_rate": 5e-3}
WORDS = ["is", "what", "four", "two", "knows", "far"]


def comparison(number, rng):
    """Planted: more `good`s are better; a difference of one is a tie every other time."""
    prompt = Prompt(
        id=f"p{number}",
        messages=(Message(role="user", content=f"{number} {rng.choice(WORDS)}?"),),
    )
    goods = rng.sample(range(4), 2)
    texts = [
        " ".join([*["good"] * good, rng.choice(WORDS), str(k)]) for k, good in enumerate(goods)
    ]
    responses = tuple(
        Response(id=f"{number}-{i}", prompt_id=prompt.id, text=text, policy="sft")
        for i, text in enumerate(texts)
    )
    better = (1, 2) if goods[0] > goods[1] else (2, 1)
    close = abs(goods[0] - goods[1]) == 1
    votes = tuple(
        Preference(
            id=f"{number}-{name}",
            comparison_id=f"c{number}",
            labeler=name,
            ranks=(1, 1) if close and rng.random() < 0.5 else ranks,
            strength=1 + (3 if not close else rng.randint(0, 1)),
            ratings=tuple({"overall": 1 + good} for good in goods),
        )
        for name, ranks in (("ann", better), ("zoe", better[::-1]))[: 1 + number % 2]
    )
    return LabeledComparison(
        comparison=Comparison(id=f"c{number}", prompt=prompt, responses=responses),
        preferences=votes,
    )


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, tiny_models):
    rng = random.Random(0)
    folder = tmp_path_factory.mktemp("comparisons")
    made = [comparison(n, rng) for n in range(48)]
    write_records(folder / "comparisons-train.jsonl", made[:32])
    write_records(
        folder / "comparisons-test.jsonl", [m for m in made[32:] if len(m.preferences) == 1]
    )
    return preference_model.Inputs(model=tiny_models["llama"], comparisons=folder)


def trained(inputs, out, **settings):
    config = build(preference_model.Config, SMALL | settings, where="[preference_model]")
    return run_stage(preference_model.run, config, inputs, out)


def outcome(out):
    return (
        read_json(out / "DONE.json")["digest"],
        (out / "metrics.jsonl").read_bytes(),
        (out / "evaluation.json").read_bytes(),
    )


@pytest.fixture(scope="module")
def plain(inputs, tmp_path_factory):
    return trained(inputs, tmp_path_factory.mktemp("plain") / "pm", epochs=1)


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": {"kind": "best_of_k"}},
        {"loss": {"kind": "plackett_luce"}},
        {"loss": {"kind": "margin"}},
        {"loss": {"kind": "davidson"}},
        {"loss": {"kind": "rao_kupper"}},
        {"loss": {"kind": "rating"}},
        {"loss": {"kind": "rating_difference"}},
        {"loss": {"kind": "binary"}},
        {"loss": {"largest_label": 0.7}},
        {"loss": {"lm_coef": 0.5}},
        {"trained": {"lora_rank": 2}},
        {"trained": {"frozen_layers": 1}},
        {"trained": {"precision": "bfloat16"}},
        {"ensemble": {"heads": 2}},
    ],
    ids=str,
)
def test_every_option_trains_another_model(inputs, plain, tmp_path, settings):
    out = trained(inputs, tmp_path / "pm", epochs=1, **settings)
    assert outcome(out)[0] != outcome(plain)[0]
    loaded = AutoModelForSequenceClassification.from_pretrained(out / "output")
    assert loaded.config.num_labels == 1


@pytest.mark.parametrize(
    ("base", "other"),
    [
        ({"loss": {"kind": "margin"}}, {"loss": {"kind": "margin", "margin": 3.0}}),
        ({"loss": {"kind": "davidson"}}, {"loss": {"kind": "davidson", "tie": 2.0}}),
        ({"trained": {"lora_rank": 2}}, {"trained": {"lora_rank": 2, "lora_alpha": 1.0}}),
        ({"ensemble": {"heads": 2}}, {"ensemble": {"heads": 2, "apart": 0.1}}),
        ({"ensemble": {"heads": 2}}, {"ensemble": {"heads": 2, "bootstrap": False}}),
    ],
    ids=str,
)
def test_every_setting_of_an_option_changes_something(inputs, tmp_path, base, other):
    first, second = (
        outcome(trained(inputs, tmp_path / name, epochs=1, **settings))
        for name, settings in (("base", base), ("other", other))
    )
    assert first[0] != second[0]


EVERYTHING = {
    "loss": {"kind": "davidson"},
    "trained": {"lora_rank": 3},
    "ensemble": {"heads": 3},
    "checkpoint_every": 2,
}


@pytest.fixture(scope="module")
def everything(inputs, tmp_path_factory):
    return trained(inputs, tmp_path_factory.mktemp("everything") / "pm", **EVERYTHING)


def test_killed_and_resumed_with_every_option_is_as_if_straight(
    inputs, everything, tmp_path, monkeypatch
):
    original = preference_training.MetricsLog.log

    def dying(self, step, values):
        original(self, step, values)
        if step == 7:
            raise KeyboardInterrupt

    monkeypatch.setattr(preference_training.MetricsLog, "log", dying)
    with pytest.raises(KeyboardInterrupt):
        trained(inputs, tmp_path / "pm", **EVERYTHING)
    monkeypatch.undo()
    assert outcome(trained(inputs, tmp_path / "pm", **EVERYTHING)) == outcome(everything)


def test_the_ensemble_is_saved_beside_its_mean_and_its_spread_is_read(everything):
    found, _ = load_ensemble([everything / "output"])
    assert found.heads[0].shape == (3, 32)
    model, _ = load_scalar_model(everything / "output")
    torch.testing.assert_close(found.heads[0].mean(dim=0), model.score.weight[0], atol=1e-6, rtol=0)
    assert FILE in {path.name for path in (everything / "output").iterdir()}
    spread = read_json(everything / "evaluation.json")["ensemble"]
    assert spread["members"] == 3
    assert spread["spread"] > 0
    assert sum(group["n"] for group in spread["by_spread"]) > 0
    assert [g["from"] for g in spread["by_spread"]] == sorted(
        g["from"] for g in spread["by_spread"]
    )


def test_the_tie_parameter_is_learnt_logged_and_told(everything):
    values = [
        line["preference/tie"] for line in read_metrics(everything) if "preference/tie" in line
    ]
    assert read_json(everything / "evaluation.json")["tie"] == pytest.approx(values[-1])
    assert values[0] != values[-1]


def test_half_the_votes_are_ties_and_the_parameter_says_so(tmp_path):
    """Scores cannot differ, so the parameter alone explains that half of the answers are ties."""
    log_tie = torch.zeros((), requires_grad=True)
    items = [
        Item([], [[1], [1]], [[0.0, 1.0], [1.0, 0.0]], tuple(map(Answer, ranks)))
        for ranks in [((1, 2), (2, 1), (1, 1), (1, 1))] * 3
    ]
    for kind, expected in (("davidson", 2.0), ("plackett_luce", 2.0), ("rao_kupper", math.log(3))):
        log_tie = torch.zeros((), requires_grad=True)
        optimizer = torch.optim.Adam([log_tie], lr=0.05)
        for _ in range(300):
            optimizer.zero_grad()
            losses(
                torch.zeros(3, 2), targets_of(items, 2), Loss(kind=kind), log_tie
            ).sum().backward()
            optimizer.step()
        assert float(log_tie.detach().exp()) == pytest.approx(expected, rel=1e-3)


def test_what_each_loss_needs():
    assert [needs(Loss(kind=k)) for k in ("pairwise", "margin", "davidson", "rating")] == [
        "wins",
        "wins",
        "answers",
        "ratings",
    ]


def test_ratings_are_learnt_in_their_units(inputs, tmp_path):
    out = trained(inputs, tmp_path / "pm", epochs=12, loss={"kind": "rating"}, normalise=False)
    metrics = read_metrics(out)
    assert metrics[-1]["preference/loss"] < 0.5 * metrics[1]["preference/loss"]


def test_a_labeler_who_is_not_reliable_counts_less(inputs, tmp_path):
    """Zoe says the opposite of Ann; without her, what Ann says is learnt."""
    rows = [
        {"labeler": "ann", "n": 32, "discrimination": 1.2, "careless": 0.0},
        {"labeler": "zoe", "n": 16, "discrimination": -0.8, "careless": 0.3},
    ]
    (tmp_path / "ratings.json").write_text(json.dumps({"labelers": rows}))
    weighed = inputs.model_copy(update={"ratings": tmp_path})
    out = trained(weighed, tmp_path / "pm", epochs=2)
    alone = trained(inputs, tmp_path / "all", epochs=2)
    weights = read_json(out / "evaluation.json")["labeler_weights"]
    assert weights == {"ann": 1.5, "zoe": 0.0}
    found = [read_json(o / "evaluation.json")["log_loss"] for o in (out, alone)]
    assert found[0] < found[1] - 0.01
    (tmp_path / "ratings.json").write_text(json.dumps({"labelers": [{"labeler": "ann", "n": 3}]}))
    with pytest.raises(InputError, match="of no labeler how reliable"):
        trained(weighed, tmp_path / "none")


def test_weights_by_hand():
    """Two answers of weight 3 and 1: their mean loss, and the comparison counts twice."""
    item = Item(
        [], [[1], [1]], [[0.0, 3.0], [1.0, 0.0]], (Answer((1, 2), 0, 3), Answer((2, 1), 0, 1))
    )
    scores = torch.tensor([[1.0, 0.0]])
    expected = 2 * (3 * 0.3132617 + 1.3132617) / 4
    for kind in ("pairwise", "best_of_k", "margin"):
        found = losses(scores, targets_of([item], 2), Loss(kind=kind), torch.zeros(()))
        assert found.item() == pytest.approx(expected, abs=1e-6)


def test_microbatches_change_nothing_with_every_option(inputs, everything, tmp_path):
    out = trained(inputs, tmp_path / "pm", **(EVERYTHING | {"microbatch_size": 2}))
    for one, other in zip(read_metrics(out), read_metrics(everything), strict=True):
        assert one == pytest.approx(other, rel=2e-3, abs=2e-3)


def test_lora_leaves_an_ordinary_model_that_scores_the_same(inputs, tmp_path, monkeypatch):
    """Scores just before the adapter is folded in, against the saved folder's."""
    before = {}
    original = preference_model.adapters.merge

    def merging(model):
        tokens = torch.tensor([[5, 6, 7, 1]])
        with torch.no_grad():
            before["score"] = float(model(tokens).logits)
        original(model)

    monkeypatch.setattr(preference_model.adapters, "merge", merging)
    out = trained(inputs, tmp_path / "pm", trained={"lora_rank": 2}, normalise=False)
    plain = AutoModelForSequenceClassification.from_pretrained(out / "output")
    with torch.no_grad():
        assert float(plain(torch.tensor([[5, 6, 7, 1]])).logits) == pytest.approx(
            before["score"], abs=1e-5
        )
    base, _ = load_scalar_model(inputs.model, random=generator(0))
    assert torch.equal(plain.model.embed_tokens.weight, base.model.embed_tokens.weight)
