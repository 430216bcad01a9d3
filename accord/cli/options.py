"""The options that several commands share, each with one spelling and one meaning."""

from pathlib import Path
from typing import Annotated

import typer

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one value; may be repeated."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and do nothing.")]
RunDirectory = Annotated[
    Path, typer.Argument(metavar="DIR", help="Folder of a run, as given to --out.")
]
