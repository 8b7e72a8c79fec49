"""Checks what POST /v2/bookings was sent, in Cal.com's words."""

from __future__ import annotations

import re
from typing import Any

from ..catalogue import VIDEO, EventType
from ..desk import Booker, Desk
from ..refusals import Refusal, invalid
from ..settings import USERNAME
from ..times import is_time_zone
from .blueprint import optional_text, whole_number

EMAIL = re.compile(r"[^@\s<>]+@[^@\s<>]+\.[^@\s<>.]+")
PHONE = re.compile(r"\+[1-9]\d{6,14}")


def event_type_of(desk: Desk, body: dict[str, Any]) -> EventType:
    if body.get("eventTypeId") is not None:
        return desk.event_type(whole_number(body["eventTypeId"], "eventTypeId"))
    slug, username = body.get("eventTypeSlug"), body.get("username")
    if not slug or not username:
        raise Refusal(
            400,
            "Either eventTypeId or eventTypeSlug + username or eventTypeSlug + teamSlug must be provided",
        )
    event = desk.event_type_by_slug(str(slug)) if username == USERNAME else None
    if event is None:
        raise Refusal(404, f"Event type with slug {slug} not found")
    return event


def booker_of(body: dict[str, Any], event: EventType) -> Booker:
    attendee = body.get("attendee")
    if not isinstance(attendee, dict):
        raise invalid("attendee", "attendee must be an object")
    name = attendee.get("name")
    if not isinstance(name, str) or not name.strip():
        raise invalid("attendee", "name should not be empty,name must be a string")
    time_zone = attendee.get("timeZone")
    if not isinstance(time_zone, str) or not is_time_zone(time_zone):
        raise invalid("attendee", "timeZone must be a valid IANA time-zone")
    phone = _phone(attendee.get("phoneNumber"), "attendee")
    location, asked_phone = _location(body.get("location"), event)
    return Booker(
        name=name.strip(),
        email=email_of(attendee.get("email"), "attendee"),
        time_zone=time_zone,
        language=optional_text(attendee, "language") or "en",
        phone=asked_phone or phone,
        location=location,
        guests=_guests(body.get("guests"), event),
        answers=_answers(body.get("bookingFieldsResponses"), event),
        metadata=_metadata(body.get("metadata")),
    )


def email_of(value: object, field: str) -> str:
    if not isinstance(value, str) or not EMAIL.fullmatch(value.strip()):
        raise invalid(field, "email must be an email")
    return value.strip()


def _phone(value: object, field: str) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not PHONE.fullmatch(value):
        raise invalid(field, "phoneNumber must be a valid phone number in international format")
    return value


def _location(value: object, event: EventType) -> tuple[str, str | None]:
    """Where the meeting is, and the attendee's phone if it is there. Nothing stated: the first place."""
    if value is None:
        return _of_host(event.locations[0]), None
    if not isinstance(value, dict):
        raise invalid("location", "location must be an object")
    found = next((place for place in event.locations if _is_meant(place, value)), None)
    if found is None:
        supported = ", ".join(_name(place) for place in event.locations)
        raise Refusal(
            400,
            f"Location with type {value.get('type')} not valid for event type. The event type supports only the "
            f"following locations: {supported}",
        )
    kind = found["type"]
    if kind == "attendeePhone":
        phone = _phone(value.get("phone"), "location")
        if phone is None:
            raise invalid("location", "phone must be a valid phone number in international format")
        return phone, phone
    if kind in TYPED:
        typed = value.get(TYPED[kind])
        if not isinstance(typed, str) or not typed.strip():
            raise invalid("location", f"{TYPED[kind]} should not be empty,{TYPED[kind]} must be a string")
        return typed.strip(), None
    return _of_host(found), None


TYPED = {"attendeeAddress": "address", "attendeeDefined": "location"}


def _is_meant(place: dict[str, Any], value: dict[str, Any]) -> bool:
    return place["type"] == value.get("type") and place.get("integration") == value.get("integration")


def _name(place: dict[str, Any]) -> str:
    return f"integration - {place['integration']}" if place["type"] == "integration" else str(place["type"])


def _of_host(place: dict[str, Any]) -> str:
    """Cal.com's own word for a place that the host named."""
    if place["type"] == "integration":
        return VIDEO if place["integration"] == "cal-video" else f"integrations:{place['integration']}"
    return str(place.get(place["type"]) or VIDEO)


def _guests(value: object, event: EventType) -> list[str]:
    if value is None or not event.takes_guests:
        return []
    if not isinstance(value, list):
        raise invalid("guests", "guests must be an array")
    return [email_of(guest, "guests") for guest in value]


def _answers(value: object, event: EventType) -> dict[str, Any]:
    if not isinstance(value, dict | None):
        raise invalid("bookingFieldsResponses", "bookingFieldsResponses must be an object")
    answers = {
        slug: answer
        for slug, answer in (value or {}).items()
        if slug not in ("name", "email", "guests", "location", "attendeePhoneNumber")
    }
    for field in event.fields:
        if field["slug"] not in ("guests", "attendeePhoneNumber"):
            _check_answer(field, answers.get(field["slug"]))
    return answers


KINDS: dict[str, type] = {"boolean": bool, "checkbox": list, "multiselect": list, "multiemail": list}


def _check_answer(field: dict[str, Any], answer: object) -> None:
    """As Cal.com's own schema does: most answers are texts, also a number's; a required one is not empty."""
    slug = field["slug"]
    if answer is None or answer in ("", [], False):
        if field.get("required") and not field.get("hidden"):
            raise Refusal(400, f"responses - {{{slug}}}error_required_field, ")
        return
    if not isinstance(answer, KINDS.get(field.get("type", ""), str)):
        raise Refusal(400, f"responses - {{{slug}}}Invalid input, ")
    options = field.get("options")
    if options and any(chosen not in options for chosen in (answer if isinstance(answer, list) else [answer])):
        raise Refusal(400, f"responses - {{{slug}}}Invalid option, ")


def _metadata(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid("metadata", "metadata must be an object")
    too_long = any(len(key) > 40 or (isinstance(text, str) and len(text) > 500) for key, text in value.items())
    if len(value) > 50 or too_long:
        raise invalid(
            "metadata",
            "Metadata must have at most 50 keys, each key up to 40 characters, and string values up to 500 characters.",
        )
    return value
