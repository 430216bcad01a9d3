"""Rankings with ties: against Davidson's model, choix, and slow sums over all sets."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from accord.ratings import few_clusters
from accord.ratings.choices import choices_of, likelihood, ranking_scores
from accord.ratings.fit import fit
from accord.ratings.plackett_luce import fit_rankings
from accord.ratings.votes import Ranking, from_rankings

choix = pytest.importorskip("choix")
NAMES = tuple("vwxyz")


def some_rankings(seed, n=60, sizes=(2, 3, 4, 5), ties=True):
    """Noisy rankings of five policies, with ties, labelers and prompts."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        chosen = rng.permutation(5)[: rng.choice(sizes)]
        worth = np.linspace(1, -1, 5)[chosen] + rng.gumbel(size=len(chosen))
        ranks = 1 + np.argsort(np.argsort(-worth))
        if ties:
            ranks = (ranks + 1) // 2 if i % 3 == 0 else ranks
        found.append(
            Ranking(
                tuple(NAMES[j] for j in chosen),
                tuple(int(r) for r in ranks),
                labeler=f"l{i % 12}",
                prompt=f"p{i % 7}",
            )
        )
    return found


def slow_log_likelihood(rankings, parameters, sizes):
    """Turner et al. 2020, eq. 3, literally; ``parameters`` are log worths and then log δ."""
    worth = dict(zip(NAMES, np.exp(parameters[:5]), strict=True))
    delta = {1: 1.0} | {t: math.exp(p) for t, p in zip(sizes, parameters[5:], strict=True)}
    total = 0.0
    for ranking in rankings:
        left = list(zip(ranking.names, ranking.ranks, strict=True))
        while len(left) > 1:
            best = min(rank for _, rank in left)
            top = [name for name, rank in left if rank == best]

            def weight(names):
                product = math.prod(worth[name] for name in names)
                return delta[len(names)] * product ** (1 / len(names))

            every = sum(
                weight([left[i][0] for i in chosen])
                for t in delta
                for chosen in combinations(range(len(left)), t)
            )
            total += ranking.weight * math.log(weight(top) / every)
            left = [(name, rank) for name, rank in left if rank != best]
    return total


# by hand


def test_a_ranking_of_three_by_hand():
    # x > y = z at equal worths with δ = 2: (1/(3 + 3·2)) · (2/(2 + 2)).
    choices, sizes = choices_of([Ranking(tuple("xyz"), (1, 2, 2))], tuple("xyz"))
    curve = likelihood(choices, 3, 1)(np.array([0, 0, 0, math.log(2)]))
    assert sizes == (2,)
    assert curve.value == pytest.approx(math.log(1 / 9 * 2 / 4))
    # First choice: E z_x = 1/9 + 2·2/9·½ = ⅓, ties 6/9; then y and z tie with probability ½.
    assert curve.gradient == pytest.approx([2 / 3, -1 / 3, -1 / 3, -6 / 9 + 1 / 2])


def test_orders_of_ties_that_never_occur_are_left_out():
    rankings = [Ranking(tuple("vwxyz"), (1, 1, 1, 2, 3)), Ranking(tuple("vw"), (2, 1))]
    assert choices_of(rankings, NAMES)[1] == (3,)
    assert set(fit_rankings(rankings).ties) == {3}
    assert fit_rankings(rankings).tie is None


# by law


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_derivatives_are_those_of_the_slow_likelihood(seed):
    rankings = some_rankings(seed, n=12)
    choices, sizes = choices_of(rankings, NAMES)
    climb = likelihood(choices, 5, len(sizes))
    at = np.random.default_rng(seed).normal(size=5 + len(sizes))
    curve = climb(at)
    assert curve.value == pytest.approx(slow_log_likelihood(rankings, at, sizes))
    step = 1e-5 * np.eye(len(at))
    slope = [(climb(at + s).value - climb(at - s).value) / 2e-5 for s in step]
    assert curve.gradient == pytest.approx(slope, abs=1e-6)
    bend = [(climb(at - s).gradient - climb(at + s).gradient) / 2e-5 for s in step]
    assert curve.information == pytest.approx(np.array(bend), abs=1e-6)
    scores = ranking_scores(choices, at, 5, len(rankings)).toarray()
    assert scores.sum(axis=0) == pytest.approx(curve.gradient)


def test_two_responses_are_davidson(monkeypatch):
    monkeypatch.setattr(few_clusters, "LEVERAGE", math.inf)  # pairs only are adjusted for it
    rankings = some_rankings(1, n=200, sizes=(2,))
    one = fit(rankings, "plackett_luce")
    other = fit(from_rankings(rankings), "davidson")
    assert one.strengths == pytest.approx(other.strengths, abs=1e-8)
    assert one.covariance == pytest.approx(other.covariance, abs=1e-8)
    assert one.model_covariance == pytest.approx(other.model_covariance, abs=1e-8)
    assert one.tie == pytest.approx(other.tie)
    assert one.log_likelihood == pytest.approx(other.log_likelihood)
    assert one.degrees_of_freedom == other.degrees_of_freedom
    assert one.groups == other.groups
    assert one.votes.tolist() == other.votes.tolist()


def test_two_responses_without_ties_are_bradley_terry():
    rankings = some_rankings(2, n=100, sizes=(2,), ties=False)
    one, other = fit(rankings, "plackett_luce"), fit(rankings, "bradley_terry")
    assert one.strengths == pytest.approx(other.strengths, abs=1e-8)
    assert one.tie is None


def test_the_order_of_responses_and_rankings_does_not_matter():
    rankings = some_rankings(3)
    turned = [
        Ranking(r.names[::-1], r.ranks[::-1], labeler=r.labeler, prompt=r.prompt)
        for r in rankings[::-1]
    ]
    one, other = fit_rankings(rankings), fit_rankings(turned)
    assert one.strengths == pytest.approx(other.strengths, abs=1e-9)
    assert one.covariance == pytest.approx(other.covariance, abs=1e-9)


def test_weights_are_repeated_rankings():
    rankings = some_rankings(4, n=20)
    heavy = [Ranking(r.names, r.ranks, labeler=r.labeler, weight=2.0) for r in rankings]
    again = [Ranking(r.names, r.ranks, labeler=r.labeler) for r in rankings for _ in range(2)]
    one, other = (fit_rankings(r, cluster=["labeler"]) for r in (heavy, again))
    assert one.strengths == pytest.approx(other.strengths, abs=1e-9)
    assert one.covariance == pytest.approx(other.covariance, abs=1e-9)


# by twin


def test_without_ties_it_is_choix():
    rankings = some_rankings(5, n=300, ties=False)
    data = [
        tuple(NAMES.index(n) for _, n in sorted(zip(r.ranks, r.names, strict=True)))
        for r in rankings
    ]
    exact = fit_rankings(rankings, prior_sd=None)
    assert exact.strengths == pytest.approx(choix.opt_rankings(5, data), abs=1e-4)
    shrunk = fit_rankings(rankings, prior_sd=0.5)  # choix's penalty is α Σ θ²: α = 1/(2 sd²)
    assert shrunk.strengths == pytest.approx(choix.opt_rankings(5, data, alpha=2.0), abs=1e-4)


def test_with_ties_it_is_a_slow_minimization():
    rankings = some_rankings(6, n=40)
    _, sizes = choices_of(rankings, NAMES)

    def cost(parameters):
        prior = float(parameters @ parameters) / (2 * 0.8**2)
        return prior - slow_log_likelihood(rankings, parameters, sizes)

    start = np.zeros(5 + len(sizes))
    twin = optimize.minimize(cost, start, method="BFGS", options={"gtol": 1e-4}).x
    fitted = fit_rankings(rankings, prior_sd=0.8)
    assert fitted.strengths == pytest.approx(twin[:5], abs=1e-4)
    assert [math.log(d) for d in fitted.ties.values()] == pytest.approx(twin[5:], abs=1e-3)


# edges


def test_a_ranking_counts_its_information_once():
    # A ranking of five is ten pairs, but not ten independent votes.
    rankings = some_rankings(7, n=80, sizes=(5,), ties=False)
    whole = fit_rankings(rankings, cluster=()).covariance
    pairs = fit(rankings, "bradley_terry", cluster=()).covariance
    assert np.trace(pairs) < 0.75 * np.trace(whole)
    alone = fit_rankings(rankings, cluster=["vote"])
    assert alone.degrees_of_freedom == 79
    assert np.trace(alone.covariance) == pytest.approx(np.trace(whole), rel=0.2)


def test_problems_of_rankings_are_named():
    unbeaten = [Ranking(("x", "y", "z"), (1, 2, 3)), Ranking(("x", "y", "z"), (1, 3, 2))] * 6
    with pytest.raises(ValueError, match="no maximum"):
        fit_rankings(unbeaten, prior_sd=None)
    fitted = fit_rankings(unbeaten)
    assert [p.code for p in fitted.problems] == ["unbeaten", "unknown_labelers"]
    x, y, z = fitted.strengths
    assert x > y == pytest.approx(z)
    apart = [Ranking(("a", "b"), (1, 2)), Ranking(("c", "d"), (1, 1))]
    assert "disconnected" in [p.code for p in fit_rankings(apart).problems]
    assert fit_rankings(apart).groups == (("a", "b"), ("c", "d"))


def test_all_ties_are_finite_and_wide():
    fitted = fit_rankings([Ranking(("x", "y", "z"), (1, 1, 1))] * 9)
    assert fitted.strengths == pytest.approx(np.zeros(3), abs=1e-9)
    assert fitted.model_covariance[0, 0] > 1
    assert math.isfinite(fitted.ties[3])


def test_rankings_that_found_all_bad_are_counted_and_move_nothing():
    rankings = [Ranking(("x", "y"), (1, 2))] * 3 + [Ranking(("x", "y"), (2, 1))]
    bad = [Ranking(("x", "y", "z"), (1, 1, 1), both_bad=True)] * 5
    alone, beside = fit_rankings(rankings), fit_rankings(rankings + bad)
    assert beside.names == ("x", "y", "z")
    assert beside.strengths[:2] == pytest.approx(alone.strengths, abs=1e-9)
    assert beside.both_bad.tolist() == [10, 10, 10]  # each met two others five times
    assert (beside.tie, beside.votes.tolist()) == (None, [4, 4, 0])
    assert [p.code for p in fit_rankings(bad).problems] == ["unplayed"]


def test_one_policy_alone_and_nothing_that_counts():
    for ranking in (Ranking(("x", "x"), (1, 2)), Ranking(("x", "x"), (1, 1), weight=0)):
        fitted = fit_rankings([ranking] * 3)
        assert (fitted.names, fitted.strengths.tolist()) == (("x",), [0])
        assert [p.code for p in fitted.problems] == ["unplayed"]


def test_one_labeler_who_decides_is_named():
    ann = [Ranking(("x", "y"), (1, 2), labeler="ann")] * 30
    others = [Ranking(("x", "y"), (2, 1), labeler=f"l{i}") for i in range(20)]
    (found,) = [p for p in fit_rankings(ann + others).problems if p.code == "dominant_labeler"]
    assert "`ann` gave 60% of the votes; without them `y` comes before `x`" in found.message


def test_what_cannot_be_ranked():
    with pytest.raises(ValueError, match="nothing to rate"):
        fit_rankings([])
    with pytest.raises(ValueError, match="unknown cluster `team`"):
        fit_rankings(some_rankings(1), cluster=["team"])
    with pytest.raises(ValueError, match="prior_sd"):
        fit_rankings(some_rankings(1), prior_sd=-1)
    with pytest.raises(ValueError, match="takes rankings and no covariates"):
        fit(from_rankings(some_rankings(1)), "plackett_luce")
    many = Ranking(tuple(f"m{i}" for i in range(30)), (1,) * 6 + tuple(range(2, 26)))
    with pytest.raises(ValueError, match="too many sets"):
        fit_rankings([many])
