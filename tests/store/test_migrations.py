"""A store of the first version is brought up to date with everything that is in it."""

import hashlib
import json

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, select, text
from sqlalchemy.exc import DBAPIError

from accord.records import Preference
from accord.store import comparisons, export, queue, tables
from accord.store.session import MIGRATIONS, open_store

ROWS = """
INSERT INTO labelers (id, name, paused, shown) VALUES (1, 'ann', :no, 3), (2, 'bob', :no, 1);
INSERT INTO queue VALUES ('c000', 0, 2, 0), ('c001', 1, 2, 1), ('c002', 2, 2, 1);
INSERT INTO assignments VALUES ('c000', 1, 'voted', '[0, 1]', NULL),
    ('c000', 2, 'voted', '[1, 0]', NULL),
    ('c001', 1, 'skipped', '[1, 0]', NULL),
    ('c001', 2, 'leased', '[0, 1]', '2026-01-01T00:00:30.000000+00:00'),
    ('c002', 1, 'voted', '[1, 0]', NULL);
INSERT INTO events VALUES
    (1, 'show', '1:0', 'c000', 1, :t, NULL, '[0, 1]', NULL, NULL, '', ''),
    (2, 'vote', 'v1', 'c000', 1, :t, '[1, 2]', '[0, 1]', 3, 0.1, 'né', ''),
    (3, 'vote', 'v2', 'c000', 2, :t, '[2, 1]', '[1, 0]', NULL, NULL, '', ''),
    (4, 'skip', '1:3', 'c001', 1, :t, NULL, '[]', NULL, NULL, 'no', ''),
    (5, 'vote', 'v3', 'c002', 1, :t, '[1, 1]', '[1, 0]', NULL, NULL, '', '');
"""
VOTES = [
    '{"schema":1,"id":"v1","comparison_id":"c000","labeler":"ann","ranks":[1,2],'
    '"shown_order":[0,1],"strength":3,"seconds":0.1,"note":"né"}\n',
    '{"schema":1,"id":"v2","comparison_id":"c000","labeler":"bob","ranks":[2,1],'
    '"shown_order":[1,0],"strength":null,"seconds":null,"note":""}\n',
    '{"schema":1,"id":"v3","comparison_id":"c002","labeler":"ann","ranks":[1,1],'
    '"shown_order":[1,0],"strength":null,"seconds":null,"note":""}\n',
]


@pytest.fixture
def old(url, make):
    """The URL of a store as the first version left it."""
    location = url if "://" in url else f"sqlite:///{url}"
    scripts = ScriptDirectory(str(MIGRATIONS))
    engine = create_engine(location)
    with engine.begin() as connection:
        context = MigrationContext.configure(connection)
        with Operations.context(context):
            scripts.get_revision("0001").module.upgrade()
            context.stamp(scripts, "0001")
        for n in range(3):
            made = make.comparison(n)
            insert = "INSERT INTO comparisons VALUES (:id, :payload, 2)"
            values = {"id": made.id, "payload": made.model_dump_json(by_alias=True)}
            connection.execute(text(insert), values)
            connection.execute(text("INSERT INTO members VALUES ('b1', :id)"), {"id": made.id})
        for statement in ROWS.split(";")[:-1]:
            wanted = {"no": False, "t": "2026-01-01T00:00:00.000000+00:00"}
            used = {key: value for key, value in wanted.items() if f":{key}" in statement}
            connection.execute(text(statement.replace("'1:", r"'1\:")), used)
        if engine.dialect.name == "postgresql":
            for table, column in (("events", "seq"), ("labelers", "id")):
                highest = f"(SELECT max({column}) FROM {table})"
                connection.execute(text(f"SELECT setval('{table}_{column}_seq', {highest})"))
    engine.dispose()
    return url


def test_every_event_is_there_as_it_was(old):
    with open_store(old) as store, store.reading() as session:
        rows = session.execute(select(tables.events).order_by(tables.events.c.seq)).all()
        assert [(row.seq, row.kind, row.id) for row in rows] == [
            (1, "show", "1:0"),
            (2, "vote", "v1"),
            (3, "vote", "v2"),
            (4, "skip", "1:3"),
            (5, "vote", "v3"),
        ]
        assert {(row.project_id, row.purpose, row.gold, row.body) for row in rows} == {
            ("", "vote", None, None)
        }


def test_the_digest_of_the_votes_is_what_it_was(old):
    expected = hashlib.sha256("".join(VOTES).encode()).hexdigest()
    with open_store(old) as store, store.reading() as session:
        assert export.votes_digest(session, ["b1"]) == expected
        assert list(export.preferences(session)) == [
            Preference.model_validate(json.loads(line)) for line in VOTES
        ]


def test_work_goes_on_where_it_was(old, make):
    with open_store(old) as store:
        desk = make.desk(store)
        assert desk.open_votes() == 2
        assert desk.next("bob", after=10)[0].id == "c001"  # its lease lasts
        assert desk.next("ann", after=40) is None  # voted or skipped everywhere
        desk.record(make.vote("v4", "c001", "bob", shown_order=(0, 1)))
        assert desk.withdraw("v3", "ann")
        assert desk.next("ann", after=40)[0].id == "c002"
        with store.reading() as session:
            assert queue.open_votes(session) == 2
            assert export.counts(session).votes == 3


def test_the_facts_are_protected_again(old):
    with open_store(old) as store:
        for table in ("events", "comparisons"):
            with pytest.raises(DBAPIError, match="append-only"), store.writing() as session:
                session.execute(text(f"DELETE FROM {table}"))


def test_nothing_of_the_old_tables_is_left(old):
    with open_store(old) as store:
        names = inspect(store.engine).get_table_names()
        assert not [name for name in names if name.endswith("_0001")]
        with store.writing() as session:  # and the batch may be published again
            assert comparisons.add(session, [], batch="b1", votes_wanted=1) == 0
