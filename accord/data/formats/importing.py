"""Files of other tools into a folder: read and checked as a whole, then written once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accord.config import InputError
from accord.data.files import data_files
from accord.data.formats import folder
from accord.data.formats.differences import CHANGED, INSIDE
from accord.data.formats.entries import Entry
from accord.data.formats.reading import Format, Options, entries
from accord.data.formats.spool import Spool, spool
from accord.data.threads import Tally, hashed

LEFT_OUT = {
    "no_common_prompt": "pairs of conversations that share no prompt, or that nobody answered",
    "refused": "replies that were deleted or refused",
    "empty": "replies without text",
    "more_than_nine": "ranked replies beyond the ninth",
}
REMARKS = {
    "texts_missing": "rows whose responses have no text in the file: they are empty",
    "without_votes": "items that nobody judged",
    "unranked_replies": "replies that nobody ranked: kept beside the records",
    "answers_left_out/skipped": "answers that were skipped: left out",
    "answers_left_out/says_nothing": "answers that say nothing about a response: left out",
}


def into_folder(form: Format, files: Sequence[Path], options: Options, out: Path) -> dict[str, Any]:
    """Import files into a folder; what it holds already stays, and is not added again.

    Args:
        form: the format of the files.
        files: files, or folders of files.
        options: what the files do not say about themselves.
        out: the folder, new or that of an earlier import.

    Returns:
        The report, as it stands in ``import.json``.

    Raises:
        InputError: a row is not what the format says; names file, line and field, and nothing is
            written.
    """
    with spool() as waiting:
        if (out / folder.ITEMS).is_file():
            for entry in folder.read(out):
                waiting.add(entry, Tally(), is_new=False)
        elif out.exists() and (out.is_file() or any(out.iterdir())):
            raise InputError(f"`{out}` is there and is no folder of an import; give another one")
        report = gather(form, files, options, waiting)
        if report["new"]["items"] or report["new"]["votes"]:
            folder.write(waiting, out, report)
    return report


@contextmanager
def waiting_room(
    form: Format, files: Sequence[Path], options: Options
) -> Iterator[tuple[Spool, dict[str, Any]]]:
    """Everything that files hold, read and checked, with the report on it."""
    with spool() as waiting:
        yield waiting, gather(form, files, options, waiting)


def gather(form: Format, files: Sequence[Path], options: Options, waiting: Spool) -> dict[str, Any]:
    """Read files into a waiting room; return the report on them."""
    tally = Tally()
    paths = [path for given in files for path in data_files(given)]
    for path in paths:
        for entry in entries(form, path, options, tally):
            waiting.add(entry, tally)
            tally.update(f"kept/{name}" for name in kept_fields(entry))
    if not tally["rows"]:
        raise InputError(f"`{files[0]}` holds no rows; give a file of the format `{form.name}`")
    return {
        "format": form.name,
        "title": form.title,
        "files": [{"name": path.name, "sha256": folder.digest(path)} for path in paths],
        "rows": tally["rows"],
        "new": {"items": tally["items/new"], "votes": tally["votes/new"]},
        "there_already": tally["votes/known"],
        "left_out": _named(tally, "left_out/", lambda name: LEFT_OUT.get(name, name)),
        "remarks": {text: tally[name] for name, text in REMARKS.items() if tally[name]},
        "kept_beside_the_records": _named(tally, "kept/", str),
        "notes": list(form.reading),
    }


def batch_of(report: dict[str, Any]) -> str:
    """A name for what was imported, that follows from the files."""
    return f"import-{hashed(report['format'], *(file['sha256'] for file in report['files']))}"


def kept_fields(entry: Entry) -> Iterator[str]:
    """The fields that the records of an entry have no place for, by the way to them."""
    for origin in (entry.origin, *(judgment.origin for judgment in entry.judgments)):
        if origin is not None:
            yield from _paths(origin.kept, "")


def _paths(kept: dict[str, Any], before: str) -> Iterator[str]:
    for key in kept.get(CHANGED, {}):
        yield f"{before}{key}"
    for key, inside in kept.get(INSIDE, {}).items():
        yield from _paths(inside, f"{before}{key}.")


def _named(tally: Tally, start: str, text: Callable[[str], str]) -> dict[str, int]:
    names: Iterable[str] = sorted(name for name in tally if name.startswith(start))
    return {text(name.removeprefix(start)): tally[name] for name in names}
