"""Several people book one time, each a seat of their own."""

from __future__ import annotations

from typing import Any

from .conftest import KEY, MONDAY_TEN, Receiver, Sandbox, attendee
from .schema import assert_documented
from .test_bookings import assert_refused
from .test_event_types import made

SEATS = {"seatsPerTimeSlot": 2, "showAttendeeInfo": False, "showAvailabilityCount": True}


def sit(sandbox: Sandbox, event: dict[str, Any], name: str) -> Any:
    return sandbox.book(event=event["id"], attendee=attendee(name=name, email=f"{name}@acme.example"))


def slot(sandbox: Sandbox, event: dict[str, Any]) -> dict[str, Any] | None:
    data = sandbox.slots(eventTypeId=event["id"]).json()["data"]
    return next((entry for entry in data["2026-11-23"] if entry["start"] == "2026-11-23T15:00:00.000Z"), None)


def test_two_sit_at_one_time_and_share_its_uid(posting: Sandbox, receiver: Receiver) -> None:
    event = made(posting, seats=SEATS)
    assert event["seats"] == SEATS
    ann = assert_documented(sit(posting, event, "ann"), "post", "/v2/bookings", 201)
    assert slot(posting, event) == {
        "start": "2026-11-23T15:00:00.000Z",
        "seatsBooked": 1,
        "seatsRemaining": 1,
        "seatsTotal": 2,
        "bookingUid": ann["uid"],
    }
    again = sit(posting, event, "ann")
    assert (again.status_code, again.json()["message"]) == (409, "already_signed_up_for_this_booking_error")
    bob = assert_documented(sit(posting, event, "bob"), "post", "/v2/bookings", 201)
    assert (bob["uid"], [sitting["name"] for sitting in bob["attendees"]]) == (ann["uid"], ["ann", "bob"])
    assert bob["seatUid"] != ann["seatUid"]
    assert slot(posting, event) is None
    full = sit(posting, event, "cid")
    assert (full.status_code, full.json()["message"]) == (409, "No more seats left at this seated booking.")
    found = posting.api("GET", f"/bookings/by-seat/{bob['seatUid']}", "2024-08-13")
    assert assert_documented(found, "get", "/v2/bookings/by-seat/{seatUid}", 200)["uid"] == ann["uid"]
    listed = posting.api("GET", "/bookings?attendeeEmail=bob@acme.example", "2024-08-13", headers=KEY).json()["data"]
    assert [booking["uid"] for booking in listed] == [ann["uid"]]
    bodies = receiver.wait_for(2)
    told = [(body["payload"]["attendees"][0]["email"], body["payload"]["attendeeSeatId"]) for body in bodies]
    assert told == [("ann@acme.example", ann["seatUid"]), ("bob@acme.example", bob["seatUid"])]


def test_a_seat_given_up_leaves_the_others(posting: Sandbox, receiver: Receiver) -> None:
    event = made(posting, seats=SEATS)
    ann, bob = (sit(posting, event, name).json()["data"] for name in ("ann", "bob"))
    left = posting.act(ann["uid"], "cancel", {"seatUid": ann["seatUid"]}).json()["data"]
    assert (left["status"], [sitting["name"] for sitting in left["attendees"]]) == ("accepted", ["bob"])
    told = receiver.wait_for_trigger("BOOKING_CANCELLED")["payload"]
    assert (told["uid"], [person["email"] for person in told["attendees"]]) == (ann["uid"], ["ann@acme.example"])
    assert (told["seatsPerTimeSlot"], told.get("attendeeSeatId")) == (2, None)
    assert slot(posting, event)
    assert_refused(posting.act(ann["uid"], "cancel", {"seatUid": ann["seatUid"]}), 404, "Seat with uid")
    over = posting.act(bob["uid"], "cancel", {"seatUid": bob["seatUid"]}).json()["data"]
    assert over["status"] == "cancelled"


def test_the_host_cancels_everybodys(posting: Sandbox, receiver: Receiver) -> None:
    event = made(posting, seats=SEATS)
    uid, _ = (sit(posting, event, name).json()["data"]["uid"] for name in ("ann", "bob"))
    assert posting.act(uid, "cancel", key=True).json()["data"]["status"] == "cancelled"
    told = receiver.wait_for_trigger("BOOKING_CANCELLED")["payload"]
    assert [person["email"] for person in told["attendees"]] == ["ann@acme.example", "bob@acme.example"]
    assert (told["status"], told["seatsPerTimeSlot"]) == ("CANCELLED", 2)


def test_a_hold_takes_a_seat(sandbox: Sandbox) -> None:
    event = made(sandbox, seats=SEATS)
    assert sandbox.reserve(eventTypeId=event["id"]).status_code == 201
    assert slot(sandbox, event)
    assert sandbox.reserve(eventTypeId=event["id"]).status_code == 201
    assert slot(sandbox, event) is None
    assert sandbox.reserve(eventTypeId=event["id"]).status_code == 422
    assert sandbox.book(MONDAY_TEN, event["id"]).status_code == 201
