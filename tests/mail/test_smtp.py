"""Over SMTP, to a real server: what arrived, and what each refusal means for the row."""

import socket
import threading
import time
from datetime import timedelta
from urllib.parse import quote

import pytest
import time_machine
from pydantic import SecretStr
from sqlalchemy import text

from hds.config import MailTransport
from hds.extensions import db
from hds.lib.times import utcnow
from hds.mail.jobs import deliver
from hds.mail.models import MOST_ATTEMPTS, Message, MessageState
from tests.conftest import ON_SERVERS
from tests.deliveries import delivery, post
from tests.factories import ServiceFactory, make_booking
from tests.postoffice import PASSWORD, USER, own_certificate, server_context

RIGHT = f"{USER}:{quote(PASSWORD, safe='')}@"


def after(message: Message) -> tuple[MessageState, str | None]:
    deliver(message.id)
    return message.state, message.reason


def test_a_mail_arrives_with_both_parts_and_its_row_says_so(message, office):
    assert after(message) == (MessageState.SENT, None)
    [letter] = office.letters
    assert letter["To"] == "priya@acme.example"
    assert letter["From"] == "Hudson Digital Solutions <owner@hudson.example>"
    assert letter["Reply-To"] == "owner@hudson.example"
    assert letter["Subject"] == message.subject
    assert letter.get_body(("plain",)).get_content().replace("\r\n", "\n") == message.text
    assert letter.get_body(("html",)).get_content().replace("\r\n", "\n").strip() == message.html.strip()
    assert message.provider_id == letter["Message-ID"]
    assert message.due_at is None


def test_lines_end_as_smtp_wants_them(message, office):
    """Servers refuse bare line feeds since they were used to smuggle mails."""
    deliver(message.id)
    [raw] = office.raw
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_a_line_of_one_dot_does_not_end_the_mail(message, office):
    message.rendered("Dots", "first\n.\n..last\n", "<p>x</p>", None)
    db.session.commit()
    deliver(message.id)
    assert office.letters[0].get_body(("plain",)).get_content().replace("\r\n", "\n") == "first\n.\n..last\n"


@pytest.mark.parametrize("length", [69, 70, 77, 78, 300, 500])
def test_a_subject_of_any_length_arrives_as_it_was_written(message, office, length):
    subject = ("Confirmed: Free Strategy Consultation, Thursday 26 November, " * 9)[:length].strip()
    message.rendered(subject, "text", "<p>text</p>", None)
    db.session.commit()
    deliver(message.id)
    assert office.letters[0]["Subject"] == subject


def test_names_and_subjects_of_every_script_arrive(message, office, set_settings):
    set_settings(site_name="Süd & Søn, “Beratung” 相談")
    message.rendered("Confirmé : entretien, 日本語 👩‍💻", "Grüße\n", "<p>Grüße</p>", None)
    db.session.commit()
    deliver(message.id)
    [letter] = office.letters
    assert letter["Subject"] == "Confirmé : entretien, 日本語 👩‍💻"
    assert letter["From"].addresses[0].display_name == "Süd & Søn, “Beratung” 相談"
    assert letter.get_body(("plain",)).get_content().strip() == "Grüße"
    assert office.raw[0].isascii()


def test_an_international_domain_travels_in_its_ascii_form(message, office):
    message.recipient = "priya@münchen.example"
    message.rendered("Words", "words", "<p>words</p>", "zoë@münchen.example")
    db.session.commit()
    assert after(message) == (MessageState.SENT, None)
    assert office.letters[0]["To"] == "priya@xn--mnchen-3ya.example"


def test_an_address_that_nobody_can_answer_to_does_not_keep_the_mail(message, office):
    """The owner's mail answers to what the booker typed."""
    message.rendered("Words", "words", "<p>words</p>", f"priya@{'x' * 64}.example")
    db.session.commit()
    assert after(message) == (MessageState.SENT, None)
    assert office.letters[0]["Reply-To"] is None


def test_an_address_that_only_some_servers_take_goes_to_those(message, open_office):
    office = open_office(enable_SMTPUTF8=True)
    message.recipient = "zoë@münchen.example"
    message.rendered("Words", "words", "<p>words</p>", None)
    db.session.commit()
    assert after(message) == (MessageState.SENT, None)
    assert "zoë@" in office.letters[0]["To"]


def test_an_address_that_this_server_cannot_take_is_failed_and_says_why(message, open_office):
    office = open_office(enable_SMTPUTF8=False)
    message.recipient = "zoë@münchen.example"
    message.rendered("Words", "words", "<p>words</p>", None)
    db.session.commit()
    state, reason = after(message)
    assert (state, office.raw) == (MessageState.FAILED, [])
    assert "address" in reason


def test_the_message_id_is_the_rows_own_at_every_try(message, open_office):
    first = open_office()
    first.answers["DATA"] = "451 later"
    with time_machine.travel(utcnow(), tick=False) as clock:
        deliver(message.id)
        second = open_office()
        clock.shift(timedelta(minutes=1))
        deliver(message.id)
        third = open_office()
        message.state = MessageState.UNKNOWN
        message.send_again()
        db.session.commit()
        deliver(message.id)
    assert second.letters[0]["Message-ID"] == third.letters[0]["Message-ID"]
    assert f"message-{message.id}-" in second.letters[0]["Message-ID"]


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
def test_refused_for_now_is_tried_again_later(message, office, command):
    office.answers[command] = "451 greylisted, come back"
    with time_machine.travel(utcnow(), tick=False) as clock:
        assert after(message) == (MessageState.PENDING, "The mail server refused it for now (451).")
        assert 7 < (message.due_at - utcnow()).total_seconds() < 13
        deliver(message.id)
        assert office.tries == 1, "it was sent before its time"
        office.answers.clear()
        clock.shift(14)
        assert after(message) == (MessageState.SENT, None)
    assert len(office.raw) == 1


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
def test_refused_for_good_is_failed(message, office, command):
    office.answers[command] = "550 no such person"
    assert after(message) == (MessageState.FAILED, "The mail server refused it for good (550).")
    assert message.due_at is None


@pytest.mark.parametrize("answer", ["451 later", "530 authentication required", "550 who are you"])
def test_what_a_server_has_against_the_site_is_never_for_good(message, office, answer):
    office.answers["MAIL"] = answer
    reason = f"The mail server takes no mail from this site now ({answer[:3]})."
    with time_machine.travel(utcnow(), tick=False) as clock:
        assert after(message) == (MessageState.PENDING, reason)
        office.answers.clear()
        clock.shift(14)
        assert after(message) == (MessageState.SENT, None)


def test_a_server_that_is_down_is_tried_again_later(message, set_settings):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"smtp://127.0.0.1:{probe.getsockname()[1]}"
    set_settings(mail_transport=MailTransport.SMTP, smtp_url=SecretStr(url))
    state, reason = after(message)
    assert (state, message.attempts) == (MessageState.PENDING, 1)
    assert reason == "The mail server could not be reached (ConnectionRefusedError)."


def test_a_name_that_does_not_resolve_is_tried_again_later(message, set_settings):
    set_settings(mail_transport=MailTransport.SMTP, smtp_url=SecretStr("smtp://mail.invalid:25"))
    assert after(message)[0] is MessageState.PENDING


def test_without_an_address_of_a_server_nothing_is_lost(message, set_settings):
    set_settings(mail_transport=MailTransport.SMTP)
    state, reason = after(message)
    assert state is MessageState.PENDING
    assert "SMTP_URL" in reason


def test_a_connection_that_breaks_after_the_text_leaves_it_unknown(message, office):
    office.hang_up_at = "DATA"
    assert after(message) == (MessageState.UNKNOWN, "The connection broke while the mail was handed over.")
    assert message.due_at is None
    deliver(message.id)
    assert office.tries == 1


@pytest.mark.parametrize("greeting", [b"421 too busy", b"554 no service for you"])
def test_a_server_that_says_goodbye_at_once_is_tried_again_later(message, set_settings, greeting):
    with socket.create_server(("127.0.0.1", 0)) as server:
        set_settings(
            mail_transport=MailTransport.SMTP, smtp_url=SecretStr(f"smtp://127.0.0.1:{server.getsockname()[1]}")
        )

        def goodbye() -> None:
            connection, _ = server.accept()
            connection.sendall(greeting + b"\r\n")
            connection.close()

        thread = threading.Thread(target=goodbye)
        thread.start()
        state, reason = after(message)
        thread.join()
    assert state is MessageState.PENDING
    assert greeting[:3].decode() in reason


def test_it_ends_as_failed_when_it_never_works(message, office):
    office.answers["RCPT"] = "451 later"
    with time_machine.travel(utcnow(), tick=False) as clock:
        for _ in range(MOST_ATTEMPTS + 3):
            deliver(message.id)
            clock.shift(timedelta(hours=2))
            db.session.rollback()
    assert (message.state, message.attempts) == (MessageState.FAILED, MOST_ATTEMPTS)
    assert message.reason == "The mail server refused it for now (451)."


def test_a_worker_that_died_in_between_leaves_it_unknown(message, office):
    message.rendered("Words", "words", "<p>words</p>", None)
    message.sending()
    db.session.commit()
    state, reason = after(message)
    assert (state, office.raw) == (MessageState.UNKNOWN, [])
    assert "Ask the recipient" in reason


def test_one_that_takes_its_worker_down_each_time_ends_as_failed(message, office):
    message.attempts = MOST_ATTEMPTS
    db.session.commit()
    assert after(message)[0] is MessageState.FAILED
    assert office.raw == []


# TLS and passwords


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return own_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def trusted(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))


def test_the_password_goes_over_tls_only(message, open_office):
    office = open_office(user=RIGHT)  # no STARTTLS
    state, reason = after(message)
    assert (state, office.raw) == (MessageState.PENDING, [])
    assert reason == "The mail server offers no TLS, so the password was not sent. Use smtps://."


def test_starttls_is_taken_where_it_is_offered(message, open_office, certificate, trusted):
    office = open_office(user=RIGHT, tls_context=server_context(*certificate))
    assert after(message) == (MessageState.SENT, None)
    assert (office.was_encrypted, office.users) == ([True], [USER])


def test_a_wrong_password_is_said(message, open_office, certificate, trusted):
    office = open_office(user="site:wrong@", tls_context=server_context(*certificate))
    state, reason = after(message)
    assert (state, office.raw) == (MessageState.PENDING, [])
    assert reason == "The mail server did not accept SMTP_URL's user and password."


def test_a_password_that_cannot_be_told_is_said(message, open_office, certificate, trusted):
    open_office(user="site:w%C3%B6rd@", tls_context=server_context(*certificate))
    assert after(message) == (MessageState.PENDING, "SMTP_URL cannot be used (UnicodeEncodeError).")


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(message, open_office, certificate):
    office = open_office(user=RIGHT, tls_context=server_context(*certificate))
    state, reason = after(message)
    assert (state, office.raw) == (MessageState.PENDING, [])
    assert "SSLCertVerificationError" in reason


def test_smtps_is_encrypted_from_the_first_byte(message, open_office, certificate, trusted):
    office = open_office(scheme="smtps", ssl_context=server_context(*certificate))
    assert after(message) == (MessageState.SENT, None)
    assert len(office.raw) == 1


def test_a_fault_of_ours_before_the_mail_leaves_is_said_and_not_called_unknown(message, office):
    message.rendered("Words", "words", "<p>words</p>", "owner@hudson.example\r\nBcc: all@evil.example")
    db.session.commit()
    state, reason = after(message)
    assert (state, office.raw) == (MessageState.FAILED, [])
    assert "ValueError" in reason


def test_nobody_waits_while_a_server_takes_its_time(app, message, office):
    """No transaction spans the conversation: on SQLite it would hold the one write lock."""
    seen = []

    def somebody_posts() -> None:
        started = time.monotonic()
        with app.app_context():
            seen.append(post(app.test_client(), delivery("PING")).status_code)
        seen.append(time.monotonic() - started < 15)

    office.meanwhile = somebody_posts
    assert after(message)[0] is MessageState.SENT
    assert seen == [200, True]


@pytest.mark.skipif(not ON_SERVERS, reason="PostgreSQL tells of open transactions")
def test_no_transaction_is_open_while_a_server_takes_its_time(app, message, office):
    seen = []

    def look() -> None:
        with app.app_context():
            idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
            seen.append(db.session.scalar(text(idle)))

    office.meanwhile = look
    assert after(message)[0] is MessageState.SENT
    assert seen == [0]


def test_no_two_mails_share_an_id(app, office):
    ServiceFactory(cal_event_type_id=1001)
    make_booking("one")
    make_booking("two")
    for message in db.session.scalars(db.select(Message)).all():
        deliver(message.id)
    assert len({letter["Message-ID"] for letter in office.letters}) == len(office.letters) == 4
