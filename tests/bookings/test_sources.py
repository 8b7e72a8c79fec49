"""What brought a booking: the visit's signed reference goes out with it and comes back with the webhook."""

from collections import Counter
from datetime import timedelta
from itertools import permutations
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine

from hds.analytics import jobs, reports, salt, visits, writer
from hds.analytics.models import FunnelStep, Visit
from hds.bookings.models import Booking, BookingAttempt
from hds.bookings.sources import BookingSource
from hds.config import BookerKind
from hds.contacts.models import Contact
from hds.extensions import db
from hds.lib import tokens
from hds.lib.times import utcnow
from tests.analytics.conftest import ADDRESS, CHROME
from tests.analytics.test_counting import entry
from tests.conftest import empty
from tests.deliveries import arrive, delivery
from tests.factories import ServiceFactory

pytestmark = pytest.mark.usefixtures("noon")  # a visit belongs to a day of the owner's
MOVED_UID = "hW5nG8uD1eJvQxM6rFaB2k"
PRIYA = "priya@acme.example"
LOST = {"metadata": {"videoCallUrl": "https://app.cal.com/video/x"}}


@pytest.fixture
def intro(app):
    return ServiceFactory(slug="intro", cal_event_type_id=4711)


def reference(app: Any, address: str = ADDRESS) -> str:
    with app.test_request_context(environ_base={"REMOTE_ADDR": address}, headers={"User-Agent": CHROME}):
        return visits.reference()


def came(query: str = "utm_source=mail&utm_campaign=autumn", **more: Any) -> None:
    writer.write([entry(query=query, **more)])


def carrying(token: str) -> dict[str, Any]:
    return {"metadata": {"hds-visit": token}}


def the_source() -> BookingSource | None:
    db.session.rollback()
    return db.session.scalars(db.select(BookingSource)).one_or_none()


def funnel(slug: str = "intro") -> "Counter[FunnelStep]":
    today = salt.day_of(utcnow())
    return reports.report(today, today).funnel(slug)


def test_first_and_last_source_of_the_day_stand_on_the_booking(app, client, intro):
    came(referrer="https://news.example/a", query="utm_source=mail&utm_medium=email&utm_campaign=autumn")
    came("gclid=1", at=utcnow() + timedelta(minutes=5))
    arrive(client, delivery("CREATED", **carrying(reference(app))))
    source = the_source()
    assert (source.first, source.first_campaign, source.first_medium) == ("mail", "autumn", "email")
    assert (source.first_referrer, source.first_path) == ("news.example", "/faq")
    assert (source.last, source.last_campaign) == ("gclid", "")
    assert source.came_back


def test_a_hidden_field_brings_it_back_as_well(app, client, intro):
    came()
    body = delivery("CREATED", **LOST)
    field = {"label": "hds-visit", "value": reference(app), "isHidden": False}
    body["payload"]["responses"]["hds-visit"] = body["payload"]["userFieldsResponses"]["hds-visit"] = field
    arrive(client, body)
    assert the_source().first == "mail"
    booking = db.session.scalars(db.select(Booking)).unique().one()
    assert "hds-visit" not in booking.answers


def test_an_owners_own_questions_of_like_names_stay_answers(app, client, intro):
    came()
    body = delivery("CREATED", **LOST)
    for slug, value in (("reference", "PO-4711"), ("visit", "the second")):
        field = {"label": slug, "value": value, "isHidden": False}
        body["payload"]["responses"][slug] = body["payload"]["userFieldsResponses"][slug] = field
    arrive(client, body)
    booking = db.session.scalars(db.select(Booking)).unique().one()
    assert (booking.answers["reference"], booking.answers["visit"]) == ("PO-4711", "the second")
    assert all("reference" not in event.details for event in booking.events)
    assert the_source() is None


def test_booked_and_confirmed_are_counted_for_that_visit_once(app, client, intro):
    came()
    token = reference(app)
    arrive(client, delivery("REQUESTED", **carrying(token)))
    assert funnel() == {FunnelStep.BOOKED: 1}
    for _ in range(2):
        arrive(client, delivery("CREATED", stated_at=utcnow(), **carrying(token)))
    assert funnel() == {FunnelStep.BOOKED: 1, FunnelStep.CONFIRMED: 1}


def test_lost_metadata_erases_nothing_and_still_confirms(app, client, intro):
    came()
    arrive(client, delivery("REQUESTED", **carrying(reference(app))))
    arrive(client, delivery("booking_created.after_confirmation.v2021-10-20.json", **LOST), delivery("PAID"))
    assert the_source().first == "mail"
    assert funnel()[FunnelStep.CONFIRMED] == 1


def test_a_move_keeps_it_whatever_comes_first(app, client, intro):
    made = {"created": "CREATED", "moved": "RESCHEDULED", "paid": "PAID"}
    pictures = set()
    for order in permutations(made):
        empty(app)
        ServiceFactory(slug="intro", cal_event_type_id=4711)
        came()
        token = reference(app)
        bodies = {
            "created": delivery("CREATED", **carrying(token)),
            "moved": delivery("RESCHEDULED", **LOST),
            "paid": delivery("PAID"),
        }
        arrive(client, *(bodies[name] for name in order))
        source = the_source()
        booking = db.session.get(Booking, source.booking_id)
        pictures.add((booking.uid, source.first, source.first_campaign, funnel()[FunnelStep.CONFIRMED]))
    assert pictures == {(MOVED_UID, "mail", "autumn", 1)}


def test_of_two_visits_the_earlier_one_made_the_booking_in_either_order(app, client, intro):
    found = set()
    for order in permutations((0, 1)):
        empty(app)
        ServiceFactory(slug="intro", cal_event_type_id=4711)
        came()
        came("utm_source=later", address="203.0.113.1", at=utcnow() + timedelta(minutes=9))
        bodies = (
            delivery("CREATED", **carrying(reference(app))),
            delivery("RESCHEDULED", **carrying(reference(app, "203.0.113.1"))),
        )
        arrive(client, *(bodies[number] for number in order))
        found.add(the_source().first)
    assert found == {"mail"}


def test_a_forged_reference_is_nothing(app, client, intro):
    came()
    token = reference(app)
    forged = token[:-3] + ("abc" if token[-3:] != "abc" else "abd")
    arrive(client, delivery("CREATED", **carrying(forged)))
    assert the_source() is None
    assert funnel() == {}


@pytest.mark.parametrize(
    "token",
    [
        lambda: tokens.sign("booking attempt", [salt.day_of(utcnow()).isoformat(), "0" * 32]),
        lambda: tokens.sign(visits.PURPOSE, 1),
        lambda: tokens.sign(visits.PURPOSE, [salt.day_of(utcnow()).isoformat(), "0" * 32]),
        lambda: None,
        lambda: 7,
        lambda: {"a": 1},
        lambda: "x" * 100_000,
    ],
)
def test_what_is_no_visits_name_is_nothing(app, client, intro, token):
    [row] = arrive(client, delivery("CREATED", **carrying(token())))
    assert row.state == "applied"
    assert the_source() is None


def test_a_webhook_after_the_visits_time_brings_nothing_and_erases_nothing(app, client, intro):
    came()
    token = reference(app)
    arrive(client, delivery("CREATED", **carrying(token)))
    with time_machine.travel(utcnow() + timedelta(days=120)):
        jobs.tidy()
        db.session.rollback()
        assert db.session.scalars(db.select(Visit)).all() == []
        arrive(client, delivery("MEETING_ENDED", metadata={"hds-visit": token}))
        source = the_source()
    assert (source.first, source.first_campaign, source.visit_id) == ("mail", "autumn", None)


def test_a_reference_is_short_enough_for_cal(app):
    token = reference(app)
    assert 0 < len(token) <= 200
    assert ADDRESS not in token


def test_there_is_no_reference_outside_of_a_request(app):
    assert visits.reference() == ""


def test_a_booking_of_our_own_steps_carries_it(app, cal, visit, free_times):
    written = app.extensions["counting"]
    written._waiting.clear()
    visitor = visit(free_times()[0])
    assert visitor.send().status_code == 303
    written.flush()
    attempt = db.session.scalars(db.select(BookingAttempt)).unique().one()
    assert visits.of_reference(cal.booking(attempt.booking_uid).metadata["hds-visit"]) is not None
    said = {step for step, *_ in visits.steps_of(db.session.scalars(db.select(Visit)).one().id)}
    assert said == {FunnelStep.PAGE_VIEWED, FunnelStep.SLOT_CHOSEN, FunnelStep.DETAILS_GIVEN, FunnelStep.BOOKED}


@pytest.mark.parametrize("booker", [BookerKind.LINK, BookerKind.EMBED])
def test_a_link_to_cals_page_carries_it_and_no_page_of_ours_does(app, client, use_cal, sandbox_url, strategy, booker):
    use_cal(sandbox_url, booker=booker)
    written = app.extensions["counting"]
    written._waiting.clear()
    somebody = {"environ_base": {"REMOTE_ADDR": ADDRESS}, "headers": {"User-Agent": CHROME}}
    client.get("/?utm_source=mail", **somebody)
    page = client.get("/book-consultation/strategy-consultation", **somebody)
    onward = client.get("/book-consultation/strategy-consultation/elsewhere", **somebody)
    written.flush()
    carried = parse_qs(urlsplit(onward.location).query)
    assert carried["hds-visit"] == carried["metadata[hds-visit]"]
    if booker is BookerKind.LINK:
        assert "hds-visit" not in page.text
    assert (onward.headers["Cache-Control"], onward.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    visit = visits.of_reference(carried["hds-visit"][0])
    assert (visit.utm_source, visit.pages) == ("mail", 2)
    assert (FunnelStep.BOOKER_SHOWN, strategy.slug, "") in visits.steps_of(visit.id)
    arrive(client, delivery("CREATED", metadata={"hds-visit": carried["hds-visit"][0]}))
    assert the_source().first == "mail"


def test_what_is_fetched_ahead_of_a_link_to_cals_page_is_not_counted(app, client, use_cal, sandbox_url, strategy):
    use_cal(sandbox_url, booker=BookerKind.LINK)
    app.extensions["counting"]._waiting.clear()
    ahead = {"User-Agent": CHROME, "Sec-Purpose": "prefetch"}
    assert client.get("/book-consultation/strategy-consultation/elsewhere", headers=ahead).status_code == 302
    assert not app.extensions["counting"]._waiting


# Every path on which Cal.com keeps or loses what went along: both ways of carrying it, and each alone


def by(name: str, token: str, *, metadata: bool, field: bool, **more: Any) -> dict[str, Any]:
    """A body that brings the reference as metadata, in the hidden field, both or not at all."""
    carried = {"metadata": {visits.KEY: token}} if metadata else LOST
    body = delivery(name, **carried, **more)
    inner = body.get("payload", body)
    if field:
        inner.setdefault("responses", {})[visits.KEY] = {"label": visits.KEY, "value": token, "isHidden": True}
    return body


AFTER = "booking_created.after_confirmation.v2021-10-20.json"
PATHS = {
    "instant": [("CREATED", True, True)],
    "instant, no field": [("CREATED", True, False)],
    "approved": [("REQUESTED", True, True), (AFTER, False, True)],
    "approved, no field": [("REQUESTED", True, False), (AFTER, False, False)],
    "approved, only the second body came": [(AFTER, False, True)],
    "declined": [("REQUESTED", True, False), ("REJECTED", False, False)],
    "declined, only the second body came": [("REJECTED", False, True)],
    "paid": [("PAYMENT_INITIATED", True, False), ("PAID", False, False), (AFTER, False, False)],
    "paid, only the last body came": [("PAID", False, False), (AFTER, False, True)],
    "paid and approved": [
        ("PAYMENT_INITIATED", True, False),
        ("PAID", False, False),
        ("REQUESTED", False, False),
        (AFTER, False, False),
    ],
    "moved": [("CREATED", True, False), ("RESCHEDULED", False, False)],
    "moved, only the move came": [("RESCHEDULED", False, True)],
    "cancelled": [("CREATED", True, False), ("CANCELLED", False, False)],
    "cancelled, only that came": [("CANCELLED", True, False)],
    "met": [("MEETING_ENDED", False, True)],
}


@pytest.mark.parametrize("path", PATHS)
def test_it_stays_on_every_path_in_every_order(app, client, path):
    for order in permutations(PATHS[path]):
        empty(app)
        ServiceFactory(slug="intro", cal_event_type_id=4711)
        came("utm_source=mail&utm_medium=email&utm_campaign=autumn&utm_term=seo&utm_content=blue")
        came("gclid=1", at=utcnow() + timedelta(minutes=5))
        token = reference(app)
        bodies = [by(name, token, metadata=metadata, field=field) for name, metadata, field in order]
        arrive(client, *bodies)
        source, contact = the_source(), db.session.scalars(db.select(Contact).filter_by(email=PRIYA)).one()
        assert (source.first, source.first_campaign, source.last) == ("mail", "autumn", "gclid")
        assert (source.first_term, source.first_content) == ("seo", "blue")
        assert (contact.first_source, contact.first_medium, contact.first_campaign) == ("mail", "email", "autumn")
        assert (contact.first_term, contact.first_content, contact.first_path) == ("seo", "blue", "/faq")


def test_a_click_stands_with_the_person_by_its_kind_alone(app, client, intro):
    came("gclid=a-secret-of-the-network")
    arrive(client, delivery("CREATED", **carrying(reference(app))))
    contact = db.session.scalars(db.select(Contact).filter_by(email=PRIYA)).one()
    assert (contact.first_click_kind, contact.first_source) == ("gclid", "")


def test_a_person_keeps_the_first_source_of_several_bookings_in_either_order(app, client, intro):
    for order in permutations((0, 1)):
        empty(app)
        ServiceFactory(slug="intro", cal_event_type_id=4711)
        came()
        came("utm_source=later", address="203.0.113.1", at=utcnow() + timedelta(minutes=9))
        bodies = (
            delivery("CREATED", **carrying(reference(app))),
            delivery("CREATED", uid="second", iCalUID="second", **carrying(reference(app, "203.0.113.1"))),
        )
        arrive(client, *(bodies[number] for number in order))
        assert len(db.session.scalars(db.select(BookingSource)).all()) == 2
        assert db.session.scalars(db.select(Contact).filter_by(email=PRIYA)).one().first_source == "mail"


def test_each_seat_has_its_own_first_source(app, client, intro):
    came()
    came("utm_source=later", address="203.0.113.1", at=utcnow() + timedelta(minutes=9))
    seats = {PRIYA: reference(app), "lee@acme.example": reference(app, "203.0.113.1"), "kenji@acme.example": ""}
    for email, token in seats.items():
        person = [{"email": email, "name": "", "timeZone": "UTC"}]
        arrive(client, delivery("CREATED", seatsPerTimeSlot=5, attendees=person, **carrying(token)))
    found = dict(db.session.execute(db.select(Contact.email, Contact.first_source)).all())
    assert found == {PRIYA: "mail", "lee@acme.example": "later", "kenji@acme.example": ""}


def test_what_a_visits_end_deletes_stays_with_the_person(app, client, intro):
    came()
    arrive(client, delivery("CREATED", **carrying(reference(app))))
    with time_machine.travel(utcnow() + timedelta(days=120)):
        jobs.tidy()
        db.session.rollback()
        assert db.session.scalars(db.select(Visit)).all() == []
        assert db.session.scalars(db.select(Contact).filter_by(email=PRIYA)).one().first_source == "mail"
