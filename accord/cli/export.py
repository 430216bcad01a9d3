"""``accord export``: records or the ledger as files for other tools."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from accord.cli.errors import plain_errors
from accord.cli.import_ import FORMATS, LEDGER, URL
from accord.config import InputError


@plain_errors()
def export(
    format_name: Annotated[str, typer.Argument(metavar="FORMAT", help=f"One of: {FORMATS}.")],
    source: Annotated[
        Path | None,
        typer.Argument(metavar="SOURCE", help="Folder of an import, or a file of comparisons."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File to write; packed if it ends with .gz.")
    ] = None,
    store: Annotated[
        str, typer.Option(metavar="URL", help=f"Ledger to export, without SOURCE; else {URL}.")
    ] = "",
    project: Annotated[
        str, typer.Option(metavar="NAME", help="Only what was answered in this project.")
    ] = "",
    batch: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only items of this batch; repeatable.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(metavar="LABELER", help="Leave out a labeler; repeatable.")
    ] = None,
    without_paused: Annotated[
        bool, typer.Option("--without-paused", help="Leave out the labelers that are paused.")
    ] = False,
) -> None:
    """Write labelled data in the format of another tool, and say what that format cannot hold.

    The loss is counted on the data and stands beside the file, in FILE.manifest.json. Votes on
    which response is more harmful are turned round, and that is said too.

    The format `ledger` is the whole ledger, to move it to another database or to keep it.

    Examples:

        accord export trl data/hh --out train.jsonl

        accord export lmarena data/arena --out battles.jsonl.gz

        accord export accord --store ledger.sqlite --project helpful --out votes.jsonl
    """
    from accord.data import formats  # noqa: PLC0415 - `--help` need not wait for it
    from accord.data.formats import folder  # noqa: PLC0415

    form = None if format_name == LEDGER else formats.format_named(format_name)
    if out is None:
        raise InputError("nowhere to write to; give `--out FILE`")
    choice = (project, batch, without, without_paused)
    if source is not None and form is not None:
        if store or any(choice):
            raise InputError("SOURCE is a folder or file, the options are about a ledger; give one")
        show(folder.export(form, folder.read(source), out, source.name), out)
        return
    url = store or os.environ.get(URL, "")
    if not url:
        raise InputError("nothing to export; give the folder of an import or `--store URL`")
    if "://" not in url and not Path(url).is_file():
        raise InputError(f"no store `{url}`; give the path of a SQLite file, or an URL")
    from accord.store import dump, foreign  # noqa: PLC0415
    from accord.store.session import open_store  # noqa: PLC0415

    with open_store(url) as opened, opened.reading() as session:
        if form is None:
            if source is not None or any(choice):
                raise InputError("a ledger is written whole; give `--store URL` and `--out FILE`")
            written = folder.write_rows(dump.rows_of(session), out)
            typer.echo(f"wrote the whole ledger to `{out}`: {written:,} lines")
            return
        names = [*(without or ()), *(foreign.paused(session) if without_paused else ())]
        found = foreign.entries(session, project=project, batches=batch or None, without=names)
        report = folder.export(form, found, out, f"project {project}" if project else "the ledger")
    show(report, out)


def show(report: dict[str, Any], out: Path) -> None:
    """Print what an export wrote and what it lost."""
    console = Console(soft_wrap=True, highlight=False)
    rows, votes, items = report["rows"], report["votes"], report["items"]
    console.print(
        f"wrote {rows:,} rows of {votes:,} votes on {items:,} items to `{out}`", markup=False
    )
    for text in report["said"]:
        console.print(f"not held by this format: {text}", markup=False, style="yellow")
    for text in report["notes"]:
        console.print(f"note: {text}", markup=False, style="dim")
