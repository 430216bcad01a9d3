"""The evaluate stage: what it samples, measures and writes, with a world and without."""

import json
import math
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from accord.config import InputError
from accord.data.chat import encode_responses, render_prompt
from accord.models.load import load_scalar_model
from accord.models.scalar_head import score_bias
from accord.records import Message, Prompt, write_records
from accord.runtime.artifacts import run_stage
from accord.runtime.generate import HuggingFaceGenerator, Samples
from accord.runtime.metrics import read_metrics
from accord.stages import evaluate
from accord.stages.evaluate import answers as answers_module
from accord.stages.evaluate.answers import answers_of, load_reference
from accord.stages.evaluate.settings import Config, Inputs


def evaluated(place, out, *, policies=("sft", "ppo_1"), inputs=None, **config):
    given = {
        "policies": {name: place.folder / name for name in policies},
        "prompts": place.folder,
        "world": place.folder,
        "preference_model": place.folder / "pm",
    } | (inputs or {})
    run_stage(evaluate.run, Config(**{"max_tokens": 12} | config), Inputs(**given), out)
    return json.loads((out / "output" / "scores.json").read_text())


@pytest.fixture(scope="module")
def scores(place, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "out"
    return evaluated(place, out), out


def test_one_row_for_each_policy_and_temperature(scores):
    found, _ = scores
    rows = [(row["policy"], row["temperature"], row["n_responses"]) for row in found["policies"]]
    assert rows == [("sft", 1, 24), ("ppo_1", 1, 24), ("sft", 0, 12), ("ppo_1", 0, 12)]
    assert (found["baseline"], found["reference"], found["by"]) == ("sft", "sft", "truth")
    assert found["n_prompts"] == 12
    assert found["curve"] == []


def test_every_number_has_its_interval_and_its_count(scores):
    for row in scores[0]["policies"]:
        rates = [row["truth"][name] for name in ("helpful", "honest", "harmless", "hhh", "garbled")]
        for rate in [*rates, row["finished"]]:
            assert 0 <= rate["low"] <= rate["rate"] <= rate["high"] <= 1
            assert rate["n"] == row["n_responses"]
        for mean in (row["truth"]["utility"], row["score"], row["length"]):
            assert mean["low"] <= mean["mean"] <= mean["high"]
        kinds = row["by_kind"].values()
        assert sum(kind["hhh"]["n"] for kind in kinds) == row["n_responses"]


def test_the_baseline_has_no_win_rate_and_the_others_do(scores):
    for row in scores[0]["policies"]:
        rate = row["win_rate"]
        if row["policy"] == "sft":
            assert rate is None
            assert all(kind["win_rate"] is None for kind in row["by_kind"].values())
            continue
        assert (rate["against"], rate["by"]) == ("sft", "truth")
        assert rate["wins"] + rate["losses"] + rate["ties"] == rate["n"] == row["n_responses"]
        assert rate["n_clusters"] == 12
        assert sum(k["win_rate"]["n"] for k in row["by_kind"].values()) == rate["n"]
        assert row["win_rate_by_score"]["by"] == "preference_model"
        assert row["win_rate_previous"] == rate


def test_kl_is_measured_at_temperature_one_only(scores):
    by_row = {(r["policy"], r["temperature"]): r["kl"] for r in scores[0]["policies"]}
    assert by_row["sft", 0] is by_row["ppo_1", 0] is None
    assert by_row["sft", 1]["mean"] == pytest.approx(0, abs=1e-5)
    assert by_row["ppo_1", 1]["mean"] > 0.5
    assert by_row["ppo_1", 1]["low"] < by_row["ppo_1", 1]["mean"] < by_row["ppo_1", 1]["high"]


@torch.no_grad()
def test_kl_and_score_are_those_of_plain_transformers(place, tmp_path, monkeypatch):
    """By twin: one response at a time, through the models' own forward."""
    drawn = []
    sample = HuggingFaceGenerator.sample

    def recorded(self, *args, **kwargs):
        drawn.append(sample(self, *args, **kwargs))
        return drawn[-1]

    monkeypatch.setattr(HuggingFaceGenerator, "sample", recorded)
    folder, config = place.folder, Config(max_tokens=12, samples_per_prompt=1)
    reference = load_reference("sft", folder / "sft")
    given = answers_of("ppo_1", folder / "ppo_1", place.prompts, reference, config, tmp_path)[1.0]
    prompts = {prompt.id: prompt for prompt in place.prompts}
    given = answers_module.scored(given, prompts, folder / "pm", microbatch_size=4)
    tokenizer = AutoTokenizer.from_pretrained(folder / "sft")
    models = [AutoModelForCausalLM.from_pretrained(folder / n).eval() for n in ("ppo_1", "sft")]
    scorer, _ = load_scalar_model(folder / "pm")
    for answer, ids in zip(given, drawn[0].responses, strict=True):
        start = tokenizer(render_prompt(prompts[answer.prompt_id]))["input_ids"]
        tokens = torch.tensor([start + encode_responses(tokenizer, [answer.text])[0]])
        score = float(scorer(input_ids=tokens).logits) + score_bias(scorer)
        assert answer.score == pytest.approx(score, abs=1e-4)
        tokens, chosen = torch.tensor([start + ids]), torch.tensor(ids)[:, None]
        ours, theirs = (
            model(tokens).logits.log_softmax(-1)[0, len(start) - 1 : -1].gather(1, chosen).sum()
            for model in models
        )
        assert answer.length == len(ids)
        assert answer.kl == pytest.approx(float(ours - theirs), abs=1e-3)


def test_equal_policies_answer_differently_and_tie_on_average(place, tmp_path):
    found = evaluated(place, tmp_path / "out", policies=("sft", "same"), samples_per_prompt=4)
    sampled, greedy = found["policies"][1], found["policies"][3]
    assert sampled["kl"]["mean"] == pytest.approx(0, abs=1e-5)
    assert sampled["win_rate_by_score"]["ties"] < sampled["win_rate"]["n"] / 2
    assert sampled["win_rate"]["half_ties_low"] < 0.5 < sampled["win_rate"]["half_ties_high"]
    assert greedy["win_rate"]["ties"] == greedy["win_rate"]["n"] == 12
    assert any("`same` is not shown to beat `sft`" in text for text in found["warnings"])


class Scripted:
    """Answers every prompt as one policy was told to."""

    def __init__(self, place, name, tokenizer):
        self.place, self.name, self.tokenizer = place, name, tokenizer
        self.by_tokens = {
            tuple(tokenizer(render_prompt(prompt))["input_ids"]): prompt for prompt in place.prompts
        }

    def sample(self, prompts, sampling, *, random):
        texts = [
            self.place.good_answer(self.by_tokens[tuple(tokens)])
            if self.name == "ppo_1"
            else "zzz zzz"
            for tokens in prompts
        ]
        ids = encode_responses(self.tokenizer, texts)
        return Samples(ids, [[0.0] * len(row) for row in ids], [True] * len(ids))


def test_good_answers_win_by_truth(place, tmp_path, monkeypatch):
    names = iter(("sft", "ppo_1"))
    monkeypatch.setattr(
        answers_module,
        "HuggingFaceGenerator",
        lambda model, tokenizer, max_rows: Scripted(place, next(names), tokenizer),
    )
    found = evaluated(place, tmp_path / "out", max_tokens=60)
    worse, better = found["policies"][:2]
    assert worse["truth"]["hhh"]["rate"] == 0
    assert worse["truth"]["garbled"]["rate"] == 1
    assert better["truth"]["hhh"]["rate"] == 1
    assert better["truth"]["utility"]["mean"] == 6
    assert (better["win_rate"]["wins"], better["win_rate"]["n"]) == (24, 24)
    assert better["win_rate"]["decided_low"] > 0.5
    assert not any("not shown to beat" in text for text in found["warnings"])
    lines = (tmp_path / "out/output/samples.jsonl").read_text().splitlines()
    samples = [json.loads(line) for line in lines]
    assert [s["prompt"]["id"] for s in samples] == [p.id for p in place.prompts]
    assert all(s["kind"] == s["prompt"]["kind"] for s in samples)
    said = samples[0]["responses"]
    assert said["sft"]["text"] == "zzz zzz"
    assert (said["ppo_1"]["utility"], said["ppo_1"]["hhh"]) == (6, True)
    assert math.isfinite(said["ppo_1"]["score"])


def test_without_a_world_the_preference_model_judges(place, tmp_path):
    found = evaluated(place, tmp_path / "out", inputs={"world": None})
    assert found["by"] == "preference_model"
    row = found["policies"][1]
    assert row["truth"] is None
    assert row["win_rate"]["by"] == "preference_model"
    assert row["win_rate"] == row["win_rate_by_score"]
    assert all(kind["hhh"] is None for kind in row["by_kind"].values())
    sample = json.loads((tmp_path / "out/output/samples.jsonl").read_text().splitlines()[0])
    assert sample["responses"]["sft"]["utility"] is None


def test_without_any_judge_there_is_no_win_rate(place, tmp_path):
    found = evaluated(place, tmp_path / "out", inputs={"world": None, "preference_model": None})
    assert found["by"] is None
    assert {row["win_rate"] is row["score"] is None for row in found["policies"]} == {True}
    assert found["warnings"] == []
    assert "evaluate/win_rate" not in read_metrics(tmp_path / "out")[1]


def test_another_tokenizer_has_no_kl(place, tmp_path):
    found = evaluated(place, tmp_path / "out", policies=("sft", "foreign"))
    assert found["policies"][1]["kl"] is None
    assert found["policies"][1]["win_rate"]["n"] == 24


def test_only_prompts_that_every_policy_can_read_count(place, tmp_path):
    whole = evaluated(place, tmp_path / "a", policies=("sft", "short"))
    assert 0 < whole["n_prompts"] < 12
    assert {r["win_rate"]["n_clusters"] for r in whole["policies"] if r["win_rate"]} == {
        whole["n_prompts"]
    }
    with pytest.raises(InputError, match="no prompt fits the context of `sft`"):
        evaluated(place, tmp_path / "b", max_tokens=159)


def test_policies_that_can_read_no_prompt_in_common(place, tmp_path, monkeypatch):
    monkeypatch.setattr(
        evaluate,
        "answers_of",
        lambda name, *_: {1.0: [answers_module.Answer(name, 0, "x", 1, True, None)]},
    )
    with pytest.raises(InputError, match="short enough for all policies"):
        evaluated(place, tmp_path / "out")


@pytest.mark.parametrize(
    "setting",
    [
        {"seed": 1},
        {"prompts": 5},
        {"samples_per_prompt": 1},
        {"max_tokens": 5},
        {"baseline": "ppo_1"},
        {"reference": "ppo_1"},
        {"confidence": 0.5},
    ],
)
def test_every_setting_changes_something(place, scores, tmp_path, setting):
    assert evaluated(place, tmp_path / "out", **setting)["policies"] != scores[0]["policies"]


def test_microbatches_change_nothing(place, scores, tmp_path):
    found = evaluated(place, tmp_path / "out", microbatch_size=3)
    for one, other in zip(found["policies"], scores[0]["policies"], strict=True):
        assert one["win_rate"] == other["win_rate"]
        assert one["score"]["mean"] == pytest.approx(other["score"]["mean"], abs=1e-5)


def test_same_seed_same_bytes(place, scores, tmp_path):
    evaluated(place, tmp_path / "out")
    for file in ("output/scores.json", "output/samples.jsonl", "metrics.jsonl"):
        assert (tmp_path / "out" / file).read_bytes() == (scores[1] / file).read_bytes()


def test_an_interrupted_run_keeps_its_answers(place, scores, tmp_path, monkeypatch):
    monkeypatch.setattr(answers_module, "CHUNK", 5)
    calls = []
    sample = HuggingFaceGenerator.sample

    def interrupted(self, prompts, sampling, *, random):
        calls.append(len(prompts))
        if len(calls) == 5:
            raise KeyboardInterrupt
        return sample(self, prompts, sampling, random=random)

    monkeypatch.setattr(HuggingFaceGenerator, "sample", interrupted)
    with pytest.raises(KeyboardInterrupt):
        evaluated(place, tmp_path / "out")
    assert len(list((tmp_path / "out/checkpoints").iterdir())) == 4
    resumed = evaluated(place, tmp_path / "out")
    assert len(calls) == 5 + 8
    assert resumed == evaluated(place, tmp_path / "straight")
    assert not (tmp_path / "out/checkpoints").exists()


def test_metrics_and_headline(scores):
    lines = read_metrics(scores[1])
    assert len(lines) == 4
    assert lines[1]["evaluate/win_rate"] == pytest.approx(
        scores[0]["policies"][1]["win_rate"]["decided"], rel=1e-4
    )
    assert set(lines[0]) == {
        "step",
        *(f"evaluate/{n}" for n in ("temperature", "hhh", "utility", "score", "kl")),
        *(f"evaluate/{n}" for n in ("length", "finished")),
    }
    headline = json.loads((scores[1] / "DONE.json").read_text())["headline"]
    assert (headline["policy"], headline["against"], headline["by"]) == ("ppo_1", "sft", "truth")
    assert headline["low"] <= headline["win_rate"] <= headline["high"]


def test_what_cannot_be_evaluated(place, tmp_path):
    for number, (settings, inputs, message) in enumerate(
        [
            ({"baseline": "sff"}, {}, "did you mean `sft`"),
            ({"reference": "other"}, {}, "`reference` = `other` is none"),
            ({}, {"world": tmp_path / "no"}, "no file or directory"),
            ({}, {"prompts": _prompt(tmp_path / "p.jsonl")}, "cannot judge prompt `odd`"),
            ({}, {"prompts": _prompt(tmp_path / "q.jsonl", twice=True)}, "have one id"),
        ]
    ):
        with pytest.raises(InputError, match=message):
            evaluated(place, tmp_path / f"out{number}", inputs=inputs, **settings)


def test_a_conversation_too_long_to_score(place, tmp_path):
    long = Prompt(id="p", messages=(Message(role="user", content="a " * 120),))
    given = [answers_module.Answer("p", 0, "b " * 60, 3, True, None)]
    with pytest.raises(InputError, match="exceeds the context"):
        answers_module.scored(given, {"p": long}, place.folder / "pm", microbatch_size=4)


def _prompt(path: Path, *, twice=False):
    prompt = Prompt(id="odd", messages=(Message(role="user", content="What is love?"),))
    write_records(path, [prompt, prompt] if twice else [prompt])
    return path
