"""What a run's seal says about its ledger, part by part, so that a ledger may grow afterwards.

A ledger that anybody works with goes on changing: votes arrive, batches are published, labelers
join. Its file then has another digest, but what was there when the run ended must still be there.
So the seal also holds a digest of each part that is only ever added to:

    events          all columns of the first ``rows`` rows, in the order of the ledger
    labelers        number and name of the first ``rows``; the rest of a row is working state
    batches         for each batch the comparisons published in it, as they were
    schema          the tables and the triggers that forbid changes, while ``version`` is the same

Each table's digest names its columns, so that it can be checked after the tables were upgraded too.
The queue and the assignments are working state: they can be checked only with the whole file.
"""

import hashlib
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from accord.runtime import artifacts

LABELER_COLUMNS = ["id", "name"]
IN_BATCH = """
    SELECT comparisons.id, comparisons.payload, comparisons.size
    FROM members JOIN comparisons ON comparisons.id = members.comparison_id
    WHERE members.batch = ? ORDER BY comparisons.id
"""


def describe(ledger: Path) -> dict[str, Any]:
    """Digest of a ledger's file and of its parts; its log is folded into the file first."""
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        parts = {
            "version": _version(connection),
            "schema": _schema(connection),
            "events": _rows(connection, "events", _columns(connection, "events"), "seq"),
            "labelers": _rows(connection, "labelers", LABELER_COLUMNS, "id"),
            "batches": {name: _batch(connection, name) for name in _batches(connection)},
        }
    return {"digest": artifacts.digest(ledger), "parts": parts}


def compare(ledger: Path, sealed: dict[str, Any]) -> tuple[list[str], list[str]]:
    """A ledger of today against what ``describe`` said when the run ended.

    Args:
        ledger: the file; it is read from a copy, for looking at evidence must not touch it.
        sealed: what ``describe`` returned.

    Returns:
        differing: what is not as it was, one clause each, such as ``was changed``.
        grown: what was added, one clause each; working state may have changed with it.
    """
    log = ledger.with_name(ledger.name + "-wal")
    has_log = log.is_file() and log.stat().st_size > 0
    if not has_log and artifacts.digest(ledger) == sealed["digest"]:
        return [], []
    if "parts" not in sealed:  # by a version of Accord that could not tell growth from change
        return ["was changed, or has grown; its seal is too old to tell which"], []
    try:
        with copied(ledger) as copy, closing(sqlite3.connect(copy)) as connection:
            (sound,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if sound != "ok":
                return [f"was changed: {' '.join(sound.split())}"], []
            differing, grown = _compared(connection, sealed["parts"])
    except sqlite3.DatabaseError as error:
        return [f"was changed: {error}"], []
    if not differing and not grown and not has_log:
        return ["was changed, though nothing was added to it"], []
    return differing, grown


@contextmanager
def copied(ledger: Path) -> Iterator[Path]:
    """A copy of a SQLite file and its log, for as long as it is looked at."""
    with tempfile.TemporaryDirectory(prefix="accord-") as folder:
        for part in ledger.parent.glob(ledger.name + "*"):
            shutil.copy(part, folder)
        yield Path(folder) / ledger.name


def _compared(connection: sqlite3.Connection, parts: dict[str, Any]) -> tuple[list[str], list[str]]:
    differing, grown = [], []
    for table, key in (("events", "seq"), ("labelers", "id")):
        before = parts[table]
        count = _count(connection, table)
        if count < before["rows"]:
            differing.append(f"has {count} {table} and had {before['rows']}")
        elif before != _rows(connection, table, before["columns"], key, before["rows"]):
            differing.append(f"holds other {table} than when the run ended")
        elif count > before["rows"]:
            grown.append(f"{count - before['rows']} new {table}")
    now = _batches(connection)
    for name, before in parts["batches"].items():
        if name not in now:
            differing.append(f"no longer holds the batch `{name}`")
        elif before != _batch(connection, name):
            differing.append(f"holds other comparisons in the batch `{name}`")
    if new := len(set(now) - set(parts["batches"])):
        grown.append(f"{new} new batches")
    if (version := _version(connection)) != parts["version"]:
        grown.append(f"its tables are of version `{version}` now")
    elif _schema(connection) != parts["schema"]:
        differing.append("has other tables or triggers than when the run ended")
    return differing, grown


def _rows(
    connection: sqlite3.Connection, table: str, columns: list[str], key: str, most: int = -1
) -> dict[str, Any]:
    """Number and digest of the first rows of a table; -1 takes all, as in SQLite."""
    named = ", ".join('"' + column.replace('"', '""') + '"' for column in columns)
    rows = connection.execute(f"SELECT {named} FROM {table} ORDER BY {key} LIMIT ?", (most,))
    return {"columns": columns, **_digested(rows)}


def _batch(connection: sqlite3.Connection, name: str) -> dict[str, Any]:
    return _digested(connection.execute(IN_BATCH, (name,)))


def _digested(rows: sqlite3.Cursor) -> dict[str, Any]:
    count, h = 0, hashlib.sha256()
    for count, row in enumerate(rows, start=1):  # noqa: B007 - the last one is the number of rows
        h.update(json.dumps(row, default=repr).encode() + b"\n")
    return {"rows": count, "digest": h.hexdigest()}


def _version(connection: sqlite3.Connection) -> str:
    return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def _schema(connection: sqlite3.Connection) -> dict[str, Any]:
    statement = "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
    return _digested(connection.execute(statement))


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def _count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _batches(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT DISTINCT batch FROM members ORDER BY 1")]
