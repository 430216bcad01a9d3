"""Batches: prompts with responses in one right-padded tensor, and the order of minibatches.

Lengths decide what is real, never a comparison with the padding token, so that a tokenizer whose
padding is its end of sequence still learns to stop. Causal attention makes right padding
invisible to the real tokens before it, so no attention mask is needed.

Dimension key:
    B: sequences in the batch
    S: tokens of prompt and response together, right-padded
    T: response tokens, right-padded
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sequences:
    """Prompts with one response each.

    Attributes:
        tokens: [B S] prompt, response, padding.
        prompt_lengths: [B]
        response_lengths: [B] the end of sequence included.
    """

    tokens: Tensor
    prompt_lengths: Tensor
    response_lengths: Tensor

    def __len__(self) -> int:
        return int(self.tokens.shape[0])

    def lengths(self) -> Tensor:
        """[B] real tokens of each row."""
        return self.prompt_lengths + self.response_lengths

    def sequence_mask(self) -> Tensor:
        """[B S] True on prompt and response."""
        return _below(self.lengths(), self.tokens.shape[1])

    def response_mask(self) -> Tensor:
        """[B T] True on response tokens, the end of sequence included."""
        return _below(self.response_lengths, self._longest_response())

    def response_positions(self) -> Tensor:
        """[B T] where each response token lies in its row; past the end, the last real token."""
        offsets = torch.arange(self._longest_response(), device=self.tokens.device)
        positions = self.prompt_lengths[:, None] + offsets
        return torch.minimum(positions, (self.lengths() - 1)[:, None])

    def response_tokens(self) -> Tensor:
        """[B T] the responses, left-aligned; past the end, the last real token."""
        return self.tokens.gather(1, self.response_positions())

    def select(self, indexes: Sequence[int] | Tensor) -> "Sequences":
        """Some of the rows, trimmed to the longest of them."""
        rows = torch.as_tensor(indexes, dtype=torch.long, device=self.tokens.device)
        chosen = Sequences(
            self.tokens[rows], self.prompt_lengths[rows], self.response_lengths[rows]
        )
        width = int(chosen.lengths().max()) if len(rows) else 0
        return replace(chosen, tokens=chosen.tokens[:, :width])

    def to(self, device: torch.device) -> "Sequences":
        """The same batch on another device."""
        return Sequences(
            self.tokens.to(device),
            self.prompt_lengths.to(device),
            self.response_lengths.to(device),
        )

    def _longest_response(self) -> int:
        return int(self.response_lengths.max()) if len(self) else 0


def build(
    prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]], pad_id: int
) -> Sequences:
    """Put prompts and their responses into one batch.

    Args:
        prompts: token ids of each prompt.
        responses: token ids of each response, in the same order.
        pad_id: fills the end of short rows; any id that the model knows will do.
    """
    rows = [[*p, *r] for p, r in zip(prompts, responses, strict=True)]
    return Sequences(
        pad_rows(rows, pad_id),
        torch.tensor([len(prompt) for prompt in prompts], dtype=torch.long),
        torch.tensor([len(response) for response in responses], dtype=torch.long),
    )


def pad_rows(rows: Sequence[Sequence[int]], pad_id: int) -> Tensor:
    """[B S] token ids, right-padded.

    >>> pad_rows([[5, 6, 7], [8]], 0)
    tensor([[5, 6, 7],
            [8, 0, 0]])
    """
    width = max((len(row) for row in rows), default=0)
    return torch.tensor(
        [[*row, *([pad_id] * (width - len(row)))] for row in rows], dtype=torch.long
    ).reshape(len(rows), width)


def shuffled(count: int, *, rng: torch.Generator) -> list[int]:
    """The numbers below ``count`` in random order."""
    order: list[int] = torch.randperm(count, generator=rng).tolist()
    return order


def bucketed(
    lengths: Sequence[int], batch_size: int, *, rng: torch.Generator, window: int = 16
) -> list[list[int]]:
    """Cut a set into minibatches of rows of similar length, so that little padding is computed.

    The rows are shuffled; every ``window`` batches of them are sorted by length and cut; the
    batches are shuffled. Every row is used once; only the last batch may be smaller.

    Args:
        lengths: tokens of each row.
        batch_size: rows per batch.
        rng: decides the order.
        window: batches that are sorted together. More saves padding; fewer mixes batches better.
    """
    order = shuffled(len(lengths), rng=rng)
    batches = []
    for start in range(0, len(order), batch_size * window):
        # Sorting is stable: rows of one length stay in random order.
        part = sorted(order[start : start + batch_size * window], key=lambda row: lengths[row])
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    return [batches[i] for i in shuffled(len(batches), rng=rng)]


def filled(
    lengths: Sequence[int], batch_tokens: int, *, rng: torch.Generator, window: int = 16
) -> list[list[int]]:
    """Cut a set into batches of about ``batch_tokens`` tokens, rows of similar length together.

    As ``bucketed``, but a batch of short rows has more of them, so every step is of one size. A
    row that is longer than ``batch_tokens`` is a batch of its own.

    Args:
        lengths: tokens of each row.
        batch_tokens: most tokens of a batch, padding included.
        rng: decides the order.
        window: batches that are sorted together.
    """
    batches: list[list[int]] = []
    pending: list[int] = []
    held = 0
    order = shuffled(len(lengths), rng=rng)
    for number, row in enumerate(order, start=1):
        pending.append(row)
        held += lengths[row]
        if held >= batch_tokens * window or number == len(order):
            batches += _cut(sorted(pending, key=lambda r: lengths[r]), lengths, batch_tokens)
            pending, held = [], 0
    return [batches[i] for i in shuffled(len(batches), rng=rng)]


def _cut(rows: list[int], lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Batches of rows that come sorted by length."""
    batches: list[list[int]] = [[]]
    for row in rows:
        if batches[-1] and (len(batches[-1]) + 1) * lengths[row] > batch_tokens:
            batches.append([])
        batches[-1].append(row)
    return batches


def _below(lengths: Tensor, width: int) -> Tensor:
    """[B width] True at the first ``lengths[b]`` places of row b."""
    return torch.arange(width, device=lengths.device) < lengths[:, None]
