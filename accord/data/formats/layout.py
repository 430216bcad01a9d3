"""Which fields of an item are the prompt and the responses, where a tool leaves that open.

Labelling tools let every project name its fields. The usual names are known; for others, the
options ``--set prompt=…`` and ``--set responses=…`` say.
"""

import re
from collections.abc import Sequence

from accord.data.formats.dialogues import as_dicts
from accord.data.formats.entries import Entry
from accord.data.formats.fields import Fields
from accord.data.formats.reading import Options
from accord.data.threads import MOST_RESPONSES, Tally, prompt_of
from accord.records import Message, Prompt, Tie

PROMPTS = ("prompt", "instruction", "question", "query", "conversation", "messages", "context")
RESPONSE = re.compile(
    r"(response|completion|answer|generation|output|reply|summary|text|candidate)s?"
    r"[-_ ]?([0-9]+|[a-z])?",
    re.IGNORECASE,
)
SIDES = ("left", "right")
TIES: dict[str, Tie] = {
    "tie": "",
    "equal": "",
    "same": "",
    "both_good": "both_good",
    "both good": "both_good",
    "both_bad": "both_bad",
    "both bad": "both_bad",
    "neither": "both_bad",
}
NOTES = ("comment", "note", "reason", "explanation")


def prompt_in(fields: Fields, options: Options) -> Prompt:
    """The prompt among the fields: text, or a list of messages."""
    key = options.prompt_key or next((name for name in PROMPTS if fields.has(name)), "")
    if not key:
        names = ", ".join(f"`{name}`" for name in list(fields.values)[:8])
        raise fields.row.error(
            f"none of the fields {names} of `{fields.path.rstrip('.')}` is known as a prompt; name "
            "it with --set prompt=FIELD"
        )
    if not isinstance(fields.values.get(key), list):
        return prompt_of([Message(role="user", content=fields.text(key))])
    messages = fields.messages(key)
    if messages[-1].role != "user":
        raise fields.wrong(key, "does not end with a message of the user")
    return prompt_of(messages)


def responses_in(fields: Fields, options: Options) -> list[str]:
    """The names of the fields with the responses, in the order of the file."""
    if options.response_keys:
        keys = list(options.response_keys)
        for key in keys:
            fields.text(key)
    else:
        known = (*PROMPTS, options.prompt_key)
        texts = [key for key, value in fields.values.items() if isinstance(value, str)]
        keys = [key for key in texts if RESPONSE.fullmatch(key) and key not in known]
    if not 1 <= len(keys) <= MOST_RESPONSES:
        found = ", ".join(f"`{key}`" for key in fields.values)
        raise fields.row.error(
            f"{len(keys)} of the fields {found} are known as responses, not 1 to {MOST_RESPONSES}; "
            "name them with --set responses=FIELD,FIELD"
        )
    return keys


def prompt_value(prompt: Prompt) -> str | list[dict[str, str]]:
    """A prompt as it is written: text where it is one message, else a list of messages."""
    if len(prompt.messages) == 1:
        return prompt.messages[0].content
    return as_dicts(prompt.messages)


def names_of(entry: Entry) -> list[str]:
    """What the responses are called where they are written, by place in the record."""
    order = (entry.origin.order if entry.origin else ()) or range(len(entry.responses))
    return [f"response_{list(order).index(place) + 1}" for place in range(len(entry.responses))]


def order_of(entry: Entry) -> tuple[int, ...]:
    """Indices of the responses in the order of the file, or of the first screen that is known."""
    if entry.origin and entry.origin.order:
        return entry.origin.order
    shown = (judgment.shown_order for judgment in entry.judgments if judgment.shown_order)
    return next(shown, tuple(range(len(entry.responses))))


def chosen_place(value: str, keys: Sequence[str]) -> int | None:
    """Which response a label means: by its field, or by side, letter or number of two."""
    lowered = value.strip().lower()
    if value in keys:
        return list(keys).index(value)
    for names in (("a", "b"), ("1", "2"), SIDES):
        if len(keys) == len(names) and lowered in names:
            return names.index(lowered)
    return None


def tie_kind(value: str) -> Tie | None:
    """The kind of tie that a label means; None if it means none."""
    return TIES.get(value.strip().lower().replace("-", "_"))


def left_out(tally: Tally, reason: str) -> None:
    """Count an answer that says nothing about the responses."""
    tally[f"answers_left_out/{reason}"] += 1
