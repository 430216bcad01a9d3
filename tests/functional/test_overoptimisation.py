"""The two forms of over-optimisation: peaks C12, and fits that find what was planted."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import curve_fit

from accord.functional.overoptimisation import Curve, fit_curve

DISTANCES = torch.linspace(0.2, 6, 15, dtype=torch.float64)


def test_the_peak_of_best_of_n_by_hand():
    curve = Curve("best_of_n", 0.6, 0.1)
    assert curve.peak() == (3.0, 0.9)
    assert curve.reward(torch.tensor([3.0, 0.0])).tolist() == pytest.approx([0.9, 0.0])


def test_the_peak_of_reinforcement_learning_by_hand():
    where, reward = Curve("reinforcement_learning", 0.3, 0.1).peak()
    assert where == pytest.approx(math.e**2)
    assert reward == pytest.approx(0.7389056)
    assert where**2 == pytest.approx(54.598, abs=1e-3)


@pytest.mark.parametrize("form", ["best_of_n", "reinforcement_learning"])
def test_the_peak_is_the_largest_value_nearby(form):
    curve = Curve(form, 0.5, 0.2)
    where, reward = curve.peak()
    around = curve.reward(where + torch.linspace(-1, 1, 201, dtype=torch.float64))
    assert float(around.max()) == pytest.approx(reward)
    assert int(around.argmax()) == 100


@pytest.mark.parametrize("form", ["best_of_n", "reinforcement_learning"])
def test_a_planted_curve_is_found(form):
    planted = Curve(form, 0.9, 0.15)
    found = fit_curve(form, DISTANCES, planted.reward(DISTANCES))
    assert (found.a, found.b) == pytest.approx((0.9, 0.15))


@pytest.mark.parametrize("form", ["best_of_n", "reinforcement_learning"])
def test_noise_is_fitted_as_another_library_fits_it(form):
    shapes = {
        "best_of_n": lambda d, a, b: d * (a - b * d),
        "reinforcement_learning": lambda d, a, b: d * (a - b * np.log(d)),
    }
    noise = torch.randn(15, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rewards = Curve(form, 0.9, 0.15).reward(DISTANCES) + 0.1 * noise
    (a, b), _ = curve_fit(shapes[form], DISTANCES.numpy(), rewards.numpy(), p0=(1, 1))
    found = fit_curve(form, DISTANCES, rewards)
    assert (found.a, found.b) == pytest.approx((a, b), rel=1e-6)


def test_the_start_says_nothing_and_two_distances_are_needed():
    assert fit_curve("best_of_n", torch.tensor([0.0, 1.0, 1.0]), torch.ones(3)) is None
    found = fit_curve("best_of_n", torch.tensor([0.0, 1.0, 2.0]), torch.tensor([0.0, 0.5, 0.8]))
    assert (found.a, found.b) == pytest.approx((0.6, 0.1), abs=1e-6)


@pytest.mark.parametrize(
    "curve",
    [
        Curve("best_of_n", 0.5, 0.0),
        Curve("best_of_n", -0.5, 0.1),
        Curve("reinforcement_learning", 0.5, -0.1),
        Curve("reinforcement_learning", 0.5, 1e-6),
    ],
)
def test_what_never_turns_has_no_peak(curve):
    assert curve.peak() is None
