"""Rows of vote files as columns, some thousand rows at a time.

    .jsonl .jsonl.gz     one JSON object a line; also called .ndjson
    .json .json.gz       a list of such objects, as arenas publish them, or one a line
    .csv .csv.gz .tsv    a header, then one row a line; comma, semicolon or tab between cells
    .parquet             needs pyarrow: pip install 'accord[parquet]'

A column comes as its distinct values and which of them each row has, so that whatever is checked
or translated is done once for each distinct value and not once a row. Every batch knows where its
rows stood, so that an error can name the line.
"""

import csv
import gzip
import io
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, islice
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json

from accord.config import InputError, nearest

IntArray = NDArray[np.int64]

BATCH = 3_000  # rows at a time: they stay in the processor's cache
PARQUET_BATCH = 500_000
NEEDED = ("a", "b", "winner")
OPTIONAL = (
    "labeler",
    "prompt",
    "side",
    "criterion",
    "len_a",
    "len_b",
    "weight",
    "strength",
    "turn",
)
ONE_HOT = ("winner_model_a", "winner_model_b", "winner_tie")  # a column for each outcome
OTHER_NAMES = {  # as arenas and British spelling have them
    "model_a": "a",
    "model_b": "b",
    "labeller": "labeler",
    "judge": "labeler",
    "prompt_id": "prompt",
    "question_id": "prompt",
}
ENDINGS = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
LINES = (".jsonl", ".ndjson", ".json")
DELIMITERS = ",;\t"
IMPORTED = {  # columns by which a format of `accord import` is known -> its name
    ("summaries", "choice"): "summaries",
    ("message_tree_id",): "oasst",
    ("a1", "a2", "votes"): "convincing-arguments",
    ("completion_a", "completion_b", "preference"): "tulu",
    ("chosen", "rejected"): "trl",
}
BOM = b"\xef\xbb\xbf"  # before the text of some editors


@dataclass(frozen=True)
class Column:
    """One column of a batch."""

    values: Sequence[Any]  #: distinct values; None or an empty text is a missing one
    codes: IntArray  #: index into ``values`` of each row


@dataclass(frozen=True)
class Batch:
    """Some rows of a file; columns that the file does not have are not there."""

    columns: dict[str, Column]
    places: Sequence[int]  #: line, or row of a Parquet file, counted from 1
    file: Path
    written: dict[str, str]  #: our name of a column -> the name in the file

    def error(self, column: str, value: int, what: str, remedy: str) -> InputError:
        """The sentence about the first row that has the value with the given index."""
        return self.error_at(
            column, int(np.argmax(self.columns[column].codes == value)), what, remedy
        )

    def error_at(self, column: str, row: int, what: str, remedy: str) -> InputError:
        """The sentence about one row."""
        place = {".parquet": "row", ".json": "entry"}.get(ending(self.file), "line")
        name = self.written.get(column, column)
        return InputError(f"`{self.file}` {place} {self.places[row]}: `{name}` {what}; {remedy}")


def ending(path: Path) -> str:
    """``.jsonl`` of ``votes.jsonl.gz``."""
    return path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix


def batches(path: Path, optional: Sequence[str] = OPTIONAL) -> Iterator[Batch]:
    """Every row of a vote file, in batches of columns.

    Args:
        path: a file of votes.
        optional: columns to read if they are there, besides those of ``NEEDED``.

    Raises:
        InputError: the file is missing or empty, has an unknown ending, lacks a column, or a line
            cannot be read; names the line.
    """
    readers: dict[str, Callable[[Path, Sequence[str]], Iterator[Batch]]] = {
        **dict.fromkeys(LINES, _of_lines),
        ".csv": _of_cells,
        ".tsv": _of_cells,
        ".parquet": _of_parquet,
    }
    if not path.is_file():
        raise InputError(f"no file `{path}`; give votes as {', '.join(ENDINGS)}")
    reader = readers.get(ending(path))
    if reader is None:
        raise InputError(
            f"`{path}` has an ending that is not known; give votes as {', '.join(ENDINGS)}"
        )
    empty = True
    with _readable(path):
        for batch in reader(path, optional):
            empty = False
            yield batch
    if empty:
        raise InputError(f"`{path}` holds no votes; give a file with at least one row")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what a damaged file raises into a sentence."""
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"`{path}` cannot be read: {error}; give another file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"`{path}` is not UTF-8 text: {error.reason}; convert it") from error


def json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Number and value of every line that is not blank, or of every entry of a list in ``.json``.

    Raises:
        InputError: the file cannot be read, or a line is not JSON.
    """
    with _readable(path), _opened(path) as file:
        for number, line in enumerate(file, start=1):
            text = line.removeprefix(BOM) if number == 1 else line
            if ending(path) == ".json" and text.lstrip()[:1] == b"[":
                yield from _entries(path, text + file.read())
                return
            if text and not text.isspace():
                try:
                    yield number, from_json(text)
                except ValueError as error:
                    reason = str(error).partition(" at line ")[0]
                    raise InputError(
                        f"`{path}` line {number}: not JSON: {reason}; correct or remove the line"
                    ) from error


def _entries(path: Path, text: bytes) -> Iterator[tuple[int, Any]]:
    try:
        yield from enumerate(from_json(text), start=1)
    except ValueError as error:
        raise InputError(f"`{path}` is not JSON: {error}; correct it") from error


def _of_lines(path: Path, optional: Sequence[str]) -> Iterator[Batch]:
    lines = json_lines(path)
    names: dict[str, str] | None = None
    while chunk := list(islice(lines, BATCH)):
        places, rows = zip(*chunk, strict=True)
        for place, row in chunk:
            if type(row) is not dict:
                raise InputError(
                    f"`{path}` line {place}: not a JSON object; write one vote a line, "
                    'such as {"a": "x", "b": "y", "winner": "a"}'
                )
        if names is None:
            names = _names(path, list(rows[0]), f"line {places[0]}")
        written = _written(names, optional)
        cells = _cells_of(rows, list(written.values()))
        for ours in (*NEEDED, *ONE_HOT):
            if ours in written:  # that no row of this batch has it is an error of its first row
                cells.setdefault(written[ours], [None] * len(rows))
        known = {ours: title for ours, title in written.items() if title in cells}
        yield _batch(cells, places, path, known)


def _written(names: dict[str, str], optional: Sequence[str]) -> dict[str, str]:
    """Our name of each column to read -> the name in the file."""
    is_one_hot = ONE_HOT[0] in names
    needed = (*NEEDED[:2], *ONE_HOT) if is_one_hot else NEEDED
    return {ours: names.get(ours, ours) for ours in (*needed, *optional)}


def _cells_of(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, Sequence[Any]]:
    """Columns by their names in the file, without those that no row has."""
    first = rows[0]
    if len(first) > 1 and set(map(len, rows)) == {len(first)}:
        try:  # the fast way, when all rows have the same keys
            columns = zip(*map(itemgetter(*first), rows), strict=True)
            return {name: c for name, c in zip(first, columns, strict=True) if name in names}
        except KeyError:
            pass
    return {name: [row.get(name) for row in rows] for name in names}


def _of_cells(path: Path, optional: Sequence[str]) -> Iterator[Batch]:
    csv.field_size_limit(1 << 30)  # a prompt may be long
    with io.TextIOWrapper(_opened(path), encoding="utf-8-sig", newline="") as file:
        header = file.readline()
        delimiter = max(DELIMITERS, key=header.count)
        titles = [cell.strip() for cell in next(csv.reader([header], delimiter=delimiter), [])]
        if not any(titles):
            return
        names = _names(path, titles, "the header")
        written = _written(names, optional)
        written = {ours: title for ours, title in written.items() if title in titles}
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        while chunk := _rows(path, reader, len(titles)):
            places, rows = chunk
            columns = dict(zip(titles, zip(*rows, strict=True), strict=True))
            yield _batch(columns, places, path, written)


def _rows(path: Path, reader: Any, width: int) -> tuple[Sequence[int], list[list[str]]] | None:
    """The next rows with the lines on which they begin, the header being line 1."""
    first = reader.line_num + 2
    try:
        rows = list(islice(reader, BATCH))
    except csv.Error as error:
        raise InputError(
            f"`{path}` line {reader.line_num + 1}: not CSV: {error}; correct the line"
        ) from error
    if not rows:
        return None
    places: Sequence[int] = range(first, first + len(rows))
    if first + len(rows) != reader.line_num + 2:  # some cells hold line breaks
        lengths = [1 + sum(cell.count("\n") for cell in row) for row in rows]
        places = list(accumulate(lengths[:-1], initial=first))
    if set(map(len, rows)) == {width}:
        return places, rows
    for place, row in zip(places, rows, strict=True):
        if row and len(row) != width:
            raise InputError(
                f"`{path}` line {place}: {len(row)} cells where the header has {width}; "
                "correct the line"
            )
    places = [place for place, row in zip(places, rows, strict=True) if row]
    return places, [row for row in rows if row]


def _batch(
    cells: Mapping[str, Sequence[Any]], places: Sequence[int], path: Path, written: dict[str, str]
) -> Batch:
    """Columns by our names, each with its distinct values."""
    columns = {}
    for ours, title in written.items():
        column = cells[title]
        if ours == "labeler":
            column = [_joined(value) for value in column]
        index: defaultdict[Any, int] = defaultdict()
        index.default_factory = index.__len__  # a new value gets the next number
        try:
            codes = np.fromiter(map(index.__getitem__, column), np.int64, len(column))
        except TypeError as error:
            wrong = next(i for i, value in enumerate(column) if isinstance(value, list | dict))
            raise InputError(
                f"`{path}` line {places[wrong]}: `{title}` is a list or a table; give text or a "
                "number"
            ) from error
        columns[ours] = Column(list(index), codes)
    return Batch(columns, places, path, written)


def _joined(value: Any) -> Any:
    """A judge given as several names, as a model with the name of its prompt, is one labeler."""
    is_names = isinstance(value, list) and all(isinstance(part, str) for part in value)
    return ", ".join(value) if is_names else value


def parquet_rows(path: Path) -> int:
    """How many rows a Parquet file has, without reading them.

    Raises:
        InputError: pyarrow is missing, or the file is something else.
    """
    return int(_parquet(path).metadata.num_rows)


def _parquet(path: Path) -> Any:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra, needed for Parquet files only
        from pyarrow import parquet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise InputError(
            f"`{path}` needs the package `pyarrow`; install it with `pip install 'accord[parquet]'`"
        ) from error
    try:
        return parquet.ParquetFile(path)
    except pa.ArrowException as error:
        raise InputError(f"`{path}` is not Parquet: {error}; give another file") from error


def _of_parquet(path: Path, optional: Sequence[str]) -> Iterator[Batch]:
    with _parquet(path) as file:
        titles = file.schema_arrow.names
        names = _names(path, titles, "the file")
        wanted = _written(names, optional)
        wanted = {ours: title for ours, title in wanted.items() if title in titles}
        first = 1
        for batch in file.iter_batches(PARQUET_BATCH, columns=list(wanted.values())):
            columns = {
                ours: _of_arrow(batch.column(title), f"`{path}`: `{title}`", ours)
                for ours, title in wanted.items()
            }
            if batch.num_rows:
                yield Batch(columns, range(first, first + batch.num_rows), path, names)
            first += batch.num_rows


def _of_arrow(array: Any, where: str, ours: str) -> Column:
    import pyarrow as pa  # noqa: PLC0415 - is installed when this is called

    if ours == "labeler" and pa.types.is_list(array.type):
        array = pa.array([_joined(value) for value in array.to_pylist()], pa.string())
    if pa.types.is_nested(array.type):
        raise InputError(f"{where} is a column of lists or tables; give text or numbers")
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    values = [*array.dictionary.to_pylist(), None]
    codes = array.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)
    return Column(values, codes.astype(np.int64))


def _names(path: Path, titles: list[str], where: str) -> dict[str, str]:
    """Our name of each column that is written otherwise in the file."""
    found: dict[str, str] = {}
    known = (*NEEDED, *OPTIONAL, *OTHER_NAMES)
    for title in known:
        if titles.count(title) > 1:
            raise InputError(f"`{path}`: two columns are called `{title}`; keep one of them")
    for title in titles:
        ours = OTHER_NAMES.get(title)
        if ours is None:
            continue
        if ours in titles or ours in found:
            if ours in NEEDED:
                other = ours if ours in titles else found[ours]
                raise InputError(
                    f"`{path}`: both `{other}` and `{title}` are columns; keep the one that "
                    "names the model"
                )
            continue
        found[ours] = title
    is_one_hot = "winner" not in titles and set(ONE_HOT) <= set(titles)
    if is_one_hot:
        found |= {title: title for title in ONE_HOT}
    for ours in NEEDED[:2] if is_one_hot else NEEDED:
        if ours not in titles and ours not in found:
            for telltale, form in IMPORTED.items():
                if set(telltale) <= set(titles):
                    raise InputError(
                        f"`{path}` looks like the format `{form}`: make votes of it with `accord "
                        f"import {form} {path} --out DIR`, then rate DIR"
                    )
            close = nearest(ours, titles) if titles else ""
            raise InputError(
                f"`{path}`: {where} has no `{ours}`{close}; votes need the columns "
                "`a`, `b` and `winner`"
            )
    return found


def _opened(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")  # type: ignore[return-value] # it reads bytes as files do
    return path.open("rb")
