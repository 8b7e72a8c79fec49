"""The client against a real HTTP server that answers as FACTS say Cal.com does."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from hds.calcom.account import Account
from hds.calcom.answers import Booking
from hds.calcom.client import CalClient, Person, Target
from hds.calcom.errors import (
    AlreadySignedUp,
    BookingUnknown,
    CalError,
    HasTooMany,
    Invalid,
    NotAllowed,
    NotConfigured,
    NotFound,
    ProofNeeded,
    RateLimited,
    SlotTaken,
    Unavailable,
    WrongProof,
)
from hds.lib import http

NEW_YORK = ZoneInfo("America/New_York")
START = datetime(2026, 12, 3, 15, tzinfo=UTC)
PRIYA = Person("Priya Natarajan", "priya@acme.example", "America/New_York")
TARGET = Target(event_type_id=4711)
BOOKING: dict[str, Any] = {
    "id": 80001,
    "uid": "9bTq3mX2LwYcVhR7pKsZ4d",
    "title": "Intro call",
    "description": None,
    "hosts": [{"id": 1, "email": "Dana@northwind.example", "timeZone": "Europe/London"}],
    "status": "accepted",
    "start": "2026-12-03T15:00:00.000Z",
    "end": "2026-12-03T15:30:00.000Z",
    "duration": 30,
    "eventTypeId": 4711,
    "eventType": {"id": 4711, "slug": "intro-call"},
    "location": "https://app.cal.com/video/9bTq3mX2LwYcVhR7pKsZ4d",
    "absentHost": False,
    "createdAt": "2026-11-22T09:30:00.000Z",
    "metadata": {"site_ref": "q_7f3a91"},
    "attendees": [{"name": "Priya", "email": "priya@acme.example", "timeZone": "America/New_York", "absent": False}],
    "guests": ["lee@acme.example"],
    "bookingFieldsResponses": {"company": "Acme Ltd", "empty": ""},
    "somethingNew": {"in": "2027"},
}
EVENT_TYPE: dict[str, Any] = {
    "id": 4711,
    "slug": "intro-call",
    "title": "Intro call",
    "lengthInMinutes": 30,
    "price": 0,
    "currency": "usd",
    "recurrence": None,
    "seats": {"disabled": True},
    "confirmationPolicy": {"disabled": True},
    "bookingFields": [{"type": "name", "slug": "name", "required": True, "label": "Name"}, "odd", None],
    "bookingUrl": "https://cal.com/dana/intro-call",
}


@pytest.fixture(scope="module")
def running() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1", port=0, threaded=True) as server:
        yield server


@pytest.fixture
def cal(running: HTTPServer) -> HTTPServer:
    running.clear()
    return running


@pytest.fixture
def client(cal: HTTPServer) -> CalClient:
    return client_of(cal)


def client_of(cal: HTTPServer, key: str | None = "cal_test", **bounds: float) -> CalClient:
    outbound = http.Outbound("test", **{"connect": 0.5, "read": 0.3, "total": 1.0} | bounds)  # type: ignore[arg-type]
    return CalClient(Account(api_url=cal.url_for("/v2"), api_key=key), outbound)


def data(value: object, status: int = 200) -> Response:
    body = {"status": "success", "data": value, "pagination": {}}
    return Response(json.dumps(body), status=status, content_type="application/json")


def expect(cal: HTTPServer, method: str, path: str, value: object, status: int = 200, **wants: Any) -> None:
    cal.expect_request(f"/v2{path}", method=method, **wants).respond_with_response(data(value, status))


def last(cal: HTTPServer) -> Request:
    return cal.log[-1][0]


# Reading


def test_me_tells_whose_key_it_is(cal: HTTPServer, client: CalClient) -> None:
    expect(cal, "GET", "/me", {"id": 1, "username": "dana", "email": "D@x.example", "timeZone": "Europe/London"})
    me = client.me()
    assert (me.username, me.email, me.time_zone, me.name) == ("dana", "d@x.example", "Europe/London", None)
    assert last(cal).headers["Authorization"] == "Bearer cal_test"


def test_calls_that_need_the_key_are_not_made_without(cal: HTTPServer) -> None:
    client = client_of(cal, key=None)
    calls: list[Callable[[], object]] = [
        client.me,
        lambda: client.event_type(1),
        lambda: client.find_booking("a@b.example", START),
        lambda: client.confirm("abc"),
        lambda: client.decline("abc"),
        lambda: client.mark_absent("abc", {}),
    ]
    for call in calls:
        with pytest.raises(NotConfigured):
            call()
    assert not cal.log


def test_an_event_type_is_read_and_kept_for_a_minute(cal: HTTPServer, client: CalClient) -> None:
    expect(cal, "GET", "/event-types/4711", EVENT_TYPE, headers={"cal-api-version": "2024-06-14"})
    kind = client.event_type(4711)
    assert client.event_type(4711) is kind
    assert len(cal.log) == 1
    assert (kind.slug, kind.minutes, kind.price, kind.currency, kind.seats) == ("intro-call", 30, 0, "USD", None)
    assert (kind.is_recurring, kind.takes_guests) == (False, True)
    assert [(field.slug, field.is_required) for field in kind.fields] == [("name", True)]


def test_an_event_type_by_slug_needs_no_key(cal: HTTPServer) -> None:
    expect(cal, "GET", "/event-types", [EVENT_TYPE], query_string={"username": "dana", "eventSlug": "intro-call"})
    assert client_of(cal, key=None).event_type_by_slug("dana", "intro-call").id == 4711
    assert "Authorization" not in last(cal).headers


def test_an_older_cal_com_is_told_whose_event_types_are_wanted(cal: HTTPServer, client: CalClient) -> None:
    expect(cal, "GET", "/event-types", [EVENT_TYPE], query_string={"username": "dana"})
    expect(cal, "GET", "/event-types", [], query_string="")
    expect(cal, "GET", "/me", {"id": 1, "username": "dana"})
    assert [kind.id for kind in client.event_types()] == [4711]


@pytest.mark.parametrize("username", ["dana", None])
def test_an_account_without_event_types_has_none(cal: HTTPServer, client: CalClient, username: str | None) -> None:
    expect(cal, "GET", "/event-types", [])
    expect(cal, "GET", "/me", {"id": 1, "username": username})
    assert client.event_types() == []


@pytest.mark.parametrize("found", [[], None, {}, [{"slug": "another", "id": 5}], ["text"]])
def test_an_event_type_that_is_not_there_is_not_found(cal: HTTPServer, client: CalClient, found: object) -> None:
    expect(cal, "GET", "/event-types", found)
    with pytest.raises(NotFound):
        client.event_type_by_slug("dana", "intro-call")


@pytest.mark.parametrize(
    "odd",
    [
        dict.fromkeys(EVENT_TYPE) | {"id": 5},
        {"id": 5},
        {"id": 5, "bookingFields": {}, "price": "much", "lengthInMinutesOptions": [15, "x", None]},
        {"id": 5, "recurrence": {"interval": 1, "frequency": "weekly"}, "seats": {"seatsPerTimeSlot": 4}},
    ],
)
def test_an_event_type_survives_what_it_leaves_out(cal: HTTPServer, client: CalClient, odd: object) -> None:
    expect(cal, "GET", "/event-types/5", odd)
    assert client.event_type(5).id == 5


# Free times

SLOTS = {
    "2026-12-02": [{"start": "2026-12-02T23:30:00.000-05:00"}],
    "2026-12-03": [
        {"start": "2026-12-03T10:30:00.000-05:00", "end": "2026-12-03T11:00:00.000-05:00", "seatsRemaining": 1},
        {"start": "2026-12-03T10:00:00.000-05:00"},
        {"start": "2026-12-03T15:00:00Z"},
        {"start": "without zone: 2026-12-03T10:00:00"},
        {},
        "odd",
        None,
    ],
    "2026-12-04": [{"start": "2026-12-04T00:00:00.000-05:00"}],
    "2026-12-05": "odd",
}


def test_slots_are_aware_sorted_and_by_the_day_of_the_zone(cal: HTTPServer, client: CalClient) -> None:
    expect(cal, "GET", "/slots", SLOTS, headers={"cal-api-version": "2024-09-04"})
    days = client.slots(TARGET, date(2026, 12, 3), date(2026, 12, 4), NEW_YORK, minutes=30)
    assert {day: [f"{moment:%H:%M %z}" for moment in moments] for day, moments in days.items()} == {
        date(2026, 12, 3): ["10:00 -0500", "10:30 -0500"],
        date(2026, 12, 4): ["00:00 -0500"],
    }
    assert last(cal).args.to_dict() == {
        "eventTypeId": "4711",
        "start": "2026-12-02T00:00:00Z",
        "end": "2026-12-06T00:00:00Z",
        "timeZone": "UTC",
        "duration": "30",
    }


def test_times_outside_the_asked_range_are_left_out(cal: HTTPServer, client: CalClient) -> None:
    expect(cal, "GET", "/slots", SLOTS)
    days = client.slots(TARGET, date(2026, 12, 3), date(2026, 12, 3), NEW_YORK)
    assert list(days) == [date(2026, 12, 3)]
    hour = client.slots(TARGET, START + timedelta(minutes=1), START + timedelta(hours=1), NEW_YORK)
    assert hour == {date(2026, 12, 3): [START + timedelta(minutes=30)]}


def test_another_zone_has_other_days(cal: HTTPServer, client: CalClient) -> None:
    expect(cal, "GET", "/slots", SLOTS)
    days = client.slots(TARGET, date(2026, 12, 3), date(2026, 12, 4), ZoneInfo("Asia/Tokyo"))
    assert {day: len(moments) for day, moments in days.items()} == {date(2026, 12, 3): 1, date(2026, 12, 4): 3}


def test_a_slug_is_asked_with_its_owner_or_team(cal: HTTPServer, client: CalClient) -> None:
    expect(cal, "GET", "/slots", {})
    for owner, key, value in (("dana", "username", "dana"), ("team/acme", "teamSlug", "acme")):
        assert client.slots(Target(slug="intro", owner=owner), date(2026, 12, 3), date(2026, 12, 3), NEW_YORK) == {}
        assert (last(cal).args["eventTypeSlug"], last(cal).args[key]) == ("intro", value)


@pytest.mark.parametrize("day", [date.min, date.max, date(1999, 12, 31)])
def test_a_day_out_of_this_world_has_no_times(cal: HTTPServer, client: CalClient, day: date) -> None:
    assert client.slots(TARGET, day, day, NEW_YORK) == {}
    assert not cal.log


def test_a_crowd_asks_for_free_times_once(cal: HTTPServer) -> None:
    def slowly(_: Request) -> Response:
        time.sleep(0.15)
        return data(SLOTS)

    cal.expect_request("/v2/slots").respond_with_handler(slowly)
    client = client_of(cal)
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(client.slots, TARGET, date(2026, 12, 3), date(2026, 12, 3), NEW_YORK) for _ in range(20)]
        assert all(len(answer.result()[date(2026, 12, 3)]) == 2 for answer in asked)
    assert len(cal.log) == 1


def test_all_zones_of_the_world_share_one_question_and_have_their_own_days(cal: HTTPServer, client: CalClient) -> None:
    """The limit of Cal.com's API is the whole site's: nobody may spend it by asking for the same month in each zone."""
    first, last = date(2026, 12, 1), date(2026, 12, 31)
    around = datetime(2026, 11, 29, tzinfo=UTC)
    every_hour = [around + timedelta(hours=hour) for hour in range(35 * 24)]
    asked: list[Request] = []

    def answer(request: Request) -> Response:
        asked.append(request)
        start, end = (datetime.fromisoformat(request.args[name]) for name in ("start", "end"))
        return data({"any": [{"start": moment.isoformat()} for moment in every_hour if start <= moment < end]})

    cal.expect_request("/v2/slots").respond_with_handler(answer)
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        days = client.slots(TARGET, first, last, zone)
        local = [moment.astimezone(zone) for moment in every_hour]
        assert [moment for day in days.values() for moment in day] == [m for m in local if first <= m.date() <= last], (
            name
        )
        assert all(moment.date() == day for day, moments in days.items() for moment in moments), name
    assert len(asked) == 1


def test_booking_forgets_the_free_times(cal: HTTPServer, client: CalClient) -> None:
    expect(cal, "GET", "/slots", SLOTS)
    expect(cal, "POST", "/bookings", BOOKING, 201)
    for _ in range(2):
        client.slots(TARGET, date(2026, 12, 3), date(2026, 12, 3), NEW_YORK)
    client.create_booking(TARGET, START, PRIYA)
    client.slots(TARGET, date(2026, 12, 3), date(2026, 12, 3), NEW_YORK)
    assert [request.path for request, _ in cal.log] == ["/v2/slots", "/v2/bookings", "/v2/slots"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"data":[]}', b'{"data":"x"}', b"[" * 50_000])
def test_an_answer_of_another_shape_is_unavailable(cal: HTTPServer, client: CalClient, body: bytes) -> None:
    cal.expect_request("/v2/slots").respond_with_data(body)
    with pytest.raises(Unavailable):
        client.slots(TARGET, date(2026, 12, 3), date(2026, 12, 3), NEW_YORK)


# Booking


def test_a_booking_is_sent_whole_and_read_whole(cal: HTTPServer, client: CalClient) -> None:
    expect(cal, "POST", "/bookings", BOOKING, 201, headers={"cal-api-version": "2024-08-13"})
    person = Person("Zoë", "zoe@x.example", "Europe/Kiev", phone="+44 1", language="de")
    booking = client.create_booking(
        TARGET,
        START.astimezone(NEW_YORK),
        person,
        guests=["lee@x.example"],
        notes="Hello",
        answers={"company": "Acme"},
        location={"type": "attendeePhone", "phone": "+44 1"},
        metadata={"site_ref": "q", "long": "x" * 900, "k" * 41: "dropped", "none": ""},
        minutes=45,
    )
    assert last(cal).json == {
        "eventTypeId": 4711,
        "start": "2026-12-03T15:00:00Z",
        "attendee": {
            "name": "Zoë",
            "email": "zoe@x.example",
            "timeZone": "Europe/Kiev",
            "language": "de",
            "phoneNumber": "+44 1",
        },
        "guests": ["lee@x.example"],
        "bookingFieldsResponses": {"company": "Acme", "notes": "Hello"},
        "location": {"type": "attendeePhone", "phone": "+44 1"},
        "metadata": {"site_ref": "q", "long": "x" * 500},
        "lengthInMinutes": 45,
    }
    assert (booking.uid, booking.status, booking.is_live) == ("9bTq3mX2LwYcVhR7pKsZ4d", "accepted", True)
    assert (booking.start_at, booking.end_at) == (START, START + timedelta(minutes=30))
    assert (booking.event_type_id, booking.event_type_slug) == (4711, "intro-call")
    assert booking.meeting_url == "https://app.cal.com/video/9bTq3mX2LwYcVhR7pKsZ4d"
    assert (booking.organizer_email, booking.guests) == ("dana@northwind.example", ["lee@acme.example"])
    assert booking.answers == {"company": "Acme Ltd"}
    assert booking.booker is not None
    assert booking.booker.email == "priya@acme.example"


def test_what_is_not_asked_for_is_not_sent(cal: HTTPServer, client: CalClient) -> None:
    expect(cal, "POST", "/bookings", BOOKING, 201)
    client.create_booking(Target(slug="intro-call", owner="dana"), START, PRIYA)
    assert set(last(cal).json or {}) == {"eventTypeSlug", "username", "start", "attendee"}


def test_the_bookings_version_is_a_setting(cal: HTTPServer) -> None:
    expect(cal, "GET", "/bookings/abc", BOOKING, headers={"cal-api-version": "2026-02-25"})
    account = Account(api_url=cal.url_for("/v2"), bookings_version="2026-02-25")
    assert CalClient(account).booking("abc").uid == BOOKING["uid"]


NULLABLE = dict.fromkeys(BOOKING) | {key: BOOKING[key] for key in ("uid", "start", "end")}


@pytest.mark.parametrize("answer", [NULLABLE, {key: NULLABLE[key] for key in ("uid", "start", "end")}, [BOOKING]])
def test_a_booking_survives_what_it_leaves_out(cal: HTTPServer, client: CalClient, answer: object) -> None:
    expect(cal, "GET", "/bookings/abc", answer)
    assert client.booking("abc").uid == BOOKING["uid"]


@pytest.mark.parametrize("uid", ["..", "a/b", "", "ü", "a?b"])
def test_only_a_uid_becomes_a_path(cal: HTTPServer, client: CalClient, uid: str) -> None:
    calls: list[Callable[[str], object]] = [
        client.booking,
        client.cancel,
        client.confirm,
        client.decline,
        client.release_slot,
        lambda value: client.reschedule(value, START),
        lambda value: client.mark_absent(value, {}),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call(uid)
    assert not cal.log


def test_the_verbs_of_a_booking(cal: HTTPServer, client: CalClient) -> None:
    for verb in ("reschedule", "cancel", "confirm", "decline", "mark-absent"):
        expect(cal, "POST", f"/bookings/abc/{verb}", BOOKING)
    sent: list[tuple[Callable[[], Booking], object, bool]] = [
        (
            lambda: client.reschedule("abc", START, reason="Clash", by="p@x.example"),
            {"start": "2026-12-03T15:00:00Z", "reschedulingReason": "Clash", "rescheduledBy": "p@x.example"},
            False,
        ),
        (lambda: client.cancel("abc", "Ill"), {"cancellationReason": "Ill"}, False),
        (lambda: client.cancel("abc", as_host=True), {}, True),
        (lambda: client.cancel("abc", seat_uid="seat"), {"seatUid": "seat"}, False),
        (lambda: client.confirm("abc"), {}, True),
        (lambda: client.decline("abc", "Full"), {"reason": "Full"}, True),
        (
            lambda: client.mark_absent("abc", {"p@x.example": True}, host=False),
            {"attendees": [{"email": "p@x.example", "absent": True}], "host": False},
            True,
        ),
    ]
    for call, body, with_key in sent:
        assert call().uid == BOOKING["uid"]
        assert last(cal).json == body
        assert ("Authorization" in last(cal).headers) == with_key


def test_a_time_is_kept_and_released(cal: HTTPServer, client: CalClient) -> None:
    kept = {"reservationUid": "e84be5a3", "eventTypeId": 4711, "reservationUntil": "2026-12-03T15:05:00Z"}
    expect(cal, "POST", "/slots/reservations", kept, 201)
    cal.expect_request("/v2/slots/reservations/e84be5a3", method="DELETE").respond_with_json({"status": "success"})
    reservation = client.reserve_slot(4711, START, minutes=30)
    assert last(cal).json == {"eventTypeId": 4711, "slotStart": "2026-12-03T15:00:00Z", "slotDuration": 30}
    assert reservation.until == START + timedelta(minutes=5)
    client.release_slot(reservation.uid)
    assert last(cal).method == "DELETE"


# Refusals

ENVELOPE = {"status": "error", "timestamp": "2026-12-03T15:00:00Z", "path": "/v2/bookings"}
BUSY = "User either already has booking at this time or is not available"


def nest(text: object, code: str = "BadRequestException") -> dict[str, Any]:
    return ENVELOPE | {"error": {"code": code, "message": text, "details": {"message": text}}}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, nest(BUSY), SlotTaken),
        (400, nest("One of the hosts either already has booking at this time or is not available"), SlotTaken),
        (400, nest("This slot is no longer available.", "BAD_REQUEST"), SlotTaken),
        (409, {"statusCode": 409, "message": "booking_conflict_error"}, SlotTaken),
        (409, nest("No more seats left at this seated booking.", "CONFLICT"), SlotTaken),
        (409, {}, SlotTaken),
        (400, nest("Attempting to book a meeting in the past."), Invalid),
        (400, nest(["email must be an email", 5]), Invalid),
        (400, nest("email_verification_required", "TRPCError"), ProofNeeded),
        (400, nest("invalid_verification_code", "TRPCError"), WrongProof),
        (409, {"statusCode": 409, "message": "already_signed_up_for_this_booking_error"}, AlreadySignedUp),
        (
            400,
            nest("Attendee with this email can't book because the maximum number of active bookings has been reached."),
            HasTooMany,
        ),
        (409, {"statusCode": 409, "message": "No more seats left at this seated booking."}, SlotTaken),
        (422, {"statusCode": 422, "message": "no"}, Invalid),
        (401, nest("Unauthorized", "UnauthorizedException"), NotAllowed),
        (403, nest("Forbidden"), NotAllowed),
        (404, nest("Cannot POST /v2/bookings", "NotFoundException"), NotFound),
        (302, {}, Unavailable),
        (418, "a teapot", Unavailable),
        (413, None, Unavailable),
    ],
)
def test_each_refusal_says_what_it_means(
    cal: HTTPServer, client: CalClient, status: int, body: object, error: type[CalError]
) -> None:
    cal.expect_request("/v2/bookings").respond_with_json(body, status=status)
    with pytest.raises(CalError) as caught:
        client.create_booking(TARGET, START, PRIYA)
    assert type(caught.value) is error
    assert caught.value.status == status


def test_cal_coms_words_are_for_staff_and_not_in_logs(cal: HTTPServer, client: CalClient) -> None:
    text = "Attendee with this email can't book: they have booking SOMEBODYS-UID"
    cal.expect_request("/v2/bookings").respond_with_json(nest(text), status=400)
    with pytest.raises(Invalid) as caught:
        client.create_booking(TARGET, START, PRIYA)
    assert caught.value.text == text
    assert "SOMEBODYS-UID" not in f"{caught.value} {caught.value!r}"


def test_busy_means_taken_only_where_a_time_is_taken(cal: HTTPServer, client: CalClient) -> None:
    cal.expect_request("/v2/bookings/abc/cancel").respond_with_json(nest("Cancelling is not available"), status=400)
    cal.expect_request("/v2/bookings/abc/reschedule").respond_with_json(nest(BUSY), status=400)
    cal.expect_request("/v2/slots/reservations").respond_with_json(nest("already reserved"), status=422)
    with pytest.raises(Invalid):
        client.cancel("abc")
    with pytest.raises(SlotTaken):
        client.reschedule("abc", START)
    with pytest.raises(SlotTaken):
        client.reserve_slot(4711, START)


def test_too_many_calls_say_when_to_come_back(cal: HTTPServer, client: CalClient) -> None:
    headers = {"X-RateLimit-Reset-Default": "42"}
    cal.expect_request("/v2/bookings").respond_with_json(nest("Too many"), status=429, headers=headers)
    for _ in range(3):
        with pytest.raises(RateLimited) as caught:
            client.create_booking(TARGET, START, PRIYA)
        assert 35 < caught.value.seconds <= 42
    assert len(cal.log) == 1


# No answer


@pytest.fixture
def hang(cal: HTTPServer) -> Iterator[Callable[[Request], Response]]:
    """A handler that answers when the test is over, and no test before its calls have ended."""
    over, calls = threading.Event(), []

    def wait(request: Request) -> Response:
        calls.append(request)
        over.wait(5)
        return data(BOOKING, 201)

    yield wait
    over.set()
    deadline = time.monotonic() + 5
    while len(cal.log) < len(calls) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(calls) == 1


def test_a_booking_without_an_answer_is_unknown_and_never_sent_twice(
    cal: HTTPServer, client: CalClient, hang: Callable[[Request], Response]
) -> None:
    cal.expect_request("/v2/bookings").respond_with_handler(hang)
    started = time.monotonic()
    with pytest.raises(BookingUnknown):
        client.create_booking(TARGET, START, PRIYA)
    assert time.monotonic() - started < 4.5  # before it answers
    time.sleep(0.3)


@pytest.mark.parametrize(("status", "body"), [(500, b""), (201, b""), (201, b'{"data":{"uid":"a"}}'), (503, b"{}")])
def test_an_answer_that_does_not_tell_leaves_a_booking_unknown(
    cal: HTTPServer, client: CalClient, status: int, body: bytes
) -> None:
    cal.expect_request("/v2/bookings").respond_with_data(body, status=status)
    with pytest.raises(BookingUnknown):
        client.create_booking(TARGET, START, PRIYA)
    assert len(cal.log) == 1


def test_nobody_there_means_nothing_was_booked() -> None:
    client = CalClient(Account(api_url="http://127.0.0.1:1/v2"), http.Outbound("test", total=1.0))
    with pytest.raises(Unavailable) as caught:
        client.create_booking(TARGET, START, PRIYA)
    assert not caught.value.maybe_sent
    assert isinstance(caught.value, CalError)


def test_reading_has_no_unknown(cal: HTTPServer, client: CalClient, hang: Callable[[Request], Response]) -> None:
    cal.expect_request("/v2/bookings/abc").respond_with_handler(hang)
    with pytest.raises(Unavailable):
        client.booking("abc")


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        (
            [{"uid": "other", "metadata": {"site_ref": "else"}, "start": "2026-12-03T16:00:00Z"}, {"uid": "ours"}],
            "ours",
        ),
        ([{"uid": "same", "metadata": {}}], "same"),
        ([{"uid": "gone", "metadata": {}, "status": "cancelled"}], None),
        ([{"uid": "gone", "status": "cancelled"}], "gone"),
        ([{"uid": "gone", "status": "cancelled"}, {"uid": "live"}], "live"),
        ([{"uid": "later", "metadata": {}, "start": "2026-12-03T15:10:00Z"}], None),
        ([{"uid": "../x"}, "odd", None], None),
        ([], None),
        ({"odd": 1}, None),
    ],
)
def test_a_lost_booking_is_found_by_reference_then_by_person_and_time(
    cal: HTTPServer, client: CalClient, listed: object, found: str | None
) -> None:
    entries = (
        [BOOKING | entry if isinstance(entry, dict) else entry for entry in listed]
        if isinstance(listed, list)
        else listed
    )
    expect(cal, "GET", "/bookings", entries, headers={"cal-api-version": "2024-08-13"})
    booking = client.find_booking("priya@acme.example", START, reference="q_7f3a91")
    assert (booking.uid if booking else None) == found
    assert last(cal).args["attendeeEmail"] == "priya@acme.example"
    assert last(cal).args["afterStart"] == "2026-12-03T14:59:00Z"
