"""Hostile fields: a booking with one odd field is still a booking, on both databases."""

import json

import pytest

from hds.bookings.exports import booking_as_json
from hds.bookings.models import Booking
from hds.extensions import db
from hds.mail import jobs as mail_jobs
from hds.mail.models import Message, MessageState
from hds.webhooks.models import DeliveryState
from tests.deliveries import arrive, delivery, iso
from tests.factories import ServiceFactory, in_days


def person(**changed):
    return [{"name": "Priya", "email": "priya@acme.example", "timeZone": "America/New_York"} | changed]


HOSTILE = {
    "a name of 10,000 characters": {"attendees": person(name="n" * 10_000)},
    "a name that turns the text around": {"attendees": person(name="\u202egnp.exe\u202c")},
    "an emoji family": {"attendees": person(name="👨‍👩‍👧‍👦")},
    "a script": {"attendees": person(name="<script>alert(1)</script>"), "title": "<script>"},
    "a template": {"attendees": person(name="{{7*7}}{% raise %}"), "additionalNotes": "{{7*7}}"},
    "a formula": {"attendees": person(name='=HYPERLINK("https://evil.example")')},
    "a line and a header": {"attendees": person(name="Priya\r\nBcc: all@evil.example"), "title": "x\r\nBcc: y"},
    "a calendar in a name": {"attendees": person(name="x\r\nBEGIN:VEVENT")},
    "an address with two @": {"attendees": person(email="a@b@acme.example")},
    "an address of 320 characters": {"attendees": person(email="a" * 310 + "@x.example")},
    "an address with a header": {"attendees": person(email="a@acme.example\r\nBcc: b@evil.example")},
    "an address in quotes": {"attendees": person(email='"a b"@acme.example')},
    "an international address": {"attendees": person(email="zoë@münchen.example")},
    "a plus and capitals": {"attendees": person(email="Priya+Test@ACME.example")},
    "a phone with letters": {"attendees": person(phoneNumber="call me " * 40)},
    "an unknown zone": {"attendees": person(timeZone="Mars/Olympus")},
    "an alias of a zone": {"attendees": person(timeZone="Europe/Kiev")},
    "nobody": {"attendees": []},
    "attendees that are none": {"attendees": [None, 7, "x", {}]},
    "a hundred attendees": {"attendees": [p for n in range(100) for p in person(email=f"p{n}@acme.example")]},
    "no organizer": {"organizer": None},
    "a negative price": {"price": -1, "currency": "usd"},
    "a price with a point": {"price": 99.5, "currency": "usd"},
    "a price as text": {"price": "99", "currency": "usd"},
    "a huge price": {"price": 2**63 - 1, "currency": "usd"},
    "a price beyond all": {"price": 10**40, "currency": "usd"},
    "no such currency": {"price": 100, "currency": "xxx"},
    "a currency of another kind": {"price": 100, "currency": {"code": "usd"}},
    "an event type beyond all": {"eventTypeId": 2**63},
    "an event type as text": {"eventTypeId": "4711"},
    "a type of 400 characters": {"eventTypeId": None, "type": "t" * 400},
    "a title of 10,000 characters": {"title": "t" * 10_000},
    "a place of 10,000 characters": {"location": "l" * 10_000},
    "a payment's id of 400 characters": {"metadata": {"externalId": "pi_" * 140}},
    "a calendar uid of 10,000 characters": {"iCalUID": "u" * 10_000},
    "a sequence beyond all": {"iCalSequence": 2**40},
    "a deep metadata": {"metadata": {"a": {"b": {"c": ["d"] * 1000}}, "videoCallUrl": "javascript:alert(1)"}},
    "answers of every type": {
        "responses": {
            "list": {"label": "l", "value": ["a", {"b": 1}, None]},
            "object": {"label": "o", "value": {"optionValue": "", "value": "x"}},
            "number": {"label": "n", "value": 2**63},
            "no object": "x",
            "": {"value": "x"},
        },
        "userFieldsResponses": {"own": {"label": "o", "value": [["x"]]}, "s" * 700: {"value": "y"}},
    },
    "responses that are a list": {"responses": ["x"], "userFieldsResponses": "x"},
    "notes of 100,000 characters": {"additionalNotes": "n" * 100_000},
    "lone surrogates and NULs": {"attendees": person(name="a\x00b"), "title": "\x00"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_booking_with_one_odd_field_is_still_a_booking(client, name):
    ServiceFactory(cal_event_type_id=4711)
    bodies = [delivery("CREATED", **HOSTILE[name]), delivery("PAID", **HOSTILE[name])]
    assert {row.state for row in arrive(client, *bodies)} == {DeliveryState.APPLIED}
    [booking] = db.session.scalars(db.select(Booking)).unique()
    assert json.loads(json.dumps(booking_as_json(booking), allow_nan=False))["status"] == "confirmed"
    for message in db.session.scalars(db.select(Message.id)).all():
        mail_jobs.deliver(message)
    assert set(db.session.scalars(db.select(Message.state))) <= {MessageState.SENT}


UNUSABLE_FIELDS = {
    "a uid that climbs": ({"uid": "../../etc/passwd"}, "uid is not the id of a booking"),
    "a uid of 300 characters": ({"uid": "u" * 300}, "uid is not the id of a booking"),
    "a uid that is a number": ({"uid": 7}, "uid is not the id of a booking"),
    "a start without a zone": ({"startTime": "2026-12-03T10:00:00"}, "startTime is not a time"),
    "the year 1": ({"startTime": "0001-01-01T00:00:00Z"}, "startTime is not a time"),
    "the year 9999": ({"endTime": "9999-12-31T23:59:59-12:00"}, "endTime is not a time"),
    "an end before its start": ({"startTime": iso(in_days(3)), "endTime": iso(in_days(2))}, "ends before it starts"),
}


@pytest.mark.parametrize("name", UNUSABLE_FIELDS)
def test_a_booking_without_its_id_or_times_is_invalid_and_says_which(client, name):
    fields, reason = UNUSABLE_FIELDS[name]
    [row] = arrive(client, delivery("CREATED", **fields))
    assert row.state is DeliveryState.INVALID
    assert reason in row.reason
    assert db.session.scalar(db.select(db.func.count()).select_from(Booking)) == 0
