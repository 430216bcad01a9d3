"""Which loss a preference model is trained with: one name, one function, one table.

Every function takes the scores of some comparisons and what was said about them and returns one
loss a comparison. Where a loss is of a labeler's whole answer, a comparison's loss is the mean over
its answers, each by the weight of its labeler.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from accord.functional.distillation import binary_discrimination_loss
from accord.functional.preference import soft_ranking_loss
from accord.functional.rankings import (
    clamped_wins,
    first_choice_loss,
    margin_ranking_loss,
    tied_plackett_luce_loss,
)
from accord.functional.regression import rating_difference_loss, rating_loss
from accord.functional.ties import davidson_loss, rao_kupper_loss
from accord.runtime.preference_items import Item, Needs

Kind = Literal[
    "pairwise",
    "best_of_k",
    "plackett_luce",
    "margin",
    "davidson",
    "rao_kupper",
    "rating",
    "rating_difference",
    "binary",
]
STRONGEST = 4  # of the four strengths a labeler can give
TIE_STEP = 0.02  # nats that the logarithm of the tie parameter moves in a step, at the peak rate


class Loss(BaseModel):
    """What is minimised; docs/stages/preference_model.md has the equations."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind = "pairwise"  #: which likelihood, or which regression
    largest_label: float = Field(default=1.0, ge=0.5, le=1)  #: clamps the shares of `pairwise`
    margin: float = Field(default=1.0, ge=0)  #: nats asked for by the greatest strength in `margin`
    tie: float | None = Field(default=None, gt=0)  #: ν, or η of `rao_kupper`; learnt if not given
    lm_coef: float = Field(default=0.0, ge=0)  #: weight of the next-token loss on the best response


@dataclass(frozen=True)
class Targets:
    """What was said about the comparisons of a microbatch.

    Attributes:
        wins: [N K K] labelers who put i above j.
        mask: [N K] True where there is a response.
        ratings: [N K] not a number where nobody rated.
        of: [A] the comparison of each answer.
        ranks: [A K] 1 is best.
        strength: [A] 1 to 4, 0 where not said.
        weight: [A]
    """

    wins: Tensor
    mask: Tensor
    ratings: Tensor
    of: Tensor
    ranks: Tensor
    strength: Tensor
    weight: Tensor

    def to(self, device: torch.device) -> "Targets":
        """The same on another device."""
        return Targets(
            **{field.name: getattr(self, field.name).to(device) for field in fields(self)}
        )


class TieParameter(nn.Module):
    """The logarithm of how readily labelers say "equal", learnt with the scores."""

    def __init__(self) -> None:
        """Starts at 1: responses of equal score tie once in three."""
        super().__init__()
        self.log_tie = nn.Parameter(torch.zeros(()))


Comparisons = Callable[[Tensor, Targets, Loss, Tensor], Tensor]


def _pairwise(scores: Tensor, targets: Targets, loss: Loss, _: Tensor) -> Tensor:
    if loss.largest_label == 1:
        return soft_ranking_loss(scores, targets.wins)
    return soft_ranking_loss(scores, clamped_wins(targets.wins, loss.largest_label))


def _best_of_k(scores: Tensor, targets: Targets, _loss: Loss, _: Tensor) -> Tensor:
    return _over_answers(targets, first_choice_loss(*_answered(scores, targets)))


def _plackett_luce(scores: Tensor, targets: Targets, _loss: Loss, log_tie: Tensor) -> Tensor:
    return _over_answers(targets, tied_plackett_luce_loss(*_answered(scores, targets), log_tie))


def _margin(scores: Tensor, targets: Targets, loss: Loss, _: Tensor) -> Tensor:
    asked = loss.margin * (targets.strength - 1).clamp(min=0) / (STRONGEST - 1)
    found = margin_ranking_loss(*_answered(scores, targets), asked.to(scores.dtype))
    return _over_answers(targets, found, _decided(targets))


def _davidson(scores: Tensor, targets: Targets, _loss: Loss, log_tie: Tensor) -> Tensor:
    return _over_answers(targets, davidson_loss(*_answered(scores, targets), log_tie))


def _rao_kupper(scores: Tensor, targets: Targets, _loss: Loss, log_tie: Tensor) -> Tensor:
    return _over_answers(targets, rao_kupper_loss(*_answered(scores, targets), log_tie.exp()))


def _rating(scores: Tensor, targets: Targets, _loss: Loss, _: Tensor) -> Tensor:
    return rating_loss(scores, targets.ratings.nan_to_num(), ~targets.ratings.isnan())


def _rating_difference(scores: Tensor, targets: Targets, _loss: Loss, _: Tensor) -> Tensor:
    return rating_difference_loss(scores, targets.ratings.nan_to_num(), ~targets.ratings.isnan())


def _binary(scores: Tensor, targets: Targets, _loss: Loss, _: Tensor) -> Tensor:
    """Each response by itself: how often it was put above another is how good it is."""
    won, lost = targets.wins.sum(2), targets.wins.sum(1)
    is_known = (won + lost > 0) & targets.mask
    good = won / (won + lost).clamp(min=1e-9)
    found = binary_discrimination_loss(scores, good.to(scores.dtype)).masked_fill(~is_known, 0.0)
    return found.sum(1) / is_known.sum(1).clamp(min=1)


LOSSES: dict[Kind, Comparisons] = {
    "pairwise": _pairwise,
    "best_of_k": _best_of_k,
    "plackett_luce": _plackett_luce,
    "margin": _margin,
    "davidson": _davidson,
    "rao_kupper": _rao_kupper,
    "rating": _rating,
    "rating_difference": _rating_difference,
    "binary": _binary,
}
TIED: tuple[Kind, ...] = ("plackett_luce", "davidson", "rao_kupper")


def losses(scores: Tensor, targets: Targets, loss: Loss, log_tie: Tensor) -> Tensor:
    """[N] the loss of each comparison, times the mean weight of the labelers who answered it.

    Args:
        scores: [N K]
        targets: what was said.
        loss: which loss.
        log_tie: logarithm of the tie parameter; read by the losses that have one.
    """
    found = LOSSES[loss.kind](scores, targets, loss, log_tie)
    answers = found.new_zeros(len(found)).index_add(0, targets.of, torch.ones_like(targets.weight))
    weight = found.new_zeros(len(found)).index_add(0, targets.of, targets.weight)
    return found * torch.where(answers > 0, weight / answers.clamp(min=1), 1)


def needs(loss: Loss) -> Needs:
    """What a comparison must have to be trained on."""
    if loss.kind in TIED:
        return "answers"
    return "ratings" if loss.kind in ("rating", "rating_difference") else "wins"


def learns_ties(loss: Loss) -> bool:
    """True where the tie parameter is learnt."""
    return loss.kind in TIED and loss.tie is None


def targets_of(items: Sequence[Item], width: int) -> Targets:
    """What was said about some comparisons; absent responses have neither wins nor ranks."""
    table = torch.zeros(len(items), width, width)
    mask = torch.zeros(len(items), width, dtype=torch.bool)
    ratings = torch.full((len(items), width), torch.nan)
    of, ranks, strength, weight = [], [], [], []
    for row, item in enumerate(items):
        number = len(item.wins)
        table[row, :number, :number] = torch.tensor(item.wins)
        mask[row, :number] = True
        if item.ratings:
            ratings[row, :number] = torch.tensor(item.ratings)
        for answer in item.answers:
            of.append(row)
            ranks.append([*answer.ranks, *([0] * (width - number))])
            strength.append(answer.strength)
            weight.append(answer.weight)
    return Targets(
        wins=table,
        mask=mask,
        ratings=ratings,
        of=torch.tensor(of, dtype=torch.long),
        ranks=torch.tensor(ranks, dtype=torch.long).reshape(-1, width),
        strength=torch.tensor(strength, dtype=torch.long),
        weight=torch.tensor(weight, dtype=torch.float32),
    )


def _answered(scores: Tensor, targets: Targets) -> tuple[Tensor, Tensor, Tensor]:
    """Scores, ranks and mask with one row an answer."""
    return scores[targets.of], targets.ranks, targets.mask[targets.of]


def _decided(targets: Targets) -> Tensor:
    """[A] True for an answer that is not one large tie."""
    first = targets.ranks[:, :1]
    return ((targets.ranks != first) & targets.mask[targets.of]).any(dim=1)


def _over_answers(targets: Targets, values: Tensor, counted: Tensor | None = None) -> Tensor:
    """[N] mean over the answers to each comparison, by weight; 0 without answers."""
    total = values.new_zeros(len(targets.wins))
    weight = targets.weight.to(values)
    weight = weight if counted is None else weight * counted
    summed = total.index_add(0, targets.of, values * weight)
    weights = total.index_add(0, targets.of, weight)
    return summed / weights.masked_fill(weights == 0, 1)
