"""Pages of managers: projects and guidelines. People are in ``manage_people_pages.py``."""

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from accord.config import InputError
from accord.store import access, accounts, guidelines, projects
from accord.store.projects import Project
from accord.web import people, project_files, project_setup
from accord.web.deps import Form, Manager, Server, State, Viewer
from accord.web.errors import UNPROCESSABLE, sentence_of
from accord.web.manage_bodies import GuidelineName, ProjectInPath
from accord.web.markdown import render
from accord.web.pages import pages_of, to

router = APIRouter(prefix="/manage", include_in_schema=False)

NEW_ID, NEW_TITLE = "my-project", "My project"


@router.get("")
def home(request: Request, viewer: Manager, server: Server) -> Response:
    """Every project, and what waits for the manager."""
    with server.reading() as session:
        context = {
            "projects": [_row(session, project) for project in projects.list_(session)],
            "people_count": len(accounts.roster(session)),
            "open_invitations": len(access.open_invitations(session, now=server.clock())),
        }
    return pages_of(request).page(request, "manage/home.html", context)


@router.get("/projects/new")
def new_project_page(request: Request, viewer: Manager, preset: str = "comparison") -> Response:
    """A project file to begin with."""
    return _new_project(request, preset, project_files.beginning(preset, NEW_ID, NEW_TITLE))


@router.post("/projects/new")
def create_project(request: Request, viewer: Manager, form: Form, server: Server) -> Response:
    """Set up a project from its file."""
    toml = form.text("toml")
    try:
        file = project_files.read(toml)
        with server.writing() as session:
            form.spend(session, server.clock())
            made = project_setup.set_up(session, file, now=server.clock(), by=viewer.name)
    except InputError as error:
        preset = form.text("preset")
        return _new_project(request, preset, toml, sentence_of(error), status=UNPROCESSABLE)
    return to(f"/manage/projects/{made.id}")


@router.get("/projects/{project}")
def project_page(
    request: Request, project: ProjectInPath, viewer: Manager, server: Server
) -> Response:
    """One project: its settings, how far it is, who works on it."""
    return _project(request, server, project)


@router.post("/projects/{project}/settings")
def change_project(
    request: Request, project: ProjectInPath, viewer: Manager, form: Form, server: Server
) -> Response:
    """Give a project other settings, from here on."""
    toml = form.text("toml")
    try:
        file = project_files.read(toml)
        with server.writing() as session:
            form.spend(session, server.clock())
            project_setup.change(session, project, file, now=server.clock(), by=viewer.name)
    except InputError as error:
        return _project(request, server, project, toml=toml, error=sentence_of(error))
    return to(f"/manage/projects/{project}")


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


@router.get("/guidelines")
def guidelines_page(request: Request, viewer: Manager, server: Server) -> Response:
    """Every version of all guidelines."""
    with server.reading() as session:
        found = guidelines.versions(session)
    return pages_of(request).page(request, "manage/guidelines.html", {"guidelines": found})


@router.get("/guidelines/{name}")
def guideline_page(
    request: Request, name: GuidelineName, viewer: Manager, server: Server
) -> Response:
    """The versions of one set of guidelines, the newest to be changed."""
    with server.reading() as session:
        found = guidelines.versions(session, name)
    shipped = project_files.shipped_guidelines().get(name, "")
    return _guideline(request, name, found, found[0].text if found else shipped)


@router.post("/guidelines/{name}")
def publish_guideline(
    request: Request, name: GuidelineName, viewer: Manager, form: Form, server: Server
) -> Response:
    """Keep a new version; projects take it when they are changed next."""
    text = form.text("text").replace("\r\n", "\n")
    try:
        with server.writing() as session:
            form.spend(session, server.clock())
            guidelines.publish(session, name, text, server.clock(), by=viewer.name)
    except InputError as error:
        with server.reading() as session:
            found = guidelines.versions(session, name)
        return _guideline(request, name, found, text, sentence_of(error), status=UNPROCESSABLE)
    return to(f"/manage/guidelines/{name}")


def _close(session: Session, project: Project, form: Form, server: State, viewer: Viewer) -> None:
    _set_closed(session, project, True, server, viewer)


def _open(session: Session, project: Project, form: Form, server: State, viewer: Viewer) -> None:
    _set_closed(session, project, False, server, viewer)


def _set_closed(
    session: Session, project: Project, closed: bool, server: State, viewer: Viewer
) -> None:
    spec = project.spec.model_copy(update={"closed": closed})
    projects.change(session, spec, now=server.clock(), by=viewer.name)


def _members(session: Session, project: Project, form: Form, server: State, viewer: Viewer) -> None:
    people.set_members(session, project.id, form.texts("name"))


def _row(session: Session, project: Project) -> dict[str, object]:
    return {
        "spec": project.spec,
        "version": project.version,
        "members": accounts.members_of(session, project.id),
    }


def _new_project(
    request: Request, preset: str, toml: str, error: str = "", *, status: int = 200
) -> Response:
    presets = list(project_files.presets().values())
    context = {"presets": presets, "preset": preset, "toml": toml, "error": error}
    return pages_of(request).page(request, "manage/project_new.html", context, status=status)


def _project(
    request: Request, server: State, project_id: str, *, toml: str = "", error: str = ""
) -> Response:
    with server.reading() as session:
        project = project_setup.find(session, project_id)
        versions = guidelines.versions(session)
        guideline = next((v for v in versions if v.digest == project.spec.guideline), None)
        name = guideline.name if guideline else ""
        context = {
            **_row(session, project),
            "project": project,
            "toml": toml or project_files.written(project.spec, name),
            "guideline": guideline,
            "accounts": people.roster(session),
            "error": error,
        }
    status = UNPROCESSABLE if error else 200
    return pages_of(request).page(request, "manage/project.html", context, status=status)


def _guideline(
    request: Request,
    name: str,
    versions: list[guidelines.Guideline],
    text: str,
    error: str = "",
    *,
    status: int = 200,
) -> Response:
    context = {
        "name": name,
        "versions": versions,
        "text": text,
        "html": render(text),
        "error": error,
    }
    return pages_of(request).page(request, "manage/guideline.html", context, status=status)
