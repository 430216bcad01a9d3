"""Settings of the server: from the environment and the command line, and no secret by default.

Variables: ``ACCORD_DATABASE_URL``, ``ACCORD_SECRET``, ``ACCORD_URL``.
"""

import os
import secrets
import stat
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretBytes
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from accord.config import InputError

DATABASE, SECRET, URL = "ACCORD_DATABASE_URL", "ACCORD_SECRET", "ACCORD_URL"
DEFAULT_DATABASE = "accord.sqlite"
SHORTEST_SECRET = 32  # characters; 32 random hexadecimal digits are 128 bits
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Settings(BaseModel):
    """What the server must know before it starts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database: str  #: path of a SQLite file or URL of a database
    secret: SecretBytes  #: signs cookies and forms; whoever knows it can be anybody
    url: str = ""  #: address that people use, ``https://label.example.org``; empty for any
    hosts: tuple[str, ...] = ()  #: names that a request may ask for; empty for any
    session_lifetime: timedelta = timedelta(days=7)
    form_lifetime: timedelta = timedelta(hours=12)
    invitation_lifetime: timedelta = timedelta(days=7)
    max_body_bytes: int = Field(default=1_000_000, ge=1_000)  #: of one request
    max_upload_bytes: int = Field(default=200_000_000, ge=1_000)  #: of an imported file
    seed: int = 0  #: of the order in which responses are shown

    @property
    def is_https(self) -> bool:
        """True when people come over HTTPS, so that cookies must not travel without it."""
        return self.url.startswith("https://")


def from_environment(
    environment: Mapping[str, str], *, database: str | None = None, host: str = "127.0.0.1"
) -> Settings:
    """Settings from environment variables; what the command line says comes first.

    Args:
        environment: usually ``os.environ``.
        database: path or URL; else ``ACCORD_DATABASE_URL``, else a file in this folder.
        host: address that the server listens on.

    Raises:
        InputError: the secret is too short or readable by others, or there is no place to keep
            one; the address is no address.
    """
    location = database or environment.get(DATABASE) or DEFAULT_DATABASE
    url = environment.get(URL, "").rstrip("/")
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.path):
        raise InputError(f"`{URL}` is `{url}`; write it as `https://label.example.org`")
    return Settings(
        database=location,
        secret=SecretBytes(_secret(environment.get(SECRET), location).encode()),
        url=url,
        hosts=_hosts(parts.hostname, host),
    )


def _hosts(public: str | None, bound: str) -> tuple[str, ...]:
    """Names under which the server answers: a page elsewhere cannot point its own name here."""
    if public is not None:
        return (public, *LOOPBACK)
    return LOOPBACK if bound in LOOPBACK else ()


def _secret(given: str | None, database: str) -> str:
    if given is not None:
        if len(given) < SHORTEST_SECRET:
            raise InputError(
                f"`{SECRET}` has {len(given)} characters; give it {SHORTEST_SECRET} or more random "
                "ones, or leave it out and one is made"
            )
        return given
    file = _sqlite_file(database)
    if file is None:
        raise InputError(
            f"a database server has no place for the secret; set `{SECRET}` to "
            f"{SHORTEST_SECRET} or more random characters and keep it, for example with "
            "`openssl rand -hex 32`"
        )
    return _kept_secret(file.with_name(file.name + ".secret"))


def _sqlite_file(database: str) -> Path | None:
    if "://" not in database:
        return Path(database)
    try:
        location = make_url(database)
    except ArgumentError as error:
        raise InputError(f"`{database}` is no database; give a path or an URL") from error
    is_file = location.get_backend_name() == "sqlite" and location.database
    return Path(str(location.database)) if is_file else None


def _kept_secret(path: Path) -> str:
    """The secret in a file that only its owner may read; made when it is not there."""
    made = secrets.token_hex(32)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read_secret(path)
    except OSError as error:
        raise InputError(
            f"cannot write the secret to `{path}`: {error.strerror}; "
            "make the folder, or give another database"
        ) from error
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(made)
        file.flush()
        os.fsync(file.fileno())
    return made


def _read_secret(path: Path) -> str:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise InputError(f"others may read the secret `{path}`; run `chmod 600 {path}`")
    kept = path.read_text(encoding="ascii", errors="replace").strip()
    if len(kept) < SHORTEST_SECRET:
        raise InputError(
            f"`{path}` holds no secret of {SHORTEST_SECRET} characters; delete it and a new one is "
            "made (everybody logs in again)"
        )
    return kept
