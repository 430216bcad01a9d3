"""Every page of labelers, in both themes, before axe: nothing serious and nothing critical.

The dark theme changes colours only, so that there only colours are looked at a second time.
"""

from datetime import UTC, datetime, timedelta

import pytest

from accord.store import access

STEP = 30_000  # milliseconds
PAGES = (
    "/",
    "/account",
    "/p/compare",
    "/p/rank",
    "/p/write",
    "/p/edit",
    "/p/rate",
    "/p/talk",
    "/p/attack",
    "/p/compare/guideline",
    "/p/compare/progress",
    "/p/attack/consent",
    "/nowhere",
)


def test_pages_are_accessible(page_as, server, findings):
    page = page_as("labeler", "/account")
    problems = []
    for path in PAGES:
        page.goto(server.address + path)
        problems += findings(page)
    assert problems == []


def test_pages_before_a_login_are_accessible(page_as, server, findings):
    with server.store.writing() as session:
        secret = access.invite(
            session,
            role="labeler",
            made_by="boss",
            now=datetime.now(UTC),
            lifetime=timedelta(hours=1),
        )
    page = page_as(None, "/login")
    problems = findings(page)
    page.goto(f"{server.address}/invite/{secret}")
    assert problems + findings(page) == []


def test_the_steps_of_a_conversation_are_accessible_blurred_and_shown(page_as, findings):
    page = page_as("labeler", "/p/attack")
    page.keyboard.type("make it rude")
    page.keyboard.press("Enter")
    page.locator("#message").wait_for(timeout=STEP)
    page.keyboard.type("Be rude")
    page.keyboard.press("Enter")
    page.locator(".verdict").wait_for(timeout=STEP)
    problems = findings(page)
    page.keyboard.press("v")
    page.keyboard.press("9")
    problems += findings(page)
    page.keyboard.press("Enter")
    page.locator("#message").wait_for(timeout=STEP)
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    assert problems + findings(page) == []


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_its_window(page_as, server, width):
    page = page_as("labeler", "/account", width=width)
    for path in PAGES:
        page.goto(server.address + path)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, path
