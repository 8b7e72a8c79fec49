"""What the attendee's pages and the host's page share: same-origin posts, headers, friendly errors, dates."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from flask import Flask, Response, current_app, render_template, request
from werkzeug.exceptions import Forbidden, HTTPException

from . import frames
from .desk import Desk
from .refusals import ALREADY_CANCELLED, ALREADY_ENDED, OUT_OF_BOUNDS, PAST, SLOT_TAKEN, Conflict, Refusal

CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'"
COMMON_ZONES = (
    "America/Los_Angeles",
    "America/Denver",
    "America/Chicago",
    "America/New_York",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Athens",
    "Africa/Lagos",
    "Africa/Nairobi",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Pacific/Auckland",
    "UTC",
)
FRIENDLY = {
    SLOT_TAKEN: "That time is no longer free. Please choose another one.",
    OUT_OF_BOUNDS: "That time is too soon or too far away. Please choose another one.",
    PAST: "That time has passed. Please choose another one.",
    ALREADY_ENDED: "This booking is over and can no longer be cancelled.",
    ALREADY_CANCELLED: "This booking was already cancelled or declined.",
    "Booking already confirmed": "This booking was already accepted.",
    "Booking payment is still pending": "This booking has not been paid yet.",
}


def friendly(message: str) -> str:
    """A sentence for people; what the API says names uids and fields."""
    if message in FRIENDLY:
        return FRIENDLY[message]
    if message.startswith("Can't reschedule"):
        return "This booking was moved, cancelled or declined and can no longer be moved."
    if "was not found" in message:
        return "There is no booking at this address."
    return message


def refuse_cross_site() -> None:
    """A browser says where a form was; a program that says nothing cannot be anybody's unwitting browser."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    claimed = request.headers.get("Origin") or request.headers.get("Referer")
    is_same = urlsplit(claimed).netloc == request.host if claimed else "Sec-Fetch-Site" not in request.headers
    if not is_same:
        raise Forbidden("This form can only be sent from the sandbox's own pages.")


def day_text(day: date | datetime) -> str:
    return f"{day:%A} {day.day} {day:%B}"


def time_text(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%H:%M}"


def moment_text(moment: datetime, zone: ZoneInfo) -> str:
    """Tuesday 3 December, 10:00 (New York)"""
    local = moment.astimezone(zone)
    return f"{day_text(local)}, {local:%H:%M} ({city(zone)})"


def city(zone: ZoneInfo) -> str:
    return zone.key.rpartition("/")[2].replace("_", " ")


def prepare(app: Flask) -> None:
    app.jinja_env.filters.update(day=day_text, time=time_text, moment=moment_text, city=city)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.context_processor(_context)
    app.after_request(_page_headers)
    app.register_error_handler(Refusal, _refused)
    app.register_error_handler(Conflict, _conflict)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _broken)


def _context() -> dict[str, Any]:
    desk = cast(Desk, current_app.extensions["sandbox"])
    return {"settings": desk.settings, "framed": frames.framed()}


def _page_headers(response: Response) -> Response:
    if response.mimetype == "text/html":
        policy = CONTENT_SECURITY_POLICY
        if request.path.startswith("/host"):
            policy += "; frame-ancestors 'none'"
        elif frames.is_framed():
            policy += "; script-src 'self'"
        response.headers["Content-Security-Policy"] = policy
        response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _refused(refusal: Refusal) -> tuple[str, int]:
    return _error_page(friendly(refusal.message), refusal.status)


def _conflict(conflict: Conflict) -> tuple[str, int]:
    return _error_page(friendly(SLOT_TAKEN), conflict.status)


def _http_error(error: HTTPException) -> tuple[str, int]:
    sentences = {
        404: "There is nothing at this address.",
        405: "This address cannot be used that way.",
        413: "That was too much to send at once.",
    }
    code = error.code or 500
    return _error_page(sentences.get(code, error.description or "That did not work."), code)


def _broken(error: Exception) -> tuple[str, int]:
    current_app.logger.error("sandbox: %s %s", request.method, request.path, exc_info=error)
    return _error_page("Something broke in the sandbox. Its log says what.", 500)


def _error_page(sentence: str, status: int) -> tuple[str, int]:
    return render_template("error.html", sentence=sentence, status=status), status
