"""Write values as TOML, for what ``--dry-run`` prints: it can be saved and run."""

import json
from collections.abc import Mapping, Sequence
from typing import Any


def as_toml(values: Mapping[str, Any]) -> str:
    """One ``key = value`` a line; a value of None is left out, since TOML has none.

    >>> print(as_toml({"epochs": 3, "sampling": {"top_p": 1.0}, "model": "sft"}))
    epochs = 3
    sampling = { top_p = 1.0 }
    model = "sft"
    """
    return "\n".join(f"{_key(k)} = {_value(v)}" for k, v in values.items() if v is not None)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None)
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return json.dumps(str(value), ensure_ascii=False)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() else json.dumps(key)
