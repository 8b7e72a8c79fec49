"""The inbox in front of staff: found, shown without secrets, applied anew."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from hds.bookings.models import Booking
from hds.extensions import db
from hds.lib import jobs
from hds.webhooks.jobs import drain
from hds.webhooks.models import DeliveryState, InboxDelivery
from tests import forms
from tests.deliveries import arrive, delivery
from tests.factories import make_booking

PAGE = "/admin/deliveries"
FRAGMENT = {"HX-Request-Type": "partial"}
Make = Callable[..., InboxDelivery]


def listed(client: FlaskClient, **query: Any) -> list[int]:
    answer = client.get(PAGE, query_string=query, headers=FRAGMENT)
    assert answer.status_code == 200
    return [int(number) for number in re.findall(rf'href="{PAGE}/(\d+)"', answer.text)]


def rung(name: str) -> list[str]:
    return [job.func_name for job in jobs.queue(name).jobs]


def test_before_the_first_it_says_where_cal_com_posts(signed_in: FlaskClient) -> None:
    assert "/api/webhooks/cal" in signed_in.get(PAGE).text


def test_the_newest_comes_first_with_its_state_and_reason(signed_in: FlaskClient, make_delivery: Make) -> None:
    first = make_delivery(trigger="BOOKING_CREATED", booking_uid="u1", times_seen=3)
    second = make_delivery(state=DeliveryState.INVALID, reason="The body is not JSON.")
    assert listed(signed_in) == [second.id, first.id]
    page = signed_in.get(PAGE).text
    for words in (
        "BOOKING_CREATED",
        "The body is not JSON.",
        "Invalid",
        "Recorded",
        "3 times",
        "without a trigger",
        "u1",
    ):
        assert words in page


def test_state_trigger_and_booking_id_filter(signed_in: FlaskClient, make_delivery: Make) -> None:
    created = make_delivery(trigger="BOOKING_CREATED", booking_uid="abc")
    paid = make_delivery(trigger="BOOKING_PAID", booking_uid="xyz", state=DeliveryState.FAILED)
    assert listed(signed_in, state="failed") == [paid.id]
    assert listed(signed_in, trigger="BOOKING_CREATED") == [created.id]
    assert listed(signed_in, q="XY") == [paid.id]
    assert listed(signed_in, state="failed", trigger="BOOKING_CREATED") == []
    assert "No delivery matches" in signed_in.get(f"{PAGE}?state=ignored").text


@pytest.mark.parametrize(
    "query", ["state=xyz", "page=-1", "page=" + "9" * 60, "trigger=%ff", "q=%ff", "trigger=<script>", "q=%25"]
)
def test_whatever_the_url_says_there_is_a_page(signed_in: FlaskClient, make_delivery: Make, query: str) -> None:
    make_delivery()
    assert signed_in.get(f"{PAGE}?{query}").status_code == 200


def test_many_come_in_pages(signed_in: FlaskClient, make_delivery: Make) -> None:
    ids = [make_delivery({"n": number}).id for number in range(101)]
    seen = [number for page in (1, 2, 3) for number in listed(signed_in, page=page)]
    assert seen == sorted(ids, reverse=True)


def test_a_body_is_shown_without_its_secrets_and_as_text(signed_in: FlaskClient, make_delivery: Make) -> None:
    body = {
        "triggerEvent": "BOOKING_CREATED",
        "payload": {
            "videoCallData": {"password": "hunter2", "url": "https://video.example/?token=hunter3"},
            "oneTimePassword": "hunter4",
            "title": "<script>alert(1)</script> {{7*7}} \u202e",
        },
    }
    delivery = make_delivery(body, headers={"X-Cal-Webhook-Version": "<b>2021</b>"})
    page = signed_in.get(f"{PAGE}/{delivery.id}").text
    assert "hunter" not in page
    assert "(hidden)" in page
    assert "<script>alert" not in page
    assert "{{7*7}}" in page
    assert "&lt;b&gt;2021" in page


@pytest.mark.parametrize("body", [b"", b"\x00\xff\xfe", b"<xml>", b"[" * 5000, b'{"password": "hunter2"'])
def test_a_body_that_nobody_understands_is_shown_too(signed_in: FlaskClient, make_delivery: Make, body: bytes) -> None:
    delivery = make_delivery(body, state=DeliveryState.INVALID)
    answer = signed_in.get(f"{PAGE}/{delivery.id}")
    assert answer.status_code == 200
    assert "hunter2" not in answer.text


def test_a_body_whose_sender_nobody_knows_is_not_shown(signed_in: FlaskClient, make_delivery: Make) -> None:
    delivery = make_delivery({"key": "hunter2"}, sender="gone")
    assert "hunter2" not in signed_in.get(f"{PAGE}/{delivery.id}").text


def test_a_delivery_leads_to_its_booking(signed_in: FlaskClient, make_delivery: Make) -> None:
    booking = make_booking("uid1")
    delivery = make_delivery(booking_uid="uid1")
    assert f'href="/admin/bookings/{booking.id}"' in signed_in.get(f"{PAGE}/{delivery.id}").text


@pytest.fixture
def created(payloads: Any) -> dict[str, Any]:
    return json.loads((payloads / "booking_created.v2021-10-20.json").read_text())


def test_a_replay_applies_what_had_failed(
    app: Flask, signed_in: FlaskClient, make_delivery: Make, strategy: Any, created: dict[str, Any]
) -> None:
    delivery = make_delivery(created, state=DeliveryState.FAILED, reason="The disk was full.", attempts=8)
    url = f"{PAGE}/{delivery.id}"
    answer = forms.submit(signed_in, url, f"{url}/replay")
    assert (answer.status_code, answer.location) == (303, url)
    page = signed_in.get(url).text
    assert "is queued" in page
    assert "The disk was full." not in page
    assert rung("default") == ["hds.webhooks.jobs.drain"]
    drain()
    assert delivery.state is DeliveryState.APPLIED
    assert Booking.by_uid(delivery.booking_uid or "") is not None


def test_a_replay_of_what_was_applied_changes_nothing(
    signed_in: FlaskClient, make_delivery: Make, strategy: Any, created: dict[str, Any]
) -> None:
    delivery = make_delivery(created, state=DeliveryState.FAILED)
    url = f"{PAGE}/{delivery.id}"
    for _ in range(2):
        forms.submit(signed_in, url, f"{url}/replay")
        drain()
    assert db.session.scalar(db.select(db.func.count(Booking.id))) == 1


def test_replaying_all_says_how_many_before_and_after(
    signed_in: FlaskClient, make_delivery: Make, strategy: Any, created: dict[str, Any]
) -> None:
    failed = [make_delivery({"n": n}, state=DeliveryState.FAILED) for n in range(2)]
    failed.append(make_delivery(created, state=DeliveryState.FAILED))
    ignored = make_delivery({"n": 9}, state=DeliveryState.IGNORED, reason="Nothing to do.")
    assert "3 deliveries could not be recorded" in signed_in.get(PAGE).text
    assert "Replay 3 deliveries" in signed_in.get(f"{PAGE}/replays?state=failed").text
    answer = forms.submit(signed_in, f"{PAGE}/replays?state=failed", state="failed")
    assert answer.location == PAGE
    assert "3 deliveries are queued" in signed_in.get(PAGE).text
    assert {delivery.state for delivery in failed} == {DeliveryState.PENDING}
    assert ignored.state is DeliveryState.IGNORED
    drain()
    assert failed[2].state is DeliveryState.APPLIED


def test_replaying_none_says_so(signed_in: FlaskClient, make_delivery: Make) -> None:
    delivery = make_delivery(state=DeliveryState.FAILED)
    page = signed_in.get(f"{PAGE}/replays?state=failed").text
    delivery.applied()
    signed_in.post(f"{PAGE}/replays", data=forms.fields(page, f"{PAGE}/replays"))
    assert "There was nothing to replay." in signed_in.get(PAGE).text
    assert "There is none." in signed_in.get(f"{PAGE}/replays").text


@pytest.mark.parametrize("state", ["applied", "pending", "", "xyz", "%ff"])
def test_all_of_a_state_that_makes_no_sense_is_not_there(signed_in: FlaskClient, state: str) -> None:
    assert signed_in.get(f"{PAGE}/replays?state={state}").status_code == 404


@pytest.mark.parametrize("number", ["99", str(2**63), "9" * 400, "x"])
def test_a_delivery_that_is_not_there_is_a_404(signed_in: FlaskClient, number: str) -> None:
    assert signed_in.get(f"{PAGE}/{number}").status_code == 404


@pytest.mark.parametrize(
    "raw", [b"false", b"title=Call+with+Priya", b'{"name":"Priya"}', b'{"triggerEvent":"BOOKING_PAID"}']
)
def test_a_payload_template_is_explained_where_deliveries_are_shown(signed_in: FlaskClient, raw: bytes) -> None:
    assert "payload template" not in signed_in.get("/admin/deliveries").text
    [row] = arrive(signed_in, raw)
    page = signed_in.get("/admin/deliveries").text
    assert "1 delivery of the last seven days is not in Cal.com’s own words" in page
    assert "empty the template" in page
    assert "Is a custom payload template set" in signed_in.get(f"/admin/deliveries/{row.id}").text


def test_what_is_kept_without_effect_says_what_it_is(signed_in: FlaskClient) -> None:
    arrive(signed_in, delivery("ooo_created.v2021-10-20.json"), delivery("form_submitted.v2021-10-20.json"))
    page = signed_in.get("/admin/deliveries").text
    assert "An absence (out of office) was entered at Cal.com." in page
    assert "Somebody filled in a routing form" in page
