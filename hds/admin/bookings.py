"""The bookings: a list to find one in, and all that is known about it."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, Response, abort, flash, make_response, render_template, request, url_for
from sqlalchemy import ColumnElement, Select, func, or_
from sqlalchemy.orm import defer

from hds.admin import lists, steps, words
from hds.bookings import reconcile
from hds.bookings.acts import BookingAct
from hds.bookings.chain import BookingStatus
from hds.bookings.models import AttemptState, Booking, BookingAttempt, BookingEvent, ContactBooking
from hds.bookings.reconciliation import CHANGES, Reconciliation
from hds.bookings.sources import BookingSource
from hds.bookings.theirs import Theirs
from hds.config import settings
from hds.contacts.models import Contact
from hds.extensions import db
from hds.lib.htmx import redirect_to, render_page_or_fragment, wants_fragment
from hds.lib.times import utcnow, zone_or_none
from hds.mail.models import Message
from hds.services.models import Service
from hds.webhooks.models import InboxDelivery

blueprint = Blueprint("bookings", __name__, url_prefix="/bookings")

OTHER = "other"  # bookings of no service of ours
NEXT = 6  # meetings above the list
MOST_WORDS = 8  # of a search
UNSETTLED_FOR = timedelta(days=14)  # longer ago, whoever wanted to book has asked
SENDS_FOR = timedelta(minutes=1)  # at most; then its process has died
MOST_UNSETTLED = 20
MOST_REQUESTS = 50  # above the list; all of them stand in it
MOST_LOOKS = 20  # of a page by itself at what became of what was asked for
SORTS: dict[str, tuple[Any, ...]] = {
    "start": (Booking.start_at,),
    "created": (Booking.created_at,),
    "who": (func.lower(Contact.name), Contact.email),
}
FIRST_SORT = "-start"


@dataclass(frozen=True)
class Filters:
    """What the list's URL says."""

    q: str
    status: BookingStatus | None
    service: str
    first_day: date | None
    last_day: date | None
    sort: str

    @classmethod
    def of_request(cls) -> "Filters":
        sort = request.args.get("sort", "")
        return cls(
            q=lists.words("q"),
            status=lists.member("status", BookingStatus),
            service=lists.words("service"),
            first_day=lists.day("from"),
            last_day=lists.day("to"),
            sort=sort if sort.removeprefix("-") in SORTS else FIRST_SORT,
        )

    @property
    def are_set(self) -> bool:
        return any((self.q, self.status, self.service, self.first_day, self.last_day))

    @property
    def params(self) -> dict[str, str]:
        """The URL's words for them, only those that say something."""
        sort = self.sort if self.sort != FIRST_SORT else ""
        said = {"q": self.q, "status": self.status, "service": self.service, "sort": sort}
        days = {"from": self.first_day, "to": self.last_day}
        return {name: str(value) for name, value in (said | days).items() if value}

    def direction(self, column: str) -> str | None:
        if self.sort.removeprefix("-") != column:
            return None
        return "desc" if self.sort.startswith("-") else "asc"

    def sorted_by(self, column: str) -> dict[str, str]:
        """The URL's words for the same list by this column; by the same one the other way round."""
        rest = {name: value for name, value in self.params.items() if name != "sort"}
        return rest | {"sort": f"-{column}" if self.direction(column) == "asc" else column}

    def query(self) -> Select[Any]:
        columns = SORTS[self.sort.removeprefix("-")]
        order = [(c.desc() if self.sort.startswith("-") else c.asc()).nulls_last() for c in columns]
        query = db.select(Booking).outerjoin(Contact, Booking.contact_id == Contact.id)
        return query.where(*self._conditions()).order_by(*order, Booking.id.desc())

    def _conditions(self) -> list[ColumnElement[bool]]:
        conditions = [_mentions(word) for word in self.q.split()[:MOST_WORDS]]
        if self.status:
            conditions.append(Booking.has_status(self.status))
        if self.service == OTHER:
            conditions.append(Booking.service_id.is_(None))
        elif self.service:
            conditions.append(Booking.service.has(Service.slug == self.service))
        if self.first_day:
            conditions.append(Booking.start_at >= lists.begins(self.first_day))
        if self.last_day:
            conditions.append(Booking.start_at < lists.ends(self.last_day))
        return conditions


@blueprint.get("")
def index() -> Response:
    filters = Filters.of_request()
    listing = lists.page_of(filters.query())
    is_first = not filters.are_set and listing.number == 1
    requests = _requests() if is_first else []
    return render_page_or_fragment(
        "admin/bookings/index.html",
        "admin/bookings/_table.html",
        filters=filters,
        listing=listing,
        requests=requests,
        asked=_asked(requests),
        form_token=secrets.token_urlsafe,
        can_answer=reconcile.is_possible(),
        pages_of_cal=steps.pages_of_cal(),
        upcoming=_next_meetings() if is_first else [],
        unsettled=_unsettled() if is_first else [],
        can_look=is_first and reconcile.is_possible(),
        **(_reading(0) if is_first else {}),
        statuses=words.choices(BookingStatus),
        services=[*_services(), (OTHER, "Other")],
        today=utcnow().astimezone(settings.owner_zone).date(),
    )


@blueprint.get(f"/<int(max={lists.LARGEST_ID}):booking_id>")
def show(booking_id: int) -> Response:
    """While Cal.com has yet to say what became of an act, the page looks again by itself, for a while."""
    booking = db.session.get(Booking, booking_id) or abort(404)
    has_key, acts = reconcile.is_possible(), BookingAct.of_booking(booking.id)
    unsettled, look = steps.unsettled(acts), request.args.get("look", 0, type=int)
    return render_page_or_fragment(
        "admin/bookings/show.html",
        "admin/bookings/_booking.html",
        booking=booking,
        steps=steps.steps_beside(unsettled, steps.steps_of(booking, has_key=has_key)),
        seat_steps=steps.steps_beside(unsettled, steps.seat_steps_of(booking, has_key=has_key)),
        seats={contact.id for contact in booking.bookers if Theirs(booking, contact).seat_uid},
        has_key=has_key,
        lacks_key=steps.lacks_key(booking, has_key=has_key),
        pages_of_cal=steps.pages_of_cal(),
        form_token=secrets.token_urlsafe(24),
        unsettled=unsettled,
        next_look=look + 1 if unsettled and 0 <= look < MOST_LOOKS else None,
        swapped=wants_fragment(),
        timeline=steps.timeline(booking, acts),
        source=BookingSource.of(booking.id),
        attendee_zone=zone_or_none(booking.time_zone),
        messages=db.session.scalars(db.select(Message).filter_by(booking_id=booking.id).order_by(Message.id)).all(),
        deliveries=_deliveries(booking),
    )


@blueprint.post("/reconciliation")
def reconcile_now() -> Response:
    """Read Cal.com's bookings as soon as a worker has time."""
    if reconcile.is_possible():
        Reconciliation.wake()
        db.session.commit()
        reconcile.ring()
    else:
        flash("CAL_ACCESS_TOKEN is not set, and without a key Cal.com lists no bookings.")
    return redirect_to(url_for("admin.bookings.index"))


@blueprint.get("/reconciliation")
def reading() -> Response:
    """When Cal.com was read and what came of it: a piece of the list, for htmx."""
    if not wants_fragment():
        return redirect_to(url_for("admin.bookings.index"))
    look = request.args.get("look", 0, type=int)
    return make_response(render_template("admin/bookings/_reading.html", **_reading(look), swapped=True))


def _reading(look: int) -> dict[str, Any]:
    """While it is due or under way the piece looks again by itself, for a while."""
    looked = Reconciliation.of(CHANGES)
    is_to_come = looked is not None and looked.is_due and 0 <= look < MOST_LOOKS
    return {"looked": looked, "next_look": look + 1 if is_to_come else None}


def _requests() -> list[Booking]:
    """What waits for the host's answer, the next first."""
    waiting = (Booking.status == BookingStatus.REQUESTED) & or_(Booking.end_at.is_(None), Booking.end_at > utcnow())
    query = db.select(Booking).where(waiting).order_by(Booking.start_at, Booking.id).limit(MOST_REQUESTS)
    return [booking for booking in db.session.scalars(query).unique() if steps.is_waiting(booking)]


def _asked(requests: Sequence[Booking]) -> dict[int, BookingAct]:
    """By booking: what was asked of Cal.com, where it is not known yet what became of it."""
    ids = [booking.id for booking in requests]
    query = db.select(BookingAct).where(BookingAct.booking_id.in_(ids)).order_by(BookingAct.id)
    acts: dict[int, list[BookingAct]] = {}
    for act in db.session.scalars(query).unique() if ids else ():
        acts.setdefault(act.booking_id, []).append(act)
    return {booking_id: act for booking_id, of in acts.items() if (act := steps.unsettled(of))}


def _next_meetings() -> Sequence[Booking]:
    """What stands in the calendar from now on, the one that is going on included."""
    ahead = Booking.status.in_([BookingStatus.CONFIRMED, BookingStatus.REQUESTED])
    query = (
        db.select(Booking).where(ahead, Booking.end_at > utcnow()).order_by(Booking.start_at, Booking.id).limit(NEXT)
    )
    return db.session.scalars(query).unique().all()


def _unsettled() -> list[BookingAttempt]:
    """Who may or may not be booked, the newest first: Cal.com never answered, and no webhook told of it since."""
    now = utcnow()
    has_died = (BookingAttempt.state == AttemptState.SENDING) & (BookingAttempt.state_at < now - SENDS_FOR)
    query = (
        db.select(BookingAttempt)
        .where(or_(BookingAttempt.state == AttemptState.UNKNOWN, has_died))
        .where(BookingAttempt.state_at > now - UNSETTLED_FOR)
        .order_by(BookingAttempt.state_at.desc(), BookingAttempt.id.desc())
        .limit(MOST_UNSETTLED)
    )
    return [attempt for attempt in db.session.scalars(query).unique() if attempt.booking is None]


def _services() -> list[tuple[str, str]]:
    """Retired ones too: last year's bookings are still theirs."""
    services = db.session.scalars(db.select(Service).order_by(Service.position, Service.id))
    return [(service.slug, service.name) for service in services]


def _mentions(word: str) -> ColumnElement[bool]:
    """The word stands in who takes part, in the title, or in any uid that the booking has or had."""
    person = or_(Contact.name.icontains(word, autoescape=True), Contact.email.icontains(word, autoescape=True))
    uid = or_(
        BookingEvent.uid.icontains(word, autoescape=True), BookingEvent.previous_uid.icontains(word, autoescape=True)
    )
    return or_(
        Booking.title.icontains(word, autoescape=True),
        Booking.uid.icontains(word, autoescape=True),
        Booking.id.in_(db.select(ContactBooking.booking_id).join(Contact).where(person)),
        Booking.id.in_(db.select(BookingEvent.booking_id).where(uid)),
    )


def _deliveries(booking: Booking) -> Sequence[InboxDelivery]:
    """All that was posted about any uid of its chain, the newest first."""
    uids = {booking.uid, *booking.previous_uids}
    for event in booking.events:
        uids |= {event.uid, event.previous_uid or event.uid}
    stated = {event.delivery_id for event in booking.events if event.delivery_id}
    about = or_(InboxDelivery.booking_uid.in_(uids), InboxDelivery.id.in_(stated))
    return db.session.scalars(InboxDelivery.newest_first().where(about).options(defer(InboxDelivery.body))).all()
