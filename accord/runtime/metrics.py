"""Metrics: numbers by step that every run of one seed repeats, and timings that it does not.

<out>/metrics.jsonl   {"step": 10, "train/loss": 2.5, ...}   byte-identical for one seed
<out>/timings.jsonl   {"step": 10, "time/tokens_per_second": 20000.0, ...}
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SIGNIFICANT_DIGITS = 6


class MetricsLog:
    """The two files of a stage; ``log`` repeats with the seed, ``log_time`` does not.

    Keys are ``group/name``.
    """

    def __init__(self, out: Path) -> None:
        self._metrics = out / "metrics.jsonl"
        self._timings = out / "timings.jsonl"

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append one line to ``metrics.jsonl``: same seed, same line."""
        _append(self._metrics, step, values)

    def log_time(self, step: int, values: Mapping[str, float]) -> None:
        """Append one line to ``timings.jsonl``: seconds and speeds."""
        _append(self._timings, step, values)

    def truncate_to(self, step: int) -> None:
        """Drop the metrics after ``step``, which the resumed run will write again.

        A run that starts from nothing truncates to -1, or to 0 if it logs nothing at step 0.
        A last line that was cut off by a crash is dropped with them.
        """
        if not self._metrics.is_file():
            return
        kept = [
            line
            for line in self._metrics.read_text(encoding="utf-8").splitlines()
            if _step_of(line) <= step
        ]
        temporary = self._metrics.with_name(self._metrics.name + ".tmp")
        temporary.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        os.replace(temporary, self._metrics)


def read_metrics(out: Path) -> list[dict[str, Any]]:
    """The lines of ``metrics.jsonl``, oldest first; empty when nothing was logged."""
    path = out / "metrics.jsonl"
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _append(path: Path, step: int, values: Mapping[str, float]) -> None:
    line = {"step": step} | {key: _rounded(value) for key, value in sorted(values.items())}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, allow_nan=False) + "\n")


def _rounded(value: float) -> float | int | None:
    """Six significant digits; a number that is not finite becomes null, since JSON has none."""
    if isinstance(value, int):
        return value
    number = float(value)
    return float(f"{number:.{SIGNIFICANT_DIGITS}g}") if math.isfinite(number) else None


def _step_of(line: str) -> float:
    """The step of a line; beyond every step when the line is not whole."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf
