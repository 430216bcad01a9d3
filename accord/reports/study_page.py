"""One self-contained page about a study of preference models: curves, gains, and a verdict.

Made from ``study.json``, so that the page never says anything else.
"""

import math
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from markupsafe import Markup

from accord.reports.axes import Axis, Tick, axis_for, fitted_rate_axis
from accord.reports.estimates import PERCENT, Estimate, Unit, count
from accord.reports.figures_curves import CurveChart, Point, Series, curve_chart
from accord.reports.figures_intervals import IntervalChart, Row, interval_chart
from accord.reports.html import content_security_policy, environment, write_page
from accord.reports.votes_sections import ORIGIN

TONES = ("tone-0", "tone-1", "tone-2")  # of the arms, the baseline first
GAIN = Unit(decimals=1, scale=100, suffix="%", signed=True)
ROOM = 0.06  # of the axis, on either side: intervals of neighbours must not be drawn on the frame
SHIFT = 0.012  # of the axis, so that intervals of one size stand side by side


@dataclass(frozen=True)
class Study:
    """What a study is called, and what it says of its arms.

    Attributes:
        command: that runs it.
        kicker: above the headline.
        labels: of the arms, the baseline first.
        subject: of the headline's sentence.
        adds: heading of the gains.
        over: what the gains are over.
    """

    command: str
    kicker: str
    labels: dict[str, str]
    subject: str
    adds: str
    over: str

    @property
    def baseline(self) -> str:
        """The arm over which gains are counted."""
        return next(iter(self.labels))

    @property
    def others(self) -> list[str]:
        """The arms that have gains."""
        return list(self.labels)[1:]


PMP = Study(
    command="accord study pmp",
    kicker="Study of preference pretraining",
    labels={"none": "no pretraining", "ranked": "ranked pairs", "binary": "binarised pairs"},
    subject="Preference pretraining",
    adds="What pretraining adds",
    over="without pretraining",
)
OBJECTIVES = Study(
    command="accord study objectives",
    kicker="Study of what learns from comparisons",
    labels={
        "imitation": "imitation",
        "binary": "good or bad",
        "ranked": "ranked preferences",
    },
    subject="To compare responses",
    adds="What it adds to imitation",
    over="of imitation",
)


@dataclass(frozen=True)
class StudyPage:
    """Everything that the template prints."""

    study: Study
    headline: str
    confidence: str
    keys: list[tuple[str, str]]
    legend: list[tuple[str, str]]
    curve: CurveChart
    gains: IntervalChart


def write_study(path: Path, study: Study, found: dict[str, Any]) -> Path:
    """Draw a study.

    Args:
        path: of the page.
        study: which one.
        found: what ``study.json`` holds.

    Raises:
        InputError: the page cannot be written there.
    """
    votes = max(row["accuracy"]["n"] for row in found["arms"][study.baseline]) // found["seeds"]
    labels = study.labels.values()
    page = StudyPage(
        study=study,
        headline=_headline(study, found),
        confidence=f"{100 * found['confidence']:g}%",
        keys=[
            ("seeds", count(found["seeds"])),
            ("held-out votes", count(votes)),
            ("comparisons at most", count(max(found["sizes"]))),
        ],
        legend=list(zip(TONES, labels, strict=True)),
        curve=_curve(study, found),
        gains=_gains(study, found),
    )
    templates = resources.files("accord.reports") / "templates"
    css = "".join((templates / name).read_text("utf-8") for name in ("style.css", "votes.css"))
    template = environment().get_template("study.html")
    text = template.render(page=page, css=Markup(css), policy=content_security_policy(css))
    return write_page(path, text)


def _headline(study: Study, found: dict[str, Any]) -> str:
    """Where an arm is shown to be better or worse than the baseline, and no more than that."""
    said = []
    for arm in study.others:
        for verdict, verb in (("above", "helps"), ("below", "harms")):
            sizes = sorted(
                row["size"]
                for row in found["arms"][arm]
                if _estimate(row["gain"]).verdict(0.0) == verdict
            )
            if sizes:
                shown = ", ".join(count(size) for size in sizes)
                said.append(
                    f"{study.subject} ({study.labels[arm]}) {verb} with {shown} comparisons"
                )
    return "; ".join(said) or f"{study.subject} is not shown to help"


def _estimate(raw: dict[str, Any]) -> Estimate:
    return Estimate(raw["value"], raw["low"], raw["high"], raw["n"], ORIGIN, GAIN)


def _curve(study: Study, found: dict[str, Any]) -> CurveChart:
    sizes = found["sizes"]
    low, high = math.log10(min(sizes)), math.log10(max(sizes))
    width = max(high - low, 1e-6)
    low, high = low - ROOM * width, high + ROOM * width
    bare = Axis(low, high, ())
    x = Axis(low, high, tuple(Tick(bare.at(math.log10(n)), count(n)) for n in sizes))
    series = []
    for number, (arm, label) in enumerate(study.labels.items()):
        points = tuple(
            Point(
                math.log10(row["size"]) + (number - 1) * SHIFT * width,
                row["accuracy"]["value"],
                row["accuracy"]["low"],
                row["accuracy"]["high"],
                size=4.0,
                title=f"{label}, {count(row['size'])}: {100 * row['accuracy']['value']:.1f}%",
            )
            for row in found["arms"][arm]
        )
        series.append(Series(label, TONES[number], points))
    ends = [v for one in series for p in one.points for v in (p.y, p.low, p.high)]
    return curve_chart(
        series,
        title="Held-out accuracy",
        x_label="training comparisons",
        y_label="held-out accuracy",
        x=x,
        y=fitted_rate_axis(ends),
    )


def _gains(study: Study, found: dict[str, Any]) -> IntervalChart:
    rows: list[Row] = []
    for arm, tone in zip(study.others, TONES[1:], strict=True):
        label = study.labels[arm]
        for place, row in enumerate(found["arms"][arm]):
            text = f"{count(row['size'])} comparisons"
            gain, narrow = _estimate(row["gain"]), _estimate(row["gain_of_these_seeds"])
            first = place == 0 and bool(rows)
            note = f"{label}; these seeds only: {narrow.interval}"
            rows.append(Row(text, gain, tone=tone, note=note, starts_group=first))
    axis = axis_for((v for row in rows for v in row.ends), include=(0.0,), unit=PERCENT)
    return interval_chart(rows, axis, heading="gain", references=[(0.0, "no gain")])
