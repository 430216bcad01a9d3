"""One score out of several: known answers, laws, twins."""

import math
import statistics

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.functional.ensembles import (
    averaged_probability,
    disagreement,
    mean_minus_std,
    mean_score,
    worst_score,
)

SCORES = torch.tensor([[1.0, 4.0], [3.0, 0.0], [8.0, 2.0]])


def drawn(seed, models, responses):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(models, responses, generator=generator, dtype=torch.float64)


# By hand


def test_three_models_by_hand():
    assert mean_score(SCORES).tolist() == [4, 2]
    assert worst_score(SCORES).tolist() == [1, 0]
    # deviations -3, -1, 4: variance 26/3; deviations 2, -2, 0: variance 8/3
    expected = [math.sqrt(26 / 3), math.sqrt(8 / 3)]
    assert disagreement(SCORES).tolist() == pytest.approx(expected)
    found = mean_minus_std(SCORES, std_coef=2.0)
    assert found.tolist() == pytest.approx([4 - 2 * expected[0], 2 - 2 * expected[1]])


# By law

seeds = st.integers(0, 10_000)


@given(seed=seeds, models=st.integers(1, 6))
@settings(deadline=None, max_examples=30)
def test_doubt_only_lowers_a_score(seed, models):
    scores = drawn(seed, models, 5)
    assert (worst_score(scores) <= mean_score(scores) + 1e-12).all()
    assert (mean_minus_std(scores, std_coef=0.7) <= mean_score(scores) + 1e-12).all()
    torch.testing.assert_close(mean_minus_std(scores, std_coef=0.0), mean_score(scores))


@given(seed=seeds, shift=st.floats(-5, 5))
@settings(deadline=None, max_examples=30)
def test_a_shift_of_all_models_shifts_the_score(seed, shift):
    scores = drawn(seed, 4, 3)
    torch.testing.assert_close(worst_score(scores + shift), worst_score(scores) + shift)
    torch.testing.assert_close(mean_score(scores + shift), mean_score(scores) + shift)
    moved = mean_minus_std(scores + shift, std_coef=1.5)
    torch.testing.assert_close(moved, mean_minus_std(scores, std_coef=1.5) + shift)


# Edges


def test_one_model_is_itself():
    alone = torch.tensor([[2.0, -1.0]])
    assert mean_score(alone).tolist() == [2, -1]
    assert worst_score(alone).tolist() == [2, -1]
    assert mean_minus_std(alone, std_coef=3.0).tolist() == [2, -1]
    assert disagreement(alone).tolist() == [0, 0]


# By twin


def test_a_slow_twin_agrees():
    scores = drawn(3, 5, 7)
    columns = scores.T.tolist()
    assert mean_score(scores).tolist() == pytest.approx([statistics.fmean(c) for c in columns])
    assert worst_score(scores).tolist() == [min(c) for c in columns]
    spread = [statistics.pstdev(c) for c in columns]
    assert disagreement(scores).tolist() == pytest.approx(spread)


def test_averaged_probabilities_by_hand():
    # (.8807971 + .5) / 2 against σ(1) = .7310586
    found = averaged_probability(torch.tensor([[2.0], [0.0]]))
    assert found.item() == pytest.approx(0.6903985)
