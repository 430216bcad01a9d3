"""UKPConvArg1: workers of a crowd say which of two arguments is more convincing, and why.

    {"pair", "topic", "title", "a1", "a2", "gold": "a1" | "a2" | "equal" | null,
     "votes": [{"worker", "value": "a1" | "a2" | "equal", "reason"}]}

The arguments are given by id; their texts are in a file of their own, ``{"id", "text"}`` a line.
Each argument counts as its own policy, so that ratings are ratings of arguments.

Source: https://github.com/UKPLab/acl2016-convincing-arguments; Habernal and Gurevych 2016,
"Which argument is more convincing?", ACL.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from accord.config import InputError
from accord.data.files import rows
from accord.data.formats.differences import restored
from accord.data.formats.entries import (
    PAIR,
    Entry,
    Judgment,
    Said,
    Text,
    by_order,
    decided,
    entry_of,
    pairs_of,
)
from accord.data.formats.fields import Fields
from accord.data.formats.reading import Format, Options, kept_of
from accord.data.threads import Tally, prompt_of
from accord.records import Message

VALUES = {"a1": (1, 2), "a2": (2, 1), "equal": (1, 1)}
NAME = "convincing-arguments"


def read(row: Fields, options: Options, tally: Tally) -> Iterator[Entry]:
    """The one pair of a row with all its votes."""
    names = [row.name("a1"), row.name("a2")]
    texts = [Text(options.texts.get(name, ""), name) for name in names]
    if any(name not in options.texts for name in names):
        if options.texts:
            missing = next(key for key in ("a1", "a2") if row.name(key) not in options.texts)
            raise row.wrong(missing, f"is `{row.name(missing)}`, which the file of texts lacks")
        tally["texts_missing"] += 1
    said = [
        Said(
            vote.name("worker"),
            ranks=VALUES[vote.choice("value", list(VALUES))],
            is_order_shown=True,
            note=vote.text_or("reason"),
            key=row.text_or("pair", "".join(names)),
            row=vote.values,
        )
        for vote in row.each("votes")
    ]
    if not said:
        tally["without_votes"] += 1
    prompt = prompt_of([Message(role="user", content=row.text("title"))], kind=row.text("topic"))
    yield entry_of(prompt.model_copy(update={"topic": row.text("topic")}), texts, said)


def write(entries: Iterable[Entry], tally: Tally) -> Iterator[dict[str, Any]]:
    """A row for every pair."""
    for entry in entries:
        if len(entry.responses) < PAIR:
            tally["lost/not_a_pair"] += len(entry.judgments)
        for pair in (row for one in pairs_of(entry) for row in by_order(one)):
            a1, a2 = _names(pair)
            ranked = [judgment for judgment in pair.judgments if judgment.ranks]
            tally["lost/no_ranking"] += len(pair.judgments) - len(ranked)
            row = {
                "pair": f"{a1}_{a2}",
                "topic": pair.prompt.topic or pair.prompt.kind,
                "title": pair.prompt.messages[-1].content,
                "a1": a1,
                "a2": a2,
                "votes": [restored(_vote(pair, j), kept_of(j.origin, NAME)) for j in ranked],
            }
            yield restored(row, kept_of(pair.origin, NAME))


def _vote(entry: Entry, judgment: Judgment) -> dict[str, Any]:
    pair = decided(judgment)
    value = "equal" if not pair else "a1" if pair[0][0] == _order(entry)[0] else "a2"
    return {"worker": judgment.labeler, "value": value, "reason": judgment.note}


def _order(entry: Entry) -> tuple[int, ...]:
    return (entry.origin.order if entry.origin else ()) or (0, 1)


def _names(entry: Entry) -> list[str]:
    """What the two arguments are called: by policy where that tells them apart, else by id."""
    responses = [entry.responses[place] for place in _order(entry)]
    policies = [response.policy for response in responses]
    is_told_apart = len(set(policies)) == PAIR and "unknown" not in policies
    return policies if is_told_apart else [response.id for response in responses]


def texts_of(path: Path) -> dict[str, str]:
    """The texts of arguments by id.

    Raises:
        InputError: a row has no ``id`` or ``text``, or an id has two texts.
    """
    found: dict[str, str] = {}
    for row in rows(path):
        fields = Fields(row.values, row)
        name, text = fields.name("id"), fields.text("text")
        if found.setdefault(name, text) != text:
            raise fields.wrong("id", f"is `{name}`, which has another text before")
    if not found:
        raise InputError(f"`{path}` holds no texts; give a file with `id` and `text` a line")
    return found


FORMAT = Format(
    name=NAME,
    title="UKPConvArg1 votes: a1, a2, votes with worker, value, reason",
    read=read,
    write=write,
    holds=frozenset({"labeler", "policy", "side", "tie", "note"}),
    reading=(
        "the texts of the arguments stand in a file of their own: give it with --set texts=FILE, "
        "else the responses are empty",
        "`gold` is not a vote; it is kept beside the records",
    ),
    writing=("both bad is written as `equal`",),
    votes_key="votes",
    vote=_vote,
)
