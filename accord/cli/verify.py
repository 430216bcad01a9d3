"""``accord verify``: is everything as it was, and who is behind a policy?"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from accord import trace
from accord.cli.errors import MACHINE, plain_errors
from accord.cli.options import RunDirectory
from accord.config import InputError
from accord.runtime import artifacts

SHOWN = 12  # characters of a digest, where it is only to be recognised
WIDTH = 200  # columns of the tree, so that no digest is cut; a narrower terminal wraps it


@plain_errors()
def verify(
    directory: RunDirectory,
    policy: Annotated[
        str | None, typer.Option(metavar="NAME", help="Stage to trace; by default the last policy.")
    ] = None,
) -> None:
    """Hash every file of a run again, and trace a policy back to the votes behind it.

    Compared are: each artifact's files with its DONE.json, each input with what is there now,
    the votes that were collected with those in the ledger, the report and the run's manifest.
    A single artifact can be given too.

    Exit status 1 if anything differs; the file is named.

    Examples:

        accord verify out/demo

        accord verify out/demo --policy ppo_1
    """
    findings = trace.verify(directory)
    console = Console(soft_wrap=True, highlight=False)
    if not findings.differing and not artifacts.is_artifact(directory):
        _show_origin(console, directory, policy)
    for note in findings.notes:
        console.print(f"note: {note}", markup=False, style="dim")
    for differing in findings.differing:
        console.print(f"differs: {differing}", markup=False, style="red")
    if findings.differing:
        raise typer.Exit(MACHINE)
    console.print(f"all as it was: {findings.files} files", style="green")


def _show_origin(console: Console, directory: Path, policy: str | None) -> None:
    try:
        found = trace.origin(directory, policy)
    except InputError as error:
        if policy is not None:
            raise
        console.print(f"note: {error}", markup=False, style="dim")
        return
    wide = Console(width=max(WIDTH, console.width), soft_wrap=True, highlight=False)
    wide.print(_tree(found))


def _tree(origin: trace.Origin) -> Tree:
    tree = Tree(_label(origin))
    for fact in origin.facts:
        tree.add(Text(fact, style="bold"))
    for source in origin.sources:
        tree.children.append(_tree(source))
    return tree


def _label(origin: trace.Origin) -> Text:
    parts = [
        (f"{origin.role}: " if origin.role else "", "dim"),
        (origin.name, "bold"),
        (f" ({origin.stage})" if origin.stage not in ("", origin.name) else "", ""),
        (f"  {origin.digest[:SHOWN]}", "cyan"),
        ("  (see above)" if origin.is_repeated else "", "dim"),
    ]
    return Text.assemble(*parts)
