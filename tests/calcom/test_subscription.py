"""Our webhook at Cal.com: what the client says, and what one that is there lacks."""

import json
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from hds.calcom.answers import Webhook
from hds.calcom.client import CalClient
from hds.calcom.errors import Invalid, NotAllowed, NotConfigured, Unavailable
from hds.calcom.subscription import NEWEST, OLDEST, TRIGGERS, Wanted, host
from tests.calcom.test_client import EVENT_TYPE, client_of, data, expect, last

URL = "https://site.example/api/webhooks/cal"
WANTED = Wanted(URL, "whsec_ours")
RIGHT: dict[str, Any] = {
    "id": "5f0e3b1c-6a0f-4a55-9b5a-1f4c0e0f0a11",
    "userId": 1,
    "subscriberUrl": URL,
    "active": True,
    "triggers": list(TRIGGERS),
    "secret": "whsec_ours",
    "payloadTemplate": None,
    "version": NEWEST,
    "time": 5,
    "timeUnit": "MINUTE",
}


def found(**changes: Any) -> Webhook:
    return Webhook.model_validate(RIGHT | changes)


@pytest.fixture
def cal(httpserver: HTTPServer) -> HTTPServer:
    return httpserver


@pytest.fixture
def client(cal: HTTPServer) -> CalClient:
    return client_of(cal)


def test_one_that_is_right_needs_no_change() -> None:
    assert WANTED.changes(found()) == ({}, [])
    assert WANTED.changes(Webhook.model_validate(WANTED.body | {"id": 7})) == ({}, [])


@pytest.mark.parametrize(
    ("changed", "change", "why"),
    [
        ({"active": False}, {"active": True}, "it was switched off"),
        ({"secret": None}, {"secret": "whsec_ours"}, "its secret was not this site's"),
        ({"secret": "whsec_theirs"}, {"secret": "whsec_ours"}, "its secret was not this site's"),
        ({"payloadTemplate": "{{type}}"}, {"payloadTemplate": None}, "it had a payload template"),
        ({"version": OLDEST}, {"version": NEWEST}, "it spoke the version 2021-10-20"),
        ({"time": None}, {"time": 5, "timeUnit": "MINUTE"}, "it did not say when to look for who has not come"),
        ({"triggers": list(TRIGGERS[2:])}, {"triggers": [*TRIGGERS[2:], *TRIGGERS[:2]]}, "it left out"),
    ],
)
def test_what_one_lacks_is_named_and_sent(changed: dict[str, Any], change: dict[str, Any], why: str) -> None:
    changes, whys = WANTED.changes(found(**changed))
    assert changes == change
    assert len(whys) == 1
    assert whys[0].startswith(why)
    assert WANTED.changes(found(**changed | change)) == ({}, [])


def test_what_the_owner_chose_beside_it_stays() -> None:
    assert WANTED.changes(found(time=2, timeUnit="HOUR", triggers=[*TRIGGERS, "SOMETHING_NEW"])) == ({}, [])


def test_a_version_that_is_not_told_is_no_fault() -> None:
    assert WANTED.changes(found(version=None)) == ({}, [])


def test_an_older_cal_com_is_asked_for_less() -> None:
    older = WANTED.for_an_older_one()
    assert "version" not in older.body
    assert "BOOKING_REASSIGNED" not in older.body["triggers"]
    assert "BOOKING_CREATED" in older.body["triggers"]
    assert older.changes(found(version=OLDEST)) == ({}, [])


def test_a_user_is_never_asked_for_what_organisations_have() -> None:
    assert not [name for name in TRIGGERS if name.startswith("DELEGATION_")]
    assert len(set(TRIGGERS)) == 24


@pytest.mark.parametrize(
    ("url", "is_ours", "is_like"),
    [
        (URL, True, True),
        (f"{URL}/", True, True),
        ("https://SITE.example:443/api/webhooks/cal", True, True),
        ("http://site.example/api/webhooks/cal", False, True),
        ("https://staging.site.example/api/webhooks/cal", False, True),
        ("https://site.example:8443/api/webhooks/cal", False, True),
        ("https://hooks.example/catch/secret", False, False),
        ("https://[odd", False, False),
    ],
)
def test_ours_is_told_from_others(url: str, is_ours: bool, is_like: bool) -> None:
    assert (WANTED.is_for(found(subscriberUrl=url)), WANTED.is_like(found(subscriberUrl=url))) == (is_ours, is_like)


def test_of_anothers_address_only_the_host_is_said() -> None:
    assert host("https://hooks.example/catch/secret?token=x") == "hooks.example"
    assert "secret" not in host("https://[secret")


def test_no_secret_is_shown() -> None:
    assert "whsec" not in repr(found()) + repr(WANTED)


# Over the API


def test_webhooks_are_listed_and_odd_entries_left_out(cal: HTTPServer, client: CalClient) -> None:
    expect(cal, "GET", "/webhooks", [RIGHT, None, {"id": 5}, RIGHT | {"id": 5}], query_string={"take": "250"})
    assert [webhook.id for webhook in client.webhooks()] == [RIGHT["id"], "5"]
    assert last(cal).headers["Authorization"] == "Bearer cal_test"


def test_one_is_made_and_changed(cal: HTTPServer, client: CalClient) -> None:
    expect(cal, "POST", "/webhooks", RIGHT, status=201)
    assert client.create_webhook(WANTED.body).id == RIGHT["id"]
    assert json.loads(last(cal).data) == WANTED.body
    expect(cal, "PATCH", f"/webhooks/{RIGHT['id']}", RIGHT | {"active": False})
    assert not client.change_webhook(RIGHT["id"], {"active": False}).is_active


def test_an_id_cannot_be_a_way_to_another_call(cal: HTTPServer, client: CalClient) -> None:
    cal.expect_request("/v2/webhooks/../me", method="PATCH").respond_with_response(data(RIGHT))
    client.change_webhook("../me", {})
    assert last(cal).environ["REQUEST_URI"] == "/v2/webhooks/..%2Fme"


def test_a_second_one_for_the_address_is_invalid(cal: HTTPServer, client: CalClient) -> None:
    body = {"status": "error", "error": {"code": "ConflictException", "message": "already exists"}}
    cal.expect_request("/v2/webhooks", method="POST").respond_with_json(body, 409)
    with pytest.raises(Invalid) as refused:
        client.create_webhook(WANTED.body)
    assert refused.value.status == 409


def test_without_the_key_nothing_is_asked(cal: HTTPServer) -> None:
    client = client_of(cal, key=None)
    calls: list[Any] = [client.webhooks, client.event_types, lambda: client.create_webhook({})]
    for call in [*calls, lambda: client.change_webhook("x", {})]:
        with pytest.raises(NotConfigured):
            call()
    assert not cal.log


def test_a_wrong_key_is_not_allowed(cal: HTTPServer, client: CalClient) -> None:
    cal.expect_request("/v2/webhooks").respond_with_json({"error": {"message": "Your api key is not valid"}}, 401)
    with pytest.raises(NotAllowed):
        client.webhooks()


def test_an_answer_that_is_no_list_is_none(cal: HTTPServer, client: CalClient) -> None:
    expect(cal, "GET", "/event-types", {"eventTypeGroups": []})
    with pytest.raises(Unavailable):
        client.event_types()


def test_event_types_tell_what_services_show(cal: HTTPServer, client: CalClient) -> None:
    richer = {
        "id": 5,
        "slug": "group",
        "lengthInMinutes": 30,
        "lengthInMinutesOptions": [30, 60, "x", 0],
        "confirmationPolicy": {"type": "always", "blockUnconfirmedBookingsInBooker": True},
        "disableCancelling": {"disabled": True},
        "disableRescheduling": {"disabled": False, "minutesBefore": 60},
        "seats": {"seatsPerTimeSlot": 8, "showAttendeeInfo": False, "showAvailabilityCount": True},
    }
    expect(cal, "GET", "/event-types", [EVENT_TYPE, richer], headers={"cal-api-version": "2024-06-14"})
    plain, group = client.event_types()
    assert (plain.needs_confirmation, plain.can_cancel, plain.can_move, plain.length_options) == (False, True, True, [])
    assert (group.needs_confirmation, group.can_cancel, group.can_move) == (True, False, True)
    assert (group.length_options, group.seats) == ([30, 60], 8)
