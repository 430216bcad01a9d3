"""Group relative policy optimisation: rewards standardised within a prompt, steps clipped.

policy, preference_model, prompts  ->  policy            docs/stages/grpo.md
Follows Shao et al. 2024 (arXiv:2402.03300); differs from it in the KL term of the loss and in what
the loss is divided by, as docs/stages/grpo.md says.
"""

import functools
from pathlib import Path

from pydantic import Field
from torch import Tensor

from accord.config import StageConfig, StageInputs, memory_only
from accord.functional.kl import k2
from accord.functional.policy_gradient import group_normalised
from accord.functional.ppo import clipped_policy_loss
from accord.runtime.model_source import ModelSource
from accord.runtime.policy_gradient import Method, Plan, Sources, Tokens, learn


class Inputs(StageInputs):
    """What GRPO reads."""

    policy: ModelSource  #: language model to improve
    preference_model: Path  #: gives the scores
    prompts: Path  #: file of prompts, or a folder with `prompts-train.jsonl`
    reference: ModelSource | None = None  #: policy to stay close to; if not given, `policy`


class Config(StageConfig):
    """Hyperparameters of GRPO; the defaults suit the small built-in base model."""

    seed: int = 0  #: same seed, same result; in a run file `run.seed` is taken unless this is set
    updates: int = Field(default=80, ge=1)  #: rollouts, not optimizer steps
    prompts_per_update: int = Field(default=24, ge=1)  #: each answered by a group
    responses_per_prompt: int = Field(default=4, ge=2)  #: the group that rewards are measured in
    minibatch_size: int = Field(default=48, ge=1)  #: responses per optimizer step
    microbatch_size: int = memory_only(24, ge=1)  #: responses at once, of the longest; memory only
    epochs: int = Field(default=1, ge=1)  #: passes over a rollout
    learning_rate: float = Field(default=5e-4, gt=0)  #: of the policy, at its peak
    max_grad_norm: float = Field(default=1.0, gt=0)  #: gradients are scaled down to this norm
    clip_range: float = Field(default=0.2, gt=0)  #: of the probability ratio
    kl_coef: float = Field(default=0.08, ge=0)  #: advantage lost per nat of KL, in the loss
    std_eps: float = Field(default=1e-4, gt=0)  #: added to a group's standard deviation
    missing_eos_penalty: float = Field(default=2.5, ge=0)  #: score lost by a response cut off
    temperature: float = Field(default=1.0, gt=0)  #: of policy and reference alike
    max_tokens: int = Field(default=48, ge=1)  #: response tokens, end of sequence included


def run(config: Config, inputs: Inputs, out: Path) -> None:
    """Improve the policy for ``config.updates`` updates; go on where a checkpoint left off."""
    plan = Plan(
        seed=config.seed,
        updates=config.updates,
        prompts_per_update=config.prompts_per_update,
        responses_per_prompt=config.responses_per_prompt,
        minibatch_size=config.minibatch_size,
        microbatch_size=config.microbatch_size,
        epochs=config.epochs,
        learning_rate=config.learning_rate,
        max_grad_norm=config.max_grad_norm,
        kl_coef=0.0,  # it is in the loss
        missing_eos_penalty=config.missing_eos_penalty,
        temperature=config.temperature,
        max_tokens=config.max_tokens,
    )
    method = Method(
        "grpo",
        lambda rewards, _: group_normalised(rewards, eps=config.std_eps),
        functools.partial(_loss, clip_range=config.clip_range, kl_coef=config.kl_coef),
    )
    sources = Sources(inputs.policy, inputs.preference_model, inputs.prompts, inputs.reference)
    learn(method, plan, sources, out)


def _loss(tokens: Tokens, *, clip_range: float, kl_coef: float) -> Tensor:
    """Clipped surrogate plus the KL by k2, whose gradient is the KL's; that of k3 is not."""
    surrogate = clipped_policy_loss(
        tokens.logprobs,
        tokens.old_logprobs,
        tokens.advantages,
        tokens.mask,
        clip_range=clip_range,
    )
    logratio = (tokens.logprobs - tokens.ref_logprobs).masked_fill(~tokens.mask, 0)
    return surrogate + kl_coef * k2(logratio)
