"""The sandbox's memory: one sqlite file, one connection, one lock."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS booking (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,
    event_type_id INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('accepted', 'pending', 'cancelled', 'rejected')),
    start_at TEXT NOT NULL,
    end_at TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    phone TEXT,
    time_zone TEXT NOT NULL,
    language TEXT NOT NULL,
    guests TEXT NOT NULL DEFAULT '[]',
    answers TEXT NOT NULL DEFAULT '{}',
    location TEXT NOT NULL,
    metadata TEXT NOT NULL DEFAULT '{}',
    payment TEXT NOT NULL DEFAULT 'none' CHECK (payment IN ('none', 'open', 'paid')),
    payment_uid TEXT UNIQUE,
    ical_uid TEXT NOT NULL,
    ical_sequence INTEGER NOT NULL DEFAULT 0,
    one_time_password TEXT,
    idempotency_key TEXT NOT NULL,
    moved_from_uid TEXT,
    moved_to_uid TEXT,
    moved_by TEXT,
    move_reason TEXT,
    cancelled_by TEXT,
    cancel_reason TEXT,
    decline_reason TEXT,
    is_host_absent INTEGER NOT NULL DEFAULT 0,
    absent TEXT NOT NULL DEFAULT '[]',
    source TEXT NOT NULL,
    is_start_sent INTEGER NOT NULL DEFAULT 0,
    is_end_sent INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS booking_start_at ON booking (start_at);
CREATE TABLE IF NOT EXISTS reservation (
    uid TEXT PRIMARY KEY,
    event_type_id INTEGER NOT NULL,
    start_at TEXT NOT NULL,
    end_at TEXT NOT NULL,
    minutes INTEGER NOT NULL,
    until_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS delivery (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    trigger TEXT NOT NULL,
    booking_uid TEXT,
    webhook_id TEXT,
    body BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed', 'unsent')),
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at TEXT NOT NULL,
    created_at TEXT NOT NULL,
    outcome TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (state, due_at);
CREATE TABLE IF NOT EXISTS event_type (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stated TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS seat (
    uid TEXT PRIMARY KEY,
    booking_uid TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    phone TEXT,
    time_zone TEXT NOT NULL,
    language TEXT NOT NULL,
    answers TEXT NOT NULL,
    metadata TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS email_code (
    email TEXT PRIMARY KEY,
    code TEXT NOT NULL,
    until_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS webhook (
    id TEXT PRIMARY KEY,
    url TEXT NOT NULL UNIQUE,
    triggers TEXT NOT NULL,
    is_active INTEGER NOT NULL,
    secret TEXT,
    template TEXT,
    version TEXT NOT NULL,
    time INTEGER,
    time_unit TEXT,
    created_at TEXT NOT NULL
);
"""

FIRST_BOOKING_ID = 80001
FIRST_EVENT_TYPE_ID = 5001


class Store:
    """Instants are kept as text in one fixed-width UTC form, so that text order is time order."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self.connection = sqlite3.connect(
            folder / "sandbox.sqlite3",
            check_same_thread=False,
            isolation_level=None,
            timeout=10,
        )
        self.connection.row_factory = sqlite3.Row
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = NORMAL")
        self.connection.executescript(SCHEMA)
        self._add_column("delivery", "webhook_id", "TEXT")
        if not self.one("SELECT 1 FROM sqlite_sequence WHERE name = 'booking'"):
            self.insert("sqlite_sequence", {"name": "booking", "seq": FIRST_BOOKING_ID - 1})
        if not self.one("SELECT 1 FROM sqlite_sequence WHERE name = 'event_type'"):
            self.insert("sqlite_sequence", {"name": "event_type", "seq": FIRST_EVENT_TYPE_ID - 1})

    def _add_column(self, table: str, name: str, kind: str) -> None:
        """For a file that an earlier sandbox made."""
        if name not in {column["name"] for column in self.all(f"PRAGMA table_info({table})")}:
            self.connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")

    def close(self) -> None:
        with self.lock:
            self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside happens, or nothing; nobody else reads or writes meanwhile."""
        with self.lock:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")

    def one(self, query: str, *parameters: Any) -> sqlite3.Row | None:
        with self.lock:
            row: sqlite3.Row | None = self.connection.execute(query, parameters).fetchone()
            return row

    def all(self, query: str, *parameters: Any) -> list[sqlite3.Row]:
        with self.lock:
            return self.connection.execute(query, parameters).fetchall()

    def run(self, query: str, *parameters: Any) -> int:
        """How many rows it changed."""
        with self.lock:
            return self.connection.execute(query, parameters).rowcount

    def insert(self, table: str, values: Mapping[str, Any]) -> int:
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        with self.lock:
            cursor = self.connection.execute(
                f"INSERT INTO {table} ({columns}) VALUES ({marks})",
                tuple(values.values()),
            )
            return cursor.lastrowid or 0
