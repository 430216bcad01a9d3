"""Data sets of a project: views of the ledger as records, and what they leave out.

    comparisons     votes with the better response first, whatever the labelers were asked
    written         responses that labelers wrote or edited
    ratings         ratings of single responses
    conversations   whole dialogues

Nothing is deleted to make a data set: answers that were taken back, hidden tests, repeats and the
answers of labelers who are left out stay in the ledger, and ``left_out`` counts them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from accord.records import Conversation, LabeledComparison, SingleRating, WrittenResponse
from accord.store import dialogues, events, export, items, projects, screening, tables
from accord.store.tables import ANSWERS, RATING, REPORT, SKIP, VOTE, WRITTEN

_EVENT, _LABELER = tables.events.c, tables.labelers.c


@dataclass(frozen=True)
class LeftOut:
    """Answers of a project that its data sets do not hold, and votes that they turn round."""

    withdrawn: int  #: answers taken back
    tests: int  #: answers to gold items, hidden or in the entry test
    repeats: int  #: second answers to the same item
    labelers: int  #: answers of labelers who are left out
    skips: int
    reports: int
    inverted: int  #: votes for the more harmful response, which ``comparisons`` turns round


def comparisons(
    session: Session, project_id: str, *, without: Sequence[str] = ()
) -> Iterator[LabeledComparison]:
    """Every comparison with its votes, the better response first: ready for training.

    The choices of conversations and the votes that edits stand for are among them.

    Args:
        session: any transaction.
        project_id: of a project.
        without: labelers whose votes are left out.

    Raises:
        InputError: no such project.
    """
    projects.get(session, project_id)
    for one in export.labeled(session, project=project_id, without=without):
        yield one.better_first()


def written(
    session: Session, project_id: str, *, without: Sequence[str] = ()
) -> Iterator[WrittenResponse]:
    """Every response that a labeler wrote or edited, with its grade if it has one.

    An item without a prompt has its instruction for one.

    Raises:
        InputError: no such project.
    """
    projects.get(session, project_id)
    grades = screening.grades(session)
    for row in session.execute(_answers(project_id, WRITTEN, without)):
        item, body = items.parsed(row.payload), row.body
        yield WrittenResponse(
            id=row.id,
            item_id=item.id,
            labeler=row.labeler,
            prompt=items.prompt_of(item),
            response=body["text"],
            edited=item.responses[0] if item.responses else None,
            seconds=row.seconds,
            note=row.note,
            guideline=row.guideline,
            project=row.project_id,
            mode=body["mode"],
            priority=body["priority"],
            purpose=row.purpose,
            grade=grades.get(row.id),
        )


def ratings(
    session: Session, project_id: str, *, without: Sequence[str] = ()
) -> Iterator[SingleRating]:
    """Every rating of a single response.

    Raises:
        InputError: no such project.
    """
    projects.get(session, project_id)
    for row in session.execute(_answers(project_id, RATING, without)):
        item, body = items.parsed(row.payload), row.body
        yield SingleRating(
            id=row.id,
            item_id=item.id,
            labeler=row.labeler,
            prompt=items.prompt_of(item),
            response=item.responses[0],
            ratings=(body.get("ratings") or [{}])[0],
            flags=tuple((body.get("flags") or [()])[0]),
            seconds=row.seconds,
            note=row.note,
            guideline=row.guideline,
            project=row.project_id,
            mode=body.get("mode", ""),
            priority=body.get("priority", ""),
            purpose=row.purpose,
            gold=row.gold,
        )


def conversations(
    session: Session, project_id: str, *, without: Sequence[str] = ()
) -> Iterator[Conversation]:
    """Every conversation, finished or not; its choices as they were given, see ``polarity``.

    Raises:
        InputError: no such project.
    """
    projects.get(session, project_id)
    for dialogue in dialogues.of_project(session, project_id):
        if dialogue.labeler not in without:
            yield dialogue.record


def left_out(session: Session, project_id: str, *, without: Sequence[str] = ()) -> LeftOut:
    """What the data sets of a project do not hold.

    Raises:
        InputError: no such project.
    """
    projects.get(session, project_id)

    def number(*conditions: ColumnElement[bool]) -> int:
        statement = (
            select(func.count())
            .select_from(tables.events)
            .join(tables.labelers, _LABELER.id == _EVENT.labeler_id)
            .where(_EVENT.project_id == project_id, *conditions)
        )
        return int(session.scalars(statement).one())

    answers = _EVENT.kind.in_(ANSWERS)
    votes = _EVENT.purpose == "vote"
    asked_for_harm = _EVENT.body["polarity"].as_string() == "harmful_first"
    return LeftOut(
        withdrawn=number(answers, ~events.standing()),
        tests=number(answers, events.standing(), _EVENT.purpose.in_(("gold", "screening"))),
        repeats=number(answers, events.standing(), _EVENT.purpose == "repeat"),
        labelers=number(answers, events.standing(), votes, _LABELER.name.in_(without)),
        skips=number(_EVENT.kind == SKIP),
        reports=number(_EVENT.kind == REPORT),
        inverted=number(
            _EVENT.kind == VOTE,
            events.standing(),
            votes,
            asked_for_harm,
            _LABELER.name.not_in(without),
        ),
    )


def _answers(project_id: str, kind: str, without: Sequence[str]) -> Select[Any]:
    """Answers of a kind that count, in the order of the ledger, with their items."""
    return (
        select(tables.events, _LABELER.name.label("labeler"), tables.comparisons.c.payload)
        .join(tables.labelers, _LABELER.id == _EVENT.labeler_id)
        .join(tables.comparisons, tables.comparisons.c.id == _EVENT.comparison_id)
        .where(
            _EVENT.project_id == project_id,
            _EVENT.kind == kind,
            _EVENT.purpose == "vote",
            _LABELER.name.not_in(without),
            events.standing(),
        )
        .order_by(_EVENT.seq)
    )
