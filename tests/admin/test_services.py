"""Staff see how each service is booked, and why."""

import html
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from hds.calcom.booker import Reason
from hds.config import BookerKind
from hds.extensions import db
from tests.bookings.conftest import sandbox_url, use_cal  # noqa: F401  (fixtures)
from tests.factories import ServiceFactory


@pytest.fixture
def page(signed_in: FlaskClient) -> Callable[[], str]:
    return lambda: html.unescape(signed_in.get("/admin/services").text)


@pytest.fixture
def cal_says(use_cal: Any, httpserver: HTTPServer) -> Callable[..., None]:  # noqa: F811
    """A Cal.com that answers with this event type, or this status."""

    def say(status: int = 200, *, booker: str = "native", cal_link: str = "hudson", **changed: Any) -> None:
        data = {"id": 1001, "slug": "strategy-consultation", "price": 0} | changed
        body = {"status": "success" if status == 200 else "error", "data": data}
        httpserver.expect_request("/v2/event-types/1001").respond_with_json(body, status)
        httpserver.expect_request("/v2/event-types").respond_with_json({"status": "success", "data": []})
        use_cal(
            httpserver.url_for("").rstrip("/"),
            booker=BookerKind(booker),
            cal_link=cal_link,
            cal_access_token=SecretStr("cal_x"),
        )

    return say


def test_each_service_says_its_booker_and_why(
    page: Any,
    use_cal: Any,  # noqa: F811
    sandbox_url: str,  # noqa: F811
    strategy: Any,
) -> None:
    ServiceFactory(slug="deep-dive", name="Deep Dive", cal_event_type_id=1002, cal_event_slug="deep-dive")
    use_cal(sandbox_url, booker=BookerKind.EMBED)
    shown = page()
    assert shown.count("Cal.com’s booker on our page</td>") == 2
    assert shown.count("Your setting BOOKER=embed</td>") == 2
    assert f"A link to Cal.com’s page. {Reason.PAID}" in shown
    assert f"{sandbox_url}/hudson/deep-dive" in shown
    strategy.booker = BookerKind.NATIVE
    db.session.commit()
    shown = page()
    assert "Your choice for this service alone: native</td>" in shown
    assert "Our own booker</td>" in shown


def test_a_link_that_is_wanted_says_so(page: Any, cal_says: Any, strategy: Any) -> None:
    cal_says(booker="link")
    assert "Your setting BOOKER=link</td>" in page()


CAUSES: dict[Reason, dict[str, Any]] = {
    Reason.TOO_OFTEN: {"status": 429},
    Reason.NOT_ALLOWED: {"status": 401},
    Reason.NOT_FOUND: {"status": 404},
    Reason.NO_ANSWER: {"status": 500},
    Reason.PAID: {"price": 150},
    Reason.SERIES: {"recurrence": {"frequency": "weekly", "interval": 1, "occurrences": 4}},
    Reason.INSTANT: {"isInstantEvent": True},
    Reason.SIGN_IN: {"bookingRequiresAuthentication": True},
    Reason.QUESTIONS: {"bookingFields": [{"slug": "city", "type": "signature", "required": True}]},
    Reason.NO_FRAME: {"booker": "embed", "cal_link": ""},
    Reason.NO_PAGE: {"price": 150, "cal_link": ""},
}


@pytest.mark.parametrize("reason", CAUSES, ids=lambda reason: reason.name)
def test_every_reason_is_said_in_the_owners_words(page: Any, cal_says: Any, strategy: Any, reason: Reason) -> None:
    cal_says(**CAUSES[reason])
    assert reason in page()


def test_a_service_that_cal_cannot_be_asked_about_says_what_is_missing(page: Any, cal_says: Any) -> None:
    ServiceFactory()
    cal_says()
    assert Reason.UNTOLD in page()
    assert {*CAUSES, Reason.UNTOLD} == set(Reason), "each reason has its test"


def test_without_cal_com_the_link_is_left(page: Any, use_cal: Any, strategy: Any) -> None:  # noqa: F811
    use_cal("http://127.0.0.1:9", booker=BookerKind.EMBED)
    shown = page()
    assert Reason.NO_ANSWER in shown
    assert "http://127.0.0.1:9/hudson/strategy-consultation" in shown
