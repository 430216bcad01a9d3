"""The whole ledger as JSON Lines and back: to another database, or kept for good.

    {"ledger": 1, "revision": "…"}          first
    {"table": "events", "row": {…}}         every row, facts and working state
    {"end": {"events": 12, …}}              last: how many rows of each table

A file without its last line was cut off. Accounts, passwords and sessions are not in it.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Table, func, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from accord.config import InputError, nearest
from accord.data.files import Row
from accord.data.formats.fields import Fields
from accord.store import tables
from accord.store.tables import Instant

VERSION = 1
CHUNK = 500
TABLES: tuple[Table, ...] = (  # each after those that it refers to
    tables.labelers,
    tables.guidelines,
    tables.comparisons,
    tables.members,
    tables.events,
    tables.projects,
    tables.queue,
    tables.gold,
    tables.assignments,
    tables.standings,
    tables.balances,
    tables.drafts,
)
BY_NAME = {table.name: table for table in TABLES}
NUMBERED = (("labelers", "id"), ("events", "seq"))  # columns that the database counts itself


def rows_of(session: Session) -> Iterator[dict[str, Any]]:
    """Every line of the file, from one consistent view of the ledger."""
    yield {"ledger": VERSION, "revision": revision(session)}
    counts = {}
    for table in TABLES:
        counts[table.name] = 0
        statement = select(table).order_by(*table.primary_key.columns)
        for row in session.execute(statement.execution_options(yield_per=CHUNK)):
            counts[table.name] += 1
            values = {name: _written(value) for name, value in row._mapping.items()}
            yield {"table": table.name, "row": values}
    yield {"end": counts}


def restore(session: Session, found: Iterable[Row]) -> dict[str, int]:
    """Put a ledger into a store that has none; return how many rows of each table.

    Args:
        session: a writing transaction; nothing stays of a restore that fails.
        found: the lines of the file.

    Raises:
        InputError: the store holds a ledger already, or a line is not what it should be; names
            file, line and field.
    """
    taken = [table.name for table in TABLES if _number(session, table)]
    if taken:
        raise InputError(
            f"the store holds a ledger already (`{taken[0]}` is not empty); give a new store"
        )
    lines = iter(found)
    first = next(lines, None)
    if first is None or first.values.get("ledger") != VERSION:
        place = first.place if first else "the file"
        raise InputError(f'{place}: no ledger; its first line is {{"ledger": {VERSION}, …}}')
    counts = dict.fromkeys(BY_NAME, 0)
    ended = False
    for name, group in groupby(lines, key=_table_of):
        if ended or not name:
            ended = True
            for row in group:
                _check_end(row, counts)
            continue
        chunk: list[tuple[Row, dict[str, Any]]] = []
        for row in group:
            chunk.append((row, _values(row, BY_NAME[name])))
            counts[name] += 1
            if len(chunk) == CHUNK:
                _insert(session, BY_NAME[name], chunk)
                chunk = []
        _insert(session, BY_NAME[name], chunk)
    if not ended:
        raise InputError(f"`{first.source}` was cut off: its last line is missing; copy it again")
    _count_on(session)
    return counts


def revision(session: Session) -> str:
    """Version of the tables."""
    return str(session.scalars(text("SELECT version_num FROM alembic_version")).one())


def _written(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _number(session: Session, table: Table) -> int:
    return int(session.scalars(select(func.count()).select_from(table)).one())


def _table_of(row: Row) -> str:
    if "end" in row.values:
        return ""
    name = row.values.get("table")
    if not isinstance(name, str) or name not in BY_NAME:
        raise row.error(f"`table` is `{name}`{nearest(str(name), BY_NAME)}")
    return name


def _check_end(row: Row, counts: dict[str, int]) -> None:
    if row.values.get("end") != counts:
        raise row.error("`end` does not say what stands above it, or more follows")


def _values(row: Row, table: Table) -> dict[str, Any]:
    fields = Fields(row.values, row).fields("row")
    unknown = next((name for name in fields.values if name not in table.c), None)
    if unknown is not None:
        raise fields.wrong(unknown, f"is no column of `{table.name}`; upgrade Accord")
    values = dict(fields.values)
    for name in values:
        if isinstance(table.c[name].type, Instant):
            values[name] = fields.instant(name)
    return values


def _insert(session: Session, table: Table, chunk: list[tuple[Row, dict[str, Any]]]) -> None:
    if not chunk:
        return
    try:
        for _, part in groupby(chunk, key=lambda pair: sorted(pair[1])):
            session.execute(insert(table), [values for _, values in part])
    except (DBAPIError, TypeError, ValueError) as error:
        reason = str(getattr(error, "orig", error)).partition("\n")[0]
        place = f"{chunk[0][0].place} to {chunk[-1][0].line}"
        raise InputError(f"{place}: a row of `{table.name}` does not fit: {reason}") from error


def _count_on(session: Session) -> None:
    """PostgreSQL counts on from where the rows end; SQLite does so by itself."""
    if session.get_bind().dialect.name != "postgresql":
        return
    for table, column in NUMBERED:
        session.execute(
            text(
                f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), "
                f"GREATEST((SELECT MAX({column}) FROM {table}), 1), "
                f"(SELECT COUNT(*) > 0 FROM {table}))"
            )
        )
