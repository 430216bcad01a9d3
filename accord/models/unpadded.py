"""Rows of different lengths without their padding: every layer but attention sees real tokens only.

    padded      a b c .      d e . .      f g h i          what the caller has
    in a row    a b c d e f g h i                          what the layers compute

Matrix products, norms and activations take one token at a time, so that the tokens of all rows can
stand in one. Attention alone needs to know which belong together: it lays the queries, keys and
values out as a padded table, computes there, and takes the real ones back. For a batch whose rows
are three quarters full, a training step takes three quarters of the time.

Dimension key: see ``accord.models.trunk``; H heads of d numbers each.
"""

import copy
import threading
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as torch_functional
from transformers import PreTrainedConfig
from transformers.modeling_utils import AttentionInterface

NAME = "accord_unpadded"  # in the list of attention functions of transformers
TOLERANCE = 1e-4  # of hidden states, relative to the largest; float32 differs by 1e-6
PROBE = [[3, 5, 7, 9, 11], [4, 6], [8, 9, 10]]  # rows on which a model is tried
WINDOWS = ("sliding_window", "window_size", "attention_chunk_size")  # of configs
UNKNOWN = ("softcap", "s_aux", "position_bias")  # changes of attention


@dataclass(frozen=True)
class Layout:
    """Where the real tokens of a batch stand.

    Attributes:
        places: [N] of each in the flattened table, row · S + column.
        columns: [N] their positions in their own rows.
        rows: B.
        width: S.
    """

    places: Tensor
    columns: Tensor
    rows: int
    width: int


_layout: ContextVar[Layout] = ContextVar("layout")


def layout_of(lengths: Int[Tensor, " B"], width: int) -> Layout:
    """The places of right-padded rows.

    Args:
        lengths: real tokens of each row, at least 1.
        width: S, to which the rows are padded.

    >>> layout_of(torch.tensor([2, 1]), 3).places.tolist()
    [0, 1, 3]
    """
    columns = torch.arange(width, device=lengths.device)
    row, column = (columns < lengths[:, None]).nonzero(as_tuple=True)
    return Layout(row * width + column, column, lengths.shape[0], width)


def run_unpadded(
    body: nn.Module, table: Int[Tensor, "B S"] | Float[Tensor, "B S D"], layout: Layout
) -> Float[Tensor, "B S D"]:
    """The output of a trunk for padded rows, of which it computes the real tokens only.

    Args:
        body: a trunk, or a part of one, that ``can_unpad``.
        table: token ids, or the states that its layers shall read.
        layout: where the real ones stand.

    Returns:
        0 at padding.
    """
    flat = table.flatten(0, 1).index_select(0, layout.places)[None]
    given = {"inputs_embeds" if table.is_floating_point() else "input_ids": flat}
    token = _layout.set(layout)
    try:
        hidden: Tensor = _with_unpadded_attention(body)(
            **given,
            position_ids=layout.columns[None],
            attention_mask=torch.zeros(1, 1, 1, 1, device=flat.device),  # is not looked at
            use_cache=False,
        ).last_hidden_state
    finally:
        _layout.reset(token)
    spread = hidden.new_zeros(layout.rows * layout.width, hidden.shape[-1])
    return spread.index_copy(0, layout.places, hidden[0]).view(layout.rows, layout.width, -1)


def unpadded_attention(
    module: nn.Module,
    query: Float[Tensor, "1 H N d"],
    key: Float[Tensor, "1 G N d"],
    value: Float[Tensor, "1 G N d"],
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **more: Any,
) -> tuple[Float[Tensor, "1 N H d"], None]:
    """Causal attention within each row, as an attention function of transformers.

        softmax(q · k · scaling) · v   over the tokens of the same row that are not later

    Raises:
        TypeError: the model wants a kind of attention that this is not.
    """
    strange = [name for name in UNKNOWN if more.get(name) is not None]
    if strange:
        raise TypeError(f"attention with `{strange[0]}` cannot be computed without padding")
    layout = _layout.get()
    groups = query.shape[1] // key.shape[1]
    q, k, v = (_table(x, layout) for x in (query, key, value))
    k, v = (x.repeat_interleave(groups, dim=0) if groups > 1 else x for x in (k, v))
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if query.device.type == "cpu":
        found = _by_products(q, k, v, scale, dropout)
    else:
        found = torch_functional.scaled_dot_product_attention(
            q, k, v, dropout_p=dropout, is_causal=True, scale=scale
        )
    return found.flatten(1, 2).index_select(1, layout.places).transpose(0, 1)[None], None


AttentionInterface.register(NAME, unpadded_attention)


def _table(flat: Tensor, layout: Layout) -> Float[Tensor, "H B S d"]:
    heads, size = flat.shape[1], flat.shape[3]
    empty = flat.new_zeros(heads, layout.rows * layout.width, size)
    return empty.index_copy(1, layout.places, flat[0]).view(heads, layout.rows, layout.width, size)


def _by_products(
    q: Float[Tensor, "H B S d"],
    k: Float[Tensor, "H B S d"],
    v: Float[Tensor, "H B S d"],
    scale: float,
    dropout: float,
) -> Float[Tensor, "H B S d"]:
    """Two matrix products and a softmax: on short rows faster than the fused kernel of a CPU.

    What a query of the padding finds does not matter, as long as it is finite: it sees itself.
    """
    width = q.shape[2]
    later = torch.full((width, width), torch.finfo(q.dtype).min, dtype=q.dtype, device=q.device)
    later = later.triu(1)
    scores = torch.baddbmm(later, q.flatten(0, 1), k.flatten(0, 1).transpose(1, 2), alpha=scale)
    weights = torch_functional.dropout(
        scores.softmax(-1, dtype=torch.float32).to(v.dtype), dropout, dropout > 0
    )
    return torch.bmm(weights, v.flatten(0, 1)).view(q.shape)


def _with_unpadded_attention(body: nn.Module) -> nn.Module:
    """The same layers, but for the attention function that their config names."""
    configs: dict[int, PreTrainedConfig] = {}

    def change(twin: nn.Module) -> None:
        untyped: Any = twin
        config = twin.__dict__.get("config")
        if not isinstance(config, PreTrainedConfig):
            return
        if id(config) not in configs:
            configs[id(config)] = copy.copy(config)
            configs[id(config)]._attn_implementation_internal = NAME
        untyped.config = configs[id(config)]

    return _twin(body, change)


def _twin(module: nn.Module, change: Callable[[nn.Module], None]) -> nn.Module:
    """Other modules with the same weights: the original may be in use by another thread."""
    twin = copy.copy(module)
    twin._modules = {
        name: None if child is None else _twin(child, change)
        for name, child in module._modules.items()
    }
    change(twin)
    return twin


def can_unpad(body: nn.Module) -> bool:
    """True where a trunk gives the same states without padding; found out once for every trunk.

    Not so where positions are counted by the architecture itself (ALiBi), where a token looks back
    a fixed number of places, or where attention is not an attention function of transformers; nor
    while activations are computed again in the backward pass, which comes without the layout.
    """
    if any(getattr(module, "gradient_checkpointing", False) for module in body.modules()):
        return False
    with _asking:
        if body not in _known():
            _known()[body] = windowless(body) and _unpads(body)
        return _known()[body]


def windowless(body: nn.Module) -> bool:
    """True where every token sees all earlier ones, however long the row."""
    config: Any = getattr(body, "config", None)
    if not isinstance(config, PreTrainedConfig):
        return False
    config = config.get_text_config()
    limit = getattr(config, "max_position_embeddings", None)
    window = next(
        (size for name in WINDOWS if (size := getattr(config, name, None)) is not None), None
    )
    return window is None or (limit is not None and window >= limit)


_asking = threading.Lock()


@cache
def _known() -> "WeakKeyDictionary[nn.Module, bool]":
    return WeakKeyDictionary()


@torch.no_grad()
def _unpads(body: nn.Module) -> bool:
    """Compare a small batch with and without its padding."""
    untyped: Any = body
    weight = next(body.parameters())
    vocabulary = int(untyped.config.get_text_config().vocab_size)
    lengths = torch.tensor([len(row) for row in PROBE])
    width = int(lengths.max())
    rows = [[t % vocabulary for t in row] + [0] * (width - len(row)) for row in PROBE]
    tokens = torch.tensor(rows, device=weight.device)
    still = _twin(body, lambda twin: None).eval()
    layout = layout_of(lengths.to(weight.device), width)
    with torch.autocast(weight.device.type, enabled=False):
        expected: Tensor = still(input_ids=tokens, use_cache=False).last_hidden_state
        try:
            found = run_unpadded(still, tokens, layout)
        except (AttributeError, TypeError, ValueError, RuntimeError):
            return False
    real = expected.flatten(0, 1)[layout.places], found.flatten(0, 1)[layout.places]
    error, largest = float((real[0] - real[1]).abs().max()), float(real[0].abs().max())
    return error <= max(TOLERANCE, 4 * torch.finfo(weight.dtype).eps) * max(1.0, largest)
