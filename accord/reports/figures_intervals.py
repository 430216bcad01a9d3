"""Interval charts: one row a number, its interval as a line, its value as a dot or a bar.

The chart is an HTML table whose middle column is drawn, so a screen reader reads the numbers
and a phone can set the drawing below its label.
"""

from dataclasses import dataclass

from accord.reports.axes import Axis, fitted_rate_axis
from accord.reports.estimates import Estimate
from accord.reports.read import Source

EVEN_LINE = [(0.5, "no difference")]
EDGE = 15  # percent; text beside a line this close to the frame would leave it


@dataclass(frozen=True)
class Reference:
    """A vertical line that all rows share, such as 50% or the labelers' ceiling."""

    at: float  #: percent from the left
    text: str

    @property
    def anchor(self) -> str:
        """Which end of the text stands at the line, so that it stays inside the page."""
        return "start" if self.at < EDGE else "end" if self.at > 100 - EDGE else "middle"


@dataclass(frozen=True)
class Row:
    """One number of an interval chart."""

    label: str
    estimate: Estimate
    tone: str = "tone-1"
    note: str = ""  #: a few words under the label
    flag: str = ""  #: a word that calls for attention, shown as a badge
    alarming: bool = False  #: the badge is red rather than amber
    starts_group: bool = False  #: a thin rule above the row

    @property
    def ends(self) -> tuple[float | None, float | None, float | None]:
        """Everything that an axis has to hold."""
        return self.estimate.value, self.estimate.low, self.estimate.high


@dataclass(frozen=True)
class DrawnRow:
    """A row with its places on the axis, in percent; None where there is nothing to draw."""

    row: Row
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class IntervalChart:
    """Rows on a common axis."""

    rows: tuple[DrawnRow, ...]
    axis: Axis
    references: tuple[Reference, ...]
    bars: bool  #: bars from the axis' low end; only for an axis that begins at zero
    heading: str  #: what the numbers are, above the last column


def interval_chart(
    rows: list[Row],
    axis: Axis,
    *,
    heading: str,
    references: list[tuple[float, str]] | None = None,
    bars: bool = False,
) -> IntervalChart:
    """Lay rows out on an axis.

    Raises:
        ValueError: bars are asked for on an axis that does not begin at zero, where their
            lengths would lie.
    """
    if bars and axis.low != 0:
        raise ValueError("bars need an axis that begins at zero")
    drawn = tuple(_drawn(row, axis) for row in rows)
    lines = tuple(Reference(axis.at(value), text) for value, text in references or [])
    return IntervalChart(drawn, axis, lines, bars, heading)


def _drawn(row: Row, axis: Axis) -> DrawnRow:
    estimate = row.estimate
    place = None if estimate.value is None else axis.at(estimate.value)
    if estimate.low is None or estimate.high is None:
        return DrawnRow(row, place, None, None)
    return DrawnRow(row, place, axis.at(estimate.low), axis.at(estimate.high))


def even_chart(rows: list[Row], heading: str) -> IntervalChart:
    """Win rates with the line of no difference, on an axis no wider than they are."""
    axis = fitted_rate_axis(v for row in rows for v in row.ends)
    return interval_chart(rows, axis, heading=heading, references=EVEN_LINE)


@dataclass(frozen=True)
class Figure:
    """A chart with its caption and the file that its numbers come from."""

    title: str
    chart: IntervalChart
    caption: str
    source: Source
