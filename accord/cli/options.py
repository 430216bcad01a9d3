"""The options that several commands share, each with one spelling and one meaning."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any

import typer

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one value; may be repeated."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and do nothing.")]
RunDirectory = Annotated[
    Path, typer.Argument(metavar="DIR", help="Folder of a run, as given to --out.")
]


def taken_from(*records: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the fields of some dataclasses as its parameters.

    The command itself takes one object of each dataclass, in this order. Every field is annotated
    with what Typer needs: ``Annotated[int, typer.Option(help="...")]``.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def filled(**values: Any) -> None:
            command(*(kind(**{f.name: values[f.name] for f in fields(kind)}) for kind in records))

        parameters = [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if field.default is MISSING else field.default,
                annotation=field.type,
            )
            for kind in records
            for field in fields(kind)
        ]
        filled.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # read by Typer
        filled.__annotations__ = {one.name: one.annotation for one in parameters}
        filled.__doc__ = command.__doc__
        return filled

    return decorate
