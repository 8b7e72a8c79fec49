"""Deliveries in, bookings out, through the real webhook URL, the real worker functions and the real database."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from hds.bookings.chain import BookingStatus, FactKind, PaymentState
from hds.bookings.exports import booking_as_json
from hds.bookings.models import Booking, BookingEvent
from hds.contacts.models import Contact
from hds.extensions import db
from hds.lib.times import utcnow
from hds.mail import jobs as mail_jobs
from hds.mail.models import Message
from hds.webhooks import jobs
from hds.webhooks.models import DeliveryState, InboxDelivery
from tests.conftest import empty
from tests.deliveries import DROP, arrive, delivery, iso, post
from tests.factories import ServiceFactory, in_days

UID = "9bTq3mX2LwYcVhR7pKsZ4d"
MOVED_UID = "hW5nG8uD1eJvQxM6rFaB2k"


@pytest.fixture
def intro(app):
    return ServiceFactory(slug="intro", cal_event_type_id=4711)


@pytest.fixture
def audit(app):
    return ServiceFactory(slug="audit", cal_event_type_id=4712, price_amount=15000, price_currency="EUR")


def the_booking() -> Booking:
    return db.session.scalars(db.select(Booking)).one()


def count(model: type) -> int:
    return db.session.scalar(db.select(db.func.count()).select_from(model))


def test_a_created_booking_knows_all_that_the_delivery_told(client, intro):
    [row] = arrive(client, delivery("CREATED"))
    assert row.state is DeliveryState.APPLIED
    booking = the_booking()
    assert booking.service == intro
    assert booking.status is BookingStatus.CONFIRMED
    assert (booking.contact.name, booking.contact.email) == ("Priya Natarajan", "priya@acme.example")
    assert [guest.email for guest in booking.guests] == ["lee@acme.example"]
    assert booking.answers == {"company": "Acme Ltd", "team-size": "11-50"}
    assert booking.time_zone == "America/New_York"
    assert booking.meeting_url == f"https://app.cal.com/video/{UID}"
    assert [event.kind for event in booking.events] == ["confirmed"]
    assert booking.events[0].delivery_id == row.id


def test_it_leaves_in_json_as_promised(client, intro):
    body = delivery("CREATED")
    arrive(client, body)
    start = body["payload"]["startTime"]
    shown = json.loads(json.dumps(booking_as_json(the_booking())))
    assert shown.pop("start_at") == start.replace(".000Z", "Z")
    assert shown.pop("end_at").endswith("Z")
    assert shown == {
        "uid": UID,
        "previous_uids": [],
        "status": "confirmed",
        "service": "intro",
        "time_zone": "America/New_York",
        "attendee": {"name": "Priya Natarajan", "email": "priya@acme.example"},
        "guests": ["lee@acme.example"],
        "meeting_url": f"https://app.cal.com/video/{UID}",
        "answers": {"company": "Acme Ltd", "team-size": "11-50"},
        "price": None,
        "payment": "none",
        "timeline": [{"at": "2026-11-22T09:30:00Z", "kind": "confirmed"}],
        "messages": [
            {"kind": "booking_confirmed", "to": "priya@acme.example", "state": "pending"},
            {"kind": "owner_booking_confirmed", "to": "owner@hudson.example", "state": "pending"},
        ],
    }


def test_a_request_then_confirmation_writes_both_mails_once(client, intro):
    arrive(client, delivery("REQUESTED"))
    assert the_booking().status is BookingStatus.REQUESTED
    arrive(client, delivery("booking_created.after_confirmation.v2021-10-20.json"))
    assert the_booking().status is BookingStatus.CONFIRMED
    kinds = sorted(db.session.scalars(db.select(Message.kind)))
    assert kinds == ["booking_confirmed", "booking_requested", "owner_booking_confirmed", "owner_booking_requested"]


def test_a_move_replaces_the_uid_and_remembers_the_old(client, intro):
    arrive(client, delivery("CREATED"), delivery("RESCHEDULED"))
    booking = the_booking()
    assert (booking.uid, booking.previous_uids) == (MOVED_UID, [UID])
    assert booking.start_at == in_days(5)
    assert Booking.by_uid(UID) == booking


def test_a_move_that_comes_first_finds_its_booking_later(client, intro):
    arrive(client, delivery("RESCHEDULED"), delivery("CREATED"))
    booking = the_booking()
    assert (booking.uid, booking.previous_uids) == (MOVED_UID, [UID])
    assert booking.start_at == in_days(5)


def test_a_move_without_a_link_is_found_by_the_calendar_uid(client, intro):
    moved = delivery("REQUESTED", uid=MOVED_UID, iCalSequence=1, startTime=iso(in_days(5)), endTime=iso(in_days(5)))
    arrive(client, delivery("CREATED"), moved)
    booking = the_booking()
    assert (booking.uid, booking.previous_uids) == (MOVED_UID, [UID])
    assert booking.status is BookingStatus.REQUESTED


def test_two_bookings_become_one_when_the_missing_link_arrives(client, intro):
    third = delivery(
        "RESCHEDULED",
        uid="third",
        rescheduleUid=MOVED_UID,
        iCalUID=DROP,
        startTime=iso(in_days(8)),
        endTime=iso(in_days(8)),
    )
    arrive(client, delivery("CREATED", iCalUID=DROP), third)
    assert count(Booking) == 2
    arrive(client, delivery("RESCHEDULED", iCalUID=DROP))
    booking = the_booking()
    assert (booking.uid, booking.previous_uids) == ("third", [UID, MOVED_UID])
    assert count(BookingEvent) == 3
    assert {message.booking_id for message in db.session.scalars(Message.newest_first())} == {booking.id}


def test_a_cancellation_of_an_unknown_uid_is_not_undone_by_a_late_creation(client, intro):
    arrive(client, delivery("CANCELLED"), delivery("CREATED"))
    assert the_booking().status is BookingStatus.CANCELLED
    assert count(Message) == 0


def test_declined(client, intro):
    arrive(client, delivery("REQUESTED"), delivery("REJECTED"))
    assert the_booking().status is BookingStatus.DECLINED
    assert the_booking().reason == "We do not take agency work in December."


def test_a_paid_booking_is_requested_and_pending_until_created(client, audit):
    arrive(client, delivery("PAYMENT_INITIATED"))
    booking = the_booking()
    assert (booking.status, booking.payment_state) == (BookingStatus.REQUESTED, PaymentState.PENDING)
    assert count(Message) == 0
    arrive(client, delivery("PAID"))
    assert (booking.status, booking.payment_state) == (BookingStatus.REQUESTED, PaymentState.PAID)
    assert booking.payment.external_id == "pi_3QEXAMPLE0000000000000"
    arrive(client, delivery("CREATED", eventTypeId=4712, price=15000, currency="eur"))
    assert booking.status is BookingStatus.CONFIRMED
    assert booking_as_json(booking)["price"] == {"amount": 15000, "currency": "EUR"}


@pytest.mark.parametrize("enveloped", [False, True])
def test_a_meeting_that_ended_is_completed_flat_or_enveloped(client, intro, enveloped):
    ended = delivery("MEETING_ENDED")
    if enveloped:
        ended = {"triggerEvent": ended.pop("triggerEvent"), "createdAt": iso(utcnow()), "payload": ended}
    started = delivery("MEETING_STARTED")
    arrive(client, delivery("CREATED"), started, ended)
    assert the_booking().status is BookingStatus.COMPLETED
    assert {"started", "ended"} <= {event.kind for event in the_booking().events}


def test_a_confirmed_meeting_whose_end_has_passed_is_completed_without_being_told(client, intro):
    past = utcnow() - timedelta(hours=2)
    arrive(client, delivery("CREATED", startTime=iso(past), endTime=iso(past + timedelta(minutes=30))))
    assert the_booking().current_status is BookingStatus.COMPLETED
    assert db.session.scalars(db.select(Booking).where(Booking.has_status(BookingStatus.COMPLETED))).all()
    assert not db.session.scalars(db.select(Booking).where(Booking.has_status(BookingStatus.CONFIRMED))).all()


def test_absent_and_present_again(client, intro):
    later = utcnow() + timedelta(days=4)
    arrive(client, delivery("CREATED"), delivery("ABSENT", stated_at=later))
    assert the_booking().status is BookingStatus.NO_SHOW
    arrive(client, delivery("PRESENT", stated_at=later + timedelta(minutes=5)))
    assert the_booking().status is BookingStatus.CONFIRMED


def test_absent_before_created(client, intro):
    arrive(client, delivery("ABSENT"), delivery("CREATED"))
    assert the_booking().status is BookingStatus.NO_SHOW


def test_a_seat_given_up_leaves_the_others(client, intro):
    lee = [{"email": "lee@acme.example", "name": "Lee", "timeZone": "Europe/London"}]
    priya = delivery("CREATED")["payload"]["attendees"][:1]
    arrive(
        client,
        delivery("CREATED", seatsPerTimeSlot=5, attendees=priya),
        delivery("CREATED", seatsPerTimeSlot=5, attendees=lee, stated_at=utcnow()),
        delivery("CANCELLED", seatsPerTimeSlot=5, attendees=priya),
    )
    booking = the_booking()
    assert booking.status is BookingStatus.CONFIRMED
    assert [contact.email for contact in booking.bookers] == ["lee@acme.example"]
    assert booking.contact.email == "lee@acme.example"
    assert booking.guests == []
    confirmed = db.session.scalars(db.select(Message.recipient).filter_by(kind="booking_confirmed")).all()
    assert sorted(confirmed) == ["lee@acme.example", "priya@acme.example"]


def test_who_gave_up_the_seat_before_its_confirmation_came_is_not_written_to(client, intro):
    before_that = datetime(2026, 11, 24, tzinfo=UTC)  # the cancellation's body says the day after
    priya = delivery("CREATED")["payload"]["attendees"][:1]
    lee = [{"email": "lee@acme.example", "name": "Lee", "timeZone": "Europe/London"}]
    arrive(
        client,
        delivery("CANCELLED", seatsPerTimeSlot=5, attendees=priya),
        delivery("CREATED", seatsPerTimeSlot=5, attendees=lee),
        delivery("CREATED", seatsPerTimeSlot=5, attendees=priya, stated_at=before_that),
    )
    confirmed = db.session.scalars(db.select(Message.recipient).filter_by(kind="booking_confirmed")).all()
    assert confirmed == ["lee@acme.example"]


def test_two_paid_bookings_become_one_when_the_missing_link_arrives(client, audit):
    money = {"eventTypeId": 4712, "price": 15000, "currency": "eur", "iCalUID": DROP}
    arrive(
        client,
        delivery("PAID", iCalUID=DROP),
        delivery("PAID", uid="third", iCalUID=DROP, rescheduleUid=MOVED_UID),
    )
    assert count(Booking) == 2
    refunded = Booking.by_uid("third").payment
    refunded.state = PaymentState.REFUNDED
    db.session.commit()
    rows = arrive(client, delivery("RESCHEDULED", **money))
    assert {row.state for row in rows} == {DeliveryState.APPLIED}
    booking = the_booking()
    assert booking.previous_uids == [UID, MOVED_UID]
    assert booking.payment_state is PaymentState.REFUNDED


def test_a_move_that_needs_approval_is_confirmed_anew(client, intro):
    later = {"uid": MOVED_UID, "startTime": iso(in_days(5)), "endTime": iso(in_days(5)), "iCalSequence": 1}
    arrive(
        client,
        delivery("REQUESTED"),
        delivery("CREATED"),
        delivery("REQUESTED", rescheduleUid=UID, **later),
        delivery("CREATED", **later),
    )
    about = db.session.scalars(db.select(Message.occurrence).filter_by(kind="booking_confirmed")).all()
    assert sorted(about) == sorted([UID, MOVED_UID])


def test_a_ping_is_applied_and_changes_nothing(client, intro):
    [row] = arrive(client, delivery("PING"))
    assert (row.state, row.trigger) == (DeliveryState.APPLIED, "PING")
    assert count(Booking) == 0


def test_an_event_type_that_no_service_knows_is_kept_and_nobody_is_written_to(client, intro):
    arrive(client, delivery("CREATED", eventTypeId=99, type="private"))
    assert the_booking().service is None
    assert count(Message) == 0


def test_a_kind_of_mail_can_be_switched_off(client, intro, app, monkeypatch):
    silent = app.config["HDS"].model_copy(update={"mail_off": frozenset({"owner_booking_confirmed"})})
    monkeypatch.setitem(app.config, "HDS", silent)
    arrive(client, delivery("CREATED"))
    assert db.session.scalars(db.select(Message.kind)).all() == ["booking_confirmed"]


def test_the_same_event_from_two_subscriptions_has_one_effect(client, intro):
    arrive(client, delivery("CREATED"), delivery("CREATED", stated_at=utcnow()))
    assert count(InboxDelivery) == 2
    assert (count(Booking), count(BookingEvent), count(Message)) == (1, 1, 2)


def test_every_order_of_four_deliveries_ends_alike(app, client):
    bodies = [
        delivery("CREATED", price=15000, currency="eur"),
        delivery("PAID", eventTypeId=4711),
        delivery("RESCHEDULED", price=15000, currency="eur"),
        delivery("CANCELLED", uid=MOVED_UID, price=15000, currency="eur"),
    ]
    ends = set()
    for order in permutations(bodies):
        empty(app)
        ServiceFactory(slug="intro", cal_event_type_id=4711)
        arrive(client, *order)
        end = booking_as_json(the_booking())
        end.pop("messages")
        ends.add(json.dumps(end))
    assert len(ends) == 1
    assert '"status": "cancelled"' in ends.pop()


def test_fifty_copies_at_once_make_one_booking_and_one_mail(app, intro):
    """Posted by threads and applied by threads, as several web processes and workers would."""
    copies = [delivery("CREATED")] * 40 + [
        delivery("CREATED", stated_at=utcnow() + timedelta(seconds=number)) for number in range(10)
    ]

    db.session.commit()

    def one(body):
        with app.app_context():
            status = post(app.test_client(), body).status_code
            jobs.drain()
            return status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(one, copies)) == {200}
    jobs.drain()
    rows = db.session.scalars(db.select(InboxDelivery)).all()
    assert {row.state for row in rows} == {DeliveryState.APPLIED}
    assert sum(row.times_seen for row in rows) == 50
    assert (count(Booking), count(Contact)) == (1, 2)
    messages = db.session.scalars(Message.newest_first()).all()
    assert sorted(message.kind for message in messages) == ["booking_confirmed", "owner_booking_confirmed"]

    ids = [message.id for message in messages]
    db.session.rollback()

    def deliver(number):
        with app.app_context():
            mail_jobs.deliver(ids[number % 2])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(deliver, range(16)))
    assert len(list((app.config["HDS"].hds_data / "mailbox").glob("*.eml"))) == 2


# Places, hosts, calls


def the_event(kind: FactKind) -> BookingEvent:
    return db.session.scalars(db.select(BookingEvent).filter_by(kind=kind)).one()


CHANGED = "booking_location_updated.v2021-10-20.json"


def test_a_changed_place_stands_with_the_one_before(client, intro):
    arrive(client, delivery("CREATED"), delivery(CHANGED, location="12 High Street", stated_at=utcnow()))
    booking, event = the_booking(), the_event(FactKind.LOCATION_CHANGED)
    assert (booking.location, booking.meeting_url) == ("12 High Street", None)  # the old room's link is left over
    assert event.details["previous_location"] == "https://meet.google.com/abc-defg-hij"
    assert booking.status is BookingStatus.CONFIRMED


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_the_last_of_several_places_stands(client, intro, order):
    later = utcnow()
    bodies = [
        delivery("CREATED"),
        delivery(CHANGED, location="12 High Street", stated_at=later),
        delivery(CHANGED, location="https://zoom.example/j/1", stated_at=later + timedelta(minutes=5)),
    ]
    arrive(client, *(bodies[number] for number in order))
    assert (the_booking().location, the_booking().meeting_url) == ("https://zoom.example/j/1",) * 2


def test_a_move_has_its_own_place(client, intro):
    changed = delivery(CHANGED, location="12 High Street", stated_at=utcnow())
    arrive(client, delivery("CREATED"), changed, delivery("RESCHEDULED", stated_at=utcnow()))
    assert the_booking().meeting_url == f"https://app.cal.com/video/{MOVED_UID}"


def test_another_host_stands_with_who_came_and_left(client, intro):
    arrive(client, delivery("CREATED"), delivery("booking_reassigned.v2021-10-20.json"))
    details = the_event(FactKind.REASSIGNED).details
    assert details["host"] == {"email": "sam@northwind.example", "name": "Sam Ortiz"}
    assert (details["hosts_added"], details["hosts_removed"]) == ([2202], [2201])
    assert the_booking().status is BookingStatus.CONFIRMED


def test_a_recording_is_told_without_the_key_in_its_link(client, intro):
    ready = delivery("recording_ready.v2021-10-20.json")
    script = delivery("recording_transcription_generated.v2021-10-20.json")
    script["payload"]["downloadLinks"]["transcription"][0]["link"] = "https://files.example/script.txt"
    arrive(client, delivery("CREATED"), ready, script)
    assert the_event(FactKind.RECORDED).details.get("links") is None
    assert the_event(FactKind.RECORDED).details["has_secret_links"]
    assert the_event(FactKind.TRANSCRIBED).details["links"] == ["https://files.example/script.txt"]
    assert "REDACTED" not in json.dumps([event.details for event in the_booking().events])
    assert the_booking().title == "Intro call between Dana Okafor and Priya Natarajan"
    assert the_booking().event_type_slug == "intro-call"  # `type` is the title in these bodies


@pytest.mark.parametrize("who", ["hosts", "guests"])
def test_a_missed_call_is_told_and_is_no_no_show(client, intro, who):
    arrive(client, delivery("CREATED"), delivery(f"after_{who}_cal_video_no_show.v2021-10-20.json"))
    kind = FactKind.HOST_MISSED_CALL if who == "hosts" else FactKind.GUESTS_MISSED_CALL
    missing = "dana@northwind.example" if who == "hosts" else "priya@acme.example"
    assert the_event(kind).details["missing"] == [missing]
    assert the_booking().status is BookingStatus.CONFIRMED


def test_an_instant_meeting_becomes_a_booking_once_a_host_joined(client, intro):
    ServiceFactory(cal_event_type_id=4714)
    asked_for, joined = arrive(
        client,
        delivery("instant_meeting.v2021-10-20.json"),
        delivery("instant_meeting_accepted.v2021-10-20.json"),
    )
    assert asked_for.state is DeliveryState.IGNORED
    assert "meet right now" in asked_for.reason
    assert joined.state is DeliveryState.APPLIED
    assert the_booking().status is BookingStatus.CONFIRMED


@pytest.mark.parametrize("version", ["2021-10-20", "2026-07-27"])
def test_both_versions_say_the_same(client, intro, version):
    arrive(client, delivery(f"booking_created.v{version}.json"))
    assert the_booking().contact.email == "priya@acme.example"
    assert "BEGIN:VCALENDAR" not in json.dumps(the_booking().events[0].details)


# The host asks to move

BY_HOST = {"cancelledBy": "dana@northwind.example"}


@pytest.mark.parametrize(
    ("said", "asks"),
    [
        ({"requestReschedule": True, **BY_HOST}, True),
        ({"requestReschedule": True, "cancelledBy": DROP}, True),
        ({"requestReschedule": True, "cancelledBy": "priya@acme.example"}, False),
        ({"cancellationReason": "Please reschedule. I am ill\n", **BY_HOST}, True),
        ({"cancellationReason": "Bitte verschieben. Ich bin krank", **BY_HOST}, True),
        ({"cancellationReason": "Please reschedule. I am ill", "cancelledBy": "priya@acme.example"}, False),
        ({"cancellationReason": "Please reschedule. I am ill", "cancelledBy": DROP}, False),
        ({"cancellationReason": "I am ill", **BY_HOST}, False),
    ],
)
def test_who_asks_to_move_cancels_but_says_so(client, intro, said, asks):
    arrive(client, delivery("CREATED"), delivery("CANCELLED", **said))
    assert the_booking().status is BookingStatus.CANCELLED
    assert the_booking().is_host_asking_to_move is asks


def test_what_is_booked_after_the_hosts_wish_is_the_same_booking_by_the_calendars_uid(client, intro):
    asked_for = delivery("CANCELLED", requestReschedule=True, **BY_HOST)
    again = delivery("CREATED", uid=MOVED_UID, iCalSequence=1, stated_at=utcnow() + timedelta(days=3))
    arrive(client, delivery("CREATED"), asked_for, again)
    booking = the_booking()
    assert (booking.status, booking.previous_uids) == (BookingStatus.CONFIRMED, [UID])
    assert not booking.is_host_asking_to_move


def test_it_is_never_guessed_from_who_and_when(client, intro):
    asked_for = delivery("CANCELLED", requestReschedule=True, **BY_HOST)
    again = delivery("CREATED", uid=MOVED_UID, iCalUID="another@Cal.com")
    arrive(client, delivery("CREATED"), asked_for, again)
    assert count(Booking) == 2
    assert Booking.by_uid(UID).is_host_asking_to_move


# Seats

PRIYA = {"email": "priya@acme.example", "name": "Priya", "timeZone": "Europe/London"}
LEE = {"email": "lee@acme.example", "name": "Lee", "timeZone": "Europe/London"}
HOUR = timedelta(hours=1)


def seat(name: str, person: dict[str, str], hour: int, number: str | None = None, **more: object) -> dict[str, object]:
    told = {"attendees": [person], "seatsPerTimeSlot": 5, "attendeeSeatId": number or DROP, **more}
    return delivery(name, stated_at=in_days(-1) + hour * HOUR, **told)


def bookers() -> list[str]:
    return [contact.email for contact in the_booking().bookers]


def bookers_of(uid: str) -> list[str]:
    return [contact.email for contact in Booking.by_uid(uid).bookers]


def test_a_seat_is_told_by_its_uid_where_the_address_is_not_usable(client, intro):
    nobody = {"name": "Priya", "email": "not an address"}
    left = seat("CANCELLED", nobody, 2, "seat-1")
    arrive(client, seat("CREATED", PRIYA, 0, "seat-1"), seat("CREATED", LEE, 1, "seat-2"), left)
    assert (the_booking().status, bookers()) == (BookingStatus.CONFIRMED, ["lee@acme.example"])


def test_who_took_another_seat_is_there_again_in_either_order(app, client, intro):
    first, left, again = (
        seat("CREATED", PRIYA, 0, "seat-1"),
        seat("CANCELLED", PRIYA, 1),
        seat("CREATED", PRIYA, 2, "seat-2"),
    )
    for order in permutations([first, left, again, seat("CREATED", LEE, 1, "seat-3")]):
        empty(app)
        ServiceFactory(slug="intro", cal_event_type_id=4711)
        arrive(client, *order)
        assert sorted(bookers()) == ["lee@acme.example", "priya@acme.example"]
    arrive(client, seat("CANCELLED", PRIYA, 3, "seat-2"))
    assert bookers() == ["lee@acme.example"]


def test_a_seat_given_up_is_never_the_hosts_wish_to_move(client, intro):
    """Senders have said requestReschedule of each seat that was given up, and not by whom."""
    arrive(client, seat("CREATED", PRIYA, 0, "seat-1"))
    arrive(client, seat("CANCELLED", PRIYA, 1, requestReschedule=True, cancelledBy=DROP, cancellationReason=None))
    assert the_booking().status is BookingStatus.CANCELLED
    assert not the_booking().is_host_asking_to_move


def test_all_seats_given_up_is_cancelled(client, intro):
    arrive(client, seat("CREATED", PRIYA, 0, "seat-1"), seat("CREATED", LEE, 0, "seat-2"))
    arrive(client, seat("CANCELLED", LEE, 1), seat("CANCELLED", PRIYA, 2, "seat-1"))
    assert the_booking().status is BookingStatus.CANCELLED


def test_the_host_moves_all_seats_under_their_uid(client, intro):
    moved = seat("RESCHEDULED", PRIYA, 3, attendees=[PRIYA, LEE], uid=UID, rescheduleUid=UID, startTime=iso(in_days(6)))
    moved["payload"]["endTime"] = iso(in_days(6) + HOUR)
    arrive(client, seat("CREATED", PRIYA, 0, "seat-1"), seat("CREATED", LEE, 0, "seat-2"), moved)
    assert (the_booking().start_at, sorted(bookers())) == (in_days(6), ["lee@acme.example", "priya@acme.example"])


def test_who_moves_alone_leaves_the_others_where_they_are(client, intro):
    alone = seat("RESCHEDULED", PRIYA, 3, "seat-1", uid=MOVED_UID, rescheduleUid=UID)
    arrive(client, seat("CREATED", PRIYA, 0, "seat-1"), seat("CREATED", LEE, 0, "seat-2"), alone)
    assert (bookers_of(UID), bookers_of(MOVED_UID)) == (["lee@acme.example"], ["priya@acme.example"])
    assert Booking.by_uid(UID) != Booking.by_uid(MOVED_UID)


def test_who_sits_where_somebody_moves_to_keeps_a_seat_at_the_other_time_too(app, client, intro):
    """Who comes is named first, then who sat there already, and may have a seat at both times."""
    earlier = [seat("CREATED", PRIYA, 0, "seat-1"), seat("CREATED", LEE, 0, "seat-2")]
    there = seat("CREATED", LEE, 1, "seat-3", uid=MOVED_UID)
    joined = seat("RESCHEDULED", PRIYA, 3, "seat-1", attendees=[PRIYA, LEE], uid=MOVED_UID, rescheduleUid=UID)
    for order in permutations([*earlier, there, joined]):
        empty(app)
        ServiceFactory(slug="intro", cal_event_type_id=4711)
        arrive(client, *order)
        sitting = {uid: sorted(bookers_of(uid)) for uid in (UID, MOVED_UID)}
        assert sitting == {UID: [LEE["email"]], MOVED_UID: [LEE["email"], PRIYA["email"]]}
    back = seat("RESCHEDULED", PRIYA, 4, "seat-1", attendees=[PRIYA, LEE], uid=UID, rescheduleUid=MOVED_UID)
    arrive(client, back)
    assert sorted(bookers_of(UID)) == [LEE["email"], PRIYA["email"]]
    assert bookers_of(MOVED_UID) == [LEE["email"]]
    first, second = Booking.by_uid(UID), Booking.by_uid(MOVED_UID)
    assert (first.followed(PRIYA["email"]), second.followed(PRIYA["email"])) == ([first], [second, first])


def test_one_of_two_who_did_not_come_is_no_no_show(client, intro):
    marked = delivery("ABSENT", stated_at=utcnow())
    arrive(client, seat("CREATED", PRIYA, 0, "seat-1"), seat("CREATED", LEE, 0, "seat-2"), marked)
    assert the_booking().status is BookingStatus.CONFIRMED
    arrive(client, delivery("ABSENT", stated_at=utcnow(), attendees=[{"email": LEE["email"], "noShow": True}]))
    assert the_booking().status is BookingStatus.NO_SHOW


# A series


WEEKLY = {"recurringEvent": {"freq": 2, "count": 3, "interval": 1}}


def of_series(name: str, number: int, **more: object) -> dict[str, object]:
    """A meeting of a series: some calendars give all of them one uid."""
    start = in_days(3 + 7 * number)
    times = {"startTime": iso(start), "endTime": iso(start + HOUR)}
    told = {"uid": f"weekly{number}", "iCalUID": "series@google.com", **times, **more}
    return delivery(name, stated_at=in_days(-1) + number * HOUR, **told)


def test_the_meetings_of_a_series_are_many_bookings(client, intro):
    row = of_series("MEETING_ENDED", 2, recurringEventId="the-series", status="ACCEPTED")
    arrive(client, of_series("CREATED", 0, **WEEKLY), of_series("CREATED", 1, **WEEKLY), row)
    assert {booking.uid for booking in db.session.scalars(db.select(Booking)).unique()} == {
        "weekly0",
        "weekly1",
        "weekly2",
    }


def test_one_meeting_of_a_series_is_cancelled_or_moved_without_the_others(client, intro):
    """What follows need not say that it is a series."""
    arrive(client, *(of_series("CREATED", number, **WEEKLY) for number in range(3)))
    arrive(client, of_series("CANCELLED", 0), of_series("CANCELLED", 1))
    moved = of_series("RESCHEDULED", 4, **WEEKLY, rescheduleUid="weekly2")
    arrive(client, moved)
    assert count(Booking) == 3
    assert {Booking.by_uid(f"weekly{number}").status for number in (0, 1)} == {BookingStatus.CANCELLED}
    assert (Booking.by_uid("weekly2").uid, Booking.by_uid("weekly2").status) == ("weekly4", BookingStatus.CONFIRMED)


# Mails


def test_several_confirmations_that_wait_leave_as_one(client, intro):
    later = {"uid": MOVED_UID, "startTime": iso(in_days(5)), "endTime": iso(in_days(5)), "iCalSequence": 1}
    requested = delivery("REQUESTED", rescheduleUid=UID, stated_at=utcnow(), **later)
    arrive(client, delivery("CREATED"), requested, delivery("CREATED", stated_at=utcnow(), **later))
    for message_id in db.session.scalars(db.select(Message.id)).all():
        mail_jobs.deliver(message_id)
    sent = db.session.scalars(db.select(Message.occurrence).filter_by(kind="booking_confirmed", state="sent")).all()
    assert sent == [MOVED_UID]


def test_who_gave_up_the_seat_is_not_written_to_any_more(client, intro):
    arrive(client, seat("CREATED", PRIYA, 0, "seat-1"), seat("CREATED", LEE, 0, "seat-2"), seat("CANCELLED", PRIYA, 1))
    for message_id in db.session.scalars(db.select(Message.id)).all():
        mail_jobs.deliver(message_id)
    sent = db.session.scalars(db.select(Message.recipient).filter_by(kind="booking_confirmed", state="sent")).all()
    assert sent == ["lee@acme.example"]


def test_who_left_after_the_host_moved_all_is_no_guest_either(client, intro):
    moved = seat("RESCHEDULED", PRIYA, 2, attendees=[PRIYA, LEE], uid=UID, rescheduleUid=UID)
    arrive(client, seat("CREATED", PRIYA, 0, "seat-1"), seat("CREATED", LEE, 0, "seat-2"), moved)
    arrive(client, seat("CANCELLED", LEE, 3))
    assert (bookers(), the_booking().guests) == (["priya@acme.example"], [])


def test_a_guests_name_is_known_whichever_body_told_it(client, intro):
    nameless = delivery("CREATED", stated_at=utcnow(), attendees=[PRIYA, {"email": LEE["email"], "name": ""}])
    arrive(client, nameless, delivery("MEETING_STARTED", attendees=[PRIYA, LEE]))
    assert [guest.name for guest in the_booking().guests] == ["Lee"]


# A trigger's name lies at times: what the body says decides


@pytest.mark.parametrize(
    ("name", "says", "becomes"),
    [
        ("CREATED", "PENDING", BookingStatus.REQUESTED),
        ("RESCHEDULED", "PENDING", BookingStatus.REQUESTED),
        ("CANCELLED", "REJECTED", BookingStatus.DECLINED),
        ("REJECTED", "CANCELLED", BookingStatus.CANCELLED),
        ("PAYMENT_INITIATED", "ACCEPTED", BookingStatus.REQUESTED),  # which it always says
    ],
)
def test_the_body_says_what_the_trigger_does_not(client, intro, name, says, becomes):
    arrive(client, delivery(name, status=says))
    assert the_booking().status is becomes


def test_a_move_that_is_called_created_is_a_move(client, intro):
    arrive(client, delivery("CREATED"), delivery("CREATED", uid=MOVED_UID, rescheduleUid=UID, iCalUID=DROP))
    assert the_booking().previous_uids == [UID]
    assert db.session.scalars(db.select(Message.kind)).all() == ["booking_confirmed", "owner_booking_confirmed"]


@pytest.mark.parametrize("link", [{"rescheduleUid": UID, "iCalUID": DROP}, {"iCalSequence": 1}])
def test_a_move_that_waits_for_the_host_may_be_called_requested(client, intro, link):
    times = {"startTime": iso(in_days(5)), "endTime": iso(in_days(5))}
    arrive(client, delivery("CREATED"), delivery("REQUESTED", uid=MOVED_UID, **link, **times))
    booking = the_booking()
    assert (booking.uid, booking.status, booking.start_at) == (MOVED_UID, BookingStatus.REQUESTED, in_days(5))
    arrive(client, delivery("CREATED", uid=MOVED_UID, **link, **times))
    assert the_booking().status is BookingStatus.CONFIRMED


@pytest.mark.parametrize("dropped", range(1, 7))
def test_a_long_chain_with_a_missing_link_is_one_booking(client, intro, dropped):
    """Eight uids; one delivery never came, and the next one has no link: the calendar's uid joins them."""
    bodies = [delivery("CREATED", uid="u0")]
    for number in range(1, 8):
        link = DROP if number == dropped + 1 else f"u{number - 1}"
        start = in_days(3 + number)
        times = {"startTime": iso(start), "endTime": iso(start), "iCalSequence": number}
        bodies.append(delivery("RESCHEDULED", uid=f"u{number}", rescheduleUid=link, stated_at=utcnow(), **times))
    del bodies[dropped]
    arrive(client, *reversed(bodies))
    booking = the_booking()
    assert (booking.uid, booking.start_at) == ("u7", in_days(10))
    assert booking.previous_uids == [f"u{number}" for number in range(7) if number != dropped]
