"""Sections about the run itself: its artifacts, what is missing, how to make it again."""

import shlex
from dataclasses import dataclass
from typing import Any

from accord.reports.estimates import count, duration, significant
from accord.reports.facts import Facts
from accord.reports.read import Run, Source, Stage

SHORT = 12  # characters of a digest; the whole is in the tooltip and the file
HEADLINES = 4  # numbers of an artifact's headline that are shown


@dataclass(frozen=True)
class ArtifactRow:
    """One stage of the run in the table."""

    name: str
    stage: str
    folder: Source
    state: str  #: done, unfinished or not started
    digest: str
    time: str
    headline: str
    done: Source | None
    config: Source | None
    files: tuple[tuple[str, Source], ...]


FILES = (
    "inputs.json",
    "metrics.jsonl",
    "evaluation.json",
    "rollouts.jsonl",
    "output/scores.json",
    "output/ratings.json",
    "output/samples.jsonl",
    "samples.jsonl",
    "output/votes.json",
    "output/baselines.json",
)


def artifact_rows(run: Run) -> list[ArtifactRow]:
    """Every stage with its state, digest and the files that can be opened."""
    return [_artifact(run, stage) for stage in run.stages]


def _artifact(run: Run, stage: Stage) -> ArtifactRow:
    state = "done" if stage.done else "unfinished" if stage.started else "not started"
    known = [(name, run.find(stage, name)) for name in ("DONE.json", "config.json", *FILES)]
    found = {name: run.source(path) for name, path in known if path is not None}
    return ArtifactRow(
        name=stage.name,
        stage=stage.stage,
        folder=Source(stage.folder),
        state=state,
        digest=stage.done.digest if stage.done else "",
        time=duration(stage.done.seconds) if stage.done else "",
        headline=_headline(stage),
        done=found.get("DONE.json"),
        config=found.get("config.json"),
        files=tuple((name.split("/")[-1], found[name]) for name in FILES if name in found),
    )


def _headline(stage: Stage) -> str:
    if stage.done is None:
        return ""
    items = [(key, _short(value)) for key, value in stage.done.headline.items()]
    return ", ".join([f"{key} {text}" for key, text in items if text][:HEADLINES])


def _short(value: Any) -> str:
    """A headline value: a number, a word, or a rate with its interval."""
    if isinstance(value, dict):
        return significant(value.get("value")) if _is_number(value.get("value")) else ""
    if _is_number(value):
        return significant(value) if isinstance(value, float) else str(value)
    return value if isinstance(value, str) else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@dataclass(frozen=True)
class Reproduction:
    """How to make this run again."""

    command: str
    seed: str
    python: str
    machine: str
    versions: tuple[tuple[str, str], ...]
    total: str
    environment: Source | None


def reproduction(run: Run) -> Reproduction:
    """Command, seed, versions, and the time that all stages took together."""
    made = [stage for stage in run.stages if stage.environment]
    environment = made[-1].environment if made else None
    path = run.find(made[-1], "environment.json") if made else None
    times = [s.done.seconds for s in run.stages if s.done and s.done.seconds is not None]
    processors = f", {environment.processors} processors" if environment else ""
    return Reproduction(
        command=run.command or f"accord run --out {shlex.quote(run.directory.name)}",
        seed="unknown" if run.seed is None else str(run.seed),
        python=environment.python if environment else "",
        machine=f"{environment.machine}{processors}" if environment else "",
        versions=tuple(sorted(environment.versions.items())) if environment else (),
        total=duration(sum(times)) if times else "",
        environment=run.source(path) if path else None,
    )


def missing(facts: Facts) -> list[str]:
    """Sentences on what this report would show and does not have."""
    run = facts.run
    found = []
    unfinished = [stage.name for stage in run.stages if stage.started and not stage.done]
    waiting = [stage.name for stage in run.stages if not stage.started]
    if unfinished:
        found.append(f"Begun but not finished: {', '.join(unfinished)}.")
    if waiting:
        found.append(f"Not begun: {', '.join(waiting)}.")
    absent = [
        (facts.scores is None, "No evaluation: no win rates, no bars by criterion or kind."),
        (facts.samples is None, "No samples: no answers side by side."),
        (not facts.ratings, "No ratings: no Elo, no labelers."),
        (facts.collected is None, "No collected votes: no count and no digest of the ledger."),
        (not facts.preference_models, "No preference-model evaluation: no accuracy, no ceiling."),
        (not facts.learning, "No metrics: no learning curves."),
    ]
    found += [sentence for is_absent, sentence in absent if is_absent]
    return found + [f"Could not be read: {problem}" for problem in run.problems]


def totals(facts: Facts) -> str:
    """One line under the title: seed, stages, time."""
    run = facts.run
    done = sum(stage.done is not None for stage in run.stages)
    parts = [
        f"seed {run.seed}" if run.seed is not None else "",
        f"{count(done)} of {count(len(run.stages))} stages done",
        reproduction(run).total,
    ]
    return " · ".join(part for part in parts if part)
