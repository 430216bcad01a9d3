"""The stage that evaluates a preference model: sets, baselines, leaks, labelers, outliers."""

import json
import random

import pytest
import torch

from accord.config import InputError, build
from accord.data.chat import encode_prompts, encode_responses
from accord.models.load import load_policy
from accord.records import (
    Comparison,
    LabeledComparison,
    Message,
    Preference,
    Prompt,
    Response,
    read_records,
    write_records,
)
from accord.runtime.artifacts import read_json, run_stage
from accord.runtime.metrics import read_metrics
from accord.stages import evaluate_preference_model, preference_model

WORDS = ["is", "what", "four", "two", "knows", "far"]
SMALL = {"bootstrap_draws": 20, "exposed": 2}


def comparison(number, rng, *, labelers=("ann", "ben", "cleo"), strength=None):
    """Planted: the response that says `good` is the better; one vote in six errs."""
    messages = (Message(role="user", content=f"{rng.choice(WORDS)} {number} {rng.choice(WORDS)}?"),)
    prompt = Prompt(id=f"p{number}", messages=messages)
    texts = [f"good {rng.choice(WORDS)}", f"{rng.choice(WORDS)} {rng.choice(WORDS)}"]
    responses = tuple(
        Response(id=f"{number}-{i}", prompt_id=prompt.id, text=text, policy="sft")
        for i, text in enumerate(texts)
    )
    votes = tuple(
        Preference(
            id=f"{number}-{who}",
            comparison_id=f"c{number}",
            labeler=who,
            ranks=(2, 1) if rng.random() < 1 / 6 else (1, 2),
            strength=strength,
        )
        for who in labelers
    )
    whole = Comparison(id=f"c{number}", prompt=prompt, responses=responses)
    return LabeledComparison(comparison=whole, preferences=votes)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, tiny_models):
    """A model that learnt `good`, what it learnt from, and sets that it has not seen."""
    folder = tmp_path_factory.mktemp("evaluated")
    rng = random.Random(0)
    train = [comparison(n, rng) for n in range(40)]
    votes = [comparison(40 + n, rng, labelers=("ann", "ben", "dora")) for n in range(16)]
    write_records(folder / "comparisons-train.jsonl", train)
    write_records(folder / "comparisons-test.jsonl", votes)
    rows = [
        {"prompt": f"two {n}", "chosen": "good four", "rejected": "is far", "subset": "hep-go"}
        for n in range(6)
    ]
    (folder / "bench.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    odd = [{"prompt": f"ZZZZ {n} ###"} for n in range(12)]
    (folder / "odd.jsonl").write_text("".join(json.dumps(row) + "\n" for row in odd))
    config = build(
        preference_model.Config,
        {"epochs": 2, "batch_size": 8, "learning_rate": 5e-3},
        where="[preference_model]",
    )
    trained = run_stage(
        preference_model.run,
        config,
        preference_model.Inputs(model=tiny_models["llama"], comparisons=folder),
        folder / "pm",
    )
    return evaluate_preference_model.Inputs(
        preference_model=trained,
        comparisons={"votes": folder, "bench": folder / "bench.jsonl"},
        train=folder,
        outliers={"odd": folder / "odd.jsonl"},
    )


def evaluated(inputs, out, **settings):
    config = build(evaluate_preference_model.Config, SMALL | settings, where="[test]")
    return run_stage(evaluate_preference_model.run, config, inputs, out)


@pytest.fixture(scope="module")
def out(inputs, tmp_path_factory):
    return evaluated(inputs, tmp_path_factory.mktemp("whole") / "out")


def found_in(out):
    return read_json(out / "output" / "evaluation.json")


def test_it_says_what_the_training_stage_says_of_the_same_votes(inputs, out):
    """The model was normalised after training; its margins are in nats all the same."""
    before = read_json(inputs.preference_model / "evaluation.json")
    votes = found_in(out)["sets"]["votes"]
    for key in ("log_loss", "brier", "temperature"):
        assert votes[key] == pytest.approx(before[key], rel=1e-3)
    assert votes["accuracy"]["value"] == pytest.approx(before["accuracy"]["value"], abs=1e-5)


def test_every_set_and_all_together(out):
    found = found_in(out)
    assert set(found["sets"]) == {"votes", "bench"}
    assert found["all"]["comparisons"] == 16 + 6
    assert found["sets"]["bench"]["accuracy"]["value"] > 0.9
    assert found["sets"]["bench"]["sections"]["Reasoning"]["n"] == 6
    value = found["sets"]["bench"]["sections"]["Reasoning"]["value"]
    assert found["sets"]["bench"]["sections"]["score"] == value
    assert found["sets"]["votes"]["sections"] == {}


def test_the_model_stands_beside_rules_on_the_same_pairs(out):
    rows = found_in(out)["sets"]["votes"]["baselines"]
    assert rows["train_pairs"] == 40
    assert rows["model"]["n"] == rows["tf_idf"]["accuracy"]["n"] == rows["pairs"]
    for rule in ("longer_wins", "bag_of_words", "tf_idf"):
        gain = rows["model"]["value"] - rows[rule]["accuracy"]["value"]
        assert rows[rule]["gain"]["value"] == pytest.approx(gain, abs=1e-5)
        assert rows[rule]["gain"]["low"] <= gain + 1e-6 <= rows[rule]["gain"]["high"] + 2e-6


def test_labelers_that_were_not_trained_on_stand_apart(out):
    met = found_in(out)["sets"]["votes"]["labelers_met"]
    assert met["labelers"] == 1  # dora
    assert (met["met"]["n"], met["others"]["n"]) == (32, 16)


def test_votes_are_written_down(out):
    lines = [json.loads(line) for line in (out / "output" / "votes.jsonl").read_text().splitlines()]
    votes = [line for line in lines if line["set"] == "votes"]
    assert {line["labeler"] for line in votes} == {"ann", "ben", "dora"}
    assert len({line["prompt"] for line in votes}) == 16
    right = sum(line["margin"] > 0 for line in votes) / len(votes)
    assert right == pytest.approx(found_in(out)["sets"]["votes"]["accuracy"]["value"], abs=1e-5)


def test_unusual_prompts_are_noticed(out):
    odd = found_in(out)["outliers"]["odd"]
    assert (odd["known"], odd["inliers"], odd["outliers"]) == (40, 22, 12)
    assert odd["exposed"]["value"] > 0.9
    assert odd["exposed"]["n"] == 22 + 10
    assert odd["mahalanobis"]["low"] <= odd["mahalanobis"]["value"] <= odd["mahalanobis"]["high"]


def test_leaks_are_counted_and_named(inputs, tmp_path):
    rng = random.Random(0)
    same = [comparison(n, rng) for n in range(3)]  # as in training
    folder = tmp_path / "leaky"
    folder.mkdir()
    fresh = [comparison(90 + n, rng) for n in range(5)]
    write_records(folder / "comparisons.jsonl", [*same, *fresh])
    given = inputs.model_copy(update={"comparisons": {"leaky": folder}, "outliers": {}})
    found = found_in(evaluated(given, tmp_path / "out"))
    leaked = found["sets"]["leaky"]["leaks"]
    assert leaked["same"] == 3
    assert leaked["prompts"] == ["p0", "p1", "p2"]
    assert leaked["accuracy_of_others"]["n"] == 15
    assert "all" not in found


def test_what_was_left_out_is_counted(inputs, tmp_path):
    rows = [
        {"prompt": "two", "chosen": "good", "rejected": "good"},
        {"prompt": "two", "chosen": "", "rejected": "far"},
        {"prompt": "two " * 120, "chosen": "good", "rejected": "far"},
        {"prompt": "four", "chosen": "good", "rejected": "far"},
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = inputs.model_copy(update={"comparisons": {"rows": file}, "outliers": {}})
    one = found_in(evaluated(given, tmp_path / "out"))["sets"]["rows"]
    assert one["left_out"] == {"same_texts": 1, "empty": 1}
    none = {"undecided": 0, "identical": 0, "empty": 0}
    assert one["counts"] == none | {"size": 1, "too_long": 1, "shortened": 0}
    cut = found_in(evaluated(given, tmp_path / "cut", long_prompts="shorten"))["sets"]["rows"]
    assert cut["counts"] == none | {"size": 2, "too_long": 0, "shortened": 1}


@pytest.fixture(scope="module")
def few(inputs, tmp_path_factory):
    """Eight comparisons of two strengths, one prompt nearly a training one, one long."""
    folder = tmp_path_factory.mktemp("few")
    rng = random.Random(4)
    made = [comparison(60 + n, rng, strength=1 + n % 2) for n in range(8)]
    train = read_records(inputs.train / "comparisons-train.jsonl", LabeledComparison)
    near = f"{train[0].comparison.prompt.messages[0].content} far"
    for number, text in enumerate((near, "what is two? " * 5)):
        whole = made[number].comparison
        messages = (Message(role="user", content=text),)
        prompt = whole.prompt.model_copy(update={"messages": messages})
        whole = whole.model_copy(update={"prompt": prompt})
        made[number] = made[number].model_copy(update={"comparison": whole})
    write_records(folder / "comparisons.jsonl", made)
    rows = [{"prompt": f"{' '.join(rng.choices(WORDS, k=4))}"} for n in range(12)]
    (folder / "odd.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return inputs.model_copy(
        update={"comparisons": {"votes": folder}, "outliers": {"odd": folder / "odd.jsonl"}}
    )


@pytest.fixture(scope="module")
def plain(few, tmp_path_factory):
    return found_in(evaluated(few, tmp_path_factory.mktemp("plain") / "out"))


@pytest.mark.parametrize(
    "settings",
    [
        {"confidence": 0.5},
        {"calibration_bins": 2},
        {"bootstrap_draws": 30},
        {"seed": 1},
        {"minimum_strength": 2},
        {"most_comparisons": 4},
        {"context": 30},
        {"near_duplicate": 0.3},
        {"depth": 1.0},
        {"exposed": 0},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_every_setting_changes_something(few, plain, tmp_path, settings):
    assert found_in(evaluated(few, tmp_path / "changed", **settings)) != plain


def test_the_page_and_the_metrics(out):
    page = (out / "evaluation.html").read_text()
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "predicted win frequency" in page
    (line,) = read_metrics(out)
    assert line["held_out/accuracy"] == found_in(out)["all"]["accuracy"]["value"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"comparisons": {}}, "no `comparisons` to evaluate on"),
        ({"train": None}, "`outliers` are told from the prompts of `train`"),
    ],
)
def test_inputs_that_cannot_be_used(inputs, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        evaluated(inputs.model_copy(update=changes), tmp_path / "out")


def test_a_set_that_does_not_fit_is_named(inputs, tmp_path):
    with pytest.raises(InputError, match="comparisons `votes`: none of 16"):
        evaluated(inputs, tmp_path / "out", context=3)


def test_a_policy_is_judged_by_its_mean_log_probability(few, tiny_models, tmp_path):
    given = few.model_copy(update={"preference_model": None, "policy": tiny_models["llama"]})
    found = evaluated(given, tmp_path / "out")
    model, tokenizer = load_policy(tiny_models["llama"])
    records = read_records(few.comparisons["votes"] / "comparisons.jsonl", LabeledComparison)
    margins = set()
    for one in records:
        (prompt,) = encode_prompts(tokenizer, [one.comparison.prompt])
        texts = [response.text for response in one.comparison.responses]
        scores = []
        for said in encode_responses(tokenizer, texts):
            with torch.no_grad():
                logits = model(torch.tensor([prompt + said])).logits[0].double().log_softmax(-1)
            places = range(len(prompt) - 1, len(prompt) + len(said) - 1)
            logprobs = [float(logits[at, t]) for at, t in zip(places, said, strict=True)]
            scores.append(sum(logprobs) / len(said))
        margins |= {round(a - b, 3) for a in scores for b in scores}
    lines = (found / "output" / "votes.jsonl").read_text().splitlines()
    votes = [json.loads(line)["margin"] for line in lines]
    assert len({abs(margin) for margin in votes}) > 3
    assert all(min(abs(margin - known) for known in margins) < 2e-3 for margin in votes)


def test_one_of_the_two_is_judged(few, tiny_models, tmp_path):
    for changes in ({"preference_model": None}, {"policy": tiny_models["llama"]}):
        with pytest.raises(InputError, match="give one of the inputs"):
            evaluated(few.model_copy(update=changes), tmp_path / "out")


def test_a_language_model_is_refused(inputs, tiny_models, tmp_path):
    given = inputs.model_copy(update={"preference_model": tiny_models["llama"]})
    with pytest.raises(InputError, match="give a preference model here"):
        evaluated(given, tmp_path / "out")
