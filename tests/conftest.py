"""Toy stages, for whatever is about runs and not about learning."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import Field

from accord import stages
from accord.config import StageConfig, StageInputs, memory_only
from accord.runtime.artifacts import payload, write_headline


class SourceConfig(StageConfig):
    """How much the toy source writes."""

    seed: int = 0
    lines: int = 3  #: lines of text
    chunk: int = memory_only(8)  #: lines at a time


class SourceInputs(StageInputs):
    """A toy source reads nothing, or a file."""

    file: Path | None = None


def source(config, inputs, out):
    text = payload(inputs.file).read_text() if inputs.file else ""
    lines = [f"{config.seed} {n}\n" for n in range(config.lines)]
    (out / "output" / "text.txt").write_text(text + "".join(lines))
    (out / "metrics.jsonl").write_text('{"step": 1, "toy/lines": 3}\n')
    write_headline(out, {"lines": config.lines})


class JoinConfig(StageConfig):
    """How the toy join works."""

    times: int = 1


class JoinInputs(StageInputs):
    """Whatever an input can be."""

    parts: dict[str, Path] = Field(default_factory=dict)  #: by name
    more: list[Path] = Field(default_factory=list)
    model: Path | str | None = None
    store: str | None = None


def join(config, inputs, out):
    places = [*inputs.parts.values(), *inputs.more]
    texts = [file.read_text() for place in places for file in sorted(payload(place).rglob("*.txt"))]
    (out / "output" / "joined.txt").write_text("".join(texts) * config.times)


@pytest.fixture
def toy_stages(monkeypatch):
    """Only the stages `source` and `join` exist."""
    modules = {
        "source": SimpleNamespace(Config=SourceConfig, Inputs=SourceInputs, run=source),
        "join": SimpleNamespace(Config=JoinConfig, Inputs=JoinInputs, run=join),
    }
    for kind in list(stages.STAGES):
        monkeypatch.delitem(stages.STAGES, kind)
    for kind, module in modules.items():
        monkeypatch.setitem(stages.STAGES, kind, lambda module=module: module)
    return modules
