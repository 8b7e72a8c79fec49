"""The owner connects the account, chooses event types and takes facts over, and sees what is wrong."""

import re
import threading
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr

from hds.config import MailTransport
from hds.extensions import db
from hds.services import sync
from hds.services.models import Service
from tests import forms
from tests.factories import ServiceFactory
from tests.postoffice import open_post_office
from tests.services.conftest import Cal, at, cal, served, state  # noqa: F401  (fixtures)

PAGE = "/admin/cal"


@pytest.fixture
def dive(app: Any) -> Any:
    return ServiceFactory(
        slug="dive", name="Dive", duration_minutes=20, price_amount=9900, price_currency="USD", cal_event_type_id=1002
    )


@pytest.fixture
def connected(app, signed_in, at, cal, served):  # noqa: F811
    at(cal.url, site_url=served)
    return signed_in


def after(client: FlaskClient, action: str, **typed: Any) -> str:
    """The page once this form of it was sent."""
    answer = forms.submit(client, PAGE, f"{PAGE}/{action}", **typed)
    assert (answer.status_code, answer.location) == (303, PAGE)
    return client.get(PAGE).text


def test_before_anything_was_looked_at_it_says_what_to_do(signed_in):
    page = signed_in.get(PAGE).text
    assert "It was not checked yet. No delivery of Cal.com&#39;s has come yet" in page
    assert "None is known yet: check the connection first." in page
    assert "Cal.com was not asked yet." in page


def test_without_a_key_it_says_how_to_get_one(signed_in, state):  # noqa: F811
    state(cal_access_token=SecretStr(""))
    assert "make a key at Cal.com under Settings" in signed_in.get(PAGE).text


def test_the_account_is_connected_by_a_button(connected, cal, dive):  # noqa: F811
    page = after(connected, "checks")
    assert "Everything that was looked at is right." in page
    assert "A webhook posts to" in page
    assert "A signed test delivery of our own arrived through" in page
    assert page.count("gets through") == 1, "said once, by what Cal.com itself has sent"
    assert "A test mail to you lies in the local mailbox" in page
    assert [webhook.is_active for webhook in cal.webhooks] == [True]


def test_only_looking_changes_nothing_and_says_what_is_wrong(connected, cal, dive):  # noqa: F811
    page = after(connected, "checks", look="1")
    assert "1 thing is not right" in page
    assert re.search(r"No webhook posts to \S+ The button below mends it\.", page)
    assert "`" not in page
    assert cal.webhooks == []


def test_a_cal_com_that_is_away_is_said_on_the_page(signed_in, at, dive):  # noqa: F811
    at("http://127.0.0.1:9")
    assert "gave no usable answer" in after(signed_in, "checks", look="1")
    assert "gave no usable answer" in after(signed_in, "looks")


def test_a_mail_server_that_takes_its_time_keeps_nobody_waiting(connected, cal, dive, state, monkeypatch):  # noqa: F811
    monkeypatch.setattr("hds.admin.cal.MAIL_PATIENCE", 1.0)
    is_over = threading.Event()
    with open_post_office() as (office, port):
        office.meanwhile = lambda: is_over.wait(8)
        state(mail_transport=MailTransport.SMTP, smtp_url=SecretStr(f"smtp://127.0.0.1:{port}"))
        page = after(connected, "checks")
        is_over.set()
    assert "1 thing is not right" in page
    assert "A test mail to you did not leave: The connection broke while the mail was handed over." in page


def test_an_event_type_is_chosen(connected, dive):
    after(connected, "looks")
    after(connected, "event-types", **{f"service-{dive.id}": "1003"})
    db.session.refresh(dive)
    assert (dive.cal_event_type_id, dive.cal_event_slug, dive.told) == (1003, "intro-call", None)


def test_two_services_change_their_event_types(connected, dive):
    other = ServiceFactory(name="Other", cal_event_type_id=1003)
    after(connected, "looks")
    after(connected, "event-types", **{f"service-{dive.id}": "1003", f"service-{other.id}": "1002"})
    db.session.expire_all()
    assert (dive.cal_event_type_id, other.cal_event_type_id) == (1003, 1002)


def test_one_event_type_for_two_services_is_refused(connected, dive):
    other = ServiceFactory(name="Other", cal_event_type_id=1003)
    after(connected, "looks")
    page = after(connected, "event-types", **{f"service-{dive.id}": "1003", f"service-{other.id}": "1003"})
    assert "an event type can belong to one service only" in page
    db.session.expire_all()
    assert (dive.cal_event_type_id, other.cal_event_type_id) == (1002, 1003)


@pytest.mark.parametrize("typed", ["77", "x", "9" * 40])
def test_an_event_type_that_nobody_listed_is_refused(connected, dive, typed):
    after(connected, "looks")
    page = after(connected, "event-types", **{f"service-{dive.id}": typed})
    assert "The account has no event type" in page
    db.session.refresh(dive)
    assert dive.cal_event_type_id == 1002


def test_what_a_setting_names_is_not_chosen_here(connected, state, cal, at):  # noqa: F811
    service = ServiceFactory(slug="deep-dive", name="Deep", cal_event_type_id=1002)
    after(connected, "looks")
    state(cal_deep_dive_event_id=1002)
    page = connected.get(PAGE).text
    assert "1002, as CAL_DEEP_DIVE_EVENT_ID says" in page
    assert f'name="service-{service.id}"' not in page
    after(connected, "event-types", **{f"service-{service.id}": "1003"})
    db.session.refresh(service)
    assert service.cal_event_type_id == 1002


def test_what_differs_is_shown_first_and_taken_over_by_a_button(connected, dive):
    page = after(connected, "looks")
    taken = [each.label for each in sync.differences(dive) if not each.is_own]
    assert "Waits for your yes" in taken
    assert page.count("Cal.com's takes its place") == len(taken)
    assert dive.needs_approval is False
    page = after(connected, "changes", take=[])
    assert f"{len(taken)} difference" in page
    db.session.refresh(dive)
    assert (dive.needs_approval, dive.name, dive.duration_minutes) == (True, "Dive", 20)


def test_the_owners_own_values_stand_unless_ticked(connected, dive):
    page = after(connected, "looks")
    assert "$99; the pages say $150" in page
    page = after(connected, "changes", take=["dive.price", "dive.name", "else.name"])
    db.session.refresh(dive)
    assert (dive.own_price_amount, dive.name, dive.duration_minutes) == (15000, "Deep Dive Technical Consultation", 20)
    assert "$99" not in page


def test_what_nobody_saw_is_not_taken_over(connected, dive):
    after(connected, "looks")
    dive.seats = 4
    db.session.commit()
    fields = forms.fields(connected.get(PAGE).text, f"{PAGE}/changes")
    dive.seats = 9
    db.session.commit()
    connected.post(f"{PAGE}/changes", data=fields)
    assert "Nothing was changed: something else differs by now." in connected.get(PAGE).text
    assert Service.find("dive").needs_approval is False


def test_the_menu_leads_here(signed_in):
    assert 'href="/admin/cal" aria-current="page">Cal.com' in signed_in.get(PAGE).text
