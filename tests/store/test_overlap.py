"""How many labelers are asked about an item, once everybody has worked until nothing was left."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.records import Answer
from accord.store import export
from accord.store.adaptive import disagree

PEOPLE = ("ann", "bob", "cid", "dan", "eva")


def worked_off(at_work, ranks_of=lambda name, item_id: (1, 2)):
    """Everybody in turn answers until nobody is given anything; votes by item, in their order."""
    given_out = True
    while given_out:
        given_out = False
        for name in at_work.names:
            task = at_work.next(name)
            if task is not None:
                given_out = True
                at_work.submit(task, name, ranks=ranks_of(name, task.item.id))
    found = defaultdict(list)
    with at_work.store.reading() as session:
        for vote in export.preferences(session):
            found[vote.comparison_id].append(vote)
    return found


@pytest.fixture
def crew(office, make):
    def set_up(number, people=PEOPLE, **given):
        at_work = office(
            people=people, items=[make.comparison(n) for n in range(number)], settings=given
        )
        at_work.names = people
        return at_work

    return set_up


@pytest.mark.parametrize("wanted", [1, 2, 4])
def test_every_item_has_the_votes_of_so_many_different_labelers(crew, wanted):
    votes = worked_off(crew(10, votes_wanted=wanted))
    assert len(votes) == 10
    for of_item in votes.values():
        assert len(of_item) == len({vote.labeler for vote in of_item}) == wanted


def test_items_of_the_overlap_pool_have_more(crew):
    at_work = crew(20, votes_wanted=1, overlap={"share": 0.25, "votes": 4})
    votes = worked_off(at_work)
    pool = {name for name in votes if at_work.place(name).pool}
    assert len(pool) == 5
    for name, of_item in votes.items():
        people = {vote.labeler for vote in of_item}
        assert len(of_item) == len(people) == (4 if name in pool else 1)


def test_who_is_alone_cannot_fill_an_overlap(crew):
    at_work = crew(6, people=("ann",), votes_wanted=3)
    votes = worked_off(at_work)
    assert Counter(map(len, votes.values())) == {1: 6}
    assert [at_work.open(name) for name in votes] == [2] * 6


def test_adaptive_overlap_asks_until_one_answer_leads_and_no_further(crew):
    """The five people's answers are planted item by item; who is asked is the queue's affair."""
    planted = {
        "c000": "aaaaa",  # all agree: two votes
        "c001": "ababa",  # hardly ever a lead of two: up to the most
        "c002": "abaaa",  # 1:1, 2:1, then 3:1
    }
    at_work = crew(3, votes_wanted=2, adaptive={"max_votes": 5, "lead": 2})
    turn = Counter()

    def ranks_of(_name, item_id):
        turn[item_id] += 1
        return (1, 2) if planted[item_id][turn[item_id] - 1] == "a" else (2, 1)

    votes = worked_off(at_work, ranks_of)
    assert {name: len(of_item) for name, of_item in votes.items()} == {
        "c000": 2,
        "c001": 5,
        "c002": 4,
    }


class Said:
    def __init__(self, ranks):
        self.kind, self.ranks, self.body = "vote", Answer(id="a", ranks=ranks).ranks, {}


@settings(max_examples=50, deadline=None)
@given(
    said=st.lists(st.sampled_from([(1, 2), (2, 1), (1, 1)]), min_size=1, max_size=9),
    lead=st.integers(1, 3),
)
def test_people_disagree_as_long_as_no_answer_leads(said, lead):
    counts = sorted(Counter(said).values())
    expected = len(counts) > 1 and counts[-1] - counts[-2] < lead
    assert disagree([Said(ranks) for ranks in said], lead=lead) == expected
