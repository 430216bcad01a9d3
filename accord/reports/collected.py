"""How much was collected in a whole run: every vote counts once, however often it was collected.

A run collects after each round, and a later collection may hold the votes of the earlier ones, or
only new ones. So the votes are told apart by their ids, which the comparison files carry.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accord.reports.read import Run, Source, Sourced
from accord.reports.schemas import Votes

COMPARISONS = "output/comparisons-*.jsonl"  # of a collection: its train and its test side


@dataclass(frozen=True)
class Collected:
    """The votes of all collections of a run.

    Attributes:
        votes: how many there are.
        comparisons: how many comparisons they are on.
        labelers: how many people gave them.
        digest: of the votes, where there is one collection only.
        sources: the collections by name, each with its ``votes.json``.
    """

    votes: int
    comparisons: int
    labelers: int
    digest: str
    sources: tuple[tuple[str, Source], ...]


def collected(run: Run, votes: list[Sourced[Votes]]) -> Collected | None:
    """Count what the collections of a run hold; None where nothing can be counted.

    A run whose comparison files are gone is told by the counts of its last collection.
    """
    found: set[str] = set()
    comparisons: set[str] = set()
    labelers: set[str] = set()
    sources: list[tuple[str, Source]] = []
    for stage in run.of_stage("collect"):
        before = len(found)
        for path in sorted((run.directory / stage.folder).glob(COMPARISONS)):
            for preference in _preferences(run, path):
                found.add(str(preference.get("id")))
                comparisons.add(str(preference.get("comparison_id")))
                labelers.add(str(preference.get("labeler")))
        counts = run.find(stage, "output/votes.json")
        if len(found) > before and counts is not None:
            sources.append((stage.name, run.source(counts)))
    if not sources:
        return _of_the_last(votes)
    digest = votes[0].value.votes_digest if len(votes) == len(sources) == 1 else ""
    return Collected(len(found), len(comparisons), len(labelers), digest, tuple(sources))


def _preferences(run: Run, path: Path) -> Iterator[dict[str, Any]]:
    for line in run.lines(path):
        preferences = line.get("preferences") if isinstance(line, dict) else None
        for preference in preferences if isinstance(preferences, list) else ():
            if isinstance(preference, dict):
                yield preference


def _of_the_last(votes: list[Sourced[Votes]]) -> Collected | None:
    last = votes[-1] if votes else None
    if last is None or last.value.votes is None:
        return None
    return Collected(
        last.value.votes,
        last.value.comparisons or 0,
        len(last.value.labelers),
        last.value.votes_digest,
        ((last.stage, last.source),),
    )
