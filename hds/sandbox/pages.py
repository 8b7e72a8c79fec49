"""What an attendee sees: the booking page of a link, the payment, the booking, the meeting."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, current_app, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from . import frames
from .api.booking_input import EMAIL, PHONE
from .booking import Booking
from .catalogue import VIDEO, WINDOW_DAYS, EventType
from .desk import Booker, Desk
from .frames import SLOW_SECONDS, Manner
from .refusals import SLOT_TAKEN, Conflict, Refusal
from .settings import USERNAME
from .shared import COMMON_ZONES, friendly, refuse_cross_site
from .times import is_time_zone, iso_ms, parse_instant, utcnow

pages = Blueprint("pages", __name__)
pages.before_request(refuse_cross_site)
EVEN_CANCELLED = "allowRescheduleForCancelledBooking"
OWN_PARAMETERS = ("month", "date", "slot", "cal.tz")


def desk() -> Desk:
    return cast(Desk, current_app.extensions["sandbox"])


@pages.get("/")
def index() -> str:
    return render_template("index.html", events=desk().event_types)


@pages.get(f"/{USERNAME}")
def event_types() -> str:
    return render_template("event_types.html", events=desk().event_types)


# --- choosing and booking --------------------------------------------------------------------------------


@pages.get(f"/{USERNAME}/<slug>")
def choose(slug: str) -> str | AnyResponse:
    """The time first, then the details; what the link brought along rides in the query."""
    event = _event(slug)
    zone = _asked_zone()
    slot = parse_instant(request.args.get("slot", ""))
    if slot is not None:
        return _details(event, slot, zone, request.args, {})
    return _times(event, zone)


@pages.get(f"/{USERNAME}/<slug>/embed")
def embed(slug: str) -> Any:
    """The same page inside somebody's frame, in the manner that the host's page says."""
    match desk().manner:
        case Manner.SLOW:
            time.sleep(SLOW_SECONDS)
        case Manner.REFUSED:
            return Response("", headers={"X-Frame-Options": "DENY"})
        case Manner.SILENT:
            return Response("")
        case Manner.BROKEN:
            abort(404)
    return choose(slug)


@pages.post(f"/{USERNAME}/<slug>")
def book(slug: str) -> Any:
    event = _event(slug)
    zone = _zone(request.form.get("cal.tz"))
    slot = parse_instant(request.form.get("slot", ""))
    if slot is None:
        return redirect(url_for("pages.choose", slug=slug))
    errors = _errors(request.form, event)
    if errors:
        return _details(event, slot, zone, request.form, errors), 422
    try:
        booking = desk().book(event, slot, _booker(event, zone), "WEBAPP")
    except Conflict:
        return _details(event, slot, zone, request.form, {"slot": friendly(SLOT_TAKEN)}), 409
    except Refusal as refusal:
        return _details(event, slot, zone, request.form, {"slot": friendly(refusal.message)}), 422
    if booking.payment_uid:
        return redirect(url_for("pages.payment", payment_uid=booking.payment_uid, **frames.carried(booked="1")), 303)
    return redirect(url_for("pages.booking", uid=booking.uid, **frames.carried(booked="1")), 303)


def _times(event: EventType, zone: ZoneInfo) -> str:
    now = utcnow()
    today = now.astimezone(zone).date()
    last = (now + timedelta(days=WINDOW_DAYS)).astimezone(zone).date()
    day = _date(request.args.get("date", ""))
    month = day.replace(day=1) if day else _date(request.args.get("month", "") + "-01")
    month = min(max(month or today.replace(day=1), today.replace(day=1)), last.replace(day=1))
    following = (month + timedelta(days=32)).replace(day=1)
    days = _by_day(desk().slots(event, _midnight(month, zone), _midnight(following, zone)), zone)
    days = {shown: slots for shown, slots in days.items() if shown < following}
    if not days and not day and following <= last:
        # The last days of a month are often over; open on the first one that has something.
        later = _by_day(desk().slots(event, now, now + timedelta(days=WINDOW_DAYS)), zone)
        next_free = next(iter(later), None)
    else:
        next_free = None
    return render_template(
        "choose.html",
        event=event,
        zone=zone,
        zones=_zones(zone),
        month=month,
        days=days,
        day=day,
        next_free=next_free,
        earlier=(month - timedelta(days=1)).replace(day=1) if month > today.replace(day=1) else None,
        later=following if following <= last else None,
        carried=_carried(request.args),
    )


def _details(
    event: EventType, slot: datetime, zone: ZoneInfo, typed: MultiDict[str, str], errors: dict[str, str]
) -> str:
    return render_template(
        "details.html",
        event=event,
        slot=slot,
        zone=zone,
        typed=typed,
        errors=errors,
        guests=", ".join(guest for text in typed.getlist("guests") for guest in text.split(",") if guest.strip()),
        metadata=_metadata(typed),
        carried=_carried(typed),
        in_frame={name: [value] for name, value in frames.carried().items()},
    )


def _errors(form: MultiDict[str, str], event: EventType) -> dict[str, str]:
    errors = {}
    if not form.get("name", "").strip():
        errors["name"] = "Enter your name."
    if not EMAIL.fullmatch(form.get("email", "").strip()):
        errors["email"] = "Enter an email address like name@example.com."
    if any(not EMAIL.fullmatch(guest) for guest in _guests(form)):
        errors["guests"] = "Separate guests' email addresses by commas."
    if event.takes_phone and form.get("where") == "phone" and not PHONE.fullmatch(_phone(form)):
        errors["phone"] = "Enter a phone number with its country code, like +12025550123."
    return errors


def _booker(event: EventType, zone: ZoneInfo) -> Booker:
    form = request.form
    phone = _phone(form) if event.takes_phone and form.get("where") == "phone" else None
    answers = {slug: form[slug].strip() for slug in _answer_slugs(event) if form.get(slug, "").strip()}
    return Booker(
        name=form["name"].strip(),
        email=form["email"].strip(),
        time_zone=zone.key,
        phone=phone,
        location=phone or VIDEO,
        guests=_guests(form),
        answers=answers,
        metadata=_metadata(form),
    )


def _answer_slugs(event: EventType) -> list[str]:
    return ["notes", *[question.slug for question in event.questions]]


def _phone(form: MultiDict[str, str]) -> str:
    return "".join(character for character in form.get("phone", "") if character not in " -()./")


def _guests(form: MultiDict[str, str]) -> list[str]:
    return [guest.strip() for guest in form.get("guests", "").split(",") if guest.strip()]


def _metadata(typed: MultiDict[str, str]) -> dict[str, str]:
    """metadata[key]=value, as a link to Cal.com's page carries it; its limits are the API's."""
    pairs = {
        name[len("metadata[") : -1]: value[:500]
        for name, value in typed.items()
        if name.startswith("metadata[") and name.endswith("]")
    }
    return {key: value for key, value in list(pairs.items())[:50] if 0 < len(key) <= 40}


def _carried(typed: MultiDict[str, str]) -> dict[str, Any]:
    """What a link brought along and each step hands on, by name."""
    return {name: values for name, values in typed.lists() if name not in OWN_PARAMETERS}


# --- the payment -----------------------------------------------------------------------------------------


@pages.get("/payment/<payment_uid>")
def payment(payment_uid: str) -> str | AnyResponse:
    booking = desk().booking_to_pay(payment_uid)
    if booking.payment != "open" or not booking.is_live:
        return redirect(url_for("pages.booking", uid=booking.uid))
    return render_template("pay.html", **_shown(booking), payment_uid=payment_uid, in_frame=frames.carried())


@pages.post("/payment/<payment_uid>")
def pay(payment_uid: str) -> AnyResponse:
    return redirect(url_for("pages.booking", uid=desk().pay(payment_uid).uid, **frames.carried()), 303)


# --- the booking -----------------------------------------------------------------------------------------


@pages.get("/booking/<uid>")
def booking(uid: str) -> str:
    found = desk().booking(uid)
    event = desk().event_type(found.event_type_id)
    may_move = found.is_live or (found.is_to_be_moved and request.args.get(EVEN_CANCELLED) == "true")
    slots = list(_next_slots(event, uid)) if may_move else []
    return render_template("booking.html", **_shown(found), slots=slots, may_move=may_move)


@pages.get("/reschedule/<uid>")
def reschedule(uid: str) -> AnyResponse:
    """The address that Cal.com's mails name; with a word more where the host asks for another time."""
    asked = request.args.get(EVEN_CANCELLED)
    return redirect(url_for("pages.booking", uid=uid, _anchor="move", allowRescheduleForCancelledBooking=asked))


@pages.post("/booking/<uid>/cancellation")
def cancel(uid: str) -> AnyResponse:
    found = desk().booking(uid)
    desk().cancel(uid, found.email, request.form.get("reason", "").strip() or None)
    return redirect(url_for("pages.booking", uid=uid), 303)


@pages.post("/booking/<uid>/move")
def move(uid: str) -> AnyResponse:
    found = desk().booking(uid)
    start = parse_instant(request.form.get("slot", ""))
    if start is None:
        raise Refusal(400, "Choose a time to move to.")
    moved = desk().move(uid, start, found.email, request.form.get("reason", "").strip() or None, is_asked=True)
    return redirect(url_for("pages.booking", uid=moved.uid), 303)


@pages.get("/video/<uid>")
def meeting(uid: str) -> str:
    return render_template("meeting.html", **_shown(desk().booking(uid)))


def _shown(booking: Booking) -> dict[str, Any]:
    return {
        "booking": booking,
        "event": desk().event_type(booking.event_type_id),
        "zone": _zone(booking.time_zone),
        "meeting_url": booking.meeting_url(desk().base),
        "told": _told(booking) if "booked" in request.args else None,
    }


def _told(booking: Booking) -> dict[str, Any]:
    """What the page around a frame is told of a booking."""
    event = desk().event_type(booking.event_type_id)
    return {
        "uid": booking.uid,
        "title": desk().writer.title(booking, event),
        "startTime": iso_ms(booking.start_at),
        "endTime": iso_ms(booking.end_at),
        "eventTypeId": event.id,
        "status": booking.status.upper(),
        "paymentRequired": booking.payment == "open",
        "isRecurring": False,
        "videoCallUrl": booking.meeting_url(desk().base) if booking.is_video else None,
    }


def _next_slots(event: EventType, uid: str) -> Iterator[datetime]:
    now = utcnow()
    yield from desk().slots(event, now, now + timedelta(days=14), without_uid=uid)


# --- small reading ---------------------------------------------------------------------------------------


def _event(slug: str) -> EventType:
    return desk().event_type_by_slug(slug) or abort(404)


def _asked_zone() -> ZoneInfo:
    return _zone(request.args.get("cal.tz"))


def _zone(name: str | None) -> ZoneInfo:
    return ZoneInfo(name) if name and is_time_zone(name) else desk().settings.zone


def _zones(chosen: ZoneInfo) -> list[str]:
    return sorted({*COMMON_ZONES, chosen.key, desk().settings.time_zone})


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _by_day(slots: list[datetime], zone: ZoneInfo) -> dict[date, list[datetime]]:
    days: dict[date, list[datetime]] = {}
    for slot in slots:
        days.setdefault(slot.astimezone(zone).date(), []).append(slot)
    return days
