"""The picture of the loop, with the run's own counts in its boxes and links to its artifacts."""

from collections.abc import Iterable
from dataclasses import dataclass

from accord.reports.estimates import POINT_GAP, count, show
from accord.reports.facts import Counted, Facts, Learning
from accord.reports.read import Source, Stage

LINES = 4  # of text that a box holds
WIDE, NARROW = 26, 9  # characters of a line, and of a name in the narrowest box


@dataclass(frozen=True)
class Box:
    """One station of the loop."""

    title: str
    lines: tuple[str, ...]
    source: Source | None


@dataclass(frozen=True)
class Loop:
    """All stations, in the order in which a round passes them."""

    prompts: Box
    responses: Box
    labelers: Box
    ledger: Box
    ratings: Box
    preference_model: Box
    ppo: Box
    policy: Box
    summary: str


def loop(facts: Facts) -> Loop:
    """Fill the boxes with what the artifacts say; a box without artifact says so."""
    rounds = len(facts.run.of_stage("ppo"))
    boxes = {
        "prompts": _counted(facts, "Prompts", facts.comparisons, "compared"),
        "responses": _counted(facts, "Responses", facts.responses, "sampled"),
        "labelers": _labelers(facts),
        "ledger": _ledger(facts),
        "ratings": _ratings(facts),
        "preference_model": _preference_model(facts),
        "ppo": _ppo(facts),
        "policy": _policy(facts),
    }
    said = "; ".join(f"{box.title}: {', '.join(box.lines)}" for box in boxes.values())
    summary = (
        "The loop: prompts are answered by policies, people rank the answers, the ledger keeps "
        "every vote, ratings and a preference model are fitted to the votes, PPO trains the next "
        f"policy, and its answers go back to the people. This run went round {rounds} times. "
    )
    return Loop(summary=summary + said, **boxes)


def _box(title: str, lines: Iterable[str], source: Source | None) -> Box:
    kept = [_cut(line, WIDE) for line in lines if line][:LINES]
    return Box(title, tuple(kept or ["not reached"]), source)


def _counted(facts: Facts, title: str, counted: dict[str, Counted], verb: str) -> Box:
    """One line a round; the newest rounds where there are more than fit."""
    stages = [stage for stage in facts.run.of_stage("sample") if stage.name in counted]
    lines = [f"{count(counted[s.name].number)} {verb}{_round(i, stages)}" for i, s in _last(stages)]
    source = counted[stages[-1].name].source if stages else None
    return _box(title, lines, source)


def _last(stages: list[Stage]) -> list[tuple[int, Stage]]:
    return list(enumerate(stages, start=1))[-LINES:]


def _round(number: int, stages: list[Stage]) -> str:
    return f" ({number})" if len(stages) > 1 else ""


def _labelers(facts: Facts) -> Box:
    ratings = facts.last_ratings
    who = "simulated" if facts.run.of_stage("simulate_labelers") else "people"
    if ratings is None:
        return _box("Labelers", [], None)
    number = ratings.value.n_labelers or len(ratings.value.labelers)
    agreement = ratings.value.agreement
    agree = ""
    if agreement is not None and agreement.raw is not None:
        agree = f"two agree on {agreement.raw:.0%}"
    return _box("Labelers", [f"{count(number)} {who}", agree], ratings.source)


def _ledger(facts: Facts) -> Box:
    found = facts.collected
    if found is None:
        return _box("Ledger", [], None)
    times = len(found.sources)
    lines = [
        f"{count(found.votes)} preferences",
        f"on {count(found.comparisons)} comparisons" if found.comparisons else "",
        f"digest {found.digest[:8]}" if found.digest else "",
        f"in {count(times)} collections" if times > 1 else "",
    ]
    return _box("Ledger", lines, found.sources[-1][1])


def _ratings(facts: Facts) -> Box:
    ratings = facts.last_ratings
    if ratings is None:
        return _box("Ratings", [], None)
    rated = sorted(ratings.value.ratings, key=lambda rating: -(rating.rating or 0.0))
    lines = [
        f"{_cut(facts.policies[one.name].label, NARROW)} {show(one.rating, POINT_GAP)}"
        for one in rated
        if one.rating is not None
    ]
    return _box("Ratings", lines, ratings.source)


def _preference_model(facts: Facts) -> Box:
    models = facts.preference_models
    lines = [
        f"{model.accuracy.text} right{f' ({i})' if len(models) > 1 else ''}"
        for i, model in list(enumerate(models, start=1))[-LINES:]
        if model.accuracy.known
    ]
    return _box("Preference model", lines, models[-1].source if models else None)


def _ppo(facts: Facts) -> Box:
    learned = [one for one in facts.learning if one.stage.stage == "ppo"]
    lines = [
        f"{_updates(one)} updates{f' ({i})' if len(learned) > 1 else ''}"
        for i, one in list(enumerate(learned, start=1))[-LINES:]
    ]
    return _box("PPO", lines, learned[-1].source if learned else None)


def _updates(learned: Learning) -> str:
    return count(max(len(values) for values in learned.series.values()))


def _policy(facts: Facts) -> Box:
    final = facts.final
    if final is None or facts.scores is None:
        return _box("Policy", [], None)
    rate = final.win_rate
    lines = [
        _path([policy.label for policy in facts.policies if policy.place]),
        f"wins {rate.decided:.1%} decided" if rate and rate.decided is not None else "",
    ]
    return _box("Policy", lines, facts.scores.source)


def _path(labels: list[str]) -> str:
    """The policies in a row; only the ends where all of them do not fit."""
    whole = " → ".join(labels)
    return whole if len(whole) <= WIDE else f"{labels[0]} → … → {labels[-1]}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
