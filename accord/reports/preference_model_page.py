"""One self-contained page about a preference model: accuracy, calibration, what explains both.

Made from ``output/evaluation.json`` of the stage ``evaluate_preference_model``, so that the page
never says anything else.
"""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from markupsafe import Markup

from accord.reports.estimates import PERCENT, Estimate, count, show
from accord.reports.figures_curves import CurveChart
from accord.reports.figures_intervals import IntervalChart
from accord.reports.html import content_security_policy, environment, write_page
from accord.reports.preference_model_figures import (
    estimate,
    fit_rows,
    outlier_chart,
    overview,
    reliability_chart,
    slices,
)

COMMAND = "accord evaluate-preference-model"
RULES = {"longer_wins": "the longer one", "bag_of_words": "a bag of words", "tf_idf": "tf-idf"}

LEFT_OUT = {
    "too_long": "with a conversation beyond the context",
    "undecided": "that nobody decided",
    "identical": "whose responses are all the same",
}


@dataclass(frozen=True)
class SetPart:
    """All there is about one set of comparisons."""

    name: str
    sentence: str
    reliability: CurveChart | None
    fit: list[tuple[str, Estimate]]
    slices: list[tuple[str, IntervalChart]]
    notes: list[str]


@dataclass(frozen=True)
class ModelPage:
    """Everything that the template prints."""

    headline: str
    command: str
    confidence: str
    keys: list[tuple[str, str]]
    warnings: list[str]
    accuracy: IntervalChart
    outliers: IntervalChart | None
    parts: list[SetPart]


def write_preference_model(path: Path, found: dict[str, Any]) -> Path:
    """Draw an evaluation.

    Args:
        path: of the page.
        found: what ``output/evaluation.json`` holds.

    Raises:
        InputError: the page cannot be written there.
    """
    sets = found["sets"]
    page = ModelPage(
        headline=_headline(sets),
        command=COMMAND,
        confidence=f"{100 * found['confidence']:g}%",
        keys=_keys(sets),
        warnings=[text for name, one in sets.items() for text in _warnings(name, one)],
        accuracy=overview(sets, RULES),
        outliers=outlier_chart(found["outliers"]),
        parts=[_part(name, one) for name, one in sets.items()],
    )
    templates = resources.files("accord.reports") / "templates"
    css = "".join((templates / name).read_text("utf-8") for name in ("style.css", "votes.css"))
    template = environment().get_template("preference_model.html")
    text = template.render(page=page, css=Markup(css), policy=content_security_policy(css))
    return write_page(path, text)


def _headline(sets: dict[str, Any]) -> str:
    """How many sets the model beats every rule on, and no more than that."""
    judged = {name: one["baselines"] for name, one in sets.items() if one["baselines"]}
    better = [name for name, rows in judged.items() if all(g > 0 for g in _lows(rows))]
    if len(sets) == 1:
        accuracy = show(next(iter(sets.values()))["accuracy"]["value"], PERCENT)
        verdict = "and beats" if better else "and is not shown to beat"
        return f"Right on {accuracy} of the votes, {verdict} rules that read words only"
    return f"Better than rules that read words only on {len(better)} of {len(sets)} sets"


def _lows(rows: dict[str, Any]) -> list[float]:
    return [
        -1.0 if rows[rule]["gain"]["low"] is None else rows[rule]["gain"]["low"]
        for rule in RULES
        if rule in rows
    ]


def _keys(sets: dict[str, Any]) -> list[tuple[str, str]]:
    totals = {
        "votes": sum(one["accuracy"]["n"] for one in sets.values()),
        "comparisons": sum(one["comparisons"] for one in sets.values()),
        "sets": len(sets),
        "left out": sum(
            sum(one["counts"][why] for why in ("too_long", "undecided", "identical"))
            + sum(one["left_out"].values())
            for one in sets.values()
        ),
    }
    return [(name, count(number)) for name, number in totals.items()]


def _warnings(name: str, one: dict[str, Any]) -> list[str]:
    """What a reader must not overlook."""
    found = []
    for rule, label in RULES.items():
        row = (one["baselines"] or {}).get(rule)
        if row and row["gain"]["low"] is not None and row["gain"]["low"] <= 0:
            gain = estimate(row["gain"], PERCENT)
            found.append(
                f"{name}: not shown to be better than {label}; the gain is {gain.text} "
                f"({gain.interval})"
            )
    ceiling, accuracy = one["ceiling"], one["accuracy"]
    if ceiling and accuracy["low"] is not None and accuracy["low"] > ceiling["high"]:
        found.append(f"{name}: above the labelers' ceiling; it has seen these votes")
    heat = (one["uncertainty"] or {}).get("temperature")
    if heat and heat["low"] is not None and heat["low"] > 1:
        found.append(f"{name}: over-confident; margins are {show(heat['value'])} times too large")
    leaked = one["leaks"]
    if leaked and leaked["same"] + leaked["near"]:
        found.append(
            f"{name}: {count(leaked['same'])} prompts are in the training set and "
            f"{count(leaked['near'])} nearly so"
        )
    return found


def _part(name: str, one: dict[str, Any]) -> SetPart:
    ceiling = one["ceiling"]
    agreed = (
        f"Labelers agree on {show(ceiling['agreement'], PERCENT)} of what two of them judged, "
        f"which leaves room for {show(ceiling['accuracy'], PERCENT)} "
        f"(at most {show(ceiling['high'], PERCENT)})."
        if ceiling
        else "No two labelers judged the same two responses, so that the ceiling is not known."
    )
    return SetPart(
        name=name,
        sentence=f"Right on {show(one['accuracy']['value'], PERCENT)} of the votes. {agreed}",
        reliability=reliability_chart(one["reliability"]),
        fit=fit_rows(one),
        slices=slices(one),
        notes=_notes(one),
    )


def _notes(one: dict[str, Any]) -> list[str]:
    """What was left out, who is new, what leaked: one sentence each."""
    counts = one["counts"]
    reasons = {
        "with a conversation beyond the context": counts["too_long"],
        "that nobody decided": counts["undecided"],
        "with identical responses": counts["identical"],
    } | {reason.replace("_", " "): number for reason, number in one["left_out"].items()}
    left_out = [f"{count(number)} {reason}" for reason, number in reasons.items() if number]
    notes = [f"Left out: {', '.join(left_out)}." if left_out else "Nothing was left out."]
    if counts["shortened"]:
        notes.append(f"{count(counts['shortened'])} prompts lost their beginning.")
    met = one["labelers_met"]
    if met:
        known, others = estimate(met["met"], PERCENT), estimate(met["others"], PERCENT)
        notes.append(
            f"Labelers whose votes were trained on: {known.text} ({known.interval}); "
            f"{count(met['labelers'])} others: {others.text} ({others.interval})."
        )
    leaked = one["leaks"]
    if leaked:
        rest = estimate(leaked["accuracy_of_others"], PERCENT)
        notes.append(
            f"Prompts that training has seen: {count(leaked['same'])}, nearly: "
            f"{count(leaked['near'])}; on all others {rest.text} ({rest.interval})."
        )
    if one["sections"]:
        parts = [
            f"{name} {show(rate['value'] if isinstance(rate, dict) else rate, PERCENT)}"
            for name, rate in one["sections"].items()
        ]
        notes.append(f"RewardBench: {', '.join(parts)}.")
    return notes
