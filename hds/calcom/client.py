"""API v2: a method for each call we make, typed errors for each way it can fail.

Bounded by `lib.http`: a page that asks Cal.com waits a few seconds at most, and nothing but a GET is ever repeated.
"""

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from hds.calcom.account import Account, CalSettings, account_from
from hds.calcom.answers import Booking, EventType, Me, Reservation, Webhook
from hds.calcom.body import NotUnderstood, decode
from hds.calcom.errors import BookingUnknown, Invalid, NotConfigured, NotFound, RateLimited, Unavailable
from hds.calcom.fields import METADATA_KEYS, moment_or_none, part, uid_or_none, whole
from hds.calcom.listing import VERSIONS, Page, Turn
from hds.calcom.refusals import refusal
from hds.calcom.shared import Shared
from hds.lib import http
from hds.lib.budget import Budget

# Each family of endpoints has its own version. A missing or unknown one falls back silently to another shape.
SLOTS_VERSION = "2024-09-04"
EVENT_TYPES_VERSION = "2024-06-14"
BOOKING_LIST_VERSION = "2024-08-13"  # always: the newest listing timed out on hosted Cal.com in September 2026
LIST_SECONDS = 25.0  # a long list may take so long

REQUEST_RESCHEDULE_VERSION = "2026-02-25"

# Cal.com blocks a key for a minute at 120 calls in a minute: some are left for others who use it, and for clocks that
# differ. A third of ours is kept for bookings; no visitor's browsing takes more than a third of the rest.
CALLS, BROWSING, EACH = 108, 72, 24

Slots = dict[date, list[datetime]]
_SECRET_PART = re.compile(r"^(/bookings|/slots/reservations)/[^/]+")  # a uid: who knows it may read and cancel
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Slot:
    """A free time. Of a type with seats: how many are taken and, where Cal.com says so, how many are left."""

    start: datetime
    taken: int | None = None
    left: int | None = None


@dataclass(frozen=True)
class Target:
    """What is booked: an event type by its id, or by its slug and whose it is (`owner`, or `team/name`)."""

    event_type_id: int | None = None
    slug: str = ""
    owner: str = ""

    def fields(self) -> dict[str, Any]:
        if self.event_type_id is not None:
            return {"eventTypeId": self.event_type_id}
        team = self.owner.removeprefix("team/")
        return {"eventTypeSlug": self.slug, "username" if team == self.owner else "teamSlug": team}


@dataclass(frozen=True)
class Person:
    """Who books."""

    name: str
    email: str
    time_zone: str
    phone: str | None = None
    language: str = "en"

    def fields(self) -> dict[str, str]:
        known = {"name": self.name, "email": self.email, "timeZone": self.time_zone, "language": self.language}
        return known | ({"phoneNumber": self.phone} if self.phone else {})


def client_from(settings: CalSettings) -> "CalClient":
    """The client of these settings: one per account and process, so that pool, bounds and caches are shared."""
    return _client_of(account_from(settings))


class CalClient:
    """Cal.com's API for one account. Safe to use from many threads."""

    def __init__(
        self, account: Account, outbound: http.Outbound | None = None, patient: http.Outbound | None = None
    ) -> None:
        self.account = account
        self._outbound = outbound or http.Outbound("cal.com", read=account.read_seconds)
        # Long lists take their time, and no page waits for one: they take no place away from those that do.
        self._patient = patient or http.Outbound("cal.com", read=LIST_SECONDS, total=LIST_SECONDS, at_once=1)
        self._slots: Shared[list[Slot]] = Shared(fresh=10, stale=60)
        self._event_types: Shared[EventType] = Shared(fresh=60, stale=3600)

    # What can be booked

    def me(self) -> Me:
        """Whose key it is."""
        return _parsed(Me, self._get("/me", needs_key=True))

    def event_type(self, event_type_id: int) -> EventType:
        """One of the owner's own event types. Needs the key."""
        self._require_key()

        def load() -> EventType:
            return _parsed(EventType, self._get(f"/event-types/{event_type_id}", EVENT_TYPES_VERSION))

        return self._event_types.get(event_type_id, load)

    def event_types(self) -> list[EventType]:
        """All of the key's owner's own, the hidden ones too. Asked anew each time. An older Cal.com lists none unless
        it is told whose."""
        if found := _each(EventType, self._get("/event-types", EVENT_TYPES_VERSION, needs_key=True)):
            return found
        owner = self.me().username
        whose = {"username": owner} if owner else None
        return _each(EventType, self._get("/event-types", EVENT_TYPES_VERSION, whose)) if whose else []

    def event_type_by_slug(self, owner: str, slug: str) -> EventType:
        """Anybody's public event type; no key needed."""

        def load() -> EventType:
            found = self._get("/event-types", EVENT_TYPES_VERSION, {"username": owner, "eventSlug": slug})
            kinds = [kind for kind in found if part(kind, "slug") == slug] if isinstance(found, list) else []
            if not kinds:
                raise NotFound("no such event type")
            return _parsed(EventType, kinds[0])

        return self._event_types.get((owner, slug), load)

    def slots(
        self,
        target: Target,
        start: date | datetime,
        end: date | datetime,
        zone: ZoneInfo,
        minutes: int | None = None,
        *,
        moving: str | None = None,
    ) -> Slots:
        """The free times from `start` up to `end`, by their day in `zone`, aware and in that zone.

        Days count whole and inclusive. Cal.com is asked for whole days of UTC with one more on both sides, which holds
        the days of every zone: so visitors all over the world share one answer for ten seconds. What lies around the
        range is left out here. `moving`: the uid of a booking whose own time counts as free.
        """
        found = self._slots_of(target, start, end, zone, minutes=minutes, moving=moving)
        days: Slots = {}
        for slot in found:
            local = slot.start.astimezone(zone)
            days.setdefault(local.date(), []).append(local)
        return days

    def seats(
        self, target: Target, start: date | datetime, end: date | datetime, zone: ZoneInfo, minutes: int | None = None
    ) -> dict[datetime, Slot]:
        """The same times of an event type with seats, with what is known of these: usually out of the same answer."""
        return {slot.start: slot for slot in self._slots_of(target, start, end, zone, minutes=minutes)}

    def _slots_of(
        self,
        target: Target,
        start: date | datetime,
        end: date | datetime,
        zone: ZoneInfo,
        *,
        minutes: int | None,
        moving: str | None = None,
    ) -> list[Slot]:
        if not (2000 <= start.year <= 2100 and 2000 <= end.year <= 2100):
            return []
        first, last = _instant(start, zone), _instant(end, zone, is_end=True)
        query = {key: str(value) for key, value in target.fields().items()}
        query |= {"start": _iso(_utc_day(start, -1)), "end": _iso(_utc_day(end, 2)), "timeZone": "UTC"}
        if minutes is not None:
            query["duration"] = str(minutes)
        if moving is not None:
            query["bookingUidToReschedule"] = moving

        def load() -> list[Slot]:
            return _times(self._get("/slots", SLOTS_VERSION, query))

        return [slot for slot in self._slots.get(tuple(query.items()), load) if first <= slot.start < last]

    # A booking's life

    def create_booking(
        self,
        target: Target,
        start: datetime,
        person: Person,
        *,
        guests: Sequence[str] = (),
        notes: str = "",
        answers: Mapping[str, Any] | None = None,
        location: Mapping[str, str] | None = None,
        metadata: Mapping[str, str] | None = None,
        minutes: int | None = None,
        proof: str = "",
    ) -> Booking:
        """Book. SlotTaken where somebody was faster; BookingUnknown where no answer came: then `find_booking`.

        `proof`: the code that was sent to the address, where one is wanted.
        """
        body: dict[str, Any] = {**target.fields(), "start": _iso(start), "attendee": person.fields()}
        responses = dict(answers or {}) | ({"notes": notes} if notes else {})
        wishes = {
            "bookingFieldsResponses": responses,
            "guests": list(guests),
            "location": dict(location or {}),
            "metadata": storable_metadata(metadata or {}),
            "lengthInMinutes": minutes,
            "emailVerificationCode": proof,
        }
        body |= {key: value for key, value in wishes.items() if value}
        return self._booking_after("/bookings", body)

    def find_booking(self, email: str, start: datetime, reference: str = "") -> Booking | None:
        """The booking that a call without an answer may have made: by our reference in its metadata, else the live
        one of this person at this time. Needs the key; NotConfigured without."""
        query = {
            "attendeeEmail": email,
            "afterStart": _iso(start - timedelta(minutes=1)),
            "sortCreated": "desc",
            "take": "50",
        }
        found = self._get("/bookings", BOOKING_LIST_VERSION, query, needs_key=True)
        bookings = [booking for entry in found if (booking := _booking_or_none(entry))] if _is_list(found) else []
        same_time = [booking for booking in bookings if booking.start_at == start]
        ours = [booking for booking in bookings if reference and reference in booking.metadata.values()]
        candidates = sorted(ours, key=lambda booking: not booking.is_live)
        candidates += [booking for booking in same_time if booking.is_live]
        return candidates[0] if candidates else None

    def list_bookings(self, query: Mapping[str, str], turn: Turn | None = None) -> Page:
        """A page of all bookings that fit, the organisation's where the account names one. Needs the key.

        Without a turn it is the first one, in the form that answers: the account's, else the other.
        """
        self._require_key()
        if turn is not None:
            return self._page(query, turn) or _no_list()
        known = [version for version in VERSIONS if version != self.account.list_version]
        for calls, version in enumerate([self.account.list_version, *known], start=1):
            try:
                if page := self._page(query, Turn.first(version)):
                    return replace(page, calls=calls)
            except NotFound:  # what an older shape knows nothing of
                continue
        return _no_list()

    def booking(self, uid: str) -> Booking:
        """One booking. Cal.com asks for no key here: whoever knows the uid may read it."""
        return _booking(self._get(_path(uid), self.account.bookings_version))

    def reschedule(
        self,
        uid: str,
        start: datetime,
        *,
        reason: str = "",
        by: str = "",
        seat_uid: str = "",
        as_host: bool = False,
    ) -> Booking:
        """Move it: the answer is a new booking with a new uid. `by` the owner's e-mail also confirms it."""
        wishes = {"reschedulingReason": reason, "rescheduledBy": by, "seatUid": seat_uid}
        body = {"start": _iso(start)} | {key: value for key, value in wishes.items() if value}
        return self._booking_after(_path(uid, "reschedule"), body, as_host=as_host)

    def cancel(self, uid: str, reason: str = "", *, seat_uid: str = "", as_host: bool = False) -> Booking:
        """Cal.com notes who cancelled: with the key it is the host, without it the attendee."""
        body = {key: value for key, value in (("cancellationReason", reason), ("seatUid", seat_uid)) if value}
        return self._booking_after(_path(uid, "cancel"), body, as_host=as_host)

    def ask_to_reschedule(self, uid: str, reason: str = "") -> None:
        """Cancel it and have Cal.com ask the attendee for another time. Hosted Cal.com alone knows this call."""
        body = {"rescheduleReason": reason} if reason else {}
        try:
            path = _path(uid, "request-reschedule")
            self._call("POST", path, REQUEST_RESCHEDULE_VERSION, body=body, needs_key=True)
        except Unavailable as error:
            if error.maybe_sent:
                raise BookingUnknown(error.reason, status=error.status, text=error.text) from None
            raise
        finally:
            self._slots.clear()

    def confirm(self, uid: str) -> Booking:
        return self._booking_after(_path(uid, "confirm"), {}, needs_key=True)

    def decline(self, uid: str, reason: str = "") -> Booking:
        return self._booking_after(_path(uid, "decline"), {"reason": reason} if reason else {}, needs_key=True)

    def mark_absent(self, uid: str, attendees: Mapping[str, bool], *, host: bool | None = None) -> Booking:
        """Who was absent, by e-mail; False takes it back."""
        body: dict[str, Any] = {"attendees": [{"email": email, "absent": is_} for email, is_ in attendees.items()]}
        if host is not None:
            body["host"] = host
        return self._booking_after(_path(uid, "mark-absent"), body, needs_key=True)

    # Whose address it is

    def send_code(self, email: str) -> None:
        """Cal.com mails a code there, which proves it for a quarter of an hour."""
        self._call("POST", "/bookings/verification/email/send-code", None, body={"email": email, "language": "en"})

    def is_right_code(self, email: str, code: str) -> bool:
        body = {"email": email, "code": code}
        try:
            data = self._call("POST", "/bookings/verification/email/verify-code", None, body=body)
        except Invalid:
            return False
        return part(data, "verified") is True

    # A time kept while somebody types

    def reserve_slot(
        self, event_type_id: int, start: datetime, minutes: int | None = None, *, for_minutes: int | None = None
    ) -> Reservation:
        """Hide a time from the others, for five minutes unless the key's owner says otherwise. Only advice: booking
        neither takes nor checks it."""
        body: dict[str, Any] = {"eventTypeId": event_type_id, "slotStart": _iso(start)}
        if minutes is not None:
            body["slotDuration"] = minutes
        if for_minutes is not None:
            self._require_key()
            body["reservationDuration"] = for_minutes
        reservation = _parsed(Reservation, self._call("POST", "/slots/reservations", SLOTS_VERSION, body=body))
        self._slots.clear()
        return reservation

    def release_slot(self, reservation_uid: str) -> None:
        if uid_or_none(reservation_uid) is None:
            raise NotFound("no such reservation")
        self._call("DELETE", f"/slots/reservations/{reservation_uid}", SLOTS_VERSION)
        self._slots.clear()

    # Who is told of bookings

    def webhooks(self) -> list[Webhook]:
        """The key's owner's own."""
        return _each(Webhook, self._get("/webhooks", query={"take": "250"}, needs_key=True))

    def create_webhook(self, body: Mapping[str, Any]) -> Webhook:
        """Invalid with the status 409 where there is one for this address."""
        return _parsed(Webhook, self._call("POST", "/webhooks", None, body=body, needs_key=True), maybe_sent=True)

    def change_webhook(self, webhook_id: str, changes: Mapping[str, Any]) -> Webhook:
        path = f"/webhooks/{quote(webhook_id, safe='')}"
        return _parsed(Webhook, self._call("PATCH", path, None, body=changes, needs_key=True), maybe_sent=True)

    def _page(self, query: Mapping[str, str], turn: Turn) -> Page | None:
        organization = self.account.organization_id
        path = f"/organizations/{quote(organization, safe='')}/bookings" if organization else "/bookings"
        asked = {**query, **turn.params}
        body = self._answer("GET", path, turn.version, query=asked, needs_key=True, outbound=self._patient)
        return Page.of(turn, body, _booking_or_none)

    def _booking_after(
        self, path: str, body: Mapping[str, Any], *, needs_key: bool = False, as_host: bool = True
    ) -> Booking:
        """The booking as it is after a POST. Free times are asked for anew, whatever came of it."""
        try:
            data = self._call("POST", path, self.account.bookings_version, body=body, needs_key=needs_key, key=as_host)
            return _booking(data, maybe_sent=True)
        except Unavailable as error:
            if error.maybe_sent:
                raise BookingUnknown(error.reason, status=error.status, text=error.text) from None
            raise
        finally:
            self._slots.clear()

    def _get(
        self, path: str, version: str | None = None, query: Mapping[str, str] | None = None, *, needs_key: bool = False
    ) -> Any:
        return self._call("GET", path, version, query=query, needs_key=needs_key)

    def _call(self, method: str, path: str, version: str | None, **more: Any) -> Any:
        """`data` of the answer."""
        return part(self._answer(method, path, version, **more), "data")

    def _answer(
        self,
        method: str,
        path: str,
        version: str | None,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        needs_key: bool = False,
        key: bool = True,
        outbound: http.Outbound | None = None,
    ) -> Any:
        """The whole answer. Public calls carry the key too where there is one: its limit is its own, while an
        address's may be shared with strangers."""
        if needs_key:
            self._require_key()
        headers = {"cal-api-version": version} if version else {}
        if key and self.account.api_key:
            headers["Authorization"] = f"Bearer {self.account.api_key}"
        try:
            answer = (outbound or self._outbound).call(
                method,
                self.account.api_url + path,
                params=query,
                body=body,
                headers=headers,
                logged_as=_SECRET_PART.sub(r"\1/…", path),
            )
        except http.Throttled as error:
            raise RateLimited(error.seconds) from None
        except http.Unavailable as error:
            raise Unavailable(error.reason, status=error.status, maybe_sent=error.maybe_sent) from None
        if not 200 <= answer.status < 300:
            raise refusal(method, path, answer)
        return _decoded(answer)

    def _require_key(self) -> None:
        if not self.account.api_key:
            raise NotConfigured("CAL_ACCESS_TOKEN is not set")


def storable_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """As much as Cal.com takes: 50 keys of 40 characters, values of 500. A longer one would fail the booking."""
    entries = [(key, value) for key, value in metadata.items() if value and len(key) <= 40]
    return {key: value[:500] for key, value in entries[:METADATA_KEYS]}


@lru_cache(maxsize=8)
def _client_of(account: Account) -> CalClient:
    budget = Budget(_name_of(account), CALLS, BROWSING, EACH)
    has_room = budget.has_room
    return CalClient(
        account,
        http.Outbound("cal.com", read=account.read_seconds, has_room=has_room),
        http.Outbound("cal.com", read=LIST_SECONDS, total=LIST_SECONDS, at_once=1, has_room=has_room),
    )


def _name_of(account: Account) -> str:
    """Cal.com counts by key. A name that tells nobody which."""
    return hashlib.sha256(f"{account.api_url} {account.api_key}".encode()).hexdigest()[:16]


os.register_at_fork(after_in_child=_client_of.cache_clear)  # a child must not share its parent's connections


def _no_list() -> NoReturn:
    raise Unavailable("its answer lists no bookings: is CAL_BOOKING_LIST_VERSION known there?")


def _decoded(answer: http.Answer) -> Any:
    try:
        return decode(answer.body)
    except NotUnderstood:
        raise Unavailable("its answer is no JSON", status=answer.status, maybe_sent=True) from None


def _parsed(model: type[M], data: object, *, maybe_sent: bool = False) -> M:
    try:
        return model.model_validate(data)
    except ValidationError:
        raise Unavailable(f"its answer is no {model.__name__}", maybe_sent=maybe_sent) from None


def _each(model: type[M], data: object) -> list[M]:
    """Those of a list that can be read; Unavailable where it is none."""
    if not isinstance(data, list):
        raise Unavailable("its answer is no list")
    found = []
    for entry in data:
        with suppress(ValidationError):
            found.append(model.model_validate(entry))
    return found


def _booking(data: object, *, maybe_sent: bool = False) -> Booking:
    """A series answers with a list: its first stands for it."""
    return _parsed(Booking, data[0] if isinstance(data, list) and data else data, maybe_sent=maybe_sent)


def _booking_or_none(entry: object) -> Booking | None:
    try:
        return _booking(entry)
    except Unavailable:
        return None


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _path(uid: str, *rest: str) -> str:
    """Only a real uid reaches the path: `..` would be another call."""
    if uid_or_none(uid) is None:
        raise NotFound("no such booking")
    return "/".join(("/bookings", quote(uid, safe=""), *rest))


def _times(data: object) -> list[Slot]:
    """{"2026-12-03": [{"start": …}]}, or nothing free: {}. A time whose last seat is taken is not free."""
    if not isinstance(data, dict):
        raise Unavailable("its answer has no slots")
    entries = [entry for day in data.values() if isinstance(day, list) for entry in day]
    slots = {slot.start: slot for entry in entries if (slot := _slot(entry)) is not None and slot.left != 0}
    return [slots[start] for start in sorted(slots)]


def _slot(entry: object) -> Slot | None:
    start = moment_or_none(part(entry, "start"))
    taken = part(entry, "seatsBooked")
    taken = part(entry, "attendeesCount") if taken is None else taken  # as the documentation calls it
    return Slot(start, whole(0, 10_000)(taken), whole(0, 10_000)(part(entry, "seatsRemaining"))) if start else None


def _instant(value: date | datetime, zone: ZoneInfo, *, is_end: bool = False) -> datetime:
    """A day begins at its midnight in the zone and ends at the next one's."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.combine(value + timedelta(days=is_end), time(), zone).astimezone(UTC)


def _utc_day(value: date | datetime, later: int) -> datetime:
    """The beginning of this day in UTC, or of one so many days later. A day of a zone differs by 14 hours at most."""
    day = value.astimezone(UTC).date() if isinstance(value, datetime) else value
    return datetime.combine(day + timedelta(days=later), time(), UTC)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
