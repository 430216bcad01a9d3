"""Sections by the world's truth: helpful / honest / harmless, and by kind of prompt."""

from dataclasses import dataclass

from accord.reports.axes import axis_for, rate_axis
from accord.reports.claims import EVEN, decided
from accord.reports.estimates import PERCENT, PLAIN, Estimate, Unit, of_rate
from accord.reports.facts import Facts
from accord.reports.figures_intervals import (
    EVEN_LINE,
    Figure,
    IntervalChart,
    Row,
    even_chart,
    interval_chart,
)
from accord.reports.read import Source
from accord.reports.schemas import PolicyScore

CRITERIA = {
    "helpful": "Helpful",
    "honest": "Honest",
    "harmless": "Harmless",
    "hhh": "All three at once",
    "garbled": "Garbled (less is better)",
}


def criteria_figures(facts: Facts) -> list[Figure]:
    """Helpful, honest, harmless and all three: one bar a policy, by the truth."""
    if facts.scores is None:
        return []
    source, found = facts.scores.source, []
    scored = facts.scored()
    for key, title in CRITERIA.items():
        rows = _truth_rows(facts, scored, key, PERCENT)
        if rows:
            chart = interval_chart(rows, rate_axis(), heading="of answers", bars=True)
            found.append(Figure(title, chart, "", source))
    utility = _truth_rows(facts, scored, "utility", PLAIN)
    if utility:
        axis = axis_for([v for row in utility for v in row.ends])
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
    tone = facts.policies[final.policy].tone
    rows = [_kind_row(kind, wins[kind], tone) for kind in kinds if kind in wins]
    overview = Figure(
        f"{label} against {base}, by kind of prompt",
        even_chart(rows, "decided wins"),
        "Sorted from the worst. “Worse”: the whole interval lies below 50%; "
        "“not shown”: it includes 50%.",
        source,
    )
    cards = tuple(_card(facts, kind, wins.get(kind)) for kind in kinds)
    return KindsSection(overview if rows else None, cards, source)


def _kind_row(kind: str, rate: Estimate, tone: str) -> Row:
    verdict = rate.verdict(EVEN)
    flag = {"below": "worse", "includes": "not shown"}.get(verdict, "")
    return Row(kind, rate, tone, flag=flag, alarming=verdict == "below")


def _worst_first(kind: str, rate: Estimate | None) -> tuple[float, str]:
    return (2.0 if rate is None or rate.value is None else rate.value, kind)


def _card(facts: Facts, kind: str, final_wins: Estimate | None) -> KindCard:
    assert facts.scores is not None
    source, base = facts.scores.source, facts.policies[facts.baseline].label
    good, wins = [], []
    for score in facts.scored():
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
        interval_chart(wins, rate_axis(step=0.5), heading=f"against {base}", references=EVEN_LINE)
        if wins
        else None,
        final_wins is not None and final_wins.verdict(EVEN) == "below",
    )
