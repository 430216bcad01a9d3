"""Scoring by an ensemble of preference models: the mean, the worst, or the mean less the doubt."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from accord.data.collate import Sequences
from accord.models import adapters
from accord.models.adapters import Precision
from accord.models.ensemble import Ensemble, ensemble_scores
from accord.runtime.parallel import in_order, parts_by_length
from accord.runtime.processor import autocast
from accord.runtime.scoring import AdapterScorer, Scorer, close


@dataclass(frozen=True)
class EnsembleScorer:
    """A ``scoring.Scorer`` that asks every member and makes one score of their answers.

    Attributes:
        ensemble: the members, placed on the device of the sequences.
        combine: [M B] to [B], one of ``functional.ensembles``.
        eos_id: closes what was cut off.
        pad_id: fills up rows.
        microbatch_size: responses per forward pass.
        precision: of matrix products.
    """

    ensemble: Ensemble
    combine: Callable[[Tensor], Tensor]
    eos_id: int
    pad_id: int
    microbatch_size: int
    precision: Precision = "float32"

    @property
    def model(self) -> PreTrainedModel:
        """The first member's trunk."""
        return self.ensemble.models[0]

    def score(self, sequences: Sequences, finished: Tensor) -> Tensor:
        """[B] score units; see ``scoring.Scorer``."""
        return self.combine(self.members(sequences, finished))

    def members(self, sequences: Sequences, finished: Tensor) -> Tensor:
        """[M B] what every member says; a trunk is computed once, whatever its heads."""
        closed = close(sequences, finished, eos_id=self.eos_id, pad_id=self.pad_id)
        lengths = closed.lengths()

        def compute(rows: list[int]) -> Tensor:
            with autocast(self.precision):
                tokens = closed.select(rows).tokens
                return ensemble_scores(self.ensemble, tokens, lengths[rows]).float()

        cut = parts_by_length(range(len(closed)), lengths.tolist(), self.microbatch_size)
        scores = torch.zeros(len(self.ensemble), len(closed), device=closed.tokens.device)
        with torch.no_grad():
            for rows, found in zip(cut, in_order(compute, cut), strict=True):
                scores[:, rows] = found
        return scores


def member_scores(scorer: Scorer, sequences: Sequences, finished: Tensor) -> Tensor:
    """[M B] what each member of a scorer says; one row where it is no ensemble."""
    if isinstance(scorer, AdapterScorer):
        with adapters.using(scorer.model, scorer.adapter):
            return member_scores(scorer.scorer, sequences, finished)
    if isinstance(scorer, EnsembleScorer):
        return scorer.members(sequences, finished)
    return scorer.score(sequences, finished)[None]
