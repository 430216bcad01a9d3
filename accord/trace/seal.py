"""The run's own seal: ``manifest.json``, written after the report.

{"files": {"run.json": digest, "report.html": digest, "00-world/DONE.json": digest, ...},
 "ledger": {"digest": ..., "events": ...},  "seal": digest of the rest}
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from accord.runtime import artifacts
from accord.trace.runs import LEDGER_FILE

MANIFEST = "manifest.json"
RUN_FILES = ("run.json", "report.html")


def seal(directory: Path) -> Path:
    """Write down the digest of everything that a run has come to.

    A folder without ``run.json``, such as a single artifact, is sealed the same way.
    """
    done = sorted(directory.glob("*/DONE.json"))
    files = [path for name in RUN_FILES if (path := directory / name).is_file()] + done
    manifest: dict[str, Any] = {
        "files": {path.relative_to(directory).as_posix(): artifacts.digest(path) for path in files}
    }
    ledger = directory / LEDGER_FILE
    if ledger.is_file():
        events = count_events(ledger)
        manifest["ledger"] = {"digest": artifacts.digest(ledger), "events": events}
    artifacts.write_sealed(directory / MANIFEST, manifest)
    return directory / MANIFEST


def unseal(directory: Path) -> None:
    """Take the seal away before anything under it is written anew."""
    (directory / MANIFEST).unlink(missing_ok=True)


def count_events(ledger: Path) -> int:
    """How many things have happened in a ledger; its log is folded into the file first."""
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (count,) = connection.execute("SELECT count(*) FROM events").fetchone()
    return int(count)
