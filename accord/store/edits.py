"""Edits: what a labeler made of a response is better than the response, and recorded as such.

An edit adds a comparison of two responses to the ledger, the one given and the edited one, and
this labeler's vote on it. The vote is taken back together with the edit.
"""

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from accord.records import Answer, Comparison, Item, Response
from accord.store import events, items
from accord.store.specs import ProjectSpec
from accord.store.tables import VOTE, WITHDRAW, WRITTEN

POLICY = "labeler"  #: named as the policy of a response that a person wrote


def record(
    session: Session,
    spec: ProjectSpec,
    item: Item,
    answer: Answer,
    *,
    values: dict[str, Any],
    now: datetime,
) -> bool:
    """Add the comparison and the vote that an edit stands for; False when it changed nothing."""
    if spec.task != "demonstration" or not item.responses or item.prompt is None:
        return False
    given = item.responses[0]
    if answer.text is None or answer.text == given.text:
        return False
    identifier = vote_id(answer.id)
    edited = Response(id=identifier, prompt_id=given.prompt_id, text=answer.text, policy=POLICY)
    comparison = Comparison(id=identifier, prompt=item.prompt, responses=(given, edited))
    items.insert_new(session, [comparison])
    items.join(session, [identifier], f"{spec.id}/edits")
    body = {key: values["body"][key] for key in ("task", "version", "mode", "priority")}
    vote = {
        **values,
        "comparison_id": identifier,
        "ranks": [2, 1],
        "shown_order": [],
        "seconds": None,
        "body": body,
    }
    events.append(session, VOTE, identifier, now=now, values=vote)
    return True


def withdraw(session: Session, event: Row[Any], *, values: dict[str, Any], now: datetime) -> None:
    """Take the vote of an edit back."""
    identifier = vote_id(event.id)
    if event.kind == WRITTEN and events.find(session, identifier) is not None:
        here = {**values, "comparison_id": identifier}
        events.append(session, WITHDRAW, identifier, now=now, values=here)


def vote_id(answer_id: str) -> str:
    """The id of the vote, and of its comparison, that an edit stands for."""
    return "edit-" + hashlib.sha256(answer_id.encode()).hexdigest()[:32]
