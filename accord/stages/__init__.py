"""The stages by name: where the Config, the Inputs and the run of each are found.

A stage's module is imported when it is asked for and not before, so that rating votes or
labelling never loads torch. The order is that of one iteration.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from accord.config import InputError, StageConfig, StageInputs, nearest, read_toml
from accord.runtime.artifacts import Run

__all__ = ["STAGES", "Stage", "load", "needs_training", "preset"]

# What ``pip install accord[train]`` brings; without them the labelling stages still work.
TRAINING_PACKAGES = {"torch", "transformers", "tokenizers", "safetensors", "jaxtyping"}


@dataclass(frozen=True)
class Stage:
    """The three names of a stage, under its own."""

    kind: str
    config: type[StageConfig]
    inputs: type[StageInputs]
    run: Run


def load(kind: str) -> Stage:
    """Import one stage.

    Raises:
        InputError: there is no such stage, or the packages it trains with are not installed.
    """
    if kind not in STAGES:
        raise InputError(f"unknown stage `{kind}`{nearest(kind, list(STAGES))}")
    try:
        module = STAGES[kind]()
    except ModuleNotFoundError as error:
        raise needs_training(error, kind) from error
    return Stage(kind, module.Config, module.Inputs, module.run)


def preset(kind: str, name: str) -> dict[str, Any]:
    """Settings of a stage under a name, such as the paper that they are from.

    They are TOML files in the folder ``presets`` of the stage; settings beside one override it.

    Raises:
        InputError: the stage has no such preset; names the nearest.
    """
    files = {file.stem: file for file in (Path(__file__).parent / kind / "presets").glob("*.toml")}
    if not files:
        raise InputError(f"`{kind}` has no presets; remove `preset = {name}`")
    if name not in files:
        raise InputError(f"`{kind}` has no preset `{name}`{nearest(name, list(files))}")
    return read_toml(files[name])


def needs_training(error: ModuleNotFoundError, what: str) -> Exception:
    """What to tell somebody who has the labelling part only; any other error is given back."""
    if error.name not in TRAINING_PACKAGES:
        return error
    return InputError(
        f"`{what}` needs the package `{error.name}`; install it with `pip install 'accord[train]'`"
    )


def _world() -> ModuleType:
    from accord.stages import world

    return world


def _many_worlds() -> ModuleType:
    from accord.stages import many_worlds

    return many_worlds


def _import_data() -> ModuleType:
    from accord.stages import import_data

    return import_data


def _mix_comparisons() -> ModuleType:
    from accord.stages import mix_comparisons

    return mix_comparisons


def _pretrain() -> ModuleType:
    from accord.stages import pretrain

    return pretrain


def _sft() -> ModuleType:
    from accord.stages import sft

    return sft


def _context_distillation() -> ModuleType:
    from accord.stages import context_distillation

    return context_distillation


def _sample() -> ModuleType:
    from accord.stages import sample

    return sample


def _publish() -> ModuleType:
    from accord.stages import publish

    return publish


def _simulate_labelers() -> ModuleType:
    from accord.stages import simulate_labelers

    return simulate_labelers


def _collect() -> ModuleType:
    from accord.stages import collect

    return collect


def _rate() -> ModuleType:
    from accord.stages import rate

    return rate


def _preference_pretraining() -> ModuleType:
    from accord.stages import preference_pretraining

    return preference_pretraining


def _preference_model() -> ModuleType:
    from accord.stages import preference_model

    return preference_model


def _evaluate_preference_model() -> ModuleType:
    from accord.stages import evaluate_preference_model

    return evaluate_preference_model


def _ppo() -> ModuleType:
    from accord.stages import ppo

    return ppo


def _best_of_n() -> ModuleType:
    from accord.stages import best_of_n

    return best_of_n


def _dpo() -> ModuleType:
    from accord.stages import dpo

    return dpo


def _rloo() -> ModuleType:
    from accord.stages import rloo

    return rloo


def _grpo() -> ModuleType:
    from accord.stages import grpo

    return grpo


def _reinforce() -> ModuleType:
    from accord.stages import reinforce

    return reinforce


def _evaluate() -> ModuleType:
    from accord.stages import evaluate

    return evaluate


def _frontier() -> ModuleType:
    from accord.stages import frontier

    return frontier


STAGES: dict[str, Callable[[], ModuleType]] = {
    "world": _world,
    "many_worlds": _many_worlds,
    "import_data": _import_data,
    "mix_comparisons": _mix_comparisons,
    "pretrain": _pretrain,
    "sft": _sft,
    "context_distillation": _context_distillation,
    "sample": _sample,
    "publish": _publish,
    "simulate_labelers": _simulate_labelers,
    "collect": _collect,
    "rate": _rate,
    "preference_pretraining": _preference_pretraining,
    "preference_model": _preference_model,
    "evaluate_preference_model": _evaluate_preference_model,
    "ppo": _ppo,
    "best_of_n": _best_of_n,
    "dpo": _dpo,
    "rloo": _rloo,
    "grpo": _grpo,
    "reinforce": _reinforce,
    "evaluate": _evaluate,
    "frontier": _frontier,
}
