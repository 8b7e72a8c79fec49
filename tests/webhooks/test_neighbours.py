"""A delivery that takes its worker down each time costs its neighbours nothing."""

from dataclasses import replace
from datetime import timedelta

import time_machine

from hds.extensions import db
from hds.lib.times import utcnow
from hds.webhooks import jobs
from hds.webhooks.models import MOST_ATTEMPTS, DeliveryState, InboxDelivery
from tests.deliveries import post


class Killed(BaseException):
    """The end of a worker: nothing after it runs, nothing catches it."""


def test_neighbours_of_one_that_kills_its_worker_are_applied(app, client, monkeypatch):
    def apply(row: InboxDelivery) -> None:
        if b"poison" in row.body:
            raise Killed
        row.applied()

    sender = app.extensions["senders"]["cal"]
    monkeypatch.setitem(app.extensions["senders"], "cal", replace(sender, apply=apply))
    for name in ("before", "poison", "after", "last"):
        post(client, {"triggerEvent": "PING", "name": name})
    with time_machine.travel(utcnow(), tick=False) as clock:
        for _ in range(2 * MOST_ATTEMPTS):
            try:
                jobs.drain()
            except Killed:
                db.session.rollback()
            clock.shift(timedelta(minutes=1))
    rows = db.session.scalars(db.select(InboxDelivery).order_by(InboxDelivery.id)).all()
    applied, failed = DeliveryState.APPLIED, DeliveryState.FAILED
    assert [row.state for row in rows] == [applied, failed, applied, applied]
    assert max(row.attempts for row in rows if row.state is applied) == 2
