"""The outbox: once, later, too late, never."""

import statistics
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
import time_machine
from jinja2 import ChoiceLoader, DictLoader
from rq.timeouts import JobTimeoutException
from sqlalchemy.orm.attributes import set_committed_value

from hds.bookings.chain import FactKind
from hds.bookings.models import Booking
from hds.extensions import db
from hds.lib import jobs as bell
from hds.lib.due import claim
from hds.lib.times import utcnow
from hds.mail import jobs, renderers
from hds.mail.jobs import deliver
from hds.mail.models import MOST_ATTEMPTS, Message, MessageState
from hds.mail.transports import mailbox_folder
from tests.factories import fact, in_days


def after(message: Message) -> tuple[MessageState, str | None]:
    deliver(message.id)
    return message.state, message.reason


def mails() -> list:
    files = sorted(mailbox_folder().glob("*.eml"))
    return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in files]


def test_it_lies_in_the_mailbox_under_the_name_of_its_row(message):
    assert after(message) == (MessageState.SENT, None)
    [mail] = mails()
    assert (mail["To"], mail["Subject"]) == ("priya@acme.example", message.subject)
    assert message.provider_id == f"{message.id}.eml"
    assert sorted(path.name for path in mailbox_folder().iterdir()) == [f"{message.id}.eml"]


def test_a_second_time_is_boring(message):
    deliver(message.id)
    state_at, attempts = message.state_at, message.attempts
    deliver(message.id)
    assert (message.state_at, message.attempts, len(mails())) == (state_at, attempts, 1)


def test_many_workers_at_once_send_it_once(app, message):
    message_id = message.id
    db.session.rollback()

    def work(_: int) -> None:
        with app.app_context():
            deliver(message_id)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(12)))
    assert (message.state, message.attempts) == (MessageState.SENT, 1)


def test_a_message_that_is_gone_is_no_error(app):
    deliver(4711)


def test_the_words_are_written_once_and_stay(message, app):
    mailbox_folder().mkdir(parents=True)
    (mailbox_folder() / f"{message.id}.eml").mkdir()  # nothing can be put there
    with time_machine.travel(utcnow(), tick=False) as clock:
        deliver(message.id)
        words = (message.subject, message.text, message.html)
        Booking.record(fact("uid1", FactKind.RESCHEDULED, start_at=in_days(9)))
        db.session.commit()
        (mailbox_folder() / f"{message.id}.eml").rmdir()
        clock.shift(60)
        assert after(message)[0] is MessageState.SENT
    assert (message.subject, message.text, message.html) == words


def test_a_folder_that_cannot_be_written_is_tried_again_later(message):
    mailbox_folder().write_text("a file stands in its place")
    try:
        with time_machine.travel(utcnow(), tick=False) as clock:
            state, reason = after(message)
            assert (state, message.attempts) == (MessageState.PENDING, 1)
            assert reason == "The mailbox folder cannot be written (File exists)."
            mailbox_folder().unlink()
            clock.shift(15)
            assert after(message) == (MessageState.SENT, None)
    finally:
        mailbox_folder().is_file() and mailbox_folder().unlink()


def test_a_worker_that_died_in_between_made_no_second_mail(message):
    """It had written the file and not yet noted so: the file has the row's name, so there is one."""
    deliver(message.id)
    message.state, message.due_at, message.leased_until = MessageState.SENDING, utcnow(), None
    db.session.commit()
    assert after(message) == (MessageState.SENT, None)
    assert len(mails()) == 1


def test_who_died_with_a_message_loses_it_when_the_lease_ends(message):
    with time_machine.travel(utcnow(), tick=False) as clock:
        claim(Message, timedelta(seconds=90), ids=[message.id])
        assert after(message)[0] is MessageState.PENDING
        clock.shift(91)
        assert after(message)[0] is MessageState.SENT


# Of use or not


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(FactKind.CANCELLED, "The booking is cancelled by now."), (FactKind.DECLINED, "The booking is declined by now.")],
)
def test_nobody_hears_of_a_meeting_that_is_off(message, kind, reason):
    Booking.record(fact("uid1", kind))
    db.session.commit()
    assert after(message) == (MessageState.SKIPPED, reason)
    assert mails() == []


def test_nobody_hears_of_a_meeting_that_has_begun(message):
    with time_machine.travel(in_days(3) + timedelta(minutes=1)):
        assert after(message) == (MessageState.SKIPPED, "The meeting has begun, so the mail would come too late.")


def test_nobody_hears_of_a_booking_that_is_gone(message):
    message.booking_id = None
    db.session.commit()
    assert after(message) == (MessageState.SKIPPED, "The booking is not here any more.")


def test_a_booking_that_became_part_of_another_meanwhile_is_found_there(message):
    """The worker had read the mail before its booking was moved."""
    message = db.session.get_one(Message, message.id)
    set_committed_value(message, "booking_id", message.booking_id + 4711)
    assert renderers.render(message).subject


def test_a_kind_that_nothing_writes_any_more_is_skipped(message):
    message.kind = "birthday"
    db.session.commit()
    assert after(message) == (MessageState.SKIPPED, "Nothing here writes mails of the kind birthday.")


# Faults of ours


@pytest.fixture
def broken_template(app):
    before = app.jinja_env.loader
    broken = DictLoader({"emails/booking_confirmed/body.txt": "{{ booking.nothing.at.all }}"})
    app.jinja_env.loader = ChoiceLoader([broken, before])
    app.jinja_env.cache.clear()
    yield
    app.jinja_env.loader = before
    app.jinja_env.cache.clear()


def test_a_broken_template_is_shown_and_tried_again(message, broken_template, app):
    with time_machine.travel(utcnow(), tick=False) as clock:
        state, reason = after(message)
        assert (state, message.is_rendered) == (MessageState.PENDING, False)
        assert reason == "It could not be written (UndefinedError)."
        app.jinja_env.loader = app.jinja_env.loader.loaders[1]
        app.jinja_env.cache.clear()
        clock.shift(15)
        assert after(message) == (MessageState.SENT, None)


def test_a_template_that_stays_broken_ends_as_failed(message, broken_template):
    with time_machine.travel(utcnow(), tick=False) as clock:
        for _ in range(MOST_ATTEMPTS + 2):
            deliver(message.id)
            clock.shift(timedelta(hours=2))
    assert (message.state, message.attempts, message.due_at) == (MessageState.FAILED, MOST_ATTEMPTS, None)
    assert message.reason == "It could not be written (UndefinedError)."


def test_what_failed_goes_out_again_when_somebody_asks_for_it(message, broken_template, app):
    message.attempts = MOST_ATTEMPTS - 1
    db.session.commit()
    assert after(message)[0] is MessageState.FAILED
    assert message.can_be_sent_again
    app.jinja_env.loader = app.jinja_env.loader.loaders[1]
    app.jinja_env.cache.clear()
    message.send_again()
    db.session.commit()
    assert after(message) == (MessageState.SENT, None)


def test_a_fault_while_it_is_sent_is_shown_and_tried_again(message, monkeypatch):
    monkeypatch.setattr("hds.mail.transports.Mailbox.send", lambda *_: {}["priya@acme.example"])
    assert after(message) == (MessageState.PENDING, "Sending it stopped in the middle (KeyError).")


@pytest.mark.parametrize("place", ["transports.Mailbox.send", "renderers.render"])
def test_rqs_alarm_ends_the_job_and_is_no_fault_of_the_mail(message, monkeypatch, place):
    def too_slow(*_: object) -> None:
        raise JobTimeoutException

    monkeypatch.setattr(f"hds.mail.{place}", too_slow)
    with pytest.raises(JobTimeoutException):
        deliver(message.id)
    db.session.rollback()
    assert message.reason is None
    assert message.leased_until > utcnow()


# The outbox's rows


def test_one_effect_has_one_row_however_often_its_cause_arrives(message):
    for _ in range(3):
        Message.send_once(message.booking_id, "booking_confirmed", "priya@acme.example", "uid1")
        db.session.commit()
    assert db.session.scalars(db.select(Message).filter_by(kind="booking_confirmed")).all() == [message]


@pytest.mark.parametrize(
    "other", [{"kind": "reminder"}, {"recipient": "lee@acme.example"}, {"occurrence": "uid2"}], ids=str
)
def test_another_kind_recipient_or_occurrence_is_another_mail(message, other):
    same = {"kind": "booking_confirmed", "recipient": "priya@acme.example", "occurrence": "uid1"}
    Message.send_once(message.booking_id, **(same | other))
    db.session.commit()
    assert db.session.scalar(db.select(db.func.count()).select_from(Message)) == 3


def test_what_is_switched_off_is_not_written(message, set_settings):
    set_settings(mail_off=frozenset({"reminder"}))
    Message.send_once(message.booking_id, "reminder", "priya@acme.example", "x")
    db.session.commit()
    assert db.session.scalar(db.select(Message.id).filter_by(kind="reminder")) is None


def test_nobody_is_written_to_without_an_address(message):
    Message.send_once(message.booking_id, "reminder", "", "x")
    assert db.session.scalar(db.select(Message.id).filter_by(kind="reminder")) is None


def test_a_subject_is_one_line(message):
    message.rendered("One\r\nBcc: all@evil.example\n two\u2028three " + "x" * 600, "", "", None)
    assert message.subject.startswith("One Bcc: all@evil.example two three x")
    assert (len(message.subject), len(message.subject.splitlines())) == (500, 1)


def test_pauses_grow_to_an_hour_and_never_come_all_at_once(message):
    def pause(attempts: int) -> float:
        message.attempts = attempts
        message.try_again_later()
        return (message.due_at - utcnow()).total_seconds()

    assert all(3600 * 0.74 < pause(attempts) < 3600 * 1.26 for attempts in (10, 50, 500))
    assert statistics.stdev(pause(5) for _ in range(30)) > 5


# The bell


def rung() -> list[tuple[str, list[int]]]:
    return [(job.func_name, list(job.args)) for job in bell.queue("mail").get_jobs()]


def test_a_mail_is_rung_for_when_its_cause_is_committed(message):
    rows = db.session.scalars(db.select(Message.id).order_by(Message.id)).all()
    assert rung() == [("hds.mail.jobs.deliver", [number]) for number in rows]


def test_the_clock_rings_for_what_is_due_and_for_nothing_else(message):
    bell.queue("mail").empty()
    with time_machine.travel(utcnow(), tick=False) as clock:
        for row in db.session.scalars(db.select(Message)):
            row.due_at = utcnow() + timedelta(minutes=1)
        db.session.commit()
        jobs.ring_for_waiting()
        assert rung() == []
        clock.shift(61)
        jobs.ring_for_waiting()
        assert len(rung()) == 2


def test_every_kind_has_a_writer(app):
    from hds.followups.emails import KINDS

    assert set(app.extensions["mail_renderers"]) == set(KINDS)
    with pytest.raises(renderers.NoUse):
        renderers.render(Message(kind="x"))
