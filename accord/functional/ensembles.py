"""One score out of several preference models, the more doubtful the lower.

Where a policy finds what fools one preference model, others that were trained apart tend to
disagree. Optimising a pessimistic combination leaves less to be gained there.

Dimension key:
    M: preference models
    B: responses in the batch
"""

from jaxtyping import Float
from torch import Tensor


def mean_score(scores: Float[Tensor, "M B"]) -> Float[Tensor, "B"]:
    """The mean of the models.

        s̄ = Σ_m s_m / M

    Args:
        scores: of every model, each on the same scale.

    Returns:
        Score units.

    Source: Coste et al. 2023, arXiv:2310.02743, eq. 2.

    >>> import torch
    >>> mean_score(torch.tensor([[1., 4.], [3., 0.]]))
    tensor([2., 2.])
    """
    return scores.mean(dim=0)


def worst_score(scores: Float[Tensor, "M B"]) -> Float[Tensor, "B"]:
    """What the strictest model gives: worst-case optimisation.

        min_m s_m

    Args:
        scores: of every model, each on the same scale.

    Returns:
        Score units; never above the mean.

    Source: Coste et al. 2023, arXiv:2310.02743, eq. 3.

    >>> import torch
    >>> worst_score(torch.tensor([[1., 4.], [3., 0.]]))
    tensor([1., 0.])
    """
    return scores.amin(dim=0)


def mean_minus_std(scores: Float[Tensor, "M B"], *, std_coef: float) -> Float[Tensor, "B"]:
    """The mean less what the models disagree about: uncertainty-weighted optimisation.

        s̄ − c · √( Σ_m (s_m − s̄)² / M )

    Args:
        scores: of every model, each on the same scale.
        std_coef: c, at least 0.

    Returns:
        Score units; the score itself where there is one model.

    Source: Coste et al. 2023, arXiv:2310.02743, eq. 4. Differs from the source: that subtracts
    the variance, whose unit is the square of a score's, so that c would depend on the scale.

    >>> import torch
    >>> mean_minus_std(torch.tensor([[1., 4.], [3., 0.]]), std_coef=.5)
    tensor([1.5000, 1.0000])
    """
    return scores.mean(dim=0) - std_coef * disagreement(scores)


def disagreement(scores: Float[Tensor, "M B"]) -> Float[Tensor, "B"]:
    """Standard deviation of the models about one response, the population's.

        √( Σ_m (s_m − s̄)² / M )

    Args:
        scores: of every model, each on the same scale.

    Returns:
        Score units; 0 where there is one model.

    >>> import torch
    >>> disagreement(torch.tensor([[1., 4.], [3., 0.]]))
    tensor([1., 2.])
    """
    return scores.std(dim=0, correction=0)


def averaged_probability(margins: Float[Tensor, "M B"]) -> Float[Tensor, "B"]:
    """Probability that the first of two responses wins, averaged over the models.

        Σ_m σ(margin_m) / M

    Nearer one half than σ of the mean margin wherever the models disagree.

    Args:
        margins: of every model, its score of the first less that of the second response, nats.

    Source: Lakshminarayanan et al. 2017, arXiv:1612.01474, section 2.4.

    >>> import torch
    >>> averaged_probability(torch.tensor([[2.], [-2.]]))
    tensor([0.5000])
    """
    return margins.sigmoid().mean(dim=0)
