"""Settings of the process, and work in threads."""

import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM
from transformers.activations import NewGELUActivation

from accord.runtime import parallel, processor


@pytest.fixture
def two_workers(monkeypatch):
    """As on a machine with two cores."""
    processor.prepare_processor()
    parallel._pool.cache_clear()
    monkeypatch.setattr(parallel, "workers", lambda: 2)
    yield
    parallel._pool().shutdown()
    parallel._pool.cache_clear()


def test_products_stay_float32():
    processor.prepare_processor()
    assert processor.matmul_error() < processor.LARGEST_ERROR
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() * processor.workers() <= max(2, torch.get_num_threads())


def test_a_processor_that_rounds_to_bfloat16_gets_the_slow_products(monkeypatch):
    """As AMX may do when float32 products are allowed to be of medium precision."""
    before = torch.get_float32_matmul_precision(), torch.get_num_threads()
    monkeypatch.setattr(processor, "matmul_error", lambda: 3e-3)
    monkeypatch.setattr(processor, "workers", lambda: 1)
    processor.prepare_processor.__wrapped__()
    assert torch.get_float32_matmul_precision() == "highest"
    torch.set_float32_matmul_precision(before[0])
    torch.set_num_threads(before[1])


def test_bfloat16_would_be_noticed():
    a = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    exact = a.double() @ a.double()
    rounded = (a.bfloat16() @ a.bfloat16()).double()
    assert float((rounded - exact).abs().max() / exact.abs().max()) > processor.LARGEST_ERROR


def test_placing_a_model_changes_no_logits():
    config = LlamaConfig(
        vocab_size=11, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=2,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    tokens = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        before = model(tokens).logits
        after = processor.place(model)(tokens).logits
    torch.testing.assert_close(before, after)
    assert next(model.parameters()).device.type == processor.device().type


def test_results_come_in_order(two_workers):
    first = threading.Event()

    def work(item):
        if item == 0:
            first.wait(timeout=10)
        if item == 1:
            first.set()
        return item

    assert list(parallel.in_order(work, range(6))) == [0, 1, 2, 3, 4, 5]


def test_items_are_taken_as_they_are_needed(two_workers):
    taken = []

    def items():
        for i in range(50):
            taken.append(i)
            yield i

    results = parallel.in_order(lambda item: item, items())
    next(results)
    assert len(taken) <= 4
    results.close()
    assert len(taken) <= 4


def test_a_worker_records_gradients_only_if_the_caller_does(two_workers):
    with torch.no_grad():
        assert list(parallel.in_order(lambda _: torch.is_grad_enabled(), [1, 2])) == [False] * 2
    assert list(parallel.in_order(lambda _: torch.is_grad_enabled(), [1, 2])) == [True] * 2


def test_an_error_in_a_worker_reaches_the_caller(two_workers):
    def work(item):
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 0"):
        list(parallel.in_order(work, [0, 1, 2]))


@pytest.mark.parametrize(
    ("rows", "size", "expected"),
    [(0, 4, []), (1, 4, [1]), (2, 4, [1, 1]), (7, 100, [4, 3]), (10, 4, [3, 4, 3]), (9, 2, None)],
)
def test_parts_are_even_and_small_enough(rows, size, expected):
    cut = parallel.parts(list(range(rows)), size)
    assert [row for part in cut for row in part] == list(range(rows))
    assert all(len(part) <= size for part in cut)
    if expected is not None:
        assert sorted(map(len, cut)) == sorted(expected)


@given(lengths=st.lists(st.integers(0, 40), min_size=1, max_size=60), size=st.integers(1, 20))
def test_parts_by_length_hold_every_row_once_within_memory(lengths, size):
    rows = [row for row in range(len(lengths)) if row % 3]
    cut = parallel.parts_by_length(rows, lengths, size)
    assert sorted(row for part in cut for row in part) == rows
    if rows:
        widest = max(1, *(lengths[row] for row in rows))
        assert all(len(part) * max(lengths[r] for r in part) <= size * widest for part in cut)
        assert len(cut) >= min(len(rows), 2)
    longest = [max(lengths[row] for row in part) for part in cut]
    assert longest == sorted(longest, reverse=True)


@given(lengths=st.lists(st.integers(1, 9), min_size=2, max_size=9))
def test_no_two_parts_of_rows_by_length_cost_less(lengths):
    order = sorted(lengths, reverse=True)
    best = min(max(cut * order[0], (len(order) - cut) * order[cut]) for cut in range(1, len(order)))
    cut = parallel.parts_by_length(range(len(lengths)), lengths, len(lengths))
    assert max(len(part) * lengths[part[0]] for part in cut) == best


def test_a_gelu_in_seven_operations_becomes_one(tmp_path):
    config = GPT2Config(vocab_size=11, n_positions=8, n_embd=8, n_layer=2, n_head=2)
    model = GPT2LMHeadModel(config).eval()
    tokens = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        before = model(tokens).logits
        after = processor.place(model)(tokens).logits
    torch.testing.assert_close(before, after)
    assert not any(isinstance(m, NewGELUActivation) for m in model.modules())
    model.save_pretrained(tmp_path)  # what is saved is what it was
    torch.testing.assert_close(
        GPT2LMHeadModel.from_pretrained(tmp_path).eval()(tokens).logits, before
    )
