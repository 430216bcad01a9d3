"""Sections about judgement: preference models against the labelers' ceiling, and the labelers."""

from dataclasses import dataclass

from accord.reports.alarms import standing
from accord.reports.axes import fitted_rate_axis
from accord.reports.claims import EVEN
from accord.reports.estimates import PERCENT, SECONDS, Estimate, Unit, count, show
from accord.reports.facts import Facts
from accord.reports.figures_curves import CurveChart, Point, Series, curve_chart
from accord.reports.figures_intervals import IntervalChart, Row, interval_chart
from accord.reports.preference_files import LONGER, Bounded, PreferenceEvaluation
from accord.reports.read import Source
from accord.reports.schemas import Agreement, LabelerRow

SMALL, LARGE = 2.5, 7.0  # radius in pixels of the rarest and the commonest bin
ALPHA = Unit(decimals=2)
PREDICTED = "of votes predicted"


@dataclass(frozen=True)
class PreferenceSection:
    """How well preference models predict people, and how honest their certainty is."""

    accuracy: IntervalChart
    reliability: CurveChart | None
    slices: tuple[tuple[str, IntervalChart], ...]  #: accuracy on parts of the held-out votes
    bins: tuple[tuple[str, ...], ...]
    fit: tuple[tuple[str, str, Estimate], ...]  #: model, measure, value
    has_baselines: bool
    ceiling: Bounded | None
    sources: tuple[tuple[str, Source], ...]


def preference_section(facts: Facts) -> PreferenceSection | None:
    """Accuracy against chance, text rules and the ceiling; reliability; log loss."""
    models = facts.preference_models
    if not models and not facts.text_baselines:
        return None
    baselines = {one.name: one.accuracy for one in facts.text_baselines}
    if models and models[-1].longer_wins.known:
        baselines[LONGER] = models[-1].longer_wins  # on the very votes of the model
    rows = [Row(name, rate, "tone-0", note="text alone") for name, rate in baselines.items()]
    for index, model in enumerate(models):
        kinds = (("single votes", model.accuracy), ("majority", model.majority))
        for note, estimate in kinds:
            starts = bool(rows) and note == kinds[0][0]
            if estimate.known:
                rows.append(Row(model.label, estimate, _tone(index), note, starts_group=starts))
    ceiling = models[-1].ceiling if models else None
    lines = [(EVEN, "coin")] + ([(ceiling.value, "ceiling")] if ceiling else [])
    bounds = [v for row in rows for v in row.ends] + [value for value, _ in lines]
    return PreferenceSection(
        accuracy=interval_chart(
            rows, fitted_rate_axis(bounds), heading=PREDICTED, references=lines
        ),
        reliability=_reliability(models),
        slices=tuple(_slices(models)),
        bins=tuple(_bin_row(m, i) for m in models for i in range(len(m.bins))),
        fit=tuple((m.label, label, estimate) for m in models for label, estimate in m.fit),
        has_baselines=bool(baselines),
        ceiling=ceiling,
        sources=tuple((model.stage, model.source) for model in models),
    )


def _slices(models: tuple[PreferenceEvaluation, ...]) -> list[tuple[str, IntervalChart]]:
    """The last model's accuracy by score gap, and by turn where there is more than one."""
    if not models:
        return []
    last, found = models[-1], []
    parts = [("By distance of the two scores, nats", last.by_margin)]
    if len(last.by_turn) > 1:
        parts.append(("By turn of the conversation", last.by_turn))
    for title, rates in parts:
        rows = [Row(label, rate, _tone(len(models) - 1)) for label, rate in rates if rate.known]
        if rows:
            axis = fitted_rate_axis(v for row in rows for v in row.ends)
            lines = [(EVEN, "coin")]
            found.append((title, interval_chart(rows, axis, heading=PREDICTED, references=lines)))
    return found


def _tone(index: int) -> str:
    return f"tone-{2 + index}"


def _reliability(models: tuple[PreferenceEvaluation, ...]) -> CurveChart | None:
    most = max((b.n for model in models for b in model.bins), default=0)
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
                size=round(SMALL + (LARGE - SMALL) * (b.n / most) ** 0.5, 1),
                title=f"{model.stage}: said {b.predicted:.0%}, was right {b.observed:.0%} "
                f"({b.low:.0%} to {b.high:.0%}), n = {count(b.n)}",
            )
            for b in model.bins
        )
        series.append(Series(model.label, _tone(index), points))
    axis = fitted_rate_axis(v for s in series for p in s.points for v in (p.x, p.y, p.low, p.high))
    return curve_chart(
        series,
        title="Reliability",
        x_label="probability that the model gave",
        y_label="how often people agreed",
        x=axis,
        y=axis,
        diagonal=True,
    )


def _bin_row(model: PreferenceEvaluation, index: int) -> tuple[str, ...]:
    one = model.bins[index]
    interval = f"{show(one.low, PERCENT)} to {show(one.high, PERCENT)}"
    said, right = show(one.predicted, PERCENT), show(one.observed, PERCENT)
    return (model.label, said, right, interval, count(one.n))


@dataclass(frozen=True)
class Habit:
    """What one labeler tends to do."""

    labeler: str
    first: Estimate  #: share of decided pairwise votes for the answer shown before the other
    ties: str
    seconds: str


@dataclass(frozen=True)
class LabelersSection:
    """Who gave the preferences, and how far they agree."""

    agreement: IntervalChart
    habits: tuple[Habit, ...]
    overall: Estimate | None
    alpha: Estimate | None
    ceiling: Bounded | None
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
            _agreement(row, found.source),
            "tone-alarm" if standing(row, everybody) == "guessing" else "tone-1",
            flag=flags[standing(row, everybody)],
            alarming=standing(row, everybody) == "guessing",
        )
        for row in ordered
    ]
    total = found.value.agreement
    overall = alpha = None
    if total is not None:
        low, high, n = total.raw_low, total.raw_high, total.raw_n
        overall = Estimate(total.raw, low, high, n, found.source, PERCENT)
        low, high = total.alpha_low, total.alpha_high
        alpha = Estimate(total.krippendorff_alpha, low, high, n, found.source, ALPHA)
    return LabelersSection(
        agreement=interval_chart(
            rows,
            fitted_rate_axis(v for row in rows for v in row.ends),
            heading="agreement",
            references=[(EVEN, "coin")],
        ),
        habits=tuple(_habit(row, found.source) for row in ordered),
        overall=overall,
        alpha=alpha,
        ceiling=_ceiling(total, found.source),
        simulated=bool(facts.run.of_stage("simulate_labelers")),
        source=found.source,
    )


def _agreement(row: LabelerRow, source: Source) -> Estimate:
    n = row.n if row.compared is None else row.compared
    return Estimate(row.agreement, row.low, row.high, n, source, PERCENT)


def _habit(row: LabelerRow, source: Source) -> Habit:
    low, high = row.first_place_low, row.first_place_high
    return Habit(
        row.labeler,
        Estimate(row.first_place_rate, low, high, row.n, source, PERCENT),
        show(row.tie_rate, PERCENT),
        show(row.seconds_median, SECONDS),
    )


def _ceiling(total: Agreement | None, source: Source) -> Bounded | None:
    if total is None or total.ceiling is None:
        return None
    low, high, pairs = total.ceiling_low, total.ceiling_high, total.decided_pairs
    return Bounded(total.ceiling, low, high, pairs, source)
