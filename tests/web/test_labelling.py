"""Labelling over the API: next, answer, skip, report, drafts, undo, and who may do what."""

import json
import re
import uuid
from datetime import UTC, datetime

import pytest

from accord.records import Comparison
from accord.store import export, gold
from accord.store.gold import Expected


def next_of(client, project="p"):
    answer = client.post(f"/api/v1/projects/{project}/next", json={})
    assert answer.status_code == 200, answer.text
    return answer.json()


def body(**more):
    return {"id": str(uuid.uuid4()), "ranks": [1, 2], "strength": 3, "active_seconds": 4.5} | more


def send(client, task, **more):
    return client.post(f"/api/v1/tasks/{task['id']}/answer", json=body(**more))


def votes(site):
    with site.store.reading() as session:
        return list(export.preferences(session))


def test_a_vote_brings_the_next_task(team, item):
    team.project(items=[item(n) for n in range(2)])
    ann = team.labeler("ann")
    first = next_of(ann)
    assert first["reason"] == ""
    assert next_of(ann)["task"]["id"] == first["task"]["id"]
    done = send(ann, first["task"]).json()
    assert done["recorded"] is True
    assert done["task"]["id"] != first["task"]["id"]
    assert done["progress"] | {"undo": ""} == {
        "answered": 1, "today": 1, "break_due": False, "undo": "", "feedback": None,
        "explained": [],
    }  # fmt: skip
    last = send(ann, done["task"]).json()
    assert (last["task"], last["reason"]) == (None, "done")
    assert len(votes(team.site)) == 2


def test_what_is_shown_is_places_and_texts(team, item):
    team.project(items=[item(0)])
    task = next_of(team.labeler("ann"))["task"]
    assert task["question"] == "Which response is more helpful and honest?"
    assert [message["text"] for message in task["messages"]] == ["Question 0?"]
    assert [set(response) for response in task["responses"]] == [
        {"place", "label", "text", "html"}
    ] * 2
    assert {response["text"] for response in task["responses"]} == {
        "Text 0 of 0.", "Text 1 of 0.",
    }  # fmt: skip
    assert task["form"]["strength_steps"] == 4
    assert task["form"]["flags"][0]["title"] == "Says something untrue"


def test_ranks_by_place_are_kept_by_response(team, item):
    team.project(items=[item(n) for n in range(8)])
    ann = team.labeler("ann")
    shown = next_of(ann)
    while shown["task"] is not None:
        places = [response["text"].startswith("Text 1") for response in shown["task"]["responses"]]
        ranks = [1 if is_ppo else 2 for is_ppo in places]
        flags = [["untrue"] if is_ppo else [] for is_ppo in places]
        shown = send(ann, shown["task"], ranks=ranks, flags=flags).json()
    kept = votes(team.site)
    assert len(kept) == 8
    assert {vote.ranks for vote in kept} == {(2, 1)}
    assert {vote.flags for vote in kept} == {((), ("untrue",))}
    assert sorted(vote.shown_order for vote in kept) == [(0, 1)] * 4 + [(1, 0)] * 4


def test_the_same_answer_counts_once_and_another_is_refused(team, item):
    team.project(items=[item(0)], settings={"votes_wanted": 2})
    ann = team.labeler("ann")
    task = next_of(ann)["task"]
    sent = body()
    address = f"/api/v1/tasks/{task['id']}/answer"
    assert ann.post(address, json=sent).json()["recorded"] is True
    assert ann.post(address, json=sent).json()["recorded"] is False
    other = ann.post(address, json=body())
    assert other.status_code == 409
    assert other.json()["code"] == "answered"
    assert other.headers["content-type"] == "application/problem+json"
    assert len(votes(team.site)) == 1


def test_a_late_answer_counts(team, item):
    team.project(items=[item(0)])
    ann = team.labeler("ann")
    task = next_of(ann)["task"]
    team.site.clock.passes(hours=5)
    assert send(ann, task).json()["recorded"] is True


def test_undo_gives_the_task_again_with_its_answer(team, item):
    team.project(items=[item(n) for n in range(2)])
    ann = team.labeler("ann")
    task = next_of(ann)["task"]
    done = send(ann, task, ranks=[2, 1], comment="hm").json()
    assert done["progress"]["undo"] == done["answer_id"]
    back = ann.post(f"/api/v1/answers/{done['answer_id']}/undo").json()
    assert back["task"]["id"] == task["id"]
    assert back["task"]["responses"] == task["responses"]
    draft = back["task"]["draft"]["answer"]
    assert (draft["ranks"], draft["strength"], draft["comment"]) == ([2, 1], 3, "hm")
    assert back["progress"]["answered"] == 0
    assert votes(team.site) == []
    assert send(ann, task).json()["recorded"] is True
    assert [vote.ranks for vote in votes(team.site)] != []


def test_a_draft_comes_back(team, item):
    team.project("w", "demonstration", items=[item(0, policies=())])
    ann = team.labeler("ann", "w")
    task = next_of(ann, "w")["task"]
    assert task["form"]["writes"] is True
    saved = ann.post(f"/api/v1/tasks/{task['id']}/draft", json={"draft": {"text": "Half a sen"}})
    assert saved.status_code == 204
    assert next_of(ann, "w")["task"]["draft"] == {"text": "Half a sen"}
    done = ann.post(
        f"/api/v1/tasks/{task['id']}/answer",
        json={"id": str(uuid.uuid4()), "text": "Half a sentence, and its end."},
    )
    assert done.json()["reason"] == "done"


def test_skip_and_report_lead_on(team, item):
    team.project(items=[item(n) for n in range(3)], settings={"hold_after_reports": 1})
    ann = team.labeler("ann")
    first = next_of(ann)["task"]
    second = ann.post(f"/api/v1/tasks/{first['id']}/skip", json={"reason": "not my field"}).json()
    assert second["task"]["id"] != first["id"]
    sent = {"reason": "broken", "comment": "no text"}
    third = ann.post(f"/api/v1/tasks/{second['task']['id']}/report", json=sent).json()
    assert third["task"]["id"] not in (first["id"], second["task"]["id"])
    assert send(ann, third["task"]).json()["reason"] == "done"


def test_a_ranking_asks_for_ratings_first(team, item):
    team.project("r", "ranking", items=[item(0, policies=("a", "b", "c", "d"))])
    ann = team.labeler("ann", "r")
    task = next_of(ann, "r")["task"]
    assert [choice["name"] for choice in task["form"]["axes"]] == ["overall"]
    assert len(task["form"]["flags"]) == 11
    refused = send(ann, task, ranks=[1, 2, 2, 3], strength=None)
    assert refused.status_code == 422
    ratings = [{"overall": n} for n in (7, 5, 5, 1)]
    done = send(ann, task, ranks=[1, 2, 2, 3], strength=None, ratings=ratings)
    assert done.status_code == 200, done.text
    (vote,) = votes(team.site)
    by_rank = {
        rank: rating["overall"] for rank, rating in zip(vote.ranks, vote.ratings, strict=True)
    }
    assert by_rank == {1: 7, 2: 5, 3: 1}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"ranks": [1, 2, 3]}, "has 3 entries for 2 responses"),
        ({"ranks": [0, 1]}, "greater than or equal to 1"),
        ({"ranks": [1]}, "at least 2"),
        ({"strength": 5}, "less than or equal to 4"),
        ({"id": "x"}, "valid UUID"),
        ({"tie": "both_good"}, "all are equal"),
        ({"flags": [["no such"], []]}, "no such"),
        ({"active_seconds": -1}, "greater than or equal to 0"),
        ({"comment": "a\u0000b"}, "no text"),
        ({"policy": "sft"}, "Extra inputs"),
        ({"ranks": None}, "rank"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_with_a_sentence(team, item, more, said):
    team.project(items=[item(0)])
    ann = team.labeler("ann")
    refused = send(ann, next_of(ann)["task"], **more)
    assert refused.status_code == 422, refused.text
    assert said in json.dumps(refused.json())
    assert votes(team.site) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[1,", b'{"id": "\xff"}', b"nonsense"])
def test_a_body_that_is_no_json_is_refused(team, item, content):
    team.project(items=[item(0)])
    ann = team.labeler("ann")
    task = next_of(ann)["task"]
    headers = {"Content-Type": "application/json"}
    refused = ann.post(f"/api/v1/tasks/{task['id']}/answer", content=content, headers=headers)
    assert refused.status_code in (400, 422)
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["detail"]


def test_nobody_reaches_the_work_of_another(team, item):
    team.project(items=[item(n) for n in range(3)])
    ann, eve = team.labeler("ann"), team.labeler("eve")
    task = next_of(ann)["task"]
    mine = send(ann, task).json()
    held = mine["task"]["id"]
    for address, sent in [
        (f"/api/v1/tasks/{held}/answer", body()),
        (f"/api/v1/tasks/{held}/skip", {}),
        (f"/api/v1/tasks/{held}/report", {"reason": "other"}),
        (f"/api/v1/tasks/{held}/draft", {"draft": {}}),
        (f"/api/v1/answers/{mine['answer_id']}/undo", None),
        ("/api/v1/tasks/never-given/answer", body()),
    ]:
        refused = eve.post(address, json=sent)
        assert refused.status_code == 404, address
        assert refused.json()["code"] == "not_yours"
    assert len(votes(team.site)) == 1


def test_a_project_is_for_those_it_was_given_to(team, item):
    team.project(items=[item(0)])
    eve = team.site.program("eve")
    assert eve.get("/api/v1/projects").json() == {"projects": []}
    for address in ("/api/v1/projects/p/progress", "/api/v1/projects/p/guideline"):
        assert eve.get(address).status_code == 404
    refused = eve.post("/api/v1/projects/p/next", json={})
    assert refused.status_code == 404
    assert refused.json() == eve.post("/api/v1/projects/q/next", json={}).json()


def test_nobody_works_without_coming_in(team, item):
    team.project(items=[item(0)])
    stranger = team.site.visitor()
    for method, address in [
        ("GET", "/api/v1/projects"),
        ("POST", "/api/v1/projects/p/next"),
        ("GET", "/api/v1/manage/projects"),
    ]:
        refused = stranger.request(method, address)
        assert refused.status_code == 401
        assert refused.json()["code"] == "login"


def test_a_browser_needs_the_token_of_its_page(team, item):
    team.project(items=[item(0)])
    browser = team.site.person("ann", projects=("p",))
    assert next_of(browser)["task"] is not None
    for headers in (
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "0" * 64},
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        refused = browser.post("/api/v1/projects/p/next", json={}, headers=headers)
        assert refused.status_code == 403, headers


def test_content_is_shown_only_to_those_who_agreed(team, item):
    care = {"content_classes": ["violence", "hate"], "blur": True}
    team.project(items=[item(0)], settings={"care": care})
    ann = team.labeler("ann")
    assert next_of(ann) | {"progress": None} == {
        "task": None, "reason": "consent", "progress": None,
    }  # fmt: skip
    ann.put("/api/v1/me/consents", json={"content_classes": ["violence"]})
    assert next_of(ann)["reason"] == "consent"
    ann.put("/api/v1/me/consents", json={"content_classes": ["violence", "hate"]})
    assert next_of(ann)["task"]["care"]["blur"] is True
    ann.put("/api/v1/me/consents", json={"content_classes": []})
    assert next_of(ann)["reason"] == "consent"


def test_a_break_is_due_after_a_while_and_a_day_has_its_cap(team, item):
    care = {"break_every_minutes": 10, "daily_cap": 4}
    team.project(items=[item(n) for n in range(9)], settings={"care": care})
    ann = team.labeler("ann")
    shown = next_of(ann)
    due = []
    for minutes in (1, 4, 4, 4):
        team.site.clock.passes(minutes=minutes)
        shown = send(ann, shown["task"]).json()
        due.append(shown["progress"]["break_due"])
    assert due == [False, False, False, True]
    assert (shown["task"], shown["reason"]) == (None, "daily_cap")
    team.site.clock.passes(days=1)
    tomorrow = next_of(ann)
    assert tomorrow["task"] is not None
    assert tomorrow["progress"]["break_due"] is False


def test_a_paused_labeler_gets_nothing(team, item):
    team.project(items=[item(0)])
    ann = team.labeler("ann")
    sent = {"paused": True, "reason": "too fast"}
    changed = team.manager.patch("/api/v1/manage/labelers/ann", json=sent)
    assert changed.json()["paused"] is True
    assert next_of(ann)["reason"] == "paused"
    team.manager.patch("/api/v1/manage/labelers/ann", json={"paused": False})
    assert next_of(ann)["task"] is not None


def test_the_guidelines_are_beside_the_task_with_their_version(team, item):
    team.project(items=[item(0)])
    ann = team.labeler("ann")
    shown = ann.get("/api/v1/projects/p/guideline").json()
    assert shown["text"].startswith("# What to look for")
    assert "<h1>What to look for</h1>" in shown["html"]
    task = next_of(ann)["task"]
    assert task["guideline"] == shown["digest"]
    send(ann, task)
    assert votes(team.site)[0].guideline == shown["digest"]


def test_pages_show_texts_of_models_as_text(team, item):
    bad = item(0)
    attack = "<script>alert(1)</script></script><img src=x onerror=alert(1)> [x](javascript:a())"
    bad["responses"][0]["text"] = attack
    team.project(items=[bad])
    browser = team.site.person("ann", projects=("p",))
    page = browser.get("/p/p").text
    assert "<script>alert" not in page
    assert "<img" not in page
    assert 'href="javascript' not in page
    assert page.count("</script>") == page.count("<script ")
    data = re.search(r'<script type="application/json" id="[a-z]+">(.*?)</script>', page, re.DOTALL)
    shown = json.loads(data[1])["task"]["responses"]
    assert attack in [response["text"] for response in shown]
    (html,) = [response["html"] for response in shown if response["text"] == attack]
    assert html.startswith("<p>&lt;script&gt;alert(1)&lt;/script&gt;")
    assert "<img" not in html


def test_the_pages_of_a_labeler_are_there(team, item):
    team.project(items=[item(0)], settings={"care": {"content_classes": ["hate"]}})
    browser = team.site.person("ann", projects=("p",))
    assert "A project" in browser.get("/").text
    assert browser.get("/p/p").headers["location"] == "/p/p/consent"
    done = team.site.send(browser, "/p/p/consent", {"content_class": ["hate", "other"]})
    assert done.headers["location"] == "/p/p"
    assert "Question 0?" in browser.get("/p/p").text
    assert "What to look for" in browser.get("/p/p/guideline").text
    assert browser.get("/p/p/progress").status_code == 200
    assert browser.get("/p/q").status_code == 404


def test_the_entry_test_is_explained_on_the_page_of_progress(team, item):
    team.project(items=[item(0)], settings={"screening": {"items": 1}})
    known = Expected(ranks=(1, 2), explanation="It is <b>true</b>.")
    test = Comparison.model_validate(item(20))
    with team.site.store.writing() as session:
        gold.add(session, "p", test, known, screening=True, by="m", now=datetime.now(UTC))
    ann = team.labeler("ann")
    progress = "/api/v1/projects/p/progress"
    assert ann.get(progress).json()["explained"] == []
    task = next_of(ann)["task"]
    first = next(r["place"] for r in task["responses"] if r["text"] == "Text 0 of 20.")
    right = first == task["responses"][0]["place"]
    send(ann, task, ranks=[1, 2] if right else [2, 1])
    assert ann.get(progress).json()["explained"] == [
        {"prompt": "Question 20?", "right": 1.0, "explanation": "It is <b>true</b>."}
    ]
