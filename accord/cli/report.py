"""``accord report``: the HTML report of a run, finished or not."""

import typer

from accord import trace
from accord.cli.errors import plain_errors
from accord.cli.options import RunDirectory
from accord.config import InputError
from accord.runtime.locks import locked


@plain_errors()
def report(directory: RunDirectory) -> None:
    """Build DIR/report.html from what lies in the folder of a run.

    One file without links to the network: open it in a browser, send it, keep it. A run that is
    not finished has a report too; what is missing is said there.

    Example:

        accord report out/demo
    """
    if not directory.is_dir():
        raise InputError(f"no folder `{directory}`; give the folder of a run")
    from accord import reports  # noqa: PLC0415 - it brings plots, which `--help` need not wait for

    with locked(directory):
        trace.unseal(directory)
        path = reports.build(directory)
        trace.seal(directory)
    typer.echo(path)
