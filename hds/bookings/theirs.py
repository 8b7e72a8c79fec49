"""A booking as somebody who booked it may see and change it: their own part of it, and what of it is still open."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from hds.bookings.acts import Actor, ActState, BookingAct, Verb
from hds.bookings.calendar_entry import CalendarEntry
from hds.bookings.chain import TAKING_PART, BookingStatus, Details, PaymentState
from hds.bookings.embedded import stage_of
from hds.bookings.links import AFTERWARDS, Link, Purpose
from hds.bookings.models import ENDED_EARLY, Booking
from hds.bookings.receipt import Receipt
from hds.bookings.words import changeable_until
from hds.calcom.answers import EventType
from hds.config import settings
from hds.contacts.models import Contact
from hds.extensions import db
from hds.lib.times import utcnow, zone_or_none

OPEN = {ActState.ASKED, ActState.TOLD, ActState.UNKNOWN}


class Bar(StrEnum):
    """Why something cannot be done online, in a sentence. What can be done instead, the page says."""

    ENDED = "This booking is cancelled already."
    DECLINED = "This request was declined."
    OVER = "This meeting has begun, or is over."
    TOO_SOON = "It begins too soon to be moved or cancelled online."
    TOO_SOON_TO_MOVE = "It begins too soon to be moved online."
    NO_CANCELLING = "This consultation cannot be cancelled online."
    NO_MOVING = "This consultation cannot be moved online."
    UNPAID = "Its payment is still open, so it cannot be moved. Pay first, by the link in Cal.com’s mail."
    SEAT = "A seat can be moved once it is confirmed. You can give it up and ask for another time."
    UNKNOWN_SEAT = "Others take part in this meeting, and we cannot tell which seat is yours."
    SERIES = "It belongs to a series of meetings, which cannot be moved one by one here."
    PROOF = "Cal.com moves this consultation only for people whom it knows."
    UNTOLD = "Our calendar cannot be asked for its free times here."


@dataclass(frozen=True)
class Theirs:
    """`before`: the bookings that their seat was of until it was moved, by our number."""

    booking: Booking
    contact: Contact
    before: tuple[int, ...] = ()

    @classmethod
    def of(cls, link: Link) -> "Theirs | None":
        """None where no booking is known yet, or it is none of theirs."""
        bookings: Iterable[Booking]
        if attempt := link.attempt:
            contact = db.session.scalar(db.select(Contact).filter_by(email=attempt.email))
            bookings = [booking] if (booking := attempt.booking) else []
        else:
            contact, bookings = db.session.get(Contact, link.contact_id), link.bookings
        for booking in bookings:
            if contact and contact.email in _bookers_ever(booking):
                *before, now = booking.followed(contact.email)
                return cls(now, contact, tuple(earlier.id for earlier in before))
        return None

    @classmethod
    def by_email(cls, booking: Booking, email: str) -> "Theirs | None":
        return next((cls(booking, contact) for contact in booking.bookers if contact.email == email), None)

    @classmethod
    def by_reference(cls, booking: Booking, reference: str) -> "Theirs | None":
        """Whose booking it is that brought back this reference: with seats, one of several people's."""
        told = [event.fact.details for event in booking.events if event.details.get("reference") == reference]
        people = [person.email for details in told for person in details.attendees[:1]]
        return next((theirs for email in people if (theirs := cls.by_email(booking, email))), None)

    @property
    def link(self) -> Link:
        return Link(self.booking.id, self.contact.id)

    def token(self, purpose: Purpose) -> str:
        return self.link.token(purpose)

    @property
    def is_expired(self) -> bool:
        end = self.booking.end_at or self.booking.start_at or self.booking.changed_at
        return utcnow() > end + AFTERWARDS

    @property
    def zone(self) -> ZoneInfo:
        known = zone_or_none(self.contact.time_zone) or zone_or_none(self.booking.time_zone)
        return known or settings.owner_zone

    @property
    def name(self) -> str:
        return self.booking.service.name if self.booking.service else "Your consultation"

    @property
    def minutes(self) -> int | None:
        start, end = self.booking.start_at, self.booking.end_at
        if start and end:
            return int((end - start).total_seconds()) // 60
        return self.booking.service.duration_minutes if self.booking.service else None

    @property
    def receipt(self) -> Receipt | None:
        return Receipt.of(self.booking.service, self.booking) if self.booking.service else None

    @property
    def entry(self) -> CalendarEntry | None:
        entry = CalendarEntry.of_booking(self.booking)
        return entry if entry and entry.is_ahead else None

    # Of several who have seats each sees what is their own.

    @property
    def is_seated(self) -> bool:
        return self.booking.is_seated

    @property
    def seat_uid(self) -> str:
        """What Cal.com calls their seat; empty where there are none, or it is not known."""
        told = [details.seat_uid for details in self._own if details.seat_uid]
        return told[-1] if told else ""

    @property
    def has_given_up(self) -> bool:
        return self.contact.email not in {contact.email for contact in self.booking.bookers}

    @property
    def guests(self) -> Sequence[Contact]:
        return [] if self.is_seated else self.booking.guests

    @property
    def notes(self) -> str | None:
        if not self.is_seated:
            return self.booking.notes
        return next((details.notes for details in reversed(self._own) if details.notes), None)

    @property
    def answers(self) -> list[tuple[str, str]]:
        """The event type's questions and what was answered, in words."""
        own = next((details.answers for details in reversed(self._own) if details.answers), {})
        told = own if self.is_seated else self.booking.answers
        return [(question, _said(answer)) for question, answer in told.items()]

    @property
    def _own(self) -> list[Details]:
        """What was told of this person's seat."""
        told = [event.fact.details for event in self.booking.events if event.kind in TAKING_PART]
        return [details for details in told if [person.email for person in details.attendees] == [self.contact.email]]

    # Where it stands

    @property
    def stage(self) -> str:
        if self.has_given_up:
            return "given_up"
        if self.booking.is_host_asking_to_move:
            return "asked_to_move"
        if self.booking.status in ENDED_EARLY:
            return str(self.booking.status)
        if self._has_begun:
            return "over"
        stage = stage_of(self.booking)
        return "requested" if stage == "waiting" else stage

    @property
    def latest(self) -> BookingAct | None:
        """The last that they asked for, unless Cal.com refused it."""
        own = [
            act
            for booking_id in (*self.before, self.booking.id)
            for act in BookingAct.of_booking(booking_id)
            if act.actor is Actor.ATTENDEE and act.subject == self.contact.email and act.state is not ActState.REFUSED
        ]
        return max(own, key=lambda act: act.id, default=None)

    @property
    def asked(self) -> BookingAct | None:
        """What they asked for, while nobody knows what became of it."""
        act = self.latest
        return act if act and act.stage in OPEN and act.uid == self.booking.uid else None

    @property
    def until(self) -> datetime | None:
        return changeable_until(self.booking.start_at) if self.booking.start_at else None

    @property
    def _has_begun(self) -> bool:
        is_live = self.booking.status in {BookingStatus.CONFIRMED, BookingStatus.REQUESTED}
        start = self.booking.start_at
        return not is_live or (start is not None and start <= utcnow())

    def bar(self, verb: Verb) -> Bar | None:
        """Why they cannot move or cancel it here, as far as that is known without asking Cal.com."""
        service = self.booking.service
        if self.has_given_up or self.booking.status is BookingStatus.CANCELLED:
            return Bar.ENDED
        if self.booking.status is BookingStatus.DECLINED:
            return Bar.DECLINED
        if self._has_begun:
            return Bar.OVER
        offers = service and (service.can_move if verb is Verb.MOVE else service.can_cancel)
        if not offers:
            return Bar.NO_MOVING if verb is Verb.MOVE else Bar.NO_CANCELLING
        if self.until is None:
            return Bar.TOO_SOON
        return self._bar_to_move() if verb is Verb.MOVE else self._bar_to_cancel()

    def _bar_to_move(self) -> Bar | None:
        if self.is_seated:
            is_confirmed = self.booking.status is BookingStatus.CONFIRMED
            return self._bar_to_cancel() or (None if is_confirmed else Bar.SEAT)
        return Bar.UNPAID if self.booking.payment_state is PaymentState.PENDING else None

    def _bar_to_cancel(self) -> Bar | None:
        """Without its own name for the seat, Cal.com would change everybody's."""
        return Bar.UNKNOWN_SEAT if self.is_seated and not self.seat_uid else None

    @property
    def may_move(self) -> bool:
        return self.bar(Verb.MOVE) is None

    @property
    def may_cancel(self) -> bool:
        return self.bar(Verb.CANCEL) is None


def bar_of_type(event_type: EventType | None, start: datetime | None = None, *, has_seat: bool = False) -> Bar | None:
    """Why a booking of this event type, which begins at `start`, cannot be moved by our own steps."""
    if event_type is None:
        return Bar.UNTOLD
    if event_type.is_recurring or event_type.is_instant:
        return Bar.SERIES
    if event_type.needs_authentication or event_type.needs_email_verification:
        return Bar.PROOF
    if event_type.seats and not has_seat:
        return Bar.UNKNOWN_SEAT
    if not event_type.can_move:
        return Bar.NO_MOVING
    stays = timedelta(minutes=event_type.minutes_it_stays or 0)
    return Bar.TOO_SOON_TO_MOVE if start and start - stays <= utcnow() else None


def _said(answer: object) -> str:
    if isinstance(answer, list):
        return ", ".join(str(each) for each in answer)
    return {True: "Yes", False: "No"}[answer] if isinstance(answer, bool) else str(answer)


def _bookers_ever(booking: Booking) -> set[str]:
    """The addresses of those who booked it, and of those who had a seat and gave it up."""
    seated = [event.fact.details for event in booking.events if event.kind in TAKING_PART]
    seats = {person.email for details in seated if details.is_seated for person in details.attendees}
    return seats | {contact.email for contact in booking.bookers}
