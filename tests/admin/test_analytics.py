"""/admin/analytics: what the owner reads there."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from hds.admin import words
from hds.analytics import visits, writer
from hds.analytics.models import FunnelStep
from hds.bookings import sources
from hds.config import BookerKind
from hds.extensions import db
from hds.lib.times import utcnow
from tests.analytics.conftest import ADDRESS, CHROME
from tests.analytics.test_counting import entry
from tests.factories import ServiceFactory, make_booking

pytestmark = pytest.mark.usefixtures("noon")
BY_SERVICE = "Visits by service and step"
COMPARED = "Compared with the 30 days before"


@pytest.fixture
def visitors(app: Flask, strategy: object) -> None:
    for number in range(3):
        address = f"203.0.113.{number}"
        query = "utm_source=mail&utm_campaign=%3Cb%3EAutumn" if number else ""
        writer.write([entry(address=address, query=query)])
        writer.write([entry(address=address, step=FunnelStep.SERVICE_CHOSEN, service="strategy-consultation")])
    failed = {"step": FunnelStep.BOOKER_FAILED, "service": "strategy-consultation", "reason": "timeout"}
    writer.write([entry(address="203.0.113.1", **failed)])


def test_it_says_that_nobody_came(signed_in: FlaskClient) -> None:
    page = signed_in.get("/admin/analytics").text
    assert "Nobody was counted in these days" in page
    assert '<svg class="chart"' not in page


def row(page: str, table: str, heading: str) -> list[str]:
    """The cells of one row of that table."""
    found = re.search(rf'<caption class="visually-hidden">{table}</caption>(.*?)</table>', page, re.DOTALL)
    assert found
    cells = re.search(rf'<th scope="row">(?:<bdi>)?{heading}(?:</bdi>)?</th>(.*?)</tr>', found[1], re.DOTALL)
    assert cells
    return re.findall(r">([^<>]+)</td>", cells[1])


@pytest.mark.usefixtures("visitors")
def test_it_shows_visits_funnel_sources_and_failures(signed_in: FlaskClient) -> None:
    page = signed_in.get("/admin/analytics").text
    assert "3 visits" in page
    assert "&lt;b&gt;Autumn" in page
    assert "Cal.com’s booker was not ready in time" in page
    assert row(page, BY_SERVICE, "Free Strategy Consultation") == ["0", "3", "0", "0", "0", "0", "0"]


@pytest.mark.usefixtures("visitors")
@pytest.mark.parametrize("booker", [BookerKind.EMBED, BookerKind.LINK])
def test_steps_that_are_taken_at_cal_are_not_said_to_be_none(
    signed_in: FlaskClient, strategy: Any, booker: BookerKind
) -> None:
    assert "“–”" not in signed_in.get("/admin/analytics").text
    writer.write([entry(address="203.0.113.1", step=FunnelStep.SLOT_CHOSEN, service="strategy-consultation")])
    other = ServiceFactory(name="Seen")
    strategy.booker = booker
    db.session.commit()
    page = signed_in.get("/admin/analytics").text
    assert "“–”: most take this step in Cal.com’s booker" in page
    assert row(page, BY_SERVICE, "Free Strategy Consultation") == ["0", "3", "0", "–", "–", "0", "0"]
    assert row(page, BY_SERVICE, "Seen") == ["0"] * 7
    assert row(page, COMPARED, "Chose a time") == ["–", "–", "–"]
    alone = signed_in.get(f"/admin/analytics?service={other.slug}").text
    assert row(alone, COMPARED, "Chose a time") == ["0", "0", "as many"]


def many(count: int, at: datetime, step: FunnelStep = FunnelStep.PAGE_VIEWED, network: str = "203.0.113") -> None:
    with time_machine.travel(at, tick=False):
        writer.write([entry(address=f"{network}.{number}", step=step) for number in range(count)])


def test_the_period_before_is_as_long_and_compared_where_it_is_large_enough(
    signed_in: FlaskClient, strategy: Any, noon: datetime
) -> None:
    many(99, noon - timedelta(days=14))  # a day too early
    many(12, noon - timedelta(days=13))
    many(12, noon - timedelta(days=7))
    many(4, noon - timedelta(days=7), FunnelStep.BOOKED)
    many(27, noon - timedelta(days=6))
    many(3, noon - timedelta(days=6), FunnelStep.BOOKED)
    page = signed_in.get("/admin/analytics?days=7").text
    assert "In the 7 days before: 24, so it is +3 (+12 %)." in page
    compared = COMPARED.replace("30", "7")
    assert row(page, compared, "Saw a page") == ["27", "24", "+3 (+12 %)"]
    assert row(page, compared, "Booked") == ["3", "4", "−1 (too few to compare)"]
    assert row(page, compared, "Confirmed") == ["0", "0", "as many"]


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        (0, 0, "as many"),
        (4, 0, "+4 (too few to compare)"),
        (0, 19, "−19 (too few to compare)"),
        (0, 20, "−20 (−100 %)"),
        (2400, 1200, "+1,200 (+100 %)"),
        (1001, 1000, "+1 (less than 1 %)"),
    ],
)
def test_a_change_is_told_in_per_cent_where_there_were_enough(now: int, before: int, said: str) -> None:
    assert words.change(now, before) == said


@pytest.mark.parametrize(
    ("part", "whole", "said"), [(0, 0, "–"), (3, 4, "3 of 4"), (0, 19, "0 of 19"), (5, 20, "25.0 %")]
)
def test_a_share_of_few_is_told_in_numbers(part: int, whole: int, said: str) -> None:
    assert words.part_of(part, whole) == said


@pytest.mark.usefixtures("visitors")
def test_every_chart_has_its_table_and_no_style_of_its_own(signed_in: FlaskClient) -> None:
    page = signed_in.get("/admin/analytics").text
    sections = re.findall(r'<section class="figures".*?</section>', page, re.DOTALL)
    assert len(sections) == 4
    assert all(
        '<svg class="chart"' in section and '<rect class="bar"' in section and "<table" in section
        for section in sections
    )
    assert " style=" not in page


@pytest.mark.usefixtures("visitors")
@pytest.mark.parametrize(
    ("asked", "days"), [("7", 7), ("30", 30), ("90", 90), ("", 30), ("8", 30), ("x", 30), ("-1", 30)]
)
def test_the_period_is_a_plain_link(signed_in: FlaskClient, asked: str, days: int) -> None:
    page = signed_in.get(f"/admin/analytics?days={asked}").text
    assert f'href="/admin/analytics?days={days}" aria-current="page"' in page
    assert page.count('<tr><th scope="row"><time') == days


@pytest.mark.usefixtures("visitors")
def test_a_service_can_be_looked_at_alone(signed_in: FlaskClient) -> None:
    page = signed_in.get("/admin/analytics?days=7&service=strategy-consultation").text
    assert 'href="/admin/analytics?days=7&amp;service=strategy-consultation#funnel" aria-current="true"' in page
    assert signed_in.get("/admin/analytics?service=nothing%00").status_code in {200, 400}


@pytest.mark.usefixtures("visitors")
def test_what_is_older_than_the_period_is_left_out(signed_in: FlaskClient) -> None:
    writer.write([entry(address="203.0.113.9", at=utcnow() - timedelta(days=8))])  # no salt: nobody can add to that day
    assert "3 visits" in signed_in.get("/admin/analytics?days=7").text


def test_the_menu_leads_there(signed_in: FlaskClient) -> None:
    assert 'href="/admin/analytics"' in signed_in.get("/admin/bookings").text


def test_a_bookings_page_names_what_brought_it(app: Flask, signed_in: FlaskClient) -> None:
    booking = make_booking()
    assert "booked elsewhere" in signed_in.get(f"/admin/bookings/{booking.id}").text
    writer.write([entry(query="utm_source=mail&utm_medium=email&utm_campaign=%3Ci%3Eautumn")])
    writer.write([entry(query="", referrer="https://news.example/", at=utcnow() + timedelta(minutes=1))])
    with app.test_request_context(environ_base={"REMOTE_ADDR": ADDRESS}, headers={"User-Agent": CHROME}):
        token = visits.reference()
    sources.note(booking, token)
    db.session.commit()
    page = " ".join(re.sub(r"</?bdi>", "", signed_in.get(f"/admin/bookings/{booking.id}").text).split())
    assert "mail, campaign &lt;i&gt;autumn, by email" in page
    assert "and later that day news.example" in page
