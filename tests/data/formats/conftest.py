"""Files of each format, small and made up."""

import gzip
import json

import pytest

from accord.data.formats import FORMATS
from accord.data.formats.reading import Options, entries
from accord.data.threads import Tally


@pytest.fixture
def write_rows(tmp_path):
    """Write rows as JSON Lines, or as a list where the name says so; return the path."""

    def write(rows, name="rows.jsonl"):
        path = tmp_path / name
        if ".json" in name and ".jsonl" not in name:
            text = json.dumps(rows)
        else:
            text = "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write


@pytest.fixture
def read_rows(write_rows):
    """The entries that rows of a format become, and the tally of reading them."""

    def read(name, rows, **options):
        tally = Tally()
        path = write_rows(rows)
        return list(entries(FORMATS[name], path, Options(**options), tally)), tally

    return read


@pytest.fixture
def written():
    """The rows that entries become in a format."""

    def write(name, found):
        return list(FORMATS[name].write(found, Tally()))

    return write
