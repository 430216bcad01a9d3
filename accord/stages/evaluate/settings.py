"""What evaluation reads and how it is set."""

from pathlib import Path

from pydantic import Field

from accord.config import StageConfig, StageInputs, memory_only
from accord.runtime.model_source import ModelSource


class Inputs(StageInputs):
    """What evaluation reads."""

    #: by name; in the order in which each is claimed to be better than those before it
    policies: dict[str, ModelSource]
    prompts: Path  #: held-out prompts: a file, or a folder with `prompts-eval.jsonl`
    world: Path | None = None  #: whose truth judges; without it the preference model judges
    preference_model: Path | None = None  #: scores every response
    rollouts: dict[str, Path] = Field(default_factory=dict)  #: PPO artifacts, for the curve


class Config(StageConfig):
    """How policies are compared; docs/stages/evaluate.md has the sources."""

    seed: int = 0  #: decides the prompts, if not all, and the samples
    prompts: int = Field(0, ge=0)  #: how many, drawn at random; 0 takes all
    samples_per_prompt: int = Field(2, ge=1)  #: at temperature 1; greedy decoding gives one
    max_tokens: int = Field(64, ge=1)  #: response tokens, end of sequence included
    baseline: str = "sft"  #: the policy that the others are compared with
    reference: str = ""  #: the policy that KL is measured from; empty is the baseline
    confidence: float = Field(0.95, gt=0, lt=1)  #: of every interval
    curve_points: int = Field(15, ge=1)  #: groups of PPO updates that the curve shows, per run
    microbatch_size: int = memory_only(256, ge=1)  #: responses at once; memory only
