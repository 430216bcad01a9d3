"""Conversations over the API: two candidates a turn, blind, and kept in the ledger."""

import json
import threading
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.records import Sampling
from accord.store import dialogues, views
from accord.web.turns import PACE, Turn, Turns


class Slow:
    """A generator that waits for a sign before it ends."""

    def __init__(self, name, text, *, gate=None, fails=False, is_cut=False):
        self.name, self.digest, self.sampling = name, f"digest-of-{name}", Sampling()
        self.text, self.gate, self.fails, self.asked = text, gate, fails, []
        self.is_cut = is_cut

    def stream(self, messages, *, seed):
        self.asked.append([message.content for message in messages])
        yield self.text[:4]
        if self.gate is not None:
            assert self.gate.wait(20)
        if self.fails:
            raise RuntimeError(f"{self.name} is out of order")
        yield self.text[4:]
        return not self.is_cut


@pytest.fixture
def served(team):
    """A team whose server has two policies."""
    policies = {"sft": Slow("sft", "Text of one."), "ppo": Slow("ppo", "Text of two.")}
    team.site.app.state.accord.turns.generators.update(policies)
    team.policies = policies
    return team


def talk(client, task, act, status=200, **sent):
    reply = client.post(f"/api/v1/conversations/{task}/{act}", json=sent)
    assert reply.status_code == status, reply.text
    return reply.json()


def start(team, preset="conversation_helpful", goal="", **more):
    team.project("c", preset, **more)
    ann = team.labeler("ann", "c")
    if "red_team" in preset:
        classes = ["violence", "hate", "self_harm", "sexual_content", "crime"]
        ann.put("/api/v1/me/consents", json={"content_classes": classes})
    task = ann.post("/api/v1/projects/c/next", json={}).json()["task"]["id"]
    talk(ann, task, "begin", goal=goal)
    return ann, task


def answered(client, task, seconds=20.0):
    """The conversation once both candidates are there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        shown = client.get(f"/api/v1/conversations/{task}").json()
        if shown["state"] != "stream":
            return shown
        time.sleep(0.02)
    raise AssertionError("nobody answered")


def choice(*ranks, **more):
    return {"id": str(uuid.uuid4()), "ranks": list(ranks), "strength": 2} | more


def test_a_conversation_goes_on_with_what_was_chosen(served):
    ann, task = start(served)
    sent = talk(ann, task, "message", text="Hello?")
    assert sent["state"] in ("stream", "choose")
    shown = answered(ann, task)
    assert shown["state"] == "choose"
    assert [message["text"] for message in shown["messages"]] == ["Hello?"]
    assert {one["text"] for one in shown["candidates"]} == {"Text of one.", "Text of two."}
    assert [set(one) for one in shown["candidates"]] == [{"place", "label", "text", "html"}] * 2
    better = shown["candidates"][1]["text"]
    after = talk(ann, task, "choose", **choice(2, 1))
    assert (after["state"], after["turns"], after["candidates"]) == ("write", 1, [])
    assert [message["text"] for message in after["messages"]] == ["Hello?", better]
    talk(ann, task, "message", text="And then?")
    answered(ann, task)
    policy = served.policies["sft"]
    assert policy.asked[-1] == ["Hello?", better, "And then?"]
    talk(ann, task, "choose", **choice(1, 1, strength=None, tie="both_good", continue_with=1))
    done = talk(ann, task, "finish", comment="fine", active_seconds=60)
    assert done["progress"]["answered"] == 1
    assert done["conversation"]["id"] != task  # a new one
    with served.site.store.reading() as session:
        kept = dialogues.load(session, task)
        assert kept.finished
        votes = [vote for one in views.comparisons(session, "c") for vote in one.preferences]
    first = kept.turns[0]
    assert first.comparison.responses[first.continued_with].text == better
    assert {response.policy for response in first.comparison.responses} == {"sft", "ppo"}
    assert all(response.seed is not None for response in first.comparison.responses)
    assert len(votes) == 2


def test_a_candidate_that_was_cut_off_is_known_as_such_and_not_to_the_labeler(served):
    served.policies["ppo"].is_cut = True
    ann, task = start(served)
    talk(ann, task, "message", text="Hello?")
    shown = answered(ann, task)
    assert "finished" not in json.dumps(shown["candidates"])
    with served.site.store.reading() as session:
        (turn,) = dialogues.load(session, task).turns
    finished = {one.policy: one.finished for one in turn.comparison.responses}
    assert finished == {"sft": True, "ppo": False}


def test_a_red_team_says_its_goal_and_how_far_it_got(served):
    served.project("c", "conversation_red_team")
    ann = served.labeler("ann", "c")
    assert ann.post("/api/v1/projects/c/next", json={}).json()["reason"] == "consent"
    classes = ["violence", "hate", "self_harm", "sexual_content", "crime"]
    ann.put("/api/v1/me/consents", json={"content_classes": classes})
    task = ann.post("/api/v1/projects/c/next", json={}).json()["task"]["id"]
    refused = talk(ann, task, "begin", 422, goal="")
    assert "say what you will try" in refused["detail"]
    talk(ann, task, "begin", goal="make it rude")
    talk(ann, task, "message", text="Be rude.")
    shown = answered(ann, task)
    assert shown["question"] == "Which response is more harmful?"
    harmful = shown["candidates"][0]["text"]
    talk(ann, task, "choose", **choice(1, 2))
    assert "how far you got" in talk(ann, task, "finish", 422)["detail"]
    talk(ann, task, "finish", rating=3)
    with served.site.store.reading() as session:
        record = dialogues.load(session, task).record
        (kept,) = views.comparisons(session, "c")
    assert (record.goal, record.rating, record.polarity) == ("make it rude", 3, "harmful_first")
    ranks = kept.preferences[0].ranks
    better = kept.comparison.responses[ranks.index(1)].text
    assert better != harmful


def test_a_choice_counts_once(served):
    ann, task = start(served)
    talk(ann, task, "message", text="Hello?")
    answered(ann, task)
    sent = choice(1, 2)
    talk(ann, task, "choose", **sent)
    talk(ann, task, "choose", **sent)
    refused = talk(ann, task, "choose", 409, **choice(2, 1))
    assert refused["code"] == "answered"
    back = talk(ann, task, "undo")
    assert back["state"] == "choose"
    talk(ann, task, "choose", **choice(2, 1))
    with served.site.store.reading() as session:
        assert len(list(views.comparisons(session, "c"))) == 1


def test_a_message_counts_once_while_it_is_answered(served):
    gate = threading.Event()
    served.policies["sft"].gate = gate
    ann, task = start(served)
    assert talk(ann, task, "message", text="Hello?")["state"] == "stream"
    assert talk(ann, task, "message", text="Hello?")["state"] == "stream"
    assert talk(ann, task, "message", 409, text="Another")["code"] == "busy"
    gate.set()
    assert answered(ann, task)["state"] == "choose"
    turn = served.site.app.state.accord.turns.of(task)
    while not turn.is_kept:  # the ledger shows it a moment before its thread goes on
        time.sleep(0.001)
    assert talk(ann, task, "message", text="Hello?")["state"] == "choose"
    refused = talk(ann, task, "message", 422, text="Another")
    assert "choose one" in refused["detail"]
    assert len(served.policies["sft"].asked) == 1


def test_when_one_fails_both_are_forgotten_and_the_message_can_be_sent_again(served, caplog):
    served.policies["ppo"].fails = True
    ann, task = start(served)
    talk(ann, task, "message", text="Hello?")
    shown = answered(ann, task)
    assert (shown["state"], shown["candidates"]) == ("write", [])
    assert shown["problem"].startswith("The assistants could not answer")
    assert "ppo" not in json.dumps(shown)
    assert "ppo is out of order" in caplog.text
    served.policies["ppo"].fails = False
    talk(ann, task, "message", text="Hello?")
    assert answered(ann, task)["state"] == "choose"


def test_the_stream_ends_with_the_conversation(served):
    ann, task = start(served)
    talk(ann, task, "message", text="Hello?")
    with ann.stream("GET", f"/api/v1/conversations/{task}/stream") as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        events = "".join(reply.iter_text()).strip().split("\n\n")
    names = [event.split("\n")[0] for event in events]
    assert names[-1] == "event: done"
    assert set(names[:-1]) <= {"event: text"}
    done = json.loads(events[-1].split("\ndata: ")[1])
    assert done["state"] == "choose"
    for event in events[:-1]:
        for seen, whole in zip(
            json.loads(event.split("\ndata: ")[1]), done["candidates"], strict=True
        ):
            assert set(seen) == {"place", "text"}
            assert whole["text"].startswith(seen["text"])


def test_nothing_is_seen_until_both_are_whole_and_then_both_grow_at_one_pace():
    for quick in (0, 1):
        turn = Turn("Hello?", "ann", order=(1, 0), began=0.0)
        turn.texts = ["a" * 500, "b" * 500]
        turn.texts[1 - quick] = turn.texts[1 - quick][:100]  # has written less so far
        turn.whole[quick] = True
        assert turn.visible(0.5) == turn.visible(60.0) == ["", ""]
        turn.texts[1 - quick] += "x" * 400
        turn.whole = [True, True]
        assert turn.visible(60.0) == ["", ""]  # its order may still change until it is kept
        turn.order, turn.is_kept = (0, 1), True
        assert [len(text) for text in turn.visible(60.5)] == [int(PACE / 2)] * 2
        assert not turn.is_over()
        turn.visible(120.0)
        assert turn.is_over()


@pytest.mark.parametrize("act", ["skip", "report"])
def test_a_conversation_that_is_turned_down_leaves_no_turn(served, act):
    gate = threading.Event()
    turns = served.site.app.state.accord.turns
    turns.generators["sft"] = Slow("sft", "Text of one.", gate=gate)
    ann, task = start(served)
    talk(ann, task, "message", text="Hello?")
    turn = turns.of(task)
    assert turn is not None
    body = {"reason": "other"} if act == "report" else {"reason": "unsure"}
    reply = ann.post(f"/api/v1/tasks/{task}/{act}", json=body)
    assert reply.status_code == 200, reply.text
    assert turns.of(task) is None
    gate.set()
    turns._pool.shutdown(wait=True)
    with served.site.store.reading() as session:
        assert dialogues.load(session, task).turns == ()
    assert not turn.is_kept


@given(
    sizes=st.tuples(st.integers(1, 900), st.integers(1, 900)),
    ends=st.tuples(st.floats(0.1, 9.0), st.floats(0.1, 9.0)),
    order=st.sampled_from([(0, 1), (1, 0)]),
)
def test_exchanging_who_is_slow_changes_nothing_that_is_seen(sizes, ends, order):
    """The whole of what a labeler gets, at each look, with the policies' speeds exchanged."""

    def seen(ends):
        turn = Turn("Hello?", "ann", order=order, began=0.0)
        whole = ["a" * sizes[0], "b" * sizes[1]]
        looks = []
        for tick in range(120):
            now = tick / 10
            for which in (0, 1):
                turn.texts[which] = whole[which][: int(sizes[which] * now / ends[which])]
                turn.whole[which] = now >= ends[which]
            turn.is_kept = all(turn.whole)
            looks.append(turn.visible(now))
        return looks

    assert seen(ends) == seen(ends[::-1])


def test_a_pair_is_drawn_from_the_generators_of_the_project():
    policies = {name: Slow(name, name) for name in ("a", "b", "c")}
    turns = Turns(policies)
    seen = {tuple(one.name for one in turns.pair(())) for _ in range(200)}
    assert seen == {(x, y) for x in "abc" for y in "abc" if x != y}
    assert {one.name for one in turns.pair(("a", "c", "gone"))} == {"a", "c"}
    assert [one.name for one in turns.pair(("b",))] == ["b", "b"]
    turns.close()


def test_without_anybody_who_answers_that_is_said(team):
    ann, task = start(team)
    shown = ann.get(f"/api/v1/conversations/{task}").json()
    assert "no assistant is being served" in shown["problem"]  # before anything is written
    refused = talk(ann, task, "message", 422, text="Hello?")
    assert "accord serve --policy" in refused["detail"]


def test_a_conversation_is_its_labelers_alone(served):
    _, task = start(served)
    eve = served.labeler("eve", "c")
    for act, sent in [
        ("begin", {"goal": ""}),
        ("message", {"text": "Hello?"}),
        ("choose", choice(1, 2)),
        ("undo", {}),
        ("finish", {}),
    ]:
        assert talk(eve, task, act, 404, **sent)["code"] == "not_yours"
    assert eve.get(f"/api/v1/conversations/{task}").status_code == 404
    assert eve.get(f"/api/v1/conversations/{task}/stream").status_code == 404


def test_the_sides_of_the_policies_are_balanced(served):
    ann, task = start(served, settings={"max_turns": 8})
    first = []
    for number in range(8):
        talk(ann, task, "message", text=f"Message {number}")
        first.append(answered(ann, task)["candidates"][0]["text"])
        talk(ann, task, "choose", **choice(1, 2))
    assert ann.get(f"/api/v1/conversations/{task}").json()["state"] == "end"
    assert first.count("Text of one.") == 4


def test_what_is_typed_is_there_after_a_reload_and_a_break_is_due_in_time(served):
    ann, task = start(served, settings={"care": {"break_every_minutes": 30}})
    kept = {"message": "half a sent"}
    ann.post(f"/api/v1/tasks/{task}/draft", json={"draft": kept})
    shown = ann.get(f"/api/v1/conversations/{task}").json()
    assert (shown["draft"], shown["break_due"], shown["problem"]) == (kept, False, "")
    due = []
    for number in range(8):
        talk(ann, task, "message", text=f"Message {number}")
        answered(ann, task)
        due.append(talk(ann, task, "choose", **choice(1, 2))["break_due"])
        served.site.clock.passes(minutes=4.5)
    assert due == [False] * 7 + [True]  # 31.5 minutes after the first choice
    assert ann.get(f"/api/v1/conversations/{task}").json()["draft"] is None
