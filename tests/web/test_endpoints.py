"""Who may do what, endpoint by endpoint: the list is the app's own, so a new one is checked too."""

import json
import re
import uuid

import pytest
from sqlalchemy import func, select

from accord.store import tables

TAGS = re.compile(r"<[^>]+>")  # what is in them is of the visit or of the address
OPEN = {
    ("GET", "/login"),
    ("POST", "/login"),
    ("POST", "/logout"),  # nobody is logged out who was not in
    ("GET", "/invite/{secret}"),
    ("POST", "/invite/{secret}"),
}
OF_LABELERS = {  # what a labeler may ask for; everything else is for managers
    ("GET", "/"),
    ("GET", "/account"),
    ("POST", "/account/password"),
    ("POST", "/account/token"),
    ("POST", "/account/tokens/revoke"),
    ("GET", "/p/{project}"),
    ("GET", "/p/{project}/guideline"),
    ("GET", "/p/{project}/progress"),
    ("GET", "/p/{project}/consent"),
    ("POST", "/p/{project}/consent"),
    ("GET", "/api/v1/projects"),
    ("POST", "/api/v1/projects/{project}/next"),
    ("GET", "/api/v1/projects/{project}/progress"),
    ("GET", "/api/v1/projects/{project}/guideline"),
    ("POST", "/api/v1/tasks/{task}/answer"),
    ("POST", "/api/v1/tasks/{task}/skip"),
    ("POST", "/api/v1/tasks/{task}/report"),
    ("POST", "/api/v1/tasks/{task}/draft"),
    ("POST", "/api/v1/answers/{answer}/undo"),
    ("PUT", "/api/v1/me/consents"),
    ("GET", "/api/v1/conversations/{conversation}"),
    ("POST", "/api/v1/conversations/{conversation}/begin"),
    ("POST", "/api/v1/conversations/{conversation}/message"),
    ("GET", "/api/v1/conversations/{conversation}/stream"),
    ("POST", "/api/v1/conversations/{conversation}/choose"),
    ("POST", "/api/v1/conversations/{conversation}/undo"),
    ("POST", "/api/v1/conversations/{conversation}/finish"),
}
SENT = {  # bodies that would be accepted, by the last part of the address
    "answer": {"id": str(uuid.UUID(int=1)), "ranks": [1, 2]},
    "skip": {"reason": "no"},
    "report": {"reason": "broken"},
    "draft": {"draft": {}},
    "begin": {"goal": "a goal"},
    "message": {"text": "Hello?"},
    "choose": {"id": str(uuid.UUID(int=2)), "ranks": [1, 2]},
    "finish": {},
    "consents": {"content_classes": []},
}
PARTS = {
    "project": "p",
    "task": "task-id",
    "answer": "answer-id",
    "conversation": "conversation-id",
    "secret": "a-secret",
    "name": "ann",
    "digest": "0" * 64,
    "item": "item-000",
    "act": "pause",
    "kind": "comparisons",
}


def address(path, **parts):
    return path.format(**PARTS | parts)


def is_api(path):
    return path.startswith("/api/")


def call(client, method, path, *, headers=None, **parts):
    """A request that is complete but for who sends it."""
    body = {"json": SENT.get(path.rsplit("/", 1)[-1], {})} if is_api(path) else {"data": {}}
    if method == "GET":
        body = {}
    return client.request(method, address(path, **parts), headers=headers, **body)


def events(site):
    with site.store.reading() as session:
        return session.scalars(select(func.count()).select_from(tables.events)).one()


def test_every_endpoint_is_known(endpoints):
    """A new one is for managers, under their addresses, or stands in one of the lists above."""
    known = OPEN | OF_LABELERS
    unknown = [one for one in endpoints if one not in known and "/manage" not in one[1]]
    assert unknown == []
    assert known <= set(endpoints)
    assert not [path for _, path in known if "/manage" in path]


def test_nobody_reaches_anything_but_the_way_in(site, endpoints):
    for header in (
        {},
        {"Authorization": "Bearer accord_" + "x" * 43},
        {"Cookie": "accord_session=x"},
    ):
        stranger = site.visitor()
        for method, path in endpoints:
            if (method, path) in OPEN:
                continue
            refused = call(stranger, method, path, headers=header)
            where = (method, path, refused.status_code, refused.text[:200])
            if is_api(path):
                assert refused.status_code == 401, where
                assert "Log in first" in refused.json()["detail"], where
            else:  # a form is refused for its seal before it is asked who sends it
                assert refused.status_code in (303, 403), where
                assert refused.headers.get("location", "/login").startswith("/login"), where
    assert events(site) == 0


def test_a_labeler_reaches_nothing_of_managers(team, item, endpoints):
    team.project(items=[item(0)])
    before = events(team.site)
    program, browser = team.labeler("ann"), team.site.person("bob")
    for client in (program, browser):
        for method, path in endpoints:
            if (method, path) in OPEN | OF_LABELERS:
                continue
            refused = call(client, method, path)
            where = (method, path, refused.status_code, refused.text[:200])
            assert refused.status_code == 403, where
            assert "for a manager" in refused.text or "form is too old" in refused.text, where
    assert events(team.site) == before


def test_a_labeler_reaches_nothing_of_another_labeler(team, item, endpoints):
    """What is somebody else's answers as what is not there."""
    team.project("p", items=[item(n) for n in range(3)])
    team.project("c", "conversation_helpful", items=[])
    ann, eve = team.labeler("ann", "p", "c"), team.labeler("eve", "c")
    task = ann.post("/api/v1/projects/p/next", json={}).json()["task"]["id"]
    sent = {"id": str(uuid.uuid4()), "ranks": [1, 2]}
    after = ann.post(f"/api/v1/tasks/{task}/answer", json=sent).json()
    talk = ann.post("/api/v1/projects/c/next", json={}).json()["task"]["id"]
    ann.post(f"/api/v1/conversations/{talk}/begin", json={"goal": ""})
    before = events(team.site)
    for own in ({"task": task}, {"task": after["task"]["id"]}):
        parts = own | {"answer": sent["id"], "conversation": talk, "project": "p"}
        nothing = {name: "nothing" for name in parts}
        for method, path in sorted(OF_LABELERS):
            if "{" not in path:
                continue
            refused = call(eve, method, path, **parts)
            where = (method, path, refused.status_code, refused.text[:200])
            if method == "POST" and not is_api(path):
                assert refused.status_code == 403, where  # a token sends no forms
                continue
            assert refused.status_code == 404, where
            unknown = call(eve, method, path, **nothing)
            assert unknown.status_code == 404, where
            assert TAGS.sub("", unknown.text) == TAGS.sub("", refused.text), where
    assert events(team.site) == before
    for path in ("/", "/account", "/api/v1/projects"):
        assert "/p/p" not in eve.get(path).text
    assert [one["id"] for one in eve.get("/api/v1/projects").json()["projects"]] == ["c"]


def test_an_invalid_login_of_a_closed_account_is_nobody(site, endpoints):
    ann = site.person("ann")
    boss = site.program("boss", "manager")
    assert boss.patch("/api/v1/manage/labelers/ann", json={"active": False}).status_code == 200
    for method, path in sorted(OF_LABELERS):
        refused = call(ann, method, path)
        assert refused.status_code in (401, 303, 403), (method, path, refused.status_code)
    assert site.log_in(site.visitor(), "ann").status_code == 401


def test_every_write_by_cookie_needs_the_token_of_its_pages(team, item, endpoints):
    team.project(items=[item(0)])
    site = team.site
    ann, root = site.person("ann", projects=["p"]), site.person("root", "admin")
    foreign = ann.headers["X-CSRF-Token"]
    del root.headers["X-CSRF-Token"]
    writes = [one for one in endpoints if one[0] != "GET" and one not in OPEN]
    before = events(site)
    assert len(writes) > 30
    for headers in ({}, {"X-CSRF-Token": foreign}, {"X-CSRF-Token": "x"}):
        for method, path in writes:
            refused = call(root, method, path, headers=headers)
            where = (method, path, refused.status_code, refused.text[:200])
            assert refused.status_code == 403, where
            said = "X-CSRF-Token" if is_api(path) else "form is too old or was made elsewhere"
            assert said in refused.text, where
    good = {"X-CSRF-Token": site.app.state.accord.signer.token("")}
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        for method, path in writes:
            refused = call(root, method, path, headers=good | headers)
            assert refused.status_code == 403, (method, path)
            assert "another site" in refused.text, (method, path)
    assert events(site) == before


BAD_BODIES = {
    "cut off": (b'{"id": ', 400, "not JSON"),
    "a list": (b"[1, 2]", 422, "cannot be used"),
    "not Unicode": (b'{"id": "\xff\xfe"}', 400, "cannot be read"),
    "nested": (b'{"draft":' + b"[" * 20_000 + b"]" * 20_000 + b"}", 400, "nested too deeply"),
    "NaN": (b'{"active_seconds": NaN}', 422, "cannot be used"),
}


def takes_json(about):
    return "application/json" in about.get("requestBody", {}).get("content", {})


def test_a_body_that_is_no_request_is_refused_with_a_sentence(team, item):
    team.project(items=[item(0)])
    root = team.site.program("root", "admin")
    before = events(team.site)
    headers = {"Content-Type": "application/json"}
    described = [
        (method, path)
        for path, methods in team.site.app.openapi()["paths"].items()
        for method, about in methods.items()
        if takes_json(about)
    ]
    assert len(described) > 20
    for method, path in described:
        for name, (content, status, said) in BAD_BODIES.items():
            refused = root.request(method, address(path), content=content, headers=headers)
            where = (name, method, path, refused.status_code, refused.text[:300])
            assert refused.status_code in (status, 422), where
            assert refused.headers["content-type"] == "application/problem+json", where
            detail = refused.json()["detail"]
            assert said in detail or "cannot be used" in detail, where
            assert len(detail) < 500, where
    assert events(team.site) == before


def test_an_oversized_body_is_refused_everywhere(team, endpoints):
    root = team.site.program("root", "admin")
    for method, path in endpoints:
        if method == "GET" or path.endswith("/import"):
            continue
        refused = root.request(method, address(path), content=b"x" * 50_001)
        assert refused.status_code == 413, (method, path)
        assert "50,000 bytes" in refused.text, (method, path)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2f..%2fapp.py",
        "/static/....//app.py",
        "/static//etc/passwd",
        "/static/%00",
        "/p/..%2f..%2fetc",
        "/manage/export/..%2f..%2fetc%2fpasswd",
        "/api/v1/manage/projects/..%2f..%2fetc/export?format=trl",
        "/api/v1/manage/guidelines/..%2f..%2fetc%2fpasswd",
        "/invite/..%2f..%2fetc%2fpasswd",
    ],
)
def test_no_address_leads_out_of_what_is_served(site, path):
    root = site.program("root", "admin")
    answer = root.get(path)
    assert answer.status_code in (303, 400, 404, 405, 422), answer.status_code
    assert "root:" not in answer.text
    assert "create_app" not in answer.text


def test_a_form_of_another_login_or_of_another_page_is_refused(site):
    """A form belongs to one login, works once, and ends."""
    ann, bob = site.person("ann"), site.person("bob")
    form = ann.get("/account").text.split('name="form" value="')[1].split('"')[0]
    fields = {"label": "script", "form": form}
    assert bob.post("/account/token", data=fields).status_code == 403
    assert bob.post("/account/token", data=fields | {"form": form[:-2] + "xx"}).status_code == 403
    assert ann.post("/account/token", data=fields).status_code == 200
    replayed = ann.post("/account/tokens/revoke", data={"form": form})
    assert replayed.status_code == 409
    site.clock.passes(hours=13)
    old = ann.post("/account/token", data=fields)
    assert old.status_code == 403
    assert "too old" in old.text


def test_answers_that_were_sent_before_change_nothing(team, item):
    """A request that somebody recorded and sends again is the same request."""
    team.project(items=[item(n) for n in range(2)])
    ann = team.labeler("ann")
    task = ann.post("/api/v1/projects/p/next", json={}).json()["task"]["id"]
    sent = {"id": str(uuid.uuid4()), "ranks": [1, 2]}
    first = ann.post(f"/api/v1/tasks/{task}/answer", json=sent)
    before = events(team.site)
    for _ in range(3):
        again = ann.post(f"/api/v1/tasks/{task}/answer", json=sent)
        assert again.json()["recorded"] is False
        assert again.json()["task"] == first.json()["task"]
    other = ann.post(f"/api/v1/tasks/{task}/answer", json=sent | {"ranks": [2, 1]})
    assert other.status_code == 422
    assert json.loads(other.text)["code"] == "refused"
    assert events(team.site) == before
