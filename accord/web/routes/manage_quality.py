"""The API of managers, quality: statistics, known answers, entry tests, reports, withdrawals."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import Field

from accord.store import answers, gold, reviews, screening, statistics
from accord.store.statistics import LabelerStatistics, ProjectStatistics
from accord.web import gold_forms, people, project_setup
from accord.web.bodies import Body, Short, Shown
from accord.web.deps import BEARER, COOKIE, Manager, Server, guarded
from accord.web.errors import NOT_FOUND, Problem, described
from accord.web.gold_forms import GoldLine
from accord.web.manage_bodies import InPath, ProjectInPath

router = APIRouter(
    prefix="/api/v1/manage",
    tags=["quality"],
    dependencies=[Depends(guarded), Depends(BEARER), Depends(COOKIE)],
    responses=described(400, 401, 403, 404, 409, 413, 422),
)

ItemId = Annotated[str, Path(min_length=1, max_length=200, description="Id of an item.")]
AnswerId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_:.-]{1,200}$", description="Id of an answer.")]


class LabelersOfProject(Shown):
    """How each labeler of a project is doing."""

    labelers: list[LabelerStatistics]


class GoldItems(Shown):
    """Items whose answer is known."""

    items: list[gold.GoldItem]


class Admission(Body):
    """A decision about an entry test, whatever it said."""

    admitted: bool
    reason: Short = ""


class Grade(Body):
    """A grade of a written response."""

    grade: int = Field(ge=1, le=7)


class Reason(Body):
    """Why; it is kept in the ledger."""

    reason: Short = Field(min_length=1)


class ReportedItems(Shown):
    """Items that labelers reported."""

    items: list[reviews.Reported]


class UngradedAnswers(Shown):
    """Written responses of entry tests that nobody graded yet."""

    answers: list[reviews.Ungraded]


@router.get("/projects/{project}/statistics")
def project_statistics(
    project: ProjectInPath, viewer: Manager, server: Server
) -> ProjectStatistics:
    """How far a project is, and how well its labelers agree."""
    with server.reading() as session:
        project_setup.find(session, project)
        return statistics.project(session, project)


@router.get("/projects/{project}/labelers")
def labeler_statistics(
    project: ProjectInPath, viewer: Manager, server: Server
) -> LabelersOfProject:
    """How each labeler is doing: with known answers, with the others, with themselves."""
    with server.reading() as session:
        project_setup.find(session, project)
        found = statistics.labelers_of(session, project, now=server.clock())
    return LabelersOfProject(labelers=found)


@router.get("/projects/{project}/gold")
def list_gold(project: ProjectInPath, viewer: Manager, server: Server) -> GoldItems:
    """Items whose answer is known."""
    with server.reading() as session:
        project_setup.find(session, project)
        return GoldItems(items=gold.list_(session, project))


@router.post("/projects/{project}/gold", status_code=204)
def add_gold(project: ProjectInPath, body: GoldLine, viewer: Manager, server: Server) -> None:
    """Say what the answer to an item is; it is asked to see how careful labelers are."""
    with server.writing() as session:
        project_setup.find(session, project)
        gold_forms.add_all(session, project, [body], now=server.clock(), by=viewer.name)


@router.delete("/projects/{project}/gold/{item}", status_code=204)
def remove_gold(project: ProjectInPath, item: ItemId, viewer: Manager, server: Server) -> None:
    """Ask an item no longer as one whose answer is known; answers keep their outcome."""
    with server.writing() as session:
        project_setup.find(session, project)
        if not gold.remove(session, project, item, now=server.clock(), by=viewer.name):
            raise Problem(NOT_FOUND, f"`{item}` is no item with a known answer; check its id")


@router.get("/projects/{project}/reports")
def list_reports(project: ProjectInPath, viewer: Manager, server: Server) -> ReportedItems:
    """Items that labelers reported, those that nobody gets any more first."""
    with server.reading() as session:
        project_setup.find(session, project)
        return ReportedItems(items=reviews.reported(session, project))


@router.post("/projects/{project}/items/{item}/release", status_code=204)
def release_item(project: ProjectInPath, item: ItemId, viewer: Manager, server: Server) -> None:
    """Give a reported item to labelers again."""
    with server.writing() as session:
        project_setup.find(session, project)
        reviews.set_held(session, project, item, False, by=viewer.name, now=server.clock())


@router.post("/projects/{project}/labelers/{name}/admission", status_code=204)
def decide_admission(
    project: ProjectInPath, name: InPath, body: Admission, viewer: Manager, server: Server
) -> None:
    """Let a labeler into a project or not, whatever the entry test said."""
    with server.writing() as session:
        project_setup.find(session, project)
        screening.decide(
            session,
            project,
            people.find(session, name).name,
            admitted=body.admitted,
            reason=body.reason,
            by=viewer.name,
            now=server.clock(),
        )


@router.get("/projects/{project}/ungraded")
def list_ungraded(project: ProjectInPath, viewer: Manager, server: Server) -> UngradedAnswers:
    """Written responses of entry tests that wait for a grade."""
    with server.reading() as session:
        project_setup.find(session, project)
        return UngradedAnswers(answers=reviews.ungraded(session, project))


@router.post("/answers/{answer}/grade", status_code=204)
def grade_answer(answer: AnswerId, body: Grade, viewer: Manager, server: Server) -> None:
    """Grade a written response from 1 to 7."""
    with server.writing() as session:
        screening.grade(session, answer, body.grade, by=viewer.name, now=server.clock())


@router.post("/answers/{answer}/withdraw", status_code=204)
def withdraw_answer(answer: AnswerId, body: Reason, viewer: Manager, server: Server) -> None:
    """Take an answer out of what counts; it stays in the ledger, and others are asked."""
    with server.writing() as session:
        answers.withdraw(session, answer, reason=body.reason, by=viewer.name, now=server.clock())
