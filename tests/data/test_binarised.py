"""Binarised pairs: each answer beside itself, called good and called bad."""

from accord.data.binarised import binarised
from accord.data.preferences import wins
from accord.records import Comparison, LabeledComparison, Message, Preference, Prompt, Response


def labeled(*votes, texts=("A", "B"), **more):
    prompt = Prompt(id="p", messages=(Message(role="user", content="Hi"),))
    responses = tuple(
        Response(id=f"r{i}", prompt_id="p", text=text, policy="x") for i, text in enumerate(texts)
    )
    preferences = tuple(
        Preference(id=f"v{n}", comparison_id="c", labeler=f"l{n}", ranks=ranks, **more)
        for n, ranks in enumerate(votes)
    )
    whole = Comparison(id="c", prompt=prompt, responses=responses)
    return LabeledComparison(comparison=whole, preferences=preferences)


def said(one):
    return [response.text for response in one.comparison.responses], wins(one)


def test_a_pair_by_hand():
    """A over B: GOOD A over BAD A, and BAD B over GOOD B."""
    first, second = binarised(labeled((1, 2), strength=3))
    assert said(first) == (["GOOD: A", "BAD: A"], [[0, 1], [0, 0]])
    assert said(second) == (["GOOD: B", "BAD: B"], [[0, 0], [1, 0]])
    (vote,) = second.preferences
    assert (vote.labeler, vote.strength, second.comparison.prompt.id) == ("l0", 3, "p")


def test_neither_answer_is_preferred_to_the_other():
    for one in binarised(labeled((1, 2, 3), texts=("A", "B", "C"))):
        assert len({response.text.partition(": ")[2] for response in one.comparison.responses}) == 1


def test_every_two_answers_of_a_ranking_and_every_vote():
    found = list(binarised(labeled((1, 2, 2), (2, 1, 3), texts=("A", "B", "C"))))
    assert [said(one) for one in found] == [
        (["GOOD: A", "BAD: A"], [[0, 1], [1, 0]]),  # A and B: one vote each way
        (["GOOD: B", "BAD: B"], [[0, 1], [1, 0]]),
        (["GOOD: A", "BAD: A"], [[0, 2], [0, 0]]),  # A over C twice
        (["GOOD: C", "BAD: C"], [[0, 0], [2, 0]]),
        (["GOOD: B", "BAD: B"], [[0, 1], [0, 0]]),  # B over C once, and a tie
        (["GOOD: C", "BAD: C"], [[0, 0], [1, 0]]),
    ]
    assert len({one.comparison.id for one in found}) == 6


def test_a_tie_says_nothing():
    assert list(binarised(labeled((1, 1)))) == []


def test_harmful_first_is_turned_round():
    first, _ = binarised(labeled((1, 2), polarity="harmful_first"))
    assert said(first)[1] == [[0, 0], [1, 0]]
