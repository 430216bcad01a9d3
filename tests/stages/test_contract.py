"""What every stage promises; one contract, held against all of them.

The stages, their settings and their inputs are those of ``tests/tiny.toml``.
"""

import ast
import inspect
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from pydantic_core import PydanticSerializationError
from safetensors import safe_open

import accord
from accord import stages
from accord.config import InputError, build
from accord.runtime import artifacts
from accord.runtime.artifacts import Mismatch, run_stage

PACKAGE = str(Path(accord.__file__).parent)
KINDS = list(stages.STAGES)
DEATHS = (0.35, 0.8)  # shares of a stage's work at which it is killed, one after the other

every_stage = pytest.mark.parametrize("kind", KINDS)


class Killed(BaseException):
    """Stands for ``kill -9``; the end-to-end test uses the real one."""


class Work:
    """Counts the calls of Accord's functions, and dies at one of them."""

    def __init__(self, limit=None):
        self.calls = 0
        self._limit = limit

    def __call__(self, frame, event, _argument):
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            self.calls += 1
            if self.calls == self._limit:
                raise Killed

    def __enter__(self):
        sys.setprofile(self)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)


def step_of(tiny_run, kind):
    return next(step for step in tiny_run.steps if step.kind == kind)


def inputs_of(tiny_run, kind, folder):
    """The inputs of a stage; a stage that writes a store gets one of its own."""
    step = step_of(tiny_run, kind)
    if "store" not in type(step.inputs).model_fields:
        return step.inputs
    ledger = folder / "ledger.sqlite"
    folder.mkdir(parents=True, exist_ok=True)
    store = f"sqlite:///{ledger}"
    if kind == "simulate_labelers":
        publish = step_of(tiny_run, "publish")
        inputs = publish.inputs.model_copy(update={"store": store})
        run_stage(stages.load("publish").run, publish.config, inputs, folder / "published")
    elif kind != "publish":
        shutil.copy(tiny_run.out / "ledger.sqlite", ledger)
    return step.inputs.model_copy(update={"store": store})


def run_again(tiny_run, kind, out):
    step = step_of(tiny_run, kind)
    inputs = inputs_of(tiny_run, kind, out.parent / f"{out.name}-store")
    return run_stage(stages.load(kind).run, step.config, inputs, out)


def result_of(out):
    metrics = out / "metrics.jsonl"
    done = json.loads((out / "DONE.json").read_text())
    return done["digest"], metrics.read_text() if metrics.is_file() else "", done["headline"]


def test_the_tiny_run_has_every_stage(tiny_run):
    assert {step.kind for step in tiny_run.steps} == set(KINDS)


@every_stage
def test_a_config_survives_being_written_and_read(tiny_run, kind):
    config = step_of(tiny_run, kind).config
    written = json.loads(json.dumps(config.model_dump(mode="json")))
    assert build(type(config), written, where="test") == config


@every_stage
def test_an_unknown_setting_is_refused_and_the_nearest_named(kind):
    config = stages.load(kind).config
    field = next(iter(config.model_fields))
    with pytest.raises(InputError, match=f"did you mean `{field}`"):
        build(config, {f"{field}s_": 1}, where="test")


@every_stage
def test_a_seed_below_0_is_refused(kind):
    config = stages.load(kind).config
    assert "seed" in config.model_fields
    with pytest.raises(InputError, match="`seed` = `-1`: give a whole number from 0 on"):
        build(config, {"seed": -1}, where="test")


@every_stage
def test_every_setting_is_read(kind):
    """A field that no line of the stage reads would be a promise that is not kept."""
    stage = stages.load(kind)
    file = Path(inspect.getsourcefile(stage.run))
    files = file.parent.glob("*.py") if file.name == "__init__.py" else [file]
    read = {
        node.attr
        for source in files
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert set(stage.config.model_fields) <= read
    assert set(stage.inputs.model_fields) <= read


@every_stage
def test_the_same_seed_gives_the_same_digests_and_nothing_is_written_elsewhere(
    tiny_run, kind, tmp_path, monkeypatch
):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    before = _snapshot(tiny_run.out)
    out = run_again(tiny_run, kind, tmp_path / "again" / "out")
    assert result_of(out) == result_of(step_of(tiny_run, kind).folder)
    assert _snapshot(tiny_run.out) == before
    assert list(home.iterdir()) == []
    written = {path.name for path in (tmp_path / "again").iterdir()}
    assert written <= {"out", "out-store"}
    assert not (out / "checkpoints").exists()


@every_stage
def test_a_stage_that_was_killed_ends_as_one_that_was_not(tiny_run, kind, tmp_path):
    step = step_of(tiny_run, kind)
    run = stages.load(kind).run
    with Work() as whole:
        run_again(tiny_run, kind, tmp_path / "counted")
    out = tmp_path / "killed"
    inputs = inputs_of(tiny_run, kind, tmp_path / "store")
    deaths = 0
    for share in DEATHS:
        try:
            with Work(max(1, round(whole.calls * share))):
                run_stage(run, step.config, inputs, out)
        except (Killed, PydanticSerializationError) as error:
            assert "Killed" in repr(error)  # pydantic wraps what ends it while it writes JSON
            deaths += 1
            assert not artifacts.is_done(out)
    assert deaths  # the second time, what was kept may have been enough to finish
    run_stage(run, step.config, inputs, out)
    assert result_of(out) == result_of(step.folder)


@every_stage
def test_a_done_stage_is_not_run_again(tiny_run, kind):
    step = step_of(tiny_run, kind)
    run_stage(lambda *_: pytest.fail("ran twice"), step.config, step.inputs, step.folder)


@every_stage
def test_a_changed_input_is_refused(tiny_run, kind, tmp_path):
    step = step_of(tiny_run, kind)
    copied, files = _with_copied_paths(step.inputs, tmp_path / "copies")
    if not files:
        pytest.skip("reads no files")
    copy = shutil.copytree(step.folder, tmp_path / "out")
    run_stage(lambda *_: pytest.fail("ran twice"), step.config, copied, copy)
    changed = files[0]
    changed.write_bytes(changed.read_bytes() + b"\n")
    with pytest.raises(Mismatch, match=r"inputs\.json"):
        run_stage(stages.load(kind).run, step.config, copied, copy)


@every_stage
def test_the_output_can_be_read_without_accord(tiny_run, kind):
    for file in (step_of(tiny_run, kind).folder / "output").rglob("*"):
        if file.suffix == ".json":
            json.loads(file.read_text())
        elif file.suffix == ".jsonl":
            assert all(json.loads(line) is not None for line in file.read_text().splitlines())
        elif file.suffix == ".safetensors":
            with safe_open(file, framework="pt") as tensors:
                assert list(tensors.keys())
        else:
            assert file.is_dir() or file.suffix in {".md", ".jinja", ".txt"}, file


@every_stage
def test_a_stage_that_labels_needs_no_torch(kind):
    """What `pip install accord` without [train] is for."""
    labels = (
        "world",
        "many_worlds",
        "import_data",
        "mix_comparisons",
        "publish",
        "simulate_labelers",
        "collect",
        "rate",
    )
    needs_torch = _imports_torch(Path(inspect.getsourcefile(stages.load(kind).run)), set())
    assert needs_torch == (kind not in labels)


def _snapshot(folder):
    return {
        path: (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in {".sqlite-shm", ".sqlite-wal"}
    }


def _with_copied_paths(inputs, folder):
    """The same inputs, with the files they stand for copied; and those files."""
    files = []

    def copied(value, name):
        if isinstance(value, Path):
            copy = folder / name
            folder.mkdir(exist_ok=True)
            place = artifacts.payload(value)
            (shutil.copytree if place.is_dir() else shutil.copy)(place, copy)
            files.extend([copy] if copy.is_file() else sorted(p for p in copy.rglob("*.json*")))
            return copy
        if isinstance(value, dict):
            return {key: copied(inner, f"{name}-{key}") for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(copied(v, f"{name}-{i}") for i, v in enumerate(value))
        return value

    values = {name: copied(getattr(inputs, name), name) for name in type(inputs).model_fields}
    return inputs.model_copy(update=values), files


def _imports_torch(file, seen):
    """True if a module, or one of Accord's that it imports when it is loaded, imports torch."""
    if file in seen:
        return False
    seen.add(file)
    for node in ast.parse(file.read_text()).body:
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.split(".")[0] in {"torch", "transformers"}:
                return True
            place = Path(PACKAGE).parent / name.replace(".", os.sep)
            for found in (place.with_suffix(".py"), place / "__init__.py"):
                if name.startswith("accord") and found.is_file() and _imports_torch(found, seen):
                    return True
    return False
