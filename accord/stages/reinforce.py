"""REINFORCE with a moving baseline: the plainest policy gradient that learns from a score.

policy, preference_model, prompts  ->  policy            docs/stages/reinforce.md
Follows Williams 1992; the baseline is the moving average of the rewards of earlier updates.
"""

import functools
from pathlib import Path

from pydantic import Field
from torch import Tensor

from accord.config import StageConfig, StageInputs, memory_only
from accord.functional.policy_gradient import leave_one_out, next_baseline, reinforce_loss
from accord.runtime.model_source import ModelSource
from accord.runtime.policy_gradient import Method, Plan, Sources, Tokens, learn


class Inputs(StageInputs):
    """What REINFORCE reads."""

    policy: ModelSource  #: language model to improve
    preference_model: Path  #: gives the scores
    prompts: Path  #: file of prompts, or a folder with `prompts-train.jsonl`
    reference: ModelSource | None = None  #: policy to stay close to; if not given, `policy`


class Config(StageConfig):
    """Hyperparameters of REINFORCE; the defaults suit the small built-in base model."""

    seed: int = 0  #: same seed, same result; in a run file `run.seed` is taken unless this is set
    updates: int = Field(default=120, ge=1)  #: rollouts, with one optimizer step each
    prompts_per_update: int = Field(default=96, ge=2)  #: one response each
    microbatch_size: int = memory_only(24, ge=1)  #: responses at once, of the longest; memory only
    learning_rate: float = Field(default=1e-3, gt=0)  #: of the policy, at its peak
    max_grad_norm: float = Field(default=1.0, gt=0)  #: gradients are scaled down to this norm
    baseline_decay: float = Field(default=0.8, ge=0, lt=1)  #: of the moving average of rewards
    kl_coef: float = Field(default=0.08, ge=0)  #: score lost per nat of KL from the reference
    missing_eos_penalty: float = Field(default=2.5, ge=0)  #: score lost by a response cut off
    temperature: float = Field(default=1.0, gt=0)  #: of policy and reference alike
    max_tokens: int = Field(default=48, ge=1)  #: response tokens, end of sequence included


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Improve the policy for ``config.updates`` updates; go on where a checkpoint left off."""
    plan = Plan(
        seed=config.seed,
        updates=config.updates,
        prompts_per_update=config.prompts_per_update,
        responses_per_prompt=1,
        microbatch_size=config.microbatch_size,
        learning_rate=config.learning_rate,
        max_grad_norm=config.max_grad_norm,
        kl_coef=config.kl_coef,
        missing_eos_penalty=config.missing_eos_penalty,
        temperature=config.temperature,
        max_tokens=config.max_tokens,
    )
    advantages = functools.partial(_advantages, decay=config.baseline_decay)
    sources = Sources(inputs.policy, inputs.preference_model, inputs.prompts, inputs.reference)
    learn(Method("reinforce", advantages, _loss), plan, sources, out)


def _advantages(rewards: Tensor, kept: dict[str, float], *, decay: float) -> Tensor:
    """Rewards less the mean of earlier ones; in the first update, less that of the others."""
    mean = float(rewards.mean())
    baseline = kept.get("baseline")
    kept["baseline"] = mean if baseline is None else next_baseline(baseline, mean, decay=decay)
    if baseline is None:
        return leave_one_out(rewards.view(1, -1)).view_as(rewards)
    return rewards - baseline


def _loss(tokens: Tokens) -> Tensor:
    return reinforce_loss(tokens.logprobs, tokens.advantages, tokens.mask)
