"""A lock on a directory, so that two runs never write the same place.

The operating system holds it and lets go when the process ends, however it ends: a run that was
killed leaves no stale lock behind. The file itself stays, always empty.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from accord.config import InputError

LOCK = ".lock"


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Make the directory and hold it for this process.

    Raises:
        InputError: another process holds it, or it cannot be made or written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / LOCK).open("a")
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise InputError(
            f"cannot write in `{directory}`: {error.strerror}; choose another directory"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"another run is writing `{directory}`; wait for it or choose another directory"
            ) from error
        yield
