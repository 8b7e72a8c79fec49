"""How the facts of a booking are said on a page and in a mail: where, for how much, until when it can be moved."""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hds.bookings import chain
from hds.bookings.chain import PaymentState
from hds.bookings.models import Booking, BookingAttempt
from hds.lib.money import say_money
from hds.lib.times import utcnow
from hds.services.models import Service

NOTICE = timedelta(hours=24)  # how long before the meeting somebody may move or cancel it without us

PAYMENTS = {
    PaymentState.PENDING: "not paid yet",
    PaymentState.PAID: "paid",
    PaymentState.FAILED: "the payment failed",
    PaymentState.REFUNDED: "refunded",
}

# Cal.com's own words for the kinds of places, as the answer to its question "location" has them.
VIDEO, CALLED, CALLING = "conferencing", "phone", "userPhone"
HERE, THERE, ELSEWHERE = "inPerson", "attendeeInPerson", "somewhereElse"
_APP = "integrations:"  # begins the name of each app for video calls
_KINDS = {VIDEO, CALLED, CALLING, HERE, THERE, ELSEWHERE, "link"}
_NUMBER = re.compile(r"\+?[0-9][0-9 ()./-]{4,}", re.ASCII)

# What stands before the number or the address, and what is said where neither is known.
_FOR_BOOKER = {
    CALLED: ("We call {}", "We call you"),
    CALLING: ("You call {}", "By phone: you call us"),
    HERE: ("In person: {}", "In person"),
    THERE: ("We come to you: {}", "We come to you"),
}
_FOR_OWNER = {
    CALLED: ("You call {}", "By phone: you call"),
    CALLING: ("They call {}", "By phone: they call you"),
    HERE: ("In person: {}", "In person"),
    THERE: ("You come to them: {}", "You come to them"),
}


@dataclass(frozen=True)
class Where:
    """Where one meets: `text` stands alone, `url` opens the video call or shows the place."""

    text: str
    url: str | None = None
    is_video: bool = False

    def __str__(self) -> str:
        return f"{self.text}: {self.url}" if self.url else self.text


def where(
    kind: str | None, location: str | None, url: str | None = None, phone: str | None = None, *, for_owner: bool = False
) -> Where | None:
    """The place in words; None where nothing is known of it.

    `kind`: what was chosen, in Cal.com's words; `location`: what Cal.com says of the place, which is its kind, the
    name of an app, a number, an address or a link; `phone`: the booker's own. Kind and location may come from bodies
    of different age, so a kind that does not fit what is there is not believed.
    """
    place = location or ""
    if place in _KINDS or place.startswith(_APP):
        kind, place = place, ""
    if place == url:
        place = ""
    if kind is None or not _fits(kind, place, url):
        kind = _guessed(place, url, phone)
    if kind == CALLED:
        place = place or phone or ""
    said = (_FOR_OWNER if for_owner else _FOR_BOOKER).get(kind)
    if said:
        return Where(said[0].format(place) if place else said[1], url)
    if _is_video(kind):
        return Where("Video call", url, is_video=True)
    return Where(f"By phone: {place}" if _is_number(place) else place, url) if place else None


def where_of(booking: Booking, *, for_owner: bool = False) -> Where | None:
    """With its link, for a mail. Of several who have seats, none reads another's number or address."""
    kind = chain.read([event.fact for event in booking.events]).details.location_kind
    phone, place = booking.contact.phone if booking.contact else None, booking.location
    if booking.is_seated and not for_owner:
        numbers = {_digits(person.phone or "") for person in booking.bookers} - {""}
        is_somebodys = kind in {CALLED, THERE, ELSEWHERE} or _digits(place or "") in numbers
        phone, place = None, kind if is_somebodys else place
    return where(kind, place, booking.meeting_url, phone, for_owner=for_owner)


def where_chosen(attempt: BookingAttempt) -> Where | None:
    """The place that somebody chose in our form, while no webhook has told of it."""
    if attempt.place is None:
        return None
    called = CALLED if attempt.phone else CALLING
    kinds = {"phone": called, "call_us": CALLING, "in_person": HERE, "address": THERE, "elsewhere": ELSEWHERE}
    kind = kinds.get(attempt.place, VIDEO)  # else it is named by the app of the call
    return _link_follows(where(kind, attempt.place_detail, phone=attempt.phone))


def where_on_page(booking: Booking) -> Where | None:
    """For a page, or a calendar that others may look into. A link with a uid of Cal.com's in it, as Cal Video's has,
    stays in the mail: who knows the uid can cancel the booking."""
    place = where_of(booking)
    if place and place.url and any(uid in place.url for uid in (booking.uid, *booking.previous_uids)):
        place = replace(place, url=None)
    return _link_follows(place)


def price(amount: int | None, currency: str | None, state: PaymentState = PaymentState.NONE) -> str:
    """$150.00, paid. Of a payment that nobody has told of nothing is said."""
    money = say_money(amount, currency)
    return f"{money}, {PAYMENTS[state]}" if amount and state in PAYMENTS else money


def changeable_until(start_at: datetime) -> datetime | None:
    """Until when a booking can be moved or cancelled online; None where that time has passed."""
    until = start_at - NOTICE
    return until if utcnow() < until else None


def fixed_once_taken(start_at: datetime, service: Service) -> str:
    """Said to who is about to take a time that begins so soon that it stays; empty where it can be changed for a while,
    or never could be, which the service says itself."""
    ways = [way for way, is_open in (("moved", service.can_move), ("cancelled", service.can_cancel)) if is_open]
    if not ways or changeable_until(start_at):
        return ""
    hours = NOTICE // timedelta(hours=1)
    return f"It begins within {hours} hours: it cannot be {' or '.join(ways)} online afterwards."


def _link_follows(place: Where | None) -> Where | None:
    is_without = place and place.is_video and not place.url
    return Where("Video call; the link comes by mail", is_video=True) if is_without else place


def _fits(kind: str, place: str, url: str | None) -> bool:
    if kind in {CALLED, CALLING}:
        return not url and (not place or _is_number(place))
    if _is_video(kind):
        return not place
    return kind in _KINDS and not _is_number(place)


def _guessed(place: str, url: str | None, phone: str | None) -> str:
    if url:
        return "link"
    return CALLED if place and phone and _digits(place) == _digits(phone) else ELSEWHERE


def _is_video(kind: str) -> bool:
    return kind in {VIDEO, "link"} or kind.startswith(_APP)


def _is_number(place: str) -> bool:
    return _NUMBER.fullmatch(place.strip()) is not None


def _digits(number: str) -> str:
    return re.sub(r"\D", "", number)
