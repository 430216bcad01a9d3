"""The API of managers, people: labelers, programs, invitations."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from sqlalchemy.orm import Session

from accord.store import access, accounts
from accord.web import people
from accord.web.deps import BEARER, COOKIE, Manager, Server, guarded
from accord.web.errors import NOT_FOUND, Problem, described
from accord.web.manage_bodies import (
    AccountChange,
    Accounts,
    AccountShown,
    InPath,
    InvitationBody,
    InvitationMade,
    Invitations,
    InvitationShown,
    ProgramBody,
    ProgramMade,
)

router = APIRouter(
    prefix="/api/v1/manage",
    tags=["people"],
    dependencies=[Depends(guarded), Depends(BEARER), Depends(COOKIE)],
    responses=described(400, 401, 403, 404, 409, 413, 422),
)

Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]


@router.get("/labelers")
def list_labelers(viewer: Manager, server: Server) -> Accounts:
    """Every account."""
    with server.reading() as session:
        return Accounts(accounts=[_shown(person) for person in people.roster(session)])


@router.patch("/labelers/{name}")
def change_labeler(
    name: InPath, body: AccountChange, viewer: Manager, server: Server
) -> AccountShown:
    """Pause somebody or go on, close an account, give projects; all of it or nothing."""
    with server.writing() as session:
        change = people.change(session, server, viewer, name)
        if body.paused is not None:
            change.set_paused(body.paused, reason=body.reason)
        if body.projects is not None:
            change.set_projects(body.projects)
        if body.active is not None:
            change.set_active(body.active)
        if body.role is not None:
            change.set_role(body.role)
        return _one(session, change.account.name)


@router.post("/labelers/{name}/link")
def make_password_link(name: InPath, viewer: Manager, server: Server) -> InvitationMade:
    """A link with which somebody chooses a new password; it works once."""
    with server.writing() as session:
        path = people.change(session, server, viewer, name).password_link()
    return InvitationMade(
        link=server.settings.url + path,
        expires_at=server.clock() + server.settings.invitation_lifetime,
    )


@router.post("/programs")
def make_program(body: ProgramBody, viewer: Manager, server: Server) -> ProgramMade:
    """Make a labeler that is a program, or give it a new token."""
    with server.writing() as session:
        token = people.program(session, server, body.name, body.projects)
        return ProgramMade(name=accounts.get(session, body.name).name, token=token)


@router.get("/invitations")
def list_invitations(viewer: Manager, server: Server) -> Invitations:
    """Links that nobody used yet."""
    with server.reading() as session:
        found = access.open_invitations(session, now=server.clock())
    return Invitations(invitations=[_invitation(one) for one in found])


@router.post("/invitations")
def invite(body: InvitationBody, viewer: Manager, server: Server) -> InvitationMade:
    """Make a link for somebody new; it works once."""
    with server.writing() as session:
        path, expires_at = people.invite(
            session, viewer, server, role=body.role, given=body.projects, note=body.note
        )
    return InvitationMade(link=server.settings.url + path, expires_at=expires_at)


@router.delete("/invitations/{digest}", status_code=204)
def cancel_invitation(digest: Digest, viewer: Manager, server: Server) -> None:
    """Make a link useless."""
    with server.writing() as session:
        if not access.cancel_invitation(session, digest):
            raise Problem(NOT_FOUND, "There is no such link, or it was used already")


def _one(session: Session, name: str) -> AccountShown:
    return next(_shown(p) for p in people.roster(session) if p.account.name == name)


def _shown(person: people.Person) -> AccountShown:
    account = person.account
    return AccountShown(
        name=account.name,
        role=account.role,
        active=account.active,
        paused=person.paused,
        is_program=not account.has_password,
        projects=list(person.projects),
    )


def _invitation(found: access.Invitation) -> InvitationShown:
    return InvitationShown(
        digest=found.digest,
        role=found.role,
        account=found.account,
        projects=list(found.projects),
        note=found.note,
        made_by=found.made_by,
        expires_at=found.expires_at,
    )
