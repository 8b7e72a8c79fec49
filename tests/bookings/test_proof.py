"""Where an event type wants the booker's address proven: a code is sent, and comes back with the form."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from hds.bookings.holds import SlotHold
from hds.bookings.models import AttemptState, BookingAttempt
from hds.calcom.answers import EventType
from hds.calcom.client import CalClient
from hds.extensions import db, limiter
from hds.lib import limits
from tests.bookings.visitor import Visitor
from tests.test_limits import somewhere

TYPED = ("Zoë &lt;Kept&gt;", "All of this.")
EMAIL = "priya@acme.example"


@pytest.fixture
def code(sandbox_url: str) -> Callable[[str], str | None]:
    """What Cal.com's mail would say."""

    def read(email: str = EMAIL) -> str | None:
        page = requests.get(f"{sandbox_url}/host", timeout=5).text
        found = re.search(rf'data-email="{re.escape(email)}"><code>(\d{{6}})<', page)
        return found[1] if found else None

    return read


@pytest.fixture
def visitor(
    cal: CalClient, client: FlaskClient, make_type: Callable[..., Any], free_times: Callable[..., list[str]]
) -> Visitor:
    event_type = make_type(requiresBookerEmailVerification=True)
    visitor = Visitor(client, free_times(event_type["id"], 16)[0], "made")
    visitor.fields |= {"name": "Zoë <Kept>", "notes": "All of this."}
    return visitor


def attempts() -> list[BookingAttempt]:
    db.session.rollback()
    return list(db.session.scalars(db.select(BookingAttempt)).unique())


def cancelled(cal: CalClient) -> None:
    """The next test may have this time."""
    cal.cancel(attempts()[0].booking_uid or "", "test", as_host=True)


def test_a_code_is_sent_asked_for_and_booked_with(visitor: Visitor, code: Callable[..., str], cal: CalClient) -> None:
    page = visitor.send()
    assert page.status_code == 200
    for words in ("Look into your mail", f"sent a code to {EMAIL}", 'name="code"', "one-time-code", *TYPED):
        assert words in page.text
    assert attempts() == []
    assert len(db.session.scalars(db.select(SlotHold)).all()) == 1  # while they look into their mail
    sent = code()
    again = visitor.send()  # or a reload: no second mail
    assert "Enter the code from the mail." in again.text
    assert code() == sent
    for typed in ("000000" if sent != "000000" else "111111", "no code"):
        page = visitor.send(code=typed)
        assert page.status_code == 422
        assert "That code is wrong, or too old" in page.text
        assert all(words in page.text for words in TYPED)
    assert attempts() == []
    assert visitor.send(code=f" {sent[:3]}-{sent[3:]} ").status_code == 303
    assert attempts()[0].state is AttemptState.BOOKED
    cancelled(cal)


def test_a_form_that_is_wrong_has_no_code_sent(visitor: Visitor, code: Callable[..., str]) -> None:
    page = visitor.send(email="wrong@")
    assert page.status_code == 422
    assert 'name="code"' not in page.text
    assert code("wrong@") is None


def test_another_booking_has_a_code_of_its_own(
    visitor: Visitor, code: Callable[..., str], cal: CalClient, free_times: Callable[..., list[str]]
) -> None:
    visitor.send()
    assert visitor.send(code=code()).status_code == 303
    event_type = attempts()[0].service.cal_event_type_id
    again = Visitor(visitor.client, free_times(event_type, 16)[-1], "made").send()
    assert (again.status_code, f"sent a code to {EMAIL}" in again.text) == (200, True)
    cancelled(cal)


def test_another_address_gets_a_code_of_its_own(visitor: Visitor, code: Callable[..., str], cal: CalClient) -> None:
    visitor.send()
    page = visitor.send(email="other@acme.example", code=code())
    assert "sent a code to other@acme.example" in page.text
    assert visitor.send(email="other@acme.example", code=code("other@acme.example")).status_code == 303
    cancelled(cal)


def test_another_code_can_be_sent_and_not_without_end(
    app: Flask, visitor: Visitor, code: Callable[..., str], cal: CalClient
) -> None:
    limiter.init_app(app)
    visitor.client.environ_base["REMOTE_ADDR"] = somewhere()
    visitor.send()
    codes = {code()}
    most = int(limits.CODES_TO_ONE.split()[0])
    for _ in range(most - 1):
        assert visitor.send(another_code="1").status_code == 200
        codes.add(code())
    assert len(codes) == most
    page = visitor.send(another_code="1")
    assert page.status_code == 429
    for words in ("too many codes were sent", 'name="code"', *TYPED):
        assert words in page.text
    assert visitor.send(code=code()).status_code == 303
    cancelled(cal)


def test_a_code_that_cal_asks_for_by_surprise_is_asked_for(
    visitor: Visitor, code: Callable[..., str], cal: CalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody whose own account says that bookings in their name need a proof."""
    known = cal.event_type

    def silent(event_type_id: int) -> EventType:
        return known(event_type_id).model_copy(update={"needs_email_verification": False})

    monkeypatch.setattr(cal, "event_type", silent)
    page = visitor.send()
    assert "sent a code to" in page.text
    assert attempts()[0].state is AttemptState.REFUSED
    assert visitor.send(code=code()).status_code == 303
    assert [attempt.state for attempt in attempts()] == [AttemptState.BOOKED]
    cancelled(cal)


def test_a_code_that_grew_old_meanwhile_is_asked_for_again(
    visitor: Visitor, code: Callable[..., str], cal: CalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor.send()
    monkeypatch.setattr(cal, "is_right_code", lambda email, code: True)
    page = visitor.send(code="000000")
    assert page.status_code == 422
    assert "That code is wrong, or too old" in page.text
    assert all(words in page.text for words in TYPED)
    assert visitor.send(code=code()).status_code == 303
    cancelled(cal)


def test_no_code_is_kept_or_shown(
    visitor: Visitor, code: Callable[..., str], cal: CalClient, client: FlaskClient
) -> None:
    page = visitor.send().text
    assert code() not in page
    receipt = client.get(visitor.send(code=code()).location).text
    assert code() not in receipt
    assert code() not in str(
        {name: value for name, value in vars(attempts()[0]).items() if name != "_sa_instance_state"}
    )
    cancelled(cal)
