"""Randomness by name: one seed in, independent generators out, no global state anywhere.

    number = first 63 bits of sha256(seed, name_1, name_2, ...)

A generator that is derived from ``(seed, "rollout", update)`` gives the same numbers whether the
run came straight to that update or was killed and resumed before it, so nothing about randomness
has to be kept in a checkpoint.
"""

import hashlib
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

BITS = 63  # torch.Generator.manual_seed takes a signed 64-bit number

_GLOBALS = threading.Lock()  # torch's global generator is one for all threads


def derive(seed: int, *names: object) -> int:
    """A 63-bit number that depends on the seed and on every name, in their order.

    >>> derive(0, "order", 1) == derive(0, "order", 1)
    True
    >>> derive(0, "order", 1) == derive(0, "order", 2)
    False
    """
    text = "\0".join(f"{type(part).__name__}:{part}" for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> (64 - BITS)


def generator(seed: int, *names: object) -> "torch.Generator":
    """A torch generator on the CPU for one named purpose."""
    import torch  # noqa: PLC0415 - labelling installs have no torch

    return torch.Generator().manual_seed(derive(seed, *names))


def numpy_generator(seed: int, *names: object) -> np.random.Generator:
    """A numpy generator for one named purpose."""
    return np.random.default_rng(derive(seed, *names))


def python_random(seed: int, *names: object) -> random.Random:
    """A generator of the standard library for one named purpose."""
    return random.Random(derive(seed, *names))


@contextmanager
def seeded_globals(seed: int, *names: object) -> Iterator[None]:
    """Set torch's global generator for a block, and put it back afterwards.

    For the two things that take no other generator: the initial weights of ``torch.nn`` and
    ``transformers``, and dropout. Threads that want it wait for each other.
    """
    import torch  # noqa: PLC0415

    with _GLOBALS, torch.random.fork_rng():
        torch.manual_seed(derive(seed, *names))
        yield
