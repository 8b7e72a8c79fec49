import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hds.calcom.signature import sign, verify

from .conftest import NAMES, SIGNATURES, as_sent, example

SECRET = SIGNATURES["secret"]
RAW = b'{"triggerEvent":"PING"}'
GOOD = hmac.new(SECRET.encode(), RAW, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("name", NAMES)
def test_the_published_signature_of_each_example_verifies(name: str) -> None:
    raw = as_sent(example(name))
    expected = SIGNATURES["files"][name]
    assert len(raw) == expected["compact_bytes"]
    assert verify(raw, [expected["x-cal-signature-256"]], [SECRET])
    assert sign(raw, SECRET) == expected["x-cal-signature-256"]


def test_the_previous_secret_still_verifies_while_it_is_rotated() -> None:
    assert verify(RAW, [GOOD], ["the-new-one", SECRET])
    assert not verify(RAW, [GOOD], ["the-new-one"])


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="missing"),
        pytest.param([""], id="empty"),
        pytest.param([SIGNATURES["header_without_secret"]], id="no secret provided"),
        pytest.param([f"sha256={GOOD}"], id="prefixed"),
        pytest.param([GOOD.upper()], id="upper case"),
        pytest.param([base64.b64encode(bytes.fromhex(GOOD)).decode()], id="base64"),
        pytest.param([GOOD[:-1]], id="63 characters"),
        pytest.param([GOOD + "0"], id="65 characters"),
        pytest.param([GOOD + "\n"], id="line break"),
        pytest.param([f" {GOOD}"], id="space"),
        pytest.param([GOOD[:-1] + "é"], id="non-ASCII"),
        pytest.param([GOOD[:-1] + "٣"], id="a digit of another script"),
        pytest.param(["\udcff" * 64], id="undecodable"),
        pytest.param([GOOD, GOOD], id="two headers"),
        pytest.param([f"{GOOD},{GOOD}"], id="two headers joined by WSGI"),
        pytest.param(["0" * 64], id="another digest"),
    ],
)
def test_any_other_header_is_refused(headers: list[str]) -> None:
    assert not verify(RAW, headers, [SECRET])


def test_the_signature_of_the_same_json_written_otherwise_is_refused() -> None:
    rewritten = json.dumps(json.loads(RAW)).encode()
    assert rewritten != RAW
    assert not verify(RAW, [sign(rewritten, SECRET)], [SECRET])


def test_an_empty_or_missing_secret_never_verifies() -> None:
    assert not verify(RAW, [sign(RAW, "")], ["", ""])
    assert not verify(RAW, [GOOD], [])


@settings(deadline=None)  # a busy machine is no fault
@given(
    raw=st.binary(max_size=200),
    headers=st.lists(st.text(max_size=80), max_size=3),
    secret=st.text(max_size=20),
)
def test_no_header_raises_and_none_that_was_guessed_verifies(raw: bytes, headers: list[str], secret: str) -> None:
    assert not verify(raw, headers, ["a-secret-nobody-guesses", ""])
