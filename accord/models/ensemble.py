"""Several preference models that are asked together: heads on one trunk, or models apart.

Heads on one trunk are saved beside the model that is their mean: the mean of linear heads is a
linear head, so ``output/`` is an ordinary preference model with one label, and
``ensemble.safetensors`` in it holds the members, one row each.

Dimension key: see ``accord.models.trunk``; M members, K of them on one trunk.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from pydantic import BaseModel, ConfigDict, Field
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from accord.config import InputError
from accord.models import scalar_head
from accord.models.load import load_scalar_model
from accord.models.trunk import hidden_states

FILE = "ensemble.safetensors"
KEY = "heads"


class Members(BaseModel):
    """Heads on one trunk that learn apart, so that their disagreement can be read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    heads: int = Field(default=1, ge=1)  #: on the shared trunk; 1 is an ordinary model
    apart: float = Field(default=1.0, ge=0)  #: std by which heads start apart, of a fresh head's
    bootstrap: bool = True  #: each head learns from its own resample of the comparisons


@dataclass(frozen=True)
class Ensemble:
    """Scalar models with the heads of each.

    Attributes:
        models: one a trunk.
        heads: of each model, [members D].
    """

    models: Sequence[PreTrainedModel]
    heads: Sequence[Tensor]

    def __len__(self) -> int:
        """Members in all."""
        return sum(len(heads) for heads in self.heads)


def fresh_heads(model: PreTrainedModel, members: Members, *, random: torch.Generator) -> nn.Linear:
    """Heads around the model's own, each moved by a draw of standard deviation apart / √(D+1)."""
    weight = scalar_head.head(model).weight
    heads = nn.Linear(weight.shape[1], members.heads, bias=False, device=weight.device)
    drawn = torch.randn(heads.weight.shape, generator=random, dtype=torch.float32)
    std = members.apart / math.sqrt(weight.shape[1] + 1)
    with torch.no_grad():
        heads.weight.copy_(weight + (std * drawn).to(weight.device))
    return heads


def settle(model: PreTrainedModel, heads: nn.Linear) -> None:
    """Make the model's own head the mean of the members."""
    with torch.no_grad():
        scalar_head.head(model).weight.copy_(heads.weight.mean(dim=0, keepdim=True))


def save_heads(heads: Float[Tensor, "K D"], directory: Path) -> None:
    """Write the members beside their mean."""
    save_file({KEY: heads.detach().cpu().contiguous()}, directory / FILE)


def load_ensemble(
    sources: Sequence[Path | str],
) -> tuple[Ensemble, PreTrainedTokenizerBase]:
    """Load one or more preference models as one ensemble.

    Args:
        sources: as ``load.load_scalar_model``; a folder with heads gives them all.

    Raises:
        InputError: as ``load.load_scalar_model``; the tokenizers differ, or heads do not fit.
    """
    models, heads = [], []
    vocabulary: dict[str, int] | None = None
    for source in sources:
        model, tokenizer = load_scalar_model(source)
        if vocabulary is not None and tokenizer.get_vocab() != vocabulary:
            raise InputError(f"`{source}` has another tokenizer than the ensemble's first model")
        vocabulary = tokenizer.get_vocab()
        models.append(model)
        heads.append(heads_of(model, source))
    if not models:
        raise InputError("an ensemble needs at least one preference model")
    return Ensemble(models, heads), tokenizer


def ensemble_scores(
    ensemble: Ensemble, tokens: Int[Tensor, "B S"], lengths: Int[Tensor, " B"]
) -> Float[Tensor, "M B"]:
    """The score that every member gives to each conversation.

    Args:
        ensemble: the members; each trunk is computed once, whatever its number of heads.
        tokens: whole conversations, each closed by the end-of-sequence token, right-padded.
        lengths: tokens of each conversation, padding not counted.

    Returns:
        Score units, one row a member: what ``functional.ensembles`` makes one score of.

    Raises:
        ValueError: a conversation is empty.
    """
    if bool((lengths < 1).any()):
        raise ValueError("cannot score an empty conversation")
    rows = torch.arange(tokens.shape[0], device=tokens.device)
    found = [
        heads.to(tokens.device) @ hidden_states(model, tokens, lengths)[rows, lengths - 1].T
        + scalar_head.score_bias(model)
        for model, heads in zip(ensemble.models, ensemble.heads, strict=True)
    ]
    return torch.cat(found)


def heads_of(model: PreTrainedModel, source: Path | str) -> Float[Tensor, "K D"]:
    """The members beside a model, or the model's own head where there are none.

    Args:
        model: loaded from there.
        source: as ``load.load_scalar_model``.

    Raises:
        InputError: the heads cannot be read, or do not fit the model.
    """
    own = scalar_head.head(model).weight.detach()
    file = Path(source) / FILE
    if not file.is_file():
        return own
    try:
        found = load_file(file).get(KEY)
    except (SafetensorError, OSError) as error:
        raise InputError(f"cannot read `{file}`: {error}; train the model again") from error
    if found is None or found.ndim != own.ndim or found.shape[1] != own.shape[1]:
        raise InputError(f"`{file}` does not belong to the model beside it; train the model again")
    return found
