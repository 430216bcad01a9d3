"""From a policy back to the people behind it.

policy <- preference model <- votes <- labelers <- published responses <- policies <- ...
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from accord.config import InputError, nearest
from accord.records import LabeledComparison, iterate_records
from accord.runtime import artifacts
from accord.trace.runs import Entry, Run, read_run
from accord.trace.votes import VOTES

POLICY_STAGES = ("ppo", "sft", "pretrain")  # a run's newest policy is of the first kind it has


@dataclass(frozen=True)
class Origin:
    """Something with what it was made from.

    Attributes:
        role: what it was to the thing above it: the name of the input.
        name: of the stage, or the file or hub id that came from outside.
        stage: the kind of stage that made it; empty for what came from outside.
        digest: SHA-256 of it.
        facts: what else people want to know of it, one line each.
        sources: what it was made from.
        is_repeated: it stands further up in the tree, with its sources, which are left out here.
    """

    role: str
    name: str
    stage: str
    digest: str
    facts: tuple[str, ...] = ()
    sources: tuple["Origin", ...] = ()
    is_repeated: bool = False


def newest_policy(directory: Path) -> Path:
    """The artifact of the last policy that a run has finished.

    Raises:
        InputError: there is none yet.
    """
    run = read_run(directory)
    return run.folder(_newest(run))


def origin(directory: Path, name: str | None = None) -> Origin:
    """Trace a stage of a run, by default its newest policy, back to where it came from.

    Raises:
        InputError: the run has no such stage, or it is not finished.
    """
    run = read_run(directory)
    name = name or _newest(run)
    if name not in run.stages:
        raise InputError(f"`{directory}` has no stage `{name}`{nearest(name, list(run.stages))}")
    return _origin(run, run.stages[name], "", set())


def _newest(run: Run) -> str:
    for kind in POLICY_STAGES:
        done = [
            e.name for e, folder in run.started() if e.stage == kind and artifacts.is_done(folder)
        ]
        if done:
            return done[-1]
    raise InputError(f"`{run.directory}` holds no finished policy yet; run the same command again")


def _origin(run: Run, entry: Entry, role: str, seen: set[str]) -> Origin:
    folder = run.directory / entry.folder
    done = artifacts.read_json(folder / "DONE.json")
    if entry.name in seen:
        return Origin(role, entry.name, entry.stage, done["digest"], is_repeated=True)
    seen.add(entry.name)
    sources = []
    for reading in run.reads(entry):
        if reading.stage is not None:
            sources.append(_origin(run, run.stages[reading.stage], reading.name, seen))
        elif reading.path is not None:
            sources.append(Origin(reading.name, str(reading.path), "", reading.digest))
        elif "://" not in reading.text:  # a store is told by the digest of its votes
            sources.append(Origin(reading.name, reading.text, "", ""))
    return Origin(role, entry.name, entry.stage, done["digest"], _facts(folder), tuple(sources))


def _facts(folder: Path) -> tuple[str, ...]:
    """Of an artifact of votes: how many there are and, once collected, who gave them."""
    if not (folder / "output" / VOTES).is_file():
        return ()
    votes = artifacts.read_json(folder / "output" / VOTES)
    count = f"{votes.get('votes')} votes, digest {votes.get('votes_digest')}"
    files = sorted((folder / "output").glob("comparisons-*.jsonl"))
    people = Counter(
        preference.labeler
        for file in files
        if file.stat().st_size
        for labeled in iterate_records(file, LabeledComparison)
        for preference in labeled.preferences
    )
    if not people:
        return (count,)
    names = ", ".join(f"{labeler} {number}" for labeler, number in sorted(people.items()))
    return (count, f"{len(people)} labelers: {names}")
