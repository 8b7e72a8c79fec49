"""How long a page waits for Cal.com, and what it says when it may not ask."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from hds.bookings.models import AttemptState, BookingAttempt
from hds.calcom.client import CalClient
from hds.config import BookerKind
from hds.extensions import db
from hds.lib import http
from tests.bookings.visitor import HTMX, Visitor

PAGE = "/book-consultation/strategy-consultation"


@pytest.fixture
def slow_first(httpserver: HTTPServer, sandbox_url: str) -> HTTPServer:
    """A Cal.com whose first answer takes nearly a page's whole time."""
    waits = [http.PAGE_SECONDS - 0.4]

    def answer(request: Request) -> Response:
        time.sleep(waits.pop() if waits else 0)
        headers = {name: value for name, value in request.headers.items() if name != "Host"}
        told = requests.get(sandbox_url + request.full_path, headers=headers, timeout=5)
        return Response(told.content, told.status_code, content_type=told.headers["Content-Type"])

    httpserver.expect_request(re.compile(".*")).respond_with_handler(answer)
    return httpserver


def paths(server: HTTPServer) -> list[str]:
    return [request.path for request, _ in server.log]


def test_one_page_waits_once_for_all_that_it_asks(
    use_cal: Callable[..., CalClient], slow_first: HTTPServer, client: FlaskClient, strategy: Any
) -> None:
    use_cal(slow_first.url_for("").rstrip("/"), seconds=5.0, booker=BookerKind.NATIVE)
    page = client.get(PAGE)
    assert page.status_code == 200
    assert "Our calendar does not answer" in page.text
    assert paths(slow_first) == ["/v2/event-types/1001"], "there was no time left for the slots"
    assert 'class="month"' in client.get(PAGE).text
    assert "/v2/slots" in paths(slow_first)


def test_when_many_ask_a_page_says_so_and_how_else_to_book(
    use_cal: Callable[..., CalClient], sandbox_url: str, client: FlaskClient, strategy: Any
) -> None:
    cal = use_cal(sandbox_url, booker=BookerKind.NATIVE)
    cal._outbound = http.Outbound("cal.com", has_room=lambda: False)
    page = client.get(PAGE)
    assert page.status_code == 200
    for words in ("Many people look at our calendar right now", "again in a minute", "mailto:owner@hudson.example"):
        assert words in page.text
    assert 'href="/book-consultation/strategy-consultation/elsewhere"' in page.text
    assert client.get(f"{PAGE}/times", headers=HTMX).headers["HX-Redirect"]


def test_a_booking_that_may_not_be_asked_for_keeps_what_was_typed(
    cal: CalClient, visit: Callable[..., Visitor], free_times: Callable[..., list[str]]
) -> None:
    visitor = visit(free_times()[7])
    cal._slots.clear()
    cal._outbound = http.Outbound("cal.com", has_room=lambda: False)
    answer = visitor.send(notes="All of this.")
    assert answer.status_code == 503
    assert "Nothing is booked yet" in answer.text
    assert "All of this." in answer.text
    db.session.rollback()
    assert not db.session.scalars(db.select(BookingAttempt).filter_by(state=AttemptState.BOOKED)).unique().all()
