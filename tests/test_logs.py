"""Logs: one line of JSON for each request and job in production, with ids, and never with what somebody typed."""

import io
import json
import signal
import sys

import pytest
import structlog

from hds.extensions import db
from hds.lib import jobs as bell
from hds.lib import logs, tokens
from hds.mail import jobs as mail
from hds.mail.models import Message
from hds.webhooks import jobs as webhooks
from tests.deliveries import SECRET, URL, as_sent, delivery, post, sign
from tests.factories import ServiceFactory

PERSONAL = ["priya", "natarajan", "acme", "lee@", "hunter2", "new_york", SECRET, "?"]


@pytest.fixture
def lines(app, monkeypatch):
    """What was logged in production's form, each line read as JSON."""
    stream = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        logs.configure(as_json=True)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logs.configure(as_json=False)


def fail(_message_id: int) -> None:
    """A job with a fault of ours, whose message holds what somebody typed."""
    raise ValueError("Priya Natarajan <priya@acme.example> ?token=hunter2")


@pytest.fixture
def work(app):
    """Runs a worker until the queues are empty, and gives the signals back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield lambda: bell.worker().work(burst=True, logging_level="WARNING")
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_a_request_is_one_line_with_an_id(lines, client):
    client.get("/faq?email=priya@acme.example", headers={"User-Agent": "Priya's browser"})
    [line] = lines()
    assert (line["event"], line["method"], line["path"], line["status"]) == ("request", "GET", "/faq", 200)
    assert len(line["id"]) == 16
    assert line["ms"] >= 0
    assert line["level"] == "info"
    assert line["timestamp"].endswith("Z")


def test_two_requests_have_two_ids(lines, client):
    client.get("/faq?q=first")  # a search is no page from memory, which writes no line
    client.get("/faq?q=second")
    assert len({line["id"] for line in lines()}) == 2


def test_a_path_that_nobody_has_is_cut_and_stays_on_its_line(lines, client):
    client.get("/" + "x" * 1000 + "%0A%7B%22event%22%3A%22forged%22%7D")
    [line] = lines()
    assert len(line["path"]) == 200


def test_a_signed_reference_in_a_path_is_not_logged(lines, client):
    client.get("/book-consultation/any/done/a-secret-token")
    [line] = lines()
    assert "a-secret-token" not in json.dumps(line)


def test_a_signed_reference_in_a_mistyped_path_is_not_logged(lines, client):
    token = tokens.sign("see a booking", [1, 2, 0])
    client.get(f"/bookings/{token}/move/")
    client.get(f"/bookings/{token}/confirm")
    assert [line["path"] for line in lines()] == ["/bookings/…/move/", "/bookings/…/confirm"]


def test_a_delivery_and_its_mails_are_told_by_their_ids_alone(lines, client, work):
    ServiceFactory(cal_event_type_id=4711)
    post(client, delivery("CREATED"))
    client.post(f"{URL}?token=hunter2", data=b"Priya", headers={"X-Cal-Signature-256": "wrong: priya"})
    webhooks.drain()
    db.session.rollback()
    work()
    told = lines()
    assert {"request", "delivery", "message", "job"} <= {line["event"] for line in told}
    assert [line["state"] for line in told if line["event"] == "message"] == ["sent", "sent"]
    assert all(isinstance(line["ids"], list) for line in told if line["event"] == "job")
    nothing_personal(told)


def test_faults_are_told_by_type_and_place_alone(lines, client, work, app, monkeypatch):
    """In a view, in a handler, in a template, in a job, and in what a library logs by itself."""
    from dataclasses import replace

    def raise_words(*_args: object, **_named: object) -> None:
        fail(1)

    ServiceFactory(cal_event_type_id=4711)
    monkeypatch.setitem(app.view_functions, "pages.faq", raise_words)
    assert client.get("/faq?token=hunter2").status_code == 500
    with monkeypatch.context() as patch:
        patch.setitem(app.extensions["senders"], "cal", replace(app.extensions["senders"]["cal"], apply=raise_words))
        post(client, delivery("CREATED"))
        webhooks.drain()
    post(client, delivery("CREATED", uid="another"))
    webhooks.drain()
    monkeypatch.setitem(app.extensions["mail_renderers"], "booking_confirmed", raise_words)
    for message_id in db.session.scalars(db.select(Message.id)).all():
        mail.deliver(message_id)
    db.session.rollback()
    bell.ring("default", "tests.test_logs.fail", 7)
    work()
    told = lines()
    assert {line["event"] for line in told} >= {"unexpected error", "delivery not applied", "message not rendered"}
    faults = [line for line in told if line.get("error") == "ValueError"]
    assert len(faults) >= 3
    assert all("test_logs.py" in line["at"] for line in faults if "at" in line)
    assert [line["ids"] for line in told if line["event"] == "job failed"] == [[7]]
    nothing_personal(told)


def test_a_job_that_failed_leaves_no_words_in_redis(app, work):
    bell.ring("default", "tests.test_logs.fail", 7)
    [job] = bell.queue("default").get_jobs()
    work()
    kept = job.latest_result().exc_string
    assert "JobFailed: ValueError" in kept
    assert "priya" not in kept.lower()
    assert "hunter2" not in kept


def nothing_personal(told: list[dict]) -> None:
    text = "\n".join(json.dumps(line, ensure_ascii=False) for line in told).lower()
    for word in PERSONAL:
        assert word.lower() not in text, next(line for line in text.splitlines() if word.lower() in line)
    assert sign(as_sent(delivery("CREATED"))) not in text


def test_what_libraries_log_has_the_same_form_and_no_traceback(lines):
    import logging

    try:
        fail(1)
    except ValueError:
        logging.getLogger("a.library").exception("it failed")
    [line] = lines()
    assert (line["event"], line["error"], line["logger"]) == ("it failed", "ValueError", "a.library")
    nothing_personal([line])


def test_development_is_readable(app, monkeypatch):
    stream = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        logs.configure(as_json=False)
        structlog.get_logger(part="x").info("hello", id=7)
    logs.configure(as_json=False)
    assert "hello" in stream.getvalue()
    assert "id=7" in stream.getvalue()
    assert "{" not in stream.getvalue()
