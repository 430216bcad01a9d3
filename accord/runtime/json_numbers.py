"""Numbers as JSON can hold them: rounded alike everywhere, and null for what is not finite."""

import math
from typing import Any

DECIMALS = 6


def plain(value: Any) -> Any:
    """The same dictionaries and lists, floats with six decimals, null for NaN and infinity.

    >>> plain({"low": float("-inf"), "rates": (0.12345678, -0.0, 3)})
    {'low': None, 'rates': [0.123457, 0.0, 3]}
    """
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return round(value, DECIMALS) + 0.0 if math.isfinite(value) else None
    return value
