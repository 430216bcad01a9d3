"""A server on a new store, people who are logged in, and programs with tokens."""

import re
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from accord.store import access, accounts
from accord.store.session import open_store
from accord.web import passwords
from accord.web.app import ROUTES, create_app
from accord.web.settings import Settings

START = datetime(2026, 1, 1, tzinfo=UTC)
PASSWORD = "correct horse battery"
EVIL = "<script>alert(1)</script>"  # in texts that a page must show as text
FORM = re.compile(r'name="form" value="([^"]+)"')
CSRF = re.compile(r'name="csrf-token" content="([^"]+)"')


@dataclass
class Clock:
    """Time that passes when a test says so."""

    now: datetime = START

    def __call__(self):
        return self.now

    def passes(self, **more):
        self.now += timedelta(**more)


@dataclass
class Site:
    """The server and the short ways in which tests use it."""

    app: object
    store: object
    clock: Clock
    clients: list = field(default_factory=list)

    def visitor(self, **more):
        """A browser that nobody has logged in with."""
        client = TestClient(self.app, base_url="http://localhost", follow_redirects=False, **more)
        self.clients.append(client)
        return client

    def account(self, name, role="labeler", *, projects=()):
        with self.store.writing() as session:
            made = accounts.create(session, name, role=role, password=HASH, now=self.clock())
            accounts.assign(session, made, projects)
            return made

    def person(self, name, role="labeler", **more):
        """A new account, logged in with a browser that sends the token of scripts."""
        self.account(name, role, **more)
        client = self.visitor()
        assert self.log_in(client, name).status_code == 303
        client.headers["X-CSRF-Token"] = token_of(client.get("/account"))
        return client

    def program(self, name, role="labeler", **more):
        """A new account with a token."""
        made = self.account(name, role, **more)
        with self.store.writing() as session:
            token = access.make_token(session, made, label="test", now=self.clock())
        client = self.visitor()
        client.headers["Authorization"] = f"Bearer {token}"
        return client

    def log_in(self, client, name, password=PASSWORD, **more):
        return self.send(client, "/login", {"name": name, "password": password}, **more)

    def send(self, client, address, values, *, page=None, **more):
        """Load a page and send the form that it shows."""
        shown = client.get(page or address)
        return client.post(address, data={**values, "form": form_of(shown)}, **more)


HASH = passwords.hashed(PASSWORD)


def form_of(response):
    return FORM.search(response.text)[1]


def token_of(response):
    return CSRF.search(response.text)[1]


@pytest.fixture(scope="session")
def new_ledger(tmp_path_factory):
    """A store that was just made: a copy takes a fraction of the time."""
    path = tmp_path_factory.mktemp("new") / "ledger.sqlite"
    open_store(str(path)).close()
    return path


@pytest.fixture
def site(tmp_path, new_ledger):
    clock = Clock()
    store = open_store(str(shutil.copy(new_ledger, tmp_path / "ledger.sqlite")))
    settings = Settings(
        database="unused", secret=b"s" * 32, hosts=("localhost",), max_body_bytes=50_000
    )
    made = Site(create_app(settings, store, clock=clock), store, clock)
    yield made
    for client in made.clients:
        client.close()
    store.close()


def comparison(number, *, policies=("sft", "ppo")):
    """An item as a manager sends it: its texts say nothing about who wrote them."""
    prompt = {"id": f"p{number}", "messages": [{"role": "user", "content": f"Question {number}?"}]}
    return {
        "id": f"item-{number:03}",
        "prompt": prompt,
        "responses": [
            {
                "id": f"item-{number:03}-{policy}",
                "prompt_id": f"p{number}",
                "text": f"Text {place} of {number}.",
                "policy": policy,
                "policy_digest": f"digest-of-{policy}",
                "seed": 1234567,
            }
            for place, policy in enumerate(policies)
        ],
    }


@dataclass
class Team:
    """A project with a manager, and labelers that come when they are asked for."""

    site: Site
    manager: object

    def project(self, project_id="p", preset="comparison", items=(), **more):
        settings = {"gold_share": 0.0, "repeat_share": 0.0, "overlap": {"share": 0.0}}
        values = {
            "preset": preset,
            "id": project_id,
            "title": "A project",
            "settings": settings | more.pop("settings", {}),
        }
        made = self.manager.post("/api/v1/manage/projects", json={"values": values | more})
        assert made.status_code == 200, made.text
        self.fill(project_id, items)
        return made.json()

    def fill(self, project_id, items):
        if items:
            sent = {"items": list(items)}
            added = self.manager.post(f"/api/v1/manage/projects/{project_id}/items", json=sent)
            assert added.status_code == 200, added.text

    def labeler(self, name, *projects):
        return self.site.program(name, projects=projects or ("p",))


@pytest.fixture
def team(site):
    return Team(site, site.program("boss", "manager"))


@pytest.fixture
def item():
    return comparison


@pytest.fixture
def endpoints(site):
    """Method and address of all that the app answers, but static files and its description."""
    found = [
        (method, route.path)
        for module in ROUTES
        for route in module.router.routes
        for method in sorted(route.methods - {"HEAD"})
    ]
    others = [getattr(one, "path", None) for one in site.app.routes]
    assert set(others) == {None, "/api/v1/openapi.json", "/static"}  # the rest are those of ROUTES
    assert others.count(None) == len(ROUTES)
    assert len(found) == len(set(found))
    return found


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


@pytest.fixture
def read(site):
    """Reads the ledger: ``read(function, ...)`` in a transaction of its own."""

    def reading(function, *args, **more):
        with site.store.reading() as session:
            return function(session, *args, **more)

    return reading


def values_sent(page, number=0):
    """What a browser sends of the forms of a page if nothing is changed."""
    forms = re.findall(r'<form[^>]*method="post".*?</form>', page, re.DOTALL)
    form = [one for one in forms if 'action="/logout"' not in one][number]
    values = {}
    for tag in re.findall(r"<input[^>]*>", form):
        found = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if found.get("type") not in ("checkbox", "file") or " checked" in tag:
            values[found["name"]] = found.get("value", "")
    for name, options in re.findall(
        r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL
    ):
        chosen = re.search(r"<option([^>]*) selected>([^<]*)", options)
        value = re.search(r'value="([^"]*)"', chosen[1]) if chosen else None
        values[name] = value[1] if value else chosen[2] if chosen else ""
    for name, text in re.findall(
        r'<textarea[^>]*name="([^"]+)"[^>]*>(.*?)</textarea>', form, re.DOTALL
    ):
        values[name] = text.replace("&#34;", '"').replace("&lt;", "<").replace("&gt;", ">")
    return values


@pytest.fixture
def values_of():
    """What a browser sends of a form of a page if nothing is changed."""
    return values_sent
