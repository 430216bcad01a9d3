"""What routes depend on: the ledger, the clock, who asks, and forms that were really shown."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from accord.store import access
from accord.store.accounts import Account, Role
from accord.store.session import Store
from accord.web.errors import FORBIDDEN, LoginNeeded, Problem
from accord.web.security import (
    FORM_FIELD,
    SealedForm,
    Signer,
    check_origin,
    check_token,
    cookie_name,
)
from accord.web.settings import Settings
from accord.web.turns import Turns

SAFE = ("GET", "HEAD", "OPTIONS")
SESSION, VISIT = "session", "visit"  # kinds of cookies


@dataclass(frozen=True)
class State:
    """What lives as long as the server."""

    settings: Settings
    store: Store
    signer: Signer
    clock: Callable[[], datetime]
    turns: Turns  #: of conversations, under way

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One writing transaction."""
        with self.store.writing() as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One consistent view of the ledger."""
        with self.store.reading() as session:
            yield session


@dataclass(frozen=True)
class Viewer:
    """Who asks, and how they came in."""

    account: Account
    session: str  #: secret of the login; empty for a program with a token

    @property
    def name(self) -> str:
        """Name of the account, which is the labeler's name in the ledger."""
        return self.account.name


def state_of(request: Request) -> State:
    """The state of the server that answers this request."""
    state: State = request.app.state.accord
    return state


async def server_of(request: Request) -> State:
    """The same as a dependency; asynchronous, since a thread of its own would cost more."""
    return state_of(request)


def current_viewer(request: Request) -> Viewer | None:
    """Who asks; looked up once a request."""
    if not hasattr(request.state, "viewer"):
        request.state.viewer = _viewer(request)
    viewer: Viewer | None = request.state.viewer
    return viewer


def _viewer(request: Request) -> Viewer | None:
    state = state_of(request)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme:
        if scheme.casefold() != "bearer" or not token:
            return None
        with state.reading() as session:
            account = access.of_token(session, token.strip(), now=state.clock())
        return None if account is None else Viewer(account, "")
    secret = _unsealed(request, SESSION)
    if secret is None:
        return None
    with state.reading() as session:
        account = access.of_session(session, secret, now=state.clock())
    return None if account is None else Viewer(account, secret)


def _unsealed(request: Request, kind: str) -> str | None:
    state = state_of(request)
    sealed = request.cookies.get(cookie_name(state.settings, kind))
    found = sealed and state.signer.unseal(kind, sealed, state.clock())
    return found[0] if found else None


def visit_of(request: Request) -> str:
    """What ties forms to a browser: its login or, before one, a cookie that says nothing else."""
    viewer = current_viewer(request)
    if viewer is not None and viewer.session:
        return viewer.session
    if not hasattr(request.state, "visit"):
        request.state.visit = _unsealed(request, VISIT) or secrets.token_urlsafe(16)
    visit: str = request.state.visit
    return visit


def identified(request: Request) -> Viewer | None:
    """Who asks, as a dependency: the one that reads the database, so it runs in a thread."""
    return current_viewer(request)


Identified = Annotated[Viewer | None, Depends(identified)]


def requires(role: Role) -> Callable[[Viewer | None], Awaitable[Viewer]]:
    """The dependency that lets only this role, or a higher one, through."""

    async def viewer(found: Identified) -> Viewer:
        if found is None:
            raise LoginNeeded
        if not found.account.may(role):
            raise Problem(FORBIDDEN, f"This is for a {role}; ask the admin for the role")
        return found

    return viewer


async def guarded(request: Request, viewer: Identified) -> None:
    """Refuse a write by cookie that our own pages did not send. Tokens need no such guard."""
    if request.method not in SAFE and viewer is not None and viewer.session:
        state = state_of(request)
        check_origin(request, state.settings)
        check_token(request, state.signer, viewer.session)


@dataclass(frozen=True)
class SentForm:
    """A form that was shown in this browser and came back in time."""

    values: FormData
    seal: SealedForm

    def text(self, name: str) -> str:
        """One field; empty when it is missing."""
        value = self.values.get(name, "")
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """Every value of a field with several, such as check boxes."""
        return [value for value in self.values.getlist(name) if isinstance(value, str)]

    def fields(self) -> dict[str, str]:
        """Every field that is text, by name; of a field with several values the last."""
        return {name: value for name, value in self.values.items() if isinstance(value, str)}

    def file(self, name: str) -> UploadFile | None:
        """A file, if one was chosen."""
        value = self.values.get(name)
        return value if isinstance(value, UploadFile) and value.filename else None

    def spend(self, session: Session, now: datetime) -> None:
        """Accept the form, once, in the transaction of what it does.

        Raises:
            Problem: 409, it was sent before.
        """
        expires_at = self.seal.expires_at
        if not access.spend_form(session, self.seal.nonce, now=now, expires_at=expires_at):
            raise Problem(
                409, "This form was sent already and counted; load the page to see what it did"
            )


async def sent_form(request: Request) -> AsyncIterator[SentForm]:
    """The form of this request; its files are closed when it is done with.

    Raises:
        Problem: 403, another site sent it, or it was not shown in this browser, or long ago.
    """
    state = state_of(request)
    check_origin(request, state.settings)
    visit = await run_in_threadpool(visit_of, request)
    async with request.form(max_files=1, max_fields=2000) as values:
        yield SentForm(values, _seal_of(state, visit, values))


def _seal_of(state: State, visit: str, values: FormData) -> SealedForm:
    field_value = values.get(FORM_FIELD, "")
    seal = None
    if isinstance(field_value, str):
        seal = state.signer.opened_form(visit, field_value, now=state.clock())
    if seal is None:
        raise Problem(
            FORBIDDEN, "This form is too old or was made elsewhere; load the page and fill it again"
        )
    for value in values.values():
        if isinstance(value, str) and "\0" in value:
            raise Problem(422, "A field holds a character that is no text; remove it")
    return seal


BEARER = HTTPBearer(auto_error=False, description="A token made by an admin; the way of programs.")
COOKIE = APIKeyCookie(
    name="accord_session",
    auto_error=False,
    description="A login; each write needs the header `X-CSRF-Token` of the page besides.",
)

Server = Annotated[State, Depends(server_of)]
Labeler = Annotated[Viewer, Depends(requires("labeler"))]
Manager = Annotated[Viewer, Depends(requires("manager"))]
Admin = Annotated[Viewer, Depends(requires("admin"))]
Form = Annotated[SentForm, Depends(sent_form)]
