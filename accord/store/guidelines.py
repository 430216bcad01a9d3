"""Guidelines: versions of a Markdown text, known by the SHA-256 of it, which answers name."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from accord.config import InputError
from accord.store import events, tables

_GUIDELINE = tables.guidelines.c


@dataclass(frozen=True)
class Guideline:
    """One version of the guidelines of some name."""

    name: str
    digest: str
    text: str
    created_at: datetime


def publish(session: Session, name: str, text: str, now: datetime, *, by: str = "") -> str:
    """Keep a version of some guidelines; publishing the same text again changes nothing.

    Returns:
        Its digest, to be given to a project and found in every answer made under it.

    Raises:
        InputError: the name or the text is empty.
    """
    if not name.strip() or not text.strip():
        raise InputError("guidelines need a name and a text; give both")
    digest = hashlib.sha256(text.encode()).hexdigest()
    known = select(_GUIDELINE.digest).where(_GUIDELINE.name == name, _GUIDELINE.digest == digest)
    if session.execute(known).first() is None:
        row = {"name": name, "digest": digest, "text": text, "created_at": now}
        session.execute(insert(tables.guidelines), row)
        identifier = hashlib.sha256(f"{name}\0{digest}".encode()).hexdigest()
        values = {"guideline": digest, "note": name, "body": {"by": by}}
        events.append(session, tables.GUIDELINE, identifier, now=now, values=values)
    return digest


def get(session: Session, digest: str) -> str:
    """The text of a version.

    Raises:
        InputError: there is no such version.
    """
    found: str | None = session.scalars(
        select(_GUIDELINE.text).where(_GUIDELINE.digest == digest)
    ).first()
    if found is None:
        raise InputError(f"no guidelines with the digest `{digest}`; publish them first")
    return found


def versions(session: Session, name: str | None = None) -> list[Guideline]:
    """Every version, of one name or of all, the newest first."""
    statement = select(
        _GUIDELINE.name, _GUIDELINE.digest, _GUIDELINE.text, _GUIDELINE.created_at
    ).order_by(_GUIDELINE.created_at.desc(), _GUIDELINE.name, _GUIDELINE.digest)
    if name is not None:
        statement = statement.where(_GUIDELINE.name == name)
    return [Guideline(*row) for row in session.execute(statement)]
