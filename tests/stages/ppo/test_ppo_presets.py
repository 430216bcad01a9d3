"""The presets: settings of papers, each value with its place, from which PPO learns."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from accord import pipeline, stages
from accord.cli.stage import resolve
from accord.config import InputError, build, overridden
from accord.data.collate import build as build_sequences
from accord.models import policy
from accord.models.load import eos_id, load_policy, save_model
from accord.runtime import episodes
from accord.runtime.train import adam, optimiser_step
from accord.stages import ppo
from accord.stages.ppo.pretraining import read_texts
from accord.stages.ppo.tools import load_tools

FOLDER = Path(ppo.__file__).parent / "presets"
NAMES = ["bai2022", "ouyang2022", "stiennon2020", "ziegler2019"]
every_preset = pytest.mark.parametrize("name", NAMES)

# What a model of two layers needs: sizes, rates and speeds. What is of the paper stays.
TINY = {
    "updates": 12,
    "rollout_batch_size": 32,
    "minibatch_size": 16,
    "microbatch_size": 16,
    "learning_rate": 1e-2,
    "value_learning_rate": 1e-2,
    "max_tokens": 5,
    "pretraining": {"documents_per_response": 1},
}


class LikesEvenTokens:
    """A planted reward: four times the share of even token ids in a response."""

    def score(self, sequences, finished):
        even = (sequences.response_tokens() % 2 == 0) & sequences.response_mask()
        return even.sum(1) / sequences.response_lengths * 4.0


def test_these_are_all_presets():
    assert sorted(file.stem for file in FOLDER.glob("*.toml")) == NAMES


@every_preset
def test_every_value_says_where_it_is_from(name):
    for line in (FOLDER / f"{name}.toml").read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            assert re.search(r"# \S", line), line


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (  # papers.md of each paper: what its readers know it by
            "ziegler2019",
            {"kl_coef": 0.15, "ppo_epochs": 4, "temperature": 0.7, "rollout_batch_size": 512},
        ),
        ("stiennon2020", {"kl_coef": 0.05, "ppo_epochs": 4, "learning_rate": 1.5e-5}),
        ("ouyang2022", {"kl_coef": 0.02, "ppo_epochs": 1, "minibatch_size": 64, "updates": 500}),
        ("bai2022", {"kl_coef": 0.001, "ppo_epochs": 1, "max_tokens": 128}),
    ],
)
def test_what_each_paper_is_known_by(name, expected):
    config = build(ppo.Config, stages.preset("ppo", name), where=name)
    assert expected == {key: getattr(config, key) for key in expected}
    if name == "ziegler2019":
        assert config.kl_control.target == 6
        assert config.advantages.whiten_rewards
        assert config.score.missing_eos == "replace"
    if name == "ouyang2022":
        assert config.pretraining.coef == 27.8
        assert config.optimizer.ema_decay == 0.992


@pytest.fixture(scope="module")
def ending(models, tmp_path_factory):
    """The tiny policy, taught to end after three tokens: where none ends, all score alike."""
    model, tokenizer = load_policy(models / "policy")
    random, end = torch.Generator().manual_seed(0), eos_id(tokenizer)
    optimizer = adam(model.parameters(), learning_rate=1e-2)
    pool = [ids for _, ids in episodes.read_prompts(models, tokenizer, context=64, max_tokens=5)]
    for _ in range(25):
        drawn = torch.randint(5, 280, (len(pool), 3), generator=random).tolist()
        rows = build_sequences(pool, [[*three, end] for three in drawn], 0)
        loss = -policy.logprobs(model, rows.tokens, rows.prompt_lengths, rows.response_lengths)
        optimiser_step(
            optimizer,
            [loss.sum()],
            count=4 * len(pool),
            learning_rate=1e-2,
            max_grad_norm=1.0,
        )
    folder = tmp_path_factory.mktemp("ending")
    save_model(model, tokenizer, folder)
    return folder


@pytest.mark.parametrize(
    "name", [n if n == "ziegler2019" else pytest.param(n, marks=pytest.mark.slow) for n in NAMES]
)
def test_a_known_reward_is_learnt(models, ending, name):
    values = overridden(stages.preset("ppo", name), TINY)
    config = build(ppo.Config, values, where=name)
    inputs = ppo.Inputs(
        policy=ending,
        preference_model=models / "pm",
        prompts=models,
        documents=models if config.pretraining.coef else None,
    )
    tools = load_tools(inputs, microbatch_size=config.microbatch_size, models=config.models)
    tools = replace(tools, scorers=(LikesEvenTokens(),))
    texts = read_texts(config, inputs, tools)
    pool = ppo.read_prompts(models, tools, max_tokens=config.max_tokens)
    state = ppo.initial_state(tools, config)
    found = [
        ppo.update_once(state, update, pool, config, tools, texts=texts)["objective/score"]
        for update in range(1, config.updates + 1)
    ]
    assert sum(found[-3:]) / 3 > sum(found[:3]) / 3 + 0.3


def test_a_run_file_takes_a_preset_and_overrides_it(tmp_path, models):
    inputs = {"policy": str(models / "policy"), "preference_model": str(models / "pm")}
    table = {
        "ppo": {
            "inputs": inputs | {"prompts": str(models)},
            "preset": "ziegler2019",
            "kl_coef": 0.3,
            "kl_control": {"target": 10.0},
        }
    }
    (step,) = pipeline.plan(table, tmp_path, title="x").steps
    assert step.config.kl_coef == 0.3
    assert step.config.kl_control.target == 10
    assert step.config.kl_control.horizon == 10_000
    assert step.config.missing_eos_penalty == 1


def test_the_command_takes_a_preset_below_a_file_and_settings(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("kl_coef = 0.5\nppo_epochs = 3\n")
    config = resolve("ppo", file, ["ppo.kl_coef=0.7"], preset="stiennon2020")
    assert (config.kl_coef, config.ppo_epochs, config.learning_rate) == (0.7, 3, 1.5e-5)


def test_an_unknown_preset_is_refused_and_the_nearest_named():
    with pytest.raises(InputError, match="did you mean `ouyang2022`"):
        stages.preset("ppo", "ouyang2023")
    with pytest.raises(InputError, match="`sft` has no presets; remove `preset = x`"):
        stages.preset("sft", "x")
