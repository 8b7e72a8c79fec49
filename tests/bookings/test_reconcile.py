"""Reconciling: a real sandbox over real HTTP, whose notices come, come late, or never come."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from pydantic import SecretStr
from werkzeug import Request, Response

from hds.bookings import booker, reconcile
from hds.bookings.chain import BookingStatus, PaymentState
from hds.bookings.models import Booking, BookingEvent, ContactBooking, Payment
from hds.bookings.reconciliation import CHANGES, NAMES, WINDOW, Reconciliation
from hds.bookings.sources import BookingSource
from hds.calcom import client as calcom
from hds.calcom import listing
from hds.config import settings
from hds.contacts.models import Contact
from hds.extensions import db
from hds.lib import jobs
from hds.lib.due import claim
from hds.lib.times import utcnow
from hds.mail.models import Message
from hds.sandbox import app as sandbox_app
from hds.sandbox.api.blueprint import Limiter
from hds.sandbox.desk import Booker, Desk
from hds.sandbox.settings import Settings as SandboxSettings
from hds.webhooks import jobs as inbox_jobs
from hds.webhooks.models import InboxDelivery
from tests.bookings.test_sources import came, reference
from tests.deliveries import DROP, arrive, delivery, post

NOON = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)  # a Sunday; the host opens on Monday at nine in New York
FREE, DEEP_DIVE, INTRO = 1001, 1002, 1003
MINUTE = timedelta(minutes=1)


class CalCom:
    """The sandbox in this process: what happens at its desk, and the notices that it did not send."""

    def __init__(
        self, desk: Desk, url: str, clock: time_machine.Traveller, limiter: Limiter, forget_limits: Callable[[], Any]
    ) -> None:
        self.desk, self.url, self.clock = desk, url, clock
        self.limiter, self.forget_limits = limiter, forget_limits
        self.made = 0

    def book(self, event: int = FREE, **more: Any) -> str:
        """At the next hour that is free."""
        day, hour = divmod(self.made, 6)
        start = datetime(2026, 11, 23, 15, tzinfo=UTC) + timedelta(days=day + 2 * (day // 5), hours=hour)
        self.made += 1
        booker = Booker(
            **({"name": "Priya Natarajan", "email": "priya@acme.example", "time_zone": "Asia/Kolkata"} | more)
        )
        return self.desk.book(self.desk.event_type(event), start, booker, "api").uid

    def move(self, uid: str, **more: Any) -> str:
        self.made += 1
        self.clock.shift(MINUTE)
        day, hour = divmod(self.made, 6)
        start = datetime(2026, 11, 23, 15, tzinfo=UTC) + timedelta(days=day, hours=hour)
        return self.desk.move(uid, start, "priya@acme.example", "Another time, please", **more).uid

    def pay(self, uid: str) -> None:
        self.clock.shift(MINUTE)
        self.desk.pay(self.desk.booking(uid).payment_uid or "")

    def accept(self, uid: str) -> None:
        self.clock.shift(MINUTE)
        self.desk.accept(uid)

    def notices(self) -> list[bytes]:
        """In the order in which Cal.com would have posted them."""
        return [bytes(row["body"]) for row in self.desk.store.all("SELECT body FROM delivery ORDER BY id")]


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=True) as traveller:
        yield traveller


@pytest.fixture
def cal_com(
    clock: time_machine.Traveller,
    use_cal: Callable[..., Any],
    tmp_path: Path,
    strategy: Any,
    deep_dive: Any,
    intro: Any,
) -> Iterator[CalCom]:
    app = sandbox_app.create_app(SandboxSettings(data=tmp_path, rate_limit=100_000))
    server, url = sandbox_app.listen(app)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    desk = sandbox_app.desk_of(app)
    use_cal(url)
    yield CalCom(desk, url, clock, app.extensions["sandbox_limiter"], lambda: use_cal(url))
    desk.outbox.stop()
    server.shutdown()
    server.server_close()
    thread.join(5)
    if desk.outbox.thread:
        desk.outbox.thread.join(5)
    desk.store.close()


def look(*names: str) -> dict[str, Reconciliation]:
    """A run of each round, now."""
    Reconciliation.wake()
    db.session.commit()
    rows = {name: reconcile.look(name) for name in names or NAMES}
    assert all(rows.values())
    return rows  # type: ignore[return-value]


def the_booking() -> Booking:
    return db.session.scalars(db.select(Booking)).unique().one()


def picture() -> list[dict[str, Any]]:
    """All that is known of all bookings, whoever told it."""
    db.session.expire_all()
    return [
        {
            "uid": booking.uid,
            "before": booking.previous_uids,
            "status": booking.status,
            "service": booking.service and booking.service.slug,
            "event_type": (booking.event_type_id, booking.event_type_slug),
            "title": booking.title,
            "when": (booking.start_at, booking.end_at, booking.time_zone),
            "where": (booking.meeting_url, booking.location),
            "notes": booking.notes,
            "answers": booking.answers,
            "reason": booking.reason,
            "payment": booking.payment_state,
            "booked by": [(who.email, who.name, who.phone, who.time_zone) for who in booking.bookers],
            "guests": [who.email for who in booking.guests],
        }
        for booking in db.session.scalars(db.select(Booking).order_by(Booking.start_at)).unique()
    ]


def mails() -> list[tuple[str, str, str]]:
    rows = db.session.execute(db.select(Message.kind, Message.recipient, Message.state).order_by(Message.id))
    return sorted((kind, to, str(state)) for kind, to, state in rows)


def forget() -> None:
    """As before the first notice."""
    for model in (Message, ContactBooking, BookingEvent, Payment, Booking, Contact, InboxDelivery, Reconciliation):
        db.session.execute(db.delete(model))
    db.session.commit()


def sources() -> set[str]:
    return set(db.session.scalars(db.select(BookingEvent.source)))


# --- what was found is what would have been told -------------------------------------------------------------------


def booked(cal: CalCom) -> None:
    cal.book(guests=["lee@acme.example"], answers={"notes": "Before spring", "topic": "Booking pages"})


def booked_by_phone(cal: CalCom) -> None:
    cal.book(phone="+14155550123", location="+14155550123")


def cancelled(cal: CalCom) -> None:
    uid = cal.book()
    cal.clock.shift(MINUTE)
    cal.desk.cancel(uid, "priya@acme.example", "Something came up")


def requested(cal: CalCom) -> None:
    cal.book(INTRO)


def requested_and_accepted(cal: CalCom) -> None:
    cal.accept(cal.book(INTRO))


def requested_and_declined(cal: CalCom) -> None:
    uid = cal.book(INTRO)
    cal.clock.shift(MINUTE)
    cal.desk.decline(uid, "No agency work in December")


def moved(cal: CalCom) -> None:
    cal.move(cal.book())


def moved_three_times(cal: CalCom) -> None:
    cal.move(cal.move(cal.move(cal.book())))


def moved_and_cancelled(cal: CalCom) -> None:
    uid = cal.move(cal.book())
    cal.clock.shift(MINUTE)
    cal.desk.cancel(uid, None, None)


def accepted_and_moved(cal: CalCom) -> None:
    uid = cal.book(INTRO)
    cal.accept(uid)
    cal.accept(cal.move(uid))


def a_move_that_waits(cal: CalCom) -> None:
    uid = cal.book(INTRO)
    cal.accept(uid)
    cal.move(uid)


def payment_open(cal: CalCom) -> None:
    cal.book(DEEP_DIVE)


def paid_and_accepted(cal: CalCom) -> None:
    uid = cal.book(DEEP_DIVE)
    cal.pay(uid)
    cal.accept(uid)


def absent(cal: CalCom) -> None:
    uid = cal.book()
    cal.clock.shift(MINUTE)
    cal.desk.mark_absent(uid, {"priya@acme.example": True}, None)


def seats(cal: CalCom) -> None:
    seats = {"seatsPerTimeSlot": 3, "showAttendeeInfo": False, "showAvailabilityCount": True}
    stated = {"slug": "workshop", "title": "Workshop", "lengthInMinutes": 30, "seats": seats}
    event = cal.desk.event_type_by_slug("workshop") or cal.desk.make_event_type(stated)
    start = datetime(2026, 11, 24, 15, tzinfo=UTC)
    for name in ("ann", "bob", "cid"):
        uid = cal.desk.book(event, start, Booker(name, f"{name}@acme.example", "Asia/Kolkata"), "api").uid
        cal.clock.shift(MINUTE)
    cal.desk.give_up_seat(uid, cal.desk.seats.of(uid)[1].uid, None, "Ill")


def seats_all_given_up(cal: CalCom) -> None:
    seats(cal)
    uid = cal.desk.bookings()[-1].uid
    for seat in cal.desk.seats.of(uid):
        cal.clock.shift(MINUTE)
        cal.desk.give_up_seat(uid, seat.uid, None, None)


def seats_cancelled_by_the_host(cal: CalCom) -> None:
    seats(cal)
    cal.clock.shift(MINUTE)
    cal.desk.cancel(cal.desk.bookings()[-1].uid, "owner@hudson.example", "No time")


STORIES = [
    booked,
    booked_by_phone,
    cancelled,
    requested,
    requested_and_accepted,
    requested_and_declined,
    moved,
    moved_three_times,
    moved_and_cancelled,
    accepted_and_moved,
    a_move_that_waits,
    payment_open,
    paid_and_accepted,
    absent,
]
SEATED = [seats, seats_all_given_up, seats_cancelled_by_the_host]


@pytest.mark.parametrize("story", STORIES)
def test_what_was_found_is_what_the_notices_would_have_told(client, cal_com, story):
    story(cal_com)
    arrive(client, *cal_com.notices())
    told = picture()
    forget()
    cal_com.clock.shift(MINUTE)
    look(CHANGES)
    found = picture()
    if story in {moved, moved_three_times, moved_and_cancelled, accepted_and_moved, a_move_that_waits}:
        first = told[0]["before"][0]  # of the first step nothing is left at Cal.com but who came after it
        assert first in {*found[0]["before"], *db.session.scalars(db.select(BookingEvent.previous_uid))}
    assert found == told
    assert sources() == {"api"}


@pytest.mark.parametrize("story", STORIES)
def test_notices_that_come_after_it_was_found_leave_no_trace_of_that(client, cal_com, story):
    story(cal_com)
    arrive(client, *cal_com.notices())
    told, written = picture(), mails()
    forget()
    cal_com.clock.shift(MINUTE)
    look(CHANGES)
    found_first = mails()
    arrive(client, *cal_com.notices())
    assert picture() == told
    assert set(found_first) <= set(mails())
    assert len(mails()) == len({(kind, to) for kind, to, _ in mails()})
    assert set(mails()) <= set(written)  # what was over when it was found is told to nobody
    assert sources() == {"webhook"}


@pytest.mark.parametrize("story", [*STORIES, *SEATED])
def test_what_is_known_already_writes_nothing(client, cal_com, story):
    story(cal_com)
    arrive(client, *cal_com.notices())
    before, written = picture(), mails()
    changed = db.session.scalars(db.select(Booking.changed_at)).all()
    cal_com.clock.shift(MINUTE)
    rows = look()
    assert rows[CHANGES].outcome["shown"] >= 1
    assert rows[CHANGES].outcome["repaired"] == rows[WINDOW].outcome["repaired"] == 0
    assert (picture(), mails()) == (before, written)
    assert db.session.scalars(db.select(Booking.changed_at)).all() == changed
    assert sources() == {"webhook"}


@pytest.mark.parametrize("story", STORIES)
def test_any_one_notice_may_be_lost(client, cal_com, story):
    story(cal_com)
    notices = cal_com.notices()
    arrive(client, *notices)
    told = picture()
    cal_com.clock.shift(20 * MINUTE)
    for lost in range(len(notices)):
        forget()
        arrive(client, *notices[:lost], *notices[lost + 1 :])
        look()
        assert picture() == told, f"without notice {lost + 1} of {len(notices)}"


@pytest.mark.parametrize("story", SEATED)
def test_any_one_notice_about_seats_may_be_lost(client, cal_com, story):
    """Each person's notice has a title of its own, of which the list has one: who sits there is what counts. Of one
    that is over, nobody can say who did."""

    def who_sits() -> list[Any]:
        return [
            (each["uid"], each["status"], each["status"] == "confirmed" and sorted(each["booked by"]))
            for each in picture()
        ]

    story(cal_com)
    notices = cal_com.notices()
    arrive(client, *notices)
    told = who_sits()
    cal_com.clock.shift(20 * MINUTE)
    for lost in range(len(notices)):
        forget()
        arrive(client, *notices[:lost], *notices[lost + 1 :])
        look()
        assert who_sits() == told, f"without notice {lost + 1} of {len(notices)}"


@pytest.mark.parametrize("story", [story for story in STORIES if story not in {booked, booked_by_phone, requested}])
def test_a_look_between_notices_changes_nothing_in_the_end(client, cal_com, story):
    story(cal_com)
    notices = cal_com.notices()
    arrive(client, *notices)
    told, written = picture(), mails()
    cal_com.clock.shift(20 * MINUTE)
    for first in range(1, len(notices)):
        for earlier, later in ((notices[:first], notices[first:]), (notices[first:], notices[:first])):
            forget()
            arrive(client, *earlier)
            look()
            arrive(client, *later)
            assert picture() == told
            assert Counter(mails()) <= Counter(written)


# --- what nobody told ----------------------------------------------------------------------------------------------


def test_a_cancellation_that_was_lost_is_found(client, cal_com):
    uid = cal_com.book()
    arrive(client, *cal_com.notices())
    cal_com.clock.shift(MINUTE)
    cal_com.desk.cancel(uid, "priya@acme.example", "Something came up")
    look(CHANGES)
    assert the_booking().status is BookingStatus.CANCELLED
    assert [(event.kind, event.source) for event in the_booking().events] == [
        ("confirmed", "webhook"),
        ("cancelled", "api"),
    ]


def test_a_booking_that_nobody_told_of_is_confirmed_by_mail_and_once(client, cal_com):
    cal_com.book()
    cal_com.clock.shift(4 * MINUTE)
    look(CHANGES)
    assert mails() == [
        ("booking_confirmed", "priya@acme.example", "pending"),
        ("owner_booking_confirmed", "owner@hudson.example", "pending"),
    ]
    before = mails()
    look()
    arrive(client, *cal_com.notices())
    assert mails() == before


def test_what_is_found_long_afterwards_is_mailed_to_nobody_even_when_it_is_told_then(client, cal_com):
    look()
    uid = cal_com.book()
    cal_com.clock.shift(40 * MINUTE)
    db.session.execute(db.update(Reconciliation).values(position=utcnow() - 5 * MINUTE))
    db.session.commit()
    cal_com.desk._update(uid, {})  # somebody touched it there, so that the list has it
    look(CHANGES)
    assert {state for _, _, state in mails()} == {"skipped"}
    arrive(client, *cal_com.notices())
    assert {state for _, _, state in mails()} == {"skipped"}
    assert "Cal.com's own mail" in (db.session.scalars(db.select(Message.reason)).first() or "")


def test_a_backup_of_last_night_mails_nothing_twice(client, cal_com):
    cal_com.book()
    arrive(client, *cal_com.notices())
    look()
    backup = utcnow()
    # The day goes on, and all of it is lost with the database at noon.
    cal_com.clock.shift(timedelta(hours=13))
    cal_com.book(name="Lee", email="lee@acme.example")
    cal_com.clock.shift(20 * MINUTE)
    cal_com.book(name="Sam", email="sam@acme.example")
    cal_com.clock.shift(9 * MINUTE)
    assert db.session.scalar(db.select(db.func.count()).select_from(Message)) == 2  # as the backup has it
    assert Reconciliation.of(CHANGES).position <= backup
    look()
    assert {who.email for booking in db.session.scalars(db.select(Booking)).unique() for who in booking.bookers} == {
        "priya@acme.example",
        "lee@acme.example",
        "sam@acme.example",
    }
    assert {to for _, to, state in mails() if state != "skipped"} == {"priya@acme.example", "owner@hudson.example"}
    assert len([state for _, _, state in mails() if state != "skipped"]) == 2


def test_a_booking_whose_meeting_has_begun_is_confirmed_to_nobody(client, cal_com):
    cal_com.book()
    look()
    forget()
    cal_com.clock.shift(timedelta(hours=30))
    look()
    assert the_booking().current_status is BookingStatus.COMPLETED
    assert {state for _, _, state in mails()} == {"skipped"}


def test_present_after_all_is_found(client, cal_com):
    uid = cal_com.book()
    cal_com.desk.mark_absent(uid, {"priya@acme.example": True}, None)
    arrive(client, *cal_com.notices())
    assert the_booking().status is BookingStatus.NO_SHOW
    cal_com.clock.shift(20 * MINUTE)
    cal_com.desk.mark_absent(uid, {"priya@acme.example": False}, None)
    look(CHANGES)
    assert the_booking().status is BookingStatus.CONFIRMED


def test_another_place_is_found(client, cal_com):
    uid = cal_com.book()
    arrive(client, *cal_com.notices())
    cal_com.clock.shift(20 * MINUTE)
    cal_com.desk._update(uid, {"location": "+14155550123"})
    look(CHANGES)
    booking = the_booking()
    assert (booking.location, booking.meeting_url) == ("+14155550123", None)
    written = len(booking.events)
    look()
    assert len(the_booking().events) == written


def test_an_upcoming_booking_that_the_list_does_not_show_is_read_by_itself(client, cal_com):
    """Its change lies before the position, as after a run that read too little."""
    uid = cal_com.book()
    arrive(client, *cal_com.notices())
    cal_com.desk.store.run(
        "UPDATE booking SET status = 'cancelled', start_at = ?, end_at = ?",
        "2027-12-01T10:00:00.000Z",
        "2027-12-01T10:30:00.000Z",
    )
    rows = look(WINDOW)
    assert the_booking().status is BookingStatus.CANCELLED
    assert (rows[WINDOW].outcome["pages"], rows[WINDOW].outcome["calls"]) == (1, 2)
    cal_com.desk.store.run("DELETE FROM booking WHERE uid = ?", uid)


def test_a_booking_that_cal_com_does_not_know_stays_as_it_is(client, cal_com):
    uid = cal_com.book()
    arrive(client, *cal_com.notices())
    cal_com.desk.store.run("DELETE FROM booking WHERE uid = ?", uid)
    rows = look()
    assert rows[WINDOW].outcome["unknown"] == 1
    assert the_booking().status is BookingStatus.CONFIRMED


# --- money -----------------------------------------------------------------------------------------------------------


def test_a_paid_types_booking_that_is_accepted_was_paid_so_much_is_inferred(client, cal_com):
    uid = cal_com.book(DEEP_DIVE)
    arrive(client, *cal_com.notices())
    assert (the_booking().payment_state, the_booking().payment.is_inferred) == (PaymentState.PENDING, False)
    cal_com.pay(uid)
    cal_com.accept(uid)
    look(CHANGES)
    payment = the_booking().payment
    assert (payment.state, payment.is_inferred, payment.amount, payment.currency) == ("paid", True, 15000, "USD")
    arrive(client, *cal_com.notices())
    payment = the_booking().payment
    assert (payment.state, payment.is_inferred, payment.amount) == ("paid", False, 15000)


def test_nothing_less_is_inferred_than_what_was_told(client, cal_com):
    uid = cal_com.book(DEEP_DIVE)
    cal_com.pay(uid)
    arrive(client, *cal_com.notices())  # paid and requested: to the API it is pending, like an unpaid one
    cal_com.clock.shift(30 * MINUTE)
    look()
    assert (the_booking().payment_state, the_booking().payment.is_inferred) == (PaymentState.PAID, False)


@pytest.mark.parametrize("said", [PaymentState.REFUNDED, PaymentState.FAILED])
def test_the_word_of_staff_on_money_stands(client, cal_com, said):
    uid = cal_com.book(DEEP_DIVE)
    arrive(client, *cal_com.notices())
    the_booking().payment.state = said
    db.session.commit()
    cal_com.pay(uid)
    cal_com.accept(uid)
    look()
    assert the_booking().payment_state is said


def test_what_cal_com_takes_no_money_for_is_not_taken_for_paid(client, cal_com, deep_dive):
    """The owner names a price and writes an invoice; at Cal.com it is free."""
    deep_dive.told = {"price": None, "needs_approval": True}
    db.session.commit()
    uid = cal_com.book(DEEP_DIVE)
    cal_com.pay(uid)
    cal_com.accept(uid)
    look()
    assert the_booking().payment_state is PaymentState.NONE
    forget()
    deep_dive.told = None
    db.session.commit()
    created = json.loads(cal_com.notices()[-1])
    arrive(client, created | {"payload": created["payload"] | {"price": 0}})
    cal_com.clock.shift(20 * MINUTE)
    look()
    assert the_booking().status is BookingStatus.CONFIRMED
    assert the_booking().payment_state is PaymentState.NONE


def test_what_the_owner_asks_for_is_not_taken_for_what_cal_com_takes(client, cal_com, intro):
    """Before anything is concluded from a price, Cal.com was asked for its own: here an invoice is written."""
    intro.own_price_amount, intro.own_price_currency = 9900, "USD"
    db.session.commit()
    cal_com.book(INTRO)
    Reconciliation.wake()
    db.session.commit()
    reconcile.run_due()
    assert (the_booking().status, the_booking().payment_state) == (BookingStatus.REQUESTED, PaymentState.NONE)
    assert [event.kind for event in the_booking().events] == ["requested"]


def test_what_was_inferred_of_a_price_stays_when_the_price_changes(listed, deep_dive, clock):
    """What somebody paid is no less because others pay less by now."""
    types = {"eventTypeId": DEEP_DIVE, "eventType": {"id": DEEP_DIVE, "slug": "deep-dive"}}
    deep_dive.told = {"price": [15000, "USD"]}
    db.session.commit()
    listed(entry("paid", **types))
    assert (the_booking().payment_state, the_booking().payment.amount) == (PaymentState.PAID, 15000)
    for price in ([10000, "EUR"], None):
        deep_dive.told = {"price": price}
        db.session.commit()
        clock.shift(20 * MINUTE)
        row = listed(entry("paid", **types, title="Another title"))
        payment = the_booking().payment
        assert (payment.state, payment.amount, payment.currency) == (PaymentState.PAID, 15000, "USD")
        assert row.outcome["repaired"] == (price is not None)  # the title, once


# --- page by page ----------------------------------------------------------------------------------------------------


def silent_day(cal_com: CalCom, bookings: int) -> None:
    for number in range(bookings):
        cal_com.book(email=f"guest{number}@acme.example", name=f"Guest {number}")
        cal_com.clock.shift(timedelta(milliseconds=40))


@pytest.mark.parametrize(
    ("version", "bookings", "calls"),
    [
        ("2024-08-13", 120, 3),
        ("2026-05-01", 60, 6),  # one status a call: the upcoming ones in two pages, and nothing in four others
        ("2031-01-01", 60, 3),  # which it does not know: then the other form is tried
    ],
)
def test_a_silent_day_is_repaired_page_by_page(client, cal_com, use_cal, monkeypatch, version, bookings, calls):
    look()
    silent_day(cal_com, bookings)
    monkeypatch.setattr(listing, "TAKE", 50)
    monkeypatch.setattr(listing, "LIMIT", 50)
    use_cal(cal_com.url, cal_booking_list_version=version)
    row = look(CHANGES)[CHANGES]
    assert db.session.scalar(db.select(db.func.count()).select_from(Booking)) == bookings
    assert row.outcome["repaired"] == bookings
    assert row.outcome["calls"] == calls
    assert (row.began_at, row.next_page, row.trouble) == (None, {}, "")
    assert row.due_at <= row.succeeded_at + reconcile.EVERY


def test_what_changes_while_the_list_is_read_is_not_left_out(client, cal_com, monkeypatch):
    look()
    silent_day(cal_com, 6)
    monkeypatch.setattr(listing, "TAKE", 3)
    first = cal_com.desk.bookings()[0]
    take_in = reconcile.Round._take_in

    def and_then_the_first_changes(under_way: reconcile.Round, *given: Any) -> None:
        take_in(under_way, *given)
        if under_way.so_far["pages"] == 1:  # it goes to the end of the list, and all others move up by one
            cal_com.clock.shift(MINUTE)
            cal_com.desk.cancel(first.uid, None, None)

    monkeypatch.setattr(reconcile.Round, "_take_in", and_then_the_first_changes)
    look(CHANGES)
    statuses = db.session.scalars(db.select(Booking.status).order_by(Booking.start_at)).all()
    assert statuses == ["cancelled", *["confirmed"] * 5]


def test_a_run_that_dies_on_the_second_page_loses_nothing(client, cal_com, monkeypatch):
    look()
    silent_day(cal_com, 6)
    monkeypatch.setattr(listing, "TAKE", 3)
    took = []

    def dies(under_way: reconcile.Round, bookings: Any, asked_at: datetime) -> None:
        took.append(under_way.position)
        if len(took) == 2:
            raise RuntimeError("the machine goes down")
        take_in(under_way, bookings, asked_at)

    take_in = reconcile.Round._take_in
    monkeypatch.setattr(reconcile.Round, "_take_in", dies)
    Reconciliation.wake()
    db.session.commit()
    with pytest.raises(RuntimeError):
        reconcile.look(CHANGES)
    row = Reconciliation.of(CHANGES)
    third = cal_com.desk.bookings()[2]
    assert row.position == third.updated_at
    assert row.is_under_way
    assert row.trouble == "It stopped (RuntimeError)."
    monkeypatch.setattr(reconcile.Round, "_take_in", take_in)
    look(CHANGES)
    assert db.session.scalar(db.select(db.func.count()).select_from(Booking)) == 6
    assert not Reconciliation.of(CHANGES).is_under_way


def test_it_is_bounded_and_goes_on_next_time(client, cal_com, monkeypatch):
    look()
    silent_day(cal_com, 6)
    monkeypatch.setattr(listing, "TAKE", 3)
    monkeypatch.setattr(reconcile, "LONGEST_RUN", -1)
    row = look(CHANGES)[CHANGES]
    assert row.outcome["pages"] == 1
    assert row.is_under_way
    assert row.is_due
    while row.is_under_way:
        row = look(CHANGES)[CHANGES]
    assert db.session.scalar(db.select(db.func.count()).select_from(Booking)) == 6


# --- when Cal.com does not answer ------------------------------------------------------------------------------------


def test_too_many_calls_are_waited_out(client, cal_com):
    look()
    position = Reconciliation.of(CHANGES).position
    cal_com.book()
    limiter = cal_com.limiter
    limiter.limit = 0
    row = look(CHANGES)[CHANGES]
    assert row.trouble == "Cal.com has answered as often as it does in a minute."
    assert timedelta(seconds=50) < row.due_at - utcnow() <= timedelta(seconds=61)
    assert row.position == position
    assert reconcile.look(CHANGES) is None  # it is not due
    limiter.limit = 100
    limiter.windows.clear()
    cal_com.clock.shift(timedelta(seconds=62))
    cal_com.forget_limits()
    assert reconcile.look(CHANGES).trouble == ""
    assert the_booking().status is BookingStatus.CONFIRMED


def test_an_outage_is_waited_out(client, cal_com, use_cal, httpserver):
    look()
    position = Reconciliation.of(CHANGES).position
    cal_com.book()
    httpserver.expect_request("/v2/bookings").respond_with_data("no", status=500)
    use_cal(httpserver.url_for("")[:-1])
    row = look(CHANGES)[CHANGES]
    assert "did not answer" in row.trouble
    assert row.position == position
    assert row.due_at > utcnow() + 4 * MINUTE
    use_cal(cal_com.url)
    look(CHANGES)
    assert the_booking().status is BookingStatus.CONFIRMED


def test_a_wrong_key_is_said(client, cal_com, use_cal):
    use_cal(cal_com.url, cal_access_token=SecretStr("cal_wrong"))
    assert "Is CAL_ACCESS_TOKEN right?" in look(CHANGES)[CHANGES].trouble


def test_without_a_key_nothing_is_done(app, use_cal, httpserver):
    use_cal(httpserver.url_for("")[:-1], cal_access_token=SecretStr(""))
    reconcile.ring_for_due()
    reconcile.run_due()
    assert Reconciliation.of(CHANGES) is None
    assert httpserver.log == []


def test_one_reads_at_a_time(client, cal_com):
    Reconciliation.wake()
    db.session.commit()
    assert claim(Reconciliation, timedelta(seconds=60), where=Reconciliation.name == CHANGES)
    assert reconcile.look(CHANGES) is None
    cal_com.clock.shift(timedelta(seconds=61))  # whoever had it has died
    assert reconcile.look(CHANGES) is not None


def test_who_was_slower_than_the_lease_writes_nothing_more(client, cal_com, monkeypatch):
    look()
    silent_day(cal_com, 2)
    take_in = reconcile.Round._take_in

    def while_somebody_else_begins(under_way: reconcile.Round, *given: Any) -> None:
        take_in(under_way, *given)
        db.session.execute(db.update(Reconciliation).values(leased_until=utcnow() + 5 * MINUTE, trouble="theirs"))
        db.session.commit()

    monkeypatch.setattr(reconcile.Round, "_take_in", while_somebody_else_begins)
    row = look(CHANGES)[CHANGES]
    assert row.trouble == "theirs"
    assert row.leased_until > utcnow() + 4 * MINUTE
    assert db.session.scalar(db.select(db.func.count()).select_from(Booking)) == 2


def test_deliveries_that_waited_while_the_worker_was_away_come_first(client, cal_com):
    """Else what they tell would be found first, after a long silence, and nobody would be written to."""
    look()
    cal_com.book()
    for raw in cal_com.notices():
        assert post(client, raw).status_code == 200
    cal_com.clock.shift(60 * MINUTE)
    Reconciliation.wake()
    db.session.commit()
    assert reconcile.look(CHANGES) is None
    inbox_jobs.drain()
    assert reconcile.look(CHANGES).outcome["repaired"] == 0
    assert {state for _, _, state in mails()} == {"pending"}


def test_it_takes_no_more_of_the_calls_than_one_visitor(client, cal_com, use_cal, monkeypatch):
    account = replace(use_cal(cal_com.url).account, api_key="cal_sandbox")
    budgeted = calcom._client_of(account)
    monkeypatch.setattr(booker, "client_from", lambda settings: budgeted)
    silent_day(cal_com, 30)
    arrive(client, *cal_com.notices())
    away = ("2028-01-01T10:00:00.000Z", "2028-01-01T10:30:00.000Z")  # so that each is read by itself
    cal_com.desk.store.run("UPDATE booking SET start_at = ?, end_at = ?, updated_at = created_at", *away)
    rows = look()
    while not rows[WINDOW].trouble:
        assert rows[WINDOW].is_due
        rows |= look(WINDOW)
    assert rows[WINDOW].trouble == "Cal.com has answered as often as it does in a minute."
    made = rows[CHANGES].outcome["calls"] + rows[WINDOW].outcome["calls"]
    assert made == calcom.EACH + 1  # the last one was not sent
    assert budgeted.booking(cal_com.desk.bookings()[0].uid)  # others are not kept waiting


# --- odd entries -----------------------------------------------------------------------------------------------------


def entry(uid: str, **more: Any) -> dict[str, Any]:
    plain = {
        "id": 1,
        "uid": uid,
        "title": "Strategy",
        "status": "accepted",
        "start": "2026-11-24T15:00:00.000Z",
        "end": "2026-11-24T15:30:00.000Z",
        "eventTypeId": FREE,
        "eventType": {"id": FREE, "slug": "strategy-consultation"},
        "location": f"https://cal.example/video/{uid}",
        "createdAt": "2026-11-22T16:50:00.000Z",
        "updatedAt": "2026-11-22T16:50:00.000Z",
        "metadata": {},
        "icsUid": f"{uid}@Cal.com",
        "attendees": [{"name": "Priya", "email": "priya@acme.example", "timeZone": "Asia/Kolkata", "absent": False}],
        "bookingFieldsResponses": {},
    }
    return plain | more


def person(email: str, **more: Any) -> dict[str, Any]:
    return {"name": email, "email": email, "timeZone": "Asia/Kolkata", "absent": False} | more


@pytest.fixture
def listed(clock, use_cal, httpserver, strategy) -> Callable[..., dict[str, Reconciliation]]:
    """Look at an account whose list has these entries."""
    use_cal(httpserver.url_for("")[:-1])

    def answer(*entries: Any, pagination: Any = None, me: Any = None) -> Reconciliation:
        httpserver.clear()
        httpserver.expect_request("/v2/me").respond_with_json(me or {"status": "success", "data": {}})
        body = {"status": "success", "data": list(entries), "pagination": pagination or {"hasNextPage": False}}
        httpserver.expect_request("/v2/bookings").respond_with_json(body)
        return look(CHANGES)[CHANGES]

    return answer


def test_an_entry_that_makes_no_sense_is_left_out_and_counted(listed):
    row = listed(entry("one"), {"uid": "../x"}, None, 7, entry("two", start="soon"), entry("three"))
    assert row.outcome["unreadable"] == 4
    assert set(db.session.scalars(db.select(Booking.uid))) == {"one", "three"}
    assert row.trouble == ""


def test_one_that_cannot_be_kept_keeps_none_of_the_others_waiting(listed, monkeypatch):
    record = Booking.record.__func__

    def refuses_one(cls: type[Booking], fact: Any, *more: Any) -> Booking:
        if fact.uid == "two":
            raise ValueError("whatever it is")
        return record(cls, fact, *more)

    monkeypatch.setattr(Booking, "record", classmethod(refuses_one))
    row = listed(entry("one"), entry("two"), entry("three"))
    assert (row.outcome["failed"], row.outcome["repaired"]) == (1, 2)
    assert set(db.session.scalars(db.select(Booking.uid))) == {"one", "three"}


def test_bookings_of_types_that_are_gone_and_of_nobody_are_kept(listed):
    row = listed(
        entry("gone", eventTypeId=None, eventType=None),
        entry("other", eventTypeId=99, eventType={"id": 99, "slug": "private"}),
        entry("nobody", attendees=[]),
        entry("nowhere", location=None, metadata=None, bookingFieldsResponses=None, createdAt=None, updatedAt=None),
    )
    assert (row.outcome["repaired"], row.outcome["failed"], row.outcome["unreadable"]) == (4, 0, 0)
    kept = {booking.uid: booking for booking in db.session.scalars(db.select(Booking)).unique()}
    assert kept["gone"].service is None
    assert kept["other"].service is None
    assert kept["nobody"].bookers == []
    before = db.session.scalars(db.select(BookingEvent.id)).all()
    assert listed(*(entry(uid) for uid in ())).outcome["shown"] == 0
    assert db.session.scalars(db.select(BookingEvent.id)).all() == before


def test_what_the_owner_booked_with_somebody_else_is_left_out(listed, httpserver):
    owner, dentist = person("owner@hudson.example"), person("dentist@teeth.example")
    other = {"eventTypeId": 99, "eventType": {"id": 99, "slug": "check-up"}}
    entries = (
        entry("theirs", hosts=[dentist], attendees=[owner], **other),
        entry("private", hosts=[owner], attendees=[dentist], **other),
        entry("ours", hosts=[owner]),
    )
    me = {"status": "success", "data": {"username": "hudson", "email": "owner@hudson.example"}}
    row = listed(*entries, me=me)
    assert set(db.session.scalars(db.select(Booking.uid))) == {"private", "ours"}
    assert (row.outcome["calls"], row.outcome["repaired"]) == (2, 2)


def test_the_meetings_of_a_series_stay_many(listed):
    series = {"recurringBookingUid": "series", "icsUid": "series@Cal.com"}
    starts = ("2026-11-24T15:00:00.000Z", "2026-12-01T15:00:00.000Z")
    listed(
        *(
            entry(f"one{n}", start=start, end=start.replace("00:00", "30:00"), **series)
            for n, start in enumerate(starts)
        )
    )
    assert db.session.scalar(db.select(db.func.count()).select_from(Booking)) == 2


def test_seats_are_one_booking_with_many_bookers(listed, clock):
    seats = [person("priya@acme.example", seatUid="s1"), person("lee@acme.example", seatUid="s2")]
    listed(entry("seats", attendees=seats))
    assert {who.email for who in the_booking().bookers} == {"lee@acme.example", "priya@acme.example"}
    clock.shift(20 * MINUTE)
    row = listed(entry("seats", attendees=seats))
    assert row.outcome["repaired"] == 0
    row = listed(entry("seats", attendees=seats[:1], updatedAt="2026-11-22T17:15:00.000Z"))
    assert row.outcome["repaired"] == 1
    assert [who.email for who in the_booking().bookers] == ["priya@acme.example"]
    assert the_booking().status is BookingStatus.CONFIRMED
    assert listed(entry("seats", attendees=seats[:1], updatedAt="2026-11-22T17:15:00.000Z")).outcome["repaired"] == 0


def test_a_seat_that_somebody_took_again_or_gave_up_again_is_found(client, listed, clock):
    priya, lee = person("priya@acme.example", seatUid="s1"), person("lee@acme.example", seatUid="s2")
    seat = {"seatsPerTimeSlot": 5, "eventTypeId": FREE, "uid": "seats"}
    arrive(
        client, *(delivery("CREATED", **seat, attendees=[who], attendeeSeatId=who["seatUid"]) for who in (priya, lee))
    )
    clock.shift(20 * MINUTE)
    arrive(client, delivery("CANCELLED", **seat, attendees=[priya], stated_at=utcnow()))
    assert [who.email for who in the_booking().bookers] == ["lee@acme.example"]
    again = [lee, priya | {"seatUid": "s3"}]
    assert listed(entry("seats", attendees=again)).outcome["repaired"] == 0  # told a moment ago
    for seats in (again, [lee], [priya | {"seatUid": "s4"}]):
        for repaired in (1, 0):
            clock.shift(20 * MINUTE)
            row = listed(entry("seats", attendees=seats, updatedAt="2026-11-22T17:21:00.000Z"))
            assert row.outcome["repaired"] == repaired
            assert {who.email for who in the_booking().bookers} == {who["email"] for who in seats}


def test_a_seat_given_up_last_leaves_nothing_to_repair(client, listed, clock):
    seat = {"seatsPerTimeSlot": 5, "eventTypeId": FREE, "uid": "seats", "attendees": [person("priya@acme.example")]}
    arrive(client, delivery("CREATED", **seat), delivery("CANCELLED", **seat))
    assert the_booking().status is BookingStatus.CANCELLED
    clock.shift(20 * MINUTE)
    assert listed(entry("seats", status="cancelled", attendees=[])).outcome["repaired"] == 0


def test_a_reference_that_the_list_has_lost_is_kept_and_repaired_once(listed, clock):
    listed(entry("one", status="pending", metadata={"hds-reference": "ours"}))
    clock.shift(20 * MINUTE)
    assert listed(entry("one", status="pending")).outcome["repaired"] == 0


@pytest.mark.parametrize(("by", "asks"), [("owner@hudson.example", True), ("priya@acme.example", False)])
def test_the_hosts_wish_to_move_is_found(listed, by, asks):
    said = {"cancellationReason": "Please reschedule. I am ill\n", "cancelledByEmail": by}
    listed(entry("one", status="cancelled", hosts=[person("owner@hudson.example")], **said))
    assert the_booking().is_host_asking_to_move is asks


def test_a_guest_who_was_invited_later_is_found(client, listed, clock):
    told = delivery("CREATED", uid="one", eventTypeId=FREE, attendees=[person("priya@acme.example")])
    arrive(client, told)
    assert the_booking().guests == []
    more = {"attendees": [person("priya@acme.example"), person("lee@acme.example")], "guests": ["lee@acme.example"]}
    for repaired in (1, 0):
        clock.shift(20 * MINUTE)
        row = listed(entry("one", **more, location=the_booking().meeting_url))
        assert row.outcome["repaired"] == repaired
        assert [guest.email for guest in the_booking().guests] == ["lee@acme.example"]
    assert sources() == {"webhook"}


def test_what_gives_way_to_a_notice_leaves_its_link_and_reference(client, listed):
    listed(entry("two", rescheduledFromUid="one", metadata={"hds-reference": "ours"}))
    arrive(client, delivery("CREATED", uid="two", eventTypeId=FREE, iCalUID=DROP, metadata={}))
    [event] = the_booking().events
    assert (event.kind, event.source, event.previous_uid) == ("confirmed", "webhook", "one")
    assert event.details["reference"] == "ours"
    assert the_booking().previous_uids == ["one"]


def test_what_brought_a_booking_is_found_where_every_notice_lost_it(app, client, listed, clock):
    """The request got lost, and what was told once the host had confirmed it says nothing of where it came from."""
    came()
    words = {"hds-reference": "ours", "hds-visit": reference(app)}
    arrive(client, delivery("booking_created.after_confirmation.v2021-10-20.json", uid="one", eventTypeId=FREE))
    assert BookingSource.of(the_booking().id) is None
    for repaired in (1, 0):
        clock.shift(20 * MINUTE)
        row = listed(entry("one", metadata=words, location=the_booking().meeting_url))
        assert row.outcome["repaired"] == repaired
    assert BookingSource.of(the_booking().id).first == "mail"
    assert [event.details["reference"] for event in the_booking().events] == ["ours"]
    assert sources() == {"webhook"}


def test_a_link_that_nobody_could_be_asked_about_is_found_later(client, listed, clock):
    """A move that waits for the host came without any link, while Cal.com did not answer."""
    told = {"eventTypeId": FREE, "iCalUID": DROP, "rescheduleUid": DROP}
    arrive(client, delivery("CREATED", uid="one", **told), delivery("REQUESTED", uid="two", **told))
    assert len(picture()) == 2
    clock.shift(20 * MINUTE)
    first = entry("one", status="cancelled", rescheduledToUid="two")
    second = entry("two", status="pending", rescheduledFromUid="one")
    assert listed(first, second).outcome["repaired"] == 1
    [booking] = picture()
    assert (booking["uid"], booking["before"], booking["status"]) == ("two", ["one"], BookingStatus.REQUESTED)
    assert sources() == {"webhook"}
    assert listed(first, second).outcome["repaired"] == 0


def test_a_list_in_an_older_shape_is_no_list(listed, httpserver):
    httpserver.clear()
    old = {"status": "success", "data": {"bookings": [], "totalCount": 0, "nextCursor": None}}
    httpserver.expect_request("/v2/bookings").respond_with_json(old)
    row = look(CHANGES)[CHANGES]
    assert "lists no bookings: is CAL_BOOKING_LIST_VERSION known there?" in row.trouble
    assert {request.headers["cal-api-version"] for request, _ in httpserver.log} == {"2024-08-13", "2026-05-01"}


def test_a_cursor_in_an_answer_is_followed_whatever_the_version(listed, httpserver):
    httpserver.clear()
    pages = {"": (["one"], "two"), "two": (["two"], None)}

    def answer(request: Request) -> Response:
        uids, cursor = pages[request.args.get("cursor", "")]
        pagination = {"nextCursor": cursor, "hasMore": cursor is not None}
        return jsonify({"status": "success", "data": [entry(uid) for uid in uids], "pagination": pagination})

    def jsonify(body: Any) -> Response:
        return Response(json.dumps(body), mimetype="application/json")

    httpserver.expect_request("/v2/bookings").respond_with_handler(answer)
    assert look(CHANGES)[CHANGES].outcome["pages"] == 2
    assert set(db.session.scalars(db.select(Booking.uid))) == {"one", "two"}


def test_a_place_in_the_list_that_is_no_longer_taken_is_given_up(listed, httpserver):
    httpserver.clear()
    is_refused = True

    def answer(request: Request) -> Response:
        if request.args.get("cursor") and is_refused:
            return Response(json.dumps({"statusCode": 400, "message": "cursor"}), 400, mimetype="application/json")
        uid, cursor = ("two", None) if request.args.get("cursor") else ("one", "c1")
        body = {"status": "success", "data": [entry(uid)], "pagination": {"nextCursor": cursor}}
        return Response(json.dumps(body), mimetype="application/json")

    httpserver.expect_request("/v2/bookings").respond_with_handler(answer)
    row = look(CHANGES)[CHANGES]
    assert "Cal.com refused: not accepted (400)" in row.trouble
    assert not row.is_under_way
    is_refused = False
    assert look(CHANGES)[CHANGES].trouble == ""
    assert set(db.session.scalars(db.select(Booking.uid))) == {"one", "two"}


def test_an_organisations_bookings_are_read_where_it_is_named(app, clock, use_cal, httpserver, strategy):
    use_cal(httpserver.url_for("")[:-1], cal_organization_id="77")
    body = {"status": "success", "data": [entry("one")], "pagination": {"hasNextPage": False}}
    httpserver.expect_request("/v2/organizations/77/bookings").respond_with_json(body)
    assert look(CHANGES)[CHANGES].trouble == ""
    assert the_booking().uid == "one"


def test_the_clock_rings_and_a_worker_reads(client, cal_com):
    cal_com.book()
    reconcile.ring_for_due()
    jobs.work(burst=True)
    assert the_booking().status is BookingStatus.CONFIRMED
    assert Reconciliation.last_success()
    reconcile.ring_for_due()  # nothing is due
    assert jobs.queue("default").count == 0
    night = Reconciliation.of(WINDOW).due_at.astimezone(settings.owner_zone)
    assert (night.hour, night.minute) == (3, 30)


# --- flask cal reconcile ---------------------------------------------------------------------------------------------


def run_command(app: Flask) -> tuple[int, str]:
    db.session.rollback()
    result = app.test_cli_runner().invoke(args=["cal", "reconcile"])
    db.session.rollback()
    return result.exit_code, result.output


def test_the_command_says_what_it_did(app, cal_com):
    cal_com.book()
    assert run_command(app) == (
        0,
        "What changed: looked at 1 booking, repaired 1.\nWhat is ahead: looked at 1 booking, repaired none.\n",
    )
    assert the_booking().status is BookingStatus.CONFIRMED


def test_the_command_says_why_it_could_not(app, cal_com, use_cal):
    assert claim_both()
    code, words = run_command(app)
    assert code == 1
    assert "What changed: not read, as another process is reading it" in words
    db.session.execute(db.update(Reconciliation).values(leased_until=None))
    db.session.commit()
    cal_com.limiter.limit = 0
    code, words = run_command(app)
    assert code == 1
    assert "so far. Cal.com has answered as often as it does in a minute. It goes on at 2026-11-22T17:0" in words
    use_cal(cal_com.url, cal_access_token=SecretStr(""))
    assert run_command(app) == (
        1,
        "Error: CAL_ACCESS_TOKEN is not set, and without a key Cal.com lists no bookings.\n",
    )


def claim_both() -> bool:
    Reconciliation.wake()
    db.session.commit()
    return len(claim(Reconciliation, timedelta(minutes=2), limit=2)) == 2
