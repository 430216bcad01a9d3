"""OpenAI's summaries: which of two is better, and how good one is on several axes.

    comparisons  {"info": {…}, "summaries": [{"text", "policy", "note"}, …], "choice": 0,
                  "worker", "batch", "split", "extra"}
    axis evals   {"info": {…}, "summary": {"text", "policy", "note", "axes": {"overall": 7, …}},
                  "worker", "batch", "split"}

Source: https://github.com/openai/summarize-from-feedback, "Human feedback data"; Stiennon et al.
2020, arXiv:2009.01325. The prompt is written as the post was given to the policies there:
``SUBREDDIT: … TITLE: … POST: … TL;DR:``, each part where it is known.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from accord.data.formats.differences import restored
from accord.data.formats.entries import PAIR, Entry, Said, Text, decided, entry_of, file_order
from accord.data.formats.fields import Fields
from accord.data.formats.reading import Format, Options, kept_of
from accord.data.threads import Tally, prompt_of
from accord.records import Message, Prompt

PARTS = (  # of a prompt: field of `info`, heading, what stands before its text
    ("subreddit", "SUBREDDIT: ", "r/"),
    ("title", "TITLE: ", ""),
    ("post", "POST: ", ""),
    ("article", "ARTICLE: ", ""),
)
END = "TL;DR:"
BEST = 7  # of an axis


def read_comparison(row: Fields, options: Options, tally: Tally) -> Iterator[Entry]:
    """The one comparison of a row."""
    summaries = list(row.each("summaries"))
    if len(summaries) != PAIR:
        raise row.wrong("summaries", f"holds {len(summaries)} summaries, not two")
    choice = row.whole("choice", 0, PAIR - 1)
    said = Said(row.name("worker", options.labeler_of(row.row)), ranks=(1 + choice, 2 - choice))
    yield entry_of(_prompt(row), [_text(summary) for summary in summaries], [said])


def read_axes(row: Fields, options: Options, tally: Tally) -> Iterator[Entry]:
    """The one rated summary of a row."""
    summary = row.fields("summary")
    axes = summary.fields("axes")
    ratings = {key: axes.whole(key, 1, BEST) for key in axes.values if axes.has(key)}
    labeler = row.name("worker", options.labeler_of(row.row))
    note = summary.text_or("note")
    yield entry_of(_prompt(row), [_text(summary)], [Said(labeler, ratings=(ratings,), note=note)])


def write_comparisons(entries: Iterable[Entry], tally: Tally) -> Iterator[dict[str, Any]]:
    """A row for every decided pair of every vote."""
    for entry in entries:
        info = _info(entry.prompt)
        for judgment in entry.judgments:
            kept = kept_of(judgment.origin, "summaries")
            order = file_order(judgment, len(entry.responses))
            for better, worse in decided(judgment):
                pair = sorted((better, worse), key=order.index)
                row = {
                    "info": info,
                    "summaries": [_summary(entry, place) for place in pair],
                    "choice": pair.index(better),
                    "worker": judgment.labeler,
                }
                yield restored(row, kept)


def write_axes(entries: Iterable[Entry], tally: Tally) -> Iterator[dict[str, Any]]:
    """A row for every rated response of every vote."""
    for entry in entries:
        info = _info(entry.prompt)
        for judgment in entry.judgments:
            kept = kept_of(judgment.origin, "summaries-axes")
            if not any(judgment.ratings):
                tally["lost/no_rating"] += 1
            for place, axes in enumerate(judgment.ratings):
                if axes:
                    summary = _summary(entry, place) | {"note": judgment.note or None, "axes": axes}
                    row = {"info": info, "summary": summary, "worker": judgment.labeler}
                    yield restored(row, kept)


def _prompt(row: Fields) -> Prompt:
    info = row.fields("info")
    if not info.has("post") and not info.has("article"):
        raise info.wrong("post", "is missing, and so is an `article`; give one of them")
    parts = [
        f"{heading}{before}{info.text(key)}" for key, heading, before in PARTS if info.has(key)
    ]
    return prompt_of([Message(role="user", content="\n\n".join([*parts, END]))])


def _info(prompt: Prompt) -> dict[str, str]:
    """The post of a prompt; of one from elsewhere, the text that the user wrote last."""
    text = prompt.messages[-1].content.removesuffix(f"\n\n{END}")
    info = {"id": prompt.id}
    for key, heading, before in PARTS[:2]:
        first, separator, rest = text.partition("\n\n")
        if separator and first.startswith(heading + before):
            info[key], text = first.removeprefix(heading + before), rest
    for key, heading, _ in PARTS[2:]:
        if text.startswith(heading):
            return info | {key: text.removeprefix(heading)}
    return info | {"post": text}


def _text(summary: Fields) -> Text:
    return Text(summary.text("text"), summary.name("policy", "unknown"))


def _summary(entry: Entry, place: int) -> dict[str, Any]:
    response = entry.responses[place]
    policy = None if response.policy == "unknown" else response.policy
    return {"text": response.text, "policy": policy, "note": None}


COMPARISONS = Format(
    name="summaries",
    title="OpenAI summarize-from-feedback comparisons: info, summaries, choice, worker",
    read=read_comparison,
    write=write_comparisons,
    holds=frozenset({"texts", "labeler", "policy"}),
    reading=(
        "`extra.confidence`, from 1 to 9, is kept and not turned into a strength, as the release "
        "does not say what its numbers mean",
        "which summary stood left is not known",
    ),
)
AXES = Format(
    name="summaries-axes",
    title="OpenAI summarize-from-feedback axis evaluations: info, summary with axes, worker",
    read=read_axes,
    write=write_axes,
    holds=frozenset({"texts", "labeler", "policy", "ratings", "note"}),
    writing=("rankings are not written, only ratings of single responses",),
)
