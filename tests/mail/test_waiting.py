"""The clock rings for mails that wait: for all of them soon, in no write's way, and never more than Redis can hold."""

import pytest
from pydantic import SecretStr
from sqlalchemy import insert

from hds.extensions import db
from hds.lib import jobs as bells
from hds.lib.times import utcnow
from hds.mail import jobs
from hds.mail.models import Message, MessageState


@pytest.fixture
def thousand(app):
    now = utcnow()
    row = {"kind": "booking_confirmed", "state": MessageState.PENDING, "due_at": now, "created_at": now}
    rows = [row | {"recipient": f"p{n}@acme.example", "occurrence": str(n)} for n in range(1000)]
    db.session.execute(insert(Message), rows)
    db.session.commit()


def unheard() -> list[int]:
    return [job.args[0] for job in bells.queue("mail").get_jobs()]


def test_a_thousand_are_found_within_four_ticks(thousand):
    found = set()
    for _ in range(4):
        jobs.ring_for_waiting()
        found |= set(unheard())
        Message.query.filter(Message.id.in_(found)).update({"due_at": None})
        db.session.commit()
        bells.queue("mail").empty()
    assert len(found) == 1000


def test_bells_do_not_pile_up_while_no_worker_is_there(thousand):
    for _ in range(10):
        jobs.ring_for_waiting()
    assert len(unheard()) == jobs.BATCH


def test_a_silent_queue_is_tried_once_a_tick_and_no_write_waits(thousand, app, monkeypatch):
    tried = []

    def ring(*_args: object) -> bool:
        assert not db.session().in_transaction(), "on SQLite nobody else could write meanwhile"
        tried.append(1)
        return False

    monkeypatch.setattr(bells, "ring", ring)
    jobs.ring_for_waiting()
    assert tried == [1]


def test_without_a_queue_nothing_is_rung_and_nothing_fails(thousand, app, monkeypatch):
    nowhere = app.config["HDS"].model_copy(update={"redis_url": SecretStr("unix:///nowhere?db=0")})
    monkeypatch.setitem(app.config, "HDS", nowhere)
    monkeypatch.delitem(app.extensions, "redis", raising=False)
    jobs.ring_for_waiting()
    app.extensions.pop("redis").close()
