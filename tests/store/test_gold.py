"""Items of which the answer is known: hidden in the stream, and in the entry test."""

import pytest

from accord.config import InputError
from accord.records import Answer
from accord.store import answers, export, gold, screening, standings
from accord.store.gold import Expected
from accord.store.labelers import get
from accord.store.leases import NotYours


def add_gold(at_work, item, screening=False, **known):
    known = known or {"ranks": (1, 2)}
    at_work.do(gold.add, "p1", item, Expected(**known), screening=screening, by="mia")


def state(at_work, name="ann"):
    def look(session):
        return standings.find(session, at_work.spec, get(session, name)).state

    return at_work.see(look)


def items_of(make, number, first=0, size=2):
    return [make.comparison(n, size=size) for n in range(first, first + number)]


def test_gold_is_mixed_in_and_kept_apart(office, make):
    at_work = office(items=items_of(make, 20), settings={"gold_share": 0.25})
    for item in items_of(make, 9, first=50):
        add_gold(at_work, item, ranks=(2, 1))
    tasks = at_work.work("ann", 20, ranks=(1, 2))
    hidden = [task for task in tasks if task.purpose == "gold"]
    assert 4 <= len(hidden) <= 6
    assert len({task.item.id for task in hidden}) == len(hidden)
    kept = {e.comparison_id: e for e in at_work.events("vote")}
    assert {kept[task.item.id].gold for task in hidden} == {0.0}
    assert {kept[task.item.id].purpose for task in hidden} == {"gold"}
    assert len(at_work.see(lambda s: list(export.preferences(s)))) == 20 - len(hidden)
    assert kept[hidden[0].item.id].body["gold"] == {
        "ranks": [0, 1],
        "flags": [0, 0],
        "ratings": [0, 0],
    }


def test_an_item_that_becomes_gold_leaves_the_queue(office, make):
    at_work = office(items=items_of(make, 2))
    add_gold(at_work, make.comparison(0))
    assert [task.item.id for task in at_work.work("ann", 5)] == ["c001"]
    assert [g.item_id for g in at_work.see(gold.list_, "p1")] == ["c000"]
    add_gold(at_work, make.comparison(0), ranks=(2, 1))  # corrected
    (known,) = at_work.see(gold.list_, "p1")
    assert known.expected.ranks == (2, 1)
    assert at_work.do(gold.remove, "p1", "c000", by="mia")
    assert not at_work.do(gold.remove, "p1", "c000", by="mia")
    said = [event.body["expected"] for event in at_work.events("gold")]
    assert [one and one["ranks"] for one in said] == [[1, 2], [2, 1], None]


@pytest.mark.parametrize(
    ("known", "given", "share"),
    [
        ({"ranks": (1, 2)}, {"ranks": (1, 2)}, 1.0),
        ({"ranks": (1, 2)}, {"ranks": (1, 1)}, 0.0),
        ({"ranks": (1, 2, 3)}, {"ranks": (1, 3, 2)}, 2 / 3),
        ({"ranks": (1, 2, 2)}, {"ranks": (1, 3, 2)}, 1.0),
        ({"flags": ({"rude": True}, {"rude": False})}, {"flags": (("rude",), ("rude",))}, 0.5),
        ({"flags": ({"rude": False}, {})}, {}, 1.0),
        ({"ratings": ({"taste": 5}, {"taste": 2})}, {"ratings": ({"taste": 6}, {})}, 0.5),
        ({"grade": True}, {}, None),
    ],
)
def test_what_is_right(known, given, share):
    found = gold.compare(Expected(**known), Answer(id="a", **given)).share
    assert found == (None if share is None else pytest.approx(share))


@pytest.mark.parametrize(
    ("known", "sentence"),
    [
        ({"ranks": (1, 2, 3)}, "ranks of 3 responses are known, it has 2"),
        ({"ranks": (1, 1)}, "nothing is known about it"),
        ({"flags": ({"mad": True}, {})}, "has no flag `mad`"),
        ({"ratings": ({"taste": 1}, {})}, "has no rating `taste`"),
    ],
)
def test_gold_that_does_not_fit_is_refused(office, make, known, sentence):
    at_work = office()
    with pytest.raises(InputError, match=sentence):
        add_gold(at_work, make.comparison(0), **known)
    assert at_work.see(gold.list_, "p1") == []


@pytest.fixture
def test_of(office, make):
    """A project with an entry test of some items and real ones after it."""

    def build(number=4, **more):
        cut_offs = {"screening": {"items": number}}
        at_work = office(items=items_of(make, 3), settings=cut_offs | more)
        for item in items_of(make, number, first=50):
            add_gold(at_work, item, screening=True)
        return at_work

    return build


@pytest.mark.parametrize(
    ("right", "outcome"), [(4, "ready"), (3, "ready"), (2, "failed"), (0, "failed")]
)
def test_the_entry_test_comes_first_and_lets_in_who_passes(test_of, right, outcome):
    at_work = test_of()
    for n in range(4):
        task = at_work.next()
        assert task.purpose == "screening"
        assert state(at_work) == "screening"
        at_work.submit(task, ranks=(1, 2) if n < right else (2, 1))
    assert state(at_work) == outcome
    (event,) = at_work.events("screened")
    assert event.body["admitted"] == (outcome == "ready")
    assert event.body["ranking_share"] == right / 4
    following = at_work.next()
    if outcome == "ready":
        assert following.purpose == "vote"
    else:
        assert (following, at_work.why()) == (None, "failed")
    assert at_work.see(lambda s: list(export.preferences(s))) == []


def test_what_is_known_is_explained_once_the_test_is_over(office, make):
    at_work = office(items=items_of(make, 2), settings={"screening": {"items": 3}})
    for n, why in enumerate(("The first answers.", "", "The first is true.")):
        add_gold(at_work, make.comparison(50 + n), screening=True, ranks=(1, 2), explanation=why)
    add_gold(at_work, make.comparison(60), ranks=(1, 2), explanation="hidden")

    def told(name="ann"):
        return at_work.see(
            lambda s: [
                (one.item.id, one.right, one.explanation)
                for one in screening.explained(s, at_work.spec, get(s, name))
            ]
        )

    at_work.work("ann", 2, ranks=(1, 2))
    assert told() == []  # not before its end
    at_work.submit(at_work.next(), ranks=(2, 1))
    assert told() == [("c050", 1.0, "The first answers."), ("c052", 0.0, "The first is true.")]
    assert told("bob") == []


def test_cut_offs_are_soft(test_of):
    at_work = test_of()
    at_work.work("ann", 4, ranks=(2, 1))
    decision = {"admitted": True, "reason": "a good talk", "by": "mia"}
    at_work.do(screening.decide, "p1", "ann", **decision)
    assert at_work.next().purpose == "vote"
    assert [e.note for e in at_work.events("screened")] == ["", "a good talk"]
    at_work.do(screening.decide, "p1", "ann", admitted=False, reason="after all not", by="mia")
    assert (at_work.next("ann") is not None, state(at_work)) == (True, "failed")  # what it holds


def test_flags_have_their_own_cut_off(office, make):
    settings = {"flags": ["rude"], "screening": {"items": 1}}
    at_work = office(items=items_of(make, 1), settings=settings)
    flags = ({"rude": True}, {"rude": False})
    add_gold(at_work, make.comparison(50), screening=True, ranks=(1, 2), flags=flags)
    at_work.submit(at_work.next(), ranks=(1, 2), flags=((), ()))
    found = at_work.see(screening.result, "p1", "ann")
    assert (found.ranking_share, found.flags_share) == (1.0, 0.5)
    assert state(at_work) == "failed"


def test_the_test_is_not_skipped_and_not_changed_afterwards(test_of):
    at_work = test_of(2)
    task = at_work.next()
    with pytest.raises(InputError, match="cannot be skipped"):
        at_work.do(answers.skip, task.id, reason="hard", labeler="ann")
    at_work.submit(task, id="a1", ranks=(2, 1))
    at_work.do(answers.undo, "a1", labeler="ann")  # before its end it may be
    at_work.submit(task, id="a2")
    at_work.work("ann", 1)
    assert state(at_work) == "ready"
    with pytest.raises(InputError, match="the entry test is over"):
        at_work.do(answers.undo, "a2", labeler="ann")


def test_a_test_with_too_few_items_waits_for_the_manager(office, make):
    at_work = office(items=items_of(make, 1), settings={"screening": {"items": 2}})
    add_gold(at_work, make.comparison(50), screening=True)
    at_work.work("ann", 1)
    assert at_work.next() is None
    add_gold(at_work, make.comparison(51), screening=True)
    assert at_work.work("ann", 9)[-1].purpose == "vote"


def written_test(office, make):
    settings = {"screening": {"items": 2}}
    at_work = office(items=[make.item(0)], task="demonstration", settings=settings)
    for n in (50, 51):
        add_gold(at_work, make.item(n), screening=True, grade=True)
    for n in range(2):
        at_work.submit(at_work.next(), id=f"a{n}", text="A fine day to you.")
    return at_work


@pytest.mark.parametrize(("second", "outcome"), [(7, "ready"), (6, "failed")])
def test_what_is_written_in_the_test_is_graded(office, make, second, outcome):
    at_work = written_test(office, make)
    assert (at_work.next(), at_work.why(), state(at_work)) == (None, "waiting", "waiting")
    assert at_work.do(screening.grade, "a0", 5, by="mia")
    assert not at_work.do(screening.grade, "a0", 5, by="mia")
    assert state(at_work) == "waiting"
    at_work.do(screening.grade, "a1", second, by="mia")
    assert state(at_work) == outcome
    assert at_work.see(screening.result, "p1", "ann").grade == (5 + second) / 2


def test_a_grade_is_of_a_written_response_and_on_the_scale(office, make):
    at_work = written_test(office, make)
    with pytest.raises(InputError, match="from 1 to 7, not `8`"):
        at_work.do(screening.grade, "a0", 8, by="mia")
    with pytest.raises(NotYours):
        at_work.do(screening.grade, "a9", 6, by="mia")
