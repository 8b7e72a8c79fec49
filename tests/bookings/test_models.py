from datetime import timedelta

import pytest

from hds.bookings.chain import FactKind
from hds.bookings.models import AttemptState, Booking, BookingAttempt
from hds.extensions import db
from hds.lib.times import utcnow
from hds.services.models import Service
from tests.factories import in_days, make_booking


def attempt(service: Service, state: AttemptState) -> BookingAttempt:
    typed = {"time_zone": "UTC", "name": "Priya", "email": "priya@acme.example", "start_at": in_days(3)}
    row = BookingAttempt(form_token="f", reference="r", service_id=service.id, state=state, **typed)
    db.session.add(row)
    db.session.commit()
    return row


def test_an_attempt_without_an_answer_finds_the_live_booking(app, strategy):
    make_booking("gone", FactKind.CANCELLED)
    live = make_booking("live")
    assert attempt(strategy, AttemptState.UNKNOWN).booking == live


def test_a_booking_of_long_ago_is_not_this_attempts(app, strategy):
    old = make_booking("old")
    old.created_at = utcnow() - timedelta(days=2)
    db.session.commit()
    assert attempt(strategy, AttemptState.UNKNOWN).booking is None


@pytest.mark.parametrize("state", [AttemptState.REFUSED, AttemptState.BOOKED])
def test_an_attempt_that_is_settled_guesses_nothing(app, strategy, state):
    make_booking("another", FactKind.CANCELLED)
    assert attempt(strategy, state).booking is None
    assert db.session.scalar(db.select(Booking.uid)) == "another"
