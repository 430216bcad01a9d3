"""``accord import``: labelled data of other tools into Accord's records or the ledger."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from accord.cli.errors import plain_errors
from accord.config import InputError, nearest

if TYPE_CHECKING:
    from accord.data.formats.reading import Options

URL = "ACCORD_DATABASE_URL"  # environment variable: the store, where none is given

KEYS = ("labeler", "prompt", "responses", "texts")  # of --set
FORMATS = (
    "accord, hh, trl, trl-standard, kto, summaries, summaries-axes, oasst, argilla, label-studio, "
    "lmarena, convincing-arguments, tulu, ledger"
)
LEDGER = "ledger"  # the whole of one, which is no format of votes


@plain_errors()
def import_(
    format_name: Annotated[str, typer.Argument(metavar="FORMAT", help=f"One of: {FORMATS}.")],
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Files or folders; may be gzipped.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the records; may hold earlier ones."),
    ] = None,
    store: Annotated[
        str, typer.Option(metavar="URL", help=f"Ledger to import into; else {URL}.")
    ] = "",
    project: Annotated[
        str, typer.Option(metavar="NAME", help="Project of the ledger whose queue the items join.")
    ] = "",
    items_only: Annotated[
        bool, typer.Option("--items-only", help="Into the ledger: items to judge, without votes.")
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="What the file does not say; see below."),
    ] = None,
) -> None:
    """Import labelled data: votes, rankings and ratings with who, when and on which side.

    Everything is read and checked first: a broken row is named by file, line and field, and
    nothing is imported. The same file twice adds nothing the second time. What the records have
    no place for is kept beside them, so that `accord export` writes the file again as it was.

    Settings: `labeler=NAME`, who judged where the file names nobody; `texts=FILE`, texts by id
    (convincing-arguments); `prompt=FIELD` and `responses=FIELD,FIELD`, where a project named its
    fields as it liked (argilla, label-studio).

    Examples:

        accord import hh harmless.jsonl.gz --out data/hh

        accord import lmarena battles.json --out data/arena

        accord import trl pairs.jsonl --store ledger.sqlite --project helpful --items-only
    """
    from accord.data import formats  # noqa: PLC0415 - `--help` need not wait for it
    from accord.data.formats import importing  # noqa: PLC0415

    if format_name == LEDGER:
        _restore(files, store or os.environ.get(URL, ""))
        return
    form = formats.format_named(format_name)
    if out is not None and (store or project or items_only):
        raise InputError("`--out` is a folder, the others are about a ledger; give one of them")
    options = _options(settings or [])
    if out is not None:
        show(importing.into_folder(form, files, options, out), f"`{out}`")
        return
    url = store or os.environ.get(URL, "")
    if not url:
        raise InputError("nowhere to import to; give `--out DIR` or `--store URL`")
    from accord.store import foreign  # noqa: PLC0415 - a folder needs no store
    from accord.store.session import open_store  # noqa: PLC0415

    with (
        importing.waiting_room(form, files, options) as (waiting, report),
        open_store(url) as opened,
    ):
        foreign.import_all(
            opened,
            waiting,
            report,
            project=project,
            with_votes=not items_only,
            now=datetime.now(UTC),
        )
    batch = report["batch"]
    show(report, f"project `{project}`" if project else f"the ledger, as batch `{batch}`")


def _restore(files: list[Path], url: str) -> None:
    """A whole ledger into a new store."""
    from accord.data.files import rows  # noqa: PLC0415 - `--help` need not wait for it
    from accord.store import dump  # noqa: PLC0415
    from accord.store.session import open_store  # noqa: PLC0415

    if not url or len(files) != 1:
        raise InputError("a ledger is one file, and goes into a store; give `--store URL`")
    with open_store(url) as opened, opened.writing() as session:
        counts = dump.restore(session, rows(files[0]))
    typer.echo(
        f"restored the ledger: {counts['events']:,} events on {counts['comparisons']:,} items"
    )


def _options(settings: list[str]) -> "Options":
    from accord.data.formats import convincing_arguments  # noqa: PLC0415 - see above
    from accord.data.formats.reading import Options  # noqa: PLC0415

    given = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        if key not in KEYS or not value:
            raise InputError(f"cannot use `--set {setting}`{nearest(key, KEYS)}")
        given[key] = value
    texts = given.get("texts")
    keys = given.get("responses", "").split(",")
    return Options(
        labeler=given.get("labeler", ""),
        prompt_key=given.get("prompt", ""),
        response_keys=tuple(key.strip() for key in keys if key.strip()),
        texts=convincing_arguments.texts_of(Path(texts)) if texts else {},
    )


def show(report: dict[str, Any], where: str) -> None:
    """Print what an import did and what it could not keep."""
    console = Console(soft_wrap=True, highlight=False)
    new = report["new"]
    if new["items"] or new["votes"]:
        sentence = f"imported {new['votes']:,} votes and {new['items']:,} new items into {where}"
    else:
        sentence = f"nothing new for {where}: all of it is there already"
    console.print(f"{sentence} ({report['rows']:,} rows)", markup=False)
    if report["there_already"] and new["votes"]:
        console.print(f"there already: {report['there_already']:,} votes", markup=False)
    for text, count in report["left_out"].items():
        console.print(f"left out: {text} ({count:,})", markup=False, style="yellow")
    for text, count in report["remarks"].items():
        console.print(f"note: {text} ({count:,})", markup=False)
    kept = ", ".join(f"{name} ({n:,})" for name, n in report["kept_beside_the_records"].items())
    if kept:
        console.print(f"kept beside the records, which have no such field: {kept}", markup=False)
    for text in report["notes"]:
        console.print(f"note: {text}", markup=False, style="dim")
