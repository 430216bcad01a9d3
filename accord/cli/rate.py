"""``accord rate``: ratings from a file of votes, or the stage of a run that rates policies."""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import typer

from accord.cli.errors import plain_errors
from accord.cli.options import DryRun, Settings, taken_from
from accord.cli.stage import resolve, run_one
from accord.config import InputError

OF_VOTES = "Rate a file of votes"  # heading of its options; those of the stage stand apart


@dataclass(frozen=True)
class VoteOptions:
    """What rating a file takes."""

    votes: Annotated[
        Path | None,
        typer.Argument(
            metavar="VOTES",
            show_default=False,
            help="Votes as .jsonl, .csv, .tsv or .parquet, or the artifact of collect.",
        ),
    ] = None
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            rich_help_panel=OF_VOTES,
            show_default=False,
            help="bradley_terry (default), thurstone, davidson, rao_kupper or plackett_luce.",
        ),
    ] = None
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            rich_help_panel=OF_VOTES,
            help="Whose votes may be alike: labeler,prompt (default), either, or none.",
        ),
    ] = None
    by: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", rich_help_panel=OF_VOTES, help="Rate each criterion on its own."
        ),
    ] = None
    control: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            rich_help_panel=OF_VOTES,
            help="Take out the effect of side, length, or any column of numbers (a minus b).",
        ),
    ] = None
    prior_sd: Annotated[
        float | None,
        typer.Option(
            metavar="NATS",
            rich_help_panel=OF_VOTES,
            help="Width of the prior of each rating, by default 3; 0 for none.",
        ),
    ] = None
    confidence: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", rich_help_panel=OF_VOTES, help="Of every interval, by default 0.95."
        ),
    ] = None
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", rich_help_panel=OF_VOTES, help="Draw it: one HTML file."),
    ] = None
    as_json: Annotated[
        bool, typer.Option("--json", rich_help_panel=OF_VOTES, help="Print JSON, no table.")
    ] = False


@dataclass(frozen=True)
class StageOptions:
    """What every stage takes."""

    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the artifact."),
    ] = None
    inputs: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PATH", help="One input; may be repeated."),
    ] = None
    settings: Settings = None
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Settings in TOML, or an artifact's config.json.",
        ),
    ] = None
    dry_run: DryRun = False


@taken_from(VoteOptions, StageOptions)
@plain_errors()
def rate(of_votes: VoteOptions, of_stage: StageOptions) -> None:
    """Rate models from votes: ratings, intervals, ranks, and what the votes leave open.

    A vote says which of two responses somebody preferred: columns `a`, `b` (the models) and
    `winner` (`a`, `b`, `tie` or `both_bad`); if known, `labeler`, `prompt`, `side` (which was
    shown first), `criterion`, `len_a`, `len_b`, `weight`.

    Examples:

        accord rate votes.jsonl

        accord rate votes.csv --model davidson --control side,length --html ratings.html

        accord rate out/collect --json

    More: docs/ratings.md. Without VOTES it is a stage:
    """
    if of_votes.votes is None:
        _stage(of_votes, of_stage)
        return
    given = _given(of_stage)
    if given:
        raise InputError(
            f"{given[0]} belongs to the stage, which takes its votes from `--inputs "
            f"comparisons=PATH`; leave {given[0]} out, or give the votes so"
        )
    _votes(of_votes.votes, of_votes)


def _stage(of_votes: VoteOptions, of_stage: StageOptions) -> None:
    given = _given(of_votes)
    if given:
        raise InputError(
            f"{given[0]} is for a file of votes, and none is given: write `accord rate VOTES "
            f"{given[0].strip('`')} …`; the stage has `--set`"
        )
    if of_stage.out is None:
        raise InputError(
            "nothing to rate; give a file of votes, or `--inputs comparisons=PATH --out DIR` to "
            "run the stage"
        )
    config = resolve("rate", of_stage.config, of_stage.settings or [])
    run_one("rate", of_stage.inputs or [], of_stage.out, config, dry_run=of_stage.dry_run)


def _given(options: VoteOptions | StageOptions) -> list[str]:
    """How the options that are set are spelled on the command line."""
    spelled = {"as_json": "json", "settings": "set"}
    return [
        f"`--{spelled.get(field.name, field.name).replace('_', '-')}`"
        for field in fields(options)
        if field.name != "votes" and getattr(options, field.name) not in (None, False, [])
    ]


def _votes(path: Path, options: VoteOptions) -> None:
    from accord.cli import vote_ratings, vote_tables  # noqa: PLC0415 - `--help` need not wait

    chosen = {
        name: value
        for name in ("model", "by", "prior_sd", "confidence")
        if (value := getattr(options, name)) is not None
    }
    if options.cluster is not None:
        chosen["cluster"] = () if options.cluster == "none" else _names(options.cluster)
    if options.control is not None:
        chosen["control"] = _names(options.control)
    wanted = vote_ratings.Wanted(**chosen)
    found = vote_ratings.rate_file(path, wanted)
    if options.html is not None:
        from accord.reports import votes_page  # noqa: PLC0415 - only this needs templates

        votes_page.write_ratings(
            options.html, found, votes_page.Origin(path, _command(path, options))
        )
    if options.as_json:
        typer.echo(json.dumps(found, allow_nan=False))
    else:
        vote_tables.print_ratings(found, str(path))
        if options.html is not None:
            typer.echo(f"drawn: {options.html}")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _command(path: Path, options: VoteOptions) -> str:
    """What was typed, as far as it decides the numbers."""
    words = ["accord", "rate", str(path)]
    for name in ("model", "cluster", "by", "control", "prior_sd", "confidence"):
        value = getattr(options, name)
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return " ".join(words)
