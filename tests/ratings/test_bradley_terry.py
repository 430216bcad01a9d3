"""Bradley-Terry and Davidson fits: known answers, laws, twins, and what is wrong with votes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.ratings import few_clusters, newton
from accord.ratings.elo import POINTS_PER_NAT
from accord.ratings.fit import fit
from accord.ratings.votes import from_pairs

choix = pytest.importorskip("choix")
sm = pytest.importorskip("statsmodels.api")


def votes_of(wins, ties=(), **columns):
    """Votes from {(winner, loser): number} and {(a, b): number of ties}."""
    rows = [(a, b, 1.0) for (a, b), n in wins.items() for _ in range(n)]
    rows += [(a, b, 0.5) for (a, b), n in dict(ties).items() for _ in range(n)]
    return from_pairs(*zip(*rows, strict=True), **columns)


def fit_davidson(votes, **settings):
    return fit(votes, "davidson", **settings)


def codes(fitted):
    return [problem.code for problem in fitted.problems]


def a_tournament(seed, n=600, names="vwxyz", labelers=12, prompts=40):
    """Noisy votes on five policies, with ties, labelers and prompts."""
    rng = np.random.default_rng(seed)
    strength = dict(zip(names, np.linspace(-1, 1, len(names)), strict=True))
    pairs = [rng.choice(list(names), 2, replace=False) for _ in range(n)]
    better = [rng.uniform() < 1 / (1 + math.exp(strength[b] - strength[a])) for a, b in pairs]
    tie = rng.uniform(size=n) < 0.2
    return from_pairs(
        [a for a, _ in pairs],
        [b for _, b in pairs],
        [0.5 if t else float(w) for w, t in zip(better, tie, strict=True)],
        labeler=[f"l{i}" for i in rng.integers(labelers, size=n)],
        prompt=[f"p{i}" for i in rng.integers(prompts, size=n)],
    )


# by hand


@pytest.mark.parametrize(
    ("wins", "losses", "points", "se"),
    [(3, 1, 190.8485, 200.592), (57, 43, 48.9626, 35.089), (560, 440, 41.894, 11.067)],
)
def test_two_policies(wins, losses, points, se):
    exact = fit(votes_of({("x", "y"): wins, ("y", "x"): losses}), prior_sd=None, cluster=())
    contrast = np.array([1, -1])
    assert contrast @ exact.strengths * POINTS_PER_NAT == pytest.approx(points, abs=1e-3)
    variance = contrast @ exact.covariance @ contrast
    assert math.sqrt(variance) * POINTS_PER_NAT == pytest.approx(se, abs=1e-3)


def test_four_teams():
    wins = {
        ("a", "b"): 2,
        ("a", "d"): 1,
        ("b", "a"): 3,
        ("b", "c"): 5,
        ("c", "b"): 3,
        ("c", "d"): 1,
        ("d", "a"): 4,
        ("d", "c"): 3,
    }
    exact = fit(votes_of(wins), prior_sd=None)
    geometric = [0.63983, 1.04331, 0.65981, 2.27038]
    assert np.exp(exact.strengths) == pytest.approx(geometric, abs=1e-5)
    elo = [-77.573, 7.366, -72.232, 142.439]
    assert exact.strengths * POINTS_PER_NAT == pytest.approx(elo, abs=1e-3)
    assert exact.log_likelihood == pytest.approx(-13.428450, abs=1e-6)
    assert exact.votes.tolist() == [10, 13, 12, 9]


def test_a_triangle():
    wins = {("a", "b"): 60, ("b", "a"): 40, ("b", "c"): 60, ("c", "b"): 40}
    exact = fit(votes_of(wins | {("a", "c"): 70, ("c", "a"): 30}), prior_sd=None)
    assert exact.strengths == pytest.approx([0.4170526, 0, -0.4170526], abs=1e-7)
    assert exact.log_likelihood == pytest.approx(-195.693814, abs=1e-6)
    assert exact.tie is None


def test_the_prior_is_the_one_in_the_docstring():
    # 3 : 1 with θ = (t, -t): 3 log σ(2t) + log σ(-2t) - 2 t²/(2·s²); s = 0.5. At its maximum
    # 6 - 8 σ(2t) = 2t/s² = 8t, so σ(2t) = 0.75 - t, which t = 0.167180 solves.
    fitted = fit(votes_of({("x", "y"): 3, ("y", "x"): 1}), prior_sd=0.5)
    assert fitted.strengths == pytest.approx([0.167180, -0.167180], abs=1e-6)


def test_weights_are_repeated_votes():
    weighted = fit(from_pairs(["x", "y"], ["y", "x"], [1, 1], weight=[3, 1]), cluster=())
    repeated = fit(votes_of({("x", "y"): 3, ("y", "x"): 1}), cluster=())
    assert weighted.strengths == pytest.approx(repeated.strengths)
    assert weighted.covariance == pytest.approx(repeated.covariance)


def test_davidson_of_two_policies():
    # 4 wins, 1 loss, 5 ties are fitted exactly: e^δ = 4, ν = 5 / √(4·1).
    exact = fit_davidson(votes_of({("x", "y"): 4, ("y", "x"): 1}, {("x", "y"): 5}), prior_sd=None)
    assert exact.strengths == pytest.approx([math.log(2), -math.log(2)])
    assert exact.tie == pytest.approx(2.5)
    shares = 4 * math.log(0.4) + math.log(0.1) + 5 * math.log(0.5)
    assert exact.log_likelihood == pytest.approx(shares)


# by law


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_swapping_every_pair_changes_nothing(seed):
    votes = a_tournament(seed, n=60)
    names = votes.names
    swapped = from_pairs(
        [names[i] for i in votes.b],
        [names[i] for i in votes.a],
        1 - votes.outcome,
        labeler=[votes.labelers[i] for i in votes.labeler],
        prompt=[votes.prompts[i] for i in votes.prompt],
    )
    for function in (fit, fit_davidson):
        one, other = function(votes), function(swapped)
        assert one.strengths == pytest.approx(other.strengths, abs=1e-9)
        assert one.covariance == pytest.approx(other.covariance, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_strengths_and_covariance_are_centered(seed):
    for function in (fit, fit_davidson):
        fitted = function(a_tournament(seed, n=60))
        assert fitted.strengths.sum() == pytest.approx(0, abs=1e-9)
        for matrix in (fitted.covariance, fitted.model_covariance):
            assert matrix.sum(axis=0) == pytest.approx(np.zeros(5), abs=1e-9)
            assert matrix == pytest.approx(matrix.T)


def test_at_the_maximum_expected_wins_are_observed_wins():
    votes = a_tournament(3)
    exact = fit(votes, prior_sd=None)
    p = 1 / (1 + np.exp(exact.strengths[votes.b] - exact.strengths[votes.a]))
    for i in range(5):
        observed = votes.outcome[votes.a == i].sum() + (1 - votes.outcome)[votes.b == i].sum()
        assert p[votes.a == i].sum() + (1 - p)[votes.b == i].sum() == pytest.approx(observed)


def test_votes_within_one_policy_and_weightless_votes_change_nothing():
    votes = from_pairs(["x", "y", "x", "z"], ["y", "x", "x", "z"], [1, 1, 1, 0])
    plain = fit(from_pairs(["x", "y"], ["y", "x"], [1, 1]))
    assert fit(votes).strengths[:2] == pytest.approx(plain.strengths, abs=1e-12)
    zero = from_pairs(["x", "y", "x"], ["y", "x", "y"], [1, 1, 1], weight=[1, 1, 0])
    assert fit(zero).covariance == pytest.approx(plain.covariance)


def test_dependent_votes_widen_the_covariance():
    # Every labeler always says the same: 20 votes of 10 labelers are worth 10 answers.
    who = [f"l{i // 2}" for i in range(20)]
    votes = from_pairs(
        ["x"] * 20, ["y"] * 20, [1.0 if i < 12 else 0.0 for i in range(20)], labeler=who
    )
    independent = fit(votes, prior_sd=None, cluster=()).covariance[0, 0]
    clustered = fit(votes, prior_sd=None, cluster=["labeler"]).covariance[0, 0]
    assert clustered == pytest.approx(independent * 2 * 10 / 9)


# by twin


def test_maximum_likelihood_is_that_of_choix():
    votes = a_tournament(1)
    votes = votes.where(votes.outcome != 0.5)
    won = votes.outcome == 1
    data = list(
        zip(
            np.where(won, votes.a, votes.b).tolist(),
            np.where(won, votes.b, votes.a).tolist(),
            strict=True,
        )
    )
    assert fit(votes, prior_sd=None).strengths == pytest.approx(
        choix.opt_pairwise(5, data), abs=1e-4
    )
    # choix's penalty is α Σ θ², so α is 1 / (2 prior_sd²).
    assert fit(votes, prior_sd=0.5).strengths == pytest.approx(
        choix.opt_pairwise(5, data, alpha=2.0), abs=1e-4
    )


@pytest.mark.parametrize("cluster", [[], ["labeler"], ["labeler", "prompt"]])
def test_covariance_is_that_of_a_clustered_logistic_regression(cluster, monkeypatch):
    monkeypatch.setattr(few_clusters, "LEVERAGE", math.inf)  # statsmodels does not adjust for it
    votes = a_tournament(2)
    x = np.zeros((len(votes), 5))
    x[np.arange(len(votes)), votes.a] = 1
    x[np.arange(len(votes)), votes.b] = -1
    x = x[:, :4] - x[:, 4:]  # the strengths of the first four, the last being minus their sum
    x[:, :] = np.where(x == 2, 2, x)
    model = sm.GLM(votes.outcome, x, family=sm.families.Binomial())
    known = {"labeler": votes.labeler, "prompt": votes.prompt}
    if not cluster:
        covariance = model.fit().cov_params()
    elif len(cluster) == 1:
        twin = model.fit(
            cov_type="cluster", cov_kwds={"groups": votes.labeler, "use_correction": False}
        )
        covariance = twin.cov_params() * 12 / 11
    else:
        both = votes.labeler * 1000 + votes.prompt
        parts = []
        for groups in (*known.values(), both):
            g = len(np.unique(groups))
            twin = model.fit(
                cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
            )
            parts.append(twin.cov_params() * g / (g - 1))
        covariance = parts[0] + parts[1] - parts[2]
    exact = fit(votes, prior_sd=None, cluster=cluster)
    assert exact.strengths[:4] == pytest.approx(model.fit().params, abs=1e-6)
    assert exact.covariance[:4, :4] == pytest.approx(covariance, abs=1e-6)


def test_a_sandwich_of_single_votes_is_a_robust_regression():
    votes = a_tournament(8)
    x = np.zeros((len(votes), 5))
    x[np.arange(len(votes)), votes.a] = 1
    x[np.arange(len(votes)), votes.b] = -1
    x = x[:, :4] - x[:, 4:]
    twin = sm.GLM(votes.outcome, x, family=sm.families.Binomial()).fit(cov_type="HC0")
    exact = fit(votes, prior_sd=None, cluster=["vote"])
    n = len(votes)
    assert exact.covariance[:4, :4] == pytest.approx(twin.cov_params() * n / (n - 1), abs=1e-6)
    assert exact.degrees_of_freedom == n - 1
    with pytest.raises(ValueError, match="by `vote` alone"):
        fit(votes, cluster=["vote", "labeler"])


def test_davidson_clusters_like_bradley_terry_when_ties_are_rare():
    rng = np.random.default_rng(0)
    outcomes = [0.5, *(float(u) for u in rng.integers(2, size=399))]
    votes = from_pairs(
        ["x"] * 400, ["y"] * 400, outcomes, labeler=[f"l{i % 20}" for i in range(400)]
    )
    one, other = fit(votes), fit_davidson(votes)
    assert other.covariance == pytest.approx(one.covariance, rel=0.02)


def test_davidson_without_shrinking_by_ties():
    # The same decided votes with more and more ties: half wins shrink, Davidson does not.
    gaps = []
    for ties in (20, 200):
        votes = votes_of({("x", "y"): 80, ("y", "x"): 20}, {("x", "y"): ties})
        gaps.append((fit(votes).strengths[0], fit_davidson(votes).strengths[0]))
    (half_few, few), (half_many, many) = gaps
    assert few == pytest.approx(many, rel=0.01)
    assert half_many < 0.5 * half_few


# edges


def test_an_unbeaten_policy_is_finite_ordered_and_wide():
    wins = {("x", "y"): 20, ("y", "z"): 12, ("z", "y"): 8}
    fitted = fit(votes_of(wins))
    x, y, z = fitted.strengths
    assert x > y > z
    assert math.sqrt(fitted.model_covariance[0, 0]) > 0.5
    assert codes(fitted) == ["unbeaten", "unknown_labelers"]
    assert "`x` never lost" in fitted.problems[0].message


def test_a_winless_policy():
    assert codes(fit(votes_of({("x", "y"): 1, ("y", "x"): 1, ("x", "z"): 9}), cluster=())) == [
        "winless"
    ]


def test_sets_of_which_one_always_wins():
    wins = {("a", "b"): 1, ("b", "a"): 1, ("c", "d"): 1, ("d", "c"): 1, ("a", "c"): 5}
    fitted = fit(votes_of(wins), cluster=())
    assert codes(fitted) == ["separated"]
    assert "a, b | c, d" in fitted.problems[0].message


@pytest.mark.parametrize("function", [fit, fit_davidson])
def test_separation_has_no_maximum_likelihood(function):
    with pytest.raises(ValueError, match="no maximum"):
        function(votes_of({("x", "y"): 9}), prior_sd=None)


def test_a_tie_connects_both_ways():
    assert codes(fit(votes_of({("x", "y"): 9}, {("x", "y"): 1}), prior_sd=None, cluster=())) == []


def test_groups_that_no_vote_connects():
    wins = {("a", "b"): 3, ("b", "a"): 1, ("c", "d"): 1, ("d", "c"): 3}
    fitted = fit(votes_of(wins), prior_sd=None, cluster=())
    assert fitted.groups == (("a", "b"), ("c", "d"))
    assert codes(fitted) == ["disconnected"]
    assert fitted.strengths[:2] == pytest.approx([math.log(3) / 2, -math.log(3) / 2])
    assert fitted.strengths[2:] == pytest.approx([-math.log(3) / 2, math.log(3) / 2])
    assert fitted.covariance[:2, 2:] == pytest.approx(np.zeros((2, 2)), abs=1e-12)


def test_one_policy_alone():
    fitted = fit(from_pairs(["x"], ["x"], [1]))
    assert fitted.strengths.tolist() == [0]
    assert fitted.groups == (("x",),)
    assert codes(fitted) == ["unplayed"]
    assert fitted.degrees_of_freedom == math.inf
    assert fitted.covariance[0, 0] == pytest.approx(9)  # nothing is known but the prior


def test_davidson_without_a_maximum():
    no_ties = votes_of({("x", "y"): 3, ("y", "x"): 3})
    only_ties = votes_of({}, {("x", "y"): 5})
    # A decisive chain with ties: ν and the gaps can grow together for ever.
    no_loss = votes_of({("x", "y"): 9, ("y", "z"): 9}, {("x", "y"): 1, ("y", "z"): 1})
    for votes in (no_ties, only_ties, no_loss):
        with pytest.raises(ValueError, match="ν has no maximum"):
            fit_davidson(votes, prior_sd=None)
        assert 0 < fit_davidson(votes).tie < math.inf


def test_few_clusters_cost_degrees_of_freedom():
    votes = from_pairs(
        ["x"] * 24,
        ["y"] * 24,
        [1, 0] * 12,
        labeler=[f"l{i % 3}" for i in range(24)],
        prompt=[f"p{i // 2}" for i in range(24)],
    )
    fitted = fit(votes)
    assert fitted.degrees_of_freedom == 2
    assert codes(fitted) == ["few_clusters"]
    assert "only 3 labelers" in fitted.problems[0].message
    assert fit(votes, cluster=["prompt"]).degrees_of_freedom == 11
    same = fit(votes, cluster=["prompt", "prompt"])
    assert same.covariance == pytest.approx(fit(votes, cluster=["prompt"]).covariance)


def test_settings_that_make_no_sense():
    votes = votes_of({("x", "y"): 1, ("y", "x"): 1})
    for prior_sd in (0, -1, math.inf, math.nan):
        with pytest.raises(ValueError, match="prior_sd"):
            fit(votes, prior_sd=prior_sd)
    with pytest.raises(ValueError, match="unknown cluster `team`"):
        fit(votes, cluster=["team"])


def test_a_fit_that_does_not_converge_says_so(monkeypatch):
    monkeypatch.setattr(newton, "MAX_ITERATIONS", 1)
    with pytest.raises(ValueError, match="did not converge"):
        fit(votes_of({("x", "y"): 30, ("y", "x"): 1}))


def test_overlong_steps_are_halved():
    # Separated, with weights over six orders of magnitude: a full Newton step would fall from
    # -2.7 to -18432.
    votes = from_pairs(
        list("bbcdd"), list("adbac"), [1] * 5, weight=[10_000, 0.01, 10_000, 10_000, 1]
    )
    fitted = fit(votes, prior_sd=30, cluster=())
    p = 1 / (1 + np.exp(fitted.strengths[votes.b] - fitted.strengths[votes.a]))
    surprise = votes.weight * (votes.outcome - p)
    pull = np.bincount(votes.a, surprise, 4) - np.bincount(votes.b, surprise, 4)
    assert pull == pytest.approx(fitted.strengths / 900, abs=1e-9)
