from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import requests
import time_machine

from hds.sandbox import booking as records

from .conftest import DEEP_DIVE, FREE, INTRO, MONDAY_ELEVEN, TUESDAY_TEN, Sandbox, attendee
from .schema import assert_documented

BOOKINGS = "/v2/bookings"
ONE = "/v2/bookings/{bookingUid}"
TAKEN = "User either already has booking at this time or is not available"


def assert_refused(answer: requests.Response, status: int, words: str, code: str | None = None) -> None:
    """The first of Cal.com's error shapes."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"status", "timestamp", "path", "error"}
    assert body["status"] == "error"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["timestamp"])
    assert body["path"].startswith("/v2/")
    assert set(body["error"]) == {"code", "message", "details"}
    assert words in body["error"]["message"]
    assert code in (None, body["error"]["code"])


def test_free_type_is_accepted_at_once(sandbox: Sandbox) -> None:
    answer = sandbox.book(
        metadata={"site_ref": "q_7f3a91"},
        guests=["lee@acme.example"],
        bookingFieldsResponses={"notes": "Before spring", "topic": "Booking pages"},
    )
    booking = assert_documented(answer, "post", BOOKINGS, 201)
    assert re.fullmatch(r"[0-9A-Za-z]{22}", booking["uid"])
    assert booking["status"] == "accepted"
    assert (booking["start"], booking["end"]) == ("2026-11-23T15:00:00.000Z", "2026-11-23T15:30:00.000Z")
    assert booking["duration"] == 30
    assert booking["eventType"] == {"id": FREE, "slug": "strategy-consultation"}
    assert booking["metadata"] == {"site_ref": "q_7f3a91"}
    assert booking["description"] == "Before spring"
    assert booking["location"] == f"{sandbox.address}/video/{booking['uid']}"
    assert [person["email"] for person in booking["attendees"]] == ["priya@acme.example", "lee@acme.example"]
    assert booking["bookingFieldsResponses"]["topic"] == "Booking pages"
    assert booking["icsUid"] == f"{booking['uid']}@Cal.com"


def test_anybody_who_knows_the_uid_reads_the_booking(sandbox: Sandbox) -> None:
    made = sandbox.booked()
    read = sandbox.api("GET", f"/bookings/{made['uid']}", "2026-02-25")
    assert assert_documented(read, "get", ONE, 200) == made


@pytest.mark.parametrize("event", [DEEP_DIVE, INTRO])
def test_paid_and_approval_types_are_pending_without_a_link(sandbox: Sandbox, event: int) -> None:
    booking = assert_documented(sandbox.book(event=event), "post", BOOKINGS, 201)
    assert booking["status"] == "pending"
    assert "payment" not in str(booking).lower()
    assert booking["location"] == "integrations:daily"


def test_booking_by_slug_and_by_phone(sandbox: Sandbox) -> None:
    target = {"eventTypeId": None, "eventTypeSlug": "strategy-consultation", "username": "hudson"}
    location = {"type": "attendeePhone", "phone": "+12025550123"}
    booking = assert_documented(sandbox.book(location=location, **target), "post", BOOKINGS, 201)
    assert booking["location"] == "+12025550123"
    assert booking["attendees"][0]["phoneNumber"] == "+12025550123"


def test_any_minute_of_the_working_day_can_be_booked(sandbox: Sandbox) -> None:
    assert sandbox.book("2026-11-23T15:10:00Z").status_code == 201
    assert_refused(sandbox.book("2026-11-23T14:50:00Z"), 400, TAKEN)


def test_taken_slot_is_refused(sandbox: Sandbox) -> None:
    sandbox.booked()
    assert_refused(sandbox.book(), 400, TAKEN, "BadRequestException")
    assert_refused(sandbox.book(event=INTRO), 400, TAKEN, "BadRequestException")


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("2026-11-20T15:00:00Z", "in the past"),
        ("2026-11-22T13:00:00Z", "GET /v2/slots"),
        ("2027-03-01T15:00:00Z", "GET /v2/slots"),
        ("2026-11-23T11:00:00Z", TAKEN),
        ("2026-11-28T15:00:00Z", TAKEN),
    ],
)
def test_times_that_nobody_can_have_are_refused(sandbox: Sandbox, start: str, words: str) -> None:
    assert_refused(sandbox.book(start), 400, words, "BadRequestException")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"start": "tomorrow"}, "start must be a valid ISO 8601 date string"),
        ({"start": None}, "start must be a valid ISO 8601 date string"),
        ({"attendee": None}, "attendee must be an object"),
        ({"attendee": attendee(name=" ")}, "name should not be empty"),
        ({"attendee": attendee(timeZone="Mars/Olympus")}, "IANA time-zone"),
        ({"attendee": attendee(email="priya")}, "email must be an email"),
        ({"attendee": attendee(email=None)}, "email must be an email"),
        ({"attendee": attendee(phoneNumber="123")}, "international format"),
        ({"guests": "lee@acme.example"}, "guests must be an array"),
        ({"guests": ["lee"]}, "email must be an email"),
        ({"metadata": {"k" * 41: "v"}}, "40 characters"),
        ({"metadata": {"k": "v" * 501}}, "500 characters"),
        ({"metadata": {f"k{n}": "v" for n in range(51)}}, "50 keys"),
        ({"location": {"type": "attendeePhone"}}, "international format"),
        ({"bookingFieldsResponses": []}, "must be an object"),
    ],
)
def test_wrong_fields_name_themselves_in_details(sandbox: Sandbox, change: dict[str, object], words: str) -> None:
    answer = sandbox.book(**change)
    assert_refused(answer, 400, words, "BadRequestException")
    error = answer.json()["error"]
    field = next(iter(change))
    assert error["message"].startswith(f"{field} property is wrong,")
    assert error["details"]["errors"][0]["property"] == field


def test_unknown_types_and_places_are_refused(sandbox: Sandbox) -> None:
    assert_refused(sandbox.book(event=99), 404, "Event type with id 99 not found", "NotFoundException")
    assert_refused(sandbox.book(eventTypeId=None), 400, "Either eventTypeId or")
    assert_refused(sandbox.book(lengthInMinutes=45), 400, "lengthInMinutes")
    phone = {"type": "attendeePhone", "phone": "+12025550123"}
    assert_refused(sandbox.book(event=DEEP_DIVE, location=phone), 400, "not valid for event type")
    assert_refused(sandbox.api("GET", "/bookings/nobody", "2024-08-13"), 404, "uid=nobody was not found")


def test_body_that_is_no_json_is_refused(sandbox: Sandbox) -> None:
    assert_refused(sandbox.api("POST", "/bookings", "2024-08-13", data="{"), 400, "JSON")
    assert_refused(sandbox.api("POST", "/bookings", "2024-08-13", json=[1]), 400, "JSON")


def test_of_two_at_once_one_wins(sandbox: Sandbox) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: sandbox.book(), range(8)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses.count(201) == 1
    assert set(statuses[1:]) <= {400, 409}


def test_two_that_both_saw_the_slot_free_conflict(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    both_have_looked = threading.Barrier(2, timeout=5)
    new_uid = records.new_uid

    def late_uid() -> str:
        both_have_looked.wait()
        return new_uid()

    monkeypatch.setattr(records, "new_uid", late_uid)
    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(lambda _: sandbox.book(), range(2)), key=lambda answer: answer.status_code)
    assert [answer.status_code for answer in answers] == [201, 409]
    assert answers[1].json() == {"statusCode": 409, "message": "booking_conflict_error"}


# --- moving ----------------------------------------------------------------------------------------------


def test_moved_booking_has_a_new_uid_and_keeps_the_rest(sandbox: Sandbox) -> None:
    old = sandbox.booked(metadata={"ref": "1"}, bookingFieldsResponses={"topic": "x"})
    body = {"start": TUESDAY_TEN, "reschedulingReason": "Clash"}
    new = assert_documented(sandbox.act(old["uid"], "reschedule", body), "post", ONE + "/reschedule", 201)
    assert new["uid"] != old["uid"]
    assert new["rescheduledFromUid"] == old["uid"]
    assert new["start"] == "2026-11-24T15:00:00.000Z"
    assert (new["reschedulingReason"], new["rescheduledByEmail"]) == ("Clash", "priya@acme.example")
    assert (new["metadata"], new["icsUid"]) == (old["metadata"], old["icsUid"])
    before = sandbox.read(old["uid"])
    assert (before["status"], before["rescheduledToUid"]) == ("cancelled", new["uid"])


def test_booking_may_move_into_its_own_time(sandbox: Sandbox) -> None:
    uid = sandbox.booked()["uid"]
    assert sandbox.act(uid, "reschedule", {"start": "2026-11-23T15:15:00Z"}).status_code == 201


def test_moved_request_waits_again_unless_the_owner_moves_it(sandbox: Sandbox) -> None:
    uid = sandbox.booked(event=INTRO)["uid"]
    sandbox.act(uid, "confirm", key=True)
    by_guest = sandbox.act(uid, "reschedule", {"start": MONDAY_ELEVEN}).json()["data"]
    assert by_guest["status"] == "pending"
    by_owner = {"start": TUESDAY_TEN, "rescheduledBy": "owner@hudson.example"}
    assert sandbox.act(by_guest["uid"], "reschedule", by_owner).json()["data"]["status"] == "accepted"


def test_what_is_gone_cannot_move(sandbox: Sandbox) -> None:
    cancelled, moved = sandbox.booked()["uid"], sandbox.booked(MONDAY_ELEVEN)["uid"]
    rejected = sandbox.booked("2026-11-23T18:00:00Z", INTRO)["uid"]
    sandbox.act(cancelled, "cancel")
    follower = sandbox.act(moved, "reschedule", {"start": TUESDAY_TEN}).json()["data"]["uid"]
    sandbox.act(rejected, "decline", key=True)
    again = {"start": "2026-11-25T15:00:00Z"}
    assert_refused(sandbox.act(cancelled, "reschedule", again), 400, "because it has been cancelled")
    assert_refused(sandbox.act(moved, "reschedule", again), 400, f"rescheduled already to booking with uid={follower}")
    assert_refused(sandbox.act(rejected, "reschedule", again), 400, "because it has been rejected")
    assert_refused(sandbox.act("nobody", "reschedule", again), 404, "uid=nobody")


def test_move_to_a_taken_time_leaves_the_booking_alone(sandbox: Sandbox) -> None:
    uid = sandbox.booked()["uid"]
    sandbox.booked(MONDAY_ELEVEN)
    assert_refused(sandbox.act(uid, "reschedule", {"start": MONDAY_ELEVEN}), 400, TAKEN)
    assert sandbox.read(uid)["status"] == "accepted"


# --- cancelling and deciding -----------------------------------------------------------------------------


def test_cancelled_names_who_and_why(sandbox: Sandbox) -> None:
    uid = sandbox.booked()["uid"]
    answer = sandbox.act(uid, "cancel", {"cancellationReason": "Another date"})
    booking = assert_documented(answer, "post", ONE + "/cancel", 200)
    assert (booking["uid"], booking["status"]) == (uid, "cancelled")
    assert booking["cancellationReason"] == "Another date"
    assert booking["cancelledByEmail"] == "priya@acme.example"


def test_cancel_again_is_refused(sandbox: Sandbox) -> None:
    uid = sandbox.booked()["uid"]
    sandbox.act(uid, "cancel")
    assert_refused(sandbox.act(uid, "cancel"), 400, "This booking has already been cancelled.", "BadRequestException")


def test_what_is_over_cannot_be_cancelled(sandbox: Sandbox, clock: time_machine.Traveller) -> None:
    uid = sandbox.booked()["uid"]
    clock.move_to(datetime(2026, 11, 23, 16, tzinfo=UTC))
    assert_refused(sandbox.act(uid, "cancel"), 400, "Cannot cancel a booking that has already ended")


def test_host_confirms_or_declines_once(sandbox: Sandbox) -> None:
    first, second = sandbox.booked(event=INTRO)["uid"], sandbox.booked(MONDAY_ELEVEN, INTRO)["uid"]
    confirmed = assert_documented(sandbox.act(first, "confirm", key=True), "post", ONE + "/confirm", 200)
    assert confirmed["status"] == "accepted"
    declined = sandbox.act(second, "decline", {"reason": "Full"}, key=True)
    assert assert_documented(declined, "post", ONE + "/decline", 200)["status"] == "rejected"
    assert_refused(sandbox.act(first, "confirm", key=True), 400, "already confirmed", "TRPCError")
    assert_refused(sandbox.act(second, "confirm", key=True), 400, "rejected", "TRPCError")


def test_absence_is_marked_after_the_start(sandbox: Sandbox, clock: time_machine.Traveller) -> None:
    uid = sandbox.booked()["uid"]
    body = {"attendees": [{"email": "priya@acme.example", "absent": True}], "host": True}
    assert_refused(sandbox.act(uid, "mark-absent", body, key=True), 400, "after their start time")
    clock.move_to(datetime(2026, 11, 23, 15, 5, tzinfo=UTC))
    booking = assert_documented(sandbox.act(uid, "mark-absent", body, key=True), "post", ONE + "/mark-absent", 200)
    assert booking["attendees"][0]["absent"] is True
    assert booking["absentHost"] is True


@pytest.mark.parametrize("action", ["confirm", "decline", "mark-absent"])
def test_host_actions_need_the_key(sandbox: Sandbox, action: str) -> None:
    uid = sandbox.booked(event=INTRO)["uid"]
    assert_refused(sandbox.act(uid, action), 401, "No authentication method provided", "UnauthorizedException")


def test_request_to_reschedule_exists_in_the_new_version_only(sandbox: Sandbox) -> None:
    uid = sandbox.booked()["uid"]
    path = f"/bookings/{uid}/request-reschedule"
    assert sandbox.api("POST", path, "2024-08-13", key=True).status_code == 404
    answer = sandbox.api("POST", path, "2026-02-25", key=True, json={"rescheduleReason": "Ill"})
    assert_documented(answer, "post", ONE + "/request-reschedule", 200)
    assert sandbox.read(uid)["cancellationReason"] == "Please reschedule. Ill\n"


# --- listing ---------------------------------------------------------------------------------------------


def listed(sandbox: Sandbox, version: str = "2024-08-13", **query: object) -> list[str]:
    answer = sandbox.api("GET", "/bookings", version, key=True, params=query)
    return [booking["uid"] for booking in assert_documented(answer, "get", BOOKINGS, 200)]


def test_list_needs_the_key(sandbox: Sandbox) -> None:
    assert sandbox.api("GET", "/bookings", "2024-08-13").status_code == 401


def test_filters_narrow_the_list(sandbox: Sandbox, clock: time_machine.Traveller) -> None:
    first = sandbox.booked(guests=["lee@acme.example"])["uid"]
    clock.shift(60)
    second = sandbox.booked(TUESDAY_TEN, INTRO, attendee=attendee(name="Sam", email="sam@x.example"))["uid"]
    third = sandbox.booked("2026-11-25T15:00:00Z")["uid"]
    sandbox.act(third, "cancel")
    assert listed(sandbox) == [first, second, third]
    assert listed(sandbox, status="upcoming") == [first, second]
    assert listed(sandbox, status="unconfirmed,cancelled") == [second, third]
    assert listed(sandbox, status="past") == listed(sandbox, status="recurring") == []
    assert listed(sandbox, attendeeEmail="SAM@x.example") == [second]
    assert listed(sandbox, attendeeEmail="lee@acme.example") == [first]
    assert listed(sandbox, attendeeName="sam") == [second]
    assert listed(sandbox, eventTypeIds=f"{INTRO},99") == listed(sandbox, eventTypeId=INTRO) == [second]
    assert listed(sandbox, afterStart="2026-11-24T00:00:00Z", beforeEnd="2026-11-25T00:00:00Z") == [second]
    assert listed(sandbox, afterUpdatedAt="2026-11-22T12:00:30.000Z") == [second, third]
    assert listed(sandbox, bookingUid=third) == [third]
    assert listed(sandbox, sortStart="desc") == [third, second, first]
    assert listed(sandbox, sortUpdatedAt="asc")[-1] == third
    clock.move_to(datetime(2026, 11, 23, 20, tzinfo=UTC))
    assert listed(sandbox, status="past") == [first]


def test_pages_by_take_and_skip(sandbox: Sandbox) -> None:
    uids = [sandbox.booked(f"2026-11-23T{hour}:00:00Z")["uid"] for hour in (14, 15, 16)]
    answer = sandbox.api("GET", "/bookings", "2024-08-13", key=True, params={"take": 2, "skip": 2}).json()
    assert [booking["uid"] for booking in answer["data"]] == uids[2:]
    assert answer["pagination"] == {
        "totalItems": 3,
        "remainingItems": 0,
        "returnedItems": 1,
        "itemsPerPage": 2,
        "currentPage": 2,
        "totalPages": 2,
        "hasNextPage": False,
        "hasPreviousPage": True,
    }
    unpaged = sandbox.api("GET", "/bookings", "2024-08-13", key=True).json()["pagination"]
    assert (unpaged["currentPage"], unpaged["itemsPerPage"]) == (0, 100)


def test_an_unknown_version_of_the_list_falls_back_without_a_word(sandbox: Sandbox) -> None:
    uid = sandbox.booked()["uid"]
    for version in ("2024-08-13", "2026-02-25", "2026-05-01"):
        assert listed(sandbox, version) == [uid]
    for version in (None, "2024-04-15", "latest"):
        answer = sandbox.api("GET", "/bookings", version, key=True)
        assert answer.status_code == 200
        [booking] = answer.json()["data"]["bookings"]
        assert (booking["uid"], booking["status"]) == (uid, "ACCEPTED")
        assert "pagination" not in answer.json()


def test_an_organisation_lists_the_same(sandbox: Sandbox) -> None:
    uid = sandbox.booked()["uid"]
    answer = sandbox.api("GET", "/organizations/77/bookings", "2024-08-13", key=True, params={"take": 1})
    assert [booking["uid"] for booking in answer.json()["data"]] == [uid]
    assert sandbox.api("GET", "/organizations/77/bookings", "2024-08-13").status_code == 401


def test_pages_by_cursor(sandbox: Sandbox) -> None:
    uids = [sandbox.booked(f"2026-11-23T{hour}:00:00Z")["uid"] for hour in (14, 15, 16)]
    first = sandbox.api("GET", "/bookings", "2026-05-01", key=True, params={"limit": 2})
    assert_documented(first, "get", BOOKINGS, 200)
    assert first.json()["pagination"]["hasMore"] is True
    cursor = first.json()["pagination"]["nextCursor"]
    second = sandbox.api("GET", "/bookings", "2026-05-01", key=True, params={"limit": 2, "cursor": cursor}).json()
    assert [booking["uid"] for booking in second["data"]] == uids[2:]
    assert second["pagination"] == {"nextCursor": None, "hasMore": False}
    two = sandbox.api("GET", "/bookings", "2026-05-01", key=True, params={"status": "past,upcoming"})
    assert two.status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        {"take": 251},
        {"take": 0},
        {"take": "x"},
        {"skip": -1},
        {"status": "open"},
        {"afterStart": "2026-11-24"},
        {"sortStart": "up"},
        {"eventTypeIds": "a"},
    ],
)
def test_odd_filters_are_refused(sandbox: Sandbox, query: dict[str, object]) -> None:
    assert_refused(sandbox.api("GET", "/bookings", "2024-08-13", key=True, params=query), 400, next(iter(query)))
