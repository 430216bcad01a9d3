"""What length and single words can guess; the numbers are small enough to check by hand."""

import math

import numpy as np
import pytest

from accord.data.text_baselines import (
    Pair,
    decided_pairs,
    fit_bag_of_words,
    fit_tf_idf,
    longer_margins,
    longer_wins,
    rights,
)
from accord.data.threads import Answer, Tally, Thread, merged, prompt_of
from accord.records import Message


def pairs(*texts):
    return [Pair(f"p{n}", chosen, rejected) for n, (chosen, rejected) in enumerate(texts)]


def test_longer_wins_counts_equal_lengths_half():
    found = longer_wins(pairs(("long one", "short"), ("a", "bb"), ("same", "size"), ("abc", "a")))
    assert found.mean == (1 + 0 + 0.5 + 1) / 4
    assert found.n == found.n_clusters == 4
    assert 0 <= found.low < found.mean < found.high <= 1


def test_pairs_of_one_prompt_are_one_cluster():
    alike = [Pair("p", "long one", "short"), Pair("p", "a", "bb"), Pair("q", "abc", "a")]
    assert longer_wins(alike).n_clusters == 2


def test_the_weight_of_one_word_by_hand():
    """x = ln 2 in every pair: 3 n σ(−w x) x = w has one solution, found here by bisection."""
    n = 5
    model = fit_bag_of_words(pairs(*[("good", "")] * n))
    x, low, high = math.log(2), 0.0, 10.0
    for _ in range(80):
        middle = (low + high) / 2
        rises = n * x / (1 + math.exp(middle * x)) > middle
        low, high = (middle, high) if rises else (low, middle)
    assert model.places == {"good": 0}
    assert model.weights[0] == pytest.approx(low, abs=1e-4)


def test_it_finds_the_words_that_people_like():
    train = pairs(*[(f"please w{n % 7}", f"idiot w{n % 5}") for n in range(40)])
    test = pairs(("oh please", "oh dear"), ("well", "you idiot"), ("unseen", "words"))
    model = fit_bag_of_words(train)
    assert model.accuracy(test).mean == (1 + 1 + 0.5) / 3


def test_swapping_the_sides_turns_every_weight_round():
    texts = [(f"a{n % 3} b", f"c d{n % 4}") for n in range(30)]
    one = fit_bag_of_words(pairs(*texts))
    two = fit_bag_of_words(pairs(*[(rejected, chosen) for chosen, rejected in texts]))
    assert np.allclose(one.weights, -two.weights, atol=1e-4)


def test_rare_words_have_no_weight():
    model = fit_bag_of_words(pairs(("often x", "y"), ("often", "z"), ("often", "")))
    assert set(model.places) == {"often"}


def test_without_any_frequent_word_it_is_undecided():
    assert fit_bag_of_words(pairs(("a", "b"))).accuracy(pairs(("a", "b"))).mean == 0.5


def test_the_majority_of_labelers_decides_a_pair():
    prompt = prompt_of([Message(role="user", content="Hi")])

    def said(good, bad, labeler):
        answers = (Answer("good", good), Answer("bad", bad))
        return Thread(prompt, answers, labeler=labeler).comparison()

    votes = [said(1, 2, "ann"), said(1, 2, "bob"), said(2, 1, "cat")]
    (pair,) = decided_pairs(merged(votes, Tally()))
    assert (pair.chosen, pair.rejected) == ("good", "bad")
    assert decided_pairs(merged([votes[0], votes[2]], Tally())) == []
    assert decided_pairs([said(1, 1, "ann")]) == []


def test_tf_idf_by_hand():
    """Ten responses, `a` in all of them, `b` in three: rarity 1 and 1 + ln(11 / 4)."""
    model = fit_tf_idf(pairs(*[("a b", "a")] * 3, *[("a", "a")] * 2))
    assert model.places == {"a": 0, "b": 1}
    rare = 1 + math.log(11 / 4)
    assert model.rarity.tolist() == pytest.approx([1, rare])
    # One row: a and b once each, ln 2 cancels in the length; the other is a alone.
    length = math.sqrt(1 + rare**2)
    expected = model.weights @ np.array([1 / length - 1, rare / length])
    assert model.margins(pairs(("b a", "a a a"))) == pytest.approx([expected])
    assert model.weights[1] > 0 > model.weights[0]


def test_tf_idf_finds_the_words_that_people_like():
    train = pairs(*[(f"please w{n % 7}", f"idiot w{n % 5}") for n in range(40)])
    test = pairs(("oh please", "oh dear"), ("well", "you idiot"), ("unseen", "words"))
    assert fit_tf_idf(train).accuracy(test).mean == (1 + 1 + 0.5) / 3


def test_margins_and_rights():
    assert longer_margins(pairs(("abc", "a"), ("a", "b"))).tolist() == [2, 0]
    assert rights(np.array([2.0, 0.0, -1.0])).tolist() == [1, 0.5, 0]
