"""Tasks of Label Studio, as its JSON export writes them, with the tag ``Pairwise``.

    [{"id", "data": {"prompt", "response_1", "response_2"}, "annotations": [{"id", "completed_by",
      "result": [{"type": "pairwise", "value": {"selected": "left"}}], "lead_time",
      "created_at"}, …]}, …]

Other results beside it are understood by type: ``choices`` that say tie, equal, both good or both
bad; ``rating`` under `strength` (1 to 4), under AXIS-FIELD, or any of a single response (1 to 7);
``choices`` under flags-FIELD; ``textarea`` as a remark. The left object is the first response
field.

Source: https://labelstud.io/guide/task_format; https://labelstud.io/tags/pairwise: its schema has
``left`` and ``right`` only, so ties need a tag of their own.
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
    by_order,
    decided,
    entry_of,
    is_tie,
    pairs_of,
)
from accord.data.formats.fields import Fields
from accord.data.formats.layout import (
    SIDES,
    left_out,
    names_of,
    order_of,
    prompt_in,
    prompt_value,
    responses_in,
    tie_kind,
)
from accord.data.formats.reading import Format, Options, kept_of
from accord.data.threads import Tally
from accord.records import Tie

NAME = "label-studio"
FLAGS = "flags-"
BEST_RATING, BEST_STRENGTH = 7, 4
TIE_WORDS: dict[Tie, str] = {"": "tie", "both_good": "both_good", "both_bad": "both_bad"}


def read(row: Fields, options: Options, tally: Tally) -> Iterator[Entry]:
    """The one task of a row with its annotations."""
    data = row.fields("data")
    keys = responses_in(data, options)
    texts = [Text(data.text(key), data.name(f"policy_{key}", "unknown")) for key in keys]
    said = []
    for annotation in row.each("annotations"):
        if annotation.values.get("was_cancelled"):
            left_out(tally, "skipped")
            continue
        found = _said(annotation, keys)
        if found is None:
            left_out(tally, "says_nothing")
        else:
            said.append(found)
    yield entry_of(prompt_in(data, options), texts, said)


def write(entries: Iterable[Entry], tally: Tally) -> Iterator[dict[str, Any]]:
    """A task for every pair, and for every single response."""
    for entry in entries:
        pairs = pairs_of(entry) if len(entry.responses) > 1 else [entry]
        for pair in (task for one in pairs for task in by_order(one)):
            names = names_of(pair)
            data: dict[str, Any] = {"prompt": prompt_value(pair.prompt)}
            for place in order_of(pair):
                response = pair.responses[place]
                data[names[place]] = response.text
                if response.policy not in ("", "unknown"):
                    data[f"policy_{names[place]}"] = response.policy
            row = {
                "id": pair.id,
                "data": data,
                "annotations": [
                    restored(_vote(pair, judgment), kept_of(judgment.origin, NAME))
                    for judgment in pair.judgments
                ],
            }
            yield restored(row, kept_of(pair.origin, NAME))


def _vote(entry: Entry, judgment: Judgment) -> dict[str, Any]:
    """One annotation."""
    vote: dict[str, Any] = {
        "id": judgment.id,
        "completed_by": {"email": judgment.labeler},
        "result": [
            {"from_name": name, "to_name": to, "type": kind, "value": value}
            for name, to, kind, value in _results(entry, judgment)
        ],
        "was_cancelled": False,
    }
    if judgment.time is not None:
        vote["created_at"] = _written(judgment.time)
    if judgment.seconds is not None:
        vote["lead_time"] = judgment.seconds
    return vote


def _results(entry: Entry, judgment: Judgment) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    names, order = names_of(entry), order_of(entry)
    both = ",".join(names[place] for place in order)
    if len(judgment.ranks) == PAIR and is_tie(judgment.ranks):
        yield "tie", both, "choices", {"choices": [TIE_WORDS[judgment.tie]]}
    for better, _ in decided(judgment):
        yield "preference", both, "pairwise", {"selected": SIDES[order.index(better)]}
    if judgment.strength is not None:
        yield "strength", both, "rating", {"rating": judgment.strength}
    for place, axes in enumerate(judgment.ratings):
        for axis, rating in axes.items():
            yield f"{axis}-{names[place]}", names[place], "rating", {"rating": rating}
    for place, flags in enumerate(judgment.flags):
        if flags:
            yield f"{FLAGS}{names[place]}", names[place], "choices", {"choices": list(flags)}
    if judgment.note:
        yield "comment", both, "textarea", {"text": [judgment.note]}


def _written(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _said(annotation: Fields, keys: list[str]) -> Said | None:
    ranks: list[int] = []
    tie: Tie = ""
    strength, note = None, ""
    ratings: list[dict[str, int]] = [{} for _ in keys]
    flags: list[tuple[str, ...]] = [() for _ in keys]
    for result in annotation.each("result"):
        name, kind = result.text_or("from_name"), result.text_or("type")
        place, axis = _about(name, keys)
        value = result.fields("value") if result.has("value") else result
        if kind == "pairwise":
            if len(keys) != PAIR:
                raise result.wrong(
                    "type",
                    f"is `pairwise`, but {len(keys)} fields of `data` are known as responses; name "
                    "two with --set responses=FIELD,FIELD",
                )
            left = value.choice("selected", SIDES) == SIDES[0]
            ranks = [1, 2] if left else [2, 1]
        elif kind == "choices":
            words = [str(word) for word in value.values.get("choices") or []]
            kinds = [found for word in words if (found := tie_kind(word)) is not None]
            if name.startswith(FLAGS) and place is not None:
                flags[place] = tuple(words)
            elif kinds and len(keys) == PAIR:
                ranks, tie = [1, 1], kinds[0]
        elif kind == "rating" and name == "strength":
            strength = value.whole("rating", 1, BEST_STRENGTH)
        elif kind == "rating" and place is not None:
            ratings[place][axis] = value.whole("rating", 1, BEST_RATING)
        elif kind == "textarea":
            texts = value.values.get("text")
            note = "\n".join(map(str, texts)) if isinstance(texts, list) else str(texts)
    if not ranks and not any(ratings) and not any(flags):
        return None
    return Said(
        _person(annotation),
        ranks=ranks,
        tie=tie,
        is_order_shown=len(keys) == PAIR,
        strength=strength,
        ratings=ratings,
        flags=flags,
        seconds=annotation.number("lead_time") if annotation.has("lead_time") else None,
        note=note,
        time=annotation.instant("created_at"),
        key=annotation.name("id", ""),
        row=annotation.values,
    )


def _about(name: str, keys: list[str]) -> tuple[int | None, str]:
    """Which response a control is about, and its axis."""
    for place, key in enumerate(keys):
        if name.endswith(f"-{key}"):
            return place, name.removesuffix(f"-{key}")
    return (0, name or "rating") if len(keys) == 1 else (None, name)


def _person(annotation: Fields) -> str:
    """Who annotated: a number, or an object with an e-mail address, a name or a number."""
    if isinstance(annotation.values.get("completed_by"), dict):
        person = annotation.fields("completed_by")
        key = next((key for key in ("email", "username", "id") if person.has(key)), "id")
        return person.name(key)
    return annotation.name("completed_by", "people")


FORMAT = Format(
    name=NAME,
    title="Label Studio tasks, JSON: data, annotations with pairwise results",
    read=read,
    write=write,
    holds=frozenset(
        {
            "texts",
            "conversation",
            "labeler",
            "policy",
            "time",
            "seconds",
            "side",
            "strength",
            "tie",
            "tie_kind",
            "both_bad",
        }
        | {"ratings", "flags", "note"}
    ),
    reading=("skipped annotations and those without a known result are left out",),
    writing=(
        "a task has one order: votes that saw the other one are written as a task of their own",
        "policies are written into the data as `policy_FIELD`; take them out before anyone labels "
        "the file",
    ),
    votes_key="annotations",
    vote=_vote,
)
