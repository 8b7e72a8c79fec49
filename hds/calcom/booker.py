"""How a visitor books one service: in Cal.com's frame, on our page over the API, by a link to Cal.com's page, or by
writing to us. Of these the first that works, from the one that is wanted on.

Decisions alone: nothing here asks Cal.com or the database.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import quote

from hds.calcom.answers import BookingField, EventType
from hds.calcom.client import storable_metadata
from hds.calcom.responses import SYSTEM_SLUGS
from hds.lib.times import iso_utc

# The kinds of questions that our own form can ask, as Cal.com calls them, and those that are nothing without options.
RENDERED = frozenset(
    {"text", "textarea", "number", "select", "radio", "multiselect", "checkbox", "boolean", "phone", "address"}
    | {"multiemail", "url"}
)
_CHOICES = frozenset({"select", "radio", "multiselect", "checkbox"})
# What each form has beside them. The last is asked for when a booking is moved, never when it is made.
_COMMON = frozenset({"name", "email", "location", "notes", "guests", "rescheduleReason"})
_SLUG = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)


class Kind(StrEnum):
    EMBED = "embed"
    NATIVE = "native"
    LINK = "link"
    WRITE = "write"


class Reason(StrEnum):
    """Why an earlier way of the chain was not taken, in the words for staff."""

    UNTOLD = (
        "Cal.com cannot be asked about it: that needs the number of its event type and CAL_ACCESS_TOKEN, "
        "or its slug and CAL_LINK."
    )
    NO_ANSWER = "Cal.com does not answer, so what can be booked is not known."
    TOO_OFTEN = "Cal.com is asked too often just now. In a minute it can be asked again."
    NOT_ALLOWED = "Cal.com refuses CAL_ACCESS_TOKEN: it is wrong, or of another region (CAL_REGION)."
    NOT_FOUND = "Cal.com knows no such event type, or it belongs to another account."
    PAID = "This event type needs payment, which only Cal.com’s page can take."
    SERIES = "This event type is a series of meetings, which only Cal.com’s page can book."
    INSTANT = "This event type is an instant meeting, which only Cal.com’s page can begin."
    SIGN_IN = "This event type is for people signed in at Cal.com, so only Cal.com’s page can book it."
    QUESTIONS = "This event type requires answers that only Cal.com’s page asks for:"  # and which
    NO_FRAME = "A frame on our page needs your name at Cal.com: set CAL_LINK."
    NO_PAGE = "Its page at Cal.com is not known either: that needs CAL_LINK and its slug there."


@dataclass(frozen=True)
class Choice:
    """`reason`: for staff, why no earlier way of the chain was taken; empty where this one was wanted.
    `url`: the page at Cal.com, where it is known. `frame`: what the frame of an embed shows.
    `without_frame`: what is left where a browser cannot show it."""

    kind: Kind
    reason: str = ""
    url: str | None = None
    frame: str | None = None
    without_frame: "Choice | None" = None


def choose(
    event_type: EventType | None,
    preferred: str,
    url: str | None,
    *,
    frame: str | None = None,
    unknown: Reason = Reason.NO_ANSWER,
) -> Choice:
    """The way that works. `event_type`: None where it is not known, and `unknown` why;
    `url`: this service's page at Cal.com (`link_url`), None where no name is known; `frame`: the same for a frame."""
    if event_type is None:
        return _elsewhere(unknown, url)
    if preferred == Kind.LINK:
        return _elsewhere("", url)
    native = _on_our_page(event_type, url)
    if preferred != Kind.EMBED:
        return native
    if frame:
        return Choice(Kind.EMBED, "", url, frame, native)
    return Choice(native.kind, f"{Reason.NO_FRAME} {native.reason}".strip(), native.url)


def _on_our_page(event_type: EventType, url: str | None) -> Choice:
    if fault := obstacle(event_type):
        return _elsewhere(fault, url)
    return Choice(Kind.NATIVE, url=url)


def _elsewhere(reason: str, url: str | None) -> Choice:
    return Choice(Kind.LINK, reason, url) if url else Choice(Kind.WRITE, f"{reason} {Reason.NO_PAGE}".strip())


def obstacle(event_type: EventType) -> str:
    """Why the API, or our form, cannot book this type. Empty where it can."""
    faults = {
        Reason.PAID: event_type.price > 0,  # the API books, but gives no way to pay
        Reason.SERIES: event_type.is_recurring,
        Reason.INSTANT: event_type.is_instant,
        Reason.SIGN_IN: event_type.needs_authentication,
    }
    for fault, holds in faults.items():
        if holds:
            return fault
    required = [field for field in event_type.fields if field.is_required and not field.is_hidden]
    missing = [field.slug or "?" for field in required if not (field.slug in _COMMON or _can_be_asked(field))]
    return f"{Reason.QUESTIONS} {', '.join(missing)}." if missing else ""


_NOTES = BookingField(slug="notes")


@dataclass(frozen=True)
class Asked:
    """What an event type asks of who books, beside name, address and place. None: it is not asked. `hidden`: what only
    the address of the page answers."""

    questions: tuple[BookingField, ...] = ()
    hidden: tuple[BookingField, ...] = ()
    notes: BookingField | None = _NOTES
    guests: BookingField | None = None

    @classmethod
    def of(cls, event_type: EventType) -> "Asked":
        """What our form cannot ask is left out: either nobody must answer it, or it is an obstacle. Who takes a seat
        takes one."""
        listed = {field.slug: field for field in event_type.fields}
        own = [field for field in event_type.fields if field.slug not in _COMMON and _can_be_asked(field)]
        notes, guests = listed.get("notes", cls.notes), listed.get("guests")
        return cls(
            tuple(field for field in own if not field.is_hidden),
            tuple(field for field in own if field.is_hidden and field.slug not in SYSTEM_SLUGS),
            None if notes is None or notes.is_hidden else notes,
            None if guests is None or guests.is_hidden or not event_type.takes_guests or event_type.seats else guests,
        )


def _can_be_asked(field: BookingField) -> bool:
    is_complete = bool(field.options) or field.type not in _CHOICES
    return field.type in RENDERED and is_complete and bool(_SLUG.fullmatch(field.slug or ""))


def link_url(pages_url: str, link: str, slug: str) -> str | None:
    """https://cal.com/<owner>/<slug>, or None where the owner's name or the slug is not known."""
    if not (pages_url and link and slug):
        return None
    return f"{pages_url.rstrip('/')}/{quote(link.strip('/'), safe='/')}/{quote(slug, safe='')}"


def carried(words: Mapping[str, str]) -> dict[str, str]:
    """Our own words in the query of Cal.com's page or frame: each twice, as metadata and for a hidden field, as Cal.com
    loses now the one, now the other.

    Addresses never stand there, whoever passes them: a query is kept in logs and histories.
    """
    known = storable_metadata({key: value for key, value in words.items() if "@" not in value})
    return {f"metadata[{key}]": value for key, value in known.items()} | known


def chosen_time(start: datetime) -> dict[str, str]:
    """The query that opens Cal.com's page or frame at a free time; its day is that of the zone of `start`."""
    return {"month": f"{start:%Y-%m}", "date": f"{start:%Y-%m-%d}", "slot": iso_utc(start)}


def frame_url(app_url: str, pages_url: str, page: str | None) -> str | None:
    """The page as its frame: Cal.com's pages live at cal.com, its frames at app.cal.com."""
    if not page:
        return None
    base = pages_url.rstrip("/")
    if app_url and page.startswith(f"{base}/"):
        page = app_url.rstrip("/") + page.removeprefix(base)
    return f"{page}/embed"
