"""Figures of the page about a preference model, from numbers as artifacts write them."""

from typing import Any

from accord.reports.axes import axis_for, fitted_rate_axis, rate_axis
from accord.reports.estimates import PERCENT, PLAIN, Estimate, Unit, show, significant
from accord.reports.figures_curves import CurveChart, Point, Series, curve_chart
from accord.reports.figures_intervals import EVEN_LINE, IntervalChart, Row, interval_chart
from accord.reports.votes_sections import ORIGIN

THREE = Unit(decimals=3)
SIZES = (3.0, 8.0)  # radius of the smallest and the largest bin, pixels
STRENGTHS = {1: "hardly better", 2: "slightly better", 3: "better", 4: "far better"}
DISTANCES = {
    "mahalanobis": "Mahalanobis",
    "relative_mahalanobis": "simplified relative",
    "exposed": "with a few exposed",
}
LEAST_OF = 2  # slices; a single one repeats the whole


def estimate(raw: dict[str, Any] | None, unit: Unit = PERCENT) -> Estimate:
    """A rate or a mean as artifacts write it."""
    if raw is None:
        return Estimate(None, None, None, None, ORIGIN, unit)
    return Estimate(raw["value"], raw["low"], raw["high"], raw["n"], ORIGIN, unit)


def overview(sets: dict[str, Any], rules: dict[str, str]) -> IntervalChart:
    """The model, the rules and the ceiling of each set."""
    rows: list[Row] = []
    for name, one in sets.items():
        baselines = one["baselines"] or {}
        model = estimate(baselines.get("model") or one["accuracy"])
        rows.append(Row(name, model, note="the model", starts_group=bool(rows)))
        for rule, label in rules.items():
            if rule in baselines:
                rows.append(Row(label, estimate(baselines[rule]["accuracy"]), tone="tone-0"))
        ceiling = one["ceiling"]
        if ceiling:
            found = Estimate(
                ceiling["accuracy"],
                ceiling["low"],
                ceiling["high"],
                ceiling["n_pairs"],
                ORIGIN,
                PERCENT,
            )
            rows.append(Row("labelers' ceiling", found, tone="tone-ceiling", note="single votes"))
    axis = fitted_rate_axis(value for row in rows for value in row.ends)
    return interval_chart(rows, axis, heading="right", references=EVEN_LINE)


def reliability_chart(bins: list[dict[str, Any]]) -> CurveChart | None:
    """Predicted against empirical win frequency; on the diagonal promises are kept."""
    if not bins:
        return None
    largest = max(row["n"] for row in bins)
    points = tuple(
        Point(
            row["predicted"],
            row["observed"],
            row["low"],
            row["high"],
            size=SIZES[0] + (SIZES[1] - SIZES[0]) * (row["n"] / largest) ** 0.5,
            title=(
                f"promised {show(row['predicted'], PERCENT)}, came "
                f"{show(row['observed'], PERCENT)} of {row['n']} votes"
            ),
        )
        for row in bins
    )
    ends = [v for point in points for v in (point.y, point.low, point.high) if v is not None]
    return curve_chart(
        [Series("votes", "tone-1", points)],
        title="Reliability",
        x_label="predicted win frequency, σ(|margin|)",
        y_label="empirical win frequency",
        x=rate_axis(low=0.5, high=1.0, step=0.125),
        y=fitted_rate_axis([*ends, 0.5, 1.0]),
        diagonal=True,
    )


def fit_rows(one: dict[str, Any]) -> list[tuple[str, Estimate]]:
    """Proper scores and calibration."""
    sure = one["uncertainty"] or {}
    n = one["accuracy"]["n"]

    def row(name: str, unit: Unit) -> Estimate:
        return estimate(sure.get(name), unit) if name in sure else _bare(one[name], n, unit)

    return [
        ("log loss, nats per vote; a coin has 0.693", row("log_loss", THREE)),
        ("Brier score of the promise", row("brier", THREE)),
        ("expected calibration error", estimate(one["ece"])),
        ("temperature that would calibrate it", row("temperature", PLAIN)),
        ("correlation of score and length", _bare(one["length_correlation"], n, PLAIN)),
        ("accuracy where lengths differ by at most 10%", estimate(one["length_matched"])),
        ("people prefer the longer response", estimate(one["longer_wins"])),
    ]


def _bare(value: float | None, n: int, unit: Unit) -> Estimate:
    return Estimate(value, None, None, n, ORIGIN, unit)


def slices(one: dict[str, Any]) -> list[tuple[str, IntervalChart]]:
    """Accuracy by what might explain it; what has one value only explains nothing."""
    named = {
        "By length: the preferred response is so much longer": [
            (_share(row), row) for row in one["by_length_difference"]
        ],
        "By margin of the scores, nats": [(_span(row), row) for row in one["by_margin"]],
        "By mean score of the two, nats": [(_span(row), row) for row in one["by_score"]],
        "By turn of the conversation": [(f"turn {row['turn']}", row) for row in one["by_turn"]],
        "By strength of the preference": [
            (STRENGTHS.get(row["strength"], "not said"), row) for row in one["by_strength"]
        ],
        "By kind of prompt": [(row["kind"] or "not said", row) for row in one["by_kind"]],
    }
    charts = []
    for title, rows in named.items():
        if len(rows) >= LEAST_OF:
            drawn = [Row(label, estimate(row)) for label, row in rows]
            axis = fitted_rate_axis(value for row in drawn for value in row.ends)
            chart = interval_chart(drawn, axis, heading="right", references=EVEN_LINE)
            charts.append((title, chart))
    return charts


def _span(row: dict[str, Any]) -> str:
    if row["to"] is None:
        return f"{significant(row['from'])} and more"
    return f"{significant(row['from'])} to {significant(row['to'])}"


def _share(row: dict[str, Any]) -> str:
    whole = Unit(decimals=0, scale=100, suffix="%", signed=True)
    return f"{show(row['from'], whole)} to {show(row['to'], whole)}"


def outlier_chart(found: dict[str, Any]) -> IntervalChart | None:
    """How well activations tell unusual prompts from usual ones."""
    rows = [
        Row(label, estimate(one[name], PLAIN), note=which, starts_group=name == "mahalanobis")
        for which, one in found.items()
        for name, label in DISTANCES.items()
        if one[name]
    ]
    if not rows:
        return None
    axis = axis_for((v for row in rows for v in row.ends), include=(0.5, 1.0))
    lines = [(0.5, "chance")]
    return interval_chart(rows, axis, heading="AUROC", references=lines)
