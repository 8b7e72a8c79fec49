"""Seats: several people book the same time, each for themselves. They share one booking and its uid."""

from __future__ import annotations

import json
import sqlite3
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .store import Store
from .times import iso_ms


@dataclass(frozen=True)
class Seat:
    uid: str
    booking_uid: str
    name: str
    email: str
    phone: str | None
    time_zone: str
    language: str
    answers: dict[str, Any]
    metadata: dict[str, Any]

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Seat:
        values: dict[str, Any] = dict(row)
        return cls(**values | {name: json.loads(values[name]) for name in ("answers", "metadata")})

    @property
    def person(self) -> dict[str, Any]:
        """The fields that a booking has of its booker."""
        names = ("name", "email", "phone", "time_zone", "language", "answers", "metadata")
        return {name: getattr(self, name) for name in names}


class Seats:
    def __init__(self, store: Store) -> None:
        self.store = store

    def of(self, booking_uid: str) -> list[Seat]:
        rows = self.store.all("SELECT * FROM seat WHERE booking_uid = ? ORDER BY rowid", booking_uid)
        return [Seat.from_row(row) for row in rows]

    def find(self, uid: str) -> Seat | None:
        row = self.store.one("SELECT * FROM seat WHERE uid = ?", uid)
        return Seat.from_row(row) if row else None

    def add(self, booking_uid: str, person: dict[str, Any], uid: str | None = None) -> Seat:
        values = person | {name: json.dumps(person[name], ensure_ascii=False) for name in ("answers", "metadata")}
        uid = uid or str(uuid.uuid4())
        self.store.insert("seat", {"uid": uid, "booking_uid": booking_uid, **values})
        return Seat(uid, booking_uid, **person)

    def give_up(self, uid: str) -> None:
        self.store.run("DELETE FROM seat WHERE uid = ?", uid)

    def taken(self, event_type_id: int, start: datetime, end: datetime) -> dict[datetime, tuple[str, int]]:
        """The live bookings of an event type that begin in this time: their uid, and how many seats are taken."""
        rows = self.store.all(
            "SELECT booking.uid, start_at, count(seat.uid) AS seats FROM booking JOIN seat ON booking_uid = booking.uid"
            " WHERE event_type_id = ? AND status IN ('accepted', 'pending') AND start_at BETWEEN ? AND ?"
            " GROUP BY booking.uid, start_at",
            event_type_id,
            iso_ms(start),
            iso_ms(end),
        )
        return {datetime.fromisoformat(row["start_at"]): (row["uid"], row["seats"]) for row in rows}

    def held(self, event_type_id: int, start: datetime, now: datetime) -> int:
        row = self.store.one(
            "SELECT count(*) AS holds FROM reservation WHERE event_type_id = ? AND start_at = ? AND until_at > ?",
            event_type_id,
            iso_ms(start),
            iso_ms(now),
        )
        return int(row["holds"]) if row else 0
