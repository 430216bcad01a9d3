"""What the artifacts say about preference models: held-out accuracy, ceiling, calibration.

evaluation.json of a preference model, written beside its output:
    {"accuracy": {"votes": RATE, "majority": RATE}, "ceiling": {"votes": RATE, "pairwise": RATE},
     "log_loss": RATE or number, "brier": ..., "ece": ..., "temperature": number,
     "reliability": [{"predicted", "observed", "count"}, ...]}
baselines.json, of any stage:
    {NAME: RATE} accuracies of rules that read the text alone, such as "the longer one".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from accord.ratings.intervals import wilson
from accord.reports.estimates import PERCENT, PLAIN, Estimate, Unit, of_rate
from accord.reports.read import Run, Source, Stage, load_json
from accord.reports.schemas import Rate

TARGETS = {"votes": "single votes", "single_votes": "single votes", "majority": "majority of votes"}
CEILINGS = {
    "votes": "best possible on single votes",
    "single_votes": "best possible on single votes",
    "majority": "best possible on the majority",
    "pairwise": "one labeler predicting another",
}
FIT = {
    "log_loss": ("log loss", PLAIN),
    "brier": ("Brier score", Unit(decimals=3)),
    "ece": ("expected calibration error", PERCENT),
    "temperature": ("temperature that would calibrate it", PLAIN),
}


@dataclass(frozen=True)
class Bin:
    """Held-out pairs that the model was about equally sure of."""

    predicted: float  #: mean probability that the model gave
    observed: float  #: how often it was right
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class PreferenceEvaluation:
    """One preference model on comparisons that it was not trained on."""

    stage: str
    source: Source
    accuracies: tuple[tuple[str, Estimate], ...]
    ceilings: tuple[tuple[str, Estimate], ...]
    fit: tuple[tuple[str, Estimate], ...]  #: log loss, Brier score, calibration error
    bins: tuple[Bin, ...]

    @property
    def main(self) -> Estimate | None:
        """The accuracy against single votes, or the first there is."""
        return self.accuracies[0][1] if self.accuracies else None


@dataclass(frozen=True)
class TextBaseline:
    """A rule that reads the text alone and knows nothing of people."""

    name: str
    accuracy: Estimate


def read_evaluation(run: Run, stage: Stage) -> PreferenceEvaluation | None:
    """A preference model's held-out evaluation, or None."""
    path = run.find(stage, "evaluation.json", "output/evaluation.json")
    raw = None if path is None else load_json(path, run.problems, run.directory)
    if path is None or not isinstance(raw, dict):
        return None
    source = run.source(path)
    fit = [
        (label, of_rate(rate, source, unit))
        for key, (label, unit) in FIT.items()
        if (rate := rate_of(raw.get(key))) is not None
    ]
    return PreferenceEvaluation(
        stage=stage.name,
        source=source,
        accuracies=_named(raw.get("accuracy"), TARGETS, source),
        ceilings=_named(raw.get("ceiling"), CEILINGS, source),
        fit=tuple(fit),
        bins=tuple(_bins(raw.get("reliability"))),
    )


def read_baselines(run: Run) -> list[TextBaseline]:
    """Text baselines of whichever stage wrote them; the last word on a name counts."""
    found: dict[str, TextBaseline] = {}
    for stage in run.stages:
        path = run.find(stage, "output/baselines.json", "baselines.json")
        raw = None if path is None else load_json(path, run.problems, run.directory)
        if path is None or not isinstance(raw, dict):
            continue
        for name, value in raw.items():
            if (rate := rate_of(value)) is not None:
                accuracy = of_rate(rate, run.source(path), PERCENT)
                found[name] = TextBaseline(name.replace("_", " "), accuracy)
    return list(found.values())


def rate_of(raw: Any) -> Rate | None:
    """A rate written as an object or as a bare number; None when it is neither."""
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        raw = {"value": raw}
    if not isinstance(raw, Mapping):
        return None
    try:
        rate = Rate.model_validate(raw)
    except ValidationError:
        return None
    return rate if rate.value is not None else None


def _named(
    raw: Any, labels: Mapping[str, str], source: Source
) -> tuple[tuple[str, Estimate], ...]:
    """Rates by name; a bare rate is the one about single votes."""
    whole = rate_of(raw)
    if whole is not None:
        return ((labels["votes"], of_rate(whole, source)),)
    if not isinstance(raw, Mapping):
        return ()
    known = [name for name in labels if name in raw]
    names = known + [name for name in raw if name not in labels]
    rates = [(labels.get(name, name.replace("_", " ")), rate_of(raw[name])) for name in names]
    return tuple((label, of_rate(rate, source)) for label, rate in rates if rate is not None)


def _bins(raw: Any) -> list[Bin]:
    """Bins of the reliability curve; an empty bin has nothing to show."""
    rows = raw if isinstance(raw, list) else []
    bins = []
    for row in rows:
        if not isinstance(row, dict):
            continue
        predicted, observed, number = (row.get(key) for key in ("predicted", "observed", "count"))
        if not predicted or observed is None or not number:
            continue
        right = min(max(observed, 0.0), 1.0) * number
        low, high = wilson(right, number)
        bins.append(Bin(predicted, observed, low, high, int(number)))
    return bins
