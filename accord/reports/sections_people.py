"""Sections about judgement: preference models against the labelers' ceiling, and the labelers."""

from dataclasses import dataclass
from typing import Any

from accord.reports.alarms import standing
from accord.reports.axes import axis_for, rate_axis
from accord.reports.claims import EVEN
from accord.reports.estimates import PERCENT, SECONDS, Estimate, Unit, count, show
from accord.reports.facts import Facts
from accord.reports.figures_curves import CurveChart, Point, Series, curve_chart
from accord.reports.figures_intervals import IntervalChart, Row, interval_chart
from accord.reports.preference_files import PreferenceEvaluation
from accord.reports.read import Source
from accord.reports.schemas import LabelerRow

SMALL, LARGE = 2.5, 9.0  # radius in pixels of the rarest and the commonest bin
ALPHA = Unit(decimals=2)


@dataclass(frozen=True)
class PreferenceSection:
    """How well preference models predict people, and how honest their certainty is."""

    accuracy: IntervalChart
    reliability: CurveChart | None
    bins: tuple[tuple[str, ...], ...]
    fit: tuple[tuple[str, str, Estimate], ...]  #: stage, measure, value
    has_baselines: bool
    has_ceiling: bool
    sources: tuple[tuple[str, Source], ...]


def preference_section(facts: Facts) -> PreferenceSection | None:
    """Accuracy against chance, text rules and the ceiling; reliability; log loss."""
    models = facts.preference_models
    if not models and not facts.text_baselines:
        return None
    rows = [
        Row(baseline.name, baseline.accuracy, "tone-0", note="text alone")
        for baseline in facts.text_baselines
    ]
    for index, model in enumerate(models):
        for place, (label, estimate) in enumerate(model.accuracies):
            first = place == 0 and bool(rows)
            rows.append(Row(model.stage, estimate, _tone(index), note=label, starts_group=first))
    ceilings = models[-1].ceilings if models else ()
    for place, (label, estimate) in enumerate(ceilings):
        row = Row("labelers’ ceiling", estimate, "tone-ceiling", label, starts_group=place == 0)
        rows.append(row)
    lines = [(EVEN, "coin")]
    if ceilings and ceilings[0][1].value is not None:
        lines.append((ceilings[0][1].value, "ceiling"))
    low = min([0.4] + [v for r in rows for v in (r.estimate.low, r.estimate.value) if v is not None])
    axis = rate_axis(low=0.4, step=0.1) if low >= 0.4 else rate_axis()  # noqa: PLR2004 - drawn range
    return PreferenceSection(
        accuracy=interval_chart(rows, axis, heading="of preferences predicted", references=lines),
        reliability=_reliability(models),
        bins=tuple(_bin_row(m, i) for m in models for i in range(len(m.bins))),
        fit=tuple((m.stage, label, estimate) for m in models for label, estimate in m.fit),
        has_baselines=bool(facts.text_baselines),
        has_ceiling=bool(ceilings),
        sources=tuple((model.stage, model.source) for model in models),
    )


def _tone(index: int) -> str:
    return f"tone-{2 + index}"


def _reliability(models: tuple[PreferenceEvaluation, ...]) -> CurveChart | None:
    most = max((b.count for model in models for b in model.bins), default=0)
    if most == 0:
        return None
    series = []
    for index, model in enumerate(models):
        points = tuple(
            Point(
                b.predicted,
                b.observed,
                b.low,
                b.high,
                size=round(SMALL + (LARGE - SMALL) * (b.count / most) ** 0.5, 1),
                title=f"{model.stage}: said {b.predicted:.0%}, was right {b.observed:.0%} "
                f"({b.low:.0%} to {b.high:.0%}), n = {count(b.count)}",
            )
            for b in model.bins
        )
        series.append(Series(model.stage, _tone(index), points))
    lowest = min(p.x for s in series for p in s.points)
    axis = rate_axis() if lowest < EVEN else rate_axis(low=EVEN, step=0.1)
    below = any(p.low is not None and p.low < axis.low for s in series for p in s.points)
    return curve_chart(
        series,
        title="Reliability",
        x_label="probability that the model gave",
        y_label="how often people agreed",
        x=axis,
        y=rate_axis() if below else axis,
        diagonal=True,
    )


def _bin_row(model: PreferenceEvaluation, index: int) -> tuple[str, ...]:
    one = model.bins[index]
    interval = f"{show(one.low, PERCENT)} to {show(one.high, PERCENT)}"
    said, right = show(one.predicted, PERCENT), show(one.observed, PERCENT)
    return (model.stage, said, right, interval, count(one.count))


@dataclass(frozen=True)
class LabelersSection:
    """Who gave the preferences, and how far they agree."""

    agreement: IntervalChart
    speed: IntervalChart | None
    habits: tuple[tuple[str, str, str, str, str], ...]  #: name, n, first place, ties, seconds
    overall: Estimate | None
    alpha: str
    ceiling: Estimate | None
    simulated: bool
    source: Source


def labelers_section(facts: Facts) -> LabelersSection | None:
    """Agreement of each labeler with the others, the least agreeing last."""
    found = facts.last_ratings
    if found is None or not found.value.labelers:
        return None
    everybody = found.value.labelers
    ordered = sorted(everybody, key=lambda row: (-(row.agreement or 0.0), row.labeler))
    flags = {"guessing": "close to guessing", "below": "below the others", "": ""}
    rows = [
        Row(
            row.labeler,
            Estimate(row.agreement, row.low, row.high, row.n, found.source, PERCENT),
            "tone-3" if standing(row, everybody) == "guessing" else "tone-1",
            flag=flags[standing(row, everybody)],
        )
        for row in ordered
    ]
    total = found.value.agreement
    overall = alpha = None
    if total is not None:
        low, high = total.raw_low, total.raw_high
        overall = Estimate(total.raw, low, high, total.raw_n, found.source, PERCENT)
        alpha = total.krippendorff_alpha
    return LabelersSection(
        agreement=interval_chart(
            rows, rate_axis(), heading="agreement", references=[(EVEN, "coin")]
        ),
        speed=_speed(ordered, found.source),
        habits=tuple(_habit(row) for row in ordered),
        overall=overall,
        alpha=show(alpha, ALPHA),
        ceiling=_ceiling(total.ceiling if total else None, found.source),
        simulated=bool(facts.run.of_stage("simulate_labelers")),
        source=found.source,
    )


def _habit(row: LabelerRow) -> tuple[str, str, str, str, str]:
    return (
        row.labeler,
        count(row.n),
        show(row.first_place_rate, PERCENT),
        show(row.tie_rate, PERCENT),
        show(row.seconds_median, SECONDS),
    )


def _speed(ordered: list[LabelerRow], source: Source) -> IntervalChart | None:
    timed = [row for row in ordered if row.seconds_median is not None]
    if not timed:
        return None
    rows = [
        Row(row.labeler, Estimate(row.seconds_median, None, None, row.n, source, SECONDS))
        for row in timed
    ]
    axis = axis_for([row.seconds_median for row in timed], include=(0.0,))
    return interval_chart(rows, axis, heading="median per answer", bars=True)


def _ceiling(raw: Any, source: Source) -> Estimate | None:
    """The ceiling is a bare number or an object with one; both are read."""
    if isinstance(raw, dict):
        raw = next((raw[key] for key in ("votes", "value", "rate", "majority") if key in raw), None)
    is_number = isinstance(raw, (int, float)) and not isinstance(raw, bool)
    return Estimate(raw, None, None, None, source, PERCENT) if is_number else None
