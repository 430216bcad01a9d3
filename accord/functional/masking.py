"""Masked reductions. A mask is True where the value counts, everywhere in this package.

What stands outside a mask never reaches a result, not even when it is infinite or not a
number; that is why values are selected, never multiplied by the mask.

Dimension key:
    *dims: any shape, the same for the values and their mask
    B: responses in the batch
    T: response tokens, right-padded
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def masked_sum(x: Float[Tensor, "*dims"], mask: Bool[Tensor, "*dims"]) -> Float[Tensor, ""]:
    """Sum of the selected values.

        Σ x_i over the i where mask_i is True

    Args:
        x: values, in any unit.
        mask: True where the value counts.

    Returns:
        One number in the unit of ``x``; 0 when nothing is selected.

    >>> masked_sum(torch.tensor([1., 2., 9.]), torch.tensor([True, True, False]))
    tensor(3.)
    """
    return x.masked_fill(~mask, 0).sum()


def row_sums(x: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B"]:
    """Sum of the selected values of every row, for example the KL of every response.

    Args:
        x: values, in any unit.
        mask: True where the value counts.

    Returns:
        One number per row in the unit of ``x``; 0 for a row without a selected value.

    >>> row_sums(torch.tensor([[1., 2.], [3., 9.]]), torch.tensor([[True, True], [True, False]]))
    tensor([3., 3.])
    """
    return x.masked_fill(~mask, 0).sum(dim=1)


def masked_mean(x: Float[Tensor, "*dims"], mask: Bool[Tensor, "*dims"]) -> Float[Tensor, ""]:
    """Mean of the selected values.

    Args:
        x: values, in any unit.
        mask: True where the value counts.

    Returns:
        One number in the unit of ``x``; 0 when nothing is selected.

    >>> masked_mean(torch.tensor([1., 3., 9.]), torch.tensor([True, True, False]))
    tensor(2.)
    """
    return masked_sum(x, mask) / mask.sum().clamp(min=1)


def masked_variance(x: Float[Tensor, "*dims"], mask: Bool[Tensor, "*dims"]) -> Float[Tensor, ""]:
    """Population variance of the selected values: divided by their count, not by count − 1.

    Args:
        x: values, in any unit.
        mask: True where the value counts.

    Returns:
        One number in the squared unit of ``x``; 0 when fewer than two values are selected.

    >>> masked_variance(torch.tensor([1., 3., 9.]), torch.tensor([True, True, False]))
    tensor(1.)
    """
    return masked_mean((x - masked_mean(x, mask)) ** 2, mask)


def moments(
    x: Float[Tensor, "*dims"], mask: Bool[Tensor, "*dims"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""], Float[Tensor, ""]]:
    """Sum, sum of squares and count of the selected values, to be added up over batches.

    Args:
        x: values, in any unit.
        mask: True where the value counts.

    Returns:
        total: Σ x, in float64 because a variance is a small difference of such sums.
        total_squares: Σ x², in float64.
        count: how many values are selected, in float64.

    >>> moments(torch.tensor([1., 3., 9.]), torch.tensor([True, True, False]))[1]
    tensor(10., dtype=torch.float64)
    """
    selected = x.masked_fill(~mask, 0).double()
    return selected.sum(), (selected**2).sum(), mask.sum().double()


def mean_and_variance(
    total: Float[Tensor, ""], total_squares: Float[Tensor, ""], count: Float[Tensor, ""]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Mean and population variance out of added-up ``moments``.

        mean = Σx / n,     variance = Σx² / n − mean²

    Args:
        total: Σ x over all batches.
        total_squares: Σ x² over all batches.
        count: number of values in all batches.

    Returns:
        mean: 0 when nothing was counted.
        variance: never below 0; 0 when nothing was counted.

    >>> mean_and_variance(torch.tensor(4.), torch.tensor(10.), torch.tensor(2.))
    (tensor(2.), tensor(1.))
    """
    n = count.clamp(min=1)
    mean = total / n
    return mean, (total_squares / n - mean**2).clamp(min=0)


def whiten(
    x: Float[Tensor, "*dims"],
    mask: Bool[Tensor, "*dims"],
    *,
    center: bool = True,
    eps: float = 1e-8,
) -> Float[Tensor, "*dims"]:
    """Scale the selected values to unit variance, and to zero mean when ``center``.

        (x − mean) / √(variance + eps)     (+ mean unless center)

    Args:
        x: values, in any unit.
        mask: True where the value counts; statistics are taken over the whole of it, so give
            it the whole rollout and never one minibatch.
        center: whether the result has mean 0. Advantages are centered; rewards, whose sign
            has a meaning, keep their mean.
        eps: added to the variance, which is the population's.

    Returns:
        Whitened values; 0 outside the mask.

    Source: ``whiten`` in openai/lm-human-preferences, lm_human_preferences/utils/core.py,
    where ``center`` is spelled ``shift_mean``.

    >>> whiten(torch.tensor([[3., 5., 999.]]), torch.tensor([[True, True, False]]))
    tensor([[-1.,  1.,  0.]])
    """
    mean, variance = masked_mean(x, mask), masked_variance(x, mask)
    return whiten_with(x, mask, mean=mean, variance=variance, center=center, eps=eps)


def whiten_with(
    x: Float[Tensor, "*dims"],
    mask: Bool[Tensor, "*dims"],
    *,
    mean: Float[Tensor, ""],
    variance: Float[Tensor, ""],
    center: bool = True,
    eps: float = 1e-8,
) -> Float[Tensor, "*dims"]:
    """Whiten a part of a batch by the statistics of the whole of it.

    Args:
        x: values, in any unit.
        mask: True where the value counts.
        mean: mean over the whole batch, as ``mean_and_variance`` gives it.
        variance: population variance over the whole batch.
        center: whether the mean is taken away.
        eps: added to the variance.

    Returns:
        Whitened values; 0 outside the mask.

    >>> whiten_with(torch.tensor([6.]), torch.tensor([True]), mean=torch.tensor(4.),
    ...             variance=torch.tensor(4.))
    tensor([1.])
    """
    mean, scale = mean.to(x.dtype), torch.rsqrt(variance + eps).to(x.dtype)
    whitened = (x - mean) * scale
    return (whitened if center else whitened + mean).masked_fill(~mask, 0)
