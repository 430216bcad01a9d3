"""Checkpoints are whole or not there, hold data only, and restore everything."""

import os
import pickle

import pytest
import torch
from torch import nn

from accord.config import InputError
from accord.runtime import checkpoints, train
from accord.runtime.checkpoints import TrainState
from accord.runtime.metrics import MetricsLog, read_metrics
from accord.runtime.steps import steps_left


class Tied(nn.Module):
    """Tied weights, a saved buffer and one that is not saved."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3, bias=False)
        self.last = nn.Linear(3, 3, bias=False)
        self.last.weight = self.first.weight
        self.register_buffer("seen", torch.zeros(2))
        self.register_buffer("scratch", torch.ones(2), persistent=False)


def fresh(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Tied()
    optimizer = train.adam(model.parameters(), learning_rate=0.1, weight_decay=0.1)
    return TrainState({"policy": model}, {"adam": optimizer}, scalars={"kl_coef": 0.1})


def advance(state, step):
    rows = torch.randn(4, 3, generator=torch.Generator().manual_seed(step))
    model = state.models["policy"]
    train.optimiser_step(
        state.optimizers["adam"],
        [(model.last(model.first(rows)) ** 2).sum()],
        count=4,
        learning_rate=0.1 / (1 + step),
        max_grad_norm=1.0,
    )
    with torch.no_grad():
        model.seen += 1
    state.scalars["kl_coef"] *= 1.1
    state.step += 1


def contents(state):
    model = state.models["policy"]
    return [model.first.weight.tolist(), model.seen.tolist(), state.step, state.scalars]


def test_going_on_from_a_checkpoint_equals_going_straight(tmp_path):
    straight = fresh(0)
    for step in range(6):
        advance(straight, step)
        if step == 2:
            checkpoints.save(straight, tmp_path)
    resumed = fresh(1)
    assert checkpoints.load_newest(resumed, tmp_path)
    assert resumed.step == 3
    for step in range(3, 6):
        advance(resumed, step)
    assert contents(resumed) == contents(straight)
    assert resumed.models["policy"].last.weight is resumed.models["policy"].first.weight


def test_an_untrained_optimizer_can_be_kept(tmp_path):
    checkpoints.save(fresh(0), tmp_path)
    state = fresh(1)
    assert checkpoints.load_newest(state, tmp_path)
    assert contents(state) == contents(fresh(0))


def test_only_the_newest_stays(tmp_path):
    state = fresh(0)
    for step in range(3):
        advance(state, step)
        checkpoints.save(state, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["000003"]
    advance(state, 3)
    checkpoints.save(state, tmp_path, keep=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["000003", "000004"]


def test_saving_a_step_again_replaces_it(tmp_path):
    checkpoints.save(fresh(0), tmp_path)
    other = fresh(1)
    checkpoints.save(other, tmp_path)
    state = fresh(2)
    checkpoints.load_newest(state, tmp_path)
    assert contents(state) == contents(other)


def two_checkpoints(directory):
    state = fresh(0)
    for step in range(2):
        advance(state, step)
        checkpoints.save(state, directory, keep=2)
    return state


FILES = ["model-policy.safetensors", "optimizer-adam.safetensors", "state.json", "COMPLETE"]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_newest_checkpoint_is_passed_over(tmp_path, file, damage):
    two_checkpoints(tmp_path)
    path = tmp_path / "000002" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(content if damage == "flip" else content[:-3])
    state = fresh(1)
    assert checkpoints.load_newest(state, tmp_path)
    assert state.step == 1


def test_a_file_that_does_not_belong_there_is_damage(tmp_path):
    two_checkpoints(tmp_path)
    (tmp_path / "000002" / "extra.bin").write_bytes(b"")
    state = fresh(1)
    checkpoints.load_newest(state, tmp_path)
    assert state.step == 1


@pytest.mark.parametrize("moment", range(4))
def test_a_crash_while_saving_leaves_the_older_checkpoint(tmp_path, monkeypatch, moment):
    state = fresh(0)
    advance(state, 0)
    checkpoints.save(state, tmp_path)
    advance(state, 1)
    name, owner = [
        ("save_file", checkpoints),
        ("write_json", checkpoints),
        ("digest", checkpoints),
        ("replace", os),
    ][moment]

    def crash(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(owner, name, crash)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(state, tmp_path)
    resumed = fresh(1)
    assert checkpoints.load_newest(resumed, tmp_path)
    assert resumed.step == 1
    advance(resumed, 1)
    checkpoints.save(resumed, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["000002"]


def test_no_checkpoint_changes_nothing(tmp_path):
    state = fresh(0)
    assert not checkpoints.load_newest(state, tmp_path / "none")
    assert not checkpoints.load_newest(state, tmp_path)
    assert contents(state) == contents(fresh(0))


def test_another_model_is_refused(tmp_path):
    checkpoints.save(fresh(0), tmp_path)
    model = nn.Linear(3, 3)
    state = TrainState({"policy": model}, {"adam": train.adam(model.parameters(), learning_rate=1)})
    with pytest.raises(InputError, match="another model"):
        checkpoints.load_newest(state, tmp_path)


def test_nothing_is_pickled_or_unpickled(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("pickle was used")

    for name in ("load", "loads", "dump", "dumps", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    monkeypatch.setattr(torch, "save", refuse)
    state = two_checkpoints(tmp_path)
    again = fresh(1)
    checkpoints.load_newest(again, tmp_path)
    assert contents(again) == contents(state)
    suffixes = {p.suffix for p in tmp_path.rglob("*") if p.is_file()}
    assert suffixes == {".safetensors", ".json", ""}


def run(out, total=5, stop_before=None):
    state, log = fresh(0), MetricsLog(out)
    for step in steps_left(state, out, total=total, checkpoint_every=2, description="x"):
        if step == stop_before:
            raise KeyboardInterrupt
        advance(state, step)
        state.step -= 1  # steps_left counts
        log.log(step + 1, {"policy/weight": state.models["policy"].first.weight.sum().item()})
    return state


@pytest.mark.parametrize("stop_before", range(5))
def test_a_loop_that_was_stopped_goes_on_as_if_it_had_not(tmp_path, stop_before):
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    straight.mkdir()
    stopped.mkdir()
    expected = contents(run(straight))
    with pytest.raises(KeyboardInterrupt):
        run(stopped, stop_before=stop_before)
    assert contents(run(stopped)) == expected
    assert read_metrics(stopped) == read_metrics(straight)
    assert contents(run(stopped)) == expected
    assert read_metrics(stopped) == read_metrics(straight)
