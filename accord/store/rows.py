"""Rows of answers -> records."""

from typing import Any

from sqlalchemy import Row

from accord.records import Preference

BODY_FIELDS = (
    "tie", "ratings", "flags", "order_seed", "mode", "priority", "polarity", "probability",
)  # fmt: skip


def preference_of(row: Row[Any]) -> Preference:
    """The record of a vote's row, with the labeler's name beside the columns of ``events``."""
    body = row.body or {}
    return Preference(
        id=row.id,
        comparison_id=row.comparison_id,
        labeler=row.labeler,
        ranks=tuple(row.ranks),
        shown_order=tuple(row.shown_order),
        strength=row.strength,
        seconds=row.seconds,
        note=row.note,
        guideline=row.guideline,
        project=row.project_id,
        purpose=row.purpose,
        gold=row.gold,
        **{name: body[name] for name in BODY_FIELDS if body.get(name) is not None},
    )
