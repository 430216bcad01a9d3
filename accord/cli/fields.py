"""What the fields of a stage's Config and Inputs mean, read from where they are written.

A field is explained beside it, in a ``#:`` comment. Help texts and the tables of docs/stages are
made from these comments, so that a meaning is written once.
"""

import ast
import inspect
import textwrap
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from accord.cli.toml import as_toml

MARK = "#:"
USUAL = {  # fields that mean the same in every stage; a comment beside a field comes first
    "seed": "same seed, same result; in a run file `run.seed` is taken unless this is set",
    "weight_decay": "share of each weight lost per step and unit of learning rate",
    "max_grad_norm": "a longer gradient is scaled down to this length",
}


@dataclass(frozen=True)
class FieldHelp:
    """One field as people see it."""

    name: str
    type: str
    default: str  #: as TOML; empty when the field must be given
    meaning: str


def fields_of(kind: type[BaseModel]) -> list[FieldHelp]:
    """Every field in its order; fields of a nested table follow it as ``table.field``."""
    return list(_fields(kind, ""))


def _fields(kind: type[BaseModel], prefix: str) -> Iterator[FieldHelp]:
    written = _comments(kind)
    for name, field in kind.model_fields.items():
        meaning = field.description or written.get(name) or USUAL.get(name, "")
        meaning = meaning.replace("``", "`")
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield FieldHelp(prefix + name, "table", "", meaning)
            default = field.get_default(call_default_factory=True)
            for nested in _fields(inner, f"{prefix}{name}."):
                yield _with_default(nested, default, nested.name.rpartition(".")[2])
        else:
            yield FieldHelp(prefix + name, _type_name(inner), _default(field), meaning)


def _with_default(field: FieldHelp, table: Any, key: str) -> FieldHelp:
    """The default that the enclosing config gives, which may differ from the table's own."""
    value = getattr(table, key, None)
    return FieldHelp(field.name, field.type, _toml(value), field.meaning)


def _default(field: FieldInfo) -> str:
    return "" if field.is_required() else _toml(field.get_default(call_default_factory=True))


def _toml(value: Any) -> str:
    if value is None:
        return "none"
    return as_toml({"x": value.model_dump() if isinstance(value, BaseModel) else value})[4:]


def _type_name(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_name(arguments[0])
    if origin is Literal:
        return " | ".join(f'"{value}"' for value in arguments)
    if origin in (Union, types.UnionType):
        names = [_type_name(inner) for inner in arguments if inner is not type(None)]
        return " | ".join(dict.fromkeys(names))
    if arguments:
        inner = ", ".join(_type_name(argument) for argument in arguments if argument is not ...)
        return f"{_type_name(origin)}[{inner}]"
    return {Path: "path", str: "text", int: "int", float: "float", bool: "true | false"}.get(
        annotation, getattr(annotation, "__name__", str(annotation))
    )


def _comments(kind: type[BaseModel]) -> dict[str, str]:
    """``#:`` comments of a class and its parents by field name."""
    found: dict[str, str] = {}
    for parent in reversed(kind.__mro__):
        if issubclass(parent, BaseModel) and parent is not BaseModel:
            found |= _comments_of(parent)
    return found


def _comments_of(kind: type[BaseModel]) -> dict[str, str]:
    source = textwrap.dedent(inspect.getsource(kind))
    lines = source.splitlines()
    body = next(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)).body
    found = {}
    for node in body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            parts = [*_above(lines, node.lineno - 1)]
            for line in lines[node.lineno - 1 : node.end_lineno]:
                if MARK in line:
                    parts.append(line.partition(MARK)[2].strip())
            found[node.target.id] = " ".join(parts)
    return found


def _above(lines: list[str], index: int) -> list[str]:
    """The ``#:`` lines directly above a field."""
    first = index
    while first and lines[first - 1].strip().startswith(MARK):
        first -= 1
    return [line.strip().removeprefix(MARK).strip() for line in lines[first:index]]
