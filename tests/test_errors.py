"""What goes wrong is said as a page to a browser, and to htmx as a message in the page's alert region."""

import socket

import pytest
from flask import abort
from sqlalchemy import text

from hds.app import create_app
from hds.errors import FORM_EXPIRED, WORDS
from hds.extensions import db
from hds.webhooks import inbox
from tests.conftest import ON_SERVERS, Client

PIECE = {"HX-Request": "true", "HX-Request-Type": "partial"}
TOO_LARGE = {"email": "x" * 300_000}


@pytest.fixture
def goes_wrong(app, monkeypatch):
    """Has the page with the questions do something else."""

    def with_function(function):
        monkeypatch.setitem(app.view_functions, "pages.faq", function)

    return with_function


def fault() -> str:
    raise ZeroDivisionError("priya@acme.example")


def test_a_missing_page_says_so_and_leads_on(client):
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert "There is no page here" in answer.text
    assert 'href="/' in answer.text


def test_a_wrong_address_in_the_admin_leads_back_to_the_bookings(signed_in):
    for path in ("/admin/nowhere", "/admin/bookings/99"):
        answer = signed_in.get(path)
        assert (answer.status_code, "Go to the bookings" in answer.text) == (404, True)
        assert "Book a consultation" not in answer.text
        assert "There is no page here" in signed_in.get(path, headers=PIECE).text
    assert "Go to the bookings" not in signed_in.get("/adminx").text


def test_a_fault_of_ours_says_nothing_of_its_cause(client, goes_wrong):
    goes_wrong(fault)
    answer = client.get("/faq")
    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.text
    assert "ZeroDivisionError" not in answer.text
    assert "priya" not in answer.text


@pytest.mark.parametrize("status", sorted(WORDS))
def test_each_status_has_its_words_as_a_page_and_as_a_piece(client, goes_wrong, status):
    goes_wrong(lambda: abort(status))
    title, advice = WORDS[status]
    page, piece = client.get("/faq"), client.get("/faq", headers=PIECE)
    for answer in (page, piece):
        assert answer.status_code == status
        assert title in answer.text
        assert advice in answer.text
        assert "HX-Request-Type" in answer.headers["Vary"]
        assert answer.headers["Cache-Control"] == "no-store"
    assert "<html" in page.text
    assert "HX-Retarget" not in page.headers
    assert "<html" not in piece.text
    assert (piece.headers["HX-Retarget"], piece.headers["HX-Reswap"]) == ("#alerts", "innerHTML")


@pytest.mark.parametrize("status", [406, 409, 410, 415, 418, 422, 502, 504])
def test_a_status_without_words_of_ours_is_said_as_well(client, goes_wrong, status):
    goes_wrong(lambda: abort(status))
    answer = client.get("/faq")
    assert answer.status_code == status
    assert "Go back and try another way." in answer.text


def test_every_page_has_the_region_that_messages_go_to(client):
    assert client.get("/").text.count('id="alerts"') == 1


def test_the_wrong_method_says_which_are_right(client):
    answer = client.post("/faq")
    assert answer.status_code in {400, 405}
    answer = client.put("/services")
    assert answer.status_code in {400, 405}
    assert client.get("/api/webhooks/cal").headers["Allow"].count("POST") == 1


def test_a_form_without_its_token_is_told_to_reload(client):
    for headers in ({}, PIECE):
        answer = client.post("/admin/sign-in", data={"email": "a@b.example", "password": "x"}, headers=headers)
        assert answer.status_code == 400
        assert FORM_EXPIRED[0] in answer.text
        assert ("HX-Retarget" in answer.headers) == bool(headers)


def test_a_form_with_another_sessions_token_is_told_to_reload(client, app):
    import re

    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/admin/sign-in").text)[1]
    stranger = app.test_client()
    stranger.get("/admin/sign-in")
    answer = stranger.post("/admin/sign-in", data={"email": "a@b.example", "password": "x", "csrf_token": token})
    assert (answer.status_code, FORM_EXPIRED[0] in answer.text) == (400, True)


def test_too_large_a_form_is_said_kindly(client):
    answer = client.post("/admin/sign-in", data=TOO_LARGE)
    assert answer.status_code == 413
    assert "Send less text" in answer.text


@pytest.mark.parametrize(
    "path", ["/%00", "/services/%00", "/%ff%fe", "/" + "a" * 5000, "/services/..%2f..%2fetc", "//evil.example"]
)
def test_odd_addresses_are_only_missing(client, path):
    assert client.get(path).status_code in {308, 400, 404}


@pytest.mark.parametrize(
    "path",
    ["/%00", "/services/%00", "/faq?q=%00", "/book-consultation?service=%00", "/admin/bookings?q=a%00b", "/faq?%00=x"],
)
@pytest.mark.parametrize("headers", [{}, PIECE], ids=["page", "piece"])
def test_nul_in_an_address_is_400_on_every_database_and_no_error(signed_in, capsys, path, headers):
    answer = signed_in.get(path, headers=headers)
    assert answer.status_code == 400
    assert WORDS[400][0] in answer.text
    assert "refused a value" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "header", ["HX-Request", "HX-Request-Type", "HX-Current-URL", "Referer", "Cookie", "Accept-Encoding"]
)
def test_odd_headers_harm_nobody(client, header):
    assert client.get("/faq", headers={header: "<script>" + "x" * 5000}).status_code == 200


# The database is away


@pytest.fixture
def elsewhere(make_settings, tmp_path):
    """A client of a site whose database does not answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = f"postgresql://root@127.0.0.1:{probe.getsockname()[1]}/hds"
    url = closed if ON_SERVERS else f"sqlite:///{tmp_path}/gone/hds.sqlite3"
    app = create_app(make_settings(database_url=url, hds_data=tmp_path))
    app.test_client_class = Client
    yield app.test_client()
    inbox.hang_up()


@pytest.mark.parametrize("headers", [{}, PIECE], ids=["page", "piece"])
def test_a_database_that_does_not_answer_is_503_and_a_page_all_the_same(elsewhere, headers):
    answer = elsewhere.get("/faq", headers=headers)
    assert answer.status_code == 503
    assert WORDS[503][0] in answer.text
    assert answer.headers["Retry-After"] == "30"


@pytest.mark.skipif(not ON_SERVERS, reason="SQLite has no server that could be restarted")
def test_a_server_that_restarts_in_the_middle_is_503_and_then_heals(client, goes_wrong, app):
    questions = app.view_functions["pages.faq"]

    def cut_off() -> str:
        db.session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return ""

    goes_wrong(cut_off)
    assert client.get("/faq").status_code == 503
    goes_wrong(questions)
    assert client.get("/faq").status_code == 200
