"""Records of Argilla 2, as ``dataset.records.to_json`` writes them.

    [{"id", "fields": {"prompt", "response_1", …}, "metadata", "suggestions", "vectors", "status",
      "responses": {QUESTION: [{"value", "user_id"}, …]}}, …]

What a person said stands question by question. These are understood, whatever they are called:

    a list of response fields, or of {"value", "rank"}       a ranking, equal ranks are ties
    the name of a response field, A or B, 1 or 2             the better of two
    tie, equal, both good, both bad                          a tie
    a number under AXIS-FIELD, or any of a single response   a rating, from 1 to 7
    a list of words under flags-FIELD                        flags
    a number from 1 to 4 under `strength`                    how strong the preference is
    text under `comment`, `note`, `reason`, `explanation`    a remark

Source: https://github.com/argilla-io/argilla, ``argilla/records/_io/_json.py`` and
``argilla/responses.py``: there a ranking loses equal ranks, ``rank`` is left out.
"""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from accord.data.formats.differences import restored
from accord.data.formats.entries import Entry, Judgment, Said, Text, entry_of, ranks_to_learn
from accord.data.formats.fields import Fields
from accord.data.formats.layout import (
    NOTES,
    chosen_place,
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

NAME = "argilla"
PEOPLE = uuid.UUID("9d2f0f5e-6a7b-5d0c-9a43-0c1f5f3d8a11")  # labelers' ids follow from it
LABELER = "labeler-"  # metadata: the name behind a user id
POLICIES = "policies"
BEST_RATING, BEST_STRENGTH = 7, 4


@dataclass
class _Said:
    """What one person said, question by question."""

    raw: dict[str, Any] = field(default_factory=dict)
    ranks: list[int] = field(default_factory=list)
    tie: Tie = ""
    strength: int | None = None
    ratings: dict[int, dict[str, int]] = field(default_factory=dict)
    flags: dict[int, tuple[str, ...]] = field(default_factory=dict)
    note: str = ""


def read(row: Fields, options: Options, tally: Tally) -> Iterator[Entry]:
    """The one item of a row, with the answers of every person."""
    fields = row.fields("fields")
    keys = responses_in(fields, options)
    metadata = row.fields("metadata").values if row.has("metadata") else {}
    names = {key.removeprefix(LABELER): str(name) for key, name in metadata.items()}
    policies = metadata.get(POLICIES)
    if not isinstance(policies, list) or len(policies) != len(keys):
        policies = ["unknown"] * len(keys)
    texts = [Text(fields.text(key), str(name)) for key, name in zip(keys, policies, strict=True)]
    people: dict[str, _Said] = {}
    answers = row.fields("responses") if row.has("responses") else None
    for question in answers.values if answers else ():
        for answer in answers.each(question) if answers else ():
            person = people.setdefault(answer.name("user_id"), _Said())
            person.raw[question] = answer.values
            _take(person, question, answer, keys)
    said = []
    for user, person in people.items():
        if not person.ranks and not person.ratings and not person.flags:
            left_out(tally, "says_nothing")
            continue
        said.append(_said(person, names.get(user, user), row.name("id", ""), len(keys)))
    yield entry_of(prompt_in(fields, options), texts, said)


def write(entries: Iterable[Entry], tally: Tally) -> Iterator[dict[str, Any]]:
    """A record for every item."""
    for entry in entries:
        names = names_of(entry)
        metadata: dict[str, Any] = {}
        policies = [entry.responses[place].policy for place in order_of(entry)]
        if any(policy not in ("", "unknown") for policy in policies):
            metadata[POLICIES] = policies
        responses: dict[str, list[Any]] = {}
        for judgment in entry.judgments:
            user = _user(judgment.labeler)
            if user != judgment.labeler:
                metadata[f"{LABELER}{user}"] = judgment.labeler
            answers = restored(_vote(entry, judgment), kept_of(judgment.origin, NAME))
            for question, answer in answers.items():
                responses.setdefault(question, []).append(answer)
        fields: dict[str, Any] = {"prompt": prompt_value(entry.prompt)}
        fields |= {names[place]: entry.responses[place].text for place in order_of(entry)}
        row = {
            "id": entry.id,
            "fields": fields,
            "metadata": metadata,
            "suggestions": {},
            "responses": responses,
            "vectors": {},
            "status": "completed" if entry.judgments else "pending",
        }
        yield restored(row, kept_of(entry.origin, NAME))


def _vote(entry: Entry, judgment: Judgment) -> dict[str, Any]:
    """One person's answers by question."""
    names, values = names_of(entry), dict[str, Any]()
    if len(judgment.ranks) > 1:
        ranks = ranks_to_learn(judgment)
        places = sorted(order_of(entry), key=lambda place: ranks[place])
        values["preference"] = [{"value": names[p], "rank": ranks[p]} for p in places]
    if judgment.tie:
        values["tie"] = judgment.tie
    if judgment.strength is not None:
        values["strength"] = judgment.strength
    for place, axes in enumerate(judgment.ratings):
        values |= {f"{axis}-{names[place]}": rating for axis, rating in axes.items()}
    for place, flags in enumerate(judgment.flags):
        if flags:
            values[f"flags-{names[place]}"] = list(flags)
    if judgment.note:
        values["comment"] = judgment.note
    user = _user(judgment.labeler)
    return {question: {"value": value, "user_id": user} for question, value in values.items()}


def _user(labeler: str) -> str:
    """The id of a labeler: its name where that is one already."""
    try:
        return str(uuid.UUID(labeler)) if str(uuid.UUID(labeler)) == labeler else _made(labeler)
    except ValueError:
        return _made(labeler)


def _made(labeler: str) -> str:
    return str(uuid.uuid5(PEOPLE, labeler))


def _said(person: _Said, labeler: str, key: str, number: int) -> Said:
    return Said(
        labeler,
        ranks=person.ranks,
        tie=person.tie,
        strength=person.strength,
        ratings=[person.ratings.get(place, {}) for place in range(number)],
        flags=[person.flags.get(place, ()) for place in range(number)],
        note=person.note,
        key=f"{key} {labeler}",
        row=person.raw,
    )


def _take(person: _Said, question: str, answer: Fields, keys: list[str]) -> None:
    """Note what one answer says; what is not understood stays in ``raw``."""
    value = answer.values.get("value")
    if isinstance(value, list):
        if question.startswith("flags-") and question.removeprefix("flags-") in keys:
            flags = tuple(str(flag) for flag in value)
            person.flags[keys.index(question.removeprefix("flags-"))] = flags
        elif value and (len(keys) > 1 or isinstance(value[0], dict)):
            person.ranks = _ranks(answer, value, keys) or person.ranks
    elif isinstance(value, str):
        _take_text(person, question, value, keys)
    elif isinstance(value, int) and not isinstance(value, bool):
        _take_number(person, question, value, keys)


def _take_text(person: _Said, question: str, value: str, keys: list[str]) -> None:
    place = chosen_place(value, keys) if len(keys) > 1 else None
    tie = tie_kind(value)
    if question in NOTES:
        person.note = value
    elif place is not None:
        person.ranks = [1 if place == other else 2 for other in range(len(keys))]
    elif tie is not None and len(keys) > 1:
        person.tie = tie
        person.ranks = person.ranks or [1] * len(keys)


def _take_number(person: _Said, question: str, value: int, keys: list[str]) -> None:
    if question == "strength" and 1 <= value <= BEST_STRENGTH:
        person.strength = value
        return
    for place, key in enumerate(keys):
        axis = question if len(keys) == 1 else question.removesuffix(f"-{key}")
        axis = axis.removesuffix(f"-{key}")
        if (len(keys) == 1 or axis != question) and 1 <= value <= BEST_RATING:
            person.ratings.setdefault(place, {})[axis] = value


def _ranks(answer: Fields, value: list[Any], keys: list[str]) -> list[int]:
    """Ranks by response, 1 is best; empty if the list ranks something else."""
    ranked: dict[str, int] = {}
    for place, one in enumerate(value, start=1):
        if isinstance(one, dict):
            rank = one.get("rank") or place
            ranked[str(one.get("value"))] = rank if isinstance(rank, int) else place
        else:
            ranked[str(one)] = place
    if not set(ranked) & set(keys):
        return []
    if set(ranked) != set(keys):
        raise answer.wrong("value", f"ranks {len(ranked)} responses of {len(keys)}; rank each")
    return [ranked[key] for key in keys]


FORMAT = Format(
    name=NAME,
    title="Argilla 2 records, JSON: fields, responses, suggestions",
    read=read,
    write=write,
    holds=frozenset(
        {
            "texts",
            "conversation",
            "labeler",
            "policy",
            "tie",
            "tie_kind",
            "both_bad",
            "ranking",
            "strength",
            "ratings",
        }
        | {"flags", "note"}
    ),
    reading=(
        "answers that are not understood, suggestions and vectors are kept beside the records",
    ),
    writing=(
        "Argilla calls people by UUID: other names become one and stand in the metadata, as do "
        "the policies; take them out of the metadata before anyone labels the file",
        "Argilla itself drops equal ranks when it reads a ranking: the question `tie` repeats them",
    ),
    votes_key="responses",
    vote=_vote,
)
