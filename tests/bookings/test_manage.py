"""Somebody's own booking by the links of their mail: to see, to move and to cancel it, at a real sandbox."""

import json
import re
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import structlog
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from pytest_httpserver import HTTPServer
from structlog.testing import LogCapture
from werkzeug import Request, Response

from hds.bookings import booker, links, reconcile
from hds.bookings.acts import BookingAct
from hds.bookings.chain import BookingStatus, FactKind, FactSource, Person
from hds.bookings.links import Link, Purpose
from hds.bookings.models import Booking, BookingAttempt
from hds.bookings.reconciliation import CHANGES, Reconciliation
from hds.bookings.theirs import Bar, bar_of_type
from hds.bookings.views import DONE
from hds.calcom.answers import EventType
from hds.calcom.client import CalClient, Target
from hds.calcom.client import Person as CalPerson
from hds.calcom.errors import BookingUnknown
from hds.extensions import db, limiter
from hds.lib import limits, logs, tokens
from hds.lib.times import iso_utc, say_moment, utcnow
from tests.bookings.conftest import sitting
from tests.bookings.visitor import HTMX, Visitor
from tests.factories import fact, in_days, make_booking
from tests.test_limits import somewhere

EMAIL = "priya@acme.example"
UTC_ZONE = ZoneInfo("UTC")
BOOKING = int(limits.BOOKING.split()[0])
START = in_days(6)


def path(booking: Booking, purpose: Purpose = Purpose.SEE, email: str = EMAIL) -> str:
    [contact] = [person.contact for person in booking.people if person.contact.email == email]
    ends = {Purpose.SEE: "", Purpose.MOVE: "/move", Purpose.CANCEL: "/cancellation"}
    return f"/bookings/{Link(booking.id, contact.id).token(purpose)}{ends[purpose]}"


@pytest.fixture
def book(cal: CalClient, strategy: Any, free_times: Callable[..., list[str]]) -> Callable[..., Booking]:
    """Booked at the sandbox, and known here from its answer."""

    def make(event_type: int = 1001, nth: int = 0, email: str = EMAIL) -> Booking:
        start = datetime.fromisoformat(free_times(event_type)[nth])
        answer = cal.create_booking(Target(event_type), start, CalPerson("Priya Natarajan", email, "Asia/Kolkata"))
        reconcile.take_word(answer)
        db.session.commit()
        booking = Booking.by_uid(answer.uid)
        assert booking is not None
        return booking

    return make


def to_confirm(booking: Booking, start: str) -> str:
    return f"{path(booking, Purpose.MOVE)}/confirmation?start={start}&zone=UTC"


def fields_of(page: str) -> dict[str, str]:
    """The hidden fields of the page's form that is not the theme's."""
    form = page[page.index('<form class="fields"') :]
    return {name: unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)}


def test_the_page_says_what_is_booked_and_who_may_read_on(client: FlaskClient, strategy: Any) -> None:
    booking = make_booking(
        "cal-uid-42",
        guests=["guest@acme.example"],
        notes="Our shop is slow.",
        answers={"topic": "Shops", "ready": True, "tools": ["a", "b"]},
        meeting_url="https://app.cal.com/video/cal-uid-42",
    )
    answer = client.get(path(booking))
    assert answer.status_code == 200
    said = unescape(answer.text)
    for words in ("Your booking is confirmed", "(New York)", "guest@acme.example", "Our shop is slow.", "a, b", "Yes"):
        assert words in said
    assert "cal-uid-42" not in said
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert '<meta name="robots" content="noindex">' in said
    assert "Set-Cookie" not in answer.headers


def test_times_stand_in_both_zones(client: FlaskClient, strategy: Any) -> None:
    priya = Person(email=EMAIL, name="Priya", time_zone="Asia/Kolkata")
    page = client.get(path(make_booking(attendees=[priya]))).text
    assert "(Kolkata)" in page
    assert "(New York)" in page


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("purpose", Purpose)
def test_a_link_is_for_one_purpose_and_cannot_be_made_up(client: FlaskClient, strategy: Any, purpose: Purpose) -> None:
    booking = make_booking()
    for other in set(Purpose) - {purpose}:
        token = path(booking, other).split("/")[2]
        address = path(booking, purpose).replace(path(booking, purpose).split("/")[2], token)
        answer = client.get(address)
        assert answer.status_code == 404
        assert "This link does not work" in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
    assert client.get(f"/bookings/{secrets.token_urlsafe(40)}").status_code == 404
    assert client.get(path(booking)[:-1]).status_code == 404


def test_a_link_opens_nobody_elses_booking(client: FlaskClient, strategy: Any) -> None:
    ann = Person(email="ann@else.example", name="Ann")
    theirs, other = make_booking(), make_booking("uid2", attendees=[ann], start_at=in_days(5))
    assert theirs.contact is not None
    assert other.contact is not None
    forged = Link(other.id, theirs.contact.id).token(Purpose.SEE)
    assert client.get(f"/bookings/{forged}").status_code == 404


def test_a_link_ends_a_week_after_the_meeting(client: FlaskClient, strategy: Any) -> None:
    booking = make_booking()
    address, end = path(booking), booking.end_at
    assert end is not None
    with time_machine.travel(end + timedelta(days=6)):
        assert "This meeting has begun, or is over" in client.get(address).text
    with time_machine.travel(end + timedelta(days=8)):
        answer = client.get(address)
        assert answer.status_code == 410
        assert "owner@hudson.example" in answer.text


def test_a_link_lives_on_with_a_booking_that_moved_and_with_one_that_was_another(
    client: FlaskClient, strategy: Any
) -> None:
    make_booking("uid1")
    later = make_booking("uid2", kind=FactKind.RESCHEDULED, start_at=in_days(5))
    address = path(later)
    Booking.record(fact("uid2", FactKind.CONFIRMED, previous_uid="uid1", start_at=in_days(5)))
    db.session.commit()
    assert db.session.scalar(db.select(db.func.count(Booking.id))) == 1
    assert "Your booking is confirmed" in client.get(address).text
    assert db.session.scalar(db.select(db.func.count(links.FormerBooking.id))) == 1


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        (FactKind.REQUESTED, "Your request waits for our answer"),
        (FactKind.PAYMENT_INITIATED, "Your time waits for the payment"),
        (FactKind.CANCELLED, "This booking is cancelled"),
        (FactKind.DECLINED, "This request was declined"),
    ],
)
def test_where_it_stands_is_said_in_words(client: FlaskClient, strategy: Any, kind: FactKind, title: str) -> None:
    booking = make_booking(kind=kind)
    assert f'<h1 id="step">{title}</h1>' in client.get(path(booking)).text


def test_what_begins_soon_or_is_not_to_be_changed_says_so_before_anything_is_refused(
    client: FlaskClient, strategy: Any, unreachable: Any
) -> None:
    booking = make_booking(start_at=utcnow() + timedelta(hours=23))
    for address in (path(booking), path(booking, Purpose.MOVE), path(booking, Purpose.CANCEL)):
        page = client.get(address)
        assert page.status_code == 200
        assert "It begins too soon to be moved or cancelled online." in page.text
        assert "owner@hudson.example" in page.text
        assert '<form class="fields' not in page.text
    strategy.can_move = False
    db.session.commit()
    later = make_booking("uid2", start_at=in_days(5))
    assert "cannot be moved online" in client.get(path(later, Purpose.MOVE)).text
    page = client.get(path(later)).text
    assert "Cancel it" in page
    assert "Move it to another time" not in page


def test_moving_it_to_a_time_that_is_near_says_that_it_stays_there(
    client: FlaskClient, strategy: Any, unreachable: Any
) -> None:
    booking = make_booking(start_at=in_days(5))
    near, far = (iso_utc(in_days(hours / 24)) for hours in (20, 30))
    stays = "It begins within 24 hours: it cannot be moved or cancelled online afterwards."
    assert [stays in client.get(to_confirm(booking, start)).text for start in (near, far)] == [True, False]


def test_an_open_payment_keeps_it_where_it_is(client: FlaskClient, strategy: Any, unreachable: Any) -> None:
    booking = make_booking(kind=FactKind.PAYMENT_INITIATED, price=15000, currency="USD")
    assert "Its payment is still open" in client.get(path(booking, Purpose.MOVE)).text


@pytest.mark.parametrize(
    ("stated", "bar"),
    [
        ({}, None),
        ({"price": 15000}, None),
        ({"recurrence": {"interval": 1, "occurrences": 4, "frequency": "weekly"}}, Bar.SERIES),
        ({"bookingRequiresAuthentication": True}, Bar.PROOF),
        ({"requiresBookerEmailVerification": True}, Bar.PROOF),
        ({"seats": {"seatsPerTimeSlot": 3}}, Bar.UNKNOWN_SEAT),
        ({"disableRescheduling": {"disabled": True}}, Bar.NO_MOVING),
    ],
)
def test_what_our_own_steps_cannot_move(stated: dict[str, Any], bar: Bar | None) -> None:
    assert bar_of_type(EventType.model_validate({"id": 1, **stated})) is bar


@pytest.mark.parametrize(("days", "bar"), [(1.5, Bar.TOO_SOON_TO_MOVE), (2.5, None)])
def test_the_event_types_own_notice_is_said_before_anything_is_chosen(
    client: FlaskClient, use_cal: Any, httpserver: HTTPServer, strategy: Any, days: float, bar: Bar | None
) -> None:
    stays = {"disabled": False, "minutesBefore": 2 * 24 * 60}
    event_type = {"id": 1001, "slug": "strategy-consultation", "lengthInMinutes": 30, "disableRescheduling": stays}
    assert bar_of_type(EventType.model_validate(event_type), in_days(days)) is bar
    httpserver.expect_request("/v2/event-types/1001").respond_with_json({"status": "success", "data": event_type})
    httpserver.expect_request("/v2/slots").respond_with_json({"status": "success", "data": {}})
    use_cal(httpserver.url_for("").rstrip("/"))
    page = client.get(path(make_booking(start_at=in_days(days)), Purpose.MOVE)).text
    assert ("It begins too soon to be moved online." in page) is (bar is not None)


def test_a_reason_that_the_event_type_wants_is_asked_for_before_anything_is_sent(
    client: FlaskClient, use_cal: Any, httpserver: HTTPServer, strategy: Any
) -> None:
    fields = [{"slug": "rescheduleReason", "type": "textarea", "required": True}]
    event_type = {"id": 1001, "slug": "strategy-consultation", "lengthInMinutes": 30, "bookingFields": fields}
    httpserver.expect_request("/v2/event-types/1001").respond_with_json({"status": "success", "data": event_type})
    httpserver.expect_request("/v2/slots").respond_with_json({"status": "success", "data": {}})
    use_cal(httpserver.url_for("").rstrip("/"))
    booking, start = make_booking(), iso_utc(in_days(6))
    typed = {"start": start, "zone": "UTC"}
    page = client.post(to_confirm(booking, start), data=typed | token_of(client, booking))
    assert page.status_code == 422
    assert "Say why, in a few words." in page.text
    assert BookingAct.of_booking(booking.id) == []


def token_of(client: FlaskClient, booking: Booking) -> dict[str, str]:
    """Of a form that this browser has seen."""
    return {"csrf_token": fields_of(client.get(path(booking, Purpose.CANCEL)).text)["csrf_token"]}


def test_no_get_changes_anything(client: FlaskClient, book: Any, cal: CalClient, free_times: Any) -> None:
    """Guards of mailboxes open every link, and what they find there."""
    booking = book()
    before, uid = booking.changed_at, booking.uid
    seen: set[str] = set()
    waiting = [path(booking, purpose) for purpose in Purpose] + [to_confirm(booking, free_times(1001, 12)[0])]
    while waiting and len(seen) < 40:
        address = waiting.pop(0)
        seen.add(address)
        for headers in ({}, HTMX):
            page = client.get(address, headers=headers)
            assert page.status_code in {200, 302}
            found = [unescape(link) for link in re.findall(r'(?:href|hx-get)="(/bookings/[^"#]+)', page.text)]
            waiting += [link for link in dict.fromkeys(found) if link not in seen | set(waiting)]
    assert len(seen) > 6
    db.session.expire_all()
    assert (booking.changed_at, booking.uid) == (before, uid)
    assert cal.booking(uid).status == "accepted"
    assert BookingAct.of_booking(booking.id) == []


def test_cancelled_with_a_reason_and_then_the_links_say_so(client: FlaskClient, book: Any, cal: CalClient) -> None:
    booking = book()
    address = path(booking, Purpose.CANCEL)
    page = client.get(address)
    assert "The meeting does not take place" in page.text
    answer = client.post(address, data=fields_of(page.text) | {"reason": "I am ill"})
    assert answer.status_code == 303
    seen = client.get(answer.location)
    assert "This booking is cancelled" in seen.text
    assert "Choose another time" in seen.text
    told = cal.booking(booking.uid)
    assert (told.status, told.reason, told.cancelled_by) == ("cancelled", "I am ill", EMAIL)
    for purpose in (Purpose.MOVE, Purpose.CANCEL):
        barred = client.get(path(booking, purpose)).text
        main = barred[barred.index('id="booking"') : barred.index("</main>")]
        assert "This booking is cancelled already." in main
        assert "There is nothing left to do." in main
        assert 'href="/book-consultation">Book another consultation' in main
        assert "mailto:" not in main


@pytest.mark.parametrize("purpose", [Purpose.MOVE, Purpose.CANCEL])
def test_who_paid_for_what_is_cancelled_is_told_whom_to_ask(
    client: FlaskClient, strategy: Any, purpose: Purpose
) -> None:
    for kind in (FactKind.PAYMENT_INITIATED, FactKind.PAID, FactKind.CONFIRMED, FactKind.CANCELLED):
        booking = make_booking(kind=kind, price=15000, currency="USD")
    page = client.get(path(booking, purpose)).text
    assert "About what you paid, write to" in page
    assert "There is nothing left to do." not in page


def asked_to_move(*before: FactKind, **given: Any) -> Booking:
    """The host cancelled it for another time to be picked."""
    for kind in before or (FactKind.CONFIRMED,):
        make_booking("cal-uid-42", kind, **given)
    return make_booking("cal-uid-42", FactKind.CANCELLED, asks_to_move=True, **given)


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("purpose", list(Purpose))
def test_who_is_asked_for_another_time_is_led_to_choosing_it_by_each_link(
    client: FlaskClient, strategy: Any, purpose: Purpose
) -> None:
    booking = asked_to_move()
    page = client.get(path(booking, purpose), follow_redirects=True)
    assert '<h1 id="step">Please choose another time</h1>' in page.text
    again = f'/book-consultation/{strategy.slug}?zone=America/New_York">Choose another time</a>'
    assert again in page.text.replace("%2F", "/")
    address = f"{path(booking, Purpose.MOVE)}/rebooking"
    assert client.get(address).location == client.get(path(booking, Purpose.MOVE)).location


def test_an_old_done_page_leads_there_too(client: FlaskClient, strategy: Any) -> None:
    booking = asked_to_move()
    attempt = BookingAttempt(
        form_token="t1", reference="r1", service_id=strategy.id, start_at=booking.start_at, time_zone="UTC",
        name="Priya", email=EMAIL, state="booked", booking_uid="cal-uid-42",
    )  # fmt: skip
    db.session.add(attempt)
    db.session.commit()
    done = f"/book-consultation/{strategy.slug}/done/{tokens.sign(DONE, attempt.id)}"
    assert "Please choose another time" in client.get(done, follow_redirects=True).text


def test_of_what_is_off_no_money_is_asked_and_no_link_promised(client: FlaskClient, strategy: Any) -> None:
    for kind in (FactKind.PAYMENT_INITIATED, FactKind.CANCELLED):
        booking = make_booking("cal-uid-42", kind, price=15000, currency="USD")
        page = client.get(path(booking)).text
        is_off = kind is FactKind.CANCELLED
        assert ("not paid yet" in page, "the link comes by mail" in page) == (not is_off, not is_off)


PAID = (FactKind.PAYMENT_INITIATED, FactKind.PAID, FactKind.CONFIRMED)


@pytest.mark.usefixtures("still")
def test_who_has_paid_and_is_asked_for_another_time_chooses_it_at_cal_com_and_pays_no_more(
    app: Flask, client: FlaskClient, strategy: Any
) -> None:
    booking = asked_to_move(*PAID, price=15000, currency="USD")
    page = client.get(path(booking))
    address = f"{path(booking, Purpose.MOVE)}/rebooking"
    assert f'href="{address}">Choose another time on Cal.com</a>' in page.text
    assert "What you paid counts for it" in page.text
    assert "cal-uid-42" not in page.text
    assert f'href="/book-consultation/{strategy.slug}?' not in page.text
    onward = client.get(address)
    cal_com = booker.cal().account.pages_url
    assert onward.location == f"{cal_com}/reschedule/cal-uid-42?allowRescheduleForCancelledBooking=true"
    assert onward.headers["Referrer-Policy"] == "no-referrer"
    moved = make_booking("cal-uid-43", FactKind.RESCHEDULED, previous_uid="cal-uid-42", price=15000, currency="USD")
    assert moved.id == booking.id
    assert "$150, paid" in client.get(path(booking)).text
    assert client.get(address).location == path(booking)


def test_once_its_time_has_passed_who_has_paid_writes_first(client: FlaskClient, strategy: Any) -> None:
    start = utcnow() - timedelta(hours=2)
    booking = asked_to_move(*PAID, price=15000, currency="USD", start_at=start)
    page = client.get(path(booking)).text
    assert "You have paid for it already. Before you book another time, write to" in page
    assert "Choose another time</a>" not in page
    assert "/rebooking" not in page


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize(
    ("language", "clock"), [("en-US,en;q=0.9", "2:30\N{NO-BREAK SPACE}pm"), ("de-DE,de;q=0.9", "14:30")]
)
def test_the_hours_are_said_as_their_reader_does(
    client: FlaskClient, strategy: Any, unreachable: Any, purpose: Purpose, language: str, clock: str
) -> None:
    priya = Person(email=EMAIL, name="Priya", time_zone="UTC")
    booking = make_booking(start_at=in_days(9).replace(hour=14, minute=30), attendees=[priya])
    address = to_confirm(booking, iso_utc(in_days(8))) if purpose is Purpose.MOVE else path(booking, purpose)
    answer = client.get(address, headers={"Accept-Language": language})
    assert f"{clock} (UTC)" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_two_clicks_and_a_reload_cancel_once_and_lead_to_the_same_page(client: FlaskClient, book: Any) -> None:
    booking = book()
    address = path(booking, Purpose.CANCEL)
    typed = fields_of(client.get(address).text)
    answers = [client.post(address, data=typed) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [303] * 3
    assert len(BookingAct.of_booking(booking.id)) == 1
    assert client.post(address, data=typed, headers=HTMX).headers["HX-Redirect"].startswith("/bookings/")


def test_moved_by_the_month_the_day_and_a_reason(
    client: FlaskClient, book: Any, cal: CalClient, free_times: Any
) -> None:
    booking = book()
    old_uid, start = booking.uid, free_times(1001, 12)[0]
    month = client.get(f"{path(booking, Purpose.MOVE)}?day={start[:10]}&zone=UTC")
    assert f'value="{start}"' in month.text
    choice = re.search(r'action="([^"]+/move/choice[^"]*)"', month.text)
    assert choice
    chosen = client.post(unescape(choice[1]), data={"start": start})
    assert chosen.status_code == 303
    page = client.get(chosen.location)
    assert "Move it to this time?" in page.text
    moved = client.post(chosen.location, data=fields_of(page.text) | {"reason": "A clash"})
    assert moved.status_code == 303
    assert "Your booking is moved" in client.get(moved.location).text
    db.session.expire_all()
    assert (booking.previous_uids, iso_utc(booking.start_at)) == ([old_uid], start)
    assert cal.booking(booking.uid).rescheduled_by == EMAIL


@pytest.mark.usefixtures("still")
def test_who_goes_back_after_a_move_reads_that_it_is_there_already(
    client: FlaskClient, book: Any, free_times: Any
) -> None:
    booking, start = book(), free_times(1001, 12)[0]
    address = to_confirm(booking, start)
    typed = fields_of(client.get(address).text)
    assert client.post(address, data=typed).status_code == 303
    typed["form_token"] = secrets.token_urlsafe(24)
    for page in (client.get(address), client.post(address, data=typed)):
        assert page.status_code == 200
        assert '<h1 id="step">It is at that time already</h1>' in page.text
        assert f'href="{path(booking)}"' in page.text
        assert "error-summary" not in page.text
    assert len(BookingAct.of_booking(booking.id)) == 1


def test_the_month_counts_its_own_neighbourhood_as_free_but_not_its_own_time(
    client: FlaskClient, book: Any, free_times: Any
) -> None:
    free = free_times()
    # Whatever other tests have taken: two times of one day.
    nth = next(n for n, start in enumerate(free) if start[:10] == free[n + 1][:10])
    own, next_to_it = free[nth : nth + 2]
    booking = book(nth=nth)
    page = client.get(f"{path(booking, Purpose.MOVE)}?day={own[:10]}&zone=UTC").text
    assert f'value="{own}"' not in page
    assert f'value="{next_to_it}"' in page
    page = client.get(to_confirm(booking, own)).text
    assert "It is at that time already" in page


def test_what_needs_approval_is_requested_anew(client: FlaskClient, book: Any, intro: Any, free_times: Any) -> None:
    booking = book(1003)
    address = to_confirm(booking, free_times(1003, 12)[0])
    page = client.get(address)
    assert "The new time is a new request" in page.text
    moved = client.post(address, data=fields_of(page.text))
    assert "Your request waits for our answer" in client.get(moved.location).text
    db.session.expire_all()
    assert booking.status is BookingStatus.REQUESTED


def test_a_time_that_is_taken_meanwhile_is_met_with_others_and_what_was_typed(
    client: FlaskClient, book: Any, free_times: Any
) -> None:
    booking = book()
    start = free_times(1001, 12)[0]
    address = to_confirm(booking, start)
    typed = fields_of(client.get(address).text) | {"reason": "A clash with school"}
    somebody_else_books(start)
    answer = client.post(address, data=typed)
    assert answer.status_code == 422
    assert "That time is no longer free" in answer.text
    assert "A clash with school" in answer.text
    offered = re.findall(r'name="start" type="radio" value="([^"]+)"', answer.text)
    assert offered
    moved = client.post(address, data=typed | {"start": offered[0]})
    assert moved.status_code == 303
    db.session.expire_all()
    assert iso_utc(booking.start_at) == offered[0]


def somebody_else_books(start: str) -> None:
    ann = CalPerson("Ann", "ann@else.example", "UTC")
    booker.cal().create_booking(Target(1001), datetime.fromisoformat(start).astimezone(UTC), ann)


def test_no_answer_changes_nothing_and_keeps_what_was_typed(
    client: FlaskClient, strategy: Any, unreachable: Any
) -> None:
    booking = make_booking()
    address = path(booking, Purpose.CANCEL)
    answer = client.post(address, data=fields_of(client.get(address).text) | {"reason": "I am ill"})
    assert answer.status_code == 503
    assert "our calendar does not answer" in answer.text
    assert "I am ill" in answer.text
    assert "Our calendar does not answer" in client.get(path(booking, Purpose.MOVE)).text
    page = client.get(to_confirm(booking, iso_utc(in_days(6))))
    assert page.status_code == 200
    assert client.post(to_confirm(booking, iso_utc(in_days(6))), data=fields_of(page.text)).status_code == 503
    db.session.expire_all()
    assert booking.status is BookingStatus.CONFIRMED


def test_a_lost_cookie_brings_the_form_back_with_what_was_typed(app: Flask, client: FlaskClient, book: Any) -> None:
    booking = book()
    address = path(booking, Purpose.CANCEL)
    typed = fields_of(client.get(address).text) | {"reason": "I am ill"}
    stranger = app.test_client()
    answer = stranger.post(address, data=typed)
    assert answer.status_code == 400
    assert "please send this once more" in answer.text
    assert "I am ill" in answer.text
    assert stranger.post(address, data=fields_of(answer.text)).status_code == 303


def test_a_form_of_one_booking_changes_no_other(client: FlaskClient, book: Any) -> None:
    one, other = book(), book(nth=3)
    typed = fields_of(client.get(path(one, Purpose.CANCEL)).text)
    client.post(path(one, Purpose.CANCEL), data=typed)
    assert client.post(path(other, Purpose.CANCEL), data=typed).status_code == 404
    db.session.expire_all()
    assert other.status is BookingStatus.CONFIRMED


def test_a_stranger_without_a_form_cancels_nothing(client: FlaskClient, book: Any) -> None:
    booking = book()
    assert client.post(path(booking, Purpose.CANCEL)).status_code == 400
    assert client.post(path(booking, Purpose.SEE) + "/looks").status_code == 303
    db.session.expire_all()
    assert booking.status is BookingStatus.CONFIRMED


# What nobody knows yet


@pytest.fixture
def shown(use_cal: Any, httpserver: HTTPServer, strategy: Any) -> dict[str, str]:
    """What a Cal.com shows of `uid1` that never answers a cancellation."""
    booking = make_booking("uid1")
    assert booking.start_at is not None
    assert booking.end_at is not None
    shown = {"uid": "uid1", "start": iso_utc(booking.start_at), "end": iso_utc(booking.end_at), "status": "accepted"}

    def never(_: Request) -> Response:
        time.sleep(1.2)
        return Response(status=500)

    def show(_: Request) -> Response:
        return Response(json.dumps({"status": "success", "data": shown}))

    httpserver.expect_request("/v2/bookings/uid1/cancel").respond_with_handler(never)
    httpserver.expect_request("/v2/bookings/uid1").respond_with_handler(show)
    use_cal(httpserver.url_for("").rstrip("/"), seconds=1.0)
    return shown


@pytest.fixture
def asked(client: FlaskClient, shown: dict[str, str]) -> str:
    """The page that somebody comes to who cancelled there."""
    address = path(the_booking(), Purpose.CANCEL)
    answer = client.post(address, data=fields_of(client.get(address).text))
    assert answer.status_code == 303
    return str(answer.location)


def the_booking() -> Booking:
    db.session.expire_all()
    return db.session.scalars(db.select(Booking)).unique().one()


def test_without_an_answer_the_page_says_so_looks_again_and_a_look_settles_it(
    client: FlaskClient, asked: str, shown: dict[str, str]
) -> None:
    page = client.get(asked)
    assert "We do not know yet whether it worked" in page.text
    assert "did not answer in time" in page.text
    assert f'hx-get="{asked}?look=1"' in page.text
    assert f'hx-post="{asked}/looks?look=2"' in client.get(f"{asked}?look=1").text
    assert "hx-trigger" not in client.get(f"{asked}?look=40").text
    shown["status"] = "cancelled"
    client.get(asked)
    assert the_booking().status is BookingStatus.CONFIRMED, "to read the page changes nothing"
    settled = client.post(f"{asked}/looks?look=2", headers=HTMX)
    assert "This booking is cancelled" in settled.text
    assert the_booking().status is BookingStatus.CANCELLED


def test_what_a_webhook_tells_settles_it_too(client: FlaskClient, asked: str) -> None:
    assert client.post(f"{asked}/looks").status_code == 303
    assert "We do not know yet" in client.get(asked).text, "it may still be done"
    Booking.record(fact("uid1", FactKind.CANCELLED))
    db.session.commit()
    assert "This booking is cancelled" in client.get(asked).text


def test_what_was_never_done_is_said_once_the_changes_were_read(client: FlaskClient, asked: str) -> None:
    Reconciliation.prepare()
    row = Reconciliation.of(CHANGES)
    assert row is not None
    row.succeeded_at = utcnow() + timedelta(minutes=3)
    db.session.commit()
    page = client.get(asked).text
    assert "Your booking is confirmed" in page
    assert "nothing was changed by it" in page


@pytest.mark.parametrize("stated", ["Cancellation reason is required", "This event type does not allow cancellations"])
def test_what_cal_com_refuses_is_said_in_words(
    client: FlaskClient, use_cal: Any, httpserver: HTTPServer, strategy: Any, stated: str
) -> None:
    booking = make_booking("uid1")
    shown = {"uid": "uid1", "start": iso_utc(booking.start_at), "end": iso_utc(booking.end_at), "status": "accepted"}
    httpserver.expect_request("/v2/bookings/uid1/cancel").respond_with_json({"error": {"message": stated}}, status=400)
    httpserver.expect_request("/v2/bookings/uid1").respond_with_json({"status": "success", "data": shown})
    use_cal(httpserver.url_for("").rstrip("/"))
    address = path(booking, Purpose.CANCEL)
    answer = client.post(address, data=fields_of(client.get(address).text))
    assert answer.status_code == 422
    assert ("Say why" if "reason" in stated else "that cannot be done online any more") in answer.text
    assert stated not in answer.text
    assert "<title>Error: " in answer.text


# From our own form, while Cal.com has not told of the booking


def test_the_done_page_leads_to_the_booking_as_soon_as_there_is_one(
    client: FlaskClient, visit: Any, cal: CalClient, free_times: Any
) -> None:
    done = visit(free_times()[0]).send().location
    link = re.search(r'href="(/bookings/[^"]+)"', client.get(done).text)
    assert link
    page = client.get(link[1])
    assert "We are waiting for the word of our calendar" in page.text
    attempt = db.session.scalars(db.select(BookingAttempt)).unique().one()
    reconcile.take_word(cal.booking(str(attempt.booking_uid)))
    db.session.commit()
    page = client.get(link[1])
    assert "Your booking is confirmed" in page.text
    assert str(attempt.booking_uid) not in page.text


def test_who_waits_for_a_delivery_that_never_comes_has_cal_com_asked(
    client: FlaskClient, visit: Any, cal: CalClient, free_times: Any, use_cal: Any, sandbox_url: str
) -> None:
    done = visit(free_times(days=24)[5]).send().location
    link = re.search(r'href="(/bookings/[^"]+)"', client.get(done).text)
    assert link
    use_cal("http://127.0.0.1:9")
    assert "We are waiting for the word" in client.post(f"{link[1]}/looks", headers=HTMX).text
    use_cal(sandbox_url)
    assert "Your booking is confirmed" in client.post(f"{link[1]}/looks", headers=HTMX).text
    assert "Your booking is confirmed" in client.get(link[1]).text
    [event] = the_booking().events
    assert event.source is FactSource.API


def test_while_no_booking_is_known_the_link_ends_a_week_after_the_wished_time(
    client: FlaskClient, visit: Any, cal: CalClient, free_times: Any
) -> None:
    start = free_times(days=24)[2]
    link = re.search(r'href="(/bookings/[^"]+)"', client.get(visit(start).send().location).text)
    assert link
    with time_machine.travel(datetime.fromisoformat(start) + timedelta(days=8)):
        answer = client.get(link[1])
    assert answer.status_code == 410
    assert EMAIL not in answer.text


# Seats


ANN = "ann@else.example"


def seat(email: str, seat_uid: str | None, uid: str = "uid1", **more: Any) -> Booking:
    person = Person(email=email, name=email[:3], time_zone="UTC")
    told = {"attendees": [person], "is_seated": True, "seat_uid": seat_uid, "start_at": START, **more}
    booking = Booking.record(fact(uid, FactKind.CONFIRMED, subject=email, **told))
    db.session.commit()
    return booking


def test_of_several_who_have_seats_each_sees_and_gives_up_their_own(
    client: FlaskClient, use_cal: Any, httpserver: HTTPServer, strategy: Any
) -> None:
    asked: list[Any] = []

    def cancel(request: Request) -> Response:
        asked.append(request.json)
        people = [{"name": "Ann", "email": "ann@else.example", "absent": False, "seatUid": "seat-of-ann"}]
        shown = {"uid": "uid1", "start": iso_utc(START), "end": iso_utc(START), "status": "accepted"}
        return Response(json.dumps({"status": "success", "data": shown | {"attendees": people}}))

    httpserver.expect_request("/v2/bookings/uid1/cancel").respond_with_handler(cancel)
    use_cal(httpserver.url_for("").rstrip("/"))
    seat("ann@else.example", "seat-of-ann", notes="Ann's own words", answers={"topic": "Ann's topic"})
    booking = seat(EMAIL, "seat-of-priya", notes="Priya's own words", answers={"topic": "Priya's topic"})
    page = unescape(client.get(path(booking)).text)
    for said in ("Priya's own words", "Priya's topic", "Give up your seat"):
        assert said in page
    for hidden in ("Ann's", "ann@else", "seat-of"):
        assert hidden not in page
    address = path(booking, Purpose.CANCEL)
    form = client.get(address)
    assert "The meeting takes place without you" in form.text
    answer = client.post(address, data=fields_of(form.text) | {"reason": "No time"})
    assert asked == [{"cancellationReason": "No time", "seatUid": "seat-of-priya"}]
    Booking.record(fact("uid1", FactKind.SEAT_GIVEN_UP, subject=EMAIL, at=utcnow(), seat_uid="seat-of-priya"))
    db.session.commit()
    assert "Your seat is given up" in client.get(answer.location).text
    assert booking.status is BookingStatus.CONFIRMED
    assert "Your booking is confirmed" in client.get(path(booking, email="ann@else.example")).text


def test_a_seat_is_given_up_at_cal_com_and_the_other_stays(
    client: FlaskClient, cal: CalClient, meet: Callable[..., Booking]
) -> None:
    booking = meet(0, EMAIL, ANN)
    address = path(booking, Purpose.CANCEL)
    given_up = client.post(address, data=fields_of(client.get(address).text) | {"reason": "No time"})
    assert "Your seat is given up" in client.get(given_up.location).text
    found = cal.booking(booking.uid)
    assert (found.status, [person.email for person in found.attendees]) == ("accepted", ["ann@else.example"])
    assert "Your booking is confirmed" in client.get(path(the_booking(), email="ann@else.example")).text


def move_to(client: FlaskClient, booking: Booking, start: datetime | None, **more: str) -> Any:
    assert start is not None
    address = to_confirm(booking, iso_utc(start))
    return client.post(address, data=fields_of(client.get(address).text) | {"reason": "Another day suits me", **more})


@pytest.mark.parametrize("is_told", [True, False])
def test_a_seat_moves_alone_and_old_links_lead_to_it(
    client: FlaskClient,
    cal: CalClient,
    meet: Callable[..., Booking],
    monkeypatch: pytest.MonkeyPatch,
    is_told: bool,
) -> None:
    """`is_told`: Cal.com's answer comes. If not, it is found at the new time."""
    first, other = meet(0, EMAIL, ANN), meet(20, ANN)
    old = {purpose: path(first, purpose) for purpose in Purpose}
    page = client.get(old[Purpose.SEE]).text
    assert "You can move it or give up your seat here until" in page
    assert "the others stay" in client.get(to_confirm(first, iso_utc(other.start_at or utcnow()))).text
    if not is_told:
        reschedule = CalClient.reschedule

        def no_answer(*args: Any, **more: Any) -> None:
            reschedule(*args, **more)
            raise BookingUnknown("no answer")

        monkeypatch.setattr(CalClient, "reschedule", no_answer)
    moved = move_to(client, first, other.start_at)
    assert moved.status_code == 303
    page = unescape(client.get(moved.location).text)
    assert "Your booking is moved" in page
    assert say_moment(other.start_at or utcnow(), UTC_ZONE) in page
    assert (sitting(cal, first), sitting(cal, other)) == ({ANN}, {ANN, EMAIL})
    assert "Your booking is moved" in client.get(old[Purpose.SEE]).text
    assert "Your booking is confirmed" in client.get(path(other, email=ANN)).text
    assert "Your booking is confirmed" in client.get(path(first, email=ANN)).text
    given_up = client.post(
        old[Purpose.CANCEL], data=fields_of(client.get(old[Purpose.CANCEL]).text) | {"reason": "Not at all"}
    )
    assert "Your seat is given up" in client.get(given_up.location).text
    assert (sitting(cal, first), sitting(cal, other)) == ({ANN}, {ANN})


def test_the_last_seat_moves_to_a_time_that_nobody_has_and_back(
    client: FlaskClient, cal: CalClient, meet: Callable[..., Booking], free_times: Any
) -> None:
    first = meet(0, EMAIL)
    start, old = first.start_at, path(first)
    later = datetime.fromisoformat(free_times(first.event_type_id, 20)[6])
    assert "Your booking is moved" in client.get(move_to(client, first, later).location).text
    there = Booking.by_uid(str(cal.find_booking(EMAIL, later).uid))  # type: ignore[union-attr]
    assert there is not None
    assert (there.start_at, [contact.email for contact in there.bookers]) == (later, [EMAIL])
    assert "Your booking is moved" in client.get(old).text
    assert "Your booking is moved" in client.get(move_to(client, there, start).location).text
    again = Booking.by_uid(str(cal.find_booking(EMAIL, start).uid))  # type: ignore[union-attr, arg-type]
    assert again is not None
    assert again.id not in {first.id, there.id}
    for address in (old, path(again)):
        assert say_moment(start or later, UTC_ZONE) in unescape(client.get(address).text)


def test_a_seat_stays_where_the_other_time_is_full_or_has_one_of_theirs(
    client: FlaskClient, cal: CalClient, meet: Callable[..., Booking]
) -> None:
    first = meet(0, EMAIL, ANN)
    full = meet(8, ANN, "cid@else.example", "dan@else.example")
    twice = meet(20, EMAIL)
    page = move_to(client, first, full.start_at)
    assert (page.status_code, "That time is no longer free" in page.text) == (422, True)
    page = move_to(client, first, twice.start_at)
    assert (page.status_code, "That time is no longer free" in page.text) == (422, True)
    assert "Another day suits me" in page.text
    assert sitting(cal, first) == {ANN, EMAIL}


def test_a_seat_that_waits_for_an_answer_stays_where_it_is(
    client: FlaskClient, strategy: Any, unreachable: Any
) -> None:
    person = Person(email=EMAIL, name="Priya", time_zone="UTC")
    told = {"attendees": [person], "is_seated": True, "seat_uid": "seat-1", "start_at": START}
    booking = Booking.record(fact("uid1", FactKind.REQUESTED, subject=EMAIL, **told))
    db.session.commit()
    assert "A seat can be moved once it is confirmed" in client.get(path(booking, Purpose.MOVE)).text


def test_the_done_page_of_a_seat_that_was_given_up_says_so(
    client: FlaskClient, cal: CalClient, make_type: Callable[..., dict[str, Any]], free_times: Any
) -> None:
    event_type = make_type(seats={"seatsPerTimeSlot": 3, "showAttendeeInfo": False, "showAvailabilityCount": True})
    visitor = Visitor(client, free_times(event_type["id"], 24)[3], "made")
    receipts = [visitor.send(email=email, form_token=secrets.token_urlsafe(24)).location for email in (ANN, EMAIL)]
    attempt = db.session.scalars(db.select(BookingAttempt)).unique().first()
    assert attempt is not None
    uid = str(attempt.booking_uid)
    link = re.search(r'href="(/bookings/[^"]+)"', client.get(receipts[1]).text)
    assert link
    seat(ANN, "seat-of-ann", uid=uid, start_at=attempt.start_at, event_type_id=event_type["id"])
    assert "You are booked" in client.get(receipts[1]).text  # its own delivery is on its way
    seat(EMAIL, "seat-of-priya", uid=uid, start_at=attempt.start_at, event_type_id=event_type["id"])
    assert "You are booked" in client.get(receipts[1]).text
    left = {"subject": EMAIL, "at": utcnow(), "seat_uid": "seat-of-priya", "start_at": attempt.start_at}
    Booking.record(fact(uid, FactKind.SEAT_GIVEN_UP, event_type_id=event_type["id"], **left))
    db.session.commit()
    assert "This booking is cancelled" in client.get(receipts[1]).text
    assert "Your seat is given up" in client.get(link[1]).text
    assert "You are booked" in client.get(receipts[0]).text


def test_a_seat_that_cannot_be_told_from_the_others_is_not_given_up_here(
    client: FlaskClient, strategy: Any, unreachable: Any
) -> None:
    seat("ann@else.example", None)
    booking = seat(EMAIL, None)
    page = client.get(path(booking, Purpose.CANCEL))
    assert "we cannot tell which seat is yours" in page.text
    assert 'class="fields"' not in page.text


def test_no_log_holds_a_links_token(client: FlaskClient, strategy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lines, booking = LogCapture(), make_booking()
    monkeypatch.setattr(logs, "log", structlog.wrap_logger(structlog.PrintLogger(), processors=[lines]))
    for purpose in Purpose:
        client.get(path(booking, purpose))
        assert lines.entries[-1]["path"].startswith("/bookings/<token>")
        assert path(booking, purpose).split("/")[2] not in repr(lines.entries)


def test_who_sends_too_often_keeps_what_was_typed(app: Flask, strategy: Any, unreachable: Any) -> None:
    limiter.init_app(app)
    home = {"REMOTE_ADDR": somewhere()}
    booking, client = make_booking(), app.test_client()
    address = path(booking, Purpose.CANCEL)
    typed = fields_of(client.get(address, environ_base=home).text) | {"reason": "I am ill"}
    answers = [client.post(address, data=typed, environ_base=home) for _ in range(BOOKING + 1)]
    assert {answer.status_code for answer in answers[:-1]} == {503}
    assert answers[-1].status_code == 429
    assert "Wait a minute, then send it again" in answers[-1].text
    assert "I am ill" in answers[-1].text
