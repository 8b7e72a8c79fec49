"""A real sandbox beside the application, and a visitor who fills in forms."""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from hds.bookings import booker, reconcile
from hds.bookings.models import Booking
from hds.calcom.account import account_from
from hds.calcom.client import CalClient, Person, Target
from hds.config import Settings
from hds.extensions import db
from hds.lib.times import iso_utc
from tests.bookings.visitor import Visitor
from tests.factories import ServiceFactory


@pytest.fixture(scope="module")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A local Cal.com in a process of its own, with all its times free: a week has not enough for every module's."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_")}
    environment |= {"SANDBOX_PORT": "0", "SANDBOX_DATA": str(tmp_path_factory.mktemp("sandbox"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "hds.sandbox"],
        env=environment | {"SANDBOX_RATE_LIMIT": "100000"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    yield process.stdout.readline().split()[-1]
    process.kill()
    process.communicate()


@pytest.fixture
def use_cal(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., CalClient]]:
    """Point the site at a Cal.com: use_cal(url), with settings beside it. Patience is short."""
    stated: Settings = app.config["HDS"]

    def use(url: str, *, seconds: float = 2.0, **more: Any) -> CalClient:
        changes = {"cal_api_url": f"{url}/v2", "cal_base_url": url, "cal_link": "hudson", **more}
        app.config["HDS"] = stated.model_copy(update=changes)
        account = account_from(app.config["HDS"])
        client = CalClient(type(account)(**{**vars(account), "read_seconds": seconds}))
        monkeypatch.setattr(booker, "client_from", lambda settings: client)
        return client

    yield use
    app.config["HDS"] = stated


@pytest.fixture
def unreachable(use_cal: Callable[..., CalClient]) -> CalClient:
    """Nobody answers where Cal.com should be."""
    return use_cal("http://127.0.0.1:9")


@pytest.fixture
def cal(use_cal: Callable[..., CalClient], sandbox_url: str) -> CalClient:
    """The site books at the sandbox."""
    return use_cal(sandbox_url)


@pytest.fixture
def deep_dive(app: Flask) -> Any:
    """The paid one, which the API cannot book."""
    return ServiceFactory(
        slug="deep-dive",
        name="Deep Dive",
        duration_minutes=60,
        price_amount=15000,
        price_currency="USD",
        needs_approval=True,
        meeting_places=["video"],
        cal_event_type_id=1002,
        cal_event_slug="deep-dive",
    )


@pytest.fixture
def intro(app: Flask) -> Any:
    """Free, and confirmed by hand."""
    return ServiceFactory(
        slug="intro", needs_approval=True, cal_event_type_id=1003, cal_event_slug="intro-call", meeting_places=["video"]
    )


@pytest.fixture
def make_type(app: Flask, sandbox_url: str) -> Callable[..., dict[str, Any]]:
    """An event type at the sandbox as `POST /v2/event-types` states it, and its service at /book-consultation/made."""

    def make(**stated: Any) -> dict[str, Any]:
        body = {"title": "Made", "slug": f"made-{secrets.token_hex(6)}", "lengthInMinutes": 30, **stated}
        headers = {"cal-api-version": "2024-06-14", "Authorization": "Bearer cal_sandbox"}
        answer = requests.post(f"{sandbox_url}/v2/event-types", json=body, headers=headers, timeout=5)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()["data"]
        ServiceFactory(slug="made", cal_event_type_id=made["id"], cal_event_slug=made["slug"])
        return made

    return make


@pytest.fixture
def free_times(sandbox_url: str) -> Callable[..., list[str]]:
    """What the sandbox has free in the week some days from now, as the site writes times: four working days or five."""

    def ask(event_type: int = 1001, days: int = 8) -> list[str]:
        first = datetime.now(UTC).date() + timedelta(days)
        query = {"eventTypeId": event_type, "start": first.isoformat(), "end": (first + timedelta(6)).isoformat()}
        answer = requests.get(f"{sandbox_url}/v2/slots", query, headers={"cal-api-version": "2024-09-04"}, timeout=5)
        slots = [slot["start"] for day in answer.json()["data"].values() for slot in day]
        return [iso_utc(datetime.fromisoformat(slot)) for slot in slots]

    return ask


@pytest.fixture
def meet(
    cal: CalClient, make_type: Callable[..., dict[str, Any]], free_times: Callable[..., list[str]]
) -> Callable[..., Booking]:
    """meet(3, *addresses): several people at one free time of an event type with three seats, known here from Cal.com's
    answers."""
    event_type = make_type(seats={"seatsPerTimeSlot": 3, "showAttendeeInfo": False, "showAvailabilityCount": True})

    def sit(nth: int, *emails: str) -> Booking:
        start = datetime.fromisoformat(free_times(event_type["id"], 20)[nth])
        for email in emails:
            name = email.split("@")[0].title()
            reconcile.take_word(cal.create_booking(Target(event_type["id"]), start, Person(name, email, "UTC")))
            db.session.commit()
        made = cal.find_booking(emails[0], start)
        booking = Booking.by_uid(made.uid) if made else None
        assert booking is not None
        return booking

    return sit


def sitting(cal: CalClient, booking: Booking) -> set[str | None]:
    """Who has a seat, as Cal.com has it."""
    return {person.email for person in cal.booking(booking.uid).attendees}


@pytest.fixture
def visit(client: FlaskClient, strategy: Any) -> Callable[..., Visitor]:
    def open_form(start: str, **more: str) -> Visitor:
        return Visitor(client, start, **more)

    return open_form
