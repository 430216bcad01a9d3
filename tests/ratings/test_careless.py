"""Who does not look, among labelers who differ in how often they vote."""

import numpy as np
import pytest

from accord.ratings.reliability import fit_reliability
from accord.ratings.votes import from_pairs


@pytest.mark.parametrize(("careless", "found"), [(6, 6), (0, 0)])
def test_regulars_are_not_judged_by_those_who_came_once(careless, found):
    """30 regulars with 100 votes each, some of them at random, among 1,000 who vote five times."""
    rng = np.random.default_rng(4)
    labeler = np.r_[np.repeat(np.arange(30), 100), np.repeat(np.arange(30, 1030), 5)]
    prompt = rng.integers(200, size=len(labeler))
    gap = rng.normal(0, 1.5, 200)[prompt]
    wins = rng.random(len(labeler)) < np.where(labeler < careless, 0.5, 1 / (1 + np.exp(-gap)))
    names = [f"k{i:04}" for i in labeler]
    prompts = [f"p{i}" for i in prompt]
    x, y = ["x"] * len(wins), ["y"] * len(wins)
    votes = from_pairs(x, y, wins * 1.0, labeler=names, prompt=prompts)
    rows = fit_reliability(votes).labelers
    assert [row.labeler for row in rows if row.careless > 0.5] == [f"k{i:04}" for i in range(found)]
