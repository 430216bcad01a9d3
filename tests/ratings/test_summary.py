"""A fit and its labelers as plain numbers: by hand, and nothing across groups."""

import math
from itertools import combinations

import numpy as np
import pytest

from accord.ratings import summary
from accord.ratings.agreement import preference_alpha
from accord.ratings.alpha import krippendorff_alpha
from accord.ratings.cells import cells_of
from accord.ratings.fit import fit
from accord.ratings.labeler_table import agreement_summary, labeler_rows
from accord.ratings.problems import Problem
from accord.ratings.ranks import p_better
from accord.ratings.summary import ADVICE, rating_summary, warning, win_matrix
from accord.ratings.tally import Tally
from accord.ratings.votes import Ranking, from_columns, from_pairs, from_rankings


def crowd(n=240, seed=0):
    rng = np.random.default_rng(seed)
    names = np.array(["x", "y", "z"])
    pairs = np.array(list(combinations(range(3), 2)))[rng.integers(3, size=n)]
    said = rng.choice(["a", "b", "tie", "both_bad"], n, p=[0.5, 0.3, 0.15, 0.05])
    return from_columns(
        names[pairs[:, 0]].tolist(),
        names[pairs[:, 1]].tolist(),
        said.tolist(),
        labeler=[f"l{i % 12}" for i in range(n)],
        prompt=[f"p{i // 4}" for i in range(n)],
    )


def test_the_win_matrix_by_hand():
    # x against y: 2 wins, 1 tie, 1 loss; x against z: one loss of weight 3; y and z never met
    votes = from_pairs(
        ["x"] * 4 + ["z"], ["y"] * 4 + ["x"], [1, 1, 0.5, 0, 1], weight=[1, 1, 1, 1, 3]
    )
    fitted = fit(votes, prior_sd=1)
    found = win_matrix(cells_of(votes), fitted)
    assert found["names"] == ["x", "y", "z"]
    assert found["n"] == [[0, 4, 3], [4, 0, 0], [3, 0, 0]]
    assert found["observed"][0][1:] == [2.5 / 4, 0]
    assert found["observed"][2][0] == 1
    assert math.isnan(found["observed"][1][2])
    part = win_matrix(cells_of(votes), fitted, ["z", "x"])
    assert part["n"] == [[0, 3], [3, 0]]
    assert part["fitted"][0][1] == found["fitted"][2][0]


def test_nothing_is_said_across_groups():
    votes = from_pairs(["x", "x", "v"], ["y", "y", "w"], [1, 0, 1])
    found = rating_summary(votes, fit(votes))
    assert [(row["a"], row["b"]) for row in found["differences"]] == [("v", "w"), ("x", "y")]
    assert {(row["a"], row["b"]) for row in found["to_separate"]} <= {("v", "w"), ("x", "y")}
    assert {row["group"] for row in found["ratings"]} == {0, 1}


def test_counts_say_what_votes_say():
    votes = crowd()
    tally = Tally(cluster=("labeler",))
    tally.add(votes)
    of_votes = rating_summary(votes, fit(votes, cluster=["labeler"]))
    of_counts = rating_summary(tally.cells(), fit(tally.cells(), cluster=["labeler"]))
    assert of_counts["n_votes"] == of_votes["n_votes"] - int(votes.both_bad.sum())
    assert of_counts["tie_rate"] == of_votes["tie_rate"]
    assert of_counts["win_matrix"]["n"] == of_votes["win_matrix"]["n"]
    for one, other in zip(of_counts["ratings"], of_votes["ratings"], strict=True):
        assert one == pytest.approx(other, abs=1e-6)


def test_who_is_better_is_what_the_p_value_says():
    votes = crowd()
    fitted = fit(votes)
    better = p_better(fitted)
    for row in rating_summary(votes, fitted)["differences"]:
        i, j = fitted.names.index(row["a"]), fitted.names.index(row["b"])
        assert row["p_a_better"] == pytest.approx(better[i, j], abs=1e-12)


def test_rates_of_ties_and_of_both_bad():
    votes = from_columns(["x"] * 4, ["y"] * 4, ["a", "tie", "both_bad", "both_bad"])
    found = rating_summary(votes, fit(votes))
    assert found["tie_rate"] == 0.5
    assert [row["both_bad_rate"] for row in found["ratings"]] == [0.5, 0.5]


def test_the_few_votes_that_decide_who_leads():
    votes = from_pairs(["x"] * 40, ["y"] * 40, [1] * 21 + [0] * 19)
    flip = rating_summary(votes, fit(votes), refit=fit)["flip"]
    assert (flip["top"], flip["rival"], flip["votes"]) == ("x", "y", 3)
    assert rating_summary(votes, fit(votes))["flip"] is None


def test_of_many_policies_the_best_are_listed(monkeypatch):
    monkeypatch.setattr(summary, "MOST_PAIRED", 2)
    monkeypatch.setattr(summary, "MOST_SIMULATED", 2)
    votes = crowd()
    found = rating_summary(votes, fit(votes))
    best = {row["name"] for row in found["ratings"][:2]}
    assert set(found["win_matrix"]["names"]) == best
    assert [{row["a"], row["b"]} for row in found["differences"]] == [best]
    assert [row["p_best"] for row in found["ratings"]] == [None] * 3


def test_a_warning_says_what_to_do():
    assert warning(Problem("one_labeler", "text"))["advice"] == ADVICE["one_labeler"]
    assert warning(Problem("new", "text")) == {"code": "new", "message": "text", "advice": ""}


def test_agreement_in_every_measure():
    votes = crowd()
    found = agreement_summary(votes, seed=1)
    alpha = preference_alpha(votes, seed=1)
    assert (found["krippendorff_alpha"], found["alpha_low"]) == (alpha.mean, alpha.low)
    assert found["raw_low"] <= found["raw"] <= found["raw_high"]
    assert found["tau_x"] is found["ordinal_alpha"] is found["cohen_kappa"] is None
    assert agreement_summary(from_pairs(["x"], ["y"], [1])) is None


def test_ordinal_alpha_is_of_strengths_counted_both_ways():
    said, strength = [1, 1, 0, 0.5, 1, 0], np.array([1.0, 3, 2, np.nan, 2, 1])
    who, what = ["k", "l"] * 3, ["p", "p", "q", "q", "r", "r"]
    votes = from_pairs(["x"] * 6, ["y"] * 6, said, labeler=who, prompt=what)
    signed = [1, 3, -2, 0, 2, -1]  # a tie is 0, whatever its strength
    units = ["p", "p", "q", "q", "r", "r"]
    twins = [f"{unit} turned" for unit in units]
    by_hand = krippendorff_alpha(units + twins, signed + [-v for v in signed], metric="ordinal")
    found = agreement_summary(votes, strength=strength)
    assert found["ordinal_alpha"] == pytest.approx(by_hand)
    assert found["ordinal_alpha_n"] == 3
    assert agreement_summary(votes, strength=np.full(6, np.nan))["ordinal_alpha"] is None
    alone = np.array([1.0] + [np.nan] * 5)
    assert agreement_summary(votes, strength=alone)["ordinal_alpha"] is None


def test_rankings_of_three_have_their_own_measure():
    same = [Ranking(("x", "y", "z"), (1, 2, 2), who, f"p{i}") for i in range(4) for who in "kl"]
    found = agreement_summary(from_rankings(same), rankings=same)
    assert (found["tau_x"], found["ranking_alpha"]) == (1, 1)
    apart = [*same[:1], *same[3:4], *[Ranking(("x", "y"), (1, 2), who, "q") for who in "kl"]]
    assert agreement_summary(from_rankings(apart), rankings=apart)["tau_x"] is None


def test_repeats_and_ties_only():
    again = from_pairs(["x"] * 3, ["y"] * 3, [1, 1, 1], labeler=["k", "k", "l"], prompt=["p"] * 3)
    assert agreement_summary(again)["self"] == 1
    ties = from_pairs(["x"] * 2, ["y"] * 2, [0.5] * 2, labeler=["k", "l"], prompt=["p"] * 2)
    found = agreement_summary(ties)
    assert found["ceiling"] is None
    assert found["self"] is None


def test_one_labeler_behind_a_lead_that_looks_certain_is_named():
    # 60 votes of ann for x; the four others prefer y. As independent votes x leads for certain.
    who = ["ann"] * 60 + [name for name in ("ben", "cid", "dan", "eve") for _ in range(10)]
    said = [1] * 60 + [1, 0, 0, 0, 0, 1, 0, 0, 1, 0] * 4
    votes = from_pairs(["x"] * 100, ["y"] * 100, said, labeler=who)

    def codes(cluster, **more):
        fitted = fit(votes, cluster=cluster)
        return [row["code"] for row in rating_summary(votes, fitted, **more)["warnings"]]

    assert "one_labeler_decides" in codes((), refit=fit)
    assert "one_labeler_decides" not in codes(())
    assert "one_labeler_decides" not in codes(
        ("labeler",), refit=fit
    )  # its intervals say it is open


def test_labelers_with_their_habits():
    rows = labeler_rows(crowd())
    assert [row["labeler"] for row in rows] == sorted(f"l{i}" for i in range(12))
    for row in rows:
        assert row["discrimination_low"] < row["discrimination"] < row["discrimination_high"]
        assert 0 <= row["careless"] <= 1
        assert row["side_bias"] is row["length_taste"] is None
        assert row["tie_threshold"] > 0
    nobody = from_columns(["x"] * 2, ["y"] * 2, ["both_bad"] * 2, labeler=["k", "l"])
    assert "careless" not in labeler_rows(nobody)[0]
