"""Sections of the page about a file of votes: ratings, win rates, what was controlled, labelers.

They are made from what ``accord rate --json`` prints, so that the page never says anything else.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from accord.reports.axes import axis_for, fitted_rate_axis
from accord.reports.estimates import PERCENT, PLAIN, POINT_GAP, Estimate, Unit, count, show
from accord.reports.figures_intervals import IntervalChart, Row, interval_chart
from accord.reports.read import Source

MOST_DRAWN = 60  # models in a chart
MOST_GROUPS = 8  # groups that are drawn, the largest
MOST_GAPS = 20
MOST_MATRIX = 30  # models in the matrix
MOST_LABELERS = 40
SHADES = 8  # of a cell of the matrix, in each direction
CARELESS = 0.9  # as `accord rate` warns
EVEN = 0.5
WHOLE = Unit(decimals=0, scale=100, suffix="%")


@dataclass(frozen=True)
class Below(Source):
    """The section of the page that says where its numbers come from."""

    @property
    def href(self) -> str:
        """Within the page."""
        return f"#{self.path}"


ORIGIN = Below("origin")


@dataclass(frozen=True)
class GroupChart:
    """Ratings of models that votes connect."""

    title: str
    ratings: IntervalChart
    gaps: IntervalChart | None
    more: int  #: models that are not drawn
    more_gaps: int


@dataclass(frozen=True)
class Cell:
    """Row against column."""

    fitted: str
    observed: str
    n: str
    shade: str  #: class of its colour: ``w`` or ``l`` and how far from ½
    title: str


@dataclass(frozen=True)
class Matrix:
    """Every two models; columns are numbered as rows are."""

    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    more: int


@dataclass(frozen=True)
class LabelerLine:
    """One labeler's habits in words and numbers."""

    name: str
    votes: str
    ties: str
    first: Estimate | None
    discrimination: Estimate | None
    careless: str
    is_careless: bool


@dataclass(frozen=True)
class Labelers:
    """The people behind the votes."""

    agreement: IntervalChart | None
    lines: tuple[LabelerLine, ...]
    more: int
    modelled: bool


def rated(found: dict[str, Any]) -> int:
    """Votes that say which is better."""
    return int(found["n_votes"]) - int(found.get("n_both_bad") or 0)


def group_charts(found: dict[str, Any]) -> list[GroupChart]:
    """A forest plot of each group, the best first, and the gaps between neighbours."""
    needed = {(row["a"], row["b"]): row["more_votes"] for row in found["to_separate"]}
    charts = []
    largest = sorted(enumerate(found["groups"]), key=lambda pair: -len(pair[1]))[:MOST_GROUPS]
    for number, group in sorted(largest):
        rows = [row for row in found["ratings"] if row["group"] == number]
        drawn = rows[:MOST_DRAWN]
        lines = [_rating_row(row) for row in drawn]
        axis = axis_for([v for line in lines for v in line.ends], unit=POINT_GAP)
        title = "Ratings"
        if len(found["groups"]) > 1:
            title = f"Group {number + 1} of {len(found['groups'])}"
        ratings = interval_chart(lines, axis, heading="Elo points")
        gaps = _gaps(found, rows[: MOST_GAPS + 1], needed)
        more, more_gaps = len(group) - len(drawn), max(0, len(group) - 1 - MOST_GAPS)
        charts.append(GroupChart(title, ratings, gaps, more, more_gaps))
    return charts


def _rating_row(row: dict[str, Any]) -> Row:
    first, last = row["rank_low"], row["rank_high"]
    rank = f"rank {first}" if first == last else f"rank {first} to {last}"
    best = f", best {show(row['p_best'], PERCENT)}" if 0 < (row["p_best"] or 0) < 1 else ""
    value = _estimate(row, "rating", row["votes"], POINT_GAP)
    return Row(row["name"], value, "tone-1", note=rank + best)


def _gaps(
    found: dict[str, Any], rows: Sequence[dict[str, Any]], needed: dict[Any, Any]
) -> IntervalChart | None:
    known = {(row["a"], row["b"]): (row, 1) for row in found["differences"]}
    known |= {(row["b"], row["a"]): (row, -1) for row in found["differences"]}
    lines = []
    for one, other in itertools.pairwise(rows):
        pair = (one["name"], other["name"])
        if pair not in known:
            continue
        row, sign = known[pair]
        low, high = sorted(sign * row[end] for end in ("low", "high"))
        wins = row["p_a_beats_b"] if sign > 0 else 1 - row["p_a_beats_b"]
        is_open = low <= 0
        note = f"preferred in {show(wins, WHOLE)}"
        if is_open and needed.get(pair) is not None:
            note += f"; some {_two_digits(needed[pair])} more votes would tell"
        value = Estimate(sign * row["difference"], low, high, rated(found), ORIGIN, POINT_GAP)
        lines.append(
            Row(
                f"{pair[0]} over {pair[1]}",
                value,
                "tone-0" if is_open else "tone-2",
                note=note,
                flag="open" if is_open else "",
            )
        )
    if not lines:
        return None
    axis = axis_for([v for line in lines for v in line.ends], include=(0.0,), unit=POINT_GAP)
    return interval_chart(lines, axis, heading="Elo points", references=[(0.0, "no difference")])


def matrix(found: dict[str, Any]) -> Matrix | None:
    """Fitted and observed win rates of every two models, in the order of their ratings."""
    given = found["win_matrix"]
    place = {name: i for i, name in enumerate(given["names"])}
    order = [row["name"] for row in found["ratings"] if row["name"] in place][:MOST_MATRIX]
    if len(order) < 2:  # noqa: PLR2004 - a pair
        return None
    rows = []
    for name in order:
        cells = [_cell(given, place[name], place[other]) for other in order]
        rows.append((name, tuple(cells)))
    return Matrix(tuple(rows), len(found["ratings"]) - len(order))


def _cell(given: dict[str, Any], i: int, j: int) -> Cell:
    fitted, observed, n = (given[key][i][j] for key in ("fitted", "observed", "n"))
    if i == j:
        return Cell("", "", "", "", "")
    names = given["names"]
    if fitted is None:
        return Cell("–", "", "", "", f"{names[i]} and {names[j]} cannot be compared")
    step = round(SHADES * abs(2 * fitted - 1))
    shade = "" if step == 0 else f"{'w' if fitted > EVEN else 'l'}{step}"
    seen = "never compared" if observed is None else f"observed {show(observed, PERCENT)}"
    bare = Unit(decimals=0, scale=100)
    return Cell(
        show(fitted, bare),
        show(observed, bare),
        count(n) if n else "",
        shade,
        f"{names[i]} over {names[j]}: fitted {show(fitted, PERCENT)}, {seen}, n = {count(n)}",
    )


def covariate_chart(found: dict[str, Any]) -> IntervalChart | None:
    """What was controlled for, in points."""
    meanings = {
        "side": "gained by being shown first",
        "length": "gained by a response e = 2.7 times as long",
    }
    rows = [
        Row(
            row["name"],
            Estimate(row["points"], row["low"], row["high"], rated(found), ORIGIN, POINT_GAP),
            "tone-3",
            note=meanings.get(row["name"], "for a difference of 1"),
        )
        for row in found["covariates"]
    ]
    if not rows:
        return None
    axis = axis_for([v for row in rows for v in row.ends], include=(0.0,), unit=POINT_GAP)
    return interval_chart(rows, axis, heading="Elo points", references=[(0.0, "no effect")])


def both_bad_rows(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Model, share of its votes in which neither response was good, and of how many."""
    rows = [row for row in found["ratings"] if row["both_bad"]]
    return [
        (row["name"], show(row["both_bad_rate"], PERCENT), count(row["votes"] + row["both_bad"]))
        for row in sorted(rows, key=lambda row: -row["both_bad_rate"])[:MOST_DRAWN]
    ]


def agreement_chart(found: dict[str, Any] | None) -> IntervalChart | None:
    """Raw agreement and the same beyond chance, on one axis from chance to perfect."""
    if found is None:
        return None
    names = {
        "raw": ("Raw", "raw", "share of pairs of votes that say the same"),
        "krippendorff_alpha": ("Krippendorff’s alpha", "alpha", "beyond chance"),
        "ordinal_alpha": ("Ordinal alpha", "ordinal_alpha", "of strengths; near misses count less"),
        "fleiss_kappa": ("Fleiss’ kappa", "", "beyond chance; no interval"),
        "cohen_kappa": ("Cohen’s kappa", "", "of the two labelers; no interval"),
        "tau_x": ("τₓ of rankings", "tau_x", "mean correlation of two rankings"),
        "ranking_alpha": ("Alpha of rankings", "ranking_alpha", "the same beyond chance"),
        "self": ("With oneself", "self", "repeated comparisons answered the same"),
        "ceiling": ("Ceiling", "ceiling", "best accuracy on single decided votes; bounds"),
    }
    rows = []
    for key, (label, ends, note) in names.items():
        if found.get(key) is None:
            continue
        low, high = found.get(f"{ends}_low"), found.get(f"{ends}_high")
        n = found.get("decided_pairs" if key == "ceiling" else f"{ends}_n")
        value = Estimate(found[key], low, high, n, ORIGIN, PLAIN)
        tone = "tone-ceiling" if key == "ceiling" else "tone-1"
        rows.append(Row(label, value, tone, note=note, starts_group=key == "ceiling"))
    axis = axis_for([v for row in rows for v in row.ends], include=(0.0, 1.0), unit=PLAIN)
    return interval_chart(
        rows, axis, heading="agreement", references=[(0.0, "alpha, kappa: chance")]
    )


def labelers(rows: Sequence[dict[str, Any]]) -> Labelers | None:
    """Who voted, those who seem careless first, then those with the most votes."""
    if not rows:
        return None
    ordered = sorted(rows, key=lambda row: (row.get("careless", 0.0) <= CARELESS, -row["n"]))
    chosen = ordered[:MOST_LABELERS]
    known = [row for row in chosen if row["agreement"] is not None]
    by_agreement = sorted(known, key=lambda row: (-row["agreement"], row["labeler"]))
    lines = [
        Row(
            row["labeler"],
            _estimate(row, "agreement", row["compared"], PERCENT),
            "tone-alarm" if row.get("careless", 0.0) > CARELESS else "tone-1",
            flag="careless" if row.get("careless", 0.0) > CARELESS else "",
            alarming=True,
        )
        for row in by_agreement
    ]
    chart = None
    if lines:
        axis = fitted_rate_axis(v for line in lines for v in line.ends)
        chart = interval_chart(lines, axis, heading="agreement")
    return Labelers(
        chart,
        tuple(_line(row) for row in chosen),
        len(rows) - len(chosen),
        any("careless" in row for row in rows),
    )


def _line(row: dict[str, Any]) -> LabelerLine:
    first = row["first_place_rate"]
    ends = (row["first_place_low"], row["first_place_high"])
    slope = row.get("discrimination")
    slope_ends = (row.get("discrimination_low"), row.get("discrimination_high"))
    careless = row.get("careless")
    return LabelerLine(
        row["labeler"],
        count(row["n"]),
        show(row["tie_rate"], PERCENT),
        None if first is None else Estimate(first, *ends, None, ORIGIN, PERCENT),
        None if slope is None else Estimate(slope, *slope_ends, None, ORIGIN, PLAIN),
        "–" if careless is None else show(careless, WHOLE),
        (careless or 0.0) > CARELESS,
    )


def _estimate(row: dict[str, Any], key: str, n: float, unit: Unit) -> Estimate:
    return Estimate(row[key], row["low"], row["high"], round(n), ORIGIN, unit)


def _two_digits(votes: float) -> str:
    return count(float(f"{votes:.2g}"))
