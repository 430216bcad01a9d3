"""``accord study``: many runs that differ in one thing, and what follows from all of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from accord import pipeline
from accord.cli import frontier_study
from accord.cli.errors import plain_errors
from accord.cli.options import DryRun, Settings, taken_from
from accord.config import InputError, apply_settings

__all__ = ["app"]

TITLE = "Preference pretraining"

app = typer.Typer(help="Studies: many runs that differ in one thing, with intervals and a plot.")


@app.callback()
def _studies() -> None:
    """Studies: many runs that differ in one thing, with intervals and a plot."""


app.command("frontier")(frontier_study.frontier)


@dataclass(frozen=True)
class PmpSources:
    """What preference pretraining is studied on."""

    target: Annotated[str, typer.Option(metavar="SOURCE", help="Comparisons that people made.")]
    public: Annotated[
        list[str], typer.Option(metavar="SOURCE", help="Public votes; may be repeated.")
    ]
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="A language model; else one is pretrained.")
    ] = ""
    documents: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE", help="Text to pretrain a language model on."),
    ] = None


@dataclass(frozen=True)
class PmpOptions:
    """How it is studied."""

    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the study.")]
    sizes: Annotated[str, typer.Option(metavar="N,N", help="Numbers of training comparisons.")] = (
        "100,500,2000"
    )
    seeds: Annotated[int, typer.Option(metavar="N", help="Times each is trained.")] = 3
    settings: Settings = None
    dry_run: DryRun = False


@app.command("pmp")
@taken_from(PmpSources, PmpOptions)
@plain_errors()
def pmp(given: PmpSources, options: PmpOptions) -> None:
    """Does preference pretraining save comparisons? Accuracy by their number, with and without.

    Trains preference models on ever more of the comparisons: from a language model, and from it
    pretrained on ranked and on binarised public votes. The same command continues an interrupted
    study. Writes study.json and study.html.

    --set KIND.key=value sets a value of every stage of a kind, for example
    preference_model.learning_rate=2e-5, a hundredth of that of pretrain.

    Example:

        accord study pmp --target hh.jsonl.gz --public stackexchange --documents books --out out/pmp
    """
    from accord.reports.pmp_study_page import write_pmp_study  # noqa: PLC0415 - not for `--help`
    from accord.runtime.artifacts import write_json  # noqa: PLC0415
    from accord.studies import pmp as study  # noqa: PLC0415

    settings = _by_kind(options.settings or [])
    design = study.Design(_numbers(options.sizes), options.seeds, settings)
    public, documents = tuple(given.public), tuple(given.documents or ())
    sources = study.Sources(given.target, public, given.model, documents)
    table = study.run_table(sources, design, TITLE)
    planned = pipeline.plan(table, options.out, title=TITLE, command="accord study pmp")
    if options.dry_run:
        for step in planned.steps:
            typer.echo(f"{step.folder}: {pipeline.state(step.folder)}")
        return
    console = Console(soft_wrap=True)
    pipeline.run(planned, console)
    found = study.summary({step.name: step.folder for step in planned.steps}, design)
    write_json(options.out / "study.json", found)
    page = write_pmp_study(options.out / "study.html", found)
    console.print(f"study: [bold]{page}[/]", highlight=False)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError as error:
        raise InputError(f"`--sizes {text}` are no numbers; write 100,500,2000") from error


def _by_kind(settings: list[str]) -> dict[str, Any]:
    """``{"preference_model": {"epochs": 2}}`` of ``preference_model.epochs=2``."""
    if any("." not in setting.partition("=")[0] for setting in settings):
        raise InputError("a setting of a study names a kind of stage; write `KIND.key=value`")
    return apply_settings({}, settings)
