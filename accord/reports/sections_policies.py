"""Sections about the policies: ratings, win rates, helpful / honest / harmless, kinds of prompt."""

from dataclasses import dataclass

from accord.reports.axes import axis_for, rate_axis
from accord.reports.claims import EVEN, decided, find_gap, half_ties
from accord.reports.estimates import (
    PERCENT,
    PLAIN,
    POINTS,
    Estimate,
    Unit,
    count,
    of_rate,
    show,
)
from accord.reports.facts import Facts
from accord.reports.figures_intervals import IntervalChart, Row, interval_chart
from accord.reports.read import Source
from accord.reports.schemas import PolicyScore, Rating, WinMatrix

CRITERIA = {
    "helpful": "Helpful",
    "honest": "Honest",
    "harmless": "Harmless",
    "hhh": "All three at once",
    "garbled": "Garbled (less is better)",
}
EVEN_LINE = [(EVEN, "50%")]


@dataclass(frozen=True)
class Figure:
    """A chart with its caption and the file that its numbers come from."""

    title: str
    chart: IntervalChart
    caption: str
    source: Source


@dataclass(frozen=True)
class MatrixCell:
    """How often the row's policy was preferred to the column's."""

    text: str
    n: str


@dataclass(frozen=True)
class Matrix:
    """The votes between every two policies."""

    labels: tuple[str, ...]
    rows: tuple[tuple[str, tuple[MatrixCell, ...]], ...]
    source: Source


@dataclass(frozen=True)
class RatingsSection:
    """What labelers thought."""

    ratings: Figure
    gaps: Figure | None
    matrix: Matrix | None
    votes: str
    sequential: tuple[tuple[str, str], ...]
    source: Source


def ratings_section(facts: Facts) -> RatingsSection | None:
    """Ratings with intervals, the gaps between neighbours, the table of votes behind them."""
    found = facts.last_ratings
    if found is None or not found.value.ratings:
        return None
    order = facts.policies.order
    rated = sorted(found.value.ratings, key=lambda rating: order(rating.name))
    rows = [_rating_row(facts, rating, found.source) for rating in rated]
    bounds = [v for row in rows for v in _ends(row.estimate)]
    chart = interval_chart(rows, axis_for(bounds, unit=POINTS), heading="Elo points")
    elo = sorted(found.value.elo.items(), key=lambda item: order(item[0]))
    return RatingsSection(
        ratings=Figure(
            "Ratings by the labelers’ votes",
            chart,
            "Bradley-Terry fit to all votes, on the Elo scale: 400 points are odds of 10 to 1. "
            "Only differences mean something; the zero is the average policy.",
            found.source,
        ),
        gaps=_gaps(facts, [rating.name for rating in rated]),
        matrix=_matrix(facts, found.value.win_matrix, found.source),
        votes=count(found.value.n_votes),
        sequential=tuple((facts.policies[name].label, show(v, POINTS)) for name, v in elo),
        source=found.source,
    )


def _rating_row(facts: Facts, rating: Rating, source: Source) -> Row:
    policy = facts.policies[rating.name]
    estimate = Estimate(rating.rating, rating.low, rating.high, rating.votes, source, POINTS)
    first, last = rating.rank_low, rating.rank_high
    rank = ""
    if first is not None and last is not None:
        rank = f"rank {first}" if first == last else f"rank {first} to {last}"
    return Row(policy.label, estimate, policy.tone, note=rank)


def _gaps(facts: Facts, names: list[str]) -> Figure | None:
    """Each policy against the one before it, and the last against the baseline."""
    pairs = list(zip(names[1:], names, strict=False))
    if names and (names[-1], facts.baseline) not in pairs and names[-1] != facts.baseline:
        pairs.append((names[-1], facts.baseline))
    rows = []
    for new, old in pairs:
        gap = find_gap(facts, new, old)
        if gap is not None:
            label = f"{facts.policies[new].label} over {facts.policies[old].label}"
            rows.append(Row(label, gap, facts.policies[new].tone))
    if not rows:
        return None
    axis = axis_for([v for row in rows for v in _ends(row.estimate)], include=(0.0,), unit=POINTS)
    return Figure(
        "Gaps between policies",
        interval_chart(rows, axis, heading="Elo points", references=[(0.0, "no difference")]),
        "The interval of a gap is not that of either rating: read gains here. "
        "n counts all votes of the fit.",
        rows[0].estimate.source,
    )


def _matrix(facts: Facts, matrix: WinMatrix | None, source: Source) -> Matrix | None:
    if matrix is None or len(matrix.names) != len(matrix.observed):
        return None
    labels = tuple(facts.policies[name].label for name in matrix.names)
    rows = []
    for i, label in enumerate(labels):
        cells = []
        for j, value in enumerate(matrix.observed[i]):
            known = i < len(matrix.n) and j < len(matrix.n[i])
            n = matrix.n[i][j] if known else None
            cells.append(MatrixCell("" if i == j else show(value, PERCENT), count(n) if n else ""))
        rows.append((label, tuple(cells)))
    return Matrix(labels, tuple(rows), source)


def win_figures(facts: Facts) -> list[Figure]:
    """Win rates against the baseline: decided comparisons, and ties as half a win."""
    if facts.scores is None:
        return []
    source = facts.scores.source
    rows: dict[str, list[Row]] = {"decided": [], "ties": []}
    for greedy in (False, True):
        for score in facts.scored(greedy=greedy):
            rate, policy = score.win_rate, facts.policies[score.policy]
            if rate is None or score.policy == (rate.against or facts.baseline):
                continue
            how = "greedy" if greedy else "temperature 1"
            tally = f"{count(rate.wins)} won, {count(rate.losses)} lost, {count(rate.ties)} tied"
            label = f"{policy.label}, {how}"
            rows["decided"].append(Row(label, decided(rate, source), policy.tone, note=tally))
            rows["ties"].append(Row(label, half_ties(rate, source), policy.tone))
    base = facts.policies[facts.baseline].label
    texts = {
        "decided": ("Wins among decided comparisons", f"Ties with {base} are left out."),
        "ties": ("Wins with a tie as half a win", "Ties pull this rate towards 50%."),
    }
    return [
        Figure(
            texts[key][0],
            interval_chart(
                found, rate_axis(), heading=f"against {base}", references=EVEN_LINE
            ),
            texts[key][1],
            source,
        )
        for key, found in rows.items()
        if found
    ]


def criteria_figures(facts: Facts) -> list[Figure]:
    """Helpful, honest, harmless and all three: one bar a policy, by the truth."""
    if facts.scores is None:
        return []
    source, found = facts.scores.source, []
    scored = facts.scored(greedy=False)
    for key, title in CRITERIA.items():
        rows = _truth_rows(facts, scored, key, PERCENT)
        if rows:
            chart = interval_chart(rows, rate_axis(), heading="of answers", bars=True)
            found.append(Figure(title, chart, "", source))
    utility = _truth_rows(facts, scored, "utility", PLAIN)
    if utility:
        axis = axis_for([v for row in utility for v in _ends(row.estimate)])
        chart = interval_chart(utility, axis, heading="mean utility")
        found.append(Figure("Utility", chart, "", source))
    return found


def _truth_rows(facts: Facts, scored: list[PolicyScore], key: str, unit: Unit) -> list[Row]:
    assert facts.scores is not None
    rows = []
    for score in scored:
        rate = (score.truth or {}).get(key)
        if rate is not None and rate.value is not None:
            policy = facts.policies[score.policy]
            rows.append(Row(policy.label, of_rate(rate, facts.scores.source, unit), policy.tone))
    return rows


@dataclass(frozen=True)
class KindCard:
    """One kind of prompt: every policy's good answers, and the rounds' wins."""

    kind: str
    good: IntervalChart | None
    wins: IntervalChart | None
    lost: bool


@dataclass(frozen=True)
class KindsSection:
    """By kind of prompt, losses included."""

    overview: Figure | None
    cards: tuple[KindCard, ...]
    source: Source


def kinds_section(facts: Facts) -> KindsSection | None:
    """The final policy by kind of prompt, the worst first, and every policy on each kind."""
    final = facts.final
    if facts.scores is None or final is None or not final.by_kind:
        return None
    source = facts.scores.source
    wins = {k: decided(v.win_rate, source) for k, v in final.by_kind.items() if v.win_rate}
    kinds = sorted(final.by_kind, key=lambda kind: _worst_first(kind, wins.get(kind)))
    base, label = facts.policies[facts.baseline].label, facts.policies[final.policy].label
    flags = {"below": "worse", "includes": "not shown", "above": "", "unknown": ""}
    rows = [
        Row(kind, wins[kind], facts.policies[final.policy].tone, flag=flags[wins[kind].verdict(EVEN)])
        for kind in kinds
        if kind in wins
    ]
    overview = Figure(
        f"{label} against {base}, by kind of prompt",
        interval_chart(rows, rate_axis(), heading="decided wins", references=EVEN_LINE),
        "Sorted from the worst. “Worse”: the whole interval lies below 50%; "
        "“not shown”: it includes 50%.",
        source,
    )
    cards = tuple(_card(facts, kind, wins.get(kind)) for kind in kinds)
    return KindsSection(overview if rows else None, cards, source)


def _worst_first(kind: str, rate: Estimate | None) -> tuple[float, str]:
    return (2.0 if rate is None or rate.value is None else rate.value, kind)


def _card(facts: Facts, kind: str, final_wins: Estimate | None) -> KindCard:
    assert facts.scores is not None
    source = facts.scores.source
    good, wins = [], []
    for score in facts.scored(greedy=False):
        one, policy = score.by_kind.get(kind), facts.policies[score.policy]
        if one is None:
            continue
        if one.hhh is not None and one.hhh.value is not None:
            good.append(Row(policy.label, of_rate(one.hhh, source), policy.tone))
        if one.win_rate is not None and policy.is_round:
            wins.append(Row(policy.label, decided(one.win_rate, source), policy.tone))
    return KindCard(
        kind,
        interval_chart(good, rate_axis(step=0.5), heading="good answers", bars=True)
        if good
        else None,
        interval_chart(wins, rate_axis(step=0.5), heading="decided wins", references=EVEN_LINE)
        if wins
        else None,
        final_wins is not None and final_wins.verdict(EVEN) == "below",
    )


@dataclass(frozen=True)
class SideEffect:
    """What else changed in one policy, sampled one way."""

    label: str
    tone: str
    how: str
    kl: Estimate
    score: Estimate
    length: Estimate
    finished: Estimate


def side_effects(facts: Facts) -> list[SideEffect]:
    """KL, score, length and endings of every policy."""
    if facts.scores is None:
        return []
    source = facts.scores.source
    return [
        SideEffect(
            facts.policies[score.policy].label,
            facts.policies[score.policy].tone,
            "greedy" if greedy else "T = 1",
            of_rate(score.kl, source, PLAIN),
            of_rate(score.score, source, PLAIN),
            of_rate(score.length, source, Unit(decimals=1)),
            of_rate(score.finished, source, PERCENT),
        )
        for greedy in (False, True)
        for score in facts.scored(greedy=greedy)
    ]


def _ends(estimate: Estimate) -> tuple[float | None, float | None, float | None]:
    return estimate.value, estimate.low, estimate.high


