"""The same store on PostgreSQL, where its programs are installed."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from accord.store import export, tables
from accord.store.session import open_store

PEOPLE = [f"labeler {n}" for n in range(5)]
FREE_USERS = ("postgres", "nobody")  # PostgreSQL refuses to run as root


def programs():
    """The folder with initdb and pg_ctl, or None."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    for place in [Path(found).resolve().parent] if found else places:
        if (place / "initdb").is_file() and (place / "pg_ctl").is_file():
            return place
    return None


def user():
    """Who may run a cluster: None for ourselves, a name when we are root, "" when nobody can."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in FREE_USERS if name in known), "")


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("psycopg", reason="psycopg, the driver of PostgreSQL, is not installed")
    place, owner = programs(), user()
    if place is None or owner == "":
        pytest.skip("no initdb and pg_ctl of PostgreSQL, or no user to run it")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # a socket needs a short path
    if owner:
        shutil.chown(folder, owner)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def call(program, *arguments):
        command = [str(place / program), *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, user=owner, cwd=folder, check=False
        )
        return done.returncode, done.stdout + done.stderr

    data = str(folder / "data")
    code, said = call("initdb", "-D", data, "-U", "accord", "--auth=trust", "--no-sync")
    if code:
        shutil.rmtree(folder)
        pytest.skip(f"initdb failed: {said[-300:]}")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    code, said = call("pg_ctl", "-D", data, "-o", options, "-l", f"{folder}/log", "-w", "start")
    if code:
        shutil.rmtree(folder)
        pytest.skip(f"pg_ctl failed: {said[-300:]}")
    yield f"postgresql+psycopg://accord@127.0.0.1:{port}/postgres"
    call("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def desk(cluster, make):
    with open_store(cluster) as store:
        yield make.desk(store)
        with store.writing() as session:
            session.execute(text("DROP SCHEMA public CASCADE"))
            session.execute(text("CREATE SCHEMA public"))


def in_threads(count, work):
    failures = []

    def guarded(number):
        try:
            work(number)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_the_migrations_make_the_tables_that_the_code_uses(desk):
    with desk.store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []


def test_many_may_create_the_store_at_once(cluster, desk):
    with desk.store.writing() as session:
        session.execute(text("DROP SCHEMA public CASCADE"))
        session.execute(text("CREATE SCHEMA public"))
    in_threads(5, lambda _: open_store(cluster).close())


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

    in_threads(len(PEOPLE), label)
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
    in_threads(5, lambda _: results.append(desk.record(vote)))
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
