"""What every reader and writer of a format takes, and how a file becomes entries."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from accord.data.files import Row, data_files, rows
from accord.data.formats.differences import difference
from accord.data.formats.entries import Entry, Judgment, Origin
from accord.data.formats.fields import Fields
from accord.data.threads import Tally


@dataclass(frozen=True)
class Options:
    """What a file does not say about itself."""

    labeler: str = ""  #: who judged, where the file names nobody; its own name by default
    prompt_key: str = ""  #: field with the prompt, where a format leaves that open
    response_keys: tuple[str, ...] = ()  #: fields with the responses, in the order of the screen
    texts: Mapping[str, str] = field(default_factory=dict)  #: of responses given by id only

    def labeler_of(self, row: Row) -> str:
        """Who judged a row that names nobody."""
        return self.labeler or row.source or "people"


Read = Callable[[Fields, Options, Tally], Iterator[Entry]]
Write = Callable[[Iterable[Entry], Tally], Iterator[dict[str, Any]]]


@dataclass(frozen=True)
class Format:
    """One format of files, in both directions."""

    name: str  #: as `accord import` and `accord export` call it
    title: str
    read: Read
    write: Write
    holds: frozenset[str]  #: those of ``accord.data.formats.losses.FEATURES`` that have a place
    reading: tuple[str, ...] = ()  #: what reading does with what has no exact counterpart
    writing: tuple[str, ...] = ()  #: what writing does with it
    votes_key: str = ""  #: where a row is an item: the field with its votes
    vote: Callable[[Entry, Judgment], dict[str, Any]] | None = None  #: how one of them is written


def entries(form: Format, path: Path, options: Options, tally: Tally) -> Iterator[Entry]:
    """Every entry of a file, or of the data files in a folder, one row after another.

    Args:
        form: how the rows are to be read.
        path: JSON Lines or a JSON list, packed with gzip or not.
        options: what the file does not say.
        tally: counts the rows, and those left out with the reason.

    Raises:
        InputError: a row is not what the format says; names file, line and field.
    """
    for file in data_files(path):
        for row in rows(file):
            tally["rows"] += 1
            for entry in with_field(
                row, lambda row: form.read(Fields(row.values, row), options, tally)
            ):
                yield with_origin(form, entry, row, file.name)


def with_origin(form: Format, entry: Entry, row: Row, file: str) -> Entry:
    """The entry with file, line and whatever of the row the records do not hold."""
    if entry.origin and entry.origin.kept:  # the reader has seen to it
        return _placed(entry, {"format": form.name, "file": file, "line": row.line})
    bare = _placed(entry, {"format": form.name, "file": file, "line": row.line, "kept": {}})
    again = next(form.write([bare], Tally()), {})
    there = {key: value for key, value in row.values.items() if key != form.votes_key}
    again.pop(form.votes_key, None)
    kept = difference(there, again) if again else {}
    inside = [
        _kept_inside(form, entry, judgment) if form.votes_key else kept
        for judgment in entry.judgments
    ]
    judgments = tuple(
        judgment.model_copy(update={"origin": _with(judgment.origin, {"kept": part})})
        for judgment, part in zip(bare.judgments, inside, strict=True)
    )
    whole = _with(bare.origin, {"kept": kept}) if form.votes_key else bare.origin
    return bare.model_copy(update={"judgments": judgments, "origin": whole})


def _kept_inside(form: Format, entry: Entry, judgment: Judgment) -> dict[str, Any]:
    written = judgment.origin.kept if judgment.origin else {}
    return difference(written, form.vote(entry, judgment)) if form.vote and written else {}


def kept_of(origin: Origin | None, name: str) -> dict[str, Any]:
    """What an origin keeps for a format; nothing if it was read from another one."""
    return origin.kept if origin and origin.format == name else {}


def _placed(entry: Entry, where: dict[str, Any]) -> Entry:
    """The entry and its judgments, with these values in each origin."""
    judgments = tuple(
        j.model_copy(update={"origin": _with(j.origin or Origin(), where)}) for j in entry.judgments
    )
    placed = _with(entry.origin or Origin(), where)
    return entry.model_copy(update={"judgments": judgments, "origin": placed})


def _with(origin: Origin | None, values: dict[str, Any]) -> Origin:
    return (origin or Origin()).model_copy(update=values)


def with_field(row: Row, read: Callable[[Row], Iterator[Entry]]) -> Iterator[Entry]:
    """What a row holds; a value that no record may have is an error that names the field."""
    try:
        yield from read(row)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the row"
        raise row.error(f"`{where}`: {first['msg']}") from error
    except UnicodeEncodeError as error:
        raise row.error(f"{_half(row.values) or 'a text'} holds half of a character") from error


def _half(value: Any, path: str = "") -> str:
    """The way to the first text that is no Unicode: JSON can write half of a surrogate pair."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return f"`{path}`"
        return ""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in inside if isinstance(value, dict | list) else ():
        if found := _half(part, f"{path}.{key}" if path else str(key)):
            return found
    return ""
