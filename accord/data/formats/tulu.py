"""The human evaluation of Tülu: five steps between two responses, and whether each will do.

    {"id", "instance_index", "instance_id", "prompt", "model_a", "model_b", "completion_a",
     "completion_b", "completion_a_is_acceptable": "yes", "completion_b_is_acceptable": "no",
     "preference": "a-is-slightly-better", "evaluator", "timestamp", …}

Source: https://github.com/allenai/open-instruct, ``human_eval``; Wang et al. 2023,
arXiv:2306.04751, section 4.3. "Slightly better" is strength 2 and "better" 3 of our four steps,
named as in Touvron et al. 2023, arXiv:2307.09288, section 3.2.1: negligibly, slightly, better,
significantly.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from accord.data.formats.differences import restored
from accord.data.formats.entries import (
    PAIR,
    Entry,
    Judgment,
    Said,
    Text,
    decided,
    entry_of,
    file_order,
    pairs_of,
)
from accord.data.formats.fields import Fields
from accord.data.formats.reading import Format, Options, kept_of
from accord.data.threads import Tally, prompt_of
from accord.records import Message

SLIGHTLY, CLEARLY = 2, 3
PREFERENCES: dict[str, tuple[tuple[int, int], int | None]] = {
    "a-is-better": ((1, 2), CLEARLY),
    "a-is-slightly-better": ((1, 2), SLIGHTLY),
    "tie": ((1, 1), None),
    "b-is-slightly-better": ((2, 1), SLIGHTLY),
    "b-is-better": ((2, 1), CLEARLY),
}
UNACCEPTABLE = "unacceptable"
MILLI = 1000


def read(row: Fields, options: Options, tally: Tally) -> Iterator[Entry]:
    """The one judgment of a row."""
    ranks, strength = PREFERENCES[row.choice("preference", list(PREFERENCES))]
    said = Said(
        row.name("evaluator", options.labeler_of(row.row)),
        ranks=ranks,
        is_order_shown=True,
        strength=strength,
        flags=[_flags(row, side) for side in "ab"],
        note=row.text_or("comment"),
        time=row.instant("timestamp", per_second=MILLI),
        key=row.name("id", ""),
    )
    texts = [  # an empty completion is null
        Text(row.text_or(f"completion_{side}"), row.name(f"model_{side}")) for side in "ab"
    ]
    yield entry_of(prompt_of([Message(role="user", content=row.text("prompt"))]), texts, [said])


def write(entries: Iterable[Entry], tally: Tally) -> Iterator[dict[str, Any]]:
    """A row for every vote on a pair."""
    for entry in entries:
        tally["lost/no_ranking"] += sum(not judgment.ranks for judgment in entry.judgments)
        for pair in pairs_of(entry):
            for judgment in pair.judgments:
                if judgment.ranks:
                    yield restored(_row(pair, judgment), kept_of(judgment.origin, "tulu"))


def _row(entry: Entry, judgment: Judgment) -> dict[str, Any]:
    order = file_order(judgment, PAIR)
    row: dict[str, Any] = {"prompt": entry.prompt.messages[-1].content}
    for side, place in zip("ab", order, strict=True):
        flags = judgment.flags[place] if judgment.flags else ()
        row[f"model_{side}"] = entry.responses[place].policy
        row[f"completion_{side}"] = entry.responses[place].text
        row[f"completion_{side}_is_acceptable"] = "no" if UNACCEPTABLE in flags else "yes"
    row["preference"] = _preference(judgment, order)
    row["comment"] = judgment.note or None
    row["evaluator"] = judgment.labeler
    row["timestamp"] = _milliseconds(judgment.time)
    return row


def _flags(row: Fields, side: str) -> tuple[str, ...]:
    key = f"completion_{side}_is_acceptable"
    if not row.has(key):
        return ()
    return (UNACCEPTABLE,) if row.choice(key, ["yes", "no"]) == "no" else ()


def _preference(judgment: Judgment, order: tuple[int, ...]) -> str:
    pair = decided(judgment)
    if not pair:
        return "tie"
    side = "a" if pair[0][0] == order[0] else "b"
    is_clear = judgment.strength is None or judgment.strength >= CLEARLY
    return f"{side}-is-better" if is_clear else f"{side}-is-slightly-better"


def _milliseconds(time: datetime | None) -> int | None:
    return None if time is None else round(time.timestamp() * MILLI)


FORMAT = Format(
    name="tulu",
    title="Tülu human evaluation: completion_a, completion_b, preference, evaluator",
    read=read,
    write=write,
    holds=frozenset(
        {"texts", "labeler", "policy", "side", "strength", "tie", "flags", "note", "time"}
    ),
    reading=(
        "`slightly better` is strength 2, `better` is strength 3",
        f"a completion that is not acceptable has the flag `{UNACCEPTABLE}`",
    ),
    writing=(
        "strengths 1 and 2 are written as slightly better, 3, 4 and none as better",
        f"of flags, only `{UNACCEPTABLE}` is written; without it a response is acceptable",
    ),
)
