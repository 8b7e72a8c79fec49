"""The pages of the attendee and of the host, as a browser without JavaScript uses them."""

from __future__ import annotations

import re

import html5lib
import pytest
import requests
import time_machine

from .conftest import DEEP_DIVE, INTRO, MONDAY_ELEVEN, MONDAY_TEN, TUESDAY_TEN, Receiver, Sandbox

DETAILS = {"slot": MONDAY_TEN, "cal.tz": "Europe/Berlin", "name": "Priya Natarajan", "email": "priya@acme.example"}
STRATEGY = "/hudson/strategy-consultation"


def assert_page(answer: requests.Response, status: int, *words: str) -> str:
    """Parses strictly; has a title, a language, one h1, unique ids, a label for each control, a strict policy."""
    assert answer.status_code == status, answer.text
    document = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(answer.text)
    assert document.get("lang") == "en"
    title = document.find(".//title")
    assert title is not None
    assert "Sandbox" in (title.text or "")
    assert len(document.findall(".//h1")) == 1
    ids = [element.get("id") for element in document.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    labels = {label.get("for") for label in document.findall(".//label")}
    for name in ("input", "select", "textarea"):
        for control in document.findall(f".//{name}"):
            if control.get("type") not in ("hidden", "radio"):
                assert control.get("id") in labels, control.attrib
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert "unsafe" not in policy
    assert "<script" not in answer.text
    assert "style=" not in answer.text
    for word in words:
        assert word in answer.text, word
    return answer.text


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/", "A Cal.com to try things with"),
        ("/hudson", "Deep Dive Technical Consultation"),
        (STRATEGY, "Monday 23 November"),
        (f"{STRATEGY}?month=2026-12&cal.tz=Asia/Tokyo", "December 2026"),
        (f"{STRATEGY}?date=2026-11-23", "09:30"),
        (f"{STRATEGY}?date=2026-11-28", "Nothing is free on this day"),
        (f"{STRATEGY}?month=nonsense&date=x&cal.tz=Mars", "November 2026"),
        (f"{STRATEGY}?month=1999-01", "November 2026"),
        (f"{STRATEGY}?slot={MONDAY_TEN}", "What would you like to talk about?"),
        ("/host", "There are none yet."),
        ("/host?said=pinged", "A test message is on its way."),
    ],
)
def test_page_is_sound(sandbox: Sandbox, path: str, words: str) -> None:
    assert_page(sandbox.page(path), 200, words, "a local stand-in for Cal.com")


@pytest.mark.parametrize(
    "path", ["/nothing", "/hudson/nothing", "/booking/nobody", "/payment/nothing", "/video/nobody"]
)
def test_wrong_addresses_answer_with_a_sentence(sandbox: Sandbox, path: str) -> None:
    assert_page(sandbox.page(path), 404, "That did not work")


def test_month_that_is_over_points_to_the_next_free_day(sandbox: Sandbox, clock: time_machine.Traveller) -> None:
    clock.move_to("2026-11-30T22:00:00Z")
    assert_page(sandbox.page(STRATEGY), 200, "Nothing is free in November", "The next free day is Tuesday 1 December")


def test_link_fills_the_form_and_carries_metadata_through(sandbox: Sandbox) -> None:
    link = f"{STRATEGY}?name=Priya&email=p@x.example&notes=Hello&topic=Pages&metadata[site_ref]=q_7"
    carried = assert_page(sandbox.page(f"{link}&date=2026-11-23"), 200)
    assert "metadata%5Bsite_ref%5D=q_7" in carried
    assert "name=Priya" in carried
    page = assert_page(sandbox.page(f"{link}&slot={MONDAY_TEN}&cal.tz=Europe/Berlin"), 200)
    for value in ('value="Priya"', 'value="p@x.example"', ">Hello<", ">Pages<", "16:00 (Berlin)"):
        assert value in page
    assert '<input type="hidden" name="metadata[site_ref]" value="q_7">' in page


def test_what_a_link_brings_is_escaped(sandbox: Sandbox) -> None:
    attack = '"><script>alert(1)</script>'
    query = {"name": attack, "metadata[x]": attack, "date": "2026-11-23", attack: attack}
    assert_page(sandbox.page(STRATEGY, params=query), 200)
    assert_page(sandbox.page(STRATEGY, params=query | {"slot": MONDAY_TEN}), 200)


def test_booking_page_books(posting: Sandbox, receiver: Receiver) -> None:
    form = DETAILS | {"metadata[site_ref]": "q_7", "topic": "Pages", "guests": "lee@acme.example, kim@acme.example"}
    page = posting.post(STRATEGY, form)
    assert_page(page, 200, "Your booking is confirmed", "Monday 23 November, 16:00 (Berlin)", "10:00 (New York)")
    payload = receiver.wait_for(1)[0]["payload"]
    assert payload["metadata"]["site_ref"] == "q_7"
    assert payload["responses"]["topic"]["value"] == "Pages"
    assert payload["responses"]["guests"]["value"] == ["lee@acme.example", "kim@acme.example"]
    assert page.url.endswith(f"/booking/{payload['uid']}")
    assert_page(posting.page(f"/video/{payload['uid']}"), 200, "The meeting would be here")


def test_booking_page_takes_a_phone(sandbox: Sandbox) -> None:
    page = sandbox.post(STRATEGY, DETAILS | {"where": "phone", "phone": "+1 (202) 555-0123"})
    assert_page(page, 200, "By phone, +12025550123")


def test_wrong_details_keep_what_was_typed(sandbox: Sandbox) -> None:
    form = DETAILS | {"name": " ", "email": "priya@", "notes": "Kept", "where": "phone", "phone": "1", "guests": "x"}
    page = sandbox.post(STRATEGY, form)
    text = assert_page(page, 422, "<title>Error: ", "Enter your name.", 'value="priya@"', ">Kept<")
    assert text.count('aria-invalid="true"') == 4
    assert sandbox.desk.bookings() == []


def test_slot_taken_meanwhile_is_said_kindly(sandbox: Sandbox) -> None:
    sandbox.booked()
    page = sandbox.post(STRATEGY, DETAILS | {"notes": "Kept"})
    assert_page(page, 422, "That time is no longer free.", ">Kept<", "Choose another time")


def test_paid_type_asks_for_the_payment(posting: Sandbox, receiver: Receiver) -> None:
    page = posting.post("/hudson/deep-dive", DETAILS)
    assert_page(page, 200, "Pay 150.00 USD", "Do not pay now")
    (booking,) = posting.desk.bookings()
    assert_page(posting.page(f"/booking/{booking.uid}"), 200, "Your booking awaits its payment", "Pay 150.00 USD")
    assert_page(posting.post(f"/payment/{booking.payment_uid}"), 200, "Your booking awaits the host", ", paid")
    assert_page(posting.post(f"/payment/{booking.payment_uid}"), 400, "no longer open")
    assert "awaits the host" in posting.page(f"/payment/{booking.payment_uid}").text
    receiver.wait_for(3)
    assert receiver.triggers() == ["BOOKING_PAYMENT_INITIATED", "BOOKING_PAID", "BOOKING_REQUESTED"]


def test_attendee_moves_and_cancels(posting: Sandbox, receiver: Receiver) -> None:
    uid = posting.booked()["uid"]
    assert_page(posting.page(f"/reschedule/{uid}"), 200, "Move it", "Cancel it")
    moved = posting.post(f"/booking/{uid}/move", {"slot": TUESDAY_TEN, "reason": "Clash"})
    assert_page(moved, 200, "Tuesday 24 November")
    assert_page(posting.page(f"/booking/{uid}"), 200, "This booking has moved", "See where it moved to")
    cancelled = posting.post(moved.url.removeprefix(posting.address) + "/cancellation", {"reason": "No time"})
    assert_page(cancelled, 200, "This booking is cancelled", "No time")
    assert_page(posting.post(f"/booking/{uid}/cancellation"), 400, "already cancelled")
    assert_page(posting.post(f"/booking/{uid}/move", {"slot": "x"}), 400, "Choose a time")
    receiver.wait_for(3)
    assert receiver.triggers() == ["BOOKING_CREATED", "BOOKING_RESCHEDULED", "BOOKING_CANCELLED"]


def test_who_was_asked_for_another_time_picks_one_by_the_link_of_the_mail(posting: Sandbox, receiver: Receiver) -> None:
    uid = posting.booked(event=DEEP_DIVE)["uid"]
    pay = re.search(r'href="[^"]*(/payment/[^"]+)"', posting.page(f"/booking/{uid}").text)
    assert pay
    posting.post(pay[1])
    assert_page(posting.post(f"/host/bookings/{uid}/wish", {"reason": "Ill"}), 200)
    assert "Move it" not in posting.page(f"/reschedule/{uid}").text
    asked = f"/reschedule/{uid}?allowRescheduleForCancelledBooking=true"
    assert_page(posting.page(asked), 200, "Move it", "Please reschedule.")
    moved = posting.post(f"/booking/{uid}/move", {"slot": TUESDAY_TEN})
    assert_page(moved, 200, "Your booking awaits the host", "Tuesday 24 November", ", paid")
    assert_page(posting.post(f"/booking/{uid}/move", {"slot": TUESDAY_TEN}), 400)
    body = receiver.wait_for(5)[-1]
    assert (body["triggerEvent"], body["payload"]["rescheduleUid"]) == ("BOOKING_REQUESTED", uid)


# --- the host --------------------------------------------------------------------------------------------


def test_host_decides_moves_and_cancels(posting: Sandbox, receiver: Receiver) -> None:
    first, second = posting.booked(event=INTRO)["uid"], posting.booked(MONDAY_ELEVEN, INTRO)["uid"]
    assert_page(posting.page("/host"), 200, "Waits for your answer", "Accept", "Decline")
    assert_page(posting.post(f"/host/bookings/{first}/acceptance"), 200, "The booking is accepted.")
    declined = posting.post(f"/host/bookings/{second}/decline", {"reason": "Full"})
    assert_page(declined, 200, "The booking is declined.")
    moved = posting.post(f"/host/bookings/{first}/move", {"slot": TUESDAY_TEN})
    assert_page(moved, 200, "The booking has moved")
    uid = posting.read(first)["rescheduledToUid"]
    assert_page(posting.post(f"/host/bookings/{uid}/cancellation", {"reason": "Ill"}), 200, "The booking is cancelled.")
    bodies = receiver.wait_for(6)
    assert receiver.triggers()[2:] == [
        "BOOKING_CREATED",
        "BOOKING_REJECTED",
        "BOOKING_RESCHEDULED",
        "BOOKING_CANCELLED",
    ]
    assert bodies[4]["payload"]["rescheduledBy"] == bodies[5]["payload"]["cancelledBy"] == "owner@hudson.example"


def test_host_plays_the_meeting(posting: Sandbox, receiver: Receiver) -> None:
    uid = posting.booked()["uid"]
    for action, form in (("start", {}), ("end", {}), ("absence", {"absent": "yes"}), ("absence", {"absent": "no"})):
        assert_page(posting.post(f"/host/bookings/{uid}/{action}", form), 200)
    receiver.wait_for(5)
    assert sorted(receiver.triggers()) == [
        "BOOKING_CREATED",
        "BOOKING_NO_SHOW_UPDATED",
        "BOOKING_NO_SHOW_UPDATED",
        "MEETING_ENDED",
        "MEETING_STARTED",
    ]
    assert_page(posting.page("/host"), 200, "started", "ended", "delivered")


def test_what_the_host_cannot_do_is_said(sandbox: Sandbox) -> None:
    unpaid = sandbox.booked(event=DEEP_DIVE)["uid"]
    assert_page(sandbox.post(f"/host/bookings/{unpaid}/acceptance"), 400, "has not been paid yet")
    assert_page(sandbox.post(f"/host/bookings/{unpaid}/end"), 400, "Only an accepted booking")
    assert_page(sandbox.post("/host/bookings/nobody/end"), 404, "There is no booking")


@pytest.mark.parametrize("path", ["/host/ping", STRATEGY])
def test_forms_of_other_sites_are_refused(sandbox: Sandbox, path: str) -> None:
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Referer": "https://evil.example/x"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert_page(sandbox.post(path, DETAILS, headers=headers), 403, "own pages")
    assert sandbox.desk.bookings() == []
    assert sandbox.post(path, DETAILS, headers={"Origin": sandbox.address}).status_code == 200


def test_state_changes_by_post_only(sandbox: Sandbox) -> None:
    uid = sandbox.booked()["uid"]
    for path in (f"/booking/{uid}/cancellation", f"/host/bookings/{uid}/end", "/host/ping"):
        assert_page(sandbox.page(path), 405)
    assert sandbox.read(uid)["status"] == "accepted"


def test_host_page_cannot_be_framed(sandbox: Sandbox) -> None:
    assert "frame-ancestors 'none'" in sandbox.page("/host").headers["Content-Security-Policy"]
    assert "frame-ancestors" not in sandbox.page("/hudson").headers["Content-Security-Policy"]


def test_something_broken_is_a_sentence_not_a_traceback(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(sandbox.desk, "bookings", break_down)
    page = sandbox.page("/host")
    assert_page(page, 500, "Something broke in the sandbox.")
    assert "secret detail" not in page.text
    answer = sandbox.api("GET", "/bookings", "2024-08-13", key=True)
    assert (answer.status_code, answer.json()) == (500, {"statusCode": 500, "message": "Internal server error"})
