"""GET /v2/bookings: filters, order, and pages in both forms (take and skip; cursor). An unknown version falls back to
the oldest one without a word, whose answer has another shape."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from flask import request

from ..booking import Booking
from ..refusals import Refusal, invalid
from ..times import ISO_DATE, iso_ms, parse_edge, utcnow
from .blueprint import (
    BOOKING_LIST_VERSIONS,
    api,
    desk,
    needs_key,
    success,
    whole_number,
)
from .shapes import booking_shape

CURSOR_VERSION = "2026-05-01"
STATUSES = ("upcoming", "recurring", "past", "cancelled", "unconfirmed")
TIME_FILTERS = {
    "afterStart": "start_at >= ?",
    "beforeEnd": "end_at <= ?",
    "afterCreatedAt": "created_at >= ?",
    "beforeCreatedAt": "created_at <= ?",
    "afterUpdatedAt": "updated_at >= ?",
    "beforeUpdatedAt": "updated_at <= ?",
}
SORTS = {
    "sortStart": "start_at",
    "sortEnd": "end_at",
    "sortCreated": "created_at",
    "sortUpdatedAt": "updated_at",
}


@api.get("/bookings")
@api.get("/organizations/<int:_organization>/bookings")
@needs_key
def list_bookings(_organization: int = 0) -> Any:
    """Of an organisation: the sandbox's one host is in every one."""
    asked = request.headers.get("cal-api-version")
    if asked not in BOOKING_LIST_VERSIONS:
        return _as_in_april_2024(desk().bookings())
    is_cursored = asked == CURSOR_VERSION
    conditions, parameters = _filters(one_status=is_cursored)
    found = desk().bookings(" AND ".join(conditions), *parameters, order=_order())
    if is_cursored:
        return _by_cursor(found)
    return _by_page(found)


def _as_in_april_2024(found: list[Booking]) -> Any:
    shapes = [
        {
            "id": booking.id,
            "uid": booking.uid,
            "title": booking_shape(desk(), booking)["title"],
            "startTime": iso_ms(booking.start_at),
            "endTime": iso_ms(booking.end_at),
            "status": booking.status.upper(),
        }
        for booking in found
    ]
    return success({"bookings": shapes, "recurringInfo": [], "totalCount": len(shapes), "nextCursor": None})


def _by_page(found: list[Booking]) -> Any:
    take = _bounded("take", 100, 1, 250)
    skip = _bounded("skip", 0, 0, None)
    page = found[skip : skip + take]
    total = len(found)
    pagination = {
        "totalItems": total,
        "remainingItems": max(0, total - skip - take),
        "returnedItems": len(page),
        "itemsPerPage": take,
        "currentPage": skip // take + 1 if "take" in request.args or "skip" in request.args else 0,
        "totalPages": -(-total // take),
        "hasNextPage": skip + take < total,
        "hasPreviousPage": skip > 0,
    }
    return success([booking_shape(desk(), booking) for booking in page], pagination=pagination)


def _by_cursor(found: list[Booking]) -> Any:
    limit = _bounded("limit", 50, 1, 100)
    skip = _read_cursor(request.args.get("cursor"))
    page = found[skip : skip + limit]
    has_more = skip + limit < len(found)
    pagination = {
        "nextCursor": _make_cursor(skip + limit) if has_more else None,
        "hasMore": has_more,
    }
    return success([booking_shape(desk(), booking) for booking in page], pagination=pagination)


def _make_cursor(skip: int) -> str:
    return base64.urlsafe_b64encode(f"skip:{skip}".encode()).decode()


def _read_cursor(cursor: str | None) -> int:
    if not cursor:
        return 0
    try:
        prefix, _, number = base64.urlsafe_b64decode(cursor).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        prefix, number = "", ""
    if prefix != "skip" or not number.isdecimal():
        raise invalid("cursor", "cursor must be a nextCursor of a previous page")
    return int(number)


def _filters(*, one_status: bool) -> tuple[list[str], list[Any]]:
    conditions = ["1"]
    parameters: list[Any] = []
    statuses = [status for text in request.args.getlist("status") for status in text.split(",") if status]
    if statuses:
        conditions.append(_status_condition(statuses, one_status, parameters))
    for name, condition in TIME_FILTERS.items():
        if text := request.args.get(name):
            conditions.append(condition)
            parameters.append(_instant(name, text))
    if uid := request.args.get("bookingUid"):
        conditions.append("uid = ?")
        parameters.append(uid)
    if ids := request.args.get("eventTypeIds") or request.args.get("eventTypeId"):
        numbers = [whole_number(number.strip(), "eventTypeIds") for number in ids.split(",")]
        conditions.append(f"event_type_id IN ({', '.join('?' * len(numbers))})")
        parameters += numbers
    if email := request.args.get("attendeeEmail"):
        sits = "uid IN (SELECT booking_uid FROM seat WHERE lower(email) = ?)"
        conditions.append(f"(lower(email) = ? OR lower(guests) LIKE ? OR {sits})")
        parameters += [email.lower(), f'%"{email.lower()}"%', email.lower()]
    if attendee := request.args.get("attendeeName"):
        conditions.append("instr(lower(name), ?) > 0")
        parameters.append(attendee.lower())
    return conditions, parameters


def _status_condition(statuses: list[str], one_status: bool, parameters: list[Any]) -> str:
    if unknown := [status for status in statuses if status not in STATUSES]:
        raise invalid(
            "status",
            f"each value in status must be one of {', '.join(STATUSES)}, not {unknown[0]}",
        )
    if one_status and len(statuses) > 1:
        raise Refusal(400, "Only one status per request is supported.")
    now = iso_ms(utcnow())
    known = {
        "upcoming": "(end_at >= ? AND status IN ('accepted', 'pending'))",
        "past": "(end_at < ? AND status NOT IN ('cancelled', 'rejected'))",
        "unconfirmed": "(end_at >= ? AND status = 'pending')",
        "cancelled": "status IN ('cancelled', 'rejected')",
        "recurring": "0",
    }
    parameters += [now for status in statuses if "?" in known[status]]
    return "(" + " OR ".join(known[status] for status in statuses) + ")"


def _order() -> str:
    order = []
    for name, column in SORTS.items():
        if direction := request.args.get(name):
            if direction not in ("asc", "desc"):
                raise invalid(name, f"{name} must be one of the following values: asc, desc")
            order.append(f"{column} {direction}")
    return ", ".join([*order, "id"])


def _instant(name: str, text: str) -> str:
    moment = None if ISO_DATE.fullmatch(text) else parse_edge(text)
    if moment is None:
        raise invalid(name, f"{name} must be a valid ISO 8601 date string")
    return iso_ms(moment)


def _bounded(name: str, default: int, least: int, most: int | None) -> int:
    number = whole_number(request.args.get(name, str(default)), name)
    if number < least:
        raise invalid(name, f"{name} must not be less than {least}")
    if most is not None and number > most:
        raise invalid(name, f"{name} must not be greater than {most}")
    return number
