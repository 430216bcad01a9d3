"""What managers' requests and answers hold, as JSON."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path
from pydantic import AfterValidator, Field, StringConstraints

from accord.records import Item
from accord.store.accounts import LONGEST_NAME, Role
from accord.store.specs import ProjectSpec
from accord.web.bodies import Body, Plain, Short, Shown, plain

MOST_ITEMS = 1000  # in one request; files have no such limit

AccountName = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_NAME), AfterValidator(plain)
]
InPath = Annotated[
    str, Path(min_length=1, max_length=LONGEST_NAME, description="Name of an account.")
]
GuidelineName = Annotated[str, Path(min_length=1, max_length=LONGEST_NAME)]
ProjectId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
ProjectInPath = Annotated[
    str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="Id of a project.")
]
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256.")]


class ProjectBody(Body):
    """A project file, as TOML or as the same values in JSON."""

    toml: Plain | None = Field(default=None, description="The text of a project file.")
    values: dict[str, Any] | None = Field(
        default=None,
        description="The same as JSON.",
        examples=[{"preset": "comparison", "id": "helpful-1", "title": "Which helps more?"}],
    )


class ProjectShown(Shown):
    """A project, whole."""

    spec: ProjectSpec
    version: int
    members: list[str] = Field(description="Labelers that it was given to.")


class Projects(Shown):
    """Every project."""

    projects: list[ProjectShown]


class PresetShown(Shown):
    """A kind of task that ships."""

    name: str
    title: str
    description: str
    toml: str


class Presets(Shown):
    """Every preset."""

    presets: list[PresetShown]


class ItemsBody(Body):
    """Things to answer; repeating the request adds nothing."""

    items: list[Item] = Field(min_length=1, max_length=MOST_ITEMS)


class Added(Shown):
    """How many were new to the project."""

    added: int


class MembersBody(Body):
    """Labelers that a project is given to: exactly these."""

    names: list[AccountName] = Field(max_length=10_000)


class GuidelineBody(Body):
    """A version of guidelines, in Markdown."""

    name: AccountName
    text: Plain = Field(min_length=1)


class GuidelineVersion(Shown):
    """One version of guidelines."""

    name: str
    digest: str
    created_at: datetime
    text: str


class Guidelines(Shown):
    """Versions of guidelines, the newest first."""

    guidelines: list[GuidelineVersion]


class ProgramBody(Body):
    """A labeler that is a program."""

    name: AccountName
    projects: list[ProjectId] = Field(default_factory=list, max_length=100)


class ProgramMade(Shown):
    """The program's token; it is shown once, and the ones before it no longer work."""

    name: str
    token: str


class InvitationBody(Body):
    """Who is invited, and to what."""

    role: Role = "labeler"
    projects: list[ProjectId] = Field(default_factory=list, max_length=100)
    note: Short = Field(default="", description="For whom it is; only managers see it.")


class InvitationMade(Shown):
    """A link that works once; it is shown once."""

    link: str
    expires_at: datetime


class InvitationShown(Shown):
    """A link that nobody used yet."""

    digest: str = Field(description="Names the link without being it.")
    role: Role
    account: str | None
    projects: list[str]
    note: str
    made_by: str
    expires_at: datetime


class Invitations(Shown):
    """Links that nobody used yet."""

    invitations: list[InvitationShown]


class AccountShown(Shown):
    """An account."""

    name: str
    role: Role
    active: bool
    paused: bool = Field(description="Gets nothing to answer.")
    is_program: bool
    projects: list[str]


class Accounts(Shown):
    """Every account."""

    accounts: list[AccountShown]


class AccountChange(Body):
    """What shall be different; the rest stays."""

    paused: bool | None = None
    active: bool | None = Field(default=None, description="False: may no longer come in.")
    role: Role | None = None
    projects: list[ProjectId] | None = Field(default=None, max_length=100)
    reason: Short = ""
