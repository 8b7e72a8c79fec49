"""What every table rests on: moments in UTC, states as text, one writer at a time, and inserts that are boring twice."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import text
from sqlalchemy.exc import StatementError

from hds.contacts.models import Contact
from hds.extensions import db
from hds.lib.models import insert_or_ignore, one_at_a_time, only_reading, reading
from hds.lib.times import utcnow
from hds.services.models import Service
from hds.webhooks.models import DeliveryState, InboxDelivery
from tests.conftest import ON_SERVERS
from tests.factories import ServiceFactory

MOMENT = datetime(2026, 7, 1, 10, 30, 0, 123456, tzinfo=UTC)


def delivery(**given) -> InboxDelivery:
    known = {"sender": "cal", "digest": "d", "body": b"", "headers": {}}
    row = InboxDelivery(**(known | given))
    db.session.add(row)
    db.session.commit()
    return row


@pytest.mark.parametrize("hours", [0, -12, 14, 5.75])
def test_a_moment_comes_back_as_the_same_moment_in_utc(app, hours):
    row = delivery(created_at=MOMENT.astimezone(timezone(timedelta(hours=hours))))
    assert row.created_at == MOMENT
    assert row.created_at.utcoffset() == timedelta(0)


def test_a_moment_without_a_zone_is_refused(app):
    with pytest.raises(StatementError, match="naive datetime"):
        delivery(created_at=MOMENT.replace(tzinfo=None))
    db.session.rollback()


def test_moments_compare_inside_the_database_as_outside(app):
    delivery(created_at=MOMENT)
    for shift, expected in ((-1, 0), (0, 1), (1, 1)):
        before = (MOMENT + timedelta(microseconds=shift)).astimezone(timezone(timedelta(hours=9)))
        found = db.select(db.func.count()).select_from(InboxDelivery).where(InboxDelivery.created_at <= before)
        assert db.session.scalar(found) == expected


def test_a_state_is_kept_as_its_text_and_read_as_itself(app):
    row = delivery(state=DeliveryState.IGNORED)
    assert db.session.scalar(text("SELECT state FROM inbox_delivery")) == "ignored"
    assert row.state is DeliveryState.IGNORED


def test_a_state_that_is_none_is_refused(app):
    with pytest.raises(StatementError):
        delivery(state="arrived")
    db.session.rollback()


def test_the_second_insert_of_a_key_is_none_and_changes_nothing(app):
    values = {"email": "a@b.example", "created_at": utcnow()}
    assert insert_or_ignore(Contact, name="First", **values)
    assert insert_or_ignore(Contact, name="Second", **values) is None
    assert db.session.scalars(db.select(Contact.name)).all() == ["First"]


def test_of_many_inserts_at_once_one_makes_the_row(app):
    start = threading.Barrier(5)
    db.session.rollback()

    def insert(number: int) -> bool:
        with app.app_context():
            start.wait()
            made = insert_or_ignore(Contact, email="a@b.example", name=str(number), created_at=utcnow())
            db.session.commit()
            return made is not None

    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(insert, range(5))) == 1


def test_who_reads_first_and_writes_later_waits_instead_of_failing(app):
    """On SQLite a transaction that had begun to read could not write any more once another had."""
    ServiceFactory(slug="counted", position=0)
    db.session.rollback()

    def count_up(_: int) -> None:
        with app.app_context():
            one_at_a_time(77)
            service = db.session.scalars(db.select(Service).filter_by(slug="counted")).one()
            service.position += 1
            db.session.commit()

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(count_up, range(20)))
    assert db.session.scalars(db.select(Service.position)).one() == 20


def test_a_reader_is_never_kept_waiting_by_a_writer(app):
    ServiceFactory(slug="one")
    db.session.add(ServiceFactory.build(slug="two"))
    db.session.flush()

    def read() -> int:
        with app.app_context():
            reading.set(True)
            return db.session.scalar(db.select(db.func.count()).select_from(Service))

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(read).result(timeout=3) == 1
    db.session.rollback()


def test_others_may_write_while_a_block_only_reads(app):
    ServiceFactory(slug="one")

    def write() -> None:
        with app.app_context():
            ServiceFactory(slug="two")

    with only_reading():
        assert db.session.scalar(db.select(db.func.count()).select_from(Service)) == 1
        with ThreadPoolExecutor(1) as pool:
            pool.submit(write).result(timeout=3)
    assert not reading.get()
    assert db.session.scalar(db.select(db.func.count()).select_from(Service)) == 2


@pytest.mark.skipif(ON_SERVERS, reason="SQLite's own settings")
def test_sqlite_survives_a_power_cut_and_holds_foreign_keys(app):
    assert db.session.scalar(text("PRAGMA journal_mode")) == "wal"
    assert db.session.scalar(text("PRAGMA synchronous")) == 2
    assert db.session.scalar(text("PRAGMA foreign_keys")) == 1
    inbox = app.extensions["inbox"].raw_connection()
    assert inbox.cursor().execute("PRAGMA synchronous").fetchone() == (2,)
    inbox.close()
