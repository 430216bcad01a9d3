"""The API of labelers: the next task, answers, drafts, undo, progress.

Nothing here tells which policy wrote a response, in any field, header, order or time.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from accord.store import accounts, answers, guidelines
from accord.web import work
from accord.web.bodies import (
    AnswerBody,
    Answered,
    ConsentBody,
    DraftBody,
    GuidelineShown,
    Next,
    Progress,
    ProjectCards,
    ReportBody,
    Shown,
    SkipBody,
)
from accord.web.deps import BEARER, COOKIE, Labeler, Server, guarded
from accord.web.errors import described
from accord.web.manage_bodies import ProjectInPath
from accord.web.markdown import render

router = APIRouter(
    prefix="/api/v1",
    tags=["labelling"],
    dependencies=[Depends(guarded), Depends(BEARER), Depends(COOKIE)],
    responses=described(400, 401, 403, 404, 409, 413, 422),
)

TaskId = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9_:.-]{1,250}$", description="Id of a task, as it was given.")
]
AnswerId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_:.-]{1,200}$", description="Id of an answer.")]


@router.get("/projects")
def list_projects(viewer: Labeler, server: Server) -> ProjectCards:
    """The projects that you may work on."""
    with server.reading() as session:
        return ProjectCards(projects=work.cards(session, server, viewer))


@router.post("/projects/{project}/next", response_model=Next)
def next_task(project: ProjectInPath, viewer: Labeler, server: Server) -> Response:
    """The next task: the same one until it is answered, skipped or reported, or its time ends."""
    with server.writing() as session:
        found = work.next_task(work.desk(session, server, viewer, project))
    return _as_json(found.shown())


@router.post("/tasks/{task}/answer", response_model=Answered)
def answer(task: TaskId, body: AnswerBody, viewer: Labeler, server: Server) -> Response:
    """Answer a task and get the next one.

    Sending the same body again is the same answer. Another answer to the same task is refused
    with status 409 and the code `answered`. An answer after the lease ended counts.
    """
    with server.writing() as session:
        kept, found = work.submit(*work.desk_of_task(session, server, viewer, task), body)
    shown = found.shown()
    answered = Answered(
        answer_id=kept.answer_id,
        recorded=kept.recorded,
        task=shown.task,
        reason=shown.reason,
        progress=shown.progress,
    )
    return _as_json(answered)


@router.post("/tasks/{task}/skip")
def skip(task: TaskId, body: SkipBody, viewer: Labeler, server: Server) -> Next:
    """Do not answer a task; others are asked instead. Gives the next one."""
    with server.writing() as session:
        at, _ = work.desk_of_task(session, server, viewer, task)
        answers.skip(session, task, reason=body.reason, labeler=viewer.name, now=at.now)
        found = work.next_task(at)
    server.turns.end(task)  # of a conversation: nobody waits for its candidates
    return found.shown()


@router.post("/tasks/{task}/report")
def report(task: TaskId, body: ReportBody, viewer: Labeler, server: Server) -> Next:
    """Say that something is wrong with an item; the manager looks at it. Gives the next task."""
    reason = f"{body.reason}: {body.comment}" if body.comment else body.reason
    with server.writing() as session:
        at, _ = work.desk_of_task(session, server, viewer, task)
        answers.report(session, task, reason=reason, labeler=viewer.name, now=at.now)
        found = work.next_task(at)
    server.turns.end(task)  # of a conversation: nobody waits for its candidates
    return found.shown()


@router.post("/tasks/{task}/draft", status_code=204)
def save_draft(task: TaskId, body: DraftBody, viewer: Labeler, server: Server) -> None:
    """Keep what was typed so far, and the task for you a while longer."""
    with server.writing() as session:
        at, found = work.desk_of_task(session, server, viewer, task)
        work.save_draft(at, found, body.draft)


@router.post("/answers/{answer}/undo")
def undo(answer: AnswerId, viewer: Labeler, server: Server) -> Next:
    """Take an answer back: it stays in the ledger and no longer counts.

    Gives its task again, with the answer as its draft.
    """
    with server.writing() as session:
        found = work.undo(session, server, viewer, answer)
    return found.shown()


@router.get("/projects/{project}/progress")
def read_progress(project: ProjectInPath, viewer: Labeler, server: Server) -> Progress:
    """How far you are, and how your answers fit with known ones and with themselves."""
    with server.reading() as session:
        at = work.desk(session, server, viewer, project)
        return work.progress_with_feedback(at)


@router.get("/projects/{project}/guideline")
def read_guideline(project: ProjectInPath, viewer: Labeler, server: Server) -> GuidelineShown:
    """The instructions of a project."""
    with server.reading() as session:
        digest = work.desk(session, server, viewer, project).spec.guideline
        text = guidelines.get(session, digest) if digest else ""
    return GuidelineShown(digest=digest, text=text, html=render(text))


@router.put("/me/consents", status_code=204)
def set_consents(body: ConsentBody, viewer: Labeler, server: Server) -> None:
    """Agree to see these content classes, and no others."""
    with server.writing() as session:
        accounts.set_consents(session, viewer.account, body.content_classes)


def _as_json(shown: Shown) -> Response:
    """The answer of a route that a labeler waits for: checked already, so not checked again."""
    return Response(shown.model_dump_json(), media_type="application/json")
