"""``kill -9`` of the labelling server at random moments, under load: is an answer ever lost?

    python benchmarks/ledger_kills.py [--trials 200] [--seed 0] [--databases sqlite postgresql]

Eight labelers vote, take back, skip, and send some answers twice, over HTTP, without a pause; they
send a request again, with the same id, until it has a reply. The server is a process of its own
that runs ``accord serve``; it is killed at a random moment within 0.6 seconds of its first reply
and started again on the same database. In the end the ledger is compared with what they know.

A process that has imported everything forks the servers, which saves a second a trial.
"""

import argparse
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kill_clients import Labeler, Signals
from own_postgresql import cluster
from own_server import Starter
from sqlalchemy import select, text

from accord.records import Comparison, Message, Prompt, Response
from accord.store import access, accounts, projects, tables
from accord.store.session import Store, open_store
from accord.store.specs import ProjectSpec

PROJECT = "kills"
PEOPLE = 8
ITEMS, VOTES_WANTED = 4000, 6
LONGEST = 0.6  # seconds from the first reply of a server to its end
POLICIES = ("one", "two", "three")


@dataclass(frozen=True)
class Outcome:
    """What a run found. Everything but the first five is a failure unless it is 0."""

    kills: int
    answers: int  #: with a reply
    undone: int
    without_reply: int  #: requests sent again since nothing came back
    kept_without_reply: int  #: answers that were in the ledger though their reply was lost
    lost: int  #: answers with a reply that are not in the ledger as they were sent
    duplicated: int  #: answers, or labelers on one item, that count more than once
    invented: int  #: answers or withdrawals in the ledger that nobody sent
    undo_lost: int  #: undone with a reply, and counting
    miscounted: int  #: places of the queue or counters of labelers that do not fit the answers
    off_balance: int  #: labelers and pairs of models whose sides differ by more than one
    refused: int  #: requests that the server refused

    def failures(self) -> int:
        """How many things went wrong."""
        wrong = (self.lost, self.duplicated, self.invented, self.undo_lost)
        return sum(wrong) + self.miscounted + self.off_balance + self.refused


def run(
    database: str, *, trials: int, seed: int, longest: float = LONGEST, items: int = ITEMS
) -> Outcome:
    """Kill the server of a new database ``trials`` times; compare in the end."""
    with open_store(database) as store:
        tokens = prepare(store, items)
    rng = random.Random(seed)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    signals = Signals()
    people = [
        Labeler(port, token, random.Random(f"{seed}:{n}"), PROJECT, signals)
        for n, token in enumerate(tokens)
    ]
    threads = [threading.Thread(target=person.work) for person in people]
    for thread in threads:
        thread.start()
    with Starter(database, port) as starter:
        for _ in range(trials):
            starter.start()
            signals.has_replied.clear()
            signals.is_up.set()
            signals.has_replied.wait()
            time.sleep(rng.uniform(0, longest))
            signals.is_up.clear()
            starter.kill()
        starter.start()  # the last one lives until everybody has all replies
        signals.stop.set()
        signals.is_up.set()
        for thread in threads:
            thread.join()
        starter.kill()
    for person in people:
        person.close()
    with open_store(database) as store:
        return compare(store, people, kills=trials)


def prepare(store: Store, items: int) -> list[str]:
    """A project and its labelers' tokens."""
    now = datetime.now(UTC)
    spec = ProjectSpec.model_validate(
        {
            "id": PROJECT,
            "title": "Which is better?",
            "task": "comparison",
            "settings": {"votes_wanted": VOTES_WANTED},
        }
    )
    with store.writing() as session:
        projects.create(session, spec, now=now)
        projects.add_items(session, PROJECT, map(item, range(items)), now=now)
        made = []
        for n in range(PEOPLE):
            account = accounts.create(
                session, f"labeler {n}", role="labeler", password=None, now=now
            )
            accounts.assign(session, account, [PROJECT])
            made.append(access.make_token(session, account, label="kills", now=now))
    return made


def item(number: int) -> Comparison:
    """Two responses of two of the policies."""
    prompt = Prompt(id=f"p{number}", messages=(Message(role="user", content=f"Q {number}?"),))
    pair = POLICIES[number % 3], POLICIES[(number + 1) % 3]
    responses = tuple(
        Response(id=f"r{number}-{k}", prompt_id=prompt.id, text=f"Answer {k}.", policy=policy)
        for k, policy in enumerate(pair)
    )
    return Comparison(id=f"c{number:05d}", prompt=prompt, responses=responses)


def compare(store: Store, people: Sequence[Labeler], *, kills: int) -> Outcome:
    """The ledger beside what the labelers know; every request has had its reply."""
    sent = {name: answer for person in people for name, answer in person.answers.items()}
    undone = {name for person in people for name in person.undone}
    event, place = tables.events.c, tables.queue.c
    with store.reading() as session:
        rows = session.execute(select(tables.events).where(event.project_id == PROJECT)).all()
        held = session.execute(select(tables.assignments)).all()
        queue = session.execute(select(place.comparison_id, place.wanted, place.open)).all()
        standings = session.execute(select(tables.standings)).all()
        if store.engine.dialect.name == "sqlite":
            assert session.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
    votes = [row for row in rows if row.kind == tables.VOTE]
    ids = Counter(row.id for row in votes)
    withdrawn = {row.id for row in rows if row.kind == tables.WITHDRAW}
    kept = {row.id: [row.ranks[index] for index in row.shown_order] for row in votes}
    counting = [row for row in votes if row.id not in withdrawn]
    leased = [row for row in held if row.state == tables.LEASED]
    on_items = Counter(row.comparison_id for row in [*counting, *leased])
    of_people = Counter(row.labeler_id for row in counting)
    once = Counter((row.labeler_id, row.comparison_id) for row in counting)
    return Outcome(
        kills=kills,
        answers=sum(answer.has_reply for answer in sent.values()),
        undone=sum(answer.undo_has_reply for answer in sent.values()),
        without_reply=sum(person.without_reply for person in people),
        kept_without_reply=sum(person.kept_without_reply for person in people),
        lost=sum(kept.get(name) != answer.ranks for name, answer in sent.items()),
        duplicated=sum(n - 1 for n in [*ids.values(), *once.values()]),
        invented=len(kept.keys() - sent.keys()) + len(withdrawn - undone),
        undo_lost=len(undone - withdrawn),
        miscounted=sum(row.open != row.wanted - on_items[row.comparison_id] for row in queue)
        + sum(row.answered != of_people[row.labeler_id] for row in standings),
        off_balance=off_balance([*counting, *leased]),
        refused=sum(len(person.refused) for person in people),
    )


def off_balance(rows: Sequence[object]) -> int:
    """Labelers and pairs of models of which one stood first more than once more than the other."""
    sides: Counter[tuple[int, int]] = Counter()
    for row in rows:
        number = int(row.comparison_id[1:])
        models = number % 3, (number + 1) % 3
        first = models[row.shown_order[0]]
        sides[row.labeler_id, sum(models)] += 1 if first == min(models) else -1
    return sum(abs(difference) > 1 for difference in sides.values())


@contextmanager
def databases(names: Sequence[str]) -> Iterator[dict[str, str]]:
    """URLs of new databases that are safe from a power cut."""
    with tempfile.TemporaryDirectory() as folder:
        urls = {"sqlite": str(Path(folder) / "ledger.sqlite")}
        if "postgresql" not in names:
            yield urls
            return
        with cluster(is_safe=True) as url:
            yield {name: (urls | {"postgresql": url})[name] for name in names}


def main() -> None:
    """Kill, compare, print; the exit status is 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    given = parser.parse_args()
    failures = 0
    with databases(given.databases) as urls:
        for name, url in urls.items():
            begin = time.perf_counter()
            outcome = run(url, trials=given.trials, seed=given.seed)
            failures += outcome.failures()
            print(f"{name}, {time.perf_counter() - begin:.0f} s")
            for what, count in vars(outcome).items():
                print(f"  {what:20} {count:>8,}", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
