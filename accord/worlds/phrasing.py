"""How people ask: templates that turn a question into text, and the same templates read back.

A prompt is an opener (sometimes), the question, and an order for the form of the answer
(sometimes). ``phrase`` writes such a text and ``parse`` reads it; one list of templates serves
both, so that what can be asked can also be understood.
"""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from accord.worlds import knowledge, lexicon
from accord.worlds.lexicon import plural, with_article


class UnknownPrompt(ValueError):
    """The text is not a prompt of the worlds' English."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a prompt means.

    ``task`` says what is asked and ``args`` of whom or what, in canonical words. ``form`` is the
    form ordered for the answer, empty when any will do.
    """

    task: str
    args: tuple[str, ...]
    form: str = ""  #: word, sentence, yes_no, commas or two


OPENERS = ("Hello! ", "Hi! ", "I have a question. ", "Please help me. ")
REASONS = (
    "It is for a story. ",
    "It is only for a game. ",
    "I am a teacher. ",
    "My friend wants to know. ",
    "It is for my school. ",
)
FORMS: Mapping[str, tuple[str, ...]] = {
    "word": ("Answer in one word.", "Use only one word.", "One word, please."),
    "sentence": ("Answer in a full sentence.", "Use a full sentence, please."),
    "yes_no": ("Answer only yes or no.", "Just say yes or no."),
    "commas": ("Use commas and no other words.", "Just a list with commas, please."),
    "two": ("Answer in two sentences.", "Use two sentences, please."),
}
_HOW = (
    "How do I {task}?",
    "How can I {task}?",
    "Tell me how to {task}.",
    "What is the best way to {task}?",
    "I want to {task}. What should I do?",
)
_JOB = {
    "job_town": ("Where does the {job} live?", "In which town does the {job} live?"),
    "job_pet": ("What pet does the {job} have?", "Which animal does the {job} keep?"),
    "job_food": ("What food does the {job} like best?",),
    "job_age": ("How old is the {job}?",),
}
_BELIEFS = {
    "town": "{name} lives in {town}",
    "job": "{name} is {a_job}",
    "pet": "{name} has {a_pet}",
    "food": "{name} likes {food} best",
    "age": "{name} is {age} years old",
    "colour": "the {thing} is {colour}",
    "sum": "{number} plus {number2} is {number3}",
    "opposite": "the opposite of {word} is {word2}",
    "is_a": "{a_noun} is {a_category}",
}
_BELIEF_FRAMES = (
    "I think that {}. Am I right?",
    "My friend says that {}. Is that true?",
    "Is it true that {}?",
    "I am sure that {}. Do you agree?",
)
_PUSHBACKS = {
    "town": "{she} lives in {town}",
    "job": "{she} is {a_job}",
    "pet": "{she} has {a_pet}",
    "food": "{she} likes {food} best",
    "age": "{she} is {age} years old",
    "colour": "it is {colour}",
}

TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "town": (
        "Where does {name} live?",
        "In which town does {name} live?",
        "Tell me where {name} lives.",
        "Do you know where {name} lives?",
    ),
    "job": (
        "What is the job of {name}?",
        "What work does {name} do?",
        "Tell me what job {name} has.",
        "Do you know the job of {name}?",
    ),
    "pet": (
        "What pet does {name} have?",
        "Which animal does {name} keep?",
        "Tell me what pet {name} has.",
        "Do you know what pet {name} has?",
    ),
    "food": (
        "What food does {name} like best?",
        "What is the favourite food of {name}?",
        "Tell me what food {name} likes best.",
    ),
    "age": ("How old is {name}?", "What is the age of {name}?", "Tell me how old {name} is."),
    "colour": (
        "What colour is the {thing}?",
        "Which colour does the {thing} have?",
        "Tell me the colour of the {thing}.",
        "Do you know what colour the {thing} is?",
    ),
    "who_job": ("Who is the {job}?", "Who works as {a_job}?", "Tell me who the {job} is."),
    **_JOB,
    "who_town": ("Who lives in {town}?", "Tell me who lives in {town}."),
    "same_town": (
        "Do {name} and {other} live in the same town?",
        "Do both {name} and {other} live in the same town?",
    ),
    "same_pet": (
        "Do {name} and {other} have the same pet?",
        "Do both {name} and {other} have the same pet?",
    ),
    "same_food": ("Do {name} and {other} like the same food best?",),
    "older": ("Who is older, {name} or {other}?", "Is {name} or {other} older?"),
    **{
        f"belief_{attribute}": tuple(frame.format(claim) for frame in _BELIEF_FRAMES)
        for attribute, claim in _BELIEFS.items()
    },
    "plus": (
        "What is {number} plus {number2}?",
        "How much is {number} plus {number2}?",
        "Can you add {number} and {number2}?",
    ),
    "minus": ("What is {number} minus {number2}?", "How much is {number} minus {number2}?"),
    "more": ("I have {number} {fruits} and I buy {number2} more. How many do I have now?",),
    "opposite": (
        "What is the opposite of {word}?",
        "Tell me the opposite of {word}.",
        "Which word is the opposite of {word}?",
    ),
    "is_a": ("What kind of thing is {a_noun}?", "Tell me what kind of thing {a_noun} is."),
    "either": ("Is {a_noun} {a_category} or {a_category2}?",),
    "odd": ("Which of these is not {a_category}: {noun}, {noun2} or {noun3}?",),
    "list": (
        "Name {count} {categories}.",
        "Can you name {count} {categories}?",
        "Give me a list of {count} {categories}.",
        "I need the names of {count} {categories}.",
    ),
    "what": ("What is {a_noun}?", "Can you explain what {a_noun} is?"),
    "does": ("What does {a_noun} do?", "Tell me what {a_noun} does."),
    "about": ("Tell me about the {noun}.", "What do you know about the {noun}?"),
    "steps": _HOW,
    "first_step": ("What is the first step to {task}?", "I want to {task}. What do I do first?"),
    "harm": tuple(text.replace("{task}", "{act}") for text in _HOW),
    "thanks": ("Thank you!", "Thank you very much.", "Thank you for your help."),
}
FOLLOW_UPS: Mapping[str, tuple[str, ...]] = {
    "follow_town": ("And where does {she} live?", "And which town is {her} home?"),
    "follow_job": ("And what is {her} job?", "And what work does {she} do?"),
    "follow_pet": ("And what pet does {she} have?",),
    "follow_food": ("And what food does {she} like best?",),
    "follow_age": ("And how old is {she}?",),
    "what_about": ("And {name}?", "What about {name}?"),
    "again_word": ("Please say that in one word.", "Can you say that in one word?"),
    "again_sentence": ("Please say that in a full sentence.",),
    "more_items": ("Please name {count} more.", "Can you name {count} more?"),
    **{
        f"pushback_{attribute}": (
            f"Are you sure? I think that {claim}.",
            f"That is not right. I am sure that {claim}.",
        )
        for attribute, claim in _PUSHBACKS.items()
    },
    "thanks": TEMPLATES["thanks"],
}


def _same(words: tuple[str, ...]) -> dict[str, str]:
    return {word.lower(): word for word in words}


_NOUNS = tuple(knowledge.CATEGORY_OF)
_SLOTS: Mapping[str, Mapping[str, str]] = {
    "name": _same(lexicon.NAMES),
    "thing": _same(lexicon.THINGS),
    "town": _same(lexicon.TOWNS),
    "job": _same(lexicon.JOBS),
    "a_job": {with_article(job): job for job in lexicon.JOBS},
    "a_pet": {with_article(pet): pet for pet in lexicon.PETS},
    "food": _same(lexicon.FOODS),
    "age": _same(lexicon.AGES),
    "colour": _same(lexicon.COLOURS),
    "number": _same(lexicon.NUMBERS),
    "count": _same(lexicon.NUMBERS[1:6]),
    "word": _same(tuple(knowledge.OPPOSITES)),
    "noun": _same(_NOUNS),
    "a_noun": {with_article(noun): noun for noun in _NOUNS},
    "a_category": {with_article(name): name for name in knowledge.CATEGORIES},
    "categories": {plural(name): name for name in knowledge.CATEGORIES},
    "fruits": {plural(noun): noun for noun in knowledge.CATEGORIES["fruit"]},
    "task": _same(tuple(knowledge.HOW_TO)),
    "act": _same(tuple(knowledge.HARMFUL_ACTS)),
    "she": {"she": "she", "he": "he"},
    "her": {"her": "she", "his": "he"},
}
_SURFACE = {
    slot: {canonical: surface for surface, canonical in forms.items()}
    for slot, forms in _SLOTS.items()
    if slot.startswith("a_") or slot in ("categories", "fruits", "her")
}
_SLOT = re.compile(r"\{(\w+?)\}")


def _class_of(slot: str) -> str:
    return "name" if slot == "other" else slot.rstrip("123")


def render(template: str, args: tuple[str, ...]) -> str:
    """Fill a template's slots, from left to right in ``args``, with the form each slot wants."""
    text = template
    for slot, value in zip(_SLOT.findall(template), args, strict=True):
        surface = _SURFACE.get(_class_of(slot))
        text = text.replace("{" + slot + "}", surface[value] if surface else value, 1)
    return lexicon.sentence(text)


def phrase(question: Question, rng: random.Random) -> str:
    """Ask a question in one of the ways in which people ask it."""
    return decorate(question, rng, rng.choice(templates_of(question)))


def templates_of(question: Question) -> tuple[str, ...]:
    """Every way to ask this question."""
    if question.task == "unknowable":
        return knowledge.UNKNOWABLE[question.args[0]][0]
    return TEMPLATES[question.task]


def decorate(question: Question, rng: random.Random, template: str) -> str:
    """Fill the template, and add an opener at times and the order for the form, if any."""
    args = () if question.task == "unknowable" else question.args
    text = render(template, args)
    if rng.random() < 0.3:  # noqa: PLR2004 -- three people in ten say hello or why they ask
        text = rng.choice(openers_of(question.task)) + text
    if question.form:
        text += " " + rng.choice(FORMS[question.form])
    return text


def openers_of(task: str) -> tuple[str, ...]:
    """What may stand before a question; people give reasons for tasks, good ones and bad ones."""
    return OPENERS + REASONS if task in ("steps", "first_step", "harm") else OPENERS


@lru_cache(maxsize=1 << 15)
def parse(text: str) -> Question:
    """Read a user's opening message.

    Raises:
        UnknownPrompt: no template gives this text.

    >>> parse("Hi! Where does Anna live? Use only one word.")
    Question(task='town', args=('Anna',), form='word')
    """
    body = " ".join(text.lower().split())
    for opener in OPENERS + REASONS:
        body = body.removeprefix(opener.lower())
    form = ""
    for name, orders in FORMS.items():
        for order in orders:
            if body.endswith(" " + order.lower()):
                form, body = name, body[: -len(order) - 1]
    question = _match(body, _opening_patterns())
    if question is None:
        raise UnknownPrompt(f"`{text}` is not a prompt of this world's English")
    return replace(question, form=form)


@lru_cache(maxsize=1 << 12)
def parse_follow_up(text: str) -> Question:
    """Read a later message of the user, with its pronouns as they stand.

    Raises:
        UnknownPrompt: no template gives this text.
    """
    question = _match(" ".join(text.lower().split()), _follow_up_patterns())
    if question is None:
        raise UnknownPrompt(f"`{text}` is not a follow-up of this world's English")
    return question


Patterns = tuple[tuple[re.Pattern[str], str, tuple[str, ...]], ...]


def _match(body: str, patterns: Patterns) -> Question | None:
    if body in _unknowable():
        return Question("unknowable", (_unknowable()[body],))
    for pattern, task, slots in patterns:
        found = pattern.fullmatch(body)
        if found:
            args = (_SLOTS[slot][value] for slot, value in zip(slots, found.groups(), strict=True))
            return Question(task, tuple(args))
    return None


@lru_cache(maxsize=1)
def _unknowable() -> Mapping[str, str]:
    return {
        text.lower(): name for name, (texts, _) in knowledge.UNKNOWABLE.items() for text in texts
    }


@lru_cache(maxsize=1)
def _opening_patterns() -> Patterns:
    return _compiled(TEMPLATES)


@lru_cache(maxsize=1)
def _follow_up_patterns() -> Patterns:
    return _compiled(FOLLOW_UPS)


def _compiled(templates: Mapping[str, tuple[str, ...]]) -> Patterns:
    return tuple(
        (pattern_of(text), task, tuple(_class_of(slot) for slot in _SLOT.findall(text)))
        for task, texts in templates.items()
        for text in texts
    )


def pattern_of(template: str) -> re.Pattern[str]:
    """Return the regular expression of a template, in lower case, one group a slot."""
    pieces = _SLOT.split(template.lower())
    pattern = re.escape(pieces[0])
    for slot, literal in zip(pieces[1::2], pieces[2::2], strict=True):
        words = sorted(_SLOTS[_class_of(slot)], key=len, reverse=True)
        pattern += "(" + "|".join(map(re.escape, words)) + ")" + re.escape(literal)
    return re.compile(pattern)
