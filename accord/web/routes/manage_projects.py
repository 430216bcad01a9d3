"""The API of managers, projects: set them up, fill them, give them to labelers."""

from fastapi import APIRouter, Depends
from sqlalchemy.orm import Session

from accord.config import InputError
from accord.store import accounts, guidelines, projects
from accord.store.projects import Project
from accord.web import people, project_files, project_setup
from accord.web.deps import BEARER, COOKIE, Manager, Server, guarded
from accord.web.errors import described
from accord.web.manage_bodies import (
    Added,
    Digest,
    GuidelineBody,
    Guidelines,
    GuidelineVersion,
    ItemsBody,
    MembersBody,
    Presets,
    PresetShown,
    ProjectBody,
    ProjectInPath,
    Projects,
    ProjectShown,
)

router = APIRouter(
    prefix="/api/v1/manage",
    tags=["projects"],
    dependencies=[Depends(guarded), Depends(BEARER), Depends(COOKIE)],
    responses=described(400, 401, 403, 404, 409, 413, 422),
)


@router.get("/presets")
def list_presets(viewer: Manager) -> Presets:
    """Kinds of tasks that ship, as project files to begin with."""
    found = project_files.presets().values()
    return Presets(
        presets=[
            PresetShown(name=p.name, title=p.title, description=p.description, toml=p.toml)
            for p in found
        ]
    )


@router.get("/projects")
def list_projects(viewer: Manager, server: Server) -> Projects:
    """Every project."""
    with server.reading() as session:
        return Projects(projects=[_shown(session, one) for one in projects.list_(session)])


@router.post("/projects")
def create_project(body: ProjectBody, viewer: Manager, server: Server) -> ProjectShown:
    """Set up a project; repeating the request changes nothing."""
    file = _file(body)
    with server.writing() as session:
        made = project_setup.set_up(session, file, now=server.clock(), by=viewer.name)
        return _shown(session, made)


@router.get("/projects/{project}")
def read_project(project: ProjectInPath, viewer: Manager, server: Server) -> ProjectShown:
    """One project, whole."""
    with server.reading() as session:
        return _shown(session, project_setup.find(session, project))


@router.put("/projects/{project}")
def change_project(
    project: ProjectInPath, body: ProjectBody, viewer: Manager, server: Server
) -> ProjectShown:
    """Give a project other settings, from here on; answers keep those they came under."""
    file = _file(body)
    with server.writing() as session:
        made = project_setup.change(session, project, file, now=server.clock(), by=viewer.name)
        return _shown(session, made)


@router.post("/projects/{project}/items")
def add_items(project: ProjectInPath, body: ItemsBody, viewer: Manager, server: Server) -> Added:
    """Put things to answer into a project, in the order given; all of them or none."""
    with server.writing() as session:
        project_setup.find(session, project)
        return Added(added=projects.add_items(session, project, body.items, now=server.clock()))


@router.put("/projects/{project}/members")
def set_members(
    project: ProjectInPath, body: MembersBody, viewer: Manager, server: Server
) -> ProjectShown:
    """Give a project to exactly these labelers."""
    with server.writing() as session:
        found = project_setup.find(session, project)
        people.set_members(session, project, body.names)
        return _shown(session, found)


@router.get("/guidelines")
def list_guidelines(viewer: Manager, server: Server) -> Guidelines:
    """Every version of all guidelines, the newest first."""
    with server.reading() as session:
        found = guidelines.versions(session)
    return Guidelines(guidelines=[_version(one) for one in found])


@router.post("/guidelines")
def publish_guideline(body: GuidelineBody, viewer: Manager, server: Server) -> GuidelineVersion:
    """Keep a version of guidelines. Projects take it when they are changed next."""
    with server.writing() as session:
        digest = guidelines.publish(session, body.name, body.text, server.clock(), by=viewer.name)
        found = guidelines.versions(session, body.name)
    return _version(next(one for one in found if one.digest == digest))


@router.get("/guidelines/{digest}")
def read_guideline(digest: Digest, viewer: Manager, server: Server) -> Guidelines:
    """The guidelines of a digest, under every name that they were published with."""
    with server.reading() as session:
        guidelines.get(session, digest)
        found = [one for one in guidelines.versions(session) if one.digest == digest]
    return Guidelines(guidelines=[_version(one) for one in found])


def _file(body: ProjectBody) -> project_files.ProjectFile:
    if (body.toml is None) == (body.values is None):
        raise InputError("give either `toml` or `values`")
    if body.toml is not None:
        return project_files.read(body.toml)
    return project_files.from_values(body.values or {})


def _shown(session: Session, project: Project) -> ProjectShown:
    members = accounts.members_of(session, project.id)
    return ProjectShown(spec=project.spec, version=project.version, members=members)


def _version(one: guidelines.Guideline) -> GuidelineVersion:
    return GuidelineVersion(
        name=one.name, digest=one.digest, created_at=one.created_at, text=one.text
    )
