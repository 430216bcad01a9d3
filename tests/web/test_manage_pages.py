"""The pages of managers: each answers with real data, escapes it, and does what its forms say."""

import re

from fastapi.routing import APIRoute

from accord.store import accounts, projects
from accord.store.specs import Active

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


def test_a_form_that_was_not_shown_here_does_nothing(boss, read):
    refused = boss.post(f"{P}/close", data={"form": "made up"})
    assert refused.status_code == 403
    assert not read(projects.get, "p").spec.closed


def test_a_form_counts_once(boss, read):
    field = re.search(r'name="form" value="([^"]+)"', boss.get(P).text)[1]
    first = boss.post(f"{P}/close", data={"form": field})
    again = boss.post(f"{P}/open", data={"form": field})
    assert (first.status_code, again.status_code) == (303, 409)
    assert read(projects.get, "p").spec.closed


def test_the_home_page_says_how_far_each_project_is(boss):
    page = boss.get("/manage").text
    assert "0 of 4 items complete · 6 answers" in page
    assert "<b>1</b> reported item on hold" in page
    assert "1 to review" in page


def test_a_project_is_set_up_by_a_form(boss, values_of, read):
    address = "/manage/projects/new?preset=comparison"
    page = boss.get(address).text
    values = {**values_of(page), "title": "Mine", "id": "mine", "settings.votes_wanted": "2"}
    values |= {"settings.overlap.share": "25", "settings.adaptive.max_votes": "4"}
    values |= {"settings.screening.items": "5", "settings.screening.ranking_share": "80"}
    made = boss.post("/manage/projects/new", data=values)
    assert made.headers.get("location") == "/manage/projects/mine", made.text
    spec = read(projects.get, "mine").spec
    assert (spec.title, spec.task, spec.settings.votes_wanted) == ("Mine", "comparison", 2)
    assert (spec.settings.overlap.share, spec.settings.adaptive.max_votes) == (0.25, 4)
    assert (spec.settings.screening.items, spec.settings.screening.ranking_share) == (5, 0.8)
    assert len(spec.settings.flags) == 4  # of the preset
    assert spec.settings.active is None
    values = values_of(boss.get("/manage/projects/mine/settings").text)
    for text, active in (("20", Active(random_share=0.2)), ("", None)):
        boss.post(
            "/manage/projects/mine/settings",
            data={**values, "title": "Mine", "settings.active.random_share": text},
        )
        values = values_of(boss.get("/manage/projects/mine/settings").text)
        assert read(projects.get, "mine").spec.settings.active == active


def test_every_preset_is_one_form_away(boss, values_of):
    for preset in ("ranking", "demonstration", "rating", "conversation_red_team"):
        page = boss.get(f"/manage/projects/new?preset={preset}").text
        form = {**values_of(page), "title": "T", "id": preset}
        made = boss.post("/manage/projects/new", data=form)
        assert made.status_code == 303, made.text


def test_a_project_comes_from_a_file_of_the_manager(boss, values_of, read):
    text = 'preset = "rating"\nid = "r"\ntitle = "R"\n'
    form = values_of(boss.get("/manage/projects/new").text, 1)
    made = boss.post("/manage/projects/new", data=form, files={"file": ("r.toml", text.encode())})
    assert made.headers.get("location") == "/manage/projects/r", made.text
    assert read(projects.get, "r").spec.task == "rating"


def test_what_cannot_be_set_up_is_said_and_what_was_typed_stays(boss, values_of):
    values = values_of(boss.get("/manage/projects/new").text)
    refused = boss.post("/manage/projects/new", data={**values, "title": "My title", "id": "A b"})
    assert refused.status_code == 422
    assert "`id`" in refused.text
    assert 'value="My title"' in refused.text
    file = {**values_of(boss.get("/manage/projects/new").text, 1), "toml": "votes = "}
    refused = boss.post("/manage/projects/new", data=file)
    assert refused.status_code == 422
    assert "not TOML" in refused.text


def test_settings_are_changed_by_form_and_what_has_no_field_stays(boss, values_of, read):
    before = read(projects.get, "p").spec
    values = values_of(boss.get(f"{P}/settings").text)
    values |= {"settings.gold_share": "12.5", "settings.care.blur": "on", "title": "New title"}
    assert boss.post(f"{P}/settings", data=values).status_code == 303
    after = read(projects.get, "p").spec
    assert (after.settings.gold_share, after.settings.care.blur) == (0.125, True)
    assert after.title == "New title"
    assert after.settings.flags == before.settings.flags
    shown = boss.get(f"{P}/settings").text
    assert 'value="12.5"' in shown


def test_settings_that_were_not_changed_are_no_new_version(boss, values_of, read):
    values = values_of(boss.get(f"{P}/settings").text)
    values["title"] = read(projects.get, "p").spec.title
    assert boss.post(f"{P}/settings", data=values).status_code == 303
    assert read(projects.get, "p").version == 1


def test_settings_that_do_not_fit_are_refused(boss, values_of, read):
    for changed, said in (
        ({"settings.votes_wanted": "many"}, "is no number"),
        ({"settings.votes_wanted": ""}, "is empty"),
        ({"settings.gold_share": "60"}, "gold_share"),
        ({"settings.adaptive.max_votes": "2"}, "max_votes"),
        ({"guideline": "nothing"}, "nothing"),
    ):
        values = values_of(boss.get(f"{P}/settings").text)
        refused = boss.post(f"{P}/settings", data={**values, **changed})
        assert refused.status_code == 422, changed
        assert said in refused.text, changed
    assert read(projects.get, "p").version == 1


def test_a_project_is_given_to_people(boss, values_of, read):
    field = values_of(boss.get(P).text)
    assert boss.post(f"{P}/members", data={**field, "name": ["mia"]}).status_code == 303
    assert read(accounts.members_of, "p") == ["mia"]


def test_a_version_of_guidelines_is_previewed_and_then_kept(busy, boss, values_of, read):
    page = boss.get("/manage/guidelines/low_guidance")
    values = {**values_of(page.text), "text": "# Be *kind*"}
    shown = boss.post("/manage/guidelines/low_guidance", data={**values, "act": "preview"})
    assert "<h1>Be <em>kind</em></h1>" in shown.text
    assert "not kept yet" in shown.text
    busy.site.clock.passes(minutes=1)
    boss.post("/manage/guidelines/low_guidance", data={**values, "act": "publish"})
    page = boss.get("/manage/guidelines/low_guidance").text
    assert "# Be *kind*" in page
    values = values_of(boss.get(f"{P}/settings").text)
    assert boss.post(f"{P}/settings", data=values).status_code == 303
    guideline = read(projects.get, "p").spec.guideline
    assert f"version {guideline[:8]}" in boss.get(P).text
    assert boss.get("/manage/guidelines?name=of us").headers["location"].endswith("/of%20us")
