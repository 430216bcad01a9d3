"""The one door: controlled ratings, what is wrong with votes, and votes that break others."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.ratings import likelihood
from accord.ratings.fit import MODELS, fit
from accord.ratings.tables import differences, effects, ratings_table
from accord.ratings.votes import from_columns, from_pairs


def codes(fitted):
    return [problem.code for problem in fitted.problems]


def message(fitted, code):
    (found,) = [problem.message for problem in fitted.problems if problem.code == code]
    return found


def logistic(gap):
    return 1 / (1 + np.exp(-gap))


def long_winded(seed, n=4000, taste=0.8, ahead=0.5):
    """x is better by ``ahead`` nats and longer; labelers like long and first responses."""
    rng = np.random.default_rng(seed)
    length = rng.normal(0.7, 0.5, size=n)
    first = rng.integers(2, size=n)
    won = rng.uniform(size=n) < logistic(ahead + taste * length + 0.4 * (2 * first - 1))
    labeler = [f"l{i % 40}" for i in range(n)]
    columns = {"labeler": labeler, "a_first": first, "covariates": {"length": length}}
    return from_columns(["x"] * n, ["y"] * n, won.astype(float), **columns)


# controlled ratings


@pytest.mark.parametrize("model", ["bradley_terry", "davidson", "rao_kupper"])
def test_an_effect_is_taken_out_of_the_ratings(model):
    votes = long_winded(0)
    plain = fit(votes, model).strengths @ [1, -1]
    fitted = fit(votes, model, covariates=["side", "length"])
    assert plain > 0.9  # length passes for quality
    assert fitted.strengths @ [1, -1] == pytest.approx(0.5, abs=0.15)
    assert fitted.coefficients == pytest.approx([0.4, 0.8], abs=0.15)
    side, length = effects(fitted)
    assert (side.name, length.name) == ("side", "length")
    assert side.low < 0.4 * fitted.points_per_unit < side.high
    assert length.low < 0.8 * fitted.points_per_unit < length.high
    assert side.p_value < 1e-6
    both = (fitted.coefficient_covariance[1, 1], fitted.coefficient_model_covariance[1, 1])
    assert length.se == pytest.approx(math.sqrt(max(both)) * fitted.points_per_unit)


def test_a_pure_effect_of_length_is_no_difference():
    gaps = [
        differences(fit(long_winded(seed, ahead=0.0), covariates=["side", "length"]))[0]
        for seed in range(1, 6)
    ]
    assert sum(gap.low < 0 < gap.high for gap in gaps) >= 4
    assert np.mean([gap.p_a_beats_b for gap in gaps]) == pytest.approx(0.5, abs=0.03)


def test_the_unit_of_a_covariate_does_not_matter():
    votes = long_winded(2, n=600)
    meters = fit(votes, covariates=["length"])
    scaled = from_columns(
        [votes.names[i] for i in votes.a],
        [votes.names[i] for i in votes.b],
        votes.outcome,
        labeler=[votes.labelers[i] for i in votes.labeler],
        covariates={"length": 1000 * votes.covariates["length"]},
    )
    millimeters = fit(scaled, covariates=["length"])
    assert millimeters.coefficients == pytest.approx(meters.coefficients / 1000)
    assert millimeters.strengths == pytest.approx(meters.strengths)


def test_covariates_that_say_nothing_are_named():
    votes = from_columns(
        ["x"] * 6, ["y"] * 6, [1, 0] * 3, covariates={"length": [1, -1, np.nan, np.nan, 2, 3]}
    )
    fitted = fit(votes, covariates=["length", "side"], cluster=())
    assert codes(fitted) == ["missing_covariate", "missing_covariate", "constant_covariate"]
    assert fitted.problems[0].message.startswith("2 votes have no `length`")
    assert effects(fitted)[1].points == 0
    assert effects(fitted)[1].se > 500  # the prior: nothing is known
    with pytest.raises(ValueError, match="no covariate `style`; known: `side`, `length`"):
        fit(votes, covariates=["style"])


def test_an_effect_without_a_maximum():
    always = from_columns(["x"] * 8, ["y"] * 8, [1, 1, 0, 0] * 2, a_first=[1, 1, 0, 0] * 2)
    with pytest.raises(ValueError, match="`side` has no maximum likelihood"):
        fit(always, prior_sd=None, covariates=["side"])
    assert math.isfinite(fit(always, covariates=["side"]).coefficients[0])
    twice = from_columns(
        ["x"] * 8, ["y"] * 8, [1, 0] * 4, covariates={"p": [1, 2] * 4, "q": [2, 4] * 4}
    )
    with pytest.raises(ValueError, match=r"always go together|no maximum likelihood"):
        fit(twice, prior_sd=None, covariates=["p", "q"])
    assert np.isfinite(fit(twice, covariates=["p", "q"]).coefficients).all()


# both bad


def test_both_bad_is_not_a_tie():
    said = ["a", "b", "tie", "both_bad", "both_bad"]
    votes = from_columns(["x"] * 5, ["y"] * 5, said)
    apart = fit(votes, "davidson", prior_sd=None, cluster=())
    assert apart.tie == pytest.approx(1.0)  # 1 : 1 : 1
    assert apart.votes.tolist() == [3, 3]
    assert apart.both_bad.tolist() == [2, 2]
    joined = fit(votes, "davidson", prior_sd=None, cluster=(), both_bad_is_tie=True)
    assert joined.tie == pytest.approx(3.0)
    assert joined.both_bad.tolist() == [0, 0]


def test_nothing_but_both_bad():
    fitted = fit(from_columns(["x"] * 5, ["y"] * 5, ["both_bad"] * 5))
    assert codes(fitted) == ["unplayed"]
    assert fitted.groups == (("x",), ("y",))


# labelers


def test_unknown_labelers_are_each_their_own():
    votes = from_columns(["x"] * 40, ["y"] * 40, [1, 0] * 20, labeler=["ann", None] * 20)
    fitted = fit(votes, cluster=["labeler"])
    # ann gave 20 votes, twenty strangers one each: 40² / (20² + 20) − 1.
    assert fitted.degrees_of_freedom == pytest.approx(1600 / 420 - 1)
    assert message(fitted, "unknown_labelers").startswith("20 votes do not say")


def test_a_labeler_who_decides_the_order_is_named():
    ann = ["ann"] * 30 + [f"l{i}" for i in range(20)]
    votes = from_pairs(["x"] * 50, ["y"] * 50, [1] * 30 + [0] * 20, labeler=ann)
    assert "`ann` gave 60% of the votes; without them `y` comes before `x`" in message(
        fit(votes), "dominant_labeler"
    )
    same = from_pairs(["x"] * 50, ["y"] * 50, [1] * 30 + [1, 1, 0, 1] * 5, labeler=ann)
    assert "dominant_labeler" not in codes(fit(same))
    many = from_pairs(
        ["x"] * 50, ["y"] * 50, [1] * 30 + [0] * 20, labeler=[f"l{i // 5}" for i in range(50)]
    )
    assert "dominant_labeler" not in codes(fit(many))


def test_circles_beyond_chance_are_named():
    beats = [("rock", "scissors"), ("scissors", "paper"), ("paper", "rock")]
    pairs = [pair for pair in beats for _ in range(30)]
    people = [f"l{i % 15}" for i in range(90)]
    votes = from_pairs([a for a, _ in pairs], [b for _, b in pairs], [1] * 90, labeler=people)
    fitted = fit(votes)
    assert "intransitive" in codes(fitted)
    assert fitted.strengths == pytest.approx(np.zeros(3), abs=1e-9)
    few = from_pairs(*zip(*beats, strict=True), [1] * 3)
    assert "intransitive" not in codes(fit(few))  # chance alone makes such circles


# votes that break others


@st.composite
def hard_votes(draw):
    """Few votes on many policies, with any weights and any names."""
    names = draw(st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=12, unique=True))
    n = draw(st.integers(1, 25))
    pick = st.integers(0, len(names) - 1)
    rows = [
        (
            names[draw(pick)],
            names[draw(pick)],
            draw(st.sampled_from(["a", "b", "tie", "both_bad"])),
            draw(st.sampled_from([None, "", "ann", "bob", "\U0001f600"])),
            draw(st.sampled_from([0.0, 1e-9, 0.5, 1.0, 1e6])),
        )
        for _ in range(n)
    ]
    a, b, outcome, labeler, weight = (list(column) for column in zip(*rows, strict=True))
    first = draw(st.lists(st.sampled_from([0.0, 1.0, math.nan]), min_size=n, max_size=n))
    return from_columns(a, b, outcome, labeler=labeler, weight=weight, a_first=first)


@pytest.mark.parametrize("model", MODELS)
@given(votes=hard_votes())
@settings(deadline=None, max_examples=50)
def test_whatever_the_votes_the_ratings_are_finite_ordered_and_wide(model, votes):
    fitted = fit(votes, model, covariates=["side"])
    rows = ratings_table(fitted)
    assert {row.name for row in rows} == set(votes.names)
    for row in rows:
        assert math.isfinite(row.rating)
        assert 0 < row.se < math.inf
        assert row.low < row.rating < row.high
        assert 1 <= row.rank_low <= row.rank_high
    group = {name: i for i, part in enumerate(fitted.groups) for name in part}
    for gap in differences(fitted):
        assert group[gap.a] == group[gap.b]
        assert gap.low < gap.difference < gap.high
        assert 0 <= gap.p_a_beats_b <= 1
    if not fitted.votes.all():
        assert "unplayed" in codes(fitted)
    played = {group[n] for n, v in zip(fitted.names, fitted.votes, strict=True) if v > 0}
    assert ("disconnected" in codes(fitted)) == (len(played) > 1)


@pytest.mark.parametrize("model", MODELS)
def test_a_single_vote(model):
    fitted = fit(from_pairs(["x"], ["y"], [1]), model)
    assert {"unbeaten", "winless", "unknown_labelers"} <= set(codes(fitted))
    (gap,) = differences(fitted)
    assert gap.low < 0 < gap.difference < gap.high
    assert gap.high - gap.low > 1000


@pytest.mark.parametrize("model", MODELS)
def test_an_unbeaten_policy_among_many_votes(model):
    # Elsewhere everybody then gets the same score, or 3386 ± 0.05.
    rng = np.random.default_rng(0)
    names = [f"m{i}" for i in range(10)]
    pairs = [rng.choice(10, 2, replace=False) for _ in range(300)]
    won = [0.5 + 0.5 * np.sign(b - a) if 0 in (a, b) else rng.integers(2) for a, b in pairs]
    votes = from_pairs([names[a] for a, _ in pairs], [names[b] for _, b in pairs], won)
    best, *rest = ratings_table(fit(votes, model))
    assert best.name == "m0"
    assert 200 < best.rating - rest[0].rating < 1500
    assert best.high - best.low > 500
    assert len({round(row.rating, 3) for row in rest}) == 9


@pytest.mark.parametrize("model", MODELS)
def test_all_ties(model):
    votes = from_pairs(list("xyz") * 5, list("yzx") * 5, [0.5] * 15)
    fitted = fit(votes, model)
    assert "all_ties" in codes(fitted)
    assert fitted.strengths == pytest.approx(np.zeros(3), abs=1e-9)
    assert all(gap.low < 0 < gap.high for gap in differences(fitted))


def test_hundreds_of_loners_are_counted_not_listed():
    n = 400
    votes = from_pairs([f"a{i:03d}" for i in range(n)], [f"b{i:03d}" for i in range(n)], [1] * n)
    fitted = fit(votes)
    assert len(fitted.groups) == n
    assert len(fitted.problems) == 4
    assert all(len(problem.message) < 400 for problem in fitted.problems)
    assert "and 392 more" in message(fitted, "unbeaten")
    assert len(differences(fitted)) == n


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("prior_sd", [3.0, None])
def test_many_policies_take_another_road_to_the_same_place(model, prior_sd, monkeypatch):
    rng = np.random.default_rng(1)
    n, m = 900, 30
    a = rng.integers(m, size=n)
    b = (a + rng.integers(1, m, size=n)) % m
    votes = from_columns(
        [f"m{i:02d}" for i in a],
        [f"m{i:02d}" for i in b],
        rng.choice([0, 0.5, 1], size=n),
        labeler=[f"l{i}" for i in rng.integers(20, size=n)],
        a_first=rng.integers(2, size=n),
    )
    dense = fit(votes, model, prior_sd=prior_sd, covariates=["side"])
    monkeypatch.setattr(likelihood, "DENSE", 5)
    monkeypatch.setattr("accord.ratings.pair_models.DENSE", 5)
    sparse = fit(votes, model, prior_sd=prior_sd, covariates=["side"])
    for field in ("strengths", "covariance", "model_covariance", "coefficients"):
        assert getattr(sparse, field) == pytest.approx(getattr(dense, field), abs=1e-7)


def test_what_cannot_be_asked():
    votes = from_pairs(["x"], ["y"], [1])
    with pytest.raises(ValueError, match="unknown model `glicko`; known: bradley_terry"):
        fit(votes, "glicko")
    with pytest.raises(ValueError, match="unknown cluster `team`"):
        fit(votes, cluster=["team"])
