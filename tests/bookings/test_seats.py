"""Event types with seats: several people book one time, each for themselves."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from hds.bookings.chain import FactKind, PaymentState, Person
from hds.bookings.models import AttemptState, BookingAttempt, Refusal
from hds.bookings.receipt import Receipt
from hds.bookings.words import where_of, where_on_page
from hds.calcom.client import CalClient
from hds.extensions import db
from hds.lib.times import utcnow
from tests.bookings.visitor import Visitor
from tests.factories import in_days, make_booking

SEATS = {"seatsPerTimeSlot": 2, "showAttendeeInfo": False, "showAvailabilityCount": True}
PAGE = "/book-consultation/made"


@pytest.fixture
def start(cal: CalClient, make_type: Callable[..., Any], free_times: Callable[..., list[str]]) -> str:
    guests = {"type": "multiemail", "slug": "guests", "label": "Guests", "hidden": False}
    event_type = make_type(seats=SEATS, bookingFields=[guests])
    return free_times(event_type["id"], 18)[0]


def states() -> list[tuple[AttemptState, Refusal | None]]:
    db.session.rollback()
    found = db.session.scalars(db.select(BookingAttempt).order_by(BookingAttempt.id)).unique()
    return [(attempt.state, attempt.refusal) for attempt in found]


def seats_left(client: FlaskClient, start: str) -> str | None:
    page = client.get(f"{PAGE}?day={start[:10]}&zone=UTC").text
    button = re.search(rf'value="{start}"><time[^>]*>[^<]+</time> <span class="seats">([^<]+)</span>', page)
    return button[1] if button else None


def test_a_seat_is_booked_and_the_page_says_how_many_are_left(app: Flask, start: str, cal: CalClient) -> None:
    client = app.test_client()
    assert seats_left(client, start) == "2 seats left"
    ann = Visitor(app.test_client(), start, "made")
    assert "Bring somebody along" not in client.get(ann.url).text
    assert ann.send(email="ann@acme.example").status_code == 303
    assert seats_left(client, start) == "1 seat left"
    bob = Visitor(app.test_client(), start, "made")
    again = bob.send(email="ann@acme.example")
    assert again.status_code == 422
    assert "You have a seat at that time already" in again.text
    cid = Visitor(app.test_client(), start, "made")
    assert bob.send(email="bob@acme.example").status_code == 303
    assert seats_left(client, start) is None
    late = cid.send(email="cid@acme.example")
    assert late.status_code == 422
    assert "The last seat at that time is taken" in late.text
    booked = [AttemptState.BOOKED, None]
    assert [list(state) for state in states()] == [booked, booked]


def test_the_last_seat_is_lost_between_looking_and_booking(
    app: Flask, start: str, cal: CalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitors = [Visitor(app.test_client(), start, "made") for _ in range(3)]
    for number, visitor in enumerate(visitors[:2]):
        visitor.send(email=f"v{number}@acme.example")
    monkeypatch.setattr("hds.bookings.views.is_offered", lambda *given: True)
    answer = visitors[2].send(email="v2@acme.example")
    assert answer.status_code == 422
    assert "The last seat at that time is taken" in answer.text
    assert states()[-1] == (AttemptState.REFUSED, Refusal.TAKEN)


def test_seats_that_nobody_shall_see_are_not_shown(
    app: Flask, cal: CalClient, make_type: Callable[..., Any], free_times: Callable[..., list[str]]
) -> None:
    event_type = make_type(seats=SEATS | {"showAvailabilityCount": False})
    start = free_times(event_type["id"], 18)[1]
    client = app.test_client()
    page = client.get(f"{PAGE}?day={start[:10]}&zone=UTC").text
    assert f'value="{start}"' in page
    assert "seats left" not in page


def test_a_later_seat_that_nobody_answered_for_is_found_by_our_reference(app: Flask, strategy: Any) -> None:
    """The booking is older, and its first booker is somebody else."""
    start = in_days(5)
    ann, bob = (Person(email=f"{name}@acme.example", name=name, time_zone="UTC") for name in ("ann", "bob"))
    told = {"is_seated": True, "start_at": start}
    booking = make_booking(subject=ann.email, attendees=[ann], **told)
    booking.created_at = utcnow() - timedelta(days=1)
    attempt = BookingAttempt(
        form_token="t" * 32,
        reference="r" * 22,
        service_id=strategy.id,
        start_at=start,
        time_zone="UTC",
        name="bob",
        email=bob.email,
        state=AttemptState.UNKNOWN,
    )
    db.session.add(attempt)
    db.session.commit()
    assert attempt.booking is None
    make_booking(subject=bob.email, attendees=[bob], reference="r" * 22, **told)
    assert attempt.booking is booking
    assert attempt.stage == "booked"


@pytest.mark.parametrize(
    ("kind", "place", "said"),
    [
        ("phone", "+12025550199", "We call you"),
        (None, "+12025550199", ""),
        ("attendeeInPerson", "1 Ann St", "We come to you"),
        ("somewhereElse", "Ann's garden", ""),
        ("userPhone", "+12125550100", "You call +12125550100"),
        ("inPerson", "5 Hudson St", "In person: 5 Hudson St"),
    ],
)
def test_nobody_reads_where_another_seat_is_called_or_visited(
    app: Flask, strategy: Any, kind: str | None, place: str, said: str
) -> None:
    ann = Person(email="ann@acme.example", name="Ann", phone="+1 202 555 0199")
    told = {"location": place, "location_kind": kind, "meeting_url": None, "is_seated": True, "attendees": [ann]}
    booking = make_booking(subject=ann.email, **told)
    assert str(where_on_page(booking) or "") == said
    assert place in str(where_of(booking, for_owner=True))


def test_nobody_reads_whether_another_seat_is_paid(app: Flask, strategy: Any) -> None:
    ann = Person(email="ann@acme.example", name="Ann")
    told = {"price": 15000, "currency": "USD", "is_seated": True, "attendees": [ann]}
    make_booking(kind=FactKind.PAID, **told)
    booking = make_booking(subject=ann.email, **told)
    assert booking.payment_state is PaymentState.PAID
    assert Receipt.of(strategy, booking).price == "$150"
