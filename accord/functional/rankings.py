"""Losses of one labeler's whole answer: the best of K, a ranking with ties, a strength.

``preference.py`` has the losses of pairs; here an answer stays whole. All losses are negative
log-likelihoods in nats, one per answer, not reduced, and blind to a constant added to the scores.

Dimension key:
    N: answers in the batch
    K: candidates per answer, padded where some have fewer
    M: non-empty sets of candidates, 2^K − 1
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from accord.functional.preference import ranking_pairs

MOST_CANDIDATES = 9  # the sets of more could not all be summed


def clamped(target: Float[Tensor, "*N"], largest: float) -> Float[Tensor, "*N"]:
    """Soft labels that are never surer than ``largest``.

        target ← min(largest, max(1 − largest, target))

    With labels of 60 % at most, no margin above ln 1.5 = 0.405 nats is ever asked for.

    Args:
        target: probabilities with which the first response should win.
        largest: the surest label that is left, in [.5, 1]; 1 changes nothing.

    Raises:
        ValueError: ``largest`` is below one half, which would turn labels around.

    Source: Bai et al. 2022, arXiv:2212.08073, section 4.3: chain-of-thought labels within 40-60 %.

    >>> clamped(torch.tensor([.97, .55, .02]), .6)
    tensor([0.6000, 0.5500, 0.4000])
    """
    if not 0.5 <= largest <= 1:  # noqa: PLR2004 - a coin
        raise ValueError(f"the largest label is `{largest}`; give one from 0.5 to 1")
    return target.clamp(1 - largest, largest)


def clamped_wins(wins: Float[Tensor, "N K K"], largest: float) -> Float[Tensor, "N K K"]:
    """Tables of wins whose shares are clamped; every pair keeps its number of votes.

        wins_ij ← (wins_ij + wins_ji) · clamped(wins_ij / (wins_ij + wins_ji), largest)

    Args:
        wins: how many labelers put i above j, at least 0.
        largest: as in ``clamped``.

    Returns:
        What ``soft_ranking_loss`` takes; pairs without a vote stay 0.

    Raises:
        ValueError: as in ``clamped``.

    Source: see ``clamped``.

    >>> clamped_wins(torch.tensor([[[0., 3.], [1., 0.]]]), .6)[0].tolist()
    [[0.0, 2.4000000953674316], [1.600000023841858, 0.0]]
    """
    total = wins + wins.transpose(1, 2)
    voted = total > 0
    share = clamped(wins / total.masked_fill(~voted, 1), largest)
    return (total * share).masked_fill(~voted, 0)


def first_choice_loss(
    scores: Float[Tensor, "N K"], ranks: Int[Tensor, "N K"], mask: Bool[Tensor, "N K"]
) -> Float[Tensor, "N"]:
    """Negative log-likelihood of the candidate that was ranked first, the others left unordered.

        loss = log Σ_k exp s_k − mean of s over the first-ranked

    Args:
        scores: one score per candidate.
        ranks: 1 is best; several that share the best rank are chosen with equal probability.
        mask: True where there is a candidate; at least one in every row.

    Returns:
        Loss in nats.

    Source: Ziegler et al. 2019, arXiv:1909.08593, eq. 1, with any number of candidates.

    >>> first_choice_loss(torch.zeros(1, 4), torch.tensor([[2, 1, 2, 2]]), torch.ones(1, 4).bool())
    tensor([1.3863])
    """
    best = ranks.masked_fill(~mask, torch.iinfo(ranks.dtype).max)
    first = ((best == best.amin(dim=1, keepdim=True)) & mask).to(scores.dtype)
    present = scores.masked_fill(~mask, -torch.inf)
    chosen = (scores.masked_fill(~mask, 0) * first).sum(dim=1) / first.sum(dim=1)
    return present.logsumexp(dim=1) - chosen


def margin_ranking_loss(
    scores: Float[Tensor, "N K"],
    ranks: Int[Tensor, "N K"],
    mask: Bool[Tensor, "N K"],
    margin: Float[Tensor, "N"],
) -> Float[Tensor, "N"]:
    """Pairwise loss that asks for more distance where the preference was stronger.

        loss = − 1/|pairs| · Σ over pairs of log σ(s_better − s_worse − margin)

    Args:
        scores: one score per candidate.
        ranks: 1 is best; ties are left out.
        mask: True where there is a candidate.
        margin: of each answer, nats, at least 0; 0 gives ``ranking_loss``.

    Returns:
        Loss in nats; 0 for an answer in which no pair is decided.

    Source: Touvron et al. 2023, arXiv:2307.09288, eq. 2.

    >>> margin_ranking_loss(torch.tensor([[1., 0.]]), torch.tensor([[1, 2]]),
    ...                     torch.ones(1, 2).bool(), torch.tensor([1.]))
    tensor([0.6931])
    """
    pairs = ranking_pairs(ranks, mask)
    distance = scores[:, :, None] - scores[:, None, :] - margin[:, None, None]
    losses = -F.logsigmoid(distance.masked_fill(~pairs, 0)).masked_fill(~pairs, 0)
    return losses.sum(dim=(1, 2)) / pairs.sum(dim=(1, 2)).clamp(min=1)


def tied_plackett_luce_loss(
    scores: Float[Tensor, "N K"],
    ranks: Int[Tensor, "N K"],
    mask: Bool[Tensor, "N K"],
    log_tie: Float[Tensor, ""],
) -> Float[Tensor, "N"]:
    """Negative log-likelihood of a ranking with ties: the best set of all, then of the rest.

        z_S = mean of s over S + (|S| − 1) · log ν
        loss = Σ_places ( log Σ_{S ⊆ left} exp z_S − z_C ),   C the set at this place

    With two candidates it is Davidson's model; as ν goes to 0 that of Plackett and Luce.

    Args:
        scores: one score per candidate, at most 9.
        ranks: 1 is best; equal ranks are one place.
        mask: True where there is a candidate.
        log_tie: log ν, nats; how readily responses are called equal.

    Returns:
        Loss in nats, summed over the places; 0 for an answer without candidates.

    Raises:
        ValueError: more than nine candidates.

    Source: Turner, van Etten, Firth and Kosmidis 2020, eq. 3, with δ_n = ν^(n−1);
    ``accord.ratings.choices`` fits a δ to every size.

    >>> tied_plackett_luce_loss(torch.zeros(1, 2), torch.tensor([[1, 1]]),
    ...                         torch.ones(1, 2).bool(), torch.tensor(0.))
    tensor([1.0986])
    """
    candidates = scores.shape[1]
    if candidates > MOST_CANDIDATES:
        raise ValueError(f"{candidates} candidates; a ranking with ties may have at most 9")
    member = _sets(candidates, scores.device)
    sizes = member.sum(dim=1).to(scores.dtype)
    scores = scores.masked_fill(~mask, 0)
    value = scores @ (member.to(scores.dtype) / sizes[:, None]).T + (sizes - 1) * log_tie
    loss = scores.new_zeros(len(scores))
    for place in range(candidates):
        # the set that holds this candidate, out of all that are not above it
        left = mask & (ranks >= ranks[:, place, None])
        possible = ~(member[None] & ~left[:, None, :]).any(dim=2)
        same = mask & (ranks == ranks[:, place, None])
        chosen = (member[None] == same[:, None, :]).all(dim=2)
        total = value.masked_fill(~(possible & mask[:, place, None]), -math.inf)
        found = value.masked_fill(~chosen, 0).sum(dim=1)
        # each member of a tied set would count the set once
        counts = mask[:, place]
        share = counts.to(scores.dtype) / same.sum(dim=1).clamp(min=1)
        safe = total.masked_fill(~counts[:, None], 0).logsumexp(dim=1)
        loss = loss + share * (safe - found).masked_fill(~counts, 0)
    return loss


def _sets(candidates: int, device: torch.device) -> Bool[Tensor, "M K"]:
    """All non-empty sets of candidates, one a row."""
    numbers = torch.arange(1, 2**candidates, device=device)
    return (numbers[:, None] >> torch.arange(candidates, device=device)) & 1 == 1
