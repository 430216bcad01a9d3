"""Prompts to episodes, and what PPO asks its models about them.

Dimension key:
    B: responses of one update
    T: response tokens, right-padded
"""

from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from accord.data.collate import Sequences
from accord.models import value_model
from accord.models.load import pad_id
from accord.records import Sampling
from accord.runtime import episodes
from accord.runtime.episodes import EncodedPrompt, Episodes, in_microbatches
from accord.runtime.processor import autocast
from accord.stages.ppo.tools import Tools, longest_conversation


def read_prompts(path: Path, tools: Tools, *, max_tokens: int) -> list[EncodedPrompt]:
    """All prompts that leave room for a response; see ``runtime.episodes``."""
    context = longest_conversation(tools)
    return episodes.read_prompts(path, tools.tokenizer, context=context, max_tokens=max_tokens)


def sample_episodes(
    tools: Tools, prompts: list[EncodedPrompt], sampling: Sampling, *, random: torch.Generator
) -> Episodes:
    """Draw one response for every prompt."""
    padding = pad_id(tools.tokenizer)
    return episodes.sample_episodes(
        tools.generator, prompts, sampling, random=random, padding=padding
    )


def logprobs_of(
    model: PreTrainedModel, sequences: Sequences, tools: Tools, temperature: float
) -> Tensor:
    """[B T] log-probabilities of the responses under a policy, nats; 0 at padding."""
    return episodes.logprobs_of(
        model,
        sequences,
        temperature=temperature,
        microbatch_size=tools.microbatch_size,
        precision=tools.precision,
    )


def values_of(sequences: Sequences, tools: Tools) -> Tensor:
    """[B T] values before each response token, score units; 0 at padding."""

    def compute(part: Sequences) -> Tensor:
        lengths = part.prompt_lengths, part.response_lengths
        with autocast(tools.precision):
            return value_model.values(tools.value_model, part.tokens, *lengths).float()

    return in_microbatches(compute, sequences, tools.microbatch_size)
