"""The API of managers: projects, people, guidelines, and who may do what."""

import pytest
from fastapi.routing import APIRoute

from accord.store import accounts, labelers
from accord.web import deps

M = "/api/v1/manage"


def test_a_project_is_set_up_changed_and_given(team, item):
    made = team.project(items=[item(0)])
    assert (made["version"], made["spec"]["task"], made["members"]) == (1, "comparison", [])
    team.site.account("ann")
    given = team.manager.put(f"{M}/projects/p/members", json={"names": ["ann"]}).json()
    assert given["members"] == ["ann"]
    values = {"preset": "comparison", "id": "p", "title": "Another title"}
    changed = team.manager.put(f"{M}/projects/p", json={"values": values}).json()
    assert (changed["version"], changed["spec"]["title"]) == (2, "Another title")
    assert [p["spec"]["id"] for p in team.manager.get(f"{M}/projects").json()["projects"]] == ["p"]
    taken = team.manager.put(f"{M}/projects/p/members", json={"names": []}).json()
    assert taken["members"] == []


def test_a_project_comes_from_a_file_too(team):
    text = 'preset = "rating"\nid = "r"\ntitle = "R"\n[settings]\nvotes_wanted = 2\n'
    made = team.manager.post(f"{M}/projects", json={"toml": text}).json()
    assert made["spec"]["settings"]["votes_wanted"] == 2
    again = team.manager.post(f"{M}/projects", json={"toml": text})
    assert again.json() == made
    other = team.manager.post(f"{M}/projects", json={"toml": text.replace("2", "3")})
    assert other.status_code == 422
    assert "another project `r`" in other.json()["detail"]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({}, "either `toml` or `values`"),
        ({"toml": "x", "values": {}}, "either `toml` or `values`"),
        ({"toml": "x"}, "not TOML"),
        ({"values": {"preset": "rankin"}}, "did you mean `ranking`"),
        ({"values": {"preset": "ranking", "id": "p", "title": "P", "guideline": "mine"}}, "digest"),
        (
            {"values": {"preset": "ranking", "id": "p", "title": "P", "batches": ["none"]}},
            "o batch `none`",
        ),
    ],
)
def test_a_project_that_cannot_be_is_refused_and_nothing_is_made(team, sent, said):
    refused = team.manager.post(f"{M}/projects", json=sent)
    assert refused.status_code == 422
    assert said in refused.json()["detail"]
    assert team.manager.get(f"{M}/projects").json() == {"projects": []}
    assert team.manager.get(f"{M}/guidelines").json() == {"guidelines": []}


def test_items_come_once_and_all_or_none(team, item):
    team.project()
    address = f"{M}/projects/p/items"
    items = [item(n) for n in range(3)]
    assert team.manager.post(address, json={"items": items[:2]}).json() == {"added": 2}
    assert team.manager.post(address, json={"items": items}).json() == {"added": 1}
    bad = [item(4), item(5, policies=("one",))]
    refused = team.manager.post(address, json={"items": bad})
    assert refused.status_code == 422
    assert "item-005" in refused.json()["detail"]
    assert team.manager.post(address, json={"items": [item(4)]}).json() == {"added": 1}
    broken = [item(6) | {"prompt": {"id": "x", "messages": []}}]
    refused = team.manager.post(address, json={"items": broken})
    assert refused.json()["errors"][0]["field"].startswith("body.items.0.prompt")
    assert team.manager.post(f"{M}/projects/q/items", json={"items": items}).status_code == 404


def test_guidelines_have_versions(team):
    first = team.manager.post(f"{M}/guidelines", json={"name": "mine", "text": "# One"}).json()
    team.site.clock.passes(minutes=1)
    second = team.manager.post(f"{M}/guidelines", json={"name": "mine", "text": "# Two"}).json()
    listed = team.manager.get(f"{M}/guidelines").json()["guidelines"]
    assert [one["digest"] for one in listed] == [second["digest"], first["digest"]]
    made = team.project(guideline="mine")
    assert made["spec"]["guideline"] == second["digest"]
    named = team.project("q", guideline=first["digest"])
    assert named["spec"]["guideline"] == first["digest"]
    found = team.manager.get(f"{M}/guidelines/{first['digest']}").json()["guidelines"]
    assert [one["text"] for one in found] == ["# One"]


def test_a_program_gets_a_new_token_and_the_old_one_ends(team, item):
    team.project(items=[item(0)])
    sent = {"name": "robot", "projects": ["p"]}
    old = team.manager.post(f"{M}/programs", json=sent).json()["token"]
    new = team.manager.post(f"{M}/programs", json={"name": "robot"}).json()["token"]
    client = team.site.visitor()
    for token, status in ((old, 401), (new, 200)):
        client.headers["Authorization"] = f"Bearer {token}"
        assert client.post("/api/v1/projects/p/next", json={}).status_code == status


def test_a_program_cannot_take_the_place_of_a_person(team):
    team.site.account("ann")
    team.site.account("root", "admin")
    for name in ("ann", "root", "boss"):
        refused = team.manager.post(f"{M}/programs", json={"name": name})
        assert refused.status_code == 409
    unknown = team.manager.post(f"{M}/programs", json={"name": "robot", "projects": ["no"]})
    assert unknown.status_code == 422


def test_an_invitation_is_shown_once_and_can_be_cancelled(team):
    team.project()
    sent = {"projects": ["p"], "note": "for Ann"}
    made = team.manager.post(f"{M}/invitations", json=sent).json()
    assert team.site.visitor().get(made["link"]).status_code == 200
    (listed,) = team.manager.get(f"{M}/invitations").json()["invitations"]
    assert (listed["note"], listed["projects"], listed["made_by"]) == ("for Ann", ["p"], "boss")
    assert listed["digest"] not in made["link"]
    gone = team.manager.delete(f"{M}/invitations/{listed['digest']}")
    assert gone.status_code == 204
    assert team.site.visitor().get(made["link"]).status_code == 422
    assert team.manager.delete(f"{M}/invitations/{listed['digest']}").status_code == 404


def test_a_manager_cannot_raise_anybody_and_an_admin_can(team):
    team.site.account("ann")
    team.site.account("chief", "manager")
    admin = team.site.person("root", "admin")
    for act in (
        lambda who: who.post(f"{M}/invitations", json={"role": "manager"}),
        lambda who: who.post(f"{M}/invitations", json={"role": "admin"}),
        lambda who: who.patch(f"{M}/labelers/ann", json={"role": "manager"}),
        lambda who: who.patch(f"{M}/labelers/chief", json={"active": False}),
        lambda who: who.post(f"{M}/labelers/chief/link"),
    ):
        assert act(team.manager).status_code == 403
        assert act(admin).status_code == 200
    refused = admin.patch(f"{M}/labelers/root", json={"active": False})
    assert refused.status_code == 422
    assert "last admin" in refused.json()["detail"]


def test_a_change_of_several_things_is_whole_or_nothing(team):
    team.site.account("ann")
    sent = {"paused": True, "reason": "x", "projects": ["no such"]}
    assert team.manager.patch(f"{M}/labelers/ann", json=sent).status_code == 422
    sent = {"paused": True, "reason": "x", "role": "admin"}
    assert team.manager.patch(f"{M}/labelers/ann", json=sent).status_code == 403
    with team.site.store.reading() as session:
        assert not labelers.get(session, "ann").paused
        assert accounts.get(session, "ann").role == "labeler"


def test_a_closed_account_is_out_at_once(team):
    browser = team.site.person("ann")
    assert team.manager.patch(f"{M}/labelers/ann", json={"active": False}).status_code == 200
    assert browser.get("/account").status_code == 303
    assert team.site.log_in(team.site.visitor(), "ann").status_code == 401
    team.manager.patch(f"{M}/labelers/ann", json={"active": True})
    assert team.site.log_in(team.site.visitor(), "ann").status_code == 303


# -- every address -------------------------------------------------------------------------------

PUBLIC = {"/login", "/logout", "/invite/{secret}"}


def routes_of(app):
    """Every address of the server, those of included routers too."""
    todo, found = list(app.routes), []
    while todo:
        route = todo.pop()
        if isinstance(route, APIRoute):
            found.append(route)
        router = getattr(route, "original_router", None)
        todo += router.routes if router is not None else []
    return found


def calls_of(dependant):
    return {dependant.call}.union(*(calls_of(inner) for inner in dependant.dependencies))


def test_every_address_is_known_to_these_tests(site):
    assert len(routes_of(site.app)) > 40


def test_every_write_is_guarded_against_other_sites(site):
    for route in routes_of(site.app):
        if route.methods - set(deps.SAFE):
            guards = {deps.guarded, deps.sent_form} & calls_of(route.dependant)
            is_guarded = deps.sent_form in guards or route.path.startswith("/api/")
            assert is_guarded, route.path


def filled(path):
    values = {
        "{project}": "p",
        "{name}": "boss",
        "{digest}": "0" * 64,
        "{task}": "t",
        "{answer}": "a",
        "{act}": "close",
        "{conversation}": "c",
        "{secret}": "s",
        "{item}": "i",
        "{kind}": "written",
    }
    for name, value in values.items():
        path = path.replace(name, value)
    assert "{" not in path
    return path


def test_strangers_reach_nothing(team):
    team.project()
    stranger = team.site.visitor()
    for route in routes_of(team.site.app):
        for method in route.methods:
            if route.path in PUBLIC:
                continue
            reply = stranger.request(method, filled(route.path))
            is_page = not route.path.startswith("/api/")
            wanted = (303, 403) if is_page else (401,)
            assert reply.status_code in wanted, (method, route.path, reply.status_code)
            assert "A project" not in reply.text


def test_labelers_reach_nothing_of_managers(team):
    team.project()
    ann = team.labeler("ann")
    for route in routes_of(team.site.app):
        if "/manage" not in route.path:
            continue
        for method in route.methods:
            reply = ann.request(method, filled(route.path))
            assert reply.status_code == 403, (method, route.path, reply.status_code)
            assert "A project" not in reply.text
