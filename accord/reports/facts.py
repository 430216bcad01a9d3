"""Everything the report draws on, read once from the run's artifacts.

Several stages of one kind are the rounds of the run: the last evaluation and the last ratings
speak for the whole run, because each round rates and evaluates what came before it as well.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from accord.reports.policies import Policies
from accord.reports.preference_files import (
    PreferenceEvaluation,
    TextBaseline,
    read_baselines,
    read_evaluation,
)
from accord.reports.read import Run, Source, Sourced, Stage, count_lines, iterate_lines
from accord.reports.schemas import PolicyScore, Ratings, SampledPrompt, Scores, Votes

T = TypeVar("T")
TRAINED = ("pretrain", "sft", "preference_pretraining", "preference_model", "ppo")


@dataclass(frozen=True)
class Learning:
    """The metrics that one stage logged: for each key its (step, value) pairs."""

    stage: Stage
    source: Source
    series: dict[str, list[tuple[float, float]]]


@dataclass(frozen=True)
class Counted:
    """How many records a file holds."""

    number: int
    source: Source


@dataclass(frozen=True)
class Facts:
    """What the artifacts say; anything may be missing."""

    run: Run
    policies: Policies
    scores: Sourced[Scores] | None
    samples: Sourced[list[SampledPrompt]] | None
    ratings: tuple[Sourced[Ratings], ...]
    votes: tuple[Sourced[Votes], ...]
    preference_models: tuple[PreferenceEvaluation, ...]
    text_baselines: tuple[TextBaseline, ...]
    learning: tuple[Learning, ...]
    comparisons: dict[str, Counted]  #: of each `sample` stage, by its name
    responses: dict[str, Counted]  #: likewise

    @property
    def baseline(self) -> str:
        """The policy that the others are measured against."""
        if self.scores and self.scores.value.baseline:
            return self.scores.value.baseline
        return "sft"

    @property
    def last_ratings(self) -> Sourced[Ratings] | None:
        """The ratings over all votes so far."""
        return self.ratings[-1] if self.ratings else None

    @property
    def last_votes(self) -> Sourced[Votes] | None:
        """The votes that the last ratings rest on."""
        return self.votes[-1] if self.votes else None

    def scored(self, *, greedy: bool) -> list[PolicyScore]:
        """Scores of all policies in the order of the run, sampled or greedily decoded."""
        if self.scores is None:
            return []
        chosen = [s for s in self.scores.value.policies if (s.temperature == 0) is greedy]
        return sorted(chosen, key=lambda score: self.policies.order(score.policy))

    @property
    def final(self) -> PolicyScore | None:
        """The policy at the end of the run, at temperature 1 where there is such a row."""
        for greedy in (False, True):
            rounds = [s for s in self.scored(greedy=greedy) if self.policies[s.policy].is_round]
            if rounds:
                return rounds[-1]
        return None


def gather(run: Run) -> Facts:
    """Read all that the report needs."""
    scores = _known(run.read(s, Scores, "output/scores.json") for s in run.of_stage("evaluate"))
    samples = _known(
        run.read_lines(s, SampledPrompt, "output/samples.jsonl", "samples.jsonl")
        for s in run.of_stage("evaluate")
    )
    ratings = _known(run.read(s, Ratings, "output/ratings.json") for s in run.of_stage("rate"))
    votes = _known(
        run.read(s, Votes, "output/votes.json", "votes.json") for s in run.of_stage("collect")
    )
    sampled = run.of_stage("sample")
    return Facts(
        run=run,
        policies=Policies(run, _names(scores, ratings)),
        scores=scores[-1] if scores else None,
        samples=samples[-1] if samples else None,
        ratings=tuple(ratings),
        votes=tuple(votes),
        preference_models=tuple(
            _known(read_evaluation(run, s) for s in run.of_stage("preference_model"))
        ),
        text_baselines=tuple(read_baselines(run)),
        learning=tuple(_known(_learning(run, stage) for stage in run.of_stage(*TRAINED))),
        comparisons=_counted(run, sampled, "output/comparisons.jsonl"),
        responses=_counted(run, sampled, "output/responses.jsonl"),
    )


def _known(values: Iterable[T | None]) -> list[T]:
    return [value for value in values if value is not None]


def _names(scores: list[Sourced[Scores]], ratings: list[Sourced[Ratings]]) -> list[str]:
    """Names of policies in the order in which evaluations, then ratings, list them."""
    evaluated = [score.policy for one in scores for score in one.value.policies]
    return evaluated + [rating.name for one in ratings for rating in one.value.ratings]


def _counted(run: Run, stages: list[Stage], name: str) -> dict[str, Counted]:
    found = ((stage, run.find(stage, name)) for stage in stages)
    return {
        stage.name: Counted(count_lines(path), run.source(path)) for stage, path in found if path
    }


def _learning(run: Run, stage: Stage) -> Learning | None:
    path = run.find(stage, "metrics.jsonl")
    if path is None:
        return None
    series: dict[str, list[tuple[float, float]]] = {}
    for row in iterate_lines(path, run.problems):
        if not isinstance(row, dict):
            continue
        step = row.get("step", row.get("update"))
        if not _is_number(step):
            continue
        for key, value in row.items():
            if key not in ("step", "update") and _is_number(value):
                series.setdefault(key, []).append((float(step), float(value)))
    return Learning(stage, run.source(path), series) if series else None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
