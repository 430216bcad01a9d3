"""The entry test: gold items before the first real one, and its cut-offs.

Cut-offs of InstructGPT (Ouyang et al. 2022, arXiv:2203.02155, appendix B.1): 75% of orders and of
flags as known, written responses graded 6 of 7. They are soft: a manager may decide otherwise.
Differs from the source: its fourth criterion, the groups that an applicant knows well, is asked
outside of the test.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from accord.config import InputError
from accord.records import Item
from accord.store import events, gold, items, projects, standings, tables
from accord.store.labelers import Labeler, locked
from accord.store.leases import NotYours
from accord.store.specs import ProjectSpec
from accord.store.tables import ANSWERS, GRADE, SCREENED, WRITTEN

_EVENT = tables.events.c


@dataclass(frozen=True)
class Result:
    """How an entry test stands. Shares are None while nothing was compared."""

    answered: int  #: items of the test
    items: int  #: that it has
    ranking_share: float | None  #: of known orders and ratings answered right
    flags_share: float | None
    grade: float | None  #: mean of the grades given so far
    ungraded: int  #: written responses that nobody graded yet

    def is_over(self) -> bool:
        """True when every item is answered."""
        return self.answered >= self.items

    def passes(self, spec: ProjectSpec) -> bool:
        """True when no cut-off is missed."""
        limits = spec.settings.screening
        return (
            (self.ranking_share is None or self.ranking_share >= limits.ranking_share)
            and (self.flags_share is None or self.flags_share >= limits.flags_share)
            and (self.grade is None or self.grade >= limits.grade)
        )


def result(session: Session, project_id: str, labeler: str) -> Result:
    """How the entry test of a labeler stands."""
    return _result(session, projects.get(session, project_id).spec, locked(session, labeler))


def look(session: Session, spec: ProjectSpec, person: Labeler, *, now: datetime) -> None:
    """Let a labeler in, or not, once the test is over and everything in it is graded."""
    state = standings.begun(session, spec, person).state
    if state not in ("screening", "waiting"):
        return
    found = _result(session, spec, person)
    if not found.is_over():
        return
    if found.ungraded:
        standings.put(session, spec, person, state="waiting")
        return
    _decide(session, spec, person, found.passes(spec), body=vars(found), now=now)


def decide(
    session: Session,
    project_id: str,
    labeler: str,
    *,
    admitted: bool,
    reason: str,
    by: str,
    now: datetime,
) -> None:
    """A manager's decision, whatever the test said; another one may follow."""
    spec = projects.get(session, project_id).spec
    person = locked(session, labeler)
    standings.begun(session, spec, person)
    body = {"by": by, **vars(_result(session, spec, person))}
    _decide(session, spec, person, admitted, body=body, now=now, reason=reason)


def grade(session: Session, answer_id: str, value: int, *, by: str, now: datetime) -> bool:
    """Grade a written response from 1 to 7; False if it has this grade already.

    The latest grade counts.

    Raises:
        NotYours: there is no such written response.
        InputError: the grade is not from 1 to 7.
    """
    written = events.find(session, answer_id, [WRITTEN])
    if written is None:
        raise NotYours(answer_id)
    if not 1 <= value <= 7:  # noqa: PLR2004  # the scale of the source
        raise InputError(f"a grade is from 1 to 7, not `{value}`")
    names = select(tables.labelers.c.name).where(tables.labelers.c.id == written.labeler_id)
    person = locked(session, session.scalars(names).one())
    if grades(session, [answer_id]).get(answer_id) == value:
        return False
    values = {
        "comparison_id": written.comparison_id,
        "labeler_id": written.labeler_id,
        "project_id": written.project_id,
        "purpose": written.purpose,
        "body": {"by": by, "grade": value, "answer": answer_id},
    }
    identifier = f"{events.latest(session)}:{answer_id}"[:200]
    events.append(session, GRADE, identifier, now=now, values=values)
    if written.purpose == "screening":
        look(session, projects.get(session, written.project_id).spec, person, now=now)
    return True


def grades(session: Session, answer_ids: list[str] | None = None) -> dict[str, int]:
    """The latest grade of written responses, by the id of the answer."""
    rows = session.scalars(select(_EVENT.body).where(_EVENT.kind == GRADE).order_by(_EVENT.seq))
    found = {body["answer"]: int(body["grade"]) for body in rows}
    return found if answer_ids is None else {i: found[i] for i in answer_ids if i in found}


@dataclass(frozen=True)
class Explained:
    """One item of an entry test that is over, with what a manager wrote about it."""

    item: Item
    right: float | None  #: share of what was compared that was answered as known
    explanation: str


def explained(session: Session, spec: ProjectSpec, person: Labeler) -> list[Explained]:
    """What a labeler may learn from its entry test, in the order of its answers.

    Nothing before the test is over: another try could not be told from knowing.
    """
    if standings.find(session, spec, person).state == "screening":
        return []
    rows = session.execute(
        select(_EVENT.comparison_id, _EVENT.body, tables.comparisons.c.payload)
        .join(tables.comparisons, tables.comparisons.c.id == _EVENT.comparison_id)
        .where(*_of_test(spec, person))
        .order_by(_EVENT.seq)
    )
    found = []
    for row in rows:
        known = gold.expected_of(session, spec.id, row.comparison_id)
        if known is not None and known.explanation:
            outcome = (row.body or {}).get("gold")
            right = None if outcome is None else _share([outcome], "ranks", "ratings", "flags")
            found.append(Explained(items.parsed(row.payload), right, known.explanation))
    return found


def refuse_when_over(session: Session, spec: ProjectSpec, person: Labeler) -> None:
    """Stop an undo in an entry test that is over."""
    if standings.find(session, spec, person).state != "screening":
        raise InputError("the entry test is over; its answers can no longer be changed")


def _result(session: Session, spec: ProjectSpec, person: Labeler) -> Result:
    rows = session.execute(
        select(_EVENT.id, _EVENT.kind, _EVENT.body).where(*_of_test(spec, person))
    ).all()
    outcomes = [row.body["gold"] for row in rows if "gold" in (row.body or {})]
    written = [row.id for row in rows if row.kind == WRITTEN]
    given = grades(session, written) if written else {}
    return Result(
        answered=len(rows),
        items=spec.settings.screening.items,
        ranking_share=_share(outcomes, "ranks", "ratings"),
        flags_share=_share(outcomes, "flags"),
        grade=sum(given.values()) / len(given) if given else None,
        ungraded=len(written) - len(given),
    )


def _of_test(spec: ProjectSpec, person: Labeler) -> tuple[ColumnElement[bool], ...]:
    """Which events are a labeler's answers in the entry test."""
    return (
        _EVENT.project_id == spec.id,
        _EVENT.labeler_id == person.id,
        _EVENT.kind.in_(ANSWERS),
        _EVENT.purpose == "screening",
        events.standing(),
    )


def _share(outcomes: list[dict[str, Any]], *parts: str) -> float | None:
    right = sum(outcome[part][0] for outcome in outcomes for part in parts)
    total = sum(outcome[part][1] for outcome in outcomes for part in parts)
    return right / total if total else None


def _decide(
    session: Session,
    spec: ProjectSpec,
    person: Labeler,
    admitted: bool,
    *,
    body: dict[str, Any],
    now: datetime,
    reason: str = "",
) -> None:
    values = {
        "labeler_id": person.id,
        "project_id": spec.id,
        "purpose": "screening",
        "note": reason,
        "body": {"admitted": admitted, **body},
    }
    identifier = f"{person.id}:{events.latest(session)}"
    events.append(session, SCREENED, identifier, now=now, values=values)
    standings.put(session, spec, person, state="ready" if admitted else "failed")
