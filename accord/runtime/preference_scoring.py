"""Scores of many responses: one pass over each, prompts once, and little padding.

The prompt of a comparison is computed once for all its responses where that costs less; where it
does not, or where the architecture cannot, every conversation is a row.
"""

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from accord.data.collate import build, pad_rows
from accord.functional.distillation import imitation_score
from accord.models import packed, scalar_head
from accord.models import policy as policies
from accord.models.trunk import hidden_states
from accord.runtime.parallel import in_order, number_by_row, parts_by_length
from accord.runtime.preference_items import Item
from accord.runtime.processor import device

WINDOW = 4096  # comparisons that are held, sorted by length and scored at a time


def score_all(
    model: PreTrainedModel, items: Sequence[Item], *, microbatch_size: int
) -> list[list[float]]:
    """The score of every response of every comparison.

    Args:
        model: a scalar model.
        items: comparisons.
        microbatch_size: comparisons per forward pass in training; twice as many go together
            here, where no gradient is kept.
    """
    found = _read_all(
        model, items, lambda states: scalar_head.outputs(model, states)[:, None], microbatch_size
    )
    return [[row[0] for row in rows] for rows in found]


def score_members(
    model: PreTrainedModel, members: nn.Linear, items: Sequence[Item], *, microbatch_size: int
) -> list[list[list[float]]]:
    """The score that every member of an ensemble gives to every response of every comparison.

    Args:
        model: the scalar model whose trunk the members share.
        members: their heads.
        items: comparisons.
        microbatch_size: as in ``score_all``.
    """
    bias = scalar_head.score_bias(model)
    return _read_all(model, items, lambda states: members(states) + bias, microbatch_size)


def imitation_scores(
    model: PreTrainedModel, items: Sequence[Item], *, microbatch_size: int
) -> list[list[float]]:
    """What a language model makes of every response: its mean log-probability, nats a token.

    Args:
        model: a language model.
        items: comparisons.
        microbatch_size: responses per forward pass.
    """
    return [
        row
        for start in range(0, len(items), WINDOW)
        for row in _imitation_scores(
            model,
            [items[i] for i in range(start, min(start + WINDOW, len(items)))],
            microbatch_size,
        )
    ]


def _imitation_scores(
    model: PreTrainedModel, items: Sequence[Item], microbatch_size: int
) -> list[list[float]]:
    asked = [item.prompt for item in items for _ in item.responses]
    said = [response for item in items for response in item.responses]
    lengths = [len(p) + len(r) for p, r in zip(asked, said, strict=True)]

    def score(rows: list[int]) -> list[float]:
        batch = build([asked[i] for i in rows], [said[i] for i in rows], 0).to(device())
        logprobs = policies.logprobs(
            model, batch.tokens, batch.prompt_lengths, batch.response_lengths
        )
        found: list[float] = imitation_score(logprobs, batch.response_lengths).tolist()
        return found

    # The logits of a row take more memory than its states: no more rows than in training.
    flat = iter(number_by_row(score, lengths, microbatch_size))
    return [list(itertools.islice(flat, len(item.responses))) for item in items]


def score_conversations(
    model: PreTrainedModel, conversations: Sequence[Sequence[int]], *, microbatch_size: int
) -> list[float]:
    """The score of each conversation, those of similar length together.

    Args:
        model: a scalar model.
        conversations: token ids, each closed by the end of sequence.
        microbatch_size: comparisons per forward pass in training; four times as many
            conversations go together here, where no gradient is kept.
    """
    alone = [Item(prompt=[], responses=[tokens], wins=[[0.0]]) for tokens in conversations]
    found = score_all(model, alone, microbatch_size=2 * microbatch_size)
    return [row[0] for row in found]


def last_states(model: PreTrainedModel, items: Sequence[Item]) -> Tensor:
    """[responses D] what the head sees at the end of each response, one comparison after another.

    Args:
        model: a scalar model.
        items: comparisons; each of their responses is computed exactly once.
    """
    prompts = [len(item.prompt) for item in items]
    responses = [[len(response) for response in item.responses] for item in items]
    width = int(model.config.get_text_config().hidden_size)
    if packed.sharing_pays(prompts, responses, width) and packed.can_pack(model):
        rows, ends = packed.with_shared_prompts(
            [item.prompt for item in items],
            [item.responses for item in items],
            int(model.config.pad_token_id),
        )
        states = packed.packed_hidden_states(model, rows.to(model.device))
        places = [(row, end) for row, several in enumerate(ends) for end in several]
        row, column = torch.tensor(places, device=states.device).T
        return states[row, column]
    tokens, lengths = padded([c for item in items for c in item.conversations], model)
    row = torch.arange(len(lengths), device=tokens.device)
    return hidden_states(model, tokens, lengths)[row, lengths - 1]


def padded(conversations: Sequence[Sequence[int]], model: PreTrainedModel) -> tuple[Tensor, Tensor]:
    """Conversations as rows on the model's device, and their lengths."""
    tokens = pad_rows(conversations, model.config.pad_token_id)
    lengths = torch.tensor([len(conversation) for conversation in conversations])
    return tokens.to(model.device), lengths.to(model.device)


def _read_all(
    model: PreTrainedModel,
    items: Sequence[Item],
    read: Callable[[Tensor], Tensor],
    microbatch_size: int,
) -> list[list[list[float]]]:
    """What is read at the end of every response, one list a comparison."""
    packed.can_pack(model)  # found out before several threads ask
    result: list[list[list[float]]] = []
    for start in range(0, len(items), WINDOW):
        window = [items[i] for i in range(start, min(start + WINDOW, len(items)))]
        tokens = [item.tokens for item in window]

        def score(part: list[int], window: list[Item] = window) -> list[list[float]]:
            found: list[list[float]] = read(last_states(model, [window[i] for i in part])).tolist()
            return found

        cut = parts_by_length(range(len(window)), tokens, 2 * microbatch_size)
        rows: list[list[list[float]]] = [[] for _ in window]
        with torch.no_grad():
            for part, values in zip(cut, in_order(score, cut), strict=True):
                remaining = iter(values)
                for i in part:
                    rows[i] = list(itertools.islice(remaining, len(window[i].responses)))
        result += rows
    return result
