"""A folder of imported data, and single files written for others, each with what was lost.

DIR/items.jsonl         every item with its votes and their origins; nothing is lost here
DIR/comparisons.jsonl   those that people ranked, as all stages read them
DIR/import.json         what was read, what was left out, what is kept beside the records

FILE                    the rows of one format
FILE.manifest.json      what was written, what that format could not hold
"""

import gzip
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel

from accord.config import InputError
from accord.data.files import ending, rows
from accord.data.formats import own
from accord.data.formats.entries import Entry
from accord.data.formats.fields import Fields
from accord.data.formats.losses import FEATURES, counted, said
from accord.data.formats.reading import Format, Options, with_field
from accord.data.formats.spool import Spool
from accord.data.threads import Tally

ITEMS, COMPARISONS, RATINGS = "items.jsonl", "comparisons.jsonl", "ratings.jsonl"
MANIFEST = "import.json"
SUFFIX = ".manifest.json"
BLOCK = 1 << 20


def read(path: Path) -> Iterator[Entry]:
    """The entries of an import folder, or of a file of Accord's records.

    Raises:
        InputError: nothing is there, or a row is no record; names file, line and field.
    """
    file = path / ITEMS if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"no file `{file}`; give the folder of an import, or a file of records")
    for row in rows(file):
        yield from with_field(
            row, lambda row: own.read(Fields(row.values, row), Options(), Tally())
        )


def write(waiting: Spool, out: Path, report: dict[str, Any]) -> None:
    """Write everything that waits, and the report of this import, into a folder.

    Each file is replaced as a whole and the report last: an import that was killed leaves what
    was there, or files that the same command completes.
    """
    before = reports(out)
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        files: dict[str, IO[str]] = {}

        def put(name: str, record: BaseModel, **options: Any) -> None:
            if name not in files:  # no file without records
                files[name] = stack.enter_context(_replacing(out / name))
            files[name].write(record.model_dump_json(by_alias=True, **options) + "\n")

        for entry in waiting.entries():
            put(ITEMS, entry, exclude_defaults=True)
            compared = own.record_of(entry)
            if compared is not None:
                put(COMPARISONS, compared)
            for rated in own.ratings_of(entry):
                put(RATINGS, rated)
    _write_json(out / MANIFEST, {"schema": 1, "imports": [*before, report]})


def reports(out: Path) -> list[dict[str, Any]]:
    """The reports of earlier imports into a folder."""
    file = out / MANIFEST
    if not file.is_file():
        return []
    try:
        found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["imports"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"`{file}` is not the report of imports; give another folder") from error
    return found


def export(form: Format, entries: Iterable[Entry], file: Path, source: str) -> dict[str, Any]:
    """Write entries in a format, and beside them what it could not hold; return the latter.

    Args:
        form: the format.
        entries: what is to be written.
        file: where to; packed if its name ends with ``.gz``.
        source: where the entries are from, for the report.

    Raises:
        InputError: nothing of it has a place in the format.
    """
    tally = Tally()
    written = form.write(counted(entries, form.holds, tally), tally)
    writers = {".jsonl": _write_lines, ".json": _write_list}
    if ending(file) not in writers:
        raise InputError(f"`{file}` does not end with .jsonl or .json, packed with gzip or not")
    rows = _rows(written, tally, f"`{form.name}` can hold none of the votes of {source}")
    writers[ending(file)](file, rows)
    report = {
        "schema": 1,
        "format": form.name,
        "title": form.title,
        "source": source,
        "items": tally["items"],
        "votes": tally["votes"],
        "rows": tally["rows"],
        "sha256": digest(file),
        "lost": {
            name.removeprefix("lost/"): {"votes": votes, "is": _meaning(name)}
            for name, votes in sorted(tally.items())
            if name.startswith("lost/") and votes
        },
        "notes": list(form.writing),
    }
    _write_json(file.with_name(file.name + SUFFIX), report)
    return report | {"said": [*said(tally), *_without_row(tally)]}


def write_rows(written: Iterable[dict[str, Any]], file: Path) -> int:
    """Write rows as JSON Lines, in place of what was there; return how many."""
    if ending(file) != ".jsonl":
        raise InputError(f"`{file}` does not end with .jsonl, packed with gzip or not")
    tally = Tally()
    _write_lines(file, _rows(written, tally, "nothing"))
    return tally["rows"]


def digest(file: Path) -> str:
    """SHA-256 of a file."""
    h = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(BLOCK):
            h.update(block)
    return h.hexdigest()


WITHOUT_ROW = {
    "no_ranking": "votes without a ranking: no row is written for them",
    "no_rating": "votes without a rating: no row is written for them",
    "no_label": "votes that call no response good or bad: no row is written for them",
    "not_a_pair": "votes on fewer than two responses: no row is written for them",
}


def _meaning(name: str) -> str:
    key = name.removeprefix("lost/")
    return FEATURES[key][0] if key in FEATURES else WITHOUT_ROW[key]


def _without_row(tally: Tally) -> list[str]:
    return [
        f"{text} ({tally[f'lost/{key}']} votes)"
        for key, text in WITHOUT_ROW.items()
        if tally[f"lost/{key}"]
    ]


def _rows(written: Iterable[dict[str, Any]], tally: Tally, none: str) -> Iterator[dict[str, Any]]:
    """The rows, counted; an error if there are none."""
    for row in written:
        tally["rows"] += 1
        yield row
    if not tally["rows"]:
        raise InputError(f"{none}; choose another format")


def _write_lines(file: Path, written: Iterable[dict[str, Any]]) -> None:
    with _replacing(file) as opened:
        for row in written:
            opened.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_list(file: Path, written: Iterable[dict[str, Any]]) -> None:
    with _replacing(file) as opened:
        before = "[\n"
        for row in written:
            opened.write(before + json.dumps(row, ensure_ascii=False))
            before = ",\n"
        opened.write("[]\n" if before == "[\n" else "\n]\n")


@contextmanager
def _replacing(file: Path) -> Iterator[IO[str]]:
    """A file to write, in place of what was there only once it is complete."""
    if file.is_dir():
        raise InputError(f"`{file}` is a folder; give the name of a file")
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(file.name + ".tmp")
    try:
        with temporary.open("wb") as raw:
            # No name and no time inside what is packed: equal data are equal files.
            packed = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if file.suffix == ".gz" else None
            text = io.TextIOWrapper(packed or raw, encoding="utf-8")
            yield text
            text.flush()
            text.detach()
            if packed:
                packed.close()
            raw.flush()
            os.fsync(raw.fileno())
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def _write_json(file: Path, content: dict[str, Any]) -> None:
    with _replacing(file) as opened:
        opened.write(json.dumps(content, ensure_ascii=False, indent=2) + "\n")
