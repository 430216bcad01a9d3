"""Who answers in conversations of ``accord serve``: policies of this machine, and endpoints."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from accord import cli
from accord.cli.local_policy import LocalPolicy, own_turn
from accord.config import InputError
from accord.records import Message, Sampling
from accord.web.endpoint import Endpoint

ASKED = [
    Message(role="user", content="Hello"),
    Message(role="assistant", content="Hi."),
    Message(role="user", content="Who are you?"),
]


class Answers(BaseHTTPRequestHandler):
    """A server that speaks the chat completions of OpenAI."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, self.headers["Authorization"], json.loads(body)))
        status, lines = self.server.says
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write("".join(f"{line}\n\n" for line in lines).encode())

    def log_message(self, *args):
        pass


@pytest.fixture
def elsewhere():
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.asked, server.says = [], (200, [])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        server.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        yield server
        server.shutdown()
        thread.join()


def piece(text, reason=None):
    choice = {"delta": {"content": text}, "finish_reason": reason}
    return "data: " + json.dumps({"choices": [choice]})


def whole(pieces):
    """All pieces of a generator, and what it returns."""
    returned = []

    def through():
        returned.append((yield from pieces))

    return list(through()), returned[0]


def test_an_endpoint_is_asked_as_its_protocol_has_it(elsewhere):
    first = "data: " + json.dumps({"choices": [{"delta": {"role": "assistant"}}]})
    usage = "data: " + json.dumps({"choices": [], "usage": {"total_tokens": 9}})
    elsewhere.says = (
        200,
        [": a comment", first, piece("I am"), piece(" é."), usage, "data: [DONE]", piece("no")],
    )
    sampling = Sampling(temperature=0.5, top_p=0.9, max_tokens=7)
    end = Endpoint("big", elsewhere.url + "/", "llama", sampling, SecretStr("open sesame"))
    assert list(end.stream(ASKED, seed=3)) == ["I am", " é."]
    (path, key, body) = elsewhere.asked[0]
    assert (path, key) == ("/v1/chat/completions", "Bearer open sesame")
    assert body == {
        "model": "llama",
        "messages": [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi."},
            {"role": "user", "content": "Who are you?"},
        ],
        "stream": True,
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 7,
        "seed": 3,
    }
    other = Endpoint("big", elsewhere.url + "/", "qwen", sampling)
    assert len({end.digest, other.digest, "open sesame"}) == 3
    assert "sesame" not in repr(end)


@pytest.mark.parametrize(
    ("says", "message"),
    [
        ((503, ["overloaded"]), "`big` answered 503: overloaded"),
        ((200, ["data: {"]), "sent no completion"),
        ((200, ['data: {"error": "x"}']), "sent no completion"),
        ((200, [piece("Half a")]), "stopped in the middle"),
    ],
)
def test_an_endpoint_that_does_not_answer_is_named(elsewhere, says, message):
    elsewhere.says = says
    with pytest.raises(RuntimeError, match=message):
        list(Endpoint("big", elsewhere.url, "m", Sampling()).stream(ASKED, seed=1))


@pytest.mark.parametrize(
    ("ending", "finished"),
    [
        ([piece("", "stop"), "data: [DONE]"], True),
        ([piece("", "length"), "data: [DONE]"], False),
        ([piece("", "content_filter"), "data: [DONE]"], False),
        ([piece("", "length")], False),  # some servers end without the mark
        (["data: [DONE]"], True),  # and some give no reason
    ],
)
def test_an_endpoint_tells_whether_it_was_cut_off(elsewhere, ending, finished):
    elsewhere.says = (200, [piece("I am"), *ending])
    stream = Endpoint("big", elsewhere.url, "m", Sampling()).stream(ASKED, seed=1)
    assert whole(stream) == (["I am"], finished)


def test_an_endpoint_needs_an_address_and_knows_no_top_k():
    with pytest.raises(InputError, match="is no address"):
        Endpoint("big", "localhost:11434", "m", Sampling())
    with pytest.raises(InputError, match="top_k"):
        Endpoint("big", "http://localhost/v1", "m", Sampling(top_k=5))


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (("Yes", "."), ["Yes", "."]),
        (("Yes.\n\nHuman: And?",), ["Yes."]),
        (("Yes.\n", "\nAss", "istant: No.", "more"), ["Yes."]),
        (("a\n", "\nHumble"), ["a", "\n\nHumble"]),
        (("Yes.\n\n",), ["Yes.", "\n\n"]),
        ((), []),
    ],
)
def test_a_response_ends_where_another_turn_begins(pieces, shown):
    assert list(own_turn(iter(pieces))) == shown


@pytest.mark.parametrize(
    ("pieces", "ended", "finished"),
    [
        (["Yes."], True, True),
        (["Yes, bu"], False, False),
        (["Yes.\n\nHuman: And wha"], False, True),  # its own turn was whole
    ],
)
def test_a_response_is_cut_off_only_within_its_own_turn(pieces, ended, finished):
    def policy():
        yield from pieces
        return ended

    assert whole(own_turn(policy()))[1] == finished


def test_the_base_model_writes_piece_by_piece_and_its_seed_repeats_it():
    base = LocalPolicy("base", "builtin:base", Sampling(max_tokens=8))
    first = list(base.stream(ASKED, seed=5))
    assert len(first) > 1
    assert list(base.stream(ASKED, seed=5)) == first
    assert list(base.stream(ASKED, seed=6)) != first
    long = [*ASKED[:2] * 40, ASKED[2]]
    assert list(base.stream(long, seed=5))  # its oldest turns are left out


@pytest.mark.parametrize(
    ("policies", "message"),
    [
        (["sft"], "write NAME=DIR"),
        (["a b=x"], "write NAME=DIR"),
        (["sft=http://localhost/v1", "sft=http://localhost/v2"], "names one policy twice"),
        (["sft=nowhere"], "no folder `nowhere`"),
    ],
)
def test_a_policy_that_cannot_be_served_is_said_before_anything_is_made(
    tmp_path, monkeypatch, policies, message
):
    monkeypatch.chdir(tmp_path)
    database = tmp_path / "new" / "votes.sqlite"
    database.parent.mkdir()
    words = [word for policy in policies for word in ("--policy", policy)]
    result = CliRunner().invoke(cli.app, ["serve", "--database", str(database), *words])
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert list(database.parent.iterdir()) == []
