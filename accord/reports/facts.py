"""Everything the report draws on, read once from the run's artifacts.

Several stages of one kind are the rounds of the run: the last evaluation and the last ratings
speak for the whole run, because each round rates and evaluates what came before it as well.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from accord.reports.collected import Collected, collected
from accord.reports.policies import Policies
from accord.reports.preference_files import (
    PreferenceEvaluation,
    TextBaseline,
    read_baselines,
    read_evaluation,
)
from accord.reports.read import Run, Source, Sourced, Stage, count_lines
from accord.reports.schemas import PolicyScore, Ratings, SampledPrompt, Scores, Votes, finite

T = TypeVar("T")
USUAL = 0.95  # confidence of an interval where a config does not say
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
    collected: Collected | None
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
    def by_proxy(self) -> bool:
        """True when the preference model, and no truth, decided which answers were better."""
        if self.scores is None:
            return False
        return (self.scores.value.by or self._guessed_judge()) == "preference_model"

    def _guessed_judge(self) -> str:
        return "truth" if self.final and self.final.truth else "preference_model"

    @property
    def confidence(self) -> str:
        """The confidence of the intervals, as the stages that made them were told."""
        makers = self.run.of_stage("rate", "preference_model", "evaluate")
        found = {stage.config.get("confidence", USUAL) for stage in makers} or {USUAL}
        known = sorted(value for value in found if isinstance(value, float))
        return " or ".join(f"{value:.4g}" for value in known)

    @property
    def last_ratings(self) -> Sourced[Ratings] | None:
        """The ratings over all votes so far."""
        return self.ratings[-1] if self.ratings else None

    @property
    def temperatures(self) -> list[float]:
        """The temperatures of the evaluation, the one nearest to 1 first, greedy last."""
        if self.scores is None:
            return []
        found = {temperature_of(score) for score in self.scores.value.policies}
        return sorted(found, key=lambda t: (t == 0, abs(t - 1), t))

    def scored(self, temperature: float | None = None) -> list[PolicyScore]:
        """Scores of all policies in the order of the run, at the first temperature or another."""
        if self.scores is None or not self.temperatures:
            return []
        wanted = self.temperatures[0] if temperature is None else temperature
        chosen = [s for s in self.scores.value.policies if temperature_of(s) == wanted]
        return sorted(chosen, key=lambda score: self.policies.order(score.policy))

    @property
    def final(self) -> PolicyScore | None:
        """The policy at the end of the run."""
        rounds = [score for score in self.scored() if self.policies[score.policy].is_round]
        return rounds[-1] if rounds else None


def temperature_of(score: PolicyScore) -> float:
    """The temperature of a row; sampling as the policy is, 1, where it is not said."""
    return 1.0 if score.temperature is None else score.temperature


def how(temperature: float) -> str:
    """How answers were drawn, in words."""
    return "greedy" if temperature == 0 else f"temperature {temperature:g}"


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
        collected=collected(run, votes),
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
    for row in run.lines(path):
        if not isinstance(row, dict):
            continue
        found = {key: finite(value) for key, value in row.items()}
        numbers = {key: float(value) for key, value in found.items() if value is not None}
        step = numbers.pop("step", None)
        if step is not None:
            for key, number in numbers.items():
                series.setdefault(key, []).append((step, number))
    return Learning(stage, run.source(path), series) if series else None
