"""Drafts: what a labeler has typed and not sent, so that a closed tab loses nothing."""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from accord.config import InputError
from accord.store import leases, projects, tables
from accord.store.labelers import locked
from accord.store.leases import NotYours

LONGEST = 400_000  # characters

_DRAFT = tables.drafts.c
_BODY = select(_DRAFT.body).where(
    _DRAFT.task_id == bindparam("of"), _DRAFT.labeler_id == bindparam("person")
)


def save(session: Session, task_id: str, body: str, *, labeler: str, now: datetime) -> bool:
    """Keep what was typed, whatever was kept before, and renew the lease: somebody is at work.

    Args:
        session: a writing transaction.
        task_id: of the task before the labeler.
        body: any text, for example JSON of the page's form.
        labeler: its name.
        now: the present time, with zone.

    Returns:
        False if the task is answered, so that nothing was kept.

    Raises:
        NotYours: no such task before this labeler.
        InputError: the text is too long.
    """
    if len(body) > LONGEST:
        raise InputError(f"the draft has {len(body)} characters; keep it under {LONGEST}")
    person = locked(session, labeler)
    row = leases.find(session, task_id, person)
    if row is None:
        raise NotYours(task_id)
    if row.state not in (tables.LEASED, tables.EXPIRED):
        return False
    values = {"body": body, "saved_at": now}
    if row.draft is None:
        here = {"task_id": task_id, "labeler_id": person.id}
        session.execute(insert(tables.drafts), {**here, **values})
    else:
        session.execute(update(tables.drafts).where(_DRAFT.task_id == task_id).values(**values))
    leases.forget(session, task_id)
    if row.state == tables.LEASED:
        settings = projects.get(session, row.project_id).spec.settings
        until = now + timedelta(seconds=settings.lease_seconds)
        leases.put(session, task_id, tables.LEASED, until=max(until, row.expires_at))
    return True


def load(session: Session, task_id: str, *, labeler: str) -> str | None:
    """What was typed for a task, or None."""
    person = locked(session, labeler)
    return session.scalars(_BODY, {"of": task_id, "person": person.id}).one_or_none()


_DROP = delete(tables.drafts).where(_DRAFT.task_id == bindparam("of"))


def drop(session: Session, task_id: str) -> None:
    """Forget the draft of a task that was answered."""
    session.execute(_DROP, {"of": task_id})
    leases.forget(session, task_id)
