"""The same store on PostgreSQL, where its programs are installed."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from accord.store import account_tables, export, tables
from accord.store.session import open_store

PEOPLE = [f"labeler {n}" for n in range(5)]


@pytest.fixture
def desk(empty_postgresql, make):
    with open_store(empty_postgresql) as store:
        yield make.desk(store)


def test_the_migrations_make_the_tables_that_the_code_uses(desk):
    assert account_tables.metadata is tables.metadata
    with desk.store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []


def test_many_may_create_the_store_at_once(empty_postgresql, make):
    make.in_threads(5, lambda _: open_store(empty_postgresql).close())


def test_labelers_at_once_fill_every_place_once(desk, make):
    desk.people(*PEOPLE)
    desk.add(12, wanted=3)

    def label(number):
        name = PEOPLE[number]
        while found := desk.next(name):
            comparison, order = found
            vote = make.vote(
                f"{name}-{comparison.id}", comparison.id, name, shown_order=order, seconds=0.1
            )
            assert desk.record(vote)

    make.in_threads(len(PEOPLE), label)
    with desk.store.reading() as session:
        votes = list(export.preferences(session))
        assert len({(p.comparison_id, p.labeler) for p in votes}) == len(votes) == 36
        assert export.counts(session).complete == 12
        exported = [p for one in export.labeled(session) for p in one.preferences]
        assert export.votes_digest(session) == export.digest_of(exported)
        assert exported[0].seconds == 0.1


def test_the_same_vote_at_once_is_one(desk, make):
    desk.people("ann")
    desk.add(1)
    results = []
    vote = make.vote("v1", "c000", "ann")
    make.in_threads(5, lambda _: results.append(desk.record(vote)))
    assert sorted(results) == [False] * 4 + [True]


def test_leases_end_and_undo_and_skip_work(desk, make):
    desk.people("ann", "bob")
    desk.add(1, wanted=1)
    assert desk.next("ann")
    assert desk.next("bob", after=30) is None
    assert desk.next("bob", after=60)
    assert desk.skip("c000", "bob", after=61)
    assert desk.next("ann", after=62)
    desk.record(make.vote("v1", "c000", "ann"), after=63)
    assert desk.withdraw("v1", "ann", after=64)
    with desk.store.reading() as session:
        counts = export.counts(session, batches=["b1"])
    assert (counts.votes, counts.withdrawn, counts.skips) == (0, 1, 1)


def test_the_database_itself_refuses_to_change_a_fact(desk, make):
    desk.people("ann")
    desk.add(1)
    desk.record(make.vote("v1", "c000", "ann"))
    for statement in ("UPDATE events SET note = 'x'", "DELETE FROM comparisons"):
        with pytest.raises(DBAPIError, match="append-only"), desk.store.writing() as session:
            session.execute(text(statement))
