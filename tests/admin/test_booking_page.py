"""Everything that is known about one booking stands on its page, and nothing on it is taken for markup."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from hds.admin.words import event
from hds.bookings.chain import FactKind, Person
from hds.bookings.models import Booking
from hds.extensions import db
from hds.mail.models import Message, MessageState
from hds.webhooks.models import DeliveryState, InboxDelivery
from tests.factories import fact, make_booking


def page_of(client: FlaskClient, booking: Booking) -> str:
    answer = client.get(f"/admin/bookings/{booking.id}")
    assert answer.status_code == 200
    return answer.text


def test_every_fact_stands_there(signed_in: FlaskClient, strategy: Any) -> None:
    booking = make_booking(
        start_at=datetime(2026, 12, 3, 15, tzinfo=UTC),
        attendees=[Person(email="kenji@acme.example", name="Kenji Abe", phone="+81 3 1234", time_zone="Asia/Tokyo")],
        guests=["guest@acme.example"],
        location="integrations:daily",
        notes="We are\ntwo people",
        answers={"budget": "about 5k", "topics": ["seo", "speed"], "urgent": True},
        price=15000,
        currency="USD",
        reason="Ill",
    )
    page = page_of(signed_in, booking)
    for words in (
        "Kenji Abe",
        "+81 3 1234",
        "Thursday 3 December, 10:00–10:30</time> (New York, yours)",
        "Friday 4 December, 00:00–00:30</time> (Tokyo, theirs)",
        "guest@acme.example",
        'href="https://cal.example/video/uid1"',
        "Cal Video",
        "We are\ntwo people",
        "about 5k",
        "seo, speed",
        "Yes",
        "$150",
        "Ill",
        "<code>uid1</code>",
        strategy.name,
    ):
        assert words in page


def test_the_timeline_tells_what_happened_and_which_delivery_said_so(
    signed_in: FlaskClient, strategy: Any, make_delivery: Callable[..., InboxDelivery]
) -> None:
    delivery = make_delivery(booking_uid="uid1", trigger="BOOKING_CREATED")
    Booking.record(fact("uid1"), delivery_id=delivery.id)
    Booking.record(fact("uid2", FactKind.RESCHEDULED, previous_uid="uid1", reason="Train", by="priya@acme.example"))
    booking = Booking.record(fact("uid2", FactKind.CANCELLED, reason="Gave up"))
    db.session.commit()
    page = page_of(signed_in, booking)
    for words in (
        "Moved to another time",
        "Train",
        "Gave up",
        f"/admin/deliveries/{delivery.id}",
        "before it was moved",
    ):
        assert words in page
    assert "Cancelled" in page


def test_deliveries_about_any_uid_of_the_chain_are_listed(
    signed_in: FlaskClient, strategy: Any, make_delivery: Callable[..., InboxDelivery]
) -> None:
    make_booking("uid1")
    booking = make_booking("uid2", FactKind.RESCHEDULED, previous_uid="uid1")
    of_first = make_delivery(booking_uid="uid1", trigger="BOOKING_PAID", state=DeliveryState.FAILED, reason="Broken.")
    of_last = make_delivery(b"{}", booking_uid="uid2", trigger="MEETING_ENDED")
    stranger = make_delivery(b"[]", booking_uid="uid9", trigger="BOOKING_CREATED")
    page = page_of(signed_in, booking)
    assert f"/admin/deliveries/{of_first.id}" in page
    assert f"/admin/deliveries/{of_last.id}" in page
    assert "Broken." in page
    assert f"/admin/deliveries/{stranger.id}" not in page


def test_mails_say_to_whom_and_what_became_of_them(
    signed_in: FlaskClient, strategy: Any, make_message: Callable[..., Message]
) -> None:
    booking = make_booking(event_type_id=77)
    sent = make_message(booking_id=booking.id)
    lost = make_message(
        MessageState.UNKNOWN, booking_id=booking.id, kind="owner_booking_confirmed", reason="It broke off."
    )
    page = page_of(signed_in, booking)
    for words in ("Confirmation", "priya@acme.example", "Unknown", "It broke off.", f"/admin/messages/{sent.id}"):
        assert words in page
    assert f"/admin/messages/{lost.id}/sending" in page
    assert f"/admin/messages/{sent.id}/sending" not in page


def test_a_stub_of_which_nothing_is_known_has_a_page(signed_in: FlaskClient) -> None:
    from hds.bookings.chain import Fact

    booking = Booking.record(Fact("stub", FactKind.CANCELLED, datetime(2026, 11, 22, tzinfo=UTC)))
    db.session.commit()
    page = page_of(signed_in, booking)
    assert "Nobody named" in page
    assert "Not known" in page


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "{{1234*1234}}{% raw %}",
        "\u202egnorw\u202c",
        "\"'><img src=x onerror=alert(1)>",
        "a" * 5000,
        "𝕊𝕠 \u200b\u2028",
    ],
)
def test_what_people_typed_is_text(signed_in: FlaskClient, strategy: Any, text: str) -> None:
    booking = make_booking(
        attendees=[Person(email="priya@acme.example", name=text[:150], time_zone="Not/AZone")],
        title=text[:400],
        notes=text,
        reason=text,
        answers={text[:100]: text, "list": [text]},
        location=text[:400],
        meeting_url="javascript:alert(1)",
    )
    for page in (page_of(signed_in, booking), signed_in.get("/admin/bookings").text):
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "1522756" not in page
    assert 'href="javascript' not in page_of(signed_in, booking)


@pytest.mark.parametrize("number", ["0", "99", str(2**63), "9" * 400, "-1", "1.0", "x"])
def test_a_booking_that_is_not_there_is_a_404(signed_in: FlaskClient, number: str) -> None:
    assert signed_in.get(f"/admin/bookings/{number}").status_code == 404


def test_each_new_fact_stands_there_in_plain_words(signed_in: FlaskClient, strategy: Any) -> None:
    booking = make_booking()
    told: list[tuple[FactKind, dict[str, Any]]] = [
        (FactKind.LOCATION_CHANGED, {"previous_location": "integrations:daily", "location": "12 High Street"}),
        (
            FactKind.REASSIGNED,
            {"host": Person(email="sam@x.example", name="Sam"), "hosts_added": [7], "hosts_removed": [8]},
        ),
        (FactKind.HOST_MISSED_CALL, {"missing": ["dana@x.example"]}),
        (FactKind.GUESTS_MISSED_CALL, {"missing": ["kenji@acme.example"]}),
        (FactKind.RECORDED, {"has_secret_links": True}),
        (FactKind.TRANSCRIBED, {"links": ["https://files.example/script.txt"]}),
        (FactKind.CANCELLED, {"asks_to_move": True, "by": "dana@x.example", "reason": "Please reschedule. Ill"}),
    ]
    for kind, details in told:
        Booking.record(fact(kind=kind, subject="a1b2c3" if "CHANGED" in kind.name else "", **details))
    db.session.commit()
    page = page_of(signed_in, booking)
    for said in (
        "Meets somewhere else",
        "From <bdi>Cal Video</bdi> to <bdi>12 High Street</bdi>",
        "Now with <bdi>Sam</bdi> <bdi>sam@x.example</bdi>",
        "7 joined, 8 left",
        "The host had not joined the call",
        "<bdi>dana@x.example</bdi>",
        "The attendees had not joined the call",
        "the links that it sent carry a key",
        '<a href="https://files.example/script.txt" rel="noreferrer">',
        "Cancelled: the host asked to move",
        "The host asked them to choose another time.",
    ):
        assert said in page
    assert "a1b2c3" not in page


def test_every_kind_of_fact_has_its_words() -> None:
    assert all(event(kind, {}) for kind in FactKind)


def test_a_person_who_came_before_is_said_to(signed_in: FlaskClient, strategy: Any) -> None:
    booking = make_booking()
    booking.contact.was_brought(datetime(2026, 3, 1, 12, tzinfo=UTC), source="spring-mail", campaign="launch")
    db.session.commit()
    page = page_of(signed_in, booking)
    assert "the first time" in page
    assert "<bdi>spring-mail</bdi>, campaign <bdi>launch</bdi>" in page
