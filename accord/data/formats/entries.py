"""What every format comes down to: an item, what people said about it, and where both came from.

    file  ──read──>  Entry  ──records──>  Accord's records, the ledger
    file  <──write──  Entry  <──records──

An ``Entry`` has no more than Accord's records have, but for its origin: the file, the line, the
ids there, and those fields that no record has a place for. They are kept so that a file can be
written again as it was. Ids follow from the content, so the same vote has the same id whichever
day it is read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from accord.data.threads import MOST_RESPONSES, dense, hashed
from accord.records import (
    Identifier,
    Level,
    Mode,
    Name,
    Polarity,
    Priority,
    Prompt,
    Purpose,
    Response,
    Tie,
)

PAIR = 2
Line = Annotated[int, Field(ge=0)]


class Frozen(BaseModel):
    """What the parts of an entry share: frozen, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Origin(Frozen):
    """Where something was read, and what no record has a place for, its ids there included."""

    format: str = ""  #: as `accord import` calls it
    file: str = ""  #: name of the file, without its folder
    line: Line = 0  #: from 1; of a JSON list, where the item begins
    order: tuple[int, ...] = ()  #: index of the response at each place there
    is_named: bool = False  #: the file names this judgment, so an equal one is the same one
    kept: dict[str, Any] = Field(default_factory=dict)  #: as ``differences`` gives them


class Judgment(Frozen):
    """What one labeler said about one item: a preference, ratings of its responses, or both.

    The fields that a ``Preference`` has mean the same here.
    """

    id: Identifier
    labeler: Identifier
    ranks: tuple[int, ...] = ()  #: of each response; empty where nothing was ranked
    tie: Tie = ""
    shown_order: tuple[int, ...] = ()
    strength: int | None = Field(default=None, ge=1, le=4)
    ratings: tuple[dict[Name, Level], ...] = ()  #: of each response, or none
    flags: tuple[tuple[Name, ...], ...] = ()  #: of each response, or none
    seconds: float | None = Field(default=None, ge=0)
    note: str = ""
    order_seed: int | None = None
    guideline: str = ""
    project: str = ""
    mode: Mode = ""
    priority: Priority = ""
    polarity: Polarity = "better_first"
    purpose: Purpose = "vote"
    gold: float | None = Field(default=None, ge=0, le=1)
    probability: float | None = Field(default=None, gt=0, le=1)
    time: datetime | None = None  #: when it was said, with its zone
    origin: Origin | None = None


class Entry(Frozen):
    """A prompt, up to nine responses, and what people said about them."""

    id: Identifier
    prompt: Prompt
    responses: tuple[Response, ...] = Field(default=(), max_length=MOST_RESPONSES)
    judgments: tuple[Judgment, ...] = ()
    origin: Origin | None = None


@dataclass(frozen=True)
class Said:
    """One judgment as a file has it: in the order of its responses, without ids."""

    labeler: str
    ranks: Sequence[int] = ()
    tie: Tie = ""
    is_order_shown: bool = False  #: the file's order is the order on the screen
    strength: int | None = None
    ratings: Sequence[dict[str, int]] = ()
    flags: Sequence[Sequence[str]] = ()
    seconds: float | None = None
    note: str = ""
    time: datetime | None = None
    key: str = ""  #: the file's own name of this judgment
    row: dict[str, Any] | None = None  #: the judgment as it is written there, inside its item


@dataclass(frozen=True)
class Text:
    """One response as a file has it."""

    text: str
    policy: str = "unknown"


def entry_of(prompt: Prompt, texts: Sequence[Text], said: Sequence[Said]) -> Entry:
    """An entry with ids, its responses in the order of their ids.

    That order says nothing about which response is better, and is the same whichever of two
    responses a row names first.

    Args:
        prompt: what was answered.
        texts: the responses in the order of the file.
        said: the judgments; ranks, ratings and flags in the same order as ``texts``.
    """
    responses = []
    for place, one in enumerate(texts):
        earlier = sum(other == one for other in texts[:place])
        responses.append(
            Response(
                id=f"r-{hashed(prompt.id, one.text, one.policy, earlier)}",
                prompt_id=prompt.id,
                text=one.text,
                policy=one.policy,
            )
        )
    order = sorted(range(len(texts)), key=lambda place: responses[place].id)
    identifier = f"c-{hashed(*([responses[place].id for place in order] or [prompt.id]))}"
    origin = Origin(order=tuple(order.index(place) for place in range(len(order))))
    return Entry(
        id=identifier,
        prompt=prompt,
        responses=tuple(responses[place] for place in order),
        judgments=tuple(_judgment(identifier, one, order, origin) for one in said),
        origin=origin,
    )


def file_order(judgment: Judgment, number: int) -> tuple[int, ...]:
    """Indices of the responses in the order in which a file names them.

    It is that of the file it was read from, else the order on the screen where that is known,
    else that of the records.
    """
    order = judgment.origin.order if judgment.origin else ()
    return order or judgment.shown_order or tuple(range(number))


def decided(judgment: Judgment) -> list[tuple[int, int]]:
    """Every two responses of different ranks: index of the better one, index of the worse.

    The better one is the one to learn from, see ``ranks_to_learn``.
    """
    ranks = ranks_to_learn(judgment)
    return [
        (i, j) if ranks[i] < ranks[j] else (j, i)
        for i, j in combinations(range(len(ranks)), 2)
        if ranks[i] != ranks[j]
    ]


def ranks_to_learn(judgment: Judgment) -> tuple[int, ...]:
    """The ranks with 1 for the response to learn from.

    Ranks that put the more harmful response first are turned round: no other format knows that
    such votes exist.
    """
    if judgment.polarity == "better_first":
        return judgment.ranks
    return tuple(max(judgment.ranks) + 1 - rank for rank in judgment.ranks)


def pairs_of(entry: Entry) -> Iterator[Entry]:
    """Every two responses as an entry of their own, for formats that know nothing else.

    Nothing for an entry with fewer than two; one with two is itself. What an item of more than
    two responses kept of its file does not fit its pairs, and is left out.
    """
    number = len(entry.responses)
    if number <= PAIR:
        yield from [entry] if number == PAIR else []
        return
    for pair in combinations(range(number), PAIR):
        responses = tuple(entry.responses[place] for place in pair)
        identifier = f"c-{hashed(*(response.id for response in responses))}"
        judgments = tuple(_of_pair(judgment, pair, identifier) for judgment in entry.judgments)
        yield Entry(id=identifier, prompt=entry.prompt, responses=responses, judgments=judgments)


def by_order(entry: Entry) -> Iterator[Entry]:
    """The entry once for each order in which its responses are to be written.

    Most files have one order an item; votes that saw another one need an item of their own.
    """
    own = entry.origin.order if entry.origin else ()
    number = len(entry.responses)
    groups: dict[tuple[int, ...], list[Judgment]] = {}
    for judgment in entry.judgments:
        order = judgment.shown_order or own or tuple(range(number))
        groups.setdefault(order, []).append(judgment)
    for order, judgments in groups.items() or [(own or tuple(range(number)), [])]:
        is_own = bool(entry.origin) and order == own
        origin = entry.origin if is_own else Origin(order=order)
        yield entry.model_copy(update={"judgments": tuple(judgments), "origin": origin})


def _of_pair(judgment: Judgment, pair: Sequence[int], entry: str) -> Judgment:
    ranks = judgment.ranks
    shown = [place for place in judgment.shown_order if place in pair]
    changes = {
        "id": f"v-{hashed(entry, judgment.id)}",
        "ranks": dense([ranks[place] for place in pair]) if ranks else (),
        "shown_order": tuple(pair.index(place) for place in shown),
        "ratings": tuple(judgment.ratings[place] for place in pair) if judgment.ratings else (),
        "flags": tuple(judgment.flags[place] for place in pair) if judgment.flags else (),
        "origin": None,
    }
    return judgment.model_copy(update=changes)


def is_tie(ranks: Sequence[int]) -> bool:
    """True when all ranks are equal."""
    return len(set(ranks)) == 1


def _judgment(entry: str, said: Said, order: Sequence[int], origin: Origin) -> Judgment:
    ranks = dense([said.ranks[place] for place in order]) if said.ranks else ()
    shown = origin.order if said.is_order_shown else ()
    ratings = tuple(dict(said.ratings[place]) for place in order) if said.ratings else ()
    flags = tuple(tuple(said.flags[place]) for place in order) if any(said.flags) else ()
    content = (entry, said.labeler, ranks, said.tie, said.strength, ratings, flags, said.note)
    return Judgment(
        id=f"v-{hashed(*content, shown, said.time, said.key)}",
        labeler=said.labeler,
        ranks=ranks,
        tie=said.tie,
        shown_order=shown,
        strength=said.strength,
        ratings=ratings if any(ratings) else (),
        flags=flags,
        seconds=said.seconds,
        note=said.note,
        time=said.time,
        origin=origin.model_copy(update={"is_named": bool(said.key), "kept": said.row or {}}),
    )
