"""A moving average: known answer, closed form, edges."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.functional.averages import moving_average


def test_by_hand():
    # three quarters of the old, a quarter of the new
    found = moving_average(torch.tensor([2.0, 0.0]), torch.tensor([6.0, -4.0]), decay=0.75)
    assert found.tolist() == [3, -1]


@given(
    values=st.lists(st.floats(-10, 10), min_size=1, max_size=8),
    first=st.floats(-10, 10),
    decay=st.floats(0, 0.999),
)
@settings(deadline=None, max_examples=50)
def test_the_closed_form_of_n_steps(values, first, decay):
    """a_n = d^n a_0 + (1 − d) Σ d^(n−i) x_i."""
    average = torch.tensor([first], dtype=torch.float64)
    for value in values:
        average = moving_average(average, torch.tensor([value], dtype=torch.float64), decay=decay)
    n = len(values)
    weighted = sum(decay ** (n - i) * x for i, x in enumerate(values, start=1))
    assert average.item() == pytest.approx(decay**n * first + (1 - decay) * weighted, abs=1e-9)


def test_what_stands_still_stays_and_no_memory_follows_at_once():
    here, there = torch.tensor([3.0]), torch.tensor([7.0])
    assert moving_average(here, here, decay=0.992).tolist() == [3]
    assert moving_average(here, there, decay=0.0).tolist() == [7]
