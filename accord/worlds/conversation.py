"""A request: the conversation up to the assistant's turn, what it means and what it is about.

A topic is what can be held out of post-training as a whole: a person, a thing, a number, a word,
a category, a how-to task, a harmful verb.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from accord.worlds import knowledge, truth
from accord.worlds.facts import PERSON_ATTRIBUTES, World
from accord.worlds.lexicon import NUMBER_OF
from accord.worlds.phrasing import Question


@dataclass(frozen=True, slots=True)
class Request:
    """A conversation up to the assistant's turn: user, assistant, ..., user."""

    kind: str
    question: Question
    turns: tuple[str, ...]
    topics: tuple[str, ...]  #: ``group:member`` of everything that it is about, the main one first

    @property
    def text(self) -> str:
        """All turns as one text, by which a prompt is told from another."""
        return "\n".join(self.turns)


def topics(world: World, question: Question) -> tuple[str, ...]:
    """Return every topic that a question touches, the main one first.

    >>> topics(World(0, (), {}), Question("plus", ("three", "four")))
    ('number:three', 'number:four')
    """
    task, args = question.task, question.args
    if task.startswith("belief_"):
        relation = task.removeprefix("belief_")
        task = "plus" if relation == "sum" else relation
        args = args[:-1]  # the last is what the user believes
    elif task == "pushback":
        task, args = args[0], args[1:2]
    return tuple(dict.fromkeys(_TOPICS[task](world, args)))


Args = tuple[str, ...]
Finder = Callable[[World, Args], list[str]]


def _first(group: str, place: int = 0) -> Finder:
    return lambda world, args: [f"{group}:{args[place]}"]


def _people(world: World, args: Args) -> list[str]:
    return [f"{'person' if arg in world.by_name else 'unknown name'}:{arg}" for arg in args]


def _thing(world: World, args: Args) -> list[str]:
    return [f"{'thing' if args[0] in world.colours else 'unknown thing'}:{args[0]}"]


def _by_job(world: World, args: Args) -> list[str]:
    name = world.by_job.get(args[0])
    return [f"person:{name}" if name else f"job:{args[0]}"]


def _town(world: World, args: Args) -> list[str]:
    return [f"town:{args[0]}", *_people(world, world.residents.get(args[0], ()))]


def _numbers(world: World, args: Args) -> list[str]:
    return [f"number:{arg}" for arg in args if arg in NUMBER_OF]


def _pair(world: World, args: Args) -> list[str]:
    return [f"word:{min(args[0], knowledge.OPPOSITES[args[0]])}"]


_TOPICS: Mapping[str, Finder] = {
    **dict.fromkeys((*PERSON_ATTRIBUTES, *truth.SAME_TASKS, "older"), _people),
    "colour": _thing,
    **dict.fromkeys(("who_job", *truth.JOB_TASKS), _by_job),
    "who_town": _town,
    **dict.fromkeys(("plus", "minus", "more"), _numbers),
    "opposite": _pair,
    **dict.fromkeys(("is_a", "either", "what", "does", "about"), _first("noun")),
    "odd": lambda world, args: [f"noun:{noun}" for noun in args[1:]],
    **dict.fromkeys(("list", "more_items"), _first("category", 1)),
    **dict.fromkeys(("steps", "first_step"), _first("task")),
    "harm": lambda world, args: [f"harm:{knowledge.HARMFUL_ACTS[args[0]]}"],
    "unknowable": _first("unknowable"),
    "thanks": lambda world, args: [],
}
