"""Bodies that nobody should have sent: each is read, ignored, or refused with a reason. Nothing else may happen."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hds.calcom.payloads import BookingPayload, NotUnderstood, Trigger, Webhook, read, redact

from .conftest import NAMES, as_sent, example

CREATED = as_sent(example("booking_created.v2021-10-20.json"))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b" \n", "empty", id="blank"),
        pytest.param(b"null", "triggerEvent", id="null"),
        pytest.param(b"[]", "triggerEvent", id="list"),
        pytest.param(b'"x"', "triggerEvent", id="string"),
        pytest.param(b"false", "triggerEvent", id="a broken template"),
        pytest.param(b'{"name":"Ann"}', "custom payload template", id="no trigger"),
        pytest.param(b'{"triggerEvent":5}', "triggerEvent", id="trigger is no text"),
        pytest.param(b'{"triggerEvent":"BOOKING_CREATED","uid":"abc"}', "without a payload", id="flattened"),
        pytest.param(b"triggerEvent=BOOKING_CREATED&uid=abc", "template", id="form"),
        pytest.param(gzip.compress(CREATED), "UTF-8", id="gzip"),
        pytest.param(CREATED.decode().encode("utf-16"), "UTF-8", id="UTF-16"),
        pytest.param(CREATED.replace(b"Priya", b"\xff\xfe"), "UTF-8", id="broken UTF-8"),
        pytest.param(CREATED[:-1], "not JSON", id="cut short"),
        pytest.param(b"[" * 10_000 + b"]" * 10_000, "nested", id="10,000 deep"),
        pytest.param(b'{"a":' * 100 + b"1" + b"}" * 100, "nested", id="100 deep"),
    ],
)
def test_a_body_that_is_none_is_refused_with_a_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(NotUnderstood, match=reason) as caught:
        read(raw)
    assert caught.value.reason.endswith(".")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\xef\xbb\xbf" + CREATED, id="byte order mark"),
        pytest.param(CREATED.replace(b'"price":0', b'"price":NaN'), id="NaN"),
        pytest.param(CREATED.replace(b'"price":0', b'"price":-Infinity'), id="Infinity"),
        pytest.param(CREATED.replace(b'"price":0', b'"price":1e400'), id="1e400"),
        pytest.param(CREATED.replace(b'"price":0', b'"price":' + b"9" * 5_000), id="an endless number"),
        pytest.param(CREATED.replace(b'"price":0', b'"price":0,"uid":"9bTq3mX2LwYcVhR7pKsZ4d"'), id="same key twice"),
        pytest.param(CREATED.replace(b'"price":0', b'"x":"\\ud800","\\udfff":"\\u0000"'), id="surrogates and NUL"),
        pytest.param(CREATED.replace(b'"site_ref":', b'"big":"' + b"x" * 200_000 + b'","site_ref":'), id="huge"),
    ],
)
def test_an_odd_body_that_still_says_what_it_is_is_read(raw: bytes) -> None:
    webhook = read(raw)
    assert webhook.booking_uid == "9bTq3mX2LwYcVhR7pKsZ4d"
    assert storable(repr(webhook.payload))


def storable(text: str) -> bool:
    text.encode("utf-8")
    return "\x00" not in text


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)
KEYS = sorted({key for name in NAMES for key in (example(name).get("payload") or example(name))})


@settings(deadline=None)  # a busy machine is no fault
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    outcome(raw)
    redact(raw)


@settings(deadline=None)  # a busy machine is no fault
@given(
    trigger=st.sampled_from(sorted(Trigger)) | st.text(max_size=10),
    payload=st.dictionaries(st.sampled_from(KEYS), values, max_size=12),
    flat=st.booleans(),
)
def test_any_payload_is_read_or_refused(trigger: str, payload: dict[str, Any], flat: bool) -> None:
    body = {"triggerEvent": trigger, **payload} if flat else {"triggerEvent": trigger, "payload": payload}
    outcome(json.dumps(body).encode())


@settings(deadline=None)  # a busy machine is no fault
@given(changes=st.dictionaries(st.sampled_from(KEYS), values, max_size=8))
def test_any_optional_value_still_leaves_a_booking(changes: dict[str, Any]) -> None:
    body = example("booking_created.v2021-10-20.json")
    body["payload"] |= {key: item for key, item in changes.items() if key not in {"uid", "startTime", "endTime"}}
    webhook = outcome(json.dumps(body).encode())
    assert webhook is not None
    assert webhook.booking_uid == "9bTq3mX2LwYcVhR7pKsZ4d"


def outcome(raw: bytes) -> Webhook | None:
    """Any exception but NotUnderstood fails the test, in a property as well."""
    try:
        webhook = read(raw)
    except NotUnderstood as refusal:
        webhook, told = None, refusal.reason
    else:
        told = repr(webhook)
        if isinstance(webhook.payload, BookingPayload):
            told += repr([getattr(webhook.payload, name) for name in PROPERTIES])
    assert storable(told)
    return webhook


PROPERTIES = ("booker", "guests", "answers", "external_payment_id")


def test_staff_see_a_body_without_its_secrets() -> None:
    body = example("booking_requested.v2021-10-20.json")
    body["payload"]["videoCallData"] = {"password": "eyJ.room.jwt", "url": "https://app.cal.com/video/x"}
    body["payload"]["api_key"] = "cal_live_x"
    shown = redact(as_sent(body))
    for secret in ("eyJ.room.jwt", "0b6a1c52-93a5-4a1b-9a9c-1f7d2f0b7c55", "cal_live_x"):
        assert secret not in shown
    assert json.loads(shown)["payload"]["videoCallData"] == {
        "password": "(hidden)",
        "url": "https://app.cal.com/video/x",
    }
    assert json.loads(shown)["payload"]["uid"] == body["payload"]["uid"]


def test_a_token_within_a_link_is_hidden_too() -> None:
    shown = redact(as_sent({"downloadLink": "https://app.cal.com/r?id=5&token=eyJ0&x=1"}))
    assert json.loads(shown) == {"downloadLink": "https://app.cal.com/r?id=5&token=(hidden)&x=1"}


@pytest.mark.parametrize(
    "raw",
    [
        b'{"videoCallData":{"password":"hunter2","url":"x"',
        b"triggerEvent=PING&password=hunter2&x=1",
        b'{"oneTimePassword": "hunter2',
        b'{"accessToken":"a \\" hunter2","x":1',
    ],
)
def test_what_is_no_json_is_shown_as_text_without_its_secrets(raw: bytes) -> None:
    assert "hunter2" not in redact(raw)


def test_what_is_shown_is_never_long() -> None:
    deep = b'{"a":' * 50 + b"[" + b"1," * 60_000 + b"1]" + b"}" * 50
    for raw in (deep, b"\xff" * 300_000, b'{"x":"' + "é".encode() * 100_000 + b'"}', b"?" * 300_000):
        assert len(redact(raw).encode()) <= 64 * 1024 + 20
