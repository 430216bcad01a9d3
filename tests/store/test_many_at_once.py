"""Tasks and answers from many threads and processes at once, on both databases."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from sqlalchemy import select

from accord.records import Answer
from accord.store import answers, drafts, export, leases, queue, tables
from accord.store.leases import AlreadyAnswered
from accord.store.session import open_store

PEOPLE = [f"labeler {n}" for n in range(5)]

WORKER = """
import sys, uuid
from datetime import UTC, datetime
from accord.records import Answer
from accord.store import answers, queue
from accord.store.session import open_store

url, labeler = sys.argv[1:]
now = datetime(2026, 1, 1, tzinfo=UTC)
with open_store(url) as store:
    while True:
        with store.writing() as session:
            task = queue.next_task(session, "p1", labeler, now=now, seed=0)
        if task is None:
            break
        answer = Answer(id=str(uuid.uuid4()), ranks=(1, 2))
        print("sent", answer.id, flush=True)
        with store.writing() as session:
            answers.submit(session, task.id, answer, labeler=labeler, now=now)
        print("kept", answer.id, flush=True)  # acknowledged: from here on it may not be lost
"""


@pytest.fixture
def at_work(any_store, make):
    return make.office(
        any_store,
        people=PEOPLE,
        items=[make.comparison(n) for n in range(20)],
        settings={"votes_wanted": 3, "overlap": {"share": 0.1, "votes": 5}},
    )


def votes(at_work):
    return at_work.see(lambda session: list(export.preferences(session)))


def test_every_place_is_filled_once(at_work, make):
    """Each labeler sends every answer from two threads, and each item is full in the end."""

    def label(number):
        name = PEOPLE[number % len(PEOPLE)]
        while True:
            task = at_work.next(name)
            if task is None:
                return
            answer = Answer(id=f"{name}-{task.id}", ranks=(1, 2))
            at_work.do(answers.submit, task.id, answer, labeler=name)

    make.in_threads(2 * len(PEOPLE), label)
    for name in PEOPLE:  # what two threads left to each other
        at_work.work(name, 99)
    found = votes(at_work)
    assert len({(v.comparison_id, v.labeler) for v in found}) == len(found) == 18 * 3 + 2 * 5
    sides = Counter((v.labeler, v.shown_order) for v in found)
    for name in PEOPLE:
        assert abs(sides[name, (0, 1)] - sides[name, (1, 0)]) <= 1
    with at_work.store.reading() as session:
        assert set(session.scalars(select(tables.queue.c.open))) == {0}


def test_one_answer_from_many_threads_is_one_vote(at_work, make):
    task, results = at_work.next(PEOPLE[0]), []
    answer = Answer(id="a1", ranks=(1, 2))
    make.in_threads(
        6,
        lambda _: results.append(
            at_work.do(answers.submit, task.id, answer, labeler=PEOPLE[0]).recorded
        ),
    )
    assert sorted(results) == [False] * 5 + [True]
    assert [vote.id for vote in votes(at_work)] == ["a1"]


def test_two_tabs_that_answer_differently_make_one_vote(at_work, make):
    task, results = at_work.next(PEOPLE[0]), []

    def tab(number):
        answer = Answer(id=f"tab {number}", ranks=(1, 2) if number % 2 else (2, 1))
        try:
            results.append(at_work.do(answers.submit, task.id, answer, labeler=PEOPLE[0]).answer_id)
        except AlreadyAnswered as refusal:
            results.append(refusal.answer_id)

    make.in_threads(6, tab)
    (vote,) = votes(at_work)
    assert results == [vote.id] * 6  # each tab was told which answer counts


def test_a_labeler_in_many_tabs_holds_one_task(at_work, make):
    found = []
    make.in_threads(6, lambda _: found.append(at_work.next(PEOPLE[0])))
    assert len({task.id for task in found}) == 1


def test_undo_and_answers_at_once_leave_one_vote_at_most(at_work, make):
    task = at_work.next(PEOPLE[0])
    at_work.submit(task, PEOPLE[0], id="first")

    def act(number):
        try:
            if number % 2:
                at_work.do(answers.undo, "first", labeler=PEOPLE[0])
            else:
                answer = Answer(id=f"again {number}", ranks=(2, 1))
                at_work.do(answers.submit, task.id, answer, labeler=PEOPLE[0])
        except AlreadyAnswered:
            pass

    make.in_threads(6, act)
    assert len(votes(at_work)) <= 1
    assert at_work.open(task.item.id) == at_work.place(task.item.id).wanted - 1


def test_leases_that_end_are_returned_once(at_work, make):
    for name in PEOPLE:
        at_work.next(name)
    make.in_threads(5, lambda _: at_work.do(leases.return_expired, after=99_999))
    with at_work.store.reading() as session:
        rows = session.execute(select(tables.queue.c.open, tables.queue.c.wanted)).all()
    assert all(row.open == row.wanted for row in rows)


def test_drafts_at_once_are_one_draft(at_work, make):
    task = at_work.next(PEOPLE[0])
    make.in_threads(5, lambda n: at_work.do(drafts.save, task.id, f"draft {n}", labeler=PEOPLE[0]))
    assert at_work.see(drafts.load, task.id, labeler=PEOPLE[0]).startswith("draft ")


@pytest.mark.slow  # test_server_kills and test_concurrency are short ones
def test_killed_processes_lose_no_acknowledged_answer(url, make):
    with open_store(url) as store:
        make.office(
            store, people=PEOPLE, items=[make.comparison(n) for n in range(150)], settings={}
        )
    sent, kept = set(), set()
    for delay in (0.0, 0.02, 0.05):
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, url, PEOPLE[0]], stdout=subprocess.PIPE, text=True
        )
        lines = [process.stdout.readline(), process.stdout.readline()]
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        lines += list(process.stdout)
        process.stdout.close()
        process.wait()
        for word, identifier in (line.split() for line in lines if line.endswith("\n")):
            (sent if word == "sent" else kept).add(identifier)
    with open_store(url) as store:
        with store.reading() as session:
            found = [p.id for p in export.preferences(session)]
        assert len(found) == len(set(found))
        assert kept <= set(found) <= sent
        with store.writing() as session:
            assert queue.next_task(session, "p1", PEOPLE[1], now=make.at(0), seed=0)
