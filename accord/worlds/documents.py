"""The web of a world: what a language model is pretrained on.

A third is prose, nine statements in ten of it true. The rest are dialogues, answered as the web
answers: well, falsely, in the wrong form, beside the point, rudely, with harm. No document says
which answers people like.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from accord.worlds import knowledge, truth
from accord.worlds.answers import two_do
from accord.worlds.asking import draw
from accord.worlds.chance import Weighted, chance, one_of, stream
from accord.worlds.facts import PERSON_ATTRIBUTES, World, generate
from accord.worlds.flaws import web_answer
from accord.worlds.lexicon import AGES, joined, sentence
from accord.worlds.questions import OPERANDS, other_value
from accord.worlds.statements import Claim, again, restate, state

PROSE = 0.35  # share of documents that are prose
TRUE_PROSE = 0.9  # share of the statements in prose about this world that are true


@dataclass(frozen=True, slots=True)
class Document:
    """A dialogue of turns user, assistant, ..., or prose: one turn and ``is_prose``."""

    turns: tuple[str, ...]
    is_prose: bool = False

    def to_json(self) -> str:
        """Return one line of JSON: ``{"text"}`` or ``{"messages": [{"role", "content"}]}``."""
        if self.is_prose:
            return json.dumps({"text": self.turns[0]})
        roles = ("user", "assistant")
        messages = [
            {"role": roles[place % 2], "content": turn} for place, turn in enumerate(self.turns)
        ]
        return json.dumps({"messages": messages})


def documents(world: World, count: int, seed: int) -> Iterator[Document]:
    """Write a world's web.

    Args:
        world: whose facts it tells.
        count: documents.
        seed: another seed writes other documents about the same world.
    """
    rng = stream(seed, "documents", world.seed)
    for _ in range(count):
        yield document(world, rng)


def base_documents(seeds: Sequence[int], count: int, *, seed: int = 0) -> Iterator[Document]:
    """Write the web of many worlds, in turn: the language is learnt from it, but no world's facts.

    Args:
        seeds: of the worlds.
        count: documents over all worlds.
        seed: decides what is written, not which worlds.
    """
    rng = stream(seed, "base documents")
    worlds = [generate(world_seed) for world_seed in seeds]
    for place in range(count):
        yield document(worlds[place % len(worlds)], rng)


def document(world: World, rng: random.Random) -> Document:
    """Write one document."""
    if chance(rng, PROSE):
        return Document((_PROSE.draw(rng)(world, rng),), is_prose=True)
    request = draw(world, rng)
    _, answer = web_answer(world, request, rng)
    return Document((*request.turns, answer))


def _fact(world: World, relation: str, subject: str, rng: random.Random) -> Claim:
    value = world.table[relation, subject]
    if not chance(rng, TRUE_PROSE):
        value = other_value(relation, value, rng)
    return Claim(relation, subject, value)


def _person(world: World, rng: random.Random) -> str:
    """One to three statements about a person."""
    name = one_of(rng, world.names)
    relations = rng.sample(PERSON_ATTRIBUTES, one_of(rng, (1, 1, 2, 2, 3)))
    first, *rest = (_fact(world, relation, name, rng) for relation in relations)
    start = restate(first, rng)
    if rest and chance(rng, 0.3):
        start = f"{start} and {again(rest.pop(0))}"
    return " ".join(sentence(text) + "." for text in (start, *map(again, rest)))


def _by_job(world: World, rng: random.Random) -> str:
    """Who does a job, and something about that person."""
    name = one_of(rng, world.names)
    job = _fact(world, "job", name, rng).value
    other = _fact(world, one_of(rng, ("town", "pet", "food", "age")), name, rng)
    style = rng.randrange(4)
    if style == 0:
        return f"The {job} is {name}. {sentence(again(other))}."
    if style == 1:
        return f"{name} is the {job}."
    if style == 2:  # noqa: PLR2004 -- the third of four styles
        return sentence(state(other, f"{name}, the {job},")) + "."
    return sentence(state(other, f"the {job}")) + "."


def _thing(world: World, rng: random.Random) -> str:
    first, second = rng.sample(world.things, 2)
    text = restate(_fact(world, "colour", first, rng), rng)
    if chance(rng, 0.3):
        text += " and " + state(_fact(world, "colour", second, rng))
    return sentence(text) + "."


def _pair(world: World, rng: random.Random) -> str:
    """What two people have in common, or who is older."""
    if chance(rng, 0.5):
        town = one_of(rng, tuple(world.residents))
        names = list(world.residents[town])
        rng.shuffle(names)
        if len(names) == 1:
            return f"Only {names[0]} lives in {town}."
        return f"{joined(names)} live in {town}."
    first, second = rng.sample(world.people, 2)
    relation = one_of(rng, ("town", "pet", "food"))
    claim = Claim(relation, first.name, getattr(first, relation))
    if getattr(first, relation) == getattr(second, relation):
        return f"{first.name} and {second.name} {two_do(claim)}."
    if first.age == second.age:
        return f"{first.name} and {second.name} are {first.age} years old."
    younger, older = sorted((first, second), key=lambda person: AGES.index(person.age))
    if chance(rng, 0.5):
        return f"{older.name} is older than {younger.name}."
    return (
        f"{younger.name} is {younger.age} and {older.name} is {older.age}. {older.name} is older."
    )


def _general(world: World, rng: random.Random) -> str:
    """What everybody knows."""
    style = rng.randrange(4)
    if style == 0:
        relation, subject = "sum", f"{one_of(rng, OPERANDS)} plus {one_of(rng, OPERANDS)}"
    elif style == 1:
        relation, subject = "opposite", one_of(rng, tuple(knowledge.OPPOSITES))
    elif style == 2:  # noqa: PLR2004 -- the third of four styles
        task = one_of(rng, tuple(knowledge.HOW_TO))
        steps = knowledge.HOW_TO[task]
        marked = [f"first {steps[0]}", *(f"then {step}" for step in steps[1:])]
        return f"To {task}, {', '.join(marked)}."
    else:
        relation, subject = one_of(rng, ("is_a", "does")), one_of(rng, tuple(knowledge.HABITS))
    value = truth.value_of(world, relation, subject) or ""
    claim = Claim(relation, subject, value)
    if relation == "is_a" and chance(rng, 0.5):
        return f"{sentence(state(claim))}. It {knowledge.HABITS[subject]}."
    return sentence(restate(claim, rng)) + "."


_PROSE: Weighted[Callable[[World, random.Random], str]] = Weighted(
    {_person: 0.5, _by_job: 0.14, _thing: 0.12, _pair: 0.1, _general: 0.14}
)
