"""Gold items: the right answer is known, so they show how careful a labeler is.

Those of the entry test come first, those that are mixed in look like any other item. The outcome
is kept with the answer. Gold items fill no place in the queue and do not count as votes.
"""

from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Table, bindparam, delete, exists, func, insert, select
from sqlalchemy.orm import Session

from accord.config import InputError
from accord.records import Answer, Comparison, Item, Level, Name
from accord.store import events, items, projects, tables
from accord.store.labelers import Labeler
from accord.store.specs import ProjectSpec

RATING_TOLERANCE = 1  # steps of 7 by which a rating may differ from the known one

_GOLD, _ASSIGNMENT = tables.gold.c, tables.assignments.c
_COMPARISON = tables.comparisons.c


class Expected(BaseModel):
    """What is known about an item; only what is given is compared.

    Entry ``i`` belongs to response ``i``. ``ranks`` are in the words of the project's task: in
    red-team mode 1 is the most harmful.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ranks: tuple[int, ...] = ()  #: pairs with equal ranks are not compared
    flags: tuple[dict[Name, bool], ...] = ()  #: which flags belong to a response and which do not
    ratings: tuple[dict[Name, Level], ...] = ()
    grade: bool = False  #: what the labeler writes is graded by a reviewer
    explanation: str = ""  #: shown after the entry test


@dataclass(frozen=True)
class Outcome:
    """How an answer compares with what is known: decisions right, of how many."""

    ranks: tuple[int, int] = (0, 0)
    flags: tuple[int, int] = (0, 0)
    ratings: tuple[int, int] = (0, 0)

    @property
    def share(self) -> float | None:
        """Share right of all that was compared; None when nothing was."""
        right, total = map(sum, zip(self.ranks, self.flags, self.ratings, strict=True))
        return right / total if total else None


@dataclass(frozen=True)
class GoldItem:
    """One gold item of a project."""

    item_id: str
    screening: bool  #: in the entry test; otherwise mixed into the stream
    expected: Expected


def compare(expected: Expected, answer: Answer) -> Outcome:
    """Count the decisions of an answer that are right.

    A pair of responses is right when the same one is ranked first; calling it a tie is wrong. A
    rating is right within ``RATING_TOLERANCE``.

    >>> expected = Expected(ranks=(1, 2, 2), flags=({"rude": True}, {}, {"rude": False}))
    >>> answer = Answer(id="a", ranks=(1, 1, 2), flags=(("rude",), (), ()))
    >>> compare(expected, answer)
    Outcome(ranks=(1, 2), flags=(2, 2), ratings=(0, 0))
    """
    pairs = [
        (answer.ranks[i] - answer.ranks[j]) * (expected.ranks[i] - expected.ranks[j]) > 0
        for i, j in combinations(range(min(len(expected.ranks), len(answer.ranks))), 2)
        if expected.ranks[i] != expected.ranks[j]
    ]
    raised = answer.flags or ((),) * len(expected.flags)
    flags = [
        (name in given) == belongs
        for given, known in zip(raised, expected.flags, strict=False)
        for name, belongs in known.items()
    ]
    rated = answer.ratings or ({},) * len(expected.ratings)
    ratings = [
        axis in given and abs(given[axis] - level) <= RATING_TOLERANCE
        for given, known in zip(rated, expected.ratings, strict=False)
        for axis, level in known.items()
    ]
    return Outcome(*((sum(part), len(part)) for part in (pairs, flags, ratings)))


def add(
    session: Session,
    project_id: str,
    item: Item | Comparison,
    expected: Expected,
    *,
    screening: bool,
    now: datetime,
    by: str = "",
) -> None:
    """Make an item gold in a project; it leaves the queue, and what is known may be corrected.

    Raises:
        InputError: no such project, the item does not fit the task, or ``expected`` the item.
    """
    spec = projects.get(session, project_id, lock=True).spec
    projects.check_size(spec, item.id, len(item.responses))
    _check(item, expected, spec)
    items.insert_new(session, [item])
    items.join(session, [item.id], f"{project_id}/gold")
    position = session.scalars(
        select(func.coalesce(func.max(_GOLD.position), -1)).where(_GOLD.project_id == project_id)
    ).one()
    _remove(session, tables.gold, project_id, item.id)
    _remove(session, tables.queue, project_id, item.id)
    values = {"project_id": project_id, "comparison_id": item.id, "screening": screening}
    text = expected.model_dump_json()
    session.execute(insert(tables.gold), {**values, "position": position + 1, "expected": text})
    body = {"by": by, "screening": screening, "expected": expected.model_dump(mode="json")}
    _event(session, project_id, item.id, body, now)


def remove(session: Session, project_id: str, item_id: str, *, now: datetime, by: str = "") -> bool:
    """Take an item out of the gold items; answers keep their outcome. False if it was none."""
    projects.get(session, project_id, lock=True)
    if expected_of(session, project_id, item_id) is None:
        return False
    _remove(session, tables.gold, project_id, item_id)
    _event(session, project_id, item_id, {"by": by, "expected": None}, now)
    return True


def list_(session: Session, project_id: str) -> list[GoldItem]:
    """The gold items of a project, in their order."""
    statement = (
        select(_GOLD.comparison_id, _GOLD.screening, _GOLD.expected)
        .where(_GOLD.project_id == project_id)
        .order_by(_GOLD.position)
    )
    return [
        GoldItem(row.comparison_id, row.screening, Expected.model_validate_json(row.expected))
        for row in session.execute(statement)
    ]


_EXPECTED = select(_GOLD.expected).where(
    _GOLD.project_id == bindparam("project"), _GOLD.comparison_id == bindparam("of")
)
_NEXT = (
    select(_COMPARISON.payload)
    .join(tables.gold, _GOLD.comparison_id == _COMPARISON.id)
    .where(
        _GOLD.project_id == bindparam("project"),
        _GOLD.screening == bindparam("in_test"),
        ~exists().where(
            _ASSIGNMENT.labeler_id == bindparam("person"),
            _ASSIGNMENT.project_id == _GOLD.project_id,
            _ASSIGNMENT.comparison_id == _GOLD.comparison_id,
            _ASSIGNMENT.state.not_in(tables.FREE),
        ),
    )
    .order_by(_GOLD.position)
    .limit(1)
)


def expected_of(session: Session, project_id: str, item_id: str) -> Expected | None:
    """What is known about an item, or None."""
    text = session.scalars(_EXPECTED, {"project": project_id, "of": item_id}).one_or_none()
    return None if text is None else Expected.model_validate_json(text)


def next_item(
    session: Session, spec: ProjectSpec, person: Labeler, *, screening: bool
) -> Item | None:
    """The first gold item that a labeler has not had, or None."""
    asked = {"project": spec.id, "person": person.id, "in_test": screening}
    payload = session.scalars(_NEXT, asked).one_or_none()
    return None if payload is None else items.parsed(payload)


def _check(item: Item | Comparison, expected: Expected, spec: ProjectSpec) -> None:
    size = len(item.responses)
    for name in ("ranks", "flags", "ratings"):
        given = len(getattr(expected, name))
        if given not in (0, size):
            raise InputError(
                f"gold item `{item.id}`: {name} of {given} responses are known, it has {size}; "
                "give one entry for each response, or none"
            )
    known = {
        "flags": {label.name for label in spec.settings.flags},
        "ratings": {label.name for label in spec.settings.axes},
    }
    for part, names in known.items():
        for unknown in {name for given in getattr(expected, part) for name in given} - names:
            raise InputError(
                f"gold item `{item.id}`: project `{spec.id}` has no {part[:-1]} `{unknown}`; "
                "add it to the settings first"
            )
    decided = len(set(expected.ranks)) > 1
    if not (decided or any(expected.flags) or any(expected.ratings) or expected.grade):
        raise InputError(f"gold item `{item.id}`: nothing is known about it; say what is right")


def _remove(session: Session, table: Table, project_id: str, item_id: str) -> None:
    session.execute(
        delete(table).where(table.c.project_id == project_id, table.c.comparison_id == item_id)
    )


def _event(
    session: Session, project_id: str, item_id: str, body: dict[str, object], now: datetime
) -> None:
    earlier = session.scalars(
        select(func.count())
        .select_from(tables.events)
        .where(tables.events.c.comparison_id == item_id, tables.events.c.kind == tables.GOLD)
    ).one()
    values = {"project_id": project_id, "comparison_id": item_id, "body": body}
    events.append(session, tables.GOLD, f"{item_id[:150]}:{earlier}", now=now, values=values)
