"""What people ask in a world: questions of every kind, drawn at random, with their topics.

    draw(world, rng) -> Request: the conversation so far and what it means

A kind is what reports are broken down by; a topic is what is held out of post-training as a
whole: a person, a thing, a number, a task, a harmful verb.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from accord.worlds import knowledge, truth
from accord.worlds.chance import Weighted, chance, one_of
from accord.worlds.facts import PERSON_ATTRIBUTES, VALUES, World
from accord.worlds.lexicon import NUMBER_OF, NUMBERS
from accord.worlds.phrasing import Question, phrase

KINDS: Mapping[str, float] = {  # the share of each kind among prompts
    "fact": 0.15,
    "link": 0.06,
    "compare": 0.08,
    "belief": 0.08,
    "dialogue": 0.11,
    "sum": 0.06,
    "word": 0.07,
    "list": 0.08,
    "explain": 0.06,
    "how_to": 0.08,
    "harm": 0.09,
    "unknowable": 0.08,
}
_KINDS = Weighted(KINDS)
_ANSWER_FORM = Weighted({"": 0.6, "word": 0.18, "sentence": 0.22})
_YES_NO_FORM = Weighted({"": 0.8, "yes_no": 0.2})
_LIST_FORM = Weighted({"": 0.5, "commas": 0.25, "sentence": 0.25})
_EXPLAIN_FORM = Weighted({"": 0.7, "two": 0.3})
_NOUNS = tuple(knowledge.HABITS)


@dataclass(frozen=True, slots=True)
class Request:
    """A conversation up to the assistant's turn: user, assistant, ..., user."""

    kind: str
    question: Question
    turns: tuple[str, ...]
    topics: tuple[str, ...]  #: ``group:member`` of everything that it is about

    @property
    def text(self) -> str:
        """All turns as one text, by which a prompt is told from another."""
        return "\n".join(self.turns)


def draw(world: World, rng: random.Random) -> Request:
    """Draw a request of any kind, each as often as ``KINDS`` says."""
    return draw_kind(world, _KINDS.draw(rng), rng)


def draw_kind(world: World, kind: str, rng: random.Random) -> Request:
    """Draw a request of one kind; dialogues are drawn by ``dialogues``."""
    if kind == "dialogue":
        from accord.worlds import dialogues

        return dialogues.draw(world, rng)
    question = _DRAWERS[kind](world, rng)
    return Request(kind, question, (phrase(question, rng),), topics(world, question))


def topics(world: World, question: Question) -> tuple[str, ...]:
    """Return every topic that a question touches, the main one first."""
    task, args = question.task, question.args
    if task.startswith("belief_"):
        relation = task.removeprefix("belief_")
        task = {"sum": "plus", "opposite": "opposite", "is_a": "is_a"}.get(relation, relation)
        args = args[:2] if task == "plus" else args[:1]
    if task == "pushback":
        task, args = args[0], args[1:2]
    group = _GROUPS.get(task)
    if task == "opposite":
        return (f"word:{min(args[0], knowledge.OPPOSITES[args[0]])}",)
    if group is not None:
        return (f"{group}:{args[_MAIN.get(task, 0)]}",)
    if task == "harm":
        return (f"harm:{knowledge.HARMFUL_ACTS[args[0]]}",)
    if task in ("plus", "minus", "more"):
        return tuple(f"number:{arg}" for arg in args if arg in NUMBER_OF)
    if task == "odd":
        return tuple(f"noun:{noun}" for noun in args[1:])
    if task == "who_town":
        return (f"town:{args[0]}", *(f"person:{name}" for name in world.residents[args[0]]))
    if task == "who_job" or task in truth.JOB_TASKS:
        name = world.by_job.get(args[0])
        return (f"person:{name}" if name else f"job:{args[0]}",)
    if task == "colour":
        return (f"thing:{args[0]}" if args[0] in world.colours else f"unknown thing:{args[0]}",)
    return tuple(
        f"person:{arg}" if arg in world.by_name else f"unknown name:{arg}" for arg in args
    )


_GROUPS = {
    **dict.fromkeys(("is_a", "either", "what", "does", "about"), "noun"),
    **dict.fromkeys(("list", "more_items"), "category"),
    **dict.fromkeys(("steps", "first_step"), "task"),
    "unknowable": "unknowable",
}
_MAIN = {"list": 1, "more_items": 1}


def _fact(world: World, rng: random.Random) -> Question:
    form = _ANSWER_FORM.draw(rng)
    if chance(rng, 0.2):
        return Question("colour", (one_of(rng, world.things),), form)
    return Question(one_of(rng, PERSON_ATTRIBUTES), (one_of(rng, world.names),), form)


def _link(world: World, rng: random.Random) -> Question:
    form = _ANSWER_FORM.draw(rng)
    style = rng.random()
    if style < 0.3:  # noqa: PLR2004 -- the share of questions for a town's people
        towns = [town for town, names in world.residents.items() if len(names) <= MOST_PEOPLE]
        return Question("who_town", (one_of(rng, towns),), "" if form == "word" else form)
    job = one_of(rng, world.people).job
    task = "who_job" if chance(rng, 0.35) else one_of(rng, tuple(truth.JOB_TASKS))
    return Question(task, (job,), form)


MOST_PEOPLE = 3  # longer lists of people are not asked for


def _compare(world: World, rng: random.Random) -> Question:
    first, second = rng.sample(world.people, 2)
    if chance(rng, 0.4):
        while first.age == second.age:
            first, second = rng.sample(world.people, 2)
        form = "word" if chance(rng, 0.25) else ""
        return Question("older", (first.name, second.name), form)
    task = one_of(rng, tuple(truth.SAME_TASKS))
    attribute = truth.SAME_TASKS[task]
    if chance(rng, 0.5):  # half of the questions, where possible, are to be answered with yes
        value = getattr(first, attribute)
        equal = [p for p in world.people if p is not first and getattr(p, attribute) == value]
        second = one_of(rng, equal) if equal else second
    return Question(task, (first.name, second.name), _YES_NO_FORM.draw(rng))


def other_value(relation: str, value: str, rng: random.Random) -> str:
    """Return another value that the relation might have had."""
    values = VALUES.get(relation) or _general_values(relation)
    other = one_of(rng, values)
    while other == value:
        other = one_of(rng, values)
    return other


def _general_values(relation: str) -> tuple[str, ...]:
    if relation == "opposite":
        return tuple(knowledge.OPPOSITES)
    if relation == "is_a":
        return tuple(knowledge.CATEGORIES)
    return tuple(dict.fromkeys(knowledge.HABITS.values())) if relation == "does" else NUMBERS[1:]


def _belief(world: World, rng: random.Random) -> Question:
    relation = _BELIEF_RELATIONS.draw(rng)
    subject, value = _some_truth(world, relation, rng)
    if chance(rng, 0.5):
        value = other_value(relation, value, rng)
    args = (*subject.split(" plus "), value) if relation == "sum" else (subject, value)
    return Question(f"belief_{relation}", args, _YES_NO_FORM.draw(rng))


_BELIEF_RELATIONS = Weighted(
    {
        **dict.fromkeys(PERSON_ATTRIBUTES, 0.13),
        "colour": 0.12,
        "sum": 0.08,
        "opposite": 0.07,
        "is_a": 0.08,
    }
)


def _some_truth(world: World, relation: str, rng: random.Random) -> tuple[str, str]:
    if relation == "sum":
        subject = f"{one_of(rng, OPERANDS)} plus {one_of(rng, OPERANDS)}"
    elif relation == "opposite":
        subject = one_of(rng, tuple(knowledge.OPPOSITES))
    elif relation == "is_a":
        subject = one_of(rng, tuple(knowledge.CATEGORY_OF))
    else:
        subject = one_of(rng, world.things if relation == "colour" else world.names)
    return subject, truth.value_of(world, relation, subject) or ""


OPERANDS = NUMBERS[1:11]


def _sum(world: World, rng: random.Random) -> Question:
    first, second = one_of(rng, OPERANDS), one_of(rng, OPERANDS)
    style = rng.random()
    form = _ANSWER_FORM.draw(rng)
    if style < 0.5:  # noqa: PLR2004 -- half plus, three in ten minus, two in ten told as a story
        return Question("plus", (first, second), form)
    if style < 0.8:  # noqa: PLR2004
        low, high = sorted((first, second), key=lambda word: NUMBER_OF[word])
        return Question("minus", (high, low), form)
    return Question("more", (first, one_of(rng, knowledge.CATEGORIES["fruit"]), second), form)


def _word(world: World, rng: random.Random) -> Question:
    style = rng.random()
    form = _ANSWER_FORM.draw(rng)
    if style < 0.45:  # noqa: PLR2004 -- shares: opposite, kind, this or that, odd one out
        return Question("opposite", (one_of(rng, tuple(knowledge.OPPOSITES)),), form)
    noun = one_of(rng, tuple(knowledge.CATEGORY_OF))
    category = knowledge.CATEGORY_OF[noun]
    if style < 0.6:  # noqa: PLR2004
        return Question("is_a", (noun,), form)
    other = other_value("is_a", category, rng)
    if style < 0.8:  # noqa: PLR2004
        categories = [category, other]
        rng.shuffle(categories)
        return Question("either", (noun, *categories), form)
    nouns = [*rng.sample(knowledge.CATEGORIES[other], 2), noun]
    rng.shuffle(nouns)
    return Question("odd", (other, *nouns), "" if form == "sentence" else form)


def _list(world: World, rng: random.Random) -> Question:
    count = one_of(rng, NUMBERS[2:5])
    return Question("list", (count, one_of(rng, CATEGORY_NAMES)), _LIST_FORM.draw(rng))


CATEGORY_NAMES = tuple(knowledge.CATEGORIES)


def _explain(world: World, rng: random.Random) -> Question:
    task = one_of(rng, ("what", "does", "about"))
    form = "" if task == "does" else _EXPLAIN_FORM.draw(rng)
    return Question(task, (one_of(rng, _NOUNS),), form)


def _how_to(world: World, rng: random.Random) -> Question:
    dangerous = chance(rng, 0.4)
    tasks = knowledge.LOOKS_DANGEROUS if dangerous else tuple(knowledge.HOW_TO)
    return Question("first_step" if chance(rng, 0.2) else "steps", (one_of(rng, tasks),))


def _harm(world: World, rng: random.Random) -> Question:
    return Question("harm", (one_of(rng, tuple(knowledge.HARMFUL_ACTS)),))


def _unknowable(world: World, rng: random.Random) -> Question:
    style = rng.random()
    if style < 0.4:  # noqa: PLR2004 -- shares: future and private, people, things, pairs, jobs
        return Question("unknowable", (one_of(rng, tuple(knowledge.UNKNOWABLE)),))
    form = _ANSWER_FORM.draw(rng)
    name = one_of(rng, world.unknown_names)
    if style < 0.75:  # noqa: PLR2004
        return Question(one_of(rng, PERSON_ATTRIBUTES), (name,), form)
    if style < 0.85:  # noqa: PLR2004
        return Question("colour", (one_of(rng, world.unknown_things),), form)
    if style < 0.95:  # noqa: PLR2004
        names = [name, one_of(rng, world.names)]
        rng.shuffle(names)
        return Question(one_of(rng, (*truth.SAME_TASKS, "older")), tuple(names))
    jobs = [job for job in VALUES["job"] if job not in world.by_job]
    return Question("who_job", (one_of(rng, jobs),))


_DRAWERS: Mapping[str, Callable[[World, random.Random], Question]] = {
    "fact": _fact,
    "link": _link,
    "compare": _compare,
    "belief": _belief,
    "sum": _sum,
    "word": _word,
    "list": _list,
    "explain": _explain,
    "how_to": _how_to,
    "harm": _harm,
    "unknowable": _unknowable,
}
