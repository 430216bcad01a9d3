"""The run's own seal: ``manifest.json``, written after the report.

{"files": {"run.json": digest, "report.html": digest, "00-world/DONE.json": digest, ...},
 "ledger": {"digest": ..., "parts": see accord/trace/ledger.py},  "seal": digest of the rest}
"""

from pathlib import Path
from typing import Any

from accord.runtime import artifacts
from accord.trace.ledger import describe
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
        manifest["ledger"] = describe(ledger)
    artifacts.write_sealed(directory / MANIFEST, manifest)
    return directory / MANIFEST


def unseal(directory: Path) -> None:
    """Take the seal away before anything under it is written anew."""
    (directory / MANIFEST).unlink(missing_ok=True)
