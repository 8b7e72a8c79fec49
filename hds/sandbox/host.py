"""The page where one plays the host: decides, moves, cancels, marks absent, ends a meeting now."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from .booking import Booking
from .catalogue import VIDEO
from .desk import Desk
from .frames import MANNERS, Manner
from .outbox import POSTS, Post
from .refusals import Refusal
from .shared import refuse_cross_site
from .times import parse_instant, utcnow

host = Blueprint("host", __name__, url_prefix="/host")
host.before_request(refuse_cross_site)

SHOWN_BOOKINGS = 60
SHOWN_DELIVERIES = 40
SHOWN_SLOTS = 60
SHOWN_CODES = 20
SAID = {
    "accepted": "The booking is accepted.",
    "declined": "The booking is declined.",
    "cancelled": "The booking is cancelled.",
    "moved": "The booking has moved; it has a new address now.",
    "absent": "The attendee is marked as absent.",
    "present": "The attendee is no longer marked as absent.",
    "asked": "The attendee is asked to pick another time; the booking is cancelled.",
    "placed": "The booking meets somewhere else.",
    "told": "The site is told of the call.",
    "started": "The site is told that the meeting has started.",
    "ended": "The site is told that the meeting has ended.",
    "framed": "The booking page behaves that way in frames from now on.",
    "posted": "The webhooks from now on do as you said.",
    "pinged": "A test message is on its way.",
}


def desk() -> Desk:
    return cast(Desk, current_app.extensions["sandbox"])


@host.get("")
def index() -> str:
    bookings = desk().bookings(order=f"id DESC LIMIT {SHOWN_BOOKINGS}")
    live = {booking.event_type_id for booking in bookings if booking.is_live}
    deliveries = desk().store.all(
        "SELECT id, trigger, booking_uid, state, attempts, created_at, due_at, outcome FROM delivery"
        " ORDER BY id DESC LIMIT ?",
        SHOWN_DELIVERIES,
    )
    return render_template(
        "host.html",
        bookings=bookings,
        events={event.id: event for event in desk().event_types},
        slots={event_id: _next_slots(event_id) for event_id in live},
        deliveries=deliveries,
        codes=desk().store.all("SELECT * FROM email_code ORDER BY until_at DESC LIMIT ?", SHOWN_CODES),
        webhooks=desk().subscriptions.all(),
        zone=desk().settings.zone,
        now=utcnow(),
        manner=desk().manner,
        manners=MANNERS,
        post=desk().outbox.post,
        posts=POSTS,
        said=SAID.get(request.args.get("said", "")),
    )


@host.post("/bookings/<uid>/acceptance")
def accept(uid: str) -> Response:
    return _done("accepted", desk().accept(uid))


@host.post("/bookings/<uid>/decline")
def decline(uid: str) -> Response:
    return _done("declined", desk().decline(uid, _reason()))


@host.post("/bookings/<uid>/cancellation")
def cancel(uid: str) -> Response:
    return _done("cancelled", desk().cancel(uid, desk().settings.owner_email, _reason()))


@host.post("/bookings/<uid>/move")
def move(uid: str) -> Response:
    start = parse_instant(request.form.get("slot", ""))
    if start is None:
        raise Refusal(400, "Choose a time to move to.")
    owner = desk().settings.owner_email
    if desk().seats.of(uid):
        return _done("moved", desk().move_all_seats(uid, start, owner, _reason()))
    return _done("moved", desk().move(uid, start, owner, _reason(), is_host=True))


@host.post("/bookings/<uid>/wish")
def ask_to_move(uid: str) -> Response:
    return _done("asked", desk().ask_to_move(uid, _reason()))


@host.post("/bookings/<uid>/place")
def change_place(uid: str) -> Response:
    place = request.form.get("place", "").strip()
    return _done("placed", desk().change_place(uid, place[:200] or VIDEO))


@host.post("/bookings/<uid>/call")
def tell_of_call(uid: str) -> Response:
    return _done("told", desk().tell_of_call(uid, request.form.get("what", "")))


@host.post("/bookings/<uid>/absence")
def mark_absent(uid: str) -> Response:
    """Cal.com asks to wait for the start; one who tries things out need not."""
    is_absent = request.form.get("absent") != "no"
    booking = desk().booking(uid)
    return _done("absent" if is_absent else "present", desk().mark_absent(uid, {booking.email: is_absent}, None))


@host.post("/bookings/<uid>/start")
def start_meeting(uid: str) -> Response:
    return _done("started", desk().start_meeting(uid))


@host.post("/bookings/<uid>/end")
def end_meeting(uid: str) -> Response:
    return _done("ended", desk().end_meeting(uid))


@host.post("/frames")
def set_manner() -> Response:
    """How the booking page behaves inside a frame from now on."""
    wanted = request.form.get("manner", "")
    desk().manner = Manner(wanted) if wanted in list(Manner) else Manner.WORKS
    return _done("framed")


@host.post("/post")
def set_post() -> Response:
    """What becomes of the webhooks from now on."""
    wanted = request.form.get("post", "")
    desk().outbox.post = Post(wanted) if wanted in list(Post) else Post.WORKS
    return _done("posted")


@host.post("/ping")
def ping() -> Response:
    desk().ping()
    return _done("pinged")


def _done(said: str, booking: Booking | None = None) -> Response:
    anchor = f"booking-{booking.id}" if booking else None
    return redirect(url_for("host.index", said=said, _anchor=anchor), 303)


def _reason() -> str | None:
    return request.form.get("reason", "").strip() or None


def _next_slots(event_type_id: int) -> list[datetime]:
    now = utcnow()
    return desk().slots(desk().event_type(event_type_id), now, now + timedelta(days=14))[:SHOWN_SLOTS]
