"""Intervals that hold at every look."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from accord.ratings.anytime import (
    anytime_differences,
    betting_sequence,
    evidence_against,
    win_probability_by_counts,
    win_probability_by_labeler,
)
from accord.ratings.elo import win_probability
from accord.ratings.fit import fit
from accord.ratings.intervals import wilson
from accord.ratings.tables import differences
from accord.ratings.votes import from_pairs


def taking_turns(seed, labelers, each, taste, rate=0.5):
    """Votes on x and y by labelers in turn whose log-odds differ by taste."""
    rng = np.random.default_rng(seed)
    odds = np.log(rate / (1 - rate)) + taste * rng.normal(size=labelers)
    who = np.tile(np.arange(labelers), each)
    won = rng.uniform(size=len(who)) < 1 / (1 + np.exp(-odds[who]))
    return from_pairs(
        ["x"] * len(who), ["y"] * len(who), won * 1.0, labeler=[f"l{g:03d}" for g in who]
    )


# by hand


def test_evidence_after_one_and_two_wins():
    # ∫ p/½ dBeta(½, ½) = 1; ∫ (p/½)² = 4 · 3/8
    assert evidence_against(0.5, [0, 1, 2], 0) == pytest.approx([1, 1, 1.5])
    assert evidence_against(0.25, 1, 0) == pytest.approx(2)  # (1/2) / (1/4)


def test_interval_of_no_votes_and_of_wins_alone():
    assert win_probability_by_counts(0, 0) == (0, 1, -math.inf, math.inf)
    low, high, points_low, points_high = win_probability_by_counts(10, 0)
    # B(10.5, .5)/B(.5, .5) = C(20, 10)/4¹⁰ = .176197, so low = (.176197 · .05)^(1/10)
    assert low == pytest.approx((0.17619705 * 0.05) ** 0.1, abs=1e-6)
    assert (high, points_high) == (1, math.inf)
    assert win_probability(points_low, 0) == pytest.approx(low)


def test_two_bets_by_hand():
    # α = .05: λ₁ = √(2 log 40 / (¼ log 2)) = 6.525; after a 1 the mean is ¾ and Σ 5/16, so
    # λ₂ = √(2 log 40 / (5/16 log 3)) = 4.636. Against m, u = 1 − m: (1 + 6.525u)(1 + 4.636u) = 40
    # at u = .96587; after the first 1 no capital is above 7.5.
    low, high = betting_sequence([1.0, 1.0])
    assert low[0] == 0
    assert low[1] == pytest.approx(0.03413, abs=1 / 2000)
    assert low[1] <= 0.03413
    assert high.tolist() == [1, 1]


def test_multiple_of_the_standard_error():
    # 100 even votes: se .2 nat = 34.74 points. r se² = .3474², z² = 1.1207 (2.2266 + 5.9915)
    votes = from_pairs(["x"] * 100, ["y"] * 100, [1, 0] * 50)
    (row,) = anytime_differences(fit(votes, prior_sd=None, cluster=()))
    assert row.high == pytest.approx(34.7436 * math.sqrt(1.120711 * (2.22803 + 5.991465)), rel=1e-4)
    assert row.low == pytest.approx(-row.high)


def test_labelers_enter_when_they_are_done():
    who = ["anna", "ben", "anna", "ben", "chris", "anna", "ben"]
    votes = from_pairs(["x"] * 7, ["y"] * 7, [1, 0, 1, 1, 1, 0, 0], labeler=who)
    looks = win_probability_by_labeler(votes, "x", "y", votes_each=2)
    assert [name for name, _ in looks] == ["anna", "ben"]  # chris is not done
    low, high = betting_sequence([1.0, 0.5])
    assert [look[:2] for _, look in looks] == list(zip(low, high, strict=True))
    turned = win_probability_by_labeler(votes, "y", "x", votes_each=2)
    assert [look.high for _, look in turned] == pytest.approx([1 - x for x in low], abs=1e-3)


# by law


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 200), st.floats(0, 200), st.floats(0.5, 0.999))
def test_ends_are_where_the_evidence_meets_its_bound(wins, losses, confidence):
    look = win_probability_by_counts(wins, losses, confidence)
    assert 0 <= look.low <= look.high <= 1
    for end in look[:2]:
        if 1e-6 < end < 1 - 1e-6:
            assert evidence_against(end, wins, losses) == pytest.approx(
                1 / (1 - confidence), rel=1e-3
            )
    mirrored = win_probability_by_counts(losses, wins, confidence)
    assert mirrored.low == pytest.approx(1 - look.high, abs=1e-9)


@given(st.integers(1, 300), st.integers(1, 300))
def test_wider_than_an_interval_for_one_look(wins, losses):
    look = win_probability_by_counts(wins, losses)
    low, high = wilson(wins, wins + losses)
    assert look.low < low
    assert high < look.high


def test_a_bet_against_the_truth_is_fair():
    """Expected evidence after n votes is 1 at the true p, over all numbers of wins."""
    for p, n in ((0.5, 7), (0.3, 12), (0.9, 5)):
        wins = np.arange(n + 1)
        chance = np.array([math.comb(n, w) * p**w * (1 - p) ** (n - w) for w in wins])
        assert chance @ evidence_against(p, wins, n - wins) == pytest.approx(1)


def test_ties_make_the_bet_no_better():
    """Votes of ½ as half a win: expected evidence at the true mean is at most 1."""
    outcome, chance = np.array([1.0, 0.5, 0.0]), np.array([0.3, 0.5, 0.2])  # mean .55
    pairs = np.add.outer(outcome, outcome).ravel()
    expected = np.outer(chance, chance).ravel() @ evidence_against(0.55, pairs, 2 - pairs)
    assert expected <= 1


def test_intervals_only_shrink():
    low, high = betting_sequence(np.random.default_rng(0).beta(5, 3, size=60))
    assert (np.diff(low) >= 0).all()
    assert (np.diff(high) <= 0).all()


def test_looking_at_every_vote_is_safe():
    """1,500 runs of 800 votes, a look at each: wrong at most 5%; a fixed interval far more."""
    rng = np.random.default_rng(0)
    wins = np.cumsum(rng.uniform(size=(1500, 800)) < 0.6, axis=1)
    n = np.arange(1, 801)
    ever = (evidence_against(0.6, wins, n - wins) >= 20).any(axis=1)
    assert ever.mean() <= 0.05
    z = (wins - 0.6 * n) / np.sqrt(0.24 * n)
    peeked = (np.abs(z[:, 20:]) > 1.96).any(axis=1)
    assert peeked.mean() > 0.3
    # The interval says what the evidence says.
    for run in (0, 1, 2):
        look = win_probability_by_counts(int(wins[run, -1]), int(n[-1] - wins[run, -1]))
        inside = evidence_against(0.6, wins[run, -1], n[-1] - wins[run, -1]) < 20
        assert (look.low < 0.6 < look.high) == inside


def test_labelers_of_differing_taste_are_safe_as_blocks_and_not_as_votes():
    """40 labelers come one after the other, each with 12 votes and a taste of sd 1.5 logits."""
    by_block, by_vote = [], []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        p = 1 / (1 + np.exp(-1.5 * rng.normal(size=40)))
        won = rng.uniform(size=(40, 12)) < p[:, None]
        low, high = betting_sequence(won.mean(axis=1))
        by_block.append(not (low < 0.5).all() or not (high > 0.5).all())
        wins = np.cumsum(won.ravel())
        by_vote.append((evidence_against(0.5, wins, np.arange(1, 481) - wins) >= 20).any())
    assert np.mean(by_block) <= 0.05
    assert np.mean(by_vote) > 0.15  # what its docstring warns of


def test_peeking_at_a_clustered_fit():
    """12 looks at 20 labelers who go on voting: fixed intervals err far more, these do not."""
    fixed, anytime = [], []
    for seed in range(60):
        votes = taking_turns(seed, 20, 40, 0.6)
        wrong = np.zeros(2, dtype=bool)
        for number in np.geomspace(60, len(votes), 12).astype(int):
            seen = fit(votes.where(np.arange(len(votes)) < number), cluster=("labeler",))
            rows = (differences(seen)[0], anytime_differences(seen)[0])
            wrong |= [not row.low < 0 < row.high for row in rows]
        fixed.append(wrong[0])
        anytime.append(wrong[1])
    assert np.mean(fixed) > 0.08
    assert np.mean(anytime) <= 0.05


# by twin


@pytest.mark.parametrize(("p", "wins", "losses"), [(0.5, 7, 2), (0.3, 0, 9), (0.8, 3.5, 3.5)])
def test_evidence_is_a_mixture_of_likelihood_ratios(p, wins, losses):
    def ratio(angle):  # q = sin², which has density Beta(½, ½) for a uniform angle
        q = math.sin(angle) ** 2
        return (q / p) ** wins * ((1 - q) / (1 - p)) ** losses * 2 / math.pi

    assert evidence_against(p, wins, losses) == pytest.approx(
        integrate.quad(ratio, 0, math.pi / 2)[0]
    )


def test_betting_by_the_letter():
    """Waudby-Smith and Ramdas's formulas, one candidate mean at a time."""
    x, alpha = np.random.default_rng(3).beta(6, 2, size=25), 0.05
    low, high = betting_sequence(x)
    for m in (0.5, 0.6, 0.7, 0.8, 0.9):
        up = down = 1.0
        out_at = None
        for t in range(1, len(x) + 1):
            past = x[: t - 1]
            means = [(0.5 + past[:i].sum()) / (i + 1) for i in range(1, t)]
            variance = (0.25 + sum((v - u) ** 2 for v, u in zip(past, means, strict=True))) / t
            bet = math.sqrt(2 * math.log(2 / alpha) / (variance * t * math.log(1 + t)))
            up *= 1 + min(bet, 0.75 / m) * (x[t - 1] - m)
            down *= 1 - min(bet, 0.75 / (1 - m)) * (x[t - 1] - m)
            if out_at is None and max(up, down) / 2 >= 1 / alpha:
                out_at = t
        outside = (low > m + 1e-3) | (high < m - 1e-3)
        first = int(np.argmax(outside)) + 1 if outside.any() else None
        assert (out_at is None) == (first is None)
        if out_at:
            assert abs(first - out_at) <= 1  # the grid rounds outwards


# edges


def test_contradictions_leave_no_mean():
    low, high = betting_sequence([0.0] * 60 + [1.0] * 400)
    assert math.isnan(low[-1])
    assert math.isnan(high[-1])


def test_nobody_is_done():
    votes = from_pairs(["x"], ["y"], [1], labeler=["anna"])
    assert win_probability_by_labeler(votes, "x", "y", votes_each=2) == ()


def test_unknown_labelers_count_one_vote_each():
    votes = from_pairs(["x", "x"], ["y", "y"], [1, 0])
    assert [name for name, _ in win_probability_by_labeler(votes, "x", "y", votes_each=1)] == [
        "",
        "",
    ]


def test_nothing_is_said_across_groups():
    apart = fit(from_pairs(["x", "z"] * 9, ["y", "w"] * 9, [1, 0] * 9), cluster=())
    assert {(row.a, row.b) for row in anytime_differences(apart)} == {("x", "y"), ("w", "z")}


def test_without_uncertainty_the_interval_is_a_point():
    known = fit(from_pairs(["x"] * 4, ["y"] * 4, [1, 1, 1, 0]), prior_sd=None, cluster=())
    known = replace(known, covariance=np.zeros((2, 2)), model_covariance=np.zeros((2, 2)))
    (row,) = anytime_differences(known)
    assert row.low == row.difference == row.high == pytest.approx(190.8485, abs=1e-3)


def test_few_clusters_are_wider():
    votes = taking_turns(0, 6, 40, 0.0)
    clustered, alone = (fit(votes, cluster=c) for c in (("labeler",), ()))
    widths = [row.high - row.low for f in (clustered, alone) for row in anytime_differences(f)]
    assert widths[0] > widths[1]


def test_what_is_refused():
    votes = from_pairs(["x"], ["y"], [1])
    fitted = fit(votes)
    for wins, losses in ((-1, 0), (0, -1), (math.inf, 0), (math.nan, 1)):
        with pytest.raises(ValueError, match="finite and not negative"):
            win_probability_by_counts(wins, losses)
    for values in ([1.5], [-0.1], [math.nan]):
        with pytest.raises(ValueError, match="between 0 and 1"):
            betting_sequence(values)
    with pytest.raises(ValueError, match="`q` is not rated"):
        win_probability_by_labeler(votes, "x", "q", votes_each=1)
    with pytest.raises(ValueError, match="compared with itself"):
        win_probability_by_labeler(votes, "x", "x", votes_each=1)
    with pytest.raises(ValueError, match="votes_each"):
        win_probability_by_labeler(votes, "x", "y", votes_each=0)
    with pytest.raises(ValueError, match="typical"):
        anytime_differences(fitted, typical=0)
    for call in (
        lambda: win_probability_by_counts(1, 1, 1),
        lambda: anytime_differences(fitted, 0),
    ):
        with pytest.raises(ValueError, match="confidence"):
            call()
