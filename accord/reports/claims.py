"""What the run claims, and whether its own intervals carry it.

A claim is supported when its whole interval lies on the claimed side of "no difference";
it is refuted when the whole interval lies on the other side; else it is not shown. The rule is
fixed here, before any number is seen, and every claim is printed whichever way it falls.
"""

import itertools
from dataclasses import dataclass
from typing import Literal

from accord.reports.estimates import PERCENT, POINT_GAP, Estimate
from accord.reports.facts import Facts, how
from accord.reports.policies import Policy
from accord.reports.preference_files import PreferenceEvaluation
from accord.reports.read import Source
from accord.reports.schemas import Difference, PolicyScore, WinRate

Verdict = Literal["supported", "not shown", "refuted", "no interval"]
EVEN = 0.5  # a win rate that says nothing
VERBS = ("gives better answers than", "gives worse answers than")
PROXY_VERBS = ("scores above", "scores below")  # with the preference model, for want of a truth
WORDS: dict[str, Verdict] = {
    "above": "supported",
    "includes": "not shown",
    "below": "refuted",
    "unknown": "no interval",
}


@dataclass(frozen=True)
class Claim:
    """A statement with the estimate that has to carry it."""

    text: str
    estimate: Estimate
    null: float  #: the value that would mean "no difference"
    contrary: str  #: what to say when the interval lies on the other side

    @property
    def verdict(self) -> Verdict:
        """Whether the interval carries the statement."""
        return WORDS[self.estimate.verdict(self.null)]

    @property
    def warning(self) -> str:
        """What a reader has to be told, or nothing when the claim is supported."""
        shown = f"{self.estimate.text}, interval {self.estimate.interval}"
        if self.verdict == "supported":
            return ""
        if self.verdict == "refuted":
            return f"{self.contrary} ({shown})."
        if self.verdict == "no interval":
            why = "every comparison is a tie" if self.estimate.n == 0 else "there is no interval"
            return f"“{self.text}” cannot be judged: {why}."
        boundary = "50%" if self.null == EVEN else "zero"
        return f"“{self.text}” is not supported: the interval includes {boundary} ({shown})."


def decided(win_rate: WinRate, source: Source) -> Estimate:
    """The share of wins among decided comparisons; unknown when every one is a tie."""
    n = None
    if win_rate.wins is not None and win_rate.losses is not None:
        n = win_rate.wins + win_rate.losses
    if n == 0:
        return Estimate(None, None, None, 0, source, PERCENT)
    low, high = win_rate.decided_low, win_rate.decided_high
    return Estimate(win_rate.decided, low, high, n, source, PERCENT)


def half_ties(win_rate: WinRate, source: Source) -> Estimate:
    """The win rate with a tie as half a win."""
    low, high = win_rate.half_ties_low, win_rate.half_ties_high
    return Estimate(win_rate.half_ties, low, high, win_rate.n, source, PERCENT)


def rating_gap(difference: Difference, votes: int | None, source: Source) -> Estimate:
    """The rating of one policy minus another's, in Elo points."""
    low, high = difference.low, difference.high
    return Estimate(difference.difference, low, high, votes, source, POINT_GAP)


def find_gap(facts: Facts, name: str, other: str) -> Estimate | None:
    """The rating gap between two policies by the last ratings, whichever way it is stored."""
    ratings = facts.last_ratings
    if ratings is None:
        return None
    votes = ratings.value.n_votes
    for one in ratings.value.differences:
        if (one.a, one.b) == (name, other):
            return rating_gap(one, votes, ratings.source)
        if (one.a, one.b) == (other, name):
            gap = rating_gap(one, votes, ratings.source)
            return Estimate(
                _minus(gap.value), _minus(gap.high), _minus(gap.low), votes, gap.source, POINT_GAP
            )
    return None


def _minus(value: float | None) -> float | None:
    return None if value is None else -value


def claims(facts: Facts) -> list[Claim]:
    """Every claim of the run, the main one first."""
    return _against_others(facts) + _by_people(facts) + _by_accuracy(facts)


def _against_others(facts: Facts) -> list[Claim]:
    """Each round against the baseline, then against the policy before it."""
    if facts.scores is None:
        return []
    source, found = facts.scores.source, []
    verbs = PROXY_VERBS if facts.by_proxy else VERBS
    for temperature in facts.temperatures:
        for policy, rate in _duels(facts, facts.scored(temperature)):
            against = facts.policies[rate.against or facts.baseline].label
            text, contrary = (
                f"{policy.label} {verb} {against}, {how(temperature)}" for verb in verbs
            )
            found.append(Claim(text, decided(rate, source), EVEN, contrary))
    return found


def _duels(facts: Facts, scored: list[PolicyScore]) -> list[tuple[Policy, WinRate]]:
    rounds = [score for score in reversed(scored) if facts.policies[score.policy].is_round]
    main = [(facts.policies[score.policy], score.win_rate) for score in rounds]
    others = [(facts.policies[score.policy], score.win_rate_previous) for score in rounds]
    named = {(policy.name, rate.against or facts.baseline) for policy, rate in main if rate}
    others = [(p, rate) for p, rate in others if rate and (p.name, rate.against) not in named]
    return [(policy, rate) for policy, rate in main + others if rate is not None]


def _by_people(facts: Facts) -> list[Claim]:
    """Neighbours in the order of the run: each round against what came before it."""
    ratings = facts.last_ratings
    if ratings is None:
        return []
    names = [p.name for p in facts.policies if _is_rated(p.name, facts)]
    found = []
    for before, after in itertools.pairwise(names):
        gap = find_gap(facts, after, before)
        if gap is None:
            continue
        new, old = facts.policies[after].label, facts.policies[before].label
        text, contrary = f"Labelers prefer {new} to {old}", f"Labelers prefer {old} to {new}"
        found.append(Claim(text, gap, 0.0, contrary))
    return found


def _is_rated(name: str, facts: Facts) -> bool:
    ratings = facts.last_ratings
    return ratings is not None and name in {rating.name for rating in ratings.value.ratings}


def _by_accuracy(facts: Facts) -> list[Claim]:
    found = []
    for model in facts.preference_models:
        if not model.accuracy.known:
            continue
        found.append(
            Claim(
                f"{_model(model)} predicts held-out votes better than a coin",
                model.accuracy,
                EVEN,
                f"{_model(model)} predicts held-out votes worse than a coin",
            )
        )
    return found


def _model(model: PreferenceEvaluation) -> str:
    return f"The preference model {model.stage}"


def losing_kinds(facts: Facts, score: PolicyScore) -> list[tuple[str, Estimate]]:
    """Kinds of prompt on which a policy loses, the whole interval below 50%."""
    if facts.scores is None:
        return []
    rates = [
        (kind, decided(one.win_rate, facts.scores.source))
        for kind, one in sorted(score.by_kind.items())
        if one.win_rate is not None
    ]
    return [(kind, rate) for kind, rate in rates if rate.verdict(EVEN) == "below"]
