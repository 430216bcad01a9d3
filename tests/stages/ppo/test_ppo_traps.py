"""Mistakes that others made: those that no other test catches, and the list of all of them."""

import ast
import itertools
import re
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from accord import stages
from accord.config import build
from accord.data.collate import build as build_sequences
from accord.functional.kl import next_kl_coef
from accord.runtime.artifacts import run_stage
from accord.runtime.generate import Samples
from accord.runtime.metrics import read_metrics
from accord.runtime.seeding import generator
from accord.stages import ppo
from accord.stages.ppo.rewards import evaluated
from accord.stages.ppo.tools import load_tools

ROOT = Path(__file__).parents[3]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "traps.py"))
TRAPS = SCRIPT["read"]()


def inputs_of(models):
    return ppo.Inputs(policy=models / "policy", preference_model=models / "pm", prompts=models)


@pytest.fixture
def tools(models):
    return load_tools(inputs_of(models), microbatch_size=8)


def run(models, out, **settings):
    small = {"updates": 1, "rollout_batch_size": 8, "minibatch_size": 4, "max_tokens": 6}
    config = build(ppo.Config, small | settings, where="[ppo]")
    run_stage(ppo.run, config, inputs_of(models), out)
    return read_metrics(out)


def rollout_of(models, tools, **settings):
    config = ppo.Config(rollout_batch_size=12, max_tokens=6, **settings)
    pool = ppo.read_prompts(models, tools, max_tokens=6)
    episodes = ppo.sample_episodes(tools, pool, ppo.sampling(config), random=generator(0, "traps"))
    return evaluated(episodes, config, tools, kl_coef=0.1)


def test_an_end_that_is_also_the_padding_still_counts():
    """Responses 7 1 and 7 8 1, where 1 ends a response and fills up rows: two and three count."""
    sequences = build_sequences([[5], [5, 6]], [[7, 1], [7, 8, 1]], 1)
    assert sequences.response_mask().tolist() == [[True, True, False], [True, True, True]]


def test_the_temperature_is_that_of_policy_and_reference(models, tools):
    """At the start they are one model, whatever the temperature."""
    logratio = rollout_of(models, tools, temperature=0.6).logratio()
    assert float(logratio.abs().max()) < 1e-5


def test_what_is_sampled_is_what_is_scored(models, tmp_path):
    """A truncated distribution would also be refused by the check at the start."""
    drawn = ppo.sampling(ppo.Config(temperature=0.7, max_tokens=9))
    assert (drawn.temperature, drawn.max_tokens, drawn.top_p, drawn.top_k) == (0.7, 9, 1.0, 0)
    assert run(models, tmp_path / "out")[0]["policy/ratio_max"] == pytest.approx(1, abs=1e-4)


def test_tokens_are_kept_as_they_were_sampled(models, tools):
    """The text of these tokens would be tokenised otherwise."""
    letters = tools.tokenizer("red green")["input_ids"]
    spelt = [tools.tokenizer(letter)["input_ids"][0] for letter in "green"]
    assert tools.tokenizer(tools.tokenizer.decode(spelt))["input_ids"] != spelt

    class Spelling:
        def sample(self, prompts, sampling, *, random):
            n = len(prompts)
            return Samples([spelt] * n, [[-1.0] * 5] * n, [False] * n)

    pool = ppo.read_prompts(models, tools, max_tokens=6)
    episodes = ppo.sample_episodes(
        replace(tools, generator=Spelling()),
        pool,
        ppo.sampling(ppo.Config(max_tokens=6)),
        random=generator(0),
    )
    assert episodes.sequences.response_tokens().tolist() == [spelt] * len(pool)
    assert letters


def test_the_controller_takes_nats_a_response(models, tmp_path):
    control = {"target": 0.5, "horizon": 40.0}
    lines = run(
        models, tmp_path / "out", updates=3, kl_control=control, learning_rate=2e-2, kl_coef=0.2
    )
    for line, later in itertools.pairwise(lines):
        expected = next_kl_coef(
            line["objective/kl_coef"],
            line["objective/kl"],
            target_kl=0.5,
            horizon=40.0,
            episodes=8,
        )
        assert later["objective/kl_coef"] == pytest.approx(expected, rel=1e-4)
    # above the target a response and below it a token, of which there are up to six
    assert 0.5 < lines[1]["objective/kl"] < 2.5


def test_advantages_are_whitened_over_the_tokens_of_the_rollout(models, tools):
    rollout = rollout_of(models, tools)
    lengths = rollout.mask.sum(1)
    # rows of different lengths, so that there is padding to be left out
    mask = rollout.mask.clone()
    mask[::2, 3:] = False
    sequences = replace(rollout.episodes.sequences, response_lengths=mask.sum(1))
    episodes = replace(
        rollout.episodes, sequences=sequences, logprobs=rollout.episodes.logprobs * mask
    )
    config = ppo.Config(max_tokens=6)
    advantages = evaluated(episodes, config, tools, kl_coef=0.1).advantages
    kept = advantages[mask].double()
    assert float(kept.mean()) == pytest.approx(0, abs=1e-6)
    assert float(kept.std(correction=0)) == pytest.approx(1, abs=1e-5)
    assert (advantages[~mask] == 0).all()
    assert int(lengths.sum()) > int(mask.sum())


def test_the_first_step_of_adam_by_hand(tools):
    """With g = 1e-6: g / (|g| + eps) = 1/11 of the rate; .0032 in TensorFlow's place."""
    state = ppo.initial_state(tools, ppo.Config())
    for name, model in (("policy", tools.policy), ("value", tools.value_model)):
        parameter = next(model.parameters())
        before = parameter.detach().clone()
        parameter.grad = torch.full_like(parameter, 1e-6)
        for group in state.optimizers[name].param_groups:
            group["lr"] = 1.0
        state.optimizers[name].step()
        moved = before - parameter.detach()
        assert float(moved.mean()) == pytest.approx(0.0909091, rel=1e-3)


def test_every_update_draws_anew(models, tools):
    """The same prompts and the same weights give other responses in the next update."""
    pool = ppo.read_prompts(models, tools, max_tokens=6)[:1]
    config = ppo.Config(rollout_batch_size=4, max_tokens=6, learning_rate=1e-30)
    state = ppo.initial_state(tools, config)
    drawn = []
    sample = ppo.sample_episodes

    def noted(*args, **named):
        episodes = sample(*args, **named)
        drawn.append(episodes.sequences.response_tokens().tolist())
        return episodes

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ppo, "sample_episodes", noted)
        for update in (1, 2):
            ppo.update_once(state, update, pool, config, tools)
    assert drawn[0] != drawn[1]


def test_a_preference_model_sees_its_comparisons_once():
    assert stages.load("preference_model").config().epochs == 1


# The list


def test_all_traps_are_listed():
    assert [trap.number for trap in TRAPS] == list(range(1, 37))


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: str(trap.number))
def test_a_trap_can_be_planted_and_its_test_exists(trap):
    source = (ROOT / trap.file).read_text(encoding="utf-8")
    assert source.count(trap.old) == 1, f"{trap.file} has changed: mend scripts/traps.toml"
    ast.parse(source.replace(trap.old, trap.new))
    path, _, name = trap.test.partition("::")
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)


def test_the_page_has_the_list():
    page = (ROOT / "docs/stages/ppo.md").read_text(encoding="utf-8")
    assert SCRIPT["table"](TRAPS) in page, "python scripts/traps.py --table"
