"""`flask doctor`: a line for each thing, what a missing one switches off, and an exit code for whoever deploys."""

import socket
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from hds import doctor
from hds.bookings.reconciliation import Reconciliation
from hds.config import ROOT, BookerKind, MailTransport, Settings
from hds.extensions import db
from hds.services.account import CalAccount, Finding, Outcome
from tests import granian
from tests.factories import ServiceFactory

SAFE = {
    "hds_env": "production",
    "secret_key": "k" * 32,
    "cal_webhook_secret": "w" * 32,
    "site_url": "https://hudson.example",
    "contact_email": "owner@hudson.example",
    "cal_access_token": "cal_live_x",
    "cal_link": "hudson",
    "sandbox": None,
    "mail_transport": MailTransport.SMTP,
    "smtp_url": "smtps://site:hunter2@mail.hudson.example",
    "owner_address": "1 River Street, Hudson",
    "hds_allow_sqlite": True,
}


@pytest.fixture
def ask(app, monkeypatch, stores, tmp_path):
    """Has the doctor look at settings, as somebody stated them: its exit code and its words."""

    def asked(**stated):
        values = {"hds_data": tmp_path, **stores, **stated}
        settings = Settings(_env_file=None, **values)
        monkeypatch.setitem(app.config, "HDS", settings.completed())
        lines: list[str] = []
        return doctor.report(settings, lines.append), "\n".join(lines)

    return asked


def test_safe_settings_and_working_parts_are_told_so(ask):
    code, words = ask(**SAFE)
    assert code == 0
    assert "Nothing stands against production." in words
    assert "BROKEN" not in words
    assert "UNSAFE" not in words


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"secret_key": ""}, "UNSAFE   SECRET_KEY is not set"),
        ({"secret_key": "k" * 31}, "UNSAFE   SECRET_KEY is shorter than 32 characters"),
        ({"contact_email": "hello@hudson.example"}, "UNSAFE   CONTACT_EMAIL is not set"),
        ({"cal_webhook_secret": ""}, "UNSAFE   CAL_WEBHOOK_SECRET is not set"),
        ({"site_url": "http://hudson.example"}, "UNSAFE   SITE_URL is not set to an https:// address"),
        ({"sandbox": True}, "UNSAFE   SANDBOX is on"),
        ({"mail_transport": MailTransport.MAILBOX}, "UNSAFE   MAIL_TRANSPORT is the local mailbox"),
        ({"database_url": "", "hds_allow_sqlite": False}, "UNSAFE   DATABASE_URL is not set"),
        ({"smtp_url": ""}, "UNSAFE   SMTP_URL is not set: no mail would leave"),
    ],
    ids=str,
)
@pytest.mark.parametrize("env", ["production", "development"])
def test_each_fault_is_named_and_the_exit_code_is_one(ask, changed, said, env):
    code, words = ask(**SAFE | changed | {"hds_env": env})
    assert code == 1
    assert said in words
    assert "BROKEN" not in words


def test_development_is_told_that_production_would_refuse(ask):
    code, words = ask()
    assert code == 1
    assert "HDS_ENV is development." in words
    assert "With these settings production would refuse to start." in words


@pytest.mark.parametrize(
    ("name", "value", "with_it", "without"),
    [
        ("cal_access_token", "x", "set      CAL_ACCESS_TOKEN.", "missing  CAL_ACCESS_TOKEN: no look-up"),
        (
            "cal_link",
            "hudson",
            "set      CAL_LINK.",
            "missing  CAL_LINK: no link to Cal.com's own page where there is no key either: paid types",
        ),
        ("secret_key", "x" * 32, "set      SECRET_KEY.", "made up  SECRET_KEY"),
        ("cal_webhook_secret", "x", "set      CAL_WEBHOOK_SECRET.", "made up  CAL_WEBHOOK_SECRET"),
        (
            "cal_webhook_secret_previous",
            "x",
            "set      CAL_WEBHOOK_SECRET_PREVIOUS",
            "not set  CAL_WEBHOOK_SECRET_PREV",
        ),
        ("cal_free_consultation_event_id", 7, "set      CAL_FREE_CONSULTATION_EVENT_ID.", "missing  CAL_FREE_CONSULT"),
        ("cal_deep_dive_event_id", 7, "set      CAL_DEEP_DIVE_EVENT_ID.", "missing  CAL_DEEP_DIVE_EVENT_ID"),
        (
            "cal_oauth_client_id",
            "x",
            "set      CAL_OAUTH_CLIENT_ID: once required",
            "not set  CAL_OAUTH_CLIENT_ID: once",
        ),
        ("cal_organization_id", "x", "set      CAL_ORGANIZATION_ID", "not set  CAL_ORGANIZATION_ID"),
        ("resend_api_key", "x", "set      RESEND_API_KEY", "not set  RESEND_API_KEY"),
        ("owner_address", "x", "set      OWNER_ADDRESS.", "missing  OWNER_ADDRESS: no postal address"),
    ],
)
def test_each_setting_has_a_line_with_what_its_lack_switches_off(ask, name, value, with_it, without):
    other = {"sandbox": False}
    assert with_it in ask(**other, **{name: value})[1]
    assert without in ask(**other)[1]


def test_it_says_when_the_bookings_were_last_compared(ask):
    assert "were compared with ours" not in ask(**SAFE | {"cal_access_token": ""})[1]
    assert "were compared with ours: not yet." in ask(**SAFE)[1]
    Reconciliation.prepare()
    moment = datetime(2026, 11, 22, 17, tzinfo=UTC)
    db.session.execute(db.update(Reconciliation).values(succeeded_at=moment, trouble="Cal.com refused."))
    db.session.commit()
    assert "were compared with ours: last at 2026-11-22T17:00:00Z. Cal.com refused." in ask(**SAFE)[1]


def test_it_says_that_cal_com_mails_too_and_which_of_both_must_stay(ask):
    words = ask()[1]
    assert "Cal.com mails its own confirmations too" in words
    assert "Keep Cal.com's" in words
    assert "MAIL_OFF=booking_confirmed,booking_requested" in words


def test_it_says_which_mails_are_switched_off(ask):
    assert "these mails are not written: booking_confirmed." in ask(mail_off="booking_confirmed")[1]
    assert "set      MAIL_OFF" not in ask()[1]


def test_it_says_that_the_sandbox_is_on(ask):
    assert "stand-in, because neither CAL_ACCESS_TOKEN nor CAL_LINK is set." in ask()[1]
    assert "stand-in, because SANDBOX says so." in ask(sandbox=True, cal_link="hudson")[1]
    assert "sandbox  On" not in ask(cal_link="hudson")[1]


def test_it_says_where_the_frame_comes_from(ask):
    ServiceFactory(slug="intro", cal_event_type_id=None, cal_event_slug="intro-call")
    words = ask(sandbox=False, cal_link="hudson")[1]
    assert "embed    Cal.com's frame comes from https://app.cal.com: intro." in words
    assert "from https://app.cal.eu: intro." in ask(sandbox=False, cal_link="hudson", cal_region="eu")[1]
    assert "from http://127.0.0.1:" in ask(sandbox=True)[1]
    assert "embed    No frame for intro: it needs CAL_LINK" in ask(sandbox=False)[1]
    assert "embed    No frame for intro" in ask(sandbox=False, cal_access_token="x")[1]


def test_without_a_name_the_event_type_says_where_its_frame_is(ask):
    ServiceFactory(slug="intro", cal_event_type_id=7, cal_event_slug="intro-call")
    words = ask(sandbox=False, cal_access_token="x")[1]
    assert "embed    CAL_LINK is not set, so the frame comes from where the event type says: intro." in words
    assert "No frame" not in words


def test_it_says_that_no_service_is_framed(ask):
    service = ServiceFactory(slug="intro", booker=BookerKind.LINK)
    assert "embed    Off: no service" in ask(cal_link="hudson")[1]
    service.booker = None
    db.session.commit()
    assert "embed    Off: no service" in ask(cal_link="hudson", booker=BookerKind.NATIVE)[1]


def test_it_says_how_the_account_was_last_found(ask):
    assert "connect  Not connected yet: `flask cal connect`" in ask()[1]
    account = CalAccount.known()
    account.checked([Finding(Outcome.RIGHT, "All is well."), Finding(Outcome.WRONG, "The webhook is off.")])
    account.saw_nothing("Cal.com is silent.")
    db.session.commit()
    words = ask()[1]
    assert "connect  The webhook is off. (20" in words
    assert "connect  Cal.com is silent." in words
    assert "All is well" not in words
    assert "Not connected yet" not in words


def test_it_says_what_differs_from_cal_com(ask):
    ServiceFactory(name="Dive", price_amount=15000, price_currency="USD", told={"price": [20000, "USD"]})
    code, words = ask(**SAFE)
    assert "drift    Dive: price is $150 here (yours), and $200 at Cal.com; the pages say $200." in words
    assert code == 0


def test_a_database_that_does_not_answer_is_broken(ask, monkeypatch):
    from sqlalchemy import create_engine

    db.session.rollback()
    monkeypatch.setattr(db.session(), "get_bind", lambda *_a, **_k: create_engine("sqlite:////nowhere/at/all.sqlite3"))
    code, words = ask(**SAFE)
    assert code == 1
    assert "BROKEN   The database does not answer (OperationalError): check DATABASE_URL." in words


def test_a_queue_that_does_not_answer_is_broken(app, ask, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{probe.getsockname()[1]}/0"
    monkeypatch.delitem(app.extensions, "redis", raising=False)
    code, words = ask(**SAFE | {"redis_url": url})
    app.extensions.pop("redis").close()
    assert code == 1
    assert "BROKEN   The queue does not answer (ConnectionError)" in words


def test_no_secret_is_printed(ask):
    _, words = ask(**SAFE | {"cal_webhook_secret_previous": "hunter2", "resend_api_key": "hunter2"})
    for secret in ("hunter2", "k" * 32, "w" * 32, "cal_live_x"):
        assert secret not in words


# From the shell


def doctor_in_a_process(app, **stated: object) -> subprocess.CompletedProcess[str]:
    db.session.rollback()
    return subprocess.run(
        [sys.executable, "-m", "flask", "doctor"],
        cwd=ROOT,
        env=granian.environment(app.config["HDS"], **stated),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_it_speaks_where_production_would_not_start(app):
    run = doctor_in_a_process(app, HDS_ENV="production", SECRET_KEY="", MAIL_TRANSPORT="mailbox")
    assert run.returncode == 1
    assert "UNSAFE   SECRET_KEY is not set" in run.stdout
    assert "Traceback" not in run.stderr


def test_its_exit_code_reaches_the_shell(app):
    safe = {name.upper(): value for name, value in SAFE.items() if value is not None}
    run = doctor_in_a_process(app, **safe | {"HDS_ALLOW_SQLITE": "1"})
    assert (run.returncode, "Nothing stands against production." in run.stdout) == (0, True), run.stderr


def test_a_wrong_setting_is_a_sentence_and_no_traceback(app):
    run = doctor_in_a_process(app, PORT="many")
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("PORT should be a valid integer")
    assert "Traceback" not in run.stderr
