"""How the API shows an event type, a booking, a reservation."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any

from ..booking import Booking
from ..catalogue import (
    DEFAULT_SLUGS,
    MINIMUM_NOTICE_MINUTES,
    OWNER_ID,
    SCHEDULE_ID,
    WINDOW_DAYS,
    EventType,
    Question,
)
from ..desk import Desk
from ..seats import Seat
from ..times import iso_ms


def booking_shape(desk: Desk, booking: Booking) -> dict[str, Any]:
    event = desk.event_type(booking.event_type_id)
    owner = desk.settings
    has_link = booking.is_video and booking.status in {"accepted", "cancelled"}
    location = booking.meeting_url(desk.base) if has_link else booking.location
    shape: dict[str, Any] = {
        "id": booking.id,
        "uid": booking.uid,
        "title": desk.writer.title(booking, event),
        "description": booking.notes,
        "hosts": [
            {
                "id": OWNER_ID,
                "name": owner.owner_name,
                "email": owner.owner_email,
                "displayEmail": owner.owner_email,
                "username": owner.username,
                "timeZone": owner.time_zone,
            }
        ],
        "status": booking.status,
        "start": iso_ms(booking.start_at),
        "end": iso_ms(booking.end_at),
        "duration": booking.minutes,
        "eventTypeId": event.id,
        "eventType": {"id": event.id, "slug": event.slug},
        "meetingUrl": location,
        "location": location,
        "absentHost": bool(booking.is_host_absent),
        "createdAt": iso_ms(booking.created_at),
        "updatedAt": iso_ms(booking.updated_at),
        "metadata": booking.metadata,
        "rating": None,
        "icsUid": booking.ical_uid,
        "attendees": [_attendee(booking, email) for email in booking.emails],
        "guests": booking.guests,
        "bookingFieldsResponses": booking.answers
        | {
            "name": booking.name,
            "email": booking.email,
            "location": booking.location_answer,
            "guests": booking.guests,
        },
    }
    optional = {
        "cancellationReason": booking.cancel_reason or booking.decline_reason,
        "cancelledByEmail": booking.cancelled_by,
        "reschedulingReason": booking.move_reason,
        "rescheduledByEmail": booking.moved_by,
        "rescheduledFromUid": booking.moved_from_uid,
        "rescheduledToUid": booking.moved_to_uid,
    }
    shape |= {key: value for key, value in optional.items() if value}
    if event.seats:
        shape["attendees"] = [_sitting(booking, seat) for seat in desk.seats.of(booking.uid)]
    return shape


def _sitting(booking: Booking, seat: Seat) -> dict[str, Any]:
    return {
        "name": seat.name,
        "email": seat.email,
        "displayEmail": seat.email,
        "timeZone": seat.time_zone,
        "language": seat.language,
        "absent": seat.email in booking.absent,
        "seatUid": seat.uid,
        "bookingFieldsResponses": seat.answers | {"name": seat.name, "email": seat.email},
        "metadata": seat.metadata,
        **({"phoneNumber": seat.phone} if seat.phone else {}),
    }


def _seats(event: EventType) -> dict[str, Any]:
    return {"seatsPerTimeSlot": event.seats, "showAttendeeInfo": False, "showAvailabilityCount": event.shows_seats}


def _attendee(booking: Booking, email: str) -> dict[str, Any]:
    is_booker = email == booking.email
    attendee: dict[str, Any] = {
        "name": booking.name if is_booker else "",
        "email": email,
        "displayEmail": email,
        "timeZone": booking.time_zone,
        "language": booking.language,
        "absent": email in booking.absent,
    }
    if is_booker and booking.phone:
        attendee["phoneNumber"] = booking.phone
    return attendee


def reservation_shape(row: sqlite3.Row) -> dict[str, Any]:
    start, end = (
        datetime.fromisoformat(row["start_at"]),
        datetime.fromisoformat(row["end_at"]),
    )
    return {
        "eventTypeId": row["event_type_id"],
        "slotStart": row["start_at"],
        "slotEnd": row["end_at"],
        "slotDuration": int((end - start).total_seconds() // 60),
        "reservationUid": row["uid"],
        "reservationDuration": row["minutes"],
        "reservationUntil": row["until_at"],
    }


def event_type_shape(desk: Desk, event: EventType) -> dict[str, Any]:
    confirmation = {"type": "always", "blockUnconfirmedBookingsInBooker": True}
    return {
        "id": event.id,
        "ownerId": OWNER_ID,
        "lengthInMinutes": event.minutes,
        **({"lengthInMinutesOptions": list(event.lengths)} if event.lengths else {}),
        "title": event.title,
        "slug": event.slug,
        "description": event.description,
        "locations": event.locations,
        "bookingFields": _booking_fields(event),
        "recurrence": None,
        "disableGuests": not event.takes_guests,
        "slotInterval": None,
        "minimumBookingNotice": MINIMUM_NOTICE_MINUTES,
        "beforeEventBuffer": 0,
        "afterEventBuffer": 0,
        "metadata": {},
        "price": event.price,
        "currency": event.currency,
        "lockTimeZoneToggleOnBookingPage": False,
        "seatsPerTimeSlot": None,
        **({"seats": _seats(event)} if event.seats else {}),
        "forwardParamsSuccessRedirect": None,
        "successRedirectUrl": None,
        "isInstantEvent": False,
        "scheduleId": SCHEDULE_ID,
        "bookingWindow": [event.window or {"type": "calendarDays", "value": WINDOW_DAYS, "rolling": False}],
        "confirmationPolicy": confirmation if event.requires_confirmation else {"disabled": True},
        "requiresBookerEmailVerification": event.needs_proof,
        "hideCalendarNotes": False,
        "hideCalendarEventDetails": False,
        "hideOrganizerEmail": False,
        "offsetStart": 0,
        "hidden": False,
        "bookingRequiresAuthentication": False,
        "disableCancelling": {"disabled": False},
        "disableRescheduling": {"disabled": False},
        "users": [],
        "bookingUrl": f"{desk.base}/{desk.settings.username}/{event.slug}",
    }


def _booking_fields(event: EventType) -> list[dict[str, Any]]:
    fields = [
        _default_field("name", "name", "your_name", required=True, placeholder=""),
        _default_field(
            "email",
            "email",
            "email_address",
            required=True,
            placeholder="",
            hidden=False,
        ),
    ]
    if len(event.locations) > 1:  # Cal.com returns it only where there is a choice
        fields.append(_default_field("radioInput", "location", "location", required=False, hidden=False))
    fields += [
        _default_field("text", "title", "what_is_this_meeting_about", required=True, hidden=True),
        *[_question_field(question) for question in event.questions],
        *[{"isDefault": False, **own} for own in event.fields if own["slug"] not in DEFAULT_SLUGS],
        _default_field("textarea", "notes", "additional_notes", required=False, hidden=False),
        _default_field("multiemail", "guests", "additional_guests", required=False, hidden=False),
        _default_field(
            "textarea",
            "rescheduleReason",
            "reason_for_reschedule",
            required=False,
            hidden=False,
        ),
    ]
    stated = {own["slug"]: own for own in event.fields}
    return [field | stated.get(field["slug"], {}) for field in fields]


def _default_field(kind: str, slug: str, label: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "slug": slug, "label": label, "isDefault": True, **more}


def _question_field(question: Question) -> dict[str, Any]:
    return {
        "type": "textarea",
        "slug": question.slug,
        "label": question.label,
        "required": False,
        "placeholder": question.placeholder,
        "hidden": question.is_hidden,
        "isDefault": False,
    }
