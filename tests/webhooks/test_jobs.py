"""The worker's side: every delivery is applied once, and what fails is tried again until there is no point."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from rq.timeouts import JobTimeoutException
from sqlalchemy import update

from hds.bookings.models import Booking
from hds.extensions import db
from hds.lib import jobs as bell
from hds.lib.due import claim
from hds.lib.times import utcnow
from hds.webhooks import jobs
from hds.webhooks.models import MOST_ATTEMPTS, DeliveryState, InboxDelivery
from tests.deliveries import arrive, delivery, post
from tests.factories import ServiceFactory


def the_row() -> InboxDelivery:
    db.session.rollback()
    return db.session.scalars(db.select(InboxDelivery)).one()


@pytest.fixture
def handle(app, monkeypatch):
    """Has deliveries applied by another function."""

    def with_function(function):
        sender = app.extensions["senders"]["cal"]
        monkeypatch.setitem(app.extensions["senders"], "cal", replace(sender, apply=function))

    return with_function


@pytest.fixture
def broken(handle):
    """A handler with a fault of its own: it writes, and then fails."""

    def fail(row: InboxDelivery) -> None:
        db.session.add(ServiceFactory.build(slug=f"half-{row.attempts}"))
        db.session.flush()
        raise ZeroDivisionError("priya@acme.example")

    handle(fail)


def test_what_fails_is_tried_again_after_growing_pauses_and_then_shown_as_failed(client, broken):
    pauses = []
    with time_machine.travel(utcnow(), tick=False) as clock:
        [row] = arrive(client, delivery("CREATED"))
        while row.state is DeliveryState.PENDING:
            pauses.append((row.due_at - utcnow()).total_seconds())
            assert (row.leased_until, row.attempts) == (None, len(pauses))
            jobs.drain()
            assert the_row().attempts == len(pauses), "it was taken before its time"
            clock.shift(timedelta(seconds=pauses[-1] + 1))
            db.session.rollback()
            jobs.drain()
            row = the_row()
    assert (row.state, row.attempts, row.due_at) == (DeliveryState.FAILED, MOST_ATTEMPTS, None)
    assert row.reason == "It could not be applied (ZeroDivisionError)."
    for number, pause in enumerate(pauses):
        assert 0.7 * 10 * 2**number < pause < 1.3 * 10 * 2**number


def test_a_handler_that_fails_leaves_nothing_half_done(client, broken):
    from hds.services.models import Service

    arrive(client, delivery("CREATED"))
    assert db.session.scalars(db.select(Service)).all() == []


def test_a_fault_of_the_database_is_met_like_any_other(client, handle):
    def too_long(row: InboxDelivery) -> None:
        row.state = None
        db.session.flush()

    handle(too_long)
    [row] = arrive(client, delivery("CREATED"))
    assert (row.state, row.reason) == (DeliveryState.PENDING, "It could not be applied (IntegrityError).")


def test_one_that_fails_does_not_keep_the_others_waiting(client, handle, app):
    right = app.extensions["senders"]["cal"].apply

    def fail_on_ping(row: InboxDelivery) -> None:
        if b"PING" in row.body:
            raise ZeroDivisionError
        right(row)

    handle(fail_on_ping)
    rows = arrive(client, delivery("PING"), delivery("CREATED"))
    assert [row.state for row in rows] == [DeliveryState.PENDING, DeliveryState.APPLIED]


def test_what_failed_is_applied_once_it_is_mended_and_replayed(client, broken, handle):
    sender = client.application.extensions["senders"]["cal"]
    post(client, delivery("CREATED"))
    db.session.execute(update(InboxDelivery).values(attempts=MOST_ATTEMPTS - 1))
    db.session.commit()
    jobs.drain()
    assert the_row().state is DeliveryState.FAILED
    from hds.bookings import handlers

    handle(handlers.apply)
    assert client.application.extensions["senders"]["cal"] != sender
    the_row().replay()
    db.session.commit()
    jobs.drain()
    row = the_row()
    assert (row.state, row.attempts, row.reason) == (DeliveryState.APPLIED, 1, None)


def test_replaying_all_that_failed_leaves_the_rest_alone(client):
    arrive(client, delivery("PING"), delivery("CREATED"), {"triggerEvent": "X"})
    assert InboxDelivery.replay_all(DeliveryState.APPLIED) == 2
    db.session.commit()
    states = db.session.scalars(db.select(InboxDelivery.state).order_by(InboxDelivery.id)).all()
    assert states == [DeliveryState.PENDING, DeliveryState.PENDING, DeliveryState.IGNORED]
    jobs.drain()
    assert db.session.scalar(db.select(db.func.count()).select_from(Booking)) == 1


def test_a_row_whose_worker_died_is_free_for_another_when_its_lease_ends(client):
    with time_machine.travel(utcnow(), tick=False) as clock:
        post(client, delivery("CREATED"))
        assert claim(InboxDelivery, timedelta(seconds=30)) == [the_row().id]
        db.session.rollback()
        jobs.drain()
        assert the_row().state is DeliveryState.PENDING
        db.session.rollback()
        clock.shift(31)
        jobs.drain()
    assert (the_row().state, the_row().attempts) == (DeliveryState.APPLIED, 2)


def test_one_that_takes_its_worker_down_each_time_ends_as_failed(client, handle):
    called = []
    handle(called.append)
    post(client, delivery("CREATED"))
    db.session.execute(update(InboxDelivery).values(attempts=MOST_ATTEMPTS))
    db.session.commit()
    jobs.drain()
    assert called == []
    assert the_row().state is DeliveryState.FAILED
    assert "the worker ended in the middle" in the_row().reason


def test_what_a_sender_left_that_nobody_knows_any_more_is_ignored(client, app, monkeypatch):
    post(client, delivery("PING"))
    monkeypatch.delitem(app.extensions["senders"], "cal")
    jobs.drain()
    assert (the_row().state, the_row().reason) == (DeliveryState.IGNORED, "Nobody handles what cal sends.")


def test_the_oldest_comes_first(client, handle):
    seen = []

    def note(row: InboxDelivery) -> None:
        seen.append(row.id)
        row.applied()

    handle(note)
    for number in range(25):
        post(client, {"triggerEvent": "PING", "number": number})
    jobs.drain()
    assert seen == sorted(seen)
    assert len(seen) == 25


def test_workers_that_drain_at_once_never_apply_one_row_twice(app, client, handle):
    seen: Counter[int] = Counter()
    lock = threading.Lock()

    def note(row: InboxDelivery) -> None:
        with lock:
            seen[row.id] += 1
        row.applied()

    handle(note)
    for number in range(60):
        post(client, {"triggerEvent": "PING", "number": number})
    db.session.rollback()
    start = threading.Barrier(4)

    def drain(_: int) -> None:
        with app.app_context():
            start.wait()
            jobs.drain()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(drain, range(4)))
    assert len(seen) == 60
    assert set(seen.values()) == {1}
    db.session.rollback()
    assert set(db.session.scalars(db.select(InboxDelivery.attempts))) == {1}


def test_rqs_alarm_ends_the_job_and_is_no_fault_of_the_delivery(client, handle):
    def too_slow(row: InboxDelivery) -> None:
        raise JobTimeoutException

    handle(too_slow)
    post(client, delivery("CREATED"))
    with pytest.raises(JobTimeoutException):
        jobs.drain()
    assert (the_row().state, the_row().reason) == (DeliveryState.PENDING, None)


# The bell


def rung() -> list[str]:
    return [job.func_name for job in bell.queue("default").get_jobs()]


def test_the_clock_rings_once_for_all_that_waits(client):
    post(client, delivery("CREATED"))
    post(client, delivery("PING"))
    jobs.ring_for_waiting()
    assert rung() == ["hds.webhooks.jobs.drain"]


def test_the_clock_is_silent_where_nothing_waits(client):
    jobs.ring_for_waiting()
    arrive(client, delivery("PING"))
    jobs.ring_for_waiting()
    assert rung() == []


def test_the_clock_is_silent_for_what_a_worker_holds(client):
    with time_machine.travel(utcnow(), tick=False) as clock:
        post(client, delivery("PING"))
        claim(InboxDelivery, timedelta(seconds=30))
        jobs.ring_for_waiting()
        assert rung() == []
        clock.shift(31)
        jobs.ring_for_waiting()
        assert rung() == ["hds.webhooks.jobs.drain"]


def test_a_flood_is_drained_in_turns_that_ring_for_the_next(client, monkeypatch):
    monkeypatch.setattr(jobs, "BATCH", 2)
    for number in range(2 * jobs.BATCHES + 1):
        post(client, {"triggerEvent": "PING", "number": number})
    pending = db.select(db.func.count()).select_from(InboxDelivery).filter_by(state=DeliveryState.PENDING)
    jobs.drain()
    assert (db.session.scalar(pending), rung()) == (1, ["hds.webhooks.jobs.drain"])
    bell.queue("default").empty()
    jobs.drain()
    assert (db.session.scalar(pending), rung()) == (0, [])
