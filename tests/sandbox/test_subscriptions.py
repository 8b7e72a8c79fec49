"""/v2/webhooks: the owner's webhooks over the API, and who is posted to."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import requests

from hds.sandbox.outbox import sign
from hds.sandbox.settings import Settings
from hds.sandbox.store import Store
from hds.sandbox.subscriptions import ORGANISATIONS, TRIGGERS

from .conftest import SECRET, Receiver, Sandbox
from .schema import assert_documented
from .test_bookings import assert_refused

URL = "https://site.example/api/webhooks/cal"
BODY: dict[str, Any] = {"active": True, "subscriberUrl": URL, "triggers": ["BOOKING_CREATED"], "secret": SECRET}


def create(sandbox: Sandbox, **changes: Any) -> requests.Response:
    return sandbox.api("POST", "/webhooks", key=True, json=BODY | changes)


def test_a_webhook_is_made_read_changed_and_deleted(sandbox: Sandbox) -> None:
    made = assert_documented(create(sandbox), "post", "/v2/webhooks", 201)
    assert (made["secret"], made["payloadTemplate"], made["version"]) == (SECRET, None, "2021-10-20")
    path = f"/webhooks/{made['id']}"
    listed = assert_documented(sandbox.api("GET", "/webhooks", key=True), "get", "/v2/webhooks", 200)
    assert listed == [made]
    assert assert_documented(sandbox.api("GET", path, key=True), "get", "/v2/webhooks/{webhookId}", 200) == made
    change = {"active": False, "payloadTemplate": "{{type}}", "version": "2026-07-27"}
    answer = sandbox.api("PATCH", path, key=True, json=change)
    changed = assert_documented(answer, "patch", "/v2/webhooks/{webhookId}", 200)
    assert changed == made | change
    assert (
        sandbox.api("PATCH", path, key=True, json={"payloadTemplate": None}).json()["data"]["payloadTemplate"] is None
    )
    assert sandbox.api("DELETE", path, key=True).status_code == 200
    assert_refused(sandbox.api("GET", path, key=True), 404, "not found", "NotFoundException")


def test_without_the_key_nobody_learns_of_webhooks(sandbox: Sandbox) -> None:
    for method, path in (("GET", "/webhooks"), ("POST", "/webhooks"), ("PATCH", "/webhooks/x"), ("GET", "/webhooks/x")):
        assert sandbox.api(method, path, json={}).status_code == 401


def test_a_second_one_for_the_same_address_is_a_conflict(sandbox: Sandbox) -> None:
    create(sandbox)
    assert_refused(create(sandbox), 409, "already exists", "ConflictException")
    other = create(sandbox, subscriberUrl=f"{URL}/2").json()["data"]
    answer = sandbox.api("PATCH", f"/webhooks/{other['id']}", key=True, json={"subscriberUrl": URL})
    assert answer.status_code == 409


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"active": "yes"}, "active must be a boolean value"),
        ({"subscriberUrl": "ftp://site.example/x"}, "Webhook URL is not allowed"),
        ({"triggers": ["BOOKING_CONFIRMED"]}, "each value in triggers must be one of"),
        ({"triggers": sorted(ORGANISATIONS)[:1]}, "organization webhooks"),
        ({"triggers": ["AFTER_HOSTS_CAL_VIDEO_NO_SHOW"]}, "time and timeUnit are required"),
        ({"version": "2024-01-01"}, "version must be one of"),
        ({"time": 0}, "time must not be less than 1"),
        ({"timeUnit": "WEEK"}, "timeUnit must be one of"),
    ],
)
def test_what_cal_com_refuses_is_refused(sandbox: Sandbox, change: dict[str, Any], words: str) -> None:
    assert_refused(create(sandbox, **change), 400, words)


@pytest.mark.parametrize("field", ["active", "subscriberUrl", "triggers"])
def test_what_a_webhook_needs_is_asked_for(sandbox: Sandbox, field: str) -> None:
    body = {key: value for key, value in BODY.items() if key != field}
    assert_refused(sandbox.api("POST", "/webhooks", key=True, json=body), 400, field)


@pytest.mark.parametrize(
    "url", ["http://site.example/x", "https://127.0.0.1/x", "https://10.1.2.3/x", "https://[::1]/x"]
)
def test_as_the_hosted_one_it_posts_to_public_https_alone(
    start_sandbox: Callable[[Settings], Sandbox], settings: Settings, url: str
) -> None:
    hosted = start_sandbox(replace(settings, is_hosted=True))
    assert_refused(create(hosted, subscriberUrl=url), 400, "Webhook URL is not allowed")
    assert create(hosted, subscriberUrl="https://93.184.215.14/x").status_code == 201


def test_each_webhook_gets_its_own_copy_with_its_own_time(posting: Sandbox, receiver: Receiver) -> None:
    address = receiver.url.replace("localhost", "127.0.0.1")
    create(posting, subscriberUrl=address, triggers=["BOOKING_CREATED"], secret="another")
    made = posting.booked()
    first, second = receiver.wait_for(2)
    assert {first["payload"]["uid"], second["payload"]["uid"]} == {made["uid"]}
    assert first["createdAt"] != second["createdAt"]
    for request, secret in zip(receiver.requests, (SECRET, "another"), strict=True):
        assert request.headers["X-Cal-Signature-256"] == sign(request.get_data(), secret)


def test_one_that_does_not_ask_for_a_trigger_is_not_posted_to(sandbox: Sandbox) -> None:
    create(sandbox, triggers=["BOOKING_CANCELLED"])
    sandbox.booked()
    row = sandbox.desk.store.one("SELECT * FROM delivery")
    assert row is not None
    assert (row["state"], row["outcome"]) == ("unsent", "no webhook asks for it")


def test_gone_switches_the_webhook_off(posting: Sandbox, receiver: Receiver) -> None:
    receiver.answers = [410]
    posting.booked()
    receiver.wait_for(1)
    until = time.monotonic() + 5
    while posting.desk.subscriptions.all()[0].is_active and time.monotonic() < until:
        time.sleep(0.01)
    assert not posting.desk.subscriptions.all()[0].is_active


def test_a_template_replaces_the_body(posting: Sandbox, receiver: Receiver) -> None:
    [seeded] = posting.desk.subscriptions.all()
    posting.api("PATCH", f"/webhooks/{seeded.id}", key=True, json={"payloadTemplate": '{"what":"{{triggerEvent}}"}'})
    posting.booked()
    assert receiver.wait_for(1) == [{"what": "BOOKING_CREATED"}]


def test_a_restart_keeps_what_was_made_and_follows_the_environment(
    start_sandbox: Callable[[Settings], Sandbox], settings: Settings
) -> None:
    stated = replace(settings, webhook_url="http://127.0.0.1:9/a", webhook_secret="one")
    first = start_sandbox(stated)
    create(first)
    [seeded, _] = first.desk.subscriptions.all()
    assert seeded.triggers == tuple(trigger for trigger in TRIGGERS if trigger not in ORGANISATIONS)
    first.api("PATCH", f"/webhooks/{seeded.id}", key=True, json={"version": "2021-10-20"})
    again = start_sandbox(replace(stated, webhook_url="http://127.0.0.1:9/b", webhook_secret="two"))
    found = {subscription.url: subscription for subscription in again.desk.subscriptions.all()}
    assert set(found) == {"http://127.0.0.1:9/b", URL}
    assert (found["http://127.0.0.1:9/b"].secret, found["http://127.0.0.1:9/b"].version) == ("two", "2021-10-20")


def test_the_file_of_an_earlier_sandbox_still_opens(settings: Settings) -> None:
    store = Store(settings.data)
    store.connection.execute("ALTER TABLE delivery DROP COLUMN webhook_id")
    store.close()
    again = Store(settings.data)
    assert "webhook_id" in {column["name"] for column in again.all("PRAGMA table_info(delivery)")}
    again.close()
