"""The host's desk: everything that can happen to a booking, and the webhooks that tell of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from . import booking as records
from .availability import is_inside, is_open, is_within_window, overlaps
from .booking import PLEASE_MOVE, Booking
from .catalogue import VIDEO, EventType
from .diary import Diary, span, window_of
from .frames import Manner
from .outbox import Outbox
from .refusals import (
    ALREADY_CANCELLED,
    ALREADY_ENDED,
    OUT_OF_BOUNDS,
    PAST,
    SEATED,
    SLOT_TAKEN,
    Conflict,
    Refusal,
)
from .seats import Seat
from .settings import Settings
from .store import Store
from .subscriptions import Subscriptions
from .times import iso_ms, utcnow
from .webhook_parts import idempotency_key
from .webhooks import Writer

PERSON = ("name", "email", "phone", "time_zone", "language", "answers", "metadata")


@dataclass(frozen=True)
class Booker:
    """Who books, and what they said."""

    name: str
    email: str
    time_zone: str
    language: str = "en"
    phone: str | None = None
    location: str = VIDEO
    guests: list[str] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


class Desk(Diary):
    def __init__(self, settings: Settings, store: Store) -> None:
        super().__init__(settings, store)
        self.writer = Writer(settings, settings.public_url)
        self.manner = Manner.WORKS
        self.subscriptions = Subscriptions(store)
        self.subscriptions.seed(settings.webhook_url, settings.webhook_secret)
        self.outbox = Outbox(settings, store, self.subscriptions, before_each_look=self.announce_meetings)

    def set_base(self, url: str) -> None:
        """Where others find the sandbox; known only once it listens on its port."""
        self.writer.base = self.settings.public_url or url

    @property
    def base(self) -> str:
        return self.writer.base

    # --- booking and moving --------------------------------------------------------------------------

    def book(
        self, event: EventType, start: datetime, booker: Booker, source: str, minutes: int | None = None
    ) -> Booking:
        if event.seats and (found := self.seats.taken(event.id, start, start).get(start)):
            return self._take_seat(self.booking(found[0]), event, booker)
        end = start + timedelta(minutes=minutes or event.minutes)
        self._refuse_impossible(event, start, end)
        uid = records.new_uid()
        now = iso_ms(utcnow())
        values: dict[str, Any] = {
            "uid": uid,
            "event_type_id": event.id,
            "status": "pending" if event.is_paid or event.requires_confirmation else "accepted",
            "start_at": iso_ms(start),
            "end_at": iso_ms(end),
            "name": booker.name,
            "email": booker.email,
            "phone": booker.phone,
            "time_zone": booker.time_zone,
            "language": booker.language,
            "guests": booker.guests,
            "answers": booker.answers,
            "location": booker.location,
            "metadata": booker.metadata,
            "payment": "open" if event.is_paid else "none",
            "payment_uid": str(uuid.uuid4()) if event.is_paid else None,
            "ical_uid": f"{uid}@Cal.com",
            "one_time_password": str(uuid.uuid4()) if event.requires_confirmation else None,
            "idempotency_key": idempotency_key(start, end, booker.email),
            "source": source,
            "created_at": now,
            "updated_at": now,
        }
        with self.store.transaction():
            booking = self._insert(values)
            if event.seats:
                self._seat(booking, event, booker)
            else:
                self._tell_booked(booking, event)
        return booking

    def _take_seat(self, booking: Booking, event: EventType, booker: Booker) -> Booking:
        """One more at a time that somebody booked. Of the last seat only those who sit there are in the way."""
        with self.store.transaction():
            _refuse_seat(self.seats.of(booking.uid), event, booker.email)
            self._seat(booking, event, booker)
        return booking

    def _seat(self, booking: Booking, event: EventType, booker: Booker) -> None:
        """Who reads of it is told of this one person."""
        person = {name: getattr(booker, name) for name in PERSON}
        seat = self.seats.add(booking.uid, person)
        told = replace(booking, guests=[], **seat.person)
        write = self.writer.requested if booking.status == "pending" else self.writer.created
        self.outbox.put(_of_seat(write(told, event), seat, event), booking.uid)

    def give_up_seat(self, uid: str, seat_uid: str, by: str | None, reason: str | None) -> Booking:
        """The others keep theirs; with the last one the booking is over."""
        booking, seat = self.booking(uid), self.seats.find(seat_uid)
        if seat is None or seat.booking_uid != uid:
            raise Refusal(404, f"Seat with uid={seat_uid} was not found in the database")
        if len(self.seats.of(uid)) == 1:
            return self.cancel(uid, by, reason)
        with self.store.transaction():
            self.seats.give_up(seat_uid)
            told = replace(booking, guests=[], cancelled_by=by or seat.email, cancel_reason=reason, **seat.person)
            event = self.event_type(booking.event_type_id)
            body = self.writer.cancelled(told, event)  # which seat it was is told by the person alone
            body["payload"] |= {"seatsPerTimeSlot": event.seats}
            self.outbox.put(body, uid)
        return booking

    def move_seat(self, uid: str, seat_uid: str, start: datetime, by: str | None) -> tuple[Booking, Seat]:
        """One person goes to another time, where others may sit already; the others stay. A time that nobody has yet
        is a new booking, with a new seat. Of what is left by the last one nothing is told."""
        old, seat = self.booking(uid), self.seats.find(seat_uid)
        if seat is None:
            raise Refusal(404, f"Seat with uid={seat_uid} does not exist.")
        if seat.booking_uid != uid or old.status != "accepted":
            raise Refusal(404, "booking_not_found")
        event = self.event_type(old.event_type_id)
        found = self.seats.taken(event.id, start, start).get(start)
        others = self.seats.of(found[0]) if found else []
        _refuse_seat(others, event, seat.email)
        end = start + (old.end_at - old.start_at)
        if not found:
            self._refuse_impossible(event, start, end, without_uid=uid if len(self.seats.of(uid)) == 1 else None)
        with self.store.transaction():
            self.seats.give_up(seat_uid)
            if not self.seats.of(uid):
                self._update(uid, {"status": "cancelled"})
            booking = self.booking(found[0]) if found else self._at_another_time(old, seat, start, end)
            seat = self.seats.add(booking.uid, seat.person, seat.uid if found else None)
            told = replace(booking, guests=[other.email for other in others], moved_by=by, **seat.person)
            self.outbox.put(_of_seat(self.writer.rescheduled(told, event, old), seat, event), booking.uid)
        return booking, seat

    def _copy(self, old: Booking, start: datetime, end: datetime, email: str) -> dict[str, Any]:
        """The row of a new booking with all that is known of another, at a time at which nothing has happened yet."""
        values = dict(self.store.one("SELECT * FROM booking WHERE uid = ?", old.uid) or {})
        del values["id"]
        now = iso_ms(utcnow())
        return values | {
            "uid": records.new_uid(),
            "start_at": iso_ms(start),
            "end_at": iso_ms(end),
            "idempotency_key": idempotency_key(start, end, email),
            "is_host_absent": 0,
            "absent": "[]",
            "is_start_sent": 0,
            "is_end_sent": 0,
            "created_at": now,
            "updated_at": now,
        }

    def _at_another_time(self, old: Booking, seat: Seat, start: datetime, end: datetime) -> Booking:
        values = self._copy(old, start, end, seat.email) | seat.person
        return self._insert(values | {"status": "accepted", "ical_uid": f"{values['uid']}@Cal.com", "ical_sequence": 0})

    def move_all_seats(self, uid: str, start: datetime, by: str | None, reason: str | None) -> Booking:
        """What the host does on Cal.com's pages: the booking keeps its uid, and everybody moves along."""
        old = self.booking(uid)
        self._refuse_unmovable(old)
        event = self.event_type(old.event_type_id)
        end = start + (old.end_at - old.start_at)
        self._refuse_impossible(event, start, end, without_uid=uid)
        with self.store.transaction():
            changes = {"start_at": iso_ms(start), "end_at": iso_ms(end), "moved_by": by, "move_reason": reason}
            self._update(uid, changes | {"ical_sequence": old.ical_sequence + 1}, only_live=True)
            first, *others = self.seats.of(uid)
            told = replace(self.booking(uid), guests=[other.email for other in others], **first.person)
            body = self.writer.rescheduled(told, event, old)
            body["payload"] |= {"seatsPerTimeSlot": event.seats}
            self.outbox.put(body, uid)
        return self.booking(uid)

    def move(
        self,
        uid: str,
        start: datetime,
        by: str | None,
        reason: str | None,
        *,
        is_host: bool = False,
        is_asked: bool = False,
    ) -> Booking:
        """A new booking with a new uid takes the old one's place; the old one is cancelled without a webhook.
        `is_asked`: by the page that moves also what the host cancelled for it; the API does not."""
        old = self.booking(uid)
        if self.seats.of(uid):
            raise Refusal(400, SEATED.format(uid=uid))
        is_asked = is_asked and old.is_to_be_moved
        if not is_asked:
            self._refuse_unmovable(old)
        event = self.event_type(old.event_type_id)
        end = start + (old.end_at - old.start_at)
        self._refuse_impossible(event, start, end, without_uid=uid)
        needs_host = event.requires_confirmation and not is_host
        values = self._copy(old, start, end, old.email) | {
            "status": "pending" if needs_host or old.payment == "open" else "accepted",
            "ical_sequence": old.ical_sequence + 1,
            "one_time_password": str(uuid.uuid4()) if needs_host else None,
            "moved_from_uid": old.uid,
            "moved_by": by,
            "move_reason": reason,
            "cancelled_by": None,
            "cancel_reason": None,
        }
        with self.store.transaction():
            changed = self._update(
                uid,
                {
                    "status": "cancelled",
                    "moved_to_uid": values["uid"],
                    "payment_uid": None,
                },
                only_live=not is_asked,
            )
            if not changed:
                raise Conflict
            booking = self._insert(values)
            self._tell_moved(booking, event, old)
        return booking

    def _insert(self, values: Mapping[str, Any]) -> Booking:
        """Looks once more, inside the transaction: of two that ask for one slot at once, one gets it."""
        start, end = span(values["start_at"], values["end_at"])
        if overlaps((start, end), self.booked(start, end)):
            raise Conflict
        self.store.insert("booking", {column: _stored(value) for column, value in values.items()})
        return self.booking(values["uid"])

    def _tell_booked(self, booking: Booking, event: EventType) -> None:
        if event.is_paid:
            self.outbox.put(self.writer.payment_initiated(booking, event), booking.uid)
        elif booking.status == "pending":
            self.outbox.put(self.writer.requested(booking, event), booking.uid)
        else:
            self.outbox.put(self.writer.created(booking, event), booking.uid)

    def _tell_moved(self, booking: Booking, event: EventType, old: Booking) -> None:
        if booking.payment == "open":
            self.outbox.put(self.writer.payment_initiated(booking, event), booking.uid)
        elif booking.status == "pending":
            self.outbox.put(self.writer.requested(booking, event, old), booking.uid)
        else:
            self.outbox.put(self.writer.rescheduled(booking, event, old), booking.uid)

    def _refuse_impossible(
        self, event: EventType, start: datetime, end: datetime, without_uid: str | None = None
    ) -> None:
        now = utcnow()
        if start < now:
            raise Refusal(400, PAST)
        is_inside_its_own = is_inside(event.window, start, now, self.settings.zone)
        if not (is_within_window(start, now, window_of(event)) and is_inside_its_own):
            raise Refusal(400, OUT_OF_BOUNDS)
        booked = self.booked(start, end, without_uid)
        if not is_open(self.settings.zone, start, end) or overlaps((start, end), booked):
            raise Refusal(400, SLOT_TAKEN)

    def _refuse_unmovable(self, old: Booking) -> None:
        if old.moved_to_uid:
            raise Refusal(
                400,
                f"Can't reschedule booking with uid={old.uid} because it has been cancelled and rescheduled already "
                f"to booking with uid={old.moved_to_uid}. You probably want to reschedule {old.moved_to_uid} instead "
                "by passing it within the request URL.",
            )
        if not old.is_live:
            state = "cancelled" if old.status == "cancelled" else "rejected"
            raise Refusal(
                400,
                f"Can't reschedule booking with uid={old.uid} because it has been {state}. Please provide uid of a "
                f"booking that is not {state}.",
            )

    # --- what the attendee or the host decides -------------------------------------------------------

    def cancel(self, uid: str, by: str | None, reason: str | None) -> Booking:
        old = self.booking(uid)
        if not old.is_live:
            raise Refusal(400, ALREADY_CANCELLED)
        if old.end_at < utcnow():
            raise Refusal(400, ALREADY_ENDED)
        changes = {
            "status": "cancelled",
            "cancelled_by": by,
            "cancel_reason": reason or None,
            "ical_sequence": old.ical_sequence + 1,
        }
        with self.store.transaction():
            if not self._update(uid, changes, only_live=True):
                raise Refusal(400, ALREADY_CANCELLED)
            booking = self.booking(uid)
            event = self.event_type(booking.event_type_id)
            body = self.writer.cancelled(booking, event)
            if event.seats:
                body["payload"] |= self._of_all_seats(booking, event)
            self.outbox.put(body, uid)
        return booking

    def _of_all_seats(self, booking: Booking, event: EventType) -> dict[str, Any]:
        """Who had one is told to the last; then nobody has."""
        sitting = self.seats.of(booking.uid)
        bodies = [self.writer.cancelled(replace(booking, guests=[], **seat.person), event) for seat in sitting]
        people = [person for body in bodies for person in body["payload"]["attendees"]]
        return {"attendees": people, "seatsPerTimeSlot": event.seats}

    def ask_to_move(self, uid: str, reason: str | None) -> Booking:
        """Cancels, in the host's name, with a reason that begins with Cal.com's words."""
        return self.cancel(uid, self.settings.owner_email, f"{PLEASE_MOVE} {reason or ''}\n")

    def change_place(self, uid: str, location: str) -> Booking:
        old = self.booking(uid)
        if old.status != "accepted":
            raise Refusal(400, "Only an accepted booking can meet somewhere else.")
        with self.store.transaction():
            self._update(uid, {"location": location, "ical_sequence": old.ical_sequence + 1}, only_live=True)
            booking = self.booking(uid)
            previous = old.meeting_url(self.base) if old.is_video else old.location
            event = self.event_type(booking.event_type_id)
            self.outbox.put(self.writer.location_updated(booking, event, previous), uid)
        return booking

    def accept(self, uid: str) -> Booking:
        booking = self.booking(uid)
        self._refuse_decided(booking)
        if booking.payment == "open":
            raise Refusal(400, "Booking payment is still pending", code="TRPCError")
        with self.store.transaction():
            if not self._update(
                uid,
                {"status": "accepted", "one_time_password": None},
                only_pending=True,
            ):
                raise Refusal(400, "Booking already confirmed", code="TRPCError")
            booking = self.booking(uid)
            event = self.event_type(booking.event_type_id)
            self.outbox.put(self.writer.created_after_confirmation(booking, event), uid)
        return booking

    def decline(self, uid: str, reason: str | None) -> Booking:
        self._refuse_decided(self.booking(uid))
        with self.store.transaction():
            changes = {"status": "rejected", "decline_reason": reason or None}
            if not self._update(uid, changes, only_pending=True):
                raise Refusal(400, "Booking already confirmed", code="TRPCError")
            booking = self.booking(uid)
            self.outbox.put(
                self.writer.rejected(booking, self.event_type(booking.event_type_id)),
                uid,
            )
        return booking

    def _refuse_decided(self, booking: Booking) -> None:
        if booking.status == "accepted":
            raise Refusal(400, "Booking already confirmed", code="TRPCError")
        if booking.status != "pending":
            raise Refusal(
                400,
                f"Booking with uid={booking.uid} is {booking.status}",
                code="TRPCError",
            )

    def pay(self, payment_uid: str) -> Booking:
        """The payment goes through: PAID first, then the request to the host (or the confirmation)."""
        with self.store.transaction():
            booking = self.booking_to_pay(payment_uid)
            event = self.event_type(booking.event_type_id)
            if booking.payment != "open" or booking.status != "pending":
                raise Refusal(400, "This payment is no longer open.")
            changes = {"payment": "paid"}
            if not event.requires_confirmation:
                changes["status"] = "accepted"
            self._update(booking.uid, changes)
            booking = self.booking(booking.uid)
            self.outbox.put(self.writer.paid(booking, event), booking.uid)
            if event.requires_confirmation:
                self.outbox.put(self.writer.requested(booking, event), booking.uid)
            else:
                self.outbox.put(self.writer.created_after_confirmation(booking, event), booking.uid)
        return booking

    def booking_to_pay(self, payment_uid: str) -> Booking:
        row = self.store.one("SELECT * FROM booking WHERE payment_uid = ?", payment_uid)
        if row is None:
            raise Refusal(404, "There is no such payment.")
        return Booking.from_row(row)

    # --- the meeting ---------------------------------------------------------------------------------

    def mark_absent(self, uid: str, attendees: Mapping[str, bool], host: bool | None) -> Booking:
        """Of the host alone Cal.com sends nothing."""
        booking = self.booking(uid)
        if unknown := [email for email in attendees if email not in booking.emails]:
            raise Refusal(400, f"Attendee with email {unknown[0]} is not part of booking {uid}")
        absent = [email for email in booking.emails if attendees.get(email, email in booking.absent)]
        with self.store.transaction():
            changes: dict[str, Any] = {"absent": absent}
            if host is not None:
                changes["is_host_absent"] = int(host)
            self._update(uid, changes)
            booking = self.booking(uid)
            for is_absent in (True, False):
                if emails := [email for email, flag in attendees.items() if flag is is_absent]:
                    self.outbox.put(self.writer.no_show(booking, emails, is_absent), uid)
        return booking

    def start_meeting(self, uid: str, delay: float | None = 0.0) -> Booking:
        return self._announce(uid, "MEETING_STARTED", "is_start_sent", delay)

    def end_meeting(self, uid: str, delay: float | None = 0.0) -> Booking:
        return self._announce(uid, "MEETING_ENDED", "is_end_sent", delay)

    def tell_of_call(self, uid: str, what: str) -> Booking:
        """What Cal Video would tell: who had not joined, or what is ready to be fetched."""
        booking = self.booking(uid)
        event = self.event_type(booking.event_type_id)
        if booking.status != "accepted" or not booking.is_video:
            raise Refusal(400, "Only an accepted booking on video has a call.")
        bodies = {
            "host missed": lambda: self.writer.missed_call(booking, event, is_host=True),
            "guests missed": lambda: self.writer.missed_call(booking, event, is_host=False),
            "recorded": lambda: self.writer.recorded(booking, event),
            "transcribed": lambda: self.writer.transcribed(booking, event),
        }
        if what not in bodies:
            raise Refusal(400, "Choose what Cal Video tells.")
        with self.store.transaction():
            self.outbox.put(bodies[what](), uid, 0.0)
        return booking

    def announce_meetings(self) -> None:
        """Accepted meetings whose time has come; what is more than a day old is dropped, as Cal.com does."""
        now = utcnow()
        for column, flag, announce in (
            ("start_at", "is_start_sent", self.start_meeting),
            ("end_at", "is_end_sent", self.end_meeting),
        ):
            rows = self.store.all(
                f"SELECT uid FROM booking WHERE status = 'accepted' AND {flag} = 0 AND {column} BETWEEN ? AND ?",
                iso_ms(now - timedelta(days=1)),
                iso_ms(now),
            )
            for row in rows:
                announce(row["uid"], 0.0)

    def _announce(self, uid: str, trigger: str, flag: str, delay: float | None) -> Booking:
        booking = self.booking(uid)
        if booking.status != "accepted":
            raise Refusal(400, "Only an accepted booking can start or end.")
        with self.store.transaction():
            self.store.run(f"UPDATE booking SET {flag} = 1 WHERE uid = ?", uid)
            body = self.writer.meeting(trigger, booking, self.event_type(booking.event_type_id))
            self.outbox.put(body, uid, delay)
        return booking

    def ping(self) -> None:
        with self.store.transaction():
            self.outbox.put(self.writer.ping(), delay=0.0)

    def _update(
        self,
        uid: str,
        changes: Mapping[str, Any],
        *,
        only_live: bool = False,
        only_pending: bool = False,
    ) -> int:
        values = {column: _stored(value) for column, value in changes.items()} | {"updated_at": iso_ms(utcnow())}
        guard = ""
        if only_pending:
            guard = " AND status = 'pending'"
        elif only_live:
            guard = " AND status IN ('accepted', 'pending')"
        columns = ", ".join(f"{column} = ?" for column in values)
        return self.store.run(f"UPDATE booking SET {columns} WHERE uid = ?{guard}", *values.values(), uid)


def _refuse_seat(sitting: list[Seat], event: EventType, email: str) -> None:
    if email.lower() in {seat.email.lower() for seat in sitting}:
        raise Conflict("already_signed_up_for_this_booking_error")
    if len(sitting) >= (event.seats or 0):
        raise Conflict("No more seats left at this seated booking.")


def _of_seat(body: dict[str, Any], seat: Seat, event: EventType) -> dict[str, Any]:
    body["payload"] |= {"attendeeSeatId": seat.uid, "seatsPerTimeSlot": event.seats}
    return body


def _stored(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value
