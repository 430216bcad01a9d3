"""Statements: how the worlds' English says that something is the case.

A claim is (relation, subject, value). One list of templates turns claims into sentences here
and sentences into claims in ``reading``.
"""

import random
from collections.abc import Mapping
from typing import NamedTuple

from accord.worlds.chance import one_of
from accord.worlds.lexicon import subject_pronoun, with_article


class Claim(NamedTuple):
    """Something said to be the case.

    The subject is a name, a thing, a noun, a word, or a sum such as ``three plus four``.
    """

    relation: str
    subject: str
    value: str


# {s} is the subject as it is mentioned, {v} the value, {a} the value with its article.
STATEMENTS: Mapping[str, tuple[str, ...]] = {
    "town": ("{s} lives in {v}", "the home of {s} is in {v}"),
    "job": ("{s} is {a}", "{s} works as {a}"),
    "pet": ("{s} has {a}", "the pet of {s} is {a}", "{s} keeps {a}"),
    "food": ("{s} likes {v} best", "the favourite food of {s} is {v}"),
    "age": ("{s} is {v} years old", "{s} is {v}", "the age of {s} is {v}"),
    "colour": ("{s} is {v}", "the colour of {s} is {v}"),
    "sum": ("{s} is {v}", "{s} makes {v}"),
    "opposite": ("the opposite of {s} is {v}",),
    "is_a": ("{s} is {a}",),
    "does": ("{s} {v}",),
    "who_job": ("{s} is the {v}", "the {v} is {s}", "{s} works as {a}"),
}
PERSON_RELATIONS = frozenset({"town", "job", "pet", "food", "age"})
_WITH_ARTICLE = frozenset({"job", "pet", "is_a"})


def surface(relation: str, value: str) -> str:
    """Return the value as a short answer has it: "a cat", "Rome", "forty"."""
    return with_article(value) if relation in _WITH_ARTICLE else value


def mention(claim: Claim) -> str:
    """Return the words by which a sentence names the claim's subject."""
    if claim.relation == "colour":
        return "the " + claim.subject
    if claim.relation in ("is_a", "does"):
        return with_article(claim.subject)
    return claim.subject


def pronoun(claim: Claim) -> str:
    """Return what stands for the subject when it is mentioned again."""
    return subject_pronoun(claim.subject) if claim.relation in PERSON_RELATIONS else "it"


def state(claim: Claim, subject: str | None = None) -> str:
    """Return the claim in its plainest words, without capital and full stop.

    >>> state(Claim("town", "Anna", "Rome")), state(Claim("does", "owl", "flies at night"))
    ('Anna lives in Rome', 'an owl flies at night')
    """
    return _fill(STATEMENTS[claim.relation][0], claim, subject or mention(claim))


def restate(claim: Claim, rng: random.Random) -> str:
    """Return the claim in one of its wordings."""
    return _fill(one_of(rng, STATEMENTS[claim.relation]), claim, mention(claim))


def again(claim: Claim) -> str:
    """Return the claim about a subject that was mentioned before: "she lives in Rome"."""
    return state(claim, pronoun(claim))


def _fill(template: str, claim: Claim, subject: str) -> str:
    value = claim.value
    return template.format(s=subject, v=value, a=with_article(value))


def same_gender(name: str, pronoun_: str) -> bool:
    """Say whether "she" or "he" can stand for this person."""
    return subject_pronoun(name) == pronoun_
