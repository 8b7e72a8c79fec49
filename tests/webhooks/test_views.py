"""The door: who may post, what is kept, and that nothing that is posted can hurt."""

import base64
import gzip
import hashlib
import json
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from hds.extensions import db
from hds.webhooks import inbox, jobs
from hds.webhooks.models import DeliveryState, InboxDelivery
from tests.conftest import ON_SERVERS
from tests.deliveries import PAYLOADS, SECRET, URL, arrive, as_sent, delivery, post, sign
from tests.factories import ServiceFactory

RAW = as_sent(delivery("PING"))
RIGHT = sign(RAW)
LARGEST = 256 * 1024


def rows() -> list[InboxDelivery]:
    db.session.rollback()
    return list(db.session.scalars(db.select(InboxDelivery).order_by(InboxDelivery.id)))


def knock(client, raw: bytes, *signatures: str) -> int:
    headers = [("X-Cal-Signature-256", signature) for signature in signatures]
    return client.post(URL, data=raw, headers=headers, content_type="application/json").status_code


@pytest.mark.parametrize(
    "signatures",
    [
        pytest.param([], id="missing"),
        pytest.param([""], id="empty"),
        pytest.param([RIGHT, RIGHT], id="doubled"),
        pytest.param([f"{RIGHT}, {RIGHT}"], id="doubled by a proxy"),
        pytest.param(["no-secret-provided"], id="no secret at Cal.com"),
        pytest.param([f"sha256={RIGHT}"], id="prefixed"),
        pytest.param([RIGHT.upper()], id="upper case"),
        pytest.param([base64.b64encode(bytes.fromhex(RIGHT)).decode()], id="base64"),
        pytest.param([RIGHT[:-1]], id="63 characters"),
        pytest.param([RIGHT + "0"], id="65 characters"),
        pytest.param([RIGHT + "\t"], id="white space after it"),
        pytest.param(["é" * 64], id="not ASCII"),
        pytest.param(["０" * 64], id="digits of another script"),
        pytest.param(["0" * 64], id="zeros"),
        pytest.param([sign(RAW, "another secret")], id="another secret"),
        pytest.param([sign(RAW, "")], id="an empty secret"),
        pytest.param([hashlib.sha256(RAW).hexdigest()], id="a digest without a secret"),
    ],
)
def test_who_cannot_sign_is_turned_away(client, signatures):
    signatures = [name.encode().decode("latin-1") for name in signatures]  # as WSGI hands raw bytes over
    assert knock(client, RAW, *signatures) == 401
    assert rows() == []


def test_a_signature_is_over_the_bytes_and_not_over_what_they_mean(client):
    indented = json.dumps(json.loads(RAW), indent=2).encode()
    assert knock(client, indented, RIGHT) == 401
    assert rows() == []


def test_the_previous_secret_opens_while_both_live(client, app):
    from dataclasses import replace

    app.extensions["senders"]["cal"] = replace(app.extensions["senders"]["cal"], secrets=("new", SECRET))
    try:
        assert knock(client, RAW, sign(RAW, "new")) == 200
        assert knock(client, RAW, RIGHT) == 200
        assert knock(client, RAW, sign(RAW, "older still")) == 401
    finally:
        app.extensions["senders"]["cal"] = replace(app.extensions["senders"]["cal"], secrets=(SECRET,))
    assert [row.times_seen for row in rows()] == [2]


def test_the_largest_body_is_kept_and_one_byte_more_is_refused(client):
    largest = b"x" * LARGEST
    assert knock(client, largest, sign(largest)) == 200
    assert knock(client, largest + b"x", sign(largest + b"x")) == 413
    assert [len(row.body) for row in rows()] == [LARGEST]


def test_a_repeat_is_thanked_and_counted(client):
    [first] = arrive(client, RAW)
    applied_at, seen_at = first.state_at, first.last_seen_at
    assert [knock(client, RAW, RIGHT) for _ in range(3)] == [200, 200, 200]
    [row] = rows()
    assert (row.times_seen, row.state, row.state_at) == (4, DeliveryState.APPLIED, applied_at)
    assert row.last_seen_at > seen_at


def test_it_is_stored_before_it_is_understood(client):
    post(client, b"?", **{"X-Cal-Webhook-Version": "v" * 900})
    [row] = rows()
    assert (row.body, row.state, row.trigger, row.attempts) == (b"?", DeliveryState.PENDING, None, 0)
    assert row.digest == hashlib.sha256(b"?").hexdigest()
    assert row.headers == {"X-Cal-Webhook-Version": "v" * 200, "Content-Type": "application/json"}


def test_nobody_else_posts_here(client):
    answer = client.post("/api/webhooks/stripe", data=RAW, headers={"X-Cal-Signature-256": RIGHT})
    assert answer.status_code == 404
    assert rows() == []


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_only_a_post_is_taken(client, method):
    answer = getattr(client, method)(URL)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_the_answer_says_nothing_about_the_booking_and_is_kept_by_nobody(client):
    answer = post(client, delivery("CREATED"))
    assert answer.json == {"status": "stored"}
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers


# Where nothing can be stored


def use_inbox_at(app, monkeypatch, settings) -> None:
    other = Flask("other")
    inbox.init_app(other, settings)
    monkeypatch.setitem(app.extensions, "inbox", other.extensions["inbox"])


def closed_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_database_server_that_is_down_is_503_and_comes_back(app, client, monkeypatch, make_settings):
    with monkeypatch.context() as patch:
        use_inbox_at(app, patch, make_settings(database_url=f"postgresql://root@127.0.0.1:{closed_port()}/hds"))
        assert knock(client, RAW, RIGHT) == 503
    assert knock(client, RAW, RIGHT) == 200
    assert len(rows()) == 1


def test_a_folder_that_is_gone_is_503(app, client, monkeypatch, make_settings, tmp_path):
    use_inbox_at(app, monkeypatch, make_settings(database_url=f"sqlite:///{tmp_path}/gone/hds.sqlite3"))
    assert knock(client, RAW, RIGHT) == 503


def test_a_database_without_tables_is_503(app, client, monkeypatch, make_settings, tmp_path):
    use_inbox_at(app, monkeypatch, make_settings(database_url=f"sqlite:///{tmp_path}/new.sqlite3"))
    assert knock(client, RAW, RIGHT) == 503


def test_a_disk_that_can_only_be_read_is_503(app, client, monkeypatch, make_settings, tmp_path):
    path = tmp_path / "read.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE inbox_delivery (sender, digest, UNIQUE (sender, digest))")
    use_inbox_at(app, monkeypatch, make_settings(database_url=f"sqlite:///file:{path}?mode=ro&uri=true"))
    assert knock(client, RAW, RIGHT) == 503


def test_the_reason_stays_in_the_log(app, client, monkeypatch, make_settings, tmp_path):
    use_inbox_at(app, monkeypatch, make_settings(database_url=f"sqlite:///{tmp_path}/gone/hds.sqlite3"))
    answer = client.post(URL, data=RAW, headers={"X-Cal-Signature-256": RIGHT})
    assert answer.json == {"error": "It could not be stored. Send it again in a minute."}


@pytest.mark.skipif(not ON_SERVERS, reason="SQLite has no server that could be restarted")
def test_a_connection_that_died_with_a_restarted_server_costs_nobody_an_answer(client):
    assert knock(client, RAW, RIGHT) == 200
    db.session.execute(
        text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    )
    db.session.rollback()
    bodies = [as_sent({"triggerEvent": "PING", "number": number}) for number in range(6)]
    assert [knock(client, raw, sign(raw)) for raw in bodies] == [200] * 6
    jobs.drain()
    assert [row.body for row in rows()] == [RAW, *bodies]


def test_the_bell_being_down_changes_nothing_for_the_sender(app, client, monkeypatch):
    from redis import Redis

    monkeypatch.setitem(app.extensions, "redis", Redis(port=closed_port(), socket_connect_timeout=0.2))
    assert knock(client, RAW, RIGHT) == 200
    assert len(rows()) == 1


# Bodies of every kind: signed is kept, and what cannot be used says why

UNUSABLE = {
    "empty": (b"", "empty"),
    "blank": (b" \n ", "empty"),
    "null": (b"null", "without triggerEvent"),
    "a list": (b"[]", "without triggerEvent"),
    "a string": (b'"x"', "without triggerEvent"),
    "a number": (b"7", "without triggerEvent"),
    "an empty object": (b"{}", "without triggerEvent"),
    "a trigger that is no text": (b'{"triggerEvent":7}', "without triggerEvent"),
    "NaN": (b'{"triggerEvent":NaN}', "without triggerEvent"),
    "half an object": (b'{"triggerEvent":', "not JSON"),
    "a form": (b"triggerEvent=BOOKING_CREATED&uid=x", "not JSON"),
    "a template of the owner's": (b"Priya booked a consultation", "custom payload template"),
    "gzip": (gzip.compress(RAW), "UTF-8"),
    "UTF-16": (RAW.decode().encode("utf-16"), "UTF-8"),
    "invalid UTF-8": (b'{"triggerEvent":"\xff"}', "UTF-8"),
    "NUL": (b"\x00\x00", "not JSON"),
    "10,000 deep": (b"[" * 10_000 + b"]" * 10_000, "too deep"),
    "100 deep": (b'{"triggerEvent":"PING","payload":' + b"[" * 100 + b"]" * 100 + b"}", "too deep"),
    "no payload": (b'{"triggerEvent":"BOOKING_CREATED"}', "without a payload"),
    "a payload that is a list": (b'{"triggerEvent":"BOOKING_CREATED","payload":[]}', "without a payload"),
    "no uid": (b'{"triggerEvent":"BOOKING_CREATED","payload":{}}', "uid is missing"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_cannot_be_used_is_kept_and_says_why(client, name):
    raw, reason = UNUSABLE[name]
    [row] = arrive(client, raw)
    assert (row.state, row.body, row.due_at, row.attempts) == (DeliveryState.INVALID, raw, None, 1)
    assert reason in row.reason


USABLE = {
    "a byte order mark": b"\xef\xbb\xbf" + RAW,
    "white space around it": b"\n " + RAW + b"\n",
    "NaN somewhere": RAW[:-1] + b',"odd":[NaN,Infinity,-Infinity,1e400]}',
    "an endless number": RAW[:-1] + b',"odd":' + b"9" * 5000 + b"}",
    "a lone surrogate": RAW[:-1] + rb',"odd":"\ud800"}',
    "an escaped NUL": RAW[:-1] + rb',"odd\u0000":"\u0000"}',
    "a key twice": RAW[:-1] + b',"createdAt":"2026-11-22T09:30:00.000Z"}',
}


@pytest.mark.parametrize("name", USABLE)
def test_what_is_only_odd_is_applied(client, name):
    [row] = arrive(client, USABLE[name])
    assert (row.state, row.reason) == (DeliveryState.APPLIED, None)


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "nonsense", ""],
)
def test_the_content_type_is_not_asked(client, content_type):
    answer = client.post(URL, data=RAW, headers={"X-Cal-Signature-256": RIGHT}, content_type=content_type)
    assert answer.status_code == 200
    assert [row.body for row in rows()] == [RAW]


@pytest.mark.parametrize(
    "trigger", ["BOOKING_TELEPORTED", "booking_created", "x" * 300, "é" * 90, "<script>"], ids=ascii
)
def test_a_trigger_that_nobody_knows_is_ignored(client, trigger):
    [row] = arrive(client, {"triggerEvent": trigger, "payload": {"uid": "abc"}})
    assert (row.state, row.booking_uid) == (DeliveryState.IGNORED, "abc")
    assert trigger.startswith(row.trigger)
    assert "does not know this trigger" in row.reason


def test_a_routing_form_has_its_payload_at_the_root(client):
    [row] = arrive(client, {"triggerEvent": "FORM_SUBMITTED", "payload": "x", "data": {"name": ["Priya"]}})
    assert row.state is DeliveryState.IGNORED


# The examples, with the signatures that came with them

SIGNATURES = json.loads((PAYLOADS / "_SIGNATURES.json").read_text())["files"]


def test_every_example_is_signed():
    assert set(SIGNATURES) == {path.name for path in Path(PAYLOADS).glob("*.json")} - {"_SIGNATURES.json"}


@pytest.mark.parametrize("file", sorted(SIGNATURES))
def test_every_example_is_taken_with_its_signature_and_understood(client, file):
    ServiceFactory(cal_event_type_id=4711)
    raw = as_sent(json.loads((PAYLOADS / file).read_text()))
    assert len(raw) == SIGNATURES[file]["compact_bytes"]
    assert knock(client, raw, SIGNATURES[file]["x-cal-signature-256"]) == 200
    jobs.drain()
    [row] = rows()
    told = ("booking_", "meeting_", "ping", "recording_", "after_", "instant_meeting_accepted")
    assert row.state is (DeliveryState.APPLIED if file.startswith(told) else DeliveryState.IGNORED), row.reason
    assert "does not know" not in (row.reason or "")


def test_all_examples_one_after_another_are_understood(client):
    ServiceFactory(cal_event_type_id=4711)
    for file in sorted(SIGNATURES):
        raw = as_sent(json.loads((PAYLOADS / file).read_text()))
        knock(client, raw, SIGNATURES[file]["x-cal-signature-256"])
    jobs.drain()
    assert {row.state for row in rows()} == {DeliveryState.APPLIED, DeliveryState.IGNORED}
    assert len(rows()) == len(SIGNATURES)


def test_a_megabyte_of_metadata_is_over_the_limit(client):
    body = delivery("CREATED", metadata={"a": "x" * 1_000_000})
    assert post(client, body).status_code == 413
    assert rows() == []
