"""What follows when something happens to a booking: the right mails, once, and none about what is no business of ours."""

from datetime import timedelta

import pytest

from hds.bookings.acts import Actor, ActState, BookingAct, Verb
from hds.bookings.chain import FactKind
from hds.bookings.models import Booking
from hds.extensions import db
from hds.followups import moments as followups
from hds.lib import moments
from hds.lib.times import utcnow
from hds.mail import jobs as mail
from hds.mail.models import Message, MessageState
from tests.deliveries import arrive, delivery
from tests.factories import ServiceFactory, in_days, make_booking

BOOKER, OWNER = "priya@acme.example", "owner@hudson.example"


@pytest.fixture
def intro(app):
    return ServiceFactory(slug="intro", cal_event_type_id=4711)


def written() -> list[tuple[str, str]]:
    return [tuple(row) for row in db.session.execute(db.select(Message.kind, Message.recipient).order_by(Message.id))]


def send_all() -> list[tuple[str, str]]:
    for message_id in db.session.scalars(db.select(Message.id)).all():
        mail.deliver(message_id)
    sent = db.select(Message.kind, Message.recipient).filter_by(state=MessageState.SENT).order_by(Message.id)
    return [tuple(row) for row in db.session.execute(sent)]


def test_a_booking_is_confirmed_to_both(client, intro):
    arrive(client, delivery("CREATED"))
    assert send_all() == [("booking_confirmed", BOOKER), ("owner_booking_confirmed", OWNER)]


def test_a_request_and_then_its_confirmation_are_two_mails_to_each(client, intro):
    arrive(client, delivery("REQUESTED"))
    requested = [("booking_requested", BOOKER), ("owner_booking_requested", OWNER)]
    assert send_all() == requested
    arrive(client, delivery("booking_created.after_confirmation.v2021-10-20.json"))
    assert send_all() == [*requested, ("booking_confirmed", BOOKER), ("owner_booking_confirmed", OWNER)]


def test_a_request_that_is_confirmed_before_its_mail_left_is_only_confirmed(client, intro):
    arrive(client, delivery("REQUESTED"), delivery("booking_created.after_confirmation.v2021-10-20.json"))
    assert send_all() == [("booking_confirmed", BOOKER), ("owner_booking_confirmed", OWNER)]
    assert (
        db.session.scalars(db.select(Message.state).filter_by(kind="booking_requested")).one() is MessageState.SKIPPED
    )


def test_a_confirmation_that_overtook_its_request_is_enough(client, intro):
    arrive(client, delivery("booking_created.after_confirmation.v2021-10-20.json"), delivery("REQUESTED"))
    assert written() == [("booking_confirmed", BOOKER), ("owner_booking_confirmed", OWNER)]


def test_a_request_that_is_declined_is_not_confirmed(client, intro):
    arrive(client, delivery("REQUESTED"), delivery("REJECTED"))
    assert send_all() == []


def test_repeats_write_nothing_more(client, intro):
    bodies = [delivery("CREATED", stated_at=utcnow() + timedelta(seconds=number)) for number in range(4)]
    arrive(client, *bodies, delivery("CREATED"))
    assert len(written()) == 2


def test_guests_are_not_written_to(client, intro):
    arrive(client, delivery("CREATED"))
    assert db.session.scalars(db.select(Booking)).unique().one().guests
    assert {recipient for _, recipient in written()} == {BOOKER, OWNER}


@pytest.mark.parametrize("trigger", ["CREATED", "REQUESTED", "RESCHEDULED"])
def test_nobody_is_written_to_about_the_owners_private_meetings(client, intro, trigger):
    arrive(client, delivery(trigger, eventTypeId=99, type="private"))
    assert db.session.scalars(db.select(Booking)).unique().one().service is None
    assert written() == []


def test_a_service_that_is_known_later_writes_from_then_on(client):
    arrive(client, delivery("CREATED"))
    assert written() == []
    ServiceFactory(slug="intro", cal_event_type_id=4711)
    arrive(client, delivery("CREATED", stated_at=utcnow()))
    assert len(written()) == 2


@pytest.mark.parametrize("trigger", ["CANCELLED", "PAID", "PAYMENT_INITIATED", "MEETING_ENDED", "ABSENT", "PING"])
def test_what_is_no_confirmation_confirms_nothing(client, intro, trigger):
    arrive(client, delivery(trigger, status="PENDING"))
    assert written() == []


def test_a_booker_without_an_address_leaves_the_owners_mail(client, intro):
    arrive(client, delivery("CREATED", attendees=[{"name": "Priya", "email": "no address", "timeZone": "Europe/Rome"}]))
    assert send_all() == [("owner_booking_confirmed", OWNER)]


def test_each_kind_can_be_switched_off(client, intro, app, monkeypatch):
    off = frozenset({"booking_confirmed", "owner_booking_requested"})
    monkeypatch.setitem(app.config, "HDS", app.config["HDS"].model_copy(update={"mail_off": off}))
    arrive(client, delivery("REQUESTED"))
    arrive(client, delivery("booking_created.after_confirmation.v2021-10-20.json"))
    assert written() == [("booking_requested", BOOKER), ("owner_booking_confirmed", OWNER)]


def test_a_meeting_that_is_over_is_confirmed_to_nobody(client, intro):
    past = utcnow() - timedelta(hours=3)
    stamp = past.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    arrive(client, delivery("CREATED", startTime=stamp, endTime=stamp))
    assert send_all() == []
    assert set(db.session.scalars(db.select(Message.reason))) == {
        "The meeting has begun, so the mail would come too late."
    }


def test_the_mails_are_written_with_the_booking_or_not_at_all(app, intro):
    from hds.bookings.chain import FactKind
    from tests.factories import fact

    Booking.record(fact("uid1", FactKind.CONFIRMED, event_type_id=4711, start_at=in_days(2)))
    assert len(written()) == 2
    db.session.rollback()
    assert written() == []


def test_subscribing_twice_doubles_nothing(app, intro):
    followups.subscribe()
    make_booking(event_type_id=4711)
    assert len(written()) == 2
    assert all(len(set(functions)) == len(functions) for functions in moments._subscribers.values())


def asked_here(booking: Booking, verb: Verb, **about: object) -> None:
    """Committed before Cal.com is asked, so that no webhook can be faster."""
    given = {"actor": Actor.STAFF, "state": ActState.ASKED, "uid": booking.uid} | about
    db.session.add(BookingAct(booking_id=booking.id, form_token=str(verb), verb=verb, **given))
    db.session.commit()


CONFIRMED = [("booking_confirmed", BOOKER), ("owner_booking_confirmed", OWNER)]


@pytest.mark.parametrize(
    ("about", "mailed"),
    [
        ({}, CONFIRMED[:1]),
        ({"state": ActState.REFUSED}, CONFIRMED),
        ({"uid": "another"}, CONFIRMED),
    ],
)
def test_what_the_owner_accepted_here_is_no_news_to_them(app, intro, about, mailed):
    booking = make_booking(kind=FactKind.REQUESTED, event_type_id=4711)
    assert len(send_all()) == 2
    asked_here(booking, Verb.ACCEPT, **about)
    make_booking(event_type_id=4711)
    assert send_all()[2:] == mailed
    reason = db.session.scalars(db.select(Message.reason).filter_by(kind="owner_booking_confirmed")).one()
    assert reason == (None if mailed == CONFIRMED else "It was accepted or moved here.")


@pytest.mark.parametrize(
    ("about", "mailed"),
    [
        ({}, CONFIRMED[:1]),
        ({"actor": Actor.ATTENDEE}, CONFIRMED),
        ({"start_at": in_days(9)}, CONFIRMED),
    ],
)
def test_what_the_owner_moved_here_is_no_news_to_them(app, intro, about, mailed):
    booking, there = make_booking(kind=FactKind.REQUESTED, event_type_id=4711), in_days(8)
    assert len(send_all()) == 2
    asked_here(booking, Verb.MOVE, **({"start_at": there} | about))
    make_booking("uid2", FactKind.RESCHEDULED, previous_uid="uid1", start_at=there, event_type_id=4711)
    assert send_all()[2:] == mailed
