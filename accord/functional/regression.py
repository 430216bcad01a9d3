"""Losses for ratings: numbers that labelers gave to single responses, not to pairs.

Both are squared errors, one per comparison, not reduced. A rating says more than a rank, and
less reliably: people differ in where on the scale they put the same thing, which the difference of
two ratings by one labeler does not show (Bai et al. 2022 and Ouyang et al. 2022 rank instead).

Dimension key:
    N: comparisons in the batch
    K: candidates per comparison, padded where some have fewer
"""

from jaxtyping import Bool, Float
from torch import Tensor


def rating_loss(
    scores: Float[Tensor, "N K"], ratings: Float[Tensor, "N K"], mask: Bool[Tensor, "N K"]
) -> Float[Tensor, "N"]:
    """Mean squared distance of scores from ratings.

        loss = 1/|rated| · Σ over rated of (s_k − r_k)²

    Args:
        scores: one score per candidate, in the units of the ratings.
        ratings: what labelers gave, on any scale.
        mask: True where there is a candidate with a rating.

    Returns:
        Loss in squared rating units; 0 where nothing is rated.

    Source: the mean squared error of any regression; Wang et al. 2023, arXiv:2311.09528,
    section 3, trains attribute scores so.

    >>> import torch
    >>> rating_loss(torch.tensor([[1., 3.]]), torch.tensor([[2., 5.]]), torch.ones(1, 2).bool())
    tensor([2.5000])
    """
    error = (scores - ratings).masked_fill(~mask, 0)
    return (error**2).sum(dim=1) / mask.sum(dim=1).clamp(min=1)


def rating_difference_loss(
    scores: Float[Tensor, "N K"], ratings: Float[Tensor, "N K"], mask: Bool[Tensor, "N K"]
) -> Float[Tensor, "N"]:
    """Mean squared distance of the differences of scores from the differences of ratings.

        loss = 1/|pairs| · Σ_{i<j} ((s_i − s_j) − (r_i − r_j))²

    Args:
        scores: one score per candidate, in the units of the ratings.
        ratings: what labelers gave; adding a constant to a row changes nothing.
        mask: True where there is a candidate with a rating.

    Returns:
        Loss in squared rating units; 0 with fewer than two rated candidates.

    Source: ``rating_loss`` of differences, so that a labeler's own zero cancels, as in the paired
    comparisons of Thurstone 1927.

    >>> import torch
    >>> rating_difference_loss(torch.tensor([[1., 3.]]), torch.tensor([[2., 5.]]),
    ...                        torch.ones(1, 2).bool())
    tensor([1.])
    """
    error = (scores - ratings).masked_fill(~mask, 0)
    distance = error[:, :, None] - error[:, None, :]
    rated = (mask[:, :, None] & mask[:, None, :]).triu(diagonal=1)
    return (distance**2).masked_fill(~rated, 0).sum(dim=(1, 2)) / rated.sum(dim=(1, 2)).clamp(min=1)
