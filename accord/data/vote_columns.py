"""Columns of a vote file as numbers: who met whom, what was said, by whom, on what.

Whatever is wrong is said with its file, line and field; nothing is guessed. Names are numbered in
the order in which they turn up, so that a file that is larger than memory can be read in pieces.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from accord.config import nearest
from accord.data.vote_rows import ONE_HOT, Batch, Column
from accord.ratings.votes import MOST_WEIGHT, WINNERS, BoolArray, FloatArray, IntArray, log_ratio

UNKNOWN = -1  # the number of a labeler, prompt or criterion that a row does not name
WINNER_CODES = {winner: code for code, winner in enumerate(WINNERS)}
OTHER_WINNERS = {  # as arenas write them
    "model_a": "a",
    "model_b": "b",
    "tie (bothbad)": "both_bad",
    "bothbad": "both_bad",
    "both bad": "both_bad",
}
MARKS = {0: 0.0, "0": 0.0, 1: 1.0, "1": 1.0}  # of a column for each outcome; False is 0, True 1
SIDES = {"a": 1.0, "left": 1.0, "first": 1.0, "model_a": 1.0, 1: 1.0, "1": 1.0}
SIDES |= {"b": 0.0, "right": 0.0, "second": 0.0, "model_b": 0.0, -1: 0.0, "-1": 0.0}


@dataclass
class Vocabulary:
    """Names by number, in the order in which they turned up."""

    models: dict[str, int] = field(default_factory=dict)
    labelers: dict[str, int] = field(default_factory=dict)
    prompts: dict[str, int] = field(default_factory=dict)
    criteria: dict[str, int] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)
    is_weighted: bool | None = None  # whether votes have weights; None before the first


@dataclass(frozen=True, eq=False)
class VoteBatch:
    """Some votes; every array has one entry a vote. Names are numbers of a ``Vocabulary``."""

    a: IntArray
    b: IntArray
    winner: IntArray  #: number in ``WINNERS``
    labeler: IntArray  #: UNKNOWN where the row names none; so for prompt and criterion
    prompt: IntArray
    criterion: IntArray
    turn: IntArray  #: of a conversation, whose responses are others than those of another turn
    a_first: FloatArray  #: 1 when a was shown before b, 0 after, NaN when not known
    length: FloatArray  #: ``log_ratio`` of the two lengths, NaN when not known
    strength: FloatArray  #: how much better, NaN when not known
    weight: FloatArray
    more: FloatArray  #: [votes, further columns], NaN when not known


def coded(batch: Batch, names: Vocabulary, more: Sequence[str] = ()) -> VoteBatch:
    """Check a batch and turn it into numbers; new names are added to the vocabulary.

    Args:
        batch: rows as they were read.
        names: what is known so far.
        more: further columns, any numbers.

    Raises:
        InputError: a name or a winner is missing, a winner or side is unknown, or a number is not
            one that makes sense there.
    """
    return VoteBatch(
        a=_names(batch, "a", names.models, needed=True),
        b=_names(batch, "b", names.models, needed=True),
        winner=_winners(batch),
        labeler=_names(batch, "labeler", names.labelers),
        prompt=_names(batch, "prompt", names.prompts),
        criterion=_names(batch, "criterion", names.criteria),
        turn=_names(batch, "turn", names.turns),
        a_first=_each(batch, "side", _side(batch)),
        length=log_ratio(
            *(_each(batch, name, _number(batch, name)) for name in ("len_a", "len_b"))
        ),
        strength=_each(batch, "strength", _number(batch, "strength", above_zero=True)),
        weight=_weights(batch, names),
        more=np.column_stack(
            [np.zeros((len(batch.places), 0))]
            + [_each(batch, name, _number(batch, name, signed=True)) for name in more]
        ),
    )


def _names(batch: Batch, name: str, known: dict[str, int], *, needed: bool = False) -> IntArray:
    column = batch.columns.get(name)
    if column is None:
        return np.full(len(batch.places), UNKNOWN)
    used = _used(column)
    numbers = np.full(len(column.values), UNKNOWN)
    for i in np.flatnonzero(used).tolist():
        value = column.values[i]
        text = _text(value)
        if text is None:
            raise batch.error(name, i, f"is {_shown(value)}", "give a name")
        if text:
            numbers[i] = known.setdefault(text, len(known))
        elif needed:
            raise batch.error(name, i, "is missing", "give the name of a model")
    return numbers[column.codes]


def _text(value: Any) -> str | None:
    """A name as text, empty when it is missing; None when it is no name."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool | bytes | dict | list):
        return None
    if isinstance(value, float):
        if math.isnan(value):
            return ""  # how tables write a missing number
        return str(int(value)) if value.is_integer() else str(value)
    return str(value)


def _each(batch: Batch, name: str, translate: Callable[[int, Any], float]) -> FloatArray:
    """A column of numbers, each distinct value translated once; NaN where there is none."""
    column = batch.columns.get(name)
    if column is None:
        return np.full(len(batch.places), math.nan)
    used = _used(column)
    values = [translate(i, v) if used[i] else math.nan for i, v in enumerate(column.values)]
    return np.array(values, dtype=np.float64)[column.codes]


def _used(column: Column) -> BoolArray:
    """Which distinct values some row has; a Parquet batch may list more."""
    return np.bincount(column.codes, minlength=len(column.values)) > 0


def _winners(batch: Batch) -> IntArray:
    """Numbers in ``WINNERS``, from one column or from one for each outcome."""
    if ONE_HOT[0] not in batch.columns:
        return _each(batch, "winner", _winner(batch)).astype(np.int64)
    marks = np.column_stack([_each(batch, name, _mark(batch, name)) for name in ONE_HOT])
    wrong = marks.sum(axis=1) != 1
    if wrong.any():
        row = int(np.argmax(wrong))
        what = f"and the two beside it mark {int(marks[row].sum())} outcomes"
        raise batch.error_at(ONE_HOT[0], row, what, f"write 1 in one of {_listed(ONE_HOT)}")
    codes: IntArray = marks.argmax(axis=1)  # their order is that of WINNERS
    return codes


def _mark(batch: Batch, name: str) -> Callable[[int, Any], float]:
    def translate(index: int, value: Any) -> float:
        text = value.strip() if isinstance(value, str) else value
        if text is None or text == "":
            raise batch.error(name, index, "is missing", "write 1 or 0")
        if text not in MARKS:
            raise batch.error(name, index, f"is {_shown(value)}", "write 1 or 0")
        return MARKS[text]

    return translate


def _winner(batch: Batch) -> Callable[[int, Any], float]:
    def translate(index: int, value: Any) -> float:
        text = value.strip() if isinstance(value, str) else value
        if text is None or text == "":
            raise batch.error("winner", index, "is missing", f"write {_listed(WINNERS)}")
        known = OTHER_WINNERS.get(text, text) if isinstance(text, str) else ""
        found = WINNER_CODES.get(known)
        if found is None:
            close = nearest(str(text).lower(), WINNERS).removeprefix("; ")
            raise batch.error("winner", index, f"is {_shown(value)}", close)
        return found

    return translate


def _side(batch: Batch) -> Callable[[int, Any], float]:
    def translate(index: int, value: Any) -> float:
        text = value.strip() if isinstance(value, str) else value
        if text is None or text == "" or (isinstance(text, float) and math.isnan(text)):
            return math.nan
        if isinstance(text, bool) or text not in SIDES:
            remedy = "write which of the two was shown first: `a` or `b`, or leave it empty"
            raise batch.error("side", index, f"is {_shown(value)}", remedy)
        return SIDES[text]

    return translate


def _number(
    batch: Batch, name: str, *, above_zero: bool = False, signed: bool = False
) -> Callable[[int, Any], float]:
    remedy = (
        "give a number" if signed else "give a number above 0" if above_zero else "give 0 or more"
    )

    def translate(index: int, value: Any) -> float:
        if value is None or (isinstance(value, str) and not value.strip()):
            return math.nan
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        too_small = (number < 0 and not signed) or (number == 0 and above_zero)
        if too_small or not math.isfinite(number):
            raise batch.error(name, index, f"is {_shown(value)}", remedy)
        return number

    return translate


def _weights(batch: Batch, names: Vocabulary) -> FloatArray:
    """Ones when no row has a weight; a row without one among rows that have one is a mistake.

    What the first batch of a file has, the others must have too.
    """
    weights = _each(batch, "weight", _number(batch, "weight"))
    if (weights > MOST_WEIGHT).any():
        row = int(np.argmax(weights > MOST_WEIGHT))
        remedy = (
            f"give at most {MOST_WEIGHT:g}: a vote that counts so often leaves no room for others"
        )
        raise batch.error_at("weight", row, f"is {weights[row]:g}", remedy)
    missing = np.isnan(weights)
    remedy = "give every vote a weight, or none"
    if names.is_weighted is None:
        names.is_weighted = not missing.all()
    if missing.any() and names.is_weighted:
        raise batch.error_at("weight", int(np.argmax(missing)), "is missing", remedy)
    if not missing.all() and not names.is_weighted:
        what = "is given, and no vote before has one"
        raise batch.error_at("weight", int(np.argmin(missing)), what, remedy)
    if missing.all():
        return np.ones(len(weights))
    return weights


def _shown(value: Any) -> str:
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(value)[:41])
    return f"`{text if len(text) <= 40 else text[:39] + '…'}`"  # noqa: PLR2004 - a line's worth


def _listed(known: Iterable[str]) -> str:
    *most, last = (f"`{name}`" for name in known)
    return f"{', '.join(most)} or {last}"
