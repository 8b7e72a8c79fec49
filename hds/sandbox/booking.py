"""A booking as the sandbox keeps it."""

from __future__ import annotations

import json
import secrets
import sqlite3
import string
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .catalogue import VIDEO

BASE62 = string.ascii_letters + string.digits
JSON_COLUMNS = ("guests", "answers", "metadata", "absent")
PLEASE_MOVE = "Please reschedule."  # Cal.com's words, before the host's own
TIME_COLUMNS = ("start_at", "end_at", "created_at", "updated_at")


def new_uid() -> str:
    return "".join(secrets.choice(BASE62) for _ in range(22))


@dataclass(frozen=True)
class Booking:
    id: int
    uid: str
    event_type_id: int
    status: str
    start_at: datetime
    end_at: datetime
    name: str
    email: str
    phone: str | None
    time_zone: str
    language: str
    guests: list[str]
    answers: dict[str, Any]
    location: str
    metadata: dict[str, Any]
    payment: str
    payment_uid: str | None
    ical_uid: str
    ical_sequence: int
    one_time_password: str | None
    idempotency_key: str
    moved_from_uid: str | None
    moved_to_uid: str | None
    moved_by: str | None
    move_reason: str | None
    cancelled_by: str | None
    cancel_reason: str | None
    decline_reason: str | None
    is_host_absent: int
    absent: list[str]
    source: str
    is_start_sent: int
    is_end_sent: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Booking:
        values: dict[str, Any] = dict(row)
        for column in JSON_COLUMNS:
            values[column] = json.loads(values[column])
        for column in TIME_COLUMNS:
            values[column] = datetime.fromisoformat(values[column])
        return cls(**values)

    @property
    def is_live(self) -> bool:
        return self.status in ("accepted", "pending")

    @property
    def is_to_be_moved(self) -> bool:
        """The host cancelled it for another time to be picked, which nobody did so far."""
        asked = self.status == "cancelled" and (self.cancel_reason or "").startswith(PLEASE_MOVE)
        return asked and self.moved_to_uid is None

    @property
    def is_video(self) -> bool:
        return self.location == VIDEO

    @property
    def minutes(self) -> int:
        return int((self.end_at - self.start_at).total_seconds() // 60)

    @property
    def notes(self) -> str:
        return str(self.answers.get("notes") or "")

    @property
    def emails(self) -> list[str]:
        return [self.email, *self.guests]

    @property
    def location_answer(self) -> dict[str, str]:
        if self.is_video:
            return {"optionValue": "", "value": VIDEO}
        return {"optionValue": self.location, "value": "phone"}

    def meeting_url(self, base: str) -> str:
        """Cal Video puts the uid into the link, so does this."""
        return f"{base}/video/{self.uid}"
