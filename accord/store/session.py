"""Open a store, bring its tables up to date, and give transactions.

SQLite by default: one file and its write-ahead log, which is on the disk before a transaction is
said to be done (``disk.py``): a committed answer survives ``kill -9`` of any process and, as far
as the disk keeps its promises, a power cut. Work that can be done again, such as simulated
labelling, opens with ``power_safe=False``: ``kill -9`` still takes nothing, a power cut may take
the last moments, and neither corrupts the file.
Writers take the write lock when they begin, so that two of them wait for each other instead of
failing half way. Any other SQLAlchemy URL is passed on; PostgreSQL is tested.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import Session

from accord.config import InputError
from accord.store import disk

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_WAIT_SECONDS = 60  # how long a writer waits for the other writers of a SQLite file
CACHE_KILOBYTES = (
    16_000  # of one connection; the indexes of a large ledger are read again and again
)
CONNECTIONS, MORE_CONNECTIONS = 16, 32  # kept open, and opened besides under load
WRITERS = 3  # transactions of one process that write to PostgreSQL at a time; see ``writing``
MIGRATION_LOCK = 4_107_733  # PostgreSQL advisory lock: only one process changes the tables
LATER = {"read_later": True}  # marks connections that take no write lock when they begin


class _Statements(Session):
    """A session of one transaction; its statements go straight to the connection: half the way."""

    _straight: Connection | None = None

    def execute(self, statement: Any, params: Any = None) -> Any:  # type: ignore[override]  # fewer
        """Run one statement in the transaction."""
        if self._straight is None:
            self._straight = self.connection()
        return self._straight.execute(statement, params)

    def scalars(self, statement: Any, params: Any = None) -> Any:  # type: ignore[override]  # fewer
        """Run one statement; the first column of its rows."""
        return self.execute(statement, params).scalars()


@dataclass(frozen=True)
class Store:
    """An open store. Use as a context manager, so that the database is closed in the end."""

    engine: Engine
    log: disk.Log | None = None  #: that a commit waits for; None where the database sees to that
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _places: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(WRITERS))

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction that may write: commits at the end, rolls back on any exception.

        Functions of the store may remember in ``Session.info`` what the transaction has locked.
        SQLite has one writer, and who must wait for it asks again after ever longer pauses; among
        the threads of this process a lock wakes the next one at once. PostgreSQL needs no lock;
        but many transactions at a time would want the same few items nearest to completion, and
        each wait for the others' rows and for the interpreter between its statements. A few
        overlap their waits for the disk and are done sooner.
        """
        if self.engine.dialect.name != "sqlite":
            with self._places, _Statements(self.engine) as session, session.begin():
                yield session
            return
        with self._turn, _Statements(self.engine) as session, session.begin():
            yield session
        if self.log is not None:
            self.log.wait()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One consistent view of the ledger, that blocks no writer. What it writes is dropped."""
        with _Statements(self.engine.execution_options(**LATER)) as session:
            yield session
            session.rollback()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_store(url: str, *, power_safe: bool = True) -> Store:
    """Open a store, create it if it is not there, upgrade its tables if they are older.

    Args:
        url: path of a SQLite file (``runs/hh/ledger.sqlite``) or any SQLAlchemy URL
            (``postgresql+psycopg://host/name``).
        power_safe: False gives up the last moments before a power cut for speed (SQLite only).

    Raises:
        InputError: the URL cannot be understood or reached, its driver is not installed, the file
            is no database, or the store was made by a newer version of Accord.
    """
    location = _location(url)
    try:
        engine = create_engine(location, **_pool(location))
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise InputError(
            f"cannot open the store `{location}`: {error}; install the database's driver"
        ) from error
    if location.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    try:
        with engine.begin() as connection:
            _upgrade(connection)
    except DBAPIError as error:
        engine.dispose()
        raise InputError(
            f"cannot open the store `{location}`: {error.orig}; "
            "check that the folder exists, that it may be written and that it is a store"
        ) from error
    except InputError:
        engine.dispose()
        raise
    is_sqlite = location.get_backend_name() == "sqlite"
    log = disk.log_of(location.database) if is_sqlite and power_safe else None
    if log is not None:
        log.wait()
    return Store(engine, log)


def _location(url: str) -> URL:
    if "://" not in url:
        return URL.create("sqlite", database=url)
    try:
        return make_url(url)
    except ArgumentError as error:
        raise InputError(
            f"`{url}` is no store; give the path of a SQLite file, or an URL "
            "such as `postgresql+psycopg://host/name`"
        ) from error


def _pool(location: URL) -> dict[str, int]:
    """How many connections stay open; a file in memory is one connection."""
    is_in_memory = location.get_backend_name() == "sqlite" and location.database in (
        None,
        "",
        ":memory:",
    )
    return {} if is_in_memory else {"pool_size": CONNECTIONS, "max_overflow": MORE_CONNECTIONS}


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite, not by the driver
    connection.execute(f"PRAGMA busy_timeout={LOCK_WAIT_SECONDS * 1000}")
    mode = _in_wal(connection)
    connection.execute(f"PRAGMA synchronous={'NORMAL' if mode == 'wal' else 'FULL'}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA cache_size=-{CACHE_KILOBYTES}")


def _in_wal(connection: Any) -> str:
    """Switch to a write-ahead log; SQLite does not wait for another one that switches as well."""
    last = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > last:
                raise
            time.sleep(0.01)
        else:
            return str(mode)


def _begin_sqlite(connection: Connection) -> None:
    later = connection.get_execution_options().get("read_later", False)
    connection.exec_driver_sql("BEGIN" if later else "BEGIN IMMEDIATE")


def _upgrade(connection: Connection) -> None:
    """Apply, inside the given transaction, the changes that this store has not had yet."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    scripts = ScriptDirectory(str(MIGRATIONS))
    context = MigrationContext.configure(connection)
    current, newest = context.get_current_revision(), scripts.get_current_head()
    if current == newest:
        return
    known = {script.revision for script in scripts.walk_revisions()}
    if current is not None and current not in known:
        raise InputError(
            f"the store `{connection.engine.url}` has tables of version `{current}`, "
            f"newer than the `{newest}` that this Accord knows; upgrade Accord"
        )
    missing = list(scripts.iterate_revisions("head", current or "base"))
    with Operations.context(context):
        for script in reversed(missing):
            script.module.upgrade()
            context.stamp(scripts, script.revision)
