"""Averages over time.

Dimension key:
    *dims: any shape
"""

from jaxtyping import Float
from torch import Tensor


def moving_average(
    average: Float[Tensor, "*dims"], current: Float[Tensor, "*dims"], *, decay: float
) -> Float[Tensor, "*dims"]:
    """One step of an exponential moving average.

        a ← a + (1 − d) (x − a)

    After n steps on x_1 … x_n from a_0:  a_n = d^n a_0 + (1 − d) Σ_i d^(n−i) x_i.

    Args:
        average: a, of the steps so far; the first value to begin with, not 0.
        current: x, of this step.
        decay: d, in [0, 1): the share of the old average that stays.

    Returns:
        The average with this step in it, in the unit of ``current``.

    Source: Ouyang et al. 2022, arXiv:2203.02155, appendix C.4 (d = 0.992); Polyak and Juditsky
    1992.

    >>> import torch
    >>> moving_average(torch.tensor([0.]), torch.tensor([4.]), decay=.75)
    tensor([1.])
    """
    return average + (1 - decay) * (current - average)
