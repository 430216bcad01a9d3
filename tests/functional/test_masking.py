"""Known answers first, then the laws of the definition, then independent twins, then edges."""

import math
import statistics

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.functional.masking import (
    masked_mean,
    masked_sum,
    masked_variance,
    mean_and_variance,
    moments,
    row_sums,
    whiten,
    whiten_with,
)

X = torch.tensor([[3.0, 5.0, 999.0]])
MASK = torch.tensor([[True, True, False]])
NOTHING = torch.tensor([[False, False, False]])

#: Ziegler's published example: whiten 1.2 ... 2.0 with the population variance, mean kept.
NINE = torch.tensor([[1.2, 1.3, 1.4], [1.5, 1.6, 1.7], [1.8, 1.9, 2.0]])
NINE_WHITENED_MEAN_KEPT = torch.tensor(
    [
        [0.0508068, 0.4381051, 0.8254034],
        [1.2127017, 1.6, 1.9872983],
        [2.3745966, 2.7618949, 3.1491932],
    ]
)


def everything(x: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(x, dtype=torch.bool)


# By hand


def test_sum_mean_variance_by_hand():
    assert masked_sum(X, MASK).item() == 8
    assert masked_mean(X, MASK).item() == 4
    assert masked_variance(X, MASK).item() == 1


def test_row_sums_by_hand():
    x = torch.tensor([[1.0, 2.0, 100.0], [4.0, 100.0, 100.0]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    assert row_sums(x, mask).tolist() == [3, 4]


def test_moments_by_hand():
    # 3 + 5 = 8, 9 + 25 = 34, two values
    assert [m.item() for m in moments(X, MASK)] == [8, 34, 2]
    assert all(m.dtype == torch.float64 for m in moments(X, MASK))


def test_mean_and_variance_by_hand():
    # 1, 1, 4: mean 2, variance 18/3 - 4 = 2
    mean, variance = mean_and_variance(torch.tensor(6.0), torch.tensor(18.0), torch.tensor(3.0))
    assert (mean.item(), variance.item()) == (2, 2)


def test_whiten_centers_by_default():
    # mean of 3 and 5 is 4, variance is 1
    torch.testing.assert_close(whiten(X, MASK), torch.tensor([[-1.0, 1.0, 0.0]]))


def test_whiten_can_keep_the_mean():
    torch.testing.assert_close(whiten(X, MASK, center=False), torch.tensor([[3.0, 5.0, 0.0]]))


def test_whiten_reproduces_the_published_example():
    kept = whiten(NINE, everything(NINE), center=False)
    torch.testing.assert_close(kept, NINE_WHITENED_MEAN_KEPT, atol=1e-6, rtol=0)
    torch.testing.assert_close(whiten(NINE, everything(NINE)), NINE_WHITENED_MEAN_KEPT - 1.6)


def test_whiten_with_uses_the_given_statistics():
    statistics_ = {"mean": torch.tensor(2.0), "variance": torch.tensor(4.0)}
    # (6 - 2) / 2 = 2; with the mean kept 4
    x, mask = torch.tensor([6.0, 7.0]), torch.tensor([True, False])
    assert whiten_with(x, mask, **statistics_).tolist() == [2, 0]
    assert whiten_with(x, mask, **statistics_, center=False).tolist() == [4, 0]


def test_eps_is_added_to_the_variance():
    # variance 1, eps 3: divided by √(1 + 3) = 2
    assert whiten(X, MASK, eps=3.0).tolist() == [[-0.5, 0.5, 0]]


def test_the_default_eps_is_small():
    # two values a ten-thousandth apart: variance 2.5e-9, far less than 1, of the order of eps
    x = torch.tensor([0.0, 1e-4], dtype=torch.float64)
    expected = 0.5e-4 / math.sqrt(2.5e-9 + 1e-8)
    assert whiten(x, everything(x))[1].item() == pytest.approx(expected)
    mean, variance = masked_mean(x, everything(x)), masked_variance(x, everything(x))
    assert whiten_with(x, everything(x), mean=mean, variance=variance)[1].item() == pytest.approx(
        expected
    )


# By law


@given(seed=st.integers(0, 10_000), n=st.integers(2, 40), scale=st.floats(0.1, 100))
@settings(deadline=None, max_examples=50)
def test_whitened_values_have_mean_zero_and_variance_one(seed, n, scale):
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(n, generator=rng, dtype=torch.float64) * scale + 7
    mask = torch.rand(n, generator=rng) < 0.7
    mask[:2] = True
    whitened = whiten(x, mask, eps=0.0)
    assert masked_mean(whitened, mask).abs() < 1e-9
    assert masked_variance(whitened, mask).item() == pytest.approx(1, abs=1e-9)
    assert (whitened[~mask] == 0).all()


@given(seed=st.integers(0, 10_000), shift=st.floats(-50, 50))
@settings(deadline=None, max_examples=50)
def test_whitening_with_the_mean_kept_keeps_the_mean(seed, shift):
    x = torch.randn(12, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift
    mask = everything(x)
    kept = whiten(x, mask, center=False)
    assert masked_mean(kept, mask).item() == pytest.approx(masked_mean(x, mask).item(), abs=1e-9)


@given(seed=st.integers(0, 10_000), cut=st.integers(1, 9))
@settings(deadline=None, max_examples=50)
def test_statistics_added_up_over_parts_are_those_of_the_whole(seed, cut):
    rng = torch.Generator().manual_seed(seed)
    x, mask = torch.randn(10, generator=rng), torch.rand(10, generator=rng) < 0.6
    parts = [moments(x[:cut], mask[:cut]), moments(x[cut:], mask[cut:])]
    mean, variance = mean_and_variance(*(a + b for a, b in zip(*parts, strict=True)))
    assert mean.item() == pytest.approx(masked_mean(x, mask).item(), abs=1e-6)
    assert variance.item() == pytest.approx(masked_variance(x, mask).item(), abs=1e-6)
    whole = whiten(x, mask)
    part = whiten_with(x[cut:], mask[cut:], mean=mean, variance=variance)
    torch.testing.assert_close(part, whole[cut:], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("poison", [math.inf, -math.inf, math.nan, 1e38])
def test_what_is_masked_never_leaks_in(poison):
    x = torch.tensor([[3.0, 5.0, poison]])
    assert masked_sum(x, MASK).item() == 8
    assert row_sums(x, MASK).tolist() == [8]
    assert masked_mean(x, MASK).item() == 4
    assert masked_variance(x, MASK).item() == 1
    assert [m.item() for m in moments(x, MASK)] == [8, 34, 2]
    torch.testing.assert_close(whiten(x, MASK), torch.tensor([[-1.0, 1.0, 0.0]]))
    torch.testing.assert_close(whiten(x, MASK, center=False), torch.tensor([[3.0, 5.0, 0.0]]))


# By twin


def test_variance_agrees_with_the_standard_library():
    x = torch.tensor([0.3, -1.7, 2.2, 8.8], dtype=torch.float64)
    assert masked_variance(x, everything(x)).item() == pytest.approx(
        statistics.pvariance(x.tolist())
    )


# Edges


def test_an_empty_mask_gives_zeros():
    assert masked_sum(X, NOTHING).item() == 0
    assert row_sums(X, NOTHING).tolist() == [0]
    assert masked_mean(X, NOTHING).item() == 0
    assert masked_variance(X, NOTHING).item() == 0
    assert whiten(X, NOTHING).tolist() == [[0, 0, 0]]
    assert [m.item() for m in moments(X, NOTHING)] == [0, 0, 0]
    zero = torch.tensor(0.0)
    assert [m.item() for m in mean_and_variance(zero, zero, zero)] == [0, 0]


def test_one_value_is_whitened_to_zero():
    x = torch.tensor([5.0])
    assert whiten(x, everything(x)).tolist() == [0]


def test_one_value_out_of_one_counts_fully():
    mean, variance = mean_and_variance(torch.tensor(3.0), torch.tensor(9.0), torch.tensor(1.0))
    assert (mean.item(), variance.item()) == (3, 0)


def test_rounding_never_makes_a_variance_negative():
    mean, variance = mean_and_variance(torch.tensor(3.0), torch.tensor(8.9), torch.tensor(1.0))
    assert (mean.item(), variance.item()) == (3, 0)


def test_a_mean_of_large_values_does_not_spoil_float32():
    x = torch.tensor([10_000.0, 10_001.0])
    assert mean_and_variance(*moments(x, everything(x)))[1].item() == pytest.approx(0.25)


def test_the_type_of_the_values_is_kept():
    mean, variance = mean_and_variance(*moments(X, MASK))
    assert whiten_with(X, MASK, mean=mean, variance=variance).dtype == torch.float32


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(Exception, match="mask"):
        masked_sum(torch.zeros(3), torch.ones(2, dtype=torch.bool))
