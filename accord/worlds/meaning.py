"""What a prompt means: the question that its last message asks, found in its text alone.

A follow-up is understood from the turns before it: "And where does she live?" asks for the town
of the person the first question was about.
"""

from collections.abc import Callable, Mapping
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
    sort, _, detail = then.task.partition("_")
    return _SORTS[sort](first, said, then, detail)


def _follow(first: Question, said: str, then: Question, detail: str) -> Question:
    return Question(detail, first.args[:1])


def _what_about(first: Question, said: str, then: Question, detail: str) -> Question:
    return Question(first.task, then.args)


def _again(first: Question, said: str, then: Question, detail: str) -> Question:
    return replace(first, form=detail)


def _pushback(first: Question, said: str, then: Question, detail: str) -> Question:
    args = (detail, first.args[0], then.args[-1], _said_value(said, detail))
    return Question("pushback", args)


def _more(first: Question, said: str, then: Question, detail: str) -> Question:
    return Question("more_items", (then.args[0], first.args[1], *_nouns(said)))


def _thanks(first: Question, said: str, then: Question, detail: str) -> Question:
    return then


_SORTS: Mapping[str, Callable[[Question, str, Question, str], Question]] = {
    "follow": _follow,
    "what": _what_about,
    "again": _again,
    "pushback": _pushback,
    "more": _more,
    "thanks": _thanks,
}


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
