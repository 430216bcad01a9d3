"""The first run: an admin's link, and a small project so that a newcomer can vote at once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from accord.config import InputError
from accord.records import Item
from accord.store import access, accounts, projects
from accord.store.session import Store
from accord.web import project_setup
from accord.web.project_files import from_values

SAMPLE = Path(__file__).parent / "presets" / "sample.json"
LINK_LIFETIME = timedelta(hours=24)
MADE_BY = "accord serve"
VOTES = 3  # labelers asked about each item of the sample
PROJECTS = {
    "sample": ("comparison", "Sample: which answer is better?"),
    "sample-ranking": ("ranking", "Sample: rate and rank four answers"),
    "sample-writing": ("demonstration", "Sample: write the ideal answer"),
}

TALK = {"sample-talk": ("conversation_helpful", "Sample: talk with the assistant")}


@dataclass(frozen=True)
class FirstRun:
    """What was made."""

    admin_path: str  #: path of the admin's link; empty once there is an admin
    made_sample: bool


def prepare(store: Store, *, now: datetime, sample: bool = True, talks: bool = False) -> FirstRun:
    """Make what a new store lacks; on a store in use, nothing.

    The sample has a conversation if there is somebody who ``talks``.

    As long as no admin has a password, every start makes a new link and the ones before it no
    longer work.
    """
    with store.writing() as session:
        made = sample and not projects.list_(session) and not accounts.roster(session)
        if made:
            _sample(session, PROJECTS | (TALK if talks else {}), now)
        return FirstRun(_admin_path(session, now), made)


def program_token(store: Store, name: str, *, now: datetime) -> str:
    """A token with which a program acts as a manager, for scripts on this machine.

    Raises:
        InputError: the name is not fit, or a person's.
    """
    with store.writing() as session:
        known = {account.name: account for account in accounts.roster(session)}
        account = known.get(name) or accounts.create(
            session, name, role="manager", password=None, now=now
        )
        if account.has_password:
            raise InputError(f"`{name}` is a person; give the program another name")
        access.revoke_tokens(session, account)
        return access.make_token(session, account, label=MADE_BY, now=now)


def _admin_path(session: Session, now: datetime) -> str:
    if accounts.has_admin(session):
        return ""
    for old in access.open_invitations(session, now=now):
        if old.role == "admin" and old.made_by == MADE_BY:
            access.cancel_invitation(session, old.digest)
    secret = access.invite(session, role="admin", made_by=MADE_BY, now=now, lifetime=LINK_LIFETIME)
    return f"/invite/{secret}"


def _sample(session: Session, wanted: Mapping[str, tuple[str, str]], now: datetime) -> None:
    kept = json.loads(SAMPLE.read_text(encoding="utf-8"))
    for project_id, (preset, title) in wanted.items():
        values = {
            "preset": preset,
            "id": project_id,
            "title": title,
            "settings": {"votes_wanted": VOTES, "gold_share": 0.0, "repeat_share": 0.0},
        }
        project_setup.set_up(session, from_values(values), now=now, by=MADE_BY)
        found = [Item.model_validate(item) for item in kept.get(preset, [])]
        projects.add_items(session, project_id, found, now=now)
