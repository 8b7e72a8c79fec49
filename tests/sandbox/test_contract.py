"""Keys, versions, limits, event types: what is the same for every call."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import time_machine

from hds.sandbox.api import blueprint
from hds.sandbox.settings import Settings, SettingsError, read_settings

from .conftest import DEEP_DIVE, FREE, INTRO, Sandbox
from .schema import assert_documented
from .test_bookings import assert_refused

WRONG_KEY = {"Authorization": "Bearer cal_wrong"}


def test_me_is_the_owner_and_needs_the_key(sandbox: Sandbox) -> None:
    me = assert_documented(sandbox.api("GET", "/me", key=True), "get", "/v2/me", 200)
    assert (me["username"], me["timeZone"]) == ("hudson", "America/New_York")
    assert_refused(sandbox.api("GET", "/me"), 401, "No authentication method provided", "UnauthorizedException")


def test_wrong_key_is_refused_even_where_none_is_needed(sandbox: Sandbox) -> None:
    for headers in (WRONG_KEY, {"Authorization": "cal_sandbox"}, {"Authorization": "Bearer "}):
        answer = sandbox.api("GET", "/event-types?username=hudson", "2024-06-14", headers=headers)
        assert_refused(answer, 401, "api key", "UnauthorizedException")


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/slots?eventTypeId=1001&start=2026-11-23&end=2026-11-23", ["2024-09-04"]),
        ("/event-types?username=hudson", ["2024-06-14"]),
        ("/event-types/1001", ["2024-06-14"]),
    ],
)
def test_unknown_version_is_as_if_there_were_no_such_route(sandbox: Sandbox, path: str, known: list[str]) -> None:
    for version in known:
        assert sandbox.api("GET", path, version, key=True).status_code == 200
    for version in (None, "2024-04-15", "latest"):
        answer = sandbox.api("GET", path, version, key=True)
        assert_refused(answer, 404, f"Cannot GET /v2{path}", "NotFoundException")


def test_unknown_routes_answer_in_the_envelope(sandbox: Sandbox) -> None:
    assert_refused(sandbox.api("GET", "/nothing"), 404, "Cannot GET /v2/nothing", "NotFoundException")
    assert_refused(sandbox.api("PUT", "/me"), 404, "Cannot PUT /v2/me", "NotFoundException")


def test_event_types_are_public_for_a_name(sandbox: Sandbox) -> None:
    answer = sandbox.api("GET", "/event-types?username=hudson", "2024-06-14")
    found = assert_documented(answer, "get", "/v2/event-types", 200)
    assert [(event["id"], event["slug"], event["lengthInMinutes"]) for event in found] == [
        (FREE, "strategy-consultation", 30),
        (DEEP_DIVE, "deep-dive", 60),
        (INTRO, "intro-call", 15),
    ]
    assert [(event["price"], event["currency"]) for event in found] == [(0, "usd"), (15000, "usd"), (0, "usd")]
    assert found[0]["confirmationPolicy"] == {"disabled": True}
    assert found[1]["confirmationPolicy"]["type"] == "always"
    assert found[1]["bookingUrl"] == f"{sandbox.address}/hudson/deep-dive"
    one = sandbox.api("GET", "/event-types?username=hudson&eventSlug=deep-dive", "2024-06-14").json()["data"]
    assert [event["id"] for event in one] == [DEEP_DIVE]
    assert sandbox.api("GET", "/event-types?username=bob", "2024-06-14").json()["data"] == []
    assert sandbox.api("GET", "/event-types", "2024-06-14", key=True).json()["data"] == found
    assert_refused(sandbox.api("GET", "/event-types?eventSlug=deep-dive", "2024-06-14"), 400, "username")


def test_one_event_type_needs_the_key(sandbox: Sandbox) -> None:
    path = f"/event-types/{FREE}"
    event = assert_documented(
        sandbox.api("GET", path, "2024-06-14", key=True), "get", "/v2/event-types/{eventTypeId}", 200
    )
    fields = {field["slug"]: field for field in event["bookingFields"]}
    hidden = ["hds-reference", "hds-visit"]  # what a site sends along
    asked = ["notes", "guests", "rescheduleReason"]
    assert list(fields) == ["name", "email", "location", "title", "topic", *hidden, *asked]
    assert all(fields[slug]["hidden"] for slug in hidden)
    assert fields["topic"]["label"] == "What would you like to talk about?"
    assert (fields["topic"]["isDefault"], fields["topic"]["required"]) == (False, False)
    assert event["locations"][1] == {"type": "attendeePhone"}
    assert sandbox.api("GET", path, "2024-06-14").status_code == 401
    assert sandbox.api("GET", "/event-types/99", "2024-06-14", key=True).status_code == 404


def test_every_answer_tells_the_limit(sandbox: Sandbox) -> None:
    for answer in (sandbox.api("GET", "/me", key=True), sandbox.api("GET", "/me"), sandbox.api("GET", "/nothing")):
        assert answer.headers["X-RateLimit-Limit-Default"] == "1000"
        assert int(answer.headers["X-RateLimit-Remaining-Default"]) < 1000
        assert 0 < int(answer.headers["X-RateLimit-Reset-Default"]) <= 61
        assert answer.headers["X-Request-Id"]
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_limit_is_per_key_and_blocks_for_a_minute(
    start_sandbox: Callable[[Settings], Sandbox], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blueprint, "WINDOW_SECONDS", 0.3)
    sandbox = start_sandbox(replace(settings, rate_limit=3))
    assert [sandbox.api("GET", "/me", key=True).status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = sandbox.api("GET", "/me", key=True)
    message = "CustomThrottlerGuard - Too many requests. Please try again later."
    assert_refused(refused, 429, message, "ThrottlerException")
    assert "Retry-After" not in refused.headers
    assert sandbox.api("GET", "/me").status_code == 401
    time.sleep(0.35)
    assert sandbox.api("GET", "/me", key=True).status_code == 200


def test_restart_keeps_the_bookings(
    start_sandbox: Callable[[Settings], Sandbox], settings: Settings, clock: time_machine.Traveller
) -> None:
    made = start_sandbox(settings).booked()
    again = start_sandbox(settings)
    assert again.read(made["uid"])["id"] == made["id"]


@pytest.mark.parametrize(
    "environment",
    [
        {"SANDBOX_PORT": "http"},
        {"SANDBOX_TIME_ZONE": "Mars/Olympus"},
        {"SANDBOX_WEBHOOK_DELAY": "soon"},
        {"SANDBOX_FREE_EVENT_ID": "7", "SANDBOX_DEEP_DIVE_EVENT_ID": "7"},
    ],
)
def test_wrong_setting_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=next(iter(environment))):
        read_settings(environment)


def test_ids_come_from_the_environment() -> None:
    settings = read_settings({"SANDBOX_FREE_EVENT_ID": "1003", "SANDBOX_DEEP_DIVE_EVENT_ID": "", "SANDBOX_PORT": "9"})
    assert (settings.free_event_id, settings.deep_dive_event_id, settings.port) == (1003, 1002, 9)
    assert settings.intro_event_id not in (1002, 1003)
