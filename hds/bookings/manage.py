"""/bookings/<token>: somebody's own booking, by a signed link. To see, to move and to cancel it.

Programs that guard mailboxes open every link: no GET changes anything, here or at Cal.com.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, make_response, redirect, request, url_for
from flask_limiter import RequestLimit
from flask_wtf.csrf import CSRFError
from werkzeug.wrappers import Response as AnyResponse

from hds.bookings import acts, calendar, calendar_entry, moving
from hds.bookings.acts import Actor, ActRefusal, ActState, BookingAct, Verb, Wish
from hds.bookings.availability import Openings, alternatives, is_offered, openings
from hds.bookings.booker import Booker
from hds.bookings.changes import SAY_WHY, ChangeForm, MoveForm
from hds.bookings.links import AFTERWARDS, Link, Purpose
from hds.bookings.picker import Picker
from hds.bookings.receipt import Receipt
from hds.bookings.reconciliation import Reconciliation
from hds.bookings.steps import private, say_hours_as_read
from hds.bookings.theirs import Bar, Theirs, bar_of_type
from hds.bookings.words import fixed_once_taken
from hds.calcom.errors import CalError
from hds.config import settings
from hds.errors import answer as say_error
from hds.errors import say_wait
from hds.extensions import csrf, db, limiter
from hds.lib import http, limits
from hds.lib.budget import comes_first
from hds.lib.htmx import redirect_to, render_page_or_fragment, wants_fragment
from hds.lib.times import iso_utc, say_moment, utcnow, zone_or_none

blueprint = Blueprint("manage", __name__, url_prefix="/bookings")
say_hours_as_read(blueprint)

ENOUGH = 40  # looks, two seconds apart, after which a page stops looking by itself
ASKING = {2, 9, 24}  # the looks at which Cal.com is asked
NEWS = timedelta(minutes=15)  # for so long a page says what was done just now
TITLES = {
    "booked": "Your booking is confirmed",
    "requested": "Your request waits for our answer",
    "payment": "Your time waits for the payment",
    "cancelled": "This booking is cancelled",
    "asked_to_move": "Please choose another time",
    "declined": "This request was declined",
    "given_up": "Your seat is given up",
    "over": "This meeting has begun, or is over",
    "asked": "Almost there",
    "unknown": "We do not know yet whether it worked",
    "waiting": "Almost there",
}
WRONG = (
    "This link does not work",
    "It may have been cut off on its way: open it from the mail again. If that does not help, write to us.",
)
EXPIRED = (
    "This link is no longer valid",
    "The links in our mails open a booking until a week after the meeting. Is something left to settle? Write to us.",
)


class Notice(StrEnum):
    """What stands above a form that comes back. Nothing was changed."""

    TAKEN = "taken"
    OVER = "over"
    TOO_LATE = "too_late"
    NOT_ACCEPTED = "not_accepted"
    NO_ANSWER = "no_answer"
    TOO_OFTEN = "too_often"
    NO_TOKEN = "no_token"  # noqa: S105


NOTICES = {
    ActRefusal.TAKEN: Notice.TAKEN,
    ActRefusal.OVER: Notice.OVER,
    ActRefusal.TOO_LATE: Notice.TOO_LATE,
    ActRefusal.NO_ANSWER: Notice.NO_ANSWER,
}


@blueprint.after_request
def keep_out(response: Response) -> Response:
    """Whatever stands at these addresses is one person's."""
    response.headers["X-Robots-Tag"] = "noindex"
    return private(response)


@blueprint.errorhandler(CSRFError)
def without_token(_: CSRFError) -> AnyResponse:
    """The form's cookie is gone or another's: what was typed comes back with a new token, and nothing was changed."""
    with http.within(http.PAGE_SECONDS):
        return ask_again(Notice.NO_TOKEN, 400)


def too_often(_: RequestLimit) -> Response:
    """Over the limit. Cal.com is not asked."""
    with http.within(0):
        return make_response(ask_again(Notice.TOO_OFTEN, 429))


def ask_again(notice: Notice, status: int) -> AnyResponse:
    token = str((request.view_args or {}).get("token", ""))
    ask = ask_to_cancel if request.endpoint == "manage.cancel_it" else ask_to_confirm
    return ask(token, notice, status)


# See


@blueprint.get("/<token>")
@limiter.limit(limits.MANAGE)
def see(token: str) -> Response:
    return show(token, request.args.get("look", 0, type=int))


@blueprint.post("/<token>/looks")
@limiter.limit(limits.MANAGE)
@http.within(http.PAGE_SECONDS)
def look(token: str) -> Response:
    """Ask Cal.com what became of it. It reads alone, so it needs no token of a form."""
    theirs, link = find(Purpose.SEE, token), Link.read(Purpose.SEE, token)
    attempt = link.attempt if link else None
    try:
        if theirs is not None and theirs.asked is not None:
            acts.look(theirs.booking.id)
        elif theirs is None and attempt is not None and attempt.booking_uid:
            acts.look_for(attempt.booking_uid)
    except CalError:
        db.session.rollback()  # the page says that nobody knows
    if wants_fragment():
        return show(token, request.args.get("look", 0, type=int))
    return redirect_to(url_for(".see", token=token))


csrf.exempt(look)


def show(token: str, looks: int) -> Response:
    theirs = find(Purpose.SEE, token)
    if theirs is None:
        return show_attempt(token, looks)
    asked = theirs.asked
    stage = theirs.stage
    if asked is not None and not was_never_done(asked):
        stage = "asked" if asked.stage is ActState.ASKED else "unknown"
    context = {
        "theirs": theirs,
        "stage": stage,
        "asked": asked,
        "moved": theirs.latest if is_news(theirs) else None,
        "receipt": theirs.receipt,
        "calendar_file": calendar_file(theirs),
        "rebooks": stage == "asked_to_move" and moving.rebooking_address(theirs.booking) is not None,
        **polling(token, looks, is_waiting=stage in {"asked", "unknown"}),
    }
    return page("see", "Your booking is moved" if is_moved(context) else TITLES[stage], context)


def show_attempt(token: str, looks: int) -> Response:
    """Sent from our own form, while no booking is known: as soon as there is one, this link is about that."""
    link = Link.read(Purpose.SEE, token)
    attempt = link.attempt if link else None
    if attempt is None:
        refuse(404, WRONG)
    context = {
        "attempt": attempt,
        "receipt": Receipt.of(attempt.service, None, attempt),
        "zone": zone_or_none(attempt.time_zone) or settings.owner_zone,
        **polling(token, looks, is_waiting=True),
    }
    return page("waiting", TITLES["waiting"], context)


def polling(token: str, looks: int, *, is_waiting: bool) -> dict[str, Any]:
    next_look = looks + 1 if is_waiting and 0 <= looks < ENOUGH else None
    name = ".look" if next_look in ASKING else ".see"
    return {
        "look_url": url_for(name, token=token, look=next_look) if next_look else None,
        "look_method": "post" if next_look in ASKING else "get",
        "look_now": url_for(".look", token=token),
        "arrives": wants_fragment() and not is_waiting,
    }


def was_never_done(act: BookingAct) -> bool:
    """All that changed at Cal.com is known up to a moment after it was sent, and this is not among it."""
    return act.stage is ActState.UNKNOWN and Reconciliation.has_read(act.state_at)


def is_news(theirs: Theirs) -> bool:
    act = theirs.latest
    return act is not None and act.stage is ActState.DONE and utcnow() - act.state_at < NEWS


def is_moved(context: dict[str, Any]) -> bool:
    act, theirs = context["moved"], context["theirs"]
    return (
        act is not None
        and act.verb is Verb.MOVE
        and act.start_at == theirs.booking.start_at
        and context["stage"] == "booked"
    )


def calendar_file(theirs: Theirs) -> str | None:
    return calendar_entry.file_address(theirs.booking, theirs.contact) if theirs.booking.service else None


# Move


@blueprint.get("/<token>/move")
@limiter.limit(limits.TIMES)
@http.within(http.PAGE_SECONDS)
def move(token: str) -> Response:
    return choose(token, "choose_time")


@blueprint.get("/<token>/move/rebooking")
@limiter.limit(limits.MANAGE)
def rebook(token: str) -> AnyResponse:
    """On to Cal.com's page, where what the host asked to be moved gets another time."""
    theirs = find_or_refuse(Purpose.MOVE, token)
    address = moving.rebooking_address(theirs.booking)
    return redirect(address or url_for(".see", token=theirs.token(Purpose.SEE)))


@blueprint.get("/<token>/move/times")
@limiter.limit(limits.TIMES)
@http.within(http.PAGE_SECONDS)
def times(token: str) -> AnyResponse:
    """Only the month and the day's times, for a page that is there already."""
    asked = request.query_string.decode("ascii", "replace")
    whole = url_for(".move", token=token) + (f"?{asked}" if asked else "")
    if not wants_fragment():
        return redirect(whole)
    step = MoveStep.of(token)
    found = step.openings() if step.bar is None else None
    if found is None:
        return redirect_to(whole)
    return render_page_or_fragment("", "bookings/_new_slots.html", picker=step.picker(found))


@blueprint.post("/<token>/move/choice")
@limiter.limit(limits.TIMES)
def choose_time(token: str) -> Response:
    """A time of the month was clicked: on to the question whether it shall be that one."""
    start = calendar.read_start(request.form.get("start", ""), utcnow())
    zone = request.args.get("zone")
    if start is None:
        return redirect_to(url_for(".move", token=token, zone=zone, gone=1))
    return redirect_to(url_for(".confirmation", token=token, start=iso_utc(start), zone=zone), into="#booking")


csrf.exempt(choose_time)  # it changes nothing


@blueprint.get("/<token>/move/confirmation")
@limiter.limit(limits.TIMES)
@http.within(http.PAGE_SECONDS)
def confirmation(token: str) -> AnyResponse:
    return ask_to_confirm(token, None, 200)


@blueprint.post("/<token>/move/confirmation")
@limiter.limit(limits.BOOKING, on_breach=too_often)
@comes_first()
def confirm_move(token: str) -> AnyResponse:
    form = MoveForm()
    with http.within(http.PAGE_SECONDS):
        step = MoveStep.of(token, form)
        theirs, start = step.theirs, form.start_at
        if refused := done_before(theirs, form) or step.obstacle(start):
            return refused
    wish = Wish(Verb.MOVE, Actor.ATTENDEE, form.act_token, form.reason.data or "", start, seat_uid=theirs.seat_uid)
    act = ask(theirs, form, wish)
    if act.state is not ActState.REFUSED:
        return redirect_to(url_for(".see", token=theirs.token(Purpose.SEE)))
    with http.within(http.PAGE_SECONDS):
        return step.refused(act)


def choose(token: str, name: str) -> Response:
    step = MoveStep.of(token)
    if step.bar:
        return barred(step.theirs, Verb.MOVE, step.bar)
    found = step.openings()
    if found is None:
        return page("no_answer", "Our calendar does not answer", {"theirs": step.theirs}, status=503)
    context = {
        "theirs": step.theirs,
        "picker": step.picker(found),
        "zones": calendar.zone_choices(),
        "is_gone": "gone" in request.args,
        "see": url_for(".see", token=step.theirs.token(Purpose.SEE)),
    }
    return page(name, "Choose another time", context)


def ask_to_confirm(token: str, notice: Notice | None, status: int) -> AnyResponse:
    """Whether it shall be this time. Of one that is gone it says so at once, with others to choose from."""
    find_or_refuse(Purpose.MOVE, token)  # first: a form opens a session
    form = MoveForm()
    step = MoveStep.of(token, form)
    start = form.start_at or asked_start()
    if step.bar:
        return barred(step.theirs, Verb.MOVE, step.bar)
    if start is None:
        return redirect_to(url_for(".move", token=token, zone=step.zone.key, gone=1))
    if notice:
        return step.show(start, status, notice)
    if start == step.now:
        return step.stays()
    is_free = step.is_free(start)  # where nobody knows, moving it will tell
    return step.offer_others(start, Notice.TAKEN, 200) if is_free is False else step.show(start)


@dataclass(frozen=True)
class MoveStep:
    """Another time for one booking: where to look for it, and the form as somebody filled it in."""

    theirs: Theirs
    token: str
    zone: ZoneInfo
    now: datetime | None
    form: MoveForm
    bar: Bar | None = None
    known: Booker | None = None

    @classmethod
    def of(cls, token: str, form: MoveForm | None = None) -> "MoveStep":
        """Cal.com is asked for the event type, and no transaction stands open meanwhile."""
        theirs = find_or_refuse(Purpose.MOVE, token)
        form = form or MoveForm(formdata=None)
        form.prepare()
        zone = zone_or_none(form.zone.data) or zone_or_none(request.args.get("zone")) or theirs.zone
        step = cls(theirs, token, zone, theirs.booking.start_at, form, theirs.bar(Verb.MOVE))
        if step.bar:
            return step
        try:
            booker = moving.booker_of(theirs.booking)
        except CalError:
            return replace(step, theirs=find_or_refuse(Purpose.MOVE, token))
        step.ask_why(booker)
        theirs = find_or_refuse(Purpose.MOVE, token)
        bar = bar_of_type(booker.event_type, theirs.booking.start_at, has_seat=theirs.is_seated)
        return replace(step, theirs=theirs, known=booker, bar=bar)

    def ask_why(self, booker: Booker) -> None:
        """As the event type's own question puts it."""
        fields = booker.event_type.fields if booker.event_type else []
        question = next((field for field in fields if field.slug == "rescheduleReason"), None)
        if question is not None and question.is_required:
            self.form.require_reason()

    def openings(self) -> Openings | None:
        """None where Cal.com does not say."""
        if self.known is None:
            return None
        db.session.close()
        try:
            found = openings(self.known, calendar.read_wish(request.args, self.zone, utcnow()))
        except CalError:
            return None
        return without(found, self.now)

    def picker(self, found: Openings) -> Picker:
        whole, piece, choice = (url_for(f".{name}", token=self.token) for name in ("move", "times", "choose_time"))
        return Picker(found, whole, piece, choice)

    def is_free(self, start: datetime) -> bool | None:
        """None where Cal.com does not say."""
        db.session.close()  # no transaction stands open while it is asked
        try:
            return is_offered(self.known, start, self.zone) if self.known else None
        except CalError:
            return None

    def obstacle(self, start: datetime | None) -> Response | None:
        """Why this form is not sent to Cal.com."""
        if self.bar:
            return barred(self.theirs, Verb.MOVE, self.bar, 422)
        if start is None:
            return self.offer_others(asked_start() or utcnow(), Notice.TAKEN, 422)
        if not self.form.validate():
            return self.show(start, 422)
        if start == self.now:
            return self.stays()
        is_free = self.is_free(start)
        if is_free is None:
            return self.show(start, 503, Notice.NO_ANSWER)
        return None if is_free else self.offer_others(start, Notice.TAKEN, 422)

    def refused(self, act: BookingAct) -> Response:
        start = act.start_at or utcnow()
        if act.refusal is ActRefusal.REASON_NEEDED:
            self.form.require_reason()
            self.form.reason.errors = [SAY_WHY]
            return self.show(start, 422)
        notice = NOTICES.get(act.refusal or ActRefusal.NOT_ACCEPTED, Notice.NOT_ACCEPTED)
        if notice is Notice.TAKEN:
            return self.offer_others(start, notice, 422)
        return self.show(start, 503 if notice is Notice.NO_ANSWER else 422, notice)

    def offer_others(self, wanted: datetime, notice: Notice, status: int) -> Response:
        db.session.close()
        free: list[datetime] = []
        if self.known is not None:
            free = [moment for moment in alternatives(self.known, wanted, self.zone) if moment != self.now]
        why = "Choose one of these times, please." if free else "Look at the other days, please."
        self.form.offer(free, self.zone, why)
        return self.show(wanted, status, notice)

    def show(self, start: datetime, status: int = 200, notice: Notice | None = None) -> Response:
        theirs = find_or_refuse(Purpose.MOVE, self.token)  # Cal.com was asked since
        event_type = self.known.event_type if self.known else None
        service = theirs.booking.service
        context = {
            "theirs": theirs,
            "form": self.form,
            "start": start,
            "fixed": fixed_once_taken(start, service) if service else "",
            "zone": self.zone,
            "notice": notice,
            "is_gone": notice is Notice.TAKEN,
            "awaits_approval": event_type is not None and event_type.needs_confirmation,
            "times": self.times_of(start),
            "here": url_for(".confirmation", token=self.token, start=iso_utc(start), zone=self.zone.key),
            "see": url_for(".see", token=theirs.token(Purpose.SEE)),
            "wait": say_wait(limiter.seconds_left()) if notice is Notice.TOO_OFTEN else "",
        }
        title = f"Move it to {say_moment(start, self.zone)}?" if not context["is_gone"] else "Choose another time"
        return page("confirm", title, context, status=status)

    def stays(self) -> Response:
        """Who goes back after a move asks for the time that it has by now: nothing went wrong."""
        see = url_for(".see", token=self.theirs.token(Purpose.SEE))
        context = {"theirs": self.theirs, "see": see, "times": url_for(".move", token=self.token, zone=self.zone.key)}
        return page("already", "It is at that time already", context)

    def times_of(self, start: datetime) -> str:
        day: date = start.astimezone(self.zone).date()
        return url_for(".move", token=self.token, day=day.isoformat(), zone=self.zone.key)


def without(found: Openings, moment: datetime | None) -> Openings:
    """The booking's own time counts as free, but to move it there would be no move."""
    days = {day: [each for each in times if each != moment] for day, times in found.days.items()}
    return replace(found, days={day: times for day, times in days.items() if times})


# Cancel


@blueprint.get("/<token>/cancellation")
@limiter.limit(limits.MANAGE)
def cancel(token: str) -> Response:
    return ask_to_cancel(token, None, 200)


@blueprint.post("/<token>/cancellation")
@limiter.limit(limits.BOOKING, on_breach=too_often)
@comes_first()
def cancel_it(token: str) -> Response:
    theirs = find_or_refuse(Purpose.CANCEL, token)
    form = ChangeForm()
    form.prepare()
    if done := done_before(theirs, form):
        return done
    if bar := theirs.bar(Verb.CANCEL):
        return barred(theirs, Verb.CANCEL, bar, 422)
    if not form.validate():
        return show_cancel(theirs, form, 422)
    reason, seat = form.reason.data or "", theirs.seat_uid
    act = ask(theirs, form, Wish(Verb.CANCEL, Actor.ATTENDEE, form.act_token, reason, seat_uid=seat))
    theirs = find_or_refuse(Purpose.CANCEL, token)
    if act.state is not ActState.REFUSED:
        return redirect_to(url_for(".see", token=theirs.token(Purpose.SEE)))
    if act.refusal is ActRefusal.REASON_NEEDED:
        form.require_reason()
        form.reason.errors = [SAY_WHY]
        return show_cancel(theirs, form, 422)
    notice = NOTICES.get(act.refusal or ActRefusal.NOT_ACCEPTED, Notice.NOT_ACCEPTED)
    return show_cancel(theirs, form, 503 if notice is Notice.NO_ANSWER else 422, notice)


def ask_to_cancel(token: str, notice: Notice | None, status: int) -> Response:
    theirs = find_or_refuse(Purpose.CANCEL, token)
    if bar := theirs.bar(Verb.CANCEL):
        return barred(theirs, Verb.CANCEL, bar)
    form = ChangeForm()
    form.prepare()
    return show_cancel(theirs, form, status, notice)


def show_cancel(theirs: Theirs, form: ChangeForm, status: int, notice: Notice | None = None) -> Response:
    context = {
        "theirs": theirs,
        "form": form,
        "notice": notice,
        "here": url_for(".cancel", token=theirs.token(Purpose.CANCEL)),
        "see": url_for(".see", token=theirs.token(Purpose.SEE)),
        "wait": say_wait(limiter.seconds_left()) if notice is Notice.TOO_OFTEN else "",
    }
    title = "Give up your seat?" if theirs.is_seated else "Cancel this booking?"
    return page("cancel", title, context, status=status)


# What they share


def ask(theirs: Theirs, form: ChangeForm, wish: Wish) -> BookingAct:
    try:
        return acts.perform(theirs.booking.id, replace(wish, subject=theirs.contact.email))
    except LookupError:  # the form is another booking's, or two bookings turned out to be one just now
        refuse(404, WRONG)


def done_before(theirs: Theirs, form: ChangeForm) -> Response | None:
    """Two clicks, a reload, or the back button: what this form asked for is done, or on its way."""
    act = BookingAct.find(form.act_token)
    if act is None or act.booking_id != theirs.booking.id:
        return None
    if act.state is ActState.ASKED and act.is_on_its_way:
        act = acts.outcome_of(form.act_token)
    if act.stage in {ActState.REFUSED, ActState.UNKNOWN}:
        return None
    return redirect_to(url_for(".see", token=theirs.token(Purpose.SEE)))


def find(purpose: Purpose, token: str) -> Theirs | None:
    """None while a form of ours was sent and no booking is known. Wrong and old links end the request."""
    link = Link.read(purpose, token)
    if link is None:
        refuse(404, WRONG)
    theirs = Theirs.of(link)
    if theirs is not None:
        is_expired = theirs.is_expired
    elif attempt := link.attempt:
        is_expired = utcnow() > attempt.start_at + AFTERWARDS
    else:
        refuse(404, WRONG)
    if is_expired:
        refuse(410, EXPIRED)
    return theirs


def find_or_refuse(purpose: Purpose, token: str) -> Theirs:
    return find(purpose, token) or refuse(404, WRONG)


def refuse(status: int, words: tuple[str, str]) -> NoReturn:
    abort(say_error(status, words))


def barred(theirs: Theirs, verb: Verb, bar: Bar, status: int = 200) -> Response:
    """It cannot be done here: why, and what can be done instead. Who is asked for another time is led to choosing it
    by whichever link they come."""
    what = "moved" if verb is Verb.MOVE else "cancelled"
    see = url_for(".see", token=theirs.token(Purpose.SEE))
    if theirs.stage == "asked_to_move":
        return redirect_to(see)
    is_over = bar in {Bar.ENDED, Bar.DECLINED, Bar.OVER}
    context = {"theirs": theirs, "bar": bar, "is_over": is_over, "is_past": bar is Bar.OVER, "see": see}
    return page("barred", f"This booking cannot be {what} here", context, status=status)


def page(name: str, title: str, context: dict[str, Any], *, status: int = 200) -> Response:
    by_zone = request.headers.get("HX-Source", "").startswith("form#zone")
    shown = {"arrives": wants_fragment() and not by_zone, "step": f"bookings/manage/_{name}.html", **context}
    shown |= {"title": f"Error: {title}" if status >= 400 else title, "swapped": wants_fragment()}
    return render_page_or_fragment("bookings/manage/page.html", shown["step"], status=status, **shown)


def asked_start() -> datetime | None:
    return calendar.read_start(request.args.get("start", ""), utcnow())
