"""What managers do with projects, for the pages and the API alike."""

from datetime import datetime

from sqlalchemy.orm import Session

from accord.config import InputError
from accord.store import guidelines, projects
from accord.store.projects import Project
from accord.store.specs import ProjectSpec
from accord.web.errors import NOT_FOUND, Problem
from accord.web.project_files import ProjectFile, shipped_guidelines


def spec_of(session: Session, file: ProjectFile, *, now: datetime, by: str) -> ProjectSpec:
    """The project of a file, with the newest version of the guidelines that it names.

    Guidelines that ship are published when a project first names them.

    Raises:
        InputError: no guidelines have this name or digest.
    """
    if not file.guideline:
        return file.spec
    versions = guidelines.versions(session, file.guideline)
    if versions:
        digest = versions[0].digest
    elif file.guideline in shipped_guidelines():
        text = shipped_guidelines()[file.guideline]
        digest = guidelines.publish(session, file.guideline, text, now, by=by)
    else:
        guidelines.get(session, file.guideline)
        digest = file.guideline
    return file.spec.model_copy(update={"guideline": digest})


def set_up(session: Session, file: ProjectFile, *, now: datetime, by: str) -> Project:
    """Create a project from its file.

    Raises:
        InputError: another project has its id, or something that it names is not there.
    """
    return projects.create(session, spec_of(session, file, now=now, by=by), now=now, by=by)


def change(
    session: Session, project_id: str, file: ProjectFile, *, now: datetime, by: str
) -> Project:
    """Give a project what its file says, from here on.

    Raises:
        Problem: 404, no such project.
        InputError: the file is another project's, or something that it names is not there.
    """
    find(session, project_id)
    if file.spec.id != project_id:
        raise InputError(f"the file is of project `{file.spec.id}`; set `id` to `{project_id}`")
    return projects.change(session, spec_of(session, file, now=now, by=by), now=now, by=by)


def find(session: Session, project_id: str) -> Project:
    """A project.

    Raises:
        Problem: 404, there is none.
    """
    found = projects.find(session, project_id)
    if found is None:
        raise Problem(NOT_FOUND, f"There is no project `{project_id}`; check the address")
    return found


def no_such_page() -> Problem:
    """For an address that names something to do which there is not."""
    return Problem(NOT_FOUND, "There is nothing at this address; check it")
