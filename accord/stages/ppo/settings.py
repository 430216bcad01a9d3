"""What PPO reads and how it is set."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from accord.config import StageConfig, StageInputs, memory_only
from accord.runtime.model_source import ModelSource


class Inputs(StageInputs):
    """What PPO reads."""

    policy: ModelSource  #: language model to improve
    preference_model: Path  #: gives the scores, and the value model its first weights
    prompts: Path  #: file of prompts, or a folder with `prompts-train.jsonl`
    reference: ModelSource | None = None  #: policy to stay close to; if not given, `policy`


class Advantages(BaseModel):
    """How rewards become advantages."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gamma: float = Field(default=1.0, gt=0, le=1)  #: discount per token
    gae_lambda: float = Field(default=0.95, ge=0, le=1)  #: 0 is one-step TD, 1 is Monte Carlo
    whiten_rewards: bool = False  #: scale rewards to variance 1, their mean kept


class Config(StageConfig):
    """Hyperparameters of PPO; the defaults suit the small built-in base model."""

    seed: int = 0  #: same seed, same result; in a run file `run.seed` is taken unless this is set
    updates: int = Field(default=45, ge=1)  #: PPO updates, not optimizer steps
    rollout_batch_size: int = Field(default=96, ge=1)  #: prompts per update, one response each
    minibatch_size: int = Field(default=48, ge=1)  #: responses per optimizer step
    microbatch_size: int = memory_only(24, ge=1)  #: responses per forward pass; memory only
    ppo_epochs: int = Field(default=2, ge=1)  #: passes over a rollout
    learning_rate: float = Field(default=5e-4, gt=0)  #: of the policy, at its peak
    value_learning_rate: float = Field(default=1e-3, gt=0)  #: of the value model, at first
    max_grad_norm: float = Field(default=1.0, gt=0)  #: policy and value are clipped separately
    kl_coef: float = Field(default=0.08, ge=0)  #: score lost per nat of KL from the reference
    target_kl: float | None = Field(default=None, gt=0)  #: nats per response; adapts `kl_coef`
    kl_horizon: float = Field(default=10_000.0, gt=0)  #: episodes over which `kl_coef` adapts
    max_update_kl: float | None = Field(default=None, gt=0)  #: nats per token that end an update
    clip_range: float = Field(default=0.2, gt=0)  #: of the probability ratio
    value_clip_range: float = Field(default=0.4, gt=0)  #: of the values, score units
    entropy_coef: float = Field(default=0.0, ge=0)  #: whitened advantage per nat of entropy
    missing_eos_penalty: float = Field(default=2.5, ge=0)  #: score lost by a response cut off
    temperature: float = Field(default=1.0, gt=0)  #: of policy and reference alike
    max_tokens: int = Field(default=48, ge=1)  #: response tokens, end of sequence included
    advantages: Advantages = Advantages()  #: how rewards become advantages
