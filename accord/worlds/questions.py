"""Single questions of every kind, drawn at random.

Each kind mixes tasks, subjects and ordered forms in fixed shares. Of the questions to be answered
with yes or no about half have the answer yes.
"""

import random
from collections.abc import Callable, Mapping

from accord.worlds import knowledge, truth
from accord.worlds.chance import Weighted, chance, one_of
from accord.worlds.facts import PERSON_ATTRIBUTES, VALUES, World
from accord.worlds.lexicon import NUMBER_OF, NUMBERS
from accord.worlds.phrasing import Question

WORDS = tuple(knowledge.OPPOSITES)
NOUNS = tuple(knowledge.CATEGORY_OF)
CATEGORY_NAMES = tuple(knowledge.CATEGORIES)
OPERANDS = NUMBERS[1:11]
MOST_PEOPLE = 3  # who lives in a town with more people is not asked

_NO_FORM = Weighted({"": 1.0})
_ANSWER_FORM = Weighted({"": 0.6, "word": 0.18, "sentence": 0.22})
_YES_NO_FORM = Weighted({"": 0.8, "yes_no": 0.2})
_LIST_FORM = Weighted({"": 0.5, "commas": 0.25, "sentence": 0.25})
_EXPLAIN_FORM = Weighted({"": 0.7, "two": 0.3})
_OLDER_FORM = Weighted({"": 0.75, "word": 0.25})

_LINK_TASK = Weighted({"who_town": 0.3, "who_job": 0.25, **dict.fromkeys(truth.JOB_TASKS, 0.1125)})
_COMPARE_TASK = Weighted({"older": 0.4, **dict.fromkeys(truth.SAME_TASKS, 0.2)})
_BELIEF_RELATION = Weighted(
    {
        **dict.fromkeys(PERSON_ATTRIBUTES, 0.13),
        "colour": 0.12,
        "sum": 0.08,
        "opposite": 0.07,
        "is_a": 0.08,
    }
)
_SUM_TASK = Weighted({"plus": 0.5, "minus": 0.3, "more": 0.2})
_WORD_TASK = Weighted({"opposite": 0.45, "is_a": 0.15, "either": 0.2, "odd": 0.2})
_HOW_TO_TASK = Weighted({"steps": 0.8, "first_step": 0.2})
_UNKNOWABLE_TASK = Weighted(
    {"unknowable": 0.4, "person": 0.35, "colour": 0.1, "pair": 0.1, "who_job": 0.05}
)


def _fact(world: World, rng: random.Random) -> Question:
    form = _ANSWER_FORM.draw(rng)
    if chance(rng, 0.2):
        return Question("colour", (one_of(rng, world.things),), form)
    return Question(one_of(rng, PERSON_ATTRIBUTES), (one_of(rng, world.names),), form)


def _link(world: World, rng: random.Random) -> Question:
    """Questions that go through a job or start from a town."""
    task, form = _LINK_TASK.draw(rng), _ANSWER_FORM.draw(rng)
    if task != "who_town":
        return Question(task, (one_of(rng, world.people).job,), form)
    small = [town for town, names in world.residents.items() if len(names) <= MOST_PEOPLE]
    town = one_of(rng, small or tuple(world.residents))
    return Question(task, (town,), form if form == "sentence" else "")


def _compare(world: World, rng: random.Random) -> Question:
    task = _COMPARE_TASK.draw(rng)
    first, second = rng.sample(world.people, 2)
    if task == "older":
        while first.age == second.age:
            first, second = rng.sample(world.people, 2)
        return Question(task, (first.name, second.name), _OLDER_FORM.draw(rng))
    if chance(rng, 0.5):
        attribute = truth.SAME_TASKS[task]
        value = getattr(first, attribute)
        equal = [p for p in world.people if p is not first and getattr(p, attribute) == value]
        second = one_of(rng, equal) if equal else second
    return Question(task, (first.name, second.name), _YES_NO_FORM.draw(rng))


def _belief(world: World, rng: random.Random) -> Question:
    relation = _BELIEF_RELATION.draw(rng)
    subject = _subject(world, relation, rng)
    value = truth.value_of(world, relation, subject) or ""
    if chance(rng, 0.5):
        value = other_value(relation, value, rng)
    args = (*subject.split(" plus "), value) if relation == "sum" else (subject, value)
    return Question(f"belief_{relation}", args, _YES_NO_FORM.draw(rng))


def _subject(world: World, relation: str, rng: random.Random) -> str:
    if relation == "sum":
        return f"{one_of(rng, OPERANDS)} plus {one_of(rng, OPERANDS)}"
    subjects = {"opposite": WORDS, "is_a": NOUNS, "colour": world.things}
    return one_of(rng, subjects.get(relation, world.names))


def other_value(relation: str, value: str, rng: random.Random) -> str:
    """Return another value that the relation might have had."""
    other = one_of(rng, _ALL_VALUES[relation])
    while other == value:
        other = one_of(rng, _ALL_VALUES[relation])
    return other


_ALL_VALUES: Mapping[str, tuple[str, ...]] = {
    **VALUES,
    "sum": NUMBERS[1:],
    "opposite": WORDS,
    "is_a": CATEGORY_NAMES,
    "does": tuple(dict.fromkeys(knowledge.HABITS.values())),
}


def _sum(world: World, rng: random.Random) -> Question:
    task, form = _SUM_TASK.draw(rng), _ANSWER_FORM.draw(rng)
    first, second = one_of(rng, OPERANDS), one_of(rng, OPERANDS)
    if task == "more":
        return Question(task, (first, one_of(rng, knowledge.CATEGORIES["fruit"]), second), form)
    if task == "minus" and NUMBER_OF[first] < NUMBER_OF[second]:
        first, second = second, first
    return Question(task, (first, second), form)


def _word(world: World, rng: random.Random) -> Question:
    task, form = _WORD_TASK.draw(rng), _ANSWER_FORM.draw(rng)
    if task == "opposite":
        return Question(task, (one_of(rng, WORDS),), form)
    noun = one_of(rng, NOUNS)
    if task == "is_a":
        return Question(task, (noun,), form)
    category = knowledge.CATEGORY_OF[noun]
    other = other_value("is_a", category, rng)
    if task == "either":
        return Question(task, (noun, *rng.sample((category, other), 2)), form)
    nouns = rng.sample((*rng.sample(knowledge.CATEGORIES[other], 2), noun), 3)
    return Question(task, (other, *nouns), form if form == "word" else "")


def _list(world: World, rng: random.Random) -> Question:
    count = one_of(rng, NUMBERS[2:5])
    return Question("list", (count, one_of(rng, CATEGORY_NAMES)), _LIST_FORM.draw(rng))


def _explain(world: World, rng: random.Random) -> Question:
    task = one_of(rng, ("what", "does", "about"))
    form = (_NO_FORM if task == "does" else _EXPLAIN_FORM).draw(rng)
    return Question(task, (one_of(rng, tuple(knowledge.HABITS)),), form)


def _how_to(world: World, rng: random.Random) -> Question:
    tasks = knowledge.LOOKS_DANGEROUS if chance(rng, 0.4) else tuple(knowledge.HOW_TO)
    return Question(_HOW_TO_TASK.draw(rng), (one_of(rng, tasks),))


def _harm(world: World, rng: random.Random) -> Question:
    return Question("harm", (one_of(rng, tuple(knowledge.HARMFUL_ACTS)),))


def _unknowable(world: World, rng: random.Random) -> Question:
    """The future, the private, and people, things and jobs that are not of this world."""
    sort, form = _UNKNOWABLE_TASK.draw(rng), _ANSWER_FORM.draw(rng)
    if sort == "unknowable":
        return Question(sort, (one_of(rng, tuple(knowledge.UNKNOWABLE)),))
    if sort == "colour":
        return Question(sort, (one_of(rng, world.unknown_things),), form)
    if sort == "who_job":
        jobs = [job for job in VALUES["job"] if job not in world.by_job]
        return Question(sort, (one_of(rng, jobs),), form)
    name = one_of(rng, world.unknown_names)
    if sort == "person":
        return Question(one_of(rng, PERSON_ATTRIBUTES), (name,), form)
    names = rng.sample((name, one_of(rng, world.names)), 2)
    return Question(one_of(rng, (*truth.SAME_TASKS, "older")), tuple(names))


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


def draw_question(world: World, kind: str, rng: random.Random) -> Question:
    """Draw a question of one kind; all kinds but dialogues have one."""
    return _DRAWERS[kind](world, rng)
