"""Accord's own records as JSON Lines: nothing is lost in either direction.

{"comparison": {…}, "preferences": […]}          as `collect` writes them
{"id", "prompt", "responses", "judgments", …}    as `accord import` writes them, with origins
"""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from accord.data.formats.entries import PAIR, Entry, Judgment
from accord.data.formats.fields import Fields
from accord.data.formats.losses import FEATURES
from accord.data.formats.reading import Format, Options
from accord.data.threads import Tally
from accord.records import Comparison, LabeledComparison, Preference, SingleRating

NAME = "accord"


def read(row: Fields, options: Options, tally: Tally) -> Iterator[Entry]:
    """The one item of a row with its votes, ids and all."""
    if "judgments" in row.values:
        yield Entry.model_validate(row.values)
        return
    yield entry_of_record(LabeledComparison.model_validate(row.values))


def write(entries: Iterable[Entry], tally: Tally) -> Iterator[dict[str, Any]]:
    """A row for every item, with what nothing but Accord has left out where it is empty."""
    for entry in entries:
        yield entry.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def entry_of_record(labeled: LabeledComparison) -> Entry:
    """An exported comparison as an entry."""
    comparison = labeled.comparison
    return Entry(
        id=comparison.id,
        prompt=comparison.prompt,
        responses=comparison.responses,
        judgments=tuple(_judgment(preference) for preference in labeled.preferences),
    )


def record_of(entry: Entry) -> LabeledComparison | None:
    """The comparison with its preferences; None if there is nothing to prefer or nobody did."""
    ranked = [judgment for judgment in entry.judgments if len(judgment.ranks) >= PAIR]
    if not ranked:
        return None
    comparison = Comparison(id=entry.id, prompt=entry.prompt, responses=entry.responses)
    preferences = tuple(
        Preference(comparison_id=entry.id, **_shared(judgment, Preference)) for judgment in ranked
    )
    return LabeledComparison(comparison=comparison, preferences=preferences)


def ratings_of(entry: Entry) -> Iterator[SingleRating]:
    """What was said about single responses without ranking them."""
    for judgment in entry.judgments:
        for place, response in enumerate(entry.responses if not judgment.ranks else ()):
            yield SingleRating(
                **_shared(judgment, SingleRating)
                | {"id": judgment.id if not place else f"{judgment.id}-{place}"},
                item_id=entry.id,
                prompt=entry.prompt,
                response=response,
                ratings=judgment.ratings[place] if judgment.ratings else {},
                flags=judgment.flags[place] if judgment.flags else (),
            )


def _judgment(preference: Preference) -> Judgment:
    return Judgment(**_shared(preference, Judgment))


def _shared(one: Judgment | Preference, kind: type[BaseModel]) -> dict[str, Any]:
    """The fields that two kinds of record share; what is said response by response is not."""
    known = kind.model_fields.keys() & type(one).model_fields.keys() - {"schema_"}
    if kind is SingleRating:
        known -= {"ratings", "flags"}
    return {name: getattr(one, name) for name in known}


FORMAT = Format(
    name=NAME,
    title="Accord's own JSON Lines: comparison, preferences",
    read=read,
    write=write,
    holds=frozenset(FEATURES),
)
