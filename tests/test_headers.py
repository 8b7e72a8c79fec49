"""Every answer carries the headers that keep a browser safe, whoever made it: Flask, its errors, or the static files."""

import re

import pytest
from flask import request

from hds.app import create_app
from hds.headers import EVERYWHERE
from hds.webhooks import inbox
from tests import https
from tests.conftest import Client
from tests.deliveries import URL
from tests.factories import ServiceFactory
from tests.test_urls import PUBLIC, urls

YEAR = 365 * 24 * 3600


def directives(response) -> dict[str, list[str]]:
    policy = response.headers.getlist("Content-Security-Policy")
    assert len(policy) == 1
    return {name: words for name, *words in (part.split() for part in policy[0].split(";"))}


def check(response, where: str) -> None:
    policy = directives(response)
    assert policy["default-src"] == ["'none'"], where
    assert policy["base-uri"] == policy["frame-ancestors"] == ["'none'"], where
    assert policy["form-action"] == ["'self'"], where
    words = " ".join(word for words in policy.values() for word in words)
    assert "unsafe" not in words, where
    assert "*" not in words, where
    assert "http" not in words, where
    for name, value in EVERYWHERE.items():
        said = response.headers.getlist(name)
        is_private = name == "Referrer-Policy" and said == ["no-referrer"]  # somebody's own page says even less
        assert said == [value] or is_private, (where, name)
    assert "Server" not in response.headers, where
    if not where.startswith("/static/"):  # public to everybody; no cookie and no secret is in them
        assert "Access-Control-Allow-Origin" not in response.headers, where


def test_every_public_address_has_them(app, client):
    ServiceFactory(slug="strategy-consultation", cal_event_type_id=1001)
    seen = {}
    for method in ("GET", "HEAD"):
        for url in urls(PUBLIC, method, app):
            response = client.open(url, method=method)
            check(response, f"{method} {url}")
            seen[url] = response.status_code
    assert len(seen) > 8
    assert 200 in seen.values()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/faq?zone=%00", 400),
        ("GET", "/static/nowhere.css", 404),
        ("GET", URL, 405),
        ("POST", URL, 401),
        ("GET", "/admin", 303),
        ("TRACE", "/faq", 405),
        ("OPTIONS", "/faq", 200),
    ],
)
def test_refusals_have_them(client, method, path, status):
    response = client.open(path, method=method)
    assert response.status_code == status
    check(response, path)


def test_what_is_too_large_has_them(client):
    for path in (URL, "/admin/sign-in"):
        response = client.post(path, data=b"x" * 300_000, content_type="application/x-www-form-urlencoded")
        assert response.status_code == 413
        check(response, path)


def test_faults_of_ours_have_them(app, client, monkeypatch):
    monkeypatch.setitem(app.view_functions, "pages.faq", lambda: 1 / 0)
    response = client.get("/faq")
    assert response.status_code == 500
    check(response, "500")


def test_static_files_have_them_and_may_be_kept(client):
    page = client.get("/").text
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert {name.rsplit(".", 1)[-1] for name in files} >= {"css", "js"}
    for name in files:
        response = client.get(name)
        assert response.status_code == 200, name
        check(response, name)
        assert "immutable" in response.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/", "/nowhere", "/healthz", "/api/webhooks/cal"])
@pytest.mark.parametrize("site_url", ["https://hudson.example", "http://hudson.example", ""])
def test_https_alone_is_demanded_where_the_site_has_it(app, make_settings, site_url, path):
    other = create_app(make_settings(site_url=site_url))
    other.test_client_class = Client
    response = other.test_client().get(path)
    found = response.headers.get("Strict-Transport-Security")
    if site_url.startswith("https"):
        assert int(re.search(r"max-age=(\d+)", found)[1]) >= YEAR
        assert "includeSubDomains" in found
    else:
        assert found is None
    inbox.hang_up()
    with other.app_context():
        from hds.extensions import db

        db.session.remove()
        db.engine.dispose()


def test_https_is_demanded_for_static_files_too(app, make_settings):
    other = create_app(make_settings(site_url="https://hudson.example"))
    style = re.search(r'href="(/static/[^"]+\.css)"', app.test_client().get("/").text)[1]
    assert "Strict-Transport-Security" in other.test_client().get(style).headers
    inbox.hang_up()


# Which host it is

ELSEWHERE = "evil.example"


@pytest.mark.parametrize("path", ["/", "/faq", "/admin", "/admin/sign-in", "/nowhere", "/healthz", "/services/"])
@pytest.mark.parametrize("piece", [{}, {"HX-Request": "true", "HX-Request-Type": "partial"}], ids=["page", "piece"])
def test_the_site_answers_to_no_other_host(app, make_settings, path, piece):
    with https.browser(make_settings) as browser:
        browser.host = ELSEWHERE
        answer = browser.get(path, headers=piece)
        assert answer.status_code == 400
        assert ELSEWHERE not in answer.text + str(answer.headers)


def test_a_forwarded_host_is_not_believed(app, make_settings):
    with https.browser(make_settings) as browser:
        seen = []
        browser.application.view_functions["pages.faq"] = lambda: seen.append(request.host) or ""
        for claimed in (ELSEWHERE, "localhost"):
            assert browser.get("/faq", headers={"X-Forwarded-Host": claimed}).status_code == 200
        assert seen == ["hudson.example"] * 2


@pytest.mark.parametrize("host", ["hudson.example", "hudson.example:443", "127.0.0.1:5000", "localhost"])
def test_its_own_host_and_this_machine_are_answered(app, make_settings, host):
    with https.browser(make_settings) as browser:
        browser.host = host
        assert browser.get("/faq").status_code == 200
        assert browser.get("/healthz").status_code in {200, 503}


def test_without_an_address_of_its_own_every_host_is_answered(client):
    assert client.get("/faq", headers={"Host": "192.0.2.1:5000"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "kept"),
    [
        ("GET", "/faq", "no-cache"),
        ("HEAD", "/faq", "no-cache"),
        ("GET", "/nowhere", "no-store"),
        ("GET", "/admin/sign-in", "no-store"),
        ("GET", "/healthz", "no-store"),
        ("POST", URL, "no-store"),
    ],
)
def test_who_may_keep_an_answer(client, method, path, kept):
    assert kept in client.open(path, method=method).headers["Cache-Control"]


def test_public_pages_set_no_cookie(app, client):
    for url in urls(PUBLIC, "GET", app):
        if not url.startswith("/admin"):
            assert "Set-Cookie" not in client.get(url).headers, url


@pytest.mark.parametrize(("site_url", "name"), [("https://hudson.example", "__Host-session"), ("", "session")])
def test_the_session_cookie_is_for_this_site_and_no_script(app, make_settings, site_url, name):
    other = create_app(make_settings(site_url=site_url))
    [cookie] = other.test_client().get("/admin/sign-in").headers.getlist("Set-Cookie")
    assert cookie.startswith(f"{name}=")
    assert "HttpOnly" in cookie
    assert "SameSite=" in cookie
    assert ("Secure" in cookie) == bool(site_url)
    inbox.hang_up()
