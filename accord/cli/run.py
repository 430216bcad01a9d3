"""``accord run``: a whole run file, or the demo when none is given."""

import shlex
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from accord import pipeline
from accord.cli.errors import plain_errors
from accord.cli.options import DryRun, Settings
from accord.cli.toml import as_toml
from accord.config import read_toml

DEMO = "demo"  # the run file that comes with the package: accord/cli/demo.toml


@plain_errors()
def run(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[RUN.toml]", help="The run file; without one, the demo."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the run; by default out/ and the name of the file."
        ),
    ] = None,
    settings: Settings = None,
    dry_run: DryRun = False,
) -> None:
    """Run the stages of a run file in order and build the report.

    Finished stages are skipped and an interrupted one goes on, so after Ctrl-C, a crash or a
    power cut the same command continues the run.

    A run file is a table of stages; each names the earlier stages that it reads:

        [sft]
        inputs = { model = "pretrain", demonstrations = "world" }
        epochs = 3

    --set sft.epochs=5 changes one value, --set run.seed=1 the seed of every stage,
    --set paths.data=../data a path of the run file.

    Without a run file: the demo. Two rounds of reinforcement learning from the votes of
    simulated labelers, in a world whose truth is known, on a CPU in minutes.

    Examples:

        accord run
        accord run runs/hh-cpu.toml --out out/hh --set paths.data=../data
    """
    table, name = (read_toml(file), file.stem) if file else (demo(), DEMO)
    out = out or Path("out") / name
    planned = pipeline.plan(
        table, out, title=name, settings=settings or (), command=_command(file, out, settings or [])
    )
    console = Console(soft_wrap=True)
    if dry_run:
        typer.echo(described(planned))
        return
    report = pipeline.run(planned, console)
    console.print(f"report: [bold]{report}[/]", highlight=False)


def demo() -> dict[str, Any]:
    """The run file that comes with the package."""
    with resources.as_file(resources.files("accord.cli") / f"{DEMO}.toml") as path:
        return read_toml(path)


def _command(file: Path | None, out: Path, settings: list[str]) -> str:
    words = ["accord", "run", *([str(file)] if file else []), "--out", str(out)]
    return shlex.join(words + [word for setting in settings for word in ("--set", setting)])


def described(planned: pipeline.Plan) -> str:
    """The resolved run as a run file, with what would happen to each stage."""
    parts = [as_toml({"title": planned.title, "seed": planned.seed}).join(("[run]\n", "\n"))]
    for step in planned.steps:
        values = {"stage": step.kind, "inputs": dict(step.written)}
        values |= step.config.model_dump(mode="json")
        parts.append(
            f"[{step.name}]  # {step.folder}: {pipeline.state(step.folder)}\n{as_toml(values)}\n"
        )
    return "\n".join(parts)
