"""One command for each stage: ``accord sft``, ``accord ppo`` and so on.

All take the same options. The help of each is put together when it is asked for, from the
stage's lesson, its Inputs and its Config.
"""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand

from accord import pipeline, stages
from accord.cli.errors import plain_errors
from accord.cli.fields import FieldHelp, fields_of
from accord.cli.lessons import LESSONS
from accord.cli.options import DryRun, Settings
from accord.cli.toml import as_toml
from accord.config import (
    InputError,
    StageConfig,
    apply_settings,
    build,
    overridden,
    read_toml,
)
from accord.runtime import artifacts

COMMAND = "Stages, one by one"  # heading of these commands in `accord --help`


class StageCommand(TyperCommand):
    """A command that lists the stage's inputs and settings below its help."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help, then the two tables."""
        super().format_help(ctx, formatter)
        with plain_errors():
            stage = stages.load(kind_of(self.name or ""))
            console = Console()
            for title, kind in (
                ("Inputs, for --inputs name=path", stage.inputs),
                ("Settings, for --set key=value", stage.config),
            ):
                console.print(_table(title, fields_of(kind)))
                console.print()


def register(app: typer.Typer, own: Mapping[str, Callable[..., None]] | None = None) -> None:
    """Add a command for every stage.

    Args:
        app: where to add them.
        own: commands that are more than the stage of their name; their docstring comes first.
    """
    own = own or {}
    for kind in stages.STAGES:
        lesson = LESSONS[kind]
        text = lesson.text(command_of(kind))
        app.command(
            command_of(kind),
            cls=StageCommand,
            help=f"{inspect.getdoc(own[kind])}\n\n{text}" if kind in own else text,
            short_help=lesson.summary,
            rich_help_panel=COMMAND,
        )(own.get(kind) or _command(kind))


def command_of(kind: str) -> str:
    """``preference_model`` is typed as ``accord preference-model``."""
    return kind.replace("_", "-")


def kind_of(command: str) -> str:
    """The stage of a command."""
    return command.replace("-", "_")


def _command(kind: str) -> Callable[..., None]:
    @plain_errors()
    def command(
        out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the artifact.")],
        inputs: Annotated[
            list[str] | None,
            typer.Option(metavar="NAME=PATH", help="One input; may be repeated."),
        ] = None,
        settings: Settings = None,
        config: Annotated[
            Path | None,
            typer.Option(metavar="FILE", help="Settings in TOML, or an artifact's config.json."),
        ] = None,
        preset: Annotated[
            str | None,
            typer.Option(metavar="NAME", help="Settings under a name, where the stage has any."),
        ] = None,
        dry_run: DryRun = False,
    ) -> None:
        resolved = resolve(kind, config, settings or [], preset=preset)
        run_one(kind, inputs or [], out, resolved, dry_run=dry_run)

    return command


def resolve(
    kind: str, file: Path | None, settings: Sequence[str], *, preset: str | None = None
) -> StageConfig:
    """The config of one stage: defaults, then the preset, then the file, then ``--set``."""
    values: dict[str, Any] = stages.preset(kind, preset) if preset is not None else {}
    if file is not None:
        read = artifacts.read_json(file) if file.suffix == ".json" else read_toml(file)
        if not isinstance(read, dict):
            raise InputError(f"`{file}` is not a table of settings; give a config.json or TOML")
        values = overridden(values, read)
    plain = [setting.removeprefix(f"{kind}.") for setting in settings]
    return build(stages.load(kind).config, apply_settings(values, plain), where=f"[{kind}]")


def run_one(
    kind: str, pairs: Sequence[str], out: Path, config: StageConfig, *, dry_run: bool
) -> None:
    """Run one stage into ``out``, or say what that would do."""
    inputs = pipeline.inputs_from_text(kind, pairs)
    if dry_run:
        typer.echo(f"# {out}: {pipeline.state(out)}")
        described = {k: v for k, v in inputs.model_dump(mode="json").items() if v is not None}
        typer.echo(as_toml({"inputs": described} | config.model_dump(mode="json")))
        return
    artifacts.run_stage(stages.load(kind).run, config, inputs, out)
    done = artifacts.read_json(out / "DONE.json")
    typer.echo(f"{out}: digest {done['digest']}")
    for name, value in done["headline"].items():
        typer.echo(f"  {name}: {value if isinstance(value, str) else json.dumps(value)}")


def _table(title: str, fields: Sequence[FieldHelp]) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in ("name", "type", "default", "meaning"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "name")
    for field in fields:
        default = field.default or ("" if field.type == "table" else "needed")
        table.add_row(*(Text(cell) for cell in (field.name, field.type, default, field.meaning)))
    return table
