"""Simulated labelers at work: one thread each, over HTTP, with retries as a page has them.

A lost reply is answered by sending the same body again: its id is the same, so it counts once.
"""

import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from accord.config import InputError
from accord.web.simulation import Person, Utility, answer

TRIES, FIRST_WAIT_SECONDS = 6, 0.2
TIMEOUT_SECONDS = 30.0
SERVER_ERROR = 500
CONFLICT = 409


@dataclass(frozen=True)
class Work:
    """What is to be done."""

    project: str
    votes: int  #: answers in all
    pause_seconds: float
    seed: int


@dataclass
class Done:
    """What was done."""

    answers: int = 0
    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)  #: of each vote with its next item
    reasons: set[str] = field(default_factory=set)  #: why labelers stopped

    def latencies(self) -> dict[str, float]:
        """Median and 95th percentile, in milliseconds."""
        if not self.milliseconds:
            return {}
        if len(self.milliseconds) == 1:
            return {"p50": self.milliseconds[0], "p95": self.milliseconds[0]}
        cuts = statistics.quantiles(self.milliseconds, n=20, method="inclusive")
        return {"p50": cuts[9], "p95": cuts[18]}


@contextmanager
def connect(url: str, token: str) -> Iterator[httpx2.Client]:
    """A client of a server, with a token.

    Raises:
        InputError: the address is none.
    """
    try:
        client = httpx2.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
        )
    except httpx2.InvalidURL as error:
        raise InputError(f"`{url}` is no address; write it as `http://localhost:8000`") from error
    with client:
        yield client


def work(manager: httpx2.Client, task: Work, people: Sequence[Person], utility: Utility) -> Done:
    """Let people work until all votes are given or nothing is left.

    Args:
        manager: client with the token of a manager, who makes the labelers.
        task: what is to be done.
        people: who does it, each in a thread of its own.
        utility: how good a text truly is.

    Raises:
        InputError: the server cannot be reached or refuses; with its own sentence.
    """
    tokens = [_make(manager, person, task.project) for person in people]
    done, lock = Done(), threading.Lock()
    errors: list[Exception] = []
    left = iter(range(task.votes))

    def take() -> bool:
        with lock:
            return next(left, None) is not None and not errors

    def labeler(person: Person, token: str) -> None:
        try:
            with connect(str(manager.base_url), token) as client:
                _label(client, task, person, utility, take=take, done=done, lock=lock)
        except Exception as error:
            errors.append(error)

    start = time.perf_counter()
    threads = [
        threading.Thread(target=labeler, args=pair) for pair in zip(people, tokens, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.seconds = time.perf_counter() - start
    if errors:
        raise errors[0]
    return done


def _make(manager: httpx2.Client, person: Person, project: str) -> str:
    """The token of a labeler that is a program, made if it is not there."""
    body = {"name": person.name, "projects": [project]}
    return str(_post(manager, "/api/v1/manage/programs", body)["token"])


def _label(
    client: httpx2.Client,
    task: Work,
    person: Person,
    utility: Utility,
    *,
    take: Any,
    done: Done,
    lock: Any,
) -> None:
    shown = _post(client, f"/api/v1/projects/{task.project}/next", {})
    while shown["task"] is not None and take():
        body = answer(person, shown["task"], utility, task.seed)
        began = time.perf_counter()
        shown = _post(client, f"/api/v1/tasks/{shown['task']['id']}/answer", body)
        took = 1000 * (time.perf_counter() - began)
        with lock:
            done.answers += 1
            done.milliseconds.append(took)
        time.sleep(task.pause_seconds)
    if shown["task"] is None:
        with lock:
            done.reasons.add(shown["reason"])


def _post(client: httpx2.Client, address: str, body: dict[str, Any]) -> Any:
    """Send until it is known to have arrived; the same body again is the same request."""
    wait = FIRST_WAIT_SECONDS
    for attempt in range(1, TRIES + 1):
        try:
            reply = client.post(address, json=body)
            if reply.status_code < SERVER_ERROR:
                break
            problem = _sentence(reply)
        except httpx2.TransportError as error:
            problem = f"cannot reach `{client.base_url}`: {error}"
        if attempt == TRIES:
            raise InputError(problem)
        time.sleep(wait)
        wait *= 2
    if reply.is_error:
        raise InputError(f"the server refuses `{address}`: {_sentence(reply)}")
    return reply.json()


def _sentence(reply: httpx2.Response) -> str:
    try:
        return str(reply.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"status {reply.status_code}"
