"""Over-optimisation: what a better judge thinks as the score that is optimised goes on rising.

With d = √KL(π ‖ π_ref), the judge's reward, 0 where the policy starts, follows two forms:

    best of n                  R(d) = d (a − b d)
    reinforcement learning     R(d) = d (a − b log d)

a is how fast it rises at first, b how soon it turns.

Source: Gao, Schulman and Hilton 2022, arXiv:2210.10760, section 3.1.

Dimension key:
    N: policies of one run, at different distances
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Form = Literal["best_of_n", "reinforcement_learning"]
LEAST = 2  # distances that two coefficients need


@dataclass(frozen=True)
class Curve:
    """One of the two forms with its coefficients.

    >>> Curve("best_of_n", .6, .1).peak()
    (3.0, 0.9)
    """

    form: Form
    a: float  #: reward per √nat near the start
    b: float  #: what is taken off; at most 0 where the reward never turns

    def reward(self, distance: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
        """R at √KL, in the judge's unit, 0 at 0."""
        first, second = _terms(self.form, distance)
        return self.a * first - self.b * second

    def peak(self) -> tuple[float, float] | None:
        """√KL from which on more optimisation costs, and the reward there; None without one.

        best of n                  d* = a / 2b,         R* = a² / 4b
        reinforcement learning     d* = e^(a/b − 1),    R* = b d*
        """
        if self.b <= 0 or (self.form == "best_of_n" and self.a <= 0):
            return None
        if self.form == "best_of_n":
            where = self.a / (2 * self.b)
            return round(where, 12), round(self.a * where / 2, 12)
        exponent = self.a / self.b - 1
        if exponent > math.log(torch.finfo(torch.float64).max) / 2:
            return None  # further away than any policy is
        return math.exp(exponent), self.b * math.exp(exponent)


def fit_curve(
    form: Form, distance: Float[Tensor, " N"], reward: Float[Tensor, " N"]
) -> Curve | None:
    """Least squares: both forms are linear in a and b.

    Args:
        form: which of the two.
        distance: √KL of each policy, at least 0; the start itself, 0, says nothing.
        reward: of the better judge, less its reward where the policy starts.

    Returns:
        The curve; None when fewer than two different distances are above 0.
    """
    used = distance > 0
    if len(set(distance[used].tolist())) < LEAST:
        return None
    terms = torch.stack(_terms(form, distance[used].double()), dim=1)
    found = torch.linalg.lstsq(terms, reward[used].double()[:, None]).solution.squeeze(1)
    return Curve(form, float(found[0]), -float(found[1]))


def _terms(form: Form, distance: Tensor) -> tuple[Tensor, Tensor]:
    """What a is multiplied by, and what −b is."""
    if form == "best_of_n":
        return distance, distance**2
    return distance, torch.xlogy(distance, distance)
