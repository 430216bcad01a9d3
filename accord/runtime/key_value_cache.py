"""Keys and values of a decoding batch, in memory that is set aside once.

transformers' own cache makes a new tensor of everything at every token; this one writes the new
column in place. Rows that have finished make room by a move of the last rows into their
places, so that a step costs what its unfinished rows cost.
"""

from typing import cast

import torch
from torch import LongTensor, Tensor
from transformers.cache_utils import Cache, DynamicLayer


class PreallocatedLayer(DynamicLayer):
    """Keys and values of one attention layer: [rows, heads, capacity, head size]."""

    keys: Tensor
    values: Tensor

    def __init__(self, capacity: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        self.capacity = capacity
        self.length = 0
        self.rows = 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Set the memory aside when the first keys show their shape."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self.rows = key_states.shape[0]
        self.keys = key_states.new_empty(*key_states.shape[:2], self.capacity, key_states.shape[3])
        self.values = value_states.new_empty(
            *value_states.shape[:2], self.capacity, value_states.shape[3]
        )
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *_: object, **__: object
    ) -> tuple[Tensor, Tensor]:
        """Write the new columns; return all columns so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self.length + key_states.shape[2]
        self.keys[: self.rows, :, self.length : end] = key_states
        self.values[: self.rows, :, self.length : end] = value_states
        self.length = end
        return self.keys[: self.rows, :, :end], self.values[: self.rows, :, :end]

    def get_seq_length(self) -> int:
        """Columns written so far."""
        return self.length

    def repeat(self, sources: Tensor) -> None:
        """Make row i a copy of row ``sources[i]``: several responses to one prompt."""
        self.keys = self.keys.index_select(0, sources)
        self.values = self.values.index_select(0, sources)
        self.rows = sources.shape[0]

    def move(self, places: Tensor, sources: Tensor, rows: int) -> None:
        """Copy rows ``sources`` to ``places``, then keep the first ``rows`` rows."""
        self.keys[places, :, : self.length] = self.keys[sources, :, : self.length]
        self.values[places, :, : self.length] = self.values[sources, :, : self.length]
        self.rows = rows


class PreallocatedCache(Cache):
    """A ``PreallocatedLayer`` for every layer of the model."""

    def __init__(self, layers: int, capacity: int) -> None:
        self.own_layers = [PreallocatedLayer(capacity) for _ in range(layers)]
        super().__init__(layers=list(self.own_layers))


def repeat_rows(cache: Cache, sources: Tensor) -> None:
    """Make row i of the cache a copy of row ``sources[i]``."""
    if isinstance(cache, PreallocatedCache):
        for layer in cache.own_layers:
            layer.repeat(sources)
    else:
        cache.reorder_cache(cast(LongTensor, sources))


def keep_rows(cache: Cache, alive: Tensor) -> Tensor:
    """Drop the rows where ``alive`` is False.

    Returns:
        For each row that is left, its number before. Rows from the end fill the gaps, so that
        as little as possible is copied.
    """
    rows = int(alive.sum())
    kept = torch.arange(rows, device=alive.device)
    gaps = (~alive[:rows]).nonzero().squeeze(1)
    fillers = alive[rows:].nonzero().squeeze(1) + rows
    kept[gaps] = fillers
    if isinstance(cache, PreallocatedCache):
        for layer in cache.own_layers:
            layer.move(gaps, fillers, rows)
    else:
        cache.reorder_cache(cast(LongTensor, kept))
    return kept
