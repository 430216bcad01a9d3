"""Votes: rankings become pairs."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.ratings.votes import Coded, Ranking, from_columns, from_pairs, from_rankings

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
    assert votes.labeler.tolist() == list(range(12))
    assert (votes.labelers, votes.prompts) == ((), ())
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
        (Ranking(("x", "y"), (1, 2), both_bad=True), "the ranks differ"),
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


# columns: by hand


def test_words_and_both_bad():
    votes = from_columns(["x"] * 4, ["y"] * 4, ["a", "b", "tie", "both_bad"])
    assert votes.outcome.tolist() == [1, 0, 0.5, 0.5]
    assert votes.both_bad.tolist() == [False, False, False, True]
    assert votes.where(votes.outcome == 0.5).both_bad.tolist() == [False, True]


def test_a_ranking_that_found_all_bad():
    votes = from_rankings(
        [Ranking(("x", "y", "z"), (1, 1, 1), both_bad=True), Ranking(("x", "y"), (1, 1))]
    )
    assert votes.outcome.tolist() == [0.5] * 4
    assert votes.both_bad.tolist() == [True] * 3 + [False]


def test_a_vote_given_the_other_way_round_is_turned():
    votes = from_columns(
        ["y", "x"],
        ["x", "y"],
        ["a", "a"],
        prompt=["p", "p"],
        a_first=[1, 0],
        covariates={"length": [2.0, -3.0]},
    )
    assert votes.a.tolist() == [0, 0]
    assert votes.b.tolist() == [1, 1]
    assert votes.outcome.tolist() == [0, 1]
    assert votes.a_first.tolist() == [0, 0]
    assert votes.covariate("side").tolist() == [-1, -1]
    assert votes.covariate("length").tolist() == [-2, -3]
    assert votes.unit[0] == votes.unit[1]  # the same two responses


def test_who_and_what_is_not_known():
    votes = from_columns(
        ["x"] * 5,
        ["y"] * 5,
        [1] * 5,
        labeler=["bob", None, "ann", "", "bob"],
        prompt=[None, "p", "p", None, "p"],
    )
    assert (votes.labelers, votes.prompts) == (("ann", "bob"), ("p",))
    assert votes.labeler.tolist() == [1, 2, 0, 3, 1]
    assert votes.prompt.tolist() == [1, 0, 0, 2, 0]


def test_coded_columns_are_the_columns():
    names, codes = ["y", "x", "unused", ""], np.array([1, 0, 1, -1, 3])
    coded = from_columns(
        Coded(["m2", "m1"], np.array([1, 1, 0, 0, 1])),
        ["m3"] * 5,
        Coded(["tie", "a"], np.array([0, 1, 1, 0, 1])),
        labeler=Coded(names, codes),
    )
    plain = from_columns(
        ["m1", "m1", "m2", "m2", "m1"],
        ["m3"] * 5,
        ["tie", "a", "a", "tie", "a"],
        labeler=["x", "y", "x", None, ""],
    )
    assert coded.names == plain.names
    assert coded.labelers == ("unused", "x", "y")
    assert [coded.labelers[i] for i in coded.labeler[:3]] == ["x", "y", "x"]
    assert coded.labeler[3:].tolist() == [3, 4]
    for field in ("a", "b", "outcome"):
        assert (getattr(coded, field) == getattr(plain, field)).all()


def test_lengths_become_a_covariate():
    ranking = Ranking(("x", "y", "z"), (1, 2, 3), lengths=(200, 100, 0))
    length = from_rankings([ranking]).covariate("length")
    assert length == pytest.approx([math.log(2), math.log(200), math.log(100)])
    without = from_rankings([ranking, Ranking(("x", "y"), (1, 2))]).covariate("length")
    assert np.isnan(without[3])
    assert not from_rankings([Ranking(("x", "y"), (1, 2))]).covariates


def test_rankings_of_unknown_labelers():
    rankings = [Ranking(("x", "y", "z"), (1, 2, 3)), Ranking(("x", "y"), (1, 2), labeler="ann")]
    votes = from_rankings([*rankings, Ranking(("x", "y"), (2, 1))])
    assert votes.labelers == ("ann",)
    assert votes.labeler.tolist() == [1, 1, 1, 0, 2]  # the pairs of one ranking stay together


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1, max_size=9))
def test_any_name_is_a_name(pairs):
    a, b = zip(*pairs, strict=True)
    votes = from_columns(a, b, [1] * len(a))
    assert votes.names == tuple(sorted({*a, *b}))
    for x, y, i, j, outcome in zip(a, b, votes.a, votes.b, votes.outcome, strict=True):
        winner, loser = (i, j) if outcome else (j, i)
        assert (votes.names[winner], votes.names[loser]) == (x, y)


# columns: edges


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"outcome": ["a", "draw"]}, "one of a, b, tie, both_bad, not `draw`"),
        ({"outcome": ["a", None]}, "one of a, b, tie, both_bad"),
        ({"outcome": [1, math.nan]}, "1, 0.5 or 0"),
        ({"a": ["x", None]}, "vote 2 has no policy in column `a`"),
        ({"b": ["", "y"]}, "vote 1 has no policy in column `b`"),
        ({"a": ["x", 3]}, "column `a` must hold text"),
        ({"a": Coded(["x"], np.array([0, 1]))}, "code of column `a` has no name"),
        ({"labeler": ["ann"]}, "shorter"),
        ({"weight": [1, -1]}, "`weight` must be a number from 0 to 1e\\+12"),
        ({"weight": [1, math.nan]}, "`weight` must be a number from 0"),
        ({"weight": [1, 1e200]}, "`weight` must be a number from 0"),
        ({"weight": [1, math.inf]}, "`weight` must be finite"),
        ({"weight": [1]}, "`weight` must have one entry a vote"),
        ({"a_first": [1, 2]}, "`a_first` must be 1 or 0"),
        ({"covariates": {"length": [1, math.inf]}}, "covariate `length` must be finite"),
    ],
)
def test_columns_that_make_no_sense(columns, message):
    with pytest.raises(ValueError, match=message):
        from_columns(**{"a": ["x", "x"], "b": ["y", "y"], "outcome": [1, 0]} | columns)


def test_no_columns():
    with pytest.raises(ValueError, match="nothing to rate"):
        from_columns([], [], [])
    with pytest.raises(ValueError, match="one entry a vote"):
        replace(from_pairs(["x"], ["y"], [1]), both_bad=np.zeros(2, dtype=bool))
    with pytest.raises(ValueError, match="one entry a response"):
        from_rankings([Ranking(("x", "y"), (1, 2), lengths=(1,))])
