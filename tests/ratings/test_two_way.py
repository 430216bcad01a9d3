"""Rates of votes that go together by prompt and by labeler: by hand, by law, by coverage."""

import math

import numpy as np
import pytest
from scipy import stats

from accord.ratings.intervals import clustered_mean, clustered_rate
from accord.ratings.two_way import two_way_mean, two_way_rate


def test_a_mean_by_hand():
    """Four prompts by four labelers: m = 2.5, V_prompt = 0, V_labeler = 5/12, V_both = 1/12."""
    values = np.tile([1.0, 2.0, 3.0, 4.0], 4)  # each labeler always says the same
    labelers = np.tile(["a", "b", "c", "d"], 4)
    prompts = np.repeat(["p", "q", "r", "s"], 4)
    found = two_way_mean(values, prompts, labelers)
    # Sums over a labeler: 4 (x − 2.5); Σ s² / 16² · 4/3 = 80 / 256 · 4/3 = 5/12.
    half = stats.t.ppf(0.975, 3) * math.sqrt(5 / 12)
    assert found.mean == 2.5
    assert found.high - found.mean == pytest.approx(half)
    assert (found.n, found.n_clusters) == (16, 4)


def test_one_labeler_leaves_the_prompts():
    values, prompts = [1.0, 0.0, 1.0, 1.0], ["p", "p", "q", "r"]
    for two_way, one_way in ((two_way_rate, clustered_rate), (two_way_mean, clustered_mean)):
        assert two_way(values, prompts, ["ann"] * 4) == one_way(values, prompts)


def test_never_narrower_than_by_prompt():
    rng = np.random.default_rng(0)
    for _ in range(20):
        x = rng.integers(0, 2, 60).astype(float)
        prompts, labelers = rng.integers(0, 20, 60), rng.integers(0, 6, 60)
        wide, narrow = two_way_rate(x, prompts, labelers), clustered_rate(x, prompts)
        assert wide.low <= narrow.low
        assert wide.high >= narrow.high
        assert wide.mean == narrow.mean


def test_values_that_are_all_equal_still_have_an_interval():
    found = two_way_rate([1.0] * 6, list("ppqqrr"), list("abcabc"))
    assert found.high == 1
    assert 0 < found.low < 1
    assert found.low <= clustered_rate([1.0] * 6, list("abcabc")).low


def test_intervals_cover_when_labelers_differ():
    """Labelers agree with the scores at rates from .5 to .9: clustering by prompt alone fails."""
    rng = np.random.default_rng(1)
    covered = {"two ways": 0, "by prompt": 0}
    for _ in range(200):
        taste = rng.uniform(0.5, 0.9, 15)
        labelers = rng.integers(0, 15, 300)
        right = (rng.random(300) < taste[labelers]).astype(float)
        prompts = np.arange(300) // 3
        for name, found in (
            ("two ways", two_way_rate(right, prompts, labelers)),
            ("by prompt", clustered_rate(right, prompts)),
        ):
            covered[name] += found.low <= 0.7 <= found.high
    assert covered["two ways"] / 200 > 0.92
    assert covered["by prompt"] < covered["two ways"] - 10


@pytest.mark.parametrize(
    ("values", "message"), [([], "no observations"), ([2.0, 0.0], "between 0 and 1")]
)
def test_what_is_no_rate_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        two_way_rate(values, ["p"] * len(values), ["a"] * len(values))
