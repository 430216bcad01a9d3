"""Line and scatter charts in percent of their frame, with direct labels and tooltips."""

from dataclasses import dataclass

from accord.reports.axes import Axis, axis_for, thinned
from accord.reports.estimates import significant

MOST_POINTS = 160  # of one line; more cannot be told apart and make the page heavy
MOST_DOTS = 40  # beyond this a line alone is drawn


@dataclass(frozen=True)
class Point:
    """One observation."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    size: float = 3.0  #: radius in pixels
    title: str = ""  #: tooltip


@dataclass(frozen=True)
class Series:
    """Observations that belong together."""

    label: str
    tone: str
    points: tuple[Point, ...]
    line: bool = True
    dots: bool = True


@dataclass(frozen=True)
class DrawnPoint:
    """A point's place in percent of the frame, from the left and from the top."""

    x: float
    y: float
    low: float | None
    high: float | None
    size: float
    title: str


@dataclass(frozen=True)
class DrawnSeries:
    """A series with its line as an SVG path in a 100 by 100 frame."""

    series: Series
    path: str
    points: tuple[DrawnPoint, ...]


@dataclass(frozen=True)
class CurveChart:
    """A chart with two axes."""

    title: str
    x_label: str
    y_label: str
    x: Axis
    y: Axis
    series: tuple[DrawnSeries, ...]
    diagonal: bool  #: the line on which both axes are equal
    summary: str  #: what a person who cannot see it should know


def curve_chart(
    series: list[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    x: Axis | None = None,
    y: Axis | None = None,
    diagonal: bool = False,
) -> CurveChart:
    """Lay series out in a frame; axes that are not given hold all the data."""
    points = [point for one in series for point in one.points]
    x = x or axis_for([point.x for point in points])
    y = y or axis_for([v for p in points for v in (p.y, p.low, p.high)])
    drawn = tuple(_drawn(one, x, y) for one in series if one.points)
    return CurveChart(title, x_label, y_label, x, y, drawn, diagonal, _summary(title, series))


def line(label: str, tone: str, values: list[tuple[float, float]], *, dots: bool = False) -> Series:
    """A series out of (x, y) pairs, thinned to what can be seen."""
    few = thinned(values, MOST_POINTS)
    points = tuple(Point(x, y, title=f"{significant(x)}: {significant(y)}") for x, y in few)
    return Series(label, tone, points, dots=dots and len(points) <= MOST_DOTS)


def _drawn(series: Series, x: Axis, y: Axis) -> DrawnSeries:
    points = tuple(
        DrawnPoint(
            x.at(point.x),
            y.up(point.y),
            None if point.low is None else y.up(point.low),
            None if point.high is None else y.up(point.high),
            point.size,
            point.title,
        )
        for point in series.points
    )
    steps = [f"{'L' if i else 'M'}{point.x:g} {point.y:g}" for i, point in enumerate(points)]
    return DrawnSeries(series, "".join(steps) if series.line else "", points)


def _summary(title: str, series: list[Series]) -> str:
    parts = []
    for one in series:
        if one.points:
            first, last = one.points[0], one.points[-1]
            parts.append(f"{one.label} from {significant(first.y)} to {significant(last.y)}")
    return f"{title}: {'; '.join(parts)}" if parts else f"{title}: no data"
