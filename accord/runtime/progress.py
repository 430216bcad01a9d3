"""Progress bars with the time left, on a terminal; silence anywhere else."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

T = TypeVar("T")

Advance = Callable[..., None]  #: advance(1, "loss 2.31"): steps done, and a note beside the bar


def progress_of(console: Console) -> Progress:
    """The columns of every bar; nothing is drawn where there is no terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal)


@contextmanager
def bar(total: int, description: str, *, completed: int = 0) -> Iterator[Advance]:
    """A bar over ``total`` steps, ``completed`` of which were done by an earlier run.

    Yields:
        A function to call after each step: ``advance(steps=1, note="")``.
    """
    with progress_of(Console(stderr=True)) as progress:
        task = progress.add_task(description, total=total, completed=completed, note="")

        def advance(steps: int = 1, note: str = "") -> None:
            progress.advance(task, steps)
            if note:
                progress.update(task, note=note)

        yield advance


def track(items: Iterable[T], total: int, description: str) -> Iterator[T]:
    """The items one after another, with a bar."""
    with bar(total, description) as advance:
        for item in items:
            yield item
            advance()
