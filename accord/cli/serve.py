"""``accord serve``: the labelling server."""

import gc
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr

from accord.cli.errors import plain_errors
from accord.cli.sources import model_of
from accord.config import InputError
from accord.records import Sampling
from accord.stages import needs_training

if TYPE_CHECKING:
    from accord.store.session import Store
    from accord.web.turns import Generator

LARGEST_PORT = 65535
NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")


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
    temperature: Annotated[
        float, typer.Option(min=0.0, help="Of those who answer; 1 draws as trained.")
    ] = 1.0,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 128,
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

    With --policy people can talk to a policy: a run, an artifact or a model folder (this needs the
    extra `train`), or a server that speaks the chat completions of OpenAI, with the model's name
    there after a #. Two of those that are served answer each message; with one, it answers twice.
    The key of an endpoint NAME is read from ACCORD_KEY_NAME.

    Examples:

        accord serve

        accord serve --policy base=builtin:base

        accord serve --database out/votes.sqlite --policy sft=out/demo/02-sft --policy new=out/demo

        accord serve --policy big=http://localhost:11434/v1#llama3.2
    """
    try:
        import uvicorn  # noqa: PLC0415 - the extra `web`

        from accord.store.session import open_store  # noqa: PLC0415
        from accord.web.app import create_app  # noqa: PLC0415
        from accord.web.settings import from_environment  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise InputError("`accord serve` needs more; run `pip install 'accord[web]'`") from error
    sampling = Sampling(temperature=temperature, max_tokens=max_tokens)
    answering = {name: _answering(name, source, sampling) for name, source in _named(policy or [])}
    settings = from_environment(os.environ, database=database, host=host)
    with open_store(settings.database) as store:
        app = create_app(settings, store, generators=answering)
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
        talks = bool(answering)
        _greet(store, settings.url or bound, sample=sample, talks=talks, token_file=token_file)
        gc.freeze()  # what is there now stays: nobody waits while it is looked through for garbage
        uvicorn.Server(config).run(sockets=[socket])


def _named(policies: list[str]) -> list[tuple[str, str]]:
    """Names and sources of ``NAME=SOURCE``."""
    pairs = [policy.partition("=") for policy in policies]
    for name, mark, source in pairs:
        if not (mark and source and NAME.fullmatch(name)):
            raise InputError(
                f"`--policy {name}{mark}{source}`: write NAME=DIR or NAME=URL; a name has letters, "
                "digits, `_` and `-`"
            )
    names = [name for name, _, _ in pairs]
    if len(set(names)) < len(names):
        raise InputError("`--policy` names one policy twice; give each a name of its own")
    return [(name, source) for name, _, source in pairs]


def _answering(name: str, source: str, sampling: Sampling) -> "Generator":
    """Who answers under a name: an endpoint, or a policy that is loaded here."""
    if source.startswith(("http://", "https://")):
        from accord.web.endpoint import Endpoint  # noqa: PLC0415 - the extra `web`

        url, _, model = source.partition("#")
        key = os.environ.get(f"ACCORD_KEY_{name.upper().replace('-', '_')}")
        return Endpoint(name, url, model or name, sampling, SecretStr(key) if key else None)
    _, where = model_of(source)
    try:
        from accord.cli.local_policy import LocalPolicy  # noqa: PLC0415 - torch only when needed
    except ModuleNotFoundError as error:
        raise needs_training(error, "serve --policy") from error
    return LocalPolicy(name, where, sampling)


def _greet(
    store: "Store", address: str, *, sample: bool, talks: bool, token_file: Path | None
) -> None:
    from accord.web import first_run  # noqa: PLC0415

    now = datetime.now(UTC)
    made = first_run.prepare(store, now=now, sample=sample, talks=talks)
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
