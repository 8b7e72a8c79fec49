"""A mail server that is silent, or drips: it costs one mail's time and not everybody's."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
import time_machine
from pydantic import SecretStr

from hds.config import MailTransport
from hds.extensions import db
from hds.lib import http
from hds.lib.times import utcnow
from hds.mail import conversation, transports
from hds.mail.jobs import deliver
from hds.mail.models import Message, MessageState
from tests.factories import make_booking

PATIENT = conversation.STEP


@contextmanager
def server(greeting: bytes) -> Iterator[tuple[int, list[socket.socket]]]:
    """Drips its greeting, five bytes a second, and then says nothing. Its port, and who called."""
    callers: list[socket.socket] = []

    def drip(caller: socket.socket) -> None:
        with suppress(OSError):  # the other side has hung up
            for byte in greeting:
                caller.sendall(bytes([byte]))
                time.sleep(0.2)

    def take(listener: socket.socket) -> None:
        with suppress(OSError):  # it was closed
            while True:
                caller, _ = listener.accept()
                callers.append(caller)
                threading.Thread(target=drip, args=(caller,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=take, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1], callers
        listener.shutdown(socket.SHUT_RDWR)
    for caller in callers:
        caller.close()


@pytest.fixture
def silent(set_settings, monkeypatch):
    monkeypatch.setattr(conversation, "STEP", 0.3)
    monkeypatch.setattr(transports, "STEP", 0.3)
    with server(b"") as (port, callers):
        set_settings(mail_transport=MailTransport.SMTP, smtp_url=SecretStr(f"smtp://127.0.0.1:{port}"))
        yield callers


@pytest.fixture
def several(message):
    for number in range(4):
        make_booking(f"other{number}")
    return db.session.scalars(db.select(Message).order_by(Message.id)).all()


def test_a_silent_server_costs_one_mail_its_time_and_the_others_wait(several, silent):
    with time_machine.travel(utcnow(), tick=False) as clock:
        for message in several:
            deliver(message.id)
        first, *others = several
        assert (len(silent), first.attempts) == (1, 1)
        assert first.reason.startswith("The mail server could not be reached")
        for message in others:
            assert (message.state, message.attempts) == (MessageState.PENDING, 0)
            assert message.reason.startswith("The mail server could not be reached a moment ago")
            assert message.due_at == utcnow() + transports.REST
        clock.shift(transports.REST + timedelta(seconds=1))
        for message in others:
            deliver(message.id)
        assert len(silent) == 2


def test_after_its_rest_a_server_that_is_back_gets_all_mails(several, silent, open_office, monkeypatch):
    with time_machine.travel(utcnow(), tick=False) as clock:
        for message in several:
            deliver(message.id)
        open_office()
        monkeypatch.setattr(conversation, "STEP", PATIENT)  # a busy machine's server may take its time
        monkeypatch.setattr(transports, "STEP", PATIENT)
        clock.shift(transports.REST + timedelta(seconds=1))
        for message in several:
            deliver(message.id)
    assert {message.state for message in several} == {MessageState.SENT}


def test_a_server_that_drips_is_left_in_time(message, set_settings, monkeypatch):
    """Each byte comes within its timeout; the whole would take a minute and more."""
    monkeypatch.setattr(conversation, "LONGEST", 1)
    with server(b"220-" + b"x" * 400) as (port, _):
        set_settings(mail_transport=MailTransport.SMTP, smtp_url=SecretStr(f"smtp://127.0.0.1:{port}"))
        began = time.monotonic()
        deliver(message.id)
    assert time.monotonic() - began < 30
    assert message.state is MessageState.PENDING


def test_where_somebody_waits_a_server_is_left_in_their_time(message, office):
    """It would take the mail, but not as soon as that."""
    is_over = threading.Event()
    office.meanwhile = lambda: is_over.wait(8)
    with http.within(1):
        deliver(message.id)
    is_over.set()
    assert message.state is MessageState.UNKNOWN
    assert message.reason == "The connection broke while the mail was handed over."


@pytest.mark.parametrize("tick", [1, 10])
def test_nobody_else_has_a_mail_while_it_is_on_its_way(app, message, office, set_settings, tick):
    """However quickly the clock ticks, a mail is lent for longer than a conversation takes."""
    set_settings(clock_tick_seconds=tick)
    seen = []

    def look() -> None:
        with app.app_context():
            seen.append(db.session.scalars(db.select(Message.leased_until).filter_by(id=message_id)).one())

    message_id = message.id
    office.meanwhile = look
    with time_machine.travel(utcnow(), tick=False):
        deliver(message_id)
        assert seen[0] - utcnow() > timedelta(seconds=conversation.LONGEST)


def test_a_mail_for_the_mailbox_is_lent_for_ten_seconds(message, monkeypatch):
    """Whoever died with it, the next takes it soon."""
    seen = []
    monkeypatch.setattr("hds.mail.transports.Mailbox.send", lambda *_: seen.append(message.leased_until) or "x")
    with time_machine.travel(utcnow(), tick=False):
        deliver(message.id)
        assert seen == [utcnow() + timedelta(seconds=10)]
