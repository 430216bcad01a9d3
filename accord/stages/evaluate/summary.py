"""The rows of ``scores.json``: rates, means and win rates, each with its interval.

Answers to one prompt resemble each other, so every interval is clustered by prompt.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from accord.ratings import intervals
from accord.stages.evaluate.truth import Judged, outcome

Judge = Literal["truth", "preference_model"]
RATES = ("helpful", "honest", "harmless", "hhh", "garbled")


@dataclass(frozen=True)
class Reading:
    """How answers become numbers."""

    judge: Judge | None  #: who decides duels; None when nobody can
    confidence: float


@dataclass(frozen=True)
class Policy:
    """One policy at one temperature, with its answers."""

    name: str
    temperature: float
    answers: tuple[Judged, ...]


def row(
    policy: Policy, baseline: Policy | None, previous: Policy | None, reading: Reading
) -> dict[str, Any]:
    """Everything about one policy at one temperature.

    Args:
        policy: whose row.
        baseline: what it is compared with; None for the baseline itself.
        previous: the policy before it, for a second comparison; None for the first.
        reading: who judges, and how sure the intervals are.
    """
    answers = policy.answers
    proxy = Reading("preference_model", reading.confidence)
    return {
        "policy": policy.name,
        "temperature": policy.temperature,
        "n_responses": len(answers),
        "truth": _truth(answers, reading.confidence),
        "win_rate": win_rate(policy, baseline, reading),
        "win_rate_previous": win_rate(policy, previous, reading),
        "win_rate_by_score": win_rate(policy, baseline, proxy) if _has_scores(answers) else None,
        "score": _mean([a.answer.score for a in answers], answers, reading.confidence),
        "kl": _mean([a.answer.kl for a in answers], answers, reading.confidence),
        "length": _mean([a.answer.length for a in answers], answers, reading.confidence),
        "finished": _rate([a.answer.finished for a in answers], answers, reading.confidence),
        "by_kind": _by_kind(policy, baseline, reading),
    }


def win_rate(policy: Policy, other: Policy | None, reading: Reading) -> dict[str, Any] | None:
    """How often one policy's answer beats another's to the same prompt.

    Sample j meets sample j; the interval allows for duels on one prompt being alike.
    """
    if other is None or reading.judge is None:
        return None
    theirs = {judged.key: _value(judged, reading.judge) for judged in other.answers}
    outcomes, prompts = [], []
    for judged in policy.answers:
        if judged.key in theirs:
            outcomes.append(outcome(_value(judged, reading.judge), theirs[judged.key]))
            prompts.append(judged.answer.prompt_id)
    if not outcomes:
        return None
    rate = intervals.win_rate(outcomes, prompts, reading.confidence)
    return {"against": other.name, "by": reading.judge} | rate._asdict()


def _value(judged: Judged, judge: Judge) -> float:
    if judge == "truth" and judged.verdict is not None:
        return judged.verdict.utility
    return judged.answer.score or 0.0


def _has_scores(answers: Sequence[Judged]) -> bool:
    return all(judged.answer.score is not None for judged in answers)


def _truth(answers: Sequence[Judged], confidence: float) -> dict[str, Any] | None:
    verdicts = [judged.verdict for judged in answers if judged.verdict is not None]
    if not verdicts:
        return None
    found: dict[str, Any] = {
        name: _rate([float(getattr(verdict, name)) for verdict in verdicts], answers, confidence)
        for name in RATES
    }
    utilities = [verdict.utility for verdict in verdicts]
    return found | {"utility": _mean(utilities, answers, confidence)}


def _by_kind(policy: Policy, baseline: Policy | None, reading: Reading) -> dict[str, Any]:
    """The same for each kind of prompt, in alphabetical order."""
    found = {}
    for kind in sorted({judged.kind for judged in policy.answers if judged.kind}):
        mine = _only(policy, kind)
        truth = _truth(mine.answers, reading.confidence)
        theirs = _only(baseline, kind) if baseline else None
        found[kind] = {
            "hhh": truth["hhh"] if truth else None,
            "utility": truth["utility"] if truth else None,
            "win_rate": win_rate(mine, theirs, reading),
        }
    return found


def _only(policy: Policy, kind: str) -> Policy:
    answers = tuple(judged for judged in policy.answers if judged.kind == kind)
    return Policy(policy.name, policy.temperature, answers)


Estimator = Callable[..., intervals.Estimate]


def _mean(
    values: Sequence[float | None], answers: Sequence[Judged], confidence: float
) -> dict[str, Any] | None:
    return _estimate("mean", intervals.clustered_mean, values, answers, confidence)


def _rate(
    values: Sequence[float | None], answers: Sequence[Judged], confidence: float
) -> dict[str, Any] | None:
    return _estimate("rate", intervals.clustered_rate, values, answers, confidence)


def _estimate(
    name: str,
    estimator: Estimator,
    values: Sequence[float | None],
    answers: Sequence[Judged],
    confidence: float,
) -> dict[str, Any] | None:
    """None when a value is missing: half of the answers would not stand for all."""
    if any(value is None for value in values):
        return None
    prompts = [judged.answer.prompt_id for judged in answers]
    found = estimator([float(value or 0) for value in values], prompts, confidence)
    return {name: found.mean, "low": found.low, "high": found.high, "n": found.n}
