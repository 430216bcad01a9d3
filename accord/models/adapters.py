"""Training fewer weights: low-rank adapters on a frozen trunk, and frozen lower layers.

    W x  becomes  W x + (alpha / rank) · B A x,    A [rank, in] drawn, B [out, rank] zero at first

Adapters live in the trunk, so that every head on it sees them, and several may live there by name:
the policy's, the value model's, and none, which is the model as it was loaded, to the bit. What is
saved has its adapter folded into the weights: plain transformers loads it.

Source: Hu et al. 2021, arXiv:2106.09685. The layers are peft's; ``pip install "accord[lora]"``.
"""

import copy
import importlib
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from accord.config import InputError
from accord.models.trunk import trunk

DEFAULT = "default"
Precision = Literal["float32", "bfloat16"]


class Trained(BaseModel):
    """Which weights of a trunk are trained, and in which numbers; heads always are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lora_rank: int = Field(default=0, ge=0)  #: of the adapters; 0 trains the weights themselves
    lora_alpha: float = Field(default=16.0, gt=0)  #: the adapter is scaled by this over its rank
    frozen_layers: int = Field(default=0, ge=0)  #: lowest layers, and the embeddings, left as is
    precision: Precision = "float32"  #: of matrix products; weights are float32 either way


def prepare(model: PreTrainedModel, trained: Trained, *, random: torch.Generator) -> None:
    """Make exactly the wanted weights trainable.

    Args:
        model: changed in place; any head on the same trunk sees the same.
        trained: which.
        random: draws the adapters.

    Raises:
        InputError: peft is not installed, or there are not so many layers.
    """
    if trained.lora_rank:
        add_adapter(model, DEFAULT, rank=trained.lora_rank, alpha=trained.lora_alpha, random=random)
    if trained.frozen_layers:
        freeze_lower_layers(model, trained.frozen_layers)


def add_adapter(
    model: PreTrainedModel, name: str, *, rank: int, alpha: float, random: torch.Generator
) -> None:
    """Put a fresh adapter on every linear map of the trunk, and freeze the trunk.

    The output stays what it was, since B is zero. The first call freezes the trunk's weights; the
    head stays as it is.

    Args:
        model: changed in place.
        name: a word; a second adapter takes another.
        rank: of the adapter, at least 1.
        alpha: the adapter's output is scaled by ``alpha / rank``.
        random: draws A, uniform as a fresh ``nn.Linear``.

    Raises:
        InputError: peft is not installed, or the trunk has no linear map.
        ValueError: the name is taken or is no word.
    """
    peft = _peft()
    if not re.fullmatch(r"\w+", name):
        raise ValueError(f"`{name}` is no name for an adapter; use letters, digits and `_`")
    if name in adapter_names(model):
        raise ValueError(f"there is an adapter `{name}` already")
    body = trunk(model)
    targets = _linear_maps(body)
    if not targets:
        raise InputError(f"{type(model).__name__} has no linear map that LoRA could adapt")
    transposed = {key for key in targets if isinstance(body.get_submodule(key), Conv1D)}
    if not adapter_names(model):
        body.requires_grad_(False)
    trained = [p for p in body.parameters() if p.requires_grad]
    config = peft.LoraConfig(
        r=rank,
        lora_alpha=alpha,
        target_modules=sorted(key.removesuffix(".base_layer") for key in targets),
        fan_in_fan_out=bool(transposed),
    )
    # peft draws from the global generator; the fork undoes it and ``random`` draws again.
    with torch.random.fork_rng(devices=[]):
        peft.inject_adapter_in_model(config, body, name)
    # A mark of peft's, which warns of a second adapter; the layers hold all that there is to know.
    del body.peft_config
    with torch.no_grad():
        for layer in _layers(model):
            weight = layer.lora_A[name].weight
            drawn = torch.empty(weight.shape, dtype=torch.float32)
            nn.init.kaiming_uniform_(drawn, a=math.sqrt(5), generator=random)
            weight.copy_(drawn)
    for parameter in (*trained, *adapter_parameters(model, name)):
        parameter.requires_grad_(True)  # peft leaves that to the adapter in use alone
    activate(model, name)


def adapter_names(model: PreTrainedModel) -> list[str]:
    """The adapters on a model's trunk, in the order in which they were added."""
    return list(dict.fromkeys(name for layer in _layers(model) for name in layer.lora_A))


def adapter_parameters(model: PreTrainedModel, name: str) -> list[nn.Parameter]:
    """The trained matrices of one adapter, for its optimizer.

    Raises:
        KeyError: there is no adapter of this name.
    """
    return [
        matrix.weight
        for layer in _layers(model)
        for matrix in (layer.lora_A[name], layer.lora_B[name])
    ]


def activate(model: PreTrainedModel, name: str | None) -> None:
    """Use one adapter from now on, or none; the trunk's own weights do not change.

    What is trained stays so, in use or not, so that optimizers of several can live at once.

    Args:
        model: changed in place.
        name: an adapter, or None for the model as it was loaded, to the bit.

    Raises:
        KeyError: there is no adapter of this name.
    """
    if name is not None and name not in adapter_names(model):
        raise KeyError(f"no adapter `{name}`; there are {adapter_names(model)}")
    for layer in _layers(model):
        trained = [p for p in layer.parameters() if p.requires_grad]
        layer.enable_adapters(name is not None)
        if name is not None:
            layer.set_adapter(name)
        layer.requires_grad_(False)
        for parameter in trained:
            parameter.requires_grad_(True)


def active(model: PreTrainedModel) -> str | None:
    """The adapter in use, or None."""
    for layer in _layers(model):
        return None if layer.disable_adapters else str(layer.active_adapters[0])
    return None


@contextmanager
def using(model: PreTrainedModel, name: str | None) -> Iterator[None]:
    """Use one adapter, or none, for a block. The switch is the model's, so for all threads.

    Raises:
        KeyError: there is no adapter of this name.
    """
    before = active(model)
    activate(model, name)
    try:
        yield
    finally:
        activate(model, before)


def merge(model: PreTrainedModel) -> None:
    """Fold the adapter in use into the weights and remove all adapters; nothing if there is none.

    Afterwards the model is an ordinary one, with all its weights trainable again.
    """
    name = active(model)
    body = trunk(model)
    for path, layer in [(p, m) for p, m in body.named_modules() if _is_adapted(m)]:
        if name is not None:
            layer.merge(adapter_names=[name])
        owner, _, key = path.rpartition(".")
        setattr(body.get_submodule(owner), key, layer.get_base_layer())
    body.requires_grad_(True)


def freeze_lower_layers(model: PreTrainedModel, count: int) -> None:
    """Leave the embeddings and the lowest layers as they are.

    Args:
        model: changed in place.
        count: layers from below.

    Raises:
        InputError: there are not so many layers, or they cannot be found.
    """
    layers = layer_stack(model)
    if count > len(layers):
        raise InputError(f"`frozen_layers` = {count}, but the model has {len(layers)} layers")
    untyped: Any = trunk(model)
    untyped.get_input_embeddings().requires_grad_(False)
    for name, module in untyped.named_children():
        if isinstance(module, nn.Embedding):  # of positions
            getattr(untyped, name).requires_grad_(False)
    for layer in layers[:count]:
        layer.requires_grad_(False)


def layer_stack(model: PreTrainedModel) -> nn.ModuleList:
    """The layers of a trunk, lowest first."""
    wanted = model.config.get_text_config().num_hidden_layers
    for module in trunk(model).modules():
        if isinstance(module, nn.ModuleList) and len(module) == wanted:
            return module
    raise InputError(f"cannot find the layers of {type(model).__name__} to freeze some")


def _linear_maps(body: nn.Module) -> list[str]:
    """Paths of the trunk's linear maps, adapted ones included, without what adapters hold."""
    return [
        path
        for path, module in body.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and ".lora_" not in path
    ]


def _is_adapted(module: nn.Module) -> bool:
    return hasattr(module, "lora_A") and hasattr(module, "get_base_layer")


def _layers(model: PreTrainedModel) -> list[Any]:
    return [module for module in trunk(model).modules() if _is_adapted(module)]


def _peft() -> Any:
    try:
        return importlib.import_module("peft")
    except ImportError as error:
        raise InputError('LoRA needs peft; run `pip install "accord[lora]"`') from error


def plain_weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """The weights by the names that a model without adapters has, the one in use folded in."""
    name = active(model)
    folded = {
        path: layer.get_delta_weight(name)
        for path, layer in model.named_modules()
        if name is not None and _is_adapted(layer)
    }
    found = {}
    for path, parameter in model.named_parameters():
        if ".lora_" in path:
            continue
        weight = parameter.detach()
        owner = path.rpartition(".base_layer.weight")[0]
        if owner in folded:
            weight = weight + folded[owner]
        found[path.replace(".base_layer", "")] = weight
    return found


def plain(model: PreTrainedModel) -> PreTrainedModel:
    """The model as one without adapters: itself if it has none, else a copy with them folded in."""
    if not adapter_names(model):
        return model
    alone = copy.deepcopy(model)
    merge(alone)
    return alone
