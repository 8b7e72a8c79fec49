"""/v2/slots: what is free, and holding it for a few minutes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import request

from ..catalogue import EventType
from ..refusals import Refusal, invalid
from ..settings import USERNAME
from ..times import is_time_zone, iso_ms, parse_edge, parse_instant, utcnow
from .blueprint import (
    SLOT_VERSIONS,
    api,
    desk,
    is_owner,
    json_body,
    success,
    version,
    whole_number,
)
from .shapes import reservation_shape

RESERVATION_MINUTES = 5


@api.get("/slots")
@version(*SLOT_VERSIONS)
def list_slots() -> Any:
    start, end = _edge("start", is_end=False), _edge("end", is_end=True)
    zone_name = request.args.get("timeZone", "UTC")
    if not is_time_zone(zone_name):
        raise invalid("timeZone", "timeZone must be a valid IANA time-zone")
    shape = request.args.get("format", "time")
    if shape not in ("time", "range"):
        raise invalid("format", "format must be one of the following values: range, time")
    if end < start:
        raise Refusal(
            400,
            "Invalid time range given - check the 'start' and 'end' query parameters.",
        )
    event = _asked_event_type()
    minutes = event.minutes
    if duration := request.args.get("duration"):
        minutes = _checked_duration(event, whole_number(duration, "duration"))
    slots = desk().slots(event, start, end, without_uid=request.args.get("bookingUidToReschedule"), minutes=minutes)
    seats = _seats(event, start, end)
    return success(_by_day(slots, ZoneInfo(zone_name), minutes if shape == "range" else None, seats))


def _seats(event: EventType, start: datetime, end: datetime) -> Callable[[datetime], dict[str, Any]]:
    """What a slot of an event type with seats says beside its time."""
    taken = desk().seats.taken(event.id, start, end) if event.seats else {}

    def tell(slot: datetime) -> dict[str, Any]:
        if not event.seats:
            return {}
        uid, count = taken.get(slot, (None, 0))
        told = {"seatsBooked": count, "seatsRemaining": event.seats - count, "seatsTotal": event.seats}
        return told | ({"bookingUid": uid} if uid else {})

    return tell


def _by_day(
    slots: list[datetime], zone: ZoneInfo, minutes: int | None, seats: Callable[[datetime], dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Days and times of the asked zone."""
    days: dict[str, list[dict[str, Any]]] = {}
    for slot in slots:
        local = slot.astimezone(zone)
        entry = {"start": _local_iso(local)} | seats(slot)
        if minutes:
            entry["end"] = _local_iso((slot + timedelta(minutes=minutes)).astimezone(zone))
        days.setdefault(local.date().isoformat(), []).append(entry)
    return days


def _local_iso(moment: datetime) -> str:
    text = moment.isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def _edge(name: str, *, is_end: bool) -> datetime:
    edge = parse_edge(request.args.get(name, ""), is_end=is_end)
    if edge is None:
        raise invalid(name, f"{name} must be a valid ISO 8601 date string")
    return edge


def _asked_event_type() -> EventType:
    args = request.args
    if args.get("eventTypeId"):
        event_id = whole_number(args["eventTypeId"], "eventTypeId")
        event = next((event for event in desk().event_types if event.id == event_id), None)
        if event is None:
            raise Refusal(404, f"Event Type with ID={event_id} not found")
        return event
    if args.get("eventTypeSlug") and (args.get("username") or args.get("teamSlug")):
        slug = args["eventTypeSlug"]
        event = desk().event_type_by_slug(slug) if args.get("username") == USERNAME else None
        if event is None:
            raise Refusal(404, f"Event Type with slug={slug} not found")
        return event
    if args.get("usernames"):
        raise _no_dynamic_event(args["usernames"].split(","))
    raise Refusal(
        400,
        "Please provide one of the following: eventTypeId, eventTypeSlug + username, eventTypeSlug + teamSlug,"
        " or usernames",
    )


def _no_dynamic_event(usernames: list[str]) -> Refusal:
    """The sandbox has one person; a dynamic event wants two."""
    if len(usernames) < 2:
        return invalid("usernames", "usernames must contain at least 2 elements")
    missing = next((name for name in usernames if name != USERNAME), USERNAME)
    return Refusal(404, f"User with username={missing} not found")


def _checked_duration(event: EventType, minutes: int) -> int:
    if not event.lasts(minutes):
        raise Refusal(
            400,
            f"This event type does not support variable length; it lasts {event.minutes} minutes.",
        )
    return minutes


@api.post("/slots/reservations")
@version(*SLOT_VERSIONS)
def create_reservation() -> Any:
    return success(_reserve(json_body(), None), 201)


@api.patch("/slots/reservations/<uid>")
@version(*SLOT_VERSIONS)
def change_reservation(uid: str) -> Any:
    if _reservation(uid) is None:
        raise Refusal(404, f"Slot reservation with uid={uid} not found")
    return success(_reserve(json_body(), uid))


@api.get("/slots/reservations/<uid>")
@version(*SLOT_VERSIONS)
def read_reservation(uid: str) -> Any:
    return success(_reservation(uid))


@api.delete("/slots/reservations/<uid>")
@version(*SLOT_VERSIONS)
def delete_reservation(uid: str) -> Any:
    desk().store.run("DELETE FROM reservation WHERE uid = ?", uid)
    return {"status": "success"}


def _reserve(body: dict[str, Any], uid: str | None) -> dict[str, Any] | None:
    event_id = whole_number(body.get("eventTypeId"), "eventTypeId")
    event = next((event for event in desk().event_types if event.id == event_id), None)
    if event is None:
        raise Refusal(404, f"Event Type with ID={event_id} not found")
    start = parse_instant(body["slotStart"]) if isinstance(body.get("slotStart"), str) else None
    if start is None:
        raise invalid("slotStart", "slotStart must be a valid ISO 8601 date string")
    if start < utcnow():
        raise Refusal(400, "Can't reserve a slot in the past.")
    lasts = None
    if body.get("slotDuration") is not None:
        lasts = _checked_duration(event, whole_number(body["slotDuration"], "slotDuration"))
    minutes = RESERVATION_MINUTES
    if body.get("reservationDuration") is not None:
        if not is_owner():
            raise Refusal(401, "reservationDuration can only be used for authenticated requests.")
        minutes = whole_number(body["reservationDuration"], "reservationDuration")
    return _reservation(desk().reserve(event, start, minutes, uid, lasts=lasts))


def _reservation(uid: str) -> dict[str, Any] | None:
    """None once it is gone, be it deleted or run out."""
    row = desk().store.one(
        "SELECT * FROM reservation WHERE uid = ? AND until_at > ?",
        uid,
        iso_ms(utcnow()),
    )
    return reservation_shape(row) if row else None
