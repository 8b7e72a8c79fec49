"""What Cal.com says of the services' event types, and taking it over.

Of each fact there are three values: the site's, the one that Cal.com says now (`Service.told`), and the one that was
last taken over from there (`Service.taken`). Where the site's is still the one that was taken, or the one that the
catalogue came with, nobody here wrote it, and Cal.com's may take its place. Any other is the owner's: it stands, and is
shown as such. A price that differs is shown as long as it does; what the pages say meanwhile is `Service.price`.

Nothing is taken over but by somebody who asks for it: looking only notes what Cal.com says.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hds.calcom.answers import EventType
from hds.calcom.client import CalClient
from hds.calcom.errors import CalError, NotFound
from hds.calcom.responses import SYSTEM_SLUGS
from hds.calcom.troubles import trouble
from hds.extensions import db
from hds.lib.money import say_money
from hds.lib.times import utcnow
from hds.services.account import CalAccount
from hds.services.models import PLACES, EventTypeState, Service
from hds.services.seed import SERVICES

FIELDS = {
    "name": "Name",
    "duration_minutes": "Length",
    "duration_options": "Lengths to choose from",
    "price": "Price",
    "meeting_places": "Meeting places",
    "questions": "Questions",
    "needs_approval": "Waits for your yes",
    "seats": "Seats",
    "can_cancel": "Can be cancelled",
    "can_move": "Can be moved",
}
# What a service has of which nobody said anything.
UNSAID: dict[str, Any] = {
    "duration_options": None,
    "price": None,
    "meeting_places": [],
    "questions": None,
    "needs_approval": False,
    "seats": None,
    "can_cancel": True,
    "can_move": True,
}
FRESH = timedelta(minutes=5)  # for longer no page may say less than Cal.com charges by now
LARGEST = 2**31 - 1  # that a column of ours holds
_PLACES = {
    "integration": "video",
    "organizersDefaultApp": "video",
    "link": "video",
    "attendeePhone": "phone",
    "phone": "phone",
    "address": "in_person",
    "attendeeAddress": "in_person",
}


@dataclass(frozen=True)
class Difference:
    """A fact of which the site says something else than Cal.com. `is_own`: the owner wrote it, so it stays."""

    field: str
    ours: Any
    theirs: Any
    is_own: bool

    @property
    def label(self) -> str:
        return FIELDS[self.field]

    @property
    def our_words(self) -> str:
        return say(self.field, self.ours)

    @property
    def their_words(self) -> str:
        return say(self.field, self.theirs)


def is_due() -> bool:
    """Whether Cal.com was not asked for some minutes, or never about the event type that a service has by now."""
    looked_at = CalAccount.known().looked_at
    is_old = looked_at is None or looked_at <= utcnow() - FRESH
    return is_old or any(each.cal_event_type_id and each.event_type_state is None for each in Service.catalogue())


def look(client: CalClient) -> str:
    """Ask Cal.com and note what it says; commits. Why that was not possible, in a sentence; empty where it was."""
    db.session.rollback()  # no transaction stands open while Cal.com is asked
    try:
        note(client, client.event_types())
    except CalError as error:
        db.session.rollback()
        words = trouble(error, client.account)
        CalAccount.known().saw_nothing(words)
        db.session.commit()
        return words
    return ""


def note(client: CalClient, kinds: list[EventType]) -> None:
    """Keep what these say, and commit. An event type that is not among the owner's own (a team's) is asked for."""
    wanted = {service.id: (service.cal_event_type_id, service.cal_event_slug) for service in Service.catalogue()}
    db.session.rollback()
    found = {service_id: find(client, kinds, *which) for service_id, which in wanted.items()}
    for service in Service.catalogue():
        if service.id in found and wanted[service.id] == (service.cal_event_type_id, service.cal_event_slug):
            _note(service, found[service.id])
    CalAccount.known().saw(
        [{"id": kind.id, "slug": kind.slug, "title": kind.title, "hidden": kind.is_hidden} for kind in kinds]
    )
    db.session.commit()


def find(client: CalClient, kinds: list[EventType], event_type_id: int | None, slug: str | None) -> EventType | None:
    """The event type of this number, or, where no number is known, of this slug. Raises CalError but NotFound."""
    if event_type_id is None:
        return next((kind for kind in kinds if slug and kind.slug == slug), None)
    if known := next((kind for kind in kinds if kind.id == event_type_id), None):
        return known
    try:
        return client.event_type(event_type_id)
    except NotFound:
        return None


def _note(service: Service, kind: EventType | None) -> None:
    """Pages are made anew where that changes one, which is why an unchanged one is left alone."""
    if kind is None:
        state = EventTypeState.GONE if service.cal_event_type_id else None
    else:
        state = EventTypeState.HIDDEN if kind.is_hidden else EventTypeState.SHOWN
    told = told_by(kind) if kind else None
    if (service.told, service.event_type_state) != (told, state):
        service.told, service.event_type_state, service.told_at = told, state, utcnow()


def told_by(kind: EventType) -> dict[str, Any]:
    """What an event type says of a service, by the names of our columns. What it does not say is left out."""
    lengths = sorted(set(kind.length_options))
    places = [place for location in kind.locations if (place := _PLACES.get(str(location.get("type"))))]
    asked = [field.label or field.slug for field in kind.fields if _is_question(field.slug, field.is_hidden)]
    told = {
        "name": kind.title or None,
        "duration_minutes": kind.minutes or None,
        "meeting_places": _in_order(places) or None,
    }
    return {field: value for field, value in told.items() if value} | {
        "duration_options": lengths if len(lengths) > 1 else None,
        # Cal.com's own default, where it names a price and no currency.
        "price": [min(kind.price, LARGEST), kind.currency or "USD"] if kind.price else None,
        "questions": asked or None,
        "needs_approval": kind.needs_confirmation,
        "seats": kind.seats or None,
        "can_cancel": kind.can_cancel,
        "can_move": kind.can_move,
    }


def _is_question(slug: str | None, is_hidden: bool) -> bool:
    return bool(slug) and not is_hidden and slug not in SYSTEM_SLUGS


def differences(service: Service) -> list[Difference]:
    """Between the service and what Cal.com said at the last look, in the order of FIELDS."""
    told, taken = service.told or {}, service.taken or {}
    found = []
    for field in FIELDS:
        if field not in told or (ours := value_of(service, field)) == told[field]:
            continue
        # A price that Cal.com never took is how the owner bills, and no sign that it costs nothing.
        is_free_there = field == "price" and told[field] is None and field not in taken
        found.append(Difference(field, ours, told[field], is_free_there or ours != _base(service, field)))
    return found


def take_over(service: Service, own: Collection[str] = ()) -> list[Difference]:
    """Make the service say what Cal.com says, but where the owner wrote something else; of `own` that gives way too.
    What was changed. The caller commits."""
    changed = [difference for difference in differences(service) if not difference.is_own or difference.field in own]
    for difference in changed:
        _set(service, difference.field, difference.theirs)
    told = service.told or {}
    agreed = {field: told[field] for field in told if value_of(service, field) == told[field]}
    service.taken = {**(service.taken or {}), **agreed}
    return changed


def drift() -> list[str]:
    """What the site and Cal.com do not say alike, a sentence each, as of the last look."""
    return [sentence for service in Service.catalogue() for sentence in _drift_of(service)]


def _drift_of(service: Service) -> Iterator[str]:
    if service.event_type_state is EventTypeState.GONE:
        yield f"{service.name}: its event type is not there any more at Cal.com, so nobody can book it."
    elif service.event_type_state is EventTypeState.HIDDEN:
        yield f"{service.name}: its event type is hidden at Cal.com; it can be booked here all the same."
    for difference in differences(service):
        words = f"{service.name}: {difference.label.lower()} is {difference.our_words} here"
        words += " (yours)" if difference.is_own else ""
        words += f", and {difference.their_words} at Cal.com"
        if difference.field == "price":
            words += f"; the pages say {advertised(service)}"
        yield f"{words}."


def advertised(service: Service) -> str:
    return say_money(service.price_amount, service.price_currency)


def value_of(service: Service, field: str) -> Any:
    if field == "price":
        amount, currency = service.own_price
        return [amount, currency] if amount else None
    value = getattr(service, field)
    if field == "meeting_places":
        return _in_order(value or [])
    return value if value or isinstance(value, bool) else None


def _in_order(places: Iterable[str]) -> list[str]:
    """The same places said in another order are no difference."""
    known = list(PLACES)
    return sorted(set(places), key=lambda place: (known.index(place) if place in known else len(known), place))


def _set(service: Service, field: str, value: Any) -> None:
    if field == "price":
        service.own_price_amount, service.own_price_currency = value or (None, None)
    else:
        setattr(service, field, value)


def _base(service: Service, field: str) -> Any:
    """The value that nobody here wrote: what was taken over last, else what the catalogue came with."""
    if field in (service.taken or {}):
        return (service.taken or {})[field]
    shipped: dict[str, Any] = next((row for row in SERVICES if row["slug"] == service.slug), {})
    if field == "price":
        return [shipped["price_amount"], shipped["price_currency"]] if shipped.get("price_amount") else None
    value = shipped.get(field, UNSAID.get(field))
    return _in_order(value or []) if field == "meeting_places" else value


def say(field: str, value: Any) -> str:
    """A value as staff read it."""
    return _WORDS.get(field, str)(value)


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


_WORDS: dict[str, Callable[[Any], str]] = {
    "duration_minutes": lambda minutes: f"{minutes} minutes",
    "duration_options": lambda options: f"{', '.join(map(str, options))} minutes" if options else "one",
    "price": lambda price: say_money(*(price or (None, None))),
    "meeting_places": lambda places: ", ".join(PLACES.get(place, place) for place in places) or "none",
    "questions": lambda questions: "; ".join(questions) if questions else "none",
    "needs_approval": _yes_or_no,
    "seats": lambda seats: str(seats or "one"),
    "can_cancel": _yes_or_no,
    "can_move": _yes_or_no,
}
