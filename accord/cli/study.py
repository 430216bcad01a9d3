"""``accord study``: many runs that differ in one thing, and what follows from all of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from accord import pipeline
from accord.cli import frontier_study
from accord.cli.errors import plain_errors
from accord.cli.options import DryRun, Settings, taken_from
from accord.config import InputError, apply_settings

if TYPE_CHECKING:
    from accord.studies.pmp import Design, Sources

__all__ = ["app"]

app = typer.Typer(help="Studies: many runs that differ in one thing, with intervals and a plot.")


@app.callback()
def _studies() -> None:
    """Studies: many runs that differ in one thing, with intervals and a plot."""


app.command("frontier")(frontier_study.frontier)


@dataclass(frozen=True)
class Data:
    """What a study of preference models is made on."""

    target: Annotated[str, typer.Option(metavar="SOURCE", help="Comparisons that people made.")]
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="A language model; else one is pretrained.")
    ] = ""
    documents: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE", help="Text to pretrain a language model on."),
    ] = None


@dataclass(frozen=True)
class Public:
    """What preference pretraining reads."""

    public: Annotated[
        list[str], typer.Option(metavar="SOURCE", help="Public votes; may be repeated.")
    ]


@dataclass(frozen=True)
class Options:
    """How it is studied."""

    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the study.")]
    sizes: Annotated[str, typer.Option(metavar="N,N", help="Numbers of training comparisons.")] = (
        "100,500,2000"
    )
    seeds: Annotated[int, typer.Option(metavar="N", help="Times each is trained.")] = 3
    settings: Settings = None
    dry_run: DryRun = False


@app.command("pmp")
@taken_from(Data, Public, Options)
@plain_errors()
def pmp(data: Data, public: Public, options: Options) -> None:
    """Does preference pretraining save comparisons? Accuracy by their number, with and without.

    Trains preference models on ever more of the comparisons: from a language model, and from it
    pretrained on ranked and on binarised public votes. The same command continues an interrupted
    study. Writes study.json and study.html.

    --set KIND.key=value sets a value of every stage of a kind, for example
    preference_model.learning_rate=2e-5, a hundredth of that of pretrain.

    Example:

        accord study pmp --target hh.jsonl.gz --public stackexchange --documents books --out out/pmp
    """
    from accord.reports.study_page import PMP, write_study  # noqa: PLC0415 - not for `--help`
    from accord.studies import pmp as study  # noqa: PLC0415

    design = _design(options)
    table = study.run_table(_sources(data, public.public), design, "Preference pretraining")
    folders = _run(table, options, "Preference pretraining", PMP.command)
    if folders:
        _tell(options, study.summary(folders, design), lambda p, f: write_study(p, PMP, f))


@app.command("objectives")
@taken_from(Data, Options)
@plain_errors()
def objectives(data: Data, options: Options) -> None:
    """What should learn from comparisons: ranked preferences, good or bad, or imitation?

    Trains a preference model on pairs, one that calls each response good or bad by itself, and a
    policy that imitates what was put first, on ever more of the comparisons; a policy's score is
    its mean log-probability. The same command continues an interrupted study. Writes study.json
    and study.html.

    Example:

        accord study objectives --target hh.jsonl.gz --model builtin:base --out out/objectives
    """
    from accord.reports.study_page import OBJECTIVES, write_study  # noqa: PLC0415
    from accord.studies import objectives as study  # noqa: PLC0415
    from accord.studies.pmp import summary  # noqa: PLC0415

    design = _design(options)
    table = study.run_table(_sources(data, []), design, "Objectives")
    folders = _run(table, options, "Objectives", OBJECTIVES.command)
    if folders:
        found = summary(folders, design, names=study.ARMS, baseline=study.ARMS[0])
        _tell(options, found, lambda path, f: write_study(path, OBJECTIVES, f))


def _design(options: Options) -> "Design":
    from accord.studies.pmp import Design  # noqa: PLC0415

    return Design(_numbers(options.sizes), options.seeds, _by_kind(options.settings or []))


def _sources(data: Data, public: list[str]) -> "Sources":
    from accord.studies.pmp import Sources  # noqa: PLC0415

    return Sources(data.target, tuple(public), data.model, tuple(data.documents or ()))


def _run(table: dict[str, Any], options: Options, title: str, command: str) -> dict[str, Path]:
    """Run all stages; their folders by name, or none after a dry run."""
    planned = pipeline.plan(table, options.out, title=title, command=command)
    if options.dry_run:
        for step in planned.steps:
            typer.echo(f"{step.folder}: {pipeline.state(step.folder)}")
        return {}
    pipeline.run(planned, Console(soft_wrap=True))
    return {step.name: step.folder for step in planned.steps}


def _tell(
    options: Options, found: dict[str, Any], write: Callable[[Path, dict[str, Any]], Path]
) -> None:
    from accord.runtime.artifacts import write_json  # noqa: PLC0415

    write_json(options.out / "study.json", found)
    page = write(options.out / "study.html", found)
    Console(soft_wrap=True).print(f"study: [bold]{page}[/]", highlight=False)


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
