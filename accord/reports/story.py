"""The headline in plain words, and the handful of numbers beside it."""

from dataclasses import dataclass

from accord.reports.claims import EVEN, decided, find_gap, half_ties
from accord.reports.estimates import PERCENT, Estimate, count, of_rate, show
from accord.reports.facts import Facts
from accord.reports.read import Source
from accord.reports.schemas import PolicyScore

TRUTH = "the world’s written-down truth"
PROXY = "the preference model, not by people and not by any truth"
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class Headline:
    """What happened, in one sentence, with what carries it."""

    sentence: str
    support: str  #: a sentence on whether the gain is supported
    verdict: str  #: CSS class: supported, not-shown, refuted or pending
    main: Estimate | None
    with_ties: Estimate | None
    judged_by: str


@dataclass(frozen=True)
class KeyNumber:
    """One of the numbers beside the headline."""

    name: str
    estimate: Estimate
    note: str = ""


@dataclass(frozen=True)
class KeyCount:
    """A plain count beside the headline."""

    name: str
    text: str
    note: str
    sources: tuple[tuple[str, Source], ...]  #: by the name of their stage


def headline(facts: Facts) -> Headline:
    """The one sentence that the whole report stands under."""
    final = facts.final
    if final is None or final.win_rate is None or facts.scores is None:
        return _without_evaluation(facts)
    rate = decided(final.win_rate, facts.scores.source)
    ties = half_ties(final.win_rate, facts.scores.source)
    rounds = len(facts.policies.rounds())
    base = facts.policies[final.win_rate.against or facts.baseline].label
    after = f"After {_word(rounds)} round{'s' if rounds != 1 else ''} of feedback"
    verdict = rate.verdict(EVEN)
    beaten = f"{rate.text} of decided comparisons"
    wins = f"the policy’s answers beat {base}’s in {beaten}"
    gain = "preference" if facts.by_proxy else "gain"
    loses = f"the policy’s answers are worse than {base}’s: they win {beaten}"
    if facts.by_proxy:
        wins = f"the preference model prefers the policy’s answers to {base}’s in {beaten}"
        loses = f"the preference model prefers {base}’s answers: the policy’s win {beaten}"
    sentence = {
        "above": f"{after}, {wins}",
        "below": f"{after}, {loses}",
        "includes": f"{after}, no gain over {base} can be claimed",
        "unknown": f"{after}, a gain over {base} cannot be judged",
    }[verdict]
    support = {
        "above": f"The {gain} is supported: the interval, {rate.interval}, "
        "lies wholly above one half.",
        "below": f"The loss is supported: the interval, {rate.interval}, "
        "lies wholly below one half.",
        "includes": f"The policy wins {rate.text} of decided comparisons, but the interval, "
        f"{rate.interval}, includes one half.",
        "unknown": "Every comparison is a tie."
        if rate.n == 0
        else "The evaluation gives no interval, so its win rate proves nothing.",
    }[verdict]
    styles = {"above": "supported", "below": "refuted"}
    return Headline(
        sentence, support, styles.get(verdict, "not-shown"), rate, ties, judged_by(facts)
    )


def _without_evaluation(facts: Facts) -> Headline:
    stages = facts.run.stages
    finished = sum(stage.done is not None for stage in stages)
    if finished == len(stages) and stages:
        sentence = "The run is finished, but nothing in it measures a policy against another"
    else:
        sentence = f"The run is under way: {finished} of {len(stages)} stages are done"
    text = "No policy has been evaluated, so there is no gain to report yet."
    return Headline(sentence, text, "pending", None, None, "")


def _word(number: int) -> str:
    return NUMBERS[number] if number < len(NUMBERS) else str(number)


def judged_by(facts: Facts) -> str:
    """Who decided which answer was better, for the sentence under the headline."""
    final = facts.final
    if final is None or facts.scores is None:
        return ""
    return PROXY if facts.by_proxy else TRUTH


def key_numbers(facts: Facts) -> list[KeyNumber | KeyCount]:
    """At most five numbers: win rate, good answers, rating gap, accuracy, votes."""
    found: list[KeyNumber | KeyCount] = []
    final = facts.final
    if final and final.win_rate and facts.scores:
        base = facts.policies[final.win_rate.against or facts.baseline].label
        rate = decided(final.win_rate, facts.scores.source)
        found.append(KeyNumber(f"decided wins against {base}", rate, "50% is no difference"))
    return found + _good_answers(facts) + _gap(facts) + _accuracy(facts) + _votes(facts)


def _good_answers(facts: Facts) -> list[KeyNumber | KeyCount]:
    final = facts.final
    if final is None or facts.scores is None or not final.truth or not final.truth.get("hhh"):
        return []
    rate = of_rate(final.truth["hhh"], facts.scores.source)
    before = _row(facts, facts.baseline)
    old = of_rate(before.truth.get("hhh"), facts.scores.source) if before and before.truth else None
    base = facts.policies[facts.baseline].label
    note = f"{base}: {old.text} ({old.interval})" if old else ""
    return [KeyNumber("answers helpful, honest and harmless", rate, note)]


def _row(facts: Facts, name: str) -> PolicyScore | None:
    rows = [score for score in facts.scored() if score.policy == name]
    return rows[0] if rows else None


def _gap(facts: Facts) -> list[KeyNumber | KeyCount]:
    """The last policy that labelers have seen against the baseline."""
    for policy in reversed(facts.policies.rounds()):
        gap = find_gap(facts, policy.name, facts.baseline)
        if gap is not None:
            base = facts.policies[facts.baseline].label
            note = "in the votes; 0 is no difference"
            return [KeyNumber(f"Elo points, {policy.label} over {base}", gap, note)]
    return []


def _accuracy(facts: Facts) -> list[KeyNumber | KeyCount]:
    if not facts.preference_models or not facts.preference_models[-1].accuracy.known:
        return []
    model = facts.preference_models[-1]
    ceiling = f"labelers’ ceiling: {show(model.ceiling.value, PERCENT)}" if model.ceiling else ""
    return [KeyNumber("of held-out votes predicted", model.accuracy, ceiling)]


def _votes(facts: Facts) -> list[KeyNumber | KeyCount]:
    found = facts.collected
    if found is None:
        return []
    note = f"by {count(found.labelers)} labelers" if found.labelers else ""
    return [KeyCount("preferences collected", count(found.votes), note, found.sources)]
