"""Adding, voting, withdrawing, skipping; each as often as one likes."""

import pytest
from sqlalchemy import func, select

from accord.config import InputError
from accord.store import comparisons, export, tables


def events(desk, kind=None):
    with desk.store.reading() as session:
        kinds = session.scalars(select(tables.events.c.kind).order_by(tables.events.c.seq)).all()
    return [found for found in kinds if kind in (None, found)]


def standing(desk):
    with desk.store.reading() as session:
        return [preference.id for preference in export.preferences(session)]


def open_places(desk, comparison_id):
    with desk.store.reading() as session:
        statement = select(tables.queue.c.open).where(tables.queue.c.comparison_id == comparison_id)
        return session.scalars(statement).one()


def test_adding_twice_is_as_once(desk):
    assert desk.add(3) == 3
    assert desk.add(3) == 0
    assert desk.open_votes() == 6


def test_many_comparisons_are_added_in_the_order_given(desk, monkeypatch):
    monkeypatch.setattr(comparisons, "CHUNK", 4)
    assert desk.add(5, first=5) == 5
    assert desk.add(10) == 5
    with desk.store.reading() as session:
        order = session.scalars(
            select(tables.queue.c.comparison_id).order_by(tables.queue.c.position)
        ).all()
    assert order == [f"c{n:03d}" for n in [5, 6, 7, 8, 9, 0, 1, 2, 3, 4]]


def test_one_comparison_may_be_in_two_batches(desk):
    desk.add(2, batch="b1")
    assert desk.add(3, batch="b2") == 1
    with desk.store.reading() as session:
        members = session.scalar(select(func.count()).select_from(tables.members))
    assert members == 5
    assert desk.open_votes(["b1"]) == 4
    assert desk.open_votes(["b2"]) == 6


def test_more_votes_can_be_wanted_later_but_not_fewer(desk, make):
    desk.people("ann")
    desk.add(1, wanted=1)
    desk.record(make.vote("v1", "c000", "ann"))
    assert desk.open_votes() == 0
    desk.add(1, wanted=3)
    assert open_places(desk, "c000") == 2
    desk.add(1, wanted=1)
    assert open_places(desk, "c000") == 2


def test_the_same_comparison_twice_in_one_delivery(desk, make):
    with desk.store.writing() as session:
        twice = [make.comparison(0), make.comparison(0)]
        assert comparisons.add(session, twice, batch="b", votes_wanted=1) == 1


def test_another_comparison_with_the_same_id_is_refused(desk, make):
    desk.add(1)
    other = make.comparison(0, text="no")
    with pytest.raises(InputError, match="another comparison with the id `c000`"):
        with desk.store.writing() as session:
            comparisons.add(session, [other], batch="b", votes_wanted=1)


def test_at_least_one_vote_is_wanted(desk):
    with pytest.raises(InputError, match="at least 1 vote"):
        desk.add(1, wanted=0)


def test_a_vote_ends_the_lease_and_is_kept_whole(desk, make):
    desk.people("ann")
    desk.add(1, size=3)
    _, order = desk.next("ann")
    vote = make.vote(
        "v1", "c000", "ann", (2, 1, 2), shown_order=order, strength=3, seconds=4.25, note="hm"
    )
    assert desk.record(vote, guideline="g2")
    with desk.store.reading() as session:
        kept = vote.model_copy(update={"guideline": "g2"})
        assert list(export.preferences(session)) == [kept]
    assert open_places(desk, "c000") == 1


def test_sending_a_vote_twice_is_as_once(desk, make):
    desk.people("ann")
    desk.add(1)
    vote = make.vote("v1", "c000", "ann")
    assert desk.record(vote)
    assert not desk.record(vote, after=5)
    assert events(desk) == ["vote"]


def test_one_id_cannot_stand_for_two_votes(desk, make):
    desk.people("ann", "bob")
    desk.add(2)
    desk.record(make.vote("v1", "c000", "ann"))
    for other in (
        make.vote("v1", "c001", "ann"),
        make.vote("v1", "c000", "bob"),
        make.vote("v1", "c000", "ann", (2, 1)),
    ):
        with pytest.raises(InputError, match="another vote with the id `v1`"):
            desk.record(other)


def test_a_labeler_votes_once_on_a_comparison(desk, make):
    desk.people("ann")
    desk.add(1)
    desk.record(make.vote("v1", "c000", "ann"))
    with pytest.raises(InputError, match="already; withdraw that vote first"):
        desk.record(make.vote("v2", "c000", "ann"))


def test_a_vote_without_a_lease_counts(desk, make):
    desk.people("ann")
    desk.add(1)
    desk.record(make.vote("v1", "c000", "ann"))
    assert standing(desk) == ["v1"]
    assert open_places(desk, "c000") == 1


def test_work_that_comes_after_its_lease_ended_is_not_lost(desk, make):
    desk.people("ann", "bob")
    desk.add(1, wanted=1)
    desk.next("ann")
    desk.next("bob", after=100)
    desk.record(make.vote("v1", "c000", "bob"), after=101)
    desk.record(make.vote("v2", "c000", "ann"), after=102)
    assert standing(desk) == ["v1", "v2"]
    assert open_places(desk, "c000") == -1


@pytest.mark.parametrize(
    ("vote", "sentence"),
    [
        (("v1", "c999", "ann"), "no comparison `c999`"),
        (("v1", "c000", "zoe"), "no labeler `zoe`"),
        (("v1", "c000", "ann", (1, 2, 3)), "ranks 3 responses but comparison `c000` has 2"),
    ],
)
def test_a_vote_that_cannot_be_is_refused(desk, make, vote, sentence):
    desk.people("ann")
    desk.add(1)
    with pytest.raises(InputError, match=sentence):
        desk.record(make.vote(*vote))


def test_an_order_that_was_not_shown_is_refused(desk, make):
    desk.people("ann")
    desk.add(1)
    _, order = desk.next("ann")
    with pytest.raises(InputError, match="send the order that was shown"):
        desk.record(make.vote("v1", "c000", "ann", shown_order=order[::-1]))
    assert desk.record(make.vote("v1", "c000", "ann", shown_order=order))


def test_undo_is_a_new_event_and_the_vote_stays_in_the_ledger(desk, make):
    desk.people("ann")
    desk.add(1)
    desk.next("ann")
    desk.record(make.vote("v1", "c000", "ann"))
    assert desk.withdraw("v1", "ann")
    assert not desk.withdraw("v1", "ann")
    assert events(desk) == ["show", "vote", "withdraw"]
    assert standing(desk) == []
    assert open_places(desk, "c000") == 2


def test_after_an_undo_the_labeler_may_vote_again(desk, make):
    desk.people("ann")
    desk.add(1)
    desk.record(make.vote("v1", "c000", "ann"))
    desk.withdraw("v1", "ann")
    found, _ = desk.next("ann")
    assert found.id == "c000"
    assert not desk.record(make.vote("v1", "c000", "ann"))  # the same old vote, sent late
    assert desk.record(make.vote("v2", "c000", "ann", (2, 1)))
    assert standing(desk) == ["v2"]


@pytest.mark.parametrize(("identifier", "labeler"), [("v1", "bob"), ("v9", "ann")])
def test_only_ones_own_vote_can_be_withdrawn(desk, make, identifier, labeler):
    desk.people("ann", "bob")
    desk.add(1)
    desk.record(make.vote("v1", "c000", "ann"))
    with pytest.raises(InputError, match=f"`{labeler}` has no vote `{identifier}`"):
        desk.withdraw(identifier, labeler)


def test_what_is_skipped_goes_to_others_and_not_to_the_same_labeler_again(desk):
    desk.people("ann", "bob")
    desk.add(1, wanted=1)
    desk.next("ann")
    assert desk.skip("c000", "ann")
    assert not desk.skip("c000", "ann")
    assert events(desk) == ["show", "skip"]
    assert desk.next("ann") is None
    assert desk.next("bob")[0].id == "c000"


def test_who_skipped_may_still_vote_and_undo_and_skip_again(desk, make):
    desk.people("ann")
    desk.add(1)
    desk.next("ann")
    desk.skip("c000", "ann")
    desk.record(make.vote("v1", "c000", "ann"))
    assert open_places(desk, "c000") == 1
    desk.withdraw("v1", "ann")
    desk.next("ann")
    desk.skip("c000", "ann")
    assert events(desk, "skip") == ["skip", "skip"]
    assert open_places(desk, "c000") == 2


def test_only_what_is_before_a_labeler_can_be_skipped(desk):
    desk.people("ann")
    desk.add(1)
    with pytest.raises(InputError, match="only what the queue gave out can be skipped"):
        desk.skip("c000", "ann")
