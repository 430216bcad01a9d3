"""Covariance from cells against one laid out vote by vote; the bootstrap; Newton's method."""

import math

import numpy as np
import pytest
from scipy import sparse

from accord.ratings import covariance as covariance_module
from accord.ratings import few_clusters, newton
from accord.ratings.bootstrap import cluster_bootstrap
from accord.ratings.cells import cells_of
from accord.ratings.covariance import clustered, inverse, sandwich
from accord.ratings.fit import MODELS, fit
from accord.ratings.fitted import relative
from accord.ratings.intervals import percentile_interval
from accord.ratings.likelihood import terms_at
from accord.ratings.newton import Curve, Graph, maximize
from accord.ratings.tables import differences
from accord.ratings.votes import from_columns

M = 5


def some_votes(seed, n=300, labelers=8, prompts=40):
    rng = np.random.default_rng(seed)
    a = rng.integers(M, size=n)
    b = (a + rng.integers(1, M, size=n)) % M
    return from_columns(
        [f"m{i}" for i in a],
        [f"m{i}" for i in b],
        rng.choice([0, 0.5, 1], size=n),
        labeler=[f"l{i}" for i in rng.integers(labelers, size=n)],
        prompt=[f"p{i}" for i in rng.integers(prompts, size=n)],
        a_first=rng.integers(2, size=n),
        weight=rng.choice([1.0, 2.0], size=n),
    )


def laid_out(votes, cells, model, parameters, has_tie):
    """Scores of every vote, [votes, parameters]."""
    terms = terms_at(cells, model.terms, parameters, has_tie=has_tie)
    rows = np.arange(len(votes))
    place = cells.clusterings["labeler"].place
    gap = terms.by_gap.ravel()[place] * votes.weight
    found = np.zeros((len(votes), len(parameters)))
    found[rows, votes.a] = gap
    found[rows, votes.b] = -gap
    found[:, M] = gap * votes.covariate("side")
    if has_tie:
        tie = np.broadcast_to(terms.by_tie, terms.by_gap.shape)
        found[:, -1] = tie.ravel()[place] * votes.weight
    return found


@pytest.mark.parametrize("model", ["bradley_terry", "rao_kupper"])
@pytest.mark.parametrize("ways", [["labeler"], ["prompt"], ["labeler", "prompt"]])
@pytest.mark.parametrize("prompts", [3, 40, 5000])
@pytest.mark.parametrize("dense_sums", [10**7, 1])
def test_cells_give_the_covariance_of_votes(model, ways, prompts, dense_sums, monkeypatch):
    monkeypatch.setattr(covariance_module, "DENSE_SUMS", dense_sums)
    monkeypatch.setattr(few_clusters, "LEVERAGE", math.inf)  # its correction is tested there
    votes = some_votes(0, prompts=prompts)
    cells = cells_of(votes, covariates=["side"])
    has_tie = MODELS[model].tie_of is not None
    parameters = np.random.default_rng(1).normal(size=M + 1 + has_tie)
    half = np.random.default_rng(2).normal(size=(len(parameters),) * 2)
    bread = half @ half.T
    terms = terms_at(cells, MODELS[model].terms, parameters, has_tie=has_tie)
    slow = sandwich(
        laid_out(votes, cells, MODELS[model], parameters, has_tie),
        bread,
        [getattr(votes, way) for way in ways],
    )
    assert clustered(cells, terms, bread, ways) == pytest.approx(slow, rel=1e-9, abs=1e-6)


def test_scores_sum_to_the_gradient():
    votes = some_votes(3)
    fitted = fit(votes, "davidson", prior_sd=None, covariates=["side"])
    cells = cells_of(votes, covariates=["side"])
    parameters = np.concatenate(
        [fitted.strengths, fitted.coefficients * cells.scale, [math.log(fitted.tie)]]
    )
    scores = laid_out(votes, cells, MODELS["davidson"], parameters, has_tie=True)
    assert scores.sum(axis=0) == pytest.approx(np.zeros(M + 2), abs=1e-8)


def test_an_inverse_that_does_not_exist():
    with pytest.raises(ValueError, match="leave some parameters open"):
        inverse(np.array([[1.0, 1.0], [1.0, 1.0]]))
    matrix = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]])
    assert inverse(matrix) == pytest.approx(np.linalg.inv(matrix))


def test_relative_to_each_group():
    half = np.random.default_rng(0).normal(size=(6, 6))
    whole, group = half @ half.T, np.array([0, 1, 0, 2, 1, 0])
    same = (group[:, None] == group[None, :]).astype(float)
    projection = np.eye(6) - same / same.sum(axis=1, keepdims=True)
    slow = projection @ whole @ projection
    slow[3, 3] = 4
    assert relative(whole, group, 2.0) == pytest.approx(slow)
    one = np.zeros(6, dtype=np.int64)
    projection = np.eye(6) - 1 / 6
    assert relative(whole, one, 2.0) == pytest.approx(projection @ whole @ projection)


# the bootstrap


@pytest.mark.parametrize("model", ["bradley_terry", "davidson"])
def test_the_bootstrap_agrees_with_the_sandwich(model):
    votes = some_votes(4, n=1500, labelers=60)
    drawn = cluster_bootstrap(votes, model, draws=300, seed=1)
    for fast, slow in zip(
        differences(fit(votes, model, cluster=["labeler"])), differences(drawn.fit), strict=True
    ):
        assert slow.difference == pytest.approx(fast.difference)
        assert slow.high - slow.low == pytest.approx(fast.high - fast.low, rel=0.2)
    points = drawn.fit.points_per_unit * (drawn.strengths[:, 0] - drawn.strengths[:, 1])
    low, high = percentile_interval(points)
    normal = differences(drawn.fit)[0]
    assert (low, high) == pytest.approx((normal.low, normal.high), abs=12)


def test_two_ways_of_drawing_are_wider_than_one():
    rng = np.random.default_rng(0)
    votes = some_votes(5, n=1200, labelers=30, prompts=30)
    mood = rng.choice([0.0, 1.0], size=30)[votes.prompt]  # votes on a prompt are alike
    alike = from_columns(
        [votes.names[i] for i in votes.a],
        [votes.names[i] for i in votes.b],
        np.where(rng.uniform(size=len(votes)) < 0.5, mood, votes.outcome),
        labeler=[votes.labelers[i] for i in votes.labeler],
        prompt=[votes.prompts[i] for i in votes.prompt],
    )
    one = cluster_bootstrap(alike, draws=100).fit.covariance
    two = cluster_bootstrap(alike, draws=100, cluster=["labeler", "prompt"]).fit.covariance
    assert np.trace(two) > np.trace(one)


def test_the_bootstrap_needs_something_to_draw_from():
    same = from_columns(["x"] * 4, ["y"] * 4, [1, 0] * 2, labeler=["ann"] * 4)
    with pytest.raises(ValueError, match="two clusters to draw from"):
        cluster_bootstrap(same)
    with pytest.raises(ValueError, match="two draws"):
        cluster_bootstrap(some_votes(6), draws=1)
    again = cluster_bootstrap(some_votes(6), draws=3, seed=2).strengths
    assert (again == cluster_bootstrap(some_votes(6), draws=3, seed=2).strengths).all()


# Newton's method


def test_a_hill_that_is_not_round():
    # ℓ = −log cosh(3 (x − 1)) − ¼ y⁴ − y²: full steps from far out overshoot.
    def hill(at):
        x, y = at
        t = math.tanh(3 * (x - 1))
        value = -(abs(3 * (x - 1)) + math.log1p(math.exp(-2 * abs(3 * (x - 1)))) - math.log(2))
        bend = np.diag([9 * (1 - t * t), 3 * y * y + 2])
        return Curve(value - y**4 / 4 - y**2, np.array([-3 * t, -(y**3) - 2 * y]), bend)

    top, curve = maximize(hill, np.array([2.5, 4.0]), np.zeros(2))
    assert top == pytest.approx([1, 0], abs=1e-6)
    assert curve.value == pytest.approx(0, abs=1e-9)


def test_a_slope_that_bends_the_wrong_way_is_climbed():
    # ℓ = −log(1 + x²) is concave only between −1 and 1.
    def bell(at):
        x = at[0]
        slope, bend = -2 * x / (1 + x * x), 2 * (1 - x * x) / (1 + x * x) ** 2
        return Curve(-math.log1p(x * x), np.array([slope]), np.array([[bend]]))

    top, _ = maximize(bell, np.array([5.0]), np.zeros(1))
    assert top == pytest.approx([0], abs=1e-6)


def test_a_graph_is_its_matrix():
    off = sparse.csr_array(np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, -2.0], [0.0, -2.0, 0.0]]))
    edge = np.array([[0.5], [0.0], [-0.5], [4.0]])
    graph = Graph(off, np.array([3.0, 4.0, 5.0]), edge).plus(np.array([0.1, 0.2, 0.3, 0.4]))
    whole = np.array(
        [
            [3.1, -1.0, 0.0, 0.5],
            [-1.0, 4.2, -2.0, 0.0],
            [0.0, -2.0, 5.3, -0.5],
            [0.5, 0.0, -0.5, 4.4],
        ]
    )
    assert graph.toarray() == pytest.approx(whole)
    assert graph.whole_diagonal() == pytest.approx(np.diag(whole))
    x = np.array([1.0, -2.0, 3.0, 0.5])
    assert graph @ x == pytest.approx(whole @ x)
    assert newton._step(graph, x) == pytest.approx(np.linalg.solve(whole, x))
