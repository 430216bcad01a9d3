"""Coming in: passwords, links, sessions, tokens, and what is refused."""

import re
from datetime import timedelta

import pytest

from accord.store import access, accounts

PASSWORD = "correct horse battery"


def text_of(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.text))


def form_of(response):
    return re.search(r'name="form" value="([^"]+)"', response.text)[1]


def test_a_person_logs_in_and_out(site):
    site.account("ann")
    browser = site.visitor()
    done = site.log_in(browser, "Ann")
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert "ann" in text_of(browser.get("/account"))
    kept = dict(browser.cookies)
    assert site.send(browser, "/logout", {}, page="/account").headers["location"] == "/login"
    browser.cookies.update(kept)  # the cookie of the login that ended
    assert browser.get("/account").headers["location"] == "/login?next=/account"


def test_the_cookie_is_kept_from_scripts_and_other_sites(site):
    site.account("ann")
    cookie = site.log_in(site.visitor(), "ann").headers["set-cookie"].lower()
    assert cookie.startswith("accord_session=")
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert f"max-age={7 * 86400}" in cookie


def test_the_login_leads_back_but_never_elsewhere(site):
    site.account("ann")
    for wanted, reached in [
        ("/p/sample", "/p/sample"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
    ]:
        browser = site.visitor()
        form = form_of(browser.get("/login", params={"next": wanted}))
        sent = {"name": "ann", "password": PASSWORD, "next": wanted, "form": form}
        assert browser.post("/login", data=sent).headers["location"] == reached


def test_a_wrong_password_and_an_unknown_name_read_the_same(site):
    site.account("ann")
    wrong = site.log_in(site.visitor(), "ann", "not the password")
    unknown = site.log_in(site.visitor(), "nobody", "not the password")
    assert wrong.status_code == unknown.status_code == 401
    assert "name or the password is wrong" in text_of(wrong)
    assert text_of(wrong).replace("ann", "") == text_of(unknown).replace("nobody", "")


def test_wrong_passwords_cost_time(site):
    site.account("ann")
    browser = site.visitor()
    for _ in range(5):
        assert site.log_in(browser, "ann", "wrong").status_code == 401
    refused = site.log_in(browser, "ann")
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) == 16
    assert "wait 16 seconds" in text_of(refused)
    site.clock.passes(seconds=16)
    assert site.log_in(browser, "ann").status_code == 303


def test_a_login_ends_by_itself(site):
    browser = site.person("ann")
    site.clock.passes(days=6)
    assert browser.get("/account").status_code == 200
    site.clock.passes(days=1)
    assert browser.get("/account").status_code == 303


def test_a_changed_cookie_is_nobody(site):
    browser = site.person("ann")
    sealed = browser.cookies["accord_session"]
    for forged in (sealed[:-2], sealed[1:], "x", "", sealed + "x", "a.b.c"):
        browser.cookies.clear()
        browser.cookies.set("accord_session", forged)
        assert browser.get("/account").status_code == 303


def test_a_new_password_ends_the_other_logins(site):
    here = site.person("ann")
    there = site.visitor()
    site.log_in(there, "ann")
    new = "another fine password"
    fields = {"old_password": PASSWORD, "password": new, "password_again": new}
    wrong = site.send(here, "/account/password", fields | {"old_password": "no"}, page="/account")
    assert wrong.status_code == 422
    done = site.send(here, "/account/password", fields, page="/account")
    assert done.status_code == 303
    assert here.get("/account").status_code == 200
    assert there.get("/account").status_code == 303
    assert site.log_in(there, "ann").status_code == 401
    assert site.log_in(there, "ann", new).status_code == 303


@pytest.mark.parametrize(
    ("password", "again", "said"),
    [
        ("short", "short", "too short"),
        ("long enough one", "long enough two", "two passwords differ"),
        ("aaaaaaaaaaaa", "aaaaaaaaaaaa", "too easy"),
        ("Annabel Lee", "Annabel Lee", "too easy"),
        ("x" * 201, "x" * 201, "too long"),
    ],
)
def test_a_bad_password_is_refused_and_the_link_still_works(site, password, again, said):
    link = invite(site)
    fields = {"name": "annabel lee", "password": password, "password_again": again}
    refused = site.send(site.visitor(), link, fields)
    assert refused.status_code == 422
    assert said in text_of(refused)
    assert "annabel lee" in refused.text
    assert f'value="{password}"' not in refused.text
    fields |= {"password": PASSWORD, "password_again": PASSWORD}
    assert site.send(site.visitor(), link, fields).status_code == 303


def invite(site, **more):
    with site.store.writing() as session:
        secret = access.invite(
            session,
            **{"role": "labeler", "made_by": "boss", "lifetime": timedelta(days=7)} | more,
            now=site.clock(),
        )
    return f"/invite/{secret}"


def test_an_invitation_makes_an_account_once(site):
    link = invite(site, projects=["p"])
    browser = site.visitor()
    fields = {"name": "ann", "password": PASSWORD, "password_again": PASSWORD}
    assert site.send(browser, link, fields).headers["location"] == "/"
    assert "labeler" in text_of(browser.get("/account"))
    again = site.visitor().get(link)
    assert again.status_code == 422
    assert "used already" in text_of(again)


def test_an_invitation_ends(site):
    link = invite(site)
    site.clock.passes(days=7)
    late = site.visitor().get(link)
    assert "time of this link is over" in text_of(late)
    assert "not known" in text_of(site.visitor().get("/invite/never-made"))


def test_a_link_for_an_account_keeps_its_name(site):
    ann = site.account("ann")
    link = invite(site, account=ann)
    fields = {"name": "eve", "password": "a second password", "password_again": "a second password"}
    assert site.send(site.visitor(), link, fields).status_code == 303
    assert site.log_in(site.visitor(), "ann", "a second password").status_code == 303
    with site.store.reading() as session:
        assert [a.name for a in accounts.roster(session)] == ["ann"]


def test_a_form_from_elsewhere_is_refused(site):
    site.account("ann")
    browser, other = site.visitor(), site.visitor()
    foreign = form_of(other.get("/login"))
    good = {"name": "ann", "password": PASSWORD}
    for form in ("", "x", foreign):
        refused = browser.post("/login", data=good | {"form": form})
        assert refused.status_code == 403
        assert "load the page and fill it again" in text_of(refused)
    assert browser.post("/login", data=good).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
)
def test_a_write_from_another_site_is_refused(site, headers):
    site.account("ann")
    refused = site.log_in(site.visitor(), "ann", headers=headers)
    assert refused.status_code == 403
    assert "another site" in text_of(refused)


def test_a_write_from_our_own_pages_is_accepted(site):
    site.account("ann")
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert site.log_in(site.visitor(), "ann", headers=headers).status_code == 303


def test_an_old_form_is_refused(site):
    browser = site.visitor()
    form = form_of(browser.get("/login"))
    site.clock.passes(hours=12)
    assert browser.post("/login", data={"form": form}).status_code == 403


def test_a_form_counts_once(site):
    browser = site.person("ann")
    fields = {"label": "script", "form": form_of(browser.get("/account"))}
    assert browser.post("/account/token", data=fields).status_code == 200
    again = browser.post("/account/token", data=fields)
    assert again.status_code == 409
    assert "sent already" in text_of(again)


def test_a_token_is_the_account_until_it_is_revoked(site):
    browser = site.person("ann")
    shown = site.send(browser, "/account/token", {"label": "script"}, page="/account")
    token = re.search(r"accord_[\w-]{43}", shown.text)[0]
    program = site.visitor()
    program.headers["Authorization"] = f"Bearer {token}"
    assert program.get("/account").status_code == 200
    assert token not in browser.get("/account").text
    site.send(browser, "/account/tokens/revoke", {}, page="/account")
    assert program.get("/account").status_code == 303


def test_a_bad_token_is_nobody_even_with_a_good_cookie(site):
    browser = site.person("ann")
    for header in ("Bearer x", "Basic YTpi", "Bearer "):
        assert browser.get("/account", headers={"Authorization": header}).status_code == 303


def test_logging_out_everywhere_ends_every_login(site):
    here, there = site.person("ann"), site.visitor()
    site.log_in(there, "ann")
    site.send(here, "/logout", {"everywhere": "yes"}, page="/account")
    assert there.get("/account").status_code == 303
