"""A gridworld: walk to where it pays, along a way that costs."""

from dataclasses import dataclass

import torch
from torch import Tensor

from accord.environments.environment import Outcome

MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # up, right, down, left
PAYS = {"G": 1.0, "c": 0.2}  # goal; a candy, which ends the episode as well
COST = 0.02  # of a step that does not end


@dataclass(frozen=True)
class Gridworld:
    """A map of rows of equal length: S start, G goal, c candy, # wall, . free.

    An episode ends at the goal, which pays 1, or at a candy, which pays 0.2; every other step
    costs 0.02. A move into a wall or off the map stays where it is. A candy beside the start is a
    trap for whoever takes what is known to pay.

    >>> Gridworld(("S.G",)).best_return()
    0.98
    """

    map: tuple[str, ...]
    longest: int = 30
    actions: int = len(MOVES)

    @property
    def states(self) -> int:
        """One for each field."""
        return len(self.map) * len(self.map[0])

    def start(self, episodes: int) -> Tensor:
        """[B] the field S."""
        return torch.full((episodes,), "".join(self.map).index("S"))

    def step(self, states: Tensor, actions: Tensor, *, random: torch.Generator) -> Outcome:
        """Walk; nothing here is left to chance."""
        places = [
            self._walked(s, a) for s, a in zip(states.tolist(), actions.tolist(), strict=True)
        ]
        fields = ["".join(self.map)[place] for place in places]
        rewards = torch.tensor([PAYS.get(field, -COST) for field in fields])
        ended = torch.tensor([field in PAYS for field in fields])
        return Outcome(torch.tensor(places), rewards, ended)

    def best_return(self) -> float:
        """What the shortest way to the goal earns, if that is more than a candy does."""
        field, reached, steps = "".join(self.map), {int(self.start(1))}, 0
        best, ends = -COST * self.longest, {"c": PAYS["c"], "G": PAYS["G"]}
        while steps < self.longest:
            reached = {self._walked(s, a) for s in reached for a in range(len(MOVES))}
            found = {field[place] for place in reached} & ends.keys()
            best = max([best, *(ends[end] - COST * steps for end in found)])
            reached = {place for place in reached if field[place] not in ends}
            steps += 1
        return round(best, 6)

    def _walked(self, state: int, action: int) -> int:
        width = len(self.map[0])
        row, column = state // width + MOVES[action][0], state % width + MOVES[action][1]
        if not (0 <= row < len(self.map) and 0 <= column < width) or self.map[row][column] == "#":
            return state
        return row * width + column
