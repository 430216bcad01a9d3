"""Rows -> records: what counts in the ledger, and a digest of it.

A vote counts unless it was withdrawn; hidden tests and repeats are no votes. Exports are views of
the ledger: nothing is kept here.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from accord.records import Comparison, LabeledComparison, Preference
from accord.store import events, tables
from accord.store.choice import in_batches
from accord.store.rows import preference_of
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
    session: Session,
    *,
    batches: Sequence[str] | None = None,
    project: str | None = None,
    without: Sequence[str] = (),
) -> Iterator[LabeledComparison]:
    """Every comparison that has a vote, by id, with its votes in the order of the ledger.

    Votes are as they were given: in red-team mode the first is the more harmful. What trains a
    model reads ``LabeledComparison.better_first``.

    Args:
        session: any transaction.
        batches: only comparisons of these batches; all by default.
        project: only votes given in this project; in all, and outside any, by default.
        without: labelers whose votes are left out.
    """
    statement = (
        _votes(batches, tables.comparisons.c.payload)
        .where(*_only(project, without))
        .join(tables.comparisons, tables.comparisons.c.id == _EVENT.comparison_id)
        .order_by(_EVENT.comparison_id, _EVENT.seq)
    )
    rows = session.execute(statement, _parameters(batches))
    for _, group in groupby(rows, key=lambda row: row.comparison_id):
        votes = list(group)
        yield LabeledComparison(
            comparison=Comparison.model_validate_json(votes[0].payload),
            preferences=tuple(preference_of(row) for row in votes),
        )


def preferences(session: Session, *, batches: Sequence[str] | None = None) -> Iterator[Preference]:
    """Every vote that counts, in the order of the ledger."""
    statement = _votes(batches).order_by(_EVENT.seq)
    for row in session.execute(statement, _parameters(batches)):
        yield preference_of(row)


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
    most_wanted = (
        select(_QUEUE.comparison_id, func.max(_QUEUE.wanted).label("wanted"))
        .where(inside)
        .group_by(_QUEUE.comparison_id)
        .subquery()
    )

    def one(statement: Select[Any]) -> int:
        return int(session.scalars(statement, _parameters(batches)).one())

    return Counts(
        comparisons=one(select(func.count(_QUEUE.comparison_id.distinct())).where(inside)),
        complete=one(
            select(func.count())
            .select_from(most_wanted)
            .join(per_comparison, per_comparison.c.comparison_id == most_wanted.c.comparison_id)
            .where(per_comparison.c.n >= most_wanted.c.wanted)
        ),
        votes=one(select(func.count()).select_from(votes)),
        withdrawn=one(_events(WITHDRAW, batches)),
        skips=one(_events(SKIP, batches)),
        labelers=one(select(func.count(votes.c.labeler.distinct()))),
    )


def _parameters(batches: Sequence[str] | None) -> dict[str, list[str]]:
    return {} if batches is None else {"batches": list(batches)}


def _only(project: str | None, without: Sequence[str]) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if project is not None:
        found.append(_EVENT.project_id == project)
    if without:
        found.append(tables.labelers.c.name.not_in(without))
    return found


def _events(kind: str, batches: Sequence[str] | None) -> Select[Any]:
    inside = in_batches(_EVENT.comparison_id, batches is not None)
    return select(func.count()).select_from(tables.events).where(_EVENT.kind == kind, inside)


def _votes(batches: Sequence[str] | None, *more: ColumnElement[Any]) -> Select[Any]:
    columns: list[ColumnElement[Any]] = [
        _EVENT.id,
        _EVENT.comparison_id,
        tables.labelers.c.name.label("labeler"),
        _EVENT.ranks,
        _EVENT.shown_order,
        _EVENT.strength,
        _EVENT.seconds,
        _EVENT.note,
        _EVENT.guideline,
        _EVENT.project_id,
        _EVENT.purpose,
        _EVENT.gold,
        _EVENT.body,
    ]
    return (
        select(*columns, *more)
        .join(tables.labelers, tables.labelers.c.id == _EVENT.labeler_id)
        .where(
            _EVENT.kind == VOTE,
            _EVENT.purpose == "vote",
            events.standing(),
            in_batches(_EVENT.comparison_id, batches is not None),
        )
    )
