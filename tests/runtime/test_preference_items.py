"""Comparisons in a file: what goes in comes out, and what is left out is counted."""

import math

import numpy as np
import pytest

from accord.config import InputError
from accord.models.load import load_scalar_model
from accord.records import Comparison, LabeledComparison, Message, Preference, Prompt, Response
from accord.runtime.preference_items import Answer, Item, StoredItems, Wanted, take
from accord.runtime.preference_scoring import score_all, score_conversations
from accord.runtime.seeding import generator

ITEMS = [
    Item(
        prompt=[3, 4, 5],
        responses=[[6, 1], [7, 8, 1]],
        wins=[[0.0, 2.5], [0.5, 0.0]],
        answers=(Answer((1, 2), 4, 0.25), Answer((1, 1), 0, 2.0)),
        ratings=(3.5, 1.0),
    ),
    Item(prompt=[9], responses=[[1], [2, 1], [3, 1]], wins=[[0.0] * 3] * 3, ratings=(1.0,) * 3),
]


def labeled(number, texts, ranks, **given):
    prompt = Prompt(id=f"p{number}", messages=(Message(role="user", content="what is two?"),))
    responses = tuple(
        Response(id=f"{number}-{i}", prompt_id=prompt.id, text=text, policy="sft")
        for i, text in enumerate(texts)
    )
    votes = tuple(
        Preference(
            id=f"{number}-{i}", comparison_id=f"c{number}", labeler=f"l{i}", ranks=r, **given
        )
        for i, r in enumerate(ranks)
    )
    return LabeledComparison(
        comparison=Comparison(id=f"c{number}", prompt=prompt, responses=responses),
        preferences=votes,
    )


@pytest.fixture(scope="module")
def model(tiny_models):
    return load_scalar_model(tiny_models["llama"], random=generator(0))


def taken(model, comparisons, **settings):
    scalar, tokenizer = model
    wanted = Wanted(**({"context": 60, "ties": "drop", "minimum_strength": 1} | settings))
    return take(tokenizer, comparisons, scalar, wanted)


def test_what_is_stored_comes_back(tmp_path):
    stored = StoredItems(tmp_path)
    for item in ITEMS * 3:
        stored.append(item)
    assert len(stored) == 6
    assert list(stored) == ITEMS * 3
    assert stored[-1] == ITEMS[1]
    assert stored[1:4:2] == [ITEMS[1], ITEMS[1]]
    with pytest.raises(IndexError):
        stored[6]
    assert list(tmp_path.iterdir()) == []  # the file has no name


def test_more_can_be_added_after_reading():
    stored = StoredItems()
    stored.append(ITEMS[0])
    assert stored[0] == ITEMS[0]
    stored.append(ITEMS[1])
    assert list(stored) == ITEMS


def test_memory_holds_the_places_only():
    """Ten thousand comparisons: tokens stay in the file, which is mapped."""
    stored = StoredItems()
    for _ in range(100):
        stored.append(ITEMS[0])
    assert stored[99] == ITEMS[0]
    assert isinstance(stored._words, np.memmap)
    assert len(stored._starts) == 101


def test_what_is_left_out_is_counted_by_its_reason(model):
    comparisons = [
        labeled(0, ["it is four", "two"], [(1, 2)]),
        labeled(1, ["same", "same"], [(1, 2)]),
        labeled(2, ["it is four", "two"], [(1, 1)]),
        labeled(3, ["", "two"], [(1, 2)]),
        labeled(4, ["two " * 60, "two"], [(1, 2)]),
    ]
    found = taken(model, comparisons)
    assert found.counts("train") == {
        "train_size": 2,
        "train_too_long": 1,
        "train_undecided": 1,
        "train_identical": 1,
        "train_shortened": 0,
        "train_empty": 1,
    }
    assert taken(model, comparisons, needs="answers").undecided == 0
    with pytest.raises(
        InputError, match=r"\(1 without a decision and 1 with identical responses\)"
    ):
        taken(model, comparisons[1:3])
    with pytest.raises(InputError, match="5 without a rating"):
        taken(model, comparisons, needs="ratings")


def test_ratings_are_means_over_axes_and_labelers(model):
    levels = ({"kind": 6, "true": 4}, {"kind": 2})
    item = taken(model, [labeled(0, ["a", "b"], [(1, 2)], ratings=levels)], needs="ratings").items[
        0
    ]
    assert item.ratings == (5.0, 2.0)
    item = taken(model, [labeled(0, ["a", "b"], [(1, 2)])]).items[0]
    assert all(math.isnan(rating) for rating in item.ratings)


def test_weights_reach_wins_answers_and_ratings(model):
    item = taken(
        model, [labeled(0, ["a", "b"], [(1, 2), (2, 1), (1, 2)])], weights={"l0": 2.0, "l1": 0.5}
    ).items[0]
    assert item.wins == [[0, 3], [0.5, 0]]
    assert [answer.weight for answer in item.answers] == [2, 0.5, 1]


def test_scores_are_those_of_single_conversations(model):
    scalar, _ = model
    one_by_one = [
        [score_conversations(scalar, [c], microbatch_size=1)[0] for c in item.conversations]
        for item in ITEMS
    ]
    for found, expected in zip(
        score_all(scalar, ITEMS * 2, microbatch_size=1), one_by_one * 2, strict=True
    ):
        assert found == pytest.approx(expected, abs=1e-5)
