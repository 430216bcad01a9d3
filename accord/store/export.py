"""Rows -> records: what counts in the ledger, and a digest of it.

A vote counts unless it was withdrawn. Exports are views of the ledger: nothing is kept here.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Row, Select, exists, func, select
from sqlalchemy.orm import Session, aliased

from accord.records import Comparison, LabeledComparison, Preference
from accord.store.queue import in_batches
from accord.store.tables import (
    SKIP,
    VOTE,
    WITHDRAW,
    ComparisonRow,
    EventRow,
    LabelerRow,
    QueueRow,
)


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
    """Every comparison that has a vote, with its votes in the order of the ledger, by id.

    Args:
        session: any transaction.
        batches: only comparisons of these batches; all by default.
    """
    rows = session.execute(
        _votes(batches, ComparisonRow.payload)
        .join(ComparisonRow, ComparisonRow.id == EventRow.comparison_id)
        .order_by(EventRow.comparison_id, EventRow.seq)
    )
    for _, group in groupby(rows, key=lambda row: row.comparison_id):
        members = list(group)
        yield LabeledComparison(
            comparison=Comparison.model_validate_json(members[0].payload),
            preferences=tuple(_preference(row) for row in members),
        )


def preferences(session: Session, *, batches: Sequence[str] | None = None) -> Iterator[Preference]:
    """Every vote that counts, in the order of the ledger."""
    for row in session.execute(_votes(batches).order_by(EventRow.seq)):
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
    inside = in_batches(QueueRow.comparison_id, batches)
    votes = _votes(batches).subquery()
    per_comparison = (
        select(votes.c.comparison_id, func.count().label("n")).group_by(votes.c.comparison_id)
    ).subquery()
    complete = (
        select(func.count())
        .select_from(QueueRow)
        .join(per_comparison, per_comparison.c.comparison_id == QueueRow.comparison_id)
        .where(inside, per_comparison.c.n >= QueueRow.wanted)
    )
    comparisons = select(func.count()).select_from(QueueRow).where(inside)
    return Counts(
        comparisons=session.scalars(comparisons).one(),
        complete=session.scalars(complete).one(),
        votes=session.scalars(select(func.count()).select_from(votes)).one(),
        withdrawn=_events(session, WITHDRAW, batches),
        skips=_events(session, SKIP, batches),
        labelers=session.scalars(select(func.count(votes.c.labeler.distinct()))).one(),
    )


def _events(session: Session, kind: str, batches: Sequence[str] | None) -> int:
    inside = in_batches(EventRow.comparison_id, batches)
    found = select(func.count()).select_from(EventRow).where(EventRow.kind == kind, inside)
    return session.scalars(found).one()


def _votes(batches: Sequence[str] | None, *more: Any) -> Select[Any]:
    withdrawal = aliased(EventRow)
    withdrawn = exists().where(withdrawal.kind == WITHDRAW, withdrawal.id == EventRow.id)
    return (
        select(
            EventRow.id,
            EventRow.comparison_id,
            LabelerRow.name.label("labeler"),
            EventRow.ranks,
            EventRow.shown_order,
            EventRow.strength,
            EventRow.seconds,
            EventRow.note,
            *more,
        )
        .join(LabelerRow, LabelerRow.id == EventRow.labeler_id)
        .where(EventRow.kind == VOTE, ~withdrawn, in_batches(EventRow.comparison_id, batches))
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
