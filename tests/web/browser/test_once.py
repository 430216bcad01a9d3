"""However often it is sent, an answer is one; and what others wrote does not run."""

from accord.store import views

STEP = 30_000  # milliseconds


def count(server, name):
    with server.store.reading() as session:
        return sum(
            vote.labeler == name
            for one in views.comparisons(session, "compare")
            for vote in one.preferences
        )


def saved(page):
    page.locator("#status", has_text="Saved.").wait_for(timeout=STEP)


def test_a_double_click_is_one_vote(page_as, server):
    name = server.person().name
    page = page_as("labeler", "/p/compare", name=name)
    page.keyboard.press("1")
    page.locator("#submit").dblclick()
    saved(page)
    assert count(server, name) == 1
    assert page.locator("#progress").inner_text().startswith("1 answered")


def test_a_lost_reply_is_one_vote(page_as, server):
    name = server.person().name
    page = page_as("labeler", "/p/compare", name=name)
    lost = []

    def lose_the_first(route):
        if lost:
            route.continue_()
            return
        lost.append(route.fetch())  # the server has it; the browser never hears of it
        route.abort()

    page.route("**/answer", lose_the_first)
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    saved(page)
    assert len(lost) == 1
    assert lost[0].ok
    assert count(server, name) == 1


def test_a_second_tab_is_one_vote(page_as, server):
    name = server.person().name
    first = page_as("labeler", "/p/compare", name=name)
    second = page_as("labeler", "/p/compare", name=name)
    first.keyboard.press("1")
    first.keyboard.press("Enter")
    saved(first)
    second.keyboard.press("8")
    second.keyboard.press("Enter")
    second.locator("#status", has_text="answered in another window").wait_for(timeout=STEP)
    assert count(server, name) == 1
    second.keyboard.press("8")
    second.keyboard.press("Enter")
    saved(second)
    assert count(server, name) == 2


def test_what_others_wrote_does_not_run(page_as, server):
    name = server.person().name
    asked = []
    page = page_as("labeler", "/p/rate", name=name)
    page.context.on("request", lambda request: asked.append(request.url))
    for path in ("/", "/p/rate", "/p/compare", "/p/rate/progress", "/p/rate/guideline"):
        page.goto(server.address + path)
        assert "broken" not in page.title().replace("document.title='broken in'", "")
        assert page.locator("main script:not([type='application/json'])").count() == 0
        assert page.locator("main img").count() == 0
        assert page.locator("a[href^='javascript']").count() == 0
    seen = set()
    page.goto(server.address + "/p/compare")
    for number in range(6):
        page.locator(".verdict").wait_for(timeout=STEP)
        before = page.locator("#work").inner_text()
        seen.add(before)
        assert page.evaluate("document.title") == "To compare – Accord"
        page.keyboard.press("1")
        page.keyboard.press("Enter")
        page.locator("#progress", has_text=f"{number + 1} answered").wait_for(timeout=STEP)
        page.wait_for_function(  # keys before the next task is there belong to none
            "before => document.querySelector('#work')?.innerText !== before",
            arg=before,
            timeout=STEP,
        )
    assert any("<script>" in text for text in seen)  # it was there, as text
    assert any("javascript:document" in text for text in seen)
    assert all(url.startswith(server.address) for url in asked)  # nothing from elsewhere
