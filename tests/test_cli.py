"""The commands, as the shell sees them: their JSON, their exit codes, and what a second time does."""

import json
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest
from sqlalchemy import event

from hds.accounts.models import SignInAttempt, Staff
from hds.bookings.chain import FactKind, Person
from hds.bookings.models import Booking
from hds.config import ROOT
from hds.extensions import db
from hds.lib.times import iso_utc, utcnow
from hds.services.models import FaqEntry, Service
from tests import granian
from tests.conftest import empty
from tests.deliveries import arrive, delivery
from tests.factories import ServiceFactory, fact, make_booking

BOOKING_KEYS = [
    "uid",
    "previous_uids",
    "status",
    "service",
    "start_at",
    "end_at",
    "time_zone",
    "attendee",
    "guests",
    "meeting_url",
    "answers",
    "price",
    "payment",
    "timeline",
    "messages",
]
PASSWORD = "a long enough password"


@pytest.fixture
def flask(app):
    """Runs a command in this process."""
    runner = app.test_cli_runner()
    db.session.rollback()

    def run(*words: str, code: int = 0) -> str:
        db.session.rollback()
        result = runner.invoke(args=list(words))
        assert result.exit_code == code, result.output
        db.session.rollback()
        return result.output

    return run


@pytest.fixture
def shell(app):
    """Runs a command in a process of its own, as people do: its exit code, output and error output."""

    def run(*words: str, **stated: object) -> "subprocess.CompletedProcess[str]":
        db.session.rollback()
        return subprocess.run(
            [sys.executable, "-m", "flask", *words],
            cwd=ROOT,
            env=granian.environment(app.config["HDS"], **stated),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


# bookings


def test_bookings_leave_as_json_with_the_promised_keys(flask, client):
    ServiceFactory(slug="intro", cal_event_type_id=4711)
    arrive(client, delivery("CREATED"), delivery("RESCHEDULED"))
    [booking] = json.loads(flask("bookings", "--json"))
    assert list(booking) == BOOKING_KEYS
    assert (booking["status"], booking["service"]) == ("confirmed", "intro")
    assert len(booking["previous_uids"]) == 1
    assert set(booking["attendee"]) == {"name", "email"}
    assert [set(event) for event in booking["timeline"]] == [{"at", "kind"}] * 2
    assert [set(message) for message in booking["messages"]] == [{"kind", "to", "state"}] * 2
    assert booking["start_at"].endswith("Z")


def test_prices_are_minor_units_with_their_currency_or_null(flask):
    make_booking("free")
    make_booking("paid", price=15000, currency="EUR")
    prices = {booking["uid"]: booking["price"] for booking in json.loads(flask("bookings", "--json"))}
    assert prices == {"free": None, "paid": {"amount": 15000, "currency": "EUR"}}


def test_no_bookings_are_an_empty_list(flask):
    assert json.loads(flask("bookings", "--json")) == []
    assert json.loads(flask("deliveries", "--json")) == []


def test_since_leaves_out_what_did_not_change_since(flask):
    old, new = make_booking("old"), make_booking("new")
    old.changed_at, new.changed_at = utcnow() - timedelta(days=2), utcnow() - timedelta(hours=1)
    db.session.commit()

    def uids(since: str) -> list[str]:
        return [booking["uid"] for booking in json.loads(flask("bookings", "--json", "--since", since))]

    yesterday = utcnow() - timedelta(days=1)
    assert uids(iso_utc(yesterday)) == ["new"]
    assert uids(f"{yesterday:%Y-%m-%d}") == ["new"]
    assert uids("2020-01-01T02:00:00+02:00") == ["old", "new"]
    assert uids(iso_utc(utcnow())) == []


def test_what_happens_to_a_booking_brings_it_back_under_since(flask):
    old = make_booking("old")
    old.changed_at = utcnow() - timedelta(days=2)
    db.session.commit()
    before = iso_utc(utcnow() - timedelta(seconds=1))
    Booking.record(fact("old", FactKind.CANCELLED))
    db.session.commit()
    [booking] = json.loads(flask("bookings", "--json", "--since", before))
    assert booking["status"] == "cancelled"


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", "2026-12-03T10:00:00", ""])
def test_a_moment_that_is_none_is_refused_with_an_example(flask, since):
    assert "2026-12-03" in flask("bookings", "--json", "--since", since, code=2)


@pytest.fixture
def queries(app):
    """What the database is asked, while a command runs."""
    asked: list[str] = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield asked
    event.remove(db.engine, "before_cursor_execute", note)


def test_many_bookings_need_no_more_queries_than_one(flask, queries):
    def asked(count: int) -> int:
        queries.clear()
        assert len(json.loads(flask("bookings", "--json"))) == count
        return len(queries)

    make_booking("first")
    alone = asked(1)
    for number in range(6):
        person = Person(email=f"person{number}@acme.example", name="Somebody")
        make_booking(f"uid-{number}", attendees=[person], guests=[f"guest{number}@acme.example"])
    assert asked(7) == alone


def test_each_booking_leaves_with_its_own_events_and_mails(flask, client):
    ServiceFactory(slug="intro", cal_event_type_id=4711)
    arrive(client, delivery("CREATED"))
    uid = Booking.by_uid("9bTq3mX2LwYcVhR7pKsZ4d").uid
    Booking.record(fact("bare", FactKind.CANCELLED))
    db.session.commit()
    for since in ([], ["--since", "2020-01-01"]):
        told = {booking["uid"]: booking for booking in json.loads(flask("bookings", "--json", *since))}
        assert (len(told[uid]["timeline"]), len(told[uid]["messages"])) == (1, 2)
        assert (len(told["bare"]["timeline"]), told["bare"]["messages"]) == (1, [])


# deliveries


def test_the_bodies_of_deliveries_stay_in_the_database(flask, client, queries):
    arrive(client, delivery("CREATED"), delivery("PING"))
    queries.clear()
    assert len(json.loads(flask("deliveries", "--json"))) == 2
    assert not [query for query in queries if "body" in query]


def test_deliveries_leave_as_json_with_exactly_these_keys(flask, client):
    arrive(client, delivery("PING"), b"nonsense", delivery("CREATED"))
    rows = json.loads(flask("deliveries", "--json"))
    assert [list(row) for row in rows] == [["id", "trigger", "state", "attempts", "booking_uid"]] * 3
    assert [(row["trigger"], row["state"], row["attempts"]) for row in rows] == [
        ("BOOKING_CREATED", "applied", 1),
        (None, "invalid", 1),
        ("PING", "applied", 1),
    ]
    assert rows[0]["booking_uid"] == "9bTq3mX2LwYcVhR7pKsZ4d"


def test_in_a_process_of_its_own_the_output_is_json_and_nothing_else(shell, client):
    arrive(client, delivery("CREATED", title="Déjà vu 相談"))
    for command in ("bookings", "deliveries"):
        run = shell(command, "--json")
        assert run.returncode == 0, run.stderr
        assert len(json.loads(run.stdout)) == 1


@pytest.mark.parametrize("command", ["bookings", "deliveries"])
def test_there_is_no_other_form_than_json(flask, command):
    assert "--json" in flask(command, code=2)


# web


def test_web_serves_where_the_settings_say_with_as_many_processes(app):
    db.session.rollback()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    stated = granian.environment(app.config["HDS"], PORT=port, WEB_WORKERS=2)
    server = subprocess.Popen([sys.executable, "-m", "hds", "web"], cwd=ROOT, env=stated, start_new_session=True)
    try:
        granian._wait_for(port, server)
        with urlopen(f"http://127.0.0.1:{port}/faq", timeout=20) as answer:
            assert answer.status == 200
        command = Path(f"/proc/{server.pid}/cmdline").read_bytes().decode().split("\0")
        assert command[command.index("--workers") + 1] == "2"
    finally:
        server.terminate()
        server.wait(15)


# staff


def test_an_account_is_made_and_given_a_new_password(flask):
    assert "boss@hudson.example can sign in at http" in flask(
        "create-admin", " Boss@Hudson.example ", "--password", PASSWORD
    )
    first = Staff.sign_in("boss@hudson.example", PASSWORD)
    key = first.session_key
    flask("create-admin", "boss@hudson.example", "--password", PASSWORD + "!")
    assert Staff.sign_in("boss@hudson.example", PASSWORD) is None
    second = Staff.sign_in("boss@hudson.example", PASSWORD + "!")
    assert second.id == first.id
    assert second.session_key != key


def test_a_new_password_opens_an_account_that_was_closed_by_tries(flask):
    while SignInAttempt.begin("boss@hudson.example", "6.6.6.6"):
        pass
    flask("create-admin", "boss@hudson.example", "--password", PASSWORD)
    assert SignInAttempt.begin("boss@hudson.example", "6.6.6.6")


def test_a_chosen_password_is_noted_as_chosen(flask):
    flask("create-admin", "boss@hudson.example", "--password", PASSWORD)
    second = Staff.by_email("boss@hudson.example")
    assert second.password_chosen_at


def test_a_short_password_is_refused(flask):
    assert "at least 12 characters" in flask("create-admin", "boss@hudson.example", "--password", "short", code=1)
    assert Staff.by_email("boss@hudson.example") is None


@pytest.mark.parametrize("email", ["boss", "a b@c.example", ""])
def test_an_account_needs_a_mail_address(flask, email):
    flask("create-admin", email, "--password", PASSWORD, code=2)
    assert db.session.scalars(db.select(Staff)).all() == []


def test_the_password_is_asked_for_and_not_shown(app):
    db.session.rollback()
    result = app.test_cli_runner().invoke(args=["create-admin", "a@b.example"], input=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0
    assert PASSWORD not in result.output


# seed and prepare


def test_seeding_twice_changes_nothing_and_keeps_what_the_owner_changed(flask):
    flask("seed")
    services, questions = (db.session.scalar(db.select(db.func.count()).select_from(m)) for m in (Service, FaqEntry))
    assert services >= 2
    assert questions >= 1
    service = db.session.scalars(db.select(Service).order_by(Service.id)).first()
    service.name = "Renamed by the owner"
    db.session.commit()
    flask("seed")
    assert db.session.get(Service, service.id).name == "Renamed by the owner"
    assert db.session.scalar(db.select(db.func.count()).select_from(Service)) == services
    assert db.session.scalar(db.select(db.func.count()).select_from(FaqEntry)) == questions


def test_prepare_prints_one_line_of_json_with_a_password_until_one_is_chosen(shell, app):
    first, second = shell("prepare"), shell("prepare")
    told = [json.loads(run.stdout) for run in (first, second)]
    assert len(first.stdout.splitlines()) == 1
    assert [line["admin"]["email"] for line in told] == ["owner@hudson.example"] * 2
    assert told[0]["admin"]["password"] != told[1]["admin"]["password"]
    assert Staff.sign_in("owner@hudson.example", told[1]["admin"]["password"])
    assert Staff.sign_in("owner@hudson.example", told[0]["admin"]["password"]) is None
    Staff.by_email("owner@hudson.example").choose_password(PASSWORD)
    db.session.commit()
    assert json.loads(shell("prepare").stdout) == {"admin": None}
    assert Staff.sign_in("owner@hudson.example", PASSWORD)


def test_prepare_makes_nobody_a_password_in_production(shell, app):
    empty(app)
    safe = {
        "HDS_ENV": "production",
        "SECRET_KEY": "k" * 32,
        "SITE_URL": "https://hudson.example",
        "MAIL_TRANSPORT": "smtp",
        "SMTP_URL": "smtp://mail.invalid",
        "HDS_ALLOW_SQLITE": "1",
    }
    run = shell("prepare", **safe)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {"admin": None}
    assert db.session.scalars(db.select(Staff)).all() == []


def test_the_module_is_the_same_as_flask(app):
    db.session.rollback()
    run = subprocess.run(
        [sys.executable, "-m", "hds", "bookings", "--json"],
        cwd=ROOT,
        env=granian.environment(app.config["HDS"]),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, "[]\n"), run.stderr


def test_every_command_says_what_it_does(app):
    overview = app.test_cli_runner().invoke(args=["--help"]).output
    for command in (
        "up",
        "web",
        "work",
        "clock",
        "prepare",
        "seed",
        "create-admin",
        "doctor",
        "bookings",
        "deliveries",
    ):
        line = next(line for line in overview.splitlines() if line.split()[:1] == [command])
        assert len(line.split()) > 3, line
