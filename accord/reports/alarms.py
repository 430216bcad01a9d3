"""Warnings: what a reader could be misled by, found by fixed rules and never left out.

Every rule says its threshold in the sentence that it prints.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from accord.ratings.intervals import wilson
from accord.reports.claims import EVEN, Claim, decided, losing_kinds
from accord.reports.estimates import PERCENT, count, show
from accord.reports.facts import Facts
from accord.reports.hacking import signs
from accord.reports.preference_files import LONGER
from accord.reports.read import Source
from accord.reports.schemas import CurvePoint, LabelerRow, PolicyScore

LENGTH_CHANGE = 1.5  # answers this many times as long or as short sway judges by length alone
FINISHED = 0.9  # fewer answers ending by themselves than this are cut off by the token limit
CHANCE = 0.5  # agreement of somebody who guesses


@dataclass(frozen=True)
class Alarm:
    """One thing that a reader must not overlook."""

    text: str
    source: Source | None = None


def alarms(facts: Facts, claimed: Sequence[Claim]) -> list[Alarm]:
    """All warnings of the run, those about its claims first."""
    found = [Alarm(claim.warning, claim.estimate.source) for claim in claimed if claim.warning]
    found += _judge(facts) + _kinds(facts) + _proxy_only(facts)
    found += _side_effects(facts) + _overoptimised(facts) + _hacking(facts)
    return found + _preference_models(facts) + _ratings(facts) + _labelers(facts)


def _judge(facts: Facts) -> list[Alarm]:
    """A win rate by the model that the policy was trained to please is no evidence of a gain."""
    final = facts.final
    if final is None or final.win_rate is None or facts.scores is None or not facts.by_proxy:
        return []
    return [
        Alarm(
            "No person and no truth compared the last policy with the others: the preference "
            "model did, and PPO trains against a preference model.",
            facts.scores.source,
        )
    ]


def _kinds(facts: Facts) -> list[Alarm]:
    final = facts.final
    if final is None or facts.scores is None:
        return []
    label = facts.policies[final.policy].label
    return [
        Alarm(
            f"On {kind} prompts {label} is worse than {facts.policies[facts.baseline].label}: "
            f"it wins {rate.text} of decided comparisons (interval {rate.interval}).",
            rate.source,
        )
        for kind, rate in losing_kinds(facts, final)
    ]


def _side_effects(facts: Facts) -> list[Alarm]:
    final, scores = facts.final, facts.scores
    if final is None or scores is None:
        return []
    label = facts.policies[final.policy].label
    found = []
    ratio = _length_ratio(facts, final)
    if ratio is not None and not 1 / LENGTH_CHANGE < ratio < LENGTH_CHANGE:
        base = facts.policies[facts.baseline].label
        text = f"The answers of {label} are {ratio:.1f} times as long as those of {base}"
        reason = f"beyond a factor of {LENGTH_CHANGE:g}, length alone can sway people and models"
        found.append(Alarm(f"{text}; {reason}.", scores.source))
    finished = final.finished.value if final.finished else None
    if finished is not None and finished < FINISHED:
        text = f"Only {show(finished, PERCENT)} of the answers of {label} end by themselves"
        found.append(Alarm(f"{text}; the others were cut off at the token limit.", scores.source))
    return found


def _proxy_only(facts: Facts) -> list[Alarm]:
    """The preference model sees a gain that the truth does not show."""
    final, scores = facts.final, facts.scores
    if final is None or scores is None or not final.truth:
        return []
    if final.win_rate is None or final.win_rate_by_score is None:
        return []
    proxy = decided(final.win_rate_by_score, scores.source)
    truth = decided(final.win_rate, scores.source)
    if proxy.verdict(EVEN) != "above" or truth.verdict(EVEN) == "above":
        return []
    label = facts.policies[final.policy].label
    return [
        Alarm(
            f"The preference model prefers {label} in {proxy.text} of decided comparisons "
            f"(interval {proxy.interval}), but the truth does not show that it is better.",
            scores.source,
        )
    ]


def _length_ratio(facts: Facts, final: PolicyScore) -> float | None:
    before = [s for s in facts.scored() if s.policy == facts.baseline]
    if not before or before[0].length is None or final.length is None:
        return None
    old, new = before[0].length.value, final.length.value
    return new / old if old and new else None


def _overoptimised(facts: Facts) -> list[Alarm]:
    """The proxy kept rising while the truth fell, by more than chance would do."""
    if facts.scores is None:
        return []
    runs = dict.fromkeys(point.run for point in facts.scores.value.curve)
    found = []
    for run in runs:
        points = [point for point in facts.scores.value.curve if point.run == run]
        third = len(points) // 3
        if third == 0:
            continue
        middle, last = points[third : 2 * third], points[-third:]
        rise = _pooled(last, "score")[0] - _pooled(middle, "score")[0]
        (was, was_n), (now, now_n) = _pooled(middle, "truth_hhh"), _pooled(last, "truth_hhh")
        if rise <= 0 or was_n == 0 or now_n == 0:
            continue
        was_low, now_high = wilson(was * was_n, was_n)[0], wilson(now * now_n, now_n)[1]
        if now_high < was_low:
            text = (
                f"In {run} the preference model’s score went on rising in the last third while "
                f"the share of good answers fell from {show(was, PERCENT)} to "
                f"{show(now, PERCENT)} (intervals apart): the policy was optimised too far."
            )
            found.append(Alarm(text, facts.scores.source))
    return found


def _hacking(facts: Facts) -> list[Alarm]:
    """What PPO logged looks as if the policy fooled its judge."""
    return [
        Alarm(sign.text, learned.source)
        for learned in facts.learning
        if learned.stage.stage == "ppo"
        for sign in signs(learned)
    ]


def _pooled(points: Sequence[CurvePoint], field: str) -> tuple[float, int]:
    """Mean over the points, each weighted by its number of answers, and that number."""
    known = [(getattr(p, field), p.n or 0) for p in points if getattr(p, field) is not None]
    total = sum(n for _, n in known)
    return (sum(value * n for value, n in known) / total if total else 0.0), total


def _preference_models(facts: Facts) -> list[Alarm]:
    found = []
    for model in facts.preference_models:
        accuracy, ceiling = model.accuracy, model.ceiling
        surely = accuracy.value if accuracy.low is None else accuracy.low
        if surely is None:
            continue
        highest = None if ceiling is None else ceiling.high or ceiling.value
        if highest is not None and surely > highest:
            text = f"{model.stage} is more accurate than the labelers’ own agreement allows"
            found.append(Alarm(f"{text}; look for a leak between training and test.", model.source))
        rules = {one.name: one.accuracy for one in facts.text_baselines}
        if model.longer_wins.known:
            rules[LONGER] = model.longer_wins
        for name, rule in rules.items():
            if rule.value is not None and rule.value >= surely:
                text = (
                    f"{model.stage} ({accuracy.text}, interval {accuracy.interval}) is not shown "
                    f"to beat a rule that reads the text alone: “{name}” ({rule.text})."
                )
                found.append(Alarm(text, rule.source))
    return found


def _ratings(facts: Facts) -> list[Alarm]:
    ratings = facts.last_ratings
    if ratings is None:
        return []
    return [
        Alarm(f"Ratings: {(warned.message or warned.code).rstrip('.')}.", ratings.source)
        for warned in ratings.value.warnings
    ]


def _labelers(facts: Facts) -> list[Alarm]:
    ratings = facts.last_ratings
    if ratings is None:
        return []
    guessing = [
        row for row in ratings.value.labelers if standing(row, ratings.value.labelers) == "guessing"
    ]
    return [
        Alarm(
            f"{row.labeler} hardly agrees with anybody "
            f"({show(row.agreement, PERCENT)} on {count(row.compared or row.n)} choices) "
            "and may be guessing.",
            ratings.source,
        )
        for row in guessing
    ]


def standing(row: LabelerRow, everybody: Sequence[LabelerRow]) -> str:
    """How one labeler compares with the median of the others: ``""``, ``below`` or ``guessing``.

    ``below``: the whole interval of the labeler's agreement lies under that median.
    ``guessing``: it lies even under the middle between that median and a coin.
    """
    others = [
        other.agreement
        for other in everybody
        if other.labeler != row.labeler and other.agreement is not None
    ]
    if not others or row.high is None or row.agreement is None:
        return ""
    usual = median(others)
    if row.high < (usual + CHANCE) / 2:
        return "guessing"
    return "below" if row.high < usual else ""
