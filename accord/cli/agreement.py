"""``accord agreement``: how far the labelers of a file of votes agree."""

import json
from pathlib import Path
from typing import Annotated

import typer

from accord.cli.errors import plain_errors


@plain_errors()
def agreement(
    votes: Annotated[
        Path, typer.Argument(help="Votes as for `accord rate`, or the artifact of collect.")
    ],
    confidence: Annotated[float, typer.Option(metavar="SHARE", help="Of every interval.")] = 0.95,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, no table.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it: one HTML file.")
    ] = None,
) -> None:
    """Say how far labelers agree, beyond chance too, and who does not look.

    Agreement needs `labeler` and `prompt` beside `a`, `b` and `winner`, and several labelers on
    the same responses. It also bounds how often any model can predict a single vote.

    Examples:

        accord agreement votes.jsonl

        accord agreement out/collect --html agreement.html
    """
    from accord.cli import vote_ratings, vote_tables  # noqa: PLC0415 - `--help` need not wait

    found = vote_ratings.agreement_of_file(votes, confidence)
    if html is not None:
        from accord.reports import votes_page  # noqa: PLC0415 - only this needs templates

        command = f"accord agreement {votes} --confidence {confidence:g}"
        votes_page.write_agreement(html, found, votes_page.Origin(votes, command))
    if as_json:
        typer.echo(json.dumps(found, allow_nan=False))
    else:
        vote_tables.print_agreement(found, str(votes))
        if html is not None:
            typer.echo(f"drawn: {html}")
