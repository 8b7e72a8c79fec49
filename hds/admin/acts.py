"""What staff do with a booking: each on a page of its own that says what it will do, then once, by POST."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, abort, flash, request, url_for
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import HiddenField, RadioField, TextAreaField
from wtforms.form import BaseForm
from wtforms.validators import Length, StopValidation

from hds.admin import lists, steps
from hds.admin.steps import Ask, Step
from hds.bookings import acts, calendar, moving, reconcile
from hds.bookings.acts import Actor, ActRefusal, ActState, BookingAct, Verb, Wish
from hds.bookings.availability import alternatives, openings
from hds.bookings.models import Booking
from hds.bookings.picker import Picker
from hds.bookings.questions import text
from hds.bookings.theirs import Theirs
from hds.calcom.errors import CalError
from hds.config import settings
from hds.contacts.models import Contact
from hds.extensions import db
from hds.lib import http
from hds.lib.budget import comes_first
from hds.lib.htmx import redirect_to, render_page_or_fragment, wants_fragment
from hds.lib.times import iso_utc, say_day, say_time, utcnow, zone_or_none

blueprint = Blueprint("acts", __name__, url_prefix="/bookings")

ONE = f"/<int(max={lists.LARGEST_ID}):booking_id>"
STEP = f"{ONE}/<any({', '.join(repr(name) for name in steps.BY_NAME)}):act>"
SEAT = f"{ONE}/seats/<int(max={lists.LARGEST_ID}):seat>"  # of one of several people, by our number of theirs
SEAT_STEP = f"{SEAT}/<any({', '.join(repr(name) for name in steps.OF_SEAT)}):act>"
WHOLE: dict[str, int | None] = {"seat": None}
PATIENCE = 20.0  # seconds, for all calls of one act together
LONGEST_REASON = 2000
GONE = "This can no longer be done with the booking as it is now."


class ActForm(FlaskForm):
    """The token is made once, so that a double click is one act. `start`: where a move goes; `subject`: of whom."""

    form_token = HiddenField()
    subject = HiddenField()
    start = RadioField("Choose another time", choices=[], validate_choice=False)
    reason = TextAreaField(
        "Your reason",
        filters=[text],
        validators=[Length(max=LONGEST_REASON, message=f"Shorten this to {LONGEST_REASON:,} characters, please.")],
    )

    def ask_for(self, step: Step) -> None:
        if not 20 <= len(self.form_token.data or "") <= 64:
            self.form_token.data = secrets.token_urlsafe(24)
        self.reason.label.text = step.label
        self.reason.flags.required = step.asks is Ask.MUST
        if step.asks is Ask.MUST:
            self.reason.validators = [_required(step.label), *self.reason.validators]

    @property
    def start_at(self) -> datetime | None:
        return calendar.read_start(self.start.data or "", utcnow())

    def offer(self, times: Sequence[datetime]) -> None:
        """Other times than the one that is taken."""
        zone = settings.owner_zone
        self.start.choices = [
            (iso_utc(at), f"{say_day(at.astimezone(zone).date())}, {say_time(at, zone)}") for at in times
        ]
        self.start.data = None
        self.start.errors = [steps.REFUSALS[ActRefusal.TAKEN]]


def _required(label: str) -> Callable[[BaseForm, TextAreaField], None]:
    def check(_: BaseForm, field: TextAreaField) -> None:
        if not field.data:
            raise StopValidation(f"Enter {label.lower()}.")

    return check


@blueprint.get(STEP, defaults=WHOLE)
@blueprint.get(SEAT_STEP)
@comes_first()
def show(booking_id: int, act: str, seat: int | None) -> Response:
    target = Target.find(booking_id, seat)
    step = target.step(act)
    if not target.allows(step):
        flash(GONE)
        return redirect_to(_page_of(booking_id))
    form = ActForm(formdata=None)
    form.ask_for(step)
    if step.verb is not Verb.MOVE:
        return _show(target, step, form)
    start = calendar.read_start(request.args.get("start", ""), utcnow())
    if start is None:
        return _choose_time(target)
    form.start.data = iso_utc(start)
    return _show(target, step, form)


@blueprint.get(f"{ONE}/move/times", defaults=WHOLE)
@blueprint.get(f"{SEAT}/move/times")
@comes_first()
def times(booking_id: int, seat: int | None) -> Response:
    """The month and its times alone, for htmx."""
    return _choose_time(Target.find(booking_id, seat), fragment="bookings/_slots.html")


@blueprint.post(f"{ONE}/move/time", defaults=WHOLE)
@blueprint.post(f"{SEAT}/move/time")
def choose_time(booking_id: int, seat: int | None) -> Response:
    start = calendar.read_start(request.form.get("start", ""), utcnow())
    at = iso_utc(start) if start else None
    return redirect_to(url_for(".show", booking_id=booking_id, seat=seat, act="move", start=at), into="#booking")


@blueprint.post(STEP, defaults=WHOLE)
@blueprint.post(SEAT_STEP)
@comes_first()
def perform(booking_id: int, act: str, seat: int | None) -> Response:
    target, form = Target.find(booking_id, seat), ActForm()
    step = target.step(act)
    form.ask_for(step)
    token = form.form_token.data or ""
    if BookingAct.find(token) is None and not target.allows(step):
        flash(GONE)
        return redirect_to(_page_of(booking_id))
    if not _is_valid(form, step, target.booking):
        return _show(target, step, form, status=422)
    wish = Wish(
        step.verb,
        Actor.STAFF,
        token,
        reason=form.reason.data or "",
        start_at=form.start_at if step.verb is Verb.MOVE else None,
        subject=target.seat.contact.email if target.seat else form.subject.data or "",
        seat_uid=target.seat.seat_uid if target.seat else "",
        staff_id=current_user.id,
    )
    try:
        with http.within(PATIENCE):
            done = acts.perform(booking_id, wish)
    except LookupError:
        flash("That form belongs to another booking. Nothing was done.")
        return redirect_to(_page_of(booking_id))
    if done.stage is ActState.REFUSED:
        return _refused(target, step, form, done)
    if done.stage is ActState.DONE:
        flash(_says_done(step, _find(booking_id), wish))
    back = url_for("admin.bookings.index") if request.form.get("back") == "list" else _page_of(booking_id)
    return redirect_to(back)


@blueprint.post(f"{ONE}/looks")
@comes_first()
def look(booking_id: int) -> Response:
    """Read what Cal.com shows of this booking now."""
    try:
        with http.within(PATIENCE):
            acts.look(booking_id)
        flash("Cal.com was asked just now, and this page shows what it says.")
    except LookupError:
        abort(404)
    except CalError as error:
        db.session.rollback()
        flash(f"Cal.com did not say how this booking stands: {error}. Try again in a minute.")
    return redirect_to(_page_of(booking_id))


@dataclass(frozen=True)
class Target:
    """What is acted on: a booking, or the seat of one who takes part in it. `ids` make its addresses."""

    booking_id: int
    seat_id: int | None
    booking: Booking
    seat: Theirs | None

    @classmethod
    def find(cls, booking_id: int, seat: int | None) -> "Target":
        booking = _find(booking_id)
        theirs = Theirs(booking, db.session.get(Contact, seat) or abort(404)) if seat else None
        return cls(booking_id, seat, booking, theirs)

    @property
    def ids(self) -> dict[str, Any]:
        return {"booking_id": self.booking_id, "seat": self.seat_id}

    def again(self) -> "Target":
        """As it is now: Cal.com was asked since."""
        return Target.find(self.booking_id, self.seat_id)

    def step(self, name: str) -> Step:
        return steps.OF_SEAT[name] if self.seat else steps.BY_NAME[name]

    def allows(self, step: Step) -> bool:
        has_key = reconcile.is_possible()
        if self.seat is None:
            return step in steps.steps_of(self.booking, has_key=has_key)
        is_there = bool(self.seat.seat_uid) and not self.seat.has_given_up
        return is_there and step in steps.seat_steps_of(self.booking, has_key=has_key)


def _find(booking_id: int) -> Booking:
    return db.session.get(Booking, booking_id) or abort(404)


def _page_of(booking_id: int) -> str:
    return url_for("admin.bookings.show", booking_id=booking_id)


def _is_valid(form: ActForm, step: Step, booking: Booking) -> bool:
    is_valid = bool(form.validate())
    if step.verb is Verb.MOVE and form.start_at is None:
        form.form_errors.append("That time is over. Choose another one.")
        return False
    if step.verb is Verb.MOVE and form.start_at == booking.start_at:
        form.form_errors.append("This is when it takes place now. Choose another time.")
        return False
    if step.name in {"absence", "presence"}:
        is_known = form.subject.data in {person.contact.email for person in booking.people}
        if not is_known:
            form.form_errors.append("Nobody with that address takes part.")
        return is_valid and is_known
    return is_valid


def _says_done(step: Step, booking: Booking, wish: Wish) -> str:
    """Accepted: Priya Natarajan, Wednesday 25 November, 15:00. By the address: of one of several who take part."""
    named = db.session.scalar(db.select(Contact).filter_by(email=wish.subject)) if wish.subject else None
    who = named or booking.contact
    words = [(who.name or who.email) if who else "nobody named"]
    if start := wish.start_at or booking.start_at:
        zone = settings.owner_zone
        words += [say_day(start.astimezone(zone).date()), say_time(start, zone)]
    return f"{step.done}: {', '.join(words)}."


def _refused(target: Target, step: Step, form: ActForm, act: BookingAct) -> Response:
    """The same page with what was typed, and why nothing was done. The same form may be sent again."""
    refusal, told = act.refusal or ActRefusal.NOT_ACCEPTED, act.told
    if refusal is ActRefusal.TAKEN and (others := _others(target, act.start_at or utcnow())):
        form.offer(others)
    else:
        form.form_errors.append(steps.REFUSALS[refusal])
    return _show(target, step, form, status=422, told=told)


def _others(target: Target, wanted: datetime) -> list[datetime]:
    try:
        with http.within(http.PAGE_SECONDS):
            return alternatives(moving.booker_of(target.again().booking), wanted, settings.owner_zone)
    except CalError:
        return []


def _show(target: Target, step: Step, form: ActForm, *, status: int = 200, told: str | None = None) -> Response:
    target = target.again()
    booking = target.booking
    return render_page_or_fragment(
        "admin/bookings/act.html",
        "admin/bookings/_act_step.html",
        status=status,
        booking=booking,
        **_about(target),
        step=step,
        form=form,
        told=told,
        swapped=wants_fragment(),
        start=form.start_at if step.verb is Verb.MOVE else None,
        asks=step.asks is not Ask.NO,
        absent=steps.absent(booking),
    )


def _about(target: Target) -> dict[str, Any]:
    """Whom the page is about, and what makes its addresses."""
    booking, seat = target.booking, target.seat
    zone = seat.contact.time_zone if seat else booking.time_zone
    whom = [seat.contact] if seat else [person.contact for person in booking.people]
    return {"whom": whom, "ids": target.ids, "attendee_zone": zone_or_none(zone)}


def _choose_time(target: Target, fragment: str = "admin/bookings/_move.html") -> Response:
    picker = None
    try:
        with http.within(http.PAGE_SECONDS):
            picker = _picker(target)
    except CalError:
        db.session.rollback()
        fragment = "admin/bookings/_move.html"
    target = target.again()
    page = render_page_or_fragment(
        "admin/bookings/move.html",
        fragment,
        booking=target.booking,
        **_about(target),
        picker=picker,
        swapped=wants_fragment(),
        pages_of_cal=steps.pages_of_cal(),
    )
    if picker is None:
        page.headers.update({"HX-Retarget": "#booking", "HX-Reswap": "outerHTML"})
    return page


def _picker(target: Target) -> Picker:
    """In the owner's zone. Raises CalError."""
    ids = target.ids
    asked = {name: value for name, value in request.args.items() if name != "zone"}
    found = openings(moving.booker_of(target.booking), calendar.read_wish(asked, settings.owner_zone, utcnow()))
    page = url_for(".show", act="move", **ids)
    piece, choice = (url_for(f".{name}", **ids) for name in ("times", "choose_time"))
    return Picker(found, page, piece, choice, forms=())
