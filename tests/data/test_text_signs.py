"""Repetition and refusals, by hand."""

import pytest

from accord.data.text_signs import is_refusal, repetition


@pytest.mark.parametrize(
    ("tokens", "share"),
    [
        ([], 0),
        ([1, 2], 0),
        ([1, 2, 3], 0),
        ([7, 7, 7, 7], 0.5),  # 777 twice: one of two pieces is new
        ([1, 2, 3, 1, 2, 3], 0.25),  # 123 231 312 123
        ([5] * 12, 0.9),  # ten pieces, one of them new
        ([1, 2, 3, 4, 5, 6], 0),
    ],
)
def test_repetition_by_hand(tokens, share):
    assert repetition(tokens) == pytest.approx(share)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but no.",
        "I am sorry to hear it.",
        "I cannot help with that.",
        "I can’t answer this.",
        "As an AI I have no opinion.",
        "Well, I do not know where it is.",
        "I am unable to say.",
    ],
)
def test_what_declines(text):
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text", ["It is in Oslo.", "You cannot help but smile.", "I know.", "", "I can help with that."]
)
def test_what_does_not(text):
    assert not is_refusal(text)
