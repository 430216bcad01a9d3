"""What the artifacts say about preference models: held-out accuracy, ceiling, calibration.

evaluation.json of a preference model lies beside its output. baselines.json, of any stage, holds
{NAME: {"accuracy", "low", "high", "n"}} of rules that read the text and know no people.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from accord.ratings.intervals import wilson
from accord.reports.estimates import PERCENT, PLAIN, Estimate, Unit, of_rate, significant
from accord.reports.read import ROUND, Run, Source, Stage, load_json
from accord.reports.schemas import Ceiling, Evaluation, Rate, ReliabilityBin

THREE = Unit(decimals=3)
LONGER = "the longer one"
RULES = {"longer_wins": LONGER, "bag_of_words": "a bag of words"}


@dataclass(frozen=True)
class Bin:
    """Held-out votes that the model was about equally sure of."""

    predicted: float  #: mean probability that the model gave
    observed: float  #: how often it was right
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Bounded:
    """The labelers' ceiling: an estimate, and bounds that hold whatever the difficulties."""

    value: float
    low: float | None
    high: float | None
    pairs: int | None  #: pairs of votes on the same two responses
    source: Source


@dataclass(frozen=True)
class PreferenceEvaluation:
    """One preference model on comparisons that it was not trained on."""

    stage: str
    label: str  #: for people: which round's model it is
    source: Source
    accuracy: Estimate  #: against single votes
    majority: Estimate  #: against what most labelers said
    ceiling: Bounded | None
    longer_wins: Estimate  #: how often people preferred the longer response
    fit: tuple[tuple[str, Estimate], ...]  #: log loss, Brier score, calibration error
    bins: tuple[Bin, ...]
    by_margin: tuple[tuple[str, Estimate], ...]  #: accuracy by distance of the two scores
    by_turn: tuple[tuple[str, Estimate], ...]


@dataclass(frozen=True)
class TextBaseline:
    """A rule that reads the text alone and knows nothing of people."""

    name: str
    accuracy: Estimate


def read_evaluation(run: Run, stage: Stage) -> PreferenceEvaluation | None:
    """A preference model's held-out evaluation, or None."""
    found = run.read(stage, Evaluation, "evaluation.json", "output/evaluation.json")
    if found is None:
        return None
    value, source = found.value, found.source
    return PreferenceEvaluation(
        stage=stage.name,
        label=_label(run, stage),
        source=source,
        accuracy=of_rate(value.accuracy, source),
        majority=of_rate(value.majority_accuracy, source),
        ceiling=_bounded(value.ceiling, source),
        longer_wins=of_rate(value.longer_wins, source),
        fit=tuple(_fit(value, source)),
        bins=tuple(_bin(row) for row in value.reliability if row.predicted and row.n),
        by_margin=tuple(
            (_span(one.start, one.end), of_rate(one, source)) for one in value.by_margin
        ),
        by_turn=tuple((f"turn {one.turn}", of_rate(one, source)) for one in value.by_turn),
    )


def _label(run: Run, stage: Stage) -> str:
    """Rounds by their number; models of other names by these, unless there is only one."""
    match = ROUND.match(stage.name)
    if match:
        return f"Round {match['round']}"
    alone = len(run.of_stage(stage.stage)) == 1
    return "The model" if alone else stage.name.replace("_", " ")


def _bounded(ceiling: Ceiling | None, source: Source) -> Bounded | None:
    """The ceiling with its bounds, or None where it is not known."""
    if ceiling is None or ceiling.accuracy is None:
        return None
    return Bounded(ceiling.accuracy, ceiling.low, ceiling.high, ceiling.n_pairs, source)


def _fit(value: Evaluation, source: Source) -> list[tuple[str, Estimate]]:
    n = value.accuracy.n if value.accuracy else None
    plain = [
        ("log loss, nats per vote", value.log_loss, PLAIN),
        ("Brier score", value.brier, THREE),
        ("temperature that would calibrate it", value.temperature, PLAIN),
        ("correlation of score and length", value.length_correlation, PLAIN),
    ]
    rows = [
        (label, Estimate(number, None, None, n, source, unit))
        for label, number, unit in plain
        if number is not None
    ]
    if value.ece is not None:
        rows.insert(2, ("expected calibration error", of_rate(value.ece, source, PERCENT)))
    return rows


def _bin(row: ReliabilityBin) -> Bin:
    """A bin; where the file gives no interval, Wilson's for independent votes."""
    predicted, observed, n = row.predicted or 0.0, row.observed or 0.0, row.n or 1
    low, high = row.low, row.high
    if low is None or high is None:
        low, high = wilson(min(max(observed, 0.0), 1.0) * n, n)
    return Bin(predicted, observed, low, high, n)


def _span(start: float | None, end: float | None) -> str:
    if end is None:
        return f"{significant(start)} and more"
    return f"{significant(start)} to {significant(end)}"


def read_baselines(run: Run) -> list[TextBaseline]:
    """Text baselines of whichever stage wrote them; the last word on a name counts."""
    found: dict[str, TextBaseline] = {}
    for stage in run.stages:
        path = run.find(stage, "output/baselines.json", "baselines.json")
        raw = None if path is None else load_json(path, run.problems, run.directory)
        if path is None or not isinstance(raw, dict):
            continue
        for name, value in raw.items():
            rate = _rate(value)
            if rate is not None:
                accuracy = of_rate(rate, run.source(path), PERCENT)
                found[name] = TextBaseline(RULES.get(name, name.replace("_", " ")), accuracy)
    return list(found.values())


def _rate(raw: Any) -> Rate | None:
    """A rate; None for the counts that stand beside the rates, and for what is unknown."""
    if not isinstance(raw, dict):
        return None
    try:
        rate = Rate.model_validate(raw)
    except ValidationError:
        return None
    return rate if rate.value is not None else None
