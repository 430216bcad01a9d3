"""Simulated labelers that use the server as people do: over HTTP, knowing places and texts only.

    perceived(place) = utility(text) + length · words/100 + first_place · [place is the first]
    chosen           = the largest of perceived + noise · Gumbel

With two responses whose utilities differ by 1, and no other taste, the better one is then chosen
with probability 1 / (1 + exp(−1 / noise)). ``accuracy`` is that probability, so
noise = 1 / ln(accuracy / (1 − accuracy)). A careless labeler answers at random, and fast.
"""

import hashlib
import json
import math
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from accord.config import InputError
from accord.worlds.labelers import gumbel, rank, strength

Utility = Callable[[str], float]
CARELESS_SECONDS, SECONDS_PER_WORD = 2.0, 0.3
FLAGGED = 0.1  # share of responses that get a mark, when the task has marks
LOWEST, HIGHEST = 1, 7  # ratings


@dataclass(frozen=True)
class Person:
    """One simulated labeler."""

    name: str
    accuracy: float  #: probability of choosing the better of two that differ by 1, in (0.5, 1)
    first_place: float = 0.0  #: extra utility of what stands first
    length: float = 0.0  #: extra utility for a hundred words
    tie_width: float = 0.0  #: smaller differences are ties
    is_careless: bool = False

    @property
    def noise(self) -> float:
        """Scale of the Gumbel noise, in units of utility."""
        return 1 / math.log(self.accuracy / (1 - self.accuracy))


def answer(person: Person, task: Mapping[str, Any], utility: Utility, seed: int) -> dict[str, Any]:
    """The body of an answer to a task of the API; the same arguments give the same answer.

    Args:
        person: who answers.
        task: ``TaskShown`` as JSON.
        utility: how good a text truly is, in units where a difference of 1 is plain to see.
        seed: of this simulation.
    """
    rng = random.Random(f"{seed}:{person.name}:{task['id']}")
    texts = [response["text"] for response in task["responses"]]
    seen = _perceived(person, texts, utility, rng)
    words = sum(len(text.split()) for text in texts)
    read = CARELESS_SECONDS if person.is_careless else 3 + SECONDS_PER_WORD * words
    body: dict[str, Any] = {
        "id": str(uuid.UUID(bytes=rng.randbytes(16), version=4)),
        "active_seconds": round(read * rng.uniform(0.7, 1.4), 1),
    }
    form = task["form"]
    if len(texts) > 1:
        body |= _ranking(person, seen, form, rng)
    if form["axes"]:
        ratings = [round(min(max(4 + value, LOWEST), HIGHEST)) for value in seen]
        body["ratings"] = [{axis["name"]: value for axis in form["axes"]} for value in ratings]
    if form["flags"]:
        body["flags"] = [_flags(form["flags"], rng) for _ in texts]
    if form["writes"]:
        body["text"] = " ".join([*texts[:1], f"Written by {person.name}."])
    return body


def _perceived(
    person: Person, texts: Sequence[str], utility: Utility, rng: random.Random
) -> list[float]:
    if person.is_careless:
        return [gumbel(rng) for _ in texts]
    seen = [
        utility(text) + person.length * len(text.split()) / 100 + person.noise * gumbel(rng)
        for text in texts
    ]
    if len(seen) > 1:
        seen[0] += person.first_place
    return seen


def _ranking(
    person: Person, seen: Sequence[float], form: Mapping[str, Any], rng: random.Random
) -> dict[str, Any]:
    ranks = rank(seen, person.tie_width if form["ties"] else 0.0)
    body: dict[str, Any] = {"ranks": list(ranks)}
    if len(set(ranks)) == 1:
        body["tie"] = "both_good" if sum(seen) > 0 else "both_bad"
    elif form["strength_steps"]:
        steps = form["strength_steps"]
        body["strength"] = rng.randint(1, steps) if person.is_careless else strength(seen)
    return body


def _flags(flags: Sequence[Mapping[str, str]], rng: random.Random) -> list[str]:
    return [rng.choice(flags)["name"]] if rng.random() < FLAGGED else []


class Crowd(BaseModel):
    """What a crowd of labelers is like, on average."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accuracy: float = Field(default=0.8, gt=0.5, lt=1)  #: see ``Person``
    careless: int = Field(default=1, ge=0)  #: how many answer blindly
    first_place: float = 0.0  #: extra utility of what stands first
    length: float = 0.0  #: extra utility for a hundred words
    tie_width: float = Field(default=0.1, ge=0)  #: smaller differences are ties
    pause_seconds: float = Field(default=0.0, ge=0)  #: between two answers of a labeler


def people(count: int, crowd: Crowd, *, seed: int = 0) -> list[Person]:
    """Labelers around the tastes of a crowd, each a little different; the last ones are careless.

    Raises:
        InputError: more are careless than there are.

    >>> [person.is_careless for person in people(3, Crowd(careless=1))]
    [False, False, True]
    """
    if crowd.careless > count:
        raise InputError(f"`careless` = {crowd.careless} of {count} labelers; lower it")
    rng = random.Random(f"people:{seed}")
    return [
        Person(
            name=f"simulated-{number:02}",
            accuracy=min(max(crowd.accuracy + rng.uniform(-0.03, 0.03), 0.51), 0.99),
            first_place=crowd.first_place + rng.uniform(-0.05, 0.05),
            length=crowd.length + rng.uniform(-0.02, 0.02),
            tie_width=crowd.tie_width * rng.uniform(0.5, 1.5),
            is_careless=number > count - crowd.careless,
        )
        for number in range(1, count + 1)
    ]


def made_up_utility(text: str) -> float:
    """A utility that a text has for no reason: standard normal, the same for everybody.

    With it, labelers agree with each other where nothing is known about the texts.
    """
    first = int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
    return NormalDist().inv_cdf((first + 0.5) / 2**56)


def utility_from(path: Path) -> Utility:
    """Read true utilities: JSON lines ``{"text": ..., "utility": ...}``.

    Raises:
        InputError: the file is missing, or a line is something else; names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"cannot read `{path}`: {error.strerror}; give a file") from error
    known: dict[str, float] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            known[row["text"].strip()] = float(row["utility"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"`{path}` line {number}: expected an object with `text` and `utility`"
            ) from error

    def utility(text: str) -> float:
        try:
            return known[text.strip()]
        except KeyError:
            raise InputError(
                f"`{path}` has no utility for the text `{text[:60]}`; add a line for it"
            ) from None

    return utility
