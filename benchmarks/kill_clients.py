"""Labelers whose server is killed again and again: they send each request until it has a reply."""

import http.client
import json
import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

PAUSE = 0.01  # seconds until a request without a reply is sent again
SERVER_ERROR = 500
SHARES = {"again": 0.1, "undo": 0.1, "skip": 0.05}  # of the labelers' steps


@dataclass
class Sent:
    """An answer as its labeler knows it."""

    task: str
    ranks: list[int]  #: by place
    has_reply: bool = False
    undo_has_reply: bool = False


@dataclass(frozen=True)
class Signals:
    """What the labelers and who kills their server tell each other."""

    is_up: threading.Event = field(default_factory=threading.Event)  #: the server listens
    has_replied: threading.Event = field(default_factory=threading.Event)  #: since it was started
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass
class Labeler:
    """One labeler, one thread, and what it knows of its own answers."""

    port: int
    token: str
    rng: random.Random
    project: str
    signals: Signals
    answers: dict[str, Sent] = field(default_factory=dict)
    undone: set[str] = field(default_factory=set)  #: answers of which an undo was sent
    skipped: int = 0
    requests: int = 0
    without_reply: int = 0  #: times that a request was sent and nothing came back
    kept_without_reply: int = 0  #: of these answers, those that were in the ledger nevertheless
    refused: list[str] = field(default_factory=list)
    _connection: http.client.HTTPConnection | None = None

    def work(self) -> None:
        """Answer, undo, skip and send again, until told to stop; every request gets its reply."""
        shown = self._send(f"/projects/{self.project}/next", {})
        while not self.signals.stop.is_set() and shown.get("task") and not self.refused:
            step = self.rng.random()
            if step < SHARES["skip"]:
                shown = self._send(f"/tasks/{shown['task']['id']}/skip", {"reason": "no"})
                self.skipped += 1
                continue
            shown, identifier = self._answer(shown["task"])
            if self.rng.random() < SHARES["again"]:
                shown = self._again(identifier)
            if self.rng.random() < SHARES["undo"]:
                self.undone.add(identifier)
                shown = self._send(f"/answers/{identifier}/undo", {})
                self.answers[identifier].undo_has_reply = True

    def close(self) -> None:
        """End the connection; the next request makes another."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _answer(self, task: dict[str, Any]) -> tuple[dict[str, Any], str]:
        identifier = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        self.answers[identifier] = Sent(task["id"], self.rng.choice([[1, 2], [2, 1]]))
        before = self.without_reply
        shown = self._send_answer(identifier)
        self.answers[identifier].has_reply = True
        if self.without_reply > before and shown.get("recorded") is False:
            self.kept_without_reply += 1
        return shown, identifier

    def _again(self, identifier: str) -> dict[str, Any]:
        """A late retry, as after a reply that a proxy lost: it must not count again."""
        shown = self._send_answer(identifier)
        if shown.get("recorded") is not False:
            self.refused.append(f"`{identifier}` sent again was recorded again")
        return shown

    def _send_answer(self, identifier: str) -> dict[str, Any]:
        sent = self.answers[identifier]
        return self._send(f"/tasks/{sent.task}/answer", {"id": identifier, "ranks": sent.ranks})

    def _send(self, address: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send until there is a reply; the same body again is the same request."""
        self.requests += 1
        while True:
            self.signals.is_up.wait()
            try:
                status, reply = self._once("/api/v1" + address, body)
                self.signals.has_replied.set()
                if status < SERVER_ERROR:
                    break
                self.without_reply += 1
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.close()
                self.without_reply += not isinstance(error, ConnectionRefusedError)
            time.sleep(PAUSE)
        if status != 200:
            self.refused.append(f"{status} {address}: {reply}")
        return reply

    def _once(self, address: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        self._connection.request("POST", address, json.dumps(body), headers)
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())
