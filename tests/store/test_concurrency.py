"""Many labelers at once, and processes that are killed."""

import os
import signal
import subprocess
import sys
import threading
import time

from accord.store import export, queue
from accord.store.session import open_store

PEOPLE = [f"labeler {n}" for n in range(6)]

VOTER = """
import sys
from datetime import UTC, datetime
from accord.records import Preference
from accord.store import comparisons, queue
from accord.store.session import open_store

url, labeler = sys.argv[1:]
now = datetime(2026, 1, 1, tzinfo=UTC)
with open_store(url) as store:
    while True:
        with store.writing() as session:
            found = queue.next(session, labeler, now=now, lease_seconds=60, seed=0)
        if found is None:
            break
        comparison, order = found
        vote = Preference(
            id=f"{labeler}-{comparison.id}", comparison_id=comparison.id, labeler=labeler,
            ranks=(1, 2), shown_order=order,
        )
        with store.writing() as session:
            comparisons.record(session, vote, now=now)
        print(vote.id, flush=True)  # acknowledged: from here on it may not be lost
"""


def all_votes(store):
    with store.reading() as session:
        return [(p.comparison_id, p.labeler) for p in export.preferences(session)]


def test_threads_never_give_one_place_to_two_labelers(desk, make):
    desk.people(*PEOPLE)
    desk.add(30, wanted=3)
    failures = []

    def label(name):
        try:
            while found := desk.next(name):
                comparison, order = found
                vote = make.vote(f"{name}-{comparison.id}", comparison.id, name, shown_order=order)
                assert desk.record(vote)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=label, args=(name,)) for name in PEOPLE]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    votes = all_votes(desk.store)
    assert len(set(votes)) == len(votes) == 90
    with desk.store.reading() as session:
        assert export.counts(session).complete == 30


def test_one_labeler_in_two_windows_holds_one_lease(desk):
    desk.people("ann")
    desk.add(20)
    found = []
    threads = [threading.Thread(target=lambda: found.append(desk.next("ann"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({comparison.id for comparison, _ in found}) == 1
    assert len({order for _, order in found}) == 1


def test_the_same_vote_from_many_threads_is_one(desk, make):
    desk.people("ann")
    desk.add(1)
    vote, results = make.vote("v1", "c000", "ann"), []
    threads = [threading.Thread(target=lambda: results.append(desk.record(vote))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 5 + [True]
    assert all_votes(desk.store) == [("c000", "ann")]


def test_a_killed_process_loses_no_acknowledged_vote_and_blocks_nobody(desk, make, tmp_path):
    desk.people("ann", "bob")
    desk.add(200, wanted=1)
    url = str(tmp_path / "ledger.sqlite")
    acknowledged = set()
    for delay in (0.0, 0.01, 0.03):
        process = subprocess.Popen(
            [sys.executable, "-c", VOTER, url, "ann"], stdout=subprocess.PIPE, text=True
        )
        acknowledged.add(process.stdout.readline().strip())
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        acknowledged.update(line.strip() for line in process.stdout if line.endswith("\n"))
        process.stdout.close()
        process.wait()
    with open_store(url) as store:
        with store.reading() as session:
            kept = {p.id for p in export.preferences(session)}
        assert acknowledged <= kept
        assert len(kept) <= len(acknowledged) + 3  # at most the one that each was about to say
        with store.writing() as session:
            assert queue.next(session, "bob", now=make.at(0), lease_seconds=60, seed=0)
