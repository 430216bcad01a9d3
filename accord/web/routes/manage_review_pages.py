"""Pages of managers: items and what was said of them, gold items, what waits for a decision."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from accord.config import InputError
from accord.store import answers, browse, gold, items, reviews, screening, standings
from accord.web import gold_forms, people, project_setup
from accord.web.deps import Form, Manager, SentForm, Server, State, Viewer
from accord.web.errors import NOT_FOUND, UNPROCESSABLE, Problem, sentence_of
from accord.web.manage_bodies import ProjectInPath
from accord.web.pages import own_address, pages_of, to
from accord.web.routes.manage_project_pages import framed

router = APIRouter(prefix="/manage/projects/{project}", include_in_schema=False)

PAGE, SPLITS = 50, 20
LARGEST = 2**53

ItemAsked = Annotated[str, Query(alias="id", min_length=1, max_length=200)]
After = Annotated[int, Query(ge=-1, le=LARGEST)]


@router.get("/items")
def items_page(
    request: Request,
    project: ProjectInPath,
    viewer: Manager,
    server: Server,
    which: browse.Which = "all",
    after: After = -1,
) -> Response:
    """The items of a project, in the order of its queue."""
    with server.reading() as session:
        found = project_setup.find(session, project)
        lines = browse.lines(session, project, which=which, after=after, most=PAGE + 1)
        context = {
            **framed(session, found),
            "lines": lines[:PAGE],
            "more": lines[PAGE - 1].position if len(lines) > PAGE else None,
            "which": which,
            "all_which": browse.WHICH,
        }
    return pages_of(request).page(request, "manage/items.html", context)


@router.get("/item")
def item_page(
    request: Request, project: ProjectInPath, viewer: Manager, server: Server, item: ItemAsked
) -> Response:
    """One item with everything that was said of it."""
    return _item(request, server, project, item)


@router.get("/review")
def review_page(
    request: Request, project: ProjectInPath, viewer: Manager, server: Server
) -> Response:
    """What waits for a decision: reports, grades, entry tests, disagreements."""
    with server.reading() as session:
        found = project_setup.find(session, project)
        tested = [
            (name, standing, screening.result(session, project, name))
            for name, standing in standings.of_project(session, project).items()
            if standing.state != "ready" or found.spec.settings.screening.items
        ]
        context = {
            **framed(session, found),
            "reported": reviews.reported(session, project),
            "ungraded": reviews.ungraded(session, project),
            "tested": tested,
            "splits": browse.splits(session, project, most=SPLITS),
        }
    return pages_of(request).page(request, "manage/review.html", context)


@router.get("/gold")
def gold_page(
    request: Request, project: ProjectInPath, viewer: Manager, server: Server
) -> Response:
    """The items whose answer is known."""
    return _gold(request, server, project)


@router.post("/gold")
def import_gold(
    request: Request, project: ProjectInPath, viewer: Manager, form: Form, server: Server
) -> Response:
    """Read gold items from a file: all of it or, when a line is broken, nothing."""
    file = form.file("file")
    try:
        if file is None:
            raise InputError("choose a file first")
        lines = gold_forms.read(file.filename or "", file.file)
        with server.writing() as session:
            form.spend(session, server.clock())
            project_setup.find(session, project)
            gold_forms.add_all(session, project, lines, now=server.clock(), by=viewer.name)
    except InputError as error:
        return _gold(request, server, project, error=sentence_of(error))
    return to(f"/manage/projects/{project}/gold")


@router.post("/gold/item")
def make_gold(
    request: Request, project: ProjectInPath, viewer: Manager, form: Form, server: Server
) -> Response:
    """Say what the answer to an item is, from here on."""
    item_id = form.text("item")
    try:
        with server.writing() as session:
            form.spend(session, server.clock())
            spec = project_setup.find(session, project).spec
            item = items.get(session, item_id)
            gold.add(
                session,
                project,
                item,
                gold_forms.expected_of(form, spec, item),
                screening=form.text("use") == "screening",
                now=server.clock(),
                by=viewer.name,
            )
    except InputError as error:
        return _item(request, server, project, item_id, error=sentence_of(error))
    return to(f"/manage/projects/{project}/gold")


@router.post("/review/{act}")
def decide(
    request: Request, project: ProjectInPath, act: str, viewer: Manager, form: Form, server: Server
) -> Response:
    """One decision about an answer, an item, or a labeler; then back to where it was taken."""
    acts = {
        "withdraw": _withdraw,
        "hold": _hold,
        "release": _release,
        "grade": _grade,
        "admit": _admit,
        "refuse": _refuse,
        "ungold": _ungold,
    }
    if act not in acts:
        raise project_setup.no_such_page()
    with server.writing() as session:
        form.spend(session, server.clock())
        project_setup.find(session, project)
        acts[act](session, project, form, server, viewer)
    back = own_address(form.text("back"))
    return to(back if back.startswith("/manage") else f"/manage/projects/{project}/review")


def _withdraw(
    session: Session, project: str, form: SentForm, server: State, viewer: Viewer
) -> None:
    reason = form.text("reason").strip()
    if not reason:
        raise InputError("say why the answer is taken out; the reason stays in the ledger")
    answer = form.text("answer")
    answers.withdraw(session, answer, reason=reason, by=viewer.name, now=server.clock())


def _hold(session: Session, project: str, form: SentForm, server: State, viewer: Viewer) -> None:
    item, now = form.text("item"), server.clock()
    reviews.set_held(session, project, item, True, by=viewer.name, now=now)


def _release(session: Session, project: str, form: SentForm, server: State, viewer: Viewer) -> None:
    item, now = form.text("item"), server.clock()
    reviews.set_held(session, project, item, False, by=viewer.name, now=now)


def _grade(session: Session, project: str, form: SentForm, server: State, viewer: Viewer) -> None:
    text = form.text("grade")
    if text not in "1234567" or len(text) != 1:
        raise InputError("choose a grade from 1 to 7")
    answer = form.text("answer")
    screening.grade(session, answer, int(text), by=viewer.name, now=server.clock())


def _admit(session: Session, project: str, form: SentForm, server: State, viewer: Viewer) -> None:
    _decide(session, project, form, server, viewer, admitted=True)


def _refuse(session: Session, project: str, form: SentForm, server: State, viewer: Viewer) -> None:
    _decide(session, project, form, server, viewer, admitted=False)


def _decide(
    session: Session,
    project: str,
    form: SentForm,
    server: State,
    viewer: Viewer,
    *,
    admitted: bool,
) -> None:
    screening.decide(
        session,
        project,
        people.find(session, form.text("name")).name,
        admitted=admitted,
        reason=form.text("reason"),
        by=viewer.name,
        now=server.clock(),
    )


def _ungold(session: Session, project: str, form: SentForm, server: State, viewer: Viewer) -> None:
    gold.remove(session, project, form.text("item"), now=server.clock(), by=viewer.name)


def _item(
    request: Request, server: State, project_id: str, item_id: str, *, error: str = ""
) -> Response:
    with server.reading() as session:
        project = project_setup.find(session, project_id)
        context = {
            **framed(session, project),
            "whole": _whole(session, project_id, item_id),
            "error": error,
        }
    status = UNPROCESSABLE if error else 200
    return pages_of(request).page(request, "manage/item.html", context, status=status)


def _whole(session: Session, project_id: str, item_id: str) -> browse.ItemWhole:
    try:
        return browse.one(session, project_id, item_id)
    except InputError as error:
        raise Problem(NOT_FOUND, "This project has no such item; check the address") from error


def _gold(request: Request, server: State, project_id: str, *, error: str = "") -> Response:
    with server.reading() as session:
        project = project_setup.find(session, project_id)
        found = gold.list_(session, project_id)
        texts = browse.texts(session, [one.item_id for one in found])
        context = {
            **framed(session, project),
            "gold": [(one, texts[one.item_id]) for one in found],
            "error": error,
        }
    status = UNPROCESSABLE if error else 200
    return pages_of(request).page(request, "manage/gold.html", context, status=status)
