"""``accord simulate``: simulated labelers use a running server by its API, as people do."""

import os
from pathlib import Path
from typing import Annotated

import typer

from accord.cli.errors import plain_errors
from accord.config import InputError, apply_settings, build

TOKEN = "ACCORD_TOKEN"  # environment variable: keeps the token out of the list of processes


@plain_errors()
def simulate(
    url: Annotated[str, typer.Argument(metavar="URL", help="Server: http://localhost:8000")],
    project: Annotated[str, typer.Option(help="Project to work on.")] = "sample",
    token: Annotated[
        str, typer.Option(help=f"Token of a manager; better in the variable `{TOKEN}`.")
    ] = "",
    labelers: Annotated[int, typer.Option(min=1, max=500, help="How many labelers.")] = 8,
    votes: Annotated[int, typer.Option(min=1, help="Answers in all, while items are left.")] = 100,
    truth: Annotated[
        Path | None, typer.Option(help="JSON lines with `text` and `utility`; else made up.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same labelers and answers.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="accuracy, careless, first_place, length, tie_width, pause_seconds.",
        ),
    ] = None,
) -> None:
    """Let simulated labelers answer over the API of a running server.

    They see what people see, places and texts, so the utility of a text comes from a file or,
    without one, is made up from the text: the same for all of them. The labelers are made when
    they are not there, as programs with a token of their own.

    What they are like is set with `--set`: the share of right choices where utilities differ by 1
    (`accuracy`, 0.8), how many are careless (`careless`, 1), the extra utility of what stands
    first (`first_place`, 0) and of a hundred words (`length`, 0), below which difference they see
    a tie (`tie_width`, 0.1), and the seconds between two answers (`pause_seconds`, 0).

    Examples:

        accord simulate http://localhost:8000 --project sample --votes 50

        accord simulate http://localhost:8000 --labelers 20 --set careless=3 --set length=0.3
    """
    try:
        from accord.web import simulated_work, simulation  # noqa: PLC0415 - the extra `web`
    except ModuleNotFoundError as error:
        raise InputError("`accord simulate` needs more; run `pip install 'accord[web]'`") from error
    crowd = build(simulation.Crowd, apply_settings({}, settings or []), where="--set")
    key = token or os.environ.get(TOKEN, "")
    if not key:
        raise InputError(f"a token is needed; make one on your account page and set `{TOKEN}`")
    people = simulation.people(labelers, crowd, seed=seed)
    utility = simulation.made_up_utility if truth is None else simulation.utility_from(truth)
    with simulated_work.connect(url, key) as manager:
        done = simulated_work.work(
            manager,
            simulated_work.Work(project, votes, crowd.pause_seconds, seed),
            people,
            utility,
        )
    typer.echo(f"{done.answers} answers by {labelers} labelers in {done.seconds:.1f} s")
    for name, milliseconds in done.latencies().items():
        typer.echo(f"  {name} of vote and next item: {milliseconds:.1f} ms")
    if done.answers < votes:
        typer.echo(f"  then nothing was left: {', '.join(sorted(done.reasons)) or 'unknown'}")
