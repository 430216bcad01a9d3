"""What a labeler is given: order, places, overlap, balance, tests and repeats."""

from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.config import InputError
from accord.records import Item
from accord.store import answers, balance, comparisons, export, projects
from accord.store.queue import is_due
from accord.store.specs import ProjectSpec


def pairs(make, number, size=2):
    return [make.comparison(n, size=size) for n in range(number)]


def test_items_come_in_their_order_and_nobody_gets_one_twice(office, make):
    at_work = office(items=pairs(make, 5), settings={"votes_wanted": 2})
    assert [task.item.id for task in at_work.work("ann", 9)] == [f"c{n:03d}" for n in range(5)]
    assert [task.item.id for task in at_work.work("bob", 9)] == [f"c{n:03d}" for n in range(5)]
    assert at_work.next("ann") is None


def test_nearly_complete_items_come_first(office, make):
    at_work = office(items=pairs(make, 3), settings={"votes_wanted": 2})
    at_work.work("ann", 1)
    assert at_work.next("bob").item.id == "c000"


def test_task_ids_say_nothing(office, make):
    at_work = office(items=pairs(make, 3))
    ids = {task.id for task in at_work.work("ann", 3)}
    assert len(ids) == 3
    items = ("c000", "c001", "c002")  # whole: two characters come by chance
    assert all(len(name) >= 24 and not any(item in name for item in items) for name in ids)


def test_a_published_batch_is_served_in_its_order(office, make):
    at_work = office()
    with at_work.store.writing() as session:
        found = [make.comparison(n) for n in (3, 1, 2)]
        comparisons.add(session, found, batch="b1", votes_wanted=1)
    at_work.do(projects.change, at_work.spec.model_copy(update={"batches": ("b1",)}))
    with at_work.store.writing() as session:  # and what is published later
        comparisons.add(session, [make.comparison(0)], batch="b1", votes_wanted=1)
    assert [t.item.id for t in at_work.work("ann", 9)] == ["c003", "c001", "c002", "c000"]
    with at_work.store.reading() as session:
        assert [p.comparison_id for p in export.preferences(session, batches=["b1"])] == [
            "c003",
            "c001",
            "c002",
            "c000",
        ]


def test_two_projects_may_ask_about_the_same_item(office, make):
    first = office(items=pairs(make, 1))
    second = office(items=pairs(make, 1), id="p2", mode="harmless")
    one, two = first.work("ann")[0], second.work("ann")[0]
    assert one.item == two.item
    votes = first.see(lambda s: list(export.preferences(s)))
    assert [(vote.project, vote.mode) for vote in votes] == [("p1", "helpful"), ("p2", "harmless")]


def test_what_a_task_cannot_ask_is_refused(office, make):
    at_work = office()
    with pytest.raises(InputError, match="has 3 responses; a comparison task has 2"):
        at_work.do(projects.add_items, "p1", [make.comparison(0, size=3)])
    with at_work.store.writing() as session:
        comparisons.add(session, [make.comparison(0, size=3)], batch="b1", votes_wanted=1)
    for batch, sentence in (("b1", "has 3 responses"), ("b9", "no batch `b9`")):
        with pytest.raises(InputError, match=sentence):
            at_work.do(projects.change, at_work.spec.model_copy(update={"batches": (batch,)}))
    other = ProjectSpec(id="p2", title="x", task="ranking", guideline="0" * 64)
    with pytest.raises(InputError, match="no guidelines with the digest"):
        at_work.do(projects.create, other)


def test_projects_change_by_events_and_keep_their_task(office):
    at_work = office()
    assert at_work.do(projects.create, at_work.spec).version == 1  # the same again
    titled = at_work.spec.model_copy(update={"title": "Which is kinder?"})
    with pytest.raises(InputError, match="another project `p1`"):
        at_work.do(projects.create, titled)
    assert at_work.do(projects.change, titled, by="mia").version == 2
    assert at_work.do(projects.change, titled).version == 2
    first, second = at_work.events("project")
    assert first.body["spec"]["title"] == "Which is better?"
    assert (second.body["by"], second.body["spec"]["title"]) == ("mia", "Which is kinder?")
    with pytest.raises(InputError, match="is a comparison task"):
        at_work.do(projects.change, at_work.spec.model_copy(update={"task": "ranking"}))
    assert [p.id for p in at_work.see(projects.list_)] == ["p1"]
    with pytest.raises(InputError, match=r"no project `p2`.*p1"):
        at_work.see(projects.get, "p2")


def test_more_votes_apply_to_what_is_there_and_fewer_take_nothing_back(office, make):
    at_work = office(items=pairs(make, 1))
    at_work.work("ann")
    assert at_work.open("c000") == 0

    def want(votes):
        changed = at_work.spec.settings.model_copy(update={"votes_wanted": votes})
        at_work.do(projects.change, at_work.spec.model_copy(update={"settings": changed}))
        return at_work.open("c000")

    assert (want(3), want(1)) == (2, 2)


def test_the_overlap_pool_is_an_exact_share(office, make):
    overlap = {"overlap": {"share": 0.2, "votes": 3}}
    at_work = office(items=pairs(make, 40), settings=overlap)
    at_work.do(projects.add_items, "p1", [make.comparison(n) for n in range(40, 50)])
    places = [at_work.place(f"c{n:03d}") for n in range(50)]
    assert sum(place.pool for place in places) == 10
    assert {(place.pool, place.wanted) for place in places} == {(True, 3), (False, 1)}
    assert sum(place.pool for place in places[:40]) == 8


def test_one_more_vote_where_people_disagree(office, make):
    names = ("ann", "bob", "cid", "dan", "eva", "fay")
    settings = {"votes_wanted": 2, "adaptive": {"max_votes": 5}}
    at_work = office(items=pairs(make, 2), people=names, settings=settings)

    def vote(name, *ranks):
        task = at_work.next(name)
        at_work.submit(task, name, ranks=ranks)
        return task.item.id

    vote("ann", 1, 2)
    assert vote("bob", 2, 1) == "c000"
    assert at_work.place("c000").wanted == 3  # they disagree
    assert vote("cid", 1, 2) == "c000"
    assert at_work.place("c000").wanted == 4  # 2 to 1 is no clear lead
    assert vote("dan", 1, 2) == "c000"
    assert (at_work.place("c000").wanted, at_work.open("c000")) == (4, 0)  # 3 to 1 is
    vote("ann", 1, 2)
    vote("bob", 1, 2)
    assert at_work.place("c001").wanted == 2  # they agree


def test_adaptive_votes_end_at_the_most_that_were_set(office, make):
    settings = {"votes_wanted": 2, "adaptive": {"max_votes": 3}}
    at_work = office(items=pairs(make, 1), people=("ann", "bob", "cid"), settings=settings)
    for name, ranks in (("ann", (1, 2)), ("bob", (2, 1)), ("cid", (1, 1))):
        at_work.submit(at_work.next(name), name, ranks=ranks)
    assert at_work.place("c000").wanted == 3


@pytest.mark.parametrize(("second", "wanted"), [(4, 2), (5, 3)])
def test_ratings_disagree_from_three_steps_on(office, make, second, wanted):
    settings = {"votes_wanted": 2, "adaptive": {"max_votes": 3}, "axes": ["quality"]}
    at_work = office(items=[make.item(0, size=1)], task="rating", settings=settings)
    at_work.submit(at_work.next("ann"), "ann", ratings=({"quality": 2},))
    at_work.submit(at_work.next("bob"), "bob", ratings=({"quality": second},))
    assert at_work.place("c000").wanted == wanted


def places_of(tasks):
    """How often each model stood at each place."""
    return Counter(
        (place, task.item.responses[index].policy)
        for task in tasks
        for place, index in enumerate(task.shown_order)
    )


@pytest.mark.parametrize(("size", "number"), [(2, 21), (3, 20), (5, 23)])
def test_every_model_stands_at_every_place_equally_often_within_one(office, make, size, number):
    at_work = office(
        items=pairs(make, number, size=size), task="ranking", settings={"votes_wanted": 2}
    )
    for name in ("ann", "bob"):
        done = []
        for _ in range(number):
            done += at_work.work(name)
            counts = places_of(done)
            cells = [counts[place, f"policy{k}"] for place in range(size) for k in range(size)]
            assert max(cells) - min(cells) <= 1


def test_sides_are_balanced_for_each_pair_of_models_by_itself(office, make):
    def pair(n):
        three = make.comparison(n, size=3).responses
        one = make.comparison(n)
        kept = three[:2] if n % 3 else three[1:]
        # the order within an item is no help either
        return one.model_copy(update={"responses": kept[::-1] if n % 2 else kept})

    at_work = office(items=[pair(n) for n in range(40)])
    seen = Counter()
    for _ in range(40):
        (task,) = at_work.work("ann", seed=len(seen))
        left, right = (task.item.responses[i].policy for i in task.shown_order)
        seen[left, right] += 1
        assert abs(seen[left, right] - seen[right, left]) <= 1
    assert len(seen) == 4


def test_what_is_not_answered_does_not_unbalance(office, make):
    at_work = office(items=pairs(make, 60), settings={"lease_seconds": 60})
    answered, now = [], 0
    for n in range(40):
        task = at_work.next(after=now)
        if n % 5 == 0:
            at_work.do(answers.skip, task.id, reason="", labeler="ann", after=now)
        elif n % 7 == 0:
            now += 61  # the lease ends
        else:
            at_work.submit(task, after=now)
            answered.append(task)
        firsts = [task.shown_order[0] for task in answered]
        assert abs(firsts.count(0) - firsts.count(1)) <= 1


def test_a_late_answer_takes_its_order_with_it(office, make):
    at_work = office(items=pairs(make, 9), people=("ann",), settings={"lease_seconds": 60})
    late = at_work.next()
    following = at_work.next(after=61)  # the order of the first task is dealt again
    assert following.item == late.item
    at_work.submit(late, after=62)
    done = [late, *at_work.work("ann", 7, after=63)]
    firsts = [task.shown_order[0] for task in done]
    assert firsts.count(0) == firsts.count(1) == 4


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 9), st.text(max_size=5))
def test_a_deck_is_two_latin_squares(size, seed):
    cards = balance.deck(size, seed)
    for square in (cards[:size], cards[size:]):
        for place in range(size):
            assert sorted(order[place] for order in square) == list(range(size))
    for one, two in permutations(range(size), 2):
        before = sum(order.index(one) < order.index(two) for order in cards)
        assert before == size  # exactly half of the 2 * size orders


def test_silent_repeats_come_late_once_and_mirrored(office, make):
    at_work = office(items=pairs(make, 60), settings={"repeat_share": 0.25, "repeat_after": 8})
    tasks = at_work.work("ann", 60)
    first = {}
    repeats = []
    for number, task in enumerate(tasks):
        if task.purpose == "repeat":
            repeats.append(task.item.id)
            when, order = first[task.item.id]
            assert number - when >= 8
            assert task.shown_order == order[::-1]
        else:
            assert task.item.id not in first
            first[task.item.id] = (number, task.shown_order)
    assert len(repeats) == len(set(repeats))
    assert 12 <= len(repeats) <= 16
    votes = at_work.see(lambda s: list(export.preferences(s)))
    assert len(votes) == 60 - len(repeats)  # a repeat is no vote
    assert at_work.place("c000").wanted == 1


def test_nothing_is_repeated_before_its_time(office, make):
    at_work = office(items=pairs(make, 6), settings={"repeat_share": 0.5, "repeat_after": 50})
    assert {task.purpose for task in at_work.work("ann", 9)} == {"vote"}


def test_what_is_written_is_never_asked_again(office, make):
    settings = {"repeat_share": 0.5, "repeat_after": 1}
    items = [make.item(n) for n in range(5)]
    at_work = office(items=items, task="demonstration", settings=settings)
    assert {task.purpose for task in at_work.work("ann", 9, text="yes")} == {"vote"}


@settings(max_examples=50, deadline=None)
@given(st.floats(0.02, 0.5), st.text(max_size=4))
def test_hidden_items_come_at_the_rate_that_was_asked_for(share, seed):
    shown = hidden = 0
    for count in range(200):
        if is_due(count, hidden, share=share, seed=seed):
            hidden += 1
        shown += 1
        assert abs(hidden - share * shown) <= 1 + share


def test_an_item_is_a_prompt_or_an_instruction(make):
    with pytest.raises(ValueError, match="a prompt or an instruction"):
        Item(id="i")
    with pytest.raises(ValueError, match="no instruction of its own"):
        Item(id="i", responses=make.item(0, size=1).responses)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"id": "Bad Id"}, "pattern"),
        ({"settings": {"flags": ["a", "a"]}}, "each name once"),
        ({"task": "rating"}, "needs an axis or a flag"),
        ({"settings": {"require_ratings": True}}, "name the axes"),
        ({"settings": {"votes_wanted": 3, "adaptive": {"max_votes": 2}}}, "not fewer"),
        ({"settings": {"colour": 1}}, "Extra inputs"),
    ],
)
def test_a_project_makes_sense(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        ProjectSpec.model_validate({"id": "p", "title": "x", "task": "comparison"} | given)
