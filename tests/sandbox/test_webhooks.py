"""Bodies, key for key against the published examples, and the order in which they come."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine

from hds.sandbox.outbox import serialize, sign

from .conftest import DEEP_DIVE, INTRO, MONDAY_TEN, SECRET, TUESDAY_TEN, Receiver, Sandbox, attendee

EXAMPLES = Path(__file__).parent.parent / "payloads"
DETAILS = {
    "metadata": {"site_ref": "q_7f3a91"},
    "guests": ["lee@acme.example"],
    "bookingFieldsResponses": {"notes": "Zoë wants it before spring", "topic": "Booking pages"},
}
OWN_QUESTIONS = {"company", "team-size", "topic"}


def example(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((EXAMPLES / f"{name}.v2021-10-20.json").read_text())
    return body


def keys(value: Any) -> Any:
    """All keys, at every depth; of a list its first element's; the host's own questions aside."""
    if isinstance(value, dict):
        return {key: keys(part) for key, part in value.items() if key not in OWN_QUESTIONS}
    return [keys(part) for part in value[:1]] if isinstance(value, list) else type(value).__name__ != "NoneType"


def assert_shaped_like(body: dict[str, Any], name: str, *, maybe_null: tuple[str, ...] = ()) -> None:
    ours, theirs = keys(body), keys(example(name))
    for path in maybe_null:
        for shape in (ours, theirs):
            shape.get("payload", shape).pop(path)
    assert ours == theirs


def test_free_booking_is_created(posting: Sandbox, receiver: Receiver) -> None:
    booking = posting.booked(**DETAILS)
    (body,) = receiver.wait_for(1)
    assert_shaped_like(body, "booking_created")
    payload = body["payload"]
    assert (payload["uid"], payload["bookingId"], payload["status"]) == (booking["uid"], booking["id"], "ACCEPTED")
    assert (payload["startTime"], payload["endTime"]) == ("2026-11-23T15:00:00Z", "2026-11-23T15:30:00Z")
    assert payload["metadata"] == {"site_ref": "q_7f3a91", "videoCallUrl": booking["location"]}
    assert payload["organizer"]["utcOffset"] == -300
    assert payload["attendees"][0]["utcOffset"] == 60
    assert payload["userFieldsResponses"] == {
        "topic": {"label": "What would you like to talk about?", "value": "Booking pages", "isHidden": False}
    }


def test_phone_booking_has_the_number_and_no_video(posting: Sandbox, receiver: Receiver) -> None:
    posting.booked(location={"type": "attendeePhone", "phone": "+12025550123"})
    payload = receiver.wait_for(1)[0]["payload"]
    assert payload["location"] == "+12025550123"
    assert payload["responses"]["location"]["value"] == {"optionValue": "+12025550123", "value": "phone"}
    assert not {"videoCallData", "conferenceData"} & set(payload)
    assert "videoCallUrl" not in payload["metadata"]
    assert "value" not in payload["responses"]["notes"]


def test_request_then_yes(posting: Sandbox, receiver: Receiver) -> None:
    uid = posting.booked(event=INTRO, **DETAILS)["uid"]
    assert_shaped_like(receiver.wait_for(1)[0], "booking_requested")
    posting.act(uid, "confirm", key=True)
    created = receiver.wait_for(2)[1]
    assert_shaped_like(created, "booking_created.after_confirmation")
    assert created["payload"]["uid"] == uid
    assert receiver.triggers() == ["BOOKING_REQUESTED", "BOOKING_CREATED"]


def test_request_then_no(posting: Sandbox, receiver: Receiver) -> None:
    uid = posting.booked(event=INTRO, **DETAILS)["uid"]
    posting.act(uid, "decline", {"reason": "Not in December"}, key=True)
    rejected = receiver.wait_for(2)[1]
    assert_shaped_like(rejected, "booking_rejected")
    assert rejected["payload"]["rejectionReason"] == "Not in December"
    assert rejected["payload"]["startTime"] == "2026-11-23T15:00:00.000Z"


def test_move_tells_of_the_new_booking_only(posting: Sandbox, receiver: Receiver) -> None:
    old = posting.booked(**DETAILS)
    move = {"start": TUESDAY_TEN, "reschedulingReason": "Clash"}
    new = posting.act(old["uid"], "reschedule", move).json()["data"]
    body = receiver.wait_for(2)[1]
    assert_shaped_like(body, "booking_rescheduled")
    payload = body["payload"]
    assert receiver.triggers() == ["BOOKING_CREATED", "BOOKING_RESCHEDULED"]
    assert (payload["uid"], payload["rescheduleUid"], payload["rescheduleId"]) == (new["uid"], old["uid"], old["id"])
    assert payload["rescheduleStartTime"] == "2026-11-23T15:00:00.000Z"
    assert payload["iCalUID"] == f"{old['uid']}@Cal.com"
    assert payload["iCalSequence"] == 1
    assert payload["responses"]["rescheduleReason"]["value"] == "Clash"


def test_moved_request_is_requested_then_created(posting: Sandbox, receiver: Receiver) -> None:
    old = posting.booked(event=INTRO, **DETAILS)["uid"]
    posting.act(old, "confirm", key=True)
    new = posting.act(old, "reschedule", {"start": TUESDAY_TEN}).json()["data"]["uid"]
    posting.act(new, "confirm", key=True)
    bodies = receiver.wait_for(4)
    assert receiver.triggers() == ["BOOKING_REQUESTED", "BOOKING_CREATED"] * 2
    assert (bodies[2]["payload"]["uid"], bodies[2]["payload"]["rescheduleUid"]) == (new, old)
    assert "rescheduleUid" not in bodies[3]["payload"]


def test_cancelled_by_the_attendee_or_with_the_hosts_key(posting: Sandbox, receiver: Receiver) -> None:
    uid = posting.booked(**DETAILS)["uid"]
    posting.act(uid, "cancel", {"cancellationReason": "Another date"})
    body = receiver.wait_for(2)[1]
    assert_shaped_like(body, "booking_cancelled")
    assert body["payload"]["cancelledBy"] == "priya@acme.example"
    assert body["payload"]["startTime"] == "2026-11-23T15:00:00+00:00"
    assert body["payload"]["iCalSequence"] == 1
    posting.act(posting.booked()["uid"], "cancel", key=True)
    assert receiver.wait_for(4)[3]["payload"]["cancelledBy"] == "owner@hudson.example"


def test_paid_request_goes_through_four_steps(posting: Sandbox, receiver: Receiver) -> None:
    uid = posting.booked(event=DEEP_DIVE, **DETAILS)["uid"]
    assert_shaped_like(receiver.wait_for(1)[0], "booking_payment_initiated")
    assert posting.act(uid, "confirm", key=True).status_code == 400
    payment_uid = posting.desk.booking(uid).payment_uid
    assert posting.post(f"/payment/{payment_uid}").status_code == 200
    posting.act(uid, "confirm", key=True)
    bodies = receiver.wait_for(4)
    assert receiver.triggers() == [
        "BOOKING_PAYMENT_INITIATED",
        "BOOKING_PAID",
        "BOOKING_REQUESTED",
        "BOOKING_CREATED",
    ]
    assert_shaped_like(bodies[1], "booking_paid")
    statuses = [body["payload"]["status"] for body in bodies]
    assert statuses == ["ACCEPTED", "PENDING", "PENDING", "ACCEPTED"]
    assert {body["payload"]["uid"] for body in bodies} == {uid}
    assert bodies[0]["payload"]["paymentId"] == bodies[1]["payload"]["paymentId"]
    assert (bodies[1]["payload"]["price"], bodies[1]["payload"]["currency"]) == (15000, "usd")
    assert bodies[1]["payload"]["metadata"]["identifier"] == "cal.com"
    assert "responses" not in bodies[1]["payload"]


def test_unpaid_booking_that_moves_still_awaits_its_payment(posting: Sandbox, receiver: Receiver) -> None:
    uid = posting.booked(event=DEEP_DIVE)["uid"]
    new = posting.act(uid, "reschedule", {"start": TUESDAY_TEN}).json()["data"]
    assert new["status"] == "pending"
    receiver.wait_for(2)
    assert receiver.triggers() == ["BOOKING_PAYMENT_INITIATED"] * 2
    assert posting.post(f"/payment/{posting.desk.booking(new['uid']).payment_uid}").status_code == 200
    assert receiver.wait_for(4)[2]["payload"]["uid"] == new["uid"]


def test_absence_of_the_attendee_is_told_and_taken_back(
    posting: Sandbox, receiver: Receiver, clock: time_machine.Traveller
) -> None:
    uid = posting.booked()["uid"]
    receiver.wait_for(1)
    clock.move_to(datetime(2026, 11, 23, 15, 5, tzinfo=UTC))
    for count, is_absent, name in ((1, True, "marked"), (2, False, "unmarked")):
        people = [{"email": "priya@acme.example", "absent": is_absent}]
        posting.act(uid, "mark-absent", {"attendees": people}, key=True)
        body = receiver.wait_for_trigger("BOOKING_NO_SHOW_UPDATED", count)
        assert_shaped_like(body, f"booking_no_show_updated.{name}")
        assert body["payload"]["message"] == f"priya@acme.example {name} as no-show"
        assert body["payload"]["attendees"] == [{"email": "priya@acme.example", "noShow": is_absent}]


def test_absence_of_the_host_alone_sends_nothing(
    posting: Sandbox, receiver: Receiver, clock: time_machine.Traveller
) -> None:
    uid = posting.booked()["uid"]
    clock.move_to(datetime(2026, 11, 23, 15, 5, tzinfo=UTC))
    posting.act(uid, "mark-absent", {"host": True}, key=True)
    posting.desk.ping()
    receiver.wait_for_trigger("PING")
    assert "BOOKING_NO_SHOW_UPDATED" not in receiver.triggers()


def test_the_hosts_wish_to_move_is_a_cancellation_with_cals_words(posting: Sandbox, receiver: Receiver) -> None:
    uid = posting.booked(**DETAILS)["uid"]
    assert posting.post(f"/host/bookings/{uid}/wish", {"reason": "I am ill"}).status_code == 200
    body = receiver.wait_for(2)[1]
    assert_shaped_like(body, "booking_cancelled")
    payload = body["payload"]
    assert (payload["cancelledBy"], payload["requestReschedule"]) == ("owner@hudson.example", False)
    assert payload["cancellationReason"] == "Please reschedule. I am ill\n"


def test_a_changed_place_names_the_one_before(posting: Sandbox, receiver: Receiver) -> None:
    booking = posting.booked(**DETAILS)
    assert posting.post(f"/host/bookings/{booking['uid']}/place", {"place": "12 High Street"}).status_code == 200
    payload = receiver.wait_for(2)[1]["payload"]
    assert (payload["previousLocation"], payload["location"]) == (booking["location"], "12 High Street")
    assert posting.post(f"/host/bookings/{booking['uid']}/place").status_code == 200
    body = receiver.wait_for(3)[2]
    assert_shaped_like(body, "booking_location_updated")
    assert (body["payload"]["previousLocation"], body["payload"]["iCalSequence"]) == ("12 High Street", 2)


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("host missed", "after_hosts_cal_video_no_show"),
        ("guests missed", "after_guests_cal_video_no_show"),
        ("recorded", "recording_ready"),
        ("transcribed", "recording_transcription_generated"),
    ],
)
def test_what_cal_video_tells(posting: Sandbox, receiver: Receiver, what: str, name: str) -> None:
    uid = posting.booked(**DETAILS)["uid"]
    assert posting.post(f"/host/bookings/{uid}/call", {"what": what}).status_code == 200
    assert_shaped_like(receiver.wait_for(2)[1], name)


def test_the_newer_version_brings_the_calendars_files(posting: Sandbox, receiver: Receiver) -> None:
    [webhook] = posting.desk.outbox.subscriptions.all()
    posting.desk.outbox.subscriptions.change(webhook.id, {"version": "2026-07-27"})
    posting.booked(**DETAILS)
    (body,) = receiver.wait_for(1)
    newer = json.loads((EXAMPLES / "booking_created.v2026-07-27.json").read_text())
    assert keys(body) == keys(newer)
    assert body["payload"]["attendeeIcsContent"].startswith("BEGIN:VCALENDAR")


@pytest.mark.parametrize("kind", ["started", "ended"])
def test_meeting_is_told_flat(posting: Sandbox, receiver: Receiver, kind: str) -> None:
    uid = posting.booked(**DETAILS)["uid"]
    assert posting.post(f"/host/bookings/{uid}/{'start' if kind == 'started' else 'end'}").status_code == 200
    body = receiver.wait_for(2)[1]
    assert "payload" not in body
    assert body["createdAt"] == posting.read(uid)["createdAt"]
    assert_shaped_like(body, f"meeting_{kind}.flat")


def test_meetings_start_and_end_by_the_clock(
    posting: Sandbox, receiver: Receiver, clock: time_machine.Traveller
) -> None:
    kept, cancelled = posting.booked()["uid"], posting.booked("2026-11-23T15:30:00Z")["uid"]
    posting.act(cancelled, "cancel")
    receiver.wait_for(3)
    clock.move_to(datetime(2026, 11, 23, 15, 0, 1, tzinfo=UTC))
    assert receiver.wait_for(4)[3]["triggerEvent"] == "MEETING_STARTED"
    clock.move_to(datetime(2026, 11, 23, 15, 30, 1, tzinfo=UTC))
    assert receiver.wait_for(5)[4]["triggerEvent"] == "MEETING_ENDED"
    assert {body["uid"] for body in receiver.bodies()[3:]} == {kept}


def test_ping_is_the_test_button(posting: Sandbox, receiver: Receiver) -> None:
    posting.post("/host/ping")
    assert_shaped_like(receiver.wait_for(1)[0], "ping_test")


# --- the post itself -------------------------------------------------------------------------------------


def test_signature_is_over_the_very_bytes(posting: Sandbox, receiver: Receiver) -> None:
    posting.booked(attendee=attendee(name="Zoë Ångström"))
    receiver.wait_for(1)
    request = receiver.requests[0]
    raw = request.get_data()
    expected = hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
    assert request.headers["X-Cal-Signature-256"] == expected
    assert request.headers["X-Cal-Webhook-Version"] == "2021-10-20"
    assert request.headers["Content-Type"] == "application/json"
    assert "Zoë Ångström".encode() in raw
    assert raw == json.dumps(json.loads(raw), ensure_ascii=False, separators=(",", ":")).encode()


def test_published_signatures_are_ours() -> None:
    published = json.loads((EXAMPLES / "_SIGNATURES.json").read_text())
    for name, expected in published["files"].items():
        body = serialize(json.loads((EXAMPLES / name).read_text()))
        assert len(body) == expected["compact_bytes"], name
        assert sign(body, published["secret"]) == expected["x-cal-signature-256"], name
    assert sign(b"{}", "") == published["header_without_secret"]


def test_start_is_the_one_asked(posting: Sandbox, receiver: Receiver) -> None:
    posting.booked(MONDAY_TEN)
    assert receiver.wait_for(1)[0]["createdAt"].startswith("2026-11-22T12:00:0")
