"""Best of n picks what scores best, says what it drew, and feeds other stages."""

import json

import pytest
import torch

from accord.config import InputError, build
from accord.functional.best_of_n import best_of_n_mean
from accord.functional.kl import best_of_n_kl
from accord.records import Demonstration, LabeledComparison, Prompt, Response, read_records
from accord.runtime.artifacts import run_stage
from accord.runtime.metrics import read_metrics
from accord.stages import best_of_n

PLAIN = {"n": 4, "max_tokens": 6, "prompts": 8, "test_fraction": 0.4}


def run(models, out, **settings):
    config = build(best_of_n.Config, PLAIN | settings, where="[best_of_n]")
    inputs = best_of_n.Inputs(
        policy=models / "policy", preference_model=models / "pm", prompts=models
    )
    run_stage(best_of_n.run, config, inputs, out)
    return out / "output"


def draws_of(written):
    return [json.loads(line) for line in (written / "draws.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def written(models, tmp_path_factory):
    return run(models, tmp_path_factory.mktemp("best") / "out")


def test_the_pick_scores_best_of_its_draws(models, written):
    draws, picks = draws_of(written), read_records(written / "responses.jsonl", Response)
    assert len(draws) == len(picks) == 8
    for drawn, pick in zip(draws, picks, strict=True):
        assert pick.prompt_id == drawn["prompt_id"]
        best = drawn["scores"].index(max(drawn["scores"]))
        assert (pick.text, pick.finished) == (drawn["texts"][best], drawn["finished"][best])
        assert all(len(drawn[key]) == 4 for key in ("texts", "scores", "finished", "lengths"))
    known = {prompt.id for prompt in read_records(models / "prompts-train.jsonl", Prompt)}
    assert {pick.prompt_id for pick in picks} < known


def test_the_median_is_in_the_middle(models, tmp_path):
    written = run(models, tmp_path / "out", pick="median", n=5)
    picks = read_records(written / "responses.jsonl", Response)
    for drawn, pick in zip(draws_of(written), picks, strict=True):
        assert pick.text == drawn["texts"][drawn["scores"].index(sorted(drawn["scores"])[2])]


def test_what_was_cut_off_is_penalised_and_no_demonstration(models, tmp_path, written):
    plain = draws_of(run(models, tmp_path / "out", missing_eos_penalty=0.0))
    for without, with_penalty in zip(plain, draws_of(written), strict=True):
        penalised = [
            score - 2.5 * (not finished)
            for score, finished in zip(without["scores"], without["finished"], strict=True)
        ]
        assert with_penalty["scores"] == pytest.approx(penalised, abs=1e-5)
    picks = read_records(written / "responses.jsonl", Response)
    finished = [pick.text for pick in picks if pick.finished]
    file = written / "demonstrations.jsonl"
    found = read_records(file, Demonstration) if file.stat().st_size else []
    assert [demonstration.response for demonstration in found] == finished


def test_best_against_worst_are_comparisons(written):
    draws = {drawn["prompt_id"]: drawn for drawn in draws_of(written)}
    sides = {}
    for side in ("train", "test"):
        labeled = read_records(written / f"comparisons-{side}.jsonl", LabeledComparison)
        sides[side] = {one.comparison.prompt.id for one in labeled}
        for one in labeled:
            drawn = draws[one.comparison.prompt.id]
            best, worst = (response.text for response in one.comparison.responses)
            assert best == drawn["texts"][drawn["scores"].index(max(drawn["scores"]))]
            assert worst == drawn["texts"][drawn["scores"].index(min(drawn["scores"]))]
            assert one.preferences[0].ranks == (1, 2)
            assert one.preferences[0].labeler == "preference_model"
    assert not sides["train"] & sides["test"]
    assert len(sides["train"] | sides["test"]) == 8


def test_the_metrics_are_those_of_every_n_from_all_draws(written):
    scores = torch.tensor([drawn["scores"] for drawn in draws_of(written)])
    lines = read_metrics(written.parent)
    assert [line["step"] for line in lines] == [1, 2, 4]
    for line in lines:
        n = line["step"]
        mean = float(best_of_n_mean(scores, scores, n=n).mean())
        assert line["best_of_n/score"] == pytest.approx(mean, abs=1e-4)
        assert line["best_of_n/kl_bound"] == pytest.approx(best_of_n_kl(n), abs=1e-5)
    headline = json.loads((written.parent / "DONE.json").read_text())["headline"]
    assert headline["score_one"] == pytest.approx(lines[0]["best_of_n/score"], abs=1e-4)
    assert headline["score_picked"] == pytest.approx(lines[-1]["best_of_n/score"], abs=1e-4)


def test_an_interrupted_run_reads_back_what_it_drew(models, written, tmp_path, monkeypatch):
    monkeypatch.setattr(best_of_n, "CHUNK", 4)
    straight = run(models, tmp_path / "straight")
    whole, drawn = best_of_n._draw, []

    def killed(config, tools, prompts, start):
        if start and not drawn:
            drawn.append(start)
            raise KeyboardInterrupt
        return whole(config, tools, prompts, start)

    monkeypatch.setattr(best_of_n, "_draw", killed)
    with pytest.raises(KeyboardInterrupt):
        run(models, tmp_path / "killed")
    resumed = run(models, tmp_path / "killed")
    for file in straight.iterdir():
        assert (resumed / file.name).read_bytes() == file.read_bytes(), file.name


def test_the_microbatch_changes_memory_only(models, written, tmp_path):
    small = draws_of(run(models, tmp_path / "out", microbatch_size=3))
    assert [drawn["texts"] for drawn in small] == [drawn["texts"] for drawn in draws_of(written)]


CHANGES = [
    {"seed": 1},
    {"prompts": 7},
    {"n": 5},
    {"pick": "median"},
    {"missing_eos_penalty": 0.0},
    {"temperature": 0.5},
    {"max_tokens": 5},
    {"test_fraction": 0.0},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_every_setting_changes_something(models, written, tmp_path, change):
    other = run(models, tmp_path / "out", **change)
    assert any((other / file.name).read_bytes() != file.read_bytes() for file in written.iterdir())


def test_no_setting_is_forgotten():
    named = {name for change in CHANGES for name in change}
    assert named | {"microbatch_size"} == set(best_of_n.Config.model_fields)


def test_a_preference_model_of_another_tokenizer_is_refused(models, tiny_models, tmp_path):
    inputs = best_of_n.Inputs(
        policy=tiny_models["llama"], preference_model=models / "pm", prompts=models
    )
    config = build(best_of_n.Config, PLAIN, where="[best_of_n]")
    with pytest.raises(InputError, match="have different tokenizers"):
        run_stage(best_of_n.run, config, inputs, tmp_path / "out")
