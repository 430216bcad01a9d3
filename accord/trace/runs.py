"""A finished or unfinished run as it lies on the disk: its stages and what they read."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from accord.config import InputError
from accord.runtime import artifacts

LEDGER = "ledger"
LEDGER_FILE = "ledger.sqlite"
FOLDER = re.compile(r"(?:\d+-)?(?P<name>(?P<stage>.+?)(?:_\d+)?)")  # 07-ppo_1: ppo_1, ppo


class Entry(BaseModel):
    """One stage as ``run.json`` lists it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    stage: str
    folder: str
    inputs: dict[str, Any] = {}


class _Listing(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    stages: tuple[Entry, ...]


@dataclass(frozen=True)
class Run:
    """The stages of a run by name, in order."""

    directory: Path
    stages: dict[str, Entry]

    def folder(self, name: str) -> Path:
        """Where the stage of this name writes."""
        return self.directory / self.stages[name].folder

    def started(self) -> Iterator[tuple[Entry, Path]]:
        """The stages that have begun, with their folders."""
        for entry in self.stages.values():
            folder = self.directory / entry.folder
            if artifacts.is_artifact(folder):
                yield entry, folder

    def reads(self, entry: Entry) -> list["Reading"]:
        """Everything that a stage read, as the run lies here now."""
        described = artifacts.read_json(self.directory / entry.folder / "inputs.json")
        return list(_readings(self, "", entry.inputs, described))


@dataclass(frozen=True)
class Reading:
    """One input of a stage.

    Attributes:
        name: of the input; ``policies.sft`` within a table.
        stage: the earlier stage that made it, if one of this run did.
        path: where it is now; None for a hub id or a store.
        text: the hub id, or the URL of the store.
        digest: what it was when it was read; empty without a path.
    """

    name: str
    stage: str | None
    path: Path | None
    text: str
    digest: str


def read_run(directory: Path) -> Run:
    """Read ``run.json``; without one, take the artifacts in the folder for what their names say.

    Raises:
        InputError: the directory holds no run.
    """
    path = directory / "run.json"
    if not path.is_file():
        return read_folders(directory)
    try:
        listing = _Listing.model_validate(artifacts.read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"`{path}`: {first['msg']}; run the same command again") from error
    return Run(directory, {entry.name: entry for entry in listing.stages})


def read_folders(directory: Path) -> Run:
    """Stages that were run one by one into folders of one directory.

    Raises:
        InputError: no folder in it is an artifact.
    """
    folders = sorted(directory.iterdir()) if directory.is_dir() else []
    matches = [FOLDER.fullmatch(folder.name) for folder in folders if artifacts.is_artifact(folder)]
    if not matches:
        raise InputError(f"`{directory}` holds no run; give the folder of a run or an artifact")
    entries = [Entry(name=m["name"], stage=m["stage"], folder=m[0]) for m in matches if m]
    return Run(directory, {entry.name: entry for entry in entries})


def _readings(run: Run, name: str, written: Any, described: Any) -> Iterator[Reading]:
    """Walk what the run file says and what was recorded side by side."""
    if isinstance(described, list):
        names = written if isinstance(written, list) else [None] * len(described)
        for inner, recorded in zip(names, described, strict=False):
            yield from _readings(run, name, inner, recorded)
    elif not isinstance(described, dict):
        if described is not None:
            yield Reading(name, None, None, str(described), "")
    elif set(described) == {"url"}:
        yield Reading(name, None, None, str(described["url"]), "")
    elif set(described) == {"path", "digest"}:
        stage, path = _place(run, written, Path(described["path"]))
        yield Reading(name, stage, path, "", described["digest"])
    else:
        inner_written = written if isinstance(written, dict) else {}
        for key, recorded in described.items():
            inner_name = f"{name}.{key}" if name else key
            yield from _readings(run, inner_name, inner_written.get(key), recorded)


def _place(run: Run, written: Any, recorded: Path) -> tuple[str | None, Path]:
    """The earlier stage and the present place of an input; the run may have been moved."""
    stage, _, rest = written.partition("/") if isinstance(written, str) else ("", "", "")
    if stage in run.stages:
        folder = run.folder(stage)
        return stage, folder / "output" / rest if rest else folder
    for name in run.stages:
        if recorded.is_relative_to(run.folder(name).absolute()):
            return name, recorded
    return None, recorded
