"""How one service is booked now: in Cal.com's frame, by our own steps, by a link to its page, or by writing; and where
one can meet."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import structlog

from hds.calcom import booker as calcom_booker
from hds.calcom import fields
from hds.calcom.answers import EventType
from hds.calcom.booker import Asked, Choice, Kind, Reason
from hds.calcom.client import CalClient, Target, client_from
from hds.calcom.errors import CalError, NotAllowed, NotFound, RateLimited
from hds.config import BookerKind, settings
from hds.services.models import PLACES, Service

log = structlog.get_logger(part="bookings")

# The key of our own reference in a booking's metadata, and the slug of the hidden field. Rare, as an owner may have a
# question "reference" of their own; with a hyphen, as Cal.com writes an underscore of an identifier as one.
REFERENCE = "hds-reference"


LONGEST = 24 * 60  # minutes


# What somebody types for a place that they name: the field of the form → Cal.com's word for it.
TYPED = {"phone": "phone", "address": "address", "elsewhere": "location"}


@dataclass(frozen=True)
class Place:
    """Where a meeting can be. `location`: how Cal.com is told, where it was Cal.com that named the place.
    `asks`: the field of the form, one of TYPED, that it needs; such a place is called like it."""

    key: str
    label: str
    location: Mapping[str, str]
    asks: str = ""

    def told(self, typed: str | None) -> dict[str, str]:
        return dict(self.location) | ({TYPED[self.asks]: typed} if self.location and self.asks and typed else {})


@dataclass(frozen=True)
class Booker:
    """`choice` with its reason; `is_down` where Cal.com did not say what can be booked, `is_busy` where that is because
    so many ask.
    `pin`: what the addresses of our own steps say, where they stand beside Cal.com's frame.
    `minutes`: the length, where it can be chosen (`lasting`). `moving`: the uid of the booking that another
    time is looked for: what it takes now counts as free."""

    choice: Choice
    target: Target
    places: tuple[Place, ...]
    event_type: EventType | None = None
    is_down: bool = False
    is_busy: bool = False
    pin: str | None = None
    minutes: int | None = None
    moving: str | None = None

    @property
    def lengths(self) -> list[int]:
        """In minutes, where there is a choice."""
        options = sorted(set(self.event_type.length_options)) if self.event_type else []
        return options if len(options) > 1 else []

    def lasting(self, minutes: int | None) -> "Booker":
        """With the length that somebody chose, else the event type's usual one, else its shortest. Where nobody knows
        which there are, the chosen one stays."""
        if self.event_type is None:
            return replace(self, minutes=minutes if minutes and 0 < minutes <= LONGEST else None)
        usual = self.event_type.minutes
        wished = next((length for length in (minutes, usual) if length in self.lengths), None)
        return replace(self, minutes=wished or next(iter(self.lengths), None))

    @property
    def is_embed(self) -> bool:
        return self.choice.kind is Kind.EMBED

    @property
    def is_native(self) -> bool:
        return self.choice.kind is Kind.NATIVE

    @property
    def can_be_native(self) -> bool:
        """Whether our own steps can book it, as the first way or as the one beside the frame."""
        beside = self.choice.without_frame
        return self.is_native or (beside is not None and beside.kind is Kind.NATIVE)

    @property
    def url(self) -> str | None:
        return self.choice.url

    @property
    def takes_payment(self) -> bool:
        return self.event_type is not None and self.event_type.price > 0

    def awaits_approval(self, service: Service) -> bool:
        """Whether the host answers first, as Cal.com says; while it does not, as the catalogue does."""
        return self.event_type.needs_confirmation if self.event_type else service.needs_approval

    @property
    def asked(self) -> Asked:
        return Asked.of(self.event_type) if self.event_type else Asked()

    def carried(self, words: Mapping[str, str]) -> dict[str, str]:
        """Our own words for the hidden questions that the event type has for them: Cal.com loses metadata at times."""
        listed = {question.slug for question in self.event_type.fields} if self.event_type else set()
        return {key: value for key, value in words.items() if key in listed}

    def kept(self, prefilled: Mapping[str, list[str]]) -> dict[str, str | list[str]]:
        """What the addresses of our own steps say beside the time and its zone."""
        named = {"booker": self.pin, "duration": str(self.minutes) if self.minutes else None}
        return {name: value for name, value in named.items() if value} | dict(prefilled)

    def place(self, key: str | None) -> Place | None:
        return next((place for place in self.places if place.key == key), None)


def cal() -> CalClient:
    """The client of this application's account: one per process."""
    return client_from(settings)


def new_reference() -> str:
    """Our own name for what is about to be booked. It travels as metadata and comes back with the webhook."""
    return secrets.token_urlsafe(16)


def wanted(service: Service) -> BookerKind:
    """Where the chain begins: with what the service says, else the site."""
    return service.booker or settings.booker


def booker_of(service: Service, *, own_steps: bool = False) -> Booker:
    """Asks Cal.com for the event type (kept for a minute), unless links are wanted and the page is known.

    `own_steps`: somebody came for our own booker, where Cal.com's frame is the first.
    """
    preferred, pin = wanted(service), None
    if own_steps and preferred is BookerKind.EMBED:
        preferred = pin = BookerKind.NATIVE
    event_type, error = None, None
    if preferred is BookerKind.LINK and (page := _page(service, None)):
        choice = Choice(Kind.LINK, url=page)
    else:
        event_type, error = _event_type(service)
        page = _page(service, event_type)
        frame = calcom_booker.frame_url(cal().account.app_url, cal().account.pages_url, page)
        choice = calcom_booker.choose(event_type, preferred, page, frame=frame, unknown=_why_unknown(error))
    event_type_id = event_type.id if event_type else service.cal_event_type_id
    target = Target(event_type_id, service.cal_event_slug or "", cal().account.link)
    booker = Booker(choice, target, _places(service, event_type), event_type, pin=pin)
    return replace(booker, is_down=error is not None, is_busy=isinstance(error, RateLimited))


def without_answer(service: Service, booker: Booker, error: CalError | None = None) -> Booker:
    """The same booker once a call of it failed: what is left is the link, or writing."""
    choice = calcom_booker.choose(None, Kind.NATIVE, _page(service, booker.event_type))
    return replace(booker, choice=choice, is_down=True, is_busy=isinstance(error, RateLimited))


def _event_type(service: Service) -> tuple[EventType | None, CalError | None]:
    client = cal()
    try:
        if service.cal_event_type_id and client.account.api_key:
            return client.event_type(service.cal_event_type_id), None
        if service.cal_event_slug and client.account.link:
            return client.event_type_by_slug(client.account.link, service.cal_event_slug), None
    except CalError as error:
        log.warning("event type not known", service=service.slug, reason=str(error))
        return None, error
    return None, None


def onward_url(url: str, words: Mapping[str, str], start: datetime | None = None) -> str:
    """Cal.com's page with words of ours, opened at a time if one was chosen."""
    query = calcom_booker.carried(words) | (calcom_booker.chosen_time(start) if start else {})
    return f"{url}?{urlencode(query)}" if query else url


def _why_unknown(error: CalError | None) -> Reason:
    match error:
        case None:
            return Reason.UNTOLD
        case RateLimited():
            return Reason.TOO_OFTEN
        case NotAllowed():
            return Reason.NOT_ALLOWED
        case NotFound():
            return Reason.NOT_FOUND
    return Reason.NO_ANSWER


def _page(service: Service, event_type: EventType | None) -> str | None:
    """The service's page at Cal.com."""
    account = cal().account
    slug = service.cal_event_slug or (event_type.slug if event_type else None) or ""
    url = calcom_booker.link_url(account.pages_url, account.link, slug)
    if url is None and event_type and event_type.booking_url and "?" not in event_type.booking_url:
        pages, owner, slug = event_type.booking_url.rsplit("/", 2)
        url = calcom_booker.link_url(pages, owner, slug)
    return url


# What the apps for video calls are called, where that is not their word in the API with capitals.
_APPS = {
    "cal-video": "Cal Video",
    "office365-video": "Microsoft Teams",
    "facetime-video": "FaceTime",
    "whatsapp-video": "WhatsApp",
    "webex-video": "Webex",
}


def _places(service: Service, event_type: EventType | None) -> tuple[Place, ...]:
    """Those that the event type has, each that Cal.com can tell apart once, else what the catalogue says, without a
    word to Cal.com."""
    found: dict[str, Place] = {}
    locations = event_type.locations if event_type else []
    for location in locations:
        if place := _place(location, locations):
            found.setdefault(place.key, place)
    if found:
        return tuple(found.values())
    return tuple(
        Place(key, PLACES.get(key, key).capitalize(), {}, asks="phone" if key == "phone" else "")
        for key in service.meeting_places
    )


# Cal.com's kinds → key, label, and what of the host's may be shown beside it. Where a key is one of TYPED, the booker
# says the rest.
_KINDS = {
    "link": ("link", "Video call, by a link that we send", ""),
    "attendeePhone": ("phone", "Phone: we call you", ""),
    "phone": ("call_us", "Phone: you call us", "phone"),
    "address": ("in_person", "In person", "address"),
    "attendeeAddress": ("address", "In person, where you are", ""),
    "attendeeDefined": ("elsewhere", "Somewhere else: you say where", ""),
}
_CALLS = {"integration", "organizersDefaultApp"}


def _place(location: Mapping[str, Any], among: Sequence[Mapping[str, Any]]) -> Place | None:
    """None for what Cal.com itself calls unknown, or what it may learn later."""
    kind = location.get("type")
    if kind in _CALLS:
        return _call(location, [other for other in among if other.get("type") in _CALLS])
    if kind not in _KINDS:
        return None
    key, label, shown = _KINDS[kind]
    value = fields.line(location.get(shown), 200) if location.get("public") is True else None
    return Place(key, f"{label}: {value}" if value else label, {"type": kind}, asks=key if key in TYPED else "")


def _call(location: Mapping[str, Any], calls: Sequence[Mapping[str, Any]]) -> Place:
    app = location.get("integration")
    if not isinstance(app, str):
        return Place("video", "Video call", {"type": "organizersDefaultApp"})
    label = f"Video call ({_app(app)})" if len(calls) > 1 else "Video call"
    return Place("video" if location == calls[0] else app[:20], label, {"type": "integration", "integration": app})


def _app(word: str) -> str:
    return _APPS.get(word) or word.removesuffix("-video").replace("-", " ").title()
