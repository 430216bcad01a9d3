"""Prompts to a rollout: sampled, scored, compared with the reference, and written down.

Dimension key:
    B: responses of one update
    T: response tokens, right-padded
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from accord.config import InputError
from accord.data.chat import decode_response
from accord.data.collate import Sequences, build, shuffled
from accord.data.encode import fitting_prompts
from accord.functional.kl import k1, k3
from accord.functional.masking import masked_mean, row_sums
from accord.models import policy, value_model
from accord.models.load import pad_id
from accord.records import Prompt, Sampling, read_records
from accord.runtime.input_files import input_file
from accord.runtime.parallel import in_order, parts
from accord.runtime.seeding import generator
from accord.stages.ppo.tools import Tools, by_length, longest_conversation

EncodedPrompt = tuple[Prompt, list[int]]
DECIMALS = 5  # of scores and KL in rollouts.jsonl


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


@dataclass(frozen=True)
class Rollout:
    """What an update learns from.

    Attributes:
        episodes: the responses; their ``logprobs`` are the old ones.
        mask: [B T] True on response tokens, the end-of-sequence token included.
        values: [B T] score units, before the update.
        advantages: [B T] whitened over the whole rollout.
        returns: [B T] score units; what the value model should have said.
    """

    episodes: Episodes
    mask: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor

    def __len__(self) -> int:
        return len(self.mask)

    def by_length(self, rows: list[int]) -> list[int]:
        """The same rows, longest first, as ``tools.by_length``."""
        lengths = self.episodes.sequences.lengths().tolist()
        return sorted(rows, key=lambda row: -lengths[row])


def read_prompts(path: Path, tools: Tools, *, max_tokens: int) -> list[EncodedPrompt]:
    """All prompts that leave room for a response and one end-of-sequence token.

    Raises:
        InputError: there is no such file, or no prompt is short enough.
    """
    path = input_file(path, "prompts-train.jsonl")
    prompts = read_records(path, Prompt)
    context = longest_conversation(tools)
    longest = 10**9 if context is None else context - max_tokens - 1
    fitting = fitting_prompts(tools.tokenizer, prompts, longest=longest)
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
    tools: Tools, prompts: list[EncodedPrompt], sampling: Sampling, *, random: torch.Generator
) -> Episodes:
    """Draw one response for every prompt."""
    tokens = [ids for _, ids in prompts]
    samples = tools.generator.sample(tokens, sampling, random=random)
    place = tools.policy.device
    sequences = build(tokens, samples.responses, pad_id(tools.tokenizer)).to(place)
    width = int(sequences.response_lengths.max())
    logprobs = [[*row, *[0.0] * (width - len(row))] for row in samples.logprobs]
    return Episodes(
        prompts=[prompt for prompt, _ in prompts],
        sequences=sequences,
        logprobs=torch.tensor(logprobs, device=place),
        finished=torch.tensor(samples.finished, device=place),
    )


def logprobs_of(
    model: PreTrainedModel, sequences: Sequences, tools: Tools, temperature: float
) -> Tensor:
    """[B T] log-probabilities of the responses under a policy, nats; 0 at padding."""

    def compute(part: Sequences) -> Tensor:
        lengths = part.prompt_lengths, part.response_lengths
        return policy.logprobs(model, part.tokens, *lengths, temperature=temperature)

    return _in_microbatches(compute, sequences, tools.microbatch_size)


def values_of(sequences: Sequences, tools: Tools) -> Tensor:
    """[B T] values before each response token, score units; 0 at padding."""

    def compute(part: Sequences) -> Tensor:
        lengths = part.prompt_lengths, part.response_lengths
        return value_model.values(tools.value_model, part.tokens, *lengths)

    return _in_microbatches(compute, sequences, tools.microbatch_size)


def _in_microbatches(
    compute: Callable[[Sequences], Tensor], sequences: Sequences, microbatch_size: int
) -> Tensor:
    """[B T] of a function of sequences, without gradients, rows of similar length together."""
    table = torch.zeros(sequences.response_mask().shape, device=sequences.tokens.device)
    cut = parts(by_length(sequences), microbatch_size)
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


class RolloutLog:
    """``rollouts.jsonl``: every response that the policy tried, one JSON object a line."""

    def __init__(self, out: Path) -> None:
        self._path = out / "rollouts.jsonl"
        self._is_cut_back = False

    def append(
        self,
        update: int,
        episodes: Episodes,
        scores: Tensor,
        ref_logprobs: Tensor,
        tokenizer: PreTrainedTokenizerBase,
    ) -> None:
        """Write the responses of one update; the first time, drop what a killed run had ahead."""
        if not self._is_cut_back:
            self._truncate_to(update - 1)
            self._is_cut_back = True
        mask = episodes.sequences.response_mask()
        kl = row_sums(k1(episodes.logprobs - ref_logprobs), mask).tolist()
        tokens, lengths = episodes.sequences.response_tokens().tolist(), mask.sum(1).tolist()
        finished = episodes.finished.tolist()
        with self._path.open("a", encoding="utf-8") as file:
            for row, (prompt, score) in enumerate(
                zip(episodes.prompts, scores.tolist(), strict=True)
            ):
                line = {
                    "update": update,
                    "prompt_id": prompt.id,
                    "prompt": prompt.model_dump(mode="json", by_alias=True),
                    "text": decode_response(tokenizer, tokens[row][: lengths[row]]),
                    "score": round(score, DECIMALS),
                    "kl": round(kl[row], DECIMALS),
                    "length": lengths[row],
                    "finished": finished[row],
                }
                file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def _truncate_to(self, update: int) -> None:
        """Drop what came after ``update``, and a last line that was cut off by a crash."""
        if not self._path.is_file():
            return
        temporary = self._path.with_name(self._path.name + ".tmp")
        with self._path.open("rb") as file, temporary.open("wb") as to:  # cut anywhere, so bytes
            to.writelines(_until(file, update))
        os.replace(temporary, self._path)


def _until(lines: Iterable[bytes], update: int) -> Iterator[bytes]:
    for line in lines:
        if not line.endswith(b"\n") or json.loads(line)["update"] > update:
            return
        yield line
