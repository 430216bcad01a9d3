"""A world: who and what exists in it, and every fact that is true of them.

    generate(seed) -> World ──to_json──> world.json ──from_json──> World

Only facts depend on the seed: which names exist, where they live, what work they do, which pet,
food and age they have, which things exist and their colours, and what is held out of
post-training. The language and the general knowledge are the same in all worlds.
"""

import json
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from accord.config import InputError
from accord.worlds import knowledge, lexicon

PEOPLE = 28  # of 44 names; the other 16 are names that nobody in this world has
KNOWN_THINGS = 24  # of 30 things; nothing is known of the other 6

PERSON_ATTRIBUTES = ("town", "job", "pet", "food", "age")
ATTRIBUTES = (*PERSON_ATTRIBUTES, "colour")
VALUES: Mapping[str, tuple[str, ...]] = {
    "town": lexicon.TOWNS,
    "job": lexicon.JOBS,
    "pet": lexicon.PETS,
    "food": lexicon.FOODS,
    "age": lexicon.AGES,
    "colour": lexicon.COLOURS,
}


@dataclass(frozen=True, slots=True)
class Person:
    """What is true of one person; no two people have the same job."""

    name: str
    town: str
    job: str
    pet: str
    food: str
    age: str


@dataclass(frozen=True)
class World:
    """Everything that is true in one world."""

    seed: int
    people: tuple[Person, ...]
    colours: Mapping[str, str]  #: thing -> colour, for the things that exist
    held_out: frozenset[str] = field(default_factory=frozenset)  #: topics kept for evaluation

    @cached_property
    def table(self) -> Mapping[tuple[str, str], str]:
        """(attribute, subject) -> value, for every fact."""
        facts = {
            (attribute, person.name): getattr(person, attribute)
            for person in self.people
            for attribute in PERSON_ATTRIBUTES
        }
        return facts | {("colour", thing): colour for thing, colour in self.colours.items()}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The people who exist."""
        return tuple(person.name for person in self.people)

    @cached_property
    def unknown_names(self) -> tuple[str, ...]:
        """Names that nobody has."""
        return tuple(name for name in lexicon.NAMES if name not in self.by_name)

    @cached_property
    def things(self) -> tuple[str, ...]:
        """The things whose colour is known."""
        return tuple(self.colours)

    @cached_property
    def unknown_things(self) -> tuple[str, ...]:
        """Things of which nothing is known."""
        return tuple(thing for thing in lexicon.THINGS if thing not in self.colours)

    @cached_property
    def by_name(self) -> Mapping[str, Person]:
        """Name -> person."""
        return {person.name: person for person in self.people}

    @cached_property
    def by_job(self) -> Mapping[str, str]:
        """Job -> the name of the one person who does it."""
        return {person.job: person.name for person in self.people}

    @cached_property
    def residents(self) -> Mapping[str, tuple[str, ...]]:
        """Town -> the names of those who live there; towns where nobody lives are absent."""
        towns: dict[str, list[str]] = {}
        for person in self.people:
            towns.setdefault(person.town, []).append(person.name)
        return {town: tuple(names) for town, names in towns.items()}

    def value(self, attribute: str, subject: str) -> str | None:
        """Return the true value, or None when nothing is known of the subject."""
        return self.table.get((attribute, subject))

    def to_json(self) -> str:
        """Return the whole truth as readable JSON."""
        content = {
            "schema": 1,
            "seed": self.seed,
            "people": [asdict(person) for person in self.people],
            "colours": dict(self.colours),
            "unknown_names": list(self.unknown_names),
            "unknown_things": list(self.unknown_things),
            "held_out": sorted(self.held_out),
        }
        return json.dumps(content, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "World":
        """Read what ``to_json`` wrote.

        Raises:
            InputError: the text is not a world.
        """
        try:
            content = json.loads(text)
            return cls(
                seed=int(content["seed"]),
                people=tuple(Person(**person) for person in content["people"]),
                colours=dict(content["colours"]),
                held_out=frozenset(content["held_out"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"this is not a world: {error}; give the `world.json` of a world artifact"
            ) from error


def read_world(file: Path) -> World:
    """Read the ``world.json`` of a world artifact.

    Raises:
        InputError: the file is not UTF-8 text, or not a world.
    """
    try:
        return World.from_json(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(
            f"`{file}` is not UTF-8 text: {error.reason}; give the `world.json` of a world artifact"
        ) from error
    except InputError as error:
        raise InputError(f"`{file}`: {error}") from error


def generate(seed: int, *, held_out_topics: float = 0.12) -> World:
    """Draw a world.

    Args:
        seed: decides every fact, and what is held out.
        held_out_topics: the share of topics, in [0, 1), that no post-training prompt touches;
            at least one topic of every group unless it is 0.

    >>> generate(3) == generate(3), generate(3) == generate(4)
    (True, False)
    """
    rng = random.Random(f"{seed}:world")
    names = sorted(rng.sample(lexicon.NAMES, PEOPLE))
    jobs = rng.sample(lexicon.JOBS, PEOPLE)
    people = tuple(
        Person(
            name=name,
            town=rng.choice(lexicon.TOWNS),
            job=job,
            pet=rng.choice(lexicon.PETS),
            food=rng.choice(lexicon.FOODS),
            age=rng.choice(lexicon.AGES),
        )
        for name, job in zip(names, jobs, strict=True)
    )
    things = sorted(rng.sample(lexicon.THINGS, KNOWN_THINGS))
    colours = {thing: rng.choice(lexicon.COLOURS) for thing in things}
    world = World(seed=seed, people=people, colours=colours)
    held_out = _held_out(world, held_out_topics, random.Random(f"{seed}:held out"))
    return World(seed=seed, people=people, colours=colours, held_out=held_out)


def topic_groups(world: World) -> Mapping[str, tuple[str, ...]]:
    """Every topic a prompt can have, by group; see ``conversation.topics``."""
    return {
        "person": world.names,
        "thing": world.things,
        "unknown name": world.unknown_names,
        "unknown thing": world.unknown_things,
        "town": tuple(world.residents),
        "number": lexicon.NUMBERS[2:11],
        "word": tuple(min(pair) for pair in knowledge.OPPOSITE_PAIRS),
        "noun": tuple(knowledge.CATEGORY_OF),
        "category": tuple(knowledge.CATEGORIES),
        "task": tuple(knowledge.HOW_TO),
        "harm": tuple(knowledge.HARMFUL_VERBS),
        "unknowable": tuple(knowledge.UNKNOWABLE),
    }


def _held_out(world: World, share: float, rng: random.Random) -> frozenset[str]:
    if share <= 0:
        return frozenset()
    chosen: list[str] = []
    for group, members in topic_groups(world).items():
        count = max(1, round(share * len(members)))
        chosen += [f"{group}:{member}" for member in rng.sample(members, count)]
    return frozenset(chosen)
