"""A number as the report prints it: value, interval, how many observations, and its file.

No number leaves this package without the four. Where an artifact does not give an interval or a
count, the report says so instead of staying silent.
"""

from dataclasses import dataclass

from accord.reports.read import Source
from accord.reports.schemas import Rate

NBSP = "\u00a0"
SPACE = "\u202f"  # narrow no-break space, between thousands and before units
MINUS = "\u2212"
MISSING = "–"

MINUTE, HOUR = 60, 3600  # seconds
TINY, BIG, HUGE = 1e-3, 1e3, 1e6  # outside of these, plain digits are hard to read


@dataclass(frozen=True)
class Unit:
    """How a kind of number is written."""

    decimals: int = 2
    scale: float = 1.0
    suffix: str = ""
    signed: bool = False


PERCENT = Unit(decimals=1, scale=100, suffix="%")
POINTS = Unit(decimals=0)
POINT_GAP = Unit(decimals=0, signed=True)
PLAIN = Unit(decimals=2)
SECONDS = Unit(decimals=1, suffix=f"{SPACE}s")


@dataclass(frozen=True)
class Estimate:
    """A number with what makes it trustworthy."""

    value: float | None
    low: float | None
    high: float | None
    n: int | None
    source: Source
    unit: Unit = PLAIN

    @property
    def known(self) -> bool:
        """True when there is a number at all."""
        return self.value is not None

    @property
    def has_interval(self) -> bool:
        """True when both ends of the interval are known."""
        return self.low is not None and self.high is not None

    @property
    def text(self) -> str:
        """The value alone, such as ``76.3%``."""
        return show(self.value, self.unit)

    @property
    def interval(self) -> str:
        """The interval alone, such as ``72.1–79.9%``; says when there is none."""
        if self.low is None or self.high is None:
            return "no interval"
        low = show(self.low, self.unit).removesuffix(self.unit.suffix)
        signed = self.low < 0 or self.unit.signed  # a dash beside a minus sign misleads
        return f"{low}{' to ' if signed else '–'}{show(self.high, self.unit)}"

    @property
    def n_text(self) -> str:
        """The number of observations, such as ``n = 480``; says when it is not known."""
        return "n unknown" if self.n is None else f"n{NBSP}={NBSP}{count(self.n)}"

    @property
    def sentence(self) -> str:
        """Everything but the link, in words, for a screen reader or a tooltip."""
        return f"{self.text} (interval {self.interval}, {self.n_text})"

    def verdict(self, null: float) -> str:
        """Where the interval lies: ``above`` or ``below`` the null, ``includes`` or ``unknown``."""
        if self.value is None or self.low is None or self.high is None:
            return "unknown"
        if self.low > null:
            return "above"
        return "below" if self.high < null else "includes"


def of_rate(rate: Rate | None, source: Source, unit: Unit = PERCENT) -> Estimate:
    """An estimate from a rate or mean as artifacts write it."""
    if rate is None:
        return Estimate(None, None, None, None, source, unit)
    return Estimate(rate.value, rate.low, rate.high, rate.n, source, unit)


def show(value: float | None, unit: Unit = PLAIN) -> str:
    """Write one number.

    >>> show(0.7634, PERCENT), show(-12.3, POINT_GAP), show(None)
    ('76.3%', '−12', '–')
    """
    if value is None:
        return MISSING
    number = round(value * unit.scale, unit.decimals) + 0.0  # + 0.0 turns -0.0 into 0.0
    sign = MINUS if number < 0 else "+" if unit.signed and number > 0 else ""
    digits = f"{abs(number):,.{unit.decimals}f}".replace(",", SPACE)
    return f"{sign}{digits}{unit.suffix}"


def count(number: float | None) -> str:
    """A whole number with its thousands apart.

    >>> count(12480).replace(SPACE, "_")
    '12_480'
    """
    return MISSING if number is None else f"{number:,.0f}".replace(",", SPACE)


def duration(seconds: float | None) -> str:
    """Seconds for people.

    >>> duration(4.2).replace(SPACE, " "), duration(75).replace(SPACE, " ")
    ('4.2 s', '1 min 15 s')
    """
    if seconds is None:
        return MISSING
    if seconds < MINUTE:
        return f"{seconds:.1f}{SPACE}s"
    minutes, rest = divmod(round(seconds), MINUTE)
    if seconds >= HOUR:
        return f"{minutes // MINUTE}{SPACE}h {minutes % MINUTE}{SPACE}min"
    return f"{minutes}{SPACE}min {rest}{SPACE}s"


def significant(value: float | None, digits: int = 3) -> str:
    """A number of unknown size with so many significant digits, for axes and metrics.

    >>> significant(0.012345), significant(3125.0).replace(SPACE, "_"), significant(2e-6)
    ('0.0123', '3_125', '2e−6')
    """
    if value is None:
        return MISSING
    size = abs(value)
    if size and (size < TINY or size >= HUGE):
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
        return f"{mantissa}e{int(exponent)}".replace("-", MINUS)
    if size >= BIG:
        decimals = max(0, digits - len(str(int(size))))
        return f"{value:,.{decimals}f}".replace(",", SPACE).replace("-", MINUS)
    return f"{value:.{digits}g}".replace("-", MINUS)
