"""The command line, ``accord``: one file for each group of commands, arguments only."""

from typing import Annotated

import typer

import accord
from accord.cli import (
    agreement,
    chat,
    export,
    import_,
    rate,
    report,
    run,
    serve,
    simulate,
    stage,
    study,
    verify,
)

__all__ = ["app", "main"]

app = typer.Typer(
    name="accord",
    help="Reinforcement learning from human feedback, from the key press to the policy.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"accord {accord.__version__}")
        raise typer.Exit


@app.callback()
def _accord(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Reinforcement learning from human feedback, from the key press to the policy."""


app.command("run")(run.run)
app.command("report")(report.report)
app.command("verify")(verify.verify)
app.command("chat")(chat.chat)
app.command("serve")(serve.serve)
app.command("simulate")(simulate.simulate)
app.command("import")(import_.import_)
app.command("export")(export.export)
app.command("agreement")(agreement.agreement)
app.add_typer(study.app, name="study")
stage.register(app, {"rate": rate.rate})


def main() -> None:
    """Run the command line."""
    app()
