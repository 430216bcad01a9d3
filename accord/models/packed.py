"""Several responses to one prompt in one row, the prompt computed once.

    segment   0  0  0  1  1  2  2 -1     0 is the prompt, 1.. the responses, -1 padding
    position  0  1  2  3  4  3  4  0     as if each response followed the prompt alone

A token sees an earlier one in segment 0 or in its own segment. A prompt with K responses is
therefore computed once instead of K times.

Dimension key: see ``accord.models.trunk``; B rows of S places.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from accord.models.trunk import hidden_states, trunk
from accord.models.unpadded import windowless

TOLERANCE = 1e-4  # of hidden states, relative to the largest; float32 differs by 1e-6
PROBE = ([3, 5, 7], [[4, 6], [8, 9, 10]])  # a prompt with two responses
ATTENDED = 8.0  # floating-point operations that one seen token costs per hidden number: memory


@dataclass(frozen=True)
class Packed:
    """Rows with a prompt and its responses each.

    Attributes:
        tokens: [B S] right-padded.
        segments: [B S] 0 in the prompt, then the number of the response, -1 at padding.
        positions: [B S] of each token in its own sequence.
    """

    tokens: Tensor
    segments: Tensor
    positions: Tensor

    def to(self, device: torch.device) -> "Packed":
        """The same on another device."""
        return Packed(self.tokens.to(device), self.segments.to(device), self.positions.to(device))


def seen(segments: Int[Tensor, "B S"]) -> Bool[Tensor, "B S S"]:
    """Which token (second place) each token (first place) sees; every token sees itself.

    >>> seen(torch.tensor([[0, 1, 2]]))[0].int().tolist()
    [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    """
    order = torch.arange(segments.shape[1], device=segments.device)
    earlier = order[None, :] <= order[:, None]
    open_to = (segments[:, None, :] == 0) | (segments[:, :, None] == segments[:, None, :])
    return earlier & open_to


def packed_hidden_states(model: PreTrainedModel, rows: Packed) -> Float[Tensor, "B S D"]:
    """What the head of ``model`` sees at every place, as if each sequence stood alone.

    Args:
        model: one that ``can_pack``.
        rows: the sequences.
    """
    mask = seen(rows.segments)[:, None]
    dtype = next(model.parameters()).dtype
    hidden_from = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    hidden_from = hidden_from.masked_fill(~mask, torch.finfo(dtype).min)
    hidden: Tensor = trunk(model)(
        input_ids=rows.tokens,
        attention_mask=hidden_from,
        position_ids=rows.positions,
        use_cache=False,
    ).last_hidden_state
    return hidden


def with_shared_prompts(
    prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[Sequence[int]]], pad_id: int
) -> tuple[Packed, list[list[int]]]:
    """One row a prompt: the prompt once, then all its responses.

    Args:
        prompts: token ids of each.
        responses: of each prompt, the token ids of each response, at least one token.
        pad_id: fills the end of short rows.

    Returns:
        The rows, and for every row the place of each response's last token.
    """
    rows, ends = [], []
    for prompt, several in zip(prompts, responses, strict=True):
        start = len(prompt)
        tokens, segments, positions, last = list(prompt), [0] * start, list(range(start)), []
        for number, response in enumerate(several, start=1):
            tokens += response
            segments += [number] * len(response)
            positions += range(start, start + len(response))
            last.append(len(tokens) - 1)
        rows.append((tokens, segments, positions))
        ends.append(last)
    return _padded(rows, pad_id), ends


def sharing_pays(prompts: Sequence[int], responses: Sequence[Sequence[int]], hidden: int) -> bool:
    """True where computing each prompt once costs less than once a response, padding included.

        cost = layers · ( 24 · D² · tokens + 4 · 8 · D · seen places ),   the last term by S² a row

    Rows of several responses are padded, those of one need not be (``unpadded``).

    Long prompts gain; many long responses to a short prompt lose, since their row is long and
    attention is computed between responses that do not see each other.

    Args:
        prompts: tokens of each prompt.
        responses: of each prompt, the tokens of each response.
        hidden: D, the model's width.
    """

    def cost(tokens: int, rows: int, width: int) -> float:
        return 24.0 * hidden**2 * tokens + 4 * ATTENDED * hidden * rows * width**2

    both = list(zip(prompts, responses, strict=True))
    shared = max(p + sum(r) for p, r in both)
    apart = max(p + max(r) for p, r in both)
    alone = sum(p * len(r) + sum(r) for p, r in both)
    together = cost(len(both) * shared, len(both), shared)
    return together < cost(alone, sum(map(len, responses)), apart)


def can_pack(model: PreTrainedModel) -> bool:
    """True where packed rows give what single rows give; found out once for every model.

    Architectures that count positions themselves (ALiBi) or that look back a fixed number of
    places cannot be packed: their callers pad instead.
    """
    if model not in _known():
        _known()[model] = windowless(trunk(model)) and _packs(model)
    return _known()[model]


@cache
def _known() -> "WeakKeyDictionary[PreTrainedModel, bool]":
    return WeakKeyDictionary()


@torch.no_grad()
def _packs(model: PreTrainedModel) -> bool:
    """Compare a small packed row with its sequences one by one."""
    where = next(model.parameters()).device
    training = model.training
    model.train(False)
    vocabulary = int(model.config.get_text_config().vocab_size)
    prompt = [token % vocabulary for token in PROBE[0]]
    responses = [[token % vocabulary for token in response] for response in PROBE[1]]
    rows, ends = with_shared_prompts([prompt], [responses], 0)
    try:
        found = packed_hidden_states(model, rows.to(where))[0, ends[0]]
    except (TypeError, ValueError, RuntimeError):  # no position_ids, or no mask of this shape
        return False
    finally:
        model.train(training)
    apart = [
        hidden_states(model, torch.tensor([row], device=where), torch.tensor([len(row)]))[0, -1]
        for row in (prompt + response for response in responses)
    ]
    expected = torch.stack(apart)
    error = float((found - expected).abs().max())
    return error <= TOLERANCE * max(1.0, float(expected.abs().max()))


def _padded(rows: Sequence[tuple[list[int], list[int], list[int]]], pad_id: int) -> Packed:
    width = max(len(tokens) for tokens, *_ in rows)
    columns = []
    for number, fill in enumerate((pad_id, -1, 0)):
        filled = [row[number] + [fill] * (width - len(row[number])) for row in rows]
        columns.append(torch.tensor(filled, dtype=torch.long))
    return Packed(*columns)
