"""Rows -> records: what counts in the ledger, and a digest of it.

A vote counts unless it was withdrawn. Exports are views of the ledger: nothing is kept here.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, exists, func, select
from sqlalchemy.orm import Session

from accord.records import Comparison, LabeledComparison, Preference
from accord.store import tables
from accord.store.queue import in_batches
from accord.store.tables import SKIP, VOTE, WITHDRAW

_EVENT, _QUEUE = tables.events.c, tables.queue.c


@dataclass(frozen=True)
class Counts:
    """How far labelling is."""

    comparisons: int
    complete: int  #: comparisons that have all the votes that they want
    votes: int  #: that count
    withdrawn: int
    skips: int
    labelers: int  #: with at least one vote that counts


def labeled(
    session: Session, *, batches: Sequence[str] | None = None
) -> Iterator[LabeledComparison]:
    """Every comparison that has a vote, by id, with its votes in the order of the ledger.

    Args:
        session: any transaction.
        batches: only comparisons of these batches; all by default.
    """
    statement = (
        _votes(batches, tables.comparisons.c.payload)
        .join(tables.comparisons, tables.comparisons.c.id == _EVENT.comparison_id)
        .order_by(_EVENT.comparison_id, _EVENT.seq)
    )
    rows = session.execute(statement, _parameters(batches))
    for _, group in groupby(rows, key=lambda row: row.comparison_id):
        votes = list(group)
        yield LabeledComparison(
            comparison=Comparison.model_validate_json(votes[0].payload),
            preferences=tuple(_preference(row) for row in votes),
        )


def preferences(session: Session, *, batches: Sequence[str] | None = None) -> Iterator[Preference]:
    """Every vote that counts, in the order of the ledger."""
    statement = _votes(batches).order_by(_EVENT.seq)
    for row in session.execute(statement, _parameters(batches)):
        yield _preference(row)


def votes_digest(session: Session, batches: Sequence[str] | None = None) -> str:
    """SHA-256 of the votes of these batches that count, whatever the order they came in.

    Equal to ``digest_of`` the preferences of ``labeled``: so a set of exported files can be
    compared with the ledger, and the ledger of today with that of the day of an export.
    """
    return digest_of(preferences(session, batches=batches))


def digest_of(votes: Iterable[Preference]) -> str:
    """SHA-256 over one line per vote, its JSON record, sorted by id."""
    lines = sorted((vote.id, vote.model_dump_json(by_alias=True)) for vote in votes)
    h = hashlib.sha256()
    for _, line in lines:
        h.update(line.encode() + b"\n")
    return h.hexdigest()


def counts(session: Session, *, batches: Sequence[str] | None = None) -> Counts:
    """How many comparisons, votes, withdrawals, skips and labelers there are."""
    inside = in_batches(_QUEUE.comparison_id, batches is not None)
    votes = _votes(batches).subquery()
    each = select(votes.c.comparison_id, func.count().label("n")).group_by(votes.c.comparison_id)
    per_comparison = each.subquery()

    def one(statement: Select[Any]) -> int:
        return int(session.scalars(statement, _parameters(batches)).one())

    return Counts(
        comparisons=one(select(func.count()).select_from(tables.queue).where(inside)),
        complete=one(
            select(func.count())
            .select_from(tables.queue)
            .join(per_comparison, per_comparison.c.comparison_id == _QUEUE.comparison_id)
            .where(inside, per_comparison.c.n >= _QUEUE.wanted)
        ),
        votes=one(select(func.count()).select_from(votes)),
        withdrawn=one(_events(WITHDRAW, batches)),
        skips=one(_events(SKIP, batches)),
        labelers=one(select(func.count(votes.c.labeler.distinct()))),
    )


def _parameters(batches: Sequence[str] | None) -> dict[str, list[str]]:
    return {} if batches is None else {"batches": list(batches)}


def _events(kind: str, batches: Sequence[str] | None) -> Select[Any]:
    inside = in_batches(_EVENT.comparison_id, batches is not None)
    return select(func.count()).select_from(tables.events).where(_EVENT.kind == kind, inside)


def _votes(batches: Sequence[str] | None, *more: ColumnElement[Any]) -> Select[Any]:
    withdrawal = tables.events.alias("withdrawal")
    withdrawn = exists().where(withdrawal.c.kind == WITHDRAW, withdrawal.c.id == _EVENT.id)
    columns: list[ColumnElement[Any]] = [
        _EVENT.id,
        _EVENT.comparison_id,
        tables.labelers.c.name.label("labeler"),
        _EVENT.ranks,
        _EVENT.shown_order,
        _EVENT.strength,
        _EVENT.seconds,
        _EVENT.note,
    ]
    return (
        select(*columns, *more)
        .join(tables.labelers, tables.labelers.c.id == _EVENT.labeler_id)
        .where(
            _EVENT.kind == VOTE,
            ~withdrawn,
            in_batches(_EVENT.comparison_id, batches is not None),
        )
    )


def _preference(row: Row[Any]) -> Preference:
    return Preference(
        id=row.id,
        comparison_id=row.comparison_id,
        labeler=row.labeler,
        ranks=tuple(row.ranks),
        shown_order=tuple(row.shown_order),
        strength=row.strength,
        seconds=row.seconds,
        note=row.note,
    )
