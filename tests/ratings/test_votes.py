"""Votes: rankings become pairs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.ratings.votes import Ranking, from_pairs, from_rankings

# by hand


def test_a_ranking_with_a_tie():
    votes = from_rankings(
        [Ranking(("z", "x", "y"), (2, 1, 2), labeler="ann", prompt="p", comparison="c", weight=2)]
    )
    assert votes.names == ("x", "y", "z")
    assert votes.a.tolist() == [2, 2, 0]
    assert votes.b.tolist() == [0, 1, 1]
    assert votes.outcome.tolist() == [0, 0.5, 1]
    assert votes.weight.tolist() == [2, 2, 2]
    assert len(set(votes.unit)) == 3
    assert (votes.labelers, votes.prompts) == (("ann",), ("p",))


def test_who_was_shown_first():
    # On the screen: response 2, then 0, then 1.
    votes = from_rankings([Ranking(("x", "y", "z"), (1, 2, 3), shown_order=(2, 0, 1))])
    assert votes.a_first.tolist() == [1, 0, 0]  # x before y; z before x; z before y


def test_a_ranking_counts_once_unless_it_says_otherwise():
    assert from_rankings([Ranking(("x", "y"), (1, 2))]).weight.tolist() == [1]
    assert from_rankings([Ranking(("x", "y"), (1, 2), weight=0)]).weight.tolist() == [0]


def test_an_unknown_order_is_not_a_number():
    assert np.isnan(from_rankings([Ranking(("x", "y"), (1, 2))]).a_first).all()


def test_votes_on_the_same_responses_share_a_unit():
    rankings = [
        Ranking(("x", "y"), (1, 2), labeler="ann", prompt="p", comparison="1"),
        Ranking(("x", "y"), (2, 1), labeler="bob", prompt="p", comparison="1"),
        Ranking(("x", "y"), (2, 1), labeler="ann", prompt="p", comparison="2"),
    ]
    units = from_rankings(rankings).unit
    assert units[0] == units[1] != units[2]


def test_columns():
    votes = from_pairs(
        ["x", "y", "x"],
        ["y", "z", "y"],
        [1, 0, 0.5],
        labeler=["ann", "bob", "bob"],
        prompt=["p", "p", "q"],
        weight=[1, 2, 3],
    )
    assert votes.outcome.tolist() == [1, 0, 0.5]
    assert votes.labeler.tolist() == [0, 1, 1]
    assert votes.prompt.tolist() == [0, 0, 1]
    assert votes.weight.tolist() == [1, 2, 3]
    assert len(set(votes.unit)) == 3


def test_columns_left_out():
    votes = from_pairs(["x"] * 12, ["y"] * 12, [1] * 12)
    assert votes.prompt.tolist() == list(range(12))
    assert votes.labelers == ("",)
    assert votes.weight.tolist() == [1] * 12


def test_choosing_votes_keeps_the_names():
    votes = from_pairs(["x", "y"], ["y", "z"], [1, 0])
    chosen = votes.where(votes.outcome == 0)
    assert len(chosen) == 1
    assert chosen.names == ("x", "y", "z")
    assert chosen.a.tolist() == [1]


# by law


@given(st.lists(st.integers(1, 9), min_size=2, max_size=9))
def test_k_responses_are_k_choose_two_votes(ranks):
    votes = from_rankings([Ranking(tuple(f"m{i}" for i in range(len(ranks))), tuple(ranks))])
    assert len(votes) == math.comb(len(ranks), 2)
    assert (votes.outcome == 0.5).sum() == sum(math.comb(ranks.count(r), 2) for r in set(ranks))


@given(st.lists(st.integers(1, 4), min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_responses_does_not_matter(ranks, random):
    names = [f"m{i}" for i in range(len(ranks))]
    order = list(range(len(ranks)))
    random.shuffle(order)

    def wins(names, ranks):
        votes = from_rankings([Ranking(tuple(names), tuple(ranks))])
        table = np.zeros((len(names), len(names)))
        np.add.at(table, (votes.a, votes.b), votes.outcome)
        np.add.at(table, (votes.b, votes.a), 1 - votes.outcome)
        return table

    shuffled = wins([names[i] for i in order], [ranks[i] for i in order])
    assert (shuffled == wins(names, ranks)).all()


# edges


def test_nothing_to_rate():
    with pytest.raises(ValueError, match="nothing to rate"):
        from_rankings([])


@pytest.mark.parametrize(
    ("ranking", "message"),
    [
        (Ranking(("x",), (1,)), "at least two"),
        (Ranking(("x", "y"), (1, 2, 3)), "a name and a rank"),
        (Ranking(("x", "y"), (1, 2), shown_order=(0, 0)), "permutation"),
        (Ranking(("x", "y"), (1, 2), weight=-1), "weight"),
        (Ranking(("x", "y"), (1, 2), weight=math.nan), "weight"),
    ],
)
def test_rankings_that_make_no_sense(ranking, message):
    with pytest.raises(ValueError, match=message):
        from_rankings([ranking])


def test_outcomes_that_make_no_sense():
    with pytest.raises(ValueError, match="outcome"):
        from_pairs(["x"], ["y"], [0.7])


def test_columns_of_different_lengths():
    with pytest.raises(ValueError, match="shorter"):
        from_pairs(["x", "x"], ["y"], [1, 0])
