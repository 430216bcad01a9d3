"""The pages of managers: each answers with real data, escapes it, and does what its forms say."""

import io
import json
import re

import pytest
from fastapi.routing import APIRoute

from accord.store import accounts, events, foreign, gold, labelers, log, projects, views
from accord.store.tables import HOLD

EVIL = "<script>alert(1)</script>"
P = "/manage/projects/p"
PAGES = [
    "/manage",
    "/manage/projects/new",
    "/manage/projects/new?preset=conversation_red_team",
    P,
    f"{P}/settings",
    f"{P}/quality",
    f"{P}/review",
    f"{P}/items",
    f"{P}/items?which=held",
    f"{P}/item?id=item-000",
    f"{P}/item?id=gold-1",
    f"{P}/gold",
    "/manage/guidelines",
    "/manage/guidelines/low_guidance",
    "/manage/labelers",
    "/manage/labelers/ann",
    "/manage/import",
    "/manage/export",
    "/manage/export?project=p",
    "/manage/log",
    "/manage/log?sort=answers&project=p&labeler=ann",
]


def vote(client, answer_id=None, *, ranks=(1, 2), project="p", **more):
    """Take the next task and answer it, by place on the screen."""
    task = client.post(f"/api/v1/projects/{project}/next", json={}).json()["task"]
    number = len(client.answered) if hasattr(client, "answered") else 0
    client.answered = [*getattr(client, "answered", []), task["id"]]
    name = client.headers["Authorization"][-6:]
    body = {"id": answer_id or f"00000000-0000-4000-8000-{abs(hash((name, number))) % 10**12:012}"}
    body |= {"ranks": list(ranks), "active_seconds": 10.0, "strength": 3, **more}
    sent = client.post(f"/api/v1/tasks/{task['id']}/answer", json=body)
    assert sent.status_code == 200, sent.text
    return body["id"], task


@pytest.fixture
def busy(team, item):
    """A project with votes, a report, a gold item, a paused labeler, and texts that attack."""
    items = [item(n) for n in range(4)]
    items[0]["prompt"]["messages"][0]["content"] = f"Question {EVIL}"
    items[0]["responses"][0]["policy"] = f"sft{EVIL}"
    team.project(
        items=items,
        title=f"Title {EVIL}",
        settings={"votes_wanted": 3, "screening": {"items": 0}, "hold_after_reports": 1},
    )
    known = {**item(9), "id": "gold-1"}
    sent = {"item": known, "expected": {"ranks": [1, 2]}}
    made = team.manager.post("/api/v1/manage/projects/p/gold", json=sent)
    assert made.status_code == 204, made.text
    ann, ben = team.labeler("ann"), team.labeler("ben")
    for n in range(3):
        vote(ann, comment=f"Comment {EVIL}")
        vote(ben, ranks=(2, 1) if n else (1, 2))
    task = ben.post("/api/v1/projects/p/next", json={}).json()["task"]
    said = {"reason": "other", "comment": f"Report {EVIL}"}
    reported = ben.post(f"/api/v1/tasks/{task['id']}/report", json=said)
    assert reported.status_code == 200, reported.text
    team.manager.patch("/api/v1/manage/labelers/ben", json={"paused": True, "reason": EVIL})
    team.manager.post("/api/v1/manage/invitations", json={"note": f"For {EVIL}"})
    return team


@pytest.fixture
def boss(busy):
    return busy.site.person("mia", "admin")


def read(site, function, *args, **more):
    with site.store.reading() as session:
        return function(session, *args, **more)


def test_every_page_answers_and_nothing_in_it_is_run(boss):
    for address in PAGES:
        shown = boss.get(address)
        assert shown.status_code == 200, (address, shown.text)
        assert EVIL not in shown.text, address
        assert "<script>" not in shown.text, address
        assert " style=" not in shown.text, address
        assert re.search(r"<h1>[^<]", shown.text), address
        forms = re.findall(r'<form[^>]*method="post".*?</form>', shown.text, re.DOTALL)
        assert all('name="form"' in form for form in forms), address


def test_texts_of_others_are_there_but_as_texts(boss):
    assert "Comment &lt;script&gt;" in boss.get(f"{P}/item?id=item-000").text
    assert "Report &lt;script&gt;" in boss.get(f"{P}/review").text
    assert "For &lt;script&gt;" in boss.get("/manage/labelers").text


def test_managers_see_who_wrote_what(boss):
    page = boss.get(f"{P}/item?id=item-001").text
    assert ">1 · sft<" in page
    assert ">2 · ppo<" in page
    assert "digest-of-pp" in page


def test_a_labeler_is_refused_every_page_and_every_form(busy):
    person = busy.site.person("eva", projects=["p"])
    for address in PAGES:
        assert person.get(address).status_code == 403, address
    form = {"form": re.search(r'name="form" value="([^"]+)"', person.get("/account").text)[1]}
    forms = [route.path for route in _routes(busy.site.app) if "POST" in route.methods]
    forms = [path for path in forms if path.startswith("/manage")]
    assert len(forms) > 10
    for address in forms:
        there = address.format(project="p", name="ann", act="close", digest="0" * 64)
        assert person.post(there, data=form).status_code == 403, there


def _routes(app):
    todo, found = list(app.routes), []
    while todo:
        route = todo.pop()
        found += [route] if isinstance(route, APIRoute) else []
        router = getattr(route, "original_router", None)
        todo += router.routes if router is not None else []
    return found


def test_a_form_that_was_not_shown_here_does_nothing(busy, boss):
    refused = boss.post(f"{P}/close", data={"form": "made up"})
    assert refused.status_code == 403
    assert not read(busy.site, projects.get, "p").spec.closed


def test_a_form_counts_once(busy, boss):
    field = re.search(r'name="form" value="([^"]+)"', boss.get(P).text)[1]
    first = boss.post(f"{P}/close", data={"form": field})
    again = boss.post(f"{P}/open", data={"form": field})
    assert (first.status_code, again.status_code) == (303, 409)
    assert read(busy.site, projects.get, "p").spec.closed


def test_the_home_page_says_how_far_each_project_is(boss):
    page = boss.get("/manage").text
    assert "0 of 4 items complete · 6 answers" in page
    assert "<b>1</b> reported item on hold" in page
    assert "1 to review" in page


def test_a_project_is_set_up_by_a_form(busy, boss):
    address = "/manage/projects/new?preset=comparison"
    page = boss.get(address).text
    values = {**_values(page), "title": "Mine", "id": "mine", "settings.votes_wanted": "2"}
    values |= {"settings.overlap.share": "25", "settings.adaptive.max_votes": "4"}
    values |= {"settings.screening.items": "5", "settings.screening.ranking_share": "80"}
    made = boss.post("/manage/projects/new", data=values)
    assert made.headers.get("location") == "/manage/projects/mine", made.text
    spec = read(busy.site, projects.get, "mine").spec
    assert (spec.title, spec.task, spec.settings.votes_wanted) == ("Mine", "comparison", 2)
    assert (spec.settings.overlap.share, spec.settings.adaptive.max_votes) == (0.25, 4)
    assert (spec.settings.screening.items, spec.settings.screening.ranking_share) == (5, 0.8)
    assert len(spec.settings.flags) == 4  # of the preset


def _values(page, number=0):
    """What a browser sends of the forms of a page if nothing is changed."""
    forms = re.findall(r'<form[^>]*method="post".*?</form>', page, re.DOTALL)
    form = [one for one in forms if 'action="/logout"' not in one][number]
    values = {}
    for tag in re.findall(r"<input[^>]*>", form):
        found = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if found.get("type") not in ("checkbox", "file") or " checked" in tag:
            values[found["name"]] = found.get("value", "")
    for name, options in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.S):
        chosen = re.search(r"<option([^>]*) selected>([^<]*)", options)
        value = re.search(r'value="([^"]*)"', chosen[1]) if chosen else None
        values[name] = value[1] if value else chosen[2] if chosen else ""
    for name, text in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>(.*?)</textarea>', form, re.S):
        values[name] = text.replace("&#34;", '"').replace("&lt;", "<").replace("&gt;", ">")
    return values


def test_every_preset_is_one_form_away(boss):
    for preset in ("ranking", "demonstration", "rating", "conversation_red_team"):
        page = boss.get(f"/manage/projects/new?preset={preset}").text
        form = {**_values(page), "title": "T", "id": preset}
        made = boss.post("/manage/projects/new", data=form)
        assert made.status_code == 303, made.text


def test_a_project_comes_from_a_file_of_the_manager(busy, boss):
    text = 'preset = "rating"\nid = "r"\ntitle = "R"\n'
    form = _values(boss.get("/manage/projects/new").text, 1)
    made = boss.post("/manage/projects/new", data=form, files={"file": ("r.toml", text.encode())})
    assert made.headers.get("location") == "/manage/projects/r", made.text
    assert read(busy.site, projects.get, "r").spec.task == "rating"


def test_what_cannot_be_set_up_is_said_and_what_was_typed_stays(busy, boss):
    values = _values(boss.get("/manage/projects/new").text)
    refused = boss.post("/manage/projects/new", data={**values, "title": "My title", "id": "A b"})
    assert refused.status_code == 422
    assert "`id`" in refused.text
    assert 'value="My title"' in refused.text
    file = {**_values(boss.get("/manage/projects/new").text, 1), "toml": "votes = "}
    refused = boss.post("/manage/projects/new", data=file)
    assert refused.status_code == 422
    assert "not TOML" in refused.text


def test_settings_are_changed_by_form_and_what_has_no_field_stays(busy, boss):
    before = read(busy.site, projects.get, "p").spec
    values = _values(boss.get(f"{P}/settings").text)
    values |= {"settings.gold_share": "12.5", "settings.care.blur": "on", "title": "New title"}
    assert boss.post(f"{P}/settings", data=values).status_code == 303
    after = read(busy.site, projects.get, "p").spec
    assert (after.settings.gold_share, after.settings.care.blur) == (0.125, True)
    assert after.title == "New title"
    assert after.settings.flags == before.settings.flags
    shown = boss.get(f"{P}/settings").text
    assert 'value="12.5"' in shown


def test_settings_that_were_not_changed_are_no_new_version(busy, boss):
    values = _values(boss.get(f"{P}/settings").text)
    values["title"] = read(busy.site, projects.get, "p").spec.title
    assert boss.post(f"{P}/settings", data=values).status_code == 303
    assert read(busy.site, projects.get, "p").version == 1


def test_settings_that_do_not_fit_are_refused(busy, boss):
    for changed, said in (
        ({"settings.votes_wanted": "many"}, "is no number"),
        ({"settings.votes_wanted": ""}, "is empty"),
        ({"settings.gold_share": "60"}, "gold_share"),
        ({"settings.adaptive.max_votes": "2"}, "max_votes"),
        ({"guideline": "nothing"}, "nothing"),
    ):
        values = _values(boss.get(f"{P}/settings").text)
        refused = boss.post(f"{P}/settings", data={**values, **changed})
        assert refused.status_code == 422, changed
        assert said in refused.text, changed
    assert read(busy.site, projects.get, "p").version == 1


def test_a_project_is_given_to_people(busy, boss):
    field = _values(boss.get(P).text)
    assert boss.post(f"{P}/members", data={**field, "name": ["mia"]}).status_code == 303
    assert read(busy.site, accounts.members_of, "p") == ["mia"]


def test_a_version_of_guidelines_is_previewed_and_then_kept(busy, boss):
    page = boss.get("/manage/guidelines/low_guidance")
    values = {**_values(page.text), "text": "# Be *kind*"}
    shown = boss.post("/manage/guidelines/low_guidance", data={**values, "act": "preview"})
    assert "<h1>Be <em>kind</em></h1>" in shown.text
    assert "not kept yet" in shown.text
    busy.site.clock.passes(minutes=1)
    boss.post("/manage/guidelines/low_guidance", data={**values, "act": "publish"})
    page = boss.get("/manage/guidelines/low_guidance").text
    assert "# Be *kind*" in page
    values = _values(boss.get(f"{P}/settings").text)
    assert boss.post(f"{P}/settings", data=values).status_code == 303
    guideline = read(busy.site, projects.get, "p").spec.guideline
    assert f"version {guideline[:8]}" in boss.get(P).text
    assert boss.get("/manage/guidelines?name=of us").headers["location"].endswith("/of%20us")


def test_somebody_is_invited_and_the_link_cancelled(busy, boss):
    page = boss.get("/manage/labelers")
    made = boss.post("/manage/labelers/invite", data={**_values(page.text), "note": "Ivy"})
    link = re.search(r"http://localhost(/invite/[\w-]+)", made.text)[1]
    assert busy.site.visitor().get(link).status_code == 200
    assert link not in boss.get("/manage/labelers").text
    page = boss.get("/manage/labelers").text
    cancel = re.findall(r"/manage/invitations/\w+/cancel", page)
    for number, address in enumerate(cancel, start=1):
        boss.post(address, data=_values(boss.get("/manage/labelers").text, 1))
        assert len(re.findall("/cancel", boss.get("/manage/labelers").text)) == len(cancel) - number
    assert busy.site.visitor().get(link).status_code != 200


def test_a_labeler_is_paused_and_past_votes_stay_but_may_be_left_out(busy, boss):
    form = {**_values(boss.get("/manage/labelers/ann").text), "reason": "to talk"}
    assert boss.post("/manage/labelers/ann/pause", data=form).status_code == 303
    assert read(busy.site, labelers.get, "ann").paused
    assert "to talk" in boss.get("/manage/log?sort=decisions").text
    lines = _lines(boss.get("/manage/records/p?kind=comparisons&with_paused=true"))
    assert sum(len(one["preferences"]) for one in lines) == 6
    assert _lines(boss.get("/manage/records/p")) == []
    form = _values(boss.get("/manage/labelers/ann").text)
    assert boss.post("/manage/labelers/ann/resume", data=form).status_code == 303
    only = _lines(boss.get("/manage/records/p"))
    assert {vote["labeler"] for one in only for vote in one["preferences"]} == {"ann"}
    assert _lines(boss.get("/manage/records/p?without=ann")) == []
    assert len(read(busy.site, lambda session: list(views.comparisons(session, "p")))) == 3


def _lines(response):
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


def test_somebody_whose_votes_were_imported_can_be_paused_too(busy, boss):
    row = {"prompt": "Say something.", "chosen": "Something.", "rejected": "Nothing."}
    sent = _import(boss, "team-x.jsonl", [row], "trl")
    assert "<dd>1</dd>" in sent.text
    name = read(busy.site, foreign.who_answered, "p")[-1]
    page = boss.get(f"/manage/labelers/{name}")
    assert "imported, no account" in page.text
    boss.post(f"/manage/labelers/{name}/pause", data=_values(page.text))
    assert read(busy.site, labelers.get, name).paused


def _import(boss, name, rows, form_name, **more):
    values = {**_values(boss.get("/manage/import?project=p").text), "format": form_name, **more}
    values.setdefault("project", "p")
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    return boss.post(
        "/manage/import", data=values, files={"file": (name, io.BytesIO(text.encode()))}
    )


def test_a_broken_line_is_named_and_nothing_is_imported(busy, boss):
    good = {"prompt": "Say it.", "chosen": "It.", "rejected": "No."}
    before = boss.get(f"{P}/items").text.count("/item?id=")
    refused = _import(boss, "mine.jsonl", [good, {**good, "chosen": 3}], "trl")
    assert refused.status_code == 422
    assert "Nothing was imported" in refused.text
    assert re.search(r"mine\.jsonl.*line 2.*chosen", refused.text)
    assert boss.get(f"{P}/items").text.count("/item?id=") == before
    mended = _import(boss, "mine.jsonl", [good, {**good, "prompt": "Say."}], "trl")
    assert "Imported into" in mended.text
    assert boss.get(f"{P}/items").text.count("/item?id=") == before + 2
    again = _import(boss, "mine.jsonl", [good, {**good, "prompt": "Say."}], "trl")
    assert boss.get(f"{P}/items").text.count("/item?id=") == before + 2
    assert again.status_code == 200
    assert (
        "choose a file"
        in boss.post(
            "/manage/import", data={**_values(boss.get("/manage/import").text)}
        ).text.casefold()
    )


def test_an_export_says_what_it_loses(boss):
    for name in ("accord", "hh", "argilla", "label-studio", "lmarena"):
        found = boss.get(f"/manage/export/p?format={name}")
        assert found.status_code == 200, (name, found.text)
        assert len(found.text.splitlines()) >= 3
        assert (name == "accord") == (found.headers["X-Accord-Lost"] == "")


def test_an_answer_is_withdrawn_with_a_reason(busy, boss):
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
    assert read(busy.site, events.is_withdrawn, answer)
    assert "Misread" in boss.get("/manage/log?sort=withdrawals").text


def test_a_reported_item_is_let_go_and_the_ledger_says_so(busy, boss):
    page = boss.get(f"{P}/review").text
    assert "on hold" in page
    item_id = re.search(r'name="item" value="([^"]+)"', page)[1]
    form = {**_values(page), "item": item_id, "back": "https://evil.example"}
    sent = boss.post(f"{P}/review/release", data=form)
    assert sent.headers["location"] == f"{P}/review"
    assert "on hold" not in boss.get(f"{P}/review").text
    kinds = [line.kind for line in read(busy.site, log.page, project="p", most=3)]
    assert HOLD in kinds
    form = {**_values(boss.get(f"{P}/item?id={item_id}").text), "item": item_id}
    boss.post(f"{P}/review/hold", data=form)
    assert item_id in boss.get(f"{P}/items?which=held").text


def test_an_item_becomes_gold_and_stops_being_it(busy, boss):
    page = boss.get(f"{P}/item?id=item-003").text
    forms = re.findall(r'<form[^>]*method="post".*?</form>', page, re.DOTALL)
    field = re.search(r'name="form" value="([^"]+)"', forms[-1])[1]
    form = {"form": field, "item": "item-003", "rank_0": "2", "rank_1": "1", "use": "screening"}
    form |= {"flag_0_untrue": "yes", "flag_1_untrue": "no", "explanation": "It is untrue."}
    assert boss.post(f"{P}/gold/item", data=form).status_code == 303
    known = {one.item_id: one for one in read(busy.site, gold.list_, "p")}["item-003"]
    assert known.screening
    assert known.expected.ranks == (2, 1)
    assert known.expected.flags == ({"untrue": True}, {"untrue": False})
    page = boss.get(f"{P}/gold").text
    assert "entry test" in page
    form = {**_values(page), "item": "item-003"}
    boss.post(f"{P}/review/ungold", data=form)
    assert "item-003" not in [one.item_id for one in read(busy.site, gold.list_, "p")]


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


def test_a_file_of_gold_items_comes_whole_or_not_at_all(busy, boss, item):
    good = {"item": item(20), "expected": {"ranks": [1, 2]}, "screening": True}
    bad = {"item": item(21), "expected": {"rank": [1, 2]}}
    for rows, status in (([good, bad], 422), ([good], 303)):
        text = "\n".join(json.dumps(row) for row in rows).encode()
        form = _values(boss.get(f"{P}/gold").text, 1)
        sent = boss.post(f"{P}/gold", data=form, files={"file": ("gold.jsonl", text)})
        assert sent.status_code == status, sent.text
        ids = [one.item_id for one in read(busy.site, gold.list_, "p")]
        assert ("item-020" in ids) == (status == 303)
        if status == 422:
            assert re.search(r"gold\.jsonl.*line 2.*expected\.rank", sent.text)


def test_who_failed_the_entry_test_is_let_in_by_hand(team, item):
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
    boss.post(f"{P}/review/admit", data={**_values(page), "name": "ann", "reason": "one slip"})
    assert ann.post("/api/v1/projects/p/next", json={}).json()["task"] is not None
    assert "one slip" in boss.get("/manage/log?sort=decisions").text


def test_a_written_response_of_the_entry_test_is_graded(team):
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
    form = {**_values(page), "answer": body["id"], "grade": "7"}
    assert boss.post(f"{P}/review/grade", data={**form, "grade": "77"}).status_code == 422
    form["form"] = re.search(r'name="form" value="([^"]+)"', boss.get(P).text)[1]
    assert boss.post(f"{P}/review/grade", data=form).status_code == 303
    assert "is graded" in boss.get(f"{P}/review").text
    assert team.site.store is not None


def test_the_pages_of_nothing_say_so(boss):
    for address in ("/manage/projects/none", f"{P}/item?id=none", "/manage/labelers/none"):
        assert boss.get(address).status_code == 404, address
    assert boss.post(f"{P}/nothing", data=_values(boss.get(P).text)).status_code == 404


def test_disagreements_are_found(boss):
    page = boss.get(f"{P}/review").text
    shown = page[page.index("Where people disagree") :]
    assert "2 opinions" in shown
