"""Files of managers: import into a project and export from it, as pages and as API."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, UploadFile
from fastapi import Form as Field
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from accord.config import InputError
from accord.data import formats
from accord.store import projects
from accord.web import exchange, project_setup
from accord.web.bodies import Shown
from accord.web.deps import BEARER, COOKIE, Form, Manager, Server, State, guarded
from accord.web.errors import UNPROCESSABLE, described, sentence_of
from accord.web.manage_bodies import ProjectId, ProjectInPath
from accord.web.pages import pages_of

router = APIRouter()

FormatName = Annotated[str, Query(alias="format", pattern=r"^[a-z-]{1,40}$")]
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
    project: ProjectInPath, viewer: Manager, server: Server, format_name: FormatName = "accord"
) -> Response:
    """The votes of a project in a format; the header `X-Accord-Lost` says what it cannot hold."""
    return _download(server, project, format_name)


@router.get("/manage/import", **PAGE)
def import_page(request: Request, viewer: Manager, server: Server) -> Response:
    """The form to import a file."""
    return _import_page(request, server)


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
        return _import_page(request, server, error=sentence_of(error))
    return _import_page(request, server, result=report, project=project)


@router.get("/manage/export", **PAGE)
def export_page(request: Request, viewer: Manager, server: Server) -> Response:
    """What can be exported, and how."""
    with server.reading() as session:
        context = {"projects": projects.list_(session), "formats": exchange.known_formats()}
    return pages_of(request).page(request, "manage/export.html", context)


@router.get("/manage/export/{project}", **PAGE)
def download(
    project: ProjectInPath, viewer: Manager, server: Server, format_name: FormatName = "accord"
) -> Response:
    """The votes of a project as a file."""
    return _download(server, project, format_name)


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


def _download(server: State, project: str, format_name: str) -> Response:
    form = formats.format_named(format_name)
    with server.reading() as session:
        project_setup.find(session, project)
    written = exchange.give(server, project, form)
    exported = written.__enter__()
    lost = "; ".join(exported.report["said"])
    return FileResponse(
        exported.path,
        filename=exported.path.name,
        media_type="application/jsonl",
        headers={"X-Accord-Lost": lost.encode("ascii", "replace").decode()[:4000]},
        background=BackgroundTask(written.__exit__, None, None, None),
    )
