"""A store with some comparisons and labelers in it."""

from datetime import UTC, datetime, timedelta

import pytest

from accord.records import Comparison, Message, Preference, Prompt, Response
from accord.store import comparisons, labelers, queue
from accord.store.session import open_store

START = datetime(2026, 1, 1, tzinfo=UTC)


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


def at(seconds):
    return START + timedelta(seconds=seconds)


def comparison(number, *, size=2, text="yes"):
    prompt = Prompt(id=f"p{number}", messages=[Message(role="user", content=f"Question {number}?")])
    responses = [
        Response(id=f"r{number}-{k}", prompt_id=prompt.id, text=f"{text} {k}", policy=f"policy{k}")
        for k in range(size)
    ]
    return Comparison(id=f"c{number:03d}", prompt=prompt, responses=responses)


def vote(identifier, comparison_id, labeler, ranks=(1, 2), **more):
    return Preference(
        id=identifier, comparison_id=comparison_id, labeler=labeler, ranks=ranks, **more
    )


@pytest.fixture
def desk(tmp_path):
    with open_store(str(tmp_path / "ledger.sqlite")) as store:
        yield Desk(store)


@pytest.fixture
def make():
    """Functions that make records and times, for test files that cannot import this one."""

    class Make:
        at = staticmethod(at)
        comparison = staticmethod(comparison)
        desk = Desk
        vote = staticmethod(vote)

    return Make
