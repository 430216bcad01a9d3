"""Simulated labelers through the doors that people use; the truth that was planted is found."""

import json
import shutil
import socket
import threading

import pytest
import uvicorn
from typer.testing import CliRunner

from accord.cli import app as command_line
from accord.ratings.fit import fit
from accord.ratings.reliability import fit_reliability
from accord.store import labelers, measures
from accord.store.session import open_store
from accord.web import first_run
from accord.web.app import create_app, utc_now
from accord.web.settings import Settings
from accord.web.simulated_work import connect

TRUTH = {"weak": -0.9, "fair": -0.3, "good": 0.3, "best": 0.9}  # utility of each policy's texts
LABELERS, CARELESS, VOTES, ITEMS = 7, 2, 336, 84


@pytest.fixture
def served(tmp_path, new_ledger):
    """A server that listens, its store, and a manager's token."""
    path = shutil.copy(new_ledger, tmp_path / "ledger.sqlite")
    with open_store(str(path), power_safe=False) as store:
        token = first_run.program_token(store, "script", now=utc_now())
        settings = Settings(database="unused", secret=b"s" * 32)
        config = uvicorn.Config(create_app(settings, store), log_level="warning")
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, args=([listening],))
            thread.start()
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", store, token
            server.should_exit = True
            thread.join(20)


def item(number):
    """Two policies' responses to one question; the texts say nothing about who wrote them."""
    names = sorted(TRUTH)
    first = number % len(names)
    pair = names[first], names[(first + 1 + number // len(names) % 3) % len(names)]
    prompt = {"id": f"q{number}", "messages": [{"role": "user", "content": f"Question {number}?"}]}
    responses = [
        {"id": f"r{number}-{k}", "prompt_id": f"q{number}", "text": text(number, k), "policy": name}
        for k, name in enumerate(pair)
    ]
    return {"id": f"i{number:03}", "prompt": prompt, "responses": responses}


def text(number, which):
    return f"Response {2 * number + which} of this collection."


def test_the_planted_order_and_the_careless_are_found(served, tmp_path):
    url, store, token = served
    found = [item(number) for number in range(ITEMS)]
    truth = tmp_path / "truth.jsonl"
    known = [
        {"text": one["text"], "utility": TRUTH[one["policy"]]}
        for made in found
        for one in made["responses"]
    ]
    truth.write_text("".join(json.dumps(row) + "\n" for row in known), encoding="utf-8")
    with connect(url, token) as manager:
        settings = {"votes_wanted": 4, "gold_share": 0.0, "repeat_share": 0.0}
        values = {"preset": "comparison", "id": "p", "title": "P", "settings": settings}
        sent = manager.post("/api/v1/manage/projects", json={"values": values})
        assert sent.status_code == 200, sent.text
        sent = manager.post("/api/v1/manage/projects/p/items", json={"items": found})
        assert sent.json() == {"added": ITEMS}
    settings = ["--set", f"careless={CARELESS}", "--set", "accuracy=0.93", "--set", "tie_width=0"]
    asked = ["simulate", url, "--project", "p", "--truth", str(truth), "--token", token]
    counts = ["--labelers", str(LABELERS), "--votes", str(VOTES)]
    done = CliRunner().invoke(command_line, [*asked, *counts, *settings])
    assert done.exit_code == 0, done.output
    assert f"{VOTES} answers by {LABELERS} labelers" in done.output
    with store.reading() as session:
        rows = measures.latest(session, "p", None, 10_000)
        assert len(rows) == VOTES
        votes = measures.votes_of(rows)
        everybody = [one.name for one in labelers.roster(session) if one.name.startswith("sim")]
    fitted = fit(votes)
    by_strength = sorted(zip(fitted.strengths, fitted.names, strict=True))
    assert [name for _, name in by_strength] == sorted(TRUTH, key=TRUTH.get)
    reliability = fit_reliability(votes)
    careless = {one.labeler for one in reliability.labelers if one.careless > 0.5}
    assert careless == set(everybody[-CARELESS:])
