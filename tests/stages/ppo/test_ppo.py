"""PPO learns what it is paid for, says what it does, and goes on where it was stopped."""

import json
import math
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from accord.config import build
from accord.models.load import load_policy
from accord.records import Prompt
from accord.runtime.artifacts import digest, run_stage
from accord.runtime.metrics import read_metrics
from accord.stages import ppo
from accord.stages.ppo.tools import load_tools


def inputs_of(models):
    return ppo.Inputs(policy=models / "policy", preference_model=models / "pm", prompts=models)


SMALL = {
    "updates": 3,
    "rollout_batch_size": 8,
    "minibatch_size": 4,
    "microbatch_size": 2,
    "max_tokens": 6,
    "learning_rate": 1e-3,
}


def run(models, out, /, **settings):
    config = build(ppo.Config, SMALL | settings, where="[ppo]")
    run_stage(ppo.run, config, inputs_of(models), out)
    return read_metrics(out)


class LikesEvenTokens:
    """A planted reward: the share of even token ids in a response, times a factor."""

    def __init__(self, factor):
        self.factor = factor

    def score(self, sequences, finished):
        even = (sequences.response_tokens() % 2 == 0) & sequences.response_mask()
        return even.sum(1) / sequences.response_lengths * self.factor


def planted(models, factor, **settings):
    """Metrics of every update against a planted reward."""
    config = build(ppo.Config, settings, where="[ppo]")
    tools = load_tools(inputs_of(models), microbatch_size=config.microbatch_size)
    tools = replace(tools, scorers=(LikesEvenTokens(factor),))
    pool = ppo.read_prompts(models, tools, max_tokens=config.max_tokens)
    state = ppo.initial_state(tools, config)
    return [
        ppo.update_once(state, update, pool, config, tools)
        for update in range(1, config.updates + 1)
    ]


LEARNS = {
    "updates": 12,
    "rollout_batch_size": 32,
    "minibatch_size": 16,
    "microbatch_size": 16,
    "max_tokens": 5,
    "learning_rate": 1e-2,
    "value_learning_rate": 1e-2,
    "missing_eos_penalty": 0.0,
    "kl_coef": 0.2,
}


@pytest.fixture(scope="module")
def rewarded(models):
    return planted(models, 4.0, **LEARNS)


def ends(found, name):
    """Mean of a metric over the first and over the last three updates."""
    values = [update[name] for update in found]
    return sum(values[:3]) / 3, sum(values[-3:]) / 3


# It learns what it should


def test_a_planted_reward_rises_and_the_distance_stays_bounded(rewarded):
    first, last = ends(rewarded, "objective/score")
    assert 1 < first < 3
    assert last > first + 0.7
    first, last = ends(rewarded, "objective/reward")
    assert last > first + 0.3
    assert 0.3 < rewarded[-1]["objective/kl"] < 10


def test_a_planted_punishment_is_avoided(models):
    """Ziegler et al. once flipped the sign of reward and KL: that would fail here."""
    found = planted(models, -4.0, **LEARNS)
    first, last = ends(found, "objective/score")
    assert last > first + 0.3
    assert 0.3 < found[-1]["objective/kl"] < 10


def test_a_higher_kl_coef_keeps_the_policy_closer(models, rewarded):
    tight = planted(models, 4.0, **(LEARNS | {"kl_coef": 3.0}))
    for name in ("objective/kl", "objective/kl_k3"):
        assert ends(tight, name)[1] < ends(rewarded, name)[1] / 2


def test_the_value_model_learns_to_predict(rewarded):
    first, last = ends(rewarded, "value/explained_variance")
    assert last > first
    assert last > 0


def test_responses_learn_to_end_when_that_is_what_pays(models):
    settings = {"missing_eos_penalty": 4.0, "kl_coef": 0.0}
    first, last = ends(planted(models, 0.0, **(LEARNS | settings)), "response/finished")
    assert last > first + 0.1


# What it says


def test_the_first_update_starts_where_the_policy_is(models, tmp_path):
    first = run(models, tmp_path / "out")[0]
    assert first["step"] == 1
    assert abs(first["objective/kl"]) < 1e-4
    assert first["policy/ratio_max"] == pytest.approx(1, abs=1e-4)
    assert first["policy/steps"] == 4
    assert 0 < first["policy/entropy"] < math.log(280)
    assert first["policy/learning_rate"] == 1e-3
    assert read_metrics(tmp_path / "out")[-1]["policy/learning_rate"] == pytest.approx(1e-3 / 3)


def test_rewards_are_scores_less_the_tax_and_the_penalty(models, tmp_path):
    for line in run(models, tmp_path / "out", kl_coef=0.5, missing_eos_penalty=2.0):
        cut_off = 1 - line["response/finished"]
        expected = line["objective/score"] - 0.5 * line["objective/kl"] - 2 * cut_off
        assert line["objective/reward"] == pytest.approx(expected, abs=1e-4)


def test_rollouts_hold_every_response_as_it_was(models, tmp_path):
    metrics = run(models, tmp_path / "out")
    lines = [json.loads(x) for x in (tmp_path / "out/rollouts.jsonl").read_text().splitlines()]
    assert [line["update"] for line in lines] == [1] * 8 + [2] * 8 + [3] * 8
    for step in metrics:
        of_update = [line for line in lines if line["update"] == step["step"]]
        for name, key in (("score", "objective/score"), ("kl", "objective/kl")):
            mean = sum(line[name] for line in of_update) / len(of_update)
            assert mean == pytest.approx(step[key], abs=1e-4)
        assert sum(x["length"] for x in of_update) / 8 == pytest.approx(step["response/length"])
        assert sum(x["finished"] for x in of_update) / 8 == step["response/finished"]
    assert all(Prompt.model_validate(line["prompt"]).id == line["prompt_id"] for line in lines)


def test_episodes_hold_every_token_of_a_few_responses(models, tmp_path):
    settings = {"kl_coef": 0.5, "missing_eos_penalty": 2.0}
    metrics = run(models, tmp_path / "out", **settings)
    episodes = [json.loads(x) for x in (tmp_path / "out/episodes.jsonl").read_text().splitlines()]
    rollouts = [json.loads(x) for x in (tmp_path / "out/rollouts.jsonl").read_text().splitlines()]
    assert [one["update"] for one in episodes] == [1, 1, 2, 2, 3, 3]
    keys = {"schema", "update", "prompt_id", "prompt", "score", "finished", "tokens"}
    for one in episodes:
        assert set(one) == keys
        assert set(one["tokens"][0]) == {
            "text", "logprob", "ref_logprob", "value", "advantage", "reward"
        }  # fmt: skip
        same = next(
            r
            for r in rollouts
            if (r["update"], r["prompt_id"]) == (one["update"], one["prompt_id"])
            and r["score"] == one["score"]
        )
        assert len(one["tokens"]) == same["length"]
        ratios = [t["logprob"] - t["ref_logprob"] for t in one["tokens"]]
        assert sum(ratios) == pytest.approx(same["kl"], abs=1e-3)
        rewards = [t["reward"] for t in one["tokens"]]
        penalty = 0 if one["finished"] else 2.0
        expected = [-0.5 * r for r in ratios]
        expected[-1] += one["score"] - penalty
        assert rewards == pytest.approx(expected, abs=1e-3)
    assert all(0 <= line["response/repetition"] <= 1 for line in metrics)
    assert all(line["response/refusals"] == 0 for line in metrics)


def test_the_output_loads_without_accord_and_has_changed(models, tmp_path):
    run(models, tmp_path / "out")
    policy = AutoModelForCausalLM.from_pretrained(tmp_path / "out/output")
    assert AutoTokenizer.from_pretrained(tmp_path / "out/output").eos_token == "<|end|>"
    before, _ = load_policy(models / "policy")
    moved = [
        not torch.equal(a, b) for a, b in zip(policy.parameters(), before.parameters(), strict=True)
    ]
    assert all(moved)
    done = json.loads((tmp_path / "out/DONE.json").read_text())
    assert done["headline"]["updates"] == 3
    assert not (tmp_path / "out/checkpoints").exists()


# It can be repeated, stopped and moved


def everything(out):
    files = ("output", "metrics.jsonl", "rollouts.jsonl", "episodes.jsonl")
    return {name: digest(out / name) for name in files} | {
        "checks": (out / "checks.json").read_text()
    }


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(models, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(models, tmp_path / name, seed=seed)
    assert everything(tmp_path / "a") == everything(tmp_path / "b")
    assert everything(tmp_path / "a") != everything(tmp_path / "c")


@pytest.mark.parametrize("killed_in", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_killed_and_resumed_is_the_same_to_the_byte(models, tmp_path, monkeypatch, killed_in):
    adaptive = {"kl_control": {"target": 0.01, "horizon": 50.0}, "updates": 4}
    run(models, tmp_path / "straight", **adaptive)
    monkeypatch.setattr(ppo, "CHECKPOINT_EVERY", 2)
    whole = ppo.update_once

    def killed(state, update, *rest, **logs):
        if update == killed_in:
            # the crash comes when the rollout is already on the disk
            whole(state, update, *rest, **logs)
            with (tmp_path / "killed/rollouts.jsonl").open("ab") as file:
                file.write('{"update": 9, "text": "é'.encode()[:-1])  # in the middle of a letter
            raise KeyboardInterrupt
        return whole(state, update, *rest, **logs)

    monkeypatch.setattr(ppo, "update_once", killed)
    with pytest.raises(KeyboardInterrupt):
        run(models, tmp_path / "killed", **adaptive)
    monkeypatch.setattr(ppo, "update_once", whole)
    run(models, tmp_path / "killed", **adaptive)
    assert everything(tmp_path / "killed") == everything(tmp_path / "straight")


def test_the_critic_and_its_optimizer_are_in_every_checkpoint(models, tmp_path, monkeypatch):
    monkeypatch.setattr("accord.runtime.artifacts.finish", lambda *_, **__: None)
    run(models, tmp_path / "out")
    (checkpoint,) = (tmp_path / "out/checkpoints").iterdir()
    names = {file.name for file in checkpoint.iterdir()}
    assert {
        f"{what}-{name}.safetensors"
        for what in ("model", "optimizer")
        for name in ("policy", "value")
    } <= names
    assert "kl_coef" in json.loads((checkpoint / "state.json").read_text())["scalars"]


@pytest.mark.parametrize("microbatch_size", [1, 3])
def test_the_microbatch_changes_memory_only(models, tmp_path, microbatch_size):
    plain = run(models, tmp_path / "plain", updates=1)[0]
    other = run(models, tmp_path / "other", updates=1, microbatch_size=microbatch_size)[0]
    for name, value in plain.items():
        assert other[name] == pytest.approx(value, rel=1e-3, abs=1e-4), name
    a = AutoModelForCausalLM.from_pretrained(tmp_path / "plain/output")
    b = AutoModelForCausalLM.from_pretrained(tmp_path / "other/output")
    for x, y in zip(a.parameters(), b.parameters(), strict=True):
        torch.testing.assert_close(x, y, atol=2e-4, rtol=1e-3)


# Every setting does something

CHANGES = [
    {"seed": 1},
    {"updates": 3},
    {"rollout_batch_size": 7},
    {"minibatch_size": 8},
    {"ppo_epochs": 1},
    {"learning_rate": 1e-4},
    {"value_learning_rate": 1e-4},
    {"max_grad_norm": 1e-3},
    {"kl_coef": 1.0},
    {"kl_control": {"target": 1.0}},
    {"missing_eos_penalty": 0.0},
    {"temperature": 0.7},
    {"max_tokens": 5},
    {"advantages": {"gamma": 0.5}},
    {"advantages": {"gae_lambda": 0.0}},
    {"advantages": {"whiten_rewards": True}},
    {"loss": {"surrogate": "penalty"}},
    {"loss": {"surrogate": "plain"}},
    {"loss": {"clip_range": 1e-3}},
    {"loss": {"value_clip_range": 1e-3}},
    {"loss": {"entropy_coef": 0.5}},
    {"loss": {"max_update_kl": 1e-9}},
    {"optimizer": {"schedule": "constant"}},
    {"optimizer": {"warmup": 0.5}},
    {"optimizer": {"critic_warmup": 1}},
    {"optimizer": {"beta1": 0.5}},
    {"optimizer": {"beta2": 0.5}},
    {"optimizer": {"eps": 1e-2}},
    {"models": {"value_from": "policy"}},
    {"score": {"missing_eos": "replace"}},
]
PLAIN = {"learning_rate": 5e-3, "ppo_epochs": 2, "updates": 2}


@pytest.fixture(scope="module")
def plain(models, tmp_path_factory):
    return run(models, tmp_path_factory.mktemp("plain") / "out", **PLAIN)


@pytest.mark.parametrize("setting", CHANGES, ids=str)
def test_every_setting_changes_something(models, plain, tmp_path, setting):
    assert run(models, tmp_path / "out", **(PLAIN | setting)) != plain


def test_no_setting_is_forgotten():
    named = {name for setting in CHANGES for name in setting}
    # `pretraining` and what needs several models: test_ppo_variants.py
    assert named | {"microbatch_size", "pretraining"} == set(ppo.Config.model_fields)


def test_the_horizon_changes_how_the_coefficient_adapts(models, tmp_path):
    slow = run(models, tmp_path / "slow", kl_control={"target": 1.0}, updates=2)
    quick = {"target": 1.0, "horizon": 16.0}
    fast = run(models, tmp_path / "fast", kl_control=quick, updates=2)
    # KL is near 0: the error is clipped to -.2; 8 episodes are half of a horizon of 16
    assert fast[1]["objective/kl_coef"] == pytest.approx(0.08 * (1 - 0.2 / 2))
    assert slow[1]["objective/kl_coef"] == pytest.approx(0.08 * (1 - 0.2 * 8 / 10_000))


def test_an_update_that_goes_too_far_ends_early(models, tmp_path):
    far = {"learning_rate": 2e-2, "ppo_epochs": 4, "updates": 2}
    free = run(models, tmp_path / "free", **far)
    held = run(models, tmp_path / "held", loss={"max_update_kl": 1e-4}, **far)
    assert [line["policy/steps"] for line in free] == [8, 8]
    # the first step starts at KL 0; the second sees what it did, and is not taken
    assert [line["policy/steps"] for line in held] == [1, 1]
