"""Nothing that a labeler gets tells which policy wrote a response: over every endpoint they reach.

The names, digests, ids, settings and seeds of the policies are planted words that stand nowhere
else; a labeler walks through every endpoint, and none of the words may come back.
"""

import json
import re
import time
import uuid
from collections import Counter

import pytest

from accord.records import Sampling
from accord.web.pages import HERE

WORDS = ("zanzibar", "quokka")  # of the two policies
SEED = 918_273_645
TEMPERATURE = 0.8375
CLASSES = ["violence", "hate", "self_harm", "sexual_content", "crime"]
PAGE_OF_TALK = HERE / "templates" / "label" / "conversation.html"
IDS = re.compile(r'"(?:id|undo|answer_id)":"([^"]+)"')
FORM = re.compile(r'name="form" value="([^"]+)"')
PATTERN = re.compile(r"\{[a-z_]+\}")


class Marked:
    """A generator whose every trait is a planted word."""

    def __init__(self, word, *, seconds=0.0):
        self.name, self.digest = f"{word}-policy", f"{word}-digest"
        self.sampling = Sampling(temperature=TEMPERATURE)
        self.seconds = seconds

    def stream(self, messages, *, seed):
        yield "A text "
        time.sleep(self.seconds)
        yield "of a candidate."
        return self.seconds == 0  # what ran longer was cut off: that must not be seen either


def response(number, word, text, place):
    return {
        "id": f"{word}-{number}-{place}",
        "prompt_id": f"prompt-{number}",
        "text": text,
        "policy": f"{word}-policy",
        "policy_digest": f"{word}-digest",
        "seed": SEED,
        "sampling": {"temperature": TEMPERATURE},
    }


def item(number, size, *, words=WORDS, kind=""):
    """An item of which everything but the texts is a planted word."""
    said = [{"role": "user", "content": f"Question {number}?"}]
    return {
        "id": f"{words[0]}-or-{words[-1]}-{kind}-{number}",
        "prompt": {"id": f"prompt-{number}", "messages": said},
        "responses": [
            response(number, words[place % len(words)], f"Text {place} of {number}.", place)
            for place in range(size)
        ],
    }


def forbidden(text):
    return [word for word in (*WORDS, str(SEED), str(TEMPERATURE)) if word in text.lower()]


class Walk:
    """A labeler's requests, and what came back, by endpoint."""

    def __init__(self, client, endpoints):
        self.client, self.got = client, []
        self.templates = [
            (method, path, re.compile(PATTERN.sub("[^/]+", path))) for method, path in endpoints
        ]
        client.event_hooks["response"].append(self._note)

    def _note(self, answer):
        answer.read()
        method, address = answer.request.method, answer.request.url.path
        exact = [t for t in self.templates if (t[0], t[1]) == (method, address)]
        fits = exact or [t for t in self.templates if t[0] == method and t[2].fullmatch(address)]
        self.got.append((method, fits[0][1] if fits else address, answer))

    def api(self, address, body=None, method="POST"):
        answer = self.client.request(method, f"/api/v1/{address}", json=body)
        assert answer.status_code < 300, (address, answer.text)
        return answer.json() if answer.content else None

    def page(self, address):
        answer = self.client.get(address)
        assert answer.status_code in (200, 303), (address, answer.text[:300])
        return answer

    def send(self, page, address, **fields):
        form = FORM.search(self.page(page).text)[1]
        answer = self.client.post(address, data=fields | {"form": form})
        assert answer.status_code in (200, 303), (address, answer.text[:300])


KINDS = {  # project: preset, responses of an item, what is answered
    "two": ("comparison", 2, {"ranks": [1, 2], "strength": 1}),
    "many": ("ranking", 4, None),
    "write": ("demonstration", 0, {"text": "A response."}),
    "edit": ("demonstration", 1, {"text": "A better response."}),
    "one": ("rating", 1, None),
}


def complete(form, size):
    """An answer with everything that the form asks for."""
    body = {"ranks": list(range(1, size + 1))} if size > 1 else {}
    if form["axes"]:
        body["ratings"] = [{axis["name"]: 4 for axis in form["axes"]} for _ in range(size)]
    return body


def work_through(walk, project, size, given):
    shown = walk.api(f"projects/{project}/next", {})
    walk.page(f"/p/{project}")
    task = shown["task"]
    assert len(task["responses"]) == size
    walk.api(f"tasks/{task['id']}/draft", {"draft": {"comment": "not yet"}})
    body = {"id": str(uuid.uuid4())} | (given or complete(task["form"], size))
    after = walk.api(f"tasks/{task['id']}/answer", body)
    walk.api(f"answers/{body['id']}/undo", {})
    walk.api(f"tasks/{task['id']}/answer", body | {"id": str(uuid.uuid4())})
    after = walk.api(f"tasks/{after['task']['id']}/skip", {"reason": "no"})
    walk.api(f"tasks/{after['task']['id']}/report", {"reason": "other"})
    walk.api(f"projects/{project}/progress", method="GET")
    walk.api(f"projects/{project}/guideline", method="GET")
    for page in ("", "/guideline", "/progress", "/consent"):
        walk.page(f"/p/{project}{page}")


def talk_through(walk, project):
    task = walk.api(f"projects/{project}/next", {})["task"]["id"]
    walk.api(f"conversations/{task}/begin", {"goal": "make it rude"})
    for turn in range(2):
        walk.api(f"conversations/{task}/message", {"text": f"Hello {turn}?"})
        walk.client.get(f"/api/v1/conversations/{task}/stream")
        walk.api(f"conversations/{task}", method="GET")
        if PAGE_OF_TALK.is_file():
            walk.page(f"/p/{project}")
        choice = {"id": str(uuid.uuid4()), "ranks": [1, 2], "strength": 1}
        walk.api(f"conversations/{task}/choose", choice)
        walk.api(f"conversations/{task}/undo", {})
        walk.api(f"conversations/{task}/choose", choice | {"id": str(uuid.uuid4())})
    walk.api(f"conversations/{task}/finish", {"rating": 3})


@pytest.fixture
def walked(team, endpoints):
    """Every endpoint of a labeler, on every kind of task, with everything marked."""
    team.site.app.state.accord.turns.generators.update(
        {word: Marked(word, seconds=0.05 * place) for place, word in enumerate(WORDS)}
    )
    mixed = {"gold_share": 0.2, "repeat_share": 0.2, "repeat_after": 1}
    for project, (preset, size, _) in KINDS.items():
        found = [item(number, size, kind=project) for number in range(8)]
        team.project(project, preset, items=found, settings=mixed)
    team.project("talk", "conversation_red_team")
    walk = Walk(team.site.person("ann", projects=[*KINDS, "talk"]), endpoints)
    walk.api("me/consents", {"content_classes": CLASSES}, "PUT")
    walk.page("/")
    walk.api("projects", method="GET")
    for project, (_, size, given) in KINDS.items():
        work_through(walk, project, size, given)
    walk.send("/p/talk/consent", "/p/talk/consent", content_class=CLASSES)
    talk_through(walk, "talk")
    walk.send("/account", "/account/token", label="script")
    walk.send("/account", "/account/tokens/revoke")
    passwords = {"old_password": "correct horse battery", "password": "another fine password"}
    again = {"password_again": "another fine password"}
    walk.send("/account", "/account/password", **passwords, **again)
    return walk


def test_no_answer_of_any_endpoint_tells_who_wrote_a_response(walked, endpoints):
    for method, path, answer in walked.got:
        for where, text in [("body", answer.text), ("headers", str(answer.headers.raw))]:
            assert not forbidden(text), (method, path, where)
    reached = {(method, path) for method, path, _ in walked.got}
    ways_in = {path for _, path in endpoints if path.startswith(("/login", "/logout", "/invite"))}
    wanted = {one for one in endpoints if "/manage" not in one[1] and one[1] not in ways_in}
    assert wanted - reached == set()  # a new endpoint has to be walked through as well


def test_ids_are_random_and_all_alike(walked):
    tasks = {
        answer.json()["task"]["id"]
        for method, path, answer in walked.got
        if path.endswith(("/next", "/answer")) and answer.json().get("task")
    }
    assert len(tasks) > 10
    assert {len(task) for task in tasks} == {24}  # 18 random bytes
    assert {re.sub(r"[\w-]", "", task) for task in tasks} == {""}


def test_errors_tell_as_little(walked):
    for address in ("/p/none", "/api/v1/tasks/none/answer", "/api/v1/conversations/none"):
        answer = walked.client.post(address, json={"id": "none", "policy": "none"})
        assert not forbidden(answer.text)


def shape(answer):
    """The JSON of an answer without what is random in it, and its headers."""
    text = IDS.sub("", re.sub(r'"lease_ends_at":"[^"]+"', "", answer.text))
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return text, headers, len(answer.content)


@pytest.mark.parametrize("size", [2, 4])
def test_other_policies_change_no_byte_where_the_texts_are_the_same(team, size):
    """Equal texts at every place: then order says nothing, and everything else must be equal."""
    long = "a-policy-with-a-much-longer-name-" * 4
    shapes = []
    for name, words in (("p1", WORDS), ("p2", WORDS[::-1]), ("p3", ("a", long))):
        made = item(0, size, words=words, kind=name)
        for one in made["responses"]:
            one["text"] = "The same text."
        team.project(name, "comparison" if size == 2 else "ranking", items=[made])
        ann = team.labeler(f"ann-{name}", name)
        shapes.append(shape(ann.post(f"/api/v1/projects/{name}/next", json={})))
    same = {re.sub(r'"project":"p\d"', "", text) for text, _, _ in shapes}
    assert len(same) == 1
    assert len({json.dumps(headers, sort_keys=True) for _, headers, _ in shapes}) == 1
    assert len({length for _, _, length in shapes}) == 1


def test_neither_place_nor_order_of_coming_goes_with_a_policy(team):
    """Each policy stands first equally often, and what came before does not say which is next."""
    items = []
    for number in range(60):
        made = item(number, 2, words=WORDS if number % 2 else WORDS[::-1])
        for one in made["responses"]:
            one["text"] = "By one." if WORDS[0] in one["policy"] else "By two."
        items.append(made)
    team.project("p", items=items)
    orders = set()
    for name in ("ann", "bob", "cat"):
        labeler, first = team.labeler(name), []
        shown = labeler.post("/api/v1/projects/p/next", json={}).json()
        for _ in range(16):
            first.append(shown["task"]["responses"][0]["text"])
            body = {"id": str(uuid.uuid4()), "ranks": [1, 2], "strength": 1}
            shown = labeler.post(f"/api/v1/tasks/{shown['task']['id']}/answer", json=body).json()
        assert Counter(first) == {"By one.": 8, "By two.": 8}
        orders.add(tuple(first))
    assert len(orders) == 3  # each labeler has an order of its own
