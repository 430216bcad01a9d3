"""What holds for every request: headers, hosts, sizes, and errors that can be understood."""

import json

import pytest
from starlette.testclient import TestClient

from accord.store.session import open_store
from accord.web.app import create_app
from accord.web.settings import Settings


@pytest.mark.parametrize("address", ["/login", "/nothing", "/api/v1/nothing", "/static/nothing"])
def test_every_response_guards_the_browser(site, address):
    headers = site.visitor().get(address).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == ("no-cache" if "static" in address else "no-store")


def test_no_page_has_a_script_or_a_style_of_its_own(site):
    browser = site.person("ann")
    for address in ("/account", "/nothing"):
        page = browser.get(address).text
        assert "<script>" not in page
        assert "<style" not in page
        assert " style=" not in page
        assert " onclick=" not in page


def test_an_unknown_host_is_refused(site):
    refused = site.visitor().get("/login", headers={"Host": "evil.example"})
    assert refused.status_code == 400


@pytest.mark.parametrize("length", ["50001", "999999999999999999"])
def test_a_body_that_says_it_is_too_large_is_not_read(site, length):
    refused = site.visitor().post("/login", content=b"x", headers={"Content-Length": length})
    assert refused.status_code == 413
    assert "50,000 bytes" in refused.text


def test_a_body_that_does_not_say_its_size_is_cut_off(site):
    def parts():
        for _ in range(60):
            yield b"x" * 1000

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    refused = site.visitor().post("/login", content=parts(), headers=headers)
    assert refused.status_code == 413


def test_an_error_of_the_api_is_a_problem_and_of_a_page_is_a_page(site):
    api, page = site.visitor().get("/api/v1/nothing"), site.visitor().get("/nothing")
    assert api.status_code == page.status_code == 404
    assert api.headers["content-type"] == "application/problem+json"
    assert api.json()["detail"].startswith("There is nothing at this address")
    assert page.headers["content-type"].startswith("text/html")
    assert "There is nothing at this address" in page.text


def test_a_mistake_of_the_server_is_said_without_its_details(site, caplog):
    def broken():
        raise RuntimeError("the secret of the database")

    site.app.get("/broken")(broken)
    site.app.get("/api/broken")(broken)
    for address in ("/broken", "/api/broken"):
        answer = site.visitor(raise_server_exceptions=False).get(address)
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert "made a mistake" in answer.text
    assert "the secret of the database" in caplog.text


def test_over_https_cookies_stay_there(tmp_path):
    settings = Settings(database="unused", secret=b"s" * 32, url="https://label.example.org")
    with open_store(str(tmp_path / "ledger.sqlite")) as store:
        client = TestClient(create_app(settings, store), base_url="https://label.example.org")
        shown = client.get("/login")
        assert shown.headers["strict-transport-security"].startswith("max-age=")
        assert shown.headers["set-cookie"].startswith("__Host-accord_visit=")
        assert "Secure" in shown.headers["set-cookie"]
        client.close()


def test_the_description_of_the_api_is_json(site):
    described = json.loads(site.visitor().get("/api/v1/openapi.json").text)
    assert described["info"]["title"] == "Accord"
