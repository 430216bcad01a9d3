"""Intervals: Wilson, clustered means and rates, bootstrap, sandwich."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from accord.ratings.covariance import sandwich
from accord.ratings.intervals import (
    bootstrap,
    clustered_mean,
    clustered_rate,
    critical_value,
    percentile_interval,
    wilson,
    win_rate,
)

sm = pytest.importorskip("statsmodels.api")
T1, T2, T3 = 12.7062047, 4.3026527, 3.1824463  # 97.5% points of Student's t with 1, 2, 3 df

# by hand


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(50, 100, 0.403832, 0.596168), (85, 100, 0.767164, 0.906940), (0, 10, 0, 0.277533)],
)
def test_wilson_of_known_counts(successes, n, low, high):
    assert wilson(successes, n) == pytest.approx((low, high), abs=1e-6)


def test_critical_values():
    assert critical_value(0.95) == pytest.approx(1.959964, abs=1e-6)
    assert critical_value(0.95, 1) == pytest.approx(T1, abs=1e-6)
    assert critical_value(0.5) == pytest.approx(0.674490, abs=1e-6)


def test_a_mean_of_two_prompts():
    # Cluster sums of residuals: -2 and 2, so se^2 = 2/1 * (4 + 4) / 16 = 1.
    estimate = clustered_mean([1, 1, 3, 3], ["p", "p", "q", "q"])
    assert estimate == pytest.approx((2, 2 - T1, 2 + T1, 4, 2), abs=1e-6)


def test_a_weighted_mean():
    # m = (3*0 + 1*4)/4 = 1; residuals -3, 3; se^2 = 2/1 * 18 / 16 = 9/4.
    estimate = clustered_mean([0, 4], [0, 1], weights=[3, 1])
    assert estimate == pytest.approx((1, 1 - 1.5 * T1, 1 + 1.5 * T1, 2, 2), abs=1e-6)


def test_independence_is_the_least_that_is_assumed():
    # Residuals cancel within each cluster; independent: 4/3 * 4 / 16 = 1/3.
    estimate = clustered_mean([1, 3, 3, 1], ["p", "p", "q", "q"])
    assert estimate.high - estimate.mean == pytest.approx(T1 / math.sqrt(3), abs=1e-6)


def test_normal_performance_in_elo_points():
    # 100 games whose differences have a sample sd of 282.843: the standard error is 28.284.
    half = 282.8427125 * math.sqrt(99 / 100)
    estimate = clustered_mean([half, -half] * 50, range(100))
    assert (estimate.high - estimate.mean) / critical_value(0.95, 99) == pytest.approx(
        28.284, abs=1e-3
    )


def test_a_rate_of_independent_answers_is_wilson_with_student_t():
    # Nothing is clustered: n stays 4, z becomes t with 3 degrees of freedom.
    z2n = T3**2 / 4
    center, half = (0.75 + z2n / 2) / (1 + z2n), math.sqrt(0.1875 * z2n + z2n**2 / 4) / (1 + z2n)
    estimate = clustered_rate([1, 1, 1, 0], range(4))
    assert estimate == pytest.approx((0.75, center - half, center + half, 4, 4), abs=1e-6)


def test_copies_of_an_answer_add_nothing():
    # Three prompts answered twice alike. Cluster sums of residuals 2/3, 2/3, -4/3: variance
    # 3/2 * 24/9 / 36 = 1/9. Independent: 6/5 * 12/9 / 36 = 2/45. The design effect is 2.5.
    estimate = clustered_rate([1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 2, 2])
    z2n = T2**2 / (6 / 2.5)
    center = (2 / 3 + z2n / 2) / (1 + z2n)
    half = math.sqrt(2 / 9 * z2n + z2n**2 / 4) / (1 + z2n)
    assert estimate[:3] == pytest.approx((2 / 3, center - half, center + half), abs=1e-6)


@pytest.mark.parametrize(("value", "low"), [(1.0, 0.0), (0.0, 0.0), (0.5, 0.0)])
def test_equal_values_count_each_cluster_once(value, low):
    estimate = clustered_rate([value] * 20, [0, 1] * 10)
    z2n = T1**2 / 2
    expected = {1.0: (1 / (1 + z2n), 1), 0.0: (0, z2n / (1 + z2n))}
    if value in expected:
        assert estimate[1:3] == pytest.approx(expected[value], abs=1e-6)
    assert low <= estimate.low <= value <= estimate.high <= 1
    assert estimate.high - estimate.low > 0.9


def test_win_rate_counts():
    rate = win_rate([1, 1, 0, 0.5, 0.5], range(5))
    assert (rate.wins, rate.losses, rate.ties, rate.n, rate.n_clusters) == (2, 1, 2, 5, 5)
    assert rate.decided == pytest.approx(2 / 3)
    assert rate.half_ties == pytest.approx(0.6)
    assert (rate.decided_low, rate.decided_high) == clustered_rate([1, 1, 0], range(3))[1:3]
    assert rate.decided_low < rate.half_ties_low < 0.6 < rate.half_ties_high < rate.decided_high


def test_percentiles():
    assert percentile_interval(range(101), 0.9) == pytest.approx((5, 95))
    assert percentile_interval([math.nan, 1, 2, 3], 0.5) == (1.5, 2.5)


def test_two_way_sandwich_by_hand():
    scores = np.array([[1.0], [2.0], [4.0]])
    first, second = np.array([0, 0, 1]), np.array([0, 1, 1])
    # one way: (1+2)^2 + 4^2 = 25 and 1 + (2+4)^2 = 37, each * 2; both: 1 + 4 + 16 = 21, * 3/2.
    both_ways = sandwich(scores, np.eye(1) * 2, [first, second])
    assert both_ways == pytest.approx(4 * (50 + 74 - 31.5))


# by law


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_contains_the_rate_and_mirrors(counts):
    successes, n = counts
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    assert (low == 0) == (successes == 0)  # exactly, not up to rounding
    assert (high == 1) == (successes == n)
    assert wilson(n - successes, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 4)), min_size=2, max_size=20))
def test_a_mean_moves_with_its_values(rows):
    values, clusters = (np.array(column) for column in zip(*rows, strict=True))
    if len(set(clusters)) > 1:
        one, other = clustered_mean(values, clusters), clustered_mean(3 * values + 7, clusters)
        for before, after in zip(one[:3], other[:3], strict=True):
            assert after == pytest.approx(3 * before + 7, abs=1e-6)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=20),
    st.sampled_from([0.5, 0.9, 0.95]),
)
def test_a_rate_lies_in_its_interval_and_more_confidence_is_wider(rows, confidence):
    values, clusters = zip(*rows, strict=True)
    rate = clustered_rate(values, clusters, confidence)
    wider = clustered_rate(values, clusters, 0.99)
    assert 0 <= wider.low <= rate.low <= rate.mean <= rate.high <= wider.high <= 1


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=30))
def test_the_loser_has_the_mirrored_win_rate(outcomes):
    clusters = [i // 2 for i in range(len(outcomes))]
    rate = win_rate(outcomes, clusters)
    mirrored = win_rate([1 - o for o in outcomes], clusters)
    assert mirrored.decided == pytest.approx(1 - rate.decided)
    assert mirrored.decided_low == pytest.approx(1 - rate.decided_high, abs=1e-9)
    assert mirrored.half_ties_high == pytest.approx(1 - rate.half_ties_low, abs=1e-9)
    assert (mirrored.wins, mirrored.losses) == (rate.losses, rate.wins)


def test_the_bootstrap_depends_on_its_seed_only():
    values = np.arange(10.0)

    def statistic(i):
        return float(values[i].mean())

    first = bootstrap(statistic, range(10), draws=50, seed=1)
    assert (first == bootstrap(statistic, range(10), draws=50, seed=1)).all()
    assert (first != bootstrap(statistic, range(10), draws=50, seed=2)).any()


def test_whole_clusters_are_drawn():
    clusters = np.array([0, 1, 1, 1])
    sizes = set(bootstrap(lambda i: float(len(i)), clusters, draws=200))
    assert sizes == {2, 4, 6}


# by twin


def test_a_clustered_mean_is_least_squares_with_clustered_errors():
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(12), 5)
    values = rng.normal(size=60) + 2 * rng.normal(size=12)[clusters]
    weights = rng.uniform(0.5, 2, size=60)
    ours = clustered_mean(values, clusters, 0.9, weights=weights)
    twin = sm.WLS(values, np.ones(60), weights=weights).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False}
    )
    half = twin.bse[0] * math.sqrt(12 / 11) * stats.t.ppf(0.95, 11)
    mean = twin.params[0]
    assert ours[:3] == pytest.approx((mean, mean - half, mean + half))


def test_the_bootstrap_agrees_with_the_clustered_mean():
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(60), 4)
    values = rng.normal(size=240) + rng.normal(size=60)[clusters]
    draws = bootstrap(lambda i: float(values[i].mean()), clusters, draws=2000, seed=3)
    estimate = clustered_mean(values, clusters)
    assert draws.std() == pytest.approx((estimate.high - estimate.mean) / 2.0, rel=0.06)


@pytest.mark.parametrize("ways", [1, 2])
def test_the_sandwich_is_that_of_a_logistic_regression(ways):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 3))
    groups = [rng.integers(0, 15, 300), rng.integers(0, 8, 300)][:ways]
    y = rng.uniform(size=300) < 1 / (1 + np.exp(-x @ [0.5, -0.5, 0.2]))
    twin = sm.GLM(y * 1.0, x, family=sm.families.Binomial()).fit()
    residual = y - twin.fittedvalues
    bread = np.linalg.inv((x * (twin.fittedvalues * (1 - twin.fittedvalues))[:, None]).T @ x)

    def slow(codes):
        meat = np.zeros((3, 3))
        for code in sorted(set(codes)):
            score = sum((x[i] * residual[i] for i in range(300) if codes[i] == code), np.zeros(3))
            meat += np.outer(score, score)
        return bread @ meat @ bread * len(set(codes)) / (len(set(codes)) - 1)

    expected = slow(groups[0].tolist())
    if ways == 1:
        robust = sm.GLM(y * 1.0, x, family=sm.families.Binomial()).fit(
            cov_type="cluster", cov_kwds={"groups": groups[0], "use_correction": False}
        )
        assert expected == pytest.approx(robust.cov_params() * 15 / 14, rel=1e-6)
    else:
        both = [a * 100 + b for a, b in zip(*groups, strict=True)]
        expected = expected + slow(groups[1].tolist()) - slow(both)
    assert sandwich(x * residual[:, None], bread, groups) == pytest.approx(expected, rel=1e-9)


# edges


def test_one_cluster_says_nothing_about_spread():
    assert clustered_mean([1, 2], [0, 0]) == (1.5, -math.inf, math.inf, 2, 1)
    rate = clustered_rate([1, 0], [0, 0])
    assert rate[1:3] == pytest.approx(wilson(0.5, 1))


def test_one_observation():
    assert clustered_mean([2], ["p"]) == (2, -math.inf, math.inf, 1, 1)
    assert clustered_rate([1], ["p"])[1:3] == pytest.approx(wilson(1, 1))


def test_nothing_decided():
    rate = win_rate([0.5, 0.5], [0, 1])
    assert (rate.decided, rate.decided_low, rate.decided_high) == (0.5, 0, 1)
    assert (rate.ties, rate.n) == (2, 2)


def test_equal_values_up_to_rounding_do_not_collapse():
    rate = clustered_rate([0.1] * 30, [i % 3 for i in range(30)])
    assert rate.high - rate.low > 0.3


def test_all_draws_undefined():
    assert all(math.isnan(end) for end in percentile_interval([math.nan]))


@pytest.mark.parametrize("confidence", [0, 1, 1.5])
@pytest.mark.parametrize(
    "function",
    [critical_value, lambda c: percentile_interval([1, 2], c), lambda c: wilson(1, 2, c)],
)
def test_confidence_must_be_a_probability(function, confidence):
    with pytest.raises(ValueError, match="confidence"):
        function(confidence)


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_counts_that_make_no_sense(successes, n):
    with pytest.raises(ValueError, match="`n` must be above 0"):
        wilson(successes, n)


def test_observations_that_make_no_sense():
    for values, clusters, weights, message in [
        ([], [], None, "no observations"),
        ([1, 2], [0], None, "one entry"),
        ([1, 2], [0, 1], [1], "one entry"),
        ([1, math.nan], [0, 1], None, "finite"),
        ([1, 2], [0, 1], [-1, 2], "weights"),
        ([1, 2], [0, 1], [0, 0], "weights"),
    ]:
        with pytest.raises(ValueError, match=message):
            clustered_mean(values, clusters, weights=weights)
    for value, function in product([-0.1, 1.1], [clustered_rate, win_rate]):
        with pytest.raises(ValueError, match=r"between 0 and 1|must be 1"):
            function([value], [0])


def test_clusterings_that_make_no_sense():
    scores, bread, codes = np.ones((2, 1)), np.eye(1), np.array([0, 1])
    for clusters in ([], [codes] * 3):
        with pytest.raises(ValueError, match="one or two"):
            sandwich(scores, bread, clusters)
    with pytest.raises(ValueError, match="at least two clusters"):
        sandwich(scores, bread, [np.array([4, 4])])
