"""What a visitor books in Cal.com's own frame. A frame can say anything: a booking is proved by a webhook that brings
back the reference of the page, or, where that is late, by Cal.com's API, which names the same reference."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

import structlog
from flask import Response, session, url_for

from hds.analytics import visits
from hds.bookings.booker import REFERENCE, Booker, cal, new_reference, wanted
from hds.bookings.chain import BookingStatus, FactKind, PaymentState
from hds.bookings.free_times import FreeTime
from hds.bookings.models import ENDED_EARLY, Booking
from hds.calcom.answers import Booking as CalBooking
from hds.calcom.booker import carried, chosen_time
from hds.calcom.errors import CalError
from hds.calcom.fields import uid_or_none
from hds.config import BookerKind
from hds.extensions import db
from hds.headers import EVERYWHERE
from hds.lib import tokens
from hds.lib.times import iso_utc, parse_utc, utcnow, zone_or_none
from hds.services.models import Service

PURPOSE = "embedded booking"  # what the token of a page with a frame is signed for
TOKEN_SECONDS = 14 * 24 * 3600
NAMESPACE = "booking"  # the frame's name in its messages
SOON = 20  # looks, two seconds apart, after which it is said that it takes longer
ENOUGH = 60  # looks after which a page stops looking by itself
ENOUGH_BESIDE = 150  # the same beside the frame, four seconds apart: who pays looks for a card first
ASKING = {5, 19}  # the looks at which Cal.com is asked, as no webhook came so far
LATE = timedelta(seconds=10)  # after which it is asked, too, when somebody looks by hand
FRESH = timedelta(hours=1)  # so long who comes back reads of what the frame named, though nobody told of it
TOLD = "told_in_frame"  # in the session: what a page's frame named, as `Told` has it

log = structlog.get_logger(part="bookings")


@dataclass(frozen=True)
class FreeLink:
    """A free time before the frame is there. `url`: where it leads without the frame; `frame`: what it opens there."""

    start_at: datetime
    url: str
    frame: str


@dataclass(frozen=True)
class Shell:
    """All that a page needs that may show the frame: everything in it works without any script, too."""

    frame: str
    origin: str
    receipt: str
    news: str
    without: str
    is_native: bool
    times: Sequence[FreeLink]
    namespace: str = NAMESPACE


@dataclass(frozen=True)
class News:
    """What became of a booking in the frame: `stage` says where it stands, in a word."""

    stage: str
    start_at: datetime | None = None
    zone: ZoneInfo | None = None

    @property
    def is_awaited(self) -> bool:
        return self.stage in {"waiting", "payment"}


@dataclass(frozen=True)
class Embedded:
    """A page with the frame that somebody opened, and the booking that came of it, if one did."""

    slug: str
    reference: str
    opened_at: datetime

    @property
    def token(self) -> str:
        return tokens.sign(PURPOSE, [self.slug, self.reference, self.opened_at.timestamp()])

    @classmethod
    def read(cls, token: str) -> "Embedded | None":
        match tokens.read(PURPOSE, token, TOKEN_SECONDS):
            case [str(slug), str(reference), float(opened_at)]:
                return cls(slug, reference, datetime.fromtimestamp(opened_at, UTC))
        return None

    @property
    def booking(self) -> Booking | None:
        """What a webhook told under this reference."""
        return Booking.by_reference(self.reference, self.opened_at)

    def remember(self, uid: str, start: str, zone: str) -> None:
        """Where to look, should no webhook come: the frame says what it booked, and the browser where it is."""
        if uid_or_none(uid):
            Told(self, uid, parse_utc(start), zone_or_none(zone), utcnow()).keep()

    def news(self, service: Service, look: int) -> News:
        """`look`: how often this page looked by itself so far; 0 where somebody does by hand."""
        booking = self.booking
        news = News(stage_of(booking))
        if booking:
            news = News(news.stage, booking.start_at, zone_or_none(booking.time_zone))
        told = self._told
        if told is None or not news.is_awaited:
            return news
        if booking is None:
            news = News(news.stage, told.start_at, told.zone)
        if look not in ASKING and (look or utcnow() - told.at <= LATE):
            return news
        db.session.close()  # no transaction stands open while Cal.com is asked
        found = self._ask(told.uid)
        return news_of(found, service) if found else news

    @property
    def _told(self) -> "Told | None":
        told = Told.last()
        return told if told and told.page.reference == self.reference else None

    def _ask(self, uid: str) -> CalBooking | None:
        """A frame may name anybody's booking: only one that brings back this page's reference is believed."""
        try:
            found = cal().booking(uid)
        except CalError as error:
            log.warning("booking of a frame not known", reason=str(error))
            return None
        return found if self.reference in (found.metadata.get(REFERENCE), found.answers.get(REFERENCE)) else None


@dataclass(frozen=True)
class Told:
    """What the frame of a page named, the last time that one did so in this browser: the uid, the time that was chosen
    and the browser's zone, and when it said so. Kept in the session alone, as who knows a uid may read and cancel its
    booking."""

    page: Embedded
    uid: str
    start_at: datetime | None
    zone: ZoneInfo | None
    at: datetime

    @classmethod
    def last(cls) -> "Told | None":
        match session.get(TOLD):
            case [str(slug), str(reference), float(opened_at), str(uid), str(start), str(zone), float(at)]:
                page = Embedded(slug, reference, datetime.fromtimestamp(opened_at, UTC))
                return cls(page, uid, parse_utc(start), zone_or_none(zone), datetime.fromtimestamp(at, UTC))
        return None

    def keep(self) -> None:
        page, start = self.page, iso_utc(self.start_at) if self.start_at else ""
        opened_at, at = page.opened_at.timestamp(), self.at.timestamp()
        zone = self.zone.key if self.zone else ""
        session[TOLD] = [page.slug, page.reference, opened_at, self.uid, start, zone, at]


def awaited_here(service: Service) -> tuple[str, str] | None:
    """What this browser booked last in the frame of this service, while it is awaited: where it stands, in a word, and
    its page's token. Who goes back shall not book it twice."""
    told = Told.last()
    if told is None or told.page.slug != service.slug:
        return None
    booking = told.page.booking
    news = News(stage_of(booking))
    start = booking.start_at if booking else told.start_at
    is_over = start is not None and start <= utcnow()
    is_forgotten = booking is None and utcnow() - told.at > FRESH
    return (news.stage, told.page.token) if news.is_awaited and not is_over and not is_forgotten else None


def stage_of(booking: Booking | None) -> str:
    """Where it stands, in a word, as a webhook told it."""
    if booking is None:
        return "waiting"
    if booking.status in ENDED_EARLY:
        return str(booking.status)
    if booking.payment_state is PaymentState.PENDING:
        return "payment"
    if booking.status is not BookingStatus.REQUESTED:
        return "booked"
    if booking.payment_state is PaymentState.PAID and not any(
        event.kind is FactKind.REQUESTED for event in booking.events
    ):
        return "waiting"  # the webhook that follows a payment says whether the host is asked, or it is confirmed
    return "requested"


def news_of(found: CalBooking, service: Service) -> News:
    """As the API tells it. There "pending" awaits the payment or the host: of a paid one nobody can say which."""
    pending = "payment" if service.price_amount else "requested"
    stages = {"accepted": "booked", "pending": pending, "cancelled": "cancelled", "rejected": "declined"}
    zone = zone_or_none(found.booker.time_zone) if found.booker else None
    return News(stages.get(found.status, "waiting"), found.start_at, zone)


def shell_of(service: Service, booker: Booker, zone: ZoneInfo) -> Shell:
    """The shell of a service whose booker is the frame, with a reference of its own."""
    page = Embedded(service.slug, new_reference(), utcnow())
    choice = booker.choice
    frame = choice.frame or ""
    is_native = booker.can_be_native
    own_steps = url_for("bookings.choose_time", slug=service.slug, booker="native", zone=zone.key)
    words = {REFERENCE: page.reference, visits.KEY: visits.reference()}
    question = {"embed": NAMESPACE, "embedType": "inline", "layout": "month_view", **carried(words)}
    return Shell(
        frame=f"{frame}?{urlencode(question)}",
        origin=origin_of(frame),
        receipt=url_for("bookings.done", slug=service.slug, token=page.token),
        news=url_for("bookings.news", slug=service.slug, token=page.token),
        without=own_steps if is_native else url_for("bookings.elsewhere", slug=service.slug),
        is_native=is_native,
        times=[_free_link(service, row.start_at, zone, is_native=is_native) for row in FreeTime.next_for(service)],
    )


def _free_link(service: Service, start: datetime, zone: ZoneInfo, *, is_native: bool) -> FreeLink:
    local = start.astimezone(zone)
    way = "bookings.details" if is_native else "bookings.elsewhere"
    url = url_for(way, slug=service.slug, start=iso_utc(start), zone=zone.key)
    return FreeLink(local, url, urlencode(chosen_time(local)))


def frame_origin(services: Iterable[Service]) -> str | None:
    """Where the frames of these come from; None where none of them wants one."""
    app_url = cal().account.app_url
    wants_frame = any(wanted(service) is BookerKind.EMBED for service in services)
    return origin_of(app_url) if app_url and wants_frame else None


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def allow_frame(response: Response, origin: str) -> Response:
    """This page, and what htmx swaps into it, may show Cal.com's frame, in which one can pay.

    Its own windows (a bank that asks for a second factor) keep their opener, which a stricter COOP would cut.
    """
    policy = EVERYWHERE["Content-Security-Policy"]
    response.headers["Content-Security-Policy"] = f"{policy}; frame-src {origin}"
    permissions = EVERYWHERE["Permissions-Policy"]
    response.headers["Permissions-Policy"] = permissions.replace("payment=()", f'payment=(self "{origin}")')
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin-allow-popups"
    return response
