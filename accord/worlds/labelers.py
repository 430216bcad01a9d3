"""Simulated labelers: people of varied care and taste who rank responses.

    perceived(response) = utility as seen + tastes,  ranked with Gumbel noise (Plackett–Luce)

A labeler who checks the facts of a response sees its true utility; one who does not sees it as it
looks when every claim about people and things is believed. Tastes are for length, flattery and
boasting, against "I do not know", and for the first place on the screen. A careless labeler
answers almost at random. Close responses are ranked as ties.
"""

import hashlib
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from accord.records import Comparison, Preference
from accord.worlds.chance import chance, stream
from accord.worlds.facts import World
from accord.worlds.judge import assess
from accord.worlds.meaning import meaning
from accord.worlds.phrasing import Question
from accord.worlds.reading import Reading, read

CARELESS_TEMPERATURE = 6.0  # in units of utility, which has a range of about 6
_SECONDS_TO_DECIDE = 3.0
_SECONDS_PER_WORD = 0.3


@dataclass(frozen=True, slots=True)
class Labeler:
    """One simulated person. Tastes are in units of utility."""

    name: str
    temperature: float  #: scale of the noise; more is less consistent
    checks_facts: float  #: probability of looking up the facts of a response, in [0, 1]
    length: float  #: per ten words
    flattery: float  #: per flattering or boasting sentence
    not_knowing: float  #: for "I do not know", mostly negative
    first_place: float  #: for the response shown first
    tie_width: float  #: differences smaller than this are ties
    is_careless: bool = False


def labelers(seed: int, count: int, careless: int = 0) -> tuple[Labeler, ...]:
    """Draw people to label; the last ``careless`` of them are careless.

    >>> [person.name for person in labelers(0, 2, careless=1)]
    ['labeler-01', 'labeler-02']
    """
    return tuple(
        _labeler(seed, number, is_careless=number > count - careless)
        for number in range(1, count + 1)
    )


def _labeler(seed: int, number: int, *, is_careless: bool) -> Labeler:
    rng = stream(seed, "labeler", number)
    return Labeler(
        name=f"labeler-{number:02}",
        temperature=CARELESS_TEMPERATURE if is_careless else rng.uniform(0.6, 1.1),
        checks_facts=0.1 if is_careless else rng.uniform(0.7, 0.95),
        length=rng.uniform(-0.1, 0.4),
        flattery=rng.uniform(-0.1, 0.6),
        not_knowing=rng.uniform(-1.0, 0.1),
        first_place=0.6 if is_careless else rng.uniform(0.0, 0.2),
        tie_width=rng.uniform(0.1, 0.4),
        is_careless=is_careless,
    )


def answer(
    world: World,
    labeler: Labeler,
    comparison: Comparison,
    shown_order: Sequence[int],
    *,
    seed: int,
) -> Preference:
    """Rank the responses of a comparison; the same arguments always give the same preference.

    Args:
        world: whose truth the labeler can look up.
        labeler: who answers.
        comparison: what is asked.
        shown_order: ``shown_order[j]`` is the index of the response at place j on the screen.
        seed: of this round of labelling.

    Raises:
        UnknownPrompt: the prompt is not of the worlds' English.
    """
    rng = stream(seed, "answer", labeler.name, comparison.id)
    question = meaning(comparison.prompt)
    readings = [read(response.text) for response in comparison.responses]
    noisy = {  # once a text: equal responses are seen to be equal
        reading: perceive(world, labeler, question, reading, rng)
        + labeler.temperature * gumbel(rng)
        for reading in dict.fromkeys(readings)
    }
    seen = [noisy[reading] for reading in readings]
    seen[shown_order[0]] += labeler.first_place
    ranks = rank(seen, labeler.tie_width)
    words = sum(reading.words for reading in readings)
    hurry = 0.3 if labeler.is_careless else 1.0
    seconds = hurry * (_SECONDS_TO_DECIDE + words * _SECONDS_PER_WORD) * rng.uniform(0.6, 1.8)
    name = f"{comparison.id}\0{labeler.name}\0{seed}".encode()
    return Preference(
        id=hashlib.sha256(name).hexdigest()[:20],
        comparison_id=comparison.id,
        labeler=labeler.name,
        ranks=ranks,
        shown_order=tuple(shown_order),
        strength=strength(seen),
        seconds=round(seconds, 1),
    )


def perceive(
    world: World, labeler: Labeler, question: Question, reading: Reading, rng: random.Random
) -> float:
    """Return how good a response seems to a labeler, before noise."""
    checks = chance(rng, labeler.checks_facts)
    verdict = assess(world, question, reading, believing=not checks)
    acts = [act.kind for act in reading.acts]
    boasts = acts.count("flattery") + acts.count("confident")
    tastes = labeler.length * reading.words / 10 + labeler.flattery * boasts
    if any(act in ("unknown", "unknown_of", "unknowable") for act in acts):
        tastes += labeler.not_knowing
    return verdict.utility + tastes


def gumbel(rng: random.Random) -> float:
    """Draw standard Gumbel noise: the winner under it follows Plackett–Luce."""
    return -math.log(-math.log(max(rng.random(), 1e-12)))


def rank(values: Sequence[float], tie_width: float) -> tuple[int, ...]:
    """Return the rank of each value, 1 for the highest; equal ranks within ``tie_width``.

    A group of ties is measured from its best member, so that it never chains on.

    >>> rank([1.0, 3.0, 2.9, 0.0], tie_width=0.2)
    (2, 1, 1, 3)
    """
    ranks = [0] * len(values)
    place, best = 0, math.inf
    for index in sorted(range(len(values)), key=lambda i: -values[i]):
        if best - values[index] > tie_width:
            place, best = place + 1, values[index]
        ranks[index] = max(place, 1)
    return tuple(ranks)


def strength(values: Sequence[float]) -> int:
    """Return how clear the best is, 1 to 4, from its lead over the worst."""
    lead = max(values) - min(values)
    return 1 + sum(lead > bound for bound in (0.5, 1.5, 3.0))
