"""Calibration of preference models: known answers, laws, twins, edges."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.functional.preference import (
    brier,
    expected_calibration_error,
    fit_temperature,
    reliability,
)


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def drawn(seed: int, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    probabilities = torch.rand(n, generator=rng, dtype=torch.float64)
    outcomes = (torch.rand(n, generator=rng, dtype=torch.float64) < probabilities).double()
    return probabilities, outcomes


# By hand


def test_reliability_by_hand():
    predicted, observed, count = reliability(column(0.1, 0.3, 0.9, 0.5), column(0, 1, 1, 0), bins=2)
    # .5 belongs to the upper half: means .2 and .7, outcomes 1/2 and 1/2
    assert predicted.tolist() == pytest.approx([0.2, 0.7])
    assert observed.tolist() == pytest.approx([0.5, 0.5])
    assert count.tolist() == [2, 2]


def test_the_ends_belong_to_the_outer_bins_and_empty_bins_are_zero():
    predicted, observed, count = reliability(column(0, 1), column(1, 1), bins=3)
    assert predicted.tolist() == [0, 0, 1]
    assert observed.tolist() == [1, 0, 1]
    assert count.tolist() == [1, 0, 1]


def test_calibration_error_by_hand():
    # lower half: |1/2 - .2| = .3, upper: |1/2 - .7| = .2, weighted 3 to 1
    probabilities, outcomes = column(0.1, 0.3, 0.2, 0.7), column(0, 1, 0.5, 0.5)
    found = expected_calibration_error(probabilities, outcomes, bins=2)
    assert found.item() == pytest.approx(0.75 * 0.3 + 0.25 * 0.2)


def test_ten_bins_unless_told_otherwise():
    # .31 and .39 share a bin of ten; their errors cancel there and nowhere finer
    probabilities, outcomes = column(0.31, 0.39), column(0.41, 0.29)
    assert len(reliability(probabilities, outcomes)[2]) == 10
    assert expected_calibration_error(probabilities, outcomes).item() == pytest.approx(0)
    finer = expected_calibration_error(probabilities, outcomes, bins=20)
    assert finer.item() == pytest.approx(0.1)
    # .25 and .35 do not share one
    coarse = column(0.25, 0.35), column(0.35, 0.25)
    assert expected_calibration_error(*coarse).item() == pytest.approx(0.1)


def test_brier_by_hand():
    assert brier(column(0.5, 1.0, 0.2), column(1, 1, 0)).item() == pytest.approx(0.29 / 3)


def test_temperature_by_hand():
    # three of four at a margin of 2: σ(2/T) = 3/4, T = 2 / ln 3
    margins, outcomes = column(2, 2, 2, 2), column(1, 1, 1, 0)
    assert fit_temperature(margins, outcomes) == pytest.approx(1.8204784)
    # seen from the other side
    assert fit_temperature(-margins, 1 - outcomes) == pytest.approx(1.8204784)
    # timid scores: a margin of .1 that wins nine times of ten
    assert fit_temperature(column(0.1), column(0.9)) == pytest.approx(0.1 / math.log(9))


# By law


@given(seed=st.integers(0, 10_000), n=st.integers(1, 60), bins=st.integers(1, 12))
@settings(deadline=None, max_examples=40)
def test_bins_account_for_every_prediction(seed, n, bins):
    probabilities, outcomes = drawn(seed, n)
    predicted, observed, count = reliability(probabilities, outcomes, bins=bins)
    assert count.sum() == n
    torch.testing.assert_close((predicted * count).sum(), probabilities.sum())
    torch.testing.assert_close((observed * count).sum(), outcomes.sum())
    error = expected_calibration_error(probabilities, outcomes, bins=bins)
    assert 0 <= error <= 1
    # one bin sees only the overall bias, and finer bins see at least as much
    bias = (probabilities.mean() - outcomes.mean()).abs()
    assert error >= bias - 1e-12
    assert 0 <= brier(probabilities, outcomes) <= 1


@given(seed=st.integers(0, 10_000), scale=st.floats(0.5, 2))
@settings(deadline=None, max_examples=20)
def test_scaling_the_margins_scales_the_temperature(seed, scale):
    probabilities, _ = drawn(seed, 50)
    margins = torch.logit(probabilities.clamp(0.01, 0.99))
    # outcomes are the probabilities of a temperature of 2
    outcomes = torch.sigmoid(margins / 2)
    assert fit_temperature(margins, outcomes) == pytest.approx(2, rel=1e-6)
    assert fit_temperature(margins * scale, outcomes) == pytest.approx(2 * scale, rel=1e-6)


# By twin


def test_the_temperature_is_where_the_loss_is_least():
    probabilities, outcomes = drawn(3, 200)
    margins = 3 * torch.logit(probabilities.clamp(0.01, 0.99))

    def loss(temperature):
        chance = torch.sigmoid(margins / temperature)
        return torch.nn.functional.binary_cross_entropy(chance, outcomes).item()

    found = fit_temperature(margins, outcomes)
    assert loss(found) < min(loss(found * 1.02), loss(found / 1.02))


def test_reliability_agrees_with_a_loop():
    probabilities, outcomes = drawn(4, 40)
    predicted, observed, count = reliability(probabilities, outcomes, bins=5)
    for b in range(5):
        inside = [
            (p, y)
            for p, y in zip(probabilities.tolist(), outcomes.tolist(), strict=True)
            if b / 5 <= p < (b + 1) / 5
        ]
        assert count[b] == len(inside)
        assert predicted[b].item() == pytest.approx(sum(p for p, _ in inside) / len(inside))
        assert observed[b].item() == pytest.approx(sum(y for _, y in inside) / len(inside))


# Edges


def test_nothing_predicted():
    empty = torch.zeros(0)
    assert expected_calibration_error(empty, empty).item() == 0
    assert brier(empty, empty).item() == 0
    assert reliability(empty, empty, bins=1)[2].tolist() == [0]


def test_one_prediction():
    assert expected_calibration_error(column(0.75), column(1)).item() == pytest.approx(0.25)
    assert brier(column(0.75), column(1)).item() == pytest.approx(0.0625)


def test_a_temperature_without_an_optimum_ends_at_its_bounds():
    always_right, always_wrong = column(1, 1), column(0, 0)
    assert fit_temperature(column(0.3, 0.2), always_right) == pytest.approx(0.01)
    assert fit_temperature(column(0.3, 0.2), always_wrong) == pytest.approx(100)


def test_no_bins_are_refused():
    for bins in (0, -1):
        with pytest.raises(ValueError, match="bins"):
            reliability(column(0.5), column(1), bins=bins)
