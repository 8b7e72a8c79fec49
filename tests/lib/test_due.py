"""Rows whose time has come are claimed by one worker at a time, the oldest first."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine

from hds.extensions import db
from hds.lib.due import claim
from hds.lib.times import utcnow
from hds.webhooks.models import InboxDelivery

LEASE = timedelta(seconds=30)


@pytest.fixture
def clock(app):
    with time_machine.travel(utcnow(), tick=False) as clock:
        yield clock


def rows(*due_in_seconds: float | None) -> list[int]:
    made = [
        InboxDelivery(
            sender="cal",
            digest=str(number),
            body=b"",
            headers={},
            due_at=None if seconds is None else utcnow() + timedelta(seconds=seconds),
        )
        for number, seconds in enumerate(due_in_seconds)
    ]
    db.session.add_all(made)
    db.session.commit()
    return [row.id for row in made]


def claim_one_by_one() -> list[int]:
    taken = []
    while ids := claim(InboxDelivery, LEASE):
        taken += ids
    return taken


def test_the_oldest_is_taken_first_and_the_future_and_the_done_not_at_all(clock):
    late, early, _future, _done, now = rows(-1, -60, 1, None, 0)
    assert claim_one_by_one() == [early, late, now]


def test_what_is_claimed_is_lent_for_a_while_and_counted(clock):
    [row_id] = rows(-1)
    assert claim(InboxDelivery, LEASE) == [row_id]
    assert claim(InboxDelivery, LEASE) == []
    clock.shift(31)
    assert claim(InboxDelivery, LEASE) == [row_id]
    assert db.session.get(InboxDelivery, row_id).attempts == 2


def test_no_more_than_asked_for_and_only_of_those_named(clock):
    ids = rows(-5, -4, -3, -2)
    assert claim(InboxDelivery, LEASE, ids=[ids[2]]) == [ids[2]]
    assert claim(InboxDelivery, LEASE, limit=2) == ids[:2]
    assert claim(InboxDelivery, LEASE, limit=9) == [ids[3]]


def test_the_claim_is_committed(clock):
    [row_id] = rows(-1)
    claim(InboxDelivery, LEASE)
    db.session.rollback()
    assert db.session.get(InboxDelivery, row_id).leased_until == utcnow() + LEASE


def test_who_tries_again_later_gives_the_row_back(clock):
    [row_id] = rows(-1)
    claim(InboxDelivery, LEASE)
    row = db.session.get(InboxDelivery, row_id)
    row.try_again_later()
    db.session.commit()
    assert claim(InboxDelivery, LEASE) == []
    clock.shift(13)
    assert claim(InboxDelivery, LEASE) == [row_id]


def test_many_claim_at_once_and_no_row_has_two_holders(app):
    ids = rows(*[-1] * 40)
    db.session.rollback()
    start = threading.Barrier(5)

    def take(_: int) -> list[int]:
        with app.app_context():
            start.wait()
            taken = []
            while some := claim(InboxDelivery, LEASE, limit=3):
                taken += some
            return taken

    with ThreadPoolExecutor(5) as pool:
        taken = [row for part in pool.map(take, range(5)) for row in part]
    assert sorted(taken) == ids
