from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
import time_machine

from hds.sandbox.availability import free_slots

from .conftest import DEEP_DIVE, INTRO, MONDAY_ELEVEN, MONDAY_TEN, Sandbox
from .schema import assert_documented

SLOTS = "/v2/slots"
RESERVATIONS = "/v2/slots/reservations"


def starts(sandbox: Sandbox, **query: object) -> list[str]:
    days = assert_documented(sandbox.slots(**query), "get", SLOTS, 200)
    return [slot["start"] for slots in days.values() for slot in slots]


def test_working_day_has_sixteen_half_hours_in_utc(sandbox: Sandbox) -> None:
    data = assert_documented(sandbox.slots(), "get", SLOTS, 200)
    assert list(data) == ["2026-11-23"]
    assert len(data["2026-11-23"]) == 16
    assert data["2026-11-23"][0] == {"start": "2026-11-23T14:00:00.000Z"}
    assert data["2026-11-23"][-1] == {"start": "2026-11-23T21:30:00.000Z"}


def test_times_have_the_offset_of_the_asked_zone_and_ends_as_ranges(sandbox: Sandbox) -> None:
    data = assert_documented(sandbox.slots(timeZone="America/New_York", format="range"), "get", SLOTS, 200)
    first = {"start": "2026-11-23T09:00:00.000-05:00", "end": "2026-11-23T09:30:00.000-05:00"}
    assert data["2026-11-23"][0] == first


def test_days_are_those_of_the_asked_zone(sandbox: Sandbox) -> None:
    data = sandbox.slots(timeZone="Asia/Tokyo").json()["data"]
    assert list(data) == ["2026-11-23", "2026-11-24"]


def test_an_hour_starts_at_four_at_the_latest(sandbox: Sandbox) -> None:
    assert starts(sandbox, eventTypeId=DEEP_DIVE)[-1] == "2026-11-23T21:00:00.000Z"


def test_weekend_has_nothing(sandbox: Sandbox) -> None:
    assert sandbox.slots(start="2026-11-28", end="2026-11-29").json()["data"] == {}


@pytest.mark.parametrize(
    "query",
    [
        {"eventTypeId": None, "eventTypeSlug": "strategy-consultation", "username": "hudson"},
        {"start": "2026-11-23T00:00:00Z", "end": "2026-11-23T23:59:59Z"},
        {"start": "2026-11-23T00:00:00.000Z", "end": "2026-11-23T23:00:00+01:00"},
        {"duration": 30},
    ],
)
def test_every_form_of_the_question_has_the_same_answer(sandbox: Sandbox, query: dict[str, object]) -> None:
    assert len(starts(sandbox, **query)) == 16


def test_a_time_limits_the_range_too(sandbox: Sandbox) -> None:
    assert starts(sandbox, start=MONDAY_TEN, end=MONDAY_ELEVEN) == [
        "2026-11-23T15:00:00.000Z",
        "2026-11-23T15:30:00.000Z",
        "2026-11-23T16:00:00.000Z",
    ]


def test_notice_is_two_hours(sandbox: Sandbox, clock: time_machine.Traveller) -> None:
    clock.move_to(datetime(2026, 11, 23, 14, 45, tzinfo=UTC))
    assert starts(sandbox)[0] == "2026-11-23T17:00:00.000Z"


def test_window_is_sixty_days(sandbox: Sandbox) -> None:
    assert starts(sandbox, start="2027-01-18", end="2027-03-01")[-1] == "2027-01-20T21:30:00.000Z"


def test_nine_stays_nine_when_the_clocks_change(sandbox: Sandbox, clock: time_machine.Traveller) -> None:
    clock.move_to(datetime(2027, 3, 1, 12, tzinfo=UTC))
    found = starts(sandbox, start="2027-03-12", end="2027-03-15", timeZone="America/New_York")
    assert found[0] == "2027-03-12T09:00:00.000-05:00"
    assert found[16] == "2027-03-15T09:00:00.000-04:00"
    assert len(found) == 32


@pytest.mark.parametrize("zone_name", ["America/New_York", "Europe/London", "Australia/Lord_Howe", "UTC"])
def test_each_working_day_of_a_year_has_its_slots(zone_name: str) -> None:
    zone = ZoneInfo(zone_name)
    for month in range(1, 13):
        now = datetime(2026, month, 1, tzinfo=UTC)
        slots = free_slots(zone, now, datetime(2026, month, 28, tzinfo=UTC), 30, busy=[], now=now)
        local = [slot.astimezone(zone) for slot in slots]
        assert {(time.hour, time.minute) for time in local} == {(h, m) for h in range(9, 17) for m in (0, 30)}
        assert all(time.weekday() < 5 for time in local)
        assert slots == sorted(set(slots))


def test_booking_of_any_type_takes_the_time_from_all(sandbox: Sandbox) -> None:
    sandbox.booked(MONDAY_TEN, INTRO)
    assert "2026-11-23T15:00:00.000Z" not in starts(sandbox)
    assert "2026-11-23T14:30:00.000Z" not in starts(sandbox, eventTypeId=DEEP_DIVE)
    assert "2026-11-23T15:30:00.000Z" in starts(sandbox)


def test_time_of_the_booking_to_move_is_free_for_its_owner(sandbox: Sandbox) -> None:
    uid = sandbox.booked()["uid"]
    assert "2026-11-23T15:00:00.000Z" in starts(sandbox, bookingUidToReschedule=uid)


def test_cancelled_booking_gives_its_time_back(sandbox: Sandbox) -> None:
    uid = sandbox.booked()["uid"]
    sandbox.act(uid, "cancel")
    assert "2026-11-23T15:00:00.000Z" in starts(sandbox)


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({"start": "soon"}, 400, "start must be a valid ISO 8601 date string"),
        ({"end": None}, 400, "end must be a valid ISO 8601 date string"),
        ({"end": "2026-11-20"}, 400, "Invalid time range given"),
        ({"timeZone": "Mars/Olympus"}, 400, "IANA time-zone"),
        ({"eventTypeId": 99}, 404, "Event Type with ID=99 not found"),
        ({"eventTypeId": "x"}, 400, "eventTypeId"),
        ({"eventTypeId": None}, 400, "Please provide one of the following"),
        ({"eventTypeId": None, "eventTypeSlug": "deep-dive", "username": "x"}, 404, "not found"),
        ({"eventTypeId": None, "usernames": "hudson"}, 400, "at least 2"),
        ({"eventTypeId": None, "usernames": "hudson,bob"}, 404, "bob"),
        ({"duration": 45}, 400, "variable length"),
        ({"format": "list"}, 400, "format"),
    ],
)
def test_odd_questions_are_refused(sandbox: Sandbox, query: dict[str, object], status: int, words: str) -> None:
    answer = sandbox.slots(**query)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]


# --- reservations ----------------------------------------------------------------------------------------


def test_reservation_hides_the_slot_for_five_minutes(sandbox: Sandbox, clock: time_machine.Traveller) -> None:
    held = assert_documented(sandbox.reserve(), "post", RESERVATIONS, 201)
    assert (held["slotStart"], held["slotEnd"]) == ("2026-11-23T15:00:00.000Z", "2026-11-23T15:30:00.000Z")
    assert (held["slotDuration"], held["reservationDuration"]) == (30, 5)
    assert "2026-11-23T15:00:00.000Z" not in starts(sandbox)
    clock.shift(301)
    assert "2026-11-23T15:00:00.000Z" in starts(sandbox)


def test_reservation_is_read_moved_and_given_back(sandbox: Sandbox) -> None:
    uid = sandbox.reserve().json()["data"]["reservationUid"]
    path = f"/slots/reservations/{uid}"
    documented = RESERVATIONS + "/{uid}"
    read = assert_documented(sandbox.api("GET", path, "2024-09-04"), "get", documented, 200)
    assert read["reservationUid"] == uid
    change = {"eventTypeId": 1001, "slotStart": MONDAY_ELEVEN}
    changed = sandbox.api("PATCH", path, "2024-09-04", json=change)
    assert assert_documented(changed, "patch", documented, 200)["slotStart"] == "2026-11-23T16:00:00.000Z"
    assert "2026-11-23T15:00:00.000Z" in starts(sandbox)
    assert_documented(sandbox.api("DELETE", path, "2024-09-04"), "delete", documented, 200)
    gone = sandbox.api("GET", path, "2024-09-04")
    assert assert_documented(gone, "get", documented, 200) is None


def test_held_and_booked_slots_cannot_be_held(sandbox: Sandbox) -> None:
    sandbox.reserve()
    assert sandbox.reserve().status_code == 422
    sandbox.booked(MONDAY_ELEVEN)
    refused = sandbox.reserve(slotStart=MONDAY_ELEVEN)
    assert refused.status_code == 422
    assert refused.json()["error"]["code"] == "UnprocessableEntityException"


def test_booking_does_not_ask_for_reservations(sandbox: Sandbox) -> None:
    sandbox.reserve()
    assert sandbox.book().status_code == 201


def test_length_of_a_reservation_needs_the_key(sandbox: Sandbox) -> None:
    assert sandbox.reserve(reservationDuration=20).status_code == 401
    body = {"eventTypeId": 1001, "slotStart": MONDAY_TEN, "reservationDuration": 20}
    held = sandbox.api("POST", "/slots/reservations", "2024-09-04", key=True, json=body)
    assert held.json()["data"]["reservationDuration"] == 20


@pytest.mark.parametrize(
    ("body", "status"),
    [({"eventTypeId": 99}, 404), ({"slotStart": "x"}, 400), ({"slotStart": "2026-11-20T15:00:00Z"}, 400)],
)
def test_odd_reservations_are_refused(sandbox: Sandbox, body: dict[str, object], status: int) -> None:
    assert sandbox.reserve(**body).status_code == status
