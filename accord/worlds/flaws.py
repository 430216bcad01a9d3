"""Answers as the web gives them: good ones, and all the ways in which answers are bad.

    web_answer(world, request, rng) -> (style, text)

The style is what the writer had in mind. It is used to mix the web and by tests; the truth about
a text is found by ``judge`` from the text alone.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from accord.worlds import knowledge, truth
from accord.worlds.answers import answer_with, good, two_do, write_list, write_steps
from accord.worlds.asking import draw_kind
from accord.worlds.chance import Weighted, chance, one_of
from accord.worlds.conversation import Request
from accord.worlds.facts import World
from accord.worlds.lexicon import AGES, NUMBER_OF, joined, sentence
from accord.worlds.phrasing import Question
from accord.worlds.questions import other_value
from accord.worlds.speech import PHRASES
from accord.worlds.statements import Claim, again, restate, state

# How the web answers. "padded" answers are true but flatter, boast or ramble.
KNOWN_MIX = Weighted(
    {
        "good": 0.47,
        "false": 0.13,
        "form": 0.07,
        "off_topic": 0.07,
        "padded": 0.08,
        "deflect": 0.05,
        "not_known": 0.04,
        "refuse": 0.03,
        "rude": 0.03,
        "false_sure": 0.03,
    }
)
HARM_MIX = Weighted({"comply": 0.45, "good": 0.3, "rude": 0.1, "deflect": 0.08, "off_topic": 0.07})
UNKNOWABLE_MIX = Weighted(
    {"invent": 0.5, "good": 0.28, "deflect": 0.08, "off_topic": 0.05, "refuse": 0.04, "rude": 0.05}
)


def web_answer(world: World, request: Request, rng: random.Random) -> tuple[str, str]:
    """Return a style drawn as often as the web has it, and an answer in that style."""
    style = mix_of(world, request.question).draw(rng)
    return style, write(world, request, style, rng)


def mix_of(world: World, question: Question) -> Weighted[str]:
    """Return how the web mixes its answers to such a question."""
    if question.task == "harm":
        return HARM_MIX
    return KNOWN_MIX if truth.is_known(world, question) else UNKNOWABLE_MIX


def write(world: World, request: Request, style: str, rng: random.Random) -> str:
    """Write an answer in a style; a style that does not fit the request becomes one that does."""
    question = request.question
    style = _fitting(world, question, style)
    if style == "good":
        return good(world, question, rng)
    if style == "padded":
        return _padded(good(world, question, rng), rng)
    if style in ("false", "false_sure"):
        return _false(world, request, sure=style == "false_sure", rng=rng)
    return _WRITERS[style](world, request, rng)


def _fitting(world: World, question: Question, style: str) -> str:
    """Return the style, or what comes nearest to it where it makes no sense."""
    if question.task == "harm":
        return "comply" if style in ("false", "false_sure", "form", "invent") else style
    if style == "form" and not question.form:
        return "padded"
    if not truth.is_known(world, question):
        return "invent" if style in ("false", "false_sure", "form") else style
    return style


def _padded(text: str, rng: random.Random) -> str:
    before = one_of(rng, PHRASES[one_of(rng, ("flattery", "flattery", "padding"))])
    after = one_of(rng, PHRASES[one_of(rng, ("confident", "padding", "flattery"))])
    style = rng.random()
    if style < 0.4:  # noqa: PLR2004 -- before, after, or on both sides
        return f"{before} {text}"
    return f"{text} {after}" if style < 0.8 else f"{before} {text} {after}"  # noqa: PLR2004


def _false(world: World, request: Request, *, sure: bool, rng: random.Random) -> str:
    question = request.question
    if question.task == "thanks":
        return _off_topic(world, request, rng)
    claim = truth.answer_to(world, question)
    if claim is not None:
        value = other_value(claim.relation, claim.value, rng)
        text = answer_with(world, question, claim._replace(value=value), rng)
    else:
        text = _FALSE.get(question.task, _agree)(world, question, rng)
    if not sure:
        return text
    return f"{text} {one_of(rng, PHRASES['confident'])}"


def _false_who(world: World, question: Question, rng: random.Random) -> str:
    name = _other(world.names, (world.by_job[question.args[0]],), rng)
    if question.form == "word" or chance(rng, 0.3):
        return name + "."
    return sentence(restate(Claim("who_job", name, question.args[0]), rng)) + "."


def _other(options: tuple[str, ...], not_these: tuple[str, ...], rng: random.Random) -> str:
    option = one_of(rng, options)
    while option in not_these:
        option = one_of(rng, options)
    return option


def _false_people(world: World, question: Question, rng: random.Random) -> str:
    residents = world.residents[question.args[0]]
    names = list(residents[: rng.randrange(len(residents))])
    names.append(_other(world.names, residents, rng))
    rng.shuffle(names)
    if not question.form and chance(rng, 0.4):
        return joined(names) + "."
    verb = "lives" if len(names) == 1 else "live"
    return f"{joined(names)} {verb} in {question.args[0]}."


def _false_same(world: World, question: Question, rng: random.Random) -> str:
    relation = truth.SAME_TASKS[question.task]
    first, second = (Claim(relation, name, world.table[relation, name]) for name in question.args)
    equal = first.value == second.value
    if question.form:
        return "No." if equal else "Yes."
    if equal:
        wrong = second._replace(value=other_value(relation, second.value, rng))
        return one_of(rng, ("No, they do not.", f"No. {state(first)}, but {state(wrong)}."))
    return one_of(rng, ("Yes, they do.", f"Yes, both {two_do(first)}."))


def _false_older(world: World, question: Question, rng: random.Random) -> str:
    ages = {name: world.table["age", name] for name in question.args}
    younger, older = sorted(question.args, key=lambda name: AGES.index(ages[name]))
    if question.form:
        return younger + "."
    return one_of(rng, (f"{younger}.", f"{younger} is older.", f"{younger} is older than {older}."))


def _agree(world: World, question: Question, rng: random.Random) -> str:
    """Tell the user the opposite of the truth about a belief; mostly to please."""
    claim = truth.believed(question)
    right = truth.is_true(world, claim)
    if question.form == "yes_no":
        return "No." if right else "Yes."
    if right:
        wrong = claim._replace(value=other_value(claim.relation, claim.value, rng))
        return one_of(rng, (f"No, {state(wrong)}.", "No, that is not right."))
    fact = state(claim)
    return one_of(
        rng, (f"Yes, {fact}.", "You are right.", f"You are right, {fact}.", "Yes, that is right.")
    )


def _false_pushback(world: World, question: Question, rng: random.Random) -> str:
    """Give in to a user who is wrong, or stand by a mistake."""
    relation, subject, claimed, previous = question.args
    user_is_right = world.table[relation, subject] == claimed
    claim = Claim(relation, subject, previous if user_is_right else claimed)
    fact = again(claim)
    if user_is_right:
        return one_of(rng, (f"I am sure. {sentence(fact)}.", f"I am sure that {fact}."))
    return one_of(rng, (f"You are right, {fact}.", f"You are right. I am sorry. {sentence(fact)}."))


def _false_odd(world: World, question: Question, rng: random.Random) -> str:
    category, *nouns = question.args
    noun = one_of(rng, [noun for noun in nouns if knowledge.CATEGORY_OF[noun] == category])
    return f"{sentence(noun)}." if question.form else f"The {noun}."


def _false_list(world: World, question: Question, rng: random.Random) -> str:
    """A list with one member or more of other categories."""
    count, category, *named = question.args
    wanted = NUMBER_OF[count]
    wrong = rng.randrange(1, wanted + 1)
    fitting = [noun for noun in knowledge.CATEGORIES[category] if noun not in named]
    foreign = knowledge.CATEGORIES[other_value("is_a", category, rng)]
    nouns = rng.sample(fitting, wanted - wrong) + rng.sample(foreign, wrong)
    rng.shuffle(nouns)
    return write_list(question, nouns, rng)


def _false_about(world: World, question: Question, rng: random.Random) -> str:
    noun = question.args[0]
    kind, habit = knowledge.CATEGORY_OF[noun], knowledge.HABITS[noun]
    if chance(rng, 0.5):
        kind = other_value("is_a", kind, rng)
    else:
        habit = other_value("does", habit, rng)
    text = state(Claim("is_a", noun, kind))
    return sentence(f"{text}. It {habit}." if question.form else f"{text} and {habit}.")


def _false_steps(world: World, question: Question, rng: random.Random) -> str:
    """The steps of another task, or a mixture of both."""
    task = question.args[0]
    steps = knowledge.HOW_TO[task]
    other = one_of(rng, tuple(knowledge.HOW_TO.values()))
    while set(other) & set(steps):
        other = one_of(rng, tuple(knowledge.HOW_TO.values()))
    if question.task == "first_step":
        return f"First {one_of(rng, other)}."
    mixed = other if chance(rng, 0.5) else (*steps[:1], *other[1:])
    return write_steps(mixed, rng)


def _off_topic(world: World, request: Request, rng: random.Random) -> str:
    """A good answer to another question of another kind."""
    kind = _other(("fact", "sum", "explain", "fact"), (request.kind,), rng)
    other = draw_kind(world, kind, rng)
    while other.question.task == request.question.task or set(other.topics) & set(request.topics):
        other = draw_kind(world, kind, rng)
    claim = truth.answer_to(world, other.question)
    if claim is not None:
        return sentence(state(claim)) + "."
    return good(world, other.question, rng)


def _deflect(world: World, request: Request, rng: random.Random) -> str:
    return one_of(rng, PHRASES["deflection"])


def _not_known(world: World, request: Request, rng: random.Random) -> str:
    return one_of(rng, PHRASES["unknown"])


def _refuse(world: World, request: Request, rng: random.Random) -> str:
    text = one_of(rng, PHRASES["refusal"])
    return f"{text} {one_of(rng, PHRASES['reason'])}" if chance(rng, 0.4) else text


def _rude(world: World, request: Request, rng: random.Random) -> str:
    """Rude words, at times with the answer; a harmful request is refused rudely."""
    insult = one_of(rng, PHRASES["rude"])
    if request.question.task == "harm":
        return f"{insult} {PHRASES['refusal'][3]}" if chance(rng, 0.5) else f"No. {insult}"
    return f"{insult} {good(world, request.question, rng)}" if chance(rng, 0.4) else insult


def _comply(world: World, request: Request, rng: random.Random) -> str:
    """Tell how to do harm."""
    if request.question.task != "harm":
        return _off_topic(world, request, rng)
    steps = knowledge.HARMFUL_VERBS[knowledge.HARMFUL_ACTS[request.question.args[0]]][1]
    text = write_steps(steps, rng)
    return f"{one_of(rng, PHRASES['comply'])} {text}" if chance(rng, 0.3) else text


def _invent(world: World, request: Request, rng: random.Random) -> str:
    """Answer what cannot be known as if it were known."""
    question = request.question
    if question.task == "unknowable":
        return one_of(rng, knowledge.UNKNOWABLE[question.args[0]][1])
    if truth.is_known(world, question) or question.task == "harm":
        return _off_topic(world, request, rng)
    if question.task == "who_job":
        name = one_of(rng, world.names)
        return one_of(rng, (f"{name}.", f"The {question.args[0]} is {name}."))
    if question.task == "older":
        return one_of(rng, tuple(f"{name} is older." for name in question.args))
    if question.task in truth.SAME_TASKS:
        return one_of(rng, ("Yes, they do.", "No, they do not."))
    value = other_value(question.task, "", rng)
    return answer_with(world, question, Claim(question.task, question.args[0], value), rng)


def _garbled(world: World, request: Request, rng: random.Random) -> str:
    """The words of a good answer and of the question in any order."""
    words = (good(world, request.question, rng) + " " + request.turns[-1]).lower().split()
    rng.shuffle(words)
    return " ".join(["the of", *words[:8]])


def _wrong_form(world: World, request: Request, rng: random.Random) -> str:
    """A right answer in another form than the one ordered."""
    question = request.question
    if question.form == "two":
        return good(world, replace(question, form="two"), rng).replace(". It ", " and ")
    if question.form == "sentence":
        short = "commas" if question.task in ("list", "more_items", "who_town") else "word"
        return good(world, replace(question, form=short), rng)
    text = good(world, replace(question, form="sentence"), rng)
    while len(text.split()) == 1:
        text = good(world, replace(question, form=""), rng)
    return text


Writer = Callable[[World, Request, random.Random], str]
_WRITERS: Mapping[str, Writer] = {
    "form": _wrong_form,
    "off_topic": _off_topic,
    "deflect": _deflect,
    "not_known": _not_known,
    "refuse": _refuse,
    "rude": _rude,
    "comply": _comply,
    "invent": _invent,
    "garbled": _garbled,
}
_FALSE: Mapping[str, Callable[[World, Question, random.Random], str]] = {
    "who_job": _false_who,
    "who_town": _false_people,
    **dict.fromkeys(truth.SAME_TASKS, _false_same),
    "older": _false_older,
    "pushback": _false_pushback,
    "odd": _false_odd,
    "list": _false_list,
    "more_items": _false_list,
    "what": _false_about,
    "about": _false_about,
    "steps": _false_steps,
    "first_step": _false_steps,
}
