import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from hds.calcom import subscription
from hds.calcom.payloads import (
    AbsencePayload,
    BookingPayload,
    NotUnderstood,
    PaidPayload,
    PingPayload,
    RecordingPayload,
    Trigger,
    read,
)
from hds.calcom.triggers import what_it_tells

from .conftest import NAMES, as_sent, example

Build = Callable[..., bytes]


def booking(raw: bytes) -> BookingPayload:
    payload = read(raw).payload
    assert isinstance(payload, BookingPayload)
    return payload


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_read_or_ignored(name: str) -> None:
    webhook = read(as_sent(example(name)))
    assert webhook.trigger == example(name)["triggerEvent"]
    assert webhook.is_ignored == (webhook.trigger not in set(Trigger))


def test_a_booking_tells_all_that_it_holds(created: Build) -> None:
    webhook = read(created())
    payload = booking(created())
    assert webhook.stated_at == datetime(2026, 11, 22, 9, 30, 0, 538000, UTC)
    assert webhook.booking_uid == payload.uid == "9bTq3mX2LwYcVhR7pKsZ4d"
    assert payload.start_at == datetime(2026, 12, 3, 15, tzinfo=UTC)
    assert payload.end_at == datetime(2026, 12, 3, 15, 30, tzinfo=UTC)
    assert payload.title == "Intro call between Dana Okafor and Priya Natarajan"
    assert (payload.event_type_id, payload.event_type_slug) == (4711, "intro-call")
    assert payload.booker is not None
    assert payload.booker.model_dump() == {
        "name": "Priya Natarajan",
        "email": "priya@acme.example",
        "time_zone": "America/New_York",
        "phone": None,
        "locale": "en",
    }
    assert payload.guests == ["lee@acme.example"]
    assert payload.answers == {"company": "Acme Ltd", "team-size": "11-50"}
    assert payload.notes == "We want to move our booking pages over before spring."
    assert payload.meeting_url == "https://app.cal.com/video/9bTq3mX2LwYcVhR7pKsZ4d"
    assert (payload.price, payload.currency, payload.status) == (0, "USD", "ACCEPTED")
    assert payload.organizer_email == "dana@northwind.example"
    assert payload.metadata["site_ref"] == "q_7f3a91"
    assert (payload.ical_uid, payload.ical_sequence) == ("9bTq3mX2LwYcVhR7pKsZ4d@Cal.com", 0)
    assert payload.previous_uid is None
    assert payload.external_payment_id is None


def test_a_move_names_the_uid_that_it_replaces() -> None:
    payload = booking(as_sent(example("booking_rescheduled.v2021-10-20.json")))
    assert (payload.uid, payload.previous_uid) == ("hW5nG8uD1eJvQxM6rFaB2k", "9bTq3mX2LwYcVhR7pKsZ4d")
    assert payload.rescheduled_by == "priya@acme.example"


def test_the_reason_is_that_of_the_cancellation_or_of_the_refusal() -> None:
    cancelled = booking(as_sent(example("booking_cancelled.v2021-10-20.json")))
    rejected = booking(as_sent(example("booking_rejected.v2021-10-20.json")))
    assert cancelled.reason == "We picked another date with a colleague."
    assert cancelled.cancelled_by == "priya@acme.example"
    assert rejected.reason == "We do not take agency work in December."


def test_only_paid_tells_the_payments_id(created: Build) -> None:
    paid = booking(as_sent(example("booking_paid.v2021-10-20.json")))
    assert isinstance(paid, PaidPayload)
    assert paid.external_payment_id == "pi_3QEXAMPLE0000000000000"
    assert (paid.price, paid.currency) == (15000, "EUR")
    assert booking(created(metadata={"externalId": "pi_forged"})).external_payment_id is None


def test_who_was_absent_and_who_was_not() -> None:
    marked = read(as_sent(example("booking_no_show_updated.marked.v2021-10-20.json")))
    assert isinstance(marked.payload, AbsencePayload)
    assert marked.booking_uid == "9bTq3mX2LwYcVhR7pKsZ4d"
    assert marked.payload.absences == [("priya@acme.example", True)]
    unmarked = read(as_sent(example("booking_no_show_updated.unmarked.v2021-10-20.json"))).payload
    assert isinstance(unmarked, AbsencePayload)
    assert unmarked.absences == [("priya@acme.example", False)]


def test_an_absence_without_the_bookings_uid_cannot_be_used() -> None:
    body = example("booking_no_show_updated.marked.v2021-10-20.json")
    del body["payload"]["bookingUid"]
    with pytest.raises(NotUnderstood, match="bookingUid is missing"):
        read(as_sent(body))


def test_a_ping_has_no_booking() -> None:
    webhook = read(as_sent(example("ping_test.v2021-10-20.json")))
    assert isinstance(webhook.payload, PingPayload)
    assert (webhook.booking_uid, webhook.is_ignored) == (None, False)


def test_a_flat_meeting_body_states_no_time_of_its_own() -> None:
    flat = example("meeting_ended.flat.v2021-10-20.json")
    webhook = read(as_sent(flat))
    assert webhook.trigger == "MEETING_ENDED"
    assert webhook.stated_at is None  # its createdAt is the booking's
    assert webhook.booking_uid == flat["uid"]
    assert booking(as_sent(flat)).organizer_email == "dana@northwind.example"
    assert booking(as_sent(flat)).booker is not None


def test_an_enveloped_meeting_body_means_the_same_and_has_a_time() -> None:
    row = example("meeting_ended.flat.v2021-10-20.json")
    trigger = row.pop("triggerEvent")
    webhook = read(as_sent({"triggerEvent": trigger, "createdAt": "2026-12-03T15:30:01.000Z", "payload": row}))
    assert webhook.stated_at == datetime(2026, 12, 3, 15, 30, 1, tzinfo=UTC)
    assert webhook.payload == read(as_sent({"triggerEvent": trigger, **row})).payload


def test_a_raw_row_names_the_booking_it_came_from() -> None:
    row = example("meeting_ended.flat.v2021-10-20.json") | {"fromReschedule": "before"}
    assert booking(as_sent(row)).previous_uid == "before"


def test_an_unknown_trigger_is_ignored_and_still_names_its_booking() -> None:
    webhook = read(b'{"triggerEvent":"BOOKING_TELEPORTED","createdAt":5,"payload":{"uid":"abc"}}')
    assert (webhook.trigger, webhook.is_ignored, webhook.booking_uid) == ("BOOKING_TELEPORTED", True, "abc")
    assert webhook.stated_at is None


def test_a_forms_answers_at_the_root_do_no_harm() -> None:
    body = example("form_submitted.v2021-10-20.json") | {"payload": "an answer to a question named payload"}
    assert read(as_sent(body)).is_ignored


@pytest.mark.parametrize("spelling", ["2026-12-03T15:00:00Z", "2026-12-03T15:00:00.000Z", "2026-12-03T16:00:00+01:00"])
def test_each_spelling_of_a_time_is_the_same_moment(created: Build, spelling: str) -> None:
    assert booking(created(startTime=spelling)).start_at == datetime(2026, 12, 3, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"uid": ...}, "uid is missing"),
        ({"uid": None}, "uid is missing"),
        ({"uid": "../../bookings"}, "uid is not the id"),
        ({"uid": ".."}, "uid is not the id"),
        ({"uid": "a" * 201}, "uid is not the id"),
        ({"uid": "ü"}, "uid is not the id"),
        ({"uid": 5}, "uid is not the id"),
        ({"uid": "abc\n"}, "uid is not the id"),
        ({"startTime": ...}, "startTime is missing"),
        ({"startTime": "2026-12-03T15:00:00"}, "offset"),
        ({"startTime": "2026-12-03"}, "offset"),
        ({"startTime": "0001-01-01T00:00:00+14:00"}, "between 2000 and 2100"),
        ({"endTime": "9999-12-31T23:59:59-12:00"}, "between 2000 and 2100"),
        ({"startTime": 1764774000}, "is not a time"),
        ({"startTime": "soon"}, "is not a time"),
        ({"endTime": "2026-12-03T14:59:59Z"}, "ends before it starts"),
    ],
)
def test_a_booking_without_its_uid_or_times_cannot_be_used(created: Build, changes: Any, reason: str) -> None:
    with pytest.raises(NotUnderstood, match=reason) as caught:
        read(created(**changes))
    assert caught.value.reason.startswith("BOOKING_CREATED cannot be used: ")
    assert "abc" not in caught.value.reason


@pytest.mark.parametrize(
    ("field", "value", "meaning"),
    [
        ("price", -1, None),
        ("price", 12.5, None),
        ("price", "15000", None),
        ("price", True, None),
        ("price", 2**63, None),
        ("price", 10**400, None),
        ("price", 2**63 - 1, 2**63 - 1),
        ("currency", "xxx", None),
        ("currency", "euro", None),
        ("currency", "eur", "EUR"),
        ("currency", ["usd"], None),
        ("title", None, ""),
        ("title", "Hello\r\nBcc: everybody@example.com", "Hello Bcc: everybody@example.com"),
        ("title", "a\u2028b\x85c\x00d", "a b c\ufffdd"),
        ("title", "x" * 10_000, "x" * 500),
        ("location", {"value": "phone"}, None),
        ("status", 7, None),
        ("metadata", "text", {}),
        ("metadata", {"a": {"b": 1}, "c": "x" * 900, "d": 1e400}, {"c": "x" * 500, "d": None}),
    ],
)
def test_an_odd_optional_value_costs_only_itself(created: Build, field: str, value: object, meaning: object) -> None:
    assert getattr(booking(created(**{field: value})), field) == meaning


@pytest.mark.parametrize("value", ["4711", 0, -5, 2**31, 2**63, 1.5, True, None, {}])
def test_an_event_type_that_cannot_be_one_is_none(created: Build, value: object) -> None:
    assert booking(created(eventTypeId=value)).event_type_id is None


def test_every_nullable_field_may_be_null_or_missing(created: Build) -> None:
    body = json.loads(created())
    needed = {"uid", "startTime", "endTime"}
    for value in (None, [], {}, "text", 5, True, [[]]):
        body["payload"] = {key: item if key in needed else value for key, item in body["payload"].items()}
        payload = booking(as_sent(body))
        assert (payload.booker, payload.guests, payload.answers) == (None, [], {})
    body["payload"] = {key: body["payload"][key] for key in needed}
    assert booking(as_sent(body)).title == ""


def person(**changes: object) -> dict[str, object]:
    return {"name": "Ann", "email": "ann@example.com", "timeZone": "Europe/London", **changes}


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ("Ann+Tag@Example.COM", "ann+tag@example.com"),
        ("ann@bücher.example", "ann@bücher.example"),
        ("o'brien@example.com", "o'brien@example.com"),
        ('"ann b"@example.com', None),
        ("a@b@example.com", None),
        ("ann@example", None),
        ("ann@.com", None),
        ("ann@example..com", None),
        (f"ann@{'x' * 310}.com", None),
        ("ann@example.com\r\nBcc: all@example.com", None),
        ("", None),
        (None, None),
    ],
)
def test_an_address_is_lower_cased_or_none(created: Build, written: str | None, meaning: str | None) -> None:
    payload = booking(created(attendees=[person(email=written)]))
    assert (payload.booker.email if payload.booker else None) == meaning


def test_a_guest_never_becomes_the_booker(created: Build) -> None:
    payload = booking(created(attendees=[person(email="nobody"), person(email="lee@example.com")]))
    assert payload.booker is None
    assert payload.guests == ["lee@example.com"]


def test_guests_are_the_others_each_once(created: Build) -> None:
    others = [person(email=address) for address in ("B@example.com", "b@example.com", "ann@example.com", "?")]
    assert booking(created(attendees=[person(), *others])).guests == ["b@example.com"]


def test_no_more_than_a_hundred_people_are_read(created: Build) -> None:
    crowd = [person(email=f"p{number}@example.com") for number in range(150)]
    assert len(booking(created(attendees=crowd)).guests) == 99
    assert booking(created(attendees=[])).booker is None


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ("x" * 10_000, "x" * 200),
        ("\u202eevil.exe", "evil.exe"),
        ("👩\u200d👩\u200d👧 Ann", "👩\u200d👩\u200d👧 Ann"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),  # escaped where it is shown
        ("{{7*7}}", "{{7*7}}"),
        ("Ann\r\nBEGIN:VEVENT", "Ann BEGIN:VEVENT"),
        ("\ud800Ann\x00", "\ufffdAnn\ufffd"),
        (None, ""),
        (["Ann"], ""),
    ],
)
def test_a_name_is_one_line(created: Build, written: object, meaning: str) -> None:
    payload = booking(created(attendees=[person(name=written)]))
    assert payload.booker is not None
    assert payload.booker.name == meaning


@pytest.mark.parametrize(
    ("written", "meaning"),
    [("Europe/Kiev", "Europe/Kiev"), ("Asia/Calcutta", "Asia/Calcutta"), ("UTC", "UTC"), ("Mars/Olympus", None),
     ("../etc/passwd", None), ("", None), (60, None)],
)  # fmt: skip
def test_a_zone_is_one_that_exists(created: Build, written: object, meaning: str | None) -> None:
    assert booking(created(attendees=[person(timeZone=written)])).people[0].time_zone == meaning


def test_the_phone_comes_from_the_attendee_or_from_the_answers(created: Build) -> None:
    asked = {"attendeePhoneNumber": {"label": "phone", "value": "+44 20 7946 0000"}}
    direct = booking(created(attendees=[person(phoneNumber="+1 call me")], responses=asked))
    answered = booking(created(attendees=[person()], responses=asked))
    assert direct.booker is not None
    assert direct.booker.phone == "+1 call me"
    assert answered.booker is not None
    assert answered.booker.phone == "+44 20 7946 0000"


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("Acme", "Acme"),
        ("", None),
        (None, None),
        (True, True),
        (3, 3),
        (["a", "", 2, None], ["a", "2"]),
        ([], None),
        ({"value": "phone", "optionValue": "+1"}, "+1"),
        ({"value": "integrations:daily", "optionValue": ""}, "integrations:daily"),
        ({"firstName": "Ann", "lastName": "Lee"}, "Ann Lee"),
        ({"deep": {"er": 1}}, None),
        ("x" * 6_000, "x" * 5_000),
        ("one\r\ntwo\x07", "one\ntwo"),
    ],
)
def test_an_answer_is_plain_and_an_unanswered_question_is_left_out(
    created: Build, value: object, meaning: object
) -> None:
    payload = booking(created(userFieldsResponses={"q": {"label": "Q", "value": value}}))
    assert payload.answers == ({} if meaning is None else {"q": meaning})


def test_own_answers_are_found_among_all_where_they_are_not_listed(created: Build) -> None:
    payload = booking(created(userFieldsResponses=...))
    assert payload.answers == {"company": "Acme Ltd", "team-size": "11-50"}


def test_a_hidden_answer_is_not_shown(created: Build) -> None:
    fields = {
        "ref": {"label": "ref", "value": "q1", "isHidden": True},
        "gone": {"label": "gone"},
        "odd": "text",
    }
    assert booking(created(userFieldsResponses=fields)).answers == {}


def test_notes_come_from_the_answers_where_the_body_has_none(created: Build) -> None:
    assert booking(created(additionalNotes=...)).notes == "We want to move our booking pages over before spring."


@pytest.mark.parametrize(
    ("changes", "meaning"),
    [
        ({"metadata": {"videoCallUrl": "https://meet.example/a"}}, "https://meet.example/a"),
        (
            {"metadata": {"videoCallUrl": "javascript:alert(1)"}},
            "https://app.cal.com/video/9bTq3mX2LwYcVhR7pKsZ4d",
        ),
        (
            {"metadata": {}, "videoCallData": None, "location": "https://zoom.example/j/1"},
            "https://zoom.example/j/1",
        ),
        ({"metadata": {}, "videoCallData": None}, None),
        ({"metadata": {}, "videoCallData": None, "location": "https://u:p@evil.example"}, None),
        ({"metadata": {}, "videoCallData": None, "location": "http://[bad"}, None),
        ({"metadata": {}, "videoCallData": None, "location": "https://x.example/" + "a" * 3000}, None),
        ({"metadata": {}, "videoCallData": None, "location": "Room 5, 1 High Street"}, None),
    ],
)
def test_the_meeting_url_is_the_first_real_link(created: Build, changes: Any, meaning: str | None) -> None:
    assert booking(created(**changes)).meeting_url == meaning


def test_tokens_of_the_body_are_never_kept(created: Build) -> None:
    payload = booking(created(oneTimePassword="one-time-secret"))
    for secret in ("one-time-secret", "eyJhbGciOiJIUzI1NiJ9"):
        assert secret not in repr(payload)
        assert secret not in payload.model_dump_json()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_without_effect_says_what_it_is(name: str) -> None:
    webhook = read(as_sent(example(name)))
    assert webhook.is_ignored == bool(webhook.kept_because)
    assert "does not know" not in webhook.kept_because


def test_an_undocumented_and_an_unknown_trigger_have_their_sentences() -> None:
    assert "calendar refused" in read(b'{"triggerEvent":"CALENDAR_ENTRY_REJECTED","payload":{}}').kept_because
    assert "does not know" in read(b'{"triggerEvent":"BOOKING_TELEPORTED"}').kept_because


def test_a_report_names_the_booking_that_it_is_about() -> None:
    assert read(as_sent(example("wrong_assignment_report.v2021-10-20.json"))).booking_uid == "9bTq3mX2LwYcVhR7pKsZ4d"


def test_a_changed_place_names_the_one_before() -> None:
    payload = booking(as_sent(example("booking_location_updated.v2021-10-20.json")))
    assert payload.previous_location == "https://meet.google.com/abc-defg-hij"
    assert payload.meeting_url == "https://app.cal.com/video/9bTq3mX2LwYcVhR7pKsZ4d"


def test_the_room_that_is_left_over_is_no_meeting_link() -> None:
    body = example("booking_location_updated.v2021-10-20.json")
    body["payload"]["location"] = "12 High Street"
    assert booking(as_sent(body)).meeting_url is None


@pytest.mark.parametrize("name", [name for name in NAMES if "v2026-07-27" in name])
def test_the_newer_versions_calendar_files_are_not_kept(name: str) -> None:
    assert "VCALENDAR" in as_sent(example(name)).decode()
    assert "VCALENDAR" not in repr(read(as_sent(example(name))))


@pytest.mark.parametrize(
    ("link", "kept"),
    [
        ("https://files.example/a.mp4", True),
        ("https://files.example/a.mp4?token=x", False),
        ("https://files.example/a.mp4?REDACTED", False),
        ("https://files.example/a.mp4#key", False),
        ("https://user:key@files.example/a.mp4", False),
        ("javascript:alert(1)", False),
        (None, False),
        (7, False),
    ],
)
def test_a_recordings_link_is_kept_where_it_carries_no_key(link: object, kept: bool) -> None:
    body = example("recording_ready.v2021-10-20.json")
    body["payload"]["downloadLink"] = link
    payload = read(as_sent(body)).payload
    assert isinstance(payload, RecordingPayload)
    assert payload.links == ([link] if kept else [])


@pytest.mark.parametrize("raw", [b"false", b"title=Call&uid=abc", b'{"triggerEvent":"BOOKING_PAID"}', b"Priya booked"])
def test_a_template_is_explained(raw: bytes) -> None:
    with pytest.raises(NotUnderstood, match="custom payload template") as caught:
        read(raw)
    assert len(caught.value.reason) < 500


def test_a_form_is_called_one() -> None:
    with pytest.raises(NotUnderstood, match="a form, not JSON"):
        read(b"title=Call+with+Priya&uid=abc")


@pytest.mark.parametrize("trigger", subscription.TRIGGERS)
def test_each_trigger_that_is_asked_for_is_acted_on_or_explained(trigger: str) -> None:
    assert trigger in set(Trigger) or "does not know" not in what_it_tells(trigger)
