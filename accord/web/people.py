"""What managers do with people, for the pages and the API alike: who may do it, and to whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from accord.config import InputError
from accord.store import access, accounts, labelers, projects
from accord.store.accounts import Account, Role
from accord.store.labelers import Labeler
from accord.web.deps import State, Viewer
from accord.web.errors import CONFLICT, FORBIDDEN, NOT_FOUND, Problem


@dataclass(frozen=True)
class Person:
    """An account beside its labeler."""

    account: Account
    paused: bool
    projects: tuple[str, ...]


def roster(session: Session) -> list[Person]:
    """Every account with its labeler, by name."""
    paused = {person.name: person.paused for person in labelers.roster(session)}
    return [
        Person(
            account,
            paused.get(account.name, False),
            tuple(accounts.projects_of(session, account)),
        )
        for account in accounts.roster(session)
    ]


def find(session: Session, name: str) -> Account:
    """The account of this name.

    Raises:
        Problem: 404, there is none.
    """
    try:
        return accounts.get(session, name)
    except InputError as error:
        raise Problem(NOT_FOUND, f"There is no account `{name}`; check the name") from error


def labeler(session: Session, name: str) -> Labeler:
    """The labeler of this name: of an account, or one whose votes were imported.

    Raises:
        Problem: 404, there is none.
    """
    try:
        known = accounts.get(session, name).name
    except InputError:
        known = name
    try:
        return labelers.get(session, known)
    except InputError as error:
        raise Problem(NOT_FOUND, f"There is nobody `{name}`; check the name") from error


def set_paused(
    session: Session, state: State, viewer: Viewer, name: str, paused: bool, *, reason: str
) -> None:
    """Give a labeler nothing more to answer, or let it go on; the answers stay.

    Raises:
        Problem: 404, there is none.
    """
    act = labelers.pause if paused else labelers.resume
    person = labeler(session, name)
    act(session, person.name, reason=reason, by=viewer.name, now=state.clock())


def check_projects(session: Session, given: Sequence[str]) -> None:
    """Refuse projects that are not there."""
    for project_id in given:
        projects.get(session, project_id)


def invite(
    session: Session,
    viewer: Viewer,
    state: State,
    *,
    role: Role,
    given: Sequence[str] = (),
    note: str = "",
) -> tuple[str, datetime]:
    """Make a link for somebody new.

    Returns:
        The path of the link and when it ends.

    Raises:
        Problem: 403, only an admin invites managers and admins.
        InputError: a project is not there.
    """
    if role != "labeler":
        _only_admins(viewer, f"Only an admin can invite a {role}; ask one")
    check_projects(session, given)
    now, lifetime = state.clock(), state.settings.invitation_lifetime
    secret = access.invite(
        session,
        role=role,
        made_by=viewer.name,
        now=now,
        lifetime=lifetime,
        projects=given,
        note=note,
    )
    return f"/invite/{secret}", now + lifetime


def program(session: Session, state: State, name: str, given: Sequence[str]) -> str:
    """The token of a labeler that is a program: a new one, which alone works from here on.

    Raises:
        Problem: 409, a person has this name, or somebody who may do more than label.
        InputError: the name is not fit, or a project is not there.
    """
    check_projects(session, given)
    try:
        account = accounts.get(session, name)
    except InputError:
        account = accounts.create(session, name, role="labeler", password=None, now=state.clock())
    if account.has_password or account.role != "labeler" or not account.active:
        raise Problem(CONFLICT, f"`{name}` is no program; choose another name")
    before = accounts.projects_of(session, account)
    accounts.assign(session, account, [*before, *given])
    access.revoke_tokens(session, account)
    return access.make_token(session, account, label="program", now=state.clock())


@dataclass(frozen=True)
class Change:
    """What a manager may change of one account, in one transaction."""

    session: Session
    state: State
    viewer: Viewer
    account: Account

    def set_paused(self, paused: bool, *, reason: str) -> None:
        """Give somebody nothing more to answer, or go on; the answers stay."""
        set_paused(self.session, self.state, self.viewer, self.account.name, paused, reason=reason)

    def set_active(self, active: bool) -> None:
        """Close an account or open it again.

        Raises:
            Problem: 403, the account may do as much as the viewer, who is no admin.
            InputError: it is the last admin.
        """
        self._check()
        accounts.set_active(self.session, self.account, active)

    def set_projects(self, given: Sequence[str]) -> None:
        """Give exactly these projects.

        Raises:
            InputError: a project is not there.
        """
        check_projects(self.session, given)
        accounts.assign(self.session, self.account, given)

    def set_role(self, role: Role) -> None:
        """Let somebody do more or less.

        Raises:
            Problem: 403, the viewer is no admin.
            InputError: it is the last admin, or a program.
        """
        _only_admins(self.viewer, "Only an admin can change roles; ask one")
        if not self.account.has_password:
            raise InputError(f"`{self.account.name}` is a program; programs only label")
        accounts.set_role(self.session, self.account, role)

    def password_link(self) -> str:
        """The path of a link with which somebody chooses a new password.

        Raises:
            Problem: 403, the account may do as much as the viewer, who is no admin.
            InputError: it is a program.
        """
        self._check()
        if not self.account.has_password:
            raise InputError(f"`{self.account.name}` is a program; programs have no password")
        return "/invite/" + access.invite(
            self.session,
            role=self.account.role,
            made_by=self.viewer.name,
            now=self.state.clock(),
            lifetime=self.state.settings.invitation_lifetime,
            account=self.account,
        )

    def _check(self) -> None:
        if self.account.role != "labeler":
            role = self.account.role
            _only_admins(
                self.viewer, f"`{self.account.name}` is a {role}; only an admin can do this"
            )


def change(session: Session, state: State, viewer: Viewer, name: str) -> Change:
    """What a manager may change of the account of this name.

    Raises:
        Problem: 404, there is none.
    """
    return Change(session, state, viewer, find(session, name))


def set_members(session: Session, project_id: str, names: Sequence[str]) -> None:
    """Give a project to exactly these labelers.

    Raises:
        Problem: 404, there is no account of a name.
    """
    wanted = {find(session, name).name for name in names}
    for name in wanted.symmetric_difference(accounts.members_of(session, project_id)):
        account = accounts.get(session, name)
        given = set(accounts.projects_of(session, account)) ^ {project_id}
        accounts.assign(session, account, sorted(given))


def _only_admins(viewer: Viewer, sentence: str) -> None:
    if not viewer.account.may("admin"):
        raise Problem(FORBIDDEN, sentence)
