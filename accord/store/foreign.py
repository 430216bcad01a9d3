"""Votes from elsewhere into the ledger, and what the ledger holds as entries for files.

An imported vote is an event like any other; its ``body`` says when it was said and which row of
which file it is. What an item kept of its file is an event of its own, and so is the import. All
of it can be repeated: what is there already is not added again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, islice
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, insert, select
from sqlalchemy.orm import Session

from accord.config import InputError
from accord.data.formats.entries import Entry, Judgment, Origin
from accord.data.formats.importing import batch_of
from accord.data.formats.spool import Spool
from accord.data.threads import hashed
from accord.records import Item
from accord.store import events, items, labelers, places, projects, tables
from accord.store.choice import in_batches
from accord.store.rows import BODY_FIELDS
from accord.store.session import Store
from accord.store.tables import NO_PROJECT, RATING, VOTE, VOTED

IMPORT = "import"  #: kind of event: files were imported; ``body`` is the report
ORIGIN = "origin"  #: kind of event: where an item came from, and what its file says besides
CHUNK = 200
SAID_AT, FROM = "said_at", "origin"  # keys of an imported vote's body

_EVENT, _ITEM = tables.events.c, tables.comparisons.c


@dataclass
class Added:
    """What an import added to the ledger."""

    items: int = 0
    votes: int = 0
    known: int = 0  #: votes that were there already
    unranked: int = 0  #: ratings of items with several responses, which the ledger cannot hold
    people: dict[str, int] = field(default_factory=dict)  #: ids of labelers by name


def add(
    session: Session,
    entries: Iterable[Entry],
    *,
    now: datetime,
    batch: str = "",
    project: str = NO_PROJECT,
    with_votes: bool = True,
) -> Added:
    """Put items and the votes on them into the ledger.

    Args:
        session: a writing transaction; nothing stays of an import that fails.
        entries: what was read.
        now: the present time, with zone.
        batch: name of this delivery, for projects and stages that ask for it; a project's own
            when empty.
        project: whose queue the items join; votes from the file fill places there.
        with_votes: False takes the items only, to be judged here.

    Raises:
        InputError: no such project, an item does not fit its task, or an id is another item's or
            vote's already.
    """
    added = Added()
    remaining = iter(entries)
    while chunk := list(islice(remaining, CHUNK)):
        found = [Item(id=e.id, prompt=e.prompt, responses=e.responses) for e in chunk]
        new, _ = items.insert_new(session, found)
        added.items += len(new)
        if project:
            projects.add_items(session, project, found, now=now, batch=batch)
        else:
            items.join(session, [item.id for item in found], batch)
        _note_origins(session, chunk, now=now)
        if with_votes:
            _add_votes(session, chunk, added, project, now=now)
    return added


def import_all(
    store: Store,
    waiting: Spool,
    report: dict[str, Any],
    *,
    now: datetime,
    project: str = NO_PROJECT,
    with_votes: bool = True,
) -> None:
    """Put everything that waits into the ledger, in one transaction, and say so in the report.

    Args:
        store: the ledger.
        waiting: what was read and checked.
        report: on what was read; gets the numbers of what was new, and the name of the batch.
        now: the present time, with zone.
        project: whose queue the items join.
        with_votes: False takes the items only, to be judged here.

    Raises:
        InputError: see ``add``; then nothing is imported.
    """
    batch = "" if project else batch_of(report)
    with store.writing() as session:
        found = waiting.entries()
        added = add(session, found, now=now, batch=batch, project=project, with_votes=with_votes)
        report |= {"batch": batch, "new": {"items": added.items, "votes": added.votes}}
        report["there_already"] += added.known
        if added.unranked:
            text = "ratings of items with several responses: the ledger holds those of one"
            report["left_out"][text] = added.unranked
        note(session, report, project=project, now=now)


def note(session: Session, report: Mapping[str, Any], *, project: str, now: datetime) -> bool:
    """Say in the ledger which files were imported; False if that is said already."""
    digests = [file["sha256"] for file in report["files"]]
    identifier = hashed(project, report["format"], *digests)
    if events.find(session, identifier, [IMPORT]) is not None:
        return False
    values = {"project_id": project, "body": dict(report)}
    events.append(session, IMPORT, identifier, now=now, values=values)
    return True


def entries(
    session: Session,
    *,
    project: str = NO_PROJECT,
    batches: Sequence[str] | None = None,
    without: Sequence[str] = (),
) -> Iterator[Entry]:
    """Every item with the votes and ratings on it that count, by id, in the order of the ledger.

    Args:
        session: any transaction.
        project: only what was answered there; everything by default.
        batches: only items of these batches; all by default.
        without: labelers whose answers are left out.
    """
    conditions: list[ColumnElement[bool]] = [
        _EVENT.kind.in_((VOTE, RATING)),
        _EVENT.purpose == "vote",
        events.standing(),
        in_batches(_EVENT.comparison_id, batches is not None),
        tables.labelers.c.name.not_in(without),
    ]
    if project:
        projects.get(session, project)
        conditions.append(_EVENT.project_id == project)
    origin = tables.events.alias("origin")
    statement = (
        select(tables.events, tables.labelers.c.name, _ITEM.payload, origin.c.body.label("from"))
        .join(tables.labelers, tables.labelers.c.id == _EVENT.labeler_id)
        .join(tables.comparisons, _ITEM.id == _EVENT.comparison_id)
        .outerjoin(origin, and_(origin.c.kind == ORIGIN, origin.c.id == _EVENT.comparison_id))
        .where(*conditions)
        .order_by(_EVENT.comparison_id, _EVENT.seq)
        .execution_options(yield_per=1000)
    )
    rows = session.execute(statement, {} if batches is None else {"batches": list(batches)})
    for _, group in groupby(rows, key=lambda row: row.comparison_id):
        found = list(group)
        item = items.parsed(found[0].payload)
        if item.prompt is None:  # an instruction alone: no file has a place for it
            continue
        own = found[0]._mapping["from"]
        yield Entry(
            id=item.id,
            prompt=item.prompt,
            responses=item.responses,
            judgments=tuple(_judgment(row) for row in found),
            origin=Origin.model_validate(own) if own else None,
        )


def paused(session: Session) -> list[str]:
    """The names of the labelers that are paused."""
    return [person.name for person in labelers.roster(session) if person.paused]


def _note_origins(session: Session, chunk: Sequence[Entry], *, now: datetime) -> None:
    told = {
        e.id: e.origin.model_dump(mode="json", exclude_defaults=True) for e in chunk if e.origin
    }
    known = set(
        session.scalars(select(_EVENT.id).where(_EVENT.kind == ORIGIN, _EVENT.id.in_(told)))
    )
    for identifier, origin in told.items():
        if origin and identifier not in known:
            values = {"comparison_id": identifier, "body": origin}
            events.append(session, ORIGIN, identifier, now=now, values=values)


def _add_votes(
    session: Session, chunk: Sequence[Entry], added: Added, project: str, *, now: datetime
) -> None:
    pairs = [(entry, judgment) for entry in chunk for judgment in entry.judgments]
    known = _known(session, [judgment.id for _, judgment in pairs])
    votes, held = [], []
    for entry, judgment in pairs:
        person = _person(session, judgment.labeler, added.people)
        if len(entry.responses) > 1 and not judgment.ranks:
            added.unranked += 1
        elif judgment.id in known:
            _check_same(known[judgment.id], entry, judgment, person)
            added.known += 1
        else:
            votes.append(_event(entry, judgment, person, project, now))
            held.append(_assignment(entry, judgment, person, project))
    if not votes:
        return
    session.execute(tables.INSERT_EVENT, votes)
    added.votes += len(votes)
    if project:
        session.execute(insert(tables.assignments), held)
        for vote in votes:
            places.take(session, project, vote["comparison_id"])


def _known(session: Session, identifiers: Sequence[str]) -> dict[str, Row[Any]]:
    columns = (_EVENT.id, _EVENT.comparison_id, _EVENT.labeler_id, _EVENT.ranks)
    found: dict[str, Row[Any]] = {}
    for start in range(0, len(identifiers), CHUNK):
        part = identifiers[start : start + CHUNK]
        statement = select(*columns).where(_EVENT.kind.in_((VOTE, RATING)), _EVENT.id.in_(part))
        found |= {row.id: row for row in session.execute(statement)}
    return found


def _check_same(row: Row[Any], entry: Entry, judgment: Judgment, person: int) -> None:
    here = (row.comparison_id, row.labeler_id, list(row.ranks or []))
    if here != (entry.id, person, list(judgment.ranks)):
        raise InputError(
            f"the ledger holds another vote with the id `{judgment.id}`; give each vote its own id"
        )


def _person(session: Session, name: str, known: dict[str, int]) -> int:
    if name not in known:
        labelers.add(session, name)
        known[name] = labelers.get(session, name).id
    return known[name]


def _event(
    entry: Entry, judgment: Judgment, person: int, project: str, now: datetime
) -> dict[str, Any]:
    said = judgment.model_dump(mode="json", include=set(BODY_FIELDS), exclude_defaults=True)
    if judgment.time is not None:
        said[SAID_AT] = judgment.time.isoformat()
    origin = judgment.origin or Origin()
    said[FROM] = origin.model_dump(mode="json", exclude_defaults=True)
    return {
        "kind": VOTE if judgment.ranks else RATING,
        "id": judgment.id,
        "created_at": now,
        "comparison_id": entry.id,
        "labeler_id": person,
        "ranks": list(judgment.ranks) or None,
        "shown_order": list(judgment.shown_order),
        "strength": judgment.strength,
        "seconds": judgment.seconds,
        "note": judgment.note,
        "guideline": judgment.guideline,
        "project_id": project,
        "purpose": judgment.purpose,
        "gold": judgment.gold,
        "body": said,
    }


def _assignment(entry: Entry, judgment: Judgment, person: int, project: str) -> dict[str, Any]:
    """The labeler had this item: it is not given to it again."""
    return {
        "task_id": f"{IMPORT}:{judgment.id}",
        "project_id": project,
        "comparison_id": entry.id,
        "labeler_id": person,
        "purpose": "vote",
        "state": VOTED,
        "number": 0,
        "shown_order": list(judgment.shown_order),
        "balance": "",
        "answer_id": judgment.id,
    }


def _judgment(row: Row[Any]) -> Judgment:
    body = row.body or {}
    said_at = body.get(SAID_AT)
    recorded = row.created_at if FROM not in body else None  # the day of an import says nothing
    return Judgment(
        id=row.id,
        labeler=row.name,
        ranks=tuple(row.ranks or ()),
        shown_order=tuple(row.shown_order),
        strength=row.strength,
        seconds=row.seconds,
        note=row.note,
        guideline=row.guideline,
        project=row.project_id,
        purpose=row.purpose,
        gold=row.gold,
        time=datetime.fromisoformat(said_at) if said_at else recorded,
        origin=Origin.model_validate(body[FROM]) if body.get(FROM) else None,
        **{name: body[name] for name in BODY_FIELDS if body.get(name) is not None},
    )


def who_answered(session: Session, project: str) -> list[str]:
    """The names of the labelers with an answer in a project.

    Raises:
        InputError: no such project.
    """
    projects.get(session, project)
    given = select(_EVENT.labeler_id).where(
        _EVENT.project_id == project, _EVENT.kind.in_(tables.ANSWERS)
    )
    statement = select(tables.labelers.c.name).where(tables.labelers.c.id.in_(given))
    return list(session.scalars(statement.order_by(tables.labelers.c.name)))
