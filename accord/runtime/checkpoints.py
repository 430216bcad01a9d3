"""Checkpoints: everything that a stage needs to go on, saved and restored as one thing.

<out>/checkpoints/000400/model-<name>.safetensors       parameters and buffers
<out>/checkpoints/000400/optimizer-<name>.safetensors   moments, by parameter number
<out>/checkpoints/000400/state.json                     step and scalars
<out>/checkpoints/000400/COMPLETE                       digests of the files above, written last

Nothing is ever unpickled: safetensors and JSON hold data only. Random state is not here because
there is none (see ``seeding``).
"""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from accord.config import InputError
from accord.runtime.artifacts import digest, read_json, write_json

COMPLETE = "COMPLETE"


@dataclass
class TrainState:
    """What changes while a stage trains.

    Attributes:
        models: the modules that are trained, by name.
        optimizers: their optimizers, by name.
        step: finished steps of the stage's outer loop (optimizer steps, or PPO updates).
        scalars: every other number that the next step depends on, for example ``kl_coef``.
    """

    models: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    step: int = 0
    scalars: dict[str, float] = field(default_factory=dict)


def save(state: TrainState, directory: Path, *, keep: int = 1) -> Path:
    """Write a checkpoint so that it is either whole or not there; remove older ones.

    Args:
        state: what to keep.
        directory: the folder of all checkpoints of this run.
        keep: how many of the newest checkpoints stay.

    Returns:
        The folder of the new checkpoint.
    """
    final = directory / f"{state.step:06d}"
    temporary = directory / f"{final.name}.tmp"
    for stale in (final, temporary):
        shutil.rmtree(stale, ignore_errors=True)
    temporary.mkdir(parents=True)
    for name, model in state.models.items():
        _save_tensors(_model_tensors(model), temporary / f"model-{name}.safetensors")
    for name, optimizer in state.optimizers.items():
        _save_tensors(_optimizer_tensors(optimizer), temporary / f"optimizer-{name}.safetensors")
    write_json(temporary / "state.json", {"step": state.step, "scalars": state.scalars})
    files = sorted(temporary.iterdir())
    for file in files:
        _sync(file)
    write_json(temporary / COMPLETE, {file.name: digest(file) for file in files})
    os.replace(temporary, final)
    _sync(directory)
    for old in _checkpoints(directory)[keep:]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def load_newest(state: TrainState, directory: Path) -> bool:
    """Restore the newest whole checkpoint into ``state``, in place.

    Checkpoints that are unfinished or whose bytes changed are passed over.

    Returns:
        False when there is none, and then ``state`` is untouched.

    Raises:
        InputError: a whole checkpoint belongs to other models than those in ``state``.
    """
    for checkpoint in _checkpoints(directory):
        if _is_whole(checkpoint):
            _restore(state, checkpoint)
            return True
    return False


def _checkpoints(directory: Path) -> list[Path]:
    """Finished checkpoints, newest first."""
    if not directory.is_dir():
        return []
    folders = [p for p in directory.iterdir() if p.name.isdigit() and (p / COMPLETE).is_file()]
    return sorted(folders, key=lambda p: int(p.name), reverse=True)


def _is_whole(checkpoint: Path) -> bool:
    try:
        expected = read_json(checkpoint / COMPLETE)
    except InputError:
        return False
    files = {p.name: p for p in checkpoint.iterdir() if p.name != COMPLETE}
    return set(files) == set(expected) and all(
        digest(path) == expected[name] for name, path in files.items()
    )


def _restore(state: TrainState, checkpoint: Path) -> None:
    saved = read_json(checkpoint / "state.json")
    for name, model in state.models.items():
        tensors = load_file(checkpoint / f"model-{name}.safetensors")
        present = _model_tensors(model)
        if set(tensors) != set(present):
            raise InputError(f"`{checkpoint}` holds another model `{name}`; remove the folder")
        for key, tensor in present.items():
            tensor.copy_(tensors[key])
    for name, optimizer in state.optimizers.items():
        _restore_optimizer(optimizer, load_file(checkpoint / f"optimizer-{name}.safetensors"))
    state.step = int(saved["step"])
    state.scalars = {key: float(value) for key, value in saved["scalars"].items()}


def _save_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)


def _model_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and saved buffers, each once: tied weights share one entry."""
    parameters = dict(model.named_parameters())
    persistent = set(model.state_dict(keep_vars=True))
    buffers = {name: b for name, b in model.named_buffers() if name in persistent}
    return {name: t.detach() for name, t in (parameters | buffers).items()}


def _optimizer_parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """``{"<parameter number>.<moment>": tensor}``; learning rates come from the schedule."""
    return {
        f"{number}.{key}": value.detach()
        for number, parameter in enumerate(_optimizer_parameters(optimizer))
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def _restore_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    parameters = _optimizer_parameters(optimizer)
    optimizer.state.clear()
    for name, tensor in tensors.items():
        number, key = name.split(".", 1)
        parameter = parameters[int(number)]
        # Fused Adam keeps even its step count on the parameter's device.
        optimizer.state[parameter][key] = tensor.to(parameter.device)


def _sync(path: Path) -> None:
    """Force a file or a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
