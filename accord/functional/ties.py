"""Losses that know that people call responses equal: Davidson's and Rao and Kupper's models.

A tie says that two responses are close; leaving it out, or counting it as half a win each way,
loses that. Both models add one number, how readily a labeler says "equal", which is learnt with
the scores or given.

Dimension key:
    N: answers in the batch
    K: candidates per answer, padded where some have fewer
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from accord.functional.preference import ranking_pairs


def davidson_loss(
    scores: Float[Tensor, "N K"],
    ranks: Int[Tensor, "N K"],
    mask: Bool[Tensor, "N K"],
    log_tie: Float[Tensor, ""],
) -> Float[Tensor, "N"]:
    """Mean negative log-likelihood of the pairs of a ranking, each a win or a tie.

        P(i over j) = e^{m/2} / Z,   P(tie) = ν / Z,   Z = e^{m/2} + e^{−m/2} + ν,   m = s_i − s_j

    Args:
        scores: one score per candidate.
        ranks: 1 is best; equal ranks are a tie.
        mask: True where there is a candidate.
        log_tie: log ν, nats; at ν = 1 equal responses tie once in three, at 2 every second time.

    Returns:
        Loss in nats; 0 for an answer with fewer than two candidates.

    Source: Davidson 1970, eq. 2.3, with strengths e^s.

    >>> davidson_loss(torch.zeros(1, 2), torch.tensor([[1, 1]]), torch.ones(1, 2).bool(),
    ...               torch.tensor(2.).log())
    tensor([0.6931])
    """
    margin, over, tied = _pairs(scores, ranks, mask)
    options = torch.stack([margin / 2, -margin / 2, log_tie.expand_as(margin)])
    total = options.logsumexp(dim=0)
    return _mean(total - margin / 2, total - log_tie, over, tied)


def rao_kupper_loss(
    scores: Float[Tensor, "N K"],
    ranks: Int[Tensor, "N K"],
    mask: Bool[Tensor, "N K"],
    threshold: Float[Tensor, ""],
) -> Float[Tensor, "N"]:
    """Mean negative log-likelihood of the pairs of a ranking, each a win or a tie.

        P(i over j) = σ(m − η),   P(tie) = (e^{2η} − 1) σ(m − η) σ(−m − η),   m = s_i − s_j

    Args:
        scores: one score per candidate.
        ranks: 1 is best; equal ranks are a tie.
        mask: True where there is a candidate.
        threshold: η, nats, positive: responses that differ by less are likelier equal than not.

    Returns:
        Loss in nats; 0 for an answer with fewer than two candidates.

    Source: Rao and Kupper 1967, eq. 2.1, with strengths e^s and θ = e^η.

    >>> rao_kupper_loss(torch.zeros(1, 2), torch.tensor([[1, 1]]), torch.ones(1, 2).bool(),
    ...                 torch.tensor(3.).log())
    tensor([0.6931])
    """
    margin, over, tied = _pairs(scores, ranks, mask)
    first, second = F.logsigmoid(margin - threshold), F.logsigmoid(-margin - threshold)
    constant = 2 * threshold + torch.log(-torch.expm1(-2 * threshold))  # log (e^{2η} − 1)
    return _mean(-first, -(constant + first + second), over, tied)


def _pairs(
    scores: Float[Tensor, "N K"], ranks: Int[Tensor, "N K"], mask: Bool[Tensor, "N K"]
) -> tuple[Float[Tensor, "N K K"], Bool[Tensor, "N K K"], Bool[Tensor, "N K K"]]:
    """Margins, which pairs are decided (better first), and which are tied (each once)."""
    over = ranking_pairs(ranks, mask)
    present = mask[:, :, None] & mask[:, None, :]
    tied = torch.triu(present & (ranks[:, :, None] == ranks[:, None, :]), diagonal=1)
    margin = scores[:, :, None] - scores[:, None, :]
    # An absent candidate's score may be anything; its margin must not reach the gradient.
    return margin.masked_fill(~(over | tied), 0), over, tied


def _mean(
    decided: Float[Tensor, "N K K"],
    equal: Float[Tensor, "N K K"],
    over: Bool[Tensor, "N K K"],
    tied: Bool[Tensor, "N K K"],
) -> Float[Tensor, "N"]:
    losses = decided.masked_fill(~over, 0) + equal.masked_fill(~tied, 0)
    return losses.sum(dim=(1, 2)) / (over | tied).sum(dim=(1, 2)).clamp(min=1)
