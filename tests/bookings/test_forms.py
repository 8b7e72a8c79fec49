"""What may be typed, and what is made of it."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from hds.bookings.booker import Place
from hds.bookings.forms import DetailsForm

VIDEO = Place("video", "Video call", {"type": "integration", "integration": "cal-video"})
PHONE = Place("phone", "Phone: we call you", {"type": "attendeePhone"}, asks="phone")
PERSON = {"name": "Ann", "email": "ann@acme.example"}


@pytest.fixture
def fill_in(app: Flask) -> Any:
    def fill(*places: Place, **typed: str) -> DetailsForm:
        with app.test_request_context(method="POST", data=PERSON | typed):
            form = DetailsForm(meta={"csrf": False})
            form.offer(places or (VIDEO, PHONE))
            form.validate()
        return form

    return fill


def test_name_and_address_are_enough(fill_in: Any) -> None:
    form = fill_in()
    assert form.errors == {}
    order = form.order(datetime(2026, 12, 3, 10, tzinfo=UTC), ZoneInfo("Europe/London"))
    assert (order.name, order.email, order.place, order.phone, order.notes) == (
        "Ann",
        "ann@acme.example",
        "video",
        None,
        None,
    )


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("+1 (202) 555-0123", "+12025550123"),
        ("001 202 555 0123", "+12025550123"),
        ("+44\u00a020 7946\u20110958", "+442079460958"),
        ("+49/30/1234567", "+49301234567"),
    ],
)
def test_a_number_is_read_however_it_is_spaced(fill_in: Any, typed: str, read: str) -> None:
    form = fill_in(place="phone", phone=typed)
    assert form.errors == {}
    assert form.phone.data == read


@pytest.mark.parametrize("typed", ["", "555 0123", "+0123456789", "call me", "+1", "+１２０２５５５０１２３", "+1" * 9])
def test_a_number_that_cannot_be_called_is_asked_again(fill_in: Any, typed: str) -> None:
    form = fill_in(place="phone", phone=typed)
    assert list(form.errors) == ["phone"]
    assert form.phone.data == typed


def test_the_number_is_only_asked_for_a_call(fill_in: Any) -> None:
    form = fill_in(place="video", phone="nonsense")
    assert form.errors == {}
    assert form.order(datetime(2026, 12, 3, 10, tzinfo=UTC), ZoneInfo("UTC")).phone is None


def test_one_place_is_not_a_question(fill_in: Any) -> None:
    assert list(fill_in(PHONE).errors) == ["phone"]
    assert fill_in(VIDEO).errors == {}


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ({"name": "Ann\r\nBcc: x@example.com"}, "Ann Bcc: x@example.com"),
        ({"name": "  Zoë 👩‍👧  "}, "Zoë 👩‍👧"),
        ({"name": "a\u202eb\x07"}, "ab"),
    ],
)
def test_a_name_is_one_line_without_controls(fill_in: Any, typed: dict[str, str], kept: str) -> None:
    form = fill_in(**typed)
    assert form.errors == {}
    assert form.name.data == kept


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "ann@acme",
        "@acme.example",
        "a b@acme.example",
        "a@b@c.example",
        "<a@acme.example>",
        "a@acme.example, b@acme.example",
    ],
)
def test_what_is_no_address_is_asked_again(fill_in: Any, address: str) -> None:
    assert list(fill_in(email=address).errors) == ["email"]


def test_an_address_is_kept_in_small_letters(fill_in: Any) -> None:
    form = fill_in(email=" Ann@ACME.example ")
    assert form.order(datetime(2026, 12, 3, 10, tzinfo=UTC), ZoneInfo("UTC")).email == "ann@acme.example"


def test_too_much_is_said_and_kept(fill_in: Any) -> None:
    form = fill_in(name="x" * 10_000, notes="y" * 4_000)
    assert set(form.errors) == {"name", "notes"}
    assert len(form.name.data) == 10_000
    assert len(form.notes.data) == 4_000


def test_a_token_of_ours_stays_and_any_other_is_made_anew(fill_in: Any) -> None:
    token = "A" * 32
    assert fill_in(form_token=token).form_token.data == token
    for odd in ("", "short", "z" * 65, "\x00" * 30, "a b" * 10):
        made = fill_in(form_token=odd).form_token.data
        assert made != odd
        assert len(made) == 32
