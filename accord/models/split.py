"""A trunk in two parts: the lower layers, computed once, and the upper ones on top of them.

    hidden(tokens) = upper(lower(tokens))

What is frozen and shared (the lower layers of policy, reference and value model, as in trlX's
"hydra") gives the same states at every pass over a rollout, so they are computed once and kept.
Both parts are the model's own modules, not copies: what is trained in one is trained in the other.

Dimension key: see ``accord.models.trunk``.
"""

import copy
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from accord.models.adapters import layer_stack
from accord.models.trunk import states_of, trunk

# Architectures whose trunk is: embed, then the layers in a row, then a norm of this name.
LAST_NORM = {
    "gpt2": "ln_f",
    "gpt_neox": "final_layer_norm",
    "llama": "norm",
    "mistral": "norm",
    "phi": "final_layernorm",
    "qwen2": "norm",
    "qwen3": "norm",
}


def can_split(model: PreTrainedModel) -> bool:
    """Whether the trunk is of a known simple build."""
    return model.config.model_type in LAST_NORM


def lower_states(
    model: PreTrainedModel, tokens: Int[Tensor, "B S"], lengths: Int[Tensor, " B"], *, layers: int
) -> Float[Tensor, "B S D"]:
    """What the upper layers read: the states after the lowest ``layers`` layers, not normalised.

    Args:
        model: whose trunk can be split.
        tokens: right-padded token ids.
        lengths: tokens of each row, padding not counted.
        layers: from below, at least 1.

    Raises:
        ValueError: the trunk is of an unknown build, or has not more layers than that.
    """
    body = _part(model, slice(0, layers), has_norm=False, count=layers)
    return states_of(model, body, tokens, lengths)


def upper_states(
    model: PreTrainedModel,
    lower: Float[Tensor, "B S D"],
    lengths: Int[Tensor, " B"],
    *,
    layers: int,
) -> Float[Tensor, "B S D"]:
    """What the head sees, from the states after the lowest ``layers`` layers.

    Of ``lower_states`` it makes what ``trunk.hidden_states`` gives.

    Args:
        model: whose trunk can be split.
        lower: from ``lower_states`` of this model, or of one with the same lower layers.
        lengths: as there.
        layers: as there.

    Raises:
        ValueError: the trunk is of an unknown build, or has not more layers than that.
    """
    body = _part(model, slice(layers, None), has_norm=True, count=layers)
    for name, module in body.named_children():
        if isinstance(module, nn.Embedding):  # GPT-2 adds positions to whatever comes in
            body._modules[name] = _Nothing(lower.shape[-1])
    return states_of(model, body, lower, lengths)


class _Nothing(nn.Module):
    """An embedding of anything as zero."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def forward(self, ids: Tensor) -> Tensor:
        return torch.zeros(*ids.shape, self._size, device=ids.device)


def _part(model: PreTrainedModel, layers: slice, *, has_norm: bool, count: int) -> nn.Module:
    """The trunk with some of its layers only; a shallow copy that shares every module."""
    if not can_split(model):
        raise ValueError(f"do not know how to split a trunk of type `{model.config.model_type}`")
    stack = layer_stack(model)
    if not 0 < count < len(stack):
        raise ValueError(f"cannot split {len(stack)} layers after {count}")
    body: Any = copy.copy(trunk(model))
    body._modules = dict(body._modules)
    name = next(name for name, module in body._modules.items() if module is stack)
    body._modules[name] = nn.ModuleList(stack[layers])
    if not has_norm:
        body._modules[LAST_NORM[model.config.model_type]] = nn.Identity()
    part: nn.Module = body
    return part
