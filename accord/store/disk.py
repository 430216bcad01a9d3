"""Commits brought to the disk, many at once.

A commit in SQLite's write-ahead log is safe from a power cut when the log is on the disk. Waiting
for that takes as long as everything else in a vote, or longer, and a writer that waits keeps the
next one waiting too. So a writer first gives its turn to the next, and then waits: whoever comes
to the disk first waits for all that were committed before, the others for it.

The log is written in the order of the commits, so what a commit was based on is on the disk with
it. A disk that refused once may have dropped what it was given and say yes the next time; so from
then on nothing more is said to be safe until the store is opened again. SQLite itself brings the
log to the disk before it moves anything into the file (``synchronous=NORMAL``).
"""

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Log:
    """The write-ahead log of one SQLite file, as the threads of this process wait for it."""

    path: Path
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _asked: int = 0  #: number of the last that began to wait
    _safe: int = 0  #: number of the last that is on the disk
    _busy: bool = False  #: somebody waits for the disk itself
    _refused: OSError | None = None  #: what the disk said when it refused

    def wait(self) -> None:
        """Return when everything that was committed before is on the disk.

        Raises:
            OSError: the disk refuses, or refused an earlier commit, so nobody may rely on this one.
        """
        with self._changed:
            self._asked += 1
            own = self._asked
            self._changed.wait_for(lambda: self._safe >= own or not self._busy)
            if self._safe >= own:
                return
            if self._refused is not None:
                raise OSError(f"the disk refused an earlier commit: {self._refused}")
            self._busy, covered = True, self._asked
        is_safe = False
        try:
            self._to_disk()
            is_safe = True
        except OSError as error:
            self._refused = error
            raise
        finally:
            with self._changed:
                self._busy = False
                self._safe = max(self._safe, covered if is_safe else 0)
                self._changed.notify_all()

    def _to_disk(self) -> None:
        try:
            handle = os.open(self.path, os.O_RDWR)
        except FileNotFoundError:
            return  # all of it was moved into the file, which SQLite brought to the disk
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def log_of(database: str | None) -> Log | None:
    """The log of a SQLite file; None for a database in memory, which is on no disk."""
    return Log(Path(f"{database}-wal")) if database and database != ":memory:" else None
