"""Coming in and going out: login, logout, links of invitations, one's own account."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from accord.config import InputError
from accord.store import access, accounts
from accord.store.accounts import Account
from accord.web import passwords
from accord.web.deps import SESSION, Form, Labeler, SentForm, Server, State, current_viewer
from accord.web.errors import TOO_MANY, UNAUTHORIZED, UNPROCESSABLE, Problem, sentence_of
from accord.web.pages import own_address, pages_of, to
from accord.web.security import clear_cookie, set_cookie

router = APIRouter(include_in_schema=False)

Secret = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
WRONG = "The name or the password is wrong; try again, or ask for a new link"
LONGEST_TOKEN_DAYS = 365


@router.get("/login")
def login_page(request: Request, next: str = "/") -> Response:
    """The form to log in."""
    if current_viewer(request) is not None:
        return to(own_address(next))
    return _login(request, next=next)


@router.post("/login")
def login(request: Request, form: Form, server: Server) -> Response:
    """Log in with name and password."""
    name, address = form.text("name"), request.client.host if request.client else ""
    key = accounts.key_of(name)
    with server.writing() as session:
        wait = access.login_wait(session, name=key, address=address, now=server.clock())
    if wait > timedelta(0):
        seconds = int(wait.total_seconds()) + 1
        raise Problem(
            TOO_MANY,
            f"Too many wrong passwords; wait {_duration(seconds)} and try again",
            headers={"Retry-After": str(seconds)},
        )
    with server.reading() as session:
        kept = accounts.password_of(session, name)
    if not passwords.fits(kept, form.text("password")):
        return _login(request, next=form.text("next"), name=name, error=WRONG, status=UNAUTHORIZED)
    with server.writing() as session:
        access.login_succeeded(session, name=key, address=address)
        account = accounts.get(session, name)
        secret = _begin(session, server, account)
    return _logged_in(server, secret, own_address(form.text("next")))


@router.post("/logout")
def logout(request: Request, form: Form, server: Server) -> Response:
    """End this login; with the field `everywhere`, every one of the account."""
    viewer = current_viewer(request)
    response = to("/login")
    if viewer is not None:
        with server.writing() as session:
            access.end_session(session, viewer.session)
            if form.text("everywhere"):
                accounts.end_sessions(session, viewer.account)
    clear_cookie(response, server.settings, SESSION)
    return response


@router.get("/invite/{secret}")
def invitation_page(request: Request, secret: Secret, server: Server) -> Response:
    """What a link is for, and the form to use it."""
    with server.reading() as session:
        found = access.invitation(session, secret, now=server.clock())
    return _invite(request, found)


@router.post("/invite/{secret}")
def accept(request: Request, secret: Secret, form: Form, server: Server) -> Response:
    """Use a link: choose name and password, and be logged in."""
    with server.reading() as session:
        found = access.invitation(session, secret, now=server.clock())
    name = found.account or form.text("name").strip()
    try:
        password = _chosen_password(form, name)
        with server.writing() as session:
            account = access.accept(
                session, secret, name=name, password=password, now=server.clock()
            )
            login = _begin(session, server, account)
    except InputError as error:
        return _invite(request, found, name=name, error=sentence_of(error), status=UNPROCESSABLE)
    return _logged_in(server, login, "/")


@router.get("/account")
def account_page(request: Request, viewer: Labeler) -> Response:
    """One's own account."""
    return _account(request)


@router.post("/account/password")
def change_password(request: Request, viewer: Labeler, form: Form, server: Server) -> Response:
    """Choose another password; every other login of the account ends."""
    with server.reading() as session:
        kept = accounts.password_of(session, viewer.name)
    try:
        if not passwords.fits(kept, form.text("old_password")):
            raise InputError("the present password is wrong; try again")
        password = _chosen_password(form, viewer.name)
    except InputError as error:
        return _account(request, error=sentence_of(error), status=UNPROCESSABLE)
    with server.writing() as session:
        form.spend(session, server.clock())
        accounts.set_password(session, viewer.account, password)
        secret = _begin(session, server, viewer.account)
    return _logged_in(server, secret, "/account")


@router.post("/account/token")
def make_token(request: Request, viewer: Labeler, form: Form, server: Server) -> Response:
    """Make a token for a program that acts as this account; it is shown once."""
    label = form.text("label").strip()
    if not label:
        return _account(
            request, error="Say what the token is for; write a label", status=UNPROCESSABLE
        )
    with server.writing() as session:
        form.spend(session, server.clock())
        token = access.make_token(
            session,
            viewer.account,
            label=label,
            now=server.clock(),
            lifetime=timedelta(days=LONGEST_TOKEN_DAYS),
        )
    return _account(request, token=token)


@router.post("/account/tokens/revoke")
def revoke_tokens(viewer: Labeler, form: Form, server: Server) -> Response:
    """Make every token of this account useless."""
    with server.writing() as session:
        form.spend(session, server.clock())
        access.revoke_tokens(session, viewer.account)
    return to("/account")


def _chosen_password(form: SentForm, name: str) -> str:
    if form.text("password") != form.text("password_again"):
        raise InputError("the two passwords differ; write the same one twice")
    return passwords.hashed(form.text("password"), name=name)


def _begin(session: Session, server: State, account: Account) -> str:
    lifetime = server.settings.session_lifetime
    return access.begin_session(session, account, now=server.clock(), lifetime=lifetime)


def _logged_in(server: State, secret: str, address: str) -> Response:
    response = to(address)
    lifetime = server.settings.session_lifetime
    sealed = server.signer.seal(SESSION, secret, server.clock() + lifetime)
    set_cookie(response, server.settings, SESSION, sealed, lifetime)
    return response


def _login(
    request: Request, *, next: str, name: str = "", error: str = "", status: int = 200
) -> Response:
    return _page(
        request,
        "auth/login.html",
        {"next": own_address(next), "name": name[:64], "error": error},
        status,
    )


def _invite(
    request: Request,
    found: access.Invitation,
    *,
    name: str = "",
    error: str = "",
    status: int = 200,
) -> Response:
    context = {
        "invitation": found,
        "name": found.account or name[:64],
        "error": error,
        "shortest": passwords.SHORTEST,
    }
    return _page(request, "auth/invite.html", context, status)


def _account(request: Request, *, token: str = "", error: str = "", status: int = 200) -> Response:
    context = {"token": token, "error": error, "shortest": passwords.SHORTEST}
    return _page(request, "auth/account.html", context, status)


def _page(request: Request, template: str, context: dict[str, object], status: int) -> Response:
    return pages_of(request).page(request, template, context, status=status)


def _duration(seconds: int) -> str:
    minute = 60
    return f"{seconds} seconds" if seconds < 2 * minute else f"{seconds // minute + 1} minutes"
