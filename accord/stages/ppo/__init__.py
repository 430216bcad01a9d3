"""Proximal policy optimisation against a preference model, with a KL penalty.

policy, preference_model, prompts  ->  policy            docs/stages/ppo.md
Follows Ziegler et al. 2019 (arXiv:1909.08593) and Ouyang et al. 2022 (arXiv:2203.02155); how it
differs is numbered in docs/stages/ppo.md.
"""

import time
from pathlib import Path
from typing import cast

from pydantic import BaseModel, ConfigDict, Field
from transformers import PreTrainedModel

from accord.config import InputError, StageConfig, StageInputs, memory_only
from accord.data.encode import fitting_prompts
from accord.functional.advantages import gae
from accord.functional.kl import missing_eos, next_kl_coef, token_rewards
from accord.functional.masking import row_sums, whiten
from accord.models.load import (
    ModelSource,
    context_length,
    load_policy,
    load_scalar_model,
    save_model,
)
from accord.records import Prompt, Sampling, read_records
from accord.runtime import artifacts, checkpoints
from accord.runtime.checkpoints import TrainState
from accord.runtime.generate import HuggingFaceGenerator
from accord.runtime.metrics import MetricsLog
from accord.runtime.processor import device, prepare_processor
from accord.runtime.progress import bar
from accord.runtime.seeding import generator
from accord.runtime.train import adam, scheduled
from accord.stages.ppo.checks import check_invariants
from accord.stages.ppo.rollout import (
    EncodedPrompt,
    PreferenceModelScorer,
    Rollout,
    RolloutLog,
    Tools,
    objective,
    prompts_of_update,
    ref_logprobs_of,
    sample_episodes,
    values_of,
)
from accord.stages.ppo.update import take_clipped_steps

ADAM_BETAS = (0.9, 0.95)  # Ouyang et al. 2022, appendix C.4
ADAM_EPS = 1e-5  # detail 3 of "The N implementation details of RLHF with PPO"


class Inputs(StageInputs):
    """What PPO reads."""

    policy: ModelSource  #: language model to improve
    preference_model: Path  #: gives the scores, and the value model its first weights
    prompts: Path  #: file of prompts, or a folder with `prompts-train.jsonl`
    reference: ModelSource | None = None  #: policy to stay close to; the policy itself if not given


class Advantages(BaseModel):
    """How rewards become advantages."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gamma: float = Field(default=1.0, gt=0, le=1)  #: discount per token
    gae_lambda: float = Field(default=0.95, ge=0, le=1)  #: 0 is one-step TD, 1 is Monte Carlo
    whiten_rewards: bool = False  #: scale rewards to variance 1, their mean kept


class Config(StageConfig):
    """Hyperparameters of PPO; the defaults suit the small built-in base model."""

    seed: int = 0  #: decides prompts, samples and minibatches
    updates: int = Field(default=45, ge=1)  #: PPO updates, not optimizer steps
    rollout_batch_size: int = Field(default=96, ge=1)  #: prompts per update, one response each
    minibatch_size: int = Field(default=48, ge=1)  #: responses per optimizer step
    microbatch_size: int = memory_only(32, ge=1)  #: responses per forward pass; memory only
    ppo_epochs: int = Field(default=2, ge=1)  #: passes over a rollout
    learning_rate: float = Field(default=5e-4, gt=0)  #: of the policy; falls linearly to 0
    value_learning_rate: float = Field(default=1e-3, gt=0)  #: of the value model; falls likewise
    max_grad_norm: float = Field(default=1.0, gt=0)  #: policy and value clipped separately
    kl_coef: float = Field(default=0.08, ge=0)  #: score lost per nat of KL from the reference
    target_kl: float | None = Field(default=None, gt=0)  #: nats per response; adapts `kl_coef`
    kl_horizon: float = Field(default=10_000, gt=0)  #: episodes over which `kl_coef` adapts
    max_update_kl: float | None = Field(default=None, gt=0)  #: nats per token that end an update
    clip_range: float = Field(default=0.2, gt=0)  #: of the probability ratio
    value_clip_range: float = Field(default=0.4, gt=0)  #: of the values, score units
    entropy_coef: float = Field(default=0.0, ge=0)  #: advantage units per nat of entropy
    missing_eos_penalty: float = Field(default=2.5, ge=0)  #: score lost by a response cut off
    temperature: float = Field(default=1.0, gt=0)  #: of policy and reference alike
    max_tokens: int = Field(default=48, ge=1)  #: response tokens, end of sequence included
    advantages: Advantages = Advantages()  #: how rewards become advantages


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Improve the policy for ``config.updates`` updates; go on where a checkpoint left off."""
    prepare_processor()
    tools, state = _load(config, inputs)
    prompts = _read_prompts(inputs.prompts, tools, config)
    checks = check_invariants(
        tools,
        prompts,
        temperature=config.temperature,
        max_tokens=config.max_tokens,
        starts_at_reference=inputs.reference in (None, inputs.policy),
    )
    artifacts.write_json(out / "checks.json", checks)
    checkpoints.load_newest(state, out / "checkpoints")
    metrics, rollouts = MetricsLog(out), RolloutLog(out)
    metrics.truncate_to(state.step)
    rollouts.truncate_to(state.step)
    with bar(config.updates, "ppo", completed=state.step) as advance:
        while state.step < config.updates:
            began = time.monotonic()
            values = update_once(state, prompts, config, tools, rollouts)
            metrics.log(state.step, values)
            metrics.log_time(state.step, {"time/seconds_per_update": time.monotonic() - began})
            advance(1, f"score {values['objective/score']:.2f} KL {values['objective/kl']:.2f}")
            if state.step % CHECKPOINT_EVERY == 0 and state.step < config.updates:
                checkpoints.save(state, out / "checkpoints")
    save_model(tools.policy, tools.tokenizer, out / "output")
    artifacts.write_headline(out, _headline(out))


def update_once(
    state: TrainState,
    pool: list[EncodedPrompt],
    config: Config,
    tools: Tools,
    rollouts: RolloutLog | None = None,
) -> dict[str, float]:
    """One PPO update: sample, score, reward, estimate advantages, take clipped steps.

    Args:
        state: models, optimizers, ``kl_coef`` and the number of finished updates; changed.
        pool: all prompts.
        config: hyperparameters.
        tools: what samples and what scores.
        rollouts: where to write the responses, if anywhere.

    Returns:
        Metrics of the update; their units are in docs/stages/ppo.md.
    """
    update, kl_coef = state.step + 1, state.scalars["kl_coef"]
    prompts = prompts_of_update(pool, config.rollout_batch_size, update, seed=config.seed)
    sampling = Sampling(temperature=config.temperature, max_tokens=config.max_tokens)
    random = generator(config.seed, "rollout", update)

    episodes = sample_episodes(tools, prompts, sampling, random=random)
    mask = episodes.sequences.response_mask()
    scores = tools.scorer.score(episodes)
    ref_logprobs = ref_logprobs_of(tools, episodes, temperature=config.temperature)
    values = values_of(tools, episodes)

    penalised = missing_eos(scores, episodes.finished, penalty=config.missing_eos_penalty)
    rewards = token_rewards(penalised, episodes.logprobs, ref_logprobs, mask, kl_coef=kl_coef)
    totals = row_sums(rewards, mask)
    if config.advantages.whiten_rewards:
        rewards = whiten(rewards, mask, center=False)
    advantages, returns = gae(
        rewards,
        values,
        mask,
        gamma=config.advantages.gamma,
        gae_lambda=config.advantages.gae_lambda,
    )
    rollout = Rollout(episodes, mask, values, whiten(advantages, mask), returns)

    metrics = objective(episodes, scores, ref_logprobs, totals) | {"objective/kl_coef": kl_coef}
    metrics |= take_clipped_steps(state, rollout, config, update=update)
    if config.target_kl is not None:
        state.scalars["kl_coef"] = next_kl_coef(
            kl_coef,
            metrics["objective/kl"],
            target_kl=config.target_kl,
            horizon=config.kl_horizon,
            episodes=len(prompts),
        )
    if rollouts is not None:
        rollouts.append(update, episodes, scores, ref_logprobs, tools.tokenizer)
    state.step = update
    return metrics
