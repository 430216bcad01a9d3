"""What samples, what scores, what is compared with: the models of a PPO run, and their loading."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from accord.config import InputError
from accord.data.collate import Sequences
from accord.models import preference_model
from accord.models.load import context_length, eos_id, load_policy, load_scalar_model, pad_id
from accord.runtime.generate import Generator, HuggingFaceGenerator
from accord.runtime.model_source import locate
from accord.runtime.parallel import in_order, parts
from accord.runtime.processor import place
from accord.stages.ppo.settings import Inputs


class Scorer(Protocol):
    """Whatever gives one number to each response; a preference model, or a rule in a test."""

    def score(self, sequences: Sequences, finished: Tensor) -> Tensor:
        """[B] score units, for prompts with their responses.

        Args:
            sequences: prompts and responses.
            finished: [B] True where the response ends with the end-of-sequence token.
        """


@dataclass(frozen=True)
class Tools:
    """Everything that an update uses and does not change, and the two models that it does.

    Attributes:
        policy: learns.
        value_model: learns.
        ref_policy: stays as it is.
        tokenizer: shared by all models.
        generator: samples from ``policy``.
        scorer: judges responses.
        microbatch_size: responses per forward pass.
    """

    policy: PreTrainedModel
    value_model: PreTrainedModel
    ref_policy: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    generator: Generator
    scorer: Scorer
    microbatch_size: int


@dataclass(frozen=True)
class PreferenceModelScorer:
    """Scores read at the end-of-sequence token, which is appended to what was cut off."""

    model: PreTrainedModel
    eos_id: int
    pad_id: int
    microbatch_size: int

    def score(self, sequences: Sequences, finished: Tensor) -> Tensor:
        """[B] score units; see ``Scorer``."""
        closed = close(sequences, finished, eos_id=self.eos_id, pad_id=self.pad_id)
        lengths = closed.lengths()

        def compute(rows: list[int]) -> Tensor:
            return preference_model.scores(self.model, closed.select(rows).tokens, lengths[rows])

        cut = parts(by_length(closed), self.microbatch_size)
        scores = torch.zeros(len(closed), device=closed.tokens.device)
        with torch.no_grad():
            for rows, found in zip(cut, in_order(compute, cut), strict=True):
                scores[rows] = found
        return scores


def close(sequences: Sequences, finished: Tensor, *, eos_id: int, pad_id: int) -> Sequences:
    """Append the end-of-sequence token to every response that was cut off."""
    cut = (~finished).nonzero().squeeze(1)
    if not len(cut):
        return sequences
    end = sequences.lengths()
    room = sequences.tokens.new_full((len(sequences), 1), pad_id)
    tokens = torch.cat([sequences.tokens, room], dim=1)
    tokens[cut, end[cut]] = eos_id
    return Sequences(tokens, sequences.prompt_lengths, sequences.response_lengths + ~finished)


def by_length(sequences: Sequences) -> list[int]:
    """All rows, longest first: little padding in a microbatch, and no worker waits at the end."""
    order: list[int] = sequences.lengths().argsort(stable=True, descending=True).tolist()
    return order


def load_tools(inputs: Inputs, *, microbatch_size: int) -> Tools:
    """Load the four models.

    Raises:
        InputError: a model is missing or of another kind, or the models' tokens differ.
    """
    policy, tokenizer = load_policy(locate(inputs.policy))
    ref_policy, ref_tokenizer = load_policy(locate(inputs.reference or inputs.policy))
    model, pm_tokenizer = load_scalar_model(locate(inputs.preference_model))
    value_model, _ = load_scalar_model(locate(inputs.preference_model))
    for other, source in (
        (ref_tokenizer, inputs.reference),
        (pm_tokenizer, inputs.preference_model),
    ):
        if other.get_vocab() != tokenizer.get_vocab():
            raise InputError(
                f"`{source}` and `{inputs.policy}` have different tokenizers; PPO hands tokens "
                "from one to the other, so give models that grew from the same base"
            )
    for frozen in (ref_policy, model):
        frozen.requires_grad_(False)
    for each in (policy, value_model, ref_policy, model):
        place(each)
    end, padding = eos_id(tokenizer), pad_id(tokenizer)
    return Tools(
        policy=policy,
        value_model=value_model,
        ref_policy=ref_policy,
        tokenizer=tokenizer,
        generator=HuggingFaceGenerator(policy, tokenizer),
        scorer=PreferenceModelScorer(model, end, padding, microbatch_size),
        microbatch_size=microbatch_size,
    )


def longest_conversation(tools: Tools) -> int | None:
    """The most tokens that every model can read, or None when none states a limit."""
    models = [tools.policy, tools.value_model, tools.ref_policy]
    limits = [limit for model in models if (limit := context_length(model)) is not None]
    return min(limits, default=None)
