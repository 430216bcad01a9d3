"""Is an input unlike those that a model was trained on? Distances of activations, and AUROC.

Distances are squared Mahalanobis distances, without unit; only their order is used. All of it is
float64: an inverse covariance of activations loses more digits than float32 has.

Dimension key:
    N: inputs
    D: activations of one input
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

SHRINKAGE = 1e-3  # of the mean variance, added to every direction that was fitted


@dataclass(frozen=True)
class Gaussian:
    """What activations of known inputs look like.

    Attributes:
        mean: [D].
        covariance: [D, D], positive definite.
    """

    mean: Tensor
    covariance: Tensor


def fit_gaussian(activations: Float[Tensor, "N D"], *, shrinkage: float = SHRINKAGE) -> Gaussian:
    """Mean and covariance of activations.

        μ = mean x,   Σ = (1 − λ) cov(x) + λ · mean variance · I

    Args:
        activations: of at least two inputs that the model knows.
        shrinkage: λ in [0, 1]; above 0, fewer inputs than activations suffice.

    Returns:
        In float64.

    Raises:
        ValueError: fewer than two inputs, or inputs that are all the same.

    Source: Lee et al. 2018, arXiv:1807.03888, eq. 1, for one class; shrinkage as in Ledoit and
    Wolf 2004 with a fixed λ.

    >>> fit_gaussian(torch.tensor([[0., 0.], [2., 0.], [0., 2.], [2., 2.]]), shrinkage=0.).mean
    tensor([1., 1.], dtype=torch.float64)
    """
    x = activations.double()
    if len(x) < 2:  # noqa: PLR2004 - one input has no spread
        raise ValueError("a covariance takes at least two inputs")
    covariance = torch.cov(x.T, correction=0).reshape(x.shape[1], x.shape[1])
    variance = covariance.diagonal().mean()
    if float(variance) <= 0:
        raise ValueError("the activations of all inputs are the same")
    identity = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    return Gaussian(x.mean(dim=0), (1 - shrinkage) * covariance + shrinkage * variance * identity)


def mahalanobis(activations: Float[Tensor, "N D"], known: Gaussian) -> Float[Tensor, "N"]:
    """Distance from what is known, in units of its own spread.

        (x − μ)ᵀ Σ⁻¹ (x − μ)

    Args:
        activations: of the inputs in question.
        known: from ``fit_gaussian``.

    Returns:
        At least 0; D on average for inputs of the same kind.

    Source: Bai et al. 2022, arXiv:2204.05862, section 5.4; Lee et al. 2018, arXiv:1807.03888.

    >>> known = Gaussian(torch.zeros(2).double(), torch.tensor([[1., .5], [.5, 1.]]).double())
    >>> mahalanobis(torch.tensor([[1., -1.]]), known)
    tensor([4.], dtype=torch.float64)
    """
    away: Tensor = activations.double() - known.mean
    solved: Tensor = torch.linalg.solve(known.covariance, away.T).T
    return (away * solved).sum(dim=1)


def relative_mahalanobis(activations: Float[Tensor, "N D"], known: Gaussian) -> Float[Tensor, "N"]:
    """Distance from what is known beyond what each activation alone accounts for.

        (x − μ)ᵀ Σ⁻¹ (x − μ)  −  (x − μ)ᵀ diag(Σ)⁻¹ (x − μ)

    Args:
        activations: of the inputs in question.
        known: from ``fit_gaussian``.

    Returns:
        Any sign; higher is more unusual.

    Source: the "Simplified Relative Mahalanobis distance" of Bai et al. 2022, arXiv:2204.05862,
    section 5.4, after Ren et al. 2021, arXiv:2106.09022.

    >>> known = Gaussian(torch.zeros(2).double(), torch.tensor([[1., .5], [.5, 1.]]).double())
    >>> relative_mahalanobis(torch.tensor([[1., -1.]]), known)
    tensor([2.], dtype=torch.float64)
    """
    away: Tensor = activations.double() - known.mean
    alone = (away**2 / known.covariance.diagonal()).sum(dim=1)
    return mahalanobis(activations, known) - alone


def exposed_distance(
    activations: Float[Tensor, "N D"], known: Gaussian, outliers: Float[Tensor, "M D"]
) -> Float[Tensor, "N"]:
    """Distance along the direction in which a few outliers differ from what is known.

        (x − μ)ᵀ Σ⁻¹ (mean of the outliers − μ)

    Args:
        activations: of the inputs in question.
        known: from ``fit_gaussian``.
        outliers: activations of a few inputs that are known to be different, at least one.

    Returns:
        Any sign; higher is more like the outliers.

    Source: few-shot exposure as in Fort et al. 2021, arXiv:2106.03004, and section 5.4 of Bai et
    al. 2022, with Fisher's discriminant and a shared covariance in the place of a trained layer.

    >>> known = Gaussian(torch.zeros(2).double(), torch.eye(2).double())
    >>> exposed_distance(torch.tensor([[3., 1.]]), known, torch.tensor([[1., 0.]]))
    tensor([3.], dtype=torch.float64)
    """
    towards = outliers.double().mean(dim=0) - known.mean
    direction: Tensor = torch.linalg.solve(known.covariance, towards)
    return (activations.double() - known.mean) @ direction


def auroc(inliers: Float[Tensor, "N"], outliers: Float[Tensor, "M"]) -> float:
    """Probability that an outlier lies farther out than an inlier.

        P(outlier > inlier) + P(equal) / 2

    Args:
        inliers: distances of known inputs, at least one.
        outliers: distances of others, at least one.

    Returns:
        From 0 to 1; .5 says nothing.

    Raises:
        ValueError: either is empty.

    Source: Mann and Whitney 1947; Hanley and McNeil 1982.

    >>> auroc(torch.tensor([0., 1.]), torch.tensor([1., 2.]))
    0.875
    """
    if not len(inliers) or not len(outliers):
        raise ValueError("an AUROC takes at least one inlier and one outlier")
    ordered = inliers.double().sort().values
    values = outliers.double()
    below = torch.searchsorted(ordered, values, right=False)
    up_to = torch.searchsorted(ordered, values, right=True)
    return float((below + up_to).double().mean()) / 2 / len(ordered)
