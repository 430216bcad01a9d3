"""Hash everything again: artifacts, what they read, the report, the ledger and its votes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from accord.config import InputError
from accord.runtime import artifacts
from accord.trace.ledger import compare
from accord.trace.runs import LEDGER, LEDGER_FILE, Entry, Run, read_folders, read_run
from accord.trace.seal import MANIFEST
from accord.trace.votes import VOTES, changed_votes


@dataclass
class Findings:
    """What ``verify`` saw.

    Attributes:
        differing: a file and what is wrong with it, one sentence each.
        notes: what could not be checked, or has rightfully changed.
        files: how many files were hashed.
    """

    differing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: int = 0

    def differs(self, path: Path, what: str) -> None:
        """Name a file that is not what it was."""
        sentence = f"`{path}` {what}"
        if sentence not in self.differing:
            self.differing.append(sentence)


def verify(directory: Path) -> Findings:
    """Check a run, or a single artifact.

    Raises:
        InputError: the directory holds neither.
    """
    findings = Findings()
    if artifacts.is_artifact(directory):
        _artifact(directory, findings)
        return findings
    manifest = _manifest(directory, findings)
    run = _readable(directory, findings)
    digests: dict[Path, str] = {}
    for folder in sorted(directory.iterdir()):
        if artifacts.is_done(folder):
            _artifact(folder, findings)
        elif artifacts.is_artifact(folder) and folder.name not in _finished(manifest):
            findings.notes.append(f"`{folder}` is not finished; run the same command again")
    for entry, folder in run.started():
        if artifacts.is_done(folder):
            _inputs(run, entry, digests, findings)
            _votes(run, entry, folder, findings)
    _ledger(directory, manifest.get("ledger"), findings)
    return findings


def _readable(directory: Path, findings: Findings) -> Run:
    """The run as ``run.json`` lists it, or as its folders say where that file is damaged."""
    try:
        return read_run(directory)
    except InputError:
        if not findings.differing:
            raise
        return read_folders(directory)


def _finished(manifest: dict[str, Any]) -> set[str]:
    """Folders that were finished when the run was sealed."""
    return {name.partition("/")[0] for name in manifest.get("files", {}) if "/" in name}


def _manifest(directory: Path, findings: Findings) -> dict[str, Any]:
    path = directory / MANIFEST
    if not path.is_file():
        if (directory / "report.html").is_file():
            findings.differs(path, "is missing")  # it is written right after the report
        else:
            findings.notes.append(f"no `{path}`: the run has not come to its end")
        return {}
    findings.files += 1
    if not artifacts.is_sealed(path):
        findings.differs(path, "was changed")
        return {}
    manifest: dict[str, Any] = artifacts.read_json(path)
    _files(directory, manifest["files"], findings)
    return manifest


def _artifact(folder: Path, findings: Findings) -> None:
    """The files of one artifact against its ``DONE.json``, and that against itself."""
    path = folder / "DONE.json"
    if not path.is_file():
        findings.notes.append(f"`{folder}` is not finished; run the same command again")
        return
    findings.files += 1
    if not artifacts.is_sealed(path):
        findings.differs(path, "was changed")
        return
    done = artifacts.read_json(path)
    _files(folder, done["files"], findings)
    for file in artifacts.sealed_files(folder):
        if file.relative_to(folder).as_posix() not in done["files"]:
            findings.differs(file, "was not there when the stage finished")


def _files(folder: Path, digests: dict[str, str], findings: Findings) -> None:
    for name, digest in digests.items():
        path = folder / name
        findings.files += 1
        if not path.is_file():
            findings.differs(path, "is missing")
        elif artifacts.digest(path) != digest:
            findings.differs(path, "was changed")


def _inputs(run: Run, entry: Entry, digests: dict[Path, str], findings: Findings) -> None:
    """What a stage read against what is there now."""
    recorded = run.directory / entry.folder / "inputs.json"
    try:
        readings = run.reads(entry)
    except InputError as error:
        findings.differing.append(str(error))
        return
    for reading in readings:
        if reading.path is None:
            continue
        if not reading.path.exists():
            text = f"`{entry.name}` read `{reading.path}`, which is not here any more"
            (findings.differing if reading.stage else findings.notes).append(text)
            continue
        if reading.path not in digests:
            whole = artifacts.is_artifact(reading.path)
            place = reading.path / "output" if whole else reading.path
            digests[reading.path] = artifacts.digest(place)
        if digests[reading.path] != reading.digest:
            findings.differs(reading.path, f"is not what `{entry.name}` read ({recorded})")


def _votes(run: Run, entry: Entry, folder: Path, findings: Findings) -> None:
    """The votes that were collected against those in the ledger."""
    if not (folder / "output" / VOTES).is_file() or "store" not in entry.inputs:
        return
    ledger = run.directory / LEDGER_FILE
    store = entry.inputs["store"]
    if store == LEDGER and ledger.is_file():
        store = f"sqlite:///{ledger.absolute()}"
    elif store == LEDGER:
        store = next(reading.text for reading in run.reads(entry) if reading.name == "store")
    try:
        difference = changed_votes(folder, store)
    except InputError as error:
        difference = str(error)
    except (DBAPIError, ValueError) as error:
        difference = f"the ledger cannot be read: {str(error).splitlines()[0]}"
    if difference:
        findings.differing.append(difference)


def _ledger(directory: Path, sealed: dict[str, Any] | None, findings: Findings) -> None:
    """The ledger may have grown since the run ended; what was there must be as it was."""
    if sealed is None:
        return
    path = directory / LEDGER_FILE
    if not path.is_file():
        findings.differs(path, "is missing")
        return
    findings.files += 1
    differing, grown = compare(path, sealed)
    for what in differing:
        findings.differs(path, what)
    if grown:
        findings.notes.append(f"`{path}` has grown since the run ended: {', '.join(grown)}")
