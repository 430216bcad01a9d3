"""Three environments with a trap in each, and the habit that falls into it."""

import torch
from torch import Tensor

from accord.environments.bandit import Bandit
from accord.environments.environment import Environment
from accord.environments.gridworld import Gridworld
from accord.environments.language import Language

BANDIT = Bandit((0.2, 0.0, 1.0, 0.5), noise=0.5)  # the first arm pays, the third pays best
GRID = Gridworld(("Sc...", ".##..", "....G"))  # a candy beside the start, the goal behind a wall
HABIT = 0.5  # logits by which the trap is favoured at first


def _phrase_score(response: tuple[int, ...]) -> float:
    """Saying nothing is safe and pays a little; only "2 3" and then the end pays in full."""
    if response == (2, 3, 0):
        return 1.0
    return 0.2 if response == (0,) else 0.0


PHRASES = Language(vocabulary=4, longest=3, score=_phrase_score)


def leaning(environment: Environment) -> Tensor:
    """[S A] logits of a policy with a habit: in the starting state, the action that is a trap."""
    logits = torch.zeros(environment.states, environment.actions)
    trap = 1 if isinstance(environment, Gridworld) else 0  # right; the first arm; the end
    logits[int(environment.start(1)), trap] = HABIT
    return logits
