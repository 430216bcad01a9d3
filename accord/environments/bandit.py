"""A bandit: one state, one step, and arms that pay differently on average."""

from dataclasses import dataclass

import torch
from torch import Tensor

from accord.environments.environment import Outcome


@dataclass(frozen=True)
class Bandit:
    """Every episode is one pull of one arm.

    The best return is the largest mean. Whoever never tries another arm than the first stays with
    what it pays.
    """

    means: tuple[float, ...]
    noise: float = 1.0  #: standard deviation of what an arm pays
    states: int = 1
    longest: int = 1

    @property
    def actions(self) -> int:
        """One for each arm."""
        return len(self.means)

    def start(self, episodes: int) -> Tensor:
        """[B] the only state."""
        return torch.zeros(episodes, dtype=torch.long)

    def step(self, states: Tensor, actions: Tensor, *, random: torch.Generator) -> Outcome:
        """Pay the arm's mean and some noise, and end."""
        paid = torch.tensor(self.means)[actions]
        paid = paid + self.noise * torch.randn(len(actions), generator=random)
        return Outcome(states, paid, torch.ones_like(actions, dtype=torch.bool))
