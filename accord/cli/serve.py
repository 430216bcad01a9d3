"""``accord serve``: the labelling server."""

import gc
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from accord.cli.errors import plain_errors
from accord.config import InputError

if TYPE_CHECKING:
    from accord.store.session import Store

LARGEST_PORT = 65535


@plain_errors()
def serve(
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="SQLite file or URL; else ACCORD_DATABASE_URL, else `accord.sqlite`.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for others too.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=LARGEST_PORT, help="0 takes a free one.")] = 8000,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=DIR|URL", help="Who answers in conversations; give it several times."
        ),
    ] = None,
    sample: Annotated[
        bool, typer.Option(help="Put the sample projects into a new database.")
    ] = True,
    token_file: Annotated[
        Path | None, typer.Option(help="Write a manager's token for scripts to this file.")
    ] = None,
) -> None:
    """Serve the pages on which people label, and the same doors for programs.

    The first run makes the database, a secret beside it, a small sample project, and prints a link
    with which the admin chooses a name and a password. Everybody else is invited from the pages.

    Put a server that speaks HTTPS in front before others use it over a network, and say its
    address in ACCORD_URL. With PostgreSQL, keep the secret in ACCORD_SECRET.

    Examples:

        accord serve

        accord serve --database out/votes.sqlite --policy sft=out/demo/02-sft --policy new=out/demo
    """
    try:
        import uvicorn  # noqa: PLC0415 - the extra `web`

        from accord.store.session import open_store  # noqa: PLC0415
        from accord.web.app import create_app  # noqa: PLC0415
        from accord.web.settings import from_environment  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise InputError("`accord serve` needs more; run `pip install 'accord[web]'`") from error
    settings = from_environment(os.environ, database=database, host=host)
    with open_store(settings.database) as store:
        app = create_app(settings, store)
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        socket = config.bind_socket()
        bound = f"http://{'localhost' if host == '127.0.0.1' else host}:{socket.getsockname()[1]}"
        _greet(store, settings.url or bound, sample=sample, token_file=token_file)
        gc.freeze()  # what is there now stays: nobody waits while it is looked through for garbage
        uvicorn.Server(config).run(sockets=[socket])


def _greet(store: "Store", address: str, *, sample: bool, token_file: Path | None) -> None:
    from accord.web import first_run  # noqa: PLC0415

    now = datetime.now(UTC)
    made = first_run.prepare(store, now=now, sample=sample)
    place = store.engine.url.render_as_string(hide_password=True)
    typer.echo(f"Accord serves {place} at {address}")
    if made.made_sample:
        typer.echo("  a sample project is in it: your first vote is one click away")
    if made.admin_path:
        typer.echo("  open this link to become the admin; it works once, for 24 hours:")
        typer.echo(f"\n    {address}{made.admin_path}\n")
    if token_file is not None:
        token = first_run.program_token(store, "script", now=now)
        handle = os.open(token_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(token + "\n")
        typer.echo(f"  a manager's token for scripts is in {token_file}")
    typer.echo("  stop with Ctrl-C")
