"""A booking for somebody's own calendar: the file, who may fetch it, and the forms on the web that are filled in."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from flask.testing import FlaskClient
from icalendar import Calendar

from hds.bookings.booker import new_reference
from hds.bookings.calendar_entry import CalendarEntry, file_address
from hds.bookings.chain import Fact, FactKind, Person
from hds.bookings.embedded import Embedded
from hds.bookings.models import Booking, BookingAttempt
from hds.extensions import db
from hds.lib.times import parse_utc, utcnow
from tests.analytics.conftest import NOON
from tests.deliveries import arrive, delivery
from tests.factories import ServiceFactory, fact, make_booking

UID = "9bTq3mX2LwYcVhR7pKsZ4d"
START = datetime(2026, 12, 3, 15, tzinfo=UTC)


@pytest.fixture
def noon() -> Any:
    """Some days before START. Not beside the sandbox, which lives by the real clock."""
    with time_machine.travel(NOON):
        yield


def file_of(booking: Booking) -> str:
    return urlsplit(file_address(booking)).path


def read(answer: Any) -> Any:
    """The one event of a calendar file."""
    assert answer.status_code == 200
    [event] = Calendar.from_ical(answer.data).walk("VEVENT")
    return event


def the_booking() -> Booking:
    db.session.rollback()
    return db.session.scalars(db.select(Booking)).unique().one()


def test_the_file_is_the_invitations_twin(client: FlaskClient, app: Any) -> None:
    ServiceFactory(slug="intro", name="Intro", cal_event_type_id=4711)
    body = delivery("CREATED")
    arrive(client, body)
    answer = client.get(file_of(the_booking()))
    assert answer.content_type == "text/calendar; charset=utf-8; method=PUBLISH"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="consultation.ics"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    event = read(answer)
    payload = body["payload"]
    assert (event["uid"], event["sequence"]) == (payload["iCalUID"], payload["iCalSequence"])
    assert event.start == parse_utc(payload["startTime"])
    assert event.end == parse_utc(payload["endTime"])
    assert event["status"] == "CONFIRMED"
    assert "attendee" not in event  # a published entry asks nobody for an answer
    assert Calendar.from_ical(answer.data)["method"] == "PUBLISH"


def test_no_uid_of_cals_is_in_it_but_the_calendars_own(client: FlaskClient) -> None:
    ServiceFactory(slug="intro", cal_event_type_id=4711)
    arrive(client, delivery("CREATED", iCalUID="abc@Cal.com"))
    booking = the_booking()
    assert booking.uid in (booking.meeting_url or "")
    text = client.get(file_of(booking)).text
    assert booking.uid not in text + file_of(booking)
    assert "the link comes by mail" in text


@pytest.mark.usefixtures("noon")
def test_long_and_odd_names_are_folded_and_escaped(client: FlaskClient, app: Any) -> None:
    name = "Beratung, groß; 100 % \\ für Ärztinnen und Ärzte – " + "ö" * 90
    service = ServiceFactory(slug="intro", name=name, cal_event_type_id=1001)
    booking = make_booking("uid1", start_at=START, location="Ulica 5; piętro 2, Łódź", meeting_url=None)
    answer = client.get(file_of(booking))
    assert all(len(line) <= 75 for line in answer.data.split(b"\r\n"))
    assert b"\n" not in answer.data.replace(b"\r\n", b"")
    event = read(answer)
    assert str(event["summary"]) == f"{service.name} with {app.config['HDS'].owner_name}"
    assert str(event["location"]) == "Ulica 5; piętro 2, Łódź"


@pytest.mark.usefixtures("noon")
def test_a_moved_booking_keeps_its_uid_and_has_a_higher_number(client: FlaskClient, strategy: Any) -> None:
    def told(given: Fact) -> None:
        Booking.record(given, "abc@Cal.com")
        db.session.commit()

    told(fact("uid1", ical_sequence=0, start_at=START))
    link = file_of(the_booking())
    told(fact("uid2", FactKind.RESCHEDULED, previous_uid="uid1", ical_sequence=1, start_at=START + timedelta(days=1)))
    event = read(client.get(link))
    assert (event["uid"], event["sequence"], event.start) == ("abc@Cal.com", 1, START + timedelta(days=1))
    told(fact("uid2", FactKind.CANCELLED, start_at=START + timedelta(days=1)))
    answer = client.get(link)
    assert answer.content_type.endswith("method=CANCEL")
    event = read(answer)
    assert (event["uid"], event["sequence"], event["status"]) == ("abc@Cal.com", 2, "CANCELLED")


def test_a_request_is_tentative(client: FlaskClient, strategy: Any) -> None:
    booking = make_booking("uid1", FactKind.REQUESTED)
    assert read(client.get(file_of(booking)))["status"] == "TENTATIVE"


@pytest.mark.usefixtures("noon")
def test_a_link_in_a_mail_opens_the_file_of_its_booking_alone(
    client: FlaskClient, strategy: Any, deep_dive: Any
) -> None:
    booking = make_booking("uid1", start_at=START)
    link = file_of(booking)
    assert client.get(link).status_code == 200
    assert client.get(link.replace("strategy-consultation", "deep-dive")).status_code == 404
    assert client.get(link.replace("/calendar.ics", "")).status_code == 404  # it is no done page's token
    assert client.get(re.sub(r"done/.", "done/x", link)).status_code == 404
    with time_machine.travel(NOON + timedelta(days=60)):
        assert client.get(link).status_code == 200


def test_a_mails_link_follows_two_bookings_that_were_one_and_opens_nobody_elses(
    client: FlaskClient, strategy: Any
) -> None:
    """The number of the one that is gone may be given again, to somebody else's booking."""
    first = make_booking("uid1", start_at=START)
    second = make_booking("uid3", start_at=START + timedelta(days=1))
    link, number = file_of(second), second.id
    moved = fact("uid3", FactKind.RESCHEDULED, previous_uid="uid1", start_at=START + timedelta(days=2))
    assert Booking.record(moved).id == first.id
    db.session.commit()
    assert read(client.get(link)).start == START + timedelta(days=2)
    ann = make_booking("uid9", start_at=START + timedelta(days=9), attendees=[Person(email="ann@else.example")])
    assert ann.id == number or db.engine.dialect.name != "sqlite"
    assert read(client.get(link)).start == START + timedelta(days=2)
    assert read(client.get(file_of(ann))).start == START + timedelta(days=9)


def test_what_is_none_of_our_services_has_no_file(client: FlaskClient, app: Any) -> None:
    booking = make_booking("uid1", event_type_id=99)
    assert CalendarEntry.of_booking(booking) is None


@pytest.mark.usefixtures("noon")
def test_the_forms_on_the_web_are_filled_in(strategy: Any) -> None:
    entry = CalendarEntry.of_booking(make_booking("uid1", start_at=START, meeting_url="https://meet.example/a?b=c&d"))
    google, *outlooks = (parse_qs(urlsplit(url).query) for url in entry.links.values())
    assert google["dates"] == ["20261203T150000Z/20261203T153000Z"]
    assert google["text"] == [entry.title]
    assert google["location"] == ["Video call: https://meet.example/a?b=c&d"]
    for outlook in outlooks:
        assert (outlook["startdt"], outlook["enddt"]) == (["2026-12-03T15:00:00Z"], ["2026-12-03T15:30:00Z"])
        assert outlook["subject"] == [entry.title]
    assert "uid1" not in "".join(entry.links.values())


# The done page


def test_the_done_page_offers_calendars_and_its_token_opens_the_file(
    cal: Any, visit: Any, free_times: Any, client: FlaskClient
) -> None:
    start = free_times()[5]
    done = visit(start).send().location
    page = client.get(done).text
    assert f'href="{done}/calendar.ics"' in page
    links = [unescape(link) for link in re.findall(r'href="(https://(?:calendar|outlook)[^"]+)"', page)]
    assert len(links) == 3
    event = read(client.get(f"{done}/calendar.ics"))
    attempt = db.session.scalars(db.select(BookingAttempt)).unique().one()
    assert event.start == parse_utc(start)
    assert event["uid"].startswith(f"{attempt.reference}@")
    assert attempt.booking_uid not in page + client.get(f"{done}/calendar.ics").text
    assert client.get(done[:-4] + "xyzz/calendar.ics").status_code == 404


def test_a_request_is_not_put_into_a_calendar_yet(
    cal: Any, intro: Any, visit: Any, free_times: Any, client: FlaskClient
) -> None:
    done = visit(free_times(1003)[6], slug="intro").send().location
    assert "Add it to your calendar" not in client.get(done).text


def framed_page(slug: str = "strategy-consultation") -> Embedded:
    return Embedded(slug, new_reference(), utcnow() - timedelta(minutes=1))


@pytest.mark.usefixtures("noon")
def test_the_receipt_of_a_frame_says_where_and_what_was_paid(client: FlaskClient, deep_dive: Any) -> None:
    page = framed_page("deep-dive")
    told = {
        "event_type_id": 1002,
        "start_at": START,
        "price": 15000,
        "currency": "USD",
        "reference": page.reference,
        "location": "12 Main Street",
        "location_kind": "inPerson",
        "meeting_url": None,
    }
    done = f"/book-consultation/deep-dive/done/{page.token}"
    assert "calendar.ics" not in client.get(done).text
    assert client.get(f"{done}/calendar.ics").status_code == 404
    for kind in (FactKind.PAYMENT_INITIATED, FactKind.PAID, FactKind.CONFIRMED):
        make_booking("uid1", kind, **told)
    answer = client.get(done)
    assert "In person: 12 Main Street" in answer.text
    assert "$150, paid" in answer.text
    assert read(client.get(f"{done}/calendar.ics")).start == START


# Until when


@pytest.mark.parametrize("is_soon", [False, True])
@pytest.mark.usefixtures("noon")
def test_the_done_page_says_until_when_it_can_be_moved(client: FlaskClient, strategy: Any, is_soon: bool) -> None:
    page = framed_page()
    start = NOON + timedelta(hours=23 if is_soon else 48)
    make_booking("uid1", start_at=start, reference=page.reference)
    text = client.get(f"/book-consultation/strategy-consultation/done/{page.token}").text
    until = "it</a> until Wednesday 25 November, 12:00 (New York). The mail has the link, too."
    assert (until in text, "It begins too soon to be moved or cancelled online" in text) == (not is_soon, is_soon)


# Whose


@pytest.mark.usefixtures("noon")
def test_the_done_page_of_a_frame_says_whose_it_is_and_not_all_of_the_address(
    client: FlaskClient, strategy: Any
) -> None:
    page = framed_page()
    make_booking("uid1", reference=page.reference)
    text = client.get(f"/book-consultation/strategy-consultation/done/{page.token}").text
    assert "<dt>Booked by</dt><dd>p…@acme.example</dd>" in text
    assert "priya@" not in text


@pytest.mark.usefixtures("noon")
def test_the_done_page_of_a_seat_names_nobody(client: FlaskClient, strategy: Any) -> None:
    page = framed_page()
    make_booking("uid1", reference=page.reference, is_seated=True)
    text = client.get(f"/book-consultation/strategy-consultation/done/{page.token}").text
    assert "You are booked" in text
    assert "@acme.example" not in text
