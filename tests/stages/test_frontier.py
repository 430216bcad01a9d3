"""The frontier says what the methods reached, at which distance and at what cost."""

import json
import math

import pytest

from accord.config import InputError
from accord.data.chat import render_prompt
from accord.functional.kl import best_of_n_kl
from accord.models.load import load_tokenizer
from accord.records import Prompt
from accord.runtime.artifacts import read_json, run_stage
from accord.stages import frontier
from accord.stages.frontier.cost import Cost, cost_of


def folder_of(tiny_run, name):
    return next(step.folder for step in tiny_run.steps if step.name == name)


def step_of(tiny_run):
    return next(step for step in tiny_run.steps if step.kind == "frontier")


def found_in(folder):
    return json.loads((folder / "output" / "frontier.json").read_text())


def test_what_evaluation_measured_is_what_is_shown(tiny_run):
    found = found_in(step_of(tiny_run).folder)
    scores = read_json(folder_of(tiny_run, "evaluate") / "output" / "scores.json")
    rows = {row["policy"]: row for row in scores["policies"] if row["temperature"]}
    (method,) = found["methods"]
    assert (method["method"], method["seeds"]) == ("ppo", 1)
    assert method["score"]["mean"] == pytest.approx(rows["ppo"]["score"]["mean"])
    assert method["truth"]["mean"] == pytest.approx(rows["ppo"]["truth"]["utility"]["mean"])
    assert method["sqrt_kl"]["mean"] == pytest.approx(math.sqrt(max(rows["ppo"]["kl"]["mean"], 0)))
    assert method["score"]["low"] is None  # one seed has no interval
    assert found["start"]["score"] == pytest.approx(rows["sft"]["score"]["mean"])


def test_best_of_n_is_there_for_every_power_of_two(tiny_run):
    found = found_in(step_of(tiny_run).folder)
    best = next(curve for curve in found["curves"] if curve["method"] == "best_of_n")
    distances = [point["sqrt_kl"]["mean"] for point in best["points"]]
    assert distances == pytest.approx([math.sqrt(best_of_n_kl(n)) for n in (2, 4)])
    headline = read_json(folder_of(tiny_run, "best_of_n") / "DONE.json")["headline"]
    assert best["points"][-1]["score"]["mean"] == pytest.approx(headline["score_picked"], abs=1e-6)
    assert all(point["truth"]["mean"] is not None for point in best["points"])


def tokens_of_rollouts(folder, tokenizer):
    """The twin goes through every line and counts the ids of its prompt and response."""
    total = 0
    for line in (folder / "rollouts.jsonl").read_text().splitlines():
        tried = json.loads(line)
        text = render_prompt(Prompt.model_validate(tried["prompt"]))
        total += len(tokenizer(text)["input_ids"]) + tried["length"]
    return total


def test_costs_by_hand(tiny_run):
    tokenizer = load_tokenizer(folder_of(tiny_run, "sft") / "output")
    for name, forward, backward in (
        ("ppo", 3 + 1 + 2, 2),  # one epoch: a step of the policy and one of the value model
        ("rloo", 2 + 1 + 1, 1),
        ("grpo", 2 + 1 + 1, 1),
        ("reinforce", 2 + 1 + 1, 1),
    ):
        folder = folder_of(tiny_run, name)
        tokens = tokens_of_rollouts(folder, tokenizer)
        assert cost_of(folder, tokenizer) == Cost(forward * tokens, backward * tokens), name
    shown = found_in(step_of(tiny_run).folder)["methods"][0]
    assert shown["cost"] == shown["forward"] + 2 * shown["backward"]


def test_data_made_by_people_cost_nothing_and_learning_does(tiny_run):
    tokenizer = load_tokenizer(folder_of(tiny_run, "sft") / "output")
    cost = cost_of(folder_of(tiny_run, "dpo"), tokenizer)
    assert cost.forward == 2 * cost.backward > 0
    cost = cost_of(folder_of(tiny_run, "sft"), tokenizer)
    assert cost.forward == cost.backward > 0


def test_what_has_no_known_cost_is_refused(tiny_run):
    tokenizer = load_tokenizer(folder_of(tiny_run, "sft") / "output")
    with pytest.raises(InputError, match="cannot tell what"):
        cost_of(folder_of(tiny_run, "sample"), tokenizer)


def test_several_seeds_of_one_method_are_one_with_an_interval(tiny_run, tmp_path):
    step = step_of(tiny_run)
    evaluation = tmp_path / "evaluation"
    evaluation.mkdir()
    scores = read_json(folder_of(tiny_run, "evaluate") / "output" / "scores.json")
    rows = []
    for row in scores["policies"]:
        if row["policy"] == "ppo":
            for number, score in ((1, 1.0), (2, 3.0)):
                rows.append(row | {"policy": f"ppo_{number}", "score": {"mean": score}})
        else:
            rows.append(row)
    (evaluation / "scores.json").write_text(json.dumps(scores | {"policies": rows}))
    runs = {"ppo_1": folder_of(tiny_run, "ppo"), "ppo_2": folder_of(tiny_run, "ppo")}
    inputs = step.inputs.model_copy(update={"evaluation": evaluation, "runs": runs})
    found = {}
    for confidence in (0.95, 0.5):
        out = tmp_path / str(confidence)
        run_stage(frontier.run, frontier.Config(confidence=confidence), inputs, out)
        (found[confidence],) = found_in(out)["methods"]
    score = found[0.95]["score"]
    # t with one degree of freedom: 12.706 standard errors of 1
    assert (score["mean"], score["n"]) == (2.0, 2)
    assert score["low"] == pytest.approx(2 - 12.7062, abs=1e-3)
    assert found[0.5]["score"]["low"] == pytest.approx(2 - 1.0, abs=1e-6)


def test_a_run_that_was_not_evaluated_is_refused(tiny_run, tmp_path):
    step = step_of(tiny_run)
    inputs = step.inputs.model_copy(update={"runs": {"rloo": folder_of(tiny_run, "rloo")}})
    with pytest.raises(InputError, match="has no policy `rloo`"):
        run_stage(frontier.run, frontier.Config(), inputs, tmp_path / "out")


def test_draws_for_other_prompts_are_refused(tiny_run, tmp_path):
    step = step_of(tiny_run)
    prompts = folder_of(tiny_run, "world") / "output" / "prompts-eval.jsonl"
    inputs = step.inputs.model_copy(update={"prompts": prompts})
    with pytest.raises(InputError, match="none of the prompts given"):
        run_stage(frontier.run, frontier.Config(), inputs, tmp_path / "out")


def test_the_page_shows_every_method_and_loads_nothing(tiny_run):
    page = (step_of(tiny_run).folder / "frontier.html").read_text()
    for text in ("PPO", "best of n", "where all start", "Content-Security-Policy"):
        assert text in page
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
