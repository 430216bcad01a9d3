"""Accounts and the ways in: links, sessions, tokens, limits."""

from datetime import UTC, datetime, timedelta

import pytest

from accord.config import InputError
from accord.store import access, accounts, labelers
from accord.store.session import open_store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def at(seconds):
    return NOW + timedelta(seconds=seconds)


@pytest.fixture
def session(tmp_path):
    with open_store(str(tmp_path / "ledger.sqlite")) as store, store.writing() as session:
        yield session


def person(session, name="ann", role="labeler", password="hash"):
    return accounts.create(session, name, role=role, password=password, now=NOW)


def test_an_account_is_also_a_labeler_of_the_ledger(session):
    ann = person(session, " Ann  ")
    assert (ann.name, ann.role, ann.active, ann.has_password) == ("Ann", "labeler", True, True)
    assert [p.name for p in labelers.roster(session)] == ["Ann"]
    assert accounts.get(session, "ANN") == ann
    assert accounts.roster(session) == [ann]


@pytest.mark.parametrize("name", ["", " ", "<b>", "a/b", "a" * 65, "-a", "a\nb", "a\x00"])
def test_a_name_is_plain(session, name):
    with pytest.raises(InputError, match="is no name"):
        person(session, name)


def test_a_name_is_taken_once_whatever_its_capitals(session):
    person(session, "ann")
    with pytest.raises(InputError, match="is taken"):
        person(session, "Ａnn")  # full-width A
    labelers.add(session, "imported")
    with pytest.raises(InputError, match="has a labeler `imported`"):
        person(session, "imported")
    known = accounts.create(
        session, "imported", role="labeler", password=None, now=NOW, known_labeler=True
    )
    assert not known.has_password


def test_roles_may_what_the_ones_before_may(session):
    boss = person(session, "boss", "manager")
    assert boss.may("labeler")
    assert boss.may("manager")
    assert not boss.may("admin")


def test_the_last_admin_stays(session):
    assert not accounts.has_admin(session)
    admin = person(session, "root", "admin")
    assert accounts.has_admin(session)
    for change in (
        lambda: accounts.set_role(session, admin, "labeler"),
        lambda: accounts.set_active(session, admin, False),
    ):
        with pytest.raises(InputError, match="last admin"):
            change()
    person(session, "second", "admin")
    accounts.set_role(session, admin, "labeler")
    assert accounts.get(session, "root").role == "labeler"


def test_a_link_works_once_and_brings_its_projects(session):
    secret = access.invite(
        session, role="labeler", made_by="boss", now=NOW, lifetime=DAY, projects=["p", "q"]
    )
    assert access.invitation(session, secret, now=NOW).projects == ("p", "q")
    ann = access.accept(session, secret, name="ann", password="hash", now=at(5))
    assert accounts.projects_of(session, ann) == ["p", "q"]
    assert accounts.members_of(session, "p") == ["ann"]
    with pytest.raises(InputError, match="used already"):
        access.accept(session, secret, name="eve", password="hash", now=at(6))
    assert access.open_invitations(session, now=at(6)) == []


def test_a_link_ends_and_can_be_cancelled(session):
    secret = access.invite(session, role="labeler", made_by="boss", now=NOW, lifetime=DAY)
    with pytest.raises(InputError, match="time of this link is over"):
        access.invitation(session, secret, now=NOW + DAY)
    (open_one,) = access.open_invitations(session, now=NOW)
    assert open_one.digest not in secret
    assert access.cancel_invitation(session, open_one.digest)
    assert not access.cancel_invitation(session, open_one.digest)
    with pytest.raises(InputError, match="not known"):
        access.invitation(session, secret, now=NOW)


def test_a_link_for_an_account_sets_its_password_and_ends_its_sessions(session):
    ann = person(session)
    login = access.begin_session(session, ann, now=NOW, lifetime=DAY)
    secret = access.invite(
        session, role="labeler", made_by="boss", now=NOW, lifetime=DAY, account=ann
    )
    access.accept(session, secret, name="somebody else", password="new", now=NOW)
    assert accounts.password_of(session, "ann") == "new"
    assert access.of_session(session, login, now=NOW) is None
    assert [a.name for a in accounts.roster(session)] == ["ann"]


def test_a_session_ends_by_time_by_logout_by_a_new_password_and_by_closing(session):
    ann = person(session)
    ends = [
        lambda s: access.end_session(session, s),
        lambda _: accounts.set_password(session, ann, "other"),
        lambda _: accounts.set_active(session, ann, False),
    ]
    for end in ends:
        login = access.begin_session(session, ann, now=NOW, lifetime=DAY)
        assert access.of_session(session, login, now=NOW).name == "ann"
        assert access.of_session(session, login, now=NOW + DAY) is None
        end(login)
        assert access.of_session(session, login, now=NOW) is None
    assert accounts.password_of(session, "ann") is None  # closed


def test_a_token_is_kept_as_a_digest_and_can_end(session):
    ann = person(session)
    token = access.make_token(session, ann, label="script", now=NOW, lifetime=DAY)
    forever = access.make_token(session, ann, label="script", now=NOW)
    assert access.of_token(session, token, now=NOW).name == "ann"
    assert access.of_token(session, token, now=NOW + DAY) is None
    assert access.of_token(session, forever, now=NOW + 1000 * DAY).name == "ann"
    assert access.of_token(session, access.digest_of(token), now=NOW) is None
    assert access.revoke_tokens(session, ann) == 2
    assert access.of_token(session, forever, now=NOW) is None


def wait(session, name="ann", address="1.2.3.4", seconds=0.0):
    return access.login_wait(session, name=name, address=address, now=at(seconds)).total_seconds()


def test_failed_logins_make_a_name_wait_longer_and_longer(session):
    assert [wait(session, address=f"10.0.0.{n}") for n in range(5)] == [0] * 5
    assert wait(session, address="10.0.1.1") == 15
    assert wait(session, "bob") == 0  # another name
    assert wait(session, seconds=15) == 0
    assert wait(session, seconds=15) == 30
    assert wait(session, seconds=45) == 0
    assert wait(session, seconds=45) == 60
    assert wait(session, seconds=45 + 3600) == 0  # forgotten
    assert wait(session, seconds=45 + 3600) == 0


def test_waiting_never_exceeds_a_quarter_of_an_hour(session):
    time = 0.0
    for _ in range(30):
        time += wait(session, seconds=time)
        assert wait(session, seconds=time) <= 900
    assert wait(session, seconds=time) == 900


def test_an_address_that_tries_many_names_waits(session):
    waits = [wait(session, f"name {n}") for n in range(31)]
    assert waits == [0] * 30 + [15]
    assert wait(session, "ann", "5.6.7.8") == 0


def test_a_login_forgives_its_name_and_takes_nothing_from_the_address(session):
    for n in range(100):  # an office behind one address
        assert wait(session, f"name {n}") == 0
        access.login_succeeded(session, name=f"name {n}", address="1.2.3.4")


def test_a_form_counts_once(session):
    assert access.spend_form(session, "n", now=NOW, expires_at=NOW + DAY)
    assert not access.spend_form(session, "n", now=NOW, expires_at=NOW + DAY)
    assert access.spend_form(session, "m", now=NOW, expires_at=NOW + DAY)


def test_projects_and_consents_are_set_as_a_whole(session):
    ann = person(session)
    accounts.assign(session, ann, ["b", "a", "b"])
    assert accounts.projects_of(session, ann) == ["a", "b"]
    accounts.assign(session, ann, [])
    assert accounts.projects_of(session, ann) == []
    accounts.set_consents(session, ann, ["violence", "hate", "hate"])
    assert accounts.get(session, "ann").consents == ("hate", "violence")


def test_an_unknown_account_is_said(session):
    with pytest.raises(InputError, match="no account `x`"):
        accounts.get(session, "x")
    assert accounts.password_of(session, "x") is None
