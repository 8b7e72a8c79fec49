"""Several people book one time, each a seat of their own."""

from __future__ import annotations

from typing import Any

from .conftest import KEY, MONDAY_TEN, TUESDAY_TEN, Receiver, Sandbox, attendee
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


def seated(posting: Sandbox, uid: str) -> list[str]:
    return [sitting["name"] for sitting in posting.read(uid)["attendees"]]


def test_a_seat_moves_alone_to_a_time_of_its_own(posting: Sandbox, receiver: Receiver) -> None:
    event = made(posting, seats=SEATS)
    ann, bob = (sit(posting, event, name).json()["data"] for name in ("ann", "bob"))
    assert_refused(posting.act(ann["uid"], "reschedule", {"start": TUESDAY_TEN}), 400, "is a seated booking")
    why = {"start": TUESDAY_TEN, "seatUid": ann["seatUid"], "reschedulingReason": "Ill"}
    assert_refused(posting.act(ann["uid"], "reschedule", why), 400, "should not exist")
    answer = posting.act(ann["uid"], "reschedule", {"start": TUESDAY_TEN, "seatUid": ann["seatUid"]})
    moved = assert_documented(answer, "post", "/v2/bookings/{bookingUid}/reschedule", 201)
    assert moved["uid"] != ann["uid"]
    assert moved["seatUid"] != ann["seatUid"]
    assert moved["start"] == "2026-11-24T15:00:00.000Z"
    assert (seated(posting, ann["uid"]), seated(posting, moved["uid"])) == (["bob"], ["ann"])
    told = receiver.wait_for_trigger("BOOKING_RESCHEDULED")["payload"]
    assert (told["uid"], told["rescheduleUid"], told["attendeeSeatId"]) == (moved["uid"], ann["uid"], moved["seatUid"])
    gone = {"start": TUESDAY_TEN, "seatUid": ann["seatUid"]}
    assert_refused(posting.act(ann["uid"], "reschedule", gone), 404, "does not exist")
    last = posting.act(bob["uid"], "reschedule", {"start": TUESDAY_TEN, "seatUid": bob["seatUid"]}).json()["data"]
    assert (last["uid"], last["seatUid"]) == (moved["uid"], bob["seatUid"])
    assert seated(posting, moved["uid"]) == ["ann", "bob"]
    assert posting.read(bob["uid"])["status"] == "cancelled"
    joined = [body["payload"] for body in receiver.wait_for(4) if body["triggerEvent"] == "BOOKING_RESCHEDULED"][-1]
    assert joined["attendees"][0]["name"] == "bob"
    assert len(joined["attendees"]) == 2


def test_no_seat_moves_to_where_there_is_no_room(posting: Sandbox) -> None:
    event = made(posting, seats=SEATS)
    ann, _ = (sit(posting, event, name).json()["data"] for name in ("ann", "bob"))
    cid = posting.book(TUESDAY_TEN, event["id"], attendee=attendee(name="cid", email="cid@acme.example")).json()["data"]
    to_ann = {"start": ann["start"], "seatUid": cid["seatUid"]}
    full = posting.act(cid["uid"], "reschedule", to_ann)
    assert (full.status_code, full.json()["message"]) == (409, "No more seats left at this seated booking.")
    same = posting.act(ann["uid"], "reschedule", {"start": ann["start"], "seatUid": ann["seatUid"]})
    assert (same.status_code, same.json()["message"]) == (409, "already_signed_up_for_this_booking_error")
    assert seated(posting, cid["uid"]) == ["cid"]


def test_the_host_moves_everybody_under_the_same_uid(posting: Sandbox, receiver: Receiver) -> None:
    event = made(posting, seats=SEATS)
    uid, _ = (sit(posting, event, name).json()["data"]["uid"] for name in ("ann", "bob"))
    assert posting.post(f"/host/bookings/{uid}/move", {"slot": TUESDAY_TEN}).status_code == 200
    told = receiver.wait_for_trigger("BOOKING_RESCHEDULED")["payload"]
    assert (told["uid"], told["rescheduleUid"], len(told["attendees"])) == (uid, uid, 2)
    assert told["startTime"] == "2026-11-24T15:00:00Z"
