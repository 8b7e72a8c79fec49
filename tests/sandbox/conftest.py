"""A sandbox on a real port, on a Sunday morning that does not move on its own days; a receiver for its webhooks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import time_machine
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from hds.sandbox.app import create_app, desk_of, listen
from hds.sandbox.desk import Desk
from hds.sandbox.settings import Settings
from hds.sandbox.subscriptions import SEEDED

SUNDAY = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MONDAY_TEN = "2026-11-23T15:00:00Z"  # ten o'clock in New York
MONDAY_ELEVEN = "2026-11-23T16:00:00Z"
TUESDAY_TEN = "2026-11-24T15:00:00Z"
SECRET = "whsec_test_only"
KEY = {"Authorization": "Bearer cal_sandbox"}
FREE, DEEP_DIVE, INTRO = 1001, 1002, 1003


@dataclass
class Sandbox:
    """The client's side; a test says what it asks and looks at what it gets."""

    address: str
    desk: Desk
    session: requests.Session = field(default_factory=requests.Session)

    def api(
        self, method: str, path: str, version: str | None = None, key: bool = False, **more: Any
    ) -> requests.Response:
        headers = more.pop("headers", {}) | (KEY if key else {})
        if version:
            headers["cal-api-version"] = version
        return self.session.request(method, f"{self.address}/v2{path}", headers=headers, timeout=10, **more)

    def slots(self, **query: Any) -> requests.Response:
        asked = {"eventTypeId": FREE, "start": "2026-11-23", "end": "2026-11-23"} | query
        return self.api("GET", "/slots", "2024-09-04", params=asked)

    def reserve(self, **body: Any) -> requests.Response:
        asked = {"eventTypeId": FREE, "slotStart": MONDAY_TEN} | body
        return self.api("POST", "/slots/reservations", "2024-09-04", json=asked)

    def book(self, start: str = MONDAY_TEN, event: int = FREE, **more: Any) -> requests.Response:
        body = {"start": start, "eventTypeId": event, "attendee": attendee()} | more
        return self.api("POST", "/bookings", "2024-08-13", json=body)

    def booked(self, start: str = MONDAY_TEN, event: int = FREE, **more: Any) -> dict[str, Any]:
        answer = self.book(start, event, **more)
        assert answer.status_code == 201, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    def act(self, uid: str, action: str, body: dict[str, Any] | None = None, key: bool = False) -> requests.Response:
        return self.api("POST", f"/bookings/{uid}/{action}", "2024-08-13", key=key, json=body or {})

    def read(self, uid: str) -> dict[str, Any]:
        data: dict[str, Any] = self.api("GET", f"/bookings/{uid}", "2024-08-13").json()["data"]
        return data

    def page(self, path: str, **more: Any) -> requests.Response:
        return self.session.get(f"{self.address}{path}", timeout=10, **more)

    def post(self, path: str, form: dict[str, Any] | None = None, **more: Any) -> requests.Response:
        return self.session.post(f"{self.address}{path}", data=form or {}, timeout=10, **more)


def attendee(**more: Any) -> dict[str, Any]:
    return {"name": "Priya Natarajan", "email": "priya@acme.example", "timeZone": "Europe/Berlin"} | more


@dataclass
class Receiver:
    """What was posted, as bytes and headers, and what the next posts are answered with."""

    url: str
    requests: list[Request] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def handle(self, request: Request) -> Response:
        request.get_data(cache=True)
        self.requests.append(request)
        return Response(status=self.answers.pop(0) if self.answers else 200)

    def wait_for(self, count: int, seconds: float = 5.0) -> list[dict[str, Any]]:
        until = time.monotonic() + seconds
        while len(self.requests) < count and time.monotonic() < until:
            time.sleep(0.01)
        assert len(self.requests) >= count, f"{len(self.requests)} of {count} webhooks came"
        return self.bodies()

    def wait_for_trigger(self, trigger: str, count: int = 1) -> dict[str, Any]:
        """The newest of that trigger, once so many have come; others may come between."""
        until = time.monotonic() + 5
        while self.triggers().count(trigger) < count and time.monotonic() < until:
            time.sleep(0.01)
        assert self.triggers().count(trigger) == count
        return [body for body in self.bodies() if body["triggerEvent"] == trigger][-1]

    def bodies(self) -> list[dict[str, Any]]:
        return [request.get_json() for request in self.requests]

    def triggers(self) -> list[str]:
        return [body["triggerEvent"] for body in self.bodies()]


@pytest.fixture
def receiver(httpserver: HTTPServer) -> Receiver:
    receiver = Receiver(httpserver.url_for("/api/webhooks/cal"))
    httpserver.expect_request("/api/webhooks/cal", method="POST").respond_with_handler(receiver.handle)
    return receiver


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(SUNDAY, tick=True) as traveller:
        yield traveller


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path, rate_limit=1000, webhook_delay=0.0, webhook_retry=0.02)


@pytest.fixture
def start_sandbox(clock: time_machine.Traveller) -> Iterator[Callable[[Settings], Sandbox]]:
    """Starts one with the given settings; all are stopped at the end."""
    stops: list[Callable[[], None]] = []

    def start(settings: Settings) -> Sandbox:
        app = create_app(settings)
        server, address = listen(app)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        desk = desk_of(app)
        sandbox = Sandbox(address, desk)

        def stop() -> None:
            sandbox.session.close()
            desk.outbox.stop()
            server.shutdown()
            server.server_close()
            thread.join(5)
            if desk.outbox.thread:
                desk.outbox.thread.join(5)
            desk.store.close()

        stops.append(stop)
        return sandbox

    yield start
    for stop in stops:
        stop()


@pytest.fixture
def sandbox(start_sandbox: Callable[[Settings], Sandbox], settings: Settings) -> Sandbox:
    """No webhooks: for what is answered at once."""
    return start_sandbox(settings)


@pytest.fixture
def posting(start_sandbox: Callable[[Settings], Sandbox], settings: Settings, receiver: Receiver) -> Sandbox:
    """One that posts to the receiver."""
    sandbox = start_sandbox(replace(settings, webhook_url=receiver.url, webhook_secret=SECRET))
    sandbox.desk.subscriptions.change(SEEDED, {"version": "2021-10-20"})  # that of the published examples
    return sandbox
