"""Axes: round tick values, and where a value lies between the ends, in percent.

Figures are drawn in percent of their frame, so that they are as wide as the page allows while
their text keeps its size, on a desk and on a phone.
"""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from accord.reports.estimates import Unit, show, significant

NEARLY = 1e-9  # values closer than this, relative to their size, are drawn as one
TINIEST = 1e-100  # a difference this small is none
MOST_DIGITS = 12  # of a label
BLUR = 1e-3  # of a step: a label may be that far from its value
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)  # people read these steps without thinking


@dataclass(frozen=True)
class Tick:
    """One labelled value of an axis."""

    at: float  #: percent from the axis' low end
    text: str


@dataclass(frozen=True)
class Axis:
    """A linear axis."""

    low: float
    high: float
    ticks: tuple[Tick, ...]

    def at(self, value: float) -> float:
        """Percent from the low end; values outside stop at the frame."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 2)

    def up(self, value: float) -> float:
        """Percent from the top, for vertical axes: SVG counts downwards."""
        return round(100 - self.at(value), 2)


def rate_axis(*, low: float = 0.0, high: float = 1.0, step: float = 0.25) -> Axis:
    """An axis of rates, written in percent."""
    number = round((high - low) / step)
    values = [low + i * step for i in range(number + 1)]
    percent = Unit(decimals=0, scale=100, suffix="%")
    return _axis(low, high, [(value, show(value, percent)) for value in values])


def fitted_rate_axis(values: Iterable[float | None], *, include: float = 0.5) -> Axis:
    """An axis of rates that is no wider than the data; for dots, never for bars."""
    percent = Unit(decimals=0, scale=100, suffix="%")
    known = [min(1.0, max(0.0, value)) for value in values if value is not None]
    return axis_for(known, include=(include,), unit=percent)


def axis_for(
    values: Iterable[float | None],
    *,
    include: tuple[float, ...] = (),
    ticks: int = 4,
    unit: Unit | None = None,
    snug: bool = False,
) -> Axis:
    """An axis that holds all the values, with about ``ticks`` round labels.

    Args:
        values: what has to be held; unknown values are skipped.
        include: further values that have to be on the axis.
        ticks: how many labels are wanted.
        unit: how the labels are written; with three significant digits if not given. Where
            neighbours differ by less than that shows, more digits are written.
        snug: end where the data end, rather than at the next label.

    >>> [tick.text for tick in axis_for([1.2, 9.1], include=(0,)).ticks]
    ['0', '2.5', '5', '7.5', '10']
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    known += list(include)
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if high - low <= max(NEARLY * max(abs(low), abs(high)), TINIEST):
        half = max(abs(low), abs(high)) / 2
        half = half if half > TINIEST else 0.5
        low, high = low - half, high + half
    step = _step((high - low) / ticks)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    marks = [float(f"{i * step:.12g}") for i in range(first, last + 1)]
    first_mark, last_mark = (low, high) if snug else (marks[0], marks[-1])
    inside = [mark for mark in marks if first_mark <= mark <= last_mark]
    return _axis(first_mark, last_mark, list(zip(inside, _labels(inside, unit), strict=True)))


def _labels(marks: list[float], unit: Unit | None) -> list[str]:
    """The marks in writing, with as many digits as it takes to tell them apart evenly.

    >>> _labels([0.7025, 0.705], None), _labels([0.5, 0.525], Unit(0, 100, "%"))
    (['0.7025', '0.705'], ['50.0%', '52.5%'])
    """
    slack = BLUR * min((b - a for a, b in itertools.pairwise(marks)), default=math.inf)
    if unit is None:
        found = (d for d in range(3, MOST_DIGITS) if _off(marks, f".{d - 1}e") <= slack)
        digits = next(found, MOST_DIGITS)
        return [significant(mark, digits) for mark in marks]
    scaled = [mark * unit.scale for mark in marks]
    few = range(unit.decimals, MOST_DIGITS)
    decimals = next((d for d in few if _off(scaled, f".{d}f") <= slack * unit.scale), MOST_DIGITS)
    return [show(mark, replace(unit, decimals=decimals)) for mark in marks]


def _off(values: list[float], written: str) -> float:
    """How far the worst of the values is from what is written of it."""
    return max((abs(float(format(value, written)) - value) for value in values), default=0.0)


def _step(rough: float) -> float:
    magnitude = 10.0 ** math.floor(math.log10(rough))
    return next(s * magnitude for s in STEPS if s * magnitude >= rough * (1 - 1e-9))


def _axis(low: float, high: float, marks: list[tuple[float, str]]) -> Axis:
    bare = Axis(low, high, ())
    return Axis(low, high, tuple(Tick(bare.at(value), text) for value, text in marks))


def thinned(points: list[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most ``most`` points: the mean of each run of neighbours, the last point kept as it is.

    >>> thinned([(0, 1.0), (1, 3.0), (2, 5.0), (3, 7.0), (4, 9.0)], 3)
    [(0.5, 2.0), (2.5, 6.0), (4, 9.0)]
    """
    if len(points) <= most:
        return points
    body, last = points[:-1], points[-1]
    width = math.ceil(len(body) / (most - 1))
    groups = [body[i : i + width] for i in range(0, len(body), width)]
    return [(_mean(x for x, _ in group), _mean(y for _, y in group)) for group in groups] + [last]


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return sum(known) / len(known)
