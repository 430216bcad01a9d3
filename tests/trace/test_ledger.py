"""A ledger may grow after its run was sealed; what was there must still be there."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from accord import trace
from accord.records import Comparison, Message, Preference, Prompt, Response
from accord.store import comparisons, labelers
from accord.store.session import open_store
from accord.trace.ledger import compare, describe

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def comparison(number):
    prompt = Prompt(id=f"p{number}", messages=[Message(role="user", content=f"Question {number}?")])
    responses = [
        Response(id=f"r{number}.{k}", prompt_id=prompt.id, text=f"answer {k}", policy="sft")
        for k in range(2)
    ]
    return Comparison(id=f"c{number}", prompt=prompt, responses=responses)


def publish(path, batch, numbers):
    with open_store(str(path)) as store, store.writing() as session:
        comparisons.add(session, [comparison(n) for n in numbers], batch=batch, votes_wanted=2)


def vote(path, labeler, number):
    preference = Preference(
        id=f"{labeler}-{number}", comparison_id=f"c{number}", labeler=labeler, ranks=[1, 2]
    )
    with open_store(str(path)) as store, store.writing() as session:
        labelers.add(session, labeler)
        comparisons.record(session, preference, now=NOW)


def alter(path, statement):
    """Do what the ledger's triggers forbid, and leave them as they were."""
    with closing(sqlite3.connect(path)) as connection:
        forge(connection, statement)


def forge(connection, statement):
    triggers = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    found = connection.execute(triggers).fetchall()
    for name, _ in found:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(statement)
    for _, text in found:
        connection.execute(text)
    connection.commit()


@pytest.fixture
def ledger(tmp_path):
    path = tmp_path / "ledger.sqlite"
    publish(path, "b1", [1, 2])
    vote(path, "ann", 1)
    vote(path, "bo", 1)
    return path


def test_a_ledger_that_nobody_touched_is_as_it_was(ledger):
    assert compare(ledger, describe(ledger)) == ([], [])


def test_what_grew_is_named(ledger):
    sealed = describe(ledger)
    vote(ledger, "ann", 2)
    assert compare(ledger, sealed) == ([], ["1 new events"])
    vote(ledger, "cy", 1)
    publish(ledger, "b2", [2, 3])  # one comparison is in both batches
    assert compare(ledger, sealed) == ([], ["2 new events", "1 new labelers", "1 new batches"])


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE events SET ranks = '[2, 1]' WHERE id = 'ann-1'", "holds other events"),
        ("UPDATE events SET note = 'x' WHERE seq = 1", "holds other events"),
        ("UPDATE labelers SET name = 'eve' WHERE name = 'bo'", "holds other labelers"),
        ("UPDATE comparisons SET payload = '{}' WHERE id = 'c2'", "comparisons in the batch `b1`"),
        ("DELETE FROM members WHERE comparison_id = 'c2'", "comparisons in the batch `b1`"),
        ("UPDATE members SET batch = 'b9'", "no longer holds the batch `b1`"),
    ],
)
def test_a_change_is_found_though_the_ledger_grew(ledger, statement, message):
    sealed = describe(ledger)
    alter(ledger, statement)
    vote(ledger, "cy", 1)
    differing, _ = compare(ledger, sealed)
    assert len(differing) == 1
    assert message in differing[0]


def test_events_that_are_gone_are_counted(ledger):
    sealed = describe(ledger)
    alter(ledger, "DELETE FROM events WHERE id = 'bo-1'")
    assert compare(ledger, sealed)[0] == ["has 1 events and had 2"]


def test_working_state_that_changed_alone_is_a_change(ledger):
    sealed = describe(ledger)
    alter(ledger, "UPDATE queue SET wanted = 9")
    assert compare(ledger, sealed) == (["was changed, though nothing was added to it"], [])


def test_what_labelers_work_with_may_change_while_the_ledger_grows(ledger):
    sealed = describe(ledger)
    alter(ledger, "UPDATE labelers SET paused = 1, shown = 7")
    vote(ledger, "cy", 1)
    assert compare(ledger, sealed)[0] == []


def test_upgraded_tables_are_noted_and_old_columns_still_compared(ledger):
    sealed = describe(ledger)
    alter(ledger, "ALTER TABLE events ADD COLUMN colour TEXT DEFAULT 'blue'")
    alter(ledger, "UPDATE alembic_version SET version_num = '9999'")
    assert compare(ledger, sealed) == ([], ["its tables are of version `9999` now"])
    alter(ledger, "UPDATE events SET ranks = '[2, 1]'")
    assert "holds other events" in compare(ledger, sealed)[0][0]


def test_a_log_beside_an_untouched_file_is_read_too(ledger):
    sealed = describe(ledger)
    with closing(sqlite3.connect(ledger)) as connection:  # as a server that has it open
        connection.execute("PRAGMA wal_autocheckpoint=0")
        forge(connection, "UPDATE events SET ranks = '[2, 1]'")
        assert "holds other events" in compare(ledger, sealed)[0][0]


def test_a_trigger_that_is_gone_is_found(ledger):
    sealed = describe(ledger)
    with closing(sqlite3.connect(ledger)) as connection:
        (name,) = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchone()
        connection.execute(f"DROP TRIGGER {name}")
    vote(ledger, "cy", 1)
    assert compare(ledger, sealed)[0] == ["has other tables or triggers than when the run ended"]


def test_a_file_that_is_no_database_any_more_is_found(ledger):
    sealed = describe(ledger)
    content = bytearray(ledger.read_bytes())
    content[0] ^= 1
    ledger.write_bytes(content)
    assert "was changed" in compare(ledger, sealed)[0][0]


def test_a_grown_ledger_of_a_run_is_noted_and_a_changed_one_differs(ledger):
    (ledger.parent / "run.json").write_text(json.dumps({"stages": []}))
    trace.seal(ledger.parent)
    assert trace.verify(ledger.parent).notes == []
    vote(ledger, "ann", 2)
    findings = trace.verify(ledger.parent)
    assert findings.differing == []
    assert "has grown since the run ended: 1 new events" in findings.notes[0]
    alter(ledger, "UPDATE events SET ranks = '[2, 1]' WHERE seq = 1")
    assert "holds other events" in trace.verify(ledger.parent).differing[0]
