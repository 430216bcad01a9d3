"""Simulations: do 95% intervals cover 95 times in 100 when labelers differ in taste?

The short version of benchmarks/ratings_coverage.py, whose page has more cases and seeds.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from accord.ratings.intervals import clustered_rate, win_rate

FILE = Path(__file__).parents[2] / "benchmarks" / "ratings_coverage.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("ratings_coverage", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize(
    ("name", "shares", "labelers"),
    [
        ("bradley_terry", "equal", 10),
        ("bradley_terry", "equal", 20),
        ("bradley_terry", "equal", 50),
        ("bradley_terry", "zipf", 20),
        ("davidson", "equal", 20),
        ("length-controlled", "equal", 20),
    ],
)
def test_differences_cover(benchmark, name, shares, labelers):
    """The standard error of a share is 1% here: pairs of one simulation are not independent."""
    (case,) = [
        case
        for case in benchmark.cases()
        if case.name == name
        and (case.shares, case.labelers) == (shares, labelers)
        and case.world.taste_sd == benchmark.World().taste_sd
    ]
    found = benchmark.measured(case, seeds=100, endless=10_000)
    assert 0.93 <= found.clustered <= 0.97
    assert found.independent < 0.88  # votes taken as independent cover far too rarely
    assert found.ranks >= 0.95
    assert found.anytime >= 0.97


def test_labelers_and_prompts_that_differ_cover_together(benchmark):
    (case,) = [c for c in benchmark.cases() if c.name == "by both" and c.prompts == 50]
    found = benchmark.measured(case, seeds=50, endless=10_000)
    assert 0.92 <= found.clustered <= 0.98  # the standard error is 1.2% here
    assert found.independent < 0.8


def test_labelers_of_one_taste_cover_too(benchmark):
    (case,) = [c for c in benchmark.cases() if c.world == benchmark.World(taste_sd=0.0)]
    found = benchmark.measured(case, seeds=60, endless=10_000)
    assert 0.93 <= found.clustered <= 0.99  # never below the independent one, which is right here
    assert 0.92 <= found.independent <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize(
    ("clusters", "each", "sd", "mean"), [(100, 4, 0.0, 0.0), (40, 5, 1.0, 0.5), (12, 10, 0.7, 1.5)]
)
def test_rates_cover(clusters, each, sd, mean):
    codes = np.repeat(np.arange(clusters), each)
    truth = (1 / (1 + np.exp(-(mean + sd * np.random.default_rng(0).normal(size=10**6))))).mean()
    covered = []
    for seed in range(1500):
        rng = np.random.default_rng(seed)
        p = 1 / (1 + np.exp(-(mean + sd * rng.normal(size=clusters))))[codes]
        rate = clustered_rate(rng.uniform(size=len(codes)) < p, codes)
        covered.append(rate.low <= truth <= rate.high)
    assert 0.935 <= np.mean(covered) <= 0.98


@pytest.mark.slow
def test_win_rates_with_ties_cover():
    covered = []
    for seed in range(1500):
        rng = np.random.default_rng(seed)
        codes = np.repeat(np.arange(60), 2)
        p = rng.beta(4, 4, size=60)[codes]
        draw = rng.uniform(size=120)
        outcome = np.where(draw < 0.5 * p, 1.0, np.where(draw < 0.5, 0.0, 0.5))
        rate = win_rate(outcome, codes)
        covered.append(
            (rate.half_ties_low <= 0.5 <= rate.half_ties_high)
            + 1j * (rate.decided_low <= 0.5 <= rate.decided_high)
        )
    shares = np.mean(covered)
    assert 0.935 <= shares.real <= 0.98
    assert 0.935 <= shares.imag <= 0.98
