"""Light or dark, as somebody chose it: kept in a cookie, printed by the server."""

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from hds.lib import theme


def root(client: FlaskClient, path: str = "/") -> str:
    found = re.search(r"<html[^>]*>", client.get(path).text)
    assert found
    return found[0]


def test_without_a_choice_the_system_decides(client: FlaskClient) -> None:
    page = client.get("/")
    assert '<html lang="en">' in page.text
    assert '<meta name="color-scheme" content="light dark">' in page.text
    assert page.text.count('name="theme-color"') == 2
    assert "Set-Cookie" not in page.headers


@pytest.mark.parametrize("path", ["/", "/faq", "/nothing", "/admin/sign-in"])
def test_a_choice_is_printed_on_every_page(client: FlaskClient, path: str) -> None:
    client.post("/theme", data={"theme": "dark"})
    page = client.get(path).text
    assert '<html lang="en" data-theme="dark">' in page
    assert page.count('name="theme-color"') == 1
    assert 'value="dark" aria-pressed="true"' in page or path == "/admin/sign-in"


def test_a_choice_needs_no_token_and_lasts_a_year(client: FlaskClient) -> None:
    answer = client.post("/theme", data={"theme": "light", "back": "/faq"})
    assert (answer.status_code, answer.location) == (303, "/faq")
    cookie = answer.headers["Set-Cookie"]
    assert "Max-Age=31536000" in cookie
    assert "SameSite=Lax" in cookie
    assert "HttpOnly" in cookie
    assert "session" not in cookie


@pytest.mark.parametrize("word", ["system", "", "blue"])
def test_the_systems_choice_forgets_the_cookie(client: FlaskClient, word: str) -> None:
    client.post("/theme", data={"theme": "dark"})
    client.post("/theme", data={"theme": word})
    assert root(client) == '<html lang="en">'


def test_a_strange_cookie_is_no_choice(client: FlaskClient) -> None:
    client.set_cookie("theme", '"><script>')
    assert root(client) == '<html lang="en">'


def test_over_https_the_cookie_stays_there(app: Flask) -> None:
    with app.test_request_context():
        answer = app.response_class()
        theme.keep(answer, "dark", secure=True)
    assert "Secure" in answer.headers["Set-Cookie"]


def test_one_comes_back_to_the_page_with_its_query(client: FlaskClient) -> None:
    answer = client.post("/theme", data={"theme": "dark"}, headers={"Referer": "http://localhost/faq?q=free"})
    assert answer.location == "/faq?q=free"


@pytest.mark.parametrize(
    "back",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "/a b", "/\t/evil.example", "faq", "/theme", ""],
)
def test_one_is_never_sent_to_another_site(client: FlaskClient, back: str) -> None:
    answer = client.post("/theme", data={"theme": "dark", "back": back}, headers={"Referer": "http://evil.example/x"})
    assert answer.location == "/"
    twice = client.post("/theme", data={"theme": "dark"}, headers={"Referer": f"http://localhost/{back}"})
    assert twice.location.startswith("/")
    assert not twice.location.startswith(("//", "/\\"))


def test_htmx_stays_where_it_is(client: FlaskClient) -> None:
    answer = client.post("/theme", data={"theme": "dark"}, headers={"HX-Request": "true", "HX-Request-Type": "partial"})
    assert (answer.status_code, answer.data) == (204, b"")
    assert "theme=dark" in answer.headers["Set-Cookie"]


def test_the_browsers_frame_takes_the_papers_colours_from_the_theme(tmp_path: Path) -> None:
    file = tmp_path / "theme.css"
    file.write_text(":root { --paper: light-dark(#fff, rgb(1 2 3)); }")
    assert theme.papers(file) == {"light": "#fff", "dark": "rgb(1 2 3)"}
    file.write_text(":root { --paper: Canvas; }")
    assert theme.papers(file) == {}
