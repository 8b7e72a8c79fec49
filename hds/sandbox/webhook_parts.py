"""Pieces that several webhook bodies share."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from .booking import Booking
from .catalogue import OWNER_ID, EventType
from .times import iso_ms, offset_minutes, utcnow

Body = dict[str, Any]

DEFAULT_FIELDS = (  # slug, label, is hidden
    ("name", "your_name", False),
    ("email", "email_address", False),
    ("attendeePhoneNumber", "phone_number", True),
    ("location", "location", False),
    ("title", "what_is_this_meeting_about", True),
    ("notes", "additional_notes", False),
    ("guests", "additional_guests", False),
    ("rescheduleReason", "reason_for_reschedule", False),
)


def payment_id(booking: Booking) -> int:
    return 3300 + booking.id


def envelope(trigger: str, payload: Body) -> Body:
    return {"triggerEvent": trigger, "createdAt": iso_ms(utcnow()), "payload": payload}


NEWER_VERSION = "2026-07-27"
_WITH_FILES = {"BOOKING_CREATED", "BOOKING_RESCHEDULED", "BOOKING_REASSIGNED", "BOOKING_CANCELLED", "BOOKING_PAID"}


def in_version(body: Body, version: str) -> Body:
    """The newer version says the same, and brings the calendars' files along."""
    payload = body.get("payload", {})
    is_settled = body["triggerEvent"] != "BOOKING_PAID" or payload.get("status") == "ACCEPTED"
    if version != NEWER_VERSION or body["triggerEvent"] not in _WITH_FILES or not is_settled:
        return body
    method = "CANCEL" if body["triggerEvent"] == "BOOKING_CANCELLED" else "REQUEST"
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"METHOD:{method}",
        "BEGIN:VEVENT",
        f"UID:{payload['iCalUID']}",
        f"SEQUENCE:{payload['iCalSequence']}",
        f"ORGANIZER;CN={payload['organizer']['name']}:mailto:{payload['organizer']['email']}",
        f"ATTENDEE;CN={payload['attendees'][0]['name']}:mailto:{payload['attendees'][0]['email']}",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    file = "\n".join(lines)
    return body | {"payload": payload | {"attendeeIcsContent": file, "organizerIcsContent": file}}


def moved(booking: Booking, old: Booking | None) -> Body:
    if old is None:
        return {}
    moved: Body = {
        "rescheduleId": old.id,
        "rescheduleUid": old.uid,
        "rescheduleStartTime": iso_ms(old.start_at),
        "rescheduleEndTime": iso_ms(old.end_at),
    }
    if booking.moved_by:
        moved["rescheduledBy"] = booking.moved_by
    return moved


def answer(label: str, value: object, is_hidden: bool) -> Body:
    """An unanswered field has no `value` at all."""
    return {
        "label": label,
        **({"value": value} if value else {}),
        "isHidden": is_hidden,
    }


def own_fields(responses: Body, event: EventType) -> Body:
    return {question.slug: responses[question.slug] for question in event.asked if question.slug in responses}


def attendee(booking: Booking, email: str) -> Body:
    return {
        "email": email,
        "name": booking.name if email == booking.email else "",
        "timeZone": booking.time_zone,
        "language": {"locale": booking.language},
        "utcOffset": offset_minutes(booking.time_zone, booking.start_at),
    }


def names(booking: Booking, email: str) -> Body:
    first, _, last = (booking.name if email == booking.email else "").partition(" ")
    return {"firstName": first, "lastName": last}


def raw_attendee(booking: Booking, index: int) -> Body:
    email = booking.emails[index]
    return {
        "id": booking.id * 10 + index,
        "email": email,
        "name": "" if index else booking.name,
        "timeZone": booking.time_zone,
        "phoneNumber": None if index else booking.phone,
        "locale": booking.language,
        "bookingId": booking.id,
        "noShow": email in booking.absent,
    }


def apps_status(booking: Booking) -> list[Body]:
    apps = [("google-calendar", "google_calendar")]
    if booking.is_video:
        apps.insert(0, ("daily-video", "daily_video"))
    return [{"appName": name, "type": kind, "success": 1, "failures": 0, "errors": []} for name, kind in apps]


def stable_uuid(text: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, text))


def idempotency_key(start: datetime, end: datetime, email: str) -> str:
    return stable_uuid(f"{iso_ms(start)}.{iso_ms(end)}.{OWNER_ID}.{email}")
