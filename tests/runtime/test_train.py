"""One optimizer step."""

import functools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from accord.config import InputError
from accord.runtime import parallel, processor, train

ROWS = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))


def linear():
    model = nn.Linear(3, 2)
    with torch.no_grad():
        model.weight.copy_(torch.arange(6.0).reshape(2, 3) / 10)
        model.bias.zero_()
    return model


def loss(model, rows):
    return (model(ROWS[rows]) ** 2).sum()


def step(size, *, lazy=True, max_grad_norm=1.0, learning_rate=0.1):
    model = linear()
    optimizer = train.adam(model.parameters(), learning_rate=1.0)
    pieces = train.microbatches(list(range(12)), size)
    made = (functools.partial(loss, model, rows) for rows in pieces)
    result = train.optimiser_step(
        optimizer,
        made if lazy else [one() for one in made],
        count=12,
        learning_rate=learning_rate,
        max_grad_norm=max_grad_norm,
    )
    return model, result


def test_by_hand():
    # loss = (w - 3)^2 + (w - 5)^2 over 2 items at w = 1: mean (4 + 16) / 2 = 10,
    # gradient 2 (-2 - 4) / 2 = -6; Adam's first step is the learning rate, upwards.
    w = nn.Parameter(torch.tensor([1.0]))
    result = train.optimiser_step(
        train.adam([w], learning_rate=1.0),
        [((w - 3) ** 2).sum(), ((w - 5) ** 2).sum()],
        count=2,
        learning_rate=0.25,
        max_grad_norm=math.inf,
    )
    assert (result.loss, result.grad_norm) == (10, 6)
    assert w.item() == pytest.approx(1.25)
    assert w.grad is None


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 12))
def test_the_microbatch_size_does_not_change_a_step(size):
    whole, of_whole = step(12)
    cut, of_cut = step(size)
    torch.testing.assert_close(whole.weight, cut.weight, rtol=0, atol=1e-6)
    assert of_whole.loss == pytest.approx(of_cut.loss, rel=1e-6)
    assert of_whole.grad_norm == pytest.approx(of_cut.grad_norm, rel=1e-6)


def test_the_gradient_is_that_of_torch():
    model = linear()
    (loss(model, list(range(12))) / 12).backward()
    norm = torch.cat([p.grad.flatten() for p in model.parameters()]).norm()
    assert step(5)[1].grad_norm == pytest.approx(float(norm), rel=1e-6)


def test_losses_and_functions_of_losses_are_one():
    assert torch.equal(step(5)[0].weight, step(5, lazy=False)[0].weight)


def test_clipping_scales_the_gradient_and_reports_the_norm_before():
    w = nn.Parameter(torch.tensor([1.0]))
    seen = []
    optimizer = torch.optim.SGD([w], lr=1.0)
    result = train.optimiser_step(
        optimizer, [(w * 8).sum()], count=1, learning_rate=1.0, max_grad_norm=2.0
    )
    seen.append(result.grad_norm)
    assert seen == [8]
    assert w.item() == pytest.approx(1 - 2, abs=1e-5)


def test_the_number_of_workers_changes_not_one_bit(monkeypatch):
    processor.prepare_processor()
    monkeypatch.setattr(parallel, "workers", lambda: 1)
    alone = step(2)
    parallel._pool.cache_clear()
    monkeypatch.setattr(parallel, "workers", lambda: 2)
    together = step(2)
    parallel._pool().shutdown()
    parallel._pool.cache_clear()
    assert torch.equal(alone[0].weight, together[0].weight)
    assert alone[1] == together[1]


def test_a_parameter_without_a_gradient_stays():
    model = nn.ModuleDict({"used": linear(), "unused": linear()})
    train.optimiser_step(
        train.adam(model.parameters(), learning_rate=1.0),
        [loss(model["used"], [0]), loss(model["used"], [1])],
        count=2,
        learning_rate=0.1,
        max_grad_norm=1.0,
    )
    assert torch.equal(model["unused"].weight, linear().weight)
    assert not torch.equal(model["used"].weight, linear().weight)


def test_a_gradient_laid_out_otherwise_is_used_as_it_should_be():
    """Fused Adam reads memory in order; the gradient of a transpose comes transposed."""
    weights = []
    for transposed in (True, False):
        w = nn.Parameter(torch.zeros(2, 3))
        target = torch.arange(6.0).reshape(2, 3)
        away = (w.t() - target.t()) if transposed else (w - target)
        train.optimiser_step(
            train.adam([w], learning_rate=1.0),
            [(away**2).sum()],
            count=1,
            learning_rate=0.1,
            max_grad_norm=math.inf,
        )
        weights.append(w.detach())
    torch.testing.assert_close(*weights)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_divergence_is_said_and_no_step_is_taken(bad):
    model = linear()
    with pytest.raises(InputError, match="lower the learning rate"):
        train.optimiser_step(
            train.adam(model.parameters(), learning_rate=1.0),
            [loss(model, [0]) * bad],
            count=1,
            learning_rate=0.1,
            max_grad_norm=1.0,
        )
    assert torch.equal(model.weight, linear().weight)


def test_schedules_by_hand():
    def rates(schedule, **options):
        return [train.scheduled(2.0, s, steps=4, schedule=schedule, **options) for s in range(4)]

    assert rates("constant") == [2, 2, 2, 2]
    assert rates("linear") == [2, 1.5, 1, 0.5]
    assert rates("linear", floor=0.5) == [2, 1.75, 1.5, 1.25]
    assert rates("cosine") == pytest.approx([2, 1 + math.sqrt(0.5), 1, 1 - math.sqrt(0.5)])
    assert rates("cosine", floor=1.0) == [2, 2, 2, 2]
    assert rates("constant", warmup=3) == [0.5, 1, 1.5, 2]
    assert rates("linear", warmup=2) == pytest.approx([2 / 3, 4 / 3, 2, 1])


@given(st.sampled_from(["constant", "linear", "cosine"]), st.integers(1, 50), st.integers(0, 60))
def test_a_rate_is_never_above_the_peak_nor_below_the_floor(schedule, steps, warmup):
    for s in range(steps):
        rate = train.scheduled(
            1.0, s, steps=steps, schedule=schedule, warmup=min(warmup, steps), floor=0.25
        )
        assert rate <= 1
        assert rate >= 0.25 or s < warmup


def test_norms_and_biases_do_not_decay():
    model = linear()
    optimizer = train.adam(model.parameters(), learning_rate=0.1, weight_decay=0.5)
    decays = {g["params"][0].ndim: g["weight_decay"] for g in optimizer.param_groups}
    assert decays == {2: 0.5, 1: 0.0}
    model.weight.requires_grad_(False)
    (group,) = train.adam(model.parameters(), learning_rate=0.1).param_groups
    assert len(group["params"]) == 1


def test_tied_weights_count_once():
    model = nn.Sequential(linear(), linear())
    model[1].weight = model[0].weight
    assert train.count_parameters(model) == 6 + 2 + 2


def test_a_step_that_may_not_be_taken_changes_nothing():
    weight = torch.nn.Parameter(torch.tensor([2.0]))
    optimizer = train.adam([weight], learning_rate=1.0)
    asked = []

    def step(answer):
        return train.optimiser_step(
            optimizer,
            [(weight * 3).sum()],
            count=1,
            learning_rate=0.5,
            max_grad_norm=1.0,
            may_step=lambda: asked.append(weight.item()) or answer,
        )

    held = step(False)
    assert (held.taken, held.loss, held.grad_norm) == (False, 6, 3)
    assert weight.item() == 2
    assert optimizer.state == {}
    assert step(True).taken
    assert weight.item() == pytest.approx(1.5)
    assert asked == [2, 2]  # both times with the weights of before
