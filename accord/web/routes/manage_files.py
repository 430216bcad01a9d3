"""Files of managers: import into a project and export from it, as pages and as API."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, UploadFile
from fastapi import Form as Field
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from accord.config import InputError
from accord.data import formats
from accord.data.formats.losses import FEATURES
from accord.store import foreign, projects, views
from accord.web import exchange, project_setup
from accord.web.bodies import Shown
from accord.web.deps import BEARER, COOKIE, Form, Manager, Server, State, guarded
from accord.web.errors import UNPROCESSABLE, described, sentence_of
from accord.web.manage_bodies import ProjectId, ProjectInPath
from accord.web.pages import pages_of

router = APIRouter()

Without = Annotated[
    list[str],
    Query(description="Labelers whose votes are left out.", max_length=1000),
]
WithPaused = Annotated[
    bool, Query(description="Also the votes of those who are paused, which are left out else.")
]
FormatName = Annotated[str, Query(alias="format", pattern=r"^[a-z-]{1,40}$")]
AskedProject = Annotated[str, Query(alias="project", max_length=200)]
API: dict[str, Any] = {
    "tags": ["files"],
    "dependencies": [Depends(guarded), Depends(BEARER), Depends(COOKIE)],
    "responses": described(400, 401, 403, 404, 409, 413, 422),
}
PAGE: dict[str, Any] = {"include_in_schema": False}


class Imported(Shown):
    """What was read, what was new, and what the ledger has no place for."""

    report: dict[str, Any]


@router.post("/api/v1/manage/import", **API)
def import_file(
    project: Annotated[ProjectId, Field()],
    format_name: Annotated[str, Field(alias="format", pattern=r"^[a-z-]{1,40}$")],
    file: UploadFile,
    viewer: Manager,
    server: Server,
    items_only: Annotated[bool, Field()] = False,
) -> Imported:
    """Read a file into a project: all of it or, when a row is broken, nothing.

    A broken row is named by file, line and field. The same file again adds nothing.
    """
    form = formats.format_named(format_name)
    with server.reading() as session:
        project_setup.find(session, project)
    report = exchange.take(
        server, project, form, file.filename or "", file.file, items_only=items_only
    )
    return Imported(report=report)


@router.get("/api/v1/manage/projects/{project}/export", response_class=FileResponse, **API)
def export_file(
    project: ProjectInPath,
    viewer: Manager,
    server: Server,
    format_name: FormatName = "accord",
    without: Without = [],  # noqa: B006  # a default that nothing changes
    with_paused: WithPaused = False,
) -> Response:
    """The votes of a project in a format; the header `X-Accord-Lost` says what it cannot hold."""
    return _download(server, project, format_name, without, with_paused)


@router.get("/api/v1/manage/projects/{project}/records/{kind}", response_class=FileResponse, **API)
def export_records(
    project: ProjectInPath,
    kind: exchange.RecordKind,
    viewer: Manager,
    server: Server,
    without: Without = [],  # noqa: B006  # a default that nothing changes
    with_paused: WithPaused = False,
) -> Response:
    """One data set of a project as Accord's records, one a line.

    `comparisons` have the better response first; `written` are demonstrations and edits.
    """
    return _records(server, project, kind, without, with_paused)


@router.get("/manage/import", **PAGE)
def import_page(
    request: Request, viewer: Manager, server: Server, project: AskedProject = ""
) -> Response:
    """The form to import a file."""
    return _import_page(request, server, project=project)


@router.post("/manage/import", **PAGE)
def import_form(request: Request, viewer: Manager, form: Form, server: Server) -> Response:
    """Read a file into a project."""
    file, project = form.file("file"), form.text("project")
    try:
        if file is None:
            raise InputError("choose a file first")
        with server.writing() as session:
            form.spend(session, server.clock())
            projects.get(session, project)
        report = exchange.take(
            server,
            project,
            formats.format_named(form.text("format")),
            file.filename or "",
            file.file,
            items_only=bool(form.text("items_only")),
        )
    except InputError as error:
        return _import_page(request, server, project=project, error=sentence_of(error))
    return _import_page(request, server, result=report, project=project)


@router.get("/manage/export", **PAGE)
def export_page(
    request: Request, viewer: Manager, server: Server, project: AskedProject = ""
) -> Response:
    """What can be exported, and how."""
    with server.reading() as session:
        found = projects.list_(session)
        chosen = project_setup.find(session, project) if project else None
        context = {
            "projects": found,
            "chosen": chosen,
            "people": [] if chosen is None else foreign.who_answered(session, chosen.id),
            "left_out": None if chosen is None else views.left_out(session, chosen.id),
            "formats": exchange.known_formats(),
            "losses": FEATURES,
        }
    return pages_of(request).page(request, "manage/export.html", context)


@router.get("/manage/export/{project}", **PAGE)
def download(
    project: ProjectInPath,
    viewer: Manager,
    server: Server,
    format_name: FormatName = "accord",
    without: Without = [],  # noqa: B006  # a default that nothing changes
    with_paused: WithPaused = False,
) -> Response:
    """The votes of a project as a file."""
    return _download(server, project, format_name, without, with_paused)


@router.get("/manage/records/{project}", **PAGE)
def download_records(
    project: ProjectInPath,
    viewer: Manager,
    server: Server,
    kind: exchange.RecordKind = "comparisons",
    without: Without = [],  # noqa: B006  # a default that nothing changes
    with_paused: WithPaused = False,
) -> Response:
    """One data set of a project as a file of Accord's records."""
    return _records(server, project, kind, without, with_paused)


def _import_page(
    request: Request,
    server: State,
    *,
    result: dict[str, Any] | None = None,
    project: str = "",
    error: str = "",
) -> Response:
    with server.reading() as session:
        context = {
            "projects": projects.list_(session),
            "formats": exchange.known_formats(),
            "project": project,
            "result": result,
            "error": error,
        }
    status = UNPROCESSABLE if error else 200
    return pages_of(request).page(request, "manage/import.html", context, status=status)


def _download(
    server: State, project: str, format_name: str, without: Sequence[str], with_paused: bool
) -> Response:
    form = formats.format_named(format_name)
    with server.reading() as session:
        project_setup.find(session, project)
    written = exchange.give(server, project, form, without=without, with_paused=with_paused)
    exported = written.__enter__()
    lost = "; ".join(exported.report["said"])
    return FileResponse(
        exported.path,
        filename=exported.path.name,
        media_type="application/jsonl",
        headers={"X-Accord-Lost": lost.encode("ascii", "replace").decode()[:4000]},
        background=BackgroundTask(written.__exit__, None, None, None),
    )


def _records(
    server: State,
    project: str,
    kind: exchange.RecordKind,
    without: Sequence[str],
    with_paused: bool,
) -> Response:
    with server.reading() as session:
        project_setup.find(session, project)
    written = exchange.give_records(server, project, kind, without=without, with_paused=with_paused)
    path = written.__enter__()
    return FileResponse(
        path,
        filename=path.name,
        media_type="application/jsonl",
        background=BackgroundTask(written.__exit__, None, None, None),
    )
