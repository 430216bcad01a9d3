"""Pages of managers: one project, its settings, and who works on it."""

from collections.abc import Sequence
from datetime import date, timedelta

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from accord.config import InputError
from accord.store import accounts, guidelines, log, projects, reviews, standings, statistics
from accord.store.projects import Project
from accord.web import people, project_files, project_setup, quality, setting_fields
from accord.web.deps import Form, Manager, SentForm, Server, State, Viewer
from accord.web.errors import UNPROCESSABLE, sentence_of
from accord.web.manage_bodies import ProjectInPath
from accord.web.pages import pages_of, to

router = APIRouter(prefix="/manage", include_in_schema=False)

DAYS = 21  # of the figure of answers by day


@router.get("/projects/{project}")
def project_page(
    request: Request, project: ProjectInPath, viewer: Manager, server: Server
) -> Response:
    """One project: how far it is, what waits, who works on it."""
    with server.reading() as session:
        found = project_setup.find(session, project)
        context = {
            **framed(session, found),
            "progress": statistics.progress(session, project),
            "by_day": _calendar(
                log.answers_by_day(session, project, kinds=statistics.answer_kinds(found.spec))
            ),
            "guideline": _guideline(session, found),
            "members": accounts.members_of(session, project),
            "accounts": people.roster(session),
            "standings": standings.of_project(session, project),
        }
    return pages_of(request).page(request, "manage/project.html", context)


@router.get("/projects/{project}/settings")
def settings_page(
    request: Request, project: ProjectInPath, viewer: Manager, server: Server
) -> Response:
    """The settings of a project, as a form and as its file."""
    return _settings(request, server, project)


@router.post("/projects/{project}/settings")
def change_project(
    request: Request, project: ProjectInPath, viewer: Manager, form: Form, server: Server
) -> Response:
    """Give a project other settings, from here on."""
    try:
        with server.writing() as session:
            form.spend(session, server.clock())
            spec = project_setup.find(session, project).spec
            if form.text("by") == "fields":
                file = setting_fields.changed(spec, form.text("guideline"), form.fields())
            else:
                file = project_files.read(form.text("toml"))
            project_setup.change(session, project, file, now=server.clock(), by=viewer.name)
    except InputError as error:
        return _settings(request, server, project, form=form, error=sentence_of(error))
    return to(f"/manage/projects/{project}/settings")


@router.get("/projects/{project}/quality")
def quality_page(
    request: Request, project: ProjectInPath, viewer: Manager, server: Server
) -> Response:
    """How each labeler is doing, and what the votes say about the policies."""
    with server.reading() as session:
        found = project_setup.find(session, project)
        context = {
            **framed(session, found),
            "quality": quality.quality(session, project, now=server.clock()),
        }
    return pages_of(request).page(request, "manage/quality.html", context)


@router.post("/projects/{project}/{act}")
def open_or_close(
    request: Request, project: ProjectInPath, act: str, viewer: Manager, form: Form, server: Server
) -> Response:
    """Close a project or open it again, or give it to labelers."""
    acts = {"close": _close, "open": _open, "members": _members}
    if act not in acts:
        raise project_setup.no_such_page()
    with server.writing() as session:
        form.spend(session, server.clock())
        found = project_setup.find(session, project)
        acts[act](session, found, form, server, viewer)
    return to(f"/manage/projects/{project}")


def framed(session: Session, project: Project) -> dict[str, object]:
    """What the frame around every page of a project shows."""
    return {
        "project": project,
        "spec": project.spec,
        "waiting": reviews.waiting(session, project.id),
    }


def _close(
    session: Session, project: Project, form: SentForm, server: State, viewer: Viewer
) -> None:
    _set_closed(session, project, True, server, viewer)


def _open(
    session: Session, project: Project, form: SentForm, server: State, viewer: Viewer
) -> None:
    _set_closed(session, project, False, server, viewer)


def _set_closed(
    session: Session, project: Project, closed: bool, server: State, viewer: Viewer
) -> None:
    spec = project.spec.model_copy(update={"closed": closed})
    projects.change(session, spec, now=server.clock(), by=viewer.name)


def _members(
    session: Session, project: Project, form: SentForm, server: State, viewer: Viewer
) -> None:
    people.set_members(session, project.id, form.texts("name"))


def _calendar(counts: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """The last ``DAYS`` days up to the last one with answers, those without any too."""
    if not counts:
        return []
    last, known = date.fromisoformat(counts[-1][0]), dict(counts)
    days = [(last - timedelta(days=back)).isoformat() for back in reversed(range(DAYS))]
    return [(day, known.get(day, 0)) for day in days]


def _guideline(session: Session, project: Project) -> guidelines.Guideline | None:
    versions = guidelines.versions(session)
    return next((one for one in versions if one.digest == project.spec.guideline), None)


def _settings(
    request: Request,
    server: State,
    project_id: str,
    *,
    form: SentForm | None = None,
    error: str = "",
) -> Response:
    with server.reading() as session:
        project = project_setup.find(session, project_id)
        guideline = _guideline(session, project)
        name = guideline.name if guideline else ""
        fields = {"title": project.spec.title, "guideline": name}
        fields |= setting_fields.shown(project.spec)
        toml = project_files.written(project.spec, name)
        if form is not None and form.text("by") == "fields":
            fields |= {key: form.text(key) for key in fields}
        elif form is not None:
            toml = form.text("toml")
        shipped = set(project_files.shipped_guidelines())
        names = {one.name for one in guidelines.versions(session)} | shipped
        newest = guidelines.versions(session, name)[0].digest if name else ""
        context = {
            **framed(session, project),
            "fields": fields,
            "groups": setting_fields.GROUPS,
            "guideline": guideline,
            "is_newest": newest == project.spec.guideline,
            "guidelines": sorted(names),
            "toml": toml,
            "by_file": form is not None and form.text("by") != "fields",
            "error": error,
        }
    status = UNPROCESSABLE if error else 200
    return pages_of(request).page(request, "manage/settings.html", context, status=status)
