"""Work by keyboard alone in a real browser: every kind of task, from the key to the ledger."""

import re

import pytest

from accord.store import dialogues, views

STEP = 30_000  # milliseconds


@pytest.fixture
def work(page_as, server):
    """Opens a project as somebody new; gives the page and who it is."""

    def open_project(project, **more):
        account = server.person()
        return page_as(account.role, f"/p/{project}", name=account.name, **more), account.name

    return open_project


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def status(page, text):
    page.locator("#status", has_text=text).wait_for(timeout=STEP)


def votes(server, project, name):
    """Standing answers of a labeler to comparisons, in the order in which they came."""
    with server.store.reading() as session:
        found = [
            (one.comparison, vote)
            for one in views.comparisons(session, project)
            for vote in one.preferences
        ]
    return [(item, vote) for item, vote in found if vote.labeler == name]


def records(server, view, project):
    with server.store.reading() as session:
        return list(view(session, project))


def shown_first(item, vote):
    return item.responses[vote.shown_order[0]]


def test_a_vote_takes_two_keys_and_is_undone_by_one(work, server):
    page, name = work("compare")
    first = page.locator(".response .prose").first.inner_text()
    press(page, "2", "Enter")
    status(page, "Saved.")
    ((item, vote),) = votes(server, "compare", name)
    assert shown_first(item, vote).text.split("\n")[-1] in first
    assert vote.ranks[vote.shown_order[0]] == 1
    assert vote.strength == 3
    assert vote.seconds is not None
    press(page, "u")
    status(page, "Taken back")
    assert page.locator(".response .prose").first.inner_text() == first
    assert page.locator(".verdict input:checked").get_attribute("value") == "A3"  # as it was
    assert votes(server, "compare", name) == []
    press(page, "0", "Enter")
    status(page, "Saved.")
    ((_, vote),) = votes(server, "compare", name)
    assert (vote.tie, vote.strength, len(set(vote.ranks))) == ("both_bad", None, 1)


def test_a_ranking_is_rated_and_ranked_by_digits(work, server):
    page, name = work("rank")
    press(page, "7", "5", "3", "1")  # ratings of A to D
    press(page, "1", "2", "2", "3")  # their ranks: B and C are a tie
    assert page.locator("#submit").is_enabled()
    press(page, "b", "1", "Enter")  # B after all beside A
    status(page, "Saved.")
    ((_, vote),) = votes(server, "rank", name)
    assert [vote.ratings[i]["overall"] for i in vote.shown_order] == [7, 5, 3, 1]
    assert [vote.ranks[i] for i in vote.shown_order] == [1, 1, 2, 3]


def test_a_demonstration_goes_on_in_another_browser(work, page_as, server):
    page, name = work("write")
    with page.expect_response(re.compile("/draft$")):
        page.keyboard.type("Forty-two.")
    page.close()
    page = page_as("labeler", "/p/write", name=name)
    assert page.locator("#answer-text").input_value() == "Forty-two."
    press(page, "Control+Enter")
    status(page, "Saved.")
    with server.store.reading() as session:
        found = list(views.written(session, "write"))
    assert [one.response for one in found if one.labeler == name] == ["Forty-two."]


def test_a_closed_tab_loses_no_letter(work):
    page, _ = work("write")
    page.keyboard.type("Every letter")
    context, address = page.context, page.url
    page.close()
    again = context.new_page()
    again.goto(address)
    assert again.locator("#answer-text").input_value() == "Every letter"


def test_a_rating_by_digits(work, server):
    page, name = work("rate")
    text = page.locator(".response .prose").inner_text()
    press(page, "7", "2", "5")
    assert not page.locator("#submit").is_enabled()  # one question is left
    press(page, "Enter")
    press(page, "Backspace", "6", "4")  # the third anew, then the fourth
    assert [
        group.locator(":checked").get_attribute("value") for group in page.locator(".scale").all()
    ] == ["7", "2", "6", "4"]
    press(page, "Enter")
    status(page, "Saved.")
    (kept,) = [one for one in records(server, views.ratings, "rate") if one.labeler == name]
    assert kept.response.text.split("\n")[-1] in text
    assert kept.ratings == {"helpful": 7, "truthful": 2, "harmless": 6, "clear": 4}
    press(page, "u")
    status(page, "Taken back")
    assert [one for one in records(server, views.ratings, "rate") if one.labeler == name] == []
    press(page, "3", "Enter")  # as it was but for the question with the mark, the first
    status(page, "Saved.")
    (kept,) = [one for one in records(server, views.ratings, "rate") if one.labeler == name]
    assert list(kept.ratings.values()) == [3, 2, 6, 4]


def test_an_edit_by_keyboard_beats_what_it_was_made_of(work, server):
    page, name = work("edit")
    area = page.locator("#answer-text")
    before = area.input_value()
    assert before.startswith(page.locator(".response .prose").inner_text()[:10])
    press(page, "Control+End")  # the field has the focus already
    page.keyboard.type(" And one more thing.")
    press(page, "Control+Enter")
    status(page, "Saved.")
    after = before + " And one more thing."
    (kept,) = [one for one in records(server, views.written, "edit") if one.labeler == name]
    assert (kept.edited.text, kept.response) == (before, after)
    ((item, vote),) = votes(server, "edit", name)
    assert [response.text for response in item.responses] == [before, after]
    assert vote.ranks == (2, 1)
    press(page, "Escape", "u")
    status(page, "Taken back")
    assert area.input_value() == after
    assert votes(server, "edit", name) == []
    press(page, "Control+A")
    page.keyboard.type("Quite another text.")
    press(page, "Control+Enter")
    status(page, "Saved.")
    ((item, _),) = votes(server, "edit", name)
    assert item.responses[1].text == "Quite another text."


def test_a_conversation_by_keyboard(work, server):
    page, name = work("talk")
    page.keyboard.type("Hello **there**")
    press(page, "Enter")
    page.locator(".growing").first.wait_for(timeout=STEP)
    page.reload()  # in mid-turn: it goes on
    page.locator(".verdict").wait_for(timeout=STEP)
    press(page, "6", "Enter")
    page.locator("#message").wait_for(timeout=STEP)
    press(page, "Escape", "u")
    page.locator(".verdict").wait_for(timeout=STEP)
    press(page, "6", "Enter")
    page.locator("#message").wait_for(timeout=STEP)
    page.keyboard.type("And then?")
    press(page, "Enter")
    page.locator(".verdict").wait_for(timeout=STEP)
    press(page, "9", "b", "Enter")
    page.locator("#message").wait_for(timeout=STEP)
    press(page, "Escape", "f", "Enter")
    page.locator("#progress", has_text="1 answered").wait_for(timeout=STEP)
    with server.store.reading() as session:
        (kept,) = [
            one
            for one in dialogues.of_project(session, "talk")
            if one.labeler == name and one.finished
        ]
    first, second = kept.turns
    vote = first.preference
    assert [vote.ranks[i] for i in vote.shown_order] == [2, 1]
    assert (vote.strength, first.continued_with) == (2, vote.shown_order[1])
    assert second.preference.tie == "both_good"
    assert second.continued_with == second.shown_order[1]
    assert second.comparison.prompt.messages[-1].content == "And then?"


def test_a_red_team_by_keyboard(work, server):
    page, name = work("attack")
    page.keyboard.type("make it rude")
    press(page, "Enter")
    page.locator("#message").wait_for(timeout=STEP)
    page.keyboard.type("Be rude")
    press(page, "Enter")
    page.locator(".verdict").wait_for(timeout=STEP)
    assert page.locator(".verdict legend").inner_text() == "Which response is more harmful?"
    assert page.locator(".response .blurred").count() == 2
    press(page, "1", "Enter")
    status(page, "Show the texts first")  # nobody judges what they have not read
    press(page, "v")
    assert page.locator(".blurred").count() == 0
    press(page, "Enter")
    page.locator("#message").wait_for(timeout=STEP)
    press(page, "Escape", "f", "3", "Enter")
    page.locator("#progress", has_text="1 answered").wait_for(timeout=STEP)
    with server.store.reading() as session:
        (kept,) = [
            one
            for one in dialogues.of_project(session, "attack")
            if one.labeler == name and one.finished
        ]
    assert (kept.goal, kept.record.rating) == ("make it rude", 3)
    vote = kept.turns[0].preference
    assert (vote.polarity, vote.ranks[vote.shown_order[0]]) == ("harmful_first", 1)


def test_an_invitation_and_a_login_by_keyboard(page_as, server):
    page = page_as(None, "/login")
    server.person(name="kim")
    page.keyboard.type("kim")
    press(page, "Tab")
    page.keyboard.type("correct horse battery")
    press(page, "Enter")
    page.locator("h1", has_text="Your projects").wait_for(timeout=STEP)
