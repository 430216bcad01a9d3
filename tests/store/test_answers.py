"""Answers through tasks: each as often as one likes, none twice, none lost."""

import pytest

from accord.config import InputError
from accord.records import Answer
from accord.store import answers, drafts, export, guidelines, labelers, places, projects
from accord.store.leases import AlreadyAnswered, NotYours


def pairs(make, number=3, size=2):
    return [make.comparison(n, size=size) for n in range(number)]


def standing(office):
    return [p.id for p in office.see(export.preferences)]


def test_an_answer_is_kept_whole(office, make):
    at_work = office(
        items=pairs(make, 1, size=3),
        task="ranking",
        mode="red_team",
        priority="evaluation",
        settings={"axes": ["quality"], "flags": ["rude", "wrong"]},
    )
    digest = at_work.do(guidelines.publish, "low", "Be kind.")
    changed = at_work.spec.model_copy(update={"guideline": digest})
    at_work.do(projects.change, changed)
    task = at_work.next(seed=7)
    assert (task.kind, task.guideline, task.purpose, task.draft) == (
        "ranking",
        digest,
        "vote",
        None,
    )
    given = {
        "ranks": (2, 1, 2),
        "strength": 3,
        "ratings": ({"quality": 7}, {"quality": 1}, {}),
        "flags": (("wrong", "rude"), (), ()),
        "comment": "hm",
        "seconds": 12.5,
    }
    receipt = at_work.submit(task, id="a1", **given)
    assert receipt.recorded and receipt.counts
    (kept,) = at_work.see(export.preferences)
    assert kept.model_dump(exclude={"schema_"}) == {
        "id": "a1",
        "comparison_id": "c000",
        "labeler": "ann",
        "ranks": (2, 1, 2),
        "shown_order": task.shown_order,
        "strength": 3,
        "seconds": 12.5,
        "note": "hm",
        "ratings": ({"quality": 7}, {"quality": 1}, {}),
        "flags": (("rude", "wrong"), (), ()),
        "order_seed": 7,
        "guideline": digest,
        "project": "p1",
        "mode": "red_team",
        "priority": "evaluation",
        "polarity": "harmful_first",
    }
    assert kept.better_first().ranks == (1, 2, 1)
    (event,) = at_work.events("vote")
    assert event.body["version"] == 2
    assert event.body["task"] == task.id
    (show,) = at_work.events("show")
    assert (show.id, show.shown_order) == (task.id, list(task.shown_order))


@pytest.mark.parametrize("tie", ["both_good", "both_bad"])
def test_ties_keep_their_kind(office, make, tie):
    at_work = office(items=pairs(make))
    at_work.submit(at_work.next(), ranks=(1, 1), tie=tie)
    assert [p.tie for p in at_work.see(export.preferences)] == [tie]


def test_the_same_answer_again_is_the_same_answer(office, make):
    at_work = office(items=pairs(make))
    task = at_work.next()
    first = at_work.submit(task, id="a1")
    again = at_work.submit(task, id="a1", after=500)
    assert (first.recorded, again.recorded, first.seq == again.seq) == (True, False, True)
    assert len(at_work.events("vote")) == 1


def test_a_lost_reply_is_found_again_after_the_settings_changed(office, make):
    at_work = office(items=pairs(make))
    task = at_work.next()
    at_work.submit(task, id="a1", strength=4)
    stricter = at_work.spec.settings.model_copy(update={"strength_steps": 2})
    at_work.do(projects.change, at_work.spec.model_copy(update={"settings": stricter}))
    assert not at_work.submit(task, id="a1", strength=4).recorded


def test_a_second_tab_does_not_make_a_second_vote(office, make):
    at_work = office(items=pairs(make))
    task = at_work.next()
    assert at_work.next() == task
    at_work.submit(task, id="a1")
    with pytest.raises(AlreadyAnswered, match="answered already") as caught:
        at_work.submit(task, id="a2")
    assert caught.value.answer_id == "a1"
    assert standing(at_work) == ["a1"]


def test_one_id_cannot_stand_for_two_answers(office, make):
    at_work = office(items=pairs(make))
    one = at_work.next()
    at_work.submit(one, id="a1")
    two = at_work.next()
    with pytest.raises(InputError, match="another answer with the id `a1`"):
        at_work.submit(two, id="a1")
    with pytest.raises(InputError, match="another answer with the id `a1`"):
        at_work.submit(one, id="a1", ranks=(2, 1))


@pytest.mark.parametrize("act", ["submit", "skip", "report", "save"])
def test_nobody_can_use_the_task_of_another(office, make, act):
    at_work = office(items=pairs(make))
    task = at_work.next()
    doing = {
        "submit": lambda: at_work.submit(task, "bob"),
        "skip": lambda: at_work.do(answers.skip, task.id, reason="", labeler="bob"),
        "report": lambda: at_work.do(answers.report, task.id, reason="bad", labeler="bob"),
        "save": lambda: at_work.do(drafts.save, task.id, "x", labeler="bob"),
    }
    with pytest.raises(NotYours, match="is not before this labeler"):
        doing[act]()


def test_undo_brings_the_same_item_in_the_same_order(office, make):
    at_work = office(items=pairs(make))
    task = at_work.next()
    at_work.submit(task, id="a1")
    following = at_work.next()
    again = at_work.do(answers.undo, "a1", labeler="ann", after=10)
    assert (again.id, again.item, again.shown_order) == (task.id, task.item, task.shown_order)
    assert at_work.do(answers.undo, "a1", labeler="ann", after=10).id == task.id  # sent twice
    assert at_work.open(task.item.id) == 0
    assert standing(at_work) == []
    assert not at_work.submit(task, id="a1").counts  # the old one, sent late
    at_work.submit(again, id="a2", ranks=(2, 1))
    assert standing(at_work) == ["a2"]
    assert at_work.next() == following
    assert [e.kind for e in at_work.events()] == ["show", "vote", "show", "withdraw", "vote"]
    with pytest.raises(AlreadyAnswered):
        at_work.do(answers.undo, "a1", labeler="ann")


def test_only_own_answers_can_be_undone(office, make):
    at_work = office(items=pairs(make))
    at_work.submit(at_work.next(), id="a1")
    for answer_id, labeler in (("a1", "bob"), ("a9", "ann")):
        with pytest.raises(NotYours):
            at_work.do(answers.undo, answer_id, labeler=labeler)


def test_after_an_undo_the_task_may_be_skipped_or_left(office, make):
    at_work = office(items=pairs(make, 1))
    task = at_work.next()
    at_work.submit(task, id="a1")
    at_work.do(answers.undo, "a1", labeler="ann")
    assert at_work.do(answers.skip, task.id, reason="unsure", labeler="ann")
    assert at_work.open("c000") == 1
    again = at_work.do(answers.undo, "a1", labeler="ann")  # and taken up again
    assert again.id == task.id
    assert at_work.open("c000") == 0
    assert at_work.next("bob", after=9999) is not None  # the lease ended


def test_a_manager_takes_an_answer_out_for_good(office, make):
    at_work = office(items=pairs(make, 1))
    task = at_work.next()
    at_work.submit(task, id="a1")
    assert at_work.do(answers.withdraw, "a1", reason="spam", by="mia")
    assert not at_work.do(answers.withdraw, "a1", reason="spam", by="mia")
    (event,) = at_work.events("withdraw")
    assert (event.note, event.body) == ("spam", {"by": "mia"})
    assert at_work.open("c000") == 1
    with pytest.raises(NotYours):
        at_work.do(answers.withdraw, "a9", reason="spam", by="mia")


def test_what_is_skipped_goes_to_others(office, make):
    at_work = office(items=pairs(make, 1))
    task = at_work.next()
    assert at_work.do(answers.skip, task.id, reason="not my field", labeler="ann")
    assert not at_work.do(answers.skip, task.id, reason="not my field", labeler="ann")
    assert at_work.next() is None
    assert at_work.next("bob").item.id == "c000"
    (event,) = at_work.events("skip")
    assert (event.note, event.body["task"]) == ("not my field", task.id)


def test_what_was_answered_cannot_be_skipped(office, make):
    at_work = office(items=pairs(make, 1))
    task = at_work.next()
    at_work.submit(task)
    with pytest.raises(AlreadyAnswered):
        at_work.do(answers.skip, task.id, reason="", labeler="ann")


def test_a_report_goes_to_others_until_too_many_report(office, make):
    at_work = office(items=pairs(make, 1), people=("ann", "bob", "cid"))
    with pytest.raises(InputError, match="reason: is empty"):
        at_work.do(answers.report, at_work.next().id, reason=" ", labeler="ann")
    for name in ("ann", "bob"):
        task = at_work.next(name)
        assert at_work.do(answers.report, task.id, reason="a phone number", labeler=name)
        assert not at_work.do(answers.report, task.id, reason="again", labeler=name)
    assert at_work.next("cid") is None
    at_work.do(places.hold, "p1", "c000", held=False)
    assert at_work.next("cid").item.id == "c000"


def test_work_that_comes_after_its_lease_ended_is_not_lost(office, make):
    at_work = office(items=pairs(make, 1), settings={"lease_seconds": 60})
    task = at_work.next()
    other = at_work.next("bob", after=61)
    at_work.submit(other, "bob", id="b1", after=62)
    at_work.submit(task, id="a1", after=63)
    assert standing(at_work) == ["b1", "a1"]
    assert at_work.open("c000") == -1


def test_a_late_answer_ends_the_newer_task_on_the_same_item(office, make):
    at_work = office(items=pairs(make, 1), settings={"lease_seconds": 60})
    old = at_work.next()
    new = at_work.next(after=61)
    assert old.id != new.id and old.item == new.item
    at_work.submit(old, id="a1", after=62)
    assert at_work.open("c000") == 0
    with pytest.raises(AlreadyAnswered):
        at_work.submit(new, id="a2", after=63)
    assert standing(at_work) == ["a1"]


def test_a_paused_labeler_gets_nothing_but_may_send_what_it_has(office, make):
    at_work = office(items=pairs(make))
    task = at_work.next()
    assert at_work.do(labelers.pause, "ann", reason="gold 40%", by="mia")
    assert not at_work.do(labelers.pause, "ann", reason="gold 40%", by="mia")
    assert (at_work.next(), at_work.why()) == (None, "paused")
    at_work.submit(task)
    assert at_work.do(labelers.resume, "ann", reason="trained", by="mia")
    assert at_work.do(labelers.pause, "ann", reason="again", by="mia")
    assert at_work.do(labelers.resume, "ann", reason="fine", by="mia")
    assert at_work.next() is not None
    said = [
        (e.kind, e.note, e.body["by"]) for e in at_work.events() if e.kind in ("pause", "resume")
    ]
    assert said == [
        ("pause", "gold 40%", "mia"),
        ("resume", "trained", "mia"),
        ("pause", "again", "mia"),
        ("resume", "fine", "mia"),
    ]


def test_a_closed_project_gives_out_nothing_more(office, make):
    at_work = office(items=pairs(make))
    task = at_work.next()
    at_work.do(projects.change, at_work.spec.model_copy(update={"closed": True}))
    assert (at_work.next("bob"), at_work.why("bob")) == (None, "closed")
    assert at_work.next().id == task.id
    assert at_work.submit(task).recorded


def test_who_is_done_is_told_so_until_a_place_opens(office, make):
    at_work = office(items=pairs(make, 2))
    done = at_work.work("ann", 5)
    assert (len(done), at_work.next(after=10), at_work.why(after=10)) == (2, None, "done")
    assert at_work.next(after=1000) is None
    at_work.do(projects.add_items, "p1", [make.comparison(7)], after=2000)
    assert at_work.next(after=2001).item.id == "c007"


def test_a_daily_cap_counts_by_day(office, make):
    at_work = office(items=pairs(make, 9), settings={"care": {"daily_cap": 2}})
    assert len(at_work.work("ann", 5)) == 2
    assert at_work.why() == "daily_cap"
    assert len(at_work.work("ann", 5, after=86_400)) == 2


def test_drafts_come_back_and_go_with_the_answer(office, make):
    at_work = office(items=pairs(make), settings={"lease_seconds": 60})
    task = at_work.next()
    assert at_work.see(drafts.load, task.id, labeler="ann") is None
    assert at_work.do(drafts.save, task.id, "half a", labeler="ann", after=50)
    assert at_work.do(drafts.save, task.id, "half a thought", labeler="ann", after=50)
    assert at_work.next(after=100).draft == "half a thought"  # and the lease was renewed
    assert at_work.see(drafts.load, task.id, labeler="ann") == "half a thought"
    assert at_work.see(drafts.load, task.id, labeler="bob") is None
    at_work.submit(task)
    assert at_work.see(drafts.load, task.id, labeler="ann") is None
    assert not at_work.do(drafts.save, task.id, "late", labeler="ann")


def test_a_draft_may_not_be_endless(office, make):
    at_work = office(items=pairs(make))
    with pytest.raises(InputError, match="keep it under"):
        at_work.do(drafts.save, at_work.next().id, "x" * 400_001, labeler="ann")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"ranks": ()}, "ranks: 0 given for 2 responses"),
        ({"ranks": (1, 2, 3)}, "ranks: 3 given for 2"),
        ({"ranks": (1, 3)}, "ranks: 3 is more than the 2"),
        ({"text": "x"}, "text: this task does not ask"),
        ({"ranks": (1, 1), "strength": 1}, "strength: `1`; none for a tie"),
        ({"strength": 3}, "strength: `3`; at most 2"),
        ({"comment": "x" * 20_001}, "comment: 20001 characters"),
        ({"flags": (("rude",),)}, "flags: 1 entries for 2"),
        ({"flags": (("mad",), ())}, "flags.0: this project has no `mad`"),
        ({"ratings": ({"taste": 1}, {})}, "ratings.0: this project has no `taste`"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(office, make, given, sentence):
    at_work = office(items=pairs(make), settings={"flags": ["rude"], "strength_steps": 2})
    with pytest.raises(InputError, match=sentence):
        at_work.submit(at_work.next(), **given)
    assert at_work.events("vote") == []


def test_rules_of_a_project_hold(office, make):
    settings = {"ties": False, "require_ratings": True, "axes": ["quality"]}
    at_work = office(items=pairs(make, 1, size=3), task="ranking", settings=settings)
    task = at_work.next()
    with pytest.raises(InputError, match="ties are not asked for"):
        at_work.submit(task, ranks=(1, 1, 2))
    with pytest.raises(InputError, match=r"ratings.1: `quality` is missing"):
        at_work.submit(task, ratings=({"quality": 1}, {}, {}))


def test_answers_are_checked_by_their_own_form():
    with pytest.raises(ValueError, match="all are equal, but the ranks differ"):
        Answer(id="a", ranks=(1, 2), tie="both_bad")
    with pytest.raises(ValueError, match="less than or equal to 7"):
        Answer(id="a", ratings=({"quality": 8},))
