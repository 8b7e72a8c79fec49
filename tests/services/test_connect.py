"""Connecting the account: each thing that can be wrong is said in a sentence, what can be mended is, once."""

import json
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from hds.bookings.models import Booking
from hds.calcom.account import Account
from hds.calcom.client import CalClient
from hds.calcom.subscription import HOSTED_ALONE, TRIGGERS
from hds.config import ROOT, MailTransport
from hds.extensions import db
from hds.lib.times import utcnow
from hds.mail.models import Message
from hds.mail.transports import mailbox_folder
from hds.sandbox.api import webhooks as sandbox_webhooks
from hds.services import connect as connecting
from hds.services.account import CalAccount, Outcome
from hds.services.connect import connect
from hds.services.models import Service
from hds.webhooks.models import InboxDelivery
from tests import granian
from tests.conftest import SECRET
from tests.deliveries import arrive, delivery
from tests.factories import ServiceFactory

OURS = ("hds-reference", "hds-visit")
WEBHOOK = "/api/webhooks/cal"


def said(client: CalClient, **how: Any) -> list[tuple[Outcome, str]]:
    return [(finding.outcome, finding.words) for finding in connect(client, carried=OURS, **how)]


def words(found: list[tuple[Outcome, str]], outcome: Outcome) -> list[str]:
    return [sentence for each, sentence in found if each is outcome]


def dead_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def site(app, served, state):
    """The site knows the address under which it really answers."""
    state(site_url=served)
    return served


@pytest.fixture
def services(app):
    ServiceFactory(slug="strategy-consultation", name="Strategy", cal_event_slug="strategy-consultation")
    ServiceFactory(slug="deep-dive", name="Deep Dive", cal_event_slug="deep-dive")


# The whole


def test_an_account_is_connected_and_a_second_run_changes_nothing(site, services, cal, at):
    client = at(cal.url)
    first = said(client)
    assert words(first, Outcome.WRONG) == []
    assert len(words(first, Outcome.MENDED)) == 3  # two event types and the webhook
    [webhook] = cal.webhooks
    assert (webhook.url, webhook.secret, webhook.template) == (f"{site}{WEBHOOK}", SECRET, None)
    assert (set(webhook.triggers), webhook.version) == (set(TRIGGERS), "2026-07-27")
    assert (webhook.time, webhook.time_unit) == (5, "MINUTE")
    ids = {service.slug: service.cal_event_type_id for service in Service.catalogue()}
    assert ids == {"strategy-consultation": 1001, "deep-dive": 1002}
    second = said(client)
    assert words(second, Outcome.MENDED) == words(second, Outcome.WRONG) == []
    assert cal.webhooks == [webhook]
    assert {service.slug: service.cal_event_type_id for service in Service.catalogue()} == ids


def test_what_was_found_is_kept_for_the_staff(site, services, cal, at):
    found = said(at(cal.url))
    account = CalAccount.known()
    assert [(finding.outcome, finding.words) for finding in account.found] == found
    assert account.is_connected
    assert [kind["slug"] for kind in account.event_types] == ["strategy-consultation", "deep-dive", "intro-call"]


def test_the_stand_in_is_called_one_and_how_to_get_a_key_is_said(site, services, cal, at):
    notes = words(said(at(cal.url, sandbox=True)), Outcome.NOTE)
    assert notes[0].startswith("This is the local stand-in, not Cal.com. For your own account make a key at Cal.com")
    assert "Send a PING at http://127.0.0.1:5001/host" in notes[-1]


def test_looking_changes_and_sends_nothing(site, services, cal, at):
    found = said(at(cal.url), mends=False)
    wrong = words(found, Outcome.WRONG)
    assert [sentence for sentence in wrong if "No webhook posts to" in sentence]
    assert [sentence for sentence in wrong if "Deep Dive has no event type" in sentence]
    assert cal.webhooks == []
    assert not [service for service in Service.catalogue() if service.cal_event_type_id]
    assert not db.session.scalars(db.select(InboxDelivery)).all()
    assert not db.session.scalars(db.select(Message)).all()
    assert not CalAccount.known().is_connected


def test_no_secret_key_or_strangers_path_is_said(site, services, cal, at):
    cal.desk.subscriptions.add("https://hooks.example/catch/very-secret", ["BOOKING_CREATED"])
    told = str(said(at(cal.url)))
    assert "hooks.example" in told
    for secret in (SECRET, "cal_sandbox", "very-secret"):
        assert secret not in told


# The key


def test_without_a_key_it_says_how_to_get_one_and_asks_nothing(site, at, httpserver: HTTPServer):
    found = said(at(httpserver.url_for("").rstrip("/"), cal_access_token=SecretStr("")))
    [wrong] = words(found, Outcome.WRONG)
    assert wrong.startswith("CAL_ACCESS_TOKEN is not set: make a key at Cal.com under Settings → Developer → API keys")
    assert not httpserver.log


def test_a_wrong_key_is_said(site, services, cal, at):
    [wrong] = words(said(at(cal.url, cal_access_token=SecretStr("cal_wrong"))), Outcome.WRONG)
    assert "does not know the key in CAL_ACCESS_TOKEN: it is mistyped, expired or deleted" in wrong


@pytest.mark.parametrize(("region", "other"), [("com", "CAL_REGION=eu"), ("eu", "CAL_REGION=com")])
def test_a_key_of_the_other_region_is_thought_of(region, other):
    from hds.calcom.errors import NotAllowed
    from hds.calcom.troubles import trouble

    account = Account(api_url=f"https://api.cal.{region}/v2", api_key="cal_x")
    assert other in trouble(NotAllowed("not accepted", status=401), account)


def test_nobody_at_the_address_is_said(site, at):
    [wrong] = words(said(at(f"http://127.0.0.1:{dead_port()}")), Outcome.WRONG)
    assert "gave no usable answer: no connection" in wrong


def test_a_cal_com_that_hangs_is_said(site, at):
    with socket.create_server(("127.0.0.1", 0), backlog=8) as silent:
        found = said(at(f"http://127.0.0.1:{silent.getsockname()[1]}", seconds=0.2))
    [wrong] = words(found, Outcome.WRONG)
    assert "gave no usable answer: timed out" in wrong


def test_another_api_than_cal_coms_is_said(site, at, httpserver: HTTPServer):
    httpserver.expect_request("/v2/me").respond_with_json({"message": "Cannot GET /v2/me"}, 404)
    [wrong] = words(said(at(httpserver.url_for("").rstrip("/"))), Outcome.WRONG)
    assert "check CAL_API_URL" in wrong


def test_too_many_calls_are_said(site, at, httpserver: HTTPServer):
    httpserver.expect_request("/v2/me").respond_with_json({}, 429, headers={"Retry-After": "40"})
    [wrong] = words(said(at(httpserver.url_for("").rstrip("/"))), Outcome.WRONG)
    assert "try again in 40 seconds" in wrong


@pytest.mark.parametrize(
    ("link", "note"), [("", "set it to hudson"), ("else", "right only where else is a team"), ("team/else", None)]
)
def test_a_name_that_is_not_the_keys_owners_is_noted(site, services, cal, at, link, note):
    notes = words(said(at(cal.url, cal_link=link)), Outcome.NOTE)
    about = [sentence for sentence in notes if sentence.startswith("CAL_LINK")]
    assert [note in sentence for sentence in about] == ([True] if note else [])


# Event types


def test_settings_name_event_types(site, services, cal, at, state):
    found = said(at(cal.url, cal_deep_dive_event_id=1003))
    assert "Deep Dive is booked by “Intro Call” (1003)." in words(found, Outcome.RIGHT)
    found = said(at(cal.url, cal_deep_dive_event_id=77))
    [wrong] = words(found, Outcome.WRONG)
    assert wrong.startswith("CAL_DEEP_DIVE_EVENT_ID is 77, and the account has no such event type; it has: strategy-")


def test_a_number_of_another_account_gives_way_to_the_slug(site, services, cal, at):
    Service.find("deep-dive").cal_event_type_id = 4711
    db.session.commit()
    mended = words(said(at(cal.url)), Outcome.MENDED)
    assert [sentence for sentence in mended if sentence.startswith("Deep Dive is booked by “Deep Dive Technical")]
    assert Service.find("deep-dive").cal_event_type_id == 1002


def test_what_was_chosen_stays_whatever_its_slug(site, services, cal, at):
    Service.find("deep-dive").cal_event_type_id = 1003
    db.session.commit()
    said(at(cal.url))
    assert Service.find("deep-dive").cal_event_type_id == 1003


def test_a_service_without_event_type_is_wrong_and_says_what_to_do(site, cal, at):
    ServiceFactory(slug="audit", name="Audit")
    [wrong] = words(said(at(cal.url)), Outcome.WRONG)
    assert wrong.startswith("Audit has no event type: make one at Cal.com with the slug audit, or choose one")


def test_an_event_type_of_no_service_is_noted(site, services, cal, at):
    notes = words(said(at(cal.url)), Outcome.NOTE)
    assert [sentence for sentence in notes if "“Intro Call” (intro-call, 1003) belongs to no service" in sentence]


def test_hidden_questions_that_are_missing_are_noted(site, services, cal, at):
    found = [(each.outcome, each.words) for each in connect(at(cal.url), carried=("hds-reference", "hds-more"))]
    notes = [sentence for sentence in words(found, Outcome.NOTE) if "hidden text question" in sentence]
    assert len(notes) == 2
    assert all("hidden text question hds-more:" in sentence for sentence in notes)


# The webhook


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        ({"is_active": False}, "it was switched off"),
        ({"template": '{"a": 1}'}, "it had a payload template"),
        ({"triggers": ["BOOKING_CREATED"]}, "it left out BOOKING_REQUESTED and 22 other triggers"),
        ({"secret": None}, "its secret was not this site's"),
        ({"secret": "another"}, "its secret was not this site's"),
        ({"version": "2021-10-20"}, "it spoke the version 2021-10-20"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_that_was_changed_is_put_right_once(site, services, cal, at, spoilt, why):
    client = at(cal.url)
    said(client)
    [right] = cal.webhooks
    cal.desk.subscriptions.change(right.id, spoilt)
    assert [why in sentence for sentence in words(said(client), Outcome.MENDED)] == [True]
    [mended] = cal.webhooks
    assert (mended.id, set(mended.triggers)) == (right.id, set(right.triggers))
    assert (mended.is_active, mended.secret, mended.template, mended.version) == (True, SECRET, None, "2026-07-27")
    assert words(said(client), Outcome.MENDED) == []


def test_the_stand_ins_first_webhook_is_right_from_the_start(site, services, cal, at):
    cal.desk.subscriptions.seed(f"{site}{WEBHOOK}", SECRET)
    found = said(at(cal.url), mends=False)
    assert f"The webhook posts everything to {site}{WEBHOOK}, signed with CAL_WEBHOOK_SECRET." in words(
        found, Outcome.RIGHT
    )


def test_looking_says_what_connecting_would_mend(site, services, cal, at):
    client = at(cal.url)
    said(client)
    cal.desk.subscriptions.change(cal.webhooks[0].id, {"is_active": False})
    [wrong] = words(said(client, mends=False), Outcome.WRONG)
    assert "is not right: it was switched off." in wrong
    assert not cal.webhooks[0].is_active


def test_somebody_who_connects_at_the_same_time_is_met_kindly(site, services, cal, at, monkeypatch):
    client = at(cal.url)
    create = client.create_webhook

    def a_moment_later(body: dict[str, Any]) -> Any:
        cal.desk.subscriptions.add(body["subscriberUrl"], ["BOOKING_CREATED"], secret="another")
        return create(body)

    monkeypatch.setattr(client, "create_webhook", a_moment_later)
    assert words(said(client), Outcome.WRONG) == []
    [webhook] = cal.webhooks
    assert (webhook.secret, set(webhook.triggers)) == (SECRET, set(TRIGGERS))


def test_others_webhooks_are_left_alone_and_said(site, services, cal, at):
    add = cal.desk.subscriptions.add
    foreign = add("https://hooks.example/x", ["BOOKING_CREATED"], secret="theirs")
    former = add("https://old.example/api/webhooks/cal", ["BOOKING_PAID"], secret="old")
    again = add(f"{site}{WEBHOOK}/", ["BOOKING_PAID"])
    cal.desk.subscriptions.add(f"{site}{WEBHOOK}", list(TRIGGERS), secret=SECRET)
    notes = words(said(at(cal.url)), Outcome.NOTE)
    assert [sentence for sentence in notes if "One more webhook posts elsewhere (hooks.example)" in sentence]
    assert [sentence for sentence in notes if "a site like this one at old.example" in sentence]
    assert [sentence for sentence in notes if "A second webhook posts here too, which does no harm" in sentence]
    kept = {webhook.id: webhook for webhook in cal.webhooks}
    assert (kept[foreign.id], kept[former.id]) == (foreign, former)
    assert len(kept) == 4
    assert again.id in kept


def test_an_older_cal_com_is_asked_for_what_it_knows(site, services, cal, at, monkeypatch):
    older = tuple(name for name in TRIGGERS if name not in HOSTED_ALONE)
    monkeypatch.setattr(sandbox_webhooks, "TRIGGERS", older)
    client = at(cal.url)
    found = said(client)
    assert words(found, Outcome.WRONG) == []
    assert [sentence for sentence in words(found, Outcome.NOTE) if "does not know 6 of the triggers" in sentence]
    [webhook] = cal.webhooks
    assert (set(webhook.triggers), webhook.version) == (set(older), "2021-10-20")
    assert words(said(client), Outcome.MENDED) == []
    assert cal.webhooks == [webhook]


def test_an_address_that_cal_com_refuses_is_said_in_its_words(site, services, cal, at, monkeypatch):
    from dataclasses import replace

    monkeypatch.setattr(cal.desk, "settings", replace(cal.desk.settings, is_hosted=True))
    wrong = words(said(at(cal.url)), Outcome.WRONG)
    assert [sentence for sentence in wrong if "Webhook URL is not allowed: Only HTTPS" in sentence]


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://site.example", "it is not https"),
        ("https://localhost", "it is no public address"),
        ("https://192.168.1.5:8443", "it is no public address"),
        ("https://[::1]", "it is no public address"),
        ("https://site.local", "it is no public address"),
        ("https://site.example", ""),
        ("https://93.184.215.14", ""),
    ],
)
def test_an_address_that_hosted_cal_com_cannot_reach_is_said_before_it_is_asked(app, state, url, fault):
    state(site_url=url)
    client = CalClient(Account(api_url="https://api.cal.com/v2", api_key="cal_x"))
    wrong = [each.words for each in connecting._settings(client) if each.outcome is Outcome.WRONG]
    assert [fault in sentence for sentence in wrong] == ([True] if fault else [])
    assert list(connecting._webhook(client, mends=True)) == [] or not fault


# A delivery, a mail


def test_the_delivery_is_real_and_no_booking(site, services, cal, at):
    found = said(at(cal.url))
    assert [
        sentence for sentence in words(found, Outcome.RIGHT) if "A signed test delivery of our own arrived" in sentence
    ]
    [row] = db.session.scalars(db.select(InboxDelivery)).all()
    body = json.loads(row.body)
    assert (body["triggerEvent"], "uid" in body["payload"]) == ("PING", False)
    from hds.webhooks import jobs

    db.session.rollback()
    jobs.drain()
    assert db.session.scalars(db.select(Booking)).all() == []
    assert db.session.get_one(InboxDelivery, row.id).trigger == "PING"


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (301, "it sends elsewhere, and Cal.com does not follow"),
        (401, "the running site has another CAL_WEBHOOK_SECRET"),
        (404, "what runs there is not this site"),
        (403, "something in front of the site refuses it"),
    ],
)
def test_an_address_that_takes_no_delivery_is_said(app, state, cal, at, httpserver: HTTPServer, status, sentence):
    httpserver.expect_request(WEBHOOK, method="POST").respond_with_data("", status, headers={"Location": "/else"})
    state(site_url=httpserver.url_for("").rstrip("/"))
    [wrong] = words(said(at(cal.url)), Outcome.WRONG)
    assert f"was answered with {status}: {sentence}" in wrong


def test_a_site_with_another_secret_is_found_out(site, cal, at):
    [wrong] = words(said(at(cal.url, cal_webhook_secret=SecretStr("another"))), Outcome.WRONG)
    assert "answered with 401: the running site has another CAL_WEBHOOK_SECRET" in wrong


def test_another_site_at_the_address_is_found_out(app, state, cal, at, httpserver: HTTPServer):
    httpserver.expect_request(WEBHOOK, method="POST").respond_with_data("fine", 200)
    state(site_url=httpserver.url_for("").rstrip("/"))
    [wrong] = words(said(at(cal.url)), Outcome.WRONG)
    assert "another site answers at SITE_URL" in wrong


def test_a_site_that_does_not_run_is_said(app, state, cal, at):
    state(site_url=f"http://127.0.0.1:{dead_port()}")
    [wrong] = words(said(at(cal.url)), Outcome.WRONG)
    assert "Nobody took a test delivery" in wrong
    assert "(no connection)" in wrong


def test_a_mail_goes_through_the_transport_to_the_owner(site, services, cal, at):
    found = said(at(cal.url))
    assert [sentence for sentence in words(found, Outcome.RIGHT) if "lies in the local mailbox" in sentence]
    [message] = db.session.scalars(db.select(Message)).all()
    assert (message.kind, message.recipient, message.booking_id) == ("connection_test", "owner@hudson.example", None)
    assert len(list(mailbox_folder().glob("*.eml"))) == 1


def test_a_mail_server_that_is_away_is_said(site, services, cal, at):
    away = {"mail_transport": MailTransport.SMTP, "smtp_url": SecretStr(f"smtp://127.0.0.1:{dead_port()}")}
    [wrong] = words(said(at(cal.url, **away)), Outcome.WRONG)
    assert wrong.startswith("A test mail to you did not leave: The mail server could not be reached")


# Whether Cal.com gets through


def test_our_own_delivery_proves_nothing_about_cal_com(site, services, cal, at):
    client = at(cal.url)
    said(client)
    notes = words(said(client), Outcome.NOTE)
    assert [sentence for sentence in notes if sentence.startswith("No delivery of Cal.com's has come yet")]


def test_the_last_real_delivery_is_told_with_its_time(site, services, cal, at, client):
    arrive(client, delivery("CREATED"))
    [row] = db.session.scalars(db.select(InboxDelivery)).all()
    row.last_seen_at = datetime(2026, 11, 20, 15, tzinfo=UTC)
    db.session.commit()
    right = words(said(at(cal.url)), Outcome.RIGHT)
    assert right[-1] == (
        "Cal.com gets through: its last delivery (BOOKING_CREATED) came Friday 20 November, 10:00 (New York)."
    )


def test_the_stand_ins_webhook_really_reaches_the_site(site, services, cal, at):
    """The whole way: connected over its API, it posts, and the site believes it."""
    said(at(cal.url))
    cal.desk.outbox.start()
    cal.desk.ping()
    until = utcnow() + timedelta(seconds=10)
    while utcnow() < until and cal.desk.store.one("SELECT state FROM delivery")["state"] == "waiting":
        time.sleep(0.02)
    assert cal.desk.store.one("SELECT state FROM delivery")["state"] == "delivered"
    found = words(said(at(cal.url)), Outcome.RIGHT)
    assert found[-1].startswith("Cal.com gets through: its last delivery")


# Two webhooks for one event


@pytest.mark.parametrize("name", ["CREATED", "REQUESTED"])
def test_two_accounts_overlapping_webhooks_make_one_booking_and_one_mail(app, client, name):
    ServiceFactory(slug="intro", cal_event_type_id=4711)
    now = utcnow()
    copies = [delivery(name, stated_at=now + timedelta(milliseconds=number * 7)) for number in range(2)]
    rows = arrive(client, *copies)
    assert [row.state for row in rows] == ["applied", "applied"]
    assert len(db.session.scalars(db.select(Booking)).unique().all()) == 1
    messages = db.session.scalars(db.select(Message)).all()
    assert len({(message.kind, message.recipient) for message in messages}) == len(messages) == 2


# From the shell


def run(app, cal, *command: str, **stated: object) -> "subprocess.CompletedProcess[str]":
    db.session.rollback()
    account = {"SANDBOX": "0", "CAL_ACCESS_TOKEN": "cal_sandbox", "CAL_LINK": "hudson", "CAL_BASE_URL": cal.url}
    stated = account | {"CAL_API_URL": cal.url, "SITE_URL": app.config["HDS"].site_url} | stated
    return subprocess.run(
        [sys.executable, "-m", "flask", "cal", *command],
        cwd=ROOT,
        env=granian.environment(app.config["HDS"], **stated),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_says_a_line_for_each_and_ends_with_one_where_something_is_wrong(app, site, services, cal):
    done = run(app, cal, "connect")
    assert (done.returncode, "WRONG" in done.stdout) == (0, False), done.stdout + done.stderr
    assert "mended   A webhook posts to" in done.stdout
    again = run(app, cal, "connect", "--check")
    assert (again.returncode, "mended" in again.stdout) == (0, False), again.stdout
    assert "ok       The webhook posts everything to" in again.stdout
    cal.desk.subscriptions.change(cal.webhooks[0].id, {"is_active": False})
    off = run(app, cal, "connect", "--check")
    assert (off.returncode, "`flask cal connect`, or the button at /admin/cal, mends it." in off.stdout) == (1, True)
    wrong = run(app, cal, "connect", CAL_ACCESS_TOKEN="cal_wrong")
    assert wrong.returncode == 1
    assert "WRONG" in wrong.stdout
    for output in (done, again, wrong):
        assert "Traceback" not in output.stderr
        assert SECRET not in output.stdout + output.stderr
