"""The items of a project as a manager looks through them, and everything that was said of one.

Lists are read in pages by their place in the queue, so the last page costs what the first does.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.orm import Session

from accord.records import Item
from accord.store import events, gold, items, projects, tables
from accord.store.gold import Expected
from accord.store.tables import ANSWERS, REPORT, SKIP, VOTE, WITHDRAW

Which = Literal["all", "waiting", "complete", "held", "pool"]
WHICH: tuple[Which, ...] = get_args(Which)
LATEST = 5_000  # answers in which disagreements are looked for

_EVENT, _LABELER, _ITEM = tables.events.c, tables.labelers.c, tables.comparisons.c
_QUEUE = tables.queue.c
_ONLY: dict[Which, list[ColumnElement[bool]]] = {
    "all": [],
    "waiting": [_QUEUE.open > 0, _QUEUE.held == 0],
    "complete": [_QUEUE.open <= 0],
    "held": [_QUEUE.held == 1],
    "pool": [_QUEUE.pool],
}


@dataclass(frozen=True)
class ItemLine:
    """One item of a list."""

    item_id: str
    position: int  #: in the queue; the next page begins behind it
    text: str  #: what is asked: the last message, or the instruction
    responses: int
    wanted: int  #: votes
    answers: int  #: that count
    pool: bool  #: asked of more labelers, for agreement
    held: bool  #: reported, given to nobody


@dataclass(frozen=True)
class Said:
    """One thing that somebody said of an item."""

    seq: int  #: its place in the ledger
    id: str
    kind: str
    labeler: str
    at: datetime
    purpose: str
    ranks: tuple[int, ...]
    shown_order: tuple[int, ...]
    strength: int | None
    seconds: float | None
    note: str  #: a comment, or the reason
    guideline: str
    gold: float | None
    body: dict[str, Any]
    withdrawn: str | None  #: why it was taken back; None if it counts

    @property
    def text(self) -> str:
        """What the labeler wrote; empty when nothing was written."""
        return str(self.body.get("text") or "")


@dataclass(frozen=True)
class ItemWhole:
    """An item with everything that was said of it in one project."""

    item: Item
    line: ItemLine | None  #: None when it is in no queue: a gold item, or of a conversation
    expected: Expected | None  #: what is known about it, if it is a gold item
    answers: tuple[Said, ...]  #: in the order of the ledger, those taken back too
    skips: tuple[Said, ...]
    reports: tuple[Said, ...]


@dataclass(frozen=True)
class Split:
    """An item on which labelers disagree."""

    item_id: str
    text: str
    votes: int
    largest: int  #: votes that say the same
    opinions: int  #: different ones


def lines(
    session: Session, project_id: str, *, which: Which = "all", after: int = -1, most: int = 50
) -> list[ItemLine]:
    """One page of a project's items, in the order of its queue.

    Args:
        session: any transaction.
        project_id: of a project.
        which: all, or only some of them.
        after: place behind which the page begins.
        most: items of the page.

    Raises:
        InputError: no such project.
    """
    projects.get(session, project_id)
    statement = (
        select(tables.queue, _ITEM.payload)
        .join(tables.comparisons, _ITEM.id == _QUEUE.comparison_id)
        .where(_QUEUE.project_id == project_id, _QUEUE.position > after, *_ONLY[which])
        .order_by(_QUEUE.position, _QUEUE.comparison_id)
        .limit(most)
    )
    rows = session.execute(statement).all()
    answered = _answers(session, project_id, [row.comparison_id for row in rows])
    return [_line(row, answered.get(row.comparison_id, 0)) for row in rows]


def one(session: Session, project_id: str, item_id: str) -> ItemWhole:
    """An item and its history in a project.

    Raises:
        InputError: no such project or item, or the project has nothing to do with the item.
    """
    projects.get(session, project_id)
    item = items.get(session, item_id)
    row = session.execute(
        select(tables.queue, _ITEM.payload)
        .join(tables.comparisons, _ITEM.id == _QUEUE.comparison_id)
        .where(_QUEUE.project_id == project_id, _QUEUE.comparison_id == item_id)
    ).one_or_none()
    said = list(_said(session, project_id, item_id))
    answers = tuple(one for one in said if one.kind in ANSWERS)
    expected = gold.expected_of(session, project_id, item_id)
    if row is None and expected is None and not said:
        raise items.unknown(item_id)
    counting = sum(one.withdrawn is None and one.purpose == "vote" for one in answers)
    return ItemWhole(
        item=item,
        line=None if row is None else _line(row, counting),
        expected=expected,
        answers=answers,
        skips=tuple(one for one in said if one.kind == SKIP),
        reports=tuple(one for one in said if one.kind == REPORT),
    )


def splits(session: Session, project_id: str, *, most: int = 50) -> list[Split]:
    """Items on which labelers disagree about what is first, the most divided ones first.

    Looked for in the ``LATEST`` votes of the project. Two votes say the same when the same
    responses are first in both.

    Raises:
        InputError: no such project.
    """
    projects.get(session, project_id)
    statement = (
        select(_EVENT.comparison_id, _EVENT.ranks)
        .where(
            _EVENT.project_id == project_id,
            _EVENT.kind == VOTE,
            _EVENT.purpose == "vote",
            events.standing(),
        )
        .order_by(_EVENT.seq.desc())
        .limit(LATEST)
    )
    opinions: dict[str, dict[tuple[bool, ...], int]] = defaultdict(lambda: defaultdict(int))
    for item_id, ranks in session.execute(statement):
        opinions[item_id][tuple(rank == min(ranks) for rank in ranks)] += 1
    found = [
        (item_id, sum(said.values()), max(said.values()), len(said))
        for item_id, said in opinions.items()
        if len(said) > 1
    ]
    found = sorted(found, key=lambda one: (one[2] / one[1], -one[1], one[0]))[:most]
    asked = texts(session, [item_id for item_id, *_ in found])
    return [Split(item_id, asked[item_id], *numbers) for item_id, *numbers in found]


def text_of(item: Item) -> str:
    """What an item asks, in short: the last message, or its instruction."""
    return item.prompt.messages[-1].content if item.prompt is not None else item.instruction


def texts(session: Session, item_ids: Sequence[str]) -> dict[str, str]:
    """What items ask, in short, by id."""
    statement = select(_ITEM.id, _ITEM.payload).where(_ITEM.id.in_(item_ids))
    return {row.id: text_of(items.parsed(row.payload)) for row in session.execute(statement)}


def _line(row: Row[Any], answers: int) -> ItemLine:
    item = items.parsed(row.payload)
    return ItemLine(
        item_id=row.comparison_id,
        position=row.position,
        text=text_of(item),
        responses=len(item.responses),
        wanted=row.wanted,
        answers=answers,
        pool=row.pool,
        held=bool(row.held),
    )


def _answers(session: Session, project_id: str, item_ids: Sequence[str]) -> dict[str, int]:
    statement = (
        select(_EVENT.comparison_id, func.count())
        .where(
            _EVENT.comparison_id.in_(item_ids),
            _EVENT.kind.in_(ANSWERS),
            _EVENT.project_id == project_id,
            _EVENT.purpose == "vote",
            events.standing(),
        )
        .group_by(_EVENT.comparison_id)
    )
    return {item_id: count for item_id, count in session.execute(statement)}


def _said(session: Session, project_id: str, item_id: str) -> Iterator[Said]:
    withdrawal = tables.events.alias("withdrawal")
    statement = (
        select(tables.events, _LABELER.name.label("labeler"), withdrawal.c.note.label("why"))
        .join(tables.labelers, _LABELER.id == _EVENT.labeler_id)
        .outerjoin(
            withdrawal,
            (withdrawal.c.kind == WITHDRAW)
            & (withdrawal.c.id == _EVENT.id)
            & _EVENT.kind.in_(ANSWERS),
        )
        .where(
            _EVENT.project_id == project_id,
            _EVENT.comparison_id == item_id,
            _EVENT.kind.in_((*ANSWERS, SKIP, REPORT)),
        )
        .order_by(_EVENT.seq)
    )
    for row in session.execute(statement):
        yield Said(
            seq=row.seq,
            id=row.id,
            kind=row.kind,
            labeler=row.labeler,
            at=row.created_at,
            purpose=row.purpose,
            ranks=tuple(row.ranks or ()),
            shown_order=tuple(row.shown_order or ()),
            strength=row.strength,
            seconds=row.seconds,
            note=row.note,
            guideline=row.guideline,
            gold=row.gold,
            body=row.body or {},
            withdrawn=row.why,
        )
