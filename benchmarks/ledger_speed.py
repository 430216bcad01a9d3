"""How long "keep this vote, give me the next item" takes in the database of a large ledger.

    python benchmarks/ledger_speed.py [--votes 1000000] [--url URL] [--keep FOLDER]

One labeler at a time, without the web server: the time between two calls of the store, in one
process. ``fill`` is also used by the load test of the server.
"""

import argparse
import random
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, text

from accord.records import Answer, Comparison, Message, Prompt, Response
from accord.store import answers, labelers, projects, queue, tables
from accord.store.session import Store, open_store
from accord.store.specs import ProjectSpec

PROJECT = "big"
START = datetime(2026, 1, 1, tzinfo=UTC)
VOTES_WANTED = 3
LABELERS = 50  # who gave the votes
POLICIES = ("sft", "ppo_1", "ppo_2", "ppo_3")
CHUNK = 20_000
TEXT = "A response of some length, as people compare them: about forty words or so. " * 3


def fill(store: Store, *, votes: int, waiting: int = 20_000) -> None:
    """Make a project with this many votes and this many items that wait for their votes.

    The rows are what the store's own functions would have written, but for the orders of
    responses, which are random.
    """
    spec = ProjectSpec.model_validate(
        {
            "id": PROJECT,
            "title": "Which is better?",
            "task": "comparison",
            "settings": {"votes_wanted": VOTES_WANTED, "lease_seconds": 86_400.0},
        }
    )
    done = votes // VOTES_WANTED
    with store.writing() as session:
        for n in range(LABELERS):
            labelers.add(session, f"labeler {n}")
        projects.create(session, spec, now=START)
    rng = random.Random(0)
    for first in range(0, done + waiting, CHUNK):
        numbers = range(first, min(first + CHUNK, done + waiting))
        with store.writing() as session:
            session.execute(insert(tables.comparisons), [_item(n) for n in numbers])
            session.execute(insert(tables.members), [_member(n) for n in numbers])
            session.execute(insert(tables.queue), [_place(n, n < done) for n in numbers])
            rows = _answered(rng, numbers, done)
            while chunk := list(islice(rows, CHUNK)):
                session.execute(insert(tables.events), [row for pair in chunk for row in pair[:2]])
                session.execute(insert(tables.assignments), [pair[2] for pair in chunk])
    with store.writing() as session:
        each = votes // LABELERS
        counters = {"shown": each, "streamed": each, "answered": each, "gold_shown": 0}
        counters |= {"repeats_shown": 0, "day": "2026-01-01", "on_day": each, "state": "ready"}
        people = session.scalars(select(tables.labelers.c.id)).all()
        session.execute(
            insert(tables.standings),
            [{"project_id": PROJECT, "labeler_id": p, **counters} for p in people],
        )
        session.execute(text("ANALYZE"))


def _item(number: int) -> dict[str, Any]:
    prompt = Prompt(
        id=f"p{number}", messages=(Message(role="user", content=f"Question {number}? {TEXT}"),)
    )
    two = (POLICIES[number % 4], POLICIES[(number // 4 + number + 1) % 4])
    responses = tuple(
        Response(id=f"r{number}-{k}", prompt_id=prompt.id, text=f"{TEXT}{k}", policy=policy)
        for k, policy in enumerate(two)
    )
    made = Comparison(id=_name(number), prompt=prompt, responses=responses)
    return {"id": made.id, "payload": made.model_dump_json(by_alias=True), "size": 2}


def _name(number: int) -> str:
    return f"c{number:07d}"


def _member(number: int) -> dict[str, Any]:
    return {"batch": f"{PROJECT}/items", "comparison_id": _name(number)}


def _place(number: int, full: bool) -> dict[str, Any]:
    return {
        "project_id": PROJECT,
        "comparison_id": _name(number),
        "position": number,
        "wanted": VOTES_WANTED,
        "open": 0 if full else VOTES_WANTED,
        "opened_at": START,
    }


def _answered(
    rng: random.Random, numbers: range, done: int
) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """The showing, the vote and the assignment of each answer."""
    for number in numbers:
        for turn in range(VOTES_WANTED if number < done else 0):
            person = (number * 7 + turn * 11) % LABELERS + 1
            task, vote = f"task-{number}-{turn}", str(uuid.UUID(int=rng.getrandbits(128)))
            order = [0, 1] if rng.random() < 0.5 else [1, 0]
            here = {
                "comparison_id": _name(number),
                "labeler_id": person,
                "project_id": PROJECT,
                "purpose": "vote",
                "shown_order": order,
            }
            event = {**here, "created_at": START, "strength": None, "seconds": None, "note": ""}
            event |= {"guideline": "", "gold": None}
            body = {"task": task, "version": 1, "mode": "helpful", "polarity": "better_first"}
            show = {**event, "kind": "show", "id": task, "ranks": None, "body": {"order_seed": 0}}
            said = {**event, "kind": "vote", "id": vote, "ranks": [1, 2], "body": body}
            assignment = {
                **here,
                "task_id": task,
                "state": "voted",
                "number": number,
                "order_seed": 0,
                "balance": "",
                "shown_at": START,
                "expires_at": None,
                "answer_id": vote,
            }
            yield show, said, assignment


def measure(store: Store, *, times: int) -> dict[str, list[float]]:
    """Milliseconds of keeping a vote and taking the next item, and of both in one transaction.

    ``processor`` is the time of this process alone: what is left on a machine that does other work.
    """
    tasks: dict[str, Any] = {}
    parts = ("submit", "next", "commit", "together", "processor")
    spent: dict[str, list[float]] = {part: [] for part in parts}
    now = START + timedelta(days=1)
    for n in range(times + LABELERS):
        name = f"labeler {n % LABELERS}"
        now += timedelta(seconds=1)
        begin, processor = time.perf_counter(), time.process_time()
        with store.writing() as session:
            if name in tasks:
                answer = Answer(id=str(uuid.uuid4()), ranks=(1, 2), strength=2, seconds=8.0)
                answers.submit(session, tasks[name].id, answer, labeler=name, now=now)
            between = time.perf_counter()
            following = queue.next_task(session, PROJECT, name, now=now, seed=1)
            before_commit = time.perf_counter()
        end = time.perf_counter()
        if name in tasks:
            spent["submit"].append(1000 * (between - begin))
            spent["next"].append(1000 * (before_commit - between))
            spent["commit"].append(1000 * (end - before_commit))
            spent["together"].append(1000 * (end - begin))
            spent["processor"].append(1000 * (time.process_time() - processor))
        tasks[name] = following
    return spent


def main() -> None:
    """Fill a ledger, measure, and print percentiles."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--votes", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=2000)
    parser.add_argument("--url", default="")
    parser.add_argument("--keep", default="", help="folder of the SQLite file, used again")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(given.keep or folder) / "big.sqlite"
        fresh = bool(given.url) or not file.is_file()
        with open_store(given.url or str(file)) as store:
            if fresh:
                begin = time.perf_counter()
                fill(store, votes=given.votes)
                print(f"filled in {time.perf_counter() - begin:.0f} s")
            if not given.url:
                print(f"{file.stat().st_size / 1e6:.0f} MB")
            for part, spent in measure(store, times=given.times).items():
                spent.sort()
                at = {p: spent[int(len(spent) * p / 100)] for p in (50, 95, 99)}
                print(f"{part:9}", "  ".join(f"p{p} {ms:.2f} ms" for p, ms in at.items()))


if __name__ == "__main__":
    main()
