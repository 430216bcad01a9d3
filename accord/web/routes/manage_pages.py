"""Pages of managers: all projects, a new one, guidelines, the log."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from accord.config import InputError
from accord.store import access, accounts, guidelines, labelers, log, projects, reviews, statistics
from accord.store.projects import Project
from accord.web import project_files, project_setup, setting_fields
from accord.web.deps import Form, Manager, SentForm, Server
from accord.web.errors import UNPROCESSABLE, sentence_of
from accord.web.manage_bodies import GuidelineName
from accord.web.markdown import render
from accord.web.pages import pages_of, to

router = APIRouter(prefix="/manage", include_in_schema=False)

NEW_ID, NEW_TITLE = "my-project", "My project"
PAGE = 50

LogSort = Annotated[log.Sort, Query(alias="sort")]
Asked = Annotated[str, Query(max_length=200)]
Before = Annotated[int | None, Query(ge=0, le=2**53)]


@router.get("")
def home(request: Request, viewer: Manager, server: Server) -> Response:
    """Every project, and what waits for the manager."""
    with server.reading() as session:
        context = {
            "projects": [_row(session, project) for project in projects.list_(session)],
            "people_count": len(accounts.roster(session)),
            "paused": [one.name for one in labelers.roster(session) if one.paused],
            "open_invitations": len(access.open_invitations(session, now=server.clock())),
        }
    return pages_of(request).page(request, "manage/home.html", context)


@router.get("/projects/new")
def new_project_page(
    request: Request, viewer: Manager, server: Server, preset: Asked = "comparison"
) -> Response:
    """A project to begin with."""
    toml = project_files.beginning(preset, NEW_ID, NEW_TITLE)
    return _new_project(request, server, preset, toml)


@router.post("/projects/new")
def create_project(request: Request, viewer: Manager, form: Form, server: Server) -> Response:
    """Set up a project from a form, from its file, or from the text of one."""
    preset = form.text("preset") or "comparison"
    toml = form.text("toml") or project_files.beginning(preset, NEW_ID, NEW_TITLE)
    try:
        if form.text("by") == "fields":
            file = _of_fields(form, preset)
        else:
            toml = _uploaded(form) or toml
            file = project_files.read(toml)
        with server.writing() as session:
            form.spend(session, server.clock())
            made = project_setup.set_up(session, file, now=server.clock(), by=viewer.name)
    except InputError as error:
        return _new_project(request, server, preset, toml, sentence_of(error), form)
    return to(f"/manage/projects/{made.id}")


@router.get("/guidelines")
def guidelines_page(
    request: Request, viewer: Manager, server: Server, name: Asked = ""
) -> Response:
    """Every version of all guidelines; with a name, on to those of this name."""
    if name.strip():
        return to(f"/manage/guidelines/{quote(name.strip(), safe='')}")
    with server.reading() as session:
        found = guidelines.versions(session)
        used = _uses(session)
    names = sorted({one.name for one in found} | set(project_files.shipped_guidelines()))
    context = {
        "sets": [(name, [one for one in found if one.name == name]) for name in names],
        "used": used,
    }
    return pages_of(request).page(request, "manage/guidelines.html", context)


@router.get("/guidelines/{name}")
def guideline_page(
    request: Request, name: GuidelineName, viewer: Manager, server: Server, version: Asked = ""
) -> Response:
    """The versions of one set of guidelines; one of them, else the newest, to be changed."""
    with server.reading() as session:
        found = guidelines.versions(session, name)
    shipped = project_files.shipped_guidelines().get(name, "")
    newest = found[0].text if found else shipped
    text = next((one.text for one in found if one.digest == version), newest)
    return _guideline(request, server, name, text)


@router.post("/guidelines/{name}")
def publish_guideline(
    request: Request, name: GuidelineName, viewer: Manager, form: Form, server: Server
) -> Response:
    """Show what a text would look like, or keep it as a new version."""
    text = form.text("text").replace("\r\n", "\n")
    if form.text("act") == "preview":
        return _guideline(request, server, name, text, preview=True)
    try:
        with server.writing() as session:
            form.spend(session, server.clock())
            guidelines.publish(session, name, text, server.clock(), by=viewer.name)
    except InputError as error:
        return _guideline(request, server, name, text, error=sentence_of(error))
    return to(f"/manage/guidelines/{quote(name)}")


@router.get("/log")
def log_page(
    request: Request,
    viewer: Manager,
    server: Server,
    sort: LogSort = "all",
    project: Asked = "",
    labeler: Asked = "",
    before: Before = None,
) -> Response:
    """The ledger, the newest event first."""
    with server.reading() as session:
        found = log.page(
            session, sort=sort, project=project, labeler=labeler, before=before, most=PAGE + 1
        )
        context = {
            "lines": found[:PAGE],
            "more": found[PAGE - 1].seq if len(found) > PAGE else None,
            "sorts": log.SORTS,
            "asked": {"sort": sort, "project": project, "labeler": labeler},
            "projects": projects.list_(session),
            "people": labelers.roster(session),
        }
    return pages_of(request).page(request, "manage/log.html", context)


def _row(session: Session, project: Project) -> dict[str, object]:
    return {
        "spec": project.spec,
        "version": project.version,
        "members": accounts.members_of(session, project.id),
        "progress": statistics.progress(session, project.id),
        "waiting": reviews.waiting(session, project.id),
    }


def _of_fields(form: SentForm, preset: str) -> project_files.ProjectFile:
    project_id = form.text("id").strip()
    title = form.text("title").strip()
    begun = project_files.read(project_files.beginning(preset, NEW_ID, NEW_TITLE))
    spec = begun.spec.model_copy(update={"id": project_id, "title": title})
    return setting_fields.changed(spec, form.text("guideline"), form.fields())


def _uploaded(form: SentForm) -> str:
    file = form.file("file")
    if file is None:
        return ""
    try:
        return file.file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"`{file.filename}` is not UTF-8 text; save it as such") from error


def _new_project(
    request: Request,
    server: Server,
    preset: str,
    toml: str,
    error: str = "",
    form: SentForm | None = None,
) -> Response:
    begun = project_files.read(project_files.beginning(preset, NEW_ID, NEW_TITLE))
    fields = {"id": "", "title": "", "guideline": begun.guideline}
    fields |= setting_fields.shown(begun.spec)
    if form is not None and form.text("by") == "fields":
        fields |= {name: form.text(name) for name in fields}
    with server.reading() as session:
        names = guidelines.versions(session)
    context = {
        "presets": list(project_files.presets().values()),
        "preset": preset,
        "begun": begun.spec,
        "toml": toml,
        "error": error,
        "by_file": form is not None and form.text("by") != "fields",
        "fields": fields,
        "groups": setting_fields.GROUPS,
        "guidelines": sorted({one.name for one in names} | set(project_files.shipped_guidelines())),
    }
    status = UNPROCESSABLE if error else 200
    return pages_of(request).page(request, "manage/project_new.html", context, status=status)


def _guideline(
    request: Request,
    server: Server,
    name: str,
    text: str,
    *,
    error: str = "",
    preview: bool = False,
) -> Response:
    with server.reading() as session:
        versions = guidelines.versions(session, name)
        used = _uses(session)
    context = {
        "name": name,
        "versions": versions,
        "used": used,
        "text": text,
        "shown": next((one for one in versions if one.text == text), None),
        "html": render(text),
        "preview": preview,
        "error": error,
    }
    status = UNPROCESSABLE if error else 200
    return pages_of(request).page(request, "manage/guideline.html", context, status=status)


def _uses(session: Session) -> dict[str, list[str]]:
    """Titles of the projects that use a version of guidelines, by its digest."""
    found: dict[str, list[str]] = {}
    for project in projects.list_(session):
        found.setdefault(project.spec.guideline, []).append(project.spec.title)
    return found
