"""Pages of labelers: home, the work page, guidelines, own progress, agreement to content."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from accord.store import accounts, guidelines
from accord.web import talk, work
from accord.web.deps import Form, Labeler, Server
from accord.web.manage_bodies import ProjectInPath
from accord.web.markdown import render
from accord.web.pages import as_script_data, pages_of, to

router = APIRouter(include_in_schema=False)


@router.get("/")
def home(request: Request, viewer: Labeler, server: Server) -> Response:
    """The projects that one may work on."""
    with server.reading() as session:
        cards = work.cards(session, server, viewer)
    return pages_of(request).page(request, "label/home.html", {"projects": cards})


@router.get("/p/{project}")
def work_page(
    request: Request, project: ProjectInPath, viewer: Labeler, server: Server
) -> Response:
    """The page on which one works: the next task, or why there is none."""
    with server.writing() as session:
        at = work.desk(session, server, viewer, project)
        found = work.next_task(at)
        talking = talk.after(at, found) if at.spec.task == "conversation" else None
        card, digest = work.card_of(at), at.spec.guideline
        text = guidelines.get(session, digest) if digest else ""
    if found.reason == "consent":
        return to(f"/p/{project}/consent")
    context: dict[str, Any] = {
        "project": card,
        "reason": found.reason,
        "progress": found.progress,
        "guideline": {"digest": digest, "html": render(text)},
    }
    if talking is not None:
        context |= {"conversation": talking.conversation, "data": as_script_data(talking)}
        return pages_of(request).page(request, "label/conversation.html", context)
    shown = found.shown()
    context |= {"task": shown.task, "data": as_script_data(shown)}
    return pages_of(request).page(request, "label/work.html", context)


@router.get("/p/{project}/guideline")
def guideline_page(
    request: Request, project: ProjectInPath, viewer: Labeler, server: Server
) -> Response:
    """The instructions of a project."""
    with server.reading() as session:
        at = work.desk(session, server, viewer, project)
        card, digest = work.card_of(at), at.spec.guideline
        text = guidelines.get(session, digest) if digest else ""
    context = {"project": card, "guideline": {"digest": digest, "html": render(text)}}
    return pages_of(request).page(request, "label/guideline.html", context)


@router.get("/p/{project}/progress")
def progress_page(
    request: Request, project: ProjectInPath, viewer: Labeler, server: Server
) -> Response:
    """How far one is, and how one's answers fit."""
    with server.reading() as session:
        at = work.desk(session, server, viewer, project)
        found = work.progress_with_feedback(at)
        card = work.card_of(at)
    context = {"project": card, "progress": found}
    return pages_of(request).page(request, "label/progress.html", context)


@router.get("/p/{project}/consent")
def consent_page(
    request: Request, project: ProjectInPath, viewer: Labeler, server: Server
) -> Response:
    """What a project may show, and whether one agrees to see it."""
    with server.reading() as session:
        at = work.desk(session, server, viewer, project)
        classes = at.spec.settings.care.content_classes
        card = work.card_of(at)
    agreed = set(viewer.account.consents)
    context = {
        "project": card,
        "content_classes": [
            {"name": name, "title": name.replace("_", " "), "agreed": name in agreed}
            for name in classes
        ],
    }
    return pages_of(request).page(request, "label/consent.html", context)


@router.post("/p/{project}/consent")
def set_consent(project: ProjectInPath, viewer: Labeler, form: Form, server: Server) -> Response:
    """Agree to see the classes that are marked, of those that the project may show."""
    with server.writing() as session:
        form.spend(session, server.clock())
        classes = set(
            work.desk(session, server, viewer, project).spec.settings.care.content_classes
        )
        chosen = classes & set(form.texts("content_class"))
        others = set(viewer.account.consents) - classes
        accounts.set_consents(session, viewer.account, sorted(others | chosen))
    return to(f"/p/{project}" if chosen == classes else "/")
