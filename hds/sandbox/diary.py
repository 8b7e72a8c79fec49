"""The host's diary: what can be booked, what is taken, what is held."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta
from typing import Any

from .availability import Span, free_slots, is_inside, overlaps
from .booking import Booking
from .catalogue import WINDOW_DAYS, EventType, event_types
from .refusals import Refusal, booking_not_found
from .seats import Seats
from .settings import Settings
from .store import Store
from .times import iso_ms, utcnow


class Diary:
    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.seats = Seats(store)
        made = [
            _made(row["id"], json.loads(row["stated"])) for row in store.all("SELECT * FROM event_type ORDER BY id")
        ]
        self.event_types = event_types(settings) + made

    # --- finding -------------------------------------------------------------------------------------

    def event_type(self, event_type_id: int) -> EventType:
        for event in self.event_types:
            if event.id == event_type_id:
                return event
        raise Refusal(404, f"Event type with id {event_type_id} not found")

    def make_event_type(self, stated: dict[str, Any]) -> EventType:
        """One more, as `POST /v2/event-types` states it."""
        if self.event_type_by_slug(stated["slug"]):
            raise Refusal(400, "User already has an event type with this slug.")
        made = _made(self.store.insert("event_type", {"stated": json.dumps(stated)}), stated)
        self.event_types = [*self.event_types, made]
        return made

    def event_type_by_slug(self, slug: str) -> EventType | None:
        return next((event for event in self.event_types if event.slug == slug), None)

    def booking(self, uid: str) -> Booking:
        row = self.store.one("SELECT * FROM booking WHERE uid = ?", uid)
        if row is None:
            raise booking_not_found(uid)
        return Booking.from_row(row)

    def bookings(self, where: str = "1", *parameters: Any, order: str = "start_at, id") -> list[Booking]:
        rows = self.store.all(f"SELECT * FROM booking WHERE {where} ORDER BY {order}", *parameters)
        return [Booking.from_row(row) for row in rows]

    def slots(
        self,
        event: EventType,
        start: datetime,
        end: datetime,
        *,
        without_uid: str | None = None,
        minutes: int | None = None,
    ) -> list[datetime]:
        """Free starts: what Cal.com lists, that is minus bookings and minus what somebody holds just now."""
        busy = self.booked(start, end, without_uid)
        shared = self._with_room(event, start, end)
        busy += [] if event.seats else self._held(start, end)
        found = free_slots(
            self.settings.zone, start, end, minutes or event.minutes, busy=busy, now=utcnow(), days=window_of(event)
        )
        found = sorted({*found, *shared} - self._without_room(event, found))
        return [slot for slot in found if is_inside(event.window, slot, utcnow(), self.settings.zone)]

    def _with_room(self, event: EventType, start: datetime, end: datetime) -> set[datetime]:
        """Times that are booked, and yet have seats."""
        taken = self.seats.taken(event.id, max(start, utcnow()), end) if event.seats else {}
        return {slot for slot, (_, count) in taken.items() if self.has_room(event, slot, count)}

    def _without_room(self, event: EventType, slots: list[datetime]) -> set[datetime]:
        """Times that nobody booked, and whose seats are all held."""
        return {slot for slot in slots if not self.has_room(event, slot, 0)} if event.seats else set()

    def has_room(self, event: EventType, start: datetime, taken: int) -> bool:
        return taken + self.seats.held(event.id, start, utcnow()) < (event.seats or 1)

    def booked(self, start: datetime, end: datetime, without_uid: str | None = None) -> list[Span]:
        rows = self.store.all(
            "SELECT start_at, end_at FROM booking WHERE status IN ('accepted', 'pending')"
            " AND start_at < ? AND end_at > ? AND uid <> ?",
            iso_ms(end + timedelta(hours=2)),
            iso_ms(start),
            without_uid or "",
        )
        return [span(row["start_at"], row["end_at"]) for row in rows]

    def _held(self, start: datetime, end: datetime, without_uid: str = "") -> list[Span]:
        rows = self.store.all(
            "SELECT start_at, end_at FROM reservation WHERE until_at > ? AND start_at < ? AND end_at > ? AND uid <> ?",
            iso_ms(utcnow()),
            iso_ms(end + timedelta(hours=2)),
            iso_ms(start),
            without_uid,
        )
        return [span(row["start_at"], row["end_at"]) for row in rows]

    # --- holding a slot ------------------------------------------------------------------------------

    def reserve(
        self, event: EventType, start: datetime, minutes: int, uid: str | None = None, *, lasts: int | None = None
    ) -> str:
        """Hides the slot from lists for some minutes; with a uid it moves or prolongs that reservation."""
        end = start + timedelta(minutes=lasts or event.minutes)
        with self.store.transaction():
            if event.seats and start in self.slots(event, start, start):
                pass
            elif overlaps((start, end), self.booked(start, end)):
                raise Refusal(422, "Can't reserve a slot if the event is already booked.")
            elif overlaps((start, end), self._held(start, end, uid or "")):
                raise Refusal(
                    422,
                    "This time slot is already reserved by another user. Please choose a different time.",
                )
            if uid:
                self.store.run("DELETE FROM reservation WHERE uid = ?", uid)
            uid = uid or str(uuid.uuid4())
            self.store.insert(
                "reservation",
                {
                    "uid": uid,
                    "event_type_id": event.id,
                    "start_at": iso_ms(start),
                    "end_at": iso_ms(end),
                    "minutes": minutes,
                    "until_at": iso_ms(utcnow() + timedelta(minutes=minutes)),
                },
            )
        return uid


def span(start: str, end: str) -> Span:
    return datetime.fromisoformat(start), datetime.fromisoformat(end)


def window_of(event: EventType) -> int:
    """How many days ahead anything is free at all. A window of its own may reach further."""
    return WINDOW_DAYS if event.window is None else 730


def _made(number: int, stated: dict[str, Any]) -> EventType:
    lengths = stated.get("lengthInMinutesOptions") or []
    return EventType(
        id=number,
        slug=stated["slug"],
        title=stated["title"],
        description=stated.get("description") or "",
        minutes=stated["lengthInMinutes"],
        requires_confirmation=(stated.get("confirmationPolicy") or {}).get("type") == "always",
        stated_locations=tuple(stated.get("locations") or ()),
        fields=tuple(stated.get("bookingFields") or ()),
        lengths=tuple(lengths),
        window=_on(stated.get("bookingWindow")),
        needs_proof=bool(stated.get("requiresBookerEmailVerification")),
        takes_guests=not stated.get("disableGuests"),
        seats=(_on(stated.get("seats")) or {}).get("seatsPerTimeSlot"),
        shows_seats=bool((_on(stated.get("seats")) or {}).get("showAvailabilityCount")),
    )


def _on(setting: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if not setting or setting.get("disabled") else setting
