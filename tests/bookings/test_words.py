"""How a booking's place, price and deadline are said, over everything that Cal.com may tell of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from hds.bookings.chain import FactKind, PaymentState, Person
from hds.bookings.models import Booking, BookingAttempt
from hds.bookings.words import changeable_until, fixed_once_taken, price, where, where_chosen, where_of, where_on_page
from hds.extensions import db
from tests.deliveries import arrive, delivery
from tests.factories import ServiceFactory, make_booking

NUMBER, OURS = "+1 202-555-0123", "+1 212-555-0100"
STREET = "12 Main Street, 2nd floor"
MEET, MAP = "https://meet.example/abc-defg", "https://maps.example/12-main"


@pytest.mark.parametrize(
    ("kind", "location", "url", "phone", "to_booker", "to_owner"),
    [
        ("phone", NUMBER, None, NUMBER, f"We call {NUMBER}", f"You call {NUMBER}"),
        ("phone", None, None, NUMBER, f"We call {NUMBER}", f"You call {NUMBER}"),
        ("phone", "phone", None, None, "We call you", "By phone: you call"),
        ("userPhone", OURS, None, NUMBER, f"You call {OURS}", f"They call {OURS}"),
        ("userPhone", None, None, NUMBER, "By phone: you call us", "By phone: they call you"),
        ("inPerson", STREET, None, None, f"In person: {STREET}", f"In person: {STREET}"),
        ("inPerson", "inPerson", None, None, "In person", "In person"),
        ("inPerson", MAP, MAP, None, f"In person: {MAP}", f"In person: {MAP}"),
        ("attendeeInPerson", STREET, None, None, f"We come to you: {STREET}", f"You come to them: {STREET}"),
        ("somewhereElse", "The café at the pier", None, None, "The café at the pier", "The café at the pier"),
        ("integrations:daily", "integrations:daily", MEET, None, f"Video call: {MEET}", f"Video call: {MEET}"),
        ("integrations:daily", "integrations:daily", None, None, "Video call", "Video call"),
        ("integrations:google:meet", MEET, MEET, None, f"Video call: {MEET}", f"Video call: {MEET}"),
        ("conferencing", None, MEET, None, f"Video call: {MEET}", f"Video call: {MEET}"),
        ("link", MEET, MEET, None, f"Video call: {MEET}", f"Video call: {MEET}"),
    ],
)
def test_each_kind_of_place_is_said_to_each_reader(kind, location, url, phone, to_booker, to_owner):
    assert str(where(kind, location, url, phone)) == to_booker
    assert str(where(kind, location, url, phone, for_owner=True)) == to_owner


@pytest.mark.parametrize(
    ("location", "url", "phone", "said"),
    [
        (NUMBER, None, "+1 (202) 555-0123", f"We call {NUMBER}"),
        (OURS, None, NUMBER, f"By phone: {OURS}"),
        (OURS, None, None, f"By phone: {OURS}"),
        ("integrations:zoom", None, None, "Video call"),
        (MEET, MEET, None, f"Video call: {MEET}"),
        ("inPerson", None, None, "In person"),
        (STREET, None, None, STREET),
        (None, MEET, None, f"Video call: {MEET}"),
    ],
)
def test_a_body_without_answers_is_read_by_the_place_alone(location, url, phone, said):
    assert str(where(None, location, url, phone)) == said


@pytest.mark.parametrize(
    ("kind", "location", "url", "said"),
    [
        ("phone", "integrations:daily", MEET, f"Video call: {MEET}"),
        ("phone", MEET, MEET, f"Video call: {MEET}"),
        ("phone", STREET, None, STREET),
        ("integrations:daily", OURS, None, f"By phone: {OURS}"),
        ("inPerson", OURS, None, f"By phone: {OURS}"),
        ("aKindOfNextYear", STREET, None, STREET),
        ("aKindOfNextYear", MEET, MEET, f"Video call: {MEET}"),
    ],
)
def test_a_kind_that_does_not_fit_the_place_is_not_believed(kind, location, url, said):
    assert str(where(kind, location, url, None)) == said


@pytest.mark.parametrize("kind", [None, "somewhereElse", "aKindOfNextYear"])
def test_nothing_is_said_of_a_place_that_nobody_named(kind):
    assert where(kind, None) is None


def the_booking() -> Booking:
    return db.session.scalars(db.select(Booking)).unique().one()


def asked(kind: str, own: str = "") -> dict[str, Any]:
    """The answer to Cal.com's question of the place."""
    return {"location": {"label": "location", "value": {"value": kind, "optionValue": own}}}


@pytest.mark.parametrize(
    ("kind", "own", "location", "said"),
    [
        ("phone", NUMBER, NUMBER, f"We call {NUMBER}"),
        ("userPhone", "", OURS, f"You call {OURS}"),
        ("inPerson", "", STREET, f"In person: {STREET}"),
        ("attendeeInPerson", STREET, STREET, f"We come to you: {STREET}"),
    ],
)
def test_the_place_is_said_from_a_delivery(client, strategy, kind, own, location, said):
    body = delivery("CREATED", location=location, metadata={}, videoCallData=None)
    body["payload"]["responses"] |= asked(kind, own)
    arrive(client, body)
    assert str(where_of(the_booking())) == said


def test_a_link_with_cals_uid_stays_in_the_mail(strategy):
    booking = make_booking("uid1", meeting_url="https://app.cal.com/video/uid1")
    assert str(where_of(booking)) == "Video call: https://app.cal.com/video/uid1"
    assert str(where_on_page(booking)) == "Video call; the link comes by mail"


def test_any_other_link_may_stand_on_the_page(strategy):
    assert str(where_on_page(make_booking("uid1", meeting_url=MEET))) == f"Video call: {MEET}"


def test_an_earlier_uid_is_no_less_secret(strategy):
    make_booking("uid1")
    moved = make_booking("uid2", FactKind.RESCHEDULED, previous_uid="uid1", meeting_url="https://x.example/video/uid1")
    assert where_on_page(moved).url is None


def test_the_bookers_number_tells_who_calls_whom(strategy):
    priya = Person(email="priya@acme.example", name="Priya", phone=NUMBER)
    booking = make_booking("uid1", location=NUMBER, meeting_url=None, attendees=[priya])
    assert str(where_of(booking)) == f"We call {NUMBER}"


@pytest.mark.parametrize(
    ("amount", "state", "said"),
    [
        (15000, PaymentState.PAID, "$150, paid"),
        (15050, PaymentState.PENDING, "$150.50, not paid yet"),
        (15000, PaymentState.FAILED, "$150, the payment failed"),
        (15000, PaymentState.REFUNDED, "$150, refunded"),
        (15000, PaymentState.NONE, "$150"),
        (0, PaymentState.PAID, "Free"),
        (None, PaymentState.NONE, "Free"),
    ],
)
def test_the_price_says_what_became_of_it(amount, state, said):
    assert price(amount, "USD", state) == said


def test_a_booking_can_be_moved_until_a_day_before():
    start = datetime(2026, 11, 25, 15, tzinfo=UTC)
    with time_machine.travel(start - timedelta(hours=24, seconds=1), tick=False):
        assert changeable_until(start) == start - timedelta(hours=24)
    with time_machine.travel(start - timedelta(hours=24), tick=False):
        assert changeable_until(start) is None


@pytest.mark.parametrize(
    ("can_move", "can_cancel", "said"),
    [
        (True, True, "It begins within 24 hours: it cannot be moved or cancelled online afterwards."),
        (True, False, "It begins within 24 hours: it cannot be moved online afterwards."),
        (False, True, "It begins within 24 hours: it cannot be cancelled online afterwards."),
        (False, False, ""),
    ],
)
def test_who_takes_a_time_that_is_near_is_told_that_it_stays(noon, can_move, can_cancel, said):
    service = ServiceFactory.build(can_move=can_move, can_cancel=can_cancel)
    assert fixed_once_taken(noon + timedelta(hours=24), service) == said
    assert fixed_once_taken(noon + timedelta(hours=24, seconds=1), service) == ""


@pytest.mark.parametrize(
    ("place", "typed", "said"),
    [
        ("video", None, "Video call; the link comes by mail"),
        ("link", None, "Video call; the link comes by mail"),
        ("zoom", None, "Video call; the link comes by mail"),
        ("call_us", None, "By phone: you call us"),
        ("in_person", None, "In person"),
        ("address", "2 Side St", "We come to you: 2 Side St"),
        ("elsewhere", "The café", "The café"),
        (None, None, ""),
    ],
)
def test_what_was_chosen_in_our_form_is_said_at_once(place, typed, said):
    assert str(where_chosen(BookingAttempt(place=place, place_detail=typed)) or "") == said
