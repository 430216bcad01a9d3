"""Does a preference model notice prompts unlike those that it was trained on?

The activations of training prompts are summed up as one Gaussian; held-out prompts of the same
kind and prompts of another are told apart by their distance from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from accord.data.chat import encode_prompts
from accord.data.collate import pad_rows
from accord.functional.outliers import (
    auroc,
    exposed_distance,
    fit_gaussian,
    mahalanobis,
    relative_mahalanobis,
)
from accord.models.activations import last_states
from accord.ratings import intervals
from accord.records import Prompt
from accord.runtime.parallel import in_order, parts_by_length

FEWEST = 2  # prompts of each sort; one says nothing about spread


@dataclass(frozen=True)
class Detection:
    """How to tell prompts apart.

    Attributes:
        depth: share of the layers below the activations.
        exposed: outliers that the detector may see, and that are not judged.
        confidence: of every interval.
        draws: of the bootstrap over prompts.
        seed: of the bootstrap.
    """

    depth: float
    exposed: int
    confidence: float
    draws: int
    seed: int


def activations(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    *,
    depth: float,
    context: int,
    microbatch_size: int,
) -> Tensor:
    """What the model makes of each prompt, [prompts, D], float64 on the CPU.

    A prompt of more than ``context`` tokens is read from its end.
    """
    encoded = [ids[-context:] for ids in encode_prompts(tokenizer, prompts)]
    cut = parts_by_length(range(len(encoded)), list(map(len, encoded)), microbatch_size)

    def read(part: list[int]) -> Tensor:
        rows = [encoded[i] for i in part]
        tokens = pad_rows(rows, model.config.pad_token_id).to(model.device)
        lengths = torch.tensor([len(row) for row in rows], device=model.device)
        return last_states(model, tokens, lengths, depth=depth).double().cpu()

    with torch.no_grad():
        found = torch.cat(list(in_order(read, cut)))
    result = torch.empty_like(found)
    result[torch.tensor([i for part in cut for i in part])] = found
    return result


def detection(known: Tensor, inliers: Tensor, outliers: Tensor, how: Detection) -> dict[str, Any]:
    """How surely outliers lie farther out than inliers, by each distance.

    Args:
        known: activations of training prompts.
        inliers: of held-out prompts of the same kind.
        outliers: of prompts of another kind.
        how: see ``Detection``.

    Returns:
        For each distance an AUROC with an interval over prompts; ``exposed`` is null where too
        few outliers would be left to judge. Null as a whole where there are too few prompts.
    """
    if min(len(known), len(inliers), len(outliers)) < FEWEST:
        return {"mahalanobis": None, "relative_mahalanobis": None, "exposed": None}
    gaussian = fit_gaussian(known)
    found: dict[str, Any] = {
        "mahalanobis": _separation(
            mahalanobis(inliers, gaussian), mahalanobis(outliers, gaussian), how
        ),
        "relative_mahalanobis": _separation(
            relative_mahalanobis(inliers, gaussian), relative_mahalanobis(outliers, gaussian), how
        ),
        "exposed": None,
    }
    shown, judged = outliers[: how.exposed], outliers[how.exposed :]
    if how.exposed and len(judged) >= FEWEST:
        found["exposed"] = _separation(
            exposed_distance(inliers, gaussian, shown),
            exposed_distance(judged, gaussian, shown),
            how,
        )
    return found | {"known": len(known), "inliers": len(inliers), "outliers": len(outliers)}


def _separation(inliers: Tensor, outliers: Tensor, how: Detection) -> dict[str, Any]:
    """AUROC with the interval of a bootstrap that keeps the number of each sort."""
    random = np.random.default_rng(how.seed)
    draws = [auroc(_drawn(inliers, random), _drawn(outliers, random)) for _ in range(how.draws)]
    low, high = intervals.percentile_interval(draws, how.confidence)
    return {
        "value": auroc(inliers, outliers),
        "low": low,
        "high": high,
        "n": len(inliers) + len(outliers),
    }


def _drawn(values: Tensor, random: np.random.Generator) -> Tensor:
    return values[torch.from_numpy(random.integers(len(values), size=len(values)))]
