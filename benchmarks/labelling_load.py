"""How long people wait when many label at once, over HTTP, on a ledger of a million votes.

    python benchmarks/labelling_load.py [--votes 1000000] [--keep FOLDER] [--databases sqlite]

The server runs as ``accord serve`` starts it; the labelers are a second process on the same
machine. The time is that of one request, "keep this vote and give me the next item", from
sending it to having its reply. Each labeler thinks for a second between two votes (0.5 to 1.5),
twenty times less than people do; in the rows "without thinking" they vote at once.

``keep`` is a folder in which the filled databases stay, to be used again: each run works on a
copy of the SQLite file, and adds its votes to the PostgreSQL.
"""

import argparse
import asyncio
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ledger_copy import into_postgresql
from ledger_speed import LABELERS, PROJECT, fill
from load_clients import Waits, crowd
from own_postgresql import cluster
from own_server import TICKS, serving, spent
from sqlalchemy import func, select

from accord.config import InputError
from accord.store import access, accounts, tables
from accord.store.session import Store, open_store

PEOPLE = (1, 10, 25, 50, 100, 200)
AT_ONCE = (1, 50)  # labelers who do not think
WARM_UP = 2.0  # seconds
HEAD = """
| labelers | votes/s | p50, ms | p95, ms | p99, ms | server, ms a vote | clients, ms a vote | \
other work on the machine |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""


def admit(store: Store, number: int) -> list[str]:
    """Tokens of labelers of the project; the first of them are those who gave its votes."""
    now, made = datetime.now(UTC), []
    with store.writing() as session:
        for n in range(number):
            name = f"labeler {n}"
            try:
                account = accounts.create(
                    session, name, role="labeler", password=None, now=now, known_labeler=True
                )
            except InputError:
                account = accounts.get(session, name)
            accounts.assign(session, account, [PROJECT])
            made.append(access.make_token(session, account, label="load", now=now))
    return made


def busy_seconds() -> float:
    """Processor time of everything on this machine since it started."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _wait, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / TICKS


def row(name: str, port: int, server: list[int], tokens: Sequence[str], **load: float) -> str:
    """Measure once; one line of the table."""
    begin, machine = time.perf_counter(), busy_seconds()
    before, own = sum(map(spent, server)), time.process_time()
    waits: Waits = asyncio.run(crowd(port, list(tokens), PROJECT, warm_up=WARM_UP, **load))
    took = time.perf_counter() - begin
    of_server, of_clients = sum(map(spent, server)) - before, time.process_time() - own
    others = max(busy_seconds() - machine - of_server - of_clients, 0.0)
    votes = len(waits.milliseconds)
    in_all = votes * (load["seconds"] + WARM_UP) / load["seconds"]  # the warm up costs time too
    said = f" **{len(waits.errors)} failed: {waits.errors[0]}**" if waits.errors else ""
    return (
        f"| {name} | {votes / load['seconds']:.1f} | {waits.at(50):.1f} | {waits.at(95):.1f} "
        f"| {waits.at(99):.1f} | {1000 * of_server / in_all:.2f} "
        f"| {1000 * of_clients / in_all:.2f} | {others / took:.2f} cores{said} |"
    )


def curve(database: str, given: argparse.Namespace, others: Sequence[int] = ()) -> None:
    """The table of one database; ``others`` are processes that work for the server."""
    with open_store(database) as store:
        tokens = admit(store, max(*given.labelers, *AT_ONCE))
        with store.reading() as session:
            votes = session.scalars(select(func.count()).where(tables.events.c.kind == "vote"))
            print(f"{votes.one():,} votes in the ledger", end="")
    print(HEAD)
    with serving(database) as (port, process):
        server = [process, *others]
        for people in given.labelers:
            load = {"pause": given.think, "seconds": given.seconds}
            print(row(str(people), port, server, tokens[:people], **load), flush=True)
        for people in AT_ONCE:
            name, load = f"{people}, without thinking", {"pause": 0.0, "seconds": given.seconds / 2}
            print(row(name, port, server, tokens[:people], **load), flush=True)


@contextmanager
def filled(given: argparse.Namespace) -> Iterator[Path]:
    """A SQLite ledger with its votes, made if it is not kept already."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(given.keep or folder) / f"ledger-{given.votes}.sqlite"
        if not file.is_file():
            part = file.with_suffix(".part")
            part.unlink(missing_ok=True)
            begin = time.perf_counter()
            with open_store(str(part), power_safe=False) as store:
                fill(store, votes=given.votes)
            part.rename(file)
            print(f"filled in {time.perf_counter() - begin:.0f} s")
        yield file


def on_sqlite(file: Path, given: argparse.Namespace) -> None:
    """The curve on a copy of the file."""
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        copy = Path(folder) / "ledger.sqlite"
        shutil.copy(file, copy)
        print(f"\nSQLite, {copy.stat().st_size / 1e6:.0f} MB, ", end="")
        curve(str(copy), given)


def on_postgresql(file: Path, given: argparse.Namespace) -> None:
    """The curve on a PostgreSQL that holds the same ledger, and waits for its disk."""
    keep = Path(given.keep) / f"postgresql-{given.votes}" if given.keep else None
    with cluster(is_safe=True, keep=keep) as url:
        into_postgresql(file, url)
        print("\nPostgreSQL, ", end="")
        curve(url, given, others=[postmaster(url)])


def postmaster(url: str) -> int:
    """Process id of the PostgreSQL behind an URL; its backends are its children."""
    with open_store(url) as store, store.engine.connect() as connection:
        backend = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        fields = Path(f"/proc/{backend}/stat").read_text(encoding="ascii")
    return int(fields.rpartition(")")[2].split()[1])


def main() -> None:
    """Fill a ledger, let labelers work on it, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--votes", type=int, default=1_000_000)
    parser.add_argument("--labelers", type=int, nargs="+", default=list(PEOPLE))
    parser.add_argument("--seconds", type=float, default=12.0, help="of each row")
    parser.add_argument("--think", type=float, default=1.0, help="seconds between two votes")
    parser.add_argument("--keep", default="", help="folder of the filled databases, used again")
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    given: Any = parser.parse_args()
    load = os.getloadavg()[0]
    print(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, load {load:.1f}, ", end=""
    )
    print(f"Python {platform.python_version()}; {LABELERS} labelers gave the votes")
    with filled(given) as file:
        measures = {"sqlite": on_sqlite, "postgresql": on_postgresql}
        for database in given.databases:
            measures[database](file, given)


if __name__ == "__main__":
    main()
