"""Settings: read a run file, apply ``--set stage.key=value``, refuse what is not known.

Config says how, inputs say from what, out says where. A stage's ``Config`` therefore holds
numbers and choices only, never a path or a machine's facts, and every default is written back.
"""

import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

M = TypeVar("M", bound=BaseModel)
SEED_RULE = "give a whole number from 0 on"


class InputError(Exception):
    """What the user gave cannot be used; the message says what, where and what to do.

    The command line prints it as one sentence and exits with status 2.
    """


class StageConfig(BaseModel):
    """Hyperparameters of one stage: frozen, at most 20 fields, unknown keys refused.

    Numbers are finite, and a ``seed``, in whichever stage, is a whole number from 0 on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _is_a_setting(cls, value: Any, info: ValidationInfo) -> Any:
        if info.field_name == "seed" and not is_seed(value):
            raise PydanticCustomError("seed", SEED_RULE)
        kind = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and bool not in (kind, *get_args(kind)):
            raise PydanticCustomError("number", "give no `true` or `false` here")  # not as 1 and 0
        return value


class StageInputs(BaseModel):
    """What a stage reads: one field per artifact or file, never a number."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def is_seed(value: Any) -> bool:
    """True for a whole number from 0 on; ``true`` is none, though Python counts it as 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def memory_only(default: Any, **constraints: Any) -> Any:
    """A config field that changes how much memory is used, and a result by float rounding at most.

    Such a field is left out when a resumed run is compared with the run it continues. What it may
    change is said in docs/reference/artifacts.md, "Memory only".
    """
    return Field(default=default, json_schema_extra={"memory_only": True}, **constraints)


def identity(config: StageConfig) -> dict[str, Any]:
    """The part of a config that decides results: everything but the memory-only fields."""
    fields = type(config).model_fields
    return {
        key: value
        for key, value in config.model_dump(mode="json").items()
        if not _is_memory_only(fields[key].json_schema_extra)
    }


def _is_memory_only(extra: Any) -> bool:
    return isinstance(extra, dict) and bool(extra.get("memory_only"))


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        InputError: the file is missing or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"no file `{path}`; give the path of a run file in TOML") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"`{path}` is not TOML: {error}") from error


def parse_setting(setting: str) -> tuple[list[str], Any]:
    """Split ``stage.key=value``; the value is read as TOML, or kept as text if it is not.

    >>> parse_setting("ppo.kl_coef=0.05")
    (['ppo', 'kl_coef'], 0.05)
    >>> parse_setting("paths.data=../data")
    (['paths', 'data'], '../data')
    """
    name, separator, value = setting.partition("=")
    keys = name.strip().split(".")
    if not separator or not all(keys):
        raise InputError(f"cannot read `--set {setting}`; write `--set stage.key=value`")
    try:
        return keys, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return keys, value.strip()


def apply_settings(table: dict[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """Return ``table`` with every ``a.b=c`` applied; the given table is not changed."""
    result = _copied(table)
    for setting in settings:
        keys, value = parse_setting(setting)
        here = result
        for key in keys[:-1]:
            inner = here.setdefault(key, {})
            if not isinstance(inner, dict):
                raise InputError(f"cannot apply `--set {setting}`: `{key}` is a value, not a table")
            here = inner
        here[keys[-1]] = value
    return result


def overridden(table: dict[str, Any], by: dict[str, Any]) -> dict[str, Any]:
    """``table`` with the values of another in their places; nested tables are joined.

    >>> overridden({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 4}})
    {'a': 1, 'b': {'c': 2, 'd': 4}}
    """
    result = _copied(table)
    for key, value in by.items():
        before = result.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            value = overridden(before, value)  # noqa: PLW2901
        result[key] = value
    return result


def _copied(table: dict[str, Any]) -> dict[str, Any]:
    return {k: _copied(v) if isinstance(v, dict) else v for k, v in table.items()}


def build(kind: type[M], values: dict[str, Any], *, where: str) -> M:
    """Make a config or inputs object out of plain values.

    Args:
        kind: the stage's ``Config`` or ``Inputs``.
        values: what the run file and the command line say.
        where: how to name the place in an error, for example ``[ppo]``.

    Raises:
        InputError: a key is unknown (names the nearest known one), missing, or has a bad value.
    """
    for key in values:
        if key not in kind.model_fields:
            raise InputError(f"{where}: unknown key `{key}`{nearest(key, kind.model_fields)}")
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the whole table"
        if first["type"] == "missing":
            raise InputError(f"{where}: `{key}` is missing; give it a value") from error
        if first["type"] == "extra_forbidden":
            raise InputError(f"{where}: unknown key `{key}`; remove it") from error
        raise InputError(f"{where}: `{key}` = `{first['input']}`: {first['msg']}") from error


def nearest(word: str, known: Sequence[str] | dict[str, Any]) -> str:
    """``; did you mean `x`?`` for the closest known word, else a list of what is known."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known: {', '.join(sorted(names))}" if names else "; nothing is expected here"
