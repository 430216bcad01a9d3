"""Every page of labelers, in both themes, before axe: nothing serious and nothing critical."""

import pytest

BAD = ("serious", "critical")
PAGES = (
    "/",
    "/account",
    "/p/compare",
    "/p/rank",
    "/p/write",
    "/p/edit",
    "/p/rate",
    "/p/compare/guideline",
    "/p/compare/progress",
    "/p/attack/consent",
    "/nowhere",
)


def findings(page):
    """What axe finds serious or critical, as lines to read."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is missing")
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {node['target']} {node['html'][:120]}"
        for one in found
        if one["impact"] in BAD
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_accessible(page_as, server, theme):
    page = page_as("labeler", "/login", theme=theme)
    problems = {}
    for path in PAGES:
        page.goto(server.address + path)
        problems[path] = findings(page)
    assert not {path: found for path, found in problems.items() if found}
