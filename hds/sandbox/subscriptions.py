"""The owner's webhooks: who is posted to, about what, and with which secret."""

from __future__ import annotations

import ipaddress
import json
import re
import socket
import sqlite3
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .store import Store
from .times import iso_ms, utcnow

VERSIONS = ("2021-10-20", "2026-07-27")
UNITS = ("DAY", "HOUR", "MINUTE")
TIMED = frozenset({"AFTER_HOSTS_CAL_VIDEO_NO_SHOW", "AFTER_GUESTS_CAL_VIDEO_NO_SHOW"})
ORGANISATIONS = frozenset(
    {
        "DELEGATION_CREDENTIAL_ERROR",
        "DELEGATION_CREDENTIAL_SECRET_ROTATED",
        "DELEGATION_CREDENTIAL_SECRET_ROTATION_FAILED",
        "DELEGATION_CREDENTIAL_ROTATION_REQUIRED",
    }
)
TRIGGERS = (
    "BOOKING_CREATED",
    "BOOKING_PAYMENT_INITIATED",
    "BOOKING_PAID",
    "BOOKING_RESCHEDULED",
    "BOOKING_REQUESTED",
    "BOOKING_CANCELLED",
    "BOOKING_REJECTED",
    "BOOKING_NO_SHOW_UPDATED",
    "BOOKING_LOCATION_UPDATED",
    "BOOKING_REASSIGNED",
    "FORM_SUBMITTED",
    "MEETING_ENDED",
    "MEETING_STARTED",
    "RECORDING_READY",
    "INSTANT_MEETING",
    "INSTANT_MEETING_ACCEPTED",
    "RECORDING_TRANSCRIPTION_GENERATED",
    "OOO_CREATED",
    "AFTER_HOSTS_CAL_VIDEO_NO_SHOW",
    "AFTER_GUESTS_CAL_VIDEO_NO_SHOW",
    "FORM_SUBMITTED_NO_EVENT",
    "ROUTING_FORM_FALLBACK_HIT",
    "WRONG_ASSIGNMENT_REPORT",
    "CALENDAR_ENTRY_REJECTED",
    *sorted(ORGANISATIONS),
)
SEEDED = str(uuid.uuid5(uuid.NAMESPACE_URL, "the webhook of SANDBOX_WEBHOOK_URL"))
_PLACEHOLDER = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")


@dataclass(frozen=True)
class Subscription:
    id: str
    url: str
    triggers: tuple[str, ...]
    is_active: bool
    secret: str | None
    template: str | None
    version: str
    time: int | None
    time_unit: str | None

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Subscription:
        return cls(
            id=row["id"],
            url=row["url"],
            triggers=tuple(json.loads(row["triggers"])),
            is_active=bool(row["is_active"]),
            secret=row["secret"],
            template=row["template"],
            version=row["version"],
            time=row["time"],
            time_unit=row["time_unit"],
        )

    def wants(self, trigger: str) -> bool:
        """A test message is nobody's trigger."""
        return self.is_active and (trigger == "PING" or trigger in self.triggers)

    def written(self, body: dict[str, Any]) -> bytes | None:
        """What its template makes of a body; None without one. Meetings' bodies are never written by it."""
        if not self.template or body["triggerEvent"].startswith("MEETING_"):
            return None
        flat = {**body["payload"], **{key: value for key, value in body.items() if key != "payload"}}
        return _PLACEHOLDER.sub(lambda found: str(flat.get(found[1], "")), self.template).encode()


class Subscriptions:
    def __init__(self, store: Store) -> None:
        self.store = store

    def seed(self, url: str, secret: str) -> None:
        """The one that the environment names. What else somebody changed of it stays."""
        if not url:
            self.store.run("DELETE FROM webhook WHERE id = ?", SEEDED)
            return
        self.store.run("DELETE FROM webhook WHERE url = ? AND id != ?", url, SEEDED)
        if not self.store.run("UPDATE webhook SET url = ?, secret = ? WHERE id = ?", url, secret or None, SEEDED):
            triggers = [trigger for trigger in TRIGGERS if trigger not in ORGANISATIONS]
            self.add(url, triggers, secret=secret or None, version=VERSIONS[1], time=5, time_unit="MINUTE", id_=SEEDED)

    def all(self) -> list[Subscription]:
        return [Subscription.from_row(row) for row in self.store.all("SELECT * FROM webhook ORDER BY created_at, id")]

    def find(self, id_: str) -> Subscription | None:
        row = self.store.one("SELECT * FROM webhook WHERE id = ?", id_)
        return Subscription.from_row(row) if row else None

    def add(self, url: str, triggers: list[str], *, id_: str = "", **more: Any) -> Subscription:
        """Raises sqlite3.IntegrityError where there is one for this address."""
        id_ = id_ or str(uuid.uuid4())
        values = {"id": id_, "url": url, "triggers": triggers, "is_active": True, "version": VERSIONS[0]}
        self.store.insert("webhook", _stored(values | more | {"created_at": iso_ms(utcnow())}))
        return next(found for found in self.all() if found.id == id_)

    def change(self, id_: str, changes: Mapping[str, Any]) -> None:
        """Raises sqlite3.IntegrityError where another one has the new address."""
        columns = ", ".join(f"{column} = ?" for column in changes)
        if changes:
            self.store.run(f"UPDATE webhook SET {columns} WHERE id = ?", *_stored(changes).values(), id_)

    def remove(self, id_: str) -> None:
        self.store.run("DELETE FROM webhook WHERE id = ?", id_)


def is_private(url: str) -> bool:
    """An address of this machine or of a local network, by its number or by what its name stands for."""
    host = urlsplit(url).hostname or ""
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return any(not ipaddress.ip_address(address).is_global for address in found)


def _stored(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: json.dumps(value) if isinstance(value, list | tuple) else value for key, value in values.items()}
