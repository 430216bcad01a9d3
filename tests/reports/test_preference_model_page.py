"""The page about a preference model: it says what the numbers say, and nothing is trusted."""

import pytest

from accord.reports.preference_model_page import write_preference_model


def rate(value, low=None, high=None, n=100):
    return {
        "value": value,
        "low": value - 0.05 if low is None else low,
        "high": value + 0.05 if high is None else high,
        "n": n,
    }


def one_set(**changes):
    spans = [{"from": -1.0, "to": 0.0, **rate(0.5)}, {"from": 0.0, "to": 1.0, **rate(0.7)}]
    return {
        "accuracy": rate(0.65),
        "ceiling": {"accuracy": 0.8, "low": 0.7, "high": 0.85, "agreement": 0.7, "n_pairs": 40},
        "log_loss": 0.61,
        "brier": 0.21,
        "ece": rate(0.03, 0.01, 0.06),
        "reliability": [{"predicted": 0.6, "observed": 0.58, "low": 0.5, "high": 0.66, "n": 90}],
        "temperature": 1.2,
        "uncertainty": {
            "log_loss": rate(0.61),
            "brier": rate(0.21),
            "temperature": rate(1.2, 0.9, 1.6),
        },
        "length_correlation": 0.2,
        "longer_wins": rate(0.55),
        "length_matched": rate(0.6),
        "by_margin": spans,
        "by_length_difference": spans,
        "by_score": [],
        "by_turn": [{"turn": 1, **rate(0.6)}, {"turn": 2, **rate(0.7)}],
        "by_strength": [{"strength": None, **rate(0.65)}],
        "by_kind": [],
        "comparisons": 90,
        "counts": {"size": 90, "too_long": 3, "undecided": 0, "identical": 0, "shortened": 2},
        "left_out": {"empty": 4},
        "baselines": {
            "pairs": 80,
            "train_pairs": 300,
            "model": rate(0.66),
            "longer_wins": {"accuracy": rate(0.55), "gain": rate(0.11, 0.02, 0.2)},
            "tf_idf": {"accuracy": rate(0.6), "gain": rate(0.06, 0.01, 0.11)},
        },
        "sections": {},
        "labelers_met": None,
        "leaks": None,
    } | changes


def page_of(tmp_path, outliers=None, **sets):
    found = {"confidence": 0.9, "sets": sets, "outliers": outliers or {}}
    return write_preference_model(tmp_path / "page.html", found).read_text()


def test_what_beats_every_rule_is_said_to(tmp_path):
    page = page_of(tmp_path, hh=one_set())
    assert "Right on 65.0% of the votes, and beats rules that read words only." in page
    assert "No warnings." in page
    assert "leaves room for 80.0%" in page
    assert "Left out: 3 with a conversation beyond the context, 4 empty." in page
    assert "2 prompts lost their beginning." in page
    assert "90% intervals" in page


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        (
            {
                "baselines": one_set()["baselines"]
                | {"tf_idf": {"accuracy": rate(0.64), "gain": rate(0.02, -0.01, 0.05)}}
            },
            "hh: not shown to be better than tf-idf; the gain is 2.0% (−1.0 to 5.0%).",
        ),
        ({"accuracy": rate(0.95, 0.9, 0.99)}, "above the labelers&#39; ceiling"),
        (
            {"uncertainty": one_set()["uncertainty"] | {"temperature": rate(2.0, 1.5, 2.5)}},
            "over-confident; margins are 2.00 times too large",
        ),
        (
            {"leaks": {"same": 3, "near": 1, "prompts": [], "accuracy_of_others": rate(0.6)}},
            "3 prompts are in the training set and 1 nearly so",
        ),
    ],
)
def test_what_must_not_be_overlooked(tmp_path, changes, warning):
    page = page_of(tmp_path, hh=one_set(**changes))
    assert "1 warning<" in page
    assert warning in page


def test_several_sets_are_counted(tmp_path):
    worse = one_set()["baselines"] | {
        "longer_wins": {"accuracy": rate(0.7), "gain": rate(-0.04, -0.1, 0.02)}
    }
    page = page_of(
        tmp_path, hh=one_set(), tldr=one_set(baselines=worse), few=one_set(baselines=None)
    )
    assert "Better than rules that read words only on 1 of 3 sets." in page


def test_sections_labelers_and_outliers(tmp_path):
    one = one_set(
        sections={"Chat": rate(0.7), "Safety": rate(0.5), "score": 0.6},
        labelers_met={"met": rate(0.7), "others": rate(0.6), "labelers": 4},
    )
    odd = {"mahalanobis": rate(0.8), "relative_mahalanobis": rate(0.85), "exposed": None}
    page = page_of(tmp_path, outliers={"harm prompts": odd}, hh=one)
    assert "RewardBench: Chat 70.0%, Safety 50.0%, score 60.0%." in page
    assert "4 others: 60.0% (55.0–65.0%)." in page
    assert "simplified relative" in page
    assert "with a few exposed" not in page


def test_names_are_data(tmp_path):
    page = page_of(tmp_path, **{"<script>alert(1)</script>": one_set()})
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_unknown_ends_are_said_to_be_unknown(tmp_path):
    alone = {"value": 1.0, "low": None, "high": None, "n": 1}
    page = page_of(tmp_path, hh=one_set(accuracy=alone, ceiling=None, uncertainty=None))
    assert "the ceiling is not known" in page
