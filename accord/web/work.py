"""What labelers do, for the pages and the API alike: the next task, answers, and how far they are.

Each act is one short transaction. Sending an answer also brings the next task, so a vote costs
one request.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, get_args

from pydantic import ValidationError
from sqlalchemy.orm import Session

from accord.config import InputError
from accord.records import Answer
from accord.store import (
    accounts,
    answers,
    drafts,
    events,
    exposure,
    items,
    labelers,
    leases,
    projects,
    queue,
    screening,
    statistics,
)
from accord.store import standings as standing_of
from accord.store.answers import Receipt
from accord.store.labelers import Labeler
from accord.store.leases import Task
from accord.store.measures import Rate
from accord.store.projects import Project
from accord.store.specs import ProjectSpec
from accord.web.bodies import (
    AnswerBody,
    ChooseBody,
    Explained,
    Feedback,
    Next,
    Progress,
    ProjectCard,
    Reason,
)
from accord.web.deps import State, Viewer
from accord.web.errors import NOT_FOUND, Problem
from accord.web.shown import task_shown

LONGEST_DRAFT = 200_000  # characters of JSON
STEP, SHARE_STEPS = 10, 20  # of feedback
PAUSE = timedelta(minutes=5)  # without an answer that ends a spell of work


@dataclass(frozen=True)
class Desk:
    """One labeler at one project, inside a transaction."""

    session: Session
    state: State
    viewer: Viewer
    person: Labeler
    project: Project

    @property
    def spec(self) -> ProjectSpec:
        """The project's settings."""
        return self.project.spec

    @property
    def now(self) -> datetime:
        """The present time."""
        return self.state.clock()


@dataclass(frozen=True)
class Found:
    """What to show next. It is made ready for the page after the transaction, which stays short."""

    task: Task | None
    spec: ProjectSpec
    reason: Reason
    progress: Progress
    draft: dict[str, Any] | None = None  #: instead of the one that was kept

    def shown(self) -> Next:
        """The same for the page."""
        task = None if self.task is None else task_shown(self.task, self.spec)
        if task is not None and self.draft is not None and task.draft is None:
            task = task.model_copy(update={"draft": self.draft})
        return Next(task=task, reason=self.reason, progress=self.progress)


def desk(session: Session, state: State, viewer: Viewer, project_id: str) -> Desk:
    """Let a labeler work on a project.

    Raises:
        Problem: 404, there is no such project, or it was not given to this labeler.
    """
    person = labelers.get(session, viewer.name)
    return _desk(session, state, viewer, person, project_id)


def _desk(session: Session, state: State, viewer: Viewer, person: Labeler, project_id: str) -> Desk:
    project = projects.find(session, project_id)
    may = viewer.account.may("manager") or accounts.is_member(session, viewer.account, project_id)
    if project is None or not may:
        raise Problem(
            NOT_FOUND, "There is no such project, or it was not given to you; ask your manager"
        )
    return Desk(session, state, viewer, person, project)


def desk_of_task(
    session: Session, state: State, viewer: Viewer, task_id: str, *, is_writing: bool = True
) -> tuple[Desk, Task]:
    """The project and the task of an id that the queue gave to this labeler.

    Raises:
        NotYours: there is no such task, or it is somebody else's.
    """
    person = (labelers.locked if is_writing else labelers.get)(session, viewer.name)
    row = leases.find(session, task_id, person)
    if row is None:
        raise leases.NotYours(task_id)
    found = _desk(session, state, viewer, person, row.project_id)
    return found, leases.task_of(row, found.spec)


def next_task(at: Desk, *, latest: str | None = None) -> Found:
    """The next task of a project, or why there is none.

    Args:
        at: the desk, in a writing transaction.
        latest: the answer that was given a moment ago; looked up when None.
    """
    task, reason = _next(at)
    return Found(task, at.spec, reason, progress(at, latest=latest))


def submit(at: Desk, task: Task, body: AnswerBody) -> tuple[Receipt, Found]:
    """Keep an answer, once, and find the next task.

    Raises:
        InputError: the answer does not fit the task.
    """
    answer = answer_of(body, task.shown_order, task.guideline)
    kept = answers.submit(at.session, task.id, answer, labeler=at.viewer.name, now=at.now)
    return kept, next_task(at, latest=kept.answer_id if kept.counts else None)


def undo(session: Session, state: State, viewer: Viewer, answer_id: str) -> Found:
    """Take an answer back and give its task again, with the answer as draft.

    Raises:
        NotYours: there is no such answer, or it is somebody else's.
    """
    event = events.find(session, answer_id)
    task = answers.undo(session, answer_id, labeler=viewer.name, now=state.clock())
    at = desk(session, state, viewer, task.project_id)
    draft = None if event is None else {"answer": _by_place(event, task)}
    return Found(task, at.spec, "", progress(at), draft)


def _by_place(event: Any, task: Task) -> dict[str, Any]:
    """An answer of the ledger as the page had sent it."""
    body = event.body or {}

    def by_place(given: list[Any] | None) -> list[Any] | None:
        return None if not given else [given[index] for index in task.shown_order]

    return {
        "ranks": by_place(event.ranks),
        "tie": body.get("tie"),
        "strength": event.strength,
        "ratings": by_place(body.get("ratings")),
        "flags": by_place(body.get("flags")),
        "text": body.get("text"),
        "comment": event.note,
    }


def save_draft(at: Desk, task: Task, draft: dict[str, Any]) -> None:
    """Keep what was typed so far.

    Raises:
        InputError: it is too long.
    """
    text = json.dumps(draft)
    if len(text) > LONGEST_DRAFT:
        raise InputError(f"the draft is longer than {LONGEST_DRAFT:,} characters; shorten it")
    drafts.save(at.session, task.id, text, labeler=at.viewer.name, now=at.now)


def answer_of(body: AnswerBody | ChooseBody, shown_order: Sequence[int], guideline: str) -> Answer:
    """An answer by response, from one by place.

    Raises:
        InputError: a list does not have one entry for each place.
    """

    def by_response(name: str) -> tuple[Any, ...]:
        given = getattr(body, name)
        if given is None:
            return ()
        if len(given) != len(shown_order):
            raise InputError(
                f"`{name}` has {len(given)} entries for {len(shown_order)} responses; "
                "give one for each place"
            )
        at = {index: place for place, index in enumerate(shown_order)}
        return tuple(given[at[index]] for index in range(len(given)))

    try:
        return Answer(
            id=str(body.id),
            ranks=by_response("ranks"),
            tie=body.tie or "",
            strength=body.strength,
            ratings=by_response("ratings"),
            flags=tuple(tuple(marks) for marks in by_response("flags")),
            text=body.text if isinstance(body, AnswerBody) else None,
            comment=body.comment,
            seconds=body.active_seconds,
            guideline=guideline,
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(first["msg"].removeprefix("Value error, ")) from error


def progress(at: Desk, *, latest: str | None = None) -> Progress:
    """How far a labeler is in a project; ``latest`` as in ``next_task``."""
    standing = standing_of.find(at.session, at.spec, at.person)
    return Progress(
        answered=standing.answered,
        today=standing.answers_on(at.now),
        break_due=break_due(at),
        undo=latest or exposure.latest_answer(at.session, at.spec.id, at.person),
        feedback=None,
    )


def progress_with_feedback(at: Desk) -> Progress:
    """How far a labeler is, and how the answers fit with known ones and with themselves.

    Both are told in steps, of ten answers and of 5%: told exactly, the numbers would change after
    a hidden test or a repeat, and give it away.
    """
    found = statistics.labeler(at.session, at.spec.id, at.viewer.name, now=at.now)
    checked, agreement = _in_steps(found.gold)
    repeated, consistency = _in_steps(found.consistency)
    feedback = Feedback(
        checked=checked, agreement=agreement, repeated=repeated, consistency=consistency
    )
    explained = [
        Explained(
            prompt=items.prompt_of(one.item).messages[-1].content,
            right=one.right,
            explanation=one.explanation,
        )
        for one in screening.explained(at.session, at.spec, at.person)
    ]
    return progress(at).model_copy(update={"feedback": feedback, "explained": explained})


def _in_steps(rate: Rate) -> tuple[int, float | None]:
    """A count in tens and a share in twentieths; nothing below ten."""
    count = int(rate.n) // STEP * STEP
    if not count or rate.value is None:
        return 0, None
    return count, round(rate.value * SHARE_STEPS) / SHARE_STEPS


def break_due(at: Desk) -> bool:
    """True when somebody has worked longer without a pause than the project finds good."""
    minutes = at.spec.settings.care.break_every_minutes
    if minutes is None:
        return False
    spell = exposure.spell(at.session, at.spec.id, at.person, now=at.now, pause=PAUSE)
    return spell >= timedelta(minutes=minutes)


def cards(session: Session, state: State, viewer: Viewer) -> list[ProjectCard]:
    """The projects that somebody may work on, open ones first."""
    given = set(accounts.projects_of(session, viewer.account))
    person = labelers.get(session, viewer.name)
    found = [
        card_of(Desk(session, state, viewer, person, project))
        for project in projects.list_(session)
        if project.id in given or viewer.account.may("manager")
    ]
    return sorted(found, key=lambda card: (card.state != "open", card.title))


def card_of(at: Desk) -> ProjectCard:
    """A project as its labeler sees it."""
    standing = standing_of.find(at.session, at.spec, at.person)
    begun = "open" if standing.state == "ready" else standing.state
    return ProjectCard(
        id=at.spec.id,
        title=at.spec.title,
        task=at.spec.task,
        mode=at.spec.mode or "helpful",
        priority=at.spec.priority or "training",
        state="closed" if at.spec.closed else begun,
        answered=standing.answered,
        today=standing.answers_on(at.now),
    )


def _next(at: Desk) -> tuple[Task | None, Reason]:
    if not set(at.spec.settings.care.content_classes) <= set(at.viewer.account.consents):
        return None, "consent"
    found = queue.next_task(
        at.session, at.spec.id, at.viewer.name, now=at.now, seed=at.state.settings.seed
    )
    if found is not None:
        return found, ""
    why = queue.why_nothing(at.session, at.spec.id, at.viewer.name, now=at.now)
    assert why in get_args(Reason)
    return None, why  # type: ignore[return-value]  # checked one line above
