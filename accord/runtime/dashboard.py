"""A live view of a training loop on a terminal: progress, time left, and the latest numbers.

    ppo ━━━━━━━━━━━━  12/40  0:01:10  left 0:02:40
    reward     0.91  ▁▂▃▄▅▆▇    KL  3.2  ▁▂▃    ...

Silent where there is no terminal, as ``progress`` is.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from accord.runtime.progress import Advance, progress_of

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 16  # values in a line; older ones have left it
ACROSS = 2  # metrics side by side


class Dashboard:
    """The latest value of some metrics, each with a line of those before it."""

    def __init__(self, names: Mapping[str, str], console: Console | None = None) -> None:
        """Args: ``names``: what to call each metric; those that are never shown are left out."""
        self._names = dict(names)
        self._values: dict[str, list[float]] = {}
        self._console = console or Console(stderr=True)
        self._live: Live | None = None
        self._progress = progress_of(self._console)

    def show(self, values: Mapping[str, float]) -> None:
        """Take in the numbers of one step."""
        for key in self._names:
            if key in values:
                self._values.setdefault(key, []).append(float(values[key]))
        if self._live is not None:
            self._live.update(self._render())

    @contextmanager
    def bar(self, total: int, description: str, *, completed: int = 0) -> Iterator[Advance]:
        """As ``progress.bar``, with the numbers below it."""
        task = self._progress.add_task(description, total=total, completed=completed, note="")

        def advance(steps: int = 1, note: str = "") -> None:
            self._progress.update(task, advance=steps, note=note)
            if self._live is not None:
                self._live.update(self._render())

        if not self._console.is_terminal:
            yield advance
            return
        with Live(self._render(), console=self._console, refresh_per_second=4) as self._live:
            yield advance
        self._live = None

    def _render(self) -> Group:
        return Group(self._progress, _table(self._names, self._values))


def _table(names: Mapping[str, str], values: Mapping[str, Sequence[float]]) -> Table:
    table = Table.grid(padding=(0, 2))
    cells: list[str] = []
    for key, name in names.items():
        if values.get(key):
            cells += [name, f"{values[key][-1]:.4g}", sparkline(values[key][-WIDTH:])]
    for start in range(0, len(cells), 3 * ACROSS):
        table.add_row(*cells[start : start + 3 * ACROSS])
    return table


def sparkline(values: Sequence[float]) -> str:
    """A line of small bars, from the smallest value to the largest; a dot where there is none.

    >>> sparkline([0.0, 1.0, 2.0, float("nan")])
    '▁▄█·'
    """
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    scale = (len(BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(
        BLOCKS[int((value - low) * scale)] if math.isfinite(value) else "·" for value in values
    )
