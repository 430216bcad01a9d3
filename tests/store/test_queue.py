"""What a labeler sees next: order, leases, balance."""

from collections import Counter
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from accord.store import choice, tables
from accord.store.queue import shown_order


def asked(desk, labeler, **more):
    found = desk.next(labeler, **more)
    return found and found[0].id


def test_comparisons_come_in_the_order_of_publishing(desk, make):
    desk.people("ann")
    desk.add(3)
    seen = []
    while identifier := asked(desk, "ann"):
        seen.append(identifier)
        desk.record(make.vote(f"v{len(seen)}", identifier, "ann"))
    assert seen == ["c000", "c001", "c002"]


def test_the_nearest_to_completion_comes_first(desk, make):
    desk.people("ann", "bob")
    desk.add(3)
    desk.record(make.vote("v1", "c002", "ann"))
    assert asked(desk, "bob") == "c002"


def test_nobody_is_asked_twice_and_nothing_more_than_wanted(desk, make):
    people = ["ann", "bob", "cat", "dan", "eve"]
    desk.people(*people)
    desk.add(4, wanted=3)
    given_to = []
    for turn in range(100):
        labeler = people[turn % len(people)]
        if identifier := asked(desk, labeler):
            given_to.append((identifier, labeler))
            desk.record(make.vote(f"v{turn}", identifier, labeler))
    assert len(set(given_to)) == len(given_to) == 12
    assert set(Counter(identifier for identifier, _ in given_to).values()) == {3}
    assert desk.open_votes() == 0


def test_asking_again_gives_the_same_comparison_in_the_same_order(desk):
    desk.people("ann")
    desk.add(5, size=4)
    first = desk.next("ann")
    assert desk.next("ann", after=59) == first
    with desk.store.reading() as session:
        shows = session.scalars(select(tables.events.c.kind)).all()
    assert shows == ["show"]


def test_a_leased_place_is_taken_and_comes_back_when_the_lease_ends(desk):
    desk.people("ann", "bob")
    desk.add(1, wanted=1)
    assert asked(desk, "ann") == "c000"
    assert asked(desk, "bob", after=59) is None
    assert asked(desk, "bob", after=60) == "c000"
    assert asked(desk, "ann", after=61) is None


def test_the_comparison_of_an_ended_lease_may_come_to_the_same_labeler_again(desk):
    desk.people("ann")
    desk.add(1, wanted=1)
    assert asked(desk, "ann") == asked(desk, "ann", after=100) == "c000"


def test_only_the_batches_that_were_asked_for(desk):
    desk.people("ann", "bob")
    desk.add(2, batch="b1")
    desk.add(2, batch="b2", first=2)
    assert asked(desk, "ann", batches=["b2"]) == "c002"
    assert asked(desk, "ann", batches=["b1"]) == "c000"  # the lease of another batch is kept aside
    assert asked(desk, "bob", batches=["b3"]) is None
    assert asked(desk, "bob", batches=["b2", "b1"]) in {"c000", "c002"}
    assert desk.open_votes(["b2"]) == 3
    assert desk.open_votes() == 5


def test_who_had_the_whole_window_gets_an_untouched_comparison(desk, make, monkeypatch):
    monkeypatch.setattr(choice, "WINDOW", 2)
    choice._nearly_complete.cache_clear()
    desk.people("ann")
    desk.add(6)
    seen = []
    while identifier := asked(desk, "ann"):
        seen.append(identifier)
        desk.record(make.vote(f"v{len(seen)}", identifier, "ann"))
    choice._nearly_complete.cache_clear()
    assert seen == [f"c{n:03d}" for n in range(6)]


def test_a_place_that_was_taken_a_moment_ago_is_not_given_out(desk, make, monkeypatch):
    """On PostgreSQL two labelers may choose the same last place; the second looks again."""
    desk.people("ann", "bob")
    desk.add(2, wanted=1)
    desk.record(make.vote("v1", "c000", "ann"))
    real = choice._nearly_complete(False)
    choices = iter([select(tables.comparisons.c.id).where(tables.comparisons.c.id == "c000")])
    monkeypatch.setattr(choice, "_nearly_complete", lambda _restricted: next(choices, real))
    assert asked(desk, "bob") == "c001"


def test_the_order_shown_is_in_the_ledger(desk):
    desk.people("ann")
    desk.add(1, size=4)
    _, order = desk.next("ann")
    with desk.store.reading() as session:
        assert session.scalars(select(tables.events.c.shown_order)).one() == list(order)


def test_another_seed_shows_another_order():
    orders = {shown_order(4, labeler="ann", shown=0, seed=seed) for seed in range(20)}
    assert len(orders) > 5


@given(
    size=st.integers(2, 9),
    blocks=st.integers(1, 4),
    seed=st.integers(0, 99),
    labeler=st.text(min_size=1, max_size=5),
)
def test_every_response_stands_equally_often_at_every_place(size, blocks, seed, labeler):
    orders = [shown_order(size, labeler=labeler, shown=n, seed=seed) for n in range(size * blocks)]
    assert all(sorted(order) == list(range(size)) for order in orders)
    for place in range(size):
        assert set(Counter(order[place] for order in orders).values()) == {blocks}


def test_all_orders_of_two_are_used_equally_within_one_percent():
    orders = Counter(shown_order(2, labeler="ann", shown=n, seed=0) for n in range(1001))
    assert set(orders) == set(permutations(range(2)))
    assert abs(orders[0, 1] / 1001 - 0.5) < 0.01
