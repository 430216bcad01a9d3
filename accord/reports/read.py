"""Read a run's directory: which stages there are, how far they came, what their files say.

Nothing here raises because of what a file holds. What is missing is None; what cannot be read is
None and noted in ``Run.problems``, which the report prints.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import ValidationError

from accord.config import InputError
from accord.reports.schemas import Done, Environment, Lenient, RunFile, StageEntry

T = TypeVar("T")
M = TypeVar("M", bound=Lenient)

ROUND = re.compile(r"(?P<stage>.+?)_(?P<round>\d+)$")  # sample_2 is the stage `sample`, round 2
FOLDER = re.compile(r"\d+-(?P<name>.+)$")


@dataclass(frozen=True)
class Source:
    """A file of the run, as the report links to it."""

    path: str  #: relative to the report, with forward slashes

    @property
    def href(self) -> str:
        """A relative link; the leading ``./`` keeps any name from being read as a scheme."""
        return "./" + quote(self.path)


@dataclass(frozen=True)
class Sourced(Generic[T]):
    """A value together with the file that it came from and the stage that wrote the file."""

    value: T
    source: Source
    stage: str


@dataclass(frozen=True)
class Stage:
    """One stage of the run and what is known of it without opening its output."""

    name: str
    stage: str
    folder: str
    config: dict[str, Any]
    started: bool
    done: Done | None
    environment: Environment | None


@dataclass
class Run:
    """A run's directory, opened for reading."""

    directory: Path
    title: str
    seed: int | None
    command: str
    stages: tuple[Stage, ...] = ()
    problems: list[str] = field(default_factory=list)  #: files that could not be read, and why

    def of_stage(self, *kinds: str) -> list[Stage]:
        """The stages of these kinds, in the order of the run."""
        return [stage for stage in self.stages if stage.stage in kinds]

    def find(self, stage: Stage, *names: str) -> Path | None:
        """The first of these files that the stage has written."""
        for name in names:
            path = self.directory / stage.folder / name
            if path.is_file():
                return path
        return None

    def source(self, path: Path) -> Source:
        """The link to a file of this run."""
        return Source(path.relative_to(self.directory).as_posix())

    def read(self, stage: Stage, kind: type[M], *names: str) -> Sourced[M] | None:
        """One JSON file of a stage as a model, or None if it is missing or unreadable."""
        path = self.find(stage, *names)
        if path is None:
            return None
        value = self._parsed(path, kind, load_json(path, self.problems, self.directory))
        return None if value is None else Sourced(value, self.source(path), stage.name)

    def read_lines(self, stage: Stage, kind: type[M], *names: str) -> Sourced[list[M]] | None:
        """One JSON Lines file of a stage; lines that cannot be read are left out and noted."""
        path = self.find(stage, *names)
        if path is None:
            return None
        parsed = (self._parsed(path, kind, line) for line in self.lines(path))
        values = [value for value in parsed if value is not None]
        return Sourced(values, self.source(path), stage.name)

    def lines(self, path: Path) -> Iterator[Any]:
        """Each line of a JSON Lines file; a line that is none, as a killed run leaves, is noted."""
        name = self.source(path).path
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield json.loads(line, parse_constant=lambda _: None) if line.strip() else None
                except ValueError as error:
                    note(self.problems, f"{name}, line {number}: {error}")

    def _parsed(self, path: Path, kind: type[M], raw: Any) -> M | None:
        if raw is None:
            return None
        try:
            return kind.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the whole file"
            note(self.problems, f"{self.source(path).path}: {where}: {first['msg']}")
            return None


def read_run(directory: Path) -> Run:
    """Open a run's directory.

    Raises:
        InputError: there is no such directory, or nothing in it looks like a run.
    """
    if not directory.is_dir():
        raise InputError(f"no directory `{directory}`; give the directory of a run")
    problems: list[str] = []
    entries, listed = _entries(directory, problems)
    if not entries and listed is None:
        raise InputError(
            f"`{directory}` holds no run: neither `run.json` nor an artifact; "
            "give the directory that `accord run` wrote to"
        )
    run = Run(
        directory,
        title=listed.title if listed else "",
        seed=listed.seed if listed else None,
        command=listed.command if listed else "",
        problems=problems,
    )
    run.stages = tuple(_stage(run, entry) for entry in entries)
    return run


def _entries(directory: Path, problems: list[str]) -> tuple[list[StageEntry], RunFile | None]:
    """The stages that ``run.json`` lists, else the folders that look like artifacts."""
    listed = None
    if (directory / "run.json").is_file():
        raw = load_json(directory / "run.json", problems, directory)
        try:
            listed = None if raw is None else RunFile.model_validate(raw)
        except ValidationError as error:
            note(problems, f"run.json: {error.errors()[0]['msg']}")
    if listed and listed.stages:
        inside = [entry for entry in listed.stages if _is_inside(directory, entry.folder)]
        for entry in listed.stages:
            if entry not in inside:
                note(problems, f"run.json: the folder of `{entry.name}` is not inside the run")
        return inside, listed
    folders = sorted(p for p in directory.iterdir() if (p / "config.json").is_file())
    names = [(match["name"] if (match := FOLDER.match(p.name)) else p.name) for p in folders]
    pairs = zip(names, folders, strict=True)
    return [StageEntry(name=name, folder=path.name) for name, path in pairs], listed


def _is_inside(directory: Path, folder: str) -> bool:
    """True unless a hand-made run file points out of the run."""
    target = (directory / folder).resolve()
    return bool(folder) and directory.resolve() in target.parents


def _stage(run: Run, entry: StageEntry) -> Stage:
    folder = run.directory / entry.folder
    match = ROUND.match(entry.name)
    bare = Stage(
        name=entry.name,
        stage=entry.stage or (match["stage"] if match else entry.name),
        folder=entry.folder,
        config=entry.config,
        started=(folder / "config.json").is_file(),
        done=None,
        environment=None,
    )
    done = run.read(bare, Done, "DONE.json")
    environment = run.read(bare, Environment, "environment.json")
    config = entry.config
    if (folder / "config.json").is_file():
        own = load_json(folder / "config.json", run.problems, run.directory)
        config = own if isinstance(own, dict) else config
    return Stage(
        name=bare.name,
        stage=bare.stage,
        folder=bare.folder,
        config=config,
        started=bare.started,
        done=done.value if done else None,
        environment=environment.value if environment else None,
    )


def load_json(path: Path, problems: list[str], directory: Path) -> Any:
    """The file's JSON, or None and a note; NaN and infinities count as missing."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda _: None)
    except (OSError, ValueError) as error:
        note(problems, f"{path.relative_to(directory).as_posix()}: {_reason(error)}")
        return None


def count_lines(path: Path) -> int:
    """How many records a JSON Lines file holds."""
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())


def note(problems: list[str], problem: str) -> None:
    """Remember a problem once."""
    if problem not in problems:
        problems.append(problem)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
