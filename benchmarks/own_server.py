"""The labelling server in a process of its own, as ``accord serve`` starts it."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

SECRET = "not-a-secret-" * 3
SECONDS_TO_START = 30.0
TICKS = os.sysconf("SC_CLK_TCK")


def spent(process: int) -> float:
    """Seconds of processor time that a process took so far, and those of its living children."""
    total = 0.0
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            continue  # it has ended
        after = fields.rpartition(")")[2].split()
        if int(folder.name) == process or int(after[1]) == process:
            total += (int(after[11]) + int(after[12])) / TICKS
    return total


def wait_for(port: int) -> None:
    """Until the server listens: it says its address a moment before."""
    end = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(0.01)


@contextmanager
def serving(database: str) -> Iterator[tuple[int, int]]:
    """A server on a database: its port and its process id."""
    environment = os.environ | {"ACCORD_SECRET": SECRET}
    command = [sys.executable, "-m", "accord.cli", "serve", "--no-sample", "--port", "0"]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [*command, "--database", database],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment | {"PYTHONUNBUFFERED": "1"},
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                found = re.search(r"at http://localhost:(\d+)", line)
                if found:
                    break
            else:
                errors.seek(0)
                raise RuntimeError(errors.read().decode()[-2000:])
            wait_for(int(found[1]))
            yield int(found[1]), process.pid
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()


FORKS = """
import os, signal, sys, psycopg, uvicorn
import accord.store.session, accord.web.app, accord.web.settings
from accord.cli.serve import serve
database, port = sys.argv[1], int(sys.argv[2])
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nothing of who ends is kept
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        sys.stdout = open(os.devnull, "w")
        serve(database=database, port=port, sample=False)
        os._exit(1)
    print(child, flush=True)
"""


class Starter:
    """Servers on one database and one port, one after another, each a process of its own.

    They are forked by a process that has imported everything, which saves a second a server.
    """

    def __init__(self, database: str, port: int) -> None:
        self.port = port
        self._server = 0
        self._forks = subprocess.Popen(
            [sys.executable, "-c", FORKS, database, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"ACCORD_SECRET": SECRET},
        )

    def start(self) -> None:
        """Start a server and wait until it listens."""
        assert self._forks.stdin is not None
        assert self._forks.stdout is not None
        self._forks.stdin.write("start\n")
        self._forks.stdin.flush()
        self._server = int(self._forks.stdout.readline())
        wait_for(self.port)

    def kill(self) -> None:
        """``kill -9``, and wait for the end."""
        if not self._server:
            return
        os.kill(self._server, signal.SIGKILL)
        while Path(f"/proc/{self._server}").exists():
            time.sleep(0.001)
        self._server = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._forks.communicate()
