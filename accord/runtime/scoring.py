"""Scoring responses: the seam between what judges them and what learns from the judgement."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

from accord.data.collate import Sequences
from accord.models import adapters, preference_model
from accord.models.adapters import Precision
from accord.runtime.parallel import in_order, parts_by_length
from accord.runtime.processor import autocast


class Scorer(Protocol):
    """Whatever gives one number to each response; a preference model, or a rule in a test."""

    def score(self, sequences: Sequences, finished: Tensor) -> Tensor:
        """[B] score units, for prompts with their responses.

        Args:
            sequences: prompts and responses.
            finished: [B] True where the response ends with the end-of-sequence token.
        """


@dataclass(frozen=True)
class PreferenceModelScorer:
    """Scores read at the end-of-sequence token, which is appended to what was cut off."""

    model: PreTrainedModel
    eos_id: int
    pad_id: int
    microbatch_size: int
    precision: Precision = "float32"

    def score(self, sequences: Sequences, finished: Tensor) -> Tensor:
        """[B] score units; see ``Scorer``."""
        closed = close(sequences, finished, eos_id=self.eos_id, pad_id=self.pad_id)
        lengths = closed.lengths()

        def compute(rows: list[int]) -> Tensor:
            with autocast(self.precision):
                tokens = closed.select(rows).tokens
                return preference_model.scores(self.model, tokens, lengths[rows]).float()

        cut = parts_by_length(range(len(closed)), lengths.tolist(), self.microbatch_size)
        scores = torch.zeros(len(closed), device=closed.tokens.device)
        with torch.no_grad():
            for rows, found in zip(cut, in_order(compute, cut), strict=True):
                scores[rows] = found
        return scores


class ScorerOnTrunk(Protocol):
    """A scorer that says which model it reads."""

    @property
    def model(self) -> PreTrainedModel:
        """What the adapter is switched on in."""

    def score(self, sequences: Sequences, finished: Tensor) -> Tensor:
        """[B] score units; see ``Scorer``."""


@dataclass(frozen=True)
class AdapterScorer:
    """A scorer whose model is an adapter on a trunk that others use with other adapters."""

    scorer: ScorerOnTrunk
    adapter: str

    @property
    def model(self) -> PreTrainedModel:
        """The trunk."""
        return self.scorer.model

    def score(self, sequences: Sequences, finished: Tensor) -> Tensor:
        """[B] score units; see ``Scorer``. Nobody else may use the trunk meanwhile."""
        with adapters.using(self.scorer.model, self.adapter):
            return self.scorer.score(sequences, finished)


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
