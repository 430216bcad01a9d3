"""A live server with a project of every kind, and Chromium to look at it.

One server and one browser serve all tests here. Every test works as a person of its own
(``page_as``), and every item is wanted from so many people that they do not meet. What managers do
to a project they do to one of their own, since a reported item is held back from everybody.
"""

import shutil
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
import uvicorn

from accord.records import Item, Sampling
from accord.store import access, accounts, projects
from accord.store.session import open_store
from accord.web import passwords, project_setup
from accord.web.app import create_app
from accord.web.deps import SESSION
from accord.web.project_files import from_values
from accord.web.security import cookie_name
from accord.web.settings import Settings

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PASSWORD = "correct horse battery"
EVERYBODY = 500  # votes wanted of each item, so that nobody finds it taken
WAIT = 30_000  # milliseconds until an expectation of a page fails, on a busy machine too
BAD = ("serious", "critical")  # of what axe finds
COLOURS = {"runOnly": ["color-contrast"]}
CLASSES = ("violence", "hate", "self_harm", "sexual_content", "crime")
SCRIPT = (
    "<script>document.title='broken in'</script><img src=x onerror=\"document.title='broken in'\">"
)
LINK = "[a link](javascript:document.title='broken_in') and ![a picture](https://example.org/x.png)"
CODE = """Use a loop:

```python
for name in names:
    print(name)
```

| a | b |
|---|---|
| 1 | 2 |
"""
LONG = "\n\n".join(
    f"Paragraph {n}. " + "It goes on for a while, as answers do. " * 6 for n in range(8)
)
TEXTS = (CODE, LONG, SCRIPT, LINK, "Short.", "**Bold** and *italic*.")
PROJECTS = {
    "compare": ("comparison", 2),
    "rank": ("ranking", 4),
    "write": ("demonstration", 0),
    "edit": ("demonstration", 1),
    "rate": ("rating", 1),
    "talk": ("conversation_helpful", 0),
    "attack": ("conversation_red_team", 0),
    "managed": ("comparison", 2),
}


@dataclass
class Scripted:
    """Who answers in conversations here: says a text, a few letters at a time."""

    name: str
    pause: float = 0.0  #: seconds between two pieces
    sampling: Sampling = field(default_factory=Sampling)

    @property
    def digest(self):
        return f"digest-of-{self.name}"

    def stream(self, messages, *, seed):
        said = messages[-1].content
        text = f"You said: {said}\n\n```\n{self.name[::-1]} {seed}\n```\n\n{SCRIPT}"
        for start in range(0, len(text), 7):
            time.sleep(self.pause)
            yield text[start : start + 7]
        return True


@dataclass
class Live:
    """The server, and short ways to what it keeps."""

    address: str
    app: object
    store: object
    numbers: object = field(default_factory=count)

    def person(self, role="labeler", name=None):
        """An account that may work on everything and has agreed to all content."""
        with self.store.writing() as session:
            known = {one.name: one for one in accounts.roster(session)}
            if name in known:
                return known[name]
            made = accounts.create(
                session,
                name or f"{role}-{next(self.numbers)}",
                role=role,
                password=HASH,
                now=datetime.now(UTC),
            )
            accounts.assign(session, made, list(PROJECTS))
            accounts.set_consents(session, made, list(CLASSES))
            return accounts.get(session, made.name)

    def cookie(self, account):
        """What a browser holds after a login."""
        state = self.app.state.accord
        now, lifetime = datetime.now(UTC), timedelta(hours=1)
        with self.store.writing() as session:
            secret = access.begin_session(session, account, now=now, lifetime=lifetime)
        return {
            "name": cookie_name(state.settings, SESSION),
            "value": state.signer.seal(SESSION, secret, now + lifetime),
            "url": self.address,
        }


HASH = passwords.hashed(PASSWORD)


def items_of(kind, size, number=6):
    """Items of a project; the texts are hostile, long, or code."""
    for n in range(number):
        name = f"{kind}-{n}"
        prompt = {
            "id": f"{name}-prompt",
            "messages": [{"role": "user", "content": f"Question {n}? {SCRIPT if n == 1 else ''}"}],
        }
        responses = [
            {
                "id": f"{name}-{k}",
                "prompt_id": prompt["id"],
                "text": f"{TEXTS[(n + k) % len(TEXTS)]}\n\n({n}, {k})",
                "policy": f"policy-{k}",
            }
            for k in range(size)
        ]
        yield Item.model_validate({"id": name, "prompt": prompt, "responses": responses})


def seed(store):
    """A project of every kind that ships."""
    now = datetime.now(UTC)
    with store.writing() as session:
        for project, (preset, size) in PROJECTS.items():
            settings = {"votes_wanted": EVERYBODY, "gold_share": 0.0, "repeat_share": 0.0}
            values = {
                "preset": preset,
                "id": project,
                "title": f"To {project} {SCRIPT if project == 'rate' else ''}".strip(),
                "settings": settings | {"overlap": {"share": 0.0}},
            }
            project_setup.set_up(session, from_values(values), now=now, by="boss")
            if not preset.startswith("conversation"):
                projects.add_items(session, project, list(items_of(project, size)), now=now)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The running server; ``boss`` is its manager, ``ann`` one of its labelers."""
    path = tmp_path_factory.mktemp("browser") / "ledger.sqlite"
    with open_store(str(path)) as store:
        seed(store)
        settings = Settings(database=str(path), secret=b"s" * 32, hosts=("127.0.0.1",))
        policies = {one.name: one for one in (Scripted("policy-0"), Scripted("policy-1", 0.02))}
        app = create_app(settings, store, generators=policies)
        config = uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=2)
        socket = config.bind_socket()
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, args=([socket],))
        thread.start()
        live = Live(f"http://127.0.0.1:{socket.getsockname()[1]}", app, store)
        live.person("manager", "boss")
        live.person("labeler", "ann")
        yield live
        running.should_exit = True
        thread.join(20)
        socket.close()


@pytest.fixture(scope="session")
def chromium():
    """Chromium, once; tests are skipped where it, or what drives it, is missing."""
    driver = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page_as(server, chromium):
    """Opens pages: ``page_as("labeler")`` is a new person, a name or None says who instead.

    What a page logs as an error, or raises, fails the test that opened it.
    """
    contexts, complaints = [], []

    def open_page(role="labeler", path="/", *, name=None, theme=None, width=1280, height=900):
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme or "light",
            reduced_motion="reduce",
        )
        contexts.append(context)
        context.set_default_timeout(WAIT)
        if role is not None:
            context.add_cookies([server.cookie(server.person(role, name))])
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(server.address + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def found_by_axe(page):
    """What axe finds serious or critical in either theme, as lines to read."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is missing")
    lines = []
    for theme, options in (("light", {}), ("dark", COLOURS)):
        page.emulate_media(color_scheme=theme)
        found = axe.Axe().run(page, options={"resultTypes": ["violations"], **options})
        lines += [
            f"{page.url} {theme} {one['id']}: {one['help']}: {node['html'][:120]}"
            for one in found.response["violations"]
            if one["impact"] in BAD
            for node in one["nodes"]
        ]
    return lines


@pytest.fixture(scope="session")
def findings():
    """Asks axe about a page, in both themes; the list is empty when nothing is bad."""
    return found_by_axe
