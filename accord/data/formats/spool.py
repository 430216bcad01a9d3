"""A waiting room on disk: everything is read and checked before anything is written.

Votes on the same item are brought together, votes that are there already are told apart from new
ones, and a file larger than memory passes through.
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from accord.config import InputError
from accord.data.formats.entries import Entry, Judgment
from accord.data.threads import Tally, hashed

_TABLES = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    CREATE TABLE items (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, content TEXT, body TEXT);
    CREATE TABLE votes (
        seq INTEGER PRIMARY KEY, item INTEGER, id TEXT UNIQUE, is_new INTEGER, body TEXT
    );
    CREATE INDEX votes_of ON votes (item, seq);
    CREATE TABLE read (id TEXT PRIMARY KEY) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Spool:
    """Entries in the order in which their items came, each once, with all votes on it."""

    connection: sqlite3.Connection

    def add(self, entry: Entry, tally: Tally, *, is_new: bool = True) -> None:
        """Add an item or further votes on it.

        Two equal votes that the file does not name are two votes: the second gets another id, by
        its number. Reading the same file again gives the same ids.

        Args:
            entry: what was read.
            tally: counts ``items/new``, ``votes/new`` and ``votes/known``.
            is_new: False for what was imported before; its ids are taken as they are.

        Raises:
            InputError: another item with the same id is there.
        """
        item, is_first = self._item(entry)
        tally["items/new"] += is_first and is_new
        for judgment in entry.judgments:
            vote = self._numbered(judgment) if is_new else judgment
            added = self.connection.execute(
                "INSERT OR IGNORE INTO votes (item, id, is_new, body) VALUES (?, ?, ?, ?)",
                (item, vote.id, is_new, vote.model_dump_json(exclude_defaults=True)),
            ).rowcount
            if is_new:
                tally["votes/new" if added else "votes/known"] += 1

    def entries(self) -> Iterator[Entry]:
        """Everything, one item after another."""
        rows = self.connection.execute(
            "SELECT items.seq, items.body, votes.body FROM items "
            "LEFT JOIN votes ON votes.item = items.seq ORDER BY items.seq, votes.seq"
        )
        for _, group in groupby(rows, key=lambda row: row[0]):
            found = list(group)
            votes = [Judgment.model_validate_json(row[2]) for row in found if row[2] is not None]
            item = Entry.model_validate_json(found[0][1])
            yield item.model_copy(update={"judgments": tuple(votes)})

    def _item(self, entry: Entry) -> tuple[int, bool]:
        place = self.connection.execute(
            "SELECT seq, content FROM items WHERE id = ?", (entry.id,)
        ).fetchone()
        content = hashed(
            entry.prompt.model_dump_json(), *(r.model_dump_json() for r in entry.responses)
        )
        if place is None:
            body = entry.model_dump_json(
                exclude={"judgments"}, by_alias=True, exclude_defaults=True
            )
            added = self.connection.execute(
                "INSERT INTO items (id, content, body) VALUES (?, ?, ?)", (entry.id, content, body)
            )
            return int(added.lastrowid or 0), True
        if place[1] != content:
            raise InputError(
                f"two different items have the id `{entry.id}`{_where(entry)}; ids must be unique"
            )
        return int(place[0]), False

    def _numbered(self, judgment: Judgment) -> Judgment:
        """The judgment with an id that none read before it has, unless it is the same one."""
        is_named = judgment.origin is None or judgment.origin.is_named
        identifier, number = judgment.id, 0
        while not self.connection.execute(
            "INSERT OR IGNORE INTO read (id) VALUES (?)", (identifier,)
        ).rowcount:
            if is_named:
                break
            number += 1
            identifier = f"v-{hashed(judgment.id, number)}"
        return judgment.model_copy(update={"id": identifier}) if number else judgment


@contextmanager
def spool() -> Iterator[Spool]:
    """An empty waiting room, gone in the end."""
    with tempfile.TemporaryDirectory(prefix="accord-import-") as folder:
        connection = sqlite3.connect(Path(folder) / "spool.sqlite", isolation_level=None)
        try:
            connection.executescript(_TABLES)
            connection.execute("BEGIN")
            yield Spool(connection)
        finally:
            connection.close()


def _where(entry: Entry) -> str:
    return f" (`{entry.origin.file}` line {entry.origin.line})" if entry.origin else ""
