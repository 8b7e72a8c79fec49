"""/book-consultation: choose what, choose when, say who, done. Each step is a page of its own address."""

import secrets
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, current_app, make_response, redirect, request, session, url_for
from flask_limiter import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from werkzeug.wrappers import Response as AnyResponse

from hds.analytics import visits
from hds.analytics.models import Failure, FunnelStep
from hds.analytics.visits import track
from hds.bookings import again, attempts, calendar, calendar_entry, holds, proof
from hds.bookings.availability import Openings, is_offered, openings, with_seats
from hds.bookings.booker import Booker, booker_of, onward_url, without_answer
from hds.bookings.calendar_entry import CalendarEntry
from hds.bookings.embedded import (
    ENOUGH,
    ENOUGH_BESIDE,
    SOON,
    Embedded,
    News,
    allow_frame,
    awaited_here,
    frame_origin,
    shell_of,
)
from hds.bookings.forms import DetailsForm
from hds.bookings.links import Link, Purpose
from hds.bookings.models import AttemptState, BookingAttempt, Refusal
from hds.bookings.picker import Picker
from hds.bookings.proof import Proof
from hds.bookings.questions import prefilled
from hds.bookings.receipt import Receipt
from hds.bookings.reconciliation import Reconciliation
from hds.bookings.steps import DetailsStep, private, say_hours_as_read, step
from hds.bookings.theirs import Theirs
from hds.calcom import fields
from hds.calcom.errors import CalError
from hds.config import BookerKind, settings
from hds.errors import FORM_EXPIRED
from hds.errors import answer as say_error
from hds.extensions import csrf, db, limiter
from hds.lib import http, limits, tokens
from hds.lib.budget import comes_first
from hds.lib.htmx import redirect_to, render_page_or_fragment, wants_fragment
from hds.lib.pagecache import kept
from hds.lib.times import iso_utc, utcnow, zone_or_none
from hds.services.models import Service

blueprint = Blueprint("bookings", __name__, url_prefix="/book-consultation")
say_hours_as_read(blueprint)

DONE = "booking attempt"  # what a done page's token is signed for
DONE_SECONDS = 14 * 24 * 3600
BROWSER = "browser"  # in the session: whose time is held
LAST_SENT = "last_booked"  # in the session that the form's token lives in: this browser's last attempt
OPEN_FOR = timedelta(hours=1)  # so long somebody is told that nobody knows; then they may try again
STANDS = {"booked", "requested"}
ENOUGH_LOOKS = 60  # two seconds apart, after which a done page stops looking by itself
DONE_TITLES = {
    "booked": "You are booked",
    "requested": "We have your request",
    "sending": "Almost there",
    "unknown": "We do not know yet whether it worked",
    "refused": "Nothing was booked",
    "cancelled": "This booking is cancelled",
    "declined": "This request was declined",
}


EMBEDDED_TITLES = DONE_TITLES | {"waiting": "Almost there", "payment": "Your time waits for the payment"}


@blueprint.get("")
@kept()
def choose_service() -> AnyResponse:
    asked = request.args.get("service", "")
    if asked and Service.find(asked):
        return redirect(url_for(".choose_time", slug=asked))
    services = Service.catalogue()
    page = step("choose_service", "Book a consultation", {"services": services})
    origin = frame_origin(services)
    return allow_frame(page, origin) if origin else page  # what is chosen is swapped into this page


@blueprint.errorhandler(CSRFError)
def without_token(_: CSRFError) -> AnyResponse:
    """Nothing is lost but the token: the form comes back with a new one. Who goes back to the times needs none for
    that: what they held ends by itself."""
    if request.endpoint == "bookings.end_hold" and request.view_args:
        return back_to_times(request.view_args["slug"])
    page = again.without_token() if request.endpoint == "bookings.book" else None
    return page or say_error(400, FORM_EXPIRED)


@blueprint.get("/<slug>")
@limiter.limit(limits.TIMES)
@http.within(http.PAGE_SECONDS)
def choose_time(slug: str) -> AnyResponse:
    service = find_service(slug)
    booker, found = look_up(service, own_steps=request.args.get("booker") == BookerKind.NATIVE)
    track(FunnelStep.SERVICE_CHOSEN, slug)
    if booker.is_down:
        track(FunnelStep.BOOKER_FAILED, slug, Failure.NO_ANSWER)
    elif found:  # of Cal.com's frame only the browser knows whether it showed
        track(FunnelStep.BOOKER_SHOWN, slug)
    title = f"Choose a time: {service.name}"
    picker = picker_of(service, booker, found) if found else None
    awaited = awaited_here(service) if has_session() else None
    context = {"service": service, "booker": booker, "picker": picker, "zones": calendar.zone_choices()}
    context |= {"awaited": awaited}
    if not booker.is_embed:
        page = step("choose_time", title, context)
        page.vary.add("Accept-Language")  # the hours are written as its readers do
        return private(page) if awaited else page
    zone = zone_or_none(request.args.get("zone"))
    shell = shell_of(service, booker, zone or settings.owner_zone)
    if wants_fragment() and shell.origin != frame_origin([service]):
        # An organisation's own subdomain: the page that this would be swapped into may not frame it.
        return redirect_to(url_for(".choose_time", slug=slug, zone=request.args.get("zone")))
    context |= {"shell": shell, "zone": zone or settings.owner_zone, "names_zone": zone is not None}
    page = allow_frame(step("choose_time", title, context), shell.origin)
    page.headers["Cache-Control"] = "no-store"  # it holds a reference of its own
    return page


@blueprint.get("/<slug>/times")
@limiter.limit(limits.TIMES)
@http.within(http.PAGE_SECONDS)
def times(slug: str) -> AnyResponse:
    """Only the month and the day's times, for a page that is there already."""
    asked = request.query_string.decode("ascii", "replace")
    page = url_for(".choose_time", slug=slug) + (f"?{asked}" if asked else "")
    if not wants_fragment():
        return redirect(page)
    service = find_service(slug)
    booker, found = look_up(service, own_steps=True)
    if found is None:
        return redirect_to(page)
    fragment = "bookings/_new_slots.html"
    picker = picker_of(service, booker, found)
    return private(render_page_or_fragment("", fragment, service=service, booker=booker, picker=picker))


@blueprint.get("/<slug>/elsewhere")
@limiter.limit(limits.TIMES)
@http.within(http.PAGE_SECONDS)
def elsewhere(slug: str) -> AnyResponse:
    """On to Cal.com's page with the visit's reference, which stands in no page of ours: links lead here from pages that
    are kept, too. A booker was shown to whoever comes by."""
    service = find_service(slug)
    booker = booker_of(service)
    if booker.url is None:
        return redirect(url_for(".choose_time", slug=slug))
    track(FunnelStep.BOOKER_SHOWN, slug)
    start = asked_start()
    start = start.astimezone(asked_zone()) if start else None
    return private(make_response(redirect(onward_url(booker.url, {visits.KEY: visits.reference()}, start))))


@blueprint.post("/<slug>/hold")
@limiter.limit(limits.TIMES)
@http.within(http.PAGE_SECONDS)
def hold(slug: str) -> AnyResponse:
    """A time was clicked: it is kept from others, and its form comes. A link to the form holds nothing, as programs
    follow links."""
    is_ours = is_from_here()
    if is_ours and not has_session() and "again" not in request.args:
        # Who keeps no cookies would meet their own hold as somebody else's: they come once more, with one or without.
        name_browser()
        asked = urlencode([*request.args.items(multi=True), ("again", "1")])
        return make_response("", 307, {"Location": f"{url_for('.hold', slug=slug)}?{asked}"})
    service, zone = find_service(slug), asked_zone()
    start = calendar.read_start(request.form.get("start", ""), utcnow())
    booker = booker_of(service, own_steps=True).lasting(asked_minutes())
    if start is None or not booker.is_native:
        return redirect_to_times(service, start, zone, booker)
    if is_ours and has_session():
        take_hold(booker, service.id, start)
    form = url_for(".details", slug=slug, start=iso_utc(start), zone=zone.key, **kept_of(booker))
    return redirect_to(form, into="#booking")


csrf.exempt(hold)  # the times are looked at by everybody, and carry no token; where it comes from is looked at


@blueprint.post("/<slug>/hold/end")
@limiter.limit(limits.TIMES)
@http.within(http.PAGE_SECONDS)
def end_hold(slug: str) -> AnyResponse:
    """Back to the times: whoever is next may have this one."""
    holds.release(browser())
    return back_to_times(slug)


def back_to_times(slug: str) -> AnyResponse:
    service = find_service(slug)
    booker = booker_of(service, own_steps=True).lasting(asked_minutes())
    return redirect_to_times(service, asked_start(), asked_zone(), booker, into="#booking")


@blueprint.get("/<slug>/details")
@limiter.limit(limits.TIMES)
@http.within(http.PAGE_SECONDS)
def details(slug: str) -> AnyResponse:
    """The empty form. Of a time that is gone it says so at once, with others to choose from; of one that this browser
    has booked, what became of that: who goes back shall not book twice."""
    service = find_service(slug)
    start, zone = asked_start(), asked_zone()
    booker = booker_of(service, own_steps=True).lasting(asked_minutes())
    if start is None or not booker.is_native:
        return redirect_to_times(service, start, zone, booker)
    own = last_sent()
    has_seats = bool(booker.event_type and booker.event_type.seats)  # another one may be for somebody else
    if own and not has_seats and (own.service_id, own.start_at) == (service.id, start):
        return redirect_to_done(own)
    db.session.close()
    track(FunnelStep.SLOT_CHOSEN, slug)
    form = DetailsForm(formdata=None)
    form.ask_for(booker)
    page = DetailsStep(service, booker, form, zone)
    try:
        is_free = is_bookable(page, start)
    except CalError:
        is_free = True  # nobody knows: booking it will tell
    return page.show(start) if is_free else page.offer_others(start, Refusal.TAKEN, status=200)


@blueprint.post("/<slug>/details")
@limiter.limit(limits.BOOKING, on_breach=again.too_often)
@comes_first()
def book(slug: str) -> AnyResponse:
    service = find_service(slug)
    form = DetailsForm()
    zone = zone_or_none(form.zone.data) or asked_zone()
    earlier = attempts.earlier(form.token)
    if earlier is not attempts.Earlier.ENDED and (own := sent_here(service, form)):
        if own.stage in STANDS:
            return answer(own, service, form, zone)
        form.form_token.data = own.form_token  # nobody knows what became of it: that is looked for first
        earlier = attempts.earlier(form.token)
    if earlier is attempts.Earlier.ENDED:
        return answer(attempts.outcome_of(form.token), service, form, zone)
    with http.within(http.PAGE_SECONDS):
        booker = booker_of(service, own_steps=True).lasting(asked_minutes())
        form.ask_for(booker)
        may_be_booked = earlier is attempts.Earlier.OPEN
        page = DetailsStep(service, booker, form, zone)
        if refused := obstacle(page, may_be_booked=may_be_booked):
            return refused
    track(FunnelStep.DETAILS_GIVEN, slug)
    start = form.start_at or utcnow()
    order = form.order(start, zone, booker.minutes)
    attempt = attempts.book(booker, service.id, form.token, order, proof=form.code.data or "")
    if attempt.state is AttemptState.BOOKED:
        track(FunnelStep.BOOKED, slug)
        session.pop(proof.SENT_TO, None)  # the next booking has a code of its own
    if attempt.state is AttemptState.BOOKED or attempt.refusal is Refusal.TAKEN:
        holds.release(browser())  # booking neither takes nor ends it, and looks at nobody's
    return answer(attempt, service, form, zone)


@blueprint.get("/<slug>/done/<token>")
@limiter.limit(limits.DONE)
@http.within(http.PAGE_SECONDS)
def done(slug: str, token: str) -> AnyResponse:
    if page := Embedded.read(token):
        return done_in_frame(slug, page)
    attempt = attempt_of(slug, token) or abort(404)
    booking = attempt.booking
    manage = Link(attempt_id=attempt.id).token(Purpose.SEE)
    if booking and booking.is_host_asking_to_move:
        return to_another_time(manage)
    stage = attempt.stage_with(booking)
    if stage == "unknown" and Reconciliation.has_read(attempt.state_at):
        stage = "refused"  # among all that changed at Cal.com since is no such booking
    look = request.args.get("look", 0, type=int)
    is_awaited = stage in {"sending", "unknown"} and 0 <= look < ENOUGH_LOOKS
    context = {
        "service": attempt.service,
        "attempt": attempt,
        "booking": booking,
        "stage": stage,
        "next_look": look + 1 if is_awaited else None,
        "zone": zone_or_none(attempt.time_zone) or settings.owner_zone,
        "receipt": Receipt.of(attempt.service, booking, attempt),
        "manage": manage,
    }
    return private(step("done", DONE_TITLES[stage], context))


def to_another_time(manage: str) -> AnyResponse:
    """The host asks for it: the page of the booking says so, and leads on to where nobody pays twice."""
    return redirect_to(url_for("manage.see", token=manage))


@blueprint.get("/<slug>/done/<token>/calendar.ics")
@limiter.limit(limits.DONE)
def calendar_file(slug: str, token: str) -> Response:
    """The booking for somebody's calendar, by the token of its done page or by that of its mail."""
    entry = entry_of(slug, token) or abort(404)
    response = Response(entry.file(), content_type=f"text/calendar; charset=utf-8; method={entry.method}")
    response.headers["Content-Disposition"] = 'attachment; filename="consultation.ics"'
    return private(response)


def entry_of(slug: str, token: str) -> CalendarEntry | None:
    attempt = None
    if page := Embedded.read(token):
        booking = page.booking if page.slug == slug else None
    elif attempt := attempt_of(slug, token):
        booking = attempt.booking
    else:
        booking = calendar_entry.booking_of(slug, token)
    if booking:
        return CalendarEntry.of_booking(booking)
    return CalendarEntry.of_attempt(attempt) if attempt and attempt.state is AttemptState.BOOKED else None


def attempt_of(slug: str, token: str) -> BookingAttempt | None:
    attempt_id = tokens.read(DONE, token, DONE_SECONDS)
    attempt = db.session.get(BookingAttempt, attempt_id) if isinstance(attempt_id, int) else None
    return attempt if attempt and attempt.service.slug == slug else None


def done_in_frame(slug: str, page: Embedded) -> AnyResponse:
    """What became of a booking in Cal.com's frame. It looks again by itself for a while."""
    service = framed_service(slug, page)
    look = request.args.get("look", 0, type=int)
    return show_news(page, service, page.news(service, look), look)


@blueprint.get("/<slug>/done/<token>/news")
@limiter.limit(limits.DONE)
@http.within(http.PAGE_SECONDS)
def news(slug: str, token: str) -> AnyResponse:
    """Beside the frame, while somebody pays in it. Once there is news, the done page takes the place of both."""
    page = Embedded.read(token) or abort(404)
    service = framed_service(slug, page)
    receipt = url_for(".done", slug=slug, token=token)
    if not wants_fragment():
        return redirect(receipt, 303)
    look = request.args.get("look", 0, type=int)
    found = page.news(service, look)
    if not found.is_awaited:
        answer = show_news(page, service, found, look)
        answer.headers.update({"HX-Retarget": "#booking", "HX-Reswap": "outerHTML", "HX-Push-Url": receipt})
        return answer
    next_look = look + 1 if look < ENOUGH_BESIDE else None
    url = url_for(".news", slug=slug, token=token)
    return private(render_page_or_fragment("", "bookings/_news.html", url=url, receipt=receipt, next_look=next_look))


@blueprint.post("/<slug>/done/<token>/news")
@limiter.limit(limits.DONE)
def take_word(slug: str, token: str) -> tuple[str, int]:
    """The frame says what it booked."""
    page = Embedded.read(token) or abort(404)
    framed_service(slug, page)
    page.remember(*(request.form.get(name, "") for name in ("uid", "start", "zone")))
    return "", 204


csrf.exempt(take_word)  # nobody but the page that was made with it knows the address


def framed_service(slug: str, page: Embedded) -> Service:
    service = Service.find(slug)
    return service if service and page.slug == slug else abort(404)


def show_news(page: Embedded, service: Service, found: News, look: int) -> AnyResponse:
    booking = None if found.is_awaited else page.booking
    theirs = Theirs.by_reference(booking, page.reference) if booking else None
    if theirs and theirs.booking.is_host_asking_to_move:
        return to_another_time(theirs.token(Purpose.SEE))
    context = {
        "service": service,
        "start": found.start_at,
        "stage": found.stage,
        "zone": found.zone or settings.owner_zone,
        "takes_long": look >= SOON,
        "next_look": look + 1 if look < ENOUGH and found.is_awaited else None,
        "receipt": Receipt.of(service, booking, start=found.start_at),
        "manage": theirs.token(Purpose.SEE) if theirs else None,
    }
    return private(step("embedded", EMBEDDED_TITLES[found.stage], context))


def look_up(service: Service, *, own_steps: bool = False) -> tuple[Booker, Openings | None]:
    """How it is booked, and the free times for our own steps. A booker that does not answer becomes a link."""
    booker = booker_of(service, own_steps=own_steps).lasting(asked_minutes())
    if not booker.is_native:
        return booker, None
    try:
        found = openings(booker, calendar.read_wish(request.args, settings.owner_zone, utcnow()))
        found = with_seats(booker, found)
        return booker, found.including(holds.held(browser(), service.id, booker.minutes))
    except CalError as error:
        return without_answer(service, booker, error), None


def picker_of(service: Service, booker: Booker, found: Openings) -> Picker:
    page, piece, choice = (url_for(f".{name}", slug=service.slug) for name in ("choose_time", "times", "hold"))
    forms = ("zone", "length") if booker.lengths else ("zone",)
    return Picker(found, page, piece, choice, kept_of(booker), forms, has_token=False)


def asked_beforehand(booker: Booker) -> dict[str, list[str]]:
    """What the page's address answers of the event type's questions."""
    return prefilled(booker.event_type, request.args.to_dict(flat=False))


def sent_here(service: Service, form: DetailsForm) -> BookingAttempt | None:
    """Somebody went back and filled in the form anew: their own booking is not "taken". Only for the browser that made
    it, by its signed cookie: the same e-mail address from elsewhere may be a stranger's guess."""
    attempt = last_sent()
    wanted = (service.id, form.start_at, fields.email(form.email.data))
    if attempt is not None and wanted == (attempt.service_id, attempt.start_at, attempt.email):
        return attempt
    db.session.close()
    return None


def last_sent() -> BookingAttempt | None:
    """What this browser sent last by our own steps, while it stands, or nobody knows whether it does."""
    attempt_id = session.get(LAST_SENT)
    attempt = db.session.get(BookingAttempt, attempt_id) if attempt_id else None
    if attempt is None:
        return None
    stage = attempt.stage
    is_open = stage in {"sending", "unknown"} and utcnow() - attempt.state_at < OPEN_FOR
    is_open = is_open and not Reconciliation.has_read(attempt.state_at)
    return attempt if is_open or stage in STANDS else None


def redirect_to_done(attempt: BookingAttempt) -> AnyResponse:
    return redirect_to(url_for(".done", slug=attempt.service.slug, token=tokens.sign(DONE, attempt.id)))


def obstacle(page: DetailsStep, *, may_be_booked: bool) -> AnyResponse | None:
    """Why this form is not sent to Cal.com. What may be booked already goes on to where that is looked up."""
    booker, form, start = page.booker, page.form, page.form.start_at
    if not (booker.is_native or booker.is_down or may_be_booked):
        return redirect_to_times(page.service, start, page.zone, booker)
    is_valid = form.validate()
    if start is None:
        return page.offer_others(asked_start() or utcnow(), Refusal.TAKEN)
    if not is_valid:
        take_hold(booker, page.service.id, start)  # somebody who came by a link types, too
        return page.show(start, status=422)
    return None if may_be_booked else not_free(page, start) or not_proven(page, start)


def not_proven(page: DetailsStep, start: datetime) -> Response | None:
    try:
        asked = Proof(page).missing()
    except CalError:
        return page.nothing_booked(start)
    if asked:
        take_hold(page.booker, page.service.id, start)  # while they look into their mail
    return asked


def not_free(page: DetailsStep, start: datetime) -> Response | None:
    if not page.booker.is_native:
        return page.nothing_booked(start)
    try:
        is_free = is_bookable(page, start)
    except CalError:
        return page.nothing_booked(start)
    return None if is_free else page.offer_others(start, Refusal.TAKEN)


def is_bookable(page: DetailsStep, start: datetime) -> bool:
    """Whether we offer this time to this browser: what it holds, or may hold, is hidden from everybody. Raises
    CalError."""
    held = holds.is_held(browser(), page.service.id, start, page.booker.minutes)
    return held or is_offered(page.booker, start, page.zone) or held is None


def take_hold(booker: Booker, service_id: int, start: datetime) -> None:
    """Not more often than people click: a program could take all times from everybody. It may book, all the same."""
    with suppress(RateLimitExceeded), limiter.limit(limits.HOLDS, scope="holds"):
        holds.take(booker, service_id, start, name_browser())


def is_from_here() -> bool:
    """Whether a page of this site sent the form: browsers say so, and no other site can make them lie."""
    if site := request.headers.get("Sec-Fetch-Site"):
        return site == "same-origin"
    return urlsplit(request.headers.get("Origin", "")).netloc == request.host


def browser() -> str | None:
    """What this browser is known by, since it held a time. A session that is not there is not opened: pages of who has
    none are the same for everybody, and are sent compressed."""
    return session.get(BROWSER) if has_session() else None


def name_browser() -> str:
    return str(session.setdefault(BROWSER, secrets.token_urlsafe(24)))


def has_session() -> bool:
    return current_app.config["SESSION_COOKIE_NAME"] in request.cookies


def kept_of(booker: Booker) -> dict[str, Any]:
    """What our steps' addresses say beside the time and its zone."""
    return booker.kept(asked_beforehand(booker))


def answer(attempt: BookingAttempt, service: Service, form: DetailsForm, zone: ZoneInfo) -> AnyResponse:
    """After a POST: to the done page, or back into the form with what was typed."""
    if attempt.state is not AttemptState.REFUSED:
        session[LAST_SENT] = attempt.id
        return redirect_to_done(attempt)
    refusal, start = attempt.refusal or Refusal.NOT_ACCEPTED, attempt.start_at
    db.session.close()
    with http.within(http.PAGE_SECONDS):
        booker = booker_of(service, own_steps=True).lasting(asked_minutes())
        form.ask_for(booker)
        page = DetailsStep(service, booker, form, zone)
        match refusal:
            case Refusal.NO_ANSWER:
                return page.nothing_booked(start)
            case Refusal.WRONG_PROOF:
                return Proof(page).refuse(proof.WRONG)
            case Refusal.PROOF_NEEDED:
                try:
                    return Proof(page).send()
                except CalError:
                    return page.nothing_booked(start)
        return page.offer_others(start, refusal)


def find_service(slug: str) -> Service:
    """Detached: no transaction stands open while Cal.com is asked."""
    service = Service.find(slug)
    db.session.close()
    return service or abort(404)


def redirect_to_times(
    service: Service, start: datetime | None, zone: ZoneInfo, booker: Booker, into: str = ""
) -> AnyResponse:
    """`gone` says that the time of the address is over, or was never one."""
    day = start.astimezone(zone).date().isoformat() if start else None
    gone = 1 if start is None and "start" in request.values else None
    kept = kept_of(booker) if booker.is_native else {}
    times = url_for(".choose_time", slug=service.slug, day=day, zone=zone.key, gone=gone, **kept)
    return redirect_to(times, into=into)


def asked_minutes() -> int | None:
    return request.args.get("duration", type=int)


def asked_start() -> datetime | None:
    return calendar.read_start(request.args.get("start", ""), utcnow())


def asked_zone() -> ZoneInfo:
    return zone_or_none(request.args.get("zone")) or settings.owner_zone
