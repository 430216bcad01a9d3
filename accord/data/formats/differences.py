"""What of a row Accord's records do not hold: kept beside them, and put back.

    kept = difference(row, again)           again: the row as the records alone would write it
    row  = restored(again, kept)

Only what differs is kept, so that a later change of the records still reaches the file.
"""

from typing import Any

GONE = "-"  # keys that `again` has and the row has not
CHANGED = "+"  # keys that the row has, or has otherwise
INSIDE = "."  # keys whose values differ in part


def difference(row: dict[str, Any], again: dict[str, Any]) -> dict[str, Any]:
    """What has to be kept so that ``restored(again, kept)`` is the row.

    >>> difference({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}, "d": 4})
    {'-': ['d'], '.': {'b': {'+': {'c': 2}}}}
    """
    gone = [key for key in again if key not in row]
    changed, inside = {}, {}
    for key, value in row.items():
        if key not in again:
            changed[key] = value
        elif isinstance(value, dict) and isinstance(again[key], dict):
            part = difference(value, again[key])
            if part:
                inside[key] = part
        elif not _same(value, again[key]):
            changed[key] = value
    parts: dict[str, Any] = {GONE: gone, CHANGED: changed, INSIDE: inside}
    return {name: part for name, part in parts.items() if part}


def restored(again: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """The row that ``difference`` was taken of, if ``again`` is the same.

    >>> again = {"a": 1, "b": {"c": 3}, "d": 4}
    >>> restored(again, difference({"a": 1, "b": {"c": 2}}, again))
    {'a': 1, 'b': {'c': 2}}
    """
    gone = kept.get(GONE, [])
    row = {key: value for key, value in again.items() if key not in gone}
    row.update(kept.get(CHANGED, {}))
    for key, part in kept.get(INSIDE, {}).items():
        row[key] = restored(row.get(key, {}), part)
    return row


def _same(one: Any, other: Any) -> bool:
    """Equal, and of the same kind: 1, 1.0 and true are three values in JSON."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)
