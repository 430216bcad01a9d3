"""A whole ledger as a file, and that file as a ledger again, in either database."""

import gzip
import json

import pytest
from sqlalchemy import Table

from accord.config import InputError
from accord.data.files import rows
from accord.data.formats import folder
from accord.store import dump, export, labelers, queue, tables
from accord.store.session import open_store


def lines_of(store):
    with store.reading() as session:
        return list(dump.rows_of(session))


def write(store, path):
    with store.reading() as session:
        folder.write_rows(dump.rows_of(session), path)
    return path


def restore(store, path):
    with store.writing() as session:
        return dump.restore(session, rows(path))


@pytest.fixture
def full(make, tmp_path):
    """A ledger in which work goes on: votes, one withdrawn, a lease, a paused labeler."""
    with open_store(str(tmp_path / "full.sqlite")) as store:
        fill(store, make)
        yield store


def fill(store, make):
    desk = make.desk(store)
    desk.add(3)
    desk.people("ann", "bob")
    desk.record(make.vote("v1", "c000", "ann", strength=2, note="é", shown_order=(1, 0)))
    desk.record(make.vote("v2", "c001", "ann", (1, 1), tie="both_bad"))
    desk.withdraw("v2", "ann")
    office = make.office(store, people=("cid",), items=[make.item(7, size=2)])
    office.next("cid")
    with store.writing() as session:
        labelers.pause(session, "bob", reason="away", by="boss", now=make.at(9))


@pytest.mark.parametrize("name", ["ledger.jsonl", "ledger.jsonl.gz"])
def test_a_ledger_comes_back_as_it_was(full, tmp_path, name):
    path = write(full, tmp_path / name)
    with open_store(str(tmp_path / "other.sqlite")) as other:
        counts = restore(other, path)
        assert counts["comparisons"] == 4
        assert lines_of(other) == lines_of(full)
        with full.reading() as one, other.reading() as two:
            assert export.votes_digest(one) == export.votes_digest(two)


def test_work_goes_on_in_another_database(full, any_store, make, tmp_path):
    restore(any_store, write(full, tmp_path / "ledger.jsonl"))
    assert lines_of(any_store) == lines_of(full)
    desk = make.desk(any_store)
    desk.people("dan")
    assert desk.record(make.vote("v3", "c000", "dan"))
    assert not desk.record(make.vote("v1", "c000", "ann", strength=2))
    with any_store.reading() as session:
        assert [person.name for person in labelers.roster(session) if person.paused] == ["bob"]
        assert queue.open_votes(session, ["b1"]) == 4


def test_only_a_new_store_takes_a_ledger(full, tmp_path):
    path = write(full, tmp_path / "ledger.jsonl")
    with pytest.raises(InputError, match="holds a ledger already"):
        restore(full, path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda lines: lines[1:], r"line 1: no ledger"),
        (lambda lines: lines[:-1], "was cut off"),
        (lambda lines: [*lines[:-2], lines[-1]], "`end` does not say what stands above it"),
        (lambda lines: [*lines, lines[1]], "more follows"),
        (lambda lines: [lines[0], {"table": "event", "row": {}}], "did you mean `events`"),
        (
            lambda lines: [lines[0], {"table": "labelers", "row": 1}],
            r"line 2: `row` is not an object",
        ),
        (lambda lines: [lines[0], {"table": "labelers", "row": {"x": 1}}], "`row.x` is no column"),
        (lambda lines: [lines[0], lines[1], lines[1]], "a row of `labelers` does not fit"),
    ],
)
def test_a_broken_file_is_named_and_nothing_is_restored(full, tmp_path, change, sentence):
    path = tmp_path / "broken.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in change(lines_of(full))))
    with open_store(str(tmp_path / "other.sqlite")) as other:
        with pytest.raises(InputError, match=sentence):
            restore(other, path)
        assert lines_of(other)[-1]["end"] == dict.fromkeys(dump.BY_NAME, 0)


def test_a_packed_file_that_was_cut_off_is_refused(full, tmp_path):
    path = write(full, tmp_path / "ledger.jsonl")
    packed = tmp_path / "cut.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes())[:-30])
    with open_store(str(tmp_path / "other.sqlite")) as other:
        with pytest.raises(InputError, match="cannot be read"):
            restore(other, packed)


def test_every_table_of_the_ledger_is_in_it():
    names = {table.name for table in vars(tables).values() if isinstance(table, Table)}
    assert names == set(dump.BY_NAME)
