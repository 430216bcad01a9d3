"""Anthropic HH: two dialogues as text, of which people preferred the first.

    {"chosen": "\\n\\nHuman: …\\n\\nAssistant: …", "rejected": "\\n\\nHuman: …\\n\\nAssistant: …"}

Source: https://github.com/anthropics/hh-rlhf; Bai et al. 2022, arXiv:2204.05862.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from accord.data.chat import render
from accord.data.formats.dialogues import parted, split, whole
from accord.data.formats.differences import restored
from accord.data.formats.entries import Entry, Said, Text, decided, entry_of
from accord.data.formats.fields import Fields
from accord.data.formats.reading import Format, Options, kept_of
from accord.data.threads import Tally, prompt_of
from accord.records import Message


def read(row: Fields, options: Options, tally: Tally) -> Iterator[Entry]:
    """The one comparison of a row."""
    found = parted(_dialogue(row, "chosen"), _dialogue(row, "rejected"))
    if found is None:
        tally.leave_out("no_common_prompt")
        return
    prompt, chosen, rejected = found
    said = Said(options.labeler_of(row.row), ranks=(1, 2))
    yield entry_of(prompt_of(prompt), [Text(chosen), Text(rejected)], [said])


def write(entries: Iterable[Entry], tally: Tally) -> Iterator[dict[str, Any]]:
    """A row for every decided pair of every vote."""
    for entry in entries:
        dialogues = [
            render(whole(entry.prompt.messages, response.text)) for response in entry.responses
        ]
        for judgment in entry.judgments:
            kept = kept_of(judgment.origin, "hh")
            for better, worse in decided(judgment):
                pair = {"chosen": dialogues[better], "rejected": dialogues[worse]}
                yield restored(pair, kept)


def _dialogue(row: Fields, key: str) -> list[Message]:
    try:
        return split(row.text(key))
    except ValueError as error:
        raise row.wrong(key, str(error)) from error


FORMAT = Format(
    name="hh",
    title="Anthropic HH, JSON Lines: chosen, rejected",
    read=read,
    write=write,
    holds=frozenset({"texts", "conversation"}),
    reading=(
        "a file that names nobody has one labeler, named after it",
        "dialogues that differ before the last answer share the prompt up to there; the rest is "
        "the response",
    ),
)
