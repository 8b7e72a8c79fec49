"""A booking as an entry for somebody's own calendar: a file, or a link that fills in a form of theirs.

Cal.com mails an invitation of its own. The file carries the invitation's UID and sequence and no question to answer
(METHOD:PUBLISH), so a calendar that has the invitation keeps one entry. The links cannot: they always make a new one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode, urlsplit

from flask import current_app

from hds.bookings.chain import BookingStatus
from hds.bookings.links import Link
from hds.bookings.models import ENDED_EARLY, Booking, BookingAttempt
from hds.bookings.words import where_chosen, where_on_page
from hds.config import settings
from hds.contacts.models import Contact
from hds.lib import tokens
from hds.lib.times import iso_utc, utcnow
from hds.services.models import Service

PURPOSE = "calendar entry"  # what the token of a mail's link to the file is signed for
TOKEN_SECONDS = 400 * 24 * 3600  # a mail is read until the meeting, which can be more than a year away


@dataclass(frozen=True)
class CalendarEntry:
    """`status`: CONFIRMED, TENTATIVE or CANCELLED, as calendars call it."""

    uid: str
    sequence: int
    title: str
    start_at: datetime
    end_at: datetime
    place: str
    status: str = "CONFIRMED"

    @classmethod
    def of_booking(cls, booking: Booking) -> "CalendarEntry | None":
        """None of a booking that is none of our services', or that has no time."""
        if booking.service is None or booking.start_at is None:
            return None
        told = [event for event in booking.events if event.ical_uid]
        sequence = max((event.ical_sequence or 0 for event in told), default=0)
        is_off = booking.status in ENDED_EARLY
        return cls(
            uid=str(told[-1].ical_uid) if told else _own_uid(f"booking-{booking.id}"),
            sequence=sequence + 1 if is_off else sequence,
            title=_title(booking.service),
            start_at=booking.start_at,
            end_at=booking.end_at or booking.start_at + _length(booking.service),
            place=str(where_on_page(booking) or ""),
            status="CANCELLED" if is_off else "TENTATIVE" if booking.status is BookingStatus.REQUESTED else "CONFIRMED",
        )

    @classmethod
    def of_attempt(cls, attempt: BookingAttempt) -> "CalendarEntry":
        """Of what our form booked a moment ago, while no webhook has told of it."""
        return cls(
            uid=_own_uid(attempt.reference),
            sequence=0,
            title=_title(attempt.service),
            start_at=attempt.start_at,
            end_at=attempt.start_at + _length(attempt.service),
            place=str(where_chosen(attempt) or ""),
            status="TENTATIVE" if attempt.awaits_approval else "CONFIRMED",
        )

    @property
    def is_ahead(self) -> bool:
        return utcnow() < self.start_at

    @property
    def method(self) -> str:
        return "CANCEL" if self.status == "CANCELLED" else "PUBLISH"

    @property
    def notes(self) -> str:
        return f"To move or cancel it, use the link in the confirmation's mail. Questions: {settings.contact_email}"

    @property
    def links(self) -> Mapping[str, str]:
        """Name of a calendar on the web → its form, filled in."""
        google = {
            "action": "TEMPLATE",
            "text": self.title,
            "dates": f"{self.start_at.astimezone(UTC):%Y%m%dT%H%M%SZ}/{self.end_at.astimezone(UTC):%Y%m%dT%H%M%SZ}",
            "location": self.place,
            "details": self.notes,
        }
        outlook = {
            "path": "/calendar/action/compose",
            "rru": "addevent",
            "subject": self.title,
            "startdt": iso_utc(self.start_at),
            "enddt": iso_utc(self.end_at),
            "location": self.place,
            "body": self.notes,
        }
        return {
            "Google": f"https://calendar.google.com/calendar/render?{urlencode(google)}",
            "Outlook.com": f"https://outlook.live.com/calendar/0/deeplink/compose?{urlencode(outlook)}",
            "Outlook at work": f"https://outlook.office.com/calendar/0/deeplink/compose?{urlencode(outlook)}",
        }

    def file(self) -> bytes:
        """iCalendar, RFC 5545; its library folds and escapes."""
        from icalendar import Calendar, Event, vCalAddress  # a tenth of a second, at the first file only

        event = Event()
        event.add("uid", self.uid)
        event.add("sequence", self.sequence)
        event.add("dtstamp", utcnow())
        event.add("dtstart", self.start_at.astimezone(UTC))
        event.add("dtend", self.end_at.astimezone(UTC))
        event.add("summary", self.title)
        event.add("status", self.status)
        event.add("description", self.notes)
        if self.place:
            event.add("location", self.place)
        organizer = vCalAddress(f"mailto:{settings.contact_email}")
        organizer.params["cn"] = settings.owner_name
        event.add("organizer", organizer)
        calendar = Calendar()
        calendar.add("version", "2.0")
        calendar.add("prodid", f"-//{settings.site_name}//Consultations//EN")
        calendar.add("method", self.method)
        calendar.add_component(event)
        return calendar.to_ical()


def file_address(booking: Booking, contact: Contact | None = None) -> str:
    """Where the mail of somebody who takes part, the booker unless another is named, finds the booking's file; it
    stays, whatever becomes of the booking."""
    token = tokens.sign(PURPOSE, [booking.id, contact.id if contact else booking.contact_id])
    values = {"slug": booking.service.slug if booking.service else "", "token": token}
    return settings.public_url + current_app.url_map.bind("").build("bookings.calendar_file", values)


def booking_of(slug: str, token: str) -> Booking | None:
    match tokens.read(PURPOSE, token, TOKEN_SECONDS):
        case [int(booking_id), int(contact_id)]:
            found = Link(booking_id, contact_id).bookings
            theirs = (booking for booking in found if contact_id in {person.contact_id for person in booking.people})
            return next((booking for booking in theirs if booking.service and booking.service.slug == slug), None)
    return None


def _title(service: Service) -> str:
    return f"{service.name} with {settings.owner_name}"


def _length(service: Service) -> timedelta:
    return timedelta(minutes=service.duration_minutes)


def _own_uid(name: str) -> str:
    return f"{name}@{urlsplit(settings.public_url).hostname}"
