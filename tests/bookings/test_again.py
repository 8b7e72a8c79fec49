"""What was typed is not lost: too many tries, a lost token, going back after booking."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from hds.bookings.models import AttemptState, BookingAttempt
from hds.calcom.client import CalClient
from hds.extensions import db, limiter
from hds.lib import limits
from tests.bookings.visitor import Visitor, hidden_fields
from tests.test_limits import somewhere

BOOKING = int(limits.BOOKING.split()[0])
TYPED = ("Zoë &lt;Kept&gt;", "All of this.", "priya@acme.example")


@pytest.fixture
def visitor(cal: CalClient, visit: Callable[..., Visitor], free_times: Callable[..., list[str]]) -> Visitor:
    return visit(free_times()[6])


def booked() -> int:
    db.session.rollback()
    return len(db.session.scalars(db.select(BookingAttempt).filter_by(state=AttemptState.BOOKED)).unique().all())


def test_too_many_tries_lose_nothing_that_was_typed(app: Flask, visitor: Visitor) -> None:
    limiter.init_app(app)  # it counts where this application does, whichever was made last
    visitor.client.environ_base["REMOTE_ADDR"] = somewhere()
    assert {visitor.send(email="no").status_code for _ in range(BOOKING)} == {422}
    for htmx in (False, True):
        answer = visitor.send(htmx=htmx, name="Zoë <Kept>", notes="All of this.")
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        for words in ("Nothing is booked yet", "Wait a minute", "owner@hudson.example", *TYPED):
            assert words in answer.text
        assert ("<html" in answer.text) is not htmx
        assert 'id="booking"' in answer.text
        assert f'value="{visitor.fields["form_token"]}"' in answer.text
    assert booked() == 0
    visitor.client.environ_base["REMOTE_ADDR"] = somewhere()
    assert visitor.send().status_code == 303


def test_over_the_limit_cal_is_not_asked(app: Flask, visitor: Visitor, cal: CalClient) -> None:
    limiter.init_app(app)
    visitor.client.environ_base["REMOTE_ADDR"] = somewhere()
    assert {visitor.send(email="no").status_code for _ in range(BOOKING)} == {422}
    cal._event_types.clear()
    answer = visitor.send(notes="All of this.")
    assert answer.status_code == 429
    assert "All of this." in answer.text
    assert not cal._event_types._kept


def test_a_lost_cookie_books_nothing_and_loses_nothing(visitor: Visitor) -> None:
    for htmx in (False, True):
        visitor.client.delete_cookie("session")
        answer = visitor.send(htmx=htmx, name="Zoë <Kept>", notes="All of this.", code="123 456")
        assert answer.status_code == 400
        for words in ("please send this once more", "allow cookies", 'value="123456"', *TYPED):
            assert words in answer.text
        assert ("<html" in answer.text) is not htmx
    assert db.session.scalar(db.select(db.func.count()).select_from(BookingAttempt)) == 0
    fresh = hidden_fields(answer.text)
    assert fresh["csrf_token"] != visitor.fields["csrf_token"]
    assert visitor.send(**fresh).status_code == 303
    assert booked() == 1


def test_without_its_time_or_service_a_form_without_a_token_is_only_refused(visitor: Visitor) -> None:
    for url in (visitor.url.replace("start=", "x="), visitor.url.replace("strategy", "other")):
        answer = visitor.client.post(url, data={**visitor.fields, "csrf_token": "", "start": ""})
        assert answer.status_code == 400
        assert "This form is too old" in answer.text


def test_going_back_after_booking_leads_to_the_booking(visitor: Visitor) -> None:
    assert visitor.send().status_code == 303
    back = visitor.client.get(visitor.url)
    assert back.status_code == 303
    assert "You are booked" in visitor.client.get(back.location).text


def test_ones_own_booking_is_not_taken_in_another_tab(visitor: Visitor) -> None:
    again = Visitor(visitor.client, visitor.fields["start"])
    assert visitor.send().status_code == 303
    assert again.fields["form_token"] != visitor.fields["form_token"]
    answer = again.send(email="Priya@acme.example")
    assert answer.status_code == 303
    assert "You are booked" in visitor.client.get(answer.location).text
    assert booked() == 1


def test_a_stranger_with_the_same_address_sees_no_receipt(app: Flask, visitor: Visitor) -> None:
    colleague = Visitor(visitor.client, visitor.fields["start"])
    visitor.send()
    stranger = Visitor(app.test_client(), visitor.fields["start"])
    assert stranger.send().status_code == 422
    assert colleague.send(email="other@acme.example").status_code == 422


def test_a_taken_time_is_said_once(visitor: Visitor, app: Flask) -> None:
    visitor.send()
    page = Visitor(app.test_client(), visitor.fields["start"]).send(email="other@acme.example").text
    assert page.count("That time is no longer free") == 1
    assert page.count("Choose one of these times, please.") == 1
    assert re.search(r'href="#start-0">Choose one', page)
    assert 'id="start-0"' in page


def test_the_receipt_reads_its_booking_once(visitor: Visitor, client: FlaskClient) -> None:
    receipt = visitor.send().location
    asked: list[Any] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.extend(["event"] if "FROM booking JOIN booking_event" in statement else [])

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert "You are booked" in client.get(receipt).text
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert len(asked) == 1
