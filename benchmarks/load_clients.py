"""Labelers as a load: one connection each, on one event loop, at little cost of their own."""

import asyncio
import json
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


class Connection:
    """HTTP/1.1 to one server, kept alive; a client library would take longer than the server."""

    def __init__(self, port: int, token: str) -> None:
        self.port, self.token = port, token
        self.reader: Any = None
        self.writer: Any = None

    async def post(self, address: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Send JSON; status and JSON of the reply."""
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        sent = json.dumps(body).encode()
        head = (
            f"POST {address} HTTP/1.1\r\nHost: localhost:{self.port}\r\n"
            f"Authorization: Bearer {self.token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(sent)}\r\n\r\n"
        )
        self.writer.write(head.encode() + sent)
        received = await self.reader.readuntil(b"\r\n\r\n")
        status, size = int(received[9:12]), 0
        for line in received.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                size = int(line[15:])
        return status, json.loads(await self.reader.readexactly(size) or b"{}")

    def close(self) -> None:
        """End the connection."""
        if self.writer is not None:
            self.writer.close()


@dataclass
class Waits:
    """How long the replies to votes took; each brings the next item."""

    milliseconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def at(self, percent: float) -> float:
        """A percentile, in milliseconds."""
        ordered = sorted(self.milliseconds)
        return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)]


async def label(
    connection: Connection,
    project: str,
    rng: random.Random,
    *,
    think: Callable[[], float],
    measure: tuple[float, float],
    waits: Waits,
) -> None:
    """Vote until the end of the measured time; replies that begin within it are measured.

    Args:
        connection: of this labeler.
        project: to work on.
        rng: makes ids and choices.
        think: seconds between a new item and the vote on it.
        measure: beginning and end, in the seconds of ``time.perf_counter``.
        waits: gets the times.
    """
    await asyncio.sleep(think() * rng.random())  # not all at the same moment
    status, reply = await connection.post(f"/api/v1/projects/{project}/next", {})
    while status == 200 and reply["task"] is not None:
        await asyncio.sleep(think())
        began = time.perf_counter()
        if began > measure[1]:
            return
        body = {
            "id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            "ranks": rng.choice([[1, 2], [2, 1]]),
            "strength": rng.randint(1, 4),
            "active_seconds": 8.0,
        }
        status, reply = await connection.post(f"/api/v1/tasks/{reply['task']['id']}/answer", body)
        if began >= measure[0]:
            waits.milliseconds.append(1000 * (time.perf_counter() - began))
    waits.errors.append(f"{status} {reply.get('detail', reply.get('reason'))}")


async def crowd(
    port: int,
    tokens: list[str],
    project: str,
    *,
    pause: float,
    warm_up: float,
    seconds: float,
) -> Waits:
    """Let one labeler a token vote for some seconds.

    Args:
        port: of the server on this machine.
        tokens: of the labelers.
        project: to work on.
        pause: mean seconds between a reply and the next vote, uniform between half of it and one
            and a half; 0 votes at once.
        warm_up: seconds before the measured time.
        seconds: the measured time.
    """
    waits = Waits()
    connections = [Connection(port, token) for token in tokens]
    begin = time.perf_counter() + warm_up
    jobs = []
    for number, connection in enumerate(connections):
        rng = random.Random(f"{number}:{time.time_ns()}")  # ids are new in each run
        jobs.append(
            label(
                connection,
                project,
                rng,
                think=lambda rng=rng: pause * rng.uniform(0.5, 1.5),
                measure=(begin, begin + seconds),
                waits=waits,
            )
        )
    await asyncio.gather(*jobs)
    for connection in connections:
        connection.close()
    return waits
