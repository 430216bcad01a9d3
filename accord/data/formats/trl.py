"""What TRL trains on: preferences in pairs, and single responses that are wanted or not.

    preference  {"prompt": …, "chosen": …, "rejected": …}     the prompt may be left out
    unpaired    {"prompt": …, "completion": …, "label": true}

Each value is text (standard) or a list of messages (conversational). Without a prompt, both
conversations hold it.

Source: https://huggingface.co/docs/trl/dataset_formats, "Preference" and "Unpaired preference".
"""

from collections.abc import Iterable, Iterator
from typing import Any

from accord.data.chat import render_prompt
from accord.data.formats.dialogues import as_dicts, parted, rest, split, whole
from accord.data.formats.differences import restored
from accord.data.formats.entries import Entry, Judgment, Said, Text, decided, entry_of, is_tie
from accord.data.formats.fields import Fields
from accord.data.formats.reading import Format, Options, kept_of
from accord.data.threads import Tally, prompt_of
from accord.records import Message, Prompt

WANTED = "wanted"  # the axis of a label
YES, NO = 7, 1  # its ratings
MIDDLE = 4


def read_pairs(row: Fields, options: Options, tally: Tally) -> Iterator[Entry]:
    """The one comparison of a row."""
    if not row.has("prompt") and not isinstance(row.values.get("chosen"), list):
        raise row.wrong("prompt", "is missing; it may be left out only of lists of messages")
    if row.has("prompt"):
        prompt = _prompt(row)
        chosen, rejected = (_response(row, key, prompt) for key in ("chosen", "rejected"))
    else:
        found = parted(row.messages("chosen"), row.messages("rejected"))
        if found is None:
            tally.leave_out("no_common_prompt")
            return
        prompt, chosen, rejected = found
    said = Said(options.labeler_of(row.row), ranks=(1, 2))
    yield entry_of(prompt_of(prompt), [Text(chosen), Text(rejected)], [said])


def read_unpaired(row: Fields, options: Options, tally: Tally) -> Iterator[Entry]:
    """The one response of a row, rated by its label."""
    prompt = _prompt(row)
    label = row.values.get("label")
    if not isinstance(label, bool):
        raise row.wrong("label", "is neither true nor false")
    said = Said(options.labeler_of(row.row), ratings=({WANTED: YES if label else NO},))
    yield entry_of(prompt_of(prompt), [Text(_response(row, "completion", prompt))], [said])


def write_pairs(entries: Iterable[Entry], tally: Tally) -> Iterator[dict[str, Any]]:
    """A row for every decided pair of every vote, as lists of messages."""
    for entry in entries:
        prompt, answers = as_dicts(entry.prompt.messages), _answers(entry)
        for judgment in entry.judgments:
            kept = kept_of(judgment.origin, "trl")
            for better, worse in decided(judgment):
                pair = {"prompt": prompt, "chosen": answers[better], "rejected": answers[worse]}
                yield restored(pair, kept)


def write_standard(entries: Iterable[Entry], tally: Tally) -> Iterator[dict[str, Any]]:
    """A row for every decided pair of every vote, as text."""
    for entry in entries:
        prompt = _standard(entry.prompt)
        texts = [response.text for response in entry.responses]
        for judgment in entry.judgments:
            kept = kept_of(judgment.origin, "trl-standard")
            for better, worse in decided(judgment):
                pair = {"prompt": prompt, "chosen": texts[better], "rejected": texts[worse]}
                yield restored(pair, kept)


def write_unpaired(entries: Iterable[Entry], tally: Tally) -> Iterator[dict[str, Any]]:
    """A row for every response that somebody called good or bad."""
    for entry in entries:
        prompt, answers = as_dicts(entry.prompt.messages), _answers(entry)
        for judgment in entry.judgments:
            kept = kept_of(judgment.origin, "kto")
            labels = _labels(judgment)
            if not labels:
                tally["lost/no_label"] += 1
            for place, label in labels:
                row = {"prompt": prompt, "completion": answers[place], "label": label}
                yield restored(row, kept)


def _labels(judgment: Judgment) -> list[tuple[int, bool]]:
    """Which responses a vote calls good or bad.

    A rating on the axis of labels says so; of a ranking, the best are good and the worst are
    bad; of a tie, all are what its kind says, and nothing is said if the kind is not known.
    """
    if judgment.ratings:
        rated = [(place, axes.get(WANTED)) for place, axes in enumerate(judgment.ratings)]
        known = [(place, value >= MIDDLE) for place, value in rated if value is not None]
        if known:
            return known
    ranks = judgment.ranks
    if len(ranks) > 1 and is_tie(ranks):
        return [(place, judgment.tie == "both_good") for place in range(len(ranks)) if judgment.tie]
    worse = {worse for _, worse in decided(judgment)}
    better = {better for better, _ in decided(judgment)}
    return [(place, place in better) for place in sorted(better ^ worse)]


def _prompt(row: Fields) -> list[Message]:
    if not isinstance(row.values.get("prompt"), list):
        text = row.text("prompt")
        try:
            messages = split(text) if text.startswith("\n\nHuman:") else []
        except ValueError:
            messages = []
        if len(messages) > 1 and messages[-1] == Message(role="assistant", content=""):
            return messages[:-1]
        return [Message(role="user", content=text)]
    messages = row.messages("prompt")
    if messages[-1].role != "user":
        raise row.wrong("prompt", "does not end with a message of the user")
    return messages


def _response(row: Fields, key: str, prompt: list[Message]) -> str:
    """The text of a response; conversations may repeat the prompt before it."""
    if not isinstance(row.values.get(key), list):
        return row.text(key)
    messages = row.messages(key)
    if messages[: len(prompt)] == prompt:
        messages = messages[len(prompt) :]
    if not messages or messages[0].role != "assistant":
        raise row.wrong(key, "does not begin with a message of the assistant")
    return rest(messages)


def _answers(entry: Entry) -> list[list[dict[str, str]]]:
    start = len(entry.prompt.messages)
    return [
        as_dicts(whole(entry.prompt.messages, response.text)[start:])
        for response in entry.responses
    ]


def _standard(prompt: Prompt) -> str:
    """One message as it is, a conversation in the layout of ``accord.data.chat``."""
    return prompt.messages[0].content if len(prompt.messages) == 1 else render_prompt(prompt)


PAIRS = Format(
    name="trl",
    title="TRL preference, conversational: prompt, chosen, rejected as lists of messages",
    read=read_pairs,
    write=write_pairs,
    holds=frozenset({"texts", "conversation"}),
    reading=(
        "text, lists of messages and a prompt inside the conversations are all read",
        "what a system message says stands before the first turn after it",
    ),
)
STANDARD = Format(
    name="trl-standard",
    title="TRL preference, standard: prompt, chosen, rejected as text",
    read=read_pairs,
    write=write_standard,
    holds=frozenset({"texts", "conversation"}),
    writing=("a conversation is written as `Human:` and `Assistant:` turns",),
)
UNPAIRED = Format(
    name="kto",
    title="TRL unpaired preference (KTO): prompt, completion, label",
    read=read_unpaired,
    write=write_unpaired,
    holds=frozenset({"texts", "conversation", "tie", "tie_kind", "both_bad"}),
    reading=(f"a label is a rating of {YES} or {NO} on the axis `{WANTED}`",),
    writing=(
        "of a comparison, the best responses are written as true and the worst as false, and which "
        "belonged together is lost; both bad is written as false twice, equally good as true "
        "twice, and a tie of unknown kind is left out",
    ),
)
