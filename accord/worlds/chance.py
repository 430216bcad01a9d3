"""Draws that the generators share: a chance, a weighted choice, one random stream per name."""

import random
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")


def stream(seed: int, *names: object) -> random.Random:
    """Return the random stream of a name: the same for the same seed and names, on any machine."""
    return random.Random(":".join(map(str, (seed, *names))))


def chance(rng: random.Random, probability: float) -> bool:
    """Return True with the given probability."""
    return rng.random() < probability


def one_of(rng: random.Random, options: Sequence[T]) -> T:
    """Return one of the options, each as likely; several times as fast as ``rng.choice``."""
    return options[int(rng.random() * len(options))]


class Weighted(Generic[T]):
    """Options with weights, drawn in proportion to them."""

    def __init__(self, weights: Mapping[T, float]) -> None:
        self.options = tuple(weights)
        self._cumulative = tuple(accumulate(weights.values()))

    def draw(self, rng: random.Random) -> T:
        """Return one option."""
        return rng.choices(self.options, cum_weights=self._cumulative)[0]
