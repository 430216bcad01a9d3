"""Calibration where the truth is known: votes drawn with the probabilities that scores promise."""

import numpy as np
import pytest

from accord.records import Comparison, LabeledComparison, Message, Preference, Prompt, Response
from accord.runtime.preference_evaluation import Reading, evaluate


def drawn(seed, number, *, over_confidence=1.0):
    """Comparisons whose votes follow σ(margin), and scores with margins so many times too large."""
    rng = np.random.default_rng(seed)
    comparisons, scores = [], []
    for n in range(number):
        margin = float(rng.normal(0, 1.5))
        first_wins = rng.random() < 1 / (1 + np.exp(-margin))
        prompt = Prompt(id=f"p{n}", messages=(Message(role="user", content=f"prompt {n}"),))
        responses = tuple(
            Response(id=f"{n}-{i}", prompt_id=prompt.id, text="x" * (i + 1), policy="sft")
            for i in range(2)
        )
        vote = Preference(
            id=f"v{n}",
            comparison_id=f"c{n}",
            labeler="people",
            ranks=(1, 2) if first_wins else (2, 1),
        )
        comparison = Comparison(id=f"c{n}", prompt=prompt, responses=responses)
        comparisons.append(LabeledComparison(comparison=comparison, preferences=(vote,)))
        scores.append([over_confidence * margin, 0.0])
    return comparisons, scores


def test_the_reliability_curve_lies_on_the_diagonal_within_its_intervals():
    """Of 95% intervals in 20 drawn sets of 400 votes, 90% at least hold the promise."""
    held = total = 0
    for seed in range(20):
        found = evaluate(*drawn(seed, 400), Reading(draws=0))
        for row in found["reliability"]:
            held += row["low"] <= row["predicted"] <= row["high"]
            total += 1
    assert total == 100
    assert held / total >= 0.9


@pytest.mark.parametrize("over_confidence", [0.5, 1.0, 2.0])
def test_the_temperature_is_recovered(over_confidence):
    comparisons, scores = drawn(1, 3000, over_confidence=over_confidence)
    found = evaluate(comparisons, scores, Reading(draws=100))
    heat = found["uncertainty"]["temperature"]
    assert heat["low"] <= over_confidence <= heat["high"]
    assert heat["value"] == found["temperature"] == pytest.approx(over_confidence, rel=0.1)
    assert heat["high"] - heat["low"] < 0.3 * over_confidence


def test_scores_that_promise_too_much_lie_below_the_diagonal():
    found = evaluate(*drawn(2, 3000, over_confidence=3.0), Reading(draws=100))
    off = [row for row in found["reliability"] if row["predicted"] > 0.7]
    assert all(row["high"] < row["predicted"] for row in off)
    assert found["ece"]["low"] > 0.05


def test_log_loss_and_brier_of_calibrated_scores_are_their_expectations():
    """With the truth as the promise, E[−log p] is the entropy and E[(p − y)²] is p (1 − p)."""
    comparisons, scores = drawn(3, 3000)
    found = evaluate(comparisons, scores, Reading(draws=50))
    p = 1 / (1 + np.exp(-np.array([row[0] for row in scores])))
    entropy = float((-p * np.log(p) - (1 - p) * np.log(1 - p)).mean())
    for name, expected in (("log_loss", entropy), ("brier", float((p * (1 - p)).mean()))):
        interval = found["uncertainty"][name]
        assert interval["low"] <= expected <= interval["high"]
        assert interval["value"] == pytest.approx(found[name])
