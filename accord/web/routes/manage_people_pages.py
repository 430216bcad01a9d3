"""Pages of managers: labelers, invitations, and how somebody is doing."""

from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from accord.config import InputError
from accord.store import access, projects, standings
from accord.store.accounts import ROLES, Role
from accord.web import people
from accord.web.deps import Form, Manager, Server, State
from accord.web.errors import NOT_FOUND, UNPROCESSABLE, Problem, sentence_of
from accord.web.manage_bodies import Digest, InPath
from accord.web.pages import pages_of, to

router = APIRouter(prefix="/manage", include_in_schema=False)


@router.get("/labelers")
def labelers_page(request: Request, viewer: Manager, server: Server) -> Response:
    """Everybody, and the links that nobody used yet."""
    return _labelers(request, server)


@router.post("/labelers/invite")
def invite(request: Request, viewer: Manager, form: Form, server: Server) -> Response:
    """Make a link for somebody new; it is shown once."""
    role: Role = next((role for role in ROLES if role == form.text("role")), "labeler")
    try:
        with server.writing() as session:
            form.spend(session, server.clock())
            path, _ = people.invite(
                session,
                viewer,
                server,
                role=role,
                given=form.texts("project"),
                note=form.text("note"),
            )
    except InputError as error:
        return _labelers(request, server, error=sentence_of(error))
    return _labelers(request, server, link=_whole(request, server, path))


@router.post("/labelers/program")
def make_program(request: Request, viewer: Manager, form: Form, server: Server) -> Response:
    """Make a labeler that is a program, or give it a new token; the token is shown once."""
    try:
        with server.writing() as session:
            form.spend(session, server.clock())
            token = people.program(
                session, server, form.text("name").strip(), form.texts("project")
            )
    except InputError as error:
        return _labelers(request, server, error=sentence_of(error))
    return _labelers(request, server, token=token)


@router.post("/invitations/{digest}/cancel")
def cancel_invitation(digest: Digest, viewer: Manager, form: Form, server: Server) -> Response:
    """Make a link useless."""
    with server.writing() as session:
        form.spend(session, server.clock())
        access.cancel_invitation(session, digest)
    return to("/manage/labelers")


@router.get("/labelers/{name}")
def labeler_page(request: Request, name: InPath, viewer: Manager, server: Server) -> Response:
    """One person: projects, answers, and what may be done."""
    return _labeler(request, server, name)


@router.post("/labelers/{name}/{act}")
def change_labeler(
    request: Request, name: InPath, act: str, viewer: Manager, form: Form, server: Server
) -> Response:
    """Pause somebody or go on, close the account, give projects, a role or a new password."""
    link = ""
    try:
        with server.writing() as session:
            form.spend(session, server.clock())
            if act in ("pause", "resume"):
                people.set_paused(
                    session, server, viewer, name, act == "pause", reason=form.text("reason")
                )
            elif act == "link":
                link = people.change(session, server, viewer, name).password_link()
            else:
                _act(people.change(session, server, viewer, name), act, form)
    except InputError as error:
        return _labeler(request, server, name, error=sentence_of(error))
    if link:
        return _labeler(request, server, name, link=_whole(request, server, link))
    return to(f"/manage/labelers/{quote(name)}")


def _act(change: people.Change, act: str, form: Form) -> None:
    if act in ("close", "open"):
        change.set_active(act == "open")
    elif act == "projects":
        change.set_projects(form.texts("project"))
    elif act == "role" and form.text("role") in ROLES:
        change.set_role(next(role for role in ROLES if role == form.text("role")))
    else:
        raise Problem(NOT_FOUND, "There is nothing at this address; check it")


def _whole(request: Request, server: State, path: str) -> str:
    """The whole address of a link, as somebody else can open it."""
    return (server.settings.url or f"{request.url.scheme}://{request.headers['host']}") + path


def _labelers(
    request: Request, server: State, *, link: str = "", token: str = "", error: str = ""
) -> Response:
    with server.reading() as session:
        context = {
            "people": people.roster(session),
            "invitations": access.open_invitations(session, now=server.clock()),
            "projects": projects.list_(session),
            "link": link,
            "token": token,
            "error": error,
        }
    status = UNPROCESSABLE if error else 200
    return pages_of(request).page(request, "manage/labelers.html", context, status=status)


def _labeler(
    request: Request, server: State, name: str, *, link: str = "", error: str = ""
) -> Response:
    with server.reading() as session:
        labeler = people.labeler(session, name)
        person = next((p for p in people.roster(session) if p.account.name == labeler.name), None)
        found = {project.id: project for project in projects.list_(session)}
        standing = standings.of_labeler(session, labeler)
        context = {
            "labeler": labeler,
            "person": person,
            "projects": list(found.values()),
            "work": [(found[key], one) for key, one in standing.items() if key in found],
            "link": link,
            "error": error,
        }
    status = UNPROCESSABLE if error else 200
    return pages_of(request).page(request, "manage/labeler.html", context, status=status)
