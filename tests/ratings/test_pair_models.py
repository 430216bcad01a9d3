"""Models of one vote: probabilities and derivatives, and fits against slow or foreign twins."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from accord.ratings import few_clusters
from accord.ratings.davidson import terms as davidson_terms
from accord.ratings.elo import POINTS_PER_NAT
from accord.ratings.fit import MODELS, fit
from accord.ratings.rao_kupper import terms as rao_kupper_terms
from accord.ratings.rao_kupper import win_probability
from accord.ratings.tables import differences
from accord.ratings.thurstone import POINTS_PER_SD
from accord.ratings.thurstone import terms as thurstone_terms
from accord.ratings.votes import from_columns, from_pairs

sm = pytest.importorskip("statsmodels.api")
WITH_TIES = ("davidson", "rao_kupper")


def a_tournament(seed, n=600, names="vwxyz", labelers=12, prompts=40, tied=0.2):
    """Noisy votes on five policies, with ties, labelers, prompts, sides and lengths."""
    rng = np.random.default_rng(seed)
    strength = np.linspace(-1, 1, len(names))
    a = rng.integers(len(names), size=n)
    b = (a + rng.integers(1, len(names), size=n)) % len(names)
    won = rng.uniform(size=n) < 1 / (1 + np.exp(strength[b] - strength[a]))
    outcome = np.where(rng.uniform(size=n) < tied, 0.5, won)
    return from_columns(
        [names[i] for i in a],
        [names[i] for i in b],
        outcome,
        labeler=[f"l{i}" for i in rng.integers(labelers, size=n)],
        prompt=[f"p{i}" for i in rng.integers(prompts, size=n)],
        a_first=rng.integers(2, size=n),
        covariates={"length": rng.normal(size=n)},
    )


# by hand


@pytest.mark.parametrize(
    ("points", "p"), [(100, 0.6381632), (200, 0.7602499), (400, 0.9213504), (0, 0.5)]
)
def test_thurstone_on_the_elo_scale(points, p):
    # Elo 1978: performances N(R, 200²), so differences have a standard deviation of 282.843.
    assert POINTS_PER_SD == pytest.approx(282.843, abs=1e-3)
    win = np.exp(thurstone_terms(np.array([points / POINTS_PER_SD])).log_p[2, 0])
    assert win == pytest.approx(p, abs=1e-7)


def test_thurstone_of_two_policies():
    # 3 : 1 is Φ⁻¹(0.75) = 0.6744898 standard deviations = 190.77 points.
    votes = from_pairs(["x"] * 4, ["y"] * 4, [1, 1, 1, 0])
    (gap,) = differences(fit(votes, "thurstone", prior_sd=None, cluster=()))
    assert gap.difference == pytest.approx(0.6744898 * 282.8427, abs=1e-3)
    assert gap.p_a_beats_b == pytest.approx(0.75)
    # se = √(p q / n) / φ(z): √(0.1875/4) / 0.3177766 = 0.681316 standard deviations.
    assert (gap.high - gap.difference) / 1.959964 == pytest.approx(0.681316 * 282.8427, abs=1e-2)


def test_rao_kupper_of_two_policies():
    # 6 wins, 3 losses, 3 ties fitted exactly: p = α/(α + κ) = ½, q = 1/(1 + κα) = ¼, so α = κ
    # and κ² = 3.
    votes = from_pairs(["x"] * 12, ["y"] * 12, [1] * 6 + [0] * 3 + [0.5] * 3)
    exact = fit(votes, "rao_kupper", prior_sd=None)
    assert exact.tie == pytest.approx(math.sqrt(3))
    assert exact.strengths == pytest.approx([math.log(3) / 4, -math.log(3) / 4])
    assert exact.log_likelihood == pytest.approx(6 * math.log(1 / 2) + 6 * math.log(1 / 4))
    (gap,) = differences(exact)
    assert gap.p_a_beats_b == pytest.approx(6 / 9)  # of the decided votes


def test_two_packages_of_r_agree():
    # A>B, C>A, B>A, B>C in PlackettLuce (Turner et al. 2020, Overview, section 2.3):
    # B 0.8392 (1.3596) and C 0.4196 (1.5973) above A, residual deviance 5.1356.
    exact = fit(from_pairs(list("ACBB"), list("BAAC"), [1] * 4), prior_sd=None, cluster=())
    a, b, c = exact.strengths
    assert (b - a, c - a) == pytest.approx((0.8392, 0.4196), abs=5e-5)
    for other, se in ((1, 1.3596), (2, 1.5973)):
        contrast = np.zeros(3)
        contrast[[0, other]] = -1, 1
        variance = contrast @ exact.covariance @ contrast
        assert math.sqrt(variance) == pytest.approx(se, abs=2e-3)
    assert -2 * exact.log_likelihood == pytest.approx(5.1356, abs=5e-5)


def test_equal_policies_tie_as_often_in_both_models_of_ties():
    for nu in (0.1, 1.0, 7.0):
        davidson = np.exp(davidson_terms(np.zeros(1), math.log(nu)).log_p[:, 0])
        rao_kupper = np.exp(rao_kupper_terms(np.zeros(1), math.log(nu)).log_p[:, 0])
        assert davidson == pytest.approx([1 / (2 + nu), nu / (2 + nu), 1 / (2 + nu)])
        assert rao_kupper == pytest.approx(davidson)


# by law


@pytest.mark.parametrize("model", MODELS)
@given(gap=st.floats(-8, 8), tie=st.floats(-4, 4))
@settings(deadline=None, max_examples=40)
def test_derivatives_are_those_of_the_logarithms(model, gap, tie):
    step, terms = 1e-5, MODELS[model].terms
    at = terms(np.array([gap]), tie)
    more, less = (terms(np.array([gap + d]), tie) for d in (step, -step))
    assert (more.log_p - less.log_p) / (2 * step) == pytest.approx(at.by_gap, abs=1e-6)
    assert (more.by_gap - less.by_gap) / (2 * step) == pytest.approx(at.by_gap_gap, abs=1e-6)
    if model in WITH_TIES:
        assert np.exp(at.log_p).sum() == pytest.approx(1)
        more, less = (terms(np.array([gap]), tie + d) for d in (step, -step))
        for slope, known in (
            ("log_p", "by_tie"),
            ("by_gap", "by_gap_tie"),
            ("by_tie", "by_tie_tie"),
        ):
            found = (getattr(more, slope) - getattr(less, slope)) / (2 * step)
            assert found == pytest.approx(getattr(at, known) + 0 * found, abs=1e-6)


@pytest.mark.parametrize("model", MODELS)
@given(gap=st.floats(-300, 300))
def test_swapping_the_policies_swaps_wins_and_losses(model, gap):
    one, other = (MODELS[model].terms(np.array([g]), 0.3).log_p for g in (gap, -gap))
    assert np.isfinite(one).all()
    assert one == pytest.approx(other[::-1])


@pytest.mark.parametrize("model", MODELS)
def test_names_weights_order_and_direction_do_not_matter(model):
    votes = a_tournament(5, n=200)
    whole = fit(votes, model, covariates=("side", "length"))
    order = np.random.default_rng(0).permutation(len(votes))
    names = votes.names
    other = from_columns(
        [names[i] for i in votes.b[order]],
        [names[i] for i in votes.a[order]],
        1 - votes.outcome[order],
        labeler=[votes.labelers[i] for i in votes.labeler[order]],
        prompt=[votes.prompts[i] for i in votes.prompt[order]],
        a_first=1 - votes.a_first[order],
        covariates={"length": -votes.covariates["length"][order]},
    )
    twin = fit(other, model, covariates=("side", "length"))
    for field in ("strengths", "covariance", "coefficients", "coefficient_covariance"):
        assert getattr(twin, field) == pytest.approx(getattr(whole, field), abs=1e-9)
    assert twin.tie == (None if whole.tie is None else pytest.approx(whole.tie))


@pytest.mark.parametrize("model", MODELS)
def test_weights_are_repeated_votes(model):
    columns = {"labeler": ["k", "k", "l", "m"]}
    weighted = fit(
        from_columns(list("xyxy"), list("yzyx"), [1, 1, 0.5, 1], weight=[3, 2, 2, 1], **columns),
        model,
        cluster=["labeler"],
    )
    again = [0, 0, 0, 1, 1, 2, 2, 3]
    repeated = fit(
        from_columns(
            [list("xyxy")[i] for i in again],
            [list("yzyx")[i] for i in again],
            [[1, 1, 0.5, 1][i] for i in again],
            labeler=[columns["labeler"][i] for i in again],
        ),
        model,
        cluster=["labeler"],
    )
    assert weighted.strengths == pytest.approx(repeated.strengths)
    assert weighted.covariance == pytest.approx(repeated.covariance)
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood)


def test_the_prior_is_as_wide_in_points_in_every_model():
    # With so weak a prior as the only knowledge of how far x is ahead, its gap is finite and
    # much the same in points.
    unbeaten = from_pairs(["x"] * 40, ["y"] * 40, [1] * 40)
    points = [
        float(f.strengths @ [1, -1]) * f.points_per_unit
        for f in (fit(unbeaten, model) for model in MODELS)
    ]
    assert all(500 < p < 1400 for p in points)


# by twin


def slow_cost(votes, model, prior_sd):
    """Minus the log-likelihood and the prior, vote by vote."""

    def cost(parameters):
        total = sum(p * p for p in parameters) / (2 * prior_sd**2)
        nu = math.exp(parameters[5])
        for a, b, outcome in zip(votes.a, votes.b, votes.outcome, strict=True):
            x, y = math.exp(parameters[a]), math.exp(parameters[b])
            if model == "davidson":
                win, loss, tie = x, y, nu * math.sqrt(x * y)
            else:
                kappa = 1 + nu
                win, loss = x / (x + kappa * y), y / (y + kappa * x)
                tie = (kappa**2 - 1) * win * loss
            chosen = {1.0: win, 0.0: loss, 0.5: tie}[float(outcome)]
            total -= math.log(chosen / (win + loss + tie))
        return total

    return cost


@pytest.mark.parametrize("model", WITH_TIES)
def test_models_of_ties_are_a_slow_minimization(model):
    votes = a_tournament(4, n=150)
    cost = slow_cost(votes, model, 0.7)
    twin = optimize.minimize(cost, np.zeros(6), method="BFGS", options={"gtol": 1e-5}).x
    fitted = fit(votes, model, prior_sd=0.7, cluster=())
    assert fitted.strengths == pytest.approx(twin[:5], abs=1e-4)
    nu = fitted.tie if model == "davidson" else fitted.tie - 1
    assert math.log(nu) == pytest.approx(twin[5], abs=1e-4)
    step, at = 1e-3 * np.eye(6), np.append(fitted.strengths, math.log(nu))
    hessian = [
        [
            (cost(at + p + q) - cost(at + p - q) - cost(at - p + q) + cost(at - p - q)) / 4e-6
            for p in step
        ]
        for q in step
    ]
    contrast = np.array([1, 0, 0, 0, -1])
    assert contrast @ fitted.covariance @ contrast == pytest.approx(
        contrast @ np.linalg.inv(hessian)[:5, :5] @ contrast, rel=1e-3
    )


def design(votes, covariates=()):
    """The first four strengths, the last being minus their sum, and covariates."""
    x = np.zeros((len(votes), 5))
    x[np.arange(len(votes)), votes.a] = 1
    x[np.arange(len(votes)), votes.b] = -1
    columns = [votes.covariate(name)[:, None] for name in covariates]
    return np.hstack([x[:, :4] - x[:, 4:], *columns])


@pytest.mark.parametrize("cluster", [(), ("labeler",), ("prompt",)])
def test_thurstone_is_a_clustered_probit_regression(cluster, monkeypatch):
    monkeypatch.setattr(few_clusters, "LEVERAGE", math.inf)  # statsmodels does not adjust for it
    votes = a_tournament(2, tied=0)
    x = design(votes, ("side", "length"))
    probit = sm.Probit(votes.outcome, x)
    if cluster:
        groups = getattr(votes, cluster[0])
        number = len(np.unique(groups))
        twin = probit.fit(
            disp=0, cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
        )
        covariance = twin.cov_params() * number / (number - 1)
    else:
        twin = probit.fit(disp=0)
        covariance = twin.cov_params()
    exact = fit(votes, "thurstone", prior_sd=None, cluster=cluster, covariates=("side", "length"))
    assert exact.strengths[:4] == pytest.approx(twin.params[:4], abs=1e-6)
    assert exact.coefficients == pytest.approx(twin.params[4:], abs=1e-6)
    assert exact.covariance[:4, :4] == pytest.approx(covariance[:4, :4], abs=1e-6)
    assert exact.coefficient_covariance == pytest.approx(covariance[4:, 4:], abs=1e-6)
    assert exact.log_likelihood == pytest.approx(twin.llf)


def test_controlled_ratings_are_a_clustered_logistic_regression(monkeypatch):
    monkeypatch.setattr(few_clusters, "LEVERAGE", math.inf)  # statsmodels does not adjust for it
    votes = a_tournament(3)
    x = design(votes, ("side", "length"))
    twin = sm.GLM(votes.outcome, x, family=sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": votes.labeler, "use_correction": False}
    )
    number = len(np.unique(votes.labeler))
    exact = fit(votes, prior_sd=None, cluster=("labeler",), covariates=("side", "length"))
    assert exact.strengths[:4] == pytest.approx(twin.params[:4], abs=1e-6)
    assert exact.coefficients == pytest.approx(twin.params[4:], abs=1e-6)
    covariance = twin.cov_params() * number / (number - 1)
    assert exact.covariance[:4, :4] == pytest.approx(covariance[:4, :4], abs=1e-6)
    assert exact.coefficient_covariance == pytest.approx(covariance[4:, 4:], abs=1e-6)


def test_maximum_likelihood_is_that_of_evalica():
    evalica = pytest.importorskip("evalica")
    votes = a_tournament(6)
    winner = {1.0: evalica.Winner.X, 0.0: evalica.Winner.Y, 0.5: evalica.Winner.Draw}
    names = votes.names
    twin = evalica.bradley_terry(
        [names[i] for i in votes.a],
        [names[i] for i in votes.b],
        [winner[float(o)] for o in votes.outcome],
        tolerance=1e-12,
        limit=10_000,
    )
    scores = np.log([float(twin.scores[name]) for name in names])
    exact = fit(votes, prior_sd=None)
    assert exact.strengths == pytest.approx(scores - scores.mean(), abs=1e-5)


def test_thurstone_and_bradley_terry_agree_in_points_where_both_know():
    votes = a_tournament(7, n=4000)
    one, other = (differences(fit(votes, m)) for m in ("bradley_terry", "thurstone"))
    for logistic, normal in zip(one, other, strict=True):
        assert normal.difference == pytest.approx(logistic.difference, rel=0.05, abs=3)


# edges


def test_a_threshold_makes_decided_votes_steeper():
    gap = np.linspace(-3, 3, 7)
    assert win_probability(gap, 1.0) == pytest.approx(1 / (1 + np.exp(-gap)))
    assert (
        np.abs(win_probability(gap, 3.0) - 0.5) >= np.abs(win_probability(gap, 1.0) - 0.5)
    ).all()
    assert win_probability(np.array([-900.0, 900.0]), 2.0) == pytest.approx([0, 1])


def test_far_in_the_tail_nothing_overflows():
    far = np.array([-1e4, -40.0, 40.0, 1e4])
    for model in MODELS.values():
        found = model.terms(far, -30.0)
        for part in found:
            assert part is None or np.isfinite(part).all()
    # log Φ(−40) = −804.608…; the slope there is close to 40.
    assert thurstone_terms(far).log_p[2, 1] == pytest.approx(stats.norm.logcdf(-40), rel=1e-12)
    assert thurstone_terms(far).by_gap[2, 1] == pytest.approx(40.025, abs=1e-3)
    assert POINTS_PER_NAT == pytest.approx(173.71779, abs=1e-5)


@pytest.mark.parametrize("points", [0.0, 35.0, 200.0, 400.0, 900.0])
def test_thurstone_predicts_what_openskill_predicts(points):
    models = pytest.importorskip("openskill.models")
    # Certain ratings (sigma of nearly 0) and 200 points for each player's day.
    model = models.ThurstoneMostellerFull(mu=1500.0, sigma=1e-6, beta=200.0)
    players = [[model.rating(mu=1500.0 + points)], [model.rating()]]
    votes = from_pairs(["x"] * 4, ["y"] * 4, [1, 1, 1, 0])
    p = fit(votes, "thurstone").win_probability(np.array(points / POINTS_PER_SD))
    assert p == pytest.approx(model.predict_win(players)[0], abs=1e-9)
