"""Who may or may not be booked stands above the list, until a webhook tells or two weeks are over."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from flask.testing import FlaskClient

from hds.bookings.models import AttemptState, BookingAttempt
from hds.extensions import db
from hds.lib.times import utcnow
from hds.services.models import Service
from tests import html
from tests.factories import in_days, make_booking

PAGE = "/admin/bookings"
numbers = count()


@pytest.fixture
def attempt(strategy: Service) -> Callable[..., BookingAttempt]:
    def make(state: AttemptState = AttemptState.UNKNOWN, *, age: timedelta = timedelta(hours=1), **given: Any) -> Any:
        number = next(numbers)
        typed = {"time_zone": "UTC", "name": "Priya <b>", "email": "priya@acme.example", "start_at": in_days(3)}
        keys = {"form_token": f"f{number}", "reference": f"r{number}", "service_id": strategy.id}
        row = BookingAttempt(**keys, **(typed | given), state=state, state_at=utcnow() - age)
        db.session.add(row)
        db.session.commit()
        return row

    return make


def test_it_says_who_what_when_and_why(signed_in: FlaskClient, attempt: Callable[..., Any], strategy: Service) -> None:
    attempt(reason="Cal.com did not answer, and does not list a booking.")
    page = signed_in.get(PAGE).text
    html.check(page)
    section = page.partition('id="unsettled"')[2].partition("</section>")[0]
    for words in ("Priya &lt;b&gt;", "priya@acme.example", strategy.name, "Cal.com did not answer, and"):
        assert words in section


@pytest.mark.parametrize(
    ("state", "age", "shown"),
    [
        (AttemptState.UNKNOWN, timedelta(seconds=1), True),
        (AttemptState.UNKNOWN, timedelta(days=13), True),
        (AttemptState.UNKNOWN, timedelta(days=15), False),
        (AttemptState.SENDING, timedelta(seconds=30), False),
        (AttemptState.SENDING, timedelta(minutes=2), True),
        (AttemptState.REFUSED, timedelta(hours=1), False),
        (AttemptState.BOOKED, timedelta(hours=1), False),
    ],
)
def test_only_what_nobody_knows_stands_there(
    signed_in: FlaskClient, attempt: Callable[..., Any], state: AttemptState, age: timedelta, shown: bool
) -> None:
    attempt(state, age=age)
    assert ("Not settled" in signed_in.get(PAGE).text) is shown


def test_the_webhook_settles_it(signed_in: FlaskClient, attempt: Callable[..., Any]) -> None:
    attempt()
    make_booking("told")
    assert "Not settled" not in signed_in.get(PAGE).text


def test_a_search_is_not_interrupted(signed_in: FlaskClient, attempt: Callable[..., Any]) -> None:
    attempt()
    assert "Not settled" not in signed_in.get(f"{PAGE}?q=priya").text
