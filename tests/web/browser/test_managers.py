"""Every page of managers: in both themes before axe, on a phone, and with texts that attack."""

from datetime import UTC, datetime

import pytest

from accord.records import Answer, Item
from accord.store import answers, gold, queue
from accord.store.gold import Expected

PROJECT = "managed"  # of this file alone: reports and gold items change what others get
P = f"/manage/projects/{PROJECT}"
PAGES = (
    "/manage",
    "/manage/projects/new?preset=ranking",
    P,
    f"{P}/quality",
    f"{P}/review",
    f"{P}/items",
    f"{P}/item?id={PROJECT}-1",
    f"{P}/gold",
    f"{P}/settings",
    "/manage/guidelines",
    "/manage/guidelines/low_guidance",
    "/manage/labelers",
    "/manage/labelers/voter-0",
    "/manage/import",
    f"/manage/export?project={PROJECT}",
    "/manage/log",
    "/manage/projects/none",
)
HOSTILE = "<script>document.title='broken in'</script>"


@pytest.fixture(scope="module")
def voted(server):
    """Votes, comments and reports of three people, and a gold item."""
    now = datetime.now(UTC)
    for number in range(3):
        server.person(name=f"voter-{number}")
        for n in range(4):
            with server.store.writing() as session:
                task = queue.next_task(session, PROJECT, f"voter-{number}", now=now, seed=0)
                if n == 3:
                    answers.report(
                        session, task.id, labeler=f"voter-{number}", reason=HOSTILE, now=now
                    )
                    continue
                answer = Answer(
                    id=f"vote-{number}-{n}",
                    ranks=(1, 2) if number or n else (2, 1),
                    comment=HOSTILE,
                    seconds=12.0,
                )
                answers.submit(session, task.id, answer, labeler=f"voter-{number}", now=now)
    known = Item.model_validate(
        {
            "id": "known",
            "prompt": {"id": "known", "messages": [{"role": "user", "content": HOSTILE}]},
            "responses": [
                {"id": f"known-{k}", "prompt_id": "known", "text": HOSTILE, "policy": HOSTILE}
                for k in range(2)
            ],
        }
    )
    with server.store.writing() as session:
        gold.add(session, PROJECT, known, Expected(ranks=(1, 2)), screening=True, now=now)
    return server


def test_pages_of_managers_are_accessible(page_as, voted, findings):
    page = page_as("admin", "/manage")
    problems = []
    for path in PAGES:
        page.goto(voted.address + path)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        problems += findings(page)
    assert problems == []


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_of_managers_is_wider_than_its_window(page_as, voted, width):
    page = page_as("admin", "/manage", width=width)
    for path in PAGES:
        page.goto(voted.address + path)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, path
        assert page.title() != "broken in", path


def test_a_project_is_set_up_by_keyboard_alone(page_as, voted):
    page = page_as("manager", "/manage/projects/new?preset=comparison")
    page.locator("#title").focus()
    page.keyboard.type("By hand")
    page.keyboard.press("Tab")
    page.keyboard.type("by-hand")
    page.keyboard.press("Enter")
    page.wait_for_url("**/manage/projects/by-hand")
    assert page.locator("h1").inner_text() == "By hand"
