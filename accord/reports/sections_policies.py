"""Sections about the policies: ratings, win rates, helpful / honest / harmless, kinds of prompt."""

from dataclasses import dataclass

from accord.reports.axes import axis_for
from accord.reports.claims import decided, find_gap, half_ties
from accord.reports.estimates import (
    PERCENT,
    PLAIN,
    POINT_GAP,
    POINTS,
    Estimate,
    Unit,
    count,
    of_rate,
    show,
)
from accord.reports.facts import Facts, how
from accord.reports.figures_intervals import Figure, Row, even_chart, interval_chart
from accord.reports.read import Source
from accord.reports.schemas import Rating, WinMatrix


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
    sequential: tuple[tuple[str, str, str], ...]  #: policy, replayed Elo, spread over orders
    source: Source


def ratings_section(facts: Facts) -> RatingsSection | None:
    """Ratings with intervals, the gaps between neighbours, the table of votes behind them."""
    found = facts.last_ratings
    if found is None or not found.value.ratings:
        return None
    order = facts.policies.order
    rated = sorted(found.value.ratings, key=lambda rating: order(rating.name))
    rows = [_rating_row(facts, rating, found.source) for rating in rated]
    bounds = [v for row in rows for v in row.ends]
    chart = interval_chart(rows, axis_for(bounds, unit=POINT_GAP), heading="Elo points")
    elo = sorted(found.value.elo.items(), key=lambda item: order(item[0]))
    return RatingsSection(
        ratings=Figure(
            "Ratings by the labelers’ votes",
            chart,
            "A Bradley-Terry fit to all pairwise votes, on the Elo scale: 400 points are odds of "
            "10 to 1. Only differences mean something; the zero is the average policy.",
            found.source,
        ),
        gaps=_gaps(facts, [rating.name for rating in rated]),
        matrix=_matrix(facts, found.value.win_matrix, found.source),
        sequential=tuple(
            (
                facts.policies[name].label,
                show(value, POINT_GAP),
                show(found.value.elo_order_sd.get(name), POINTS),
            )
            for name, value in elo
        ),
        source=found.source,
    )


def _rating_row(facts: Facts, rating: Rating, source: Source) -> Row:
    policy = facts.policies[rating.name]
    estimate = Estimate(rating.rating, rating.low, rating.high, rating.votes, source, POINT_GAP)
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
    axis = axis_for([v for row in rows for v in row.ends], include=(0.0,), unit=POINT_GAP)
    return Figure(
        "Gaps between policies",
        interval_chart(rows, axis, heading="Elo points", references=[(0.0, "no difference")]),
        "The interval of a gap is not that of either rating: read gains here. "
        "n counts all pairwise votes of the fit.",
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


@dataclass(frozen=True)
class Tally:
    """How the comparisons of one policy with the baseline went."""

    label: str
    how: str
    won: str
    lost: str
    tied: str
    n: str


@dataclass(frozen=True)
class WinsSection:
    """Win rates against the baseline, both ways of counting ties."""

    decided: Figure
    half_ties: Figure
    tallies: tuple[Tally, ...]
    source: Source


def wins_section(facts: Facts) -> WinsSection | None:
    """Win rates of every policy, sampled and greedy: ties left out, and ties as half a win."""
    if facts.scores is None:
        return None
    source = facts.scores.source
    without: list[Row] = []
    halves: list[Row] = []
    tallies: list[Tally] = []
    for temperature in facts.temperatures:
        for score in facts.scored(temperature):
            rate, policy = score.win_rate, facts.policies[score.policy]
            if rate is None or score.policy == (rate.against or facts.baseline):
                continue
            drawn = how(temperature)
            starts = bool(without) and without[-1].note != drawn
            one, two = decided(rate, source), half_ties(rate, source)
            without.append(Row(policy.label, one, policy.tone, note=drawn, starts_group=starts))
            halves.append(Row(policy.label, two, policy.tone, note=drawn, starts_group=starts))
            counted = (rate.wins, rate.losses, rate.ties, rate.n)
            tallies.append(Tally(policy.label, drawn, *(count(number) for number in counted)))
    if not without:
        return None
    base = facts.policies[facts.baseline].label
    return WinsSection(
        decided=Figure(
            "Wins among decided comparisons",
            even_chart(without, f"against {base}"),
            f"Comparisons in which neither answer was better than {base}’s are left out.",
            source,
        ),
        half_ties=Figure(
            "Wins with a tie as half a win",
            even_chart(halves, f"against {base}"),
            "Ties count and pull this rate towards 50%.",
            source,
        ),
        tallies=tuple(tallies),
        source=source,
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
            how(temperature),
            of_rate(score.kl, source, PLAIN),
            of_rate(score.score, source, PLAIN),
            of_rate(score.length, source, Unit(decimals=1)),
            of_rate(score.finished, source, PERCENT),
        )
        for temperature in facts.temperatures
        for score in facts.scored(temperature)
    ]
