"""Event types made over the API: what they ask, where they meet, how long they last."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .conftest import MONDAY_ELEVEN, MONDAY_TEN, Sandbox, attendee
from .schema import assert_documented
from .test_bookings import assert_refused

BUDGET = {
    "type": "number",
    "slug": "budget",
    "label": "Your budget",
    "required": True,
    "placeholder": "",
    "hidden": False,
}
TOPICS = {"type": "checkbox", "slug": "topics", "label": "Topics", "required": False, "options": ["SEO", "Speed"]}
FIELDS = [BUDGET, TOPICS | {"hidden": False}]


def made(sandbox: Sandbox, **changes: Any) -> dict[str, Any]:
    body = {"title": "Review", "slug": "review", "lengthInMinutes": 30} | changes
    answer = sandbox.api("POST", "/event-types", "2024-06-14", key=True, json=body)
    found: dict[str, Any] = assert_documented(answer, "post", "/v2/event-types", 201)
    return found


def test_what_was_stated_is_shown(sandbox: Sandbox) -> None:
    event = made(sandbox, bookingFields=[*FIELDS, {"slug": "notes", "hidden": True}], disableGuests=True)
    fields = {field["slug"]: field for field in event["bookingFields"]}
    assert fields["budget"] == BUDGET | {"isDefault": False}
    assert (fields["notes"]["hidden"], fields["name"]["required"], event["disableGuests"]) == (True, True, True)
    assert_refused(sandbox.api("POST", "/event-types", "2024-06-14", json={}), 401, "No authentication")
    again = sandbox.api("POST", "/event-types", "2024-06-14", key=True, json=event)
    assert_refused(again, 400, "already has an event type with this slug")


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({}, "{budget}error_required_field"),
        ({"budget": 5}, "{budget}Invalid input"),
        ({"budget": "5", "topics": "SEO"}, "{topics}Invalid input"),
        ({"budget": "5", "topics": ["Cars"]}, "{topics}Invalid option"),
    ],
)
def test_answers_are_checked(sandbox: Sandbox, answers: dict[str, Any], words: str) -> None:
    event = made(sandbox, bookingFields=FIELDS)
    assert_refused(sandbox.book(event=event["id"], bookingFieldsResponses=answers), 400, words)


def test_answers_are_kept(sandbox: Sandbox) -> None:
    event = made(sandbox, bookingFields=FIELDS)
    answers = {"budget": "5", "topics": ["SEO", "Speed"]}
    booking = sandbox.booked(event=event["id"], bookingFieldsResponses=answers)
    assert booking["bookingFieldsResponses"].items() >= answers.items()


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        ({"type": "address"}, "1 Main St"),
        ({"type": "link"}, "https://meet.example/room"),
        ({"type": "phone"}, "+12025550100"),
        ({"type": "attendeeAddress", "address": "2 Side St"}, "2 Side St"),
        ({"type": "attendeeDefined", "location": "The park"}, "The park"),
        ({"type": "integration", "integration": "zoom"}, "integrations:zoom"),
        (None, "1 Main St"),
    ],
)
def test_one_meets_where_the_event_type_says(sandbox: Sandbox, place: dict[str, str] | None, kept: str) -> None:
    places = [
        {"type": "address", "address": "1 Main St", "public": True},
        {"type": "link", "link": "https://meet.example/room", "public": False},
        {"type": "phone", "phone": "+12025550100", "public": False},
        {"type": "attendeeAddress"},
        {"type": "attendeeDefined"},
        {"type": "integration", "integration": "zoom"},
    ]
    event = made(sandbox, locations=places)
    booking = sandbox.booked(event=event["id"], **({"location": place} if place else {}))
    assert booking["location"] == kept
    wrong = sandbox.book(MONDAY_ELEVEN, event["id"], location={"type": "attendeePhone", "phone": "+12025550123"})
    assert_refused(wrong, 400, "supports only the following locations: address, link")
    assert_refused(sandbox.book(MONDAY_ELEVEN, event["id"], location={"type": "attendeeAddress"}), 400, "address")


def test_a_length_can_be_chosen(sandbox: Sandbox) -> None:
    event = made(sandbox, lengthInMinutesOptions=[30, 60])
    assert event["lengthInMinutesOptions"] == [30, 60]
    data = sandbox.slots(eventTypeId=event["id"], duration=60, format="range").json()["data"]
    assert data["2026-11-23"][0]["end"] == "2026-11-23T15:00:00.000Z"
    assert sandbox.booked(event=event["id"], lengthInMinutes=60)["duration"] == 60
    assert_refused(sandbox.book(MONDAY_ELEVEN, event["id"], lengthInMinutes=45), 400, "multiple lengths")


@pytest.mark.parametrize(
    ("window", "days"),
    [
        ({"type": "calendarDays", "value": 2}, ["2026-11-23", "2026-11-24"]),
        ({"type": "businessDays", "value": 3}, ["2026-11-23", "2026-11-24", "2026-11-25"]),
        ({"type": "range", "value": ["2027-03-01", "2027-03-02"]}, ["2027-03-01", "2027-03-02"]),
    ],
)
def test_a_window_bounds_what_is_free(sandbox: Sandbox, window: dict[str, Any], days: list[str]) -> None:
    event = made(sandbox, bookingWindow=window)
    asked = {"eventTypeId": event["id"], "start": "2026-11-22", "end": "2027-04-30"}
    assert list(sandbox.slots(**asked).json()["data"]) == days
    assert_refused(sandbox.book("2026-12-21T15:00:00Z", event["id"]), 400, "can't be booked at the")


def test_an_address_is_proven_by_a_code(sandbox: Sandbox) -> None:
    event = made(sandbox, requiresBookerEmailVerification=True)
    email = attendee()["email"]
    assert_refused(sandbox.book(event=event["id"]), 400, "email_verification_required")
    path = "/bookings/verification/email"
    needed = sandbox.api("GET", f"{path}/check", params={"email": email})
    assert assert_documented(needed, "get", f"/v2{path}/check", 200) is False
    sent = sandbox.api("POST", f"{path}/send-code", json={"email": email})
    assert assert_documented(sent, "post", f"/v2{path}/send-code", 200) == {"sent": True}
    shown = re.search(rf'data-email="{email}"><code>(\d{{6}})<', sandbox.page("/host").text)
    assert shown
    wrong = {"email": email, "code": "no"}
    assert_refused(sandbox.api("POST", f"{path}/verify-code", json=wrong), 400, "invalid_code")
    right = sandbox.api("POST", f"{path}/verify-code", json=wrong | {"code": shown[1]})
    assert assert_documented(right, "post", f"/v2{path}/verify-code", 200) == {"verified": True}
    assert_refused(sandbox.book(event=event["id"], emailVerificationCode="no"), 400, "invalid_verification_code")
    sandbox.booked(MONDAY_TEN, event["id"], emailVerificationCode=shown[1])
