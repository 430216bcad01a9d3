"""The pages of managers: people, files, and decisions about answers, items and labelers."""

import io
import json
import re

from accord.store import events, foreign, gold, labelers, log, views
from accord.store.tables import HOLD

EVIL = "<script>alert(1)</script>"
P = "/manage/projects/p"


def test_somebody_is_invited_and_the_link_cancelled(busy, boss, values_of):
    page = boss.get("/manage/labelers")
    made = boss.post("/manage/labelers/invite", data={**values_of(page.text), "note": "Ivy"})
    link = re.search(r"http://localhost(/invite/[\w-]+)", made.text)[1]
    assert busy.site.visitor().get(link).status_code == 200
    assert link not in boss.get("/manage/labelers").text
    page = boss.get("/manage/labelers").text
    cancel = re.findall(r"/manage/invitations/\w+/cancel", page)
    for number, address in enumerate(cancel, start=1):
        boss.post(address, data=values_of(boss.get("/manage/labelers").text, 1))
        assert len(re.findall("/cancel", boss.get("/manage/labelers").text)) == len(cancel) - number
    assert busy.site.visitor().get(link).status_code != 200


def test_a_program_gets_a_token_that_is_shown_once(busy, boss, values_of):
    def make(name):
        values = values_of(boss.get("/manage/labelers").text, 1)
        return boss.post(
            "/manage/labelers/program", data={**values, "name": name, "project": ["p"]}
        )

    def asked(token):
        program = busy.site.visitor()
        return program.get("/api/v1/projects", headers={"Authorization": f"Bearer {token}"})

    tokens = [re.search(r"accord_[\w-]{20,}", make("robot").text)[0] for _ in range(2)]
    assert not any(token in boss.get("/manage/labelers").text for token in tokens)
    assert asked(tokens[0]).status_code == 401  # the second one ended it
    assert [one["id"] for one in asked(tokens[1]).json()["projects"]] == ["p"]
    refused = make("ann")  # a person
    assert (refused.status_code, "is no program" in refused.text) == (409, True)
    assert make("").status_code == 422


def test_a_labeler_is_paused_and_past_votes_stay_but_may_be_left_out(boss, values_of, read):
    form = {**values_of(boss.get("/manage/labelers/ann").text), "reason": "to talk"}
    assert boss.post("/manage/labelers/ann/pause", data=form).status_code == 303
    assert read(labelers.get, "ann").paused
    assert "to talk" in boss.get("/manage/log?sort=decisions").text
    lines = _lines(boss.get("/manage/records/p?kind=comparisons&with_paused=true"))
    assert sum(len(one["preferences"]) for one in lines) == 6
    assert _lines(boss.get("/manage/records/p")) == []
    form = values_of(boss.get("/manage/labelers/ann").text)
    assert boss.post("/manage/labelers/ann/resume", data=form).status_code == 303
    only = _lines(boss.get("/manage/records/p"))
    assert {vote["labeler"] for one in only for vote in one["preferences"]} == {"ann"}
    assert _lines(boss.get("/manage/records/p?without=ann")) == []
    assert len(read(lambda session: list(views.comparisons(session, "p")))) == 3


def _lines(response):
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


def test_somebody_whose_votes_were_imported_can_be_paused_too(boss, values_of, read):
    row = {"prompt": "Say something.", "chosen": "Something.", "rejected": "Nothing."}
    sent = _import(boss, values_of, "team-x.jsonl", [row], "trl")
    assert "<dd>1</dd>" in sent.text
    name = read(foreign.who_answered, "p")[-1]
    page = boss.get(f"/manage/labelers/{name}")
    assert "imported, no account" in page.text
    boss.post(f"/manage/labelers/{name}/pause", data=values_of(page.text))
    assert read(labelers.get, name).paused


def _import(boss, values_of, name, rows, form_name, **more):
    values = {**values_of(boss.get("/manage/import?project=p").text), "format": form_name, **more}
    values.setdefault("project", "p")
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    return boss.post(
        "/manage/import", data=values, files={"file": (name, io.BytesIO(text.encode()))}
    )


def test_a_broken_line_is_named_and_nothing_is_imported(boss, values_of):
    good = {"prompt": "Say it.", "chosen": "It.", "rejected": "No."}
    before = boss.get(f"{P}/items").text.count("/item?id=")
    refused = _import(boss, values_of, "mine.jsonl", [good, {**good, "chosen": 3}], "trl")
    assert refused.status_code == 422
    assert "Nothing was imported" in refused.text
    assert re.search(r"mine\.jsonl.*line 2.*chosen", refused.text)
    assert boss.get(f"{P}/items").text.count("/item?id=") == before
    mended = _import(boss, values_of, "mine.jsonl", [good, {**good, "prompt": "Say."}], "trl")
    assert "Imported into" in mended.text
    assert boss.get(f"{P}/items").text.count("/item?id=") == before + 2
    again = _import(boss, values_of, "mine.jsonl", [good, {**good, "prompt": "Say."}], "trl")
    assert boss.get(f"{P}/items").text.count("/item?id=") == before + 2
    assert again.status_code == 200
    assert (
        "choose a file"
        in boss.post(
            "/manage/import", data={**values_of(boss.get("/manage/import").text)}
        ).text.casefold()
    )


def test_an_export_says_what_it_loses(boss):
    for name in ("accord", "hh", "argilla", "label-studio", "lmarena"):
        found = boss.get(f"/manage/export/p?format={name}")
        assert found.status_code == 200, (name, found.text)
        assert len(found.text.splitlines()) >= 3
        assert (name == "accord") == (found.headers["X-Accord-Lost"] == "")


def test_an_answer_is_withdrawn_with_a_reason(boss, read):
    page = boss.get(f"{P}/item?id=item-001").text
    answer = re.search(r'name="answer" value="([^"]+)"', page)[1]
    form = {"form": re.search(r'name="form" value="([^"]+)"', page)[1], "answer": answer}
    refused = boss.post(f"{P}/review/withdraw", data=form)
    assert refused.status_code == 422
    form["form"] = re.search(r'name="form" value="([^"]+)"', boss.get(P).text)[1]
    back = f"{P}/item?id=item-001"
    sent = boss.post(f"{P}/review/withdraw", data={**form, "reason": "Misread", "back": back})
    assert sent.headers["location"] == back
    assert "Taken back: Misread" in boss.get(back).text
    assert read(events.is_withdrawn, answer)
    assert "Misread" in boss.get("/manage/log?sort=withdrawals").text


def test_a_reported_item_is_let_go_and_the_ledger_says_so(boss, values_of, read):
    page = boss.get(f"{P}/review").text
    assert "on hold" in page
    item_id = re.search(r'name="item" value="([^"]+)"', page)[1]
    form = {**values_of(page), "item": item_id, "back": "https://evil.example"}
    sent = boss.post(f"{P}/review/release", data=form)
    assert sent.headers["location"] == f"{P}/review"
    assert "on hold" not in boss.get(f"{P}/review").text
    kinds = [line.kind for line in read(log.page, project="p", most=3)]
    assert HOLD in kinds
    form = {**values_of(boss.get(f"{P}/item?id={item_id}").text), "item": item_id}
    boss.post(f"{P}/review/hold", data=form)
    assert item_id in boss.get(f"{P}/items?which=held").text


def test_an_item_becomes_gold_and_stops_being_it(boss, values_of, read):
    page = boss.get(f"{P}/item?id=item-003").text
    forms = re.findall(r'<form[^>]*method="post".*?</form>', page, re.DOTALL)
    field = re.search(r'name="form" value="([^"]+)"', forms[-1])[1]
    form = {"form": field, "item": "item-003", "rank_0": "2", "rank_1": "1", "use": "screening"}
    form |= {"flag_0_untrue": "yes", "flag_1_untrue": "no", "explanation": "It is untrue."}
    assert boss.post(f"{P}/gold/item", data=form).status_code == 303
    known = {one.item_id: one for one in read(gold.list_, "p")}["item-003"]
    assert known.screening
    assert known.expected.ranks == (2, 1)
    assert known.expected.flags == ({"untrue": True}, {"untrue": False})
    page = boss.get(f"{P}/gold").text
    assert "entry test" in page
    form = {**values_of(page), "item": "item-003"}
    boss.post(f"{P}/review/ungold", data=form)
    assert "item-003" not in [one.item_id for one in read(gold.list_, "p")]


def test_gold_that_says_nothing_is_refused(boss):
    for given, said in (
        ({"rank_0": "1"}, "rank to each response"),
        ({"rank_0": "x", "rank_1": "1"}, "no whole number"),
        ({}, "othing is known"),
    ):
        page = boss.get(f"{P}/item?id=item-002").text
        field = re.search(r'name="form" value="([^"]+)"', page)[1]
        refused = boss.post(f"{P}/gold/item", data={"form": field, "item": "item-002", **given})
        assert refused.status_code == 422, given
        assert said in refused.text, given


def test_a_file_of_gold_items_comes_whole_or_not_at_all(boss, item, values_of, read):
    good = {"item": item(20), "expected": {"ranks": [1, 2]}, "screening": True}
    bad = {"item": item(21), "expected": {"rank": [1, 2]}}
    for rows, status in (([good, bad], 422), ([good], 303)):
        text = "\n".join(json.dumps(row) for row in rows).encode()
        form = values_of(boss.get(f"{P}/gold").text, 1)
        sent = boss.post(f"{P}/gold", data=form, files={"file": ("gold.jsonl", text)})
        assert sent.status_code == status, sent.text
        ids = [one.item_id for one in read(gold.list_, "p")]
        assert ("item-020" in ids) == (status == 303)
        if status == 422:
            assert re.search(r"gold\.jsonl.*line 2.*expected\.rank", sent.text)


def test_who_failed_the_entry_test_is_let_in_by_hand(team, item, values_of):
    team.project(items=[item(0)], settings={"screening": {"items": 1}})
    known = {"item": item(9), "expected": {"ranks": [1, 2]}, "screening": True}
    team.manager.post("/api/v1/manage/projects/p/gold", json=known)
    ann, boss = team.labeler("ann"), team.site.person("mia", "manager")
    task = ann.post("/api/v1/projects/p/next", json={}).json()["task"]
    right = task["responses"][0]["text"].startswith("Text 0")
    body = {"id": "00000000-0000-4000-8000-000000000001", "ranks": [2, 1] if right else [1, 2]}
    assert ann.post(f"/api/v1/tasks/{task['id']}/answer", json=body).status_code == 200
    assert ann.post("/api/v1/projects/p/next", json={}).json()["reason"] == "failed"
    page = boss.get(f"{P}/review").text
    assert ">failed<" in page
    assert "0 %" in page
    boss.post(f"{P}/review/admit", data={**values_of(page), "name": "ann", "reason": "one slip"})
    assert ann.post("/api/v1/projects/p/next", json={}).json()["task"] is not None
    assert "one slip" in boss.get("/manage/log?sort=decisions").text


def test_a_written_response_of_the_entry_test_is_graded(team, values_of):
    settings = {"screening": {"items": 1}}
    team.project(preset="demonstration", settings=settings)
    asked = {"id": "w", "prompt": {"id": "w", "messages": [{"role": "user", "content": "Write."}]}}
    known = {"item": asked, "expected": {"grade": True}, "screening": True}
    made = team.manager.post("/api/v1/manage/projects/p/gold", json=known)
    assert made.status_code == 204, made.text
    ann, boss = team.labeler("ann"), team.site.person("mia", "manager")
    task = ann.post("/api/v1/projects/p/next", json={}).json()["task"]
    body = {"id": "00000000-0000-4000-8000-000000000002", "text": f"Written {EVIL}"}
    assert ann.post(f"/api/v1/tasks/{task['id']}/answer", json=body).status_code == 200
    assert "<b>1</b> written response to grade" in boss.get("/manage").text
    page = boss.get(f"{P}/review").text
    assert "Written &lt;script&gt;" in page
    form = {**values_of(page), "answer": body["id"], "grade": "7"}
    assert boss.post(f"{P}/review/grade", data={**form, "grade": "77"}).status_code == 422
    form["form"] = re.search(r'name="form" value="([^"]+)"', boss.get(P).text)[1]
    assert boss.post(f"{P}/review/grade", data=form).status_code == 303
    assert "is graded" in boss.get(f"{P}/review").text
    assert team.site.store is not None


def test_the_pages_of_nothing_say_so(boss, values_of):
    for address in ("/manage/projects/none", f"{P}/item?id=none", "/manage/labelers/none"):
        assert boss.get(address).status_code == 404, address
    assert boss.post(f"{P}/nothing", data=values_of(boss.get(P).text)).status_code == 404


def test_disagreements_are_found(boss):
    page = boss.get(f"{P}/review").text
    shown = page[page.index("Where people disagree") :]
    assert "2 opinions" in shown
