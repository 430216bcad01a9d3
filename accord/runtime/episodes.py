"""Responses as reinforcement learning needs them: sampled, with log-probabilities, in tensors.

Dimension key:
    B: responses of one update
    T: response tokens, right-padded
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from accord.config import InputError
from accord.data.collate import Sequences, build, shuffled
from accord.data.encode import fitting_prompts
from accord.functional.kl import k1, k3
from accord.functional.masking import masked_mean, row_sums
from accord.models import policy
from accord.models.adapters import Precision
from accord.records import Prompt, Sampling, read_records
from accord.runtime.generate import Generator
from accord.runtime.input_files import input_file
from accord.runtime.parallel import in_order, parts_by_length
from accord.runtime.processor import autocast, device
from accord.runtime.seeding import generator

EncodedPrompt = tuple[Prompt, list[int]]


@dataclass(frozen=True)
class Episodes:
    """Responses as they were sampled.

    Attributes:
        prompts: [B] what was asked.
        sequences: prompts with responses, token by token as sampled; text is never tokenised anew.
        logprobs: [B T] nats, of the policy that sampled; 0 at padding.
        finished: [B] False where the token limit cut the response off.
    """

    prompts: list[Prompt]
    sequences: Sequences
    logprobs: Tensor
    finished: Tensor


def read_prompts(
    path: Path, tokenizer: PreTrainedTokenizerBase, *, context: int | None, max_tokens: int
) -> list[EncodedPrompt]:
    """All prompts that leave room for a response and one end-of-sequence token.

    Args:
        path: a file of prompts, or a folder with ``prompts-train.jsonl``.
        tokenizer: shared by all models.
        context: the most tokens that every model can read; None where none states a limit.
        max_tokens: of a response.

    Raises:
        InputError: there is no such file, or no prompt is short enough.
    """
    path = input_file(path, "prompts-train.jsonl")
    prompts = read_records(path, Prompt)
    longest = 10**9 if context is None else context - max_tokens - 1
    fitting = fitting_prompts(tokenizer, prompts, longest=longest)
    if not fitting:
        raise InputError(
            f"no prompt in `{path}` leaves room for `max_tokens` = {max_tokens} in a context of "
            f"{context} tokens; shorten one of them"
        )
    return fitting


def prompts_of_update(
    pool: list[EncodedPrompt], count: int, update: int, *, seed: int
) -> list[EncodedPrompt]:
    """The prompts of one update: the pool is gone through again and again, each time shuffled."""
    places = range((update - 1) * count, update * count)
    orders: dict[int, list[int]] = {}
    for epoch in {place // len(pool) for place in places}:
        orders[epoch] = shuffled(len(pool), rng=generator(seed, "prompts", epoch))
    return [pool[orders[place // len(pool)][place % len(pool)]] for place in places]


def sample_episodes(
    sampler: Generator,
    prompts: Sequence[EncodedPrompt],
    sampling: Sampling,
    *,
    random: torch.Generator,
    padding: int,
) -> Episodes:
    """Draw one response for every prompt; rows are filled up with the token ``padding``."""
    tokens = [ids for _, ids in prompts]
    samples = sampler.sample(tokens, sampling, random=random)
    place = device()
    sequences = build(tokens, samples.responses, padding).to(place)
    width = int(sequences.response_lengths.max())
    logprobs = [[*row, *[0.0] * (width - len(row))] for row in samples.logprobs]
    return Episodes(
        prompts=[prompt for prompt, _ in prompts],
        sequences=sequences,
        logprobs=torch.tensor(logprobs, device=place),
        finished=torch.tensor(samples.finished, device=place),
    )


def logprobs_of(
    model: PreTrainedModel,
    sequences: Sequences,
    *,
    temperature: float,
    microbatch_size: int,
    precision: Precision = "float32",
) -> Tensor:
    """[B T] log-probabilities of the responses under a policy, nats; 0 at padding."""

    def compute(part: Sequences) -> Tensor:
        lengths = part.prompt_lengths, part.response_lengths
        with autocast(precision):
            return policy.logprobs(model, part.tokens, *lengths, temperature=temperature)

    return in_microbatches(compute, sequences, microbatch_size)


def in_microbatches(
    compute: Callable[[Sequences], Tensor], sequences: Sequences, microbatch_size: int
) -> Tensor:
    """[B T] of a function of sequences, without gradients, rows of similar length together."""
    table = torch.zeros(sequences.response_mask().shape, device=sequences.tokens.device)
    cut = parts_by_length(range(len(sequences)), sequences.lengths().tolist(), microbatch_size)
    with torch.no_grad():
        for rows, part in zip(cut, in_order(compute, map(sequences.select, cut)), strict=True):
            table[rows, : part.shape[1]] = part
    return table


def objective(
    episodes: Episodes, scores: Tensor, ref_logprobs: Tensor, earned: Tensor
) -> dict[str, float]:
    """Metrics of a rollout, before anything is learnt from it.

    Args:
        episodes: the responses.
        scores: [B] of the preference model, without penalties.
        ref_logprobs: [B T] under the reference policy.
        earned: [B] sum of each response's rewards, before whitening.
    """
    mask = episodes.sequences.response_mask()
    logratio = episodes.logprobs - ref_logprobs
    found = {
        "objective/score": scores.mean(),
        "objective/score_std": scores.std(correction=0),
        "objective/reward": earned.mean(),
        "objective/kl": row_sums(k1(logratio), mask).mean(),
        "objective/kl_k3": row_sums(k3(logratio), mask).mean(),
        # Minus the log-probability of what was drawn is an estimate of the entropy, for nothing.
        "policy/entropy": -masked_mean(episodes.logprobs, mask),
        "response/length": episodes.sequences.response_lengths.float().mean(),
        "response/finished": episodes.finished.float().mean(),
    }
    return {name: float(value) for name, value in found.items()}
