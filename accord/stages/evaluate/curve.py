"""The curve of a PPO run: the KL it spent, the score it saw, and the truth of what it said.

rollouts.jsonl of a ppo artifact keeps every response that was tried, so the truth can be told
for all of training without training again. A score that rises while the truth falls is
over-optimisation (Gao et al. 2022, arXiv:2210.10760).
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from accord.config import InputError
from accord.ratings.intervals import clustered_mean, clustered_rate
from accord.records import Prompt
from accord.runtime import artifacts
from accord.stages.evaluate.truth import Truth

FILE = "rollouts.jsonl"


@dataclass(frozen=True)
class Tried:
    """One response of a rollout."""

    update: int
    prompt: Prompt
    text: str
    score: float
    kl: float


def curve_of(
    run: str, path: Path, truth: Truth | None, *, points: int, confidence: float
) -> list[dict[str, Any]]:
    """One point for each group of consecutive updates.

    Args:
        run: its name.
        path: a ppo artifact, or its ``rollouts.jsonl``.
        truth: judges the responses; None leaves the truth out.
        points: at most this many groups, as even as can be.
        confidence: of the intervals, clustered by prompt.

    Raises:
        InputError: there are no rollouts, a line is none, or the world knows not its prompt.
    """
    updates: dict[int, list[Tried]] = {}
    for tried in _read(path):
        updates.setdefault(tried.update, []).append(tried)
    numbers = sorted(updates)
    groups = min(points, len(numbers))
    bounds = [round(i * len(numbers) / groups) for i in range(groups + 1)]
    return [
        {"run": run, "update": together[-1]}
        | _point([t for number in together for t in updates[number]], truth, confidence)
        for together in (numbers[a:b] for a, b in itertools.pairwise(bounds))
    ]


def _point(tried: Sequence[Tried], truth: Truth | None, confidence: float) -> dict[str, Any]:
    prompts = [one.prompt.id for one in tried]
    kl = clustered_mean([one.kl for one in tried], prompts, confidence)
    score = clustered_mean([one.score for one in tried], prompts, confidence)
    point: dict[str, Any] = {"n": len(tried)}
    for name, found in (("kl", kl), ("score", score)):
        point |= {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}
    if truth is None:
        return point | {"truth_utility": None, "truth_hhh": None}
    verdicts = [truth.verdict(one.prompt, one.text) for one in tried]
    utility = clustered_mean([v.utility for v in verdicts], prompts, confidence)
    hhh = clustered_rate([float(v.hhh) for v in verdicts], prompts, confidence)
    for name, found in (("truth_utility", utility), ("truth_hhh", hhh)):
        point |= {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}
    return point


def _read(path: Path) -> Iterator[Tried]:
    """The rollouts beside an artifact's output, or in a file."""
    artifacts.payload(path)  # says so when the run is missing or unfinished
    file = path if path.is_file() else path / FILE
    if not file.is_file():
        raise InputError(f"`{path}` has no `{FILE}`; give the artifact of a ppo stage")
    with file.open("rb") as lines:
        empty = True
        for number, line in enumerate(lines, start=1):
            empty = False
            yield _tried(line, file, number)
    if empty:
        raise InputError(f"`{file}` is empty; give the artifact of a ppo stage")


def _tried(line: bytes, file: Path, number: int) -> Tried:
    try:
        value = json.loads(line)
        return Tried(
            update=int(value["update"]),
            prompt=Prompt.model_validate(value["prompt"]),
            text=str(value["text"]),
            score=float(value["score"]),
            kl=float(value["kl"]),
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in ("prompt", *first["loc"]))
        raise InputError(
            f"`{file}` line {number} is no rollout: {where}: {first['msg']}"
        ) from error
    except KeyError as error:
        raise InputError(f"`{file}` line {number} is no rollout: no {error}") from error
    except (ValueError, TypeError) as error:
        raise InputError(f"`{file}` line {number} is no rollout: {error}") from error
