"""A SQLite ledger copied whole into an empty PostgreSQL; filling that anew would take longer."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Boolean, text

from accord.store import tables
from accord.store.session import open_store

CHUNK = 5_000


def into_postgresql(file: Path, url: str) -> bool:
    """Copy every table; False if the PostgreSQL has events already, so that nothing was copied."""
    with open_store(url) as store, store.engine.begin() as connection:
        if connection.execute(text("SELECT 1 FROM events LIMIT 1")).first():
            return False
        source = sqlite3.connect(file)
        cursor = connection.connection.cursor()
        for table in tables.metadata.sorted_tables:
            names = [column.name for column in table.columns]
            flags = [n for n, c in enumerate(table.columns) if isinstance(c.type, Boolean)]
            rows = source.execute(f"SELECT {', '.join(names)} FROM {table.name}")
            with cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copy:
                while chunk := rows.fetchmany(CHUNK):
                    for row in chunk:
                        copy.write_row(_as_flags(row, flags) if flags else row)
        source.close()
        for table, column in (("events", "seq"), ("labelers", "id"), ("accounts", "id")):
            highest = f"(SELECT coalesce(max({column}), 1) FROM {table})"
            connection.execute(text(f"SELECT setval('{table}_{column}_seq', {highest})"))
    with open_store(url) as store, store.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))
    return True


def _as_flags(row: tuple[Any, ...], places: list[int]) -> list[Any]:
    values = list(row)
    for place in places:
        values[place] = None if values[place] is None else bool(values[place])
    return values
