"""/v2/bookings: made, read, moved, cancelled and decided one by one."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from ..booking import Booking
from ..refusals import Refusal, booking_not_found, invalid
from ..times import iso_ms, parse_instant, utcnow
from . import verification
from .blueprint import (
    BOOKING_VERSIONS,
    api,
    desk,
    is_owner,
    json_body,
    needs_key,
    optional_text,
    success,
    version,
    whole_number,
)
from .booking_input import booker_of, event_type_of
from .shapes import booking_shape


def _answer(booking: Booking, status: int = 200) -> Any:
    return success(booking_shape(desk(), booking), status)


@api.post("/bookings")
@version(*BOOKING_VERSIONS)
def create_booking() -> Any:
    """A paid type answers `pending` and no link to pay, as Cal.com does."""
    body = json_body()
    start = _start(body)
    event = event_type_of(desk(), body)
    minutes = None
    if body.get("lengthInMinutes") is not None:
        minutes = whole_number(body["lengthInMinutes"], "lengthInMinutes")
        if not event.lasts(minutes):
            raise Refusal(
                400,
                "Can't specify 'lengthInMinutes' because event type does not have multiple lengths.",
            )
    booker = booker_of(body, event)
    if event.needs_proof:
        verification.require(booker.email, body.get("emailVerificationCode"))
    booking = desk().book(event, start, booker, "API_V2", minutes)
    shape = booking_shape(desk(), booking)
    if event.seats:
        shape["seatUid"] = next(seat.uid for seat in desk().seats.of(booking.uid) if seat.email == booker.email)
    return success(shape, 201)


@api.get("/bookings/<uid>")
@version(*BOOKING_VERSIONS)
def read_booking(uid: str) -> Any:
    """No key is asked: the uid is the secret."""
    return _answer(desk().booking(uid))


@api.post("/bookings/<uid>/reschedule")
@version(*BOOKING_VERSIONS)
def reschedule_booking(uid: str) -> Any:
    """The owner's address in `rescheduledBy` confirms at once what else the host would have to confirm."""
    body = json_body()
    start = _start(body)
    by = optional_text(body, "rescheduledBy")
    reason = optional_text(body, "reschedulingReason")
    if seat_uid := optional_text(body, "seatUid"):
        if reason is not None:
            raise invalid("reschedulingReason", "property reschedulingReason should not exist")
        booking, seat = desk().move_seat(uid, seat_uid, start, by or _actor(uid))
        return success(booking_shape(desk(), booking) | {"seatUid": seat.uid}, 201)
    is_host = by is not None and by.lower() == desk().settings.owner_email.lower()
    return _answer(desk().move(uid, start, by or _actor(uid), reason, is_host=is_host), 201)


@api.post("/bookings/<uid>/cancel")
@version(*BOOKING_VERSIONS)
def cancel_booking(uid: str) -> Any:
    body = json_body()
    reason = optional_text(body, "cancellationReason")
    if seat_uid := optional_text(body, "seatUid"):
        return _answer(desk().give_up_seat(uid, seat_uid, desk().settings.owner_email if is_owner() else None, reason))
    return _answer(desk().cancel(uid, _actor(uid), reason))


@api.post("/bookings/<uid>/confirm")
@version(*BOOKING_VERSIONS)
@needs_key
def confirm_booking(uid: str) -> Any:
    return _answer(desk().accept(uid))


@api.post("/bookings/<uid>/decline")
@version(*BOOKING_VERSIONS)
@needs_key
def decline_booking(uid: str) -> Any:
    return _answer(desk().decline(uid, optional_text(json_body(), "reason")))


@api.post("/bookings/<uid>/mark-absent")
@version(*BOOKING_VERSIONS)
@needs_key
def mark_absent(uid: str) -> Any:
    body = json_body()
    booking = desk().booking(uid)
    now = utcnow()
    if now < booking.start_at:
        raise Refusal(
            400,
            "Bookings can only be marked as absent after their start time has passed. Current time in UTC+0: "
            f"{iso_ms(now)}, Booking start time in UTC+0: {iso_ms(booking.start_at)}",
        )
    host = body.get("host")
    if host is not None and not isinstance(host, bool):
        raise invalid("host", "host must be a boolean value")
    return _answer(desk().mark_absent(uid, _absences(body.get("attendees")), host))


@api.post("/bookings/<uid>/request-reschedule")
@version("2026-02-25")
@needs_key
def request_reschedule(uid: str) -> Any:
    desk().ask_to_move(uid, optional_text(json_body(), "rescheduleReason"))
    return {"status": "success"}


@api.get("/bookings/<uid>/calendar-links")
@version(*BOOKING_VERSIONS)
@needs_key
def calendar_links(uid: str) -> Any:
    booking = desk().booking(uid)
    title = desk().writer.title(booking, desk().event_type(booking.event_type_id))
    stamp = "%Y%m%dT%H%M%SZ"
    dates = f"{booking.start_at.strftime(stamp)}/{booking.end_at.strftime(stamp)}"
    google = urlencode({"action": "TEMPLATE", "text": title, "dates": dates})
    outlook = urlencode(
        {
            "subject": title,
            "startdt": iso_ms(booking.start_at),
            "enddt": iso_ms(booking.end_at),
        }
    )
    return success(
        [
            {
                "label": "Google Calendar",
                "link": f"https://calendar.google.com/calendar/r/eventedit?{google}",
            },
            {
                "label": "Microsoft Outlook",
                "link": f"https://outlook.live.com/calendar/0/action/compose?{outlook}",
            },
        ]
    )


@api.get("/bookings/by-seat/<uid>")
@version(*BOOKING_VERSIONS)
def read_booking_by_seat(uid: str) -> Any:
    seat = desk().seats.find(uid)
    if seat is None:
        raise booking_not_found(uid)
    return _answer(desk().booking(seat.booking_uid))


def _start(body: dict[str, Any]) -> datetime:
    start = parse_instant(body["start"]) if isinstance(body.get("start"), str) else None
    if start is None:
        raise invalid("start", "start must be a valid ISO 8601 date string")
    return start.replace(microsecond=0)


def _actor(uid: str) -> str:
    """Whoever comes with the host's key is the host; anybody else who knows the uid is taken for the attendee."""
    booking = desk().booking(uid)
    return desk().settings.owner_email if is_owner() else booking.email


def _absences(value: object) -> dict[str, bool]:
    if value is None:
        return {}
    if not isinstance(value, list):
        raise invalid("attendees", "attendees must be an array")
    absences = {}
    for entry in value:
        if (
            not isinstance(entry, dict)
            or not isinstance(entry.get("email"), str)
            or not isinstance(entry.get("absent"), bool)
        ):
            raise invalid("attendees", "each value must have an email and a boolean absent")
        absences[entry["email"]] = entry["absent"]
    return absences
