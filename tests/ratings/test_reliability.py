"""Labelers' habits: the likelihood, the fit, and who does not look."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, special

from accord.ratings import labeler_model, reliability
from accord.ratings.careless import HABIT_SD, STRONG
from accord.ratings.labeler_model import Point, evaluate, information, place_nodes, terms_of
from accord.ratings.reliability import fit_reliability, log_posterior
from accord.ratings.votes import from_columns, from_pairs

FILE = Path(__file__).parents[2] / "benchmarks" / "ratings_careless.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("ratings_careless", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def some_votes(seed=0, n=60, labelers=4, prompts=12):
    """Random votes of every kind: ties, weights, labelers who vote twice on one unit."""
    rng = np.random.default_rng(seed)
    first = rng.integers(3, size=n)
    second = (first + rng.integers(1, 3, size=n)) % 3
    return from_columns(
        ["xyz"[i] for i in first],
        ["xyz"[i] for i in second],
        [("a", "b", "tie")[i] for i in rng.integers(3, size=n)],
        labeler=[f"l{i}" for i in rng.integers(labelers, size=n)],
        prompt=[f"p{i}" for i in rng.integers(prompts, size=n)],
        a_first=rng.integers(2, size=n),
        weight=rng.choice([0.5, 1.0, 2.0], n),
        covariates={"length": rng.normal(size=n)},
    )


def a_point(seed=1, labelers=4):
    rng = np.random.default_rng(seed)
    spread = np.array([0.3, 0.5, 0.5, 0.3])
    traits = rng.normal([1.0, 0.0, 0.0, -0.5], spread, size=(labelers, 4))
    return Point(traits, rng.normal(size=3), 0.2)


def packed(point):
    return np.concatenate([point.traits.ravel(), point.strengths, [point.log_sd]])


def unpacked(x, like):
    cut = like.traits.size
    return Point(x[:cut].reshape(like.traits.shape), x[cut:-1], float(x[-1]))


def slopes(function, point, h=1e-5):
    """Numerical derivatives of a function of a point."""
    x = packed(point)
    return np.array(
        [
            (function(unpacked(x + step, point)) - function(unpacked(x - step, point))) / (2 * h)
            for step in np.eye(len(x)) * h
        ]
    )


# the likelihood


def test_the_likelihood_is_that_of_its_formula():
    """Every unit by adaptive quadrature of scipy, every vote from the formula of P(tie)."""
    votes, point = some_votes(), a_point()
    terms = terms_of(votes, votes.covariates["length"])
    s = math.exp(point.log_sd)

    def unit_likelihood(e, rows):
        total = math.exp(-(e**2) / (2 * s * s)) / (s * math.sqrt(2 * math.pi))
        for i in rows:
            k, bias, taste, log_tau = point.traits[votes.labeler[i]]
            q = point.strengths[votes.a[i]] - point.strengths[votes.b[i]] + e
            side, length = 2 * votes.a_first[i] - 1, votes.covariates["length"][i]
            eta = k * q + bias * side + taste * length
            better = special.expit(eta - math.exp(log_tau))
            worse = special.expit(-eta - math.exp(log_tau))
            p = {1.0: better, 0.0: worse, 0.5: 1 - better - worse}[votes.outcome[i]]
            total *= p ** votes.weight[i]
        return total

    units = [np.flatnonzero(votes.unit == u) for u in range(int(votes.unit.max()) + 1)]
    twin = sum(
        math.log(integrate.quad(unit_likelihood, -12, 12, args=(rows,), epsabs=1e-13)[0])
        for rows in units
    )
    found = evaluate(terms, point, place_nodes(terms, point))
    assert found.value == pytest.approx(twin, abs=2e-3)


def test_more_nodes_change_nothing(monkeypatch):
    votes, point = some_votes(), a_point()
    terms = terms_of(votes, votes.covariates["length"])
    seven = evaluate(terms, point, place_nodes(terms, point)).value
    monkeypatch.setattr(labeler_model, "NODES", 41)
    assert seven == pytest.approx(evaluate(terms, point, place_nodes(terms, point)).value, abs=1e-3)


def test_the_gradient():
    votes, point = some_votes(), a_point()
    terms = terms_of(votes, votes.covariates["length"])
    nodes, sd = place_nodes(terms, point), np.array([0.3, 0.5, 0.7, 0.4])
    found = packed(evaluate(terms, point, nodes).gradient)
    numerical = slopes(lambda at: evaluate(terms, at, nodes).value, point)
    assert found == pytest.approx(numerical, abs=1e-7)
    found = packed(log_posterior(terms, point, nodes, sd)[1])
    numerical = slopes(lambda at: log_posterior(terms, at, nodes, sd)[0], point)
    assert found == pytest.approx(numerical, abs=1e-7)


def test_the_information_is_the_curvature_of_each_labeler():
    votes, point = some_votes(), a_point()
    terms = terms_of(votes, votes.covariates["length"])
    nodes = place_nodes(terms, point)
    known = information(terms, point, nodes, evaluate(terms, point, nodes))
    bend = slopes(lambda at: packed(evaluate(terms, at, nodes).gradient), point)
    for i in range(4):
        block = slice(4 * i, 4 * i + 4)
        assert known.observed[i] == pytest.approx(-bend[block, block], abs=1e-7)


def test_blocks_change_nothing(monkeypatch):
    votes, point = some_votes(n=200), a_point()

    def found():
        terms = terms_of(votes, votes.covariates["length"])
        here = evaluate(terms, point, place_nodes(terms, point))
        known = information(terms, point, place_nodes(terms, point), here)
        return len(terms.blocks), here.value, packed(here.gradient), known.observed

    whole = found()
    monkeypatch.setattr(labeler_model, "BLOCK", 16)
    small = found()
    assert whole[0] == 1 < small[0]
    for one, other in zip(whole[1:], small[1:], strict=True):
        assert other == pytest.approx(one, abs=1e-10)


# the fit


def test_the_fit_is_a_maximum():
    votes = some_votes(n=120)
    terms = terms_of(votes, votes.covariates["length"])
    fitted = reliability._fit(terms)
    assert fitted.converged
    slope = packed(log_posterior(terms, fitted.point, fitted.nodes, fitted.sd)[1])
    assert np.abs(slope).max() < 0.05


def test_planted_habits_are_found(benchmark):
    design = benchmark.Design("", labelers=12, careless=0, votes=600, judged=3)
    planted = benchmark.plant(design, "random", 3)
    found = fit_reliability(planted.votes)
    k = np.array([row.discrimination.value for row in found.labelers])
    assert np.corrcoef(k, planted.discrimination)[0, 1] > 0.9
    in_its_scale = planted.discrimination * k.mean() / planted.discrimination.mean()
    inside = [
        row.discrimination.low <= true <= row.discrimination.high
        for row, true in zip(found.labelers, in_its_scale, strict=True)
    ]
    assert np.mean(inside) > 0.8
    assert found.unit_sd == pytest.approx(design.unit_sd, rel=0.15)
    assert found.pool["tie_threshold"] == pytest.approx(design.tie, rel=0.3)
    assert found.careless_share < 0.1
    # The units: what all labelers say together about each pair of responses.
    truth = np.zeros(len(found.units))
    truth[planted.votes.unit] = planted.quality
    assert np.corrcoef(found.better, truth)[0, 1] > 0.7
    z = (found.better - truth) / found.better_sd
    assert 0.8 < z.std() < 1.2


def test_side_and_length_by_hand():
    # 100 votes on equal policies: k chooses the first in 80 %, l the longer in 80 %. Almost
    # nothing is shrunk: log(80/20) = 1.39 nats for a side, and for a length of ±1.
    n = 400
    side, length = np.tile([1.0, 0.0], n // 2), np.tile([1.0, 1.0, -1.0, -1.0], n // 4)
    exception = np.arange(n) % 20 < 4  # one in five, both sides and lengths alike
    first = np.where(exception, 1 - side, side)
    longer = np.where(exception, length < 0, length > 0) * 1.0
    votes = from_columns(
        ["x"] * (2 * n),
        ["x"] * (2 * n),
        np.r_[first, longer],
        labeler=["k"] * n + ["l"] * n,
        a_first=np.r_[side, side],
        covariates={"length": np.r_[length, length]},
    )
    k, other = fit_reliability(votes).labelers
    assert k.side_bias.value == pytest.approx(math.log(4), abs=0.25)
    assert other.length_taste.value == pytest.approx(math.log(4), abs=0.25)
    assert abs(k.length_taste.value) < 0.2
    assert abs(other.side_bias.value) < 0.35
    assert k.side_bias.low > 0.8
    assert k.tie_threshold is None


def test_thresholds_by_hand():
    # Equal responses: P(tie) = 1 − 2 σ(−τ), so a third of ties is τ = log 2.
    votes = from_pairs(
        ["x"] * 600, ["x"] * 600, [1, 0, 0.5] * 200, labeler=["k"] * 300 + ["l"] * 300
    )
    for row in fit_reliability(votes).labelers:
        assert row.tie_threshold.value == pytest.approx(math.log(2), rel=0.05)
        assert row.tie_threshold.low < math.log(2) < row.tie_threshold.high
        assert (row.side_bias, row.length_taste, row.n) == (None, None, 300)


def test_few_votes_stay_near_the_pool():
    rng = np.random.default_rng(0)
    who = [f"l{i}" for i in rng.integers(8, size=800)] + ["new"] * 2
    wins = [*(rng.random(800) < 0.8), False, False]
    votes = from_pairs(["x"] * 802, ["y"] * 802, np.array(wins) * 1.0, labeler=who)
    found = {row.labeler: row for row in fit_reliability(votes).labelers}
    new, old = found["new"], found["l0"]
    assert 0 < new.discrimination.value < 1
    width = [row.discrimination.high - row.discrimination.low for row in (new, old)]
    assert width[0] > 1.3 * width[1]
    assert 0.02 < new.careless < 0.6


def test_whoever_chooses_the_worse_is_below_zero():
    rng = np.random.default_rng(1)
    who = np.repeat([f"l{i}" for i in range(6)], 150)
    gap = rng.choice([-1.5, 1.5], 900)
    wins = rng.random(900) < special.expit(np.where(who == "l5", -gap, gap))
    a, b = np.where(gap > 0, "best", "worst"), np.where(gap > 0, "worst", "best")
    votes = from_pairs(a.tolist(), b.tolist(), wins * 1.0, labeler=who.tolist())
    found = fit_reliability(votes)
    assert found.labelers[5].discrimination.high < 0
    assert found.strengths[0] > found.strengths[1]


def test_sides_and_names_may_be_turned():
    votes = some_votes(n=120)
    turned = from_columns(
        [votes.names[i] for i in votes.b],
        [votes.names[i] for i in votes.a],
        1 - votes.outcome,
        labeler=[votes.labelers[i] for i in votes.labeler],
        prompt=[votes.prompts[i] for i in votes.prompt],
        a_first=1 - votes.a_first,
        weight=votes.weight,
        covariates={"length": -votes.covariates["length"]},
    )
    one, other = fit_reliability(votes), fit_reliability(turned)
    assert one.labelers == other.labelers
    mirrored = fit_reliability(
        from_columns(
            [{"x": "z", "y": "y", "z": "x"}[votes.names[i]] for i in votes.a],
            [{"x": "z", "y": "y", "z": "x"}[votes.names[i]] for i in votes.b],
            votes.outcome,
            labeler=[votes.labelers[i] for i in votes.labeler],
            prompt=[votes.prompts[i] for i in votes.prompt],
            a_first=votes.a_first,
            weight=votes.weight,
            covariates={"length": votes.covariates["length"]},
        )
    )
    for mine, theirs in zip(one.labelers, mirrored.labelers, strict=True):
        assert theirs.discrimination.value == pytest.approx(mine.discrimination.value, abs=0.01)
        assert theirs.careless == pytest.approx(mine.careless, abs=0.01)


def test_a_fit_to_part_of_the_votes_comes_first(benchmark, monkeypatch):
    planted = benchmark.plant(benchmark.DESIGNS[0], "mixed", 1)
    whole = fit_reliability(planted.votes)
    monkeypatch.setattr(reliability, "LARGE", 1000)
    parts = fit_reliability(planted.votes)
    k = [[row.discrimination.value for row in found.labelers] for found in (whole, parts)]
    assert k[1] == pytest.approx(k[0], abs=0.2)
    assert np.corrcoef(*k)[0, 1] > 0.99


# who does not look


@pytest.mark.parametrize("kind", ["random", "first", "tie", "longer", "mixed"])
def test_the_careless_are_found(benchmark, kind):
    """The short version of the benchmark: 100 votes each, an area under the curve above 0.95."""
    found = []
    for seed in range(6):
        planted = benchmark.plant(benchmark.DESIGNS[seed % 3], kind, 100 + seed)
        scores = [row.careless for row in fit_reliability(planted.votes).labelers]
        found.append(benchmark.auc(np.array(scores), planted.careless))
    assert np.mean(found) > 0.95


def test_nobody_is_careless(benchmark):
    design = benchmark.Design("", careless=0)
    found = fit_reliability(benchmark.plant(design, "random", 5).votes)
    assert found.careless_share < 0.12
    assert max(row.careless for row in found.labelers) < 0.5


def test_a_strong_habit_alone_convicts_nobody():
    """Everybody ties on equal responses; one labeler always says the first. Nobody can look."""
    rng = np.random.default_rng(2)
    side = rng.integers(2, size=400) * 1.0
    who = np.repeat(list("klmn"), 100)
    outcome = np.where(who == "n", side, rng.choice([0.0, 0.5, 1.0], 400))
    votes = from_columns(["x"] * 400, ["x"] * 400, outcome, labeler=who.tolist(), a_first=side)
    *others, n = fit_reliability(votes).labelers
    assert n.side_bias.value > 2
    bound = math.log(STRONG[1] / STRONG[0])
    assert n.evidence > -bound - 0.1
    assert HABIT_SD > 1
    assert n.careless < 0.5
    assert all(abs(row.evidence) < 1 for row in others)


def test_the_scores_of_the_benchmark(benchmark):
    assert benchmark.auc(np.array([3.0, 2, 1]), np.array([True, False, False])) == 1
    assert benchmark.auc(np.array([1.0, 2, 1]), np.array([True, False, False])) == 0.25
    planted = benchmark.plant(benchmark.DESIGNS[1], "tie", 0)
    votes = planted.votes
    assert np.bincount(votes.labeler).tolist() == [100] * 30
    assert (votes.outcome[planted.careless[votes.labeler]] == 0.5).mean() > 0.85


# edges


def columns(n=4, **more):
    given = {"labeler": ["k", "l"] * (n // 2), "prompt": [f"p{i // 2}" for i in range(n)]}
    return from_pairs(["x"] * n, ["y"] * n, [1.0] * n, **{**given, **more})


@pytest.mark.parametrize(
    "votes",
    [
        from_pairs(["x"], ["y"], [1.0]),
        from_pairs(["x"], ["y"], [0.5], labeler=["k"]),
        from_pairs(["x"] * 5, ["y"] * 5, [0.5] * 5, labeler=["k"] * 5),
        from_pairs(["x"] * 5, ["x"] * 5, [1.0] * 5, labeler=list("klmno"), prompt=["p"] * 5),
        columns(40),
        columns(40, weight=[1e6] * 40),
        columns(40, weight=[0.0] * 39 + [1.0]),
        from_pairs(["x"] * 40, ["y"] * 40, [1.0, 0.0] * 20, labeler=["k", "l"] * 20),
        from_pairs(["x"] * 3000, ["y"] * 3000, [1.0, 0.5] * 1500, prompt=["p"] * 3000),
    ],
    ids=lambda votes: f"{len(votes)}",
)
def test_extremes_are_finite_and_wide(votes):
    found = fit_reliability(votes)
    assert np.isfinite(found.strengths).all()
    assert np.isfinite(found.better).all()
    assert len(found.labelers) == len(votes.labelers)
    for row in found.labelers:
        k = row.discrimination
        assert k.low < k.value < k.high
        assert np.isfinite([k.low, k.high, row.evidence]).all()
        assert 0 <= row.careless <= 1


def test_votes_that_say_nothing_are_left_out():
    votes = from_columns(
        ["x"] * 3, ["y"] * 3, ["a", "both_bad", "b"], labeler=["k", "l", "m"], weight=[1, 1, 0]
    )
    rows = {row.labeler: row for row in fit_reliability(votes).labelers}
    assert [rows[name].n for name in "klm"] == [1, 0, 0]
    assert rows["l"].discrimination.value == pytest.approx(1)
    assert rows["l"].evidence == pytest.approx(0, abs=1e-9)
    assert 0 < rows["l"].careless < 0.2
    with pytest.raises(ValueError, match="nothing to fit"):
        fit_reliability(from_columns(["x"], ["y"], ["both_bad"], labeler=["k"]))


def test_lengths_that_make_no_sense():
    votes = columns()
    with pytest.raises(ValueError, match="one entry a vote"):
        fit_reliability(votes, length=np.zeros(3))
    with pytest.raises(ValueError, match="finite"):
        fit_reliability(votes, length=np.array([np.inf, 0, 0, 0]))
    unknown = fit_reliability(votes, length=np.full(4, np.nan))
    assert unknown.labelers[0].length_taste is None
