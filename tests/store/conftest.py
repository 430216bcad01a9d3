"""A store with some comparisons, labelers and projects in it; a PostgreSQL of the tests' own."""

import importlib.util
import os
import shutil
import threading
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import select, text

from accord.records import Answer, Comparison, Item, Message, Preference, Prompt, Response
from accord.store import answers, comparisons, labelers, projects, queue, tables
from accord.store.session import open_store
from accord.store.specs import ProjectSpec

START = datetime(2026, 1, 1, tzinfo=UTC)
OWN_POSTGRESQL = Path(__file__).parents[2] / "benchmarks" / "own_postgresql.py"


class Desk:
    """One store and the short ways in which tests use it."""

    def __init__(self, store):
        self.store = store

    def add(self, count, *, size=2, batch="b1", wanted=2, first=0):
        found = [comparison(n, size=size) for n in range(first, first + count)]
        with self.store.writing() as session:
            return comparisons.add(session, found, batch=batch, votes_wanted=wanted)

    def people(self, *names):
        with self.store.writing() as session:
            for name in names:
                labelers.add(session, name)

    def next(self, labeler, *, after=0.0, seed=0, **more):
        with self.store.writing() as session:
            return queue.next(session, labeler, now=at(after), lease_seconds=60, seed=seed, **more)

    def record(self, vote, *, after=0.0, **more):
        with self.store.writing() as session:
            return comparisons.record(session, vote, now=at(after), **more)

    def withdraw(self, vote, labeler, *, after=0.0):
        with self.store.writing() as session:
            return comparisons.withdraw(
                session, vote, labeler=labeler, reason="a slip", now=at(after)
            )

    def skip(self, comparison_id, labeler, *, after=0.0):
        with self.store.writing() as session:
            return comparisons.skip(
                session, comparison_id, labeler=labeler, reason="not my field", now=at(after)
            )

    def open_votes(self, batches=None):
        with self.store.reading() as session:
            return queue.open_votes(session, batches)


class Office:
    """One project of a store, and the short ways in which tests work on it."""

    def __init__(self, store, people=("ann", "bob"), items=(), **spec):
        self.store, self.numbers = store, count()
        values = {"id": "p1", "title": "Which is better?", "task": "comparison"} | spec
        self.spec = ProjectSpec.model_validate(values)
        with store.writing() as session:
            for name in people:
                labelers.add(session, name)
            projects.create(session, self.spec, now=START)
            projects.add_items(session, self.spec.id, items, now=START)

    def do(self, function, *arguments, after=0.0, **named):
        """Call a function of the store in a transaction of its own, at a time."""
        with self.store.writing() as session:
            return function(session, *arguments, now=at(after), **named)

    def see(self, function, *arguments, **named):
        with self.store.reading() as session:
            return function(session, *arguments, **named)

    def next(self, labeler="ann", *, after=0.0, seed=0):
        return self.do(queue.next_task, self.spec.id, labeler, after=after, seed=seed)

    def why(self, labeler="ann", *, after=0.0):
        return self.do(queue.why_nothing, self.spec.id, labeler, after=after)

    def submit(self, task, labeler="ann", *, after=0.0, **given):
        sent = self.answer(task, **given)
        return self.do(answers.submit, task.id, sent, labeler=labeler, after=after)

    def answer(self, task, **given):
        values = {"id": f"{self.spec.id}-{next(self.numbers)}"}
        if task.kind in ("comparison", "ranking"):
            values["ranks"] = tuple(range(1, len(task.item.responses) + 1))
        return Answer(**values | given)

    def work(self, labeler="ann", times=1, *, after=0.0, seed=0, **given):
        """Take and answer tasks; return them."""
        done = []
        for _ in range(times):
            task = self.next(labeler, after=after, seed=seed)
            if task is None:
                break
            self.submit(task, labeler, after=after, **given)
            done.append(task)
        return done

    def open(self, item_id):
        return self.place(item_id).open

    def place(self, item_id):
        with self.store.reading() as session:
            statement = select(tables.queue).where(
                tables.queue.c.project_id == self.spec.id, tables.queue.c.comparison_id == item_id
            )
            return session.execute(statement).one()

    def events(self, kind=None):
        with self.store.reading() as session:
            rows = session.execute(select(tables.events).order_by(tables.events.c.seq)).all()
        decisions = ("project", "guideline")
        return [r for r in rows if (r.kind == kind if kind else r.kind not in decisions)]


def at(seconds):
    return START + timedelta(seconds=seconds)


def comparison(number, *, size=2, text="yes"):
    prompt = Prompt(id=f"p{number}", messages=[Message(role="user", content=f"Question {number}?")])
    responses = [
        Response(id=f"r{number}-{k}", prompt_id=prompt.id, text=f"{text} {k}", policy=f"policy{k}")
        for k in range(size)
    ]
    return Comparison(id=f"c{number:03d}", prompt=prompt, responses=responses)


def item(number, *, size=0, text="yes"):
    """An item of any size."""
    prompt = Prompt(id=f"p{number}", messages=[Message(role="user", content=f"Question {number}?")])
    responses = [
        Response(id=f"r{number}-{k}", prompt_id=prompt.id, text=f"{text} {k}", policy=f"policy{k}")
        for k in range(size)
    ]
    return Item(id=f"c{number:03d}", prompt=prompt, responses=responses)


def vote(identifier, comparison_id, labeler, ranks=(1, 2), **more):
    return Preference(
        id=identifier, comparison_id=comparison_id, labeler=labeler, ranks=ranks, **more
    )


def in_threads(number, work):
    """Run ``work(0)`` to ``work(number - 1)`` at once; a failure of one fails the test."""
    failures = []

    def guarded(index):
        try:
            work(index)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.fixture(scope="session")
def cluster():
    """URL of a PostgreSQL that lives as long as the tests."""
    pytest.importorskip("psycopg", reason="psycopg, the driver of PostgreSQL, is not installed")
    own = importlib.util.spec_from_file_location("own_postgresql", OWN_POSTGRESQL)
    module = importlib.util.module_from_spec(own)
    own.loader.exec_module(module)
    try:
        with module.cluster() as url:
            yield url
    except module.Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def empty_postgresql(cluster):
    """The URL of a PostgreSQL database without tables."""
    yield cluster
    with open_store(cluster) as store, store.writing() as session:
        session.execute(text("DROP SCHEMA public CASCADE"))
        session.execute(text("CREATE SCHEMA public"))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """A store's URL, on each database in turn."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger.sqlite")
    return request.getfixturevalue("empty_postgresql")


@pytest.fixture
def any_store(url):
    """An open store, on each database in turn."""
    with open_store(url) as store:
        yield store


@pytest.fixture(scope="session")
def new_ledger(tmp_path_factory):
    """A SQLite file with the tables of today; copying it is faster than making it."""
    path = tmp_path_factory.mktemp("ledger") / "new.sqlite"
    open_store(str(path)).close()
    return path


@pytest.fixture
def store(request, tmp_path, new_ledger):
    """A SQLite store; with ACCORD_TEST_POSTGRESQL set, one in the tests' own PostgreSQL."""
    if os.environ.get("ACCORD_TEST_POSTGRESQL"):
        with open_store(request.getfixturevalue("empty_postgresql")) as store:
            yield store
        return
    path = shutil.copy(new_ledger, tmp_path / "ledger.sqlite")
    with open_store(str(path), power_safe=False) as store:
        yield store


@pytest.fixture
def desk(store):
    return Desk(store)


@pytest.fixture
def office(store):
    """Sets up a project in a SQLite store."""
    return lambda **given: Office(store, **given)


@pytest.fixture
def make():
    """Functions that make records and times, for test files that cannot import this one."""

    class Make:
        at = staticmethod(at)
        comparison = staticmethod(comparison)
        item = staticmethod(item)
        desk = Desk
        office = Office
        vote = staticmethod(vote)
        in_threads = staticmethod(in_threads)

    return Make
