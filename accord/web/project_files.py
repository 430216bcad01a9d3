"""Project files: what a manager sets up, in TOML, beginning with a preset that ships.

preset = "comparison"            # its settings, unless others are given here
id = "helpfulness-1"             # the address: small letters, digits, - and _
title = "Which answer helps?"
guideline = "high_guidance"      # name of guidelines
batches = []                     # deliveries of `publish`, besides what is imported

[settings]
votes_wanted = 3
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from accord.config import InputError, nearest
from accord.store.specs import ProjectSpec

PRESETS = Path(__file__).parent / "presets"
PRESET = "preset"


@dataclass(frozen=True)
class Preset:
    """A kind of task that ships."""

    name: str
    title: str
    description: str
    toml: str  #: as it ships, comments included


@dataclass(frozen=True)
class ProjectFile:
    """What a project file says: the project, but for the version of its guidelines."""

    spec: ProjectSpec
    guideline: str  #: name of the guidelines; empty without


@cache
def presets() -> dict[str, Preset]:
    """Every preset, by name.

    >>> sorted(presets())[:3]
    ['comparison', 'conversation_helpful', 'conversation_red_team']
    """
    found = {}
    for path in sorted(PRESETS.glob("*.toml")):
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
        found[path.stem] = Preset(path.stem, values["title"], values["description"], text)
    return found


@cache
def shipped_guidelines() -> dict[str, str]:
    """Text of every set of guidelines that ships, by name."""
    files = sorted((PRESETS / "guidelines").glob("*.md"))
    return {path.stem: path.read_text(encoding="utf-8") for path in files}


def beginning(preset: str, project_id: str, title: str) -> str:
    """A project file for a preset, complete, to be changed by hand.

    Raises:
        InputError: there is no such preset.
    """
    text = _preset(preset).toml
    lines = [
        line for line in text.splitlines() if not line.startswith(("title = ", "description = "))
    ]
    at = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    lines[at:at] = [f'id = "{project_id}"', f"title = {_quoted(title)}"]
    return "\n".join(lines) + "\n"


def read(text: str, *, where: str = "project file") -> ProjectFile:
    """Read a project file.

    Raises:
        InputError: it is not TOML, or a value cannot be used; names the field.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: this is not TOML: {error}") from error
    return from_values(values, where=where)


def from_values(values: Mapping[str, Any], *, where: str = "project") -> ProjectFile:
    """A project from the values of a project file; see ``read``."""
    values = dict(values)
    if PRESET in values:
        values = _over(tomllib.loads(_preset(values.pop(PRESET)).toml), values)
    values.pop("description", None)
    guideline = values.pop("guideline", "")
    if not isinstance(guideline, str):
        raise InputError(f"{where}: `guideline` is a name; write it in quotes")
    try:
        return ProjectFile(ProjectSpec.model_validate(values), guideline)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the whole file"
        said = "is not known; remove it" if first["type"] == "extra_forbidden" else first["msg"]
        raise InputError(f"{where}: `{key}`: {said}") from error


def written(spec: ProjectSpec, guideline: str) -> str:
    """The project file of a project, to be changed and sent back; what is as usual is left out.

    >>> print(written(ProjectSpec(id="p", title="P", task="comparison"), "mine"))
    id = "p"
    title = "P"
    task = "comparison"
    mode = "helpful"
    priority = "training"
    guideline = "mine"
    <BLANKLINE>
    [settings]
    votes_wanted = 1
    """
    head = written_values(spec, guideline)
    settings = head.pop("settings")
    plain = {key: value for key, value in settings.items() if not isinstance(value, dict)}
    tables = {key: value for key, value in settings.items() if isinstance(value, dict)}
    parts = [_lines(head), "[settings]\n" + _lines(plain)]
    parts += [f"[settings.{key}]\n" + _lines(value) for key, value in tables.items()]
    return "\n\n".join(parts)


def written_values(spec: ProjectSpec, guideline: str) -> dict[str, Any]:
    """The values of a project's file; see ``written``."""
    head: dict[str, Any] = {
        "id": spec.id,
        "title": spec.title,
        "task": spec.task,
        "mode": spec.mode,
        "priority": spec.priority,
        "guideline": guideline or spec.guideline,
    }
    if spec.batches:
        head["batches"] = list(spec.batches)
    if spec.closed:
        head["closed"] = True
    given = spec.settings.model_dump(mode="json", exclude_defaults=True)
    return head | {"settings": {"votes_wanted": spec.settings.votes_wanted, **given}}


def _lines(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{key} = {_value(value)}" for key, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        inner = [_value(one) for one in value]
        if any(isinstance(one, Mapping) for one in value):
            return "[\n" + "".join(f"  {one},\n" for one in inner) + "]"
        return "[" + ", ".join(inner) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else json.dumps(value, ensure_ascii=False)


def _preset(name: Any) -> Preset:
    known = presets()
    if str(name) not in known:
        raise InputError(f"no preset `{str(name)[:80]}`{nearest(str(name), list(known))}")
    return known[str(name)]


def _over(under: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` upon ``under``, table by table."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, Mapping)
        merged[key] = _over(below, value) if both and isinstance(below, dict) else value
    return merged


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else " " for c in escaped) + '"'
