"""Gold items from a manager's file or form: an item, and what is known about it."""

from collections.abc import Sequence
from datetime import datetime
from typing import IO

from pydantic import Field, ValidationError
from sqlalchemy.orm import Session

from accord.config import InputError
from accord.data.files import rows
from accord.records import Item
from accord.store import gold
from accord.store.gold import Expected
from accord.store.specs import ProjectSpec
from accord.web.bodies import Body
from accord.web.deps import SentForm
from accord.web.exchange import kept


class GoldLine(Body):
    """One line of a file of gold items."""

    item: Item
    expected: Expected
    screening: bool = Field(default=False, description="In the entry test; else mixed in.")


def read(name: str, file: IO[bytes]) -> list[GoldLine]:
    """Every gold item of a file, one JSON object a line.

    Raises:
        InputError: a line is none; names file, line and field.
    """
    found = []
    with kept(name, file) as path:
        for row in rows(path):
            try:
                found.append(GoldLine.model_validate(row.values))
            except ValidationError as error:
                first = error.errors()[0]
                field = ".".join(str(part) for part in first["loc"])
                raise row.error(f"`{field}`: {first['msg']}") from error
    if not found:
        raise InputError(f"`{name}` holds no line; give one gold item a line")
    return found


def add_all(
    session: Session, project_id: str, lines: Sequence[GoldLine], *, now: datetime, by: str
) -> int:
    """Make every item of a file gold; all of them or, with an error, none. Returns how many."""
    for line in lines:
        gold.add(
            session,
            project_id,
            line.item,
            line.expected,
            screening=line.screening,
            now=now,
            by=by,
        )
    return len(lines)


def expected_of(form: SentForm, spec: ProjectSpec, item: Item) -> Expected:
    """What a manager says about an item: fields ``rank_0``, ``flag_0_NAME``, ``rating_0_AXIS``.

    Raises:
        InputError: a rank or a rating is no number, or ranks are given for some responses only.
    """
    places = range(len(item.responses))
    given = [form.text(f"rank_{i}").strip() for i in places]
    if any(given) and not all(given):
        raise InputError("give a rank to each response, or to none; equal ranks are not compared")
    ranks = tuple(_number(text, "rank") for text in given if text)
    flags = tuple(
        {
            flag.name: form.text(f"flag_{i}_{flag.name}") == "yes"
            for flag in spec.settings.flags
            if form.text(f"flag_{i}_{flag.name}") in ("yes", "no")
        }
        for i in places
    )
    ratings = tuple(
        {
            axis.name: _number(form.text(f"rating_{i}_{axis.name}"), axis.name)
            for axis in spec.settings.axes
            if form.text(f"rating_{i}_{axis.name}").strip()
        }
        for i in places
    )
    try:
        return Expected(
            ranks=ranks,
            flags=flags if any(flags) else (),
            ratings=ratings if any(ratings) else (),
            grade=bool(form.text("grade")),
            explanation=form.text("explanation").strip(),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"`{first['loc'][0]}`: {first['msg']}") from error


def _number(text: str, what: str) -> int:
    if not text.strip().isascii() or not text.strip().isdigit() or int(text) < 1:
        raise InputError(f"{what}: `{text[:40]}` is no whole number from 1; write one")
    return int(text)
