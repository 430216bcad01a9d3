"""The server is killed under load: the short version of benchmarks/ledger_kills.py, 200 kills."""

import random
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from accord.records import Answer
from accord.store import answers, queue

pytest.importorskip("fastapi", reason="the extra `web` is not installed")
BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")


@pytest.fixture
def kills(monkeypatch):
    """The program of the benchmark, which imports its neighbours."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    before = set(sys.modules)
    import ledger_kills  # noqa: PLC0415

    yield ledger_kills
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(BENCHMARKS):
            del sys.modules[name]


def test_no_answer_is_lost_or_counted_twice_when_the_server_is_killed(kills, url):
    outcome = kills.run(url, trials=2, seed=1, longest=0.3, items=300)
    assert outcome.failures() == 0, outcome
    assert outcome.kills == 2
    assert outcome.answers > 10
    assert outcome.without_reply > 0  # the kills came under load


def test_a_lost_an_invented_and_a_doubled_answer_are_seen(kills, store):
    """What ``compare`` says is 0 elsewhere because it is so."""
    kills.prepare(store, 3)
    now = datetime.now(UTC)
    with store.writing() as session:
        task = queue.next_task(session, kills.PROJECT, "labeler 0", now=now, seed=0)
        answer = Answer(id="a1", ranks=(1, 2))
        answers.submit(session, task.id, answer, labeler="labeler 0", now=now)
    clients = sys.modules["kill_clients"]
    person = clients.Labeler(0, "", random.Random(0), kills.PROJECT, clients.Signals())
    person.answers["a2"] = clients.Sent(task.id, [1, 2], has_reply=True)
    person.undone.add("a2")
    found = kills.compare(store, [person], kills=0)
    assert (found.lost, found.invented, found.undo_lost) == (1, 1, 1)
    assert found.failures() == 3
