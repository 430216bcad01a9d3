"""Language as an environment: the state is what was said so far, the action is the next token.

This is the same view that the stages have of a language model. There the states are far too many to
be numbered, so that a transformer stands in for the table; the rewards, advantages and losses are
the same functions.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product

import torch
from torch import Tensor

from accord.environments.environment import Outcome

Score = Callable[[tuple[int, ...]], float]  #: what judges a finished response


@dataclass(frozen=True)
class Language:
    """Responses of at most ``longest`` tokens; token 0 ends one.

    Every step but the last earns nothing; the last earns the score of the whole response, the
    end-of-sequence token included where it was said.
    """

    vocabulary: int
    longest: int
    score: Score
    _prefixes: dict[tuple[int, ...], int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        words = range(1, self.vocabulary)
        known = [p for length in range(self.longest) for p in product(words, repeat=length)]
        object.__setattr__(self, "_prefixes", {prefix: i for i, prefix in enumerate(known)})

    @property
    def states(self) -> int:
        """One for each beginning of a response that can be gone on with."""
        return len(self._prefixes)

    @property
    def actions(self) -> int:
        """One for each token."""
        return self.vocabulary

    def start(self, episodes: int) -> Tensor:
        """[B] nothing said yet."""
        return torch.zeros(episodes, dtype=torch.long)

    def step(self, states: Tensor, actions: Tensor, *, random: torch.Generator) -> Outcome:
        """Say one more token; nothing here is left to chance."""
        prefixes = list(self._prefixes)
        said = [
            (*prefixes[state], token)
            for state, token in zip(states.tolist(), actions.tolist(), strict=True)
        ]
        ended = [not words[-1] or len(words) == self.longest for words in said]
        return Outcome(
            torch.tensor([self._prefixes.get(words, 0) for words in said]),
            torch.tensor(
                [self.score(w) if end else 0.0 for w, end in zip(said, ended, strict=True)]
            ),
            torch.tensor(ended),
        )

    def best_return(self) -> float:
        """The score of the best response there is."""
        everything = [
            (*prefix, token)
            for prefix in self._prefixes
            for token in range(self.vocabulary)
            if token == 0 or len(prefix) + 1 == self.longest
        ]
        return max(self.score(response) for response in everything)
