"""Simulations: do 95% intervals cover 95 times in 100 when labelers differ in taste?"""

import numpy as np
import pytest

from accord.ratings.bradley_terry import fit
from accord.ratings.intervals import clustered_rate, win_rate
from accord.ratings.tables import differences
from accord.ratings.votes import Votes

pytestmark = pytest.mark.slow

STRENGTH = np.array([0.6, 0.2, -0.2, -0.6])
PAIRS = np.array([(i, j) for i in range(4) for j in range(i + 1, 4)])


def simulated_votes(rng, labelers, each, taste_sd):
    """Votes of labelers whose own strengths differ from the common ones."""
    n = labelers * each
    labeler = np.repeat(np.arange(labelers), each)
    a, b = PAIRS[rng.integers(len(PAIRS), size=n)].T
    taste = STRENGTH + taste_sd * rng.normal(size=(labelers, 4))
    gap = taste[labeler, a] - taste[labeler, b]
    return Votes(
        names=tuple("wxyz"),
        labelers=tuple(f"l{i}" for i in range(labelers)),
        prompts=tuple(f"p{i}" for i in range(n)),
        a=a,
        b=b,
        outcome=(rng.uniform(size=n) < 1 / (1 + np.exp(-gap))) * 1.0,
        labeler=labeler,
        prompt=np.arange(n),
        unit=np.arange(n),
        a_first=np.ones(n),
        weight=np.ones(n),
    )


def average_log_odds(taste_sd):
    """What the fit estimates: the log-odds of the win probability averaged over labelers."""
    spread = np.random.default_rng(1).normal(size=400_000) * taste_sd * np.sqrt(2)
    votes = np.stack([1 / (1 + np.exp(-(STRENGTH[i] - STRENGTH[j] + spread))) for i, j in PAIRS])
    p = votes.mean(axis=1)
    return np.log(p / (1 - p))


@pytest.mark.parametrize(
    ("labelers", "each", "taste_sd"), [(20, 100, 0.0), (20, 100, 0.6), (8, 150, 0.6)]
)
def test_differences_cover(labelers, each, taste_sd):
    truth, covered, naive = average_log_odds(taste_sd), [], []
    for seed in range(300):
        votes = simulated_votes(np.random.default_rng(seed), labelers, each, taste_sd)
        for cluster, kept in ((("labeler",), covered), ((), naive)):
            rows = differences(fit(votes, cluster=cluster))
            kept += [r.low <= t * 173.71779 <= r.high for r, t in zip(rows, truth, strict=True)]
    assert 0.93 <= np.mean(covered) <= 0.985
    if taste_sd:
        assert np.mean(naive) < 0.85  # votes taken as independent cover far too rarely


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
