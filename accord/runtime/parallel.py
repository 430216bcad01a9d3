"""Two threads on whole microbatches instead of many threads inside every matrix product.

Small matrix products gain little from a second thread, and when another program wants a core,
OpenMP's threads wait for each other in every one of them. Measured on two shared cores, a Llama of
6 layers and width 128, 16 documents of 36 tokens a step: one thread 84 ms; two threads inside
every product 51 ms at best and 343 ms in the median; two threads on half a batch each 52 ms.

The parts and the order in which their results are added depend on the data alone, so that the
number of workers cannot change a result.
"""

import bisect
import functools
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

from accord.runtime.processor import PARTS, device, prepare_processor, workers

T = TypeVar("T")
R = TypeVar("R")


def in_order(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """``function(item)`` for every item, computed by all workers, handed out in order.

    At most one item more than there are workers is under way, so memory stays bounded. Whether
    gradients are recorded is the caller's choice. A worker must not call this function itself.

    >>> list(in_order(lambda number: number * 2, [1, 2, 3]))
    [2, 4, 6]
    """
    prepare_processor()
    if workers() == 1:
        yield from map(function, items)
        return
    gradients = torch.is_grad_enabled()

    def work(item: T) -> R:
        # The switch is one per thread.
        with torch.set_grad_enabled(gradients):
            return function(item)

    waiting: deque[Future[R]] = deque()
    remaining = iter(items)
    try:
        for item in itertools.islice(remaining, workers() + 1):
            waiting.append(_pool().submit(work, item))
        while waiting:
            result = waiting.popleft().result()
            for item in itertools.islice(remaining, 1):
                waiting.append(_pool().submit(work, item))
            yield result
    finally:
        for future in waiting:
            future.cancel()


def parts(rows: list[int], microbatch_size: int) -> list[list[int]]:
    """Cut a batch into even parts of at most ``microbatch_size`` rows.

    On a CPU there are at least two parts where there are two rows, one for each worker.

    >>> [len(part) for part in parts(list(range(10)), 4)]
    [3, 3, 4]
    """
    least = PARTS if device().type == "cpu" else 1
    number = min(len(rows), max(least, -(-len(rows) // microbatch_size)))
    bounds = [i * len(rows) // number for i in range(number + 1)] if number else []
    return [rows[a:b] for a, b in itertools.pairwise(bounds)]


def parts_by_length(
    rows: Iterable[int], lengths: Sequence[int], microbatch_size: int
) -> list[list[int]]:
    """Cut a batch, the longest rows first, into parts that cost the same.

    A part of n rows is as wide as its longest, so that it costs n times as much. As few parts as
    hold no more than ``microbatch_size`` rows of the greatest length, or as many tokens in shorter
    ones; on a CPU at least two, so that no worker waits for the other.

    Args:
        rows: which rows.
        lengths: tokens of every row, also of those that are not in ``rows``.
        microbatch_size: what memory holds, in rows of the greatest length.

    >>> parts_by_length([0, 1, 2, 3, 4], [10, 9, 3, 3, 3], 4)
    [[0, 1], [2, 3, 4]]
    """
    order = sorted(rows, key=lambda row: -lengths[row])
    if not order:
        return []
    widths = [max(1, lengths[row]) for row in order]
    least = PARTS if device().type == "cpu" else 1
    number = min(len(order), max(least, len(_bounds(widths, microbatch_size * widths[0])) - 1))
    enough = range(widths[0], len(order) * widths[0] + 1)
    at = bisect.bisect_left(enough, True, key=lambda work: len(_bounds(widths, work)) - 1 <= number)
    return [order[a:b] for a, b in itertools.pairwise(_bounds(widths, enough[at]))]


def number_by_row(
    compute: Callable[[list[int]], list[float]], lengths: Sequence[int], microbatch_size: int
) -> list[float]:
    """One number a row, without gradients, computed in ``parts_by_length``.

    Args:
        compute: the numbers of some rows.
        lengths: tokens of every row.
        microbatch_size: what memory holds, in rows of the greatest length.

    >>> number_by_row(lambda rows: [10.0 * row for row in rows], [3, 9, 1], 2)
    [0.0, 10.0, 20.0]
    """
    cut = parts_by_length(range(len(lengths)), lengths, microbatch_size)
    found = [0.0] * len(lengths)
    with torch.no_grad():
        for rows, numbers in zip(cut, in_order(compute, cut), strict=True):
            for row, number in zip(rows, numbers, strict=True):
                found[row] = number
    return found


def _bounds(widths: list[int], most: int) -> list[int]:
    """Where to cut rows of falling width so that no part costs more than ``most``."""
    bounds = [0]
    while bounds[-1] < len(widths):
        start = bounds[-1]
        bounds.append(min(len(widths), start + most // widths[start]))
    return bounds


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers(), thread_name_prefix="accord")
