"""What the user sees when something is wrong: one sentence and an exit status, no traceback.

0    done
1    the machine failed: disk full, no permission, out of memory; or `verify` found a difference
2    what was given cannot be used: an unknown key, a missing file, a folder of another run
130  stopped with Ctrl-C; the same command goes on
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console

from accord.config import InputError
from accord.runtime.artifacts import Mismatch

MACHINE, USER, STOPPED = 1, 2, 130
FULL = ("No space left on device", "disk is full", "Disk quota exceeded")
NO_MEMORY = ("out of memory", "can't allocate memory", "Cannot allocate memory")
TRACEBACK = "ACCORD_TRACEBACK"  # environment variable: show where an unexpected error came from


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn every error into one sentence and the exit status above; use it as a decorator."""
    try:
        yield
    except (InputError, Mismatch) as error:
        _end(str(error), USER)
    except KeyboardInterrupt:
        _end("stopped; run the same command again to go on", STOPPED, label="")
    except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
        raise
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        _end(_sentence(error), MACHINE)


def _end(sentence: str, status: int, *, label: str = "error: ") -> NoReturn:
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(f"{label}{sentence}", markup=False, style="red" if label else "")
    raise typer.Exit(status)


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split())
    if _says(error, FULL) or (isinstance(error, OSError) and error.errno == errno.ENOSPC):
        return "the disk is full; free some space and run the same command again to go on"
    if isinstance(error, MemoryError) or _says(error, NO_MEMORY):
        return "not enough memory; lower `microbatch_size` or use a smaller model"
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: `{error.filename}`"
    return (
        f"unexpected {type(error).__name__}: {text or 'no message'}; "
        f"this is a fault of Accord, `{TRACEBACK}=1` before the command shows where"
    )


def _says(error: BaseException | None, phrases: tuple[str, ...]) -> bool:
    """True when the error, or one that caused it, contains one of the phrases."""
    while error is not None:
        if any(phrase in str(error) for phrase in phrases):
            return True
        error = error.__cause__
    return False
