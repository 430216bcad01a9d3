"""What is said about a preference model, against numbers computed by hand."""

import math

import pytest

from accord.config import InputError
from accord.records import Comparison, LabeledComparison, Message, Preference, Prompt, Response
from accord.runtime.preference_evaluation import Reading, evaluate, held_out_metrics


def labeled(number, ranks, texts, *, turns=1, strength=None):
    messages = [Message(role="user", content=f"prompt {number}")]
    for turn in range(turns - 1):
        messages += [
            Message(role="assistant", content="ok"),
            Message(role="user", content=f"more {turn}"),
        ]
    prompt = Prompt(id=f"p{number}", messages=tuple(messages))
    return LabeledComparison(
        comparison=Comparison(
            id=f"c{number}",
            prompt=prompt,
            responses=tuple(
                Response(id=f"{number}-{i}", prompt_id=prompt.id, text=text, policy="sft")
                for i, text in enumerate(texts)
            ),
        ),
        preferences=tuple(
            Preference(
                id=f"{number}-{n}",
                comparison_id=f"c{number}",
                labeler=f"labeler {n}",
                ranks=rank,
                strength=strength,
            )
            for n, rank in enumerate(ranks)
        ),
    )


# Votes: right by 1, right by 1, wrong by 1; equal scores; right by 3 (second turn).
COMPARISONS = [
    labeled(0, [(1, 2), (1, 2), (2, 1)], ["long", "no"]),
    labeled(1, [(1, 2)], ["same", "size"]),
    labeled(2, [(2, 1)], ["longer", "yes"], turns=2),
]
SCORES = [[1.0, 0.0], [2.0, 2.0], [-1.0, 2.0]]


@pytest.fixture(scope="module")
def found():
    return evaluate(COMPARISONS, SCORES, Reading(bins=2, seed=1))


def test_accuracy_counts_votes_and_equal_scores_half(found):
    assert found["accuracy"]["value"] == pytest.approx((1 + 1 + 0 + 0.5 + 1) / 5)
    assert found["accuracy"]["n"] == 5
    assert 0 <= found["accuracy"]["low"] < 0.7 < found["accuracy"]["high"] <= 1


def test_majority_accuracy_counts_pairs(found):
    assert found["majority_accuracy"]["value"] == pytest.approx((1 + 0.5 + 1) / 3)
    assert found["majority_accuracy"]["n"] == 3


def test_log_loss_and_brier(found):
    margins = [1, 1, -1, 0, 3]
    losses = [math.log(1 + math.exp(-m)) for m in margins]
    assert found["log_loss"] == pytest.approx(sum(losses) / 5)
    promised = [0.7310586, 0.7310586, 0.7310586, 0.5, 0.9525741]
    right = [1, 1, 0, 0.5, 1]
    brier = sum((p - y) ** 2 for p, y in zip(promised, right, strict=True)) / 5
    assert found["brier"] == pytest.approx(brier)


def test_reliability_and_its_error(found):
    """Bins of width .25: .5 and .731 fall together, .953 alone."""
    low, high = found["reliability"]
    assert low["predicted"] == pytest.approx((3 * 0.7310586 + 0.5) / 4)
    assert low["observed"] == pytest.approx(2.5 / 4)
    assert low["n"] == 4
    assert low["low"] <= low["observed"] <= low["high"]
    assert high["predicted"] == pytest.approx(0.9525741)
    assert high["observed"] == 1
    gap = abs(0.625 - (3 * 0.7310586 + 0.5) / 4) * 4 / 5 + 0.0474259 / 5
    assert found["ece"]["value"] == pytest.approx(gap)
    assert found["ece"]["low"] <= found["ece"]["high"]


def test_margins_and_turns(found):
    assert [(row["from"], row["to"], row["n"]) for row in found["by_margin"]] == [
        (0.0, 0.5, 1),
        (1.0, 2.0, 3),
        (2.0, None, 1),
    ]
    assert [row["value"] for row in found["by_margin"]] == pytest.approx([0.5, 2 / 3, 1.0])
    assert [(row["turn"], row["n"]) for row in found["by_turn"]] == [(1, 4), (2, 1)]


def test_length(found):
    """Votes with unequal lengths: longer, longer, shorter, shorter; covariance 1 - 1.5·1.5·2."""
    assert found["longer_wins"]["value"] == 0.5
    assert found["longer_wins"]["n"] == 4
    scores = [0.5, -0.5, 0, 0, -1.5, 1.5]
    sizes = [1, -1, 0, 0, 1.5, -1.5]
    covariance = sum(a * b for a, b in zip(scores, sizes, strict=True))
    spread = math.sqrt(sum(a * a for a in scores) * sum(b * b for b in sizes))
    assert found["length_correlation"] == pytest.approx(covariance / spread)


def test_slices_by_length_score_and_strength(found):
    """(better − worse) / longer: 2 of 4 twice, −2 of 4, 0 and −3 of 6; one wrong, one equal."""
    assert [
        (row["from"], row["to"], row["n"], row["value"]) for row in found["by_length_difference"]
    ] == [
        (-0.5, -0.1, 2, 0.5),
        (-0.1, 0.1, 1, 0.5),
        (0.5, 1.0, 2, 1.0),
    ]
    assert found["length_matched"]["n"] == 1
    assert found["by_strength"] == [{"strength": None, **found["accuracy"]}]
    assert found["by_kind"] == []
    # Mean scores of the pairs: .5 for three votes, 2, .5: all but one in the one quarter.
    assert [row["n"] for row in found["by_score"]] == [5]
    assert found["labelers"] == 3


def test_kinds_and_strengths_apart():
    weak, strong = labeled(0, [(1, 2)], ["aa", "b"], strength=1), COMPARISONS[2]
    prompt = weak.comparison.prompt.model_copy(update={"kind": "harmless"})
    kind = weak.comparison.model_copy(update={"prompt": prompt})
    found = evaluate(
        [weak.model_copy(update={"comparison": kind}), strong], [[0.0, 1.0], SCORES[2]], Reading()
    )
    assert [(row["kind"], row["value"]) for row in found["by_kind"]] == [("", 1), ("harmless", 0)]
    assert [(r["strength"], r["value"]) for r in found["by_strength"]] == [(None, 1), (1, 0)]


def test_three_labelers_widen_the_interval():
    """Two of three labelers always agree with the scores, one never: another might do either."""
    alike = [labeled(n, [(1, 2), (1, 2), (2, 1)], ["a", "b"]) for n in range(30)]
    scores = [[1.0, 0.0]] * 30
    wide = evaluate(alike, scores, Reading(draws=50))["accuracy"]
    assert wide["low"] < 0.3
    anonymous = [
        one.model_copy(
            update={
                "preferences": tuple(
                    p.model_copy(update={"labeler": "people"}) for p in one.preferences
                )
            }
        )
        for one in alike
    ]
    assert evaluate(anonymous, scores, Reading(draws=50))["accuracy"]["low"] > 0.5


def test_the_ceiling_needs_two_votes_on_a_pair(found):
    assert found["ceiling"]["n_pairs"] == 3
    assert found["ceiling"]["low"] <= found["ceiling"]["accuracy"] <= found["ceiling"]["high"]
    single = evaluate(COMPARISONS[1:], SCORES[1:], Reading())
    assert single["ceiling"] is None


def test_adding_a_constant_to_the_scores_of_a_prompt_changes_nothing(found):
    shifted = [[score + 5 * n for score in row] for n, row in enumerate(SCORES)]
    again = evaluate(COMPARISONS, shifted, Reading(bins=2, seed=1))
    for key in ("accuracy", "log_loss", "brier", "ece", "length_correlation"):
        assert again[key] == pytest.approx(found[key])


def test_scores_turned_around_turn_the_accuracy_around(found):
    turned = [[-score for score in row] for row in SCORES]
    again = evaluate(COMPARISONS, turned, Reading(bins=2, seed=1))
    assert again["accuracy"]["value"] == pytest.approx(1 - found["accuracy"]["value"])


def test_a_temperature_says_whether_the_scores_are_too_sure():
    """Three right of four at a margin of 2: T = 2 / ln 3."""
    four = [labeled(n, [(1, 2) if n else (2, 1)], ["a", "b"]) for n in range(4)]
    found = evaluate(four, [[2.0, 0.0]] * 4, Reading())
    assert found["temperature"] == pytest.approx(2 / math.log(3), rel=1e-4)


def test_what_cannot_be_said_is_none():
    equal = [labeled(0, [(1, 2)], ["aa", "bb"])]
    found = evaluate(equal, [[1.0, 0.0]], Reading())
    assert found["longer_wins"] is None
    assert found["length_correlation"] is None
    split = [labeled(0, [(1, 2), (2, 1)], ["aa", "bb"])]
    assert evaluate(split, [[1.0, 0.0]], Reading())["majority_accuracy"] is None


def test_votes_without_any_decision_are_refused():
    tied = [labeled(0, [(1, 1)], ["aa", "bb"])]
    with pytest.raises(InputError, match="no decided vote"):
        evaluate(tied, [[1.0, 0.0]], Reading())
    weak = [labeled(0, [(1, 2)], ["aa", "bb"], strength=1)]
    with pytest.raises(InputError, match="no decided vote"):
        evaluate(weak, [[1.0, 0.0]], Reading(minimum_strength=2))


def test_what_goes_to_the_log(found):
    assert held_out_metrics(found) == {
        "held_out/accuracy": found["accuracy"]["value"],
        "held_out/log_loss": found["log_loss"],
        "held_out/brier": found["brier"],
        "held_out/ece": found["ece"]["value"],
    }
