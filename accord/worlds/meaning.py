"""What a prompt means: the question that its last message asks, found in its text alone.

A follow-up is understood from the turns before it: "And where does she live?" asks for the town
of the person the first question was about.
"""

from dataclasses import replace

from accord.records import Prompt
from accord.worlds.knowledge import CATEGORY_OF
from accord.worlds.phrasing import Question, UnknownPrompt, parse, parse_follow_up
from accord.worlds.reading import read

_TURNS = 3  # user, assistant, user


def meaning(prompt: Prompt) -> Question:
    """Return what a prompt asks.

    Raises:
        UnknownPrompt: the text is not of the worlds' English, or has more than three turns.
    """
    return meaning_of(tuple(message.content for message in prompt.messages))


def meaning_of(turns: tuple[str, ...]) -> Question:
    """Return what the last of one or three turns asks; raises like ``meaning``."""
    if len(turns) == 1:
        return parse(turns[0])
    if len(turns) != _TURNS:
        raise UnknownPrompt(f"a prompt has one turn or three, not {len(turns)}")
    first, said, then = parse(turns[0]), turns[1], parse_follow_up(turns[2])
    task, _, detail = then.task.partition("_")
    if task == "follow":
        return Question(detail, first.args[:1])
    if task == "what":
        return Question(first.task, then.args)
    if task == "again":
        return replace(first, form=detail)
    if task == "pushback":
        previous = _said_value(said, detail)
        return Question("pushback", (detail, first.args[0], then.args[-1], previous))
    if task == "more":
        return Question("more_items", (then.args[0], first.args[1], *_nouns(said)))
    return then


def _said_value(said: str, relation: str) -> str:
    for act in read(said).acts:
        if act.claim is not None and act.claim.relation == relation:
            return act.claim.value
        if act.kind == "values":
            return act.words[0]
    return ""


def _nouns(said: str) -> tuple[str, ...]:
    words = [word for act in read(said).acts for word in act.words]
    return tuple(word for word in words if word in CATEGORY_OF)
