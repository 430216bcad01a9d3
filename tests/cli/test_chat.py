"""Talking to a policy, as a program would: lines in, answers out."""

import pytest
from typer.testing import CliRunner

from accord import cli
from accord.cli.conversation import Speaker
from accord.cli.local_policy import LocalPolicy
from accord.config import InputError
from accord.records import Message, Sampling


def chat(text, *words):
    result = CliRunner().invoke(cli.app, ["chat", *[str(word) for word in words]], input=text)
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def policy(tiny_run):
    return next(step.folder for step in tiny_run.steps if step.kind == "sft")


def test_every_line_is_answered_and_the_same_seed_repeats_it(policy):
    words = (policy, "--max-tokens", 6, "--seed", 3)
    status, first, _ = chat("Hello\nWho are you?\n", *words)
    assert status == 0
    assert len(first.rstrip("\n").split("\n")) >= 2
    assert chat("Hello\nWho are you?\n", *words)[1] == first
    assert chat("Hello\nWho are you?\n", policy, "--max-tokens", 6, "--seed", 4)[1] != first


def test_a_new_conversation_forgets_the_old_one(policy):
    words = (policy, "--max-tokens", 6)
    _, text, _ = chat("Hello\n/new\nHello\n", *words)
    half = len(text) // 2
    assert text[:half] == text[half:]
    assert chat("Hello\n/quit\nHello\n", *words)[1] == text[:half]


def test_two_policies_answer_in_turn(tiny_run, policy):
    status, text, _ = chat("Hello\n", policy, tiny_run.out, "--max-tokens", 4)
    assert status == 0
    newest = next(step.folder.name for step in tiny_run.steps if step.kind == "ppo")
    assert f"{policy.name}: " in text
    assert f"{newest}: " in text


def test_a_folder_that_is_no_policy_is_named(tiny_run, tmp_path):
    world = tiny_run.steps[0].folder
    for place, message in ((world, "world"), (tmp_path, str(tmp_path)), ("builtin:none", "none")):
        status, _, error = chat("Hello\n", place)
        assert status == 2
        assert message in error


def test_a_message_longer_than_the_context_is_refused_and_the_talk_goes_on(policy):
    status, text, _ = chat("word " * 400 + "\nHello\n", policy, "--max-tokens", 6)
    assert status == 0
    assert "exceed the context" in text
    assert text.count("exceed the context") == 1


def test_the_oldest_turns_are_forgotten_when_the_context_is_full(policy):
    speaker = speaker_of(policy)
    for turn in range(12):
        list(speaker.answer(f"message number {turn} of a long talk", 0))
    assert len(speaker.messages) == 24


def speaker_of(policy):
    return Speaker(LocalPolicy("x", policy / "output", Sampling(max_tokens=4)))


class Scripted:
    """A generator that says what it is told to."""

    def __init__(self, *pieces):
        self._pieces = pieces

    def stream(self, tokens, sampling, *, random):
        yield from self._pieces


@pytest.mark.parametrize(
    ("pieces", "answer"),
    [
        ((" Yes", "."), "Yes."),
        ((" Yes.", "\n\nHuman:", " And?"), "Yes."),
        ((" Yes.\n\nAssistant: No."), "Yes."),
        ((" \x1b[31mred\x07",), "[31mred"),
        ((), ""),
    ],
)
def test_an_answer_ends_where_another_turn_begins_and_cannot_steer_the_terminal(
    policy, pieces, answer
):
    speaker = speaker_of(policy)
    speaker.policy._generator = Scripted(*pieces)
    list(speaker.answer("Well?", 0))
    assert speaker.messages[-1] == Message(role="assistant", content=answer)


def test_a_message_that_never_fits_leaves_the_conversation_as_it_was(policy):
    speaker = speaker_of(policy)
    with pytest.raises(InputError, match="exceed the context"):
        list(speaker.answer("word " * 400, 0))
    assert speaker.messages == []
