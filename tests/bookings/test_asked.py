"""Where deliveries leave something open Cal.com is asked: here a sandbox, over HTTP. Without an answer nothing changes."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from pydantic import SecretStr

from hds.bookings.chain import BookingStatus, FactKind, FactSource
from hds.bookings.models import Booking, BookingEvent
from hds.calcom.answers import Booking as CalBooking
from hds.calcom.client import CalClient, Person, Target
from hds.extensions import db
from hds.lib.times import utcnow
from hds.webhooks.models import DeliveryState
from tests.conftest import empty
from tests.deliveries import DROP, arrive, delivery, iso
from tests.factories import ServiceFactory

PRIYA = "priya@acme.example"
UNLINKED = {"iCalUID": DROP, "rescheduleUid": DROP}


@pytest.fixture
def account(use_cal: Callable[..., CalClient], sandbox_url: str, strategy: Any) -> CalClient:
    return use_cal(sandbox_url, cal_access_token=SecretStr("cal_sandbox"))


@pytest.fixture
def booked(account: CalClient, free_times: Callable[..., list[str]]) -> Callable[..., CalBooking]:
    """Booked at Cal.com, and moved so many times: the last of the bookings that this made, or all."""

    def book(moves: int = 0) -> list[CalBooking]:
        times = [datetime.fromisoformat(time) for time in free_times()]
        made = [account.create_booking(Target(1001), times[0], Person("Priya", PRIYA, "Europe/London"))]
        for time in times[1 : moves + 1]:
            made.append(account.reschedule(made[-1].uid, time, as_host=True, by="owner@hudson.example"))
        return made

    return book


def told(name: str, booking: CalBooking, **more: Any) -> dict[str, Any]:
    times = {"startTime": iso(booking.start_at), "endTime": iso(booking.end_at)}
    return delivery(name, uid=booking.uid, eventTypeId=1001, **times, **more)


def all_bookings() -> list[Booking]:
    return list(db.session.scalars(db.select(Booking)).unique())


def test_a_missing_link_is_asked_for(client, booked):
    first, second = booked(1)
    arrive(client, told("CREATED", first, **UNLINKED), told("RESCHEDULED", second, **UNLINKED))
    [booking] = all_bookings()
    assert (booking.uid, booking.previous_uids) == (second.uid, [first.uid])


@pytest.mark.parametrize("backwards", [False, True])
def test_links_that_no_delivery_told_are_walked_back(client, booked, backwards):
    made = booked(3)
    bodies = [told("CREATED", made[0], iCalUID=DROP), told("RESCHEDULED", made[-1], **UNLINKED)]
    arrive(client, *(reversed(bodies) if backwards else bodies))
    [booking] = all_bookings()
    assert booking.uid == made[-1].uid
    assert booking.previous_uids[0] == made[0].uid
    assert booking.status is BookingStatus.CONFIRMED


def test_a_request_without_any_link_is_found_to_be_a_move(client, booked):
    first, second = booked(1)
    arrive(client, told("CREATED", first, iCalUID=DROP), told("REQUESTED", second, **UNLINKED))
    [booking] = all_bookings()
    assert (booking.uid, booking.status) == (second.uid, BookingStatus.REQUESTED)


def test_a_link_is_asked_for_though_something_else_was_told_before(client, booked):
    """Who was absent says nothing of where a uid belongs: what is asked must not depend on what came first."""
    first, second = booked(1)
    arrive(client, told("CREATED", first, **UNLINKED), delivery("PRESENT", bookingUid=second.uid))
    arrive(client, told("RESCHEDULED", second, **UNLINKED))
    [booking] = all_bookings()
    assert (booking.uid, booking.previous_uids) == (second.uid, [first.uid])


def test_what_a_wrong_body_tells_of_links_is_kept_in_either_order(client, booked):
    [made] = booked()
    at = utcnow() - timedelta(hours=1)
    right = told("CREATED", made, stated_at=at, iCalUID=DROP)
    wrong = told("CREATED", made, stated_at=at, rescheduleUid="earlier", iCalUID="x@Cal.com")
    wrong["payload"]["startTime"] = iso(made.start_at - timedelta(days=1))
    ends = []
    for order in ((right, wrong), (wrong, right)):
        db.session.execute(db.delete(BookingEvent))
        db.session.execute(db.delete(Booking))
        empty_inbox()
        arrive(client, *order)
        [booking] = all_bookings()
        assert booking.start_at == made.start_at
        ends.append((booking.previous_uids, [(event.previous_uid, event.ical_uid) for event in booking.events]))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("is_absent", [True, False])
def test_of_absent_and_present_at_the_same_time_cal_says_which(client, booked, sandbox_url, is_absent):
    [made] = booked()
    said = {"absent": "yes" if is_absent else "no"}  # on the host's page: the API waits for the meeting's start
    requests.post(f"{sandbox_url}/host/bookings/{made.uid}/absence", said, timeout=5).raise_for_status()
    at = utcnow() - timedelta(hours=1)
    both = [delivery(name, stated_at=at, bookingUid=made.uid) for name in ("ABSENT", "PRESENT")]
    for order in (both, both[::-1]):
        db.session.execute(db.delete(BookingEvent))
        db.session.execute(db.delete(Booking))
        db.session.commit()
        arrive(client, told("CREATED", made), *order)
        [booking] = all_bookings()
        assert booking.status is (BookingStatus.NO_SHOW if is_absent else BookingStatus.CONFIRMED)
        read = [event.kind for event in booking.events if event.source is FactSource.API]
        assert read == [FactKind.ABSENT if is_absent else FactKind.PRESENT]
        empty_inbox()


def empty_inbox() -> None:
    db.session.execute(db.text("DELETE FROM inbox_delivery"))
    db.session.commit()


@pytest.mark.parametrize("where", ["unknown", "unreachable"])
def test_without_an_answer_a_rule_decides_and_no_delivery_fails(app, client, use_cal, sandbox_url, where):
    at = utcnow() - timedelta(hours=1)
    bodies = [delivery("CREATED"), delivery("ABSENT", stated_at=at), delivery("PRESENT", stated_at=at)]
    for order in (bodies, bodies[::-1]):
        empty(app)
        ServiceFactory(cal_event_type_id=4711)
        use_cal(sandbox_url if where == "unknown" else "http://127.0.0.1:9")
        rows = arrive(client, *order, delivery("RESCHEDULED", iCalUID=DROP))
        assert {row.state for row in rows} == {DeliveryState.APPLIED}
        [booking] = all_bookings()
        assert {event.source for event in booking.events} == {FactSource.WEBHOOK}


def test_present_stands_where_nobody_can_be_asked(client, unreachable, strategy):
    at = utcnow() - timedelta(hours=1)
    both = [delivery(name, stated_at=at) for name in ("PRESENT", "ABSENT")]
    arrive(client, delivery("CREATED", eventTypeId=1001), *both)
    [booking] = all_bookings()
    assert booking.status is BookingStatus.CONFIRMED


def test_of_two_bodies_of_one_moment_the_one_stands_that_cal_agrees_with(app, client, booked):
    [made] = booked()
    at = utcnow() - timedelta(hours=1)
    wrong = {"startTime": iso(made.start_at + timedelta(days=1)), "endTime": iso(made.end_at + timedelta(days=1))}
    right = told("CREATED", made, stated_at=at)
    other = told("CREATED", made, stated_at=at, title="A longer title, so that it is the fuller one")
    other["payload"] |= wrong
    for order in ((right, other), (other, right)):
        db.session.execute(db.delete(BookingEvent))
        db.session.execute(db.delete(Booking))
        empty_inbox()
        arrive(client, *order)
        [booking] = all_bookings()
        assert booking.start_at == made.start_at


def test_two_places_of_one_moment_are_settled(client, booked):
    [made] = booked()
    at = utcnow() - timedelta(hours=1)
    file = "booking_location_updated.v2021-10-20.json"
    arrive(
        client,
        told("CREATED", made),
        told(file, made, stated_at=at, location="12 High Street"),
        told(file, made, stated_at=at, location="1 Low Street"),
    )
    [booking] = all_bookings()
    assert booking.meeting_url == made.meeting_url  # as it is at Cal.com
