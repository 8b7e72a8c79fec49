"""Webhooks on their way out: stored first, delivered a moment later by one thread."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import sqlite3
import ssl
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from .settings import Settings
from .store import Store
from .subscriptions import Subscription, Subscriptions
from .times import iso_ms, utcnow
from .webhook_parts import in_version

ATTEMPTS = 3
TIMEOUT_SECONDS = 20
RETRIED_STATUSES = {408, 429, 500, 502, 503, 504}
UNSIGNED = "no-secret-provided"
LATE_SECONDS = 20.0
TURNED_SECONDS = 3.0


class Post(StrEnum):
    """What becomes of the webhooks: Cal.com promises neither that they come, nor once, nor in order."""

    WORKS = "works"
    TWICE = "twice"
    LATE = "late"
    TURNED = "turned"
    LOST = "lost"


POSTS = {
    Post.WORKS: "come",
    Post.TWICE: "come twice",
    Post.LATE: f"come {LATE_SECONDS:g} seconds late",
    Post.TURNED: "overtake each other",
    Post.LOST: "never come",
}


def serialize(body: dict[str, Any]) -> bytes:
    """Compact and raw UTF-8, as JSON.stringify writes it."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def sign(body: bytes, secret: str) -> str:
    if not secret:
        return UNSIGNED
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Outbox:
    def __init__(
        self, settings: Settings, store: Store, subscriptions: Subscriptions, before_each_look: Callable[[], None]
    ) -> None:
        self.settings = settings
        self.store = store
        self.subscriptions = subscriptions
        self.before_each_look = before_each_look
        self.post = Post.WORKS
        self.turn = 0
        self.bell = threading.Event()
        self.stopping = threading.Event()
        self.thread: threading.Thread | None = None

    def put(self, body: dict[str, Any], uid: str | None = None, delay: float | None = None) -> None:
        """Part of the caller's transaction; the thread sees it once that has been committed.

        Each webhook that asks for the trigger gets its own copy, queued a moment after the one before.
        """
        due_at = utcnow() + timedelta(seconds=self.settings.webhook_delay if delay is None else delay)
        takers = [found for found in self.subscriptions.all() if found.wants(body["triggerEvent"])]
        for number, taker in enumerate(takers):
            copy = body
            if number and "payload" in body:
                copy = body | {
                    "createdAt": iso_ms(datetime.fromisoformat(body["createdAt"]) + timedelta(milliseconds=7))
                }
            copy = in_version(copy, taker.version)
            if self.post is Post.LOST:
                self._put(copy, uid, due_at, state="unsent", webhook_id=taker.id, outcome="lost, as the host asked for")
                continue
            self._put(copy, uid, due_at + self._detour(), state="waiting", webhook_id=taker.id)
            if self.post is Post.TWICE:
                self._put(copy, uid, due_at, state="waiting", webhook_id=taker.id)
        if not takers:
            why = "no webhook asks for it" if self.subscriptions.all() else "SANDBOX_WEBHOOK_URL is not set"
            self._put(body, uid, due_at, state="unsent", outcome=why)
        self.bell.set()

    def _detour(self) -> timedelta:
        """Of those that overtake each other, every other one takes it."""
        self.turn += 1
        waits = {Post.LATE: LATE_SECONDS, Post.TURNED: TURNED_SECONDS * (self.turn % 2)}
        return timedelta(seconds=waits.get(self.post, 0.0))

    def _put(self, body: dict[str, Any], uid: str | None, due_at: datetime, **more: Any) -> None:
        common = {"trigger": body["triggerEvent"], "booking_uid": uid, "body": serialize(body), "outcome": ""}
        times = {"due_at": iso_ms(due_at), "created_at": iso_ms(utcnow())}
        self.store.insert("delivery", common | times | more)

    def start(self) -> None:
        self.thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self.bell.set()

    def _run(self) -> None:
        while not self.stopping.is_set():
            self.bell.clear()
            try:
                self.before_each_look()
                self.deliver_due()
                wait = self._seconds_to_next()
            except sqlite3.ProgrammingError:  # the store was closed: the sandbox is going down
                return
            except Exception as error:
                print(f"sandbox: webhooks paused for a second: {error!r}", flush=True)
                wait = 1.0
            self.bell.wait(wait)

    def _seconds_to_next(self) -> float:
        """At most a second: meetings start and end by the clock."""
        row = self.store.one("SELECT min(due_at) AS due FROM delivery WHERE state = 'waiting'")
        if row is None or row["due"] is None:
            return 1.0
        left = (datetime.fromisoformat(row["due"]) - utcnow()).total_seconds()
        return min(1.0, max(0.02, left))

    def deliver_due(self) -> None:
        due = self.store.all(
            "SELECT * FROM delivery WHERE state = 'waiting' AND due_at <= ? ORDER BY due_at, id",
            iso_ms(utcnow()),
        )
        for delivery in due:
            if self.stopping.is_set():
                return
            self._deliver(delivery)

    def _deliver(self, delivery: sqlite3.Row) -> None:
        taker = self.subscriptions.find(delivery["webhook_id"])
        status, outcome = (410, "the webhook is gone") if taker is None else self._post(bytes(delivery["body"]), taker)
        if taker is not None and status == 410:  # Cal.com takes it at its word
            self.subscriptions.change(taker.id, {"is_active": False})
        attempts = delivery["attempts"] + 1
        if status is not None and 200 <= status < 300:
            state = "delivered"
        elif attempts < ATTEMPTS and (status is None or status in RETRIED_STATUSES):
            state = "waiting"
        else:
            state = "failed"
        pause = self.settings.webhook_retry * 1.5 ** (attempts - 1)
        self.store.run(
            "UPDATE delivery SET state = ?, attempts = ?, outcome = ?, due_at = ? WHERE id = ?",
            state,
            attempts,
            outcome,
            iso_ms(utcnow() + timedelta(seconds=pause)),
            delivery["id"],
        )

    def _post(self, body: bytes, taker: Subscription) -> tuple[int | None, str]:
        """A redirect is not followed: to Cal.com it is a failure."""
        url = urlsplit(taker.url)
        body = taker.written(json.loads(body)) or body
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        headers = {
            "Content-Type": "application/json",
            "X-Cal-Signature-256": sign(body, taker.secret or ""),
            "X-Cal-Webhook-Version": taker.version,
        }
        connection: http.client.HTTPConnection | None = None
        try:
            connection = _connect(url.scheme, url.hostname or "", url.port)
            connection.request("POST", path, body=body, headers=headers)
            response = connection.getresponse()
            response.read(65536)
            return response.status, f"{response.status} {response.reason}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            return None, getattr(error, "strerror", None) or str(error) or type(error).__name__
        finally:
            if connection:
                connection.close()


def _connect(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context)
    return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
