"""Preferences as numbers: who was put above whom, and what a tie counts."""

import pytest

from accord.data.preferences import best, pair_votes, wins
from accord.records import Comparison, LabeledComparison, Message, Preference, Prompt, Response


def labeled(*ranks, strengths=None):
    prompt = Prompt(id="p", messages=(Message(role="user", content="hi"),))
    responses = tuple(
        Response(id=f"r{i}", prompt_id="p", text=str(i), policy="sft") for i in range(len(ranks[0]))
    )
    return LabeledComparison(
        comparison=Comparison(id="c", prompt=prompt, responses=responses),
        preferences=tuple(
            Preference(
                id=f"v{n}",
                comparison_id="c",
                labeler=f"labeler {n}",
                ranks=rank,
                strength=strengths[n] if strengths else None,
            )
            for n, rank in enumerate(ranks)
        ),
    )


def test_two_labelers_who_differ_on_one_pair():
    table = wins(labeled((1, 2, 3), (2, 1, 3)))
    assert table == [[0, 1, 2], [1, 0, 2], [0, 0, 0]]


def test_a_tie_is_left_out_or_half_a_win_each_way():
    assert wins(labeled((1, 1), (1, 2))) == [[0, 1], [0, 0]]
    assert wins(labeled((1, 1), (1, 2)), ties="half") == [[0, 1.5], [0.5, 0]]


@pytest.mark.parametrize("ties", ["drop", "half"])
def test_weak_preferences_are_left_out(ties):
    one = labeled((1, 2), (2, 1), (1, 1), strengths=[1, 3, 2])
    assert wins(one, ties=ties, minimum_strength=3) == [[0, 0], [1, 0]]
    assert len(list(pair_votes(one, minimum_strength=2))) == 1


def test_a_preference_without_a_strength_counts():
    assert wins(labeled((1, 2)), minimum_strength=4) == [[0, 1], [0, 0]]


def test_votes_are_all_decided_pairs_of_all_rankings():
    votes = [(v.better, v.worse, v.labeler) for v in pair_votes(labeled((3, 1, 1), (1, 2, 3)))]
    assert votes == [
        (1, 0, "labeler 0"),
        (2, 0, "labeler 0"),
        (0, 1, "labeler 1"),
        (0, 2, "labeler 1"),
        (1, 2, "labeler 1"),
    ]


def test_the_best_has_the_most_wins_and_the_first_of_several_is_taken():
    assert best(wins(labeled((2, 1, 3), (2, 1, 3)))) == 1
    assert best(wins(labeled((1, 2), (2, 1)))) == 0


def test_who_was_asked_for_the_more_harmful_response_trains_nobody_to_give_it():
    asked = labeled((1, 2), (1, 1))
    turned = [
        preference.model_copy(update={"polarity": "harmful_first"})
        for preference in asked.preferences
    ]
    asked = asked.model_copy(update={"preferences": tuple(turned)})
    assert wins(asked, ties="half") == [[0, 0.5], [1.5, 0]]
