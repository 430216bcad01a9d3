"""Files in and out over the web: the functions of ``accord import`` and ``accord export``."""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from pydantic import BaseModel

from accord.config import InputError
from accord.data import formats
from accord.data.formats import folder, importing
from accord.data.formats.reading import Format, Options
from accord.store import foreign, projects, views
from accord.web.deps import State

ENDINGS = (".jsonl", ".json", ".jsonl.gz", ".json.gz", ".csv", ".tsv")
JSON_LISTS = (".json", ".json.gz")

RecordKind = Literal["comparisons", "written", "ratings", "conversations"]
RECORDS: dict[RecordKind, Callable[..., Iterator[BaseModel]]] = {
    "comparisons": views.comparisons,
    "written": views.written,
    "ratings": views.ratings,
    "conversations": views.conversations,
}


@dataclass(frozen=True)
class Exported:
    """A file that was written, and what its format could not hold."""

    path: Path
    report: dict[str, Any]


def known_formats() -> list[Format]:
    """Every format, by name."""
    return [formats.FORMATS[name] for name in sorted(formats.FORMATS)]


def take(
    state: State, project: str, form: Format, name: str, file: IO[bytes], *, items_only: bool
) -> dict[str, Any]:
    """Read a file into a project: all of it, or nothing.

    Args:
        state: the server.
        project: whose items they become.
        form: of the file.
        name: as its sender calls it; its ending says whether it is packed.
        file: its bytes.
        items_only: True leaves the votes of the file out, to be judged here.

    Returns:
        The report on what was read and what was new.

    Raises:
        InputError: a row is not what the format says; names file, line and field.
    """
    with state.reading() as session:
        projects.get(session, project)
    with (
        kept(name, file) as path,
        importing.waiting_room(form, [path], Options()) as room,
    ):
        waiting, report = room
        foreign.import_all(
            state.store,
            waiting,
            report,
            now=state.clock(),
            project=project,
            with_votes=not items_only,
        )
    return report


@contextmanager
def give(
    state: State,
    project: str,
    form: Format,
    *,
    without: Sequence[str] = (),
    with_paused: bool = False,
) -> Iterator[Exported]:
    """Write the votes of a project to a file, which is gone afterwards.

    Args:
        state: the server.
        project: whose votes.
        form: of the file.
        without: labelers whose votes are left out.
        with_paused: False leaves out the votes of those who are paused, too.

    Raises:
        InputError: no such project, or nothing of it has a place in the format.
    """
    with tempfile.TemporaryDirectory() as there:
        path = Path(there) / f"{project}-{form.name}.jsonl"
        with state.reading() as session:
            left_out = [*without, *([] if with_paused else foreign.paused(session))]
            found = foreign.entries(session, project=project, without=left_out)
            report = folder.export(form, found, path, f"project `{project}`")
        yield Exported(path, report)


@contextmanager
def give_records(
    state: State,
    project: str,
    kind: RecordKind,
    *,
    without: Sequence[str] = (),
    with_paused: bool = False,
) -> Iterator[Path]:
    """Write one data set of a project as Accord's records, one a line; see ``store.views``.

    Args:
        state: the server.
        project: whose answers.
        kind: of the records.
        without: labelers whose answers are left out.
        with_paused: False leaves out the answers of those who are paused, too.

    Raises:
        InputError: no such project.
    """
    with tempfile.TemporaryDirectory() as there:
        path = Path(there) / f"{project}-{kind}.jsonl"
        with state.reading() as session, path.open("w", encoding="utf-8") as file:
            left_out = [*without, *([] if with_paused else foreign.paused(session))]
            for record in RECORDS[kind](session, project, without=left_out):
                file.write(record.model_dump_json(by_alias=True) + "\n")
        yield path


def _plain(name: str, ending: str) -> str:
    """The name of a file, fit for every disk: formats take it for who judged, if nobody is named.

    >>> _plain("../../Team Ä.jsonl", ".jsonl")
    'Team__'
    """
    stem = Path(name.replace("\\", "/")).name[: -len(ending)]
    return re.sub(r"[^A-Za-z0-9_-]", "_", stem)[:60] or "upload"


@contextmanager
def kept(name: str, file: IO[bytes]) -> Iterator[Path]:
    """A file that was sent, on disk for as long as it is read; errors call it as its sender does.

    Raises:
        InputError: its ending is none of ``ENDINGS``.
    """
    ending = next((one for one in ENDINGS if name.casefold().endswith(one)), None)
    if ending is None:
        raise InputError(f"`{Path(name).name}` does not end with one of: {', '.join(ENDINGS)}")
    with tempfile.TemporaryDirectory() as there:
        path = Path(there) / (_plain(name, ending) + ending)
        with path.open("wb") as copy:
            shutil.copyfileobj(file, copy)
        try:
            yield path
        except InputError as error:
            raise InputError(str(error).replace(str(path), Path(name).name)) from None
