"""Data sets of a project, and what its numbers say about labelers."""

import pytest
from sqlalchemy import select

from accord.config import InputError
from accord.records import Conversation, Item, LabeledComparison, SingleRating, WrittenResponse
from accord.store import (
    answers,
    conversations,
    export,
    gold,
    policy_ratings,
    screening,
    statistics,
    tables,
    views,
)
from accord.store.gold import Expected


def listed(at_work, view, **given):
    return at_work.see(lambda session: list(view(session, "p1", **given)))


def test_an_edit_is_a_demonstration_and_beats_what_it_was_made_of(office, make):
    at_work = office(items=[make.item(0, size=1)], task="demonstration", priority="evaluation")
    task = at_work.next()
    at_work.submit(task, id="a1", text="Yes, gladly.", comment="too short", seconds=30)
    at_work.do(screening.grade, "a1", 6, by="mia")
    (kept,) = listed(at_work, views.written)
    assert kept == WrittenResponse(
        id="a1",
        item_id="c000",
        labeler="ann",
        prompt=task.item.prompt,
        response="Yes, gladly.",
        edited=task.item.responses[0],
        seconds=30,
        note="too short",
        project="p1",
        mode="helpful",
        priority="evaluation",
        grade=6,
    )
    (one,) = listed(at_work, views.comparisons)
    assert [r.text for r in one.comparison.responses] == ["yes 0", "Yes, gladly."]
    (vote,) = one.preferences
    assert (vote.ranks, vote.labeler, vote.project) == ((2, 1), "ann", "p1")
    assert at_work.see(statistics.progress, "p1").answered == 1  # the vote comes with it
    at_work.do(answers.undo, "a1", labeler="ann")
    assert at_work.see(statistics.progress, "p1").answered == 0
    assert listed(at_work, views.written) == listed(at_work, views.comparisons) == []


def test_an_edit_that_changes_nothing_is_no_comparison(office, make):
    at_work = office(items=[make.item(0, size=1)], task="demonstration")
    at_work.submit(at_work.next(), text="yes 0")
    assert len(listed(at_work, views.written)) == 1
    assert listed(at_work, views.comparisons) == []


def test_what_red_teamers_chose_is_turned_round_for_training(office, make):
    at_work = office(items=[make.comparison(n) for n in range(2)], mode="red_team")
    at_work.submit(at_work.next(), ranks=(1, 2))
    at_work.submit(at_work.next("bob"), "bob", ranks=(1, 1), tie="both_bad")
    found = [vote for one in listed(at_work, views.comparisons) for vote in one.preferences]
    assert [(vote.ranks, vote.polarity) for vote in found] == [
        ((2, 1), "better_first"),
        ((1, 1), "better_first"),
    ]
    asked = at_work.see(lambda session: list(export.preferences(session)))
    assert [(vote.ranks, vote.polarity) for vote in asked] == [
        ((1, 2), "harmful_first"),
        ((1, 1), "harmful_first"),
    ]
    assert at_work.see(views.left_out, "p1").inverted == 2


def test_ratings_are_kept_by_response(office, make):
    settings = {"axes": ["taste"], "flags": ["rude"]}
    at_work = office(items=[make.item(0, size=1)], task="rating", settings=settings)
    with pytest.raises(InputError, match="ranks: this task does not ask"):
        at_work.submit(at_work.next(), ranks=(1,))
    at_work.submit(at_work.next(), ratings=({"taste": 6},), flags=(("rude",),), id="a1")
    (kept,) = listed(at_work, views.ratings)
    assert isinstance(kept, SingleRating)
    assert (kept.ratings, kept.flags, kept.response.text) == ({"taste": 6}, ("rude",), "yes 0")
    assert SingleRating.model_validate_json(kept.model_dump_json(by_alias=True)) == kept


def test_a_demonstration_of_an_instruction(office):
    asked = Item(id="i1", instruction="Write a limerick.")
    at_work = office(items=[asked], task="demonstration")
    with pytest.raises(InputError, match="text: is empty"):
        at_work.submit(at_work.next(), text=" ")
    at_work.submit(at_work.next(), text="There once was a labeler from Kent")
    (kept,) = listed(at_work, views.written)
    assert kept.prompt.messages[0].content == "Write a limerick."
    assert kept.demonstration().response == "There once was a labeler from Kent"


def test_conversations_are_exported_whole(office, make):
    at_work = office(task="conversation")
    name = at_work.next().id
    at_work.do(conversations.begin, name, "tea", labeler="ann")
    said = make.comparison(0).responses
    at_work.do(conversations.offer, name, "Hello", said, labeler="ann", seed=0)
    (found,) = listed(at_work, views.conversations)
    assert isinstance(found, Conversation)
    assert (found.goal, found.finished, found.turns[0].preference) == ("tea", False, None)
    assert Conversation.model_validate_json(found.model_dump_json(by_alias=True)) == found
    assert listed(at_work, views.conversations, without=["ann"]) == []


def test_what_is_left_out_is_counted(office, make):
    settings = {"gold_share": 0.5, "repeat_share": 0.25, "repeat_after": 1, "votes_wanted": 2}
    at_work = office(items=[make.comparison(n) for n in range(12)], settings=settings)
    for n in range(50, 54):
        at_work.do(gold.add, "p1", make.comparison(n), Expected(ranks=(1, 2)), screening=False)
    done = at_work.work("ann", 12)
    at_work.work("bob", 3)
    at_work.do(answers.skip, at_work.next("bob").id, reason="", labeler="bob")
    last = at_work.see(lambda session: list(export.preferences(session)))[0]
    at_work.do(answers.withdraw, last.id, reason="spam", by="mia")
    found = at_work.see(views.left_out, "p1", without=["bob"])
    tests = sum(task.purpose == "gold" for task in done)
    repeats = sum(task.purpose == "repeat" for task in done)
    assert repeats > 0 and tests == 4
    assert (found.withdrawn, found.skips, found.reports, found.inverted) == (1, 1, 0, 0)
    assert found.repeats == repeats
    kept = listed(at_work, views.comparisons, without=["bob"])
    assert {vote.labeler for one in kept for vote in one.preferences} == {"ann"}
    everybody = listed(at_work, views.comparisons)
    both = [vote.labeler for one in everybody for vote in one.preferences]
    assert found.labelers == both.count("bob") > 0


def test_a_view_of_no_project_is_an_error(store):
    for view in (views.comparisons, views.written, views.ratings, views.conversations):
        with store.reading() as session, pytest.raises(InputError, match="no project `p9`"):
            list(view(session, "p9"))
    with store.reading() as session, pytest.raises(InputError, match="no project `p9`"):
        views.left_out(session, "p9")


def test_labeled_comparisons_may_be_of_one_project(office, make):
    first = office(items=[make.comparison(0)])
    second = office(items=[make.comparison(0)], id="p2", mode="red_team")
    first.work("ann")
    second.work("ann")
    found = first.see(lambda s: list(export.labeled(s, project="p2")))
    assert isinstance(found[0], LabeledComparison)
    assert [vote.project for vote in found[0].preferences] == ["p2"]


@pytest.fixture
def busy(office, make):
    """Twelve items: ann and bob mostly agree, cid always takes the first place."""
    names = ("ann", "bob", "cid")
    settings = {"votes_wanted": 3, "repeat_share": 0.25, "repeat_after": 1}
    at_work = office(items=[make.comparison(n) for n in range(12)], people=names, settings=settings)
    for name in names:
        for number in range(16):
            task = at_work.next(name)
            if task is None:
                break
            ranks = (1, 2)
            if name == "cid" and task.shown_order[0] == 1:
                ranks = (2, 1)
            at_work.submit(task, name, ranks=ranks, seconds=10 + number, after=number)
    return at_work


def labeler(at_work, name, after=100):
    return at_work.do(statistics.labeler, "p1", name, after=after)


def test_habits_of_labelers_are_seen(busy):
    ann, cid = labeler(busy, "ann"), labeler(busy, "cid")
    assert (ann.peers.value, ann.peers.n) == (1.0, 6)  # bob and cid say the same of six
    assert cid.peers.value == 0.5
    assert ann.first_place.value == 0.5
    assert cid.first_place.value == 1.0
    assert cid.first_place.low > 0.7
    assert (ann.consistency.value, cid.consistency.value) == (1.0, 0.0)
    assert ann.longer.value is None  # all responses are equally long
    assert ann.ties.value == 0.0
    assert ann.consistency.n == cid.consistency.n == 4
    assert ann.answered == ann.today == 16
    assert ann.last_answer is not None
    assert ann.seconds == 17.5
    assert labeler(busy, "ann", after=100_000).today == 0


def test_a_labeler_that_did_nothing_has_no_rates(office, make):
    at_work = office(items=[make.comparison(0)])
    found = labeler(at_work, "bob")
    assert (found.peers.value, found.peers.low, found.peers.high) == (None, 0.0, 1.0)
    assert (found.seconds, found.last_answer, found.state) == (None, None, "ready")


def test_the_longer_response_and_ties_and_gold_are_measured(office, make):
    def uneven(n):
        one = make.comparison(n)
        longer = one.responses[1].model_copy(update={"text": "yes, very much so"})
        return one.model_copy(update={"responses": (one.responses[0], longer)})

    at_work = office(items=[uneven(n) for n in range(6)], settings={"gold_share": 0.5})
    for n in range(50, 53):
        at_work.do(gold.add, "p1", make.comparison(n), Expected(ranks=(2, 1)), screening=False)
    for ranks in ((2, 1), (2, 1), (1, 1)):
        while at_work.submit(task := at_work.next(), ranks=ranks) and task.purpose == "gold":
            pass
    found = labeler(at_work, "ann")
    assert (found.longer.value, found.longer.n) == (1.0, 2)
    assert found.ties.value == pytest.approx(1 / 3)
    assert found.gold.n > 0


def test_raters_are_compared_with_the_median_of_the_others(office, make):
    settings = {"axes": ["taste"], "votes_wanted": 3, "repeat_share": 0.5, "repeat_after": 1}
    at_work = office(
        items=[make.item(n, size=1) for n in range(4)],
        task="rating",
        people=("ann", "bob", "cid"),
        settings=settings,
    )
    for name, level in (("ann", 6), ("bob", 5), ("cid", 1)):
        while task := at_work.next(name):
            at_work.submit(task, name, ratings=({"taste": level},))
    assert labeler(at_work, "ann").peers.value == 0.0  # the median of 5 and 1 is 3
    assert labeler(at_work, "ann").consistency.value == 1.0
    assert labeler(at_work, "cid").peers.value == 0.0
    assert at_work.do(statistics.labelers_of, "p1", after=100)[0] == labeler(at_work, "ann")


def test_how_far_a_project_is(busy):
    found = busy.see(statistics.project, "p1")
    assert (found.items, found.complete, found.wanted, found.answered) == (12, 12, 36, 36)
    assert (found.open, found.held, found.labelers) == (0, 0, 3)
    assert found.agreement.value == pytest.approx((6 * 3 + 6) / 36)
    assert found.alpha.low < found.alpha.value < found.alpha.high
    assert 0.5 < found.ceiling < 1
    assert found.of_latest == 36
    assert found.seconds is not None
    everybody = busy.do(statistics.labelers_of, "p1", after=100)
    assert everybody == [labeler(busy, name) for name in ("ann", "bob", "cid")]


def test_numbers_are_those_of_a_slow_count(any_store, make):
    """Tests, repeats, what was taken back, skipped and reported, counted event by event."""
    settings = {"gold_share": 0.3, "repeat_share": 0.3, "repeat_after": 1, "votes_wanted": 2}
    settings |= {"hold_after_reports": 9}
    at_work = make.office(
        any_store, items=[make.comparison(n) for n in range(9)], settings=settings
    )
    make.office(any_store, id="p2", items=[make.comparison(n) for n in range(9)]).work("ann", 4)
    for n in range(50, 53):
        at_work.do(gold.add, "p1", make.comparison(n), Expected(ranks=(1, 2)), screening=False)
    for name in ("ann", "bob"):
        for turn in range(12):
            task = at_work.next(name)
            if task is None:
                break
            if turn == 3:
                at_work.do(answers.skip, task.id, reason="", labeler=name)
            elif turn in (5, 8):
                at_work.do(answers.report, task.id, reason="broken", labeler=name)
            else:
                at_work.submit(task, name, id=f"{name}-{turn}")
                if turn % 3 == 0:
                    at_work.do(answers.undo, f"{name}-{turn}", labeler=name)
    rows = [row for row in at_work.events() if row.project_id == "p1"]
    taken_back = {row.id for row in rows if row.kind == "withdraw"}
    assert len(taken_back) >= 4
    assert {row.purpose for row in rows if row.kind == "vote"} == {"vote", "gold", "repeat"}

    def slowly(*kinds, purposes=("vote",)):
        return sum(
            row.kind in kinds and row.purpose in purposes and row.id not in taken_back
            for row in rows
        )

    found = at_work.see(statistics.progress, "p1")
    expected = (slowly("vote"), slowly("skip"), slowly("report"))
    assert (found.answered, found.skips, found.reports) == expected
    places = [at_work.place(f"c{n:03d}") for n in range(9)]
    assert found.complete == sum(
        place.open <= 0
        and not any(
            row.state == "leased" and row.comparison_id == place.comparison_id
            for row in leased(at_work)
        )
        for place in places
    )
    people = at_work.do(statistics.labelers_of, "p1")
    every = ("vote", "gold", "repeat")
    assert sum(one.skips for one in people) == slowly("skip", purposes=every)
    assert sum(one.reports for one in people) == slowly("report", purposes=every)


def leased(at_work):
    with at_work.store.reading() as session:
        return session.execute(
            select(tables.assignments).where(tables.assignments.c.project_id == "p1")
        ).all()


def test_what_is_said_of_careless_labelers_follows_the_ledger(busy, monkeypatch):
    """The same votes are looked at once, others anew; a vote taken back makes them others."""
    looks = []
    fitted = policy_ratings.fit_reliability
    monkeypatch.setattr(
        policy_ratings, "fit_reliability", lambda votes: looks.append(len(votes)) or fitted(votes)
    )
    first = busy.see(policy_ratings.careless, "p1")
    assert busy.see(policy_ratings.careless, "p1") == first
    assert len(looks) == 1
    last = next(row for row in reversed(busy.events("vote")) if row.purpose == "vote")
    busy.do(answers.withdraw, last.id, reason="spam", by="mia")
    busy.see(policy_ratings.careless, "p1")
    assert looks == [looks[0], looks[0] - 1]


def test_a_new_project_has_no_agreement(office, make):
    at_work = office(items=[make.comparison(0)])
    assert at_work.see(statistics.project, "p1").agreement.value is None
    at_work.next()
    waiting = at_work.see(statistics.project, "p1")
    assert (waiting.open, waiting.complete) == (0, 0)  # it is leased
    at_work.submit(at_work.next())
    found = at_work.see(statistics.project, "p1")
    assert (found.agreement.value, found.ceiling, found.complete) == (None, None, 1)


def test_numbers_are_counted_by_every_database(any_store, make):
    at_work = make.office(any_store, items=[make.comparison(n) for n in range(4)], mode="red_team")
    for name in ("ann", "bob"):
        at_work.work(name, 2)
    found = at_work.see(statistics.project, "p1")
    assert (found.items, found.complete, found.answered, found.labelers) == (4, 4, 4, 2)
    assert at_work.see(views.left_out, "p1", without=["bob"]).inverted == 2
    assert len(at_work.do(statistics.labelers_of, "p1")) == 2
    assert len(listed(at_work, views.comparisons)) == 4
    assert listed(at_work, views.written) == listed(at_work, views.ratings) == []
