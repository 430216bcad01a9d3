"""Rows of data files, each with the place it came from, so that an error can name it.

A source is a file, a directory of files, or ``hf:NAME``: a data set on the Hugging Face hub, which
is the only thing here that uses the network.

    .jsonl .jsonl.gz   one JSON value a line      .json .json.gz   a JSON list, or a task of
    .txt .txt.gz       one text a file                             BIG-bench with `examples`
"""

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from accord.config import InputError
from accord.data.json_items import json_items

Source = Path | str  #: a path, or "hf:NAME"

HUB = "hf:"
LINES, LISTS, TEXTS = (".jsonl",), (".json",), (".txt",)
BEGINNING = 256  # characters that tell an object from a list
ENCODING = "utf-8-sig"  # UTF-8; the mark that some programs write before it is no text


@dataclass(frozen=True)
class Row:
    """One row of a source."""

    values: dict[str, Any]  #: a text file is ``{"text": ...}``, a line of text ``{"prompt": ...}``
    place: str  #: for error messages: `` `data.jsonl` line 3 ``
    source: str  #: the file's name without its endings
    line: int = 0  #: where it begins in its file, from 1; its number in a set of the hub

    def text(self, key: str) -> str:
        """A value that has to be text, without the spaces around it.

        Raises:
            InputError: it is missing, or is something else.
        """
        if key not in self.values:
            raise self.error(f"`{key}` is missing")
        value = self.values[key]
        if not isinstance(value, str):
            raise self.error(f"`{key}` is not text")
        return value.strip()

    def items(self, key: str) -> list[dict[str, Any]]:
        """A value that has to be a list of JSON objects.

        Raises:
            InputError: it is missing, or is something else.
        """
        value = self.values.get(key)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error(f"`{key}` is not a list of objects")
        return value

    def error(self, what: str) -> InputError:
        """The sentence about this row."""
        return InputError(f"{self.place}: {what}; correct the row or remove it")


def rows(source: Source) -> Iterator[Row]:
    """Every row of a source, file by file.

    Raises:
        InputError: nothing is there, a file has an unknown ending, or a row cannot be read.
    """
    if isinstance(source, str):
        yield from _of_hub(source)
        return
    for path in data_files(source):
        yield from _of_file(path)


def data_files(source: Path) -> list[Path]:
    """The file itself, or the data files of a directory in the order of their names.

    Files whose name is in capitals (LICENSE, README.txt, SOURCE.txt) are about the data, and are
    left out.

    Raises:
        InputError: nothing is there.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise InputError(f"no file or directory `{source}`; give the path of data")
    known = (*LINES, *LISTS, *TEXTS)
    found = sorted(path for path in source.rglob("*") if ending(path) in known)
    files = [path for path in found if path.is_file() and not _stem(path).isupper()]
    if not files:
        raise InputError(f"`{source}` holds no {', '.join(known)} file, packed with gzip or not")
    return files


def ending(path: Path) -> str:
    """``.jsonl`` of ``votes.jsonl`` and of ``votes.jsonl.gz``."""
    return path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix


def _stem(path: Path) -> str:
    return path.name.partition(".")[0]


def _of_file(path: Path) -> Iterator[Row]:
    readers = {".jsonl": _of_lines, ".json": _of_list, ".txt": _of_text}
    reader = readers.get(ending(path))
    if reader is None:
        raise InputError(
            f"`{path}` has an ending that is not known; give .jsonl, .json or .txt, "
            "packed with gzip or not"
        )
    try:
        with _opened(path) as file:
            yield from reader(path, file)
    except (OSError, EOFError) as error:
        raise InputError(f"`{path}` cannot be read: {error}; give another file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"`{path}` is not UTF-8 text: {error.reason}; convert it") from error


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding=ENCODING)
    return path.open(encoding=ENCODING)


def _of_lines(path: Path, file: IO[str]) -> Iterator[Row]:
    for number, line in enumerate(file, start=1):
        if line.strip():
            place = f"`{path}` line {number}"
            try:
                value = json.loads(line)
            except ValueError as error:
                raise InputError(f"{place}: not JSON: {error}; correct or remove it") from error
            yield _row(value, place, _stem(path), number)


def _of_list(path: Path, file: IO[str]) -> Iterator[Row]:
    begins = file.read(BEGINNING).lstrip()
    file.seek(0)
    if begins.startswith("{"):
        yield from _of_task(path, file)
        return
    try:
        for number, (line, value) in enumerate(json_items(file), start=1):
            yield _row(value, f"`{path}` item {number} (line {line})", _stem(path), line)
    except ValueError as error:
        if isinstance(error, UnicodeDecodeError):
            raise
        raise InputError(
            f"`{path}` is not a list of rows: {error}; give JSON Lines or a JSON list"
        ) from error


def _of_task(path: Path, file: IO[str]) -> Iterator[Row]:
    """The examples of a BIG-bench task: one JSON object that says more about itself."""
    try:
        examples = json.load(file).get("examples")
    except ValueError as error:
        raise InputError(f"`{path}` is not JSON: {error}; correct it") from error
    if not isinstance(examples, list):
        raise InputError(
            f"`{path}` is not a list of rows: it does not begin with `[` and has no list of "
            "`examples`; give JSON Lines or a JSON list"
        )
    for number, value in enumerate(examples, start=1):
        yield _row(value, f"`{path}` example {number}", _stem(path), number)


def _of_text(path: Path, file: IO[str]) -> Iterator[Row]:
    yield Row({"text": file.read()}, f"`{path}`", _stem(path))


def _row(value: Any, place: str, source: str, line: int) -> Row:
    if isinstance(value, str):
        return Row({"prompt": value}, place, source, line)
    if not isinstance(value, dict):
        raise InputError(f"{place}: neither an object nor text; correct the row or remove it")
    return Row(value, place, source, line)


def _of_hub(source: str) -> Iterator[Row]:
    """Rows of ``hf:NAME[/FOLDER][@REVISION][#SPLIT]``; the split is train unless it is named."""
    if not source.startswith(HUB):
        raise InputError(f"`{source}` is neither a path nor `hf:NAME`; give one of these")
    rest, _, split = source.removeprefix(HUB).partition("#")
    rest, _, revision = rest.partition("@")
    parts = rest.split("/")
    name, folder = "/".join(parts[:2]), "/".join(parts[2:])
    loaded = _load(name, data_dir=folder or None, revision=revision or None, split=split or "train")
    for number, value in enumerate(loaded, start=1):
        yield _row(value, f"`{source}` row {number}", name.rpartition("/")[2], number)


def _load(name: str, **options: str | None) -> Iterable[Any]:
    try:
        import datasets  # noqa: PLC0415 - an extra, needed for data sets on the hub only
    except ModuleNotFoundError as error:
        raise InputError(
            f"`hf:{name}` needs the package `datasets`; install it with `pip install 'accord[hub]'`"
        ) from error
    try:
        loaded: Iterable[Any] = datasets.load_dataset(name, **options)
    except (OSError, ValueError, RuntimeError) as error:
        first = str(error).partition("\n")[0]
        raise InputError(
            f"cannot load `hf:{name}` from the hub: {first}; check the name and the network"
        ) from error
    return loaded
