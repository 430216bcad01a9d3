"""Artifacts: a stage's output directory and the record of how it was made.

<dir>/config.json       resolved configuration, every default written out
<dir>/inputs.json       {name: {"path": ..., "digest": ...}} of everything that was read
<dir>/environment.json  versions and machine; for people, never compared
<dir>/metrics.jsonl     one JSON object per logged step; the same in every run of one seed
<dir>/timings.jsonl     seconds and speeds, which differ from run to run
<dir>/checkpoints/      where an interrupted run goes on; removed when the stage is done
<dir>/output/           what the next stage reads
<dir>/DONE.json         written last, with the digest of every file; its absence means "resume me"
<dir>/README.md         what this is, from what, headline numbers
"""

import errno
import hashlib
import json
import os
import platform
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from accord.config import InputError, StageConfig, StageInputs, identity
from accord.runtime.locks import locked

CHUNK = 1 << 20  # bytes read at a time while hashing
SHORT = 40  # characters of a value that an error message shows
PASSWORD = re.compile(r"(://[^/@:]*):[^@]*(?=@)")  # of postgresql://user:password@host/name
UNSEALED = {"DONE.json", ".lock"}  # DONE.json seals itself; the lock is always empty

Run = Callable[[Any, Any, Path], None]


class Mismatch(Exception):
    """The directory already holds a run with another configuration or other inputs."""


def digest(path: Path) -> str:
    """SHA-256 of a file, or over the names, sizes and bytes of every file under a directory."""
    h = hashlib.sha256()
    if path.is_file():
        _feed(h, path)
        return h.hexdigest()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        h.update(f"{file.relative_to(path).as_posix()}\0{file.stat().st_size}\0".encode())
        _feed(h, file)
    return h.hexdigest()


def _feed(h: Any, file: Path) -> None:
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            h.update(chunk)


def write_json(path: Path, value: object) -> None:
    """Write atomically: a reader sees the old file or the new one, never half of either."""
    write_text(path, _as_json(value))


def write_sealed(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON that carries the digest of its own text under ``seal``."""
    write_text(path, _sealed(value))


def is_sealed(path: Path) -> bool:
    """True while no byte of a file from ``write_sealed`` has changed, spaces included."""
    try:
        text = path.read_text(encoding="utf-8")
        return text == _sealed(json.loads(text))
    except (OSError, ValueError, AttributeError):
        return False


def _sealed(value: Mapping[str, Any]) -> str:
    body = {key: inner for key, inner in value.items() if key != "seal"}
    return _as_json(body | {"seal": hashlib.sha256(_as_json(body).encode()).hexdigest()})


def _as_json(value: object) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically and durably."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            f"no file `{path}`; it is part of an artifact that is incomplete"
        ) from error
    except ValueError as error:
        raise InputError(
            f"`{path}` is not JSON: {error}; restore it or remove its folder"
        ) from error


def is_artifact(path: Path) -> bool:
    """True for a directory that ``run_stage`` made, finished or not."""
    return (path / "config.json").is_file() and (path / "output").is_dir()


def is_done(path: Path) -> bool:
    """True when the stage that writes here has finished."""
    return (path / "DONE.json").is_file()


def payload(path: Path) -> Path:
    """Where the data are: ``path/output`` of an artifact, the path itself of anything else.

    Raises:
        InputError: nothing is there, or the artifact is not finished.
    """
    if not path.exists():
        raise InputError(f"no file or directory `{path}`; give the path of an artifact or of data")
    if not is_artifact(path):
        return path
    if not is_done(path):
        raise InputError(f"`{path}` is not finished; run its stage again to finish it")
    return path / "output"


def describe_input(value: Any) -> Any:
    """``{"path", "digest"}`` of one input, ``{"url"}`` of a store; a hub id is recorded as it is.

    Artifacts and plain files are hashed anew every time, so that a changed byte is noticed.
    A store is named without its password. It has no digest here: it grows while people label,
    and the digest of the votes that were used stands in the output of ``collect``.
    """
    if isinstance(value, Path):
        return {"path": os.path.abspath(value), "digest": digest(payload(value))}
    if isinstance(value, Mapping):
        return {name: describe_input(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [describe_input(inner) for inner in value]
    if isinstance(value, str) and "://" in value:
        return {"url": PASSWORD.sub(r"\1", value)}
    return value


def run_stage(run: Run, config: StageConfig, inputs: StageInputs, out: Path) -> Path:
    """Run one stage into ``out``; finish it if interrupted, skip it if done.

    Raises:
        Mismatch: ``out`` was started with a different config or with inputs that changed since,
            or its ``DONE.json`` was changed.
        InputError: an input is missing or unfinished, ``out`` cannot be written, or another
            process writes it.
    """
    described = {name: describe_input(getattr(inputs, name)) for name in type(inputs).model_fields}
    _create(out)
    with locked(out):
        _claim(out / "config.json", config.model_dump(mode="json"), identity(config))
        _claim(out / "inputs.json", described, _digests(described))
        if is_done(out):
            if not is_sealed(out / "DONE.json"):
                raise Mismatch(f"`{out / 'DONE.json'}` was changed; remove `{out}` to start over")
            shutil.rmtree(out / "checkpoints", ignore_errors=True)
            return out
        write_json(out / "environment.json", environment())
        began = time.monotonic()
        try:
            run(config, inputs, out)
        except InputError:
            _release(out)
            raise
        finish(out, seconds=time.monotonic() - began)
    return out


def finish(out: Path, *, seconds: float) -> None:
    """Seal an artifact: write its README and, last, ``DONE.json``; then drop its checkpoints."""
    headline = read_json(out / "headline.json") if (out / "headline.json").is_file() else {}
    done = {"digest": digest(out / "output"), "seconds": round(seconds, 3), "headline": headline}
    write_text(out / "README.md", _readme(out, done))
    files = {file.relative_to(out).as_posix(): digest(file) for file in sealed_files(out)}
    write_sealed(out / "DONE.json", done | {"files": files})
    shutil.rmtree(out / "checkpoints", ignore_errors=True)


def sealed_files(out: Path) -> list[Path]:
    """Every file of an artifact that ``DONE.json`` answers for: all but the checkpoints."""
    return sorted(
        file
        for file in out.rglob("*")
        if file.is_file()
        and file.relative_to(out).parts[0] not in {*UNSEALED, "checkpoints"}
        and file.suffix != ".tmp"
    )


def write_headline(out: Path, headline: Mapping[str, Any]) -> None:
    """Keep the few numbers by which people know this artifact; they end up in ``DONE.json``."""
    write_json(out / "headline.json", dict(headline))


def environment() -> dict[str, Any]:
    """Versions and machine, for the reader who wonders why two runs differ."""
    versions = {}
    for name in ("accord", "torch", "transformers", "tokenizers", "numpy", "scipy", "sqlalchemy"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "versions": versions,
    }


def _release(out: Path) -> None:
    """Give up the claim of a run that could not begin, so that mended inputs may take its place.

    Where something was made already, the claim stays: it must not be mixed with another run's.
    """
    if (out / "checkpoints").exists() or any((out / "output").iterdir()):
        return
    for name in ("config.json", "inputs.json"):
        (out / name).unlink(missing_ok=True)


def _create(out: Path) -> None:
    try:
        (out / "output").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise InputError(
            f"cannot make the directory `{out}`: {error.strerror}; choose another"
        ) from error


def refuse_other_config(out: Path, config: StageConfig) -> None:
    """Stop if the folder was started with another config; a folder that is new passes.

    Raises:
        Mismatch: names the settings that differ.
    """
    if (out / "config.json").exists():
        _refuse(out / "config.json", config.model_dump(mode="json"), identity(config))


def _claim(path: Path, whole: Any, compared: Any) -> None:
    """Write what this run is, or refuse if the directory already belongs to another run."""
    if path.exists():
        _refuse(path, whole, compared)
    else:
        write_json(path, whole)


def _refuse(path: Path, whole: Any, compared: Any) -> None:
    before = read_json(path)
    if path.name == "inputs.json":
        before = _digests(before)
    free = set(whole) - set(compared)
    differing = _differences({k: v for k, v in before.items() if k not in free}, compared)
    if differing:
        raise Mismatch(
            f"`{path}` was written by another run: {', '.join(differing)}; "
            "choose another directory, or remove this one to start over"
        )


def _digests(described: Any) -> Any:
    """What identifies the inputs: digests and ids, not the place where they lie."""
    if isinstance(described, dict):
        if set(described) == {"path", "digest"}:
            return described["digest"]
        if set(described) == {"url"}:
            return "a store"  # wherever it has been moved to
        return {name: _digests(value) for name, value in described.items()}
    if isinstance(described, list):
        return [_digests(value) for value in described]
    return described


def _differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    keys = sorted(set(before) | set(now))
    return [
        f"`{k}` was {_short(before.get(k))} and is {_short(now.get(k))}"
        for k in keys
        if before.get(k) != now.get(k)
    ]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHORT else text[: SHORT - 3] + "..."


def _readme(out: Path, done: dict[str, Any]) -> str:
    inputs = read_json(out / "inputs.json")
    lines = [
        f"# {out.name}",
        "",
        "Made by Accord. What each file holds: see docs/reference/artifacts.md.",
        "",
    ]
    lines += ["## From", ""] + [f"- {name}: `{json.dumps(v)}`" for name, v in inputs.items()]
    lines += ["", "## Result", "", f"- digest of `output/`: `{done['digest']}`"]
    lines += [f"- {name}: {value}" for name, value in done["headline"].items()]
    return "\n".join(lines) + "\n"
