"""Short dialogues: a question, an answer, and what the user says then.

Follow-up questions with a pronoun, the same question about somebody else, an order to say it
again in another form, doubt (with or without reason), more of a list, and thanks.
"""

import random
from collections.abc import Callable

from accord.worlds.answers import answer_with, good
from accord.worlds.chance import Weighted, chance, one_of
from accord.worlds.conversation import Request, topics
from accord.worlds.facts import PERSON_ATTRIBUTES, World
from accord.worlds.knowledge import CATEGORIES
from accord.worlds.lexicon import NUMBERS, subject_pronoun
from accord.worlds.phrasing import FOLLOW_UPS, Question, phrase, render
from accord.worlds.questions import CATEGORY_NAMES, draw_question, other_value
from accord.worlds.statements import PERSON_RELATIONS, Claim


def draw(world: World, rng: random.Random) -> Request:
    """Draw a dialogue of three turns: user, assistant, user."""
    return _SORTS.draw(rng)(world, rng)


def _request(
    world: World, turns: tuple[str, str, str], first: Question, question: Question
) -> Request:
    about = topics(world, question) + topics(world, first)
    return Request("dialogue", question, turns, tuple(dict.fromkeys(about)))


def _then(task: str, args: tuple[str, ...], rng: random.Random) -> str:
    return render(one_of(rng, FOLLOW_UPS[task]), args)


def _follow(world: World, rng: random.Random) -> Request:
    name = one_of(rng, world.names)
    before, after = rng.sample(PERSON_ATTRIBUTES, 2)
    first, question = Question(before, (name,)), Question(after, (name,))
    then = _then(f"follow_{after}", (subject_pronoun(name),), rng)
    return _request(world, (phrase(first, rng), good(world, first, rng), then), first, question)


def _what_about(world: World, rng: random.Random) -> Request:
    before, after = rng.sample(world.names, 2)
    attribute = one_of(rng, PERSON_ATTRIBUTES)
    first, question = Question(attribute, (before,)), Question(attribute, (after,))
    then = _then("what_about", (after,), rng)
    return _request(world, (phrase(first, rng), good(world, first, rng), then), first, question)


def _again(world: World, rng: random.Random) -> Request:
    kind = one_of(rng, ("fact", "fact", "sum", "word"))
    question = draw_question(world, kind, rng)
    while question.task in ("odd", "either", "more"):
        question = draw_question(world, kind, rng)
    first = Question(question.task, question.args)
    form, before = ("word", "sentence") if chance(rng, 0.6) else ("sentence", "word")
    answer = good(world, Question(first.task, first.args, before), rng)
    then = _then(f"again_{form}", (), rng)
    again = Question(first.task, first.args, form)
    return _request(world, (phrase(first, rng), answer, then), first, again)


def _pushback(world: World, rng: random.Random) -> Request:
    relation = one_of(rng, (*PERSON_ATTRIBUTES, "colour"))
    subject = one_of(rng, world.things if relation == "colour" else world.names)
    true = Claim(relation, subject, world.table[relation, subject])
    other = other_value(relation, true.value, rng)
    first = Question(relation, (subject,))
    user_is_right = chance(rng, 0.4)
    said = Claim(relation, subject, other) if user_is_right else true
    claimed = true.value if user_is_right else other
    answer = answer_with(world, Question(relation, (subject,), "sentence"), said, rng)
    mentioned = (subject_pronoun(subject),) if relation in PERSON_RELATIONS else ()
    then = _then(f"pushback_{relation}", (*mentioned, claimed), rng)
    question = Question("pushback", (relation, subject, claimed, said.value))
    return _request(world, (phrase(first, rng), answer, then), first, question)


def _more_items(world: World, rng: random.Random) -> Request:
    category = one_of(rng, CATEGORY_NAMES)
    count, more = one_of(rng, NUMBERS[2:4]), one_of(rng, NUMBERS[2:4])
    first = Question("list", (count, category))
    answer = good(world, first, rng)
    words = answer.lower().replace(",", "").replace(".", "").split()
    named = [word for word in words if word in CATEGORIES[category]]
    question = Question("more_items", (more, category, *named))
    then = _then("more_items", (more,), rng)
    return _request(world, (phrase(first, rng), answer, then), first, question)


def _thanks(world: World, rng: random.Random) -> Request:
    first = draw_question(world, one_of(rng, ("fact", "sum", "how_to")), rng)
    then = _then("thanks", (), rng)
    turns = (phrase(first, rng), good(world, first, rng), then)
    return _request(world, turns, first, Question("thanks", ()))


_SORTS: Weighted[Callable[[World, random.Random], Request]] = Weighted(
    {
        _follow: 0.27,
        _what_about: 0.16,
        _again: 0.16,
        _pushback: 0.24,
        _more_items: 0.09,
        _thanks: 0.08,
    }
)
