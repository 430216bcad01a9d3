"""Splits and their checks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.data.splits import leaks, near_duplicates, normalised, split_of

TEXTS = [f"question number {i} about nothing" for i in range(2000)]


def test_the_fraction_is_kept():
    test = sum(split_of(text, fraction=0.2) == "test" for text in TEXTS)
    assert test == pytest.approx(400, abs=70)  # four standard deviations


@given(st.text(), st.integers(0, 5))
def test_nothing_and_everything(text, seed):
    assert split_of(text, fraction=0, seed=seed) == "train"
    assert split_of(text, fraction=1, seed=seed) == "test"


def test_a_larger_fraction_only_adds_to_the_test_side():
    small = {t for t in TEXTS if split_of(t, fraction=0.1) == "test"}
    large = {t for t in TEXTS if split_of(t, fraction=0.3) == "test"}
    assert small < large


def test_a_split_is_written_in_stone():
    """A change here moves held-out data of every user into training."""
    sides = [split_of(text, fraction=0.5, seed=7) for text in TEXTS[:8]]
    # First hexadecimal digit of sha256sum below 8: test.
    assert sides == ["train", "train", "test", "train", "test", "train", "test", "test"]


def test_another_seed_splits_otherwise():
    one, two = ([split_of(t, fraction=0.5, seed=s) for t in TEXTS] for s in (0, 1))
    assert one != two


def test_spelling_of_spaces_and_case_does_not_separate():
    assert normalised("What's  UP?\n") == normalised("what s up")
    sides = {split_of(t, fraction=0.5) for t in ("Hello there", "hello  there!", "HELLO THERE")}
    assert len(sides) == 1


def test_near_duplicates_by_hand():
    train = ["a b c d", "one two three four five"]
    test = ["one two three four six", "x y z", "b c d a"]
    # Shingles of test[0]: 123 234 34six; of train[1]: 123 234 345: 2 shared of 4.
    found = near_duplicates(train, test, threshold=0.5)
    assert [(d.train, d.test, d.similarity) for d in found] == [(1, 0, 0.5)]
    assert near_duplicates(train, test, threshold=0.51) == []
    # test[2]: bcd cda; train[0]: abc bcd: 1 shared of 3.
    assert [d.test for d in near_duplicates(train, test, threshold=1 / 3)] == [0, 2]


def test_short_texts_are_compared_whole():
    assert near_duplicates(["Who?", ""], ["who", "", "why"], threshold=1)[0].train == 0
    assert len(near_duplicates(["Who?", ""], ["who", "", "why"])) == 1


def test_the_most_similar_and_then_the_first_is_named():
    train = ["p q r s", "a b c d e", "a b c d", "a b c d"]
    (found,) = near_duplicates(train, ["a b c d"])
    assert (found.train, found.similarity) == (2, 1.0)


def test_leaks_by_hand():
    """The same but for case and points; one word of six more; new."""
    train = ["How far is the moon?", "how far is the moon", "who made this old clock"]
    test = ["who made this", "How far IS the moon", "Who made this old clock here?", "new"]
    found = leaks(train, test, threshold=0.5)
    assert found.same == (1,)
    assert [(one.train, one.test, one.similarity) for one in found.near] == [(2, 2, 0.75)]
    assert found.indexes == {1, 2}
    assert leaks(train, test, threshold=0.76).near == ()
    assert leaks([], test).indexes == frozenset()
