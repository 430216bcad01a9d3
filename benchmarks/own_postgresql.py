"""A PostgreSQL of one's own, where its programs are installed, for tests and measurements."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FREE_USERS = ("postgres", "nobody")  # PostgreSQL refuses to run as root


class Unavailable(RuntimeError):
    """There is no PostgreSQL here, or nobody who may run one; says why."""


def programs() -> Path | None:
    """The folder with initdb and pg_ctl, or None."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    for place in [Path(found).resolve().parent] if found else places:
        if (place / "initdb").is_file() and (place / "pg_ctl").is_file():
            return place
    return None


def user() -> str | None:
    """Who may run a cluster: None for ourselves, a name when we are root, "" when nobody can."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in FREE_USERS if name in known), "")


@contextmanager
def cluster(*, is_safe: bool = False, keep: Path | None = None) -> Iterator[str]:
    """URL of a PostgreSQL that lives as long as the block.

    Args:
        is_safe: it waits for the disk at each commit, as PostgreSQL does by itself.
        keep: folder of its data, made when it is not there and used again when it is.

    Raises:
        Unavailable: it cannot be started here.
    """
    place, owner = programs(), user()
    if place is None or owner == "":
        raise Unavailable("no initdb and pg_ctl of PostgreSQL, or no user to run it")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # a socket needs a short path
    if owner:
        shutil.chown(folder, owner)
    data = keep or folder / "data"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def call(program: str, *arguments: str) -> None:
        command = [str(place / program), *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, user=owner, cwd=folder, check=False
        )
        if done.returncode:
            shutil.rmtree(folder)
            raise Unavailable(f"{program} failed: {(done.stdout + done.stderr)[-300:]}")

    if not (data / "PG_VERSION").is_file():
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            if owner:
                shutil.chown(keep, owner)
        call("initdb", "-D", str(data), "-U", "accord", "--auth=trust", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    options += "" if is_safe else " -c fsync=off"
    call("pg_ctl", "-D", str(data), "-o", options, "-l", f"{folder}/log", "-w", "start")
    try:
        yield f"postgresql+psycopg://accord@127.0.0.1:{port}/postgres"
    finally:
        how = "fast" if keep is not None else "immediate"
        call("pg_ctl", "-D", str(data), "-m", how, "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)
