"""Opening, upgrading and protecting a store."""

import io
import os
import sqlite3
import threading
import time

import pytest
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_mock_engine, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex

from accord.config import InputError
from accord.store import account_tables, disk, guidelines, labelers, tables
from accord.store.session import MIGRATIONS, open_store
from accord.store.tables import Instant


def test_a_store_is_created_and_opened_again(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with open_store(str(path)) as store, store.writing() as session:
        labelers.add(session, "ann")
    with open_store(f"sqlite:///{path}") as store, store.reading() as session:
        assert [person.name for person in labelers.roster(session)] == ["ann"]


def test_the_migrations_make_the_tables_that_the_code_uses(desk):
    assert account_tables.metadata is tables.metadata

    def compared(thing, name, *_):
        return name != "queue_untouched"  # Alembic cannot compare an index that goes down

    with desk.store.engine.connect() as connection:
        opts = {"compare_type": True, "include_object": compared}
        context = MigrationContext.configure(connection, opts=opts)
        assert context.get_current_revision() == ScriptDirectory(str(MIGRATIONS)).get_current_head()
        assert compare_metadata(context, tables.metadata) == []
        made = text("SELECT sql FROM sqlite_master WHERE name = 'queue_untouched'")
        wanted = next(i for i in tables.queue.indexes if i.name == "queue_untouched")
        assert connection.execute(made).scalar_one() == str(
            CreateIndex(wanted).compile(dialect=connection.dialect)
        )


def test_a_store_of_a_newer_version_is_refused(tmp_path):
    path = tmp_path / "ledger.sqlite"
    open_store(str(path)).close()
    with open_store(str(path)) as store, store.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InputError, match="newer than the `00"):
        open_store(str(path))


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("://", "is no store"),
        ("nosuch://host/name", "install the database's driver"),
        ("mysql+nosuchdriver://host/name", "install the database's driver"),
        ("/nowhere/at/all/ledger.sqlite", "check that the folder exists"),
    ],
)
def test_a_place_that_is_no_store_is_refused(url, sentence):
    with pytest.raises(InputError, match=sentence):
        open_store(url)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, not a ledger\n" * 100)
    with pytest.raises(InputError, match="not a database"):
        open_store(str(path))
    assert path.read_text().startswith("these are my notes")


def test_a_password_is_not_shown_in_errors(tmp_path):
    with pytest.raises(InputError) as caught:
        open_store("postgresql+psycopg://ann:secret@127.0.0.1:1/name?connect_timeout=1")
    assert "secret" not in str(caught.value)


def test_many_may_create_the_same_store_at_once(tmp_path):
    url, failures = str(tmp_path / "ledger.sqlite"), []

    def create(name):
        try:
            with open_store(url) as store, store.writing() as session:
                labelers.add(session, name)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=create, args=(f"labeler {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with open_store(url) as store, store.reading() as session:
        assert len(labelers.roster(session)) == 8


def test_an_exception_rolls_the_whole_transaction_back(desk):
    with pytest.raises(RuntimeError), desk.store.writing() as session:
        labelers.add(session, "ann")
        raise RuntimeError
    with desk.store.reading() as session:
        assert labelers.roster(session) == []


def test_what_is_written_while_reading_is_dropped(desk):
    with desk.store.reading() as session:
        labelers.add(session, "ann")
    with desk.store.reading() as session:
        assert labelers.roster(session) == []


def test_a_reader_sees_one_moment_and_blocks_no_writer(desk):
    desk.people("ann")
    with desk.store.reading() as session:
        before = labelers.roster(session)
        desk.people("bob")
        assert labelers.roster(session) == before
    with desk.store.reading() as session:
        assert len(labelers.roster(session)) == 2


@pytest.mark.parametrize(
    "table", [tables.comparisons, tables.events, tables.guidelines], ids=lambda t: t.name
)
@pytest.mark.parametrize("change", [update, delete], ids=["update", "delete"])
def test_the_database_itself_refuses_to_change_a_fact(desk, make, table, change):
    desk.people("ann")
    desk.add(1)
    desk.record(make.vote("v1", "c000", "ann"))
    with desk.store.writing() as session:
        guidelines.publish(session, "low", "Be kind.", make.at(0))
    statement = change(table)
    if change is update:
        statement = statement.values({next(iter(table.c)): "9"})
    with pytest.raises(IntegrityError, match="append-only"), desk.store.writing() as session:
        session.execute(statement)


def test_foreign_keys_hold(desk):
    with pytest.raises(IntegrityError), desk.store.writing() as session:
        session.execute(insert(tables.members), {"batch": "b", "comparison_id": "nowhere"})


def test_sqlite_writes_a_log_ahead(tmp_path):
    path = tmp_path / "ledger.sqlite"
    open_store(str(path)).close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


@pytest.mark.parametrize(("power_safe", "times"), [(True, 1), (False, 0)])
def test_a_commit_waits_for_the_disk_unless_told_otherwise(
    tmp_path, monkeypatch, power_safe, times
):
    log = tmp_path / "ledger.sqlite-wal"
    with open_store(str(tmp_path / "ledger.sqlite"), power_safe=power_safe) as store:
        on_disk, fsync = [], os.fsync
        monkeypatch.setattr(os, "fsync", lambda handle: (on_disk.append(handle), fsync(handle)))
        before = log.stat().st_size
        with store.writing() as session:
            labelers.add(session, "ann")
            assert on_disk == []
        assert log.stat().st_size > before
        assert len(on_disk) == times
        with store.reading() as session:  # the file itself is brought to the disk by SQLite
            assert session.execute(text("PRAGMA synchronous")).scalar_one() == 1


def test_many_commits_wait_for_the_disk_once(tmp_path, monkeypatch):
    """While one waits, others commit and come to wait; the next wait is for all of them."""
    path = tmp_path / "log"
    path.write_bytes(b"x")
    log, begun, go_on, waits = disk.Log(path), threading.Event(), threading.Event(), []

    def slow(_handle):
        waits.append(threading.current_thread().name)
        begun.set()
        assert go_on.wait(10)

    monkeypatch.setattr(os, "fsync", slow)
    first = threading.Thread(target=log.wait)
    first.start()
    assert begun.wait(10)
    later = [threading.Thread(target=log.wait) for _ in range(8)]
    for thread in later:
        thread.start()
    while log._asked < 9:
        time.sleep(0.001)
    go_on.set()
    for thread in [first, *later]:
        thread.join(10)
    assert len(waits) == 2
    assert log._safe == 9


def test_who_waits_for_a_disk_that_refuses_is_told(tmp_path, monkeypatch):
    path = tmp_path / "log"
    path.write_bytes(b"x")
    log, refuse = disk.Log(path), [True]

    def fsync(_handle):
        if refuse:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="Input/output"):
        log.wait()
    refuse.clear()  # it may have dropped what it was given: later commits are built on that
    with pytest.raises(OSError, match="refused an earlier commit"):
        log.wait()
    assert log._safe == 0
    again = disk.Log(path)
    again.wait()
    assert again._safe == 1


def test_a_refusal_is_told_to_all_who_waited_and_not_to_those_before(tmp_path, monkeypatch):
    path = tmp_path / "log"
    path.write_bytes(b"x")
    log, begun, go_on, calls = disk.Log(path), threading.Event(), threading.Event(), []
    results = []

    def fsync(_handle):
        calls.append(1)
        if len(calls) == 2:  # the first commit is safe, the second is refused, then all is well
            begun.set()
            assert go_on.wait(10)
            raise OSError(5, "Input/output error")

    def wait():
        try:
            log.wait()
            results.append("safe")
        except OSError:
            results.append("refused")

    monkeypatch.setattr(os, "fsync", fsync)
    wait()
    assert results == ["safe"]
    threads = [threading.Thread(target=wait) for _ in range(5)]
    threads[0].start()
    assert begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    while log._asked < 6:
        time.sleep(0.001)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert results == ["safe"] + ["refused"] * 5
    assert len(calls) == 2


def test_an_interrupted_wait_makes_nothing_safe(tmp_path, monkeypatch):
    path = tmp_path / "log"
    path.write_bytes(b"x")
    log = disk.Log(path)

    def fsync(_handle):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(KeyboardInterrupt):
            log.wait()
    assert log._safe == 0
    log.wait()
    assert log._safe == 2


def test_a_log_that_is_gone_is_in_the_file_already(tmp_path):
    disk.Log(tmp_path / "nothing").wait()
    assert disk.log_of(":memory:") is None


def test_times_keep_their_moment_and_need_a_zone(desk, make):
    desk.people("ann")
    desk.add(1)
    desk.record(make.vote("v1", "c000", "ann"), after=1.5)
    with desk.store.reading() as session:
        assert session.scalars(select(tables.events.c.created_at)).one() == make.at(1.5)
        raw = session.execute(text("SELECT created_at FROM events")).scalar_one()
        assert raw == "2026-01-01T00:00:01.500000+00:00"
    with pytest.raises(ValueError, match="time zone"):
        Instant().process_bind_param(make.at(0).replace(tzinfo=None), None)


def test_nothing_of_a_time_stays_nothing():
    assert Instant().process_bind_param(None, None) is None
    assert Instant().process_result_value(None, None) is None


def test_other_databases_have_no_triggers():
    scripts = ScriptDirectory(str(MIGRATIONS))
    output = io.StringIO()
    engine = create_mock_engine("mssql+pyodbc://", lambda *_: None)
    opts = {"as_sql": True, "output_buffer": output}
    context = MigrationContext.configure(dialect=engine.dialect, opts=opts)
    with Operations.context(context):
        scripts.get_revision("0001").module.upgrade()
        scripts.get_revision("0002").module.upgrade()
    assert "CREATE TABLE events" in output.getvalue()
    assert "ALTER TABLE events ALTER COLUMN comparison_id" in output.getvalue()
    assert "TRIGGER" not in output.getvalue()
