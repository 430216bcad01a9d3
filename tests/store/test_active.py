"""The next item by what a vote on it tells, with every probability in the ledger."""

from collections import Counter

import numpy as np
import pytest
from sqlalchemy import select

from accord.ratings.active import pair_probabilities
from accord.ratings.fit import fit
from accord.ratings.votes import from_pairs
from accord.records import Comparison
from accord.store import active, export, projects, tables

PAIRS = (("a", "b"), ("a", "c"), ("b", "c"))


def between(make, number, first, second):
    """A comparison of the responses of two policies."""
    plain = make.comparison(number)
    responses = [
        response.model_copy(update={"policy": policy})
        for response, policy in zip(plain.responses, (first, second), strict=True)
    ]
    return Comparison(id=plain.id, prompt=plain.prompt, responses=responses)


def round_of(make, times, pairs=PAIRS):
    """Every pair so often, one pair after the other as a sorted file would have them."""
    listed = [pair for pair in pairs for _ in range(times)]
    return [between(make, n, *pair) for n, pair in enumerate(listed)]


def pair_of(task):
    return tuple(response.policy for response in task.item.responses)


def drawn(at_work):
    return [event.body["drawn"] for event in at_work.events("show")]


def test_without_the_setting_items_come_in_order_and_nothing_is_drawn(office, make):
    at_work = office(items=round_of(make, 4))
    assert [task.item.id for task in at_work.work(times=3)] == ["c000", "c001", "c002"]
    assert all("drawn" not in event.body for event in at_work.events("show"))


def test_everything_is_given_once_and_every_draw_is_in_the_ledger(office, make):
    at_work = office(items=round_of(make, 4), settings={"active": {"random_share": 0.25}})
    done = at_work.work(times=20)
    assert sorted(task.item.id for task in done) == [f"c{n:03d}" for n in range(12)]
    assert at_work.next() is None
    assert [one["candidates"] for one in drawn(at_work)] == list(range(12, 0, -1))
    assert {one["random_share"] for one in drawn(at_work)} == {0.25}
    for one in drawn(at_work):  # nothing is less likely than the random share makes it
        assert 0.25 / one["candidates"] <= one["probability"] <= 1
    assert drawn(at_work)[-1]["probability"] == 1


def test_votes_are_exported_with_the_probability_of_their_draw(office, make):
    at_work = office(items=round_of(make, 2), settings={"active": {"random_share": 0.5}})
    at_work.work(times=6)
    shown = {event.comparison_id: event.body["drawn"] for event in at_work.events("show")}
    votes = at_work.see(lambda session: list(export.preferences(session)))
    assert len(votes) == 6
    assert {vote.comparison_id: vote.probability for vote in votes} == {
        name: drawn["probability"] for name, drawn in shown.items()
    }
    in_order = office(items=[between(make, 900, "a", "b")], id="p2", people=("cid",))
    in_order.work("cid")
    (vote,) = [
        v
        for v in in_order.see(lambda session: list(export.preferences(session)))
        if v.labeler == "cid"
    ]
    assert vote.probability is None
    assert "probability" not in vote.model_dump()


def test_the_probability_is_that_of_the_votes_in_the_ledger(office, make):
    at_work = office(items=round_of(make, 15), settings={"active": {}})
    first = at_work.work(times=12)
    task = at_work.next()  # planned by the first ten, see the test of when ratings are computed
    left = [item for item in round_of(make, 15) if item.id not in {t.item.id for t in first}]
    a, b = zip(*map(pair_of, first[:10]), strict=True)
    known = fit(from_pairs(a, b, [1.0] * 10), cluster=())
    pairs = [tuple(r.policy for r in item.responses) for item in left]
    expected = pair_probabilities(known, pairs, random_share=0.1)
    place = [item.id for item in left].index(task.item.id)
    assert drawn(at_work)[-1] == {
        "probability": pytest.approx(expected[place], rel=1e-12),
        "candidates": len(left),
        "random_share": 0.1,
        "read_until": at_work.events("vote")[9].seq,
    }


def test_the_random_share_is_honoured(office, make):
    """A pair that tells nothing comes by the random share alone."""
    pairs = (("a", "a"), ("a", "b"))
    at_work = office(items=round_of(make, 100, pairs), settings={"active": {"random_share": 0.5}})
    at_work.work(times=20)  # ratings are known from ten answers on
    done = at_work.work(times=80)
    shares = [one["probability"] * one["candidates"] for one in drawn(at_work)[20:]]
    useless = [pair_of(task) == ("a", "a") for task in done]
    np.testing.assert_allclose([s for s, bad in zip(shares, useless, strict=True) if bad], 0.5)
    # of 80 draws, each of these with 0.5 x (its share of the candidates, which is 0.5 to 0.6)
    assert 10 <= sum(useless) <= 36


def test_the_pair_that_was_hardly_compared_comes_first(office, make):
    at_work = office(items=round_of(make, 40), settings={"active": {"random_share": 0.05}})
    at_work.work(times=60)
    counts = Counter(pair_of(event) for event in at_work.work(times=30))
    assert max(counts.values()) - min(counts.values()) < 20  # it keeps the three in balance
    late = [between(make, 200 + n, "a", "new") for n in range(20)]
    at_work.do(projects.add_items, "p1", late)
    assert Counter(pair_of(task) for task in at_work.work(times=8))["a", "new"] >= 4


def test_a_sorted_queue_is_seen_beyond_its_beginning(office, make, monkeypatch):
    monkeypatch.setattr(active, "IN_ORDER", 5)
    at_work = office(items=round_of(make, 60), settings={"active": {}})
    assert len({pair_of(task) for task in at_work.work(times=12)}) == 3


def test_two_labelers_never_hold_the_same_place(office, make):
    at_work = office(items=round_of(make, 2), settings={"active": {}})
    held = [at_work.next(name).item.id for name in ("ann", "bob")]
    assert len(set(held)) == 2
    assert at_work.next("ann").item.id == held[0]


def test_who_has_had_the_first_items_is_given_others(office, make, monkeypatch):
    monkeypatch.setattr(active, "IN_ORDER", 3)
    monkeypatch.setattr(active, "AT_RANDOM", 1)
    at_work = office(items=round_of(make, 10), settings={"active": {}, "votes_wanted": 2})
    done = at_work.work("ann", times=40)
    assert len({task.item.id for task in done}) == 30
    with at_work.store.reading() as session:
        assert set(session.scalars(select(tables.queue.c.open))) == {1}


def test_ratings_are_computed_again_as_answers_come(office, make, monkeypatch):
    calls = []
    fitted = active._fitted
    monkeypatch.setattr(active, "_fitted", lambda votes: calls.append(len(votes)) or fitted(votes))
    at_work = office(items=round_of(make, 30), settings={"active": {}})
    at_work.work(times=45)
    assert calls == [0, 10, 20, 30, 40]


def test_only_a_comparison_task_chooses_pairs(office):
    with pytest.raises(ValueError, match="only a comparison task"):
        office(task="ranking", settings={"active": {}})
