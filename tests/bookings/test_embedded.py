"""Cal.com's frame on our page: its shell, its headers, and what proves a booking."""

import json
import re
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import structlog
import time_machine
from flask.testing import FlaskClient
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from structlog.testing import LogCapture

from hds.bookings.embedded import LATE, Embedded, stage_of
from hds.bookings.free_times import FreeTime
from hds.bookings.handlers import apply
from hds.calcom.client import CalClient
from hds.config import BookerKind
from hds.extensions import db
from hds.lib import http
from hds.lib.times import iso_utc, parse_utc, utcnow
from hds.webhooks.models import InboxDelivery
from tests.bookings.visitor import HTMX
from tests.factories import in_days

BASE = "/book-consultation"
FREE, PAID = f"{BASE}/strategy-consultation", f"{BASE}/deep-dive"


@pytest.fixture
def framed(use_cal: Any, sandbox_url: str) -> CalClient:
    return use_cal(sandbox_url, booker=BookerKind.EMBED)


def attribute(page: str, name: str) -> str:
    return unescape(re.search(rf'data-{name}="([^"]*)"', page)[1])


def carried(page: str) -> dict[str, str]:
    return {key: value for key, [value] in parse_qs(urlsplit(attribute(page, "frame")).query).items()}


def test_the_shell_holds_the_frames_address_and_ways_that_need_no_script(
    client: FlaskClient, framed: Any, strategy: Any, free_times: Any, sandbox_url: str
) -> None:
    start = free_times()[0]
    db.session.add(FreeTime(service_id=strategy.id, start_at=parse_utc(start)))
    db.session.commit()
    page = client.get(f"{FREE}?zone=Europe/London").text
    assert attribute(page, "frame").startswith(f"{sandbox_url}/hudson/strategy-consultation/embed?")
    assert attribute(page, "origin") == sandbox_url
    said = carried(page)
    assert said["embed"] == attribute(page, "name")
    assert said["hds-reference"] == said["metadata[hds-reference]"]
    assert "<iframe" not in page
    links = [unescape(link) for link in re.findall(r'<a (?:[^>]* )?href="([^"]+)"[^>]* data-opens', page)]
    assert any(link.startswith(f"{FREE}/details?start=") for link in links)
    assert f"{FREE}?booker=native&zone=Europe/London" in links
    assert 'class="month"' in client.get(f"{FREE}?booker=native").text


def test_each_page_has_a_reference_of_its_own_and_is_kept_nowhere(
    client: FlaskClient, framed: Any, strategy: Any
) -> None:
    pages = [client.get(FREE) for _ in range(2)]
    assert len({carried(page.text)["hds-reference"] for page in pages}) == 2
    assert {page.headers["Cache-Control"] for page in pages} == {"no-store"}


def test_only_pages_that_may_show_the_frame_allow_it(
    client: FlaskClient, framed: Any, strategy: Any, sandbox_url: str
) -> None:
    for path in (BASE, FREE):
        answer = client.get(path)
        assert answer.headers["Content-Security-Policy"].endswith(f"; frame-src {sandbox_url}")
        assert f'payment=(self "{sandbox_url}")' in answer.headers["Permissions-Policy"]
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin-allow-popups"
    for path in (f"{FREE}?booker=native", "/", "/services"):
        assert "frame-src" not in client.get(path).headers["Content-Security-Policy"]


def test_our_own_steps_stay_our_own(client: FlaskClient, framed: Any, strategy: Any, free_times: Any) -> None:
    page = client.get(f"{FREE}?booker=native&zone=UTC").text
    assert 'name="booker" value="native"' in page
    months = re.findall(r'href="([^"]+month=[^"]+)"', page)
    assert months
    assert all("booker=native" in link for link in months)
    form = client.get(f"{FREE}/details?start={free_times()[0]}&zone=UTC")
    assert form.status_code == 200
    assert "booker=native" in form.text
    assert client.get(f"{FREE}/times?booker=native", headers=HTMX).status_code == 200


def test_a_paid_one_is_framed_and_its_links_lead_to_cal(
    client: FlaskClient, framed: Any, deep_dive: Any, sandbox_url: str
) -> None:
    start = in_days(9).replace(hour=20)  # the next day in Tokyo
    db.session.add(FreeTime(service_id=deep_dive.id, start_at=start))
    db.session.commit()
    assert f'href="{PAID}/elsewhere"' in client.get(f"{PAID}?booker=native").text
    page = client.get(f"{PAID}?zone=Asia/Tokyo").text
    assert f'id="way-out" href="{PAID}/elsewhere"' in page
    time = unescape(re.search(r'href="([^"]+elsewhere\?[^"]+)"', page)[1])
    onward = urlsplit(client.get(time).location)
    assert f"{onward.scheme}://{onward.netloc}{onward.path}" == f"{sandbox_url}/hudson/deep-dive"
    asked = {key: value for key, [value] in parse_qs(onward.query).items() if "visit" not in key}
    day = start + timedelta(days=1)
    assert asked == {"month": f"{day:%Y-%m}", "date": f"{day:%Y-%m-%d}", "slot": iso_utc(start)}


def deliver(payloads: Any, name: str, *, metadata: dict[str, str], responses: dict[str, Any]) -> None:
    body = json.loads((payloads / name).read_text())
    payload = body["payload"]
    payload["metadata"] = metadata
    payload["responses"] = payload.get("responses", {}) | responses
    delivery = InboxDelivery(sender="cal", digest=name.ljust(64)[:64], body=json.dumps(body).encode(), headers={})
    db.session.add(delivery)
    apply(delivery)
    db.session.commit()


@pytest.mark.parametrize("way", ["metadata", "hidden field"])
def test_only_a_webhook_with_the_pages_reference_proves_a_booking(
    client: FlaskClient, framed: Any, strategy: Any, payloads: Any, way: str
) -> None:
    page = client.get(FREE).text
    receipt, reference = attribute(page, "receipt"), carried(page)["hds-reference"]
    waiting = client.get(receipt)
    assert "Almost there" in waiting.text
    assert "You are booked" not in waiting.text
    assert f'hx-get="{receipt}?look=1"' in waiting.text
    assert waiting.headers["Cache-Control"] == "no-store"
    hidden = {"hds-reference": {"label": "hds-reference", "value": reference, "isHidden": True}}
    deliver(
        payloads,
        "booking_created.v2021-10-20.json",
        metadata={"hds-reference": reference} if way == "metadata" else {},
        responses=hidden if way == "hidden field" else {},
    )
    done = client.get(receipt).text
    assert "You are booked" in done
    assert "hx-trigger" not in done
    other = attribute(client.get(FREE).text, "receipt")
    assert "Almost there" in client.get(other).text


def test_who_waits_long_is_told_so_and_the_page_rests_at_last(client: FlaskClient, framed: Any, strategy: Any) -> None:
    receipt = attribute(client.get(FREE).text, "receipt")
    assert "It takes longer than it should" in client.get(f"{receipt}?look=30").text
    assert "hx-trigger" not in client.get(f"{receipt}?look=60").text
    assert client.get(f"{receipt}?look=x").status_code == 200


def told_of(page: str) -> str:
    return attribute(page, "news")


@pytest.fixture
def book_in_frame(sandbox_url: str, free_times: Any) -> Any:
    """What the frame of a page does, at a Cal.com whose webhooks do not come: the uid that it then names."""

    def book(page: str, event_type: int = 1001, **changed: str) -> str:
        frame = urlsplit(attribute(page, "frame"))
        known = carried(page) | {"slot": free_times(event_type)[0], "cal.tz": "Europe/London"} | changed
        typed = {"name": "Priya Natarajan", "email": "priya@acme.example"}
        target = f"{sandbox_url}{frame.path.removesuffix('/embed')}"
        booked = requests.post(target, data=known | typed, timeout=5)
        return str(json.loads(attribute(booked.text, "booked"))["uid"])

    return book


def test_where_the_webhook_is_late_cal_is_asked_for_what_the_frame_named(
    client: FlaskClient, framed: Any, strategy: Any, book_in_frame: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = LogCapture()
    monkeypatch.setattr(http, "log", structlog.wrap_logger(structlog.PrintLogger(), processors=[lines]))
    page = client.get(FREE).text
    receipt, uid = attribute(page, "receipt"), book_in_frame(page)
    assert client.post(told_of(page), data={"uid": uid}).status_code == 204
    assert "Almost there" in client.get(f"{receipt}?look=4").text
    done = client.get(f"{receipt}?look=5", headers=HTMX)
    assert "You are booked" in done.text
    assert "(London)" in done.text
    assert "hx-trigger" not in done.text
    assert lines.entries[-1]["path"] == "/bookings/…"
    assert uid not in done.text + repr(done.headers) + repr(lines.entries)


def test_who_looks_by_hand_has_cal_asked_once_the_webhook_is_late(
    client: FlaskClient, framed: Any, strategy: Any, book_in_frame: Any
) -> None:
    page = client.get(FREE).text
    receipt, uid = attribute(page, "receipt"), book_in_frame(page)
    with time_machine.travel(utcnow(), tick=False) as clock:
        client.post(told_of(page), data={"uid": uid})
        assert "Almost there" in client.get(receipt).text
        clock.shift(LATE + timedelta(seconds=1))
        assert "You are booked" in client.get(receipt).text


def test_of_a_paid_one_the_api_cannot_say_that_it_is_paid(
    client: FlaskClient, framed: Any, deep_dive: Any, book_in_frame: Any
) -> None:
    page = client.get(PAID).text
    uid = book_in_frame(page, 1002)
    client.post(told_of(page), data={"uid": uid})
    assert "Your time waits for the payment" in client.get(f"{attribute(page, 'receipt')}?look=5").text


def test_who_goes_back_reads_that_their_time_waits_for_its_payment(
    client: FlaskClient, framed: Any, strategy: Any, deep_dive: Any, payloads: Any, free_times: Any
) -> None:
    page = client.get(PAID).text
    receipt, brought = attribute(page, "receipt"), {"hds-reference": carried(page)["hds-reference"]}
    start = free_times(1002)[0]
    assert client.post(told_of(page), data={"uid": "x" * 22, "start": start, "zone": "Asia/Tokyo"}).status_code == 204
    soon = client.get(PAID)
    [link] = re.findall(r'You have chosen a time already. <a href="([^"]+)">See what became of it</a>', soon.text)
    for address in (link, receipt):
        assert "Almost there" in client.get(address).text
        assert "<dt>When</dt>" in client.get(address).text
        assert "(Tokyo)" in client.get(address).text
    deliver(payloads, "booking_payment_initiated.v2021-10-20.json", metadata=brought, responses={})
    for address in (PAID, f"{PAID}?zone=Europe/London"):
        again = client.get(address)
        [link] = re.findall(r'and it waits for its payment. <a href="([^"]+)">See how to pay</a>', again.text)
        assert "Your time waits for the payment" in client.get(link).text
        assert again.headers["Cache-Control"] == "no-store"
    assert "You have chosen a time" not in client.get(FREE).text
    assert "open the mail that Cal.com sent you" in client.get(receipt).text
    deliver(payloads, "booking_paid.v2021-10-20.json", metadata={}, responses={})
    deliver(payloads, "booking_created.v2021-10-20.json", metadata={}, responses={})
    assert "You have chosen a time" not in client.get(PAID).text


@pytest.mark.parametrize("start", ["", "tomorrow", "2026-12-03T10:00:00", "9" * 400])
def test_what_a_frame_says_of_its_time_need_not_be_one(
    client: FlaskClient, framed: Any, strategy: Any, start: str
) -> None:
    page = client.get(FREE).text
    assert client.post(told_of(page), data={"uid": "x" * 22, "start": start, "zone": start}).status_code == 204
    waiting = client.get(attribute(page, "receipt")).text
    assert "Almost there" in waiting
    assert "<dt>When</dt>" not in waiting


def test_the_steps_end_where_it_is_booked_and_what_is_off_promises_nothing(
    client: FlaskClient, framed: Any, deep_dive: Any, payloads: Any
) -> None:
    page = client.get(PAID).text
    receipt, brought = attribute(page, "receipt"), {"hds-reference": carried(page)["hds-reference"]}
    assert '<li aria-current="step">Details' in client.get(receipt).text
    deliver(payloads, "booking_payment_initiated.v2021-10-20.json", metadata=brought, responses={})
    waiting = client.get(receipt).text
    assert '<li aria-current="step">Details' in waiting
    deliver(payloads, "booking_cancelled.v2021-10-20.json", metadata={}, responses={})
    off = client.get(receipt).text
    assert "This booking is cancelled" in off
    for words in ("we sent you", "not paid yet", "the link comes by mail", 'class="steps"', "$"):
        assert words not in off, words


@pytest.mark.parametrize("word", ["another's", "../me", "", None])
def test_a_frame_that_names_anothers_booking_is_not_believed(
    client: FlaskClient, framed: Any, strategy: Any, book_in_frame: Any, word: str | None
) -> None:
    page, others = client.get(FREE).text, client.get(FREE).text
    uid = book_in_frame(others) if word == "another's" else word
    client.post(told_of(page), data={} if uid is None else {"uid": uid})
    assert "Almost there" in client.get(f"{attribute(page, 'receipt')}?look=5").text


def test_a_uid_belongs_to_the_page_whose_frame_named_it(
    client: FlaskClient, framed: Any, strategy: Any, book_in_frame: Any
) -> None:
    page, later = client.get(FREE).text, client.get(FREE).text
    client.post(told_of(page), data={"uid": book_in_frame(page)})
    assert "Almost there" in client.get(f"{attribute(later, 'receipt')}?look=5").text


def test_a_cal_that_does_not_answer_leaves_the_page_waiting(
    client: FlaskClient, framed: Any, strategy: Any, use_cal: Any, book_in_frame: Any
) -> None:
    page = client.get(FREE).text
    client.post(told_of(page), data={"uid": book_in_frame(page)})
    use_cal("http://127.0.0.1:1", booker=BookerKind.EMBED)
    answer = client.get(f"{attribute(page, 'receipt')}?look=5")
    assert answer.status_code == 200
    assert "Almost there" in answer.text


@pytest.mark.usefixtures("still")
def test_beside_the_frame_it_looks_until_there_is_news(
    client: FlaskClient, framed: Any, strategy: Any, payloads: Any
) -> None:
    page = client.get(FREE).text
    news, receipt, reference = told_of(page), attribute(page, "receipt"), carried(page)["hds-reference"]
    assert f'hx-get="{news}?look=1" hx-trigger="told"' in page
    waiting = client.get(f"{news}?look=1", headers=HTMX)
    assert f'hx-get="{news}?look=2" hx-trigger="every' in waiting.text
    assert "HX-Retarget" not in waiting.headers
    rests = client.get(f"{news}?look=150", headers=HTMX).text
    assert "hx-get" not in rests
    assert f'href="{receipt}"' in rests
    deliver(payloads, "booking_created.v2021-10-20.json", metadata={"hds-reference": reference}, responses={})
    there = client.get(f"{news}?look=2", headers=HTMX)
    assert "You are booked" in there.text
    assert (there.headers["HX-Retarget"], there.headers["HX-Push-Url"]) == ("#booking", receipt)
    assert {answer.headers["Cache-Control"] for answer in (waiting, there)} == {"no-store"}


def test_a_payment_that_arrived_is_not_yet_a_request_to_the_host(
    client: FlaskClient, framed: Any, deep_dive: Any, payloads: Any
) -> None:
    """What follows it says whether the host is asked, or it is confirmed at once."""
    page = client.get(PAID).text
    receipt, brought = attribute(page, "receipt"), {"hds-reference": carried(page)["hds-reference"]}
    deliver(payloads, "booking_payment_initiated.v2021-10-20.json", metadata=brought, responses={})
    assert "Your time waits for the payment" in client.get(receipt).text
    deliver(payloads, "booking_paid.v2021-10-20.json", metadata={}, responses={})
    paid = client.get(receipt).text
    assert "Almost there" in paid
    assert "hx-trigger" in paid
    deliver(payloads, "booking_created.v2021-10-20.json", metadata={}, responses={})
    assert "You are booked" in client.get(receipt).text


@pytest.mark.usefixtures("still")
def test_the_news_alone_are_no_page(client: FlaskClient, framed: Any, strategy: Any, deep_dive: Any) -> None:
    page = client.get(FREE).text
    news = told_of(page)
    assert client.get(news).headers["Location"] == attribute(page, "receipt")
    for wrong in (news.replace("strategy-consultation", "deep-dive"), news.replace("/news", "x/news")):
        assert client.get(wrong, headers=HTMX).status_code == 404
        assert client.post(wrong, data={"uid": "x" * 22}).status_code == 404


@pytest.fixture
def subdomain(use_cal: Any, httpserver: HTTPServer) -> str:
    """Cal.com with a key and no CAL_LINK: an event type of an organisation, whose pages have a host of their own."""
    url = "https://acme.cal.example/hudson/strategy-consultation"
    kind = {"id": 1001, "slug": "strategy-consultation", "title": "x", "lengthInMinutes": 30, "bookingUrl": url}
    httpserver.expect_request("/v2/event-types/1001").respond_with_json({"status": "success", "data": kind})
    key = SecretStr("cal_test_x")
    use_cal(httpserver.url_for("").rstrip("/"), booker=BookerKind.EMBED, cal_link="", cal_access_token=key)
    return "https://acme.cal.example"


def test_a_frame_of_another_origin_has_a_page_loaded_that_allows_it(
    client: FlaskClient, subdomain: str, strategy: Any
) -> None:
    page = client.get(FREE)
    assert attribute(page.text, "frame").startswith(f"{subdomain}/hudson/strategy-consultation/embed?")
    assert page.headers["Content-Security-Policy"].endswith(f"; frame-src {subdomain}")
    swapped = client.get(f"{FREE}?zone=Europe/London", headers=HTMX)
    assert (swapped.status_code, swapped.headers["HX-Redirect"]) == (204, f"{FREE}?zone=Europe/London")


def test_a_frame_of_the_first_pages_origin_is_swapped_into_it(client: FlaskClient, framed: Any, strategy: Any) -> None:
    swapped = client.get(FREE, headers=HTMX)
    assert swapped.status_code == 200
    assert "data-frame" in swapped.text


def test_a_page_that_stayed_the_same_still_allows_the_frame(
    client: FlaskClient, framed: Any, strategy: Any, sandbox_url: str
) -> None:
    """A browser puts the headers of a 304 over those that it keeps."""
    first = client.get(BASE)
    again = client.get(BASE, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.headers["Content-Security-Policy"].endswith(f"; frame-src {sandbox_url}")


def test_a_receipt_is_signed_for_its_service(client: FlaskClient, framed: Any, strategy: Any, deep_dive: Any) -> None:
    receipt = attribute(client.get(FREE).text, "receipt")
    assert client.get(receipt.replace("strategy-consultation", "deep-dive")).status_code == 404
    assert client.get(receipt[:-3] + "xyz").status_code == 404


def test_nothing_is_known_of_a_reference_that_nobody_brought(app: Any) -> None:
    page = Embedded("strategy-consultation", "r" * 22, utcnow())
    assert Embedded.read(page.token) is not None
    assert stage_of(page.booking) == "waiting"
