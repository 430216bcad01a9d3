"""The episode viewer: responses of PPO, token by token, as its models saw them.

A token's shade says how much an update wanted it more often or less often; the table beside has
every number. Text is data: it is escaped, and control characters are shown as their pictures.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from accord.reports.estimates import significant
from accord.reports.read import Run, Source
from accord.reports.schemas import TracedEpisode, TracedToken

SHOWN = 2  # episodes of the first update and of the last
SHADES = 3  # of either colour
STRONG = 2.0  # of whitened advantages and nats: what has the deepest shade
COLUMNS = ("log π", "log π ref", "KL", "value", "advantage", "reward")


@dataclass(frozen=True)
class Token:
    """One token as it is printed."""

    text: str
    shade: str  #: class of its colour, by its advantage
    drift: str  #: class of its colour, by its log ratio
    numbers: tuple[str, ...]  #: as ``COLUMNS``
    title: str


@dataclass(frozen=True)
class Episode:
    """One response, with everything that PPO made of it."""

    update: str
    prompt: str
    score: str
    kl: str
    ending: str
    tokens: tuple[Token, ...]


@dataclass(frozen=True)
class Episodes:
    """What one PPO stage wrote down."""

    stage: str
    source: Source
    first: tuple[Episode, ...]
    last: tuple[Episode, ...]
    columns: tuple[str, ...] = COLUMNS


def episode_groups(run: Run) -> list[Episodes]:
    """The episodes of every PPO stage: a few of its first update and of its last."""
    found = []
    for stage in run.of_stage("ppo"):
        read = run.read_lines(stage, TracedEpisode, "episodes.jsonl")
        if read is None or not read.value:
            continue
        updates = [one.update or 0 for one in read.value]
        ends = (min(updates), max(updates))
        first, last = (
            tuple(_episode(one) for one in read.value if (one.update or 0) == end)[:SHOWN]
            for end in ends
        )
        found.append(Episodes(stage.name, read.source, first, last if ends[1] > ends[0] else ()))
    return found


def _episode(one: TracedEpisode) -> Episode:
    ratios = [ratio for token in one.tokens if (ratio := _ratio(token)) is not None]
    return Episode(
        update=significant(one.update),
        prompt=one.prompt,
        score=significant(one.score),
        kl=significant(math.fsum(ratios)),
        ending="ended by itself" if one.finished else "cut off at the token limit",
        tokens=tuple(_token(token) for token in one.tokens),
    )


def _token(token: TracedToken) -> Token:
    numbers = tuple(
        significant(value)
        for value in (
            token.logprob,
            token.ref_logprob,
            _ratio(token),
            token.value,
            token.advantage,
            token.reward,
        )
    )
    title = ", ".join(f"{name} {number}" for name, number in zip(COLUMNS, numbers, strict=True))
    return Token(
        text=visible(token.text),
        shade=shade(token.advantage),
        drift=shade(_ratio(token)),
        numbers=numbers,
        title=title,
    )


def _ratio(token: TracedToken) -> float | None:
    if token.logprob is None or token.ref_logprob is None:
        return None
    return token.logprob - token.ref_logprob


def visible(text: str) -> str:
    """A line break as its sign, since a token must be seen."""
    return text.replace("\n", "⏎") or "∅"


def shade(value: float | None) -> str:
    """The class of a colour: ``up-3`` is the strongest of what is wanted more often."""
    if value is None or not math.isfinite(value):
        return "level"
    depth = min(SHADES, round(abs(value) / STRONG * SHADES))
    return "level" if depth == 0 else f"{'up' if value > 0 else 'down'}-{depth}"


def shades() -> Sequence[str]:
    """Every class that ``shade`` can give, from the most unwanted to the most wanted."""
    down = [f"down-{depth}" for depth in range(SHADES, 0, -1)]
    return [*down, "level", *(f"up-{depth}" for depth in range(1, SHADES + 1))]
