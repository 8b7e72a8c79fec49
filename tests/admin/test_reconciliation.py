"""What the owner sees of reconciling: when Cal.com was last read, a button to read it now, and what was found so."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr

from hds.bookings.chain import FactKind, FactSource
from hds.bookings.models import Booking
from hds.bookings.reconciliation import CHANGES, Reconciliation
from hds.extensions import db
from hds.lib import jobs
from hds.lib.times import utcnow
from tests import forms
from tests.factories import ServiceFactory, fact, make_booking

PAGE = "/admin/bookings"
FOUND = "Found by looking at Cal.com; its notice never came"


def words_of(client: FlaskClient, page: str = PAGE) -> str:
    return " ".join(client.get(page).text.split())


def test_the_list_says_when_cal_com_was_read_and_what_came_of_it(signed_in: FlaskClient) -> None:
    assert "Cal.com has not been read yet." in words_of(signed_in)
    Reconciliation.prepare()
    done = {"shown": 12, "calls": 1, "repaired": 2, "unreadable": 1}
    later = utcnow() + timedelta(minutes=5)
    db.session.execute(db.update(Reconciliation).values(succeeded_at=utcnow(), due_at=later, outcome=done))
    db.session.commit()
    assert ": 12 bookings had changed there, 2 were put right here, 1 could not be read." in words_of(signed_in)
    trouble = "Cal.com did not answer as it should: timed out."
    db.session.execute(db.update(Reconciliation).values(trouble=trouble, due_at=utcnow() + timedelta(minutes=5)))
    db.session.commit()
    assert f"{trouble} It tries again" in words_of(signed_in)


def test_the_button_has_a_worker_read_it_now(signed_in: FlaskClient) -> None:
    Reconciliation.prepare()
    db.session.execute(db.update(Reconciliation).values(due_at=utcnow() + timedelta(hours=1)))
    db.session.commit()
    answer = forms.submit(signed_in, PAGE, f"{PAGE}/reconciliation")
    assert answer.status_code == 303
    assert "Cal.com is being read now." in words_of(signed_in)
    assert Reconciliation.is_waiting()
    assert [job.func_name for job in jobs.queue("default").jobs] == ["hds.bookings.reconcile.run_due"]


def piece_of(client: FlaskClient, look: int) -> str:
    headers = {"HX-Request": "true", "HX-Request-Type": "partial"}
    return client.get(f"{PAGE}/reconciliation?look={look}", headers=headers).text


def test_while_cal_com_is_read_a_piece_of_the_list_looks_again_and_then_says_what_came_of_it(
    signed_in: FlaskClient,
) -> None:
    forms.submit(signed_in, PAGE, f"{PAGE}/reconciliation")
    page = words_of(signed_in)
    assert "Cal.com is being read now." in page
    assert f'hx-get="{PAGE}/reconciliation?look=1"' in page
    assert f'hx-get="{PAGE}/reconciliation?look=2"' in piece_of(signed_in, 1)
    assert "hx-get" not in piece_of(signed_in, 20), "it does not look for ever"
    done = {"succeeded_at": utcnow(), "due_at": utcnow() + timedelta(minutes=5), "outcome": {"shown": 1}}
    db.session.execute(db.update(Reconciliation).values(**done))
    db.session.commit()
    piece = piece_of(signed_in, 3)
    assert "1 booking had changed there, all of it was known here." in piece
    assert "hx-get" not in piece
    assert signed_in.get(f"{PAGE}/reconciliation").location == PAGE, "opened as a page it is the list"


def test_without_a_key_there_is_no_button(signed_in: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    keyless = app.config["HDS"].model_copy(update={"cal_access_token": SecretStr("")})
    monkeypatch.setitem(app.config, "HDS", keyless)
    assert "Look at Cal.com now" not in words_of(signed_in)


def test_a_fact_that_no_notice_told_is_marked_until_one_does(signed_in: FlaskClient, strategy: Any) -> None:
    stated = fact()
    booking = Booking.record(replace(stated, source=FactSource.API))
    db.session.commit()
    page = f"{PAGE}/{booking.id}"
    assert FOUND in words_of(signed_in, page)
    Booking.record(stated)
    db.session.commit()
    assert FOUND not in words_of(signed_in, page)


def test_a_payment_that_was_inferred_is_marked_until_it_is_told(signed_in: FlaskClient) -> None:
    ServiceFactory(cal_event_type_id=1002, name="Deep Dive", price_amount=15000, price_currency="USD")
    booking = make_booking(event_type_id=1002, price=15000, currency="USD")
    paid = fact(kind=FactKind.PAID, event_type_id=1002, price=15000, currency="USD")
    Booking.record(replace(paid, source=FactSource.API))
    db.session.commit()
    page = f"{PAGE}/{booking.id}"
    assert "inferred: no notice told of it" in words_of(signed_in, page)
    assert "which tells of no payments" in words_of(signed_in, page)
    assert "inferred: no notice told of it" in words_of(signed_in)
    Booking.record(paid)
    db.session.commit()
    assert "inferred" not in words_of(signed_in, page).lower()


def test_a_row_is_there_for_each_way_of_reading(app: Flask) -> None:
    Reconciliation.prepare()
    Reconciliation.prepare()
    db.session.commit()
    assert {row.name for row in db.session.scalars(db.select(Reconciliation))} == {CHANGES, "window"}
