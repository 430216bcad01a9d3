"""What PPO reads and how it is set.

What belongs together stands in a table of its own, so that a run file says
``loss = { surrogate = "penalty", penalty_coef = 3.0 }``.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from accord.config import StageConfig, StageInputs, memory_only
from accord.models.adapters import Precision
from accord.runtime.model_source import ModelSource
from accord.runtime.train import Schedule

Layout = Literal["separate", "shared_trunk", "hydra"]


class Inputs(StageInputs):
    """What PPO reads."""

    policy: ModelSource  #: language model to improve
    preference_model: Path  #: gives the scores, and the value model its first weights
    more_preference_models: list[Path] = Field(default_factory=list)  #: further ones, see `score`
    prompts: Path  #: file of prompts, or a folder with `prompts-train.jsonl`
    reference: ModelSource | None = None  #: policy to stay close to; if not given, `policy`
    documents: Path | None = None  #: text that must not be unlearnt, for `pretraining.coef`


class Advantages(StageConfig):
    """How rewards become advantages."""

    gamma: float = Field(default=1.0, gt=0, le=1)  #: discount per token
    gae_lambda: float = Field(default=0.95, ge=0, le=1)  #: 0 is one-step TD, 1 is Monte Carlo
    whiten_rewards: bool = False  #: scale rewards to variance 1, their mean kept


class KLControl(StageConfig):
    """What steers ``kl_coef`` from update to update."""

    target: float | None = Field(default=None, gt=0)  #: nats per response; adapts `kl_coef`
    horizon: float = Field(default=10_000.0, gt=0)  #: episodes over which `kl_coef` adapts


class Loss(StageConfig):
    """What the optimizer steps minimise, and what holds the new policy near the old one."""

    surrogate: Literal["clip", "penalty", "plain"] = "clip"  #: bound by a clip, a KL, or nothing
    clip_range: float = Field(default=0.2, gt=0)  #: of the probability ratio
    value_clip_range: float = Field(default=0.4, gt=0)  #: of the values, score units
    value_coef: float = Field(default=0.1, gt=0)  #: of the values' loss where one trunk has both
    entropy_coef: float = Field(default=0.0, ge=0)  #: whitened advantage per nat of entropy
    penalty_coef: float = Field(default=1.0, gt=0)  #: whitened advantage per nat of KL(old ‖ new)
    penalty_target: float | None = Field(default=None, gt=0)  #: nats per token; adapts the former
    max_update_kl: float | None = Field(default=None, gt=0)  #: nats per token that end an update


class Optimizer(StageConfig):
    """How the weights follow the gradients."""

    schedule: Schedule = "linear"  #: of both learning rates; `linear` and `cosine` fall to 0
    warmup: float = Field(default=0.1, ge=0, lt=1)  #: share of the updates; the policy's rate rises
    critic_warmup: int = Field(default=0, ge=0)  #: first updates, in which only the value learns
    beta1: float = Field(default=0.9, ge=0, lt=1)  #: memory of Adam's first moment
    beta2: float = Field(default=0.95, ge=0, lt=1)  #: memory of Adam's second moment
    eps: float = Field(default=1e-5, gt=0)  #: added to the root of the second moment
    ema_decay: float | None = Field(default=None, gt=0, lt=1)  #: an update; averages the output


class Pretraining(StageConfig):
    """PPO-ptx: next-token learning on documents, beside the reward."""

    coef: float = Field(default=0.0, ge=0)  #: whitened advantage per nat of a document's token
    documents_per_response: int = Field(default=1, ge=1)  #: documents a step, per response
    context: int = Field(default=256, ge=2)  #: most tokens of a document; longer ones are cut


class Score(StageConfig):
    """How one score comes about."""

    combine: Literal["mean", "worst", "mean_minus_std"] = "mean"  #: of several preference models
    std_coef: float = Field(default=1.0, ge=0)  #: standard deviations lost to `mean_minus_std`
    missing_eos: Literal["subtract", "replace"] = "subtract"  #: what `missing_eos_penalty` does


class Models(StageConfig):
    """How the models come about."""

    value_from: Literal["preference_model", "policy"] = "preference_model"  #: its first weights
    layout: Layout = "separate"  #: what shares memory
    lora_rank: int = Field(default=16, ge=1)  #: of the adapters of `shared_trunk`
    lora_alpha: float = Field(default=16.0, gt=0)  #: the policy's is scaled by this over its rank
    frozen_layers: int = Field(default=1, ge=1)  #: of `hydra`, from below; computed once a rollout
    precision: Precision = "float32"  #: of matrix products; `bfloat16` where the processor has it


class Config(StageConfig):
    """Hyperparameters of PPO; the defaults suit the small built-in base model."""

    seed: int = 0  #: same seed, same result; in a run file `run.seed` is taken unless this is set
    updates: int = Field(default=45, ge=1)  #: PPO updates, not optimizer steps
    rollout_batch_size: int = Field(default=96, ge=1)  #: prompts per update, one response each
    minibatch_size: int = Field(default=48, ge=1)  #: responses per optimizer step
    microbatch_size: int = memory_only(24, ge=1)  #: responses at once, of the longest; memory only
    ppo_epochs: int = Field(default=2, ge=1)  #: passes over a rollout
    learning_rate: float = Field(default=5e-4, gt=0)  #: of the policy, at its peak
    value_learning_rate: float = Field(default=1e-3, gt=0)  #: of the value model, at first
    max_grad_norm: float = Field(default=1.0, gt=0)  #: policy and value are clipped separately
    kl_coef: float = Field(default=0.08, ge=0)  #: score lost per nat of KL from the reference
    missing_eos_penalty: float = Field(default=2.5, ge=0)  #: score lost by a response cut off
    temperature: float = Field(default=1.0, gt=0)  #: of policy and reference alike
    max_tokens: int = Field(default=48, ge=1)  #: response tokens, end of sequence included
    advantages: Advantages = Advantages()  #: how rewards become advantages
    kl_control: KLControl = KLControl()  #: what steers `kl_coef`
    loss: Loss = Loss()  #: what the optimizer steps minimise
    optimizer: Optimizer = Optimizer()  #: how the weights follow
    pretraining: Pretraining = Pretraining()  #: PPO-ptx
    score: Score = Score()  #: how one score comes about
    models: Models = Models()  #: how the models come about
