"""Adaptive overlap: one more vote where people disagree."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from accord.store import events, places, tables
from accord.store.specs import ProjectSpec
from accord.store.tables import RATING, VOTE

RATING_STEPS = 3  # of 7, from which on two ratings disagree

_EVENT, _QUEUE = tables.events.c, tables.queue.c
_PLACE = select(_QUEUE.wanted, _QUEUE.open).where(
    _QUEUE.project_id == bindparam("project"), _QUEUE.comparison_id == bindparam("of")
)
_VOTES = (
    select(_EVENT.kind, _EVENT.ranks, _EVENT.body)
    .where(
        _EVENT.comparison_id == bindparam("of"),
        _EVENT.kind.in_((VOTE, RATING)),
        _EVENT.project_id == bindparam("project"),
        _EVENT.purpose == "vote",
        events.standing(),
    )
    .order_by(_EVENT.seq)
)


def ask_more(session: Session, spec: ProjectSpec, item_id: str, *, now: datetime) -> bool:
    """Ask one more labeler about an item whose votes are all in and disagree.

    Returns:
        True if one more is asked.
    """
    setting = spec.settings.adaptive
    if setting is None:
        return False
    here = {"project": spec.id, "of": item_id}
    place = session.execute(_PLACE, here).one_or_none()
    if place is None or place.open > 0 or place.wanted >= setting.max_votes:
        return False
    votes: Sequence[Any] = session.execute(_VOTES, here).all()
    if len(votes) < place.wanted or not disagree(votes, lead=setting.lead):
        return False
    places.ask_more(session, spec.id, item_id, now=now)
    return True


def disagree(votes: Sequence[Any], *, lead: int) -> bool:
    """True if not all votes say the same and no answer leads the next by ``lead`` votes.

    Rankings say the same when the same responses are first; ratings when they are less than
    ``RATING_STEPS`` apart on every axis.
    """
    first = [
        frozenset(i for i, rank in enumerate(vote.ranks) if rank == min(vote.ranks))
        for vote in votes
        if vote.kind == VOTE
    ]
    counts = [count for _, count in Counter(first).most_common(2)]
    if len(counts) > 1 and counts[0] - counts[1] < lead:
        return True
    ratings = [given for vote in votes for given in (vote.body or {}).get("ratings", [])[:1]]
    if len(first) == len(votes):
        return False  # ratings beside a ranking are not what is asked
    axes = {axis for given in ratings for axis in given}
    spans = [[given[axis] for given in ratings if axis in given] for axis in axes]
    return any(max(span) - min(span) >= RATING_STEPS for span in spans)
