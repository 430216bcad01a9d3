"""Settings: where the secret comes from, and what is refused."""

import pytest

from accord.config import InputError
from accord.web.settings import from_environment


def test_a_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path):
    database = tmp_path / "ledger.sqlite"
    first = from_environment({}, database=str(database))
    kept = tmp_path / "ledger.sqlite.secret"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert len(first.secret.get_secret_value()) == 64
    assert from_environment({}, database=f"sqlite:///{database}").secret == first.secret
    other = from_environment({}, database=str(tmp_path / "other.sqlite"))
    assert other.secret != first.secret
    assert kept.read_text() not in repr(first)


def test_a_secret_that_others_may_read_is_refused(tmp_path):
    from_environment({}, database=str(tmp_path / "a"))
    (tmp_path / "a.secret").chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        from_environment({}, database=str(tmp_path / "a"))


def test_an_empty_secret_is_refused(tmp_path):
    (tmp_path / "a.secret").touch(mode=0o600)
    with pytest.raises(InputError, match="holds no secret"):
        from_environment({}, database=str(tmp_path / "a"))


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ACCORD_SECRET": "short"}, "has 5 characters"),
        ({"ACCORD_SECRET": ""}, "has 0 characters"),
        ({"ACCORD_DATABASE_URL": "postgresql://host/name"}, "set `ACCORD_SECRET`"),
        ({"ACCORD_DATABASE_URL": "nothing://"}, "ACCORD_SECRET"),
        ({"ACCORD_DATABASE_URL": "://"}, "is no database"),
        ({"ACCORD_DATABASE_URL": "no/such/folder/a.sqlite"}, "cannot write the secret"),
        ({"ACCORD_SECRET": "s" * 32, "ACCORD_URL": "label.example.org"}, "write it as"),
        ({"ACCORD_SECRET": "s" * 32, "ACCORD_URL": "https://a.example/sub"}, "write it as"),
    ],
)
def test_what_cannot_be_used_is_said(environment, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=said):
        from_environment(environment)


def test_names_are_known_when_the_address_is(tmp_path):
    environment = {"ACCORD_SECRET": "s" * 32}
    assert "localhost" in from_environment(environment).hosts
    assert from_environment(environment, host="0.0.0.0").hosts == ()
    environment["ACCORD_URL"] = "https://label.example.org/"
    public = from_environment(environment, host="0.0.0.0")
    assert public.hosts[0] == "label.example.org"
    assert public.is_https
    assert public.url == "https://label.example.org"


def test_the_command_line_comes_before_the_environment():
    environment = {"ACCORD_SECRET": "s" * 32, "ACCORD_DATABASE_URL": "a"}
    assert from_environment(environment, database="b").database == "b"
    assert from_environment(environment).database == "a"
