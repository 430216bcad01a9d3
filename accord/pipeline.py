"""A run: the stages of a run file, one after another, each into its own folder.

    [run]                                  seed and title; every stage takes the seed
    [paths]                                data = "..." stands for {data} in inputs
    [sft]                                  one table per stage, in order
    inputs = { model = "pretrain", ... }   an earlier stage, a path, "ledger", "hf:..."
    epochs = 3                             whatever else the stage's Config knows

Stages that are done are skipped and one that was interrupted goes on, so the way to resume a run
is to give the same command again.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from accord import stages, trace
from accord.config import (
    SEED_RULE,
    InputError,
    StageConfig,
    StageInputs,
    apply_settings,
    build,
    is_seed,
    nearest,
    overridden,
)
from accord.runtime import artifacts
from accord.runtime.artifacts import Mismatch
from accord.runtime.locks import locked

__all__ = ["Plan", "Step", "inputs_from_text", "plan", "run", "state"]

LEDGER = "ledger"
RUN_KEYS = ("title", "seed", "ledger")
STAGE_KEYS = ("stage", "inputs", "preset")  # of a stage's table; the rest is its config
NAME = re.compile(r"[a-z][a-z0-9_]*")
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
SCHEMES = ("hf:", "builtin:")  # models that are not a directory here


@dataclass(frozen=True)
class Step:
    """One stage of a run, ready to go."""

    name: str
    kind: str
    folder: Path
    config: StageConfig
    inputs: StageInputs
    written: Mapping[str, Any]  #: the inputs as the run file says them


@dataclass(frozen=True)
class Plan:
    """A run file that has been read, checked and resolved."""

    out: Path
    title: str
    seed: int
    command: str  #: what was typed, for the reader of the report
    steps: tuple[Step, ...]


def plan(
    table: Mapping[str, Any],
    out: Path,
    *,
    title: str,
    settings: Sequence[str] = (),
    command: str = "accord run",
) -> Plan:
    """Check a whole run before any of it starts.

    Args:
        table: the run file's tables in order.
        out: the folder of the run.
        title: what to call the run when its file does not say.
        settings: ``stage.key=value`` from the command line.
        command: what was typed; goes into ``run.json`` and the report.

    Raises:
        InputError: a table, key, input or value is unknown or missing; names the nearest known.
    """
    tables = _with_settings(dict(table), settings)
    head = _head(tables.pop("run", {}))
    paths = _paths(tables.pop("paths", {}))
    if not tables:
        raise InputError("the run file holds no stage; add a table such as `[sft]`")
    ledger = str(head.get("ledger") or f"sqlite:///{(out / 'ledger.sqlite').absolute()}")
    places: dict[str, Any] = {LEDGER: ledger}
    steps: list[Step] = []
    for number, (name, values) in enumerate(tables.items()):
        later = list(tables)[number:]
        folder = out / f"{number:02d}-{name}"
        steps.append(_step(name, values, folder, _Names(paths, places, later), int(head["seed"])))
        places[name] = folder
    return Plan(out, str(head.get("title") or title), int(head["seed"]), command, tuple(steps))


def inputs_from_text(kind: str, pairs: Sequence[str]) -> StageInputs:
    """The inputs of one stage from ``name=path`` pairs of the command line.

    ``policies.sft=path`` fills a table and a repeated name a list; a store is the path of a
    SQLite file or a URL.
    """
    kinds = stages.load(kind).inputs
    names = _Names({}, {}, [])
    values: dict[str, Any] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        field, _, key = name.partition(".")
        if not separator or not field or not text:
            raise InputError(f"cannot read `--inputs {pair}`; write `--inputs name=path`")
        if _annotation(kinds, field) in ("str", "str | None"):
            found: Any = text if "://" in text else f"sqlite:///{Path(text).absolute()}"
        else:
            found = _resolved(text, names, f"--inputs {name}")
        if key:
            values.setdefault(field, {})[key] = found
        elif _annotation(kinds, field).startswith("list["):
            values.setdefault(field, []).append(found)
        else:
            values[field] = found
    return build(kinds, values, where=f"inputs of `{kind}`")


def run(planned: Plan, console: Console) -> Path:
    """Run what is not yet done and build the report.

    Returns:
        The report.

    Raises:
        InputError: the folder is in use, or a stage cannot use what it was given.
        Mismatch: the folder holds a run with other stages, configs or inputs.
    """
    with locked(planned.out):
        _refuse_other_runs(planned)
        _write_down(planned)
        for number, step in enumerate(planned.steps, start=1):
            console.print(
                f"[bold]{number:2d}/{len(planned.steps)}[/] {step.name}", end=" ", highlight=False
            )
            _run_step(step, console)
        from accord import reports  # noqa: PLC0415 - `--help` need not wait for it

        trace.unseal(planned.out)
        report = reports.build(planned.out)
        trace.seal(planned.out)
    return report


def _run_step(step: Step, console: Console) -> None:
    skipped = artifacts.is_done(step.folder)
    going_on = not skipped and (step.folder / "config.json").is_file()
    console.print("already done" if skipped else "goes on" if going_on else "", style="dim")
    began = time.monotonic()
    try:
        artifacts.run_stage(stages.load(step.kind).run, step.config, step.inputs, step.folder)
        if skipped:
            trace.refuse_changed_votes(step.folder, step.inputs)
    except InputError as error:
        raise InputError(f"stage `{step.name}`: {error}") from error
    except Mismatch as error:
        raise Mismatch(f"stage `{step.name}`: {error}") from error
    if not skipped:
        numbers = artifacts.read_json(step.folder / "DONE.json")["headline"]
        parts = [f"{time.monotonic() - began:.0f} s"]
        parts += [f"{name} {_short(value)}" for name, value in numbers.items()]
        console.print("      " + "; ".join(parts), style="dim", markup=False, highlight=False)


def state(folder: Path) -> str:
    """What running a stage into this folder would do."""
    if artifacts.is_done(folder):
        return "done, would be skipped"
    return "interrupted, would go on" if artifacts.is_artifact(folder) else "would run"


def _short(value: object) -> str:
    """A number as people read it; one with an interval as ``0.71 (0.65 to 0.77, n 90)``."""
    if isinstance(value, dict) and {"value", "low", "high"} <= set(value):
        number, low, high = (_short(value[key]) for key in ("value", "low", "high"))
        size = f", n {value['n']}" if "n" in value else ""
        return f"{number} ({low} to {high}{size})"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _write_down(planned: Plan) -> None:
    """Write ``run.json``, unless it says the same already, typed differently at most."""
    path, now = planned.out / "run.json", _resolved_run(planned)
    try:
        before = artifacts.read_json(path)
    except InputError:  # not there yet, or damaged: it is made of the run file in any case
        before = None
    if isinstance(before, dict) and before | {"command": ""} == now | {"command": ""}:
        return
    trace.unseal(planned.out)
    artifacts.write_json(path, now)


def _resolved_run(planned: Plan) -> dict[str, Any]:
    return {
        "schema": 1,
        "title": planned.title,
        "seed": planned.seed,
        "command": planned.command,
        "stages": [
            {
                "name": step.name,
                "stage": step.kind,
                "folder": step.folder.name,
                "inputs": step.written,
                "config": step.config.model_dump(mode="json"),
            }
            for step in planned.steps
        ],
    }


def _refuse_other_runs(planned: Plan) -> None:
    """What is there belongs to this run, before anything is written.

    Folders of stages that this run does not have belong to a run that must not be mixed in.
    """
    for step in planned.steps:
        artifacts.refuse_other_config(step.folder, step.config)
    ours = {step.folder.name for step in planned.steps}
    for folder in sorted(planned.out.iterdir()):
        if artifacts.is_artifact(folder) and folder.name not in ours:
            raise Mismatch(
                f"`{folder}` is a stage of another run; "
                "choose another directory, or remove this one to start over"
            )


# Reading the run file


@dataclass(frozen=True)
class _Names:
    """What a string in ``inputs`` may stand for."""

    paths: Mapping[str, str]
    places: Mapping[str, Any]  #: earlier stages and the ledger
    later: Sequence[str]  #: this stage and those after it: they have made nothing yet


def _with_settings(tables: dict[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    known = ["run", "paths", *tables]
    for setting in settings:
        table = setting.partition("=")[0].partition(".")[0].strip()
        if table not in known:
            raise InputError(
                f"cannot apply `--set {setting}`: no `[{table}]`{nearest(table, known)}"
            )
    tables = apply_settings(tables, settings)
    for name, values in tables.items():
        if not isinstance(values, dict):
            raise InputError(f"`{name}` stands outside the tables; put it under `[run]` or a stage")
    return tables


def _head(values: Mapping[str, Any]) -> dict[str, Any]:
    for key in values:
        if key not in RUN_KEYS:
            raise InputError(f"[run]: unknown key `{key}`{nearest(key, RUN_KEYS)}")
    seed = values.get("seed", 0)
    if not is_seed(seed):
        raise InputError(f"[run]: `seed` = `{seed}`: {SEED_RULE}")
    return {**values, "seed": seed}


def _paths(values: Mapping[str, Any]) -> dict[str, str]:
    for key, value in values.items():
        if not isinstance(value, str):
            raise InputError(f"[paths]: `{key}` = `{value}`; give a path as text")
    return dict(values)


def _step(name: str, values: Mapping[str, Any], folder: Path, names: _Names, seed: int) -> Step:
    if not NAME.fullmatch(name) or name == LEDGER:
        raise InputError(f"`[{name}]` cannot be a stage's name; use small letters, digits and `_`")
    kind = values.get("stage", re.sub(r"_\d+$", "", name))
    if kind not in stages.STAGES:
        hint = nearest(str(kind), list(stages.STAGES))
        raise InputError(f"[{name}]: unknown stage `{kind}`{hint}; or name it with `stage = ...`")
    written = values.get("inputs", {})
    if not isinstance(written, dict):
        raise InputError(f'[{name}]: `inputs` is a table, such as `{{ model = "sft" }}`')
    stage = stages.load(kind)
    where = f"[{name}]"
    inputs = {key: _resolved(value, names, f"{where} `{key}`") for key, value in written.items()}
    settings = {key: value for key, value in values.items() if key not in STAGE_KEYS}
    if "preset" in values:
        settings = overridden(stages.preset(kind, str(values["preset"])), settings)
    if "seed" in stage.config.model_fields:
        settings.setdefault("seed", seed)
    return Step(
        name=name,
        kind=kind,
        folder=folder,
        config=build(stage.config, settings, where=where),
        inputs=build(stage.inputs, inputs, where=f"{where} inputs"),
        written=written,
    )


def _resolved(value: Any, names: _Names, where: str) -> Any:
    """A string of ``inputs`` as what it stands for; tables and lists by their members."""
    if isinstance(value, dict):
        return {key: _resolved(inner, names, f"{where}.{key}") for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner, names, where) for inner in value]
    if not isinstance(value, str):
        raise InputError(f"{where}: `{value}` is not a name or a path; write it in quotes")
    text = PLACEHOLDER.sub(lambda found: _path_named(found[1], names.paths, where), value)
    stage, _, rest = text.partition("/")
    if stage in names.places:
        place = names.places[stage]
        return place / "output" / rest if rest and isinstance(place, Path) else place
    if stage in names.later:
        raise InputError(f"{where}: `{stage}` has not run by then; move `[{stage}]` further up")
    if text.startswith(SCHEMES) or "://" in text:
        return text
    if Path(text).exists():
        return Path(text)
    hint = nearest(text, list(names.places)) if names.places else "; give the path of what is there"
    raise InputError(f"{where}: no file or earlier stage `{text}`{hint}")


def _path_named(name: str, paths: Mapping[str, str], where: str) -> str:
    if name not in paths:
        raise InputError(f"{where}: `{{{name}}}` is not in `[paths]`{nearest(name, list(paths))}")
    return paths[name]


def _annotation(kinds: type[StageInputs], field: str) -> str:
    if field not in kinds.model_fields:
        return ""
    annotation = kinds.model_fields[field].annotation
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
