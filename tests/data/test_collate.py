"""Batches: what is real, and in which order."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from accord.data.collate import Sequences, bucketed, build, filled, pad_rows, shuffled

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=60)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def batch():
    return build([[1, 2], [3]], [[4, 5, 6], [7]], 0)


def test_rows_by_hand():
    rows = batch()
    assert rows.tokens.tolist() == [[1, 2, 4, 5, 6], [3, 7, 0, 0, 0]]
    assert rows.lengths().tolist() == [5, 2]
    assert len(rows) == 2


def test_masks_by_hand():
    rows = batch()
    true, false = True, False
    assert rows.sequence_mask().tolist() == [[true] * 5, [true, true, false, false, false]]
    assert rows.response_mask().tolist() == [[true] * 3, [true, false, false]]


def test_response_tokens_by_hand():
    rows = batch()
    assert rows.response_positions().tolist() == [[2, 3, 4], [1, 1, 1]]
    assert rows.response_tokens()[rows.response_mask()].tolist() == [4, 5, 6, 7]


def test_padding_that_equals_a_real_token_changes_no_mask():
    """GPT-2 pads with its end of sequence."""
    one, other = (build([[9], [9, 9]], [[9, 9], [9]], pad) for pad in (9, 0))
    assert torch.equal(one.response_mask(), other.response_mask())
    assert torch.equal(one.sequence_mask(), other.sequence_mask())


def test_selected_rows_are_trimmed():
    rows = batch().select([1])
    assert rows.tokens.tolist() == [[3, 7]]
    assert batch().select(torch.tensor([1, 0])).tokens[0].tolist() == [3, 7, 0, 0, 0]
    assert len(batch().select([])) == 0


def test_a_batch_moves_as_one():
    rows = batch().to(torch.device("cpu"))
    assert isinstance(rows, Sequences)
    assert torch.equal(rows.tokens, batch().tokens)


def test_no_rows_at_all():
    rows = build([], [], 0)
    assert rows.response_mask().shape == (0, 0)
    assert pad_rows([], 0).shape == (0, 0)


@given(LENGTHS, st.integers(1, 9), st.integers(1, 4))
def test_bucketed_batches_use_every_row_once(lengths, size, window):
    batches = bucketed(lengths, size, rng=rng(), window=window)
    assert sorted(row for one in batches for row in one) == list(range(len(lengths)))
    assert sum(len(one) < size for one in batches) <= 1
    assert max(map(len, batches)) <= size


@given(LENGTHS, st.integers(1, 60), st.integers(1, 4))
def test_filled_batches_use_every_row_once_and_stay_within_the_tokens(lengths, tokens, window):
    batches = filled(lengths, tokens, rng=rng(), window=window)
    assert sorted(row for one in batches for row in one) == list(range(len(lengths)))
    for one in batches:
        assert len(one) == 1 or len(one) * max(lengths[row] for row in one) <= tokens


@pytest.mark.parametrize("make", [bucketed, filled])
def test_similar_lengths_share_a_batch(make):
    lengths = [2, 30] * 64
    batches = make(lengths, 8 if make is bucketed else 128, rng=rng())
    mixed = [one for one in batches if len({lengths[row] for row in one}) > 1]
    assert len(mixed) <= 1


@pytest.mark.parametrize("make", [bucketed, filled])
def test_the_generator_decides_the_order(make):
    lengths = [3, 5, 8] * 10
    assert make(lengths, 8, rng=rng(1)) == make(lengths, 8, rng=rng(1))
    assert make(lengths, 8, rng=rng(1)) != make(lengths, 8, rng=rng(2))


def test_shuffled_is_a_permutation():
    assert sorted(shuffled(20, rng=rng())) == list(range(20))
    assert shuffled(20, rng=rng()) != list(range(20))
