"""A made-up day's numbers, their sums, and what is deleted when."""

import threading
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from hds.analytics import jobs, reports, sums, visits, writer
from hds.analytics.models import (
    ANY,
    AnalyticsEvent,
    Aspect,
    DailyFunnel,
    DailyVisits,
    Failure,
    FunnelStep,
    Visit,
)
from hds.analytics.sums import OTHERS, Reached
from hds.extensions import db
from tests.analytics.conftest import CHROME
from tests.analytics.test_counting import entry
from tests.conftest import NOON

DAY = date(2026, 11, 24)
SEEN, CHOSEN, SHOWN, SLOT, DETAILS, BOOKED, FAILED = (
    FunnelStep.PAGE_VIEWED,
    FunnelStep.SERVICE_CHOSEN,
    FunnelStep.BOOKER_SHOWN,
    FunnelStep.SLOT_CHOSEN,
    FunnelStep.DETAILS_GIVEN,
    FunnelStep.BOOKED,
    FunnelStep.BOOKER_FAILED,
)


def came(number: int, *steps: FunnelStep, at: datetime = NOON, service: str = "free", query: str = "") -> None:
    """One visitor who saw a page and took these steps of one service."""
    address = f"203.0.113.{number}"
    writer.write(
        [
            entry(address=address, at=at, query=query),
            *(entry(address=address, at=at, step=step, service=service) for step in steps),
        ]
    )


@pytest.fixture
def made_up_day(app, at):
    """Six visits: three by mail, two by an ad, one direct."""
    came(1, CHOSEN, SHOWN, SLOT, DETAILS, BOOKED, query="utm_source=mail&utm_campaign=autumn")
    came(2, CHOSEN, SHOWN, query="utm_source=mail&utm_campaign=autumn")
    came(2, CHOSEN, SHOWN, SLOT, service="paid")
    came(3, query="utm_source=mail&utm_campaign=winter")
    came(4, CHOSEN, SHOWN, query="gclid=x")
    came(5, query="gclid=y")
    came(6, CHOSEN)
    writer.write([entry(address="203.0.113.6", step=FAILED, service="free", reason="timeout")])
    writer.write([entry(address="203.0.113.4", step=FAILED, service="free", reason="timeout")])
    writer.write([entry(address="203.0.113.4", step=FAILED, service="paid", reason="blocked")])
    writer.write([entry(address="203.0.113.4", step=FAILED, service="paid", reason="blocked")])


def numbers(report: reports.Report) -> dict[str, Any]:
    return {
        "days": [(one.day, one.visits, one.pages) for one in report.days],
        "all": report.funnel(),
        "free": report.funnel("free"),
        "paid": report.funnel("paid"),
        "origins": [(one.source, one.campaign, one.steps[SEEN], one.steps[BOOKED]) for one in report.origins()],
        "failures": report.failures(),
    }


EXPECTED = {
    "days": [(DAY, 6, 7)],
    "all": Counter({SEEN: 6, CHOSEN: 4, SHOWN: 3, SLOT: 2, DETAILS: 1, BOOKED: 1}),
    "free": Counter({CHOSEN: 4, SHOWN: 3, SLOT: 1, DETAILS: 1, BOOKED: 1}),
    "paid": Counter({CHOSEN: 1, SHOWN: 1, SLOT: 1}),
    "origins": [
        ("gclid", "", 2, 0),
        ("mail", "autumn", 2, 1),
        ("", "", 1, 0),
        ("mail", "winter", 1, 0),
    ],
    "failures": [("free", "timeout", 2), ("paid", "blocked", 1)],
}


def test_the_numbers_of_a_made_up_day(made_up_day):
    assert numbers(reports.report(DAY, DAY)) == EXPECTED


def test_its_written_sums_say_the_same_and_outlive_the_visits(made_up_day, at):
    at(NOON + timedelta(days=1))
    jobs.tidy()
    assert numbers(reports.report(DAY, DAY)) == EXPECTED
    at(NOON + timedelta(days=200))
    jobs.tidy()
    assert db.session.scalars(db.select(Visit)).all() == []
    assert db.session.scalars(db.select(AnalyticsEvent)).all() == []
    assert numbers(reports.report(DAY, DAY)) == EXPECTED


def test_the_sums_tell_visits_apart_by_device_and_the_like(made_up_day, at):
    at(NOON + timedelta(days=1))
    jobs.tidy()
    rows = db.session.scalars(db.select(DailyVisits).order_by(DailyVisits.aspect, DailyVisits.value))
    said = {(row.aspect, row.value): (row.visits, row.pages) for row in rows}
    assert said[Aspect.ALL, ""] == (6, 7)
    assert said[Aspect.DEVICE, "desktop"] == (6, 7)
    assert said[Aspect.CLICK, "gclid"] == (2, 2)
    assert said[Aspect.FIRST_PATH, "/faq"] == (6, 7)


def test_a_day_that_is_not_over_is_not_summed_up(made_up_day, at):
    at(datetime(2026, 11, 25, 5, 10, tzinfo=NOON.tzinfo))  # ten past midnight: something may still come
    jobs.tidy()
    assert db.session.scalars(db.select(DailyFunnel)).all() == []
    at(datetime(2026, 11, 25, 5, 21, tzinfo=NOON.tzinfo))
    jobs.tidy()
    assert db.session.scalars(db.select(DailyFunnel)).all() != []


def test_missed_days_are_caught_up_and_the_second_time_is_boring(app, at):
    for days in range(3):
        at(NOON + timedelta(days=days))
        came(1, CHOSEN, at=NOON + timedelta(days=days))
    at(NOON + timedelta(days=5))
    jobs.tidy()
    first = [(row.id, row.day) for row in db.session.scalars(db.select(DailyFunnel).order_by(DailyFunnel.id))]
    assert {day for _, day in first} == {DAY + timedelta(days=days) for days in range(3)}
    jobs.tidy()
    assert [(row.id, row.day) for row in db.session.scalars(db.select(DailyFunnel).order_by(DailyFunnel.id))] == first


def test_two_workers_at_once_sum_up_once(app, made_up_day, at):
    at(NOON + timedelta(days=1))
    start, failed = threading.Barrier(3), []

    def work() -> None:
        with app.app_context():
            try:
                start.wait(20)
                jobs.tidy()
            except Exception as error:
                failed.append(error)
            finally:
                db.session.remove()

    db.session.rollback()
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert numbers(reports.report(DAY, DAY)) == EXPECTED


def test_visits_are_kept_as_long_as_the_setting_says(app, at):
    kept = app.config["HDS"].visits_kept_days
    came(1)
    at(NOON + timedelta(days=kept - 1))
    jobs.tidy()
    assert db.session.scalar(db.select(db.func.count(Visit.id))) == 1
    at(NOON + timedelta(days=kept))
    jobs.tidy()
    assert db.session.scalar(db.select(db.func.count(Visit.id))) == 0


def test_a_late_step_of_a_summed_day_is_in_the_sums_again(made_up_day, at):
    at(NOON + timedelta(days=1))
    jobs.tidy()
    visit = db.session.scalars(db.select(Visit).where(Visit.utm_campaign == "winter")).one()
    visits.count(visit.id, FunnelStep.CONFIRMED, "free")
    db.session.commit()
    for _ in range(2):
        said = reports.report(DAY, DAY)
        assert said.funnel("free")[FunnelStep.CONFIRMED] == 1
        assert said.days[0].visits == 6
        jobs.tidy()


def test_what_browsers_say_of_bookings_is_apart(app, at):
    came(1, FunnelStep.BOOKED_IN_FRAME)
    said = reports.report(DAY, DAY)
    assert said.funnel("free")[BOOKED] == 0
    assert said.said_in_frames("free") == said.said_in_frames() == 1


def test_only_the_largest_sources_are_kept_by_name():
    rows = [Reached(SEEN, ANY, "", f"s{number}", "", number) for number in range(1, 6)]
    rows.append(Reached(CHOSEN, "free", "", "s1", "", 1))
    assert sorted(sums.folded(rows, most=3)) == sorted(
        [
            Reached(SEEN, ANY, "", "s5", "", 5),
            Reached(SEEN, ANY, "", "s4", "", 4),
            Reached(SEEN, ANY, "", "s3", "", 3),
            Reached(SEEN, ANY, "", OTHERS, "", 3),
            Reached(CHOSEN, "free", "", OTHERS, "", 1),
        ]
    )


def test_days_without_visits_are_days_too(app, at):
    said = reports.report(DAY - timedelta(days=6), DAY)
    assert [one.visits for one in said.days] == [0] * 7


def test_every_reason_has_words():
    from hds.admin.analytics import REASONS, STEPS

    assert set(REASONS) == set(Failure) - {Failure.NONE}
    assert set(STEPS) <= set(FunnelStep)


@pytest.mark.parametrize(("part", "whole", "percent"), [(1, 4, 25.0), (0, 5, 0.0), (3, 0, 0.0)])
def test_shares(part, whole, percent):
    assert reports.share(part, whole) == percent


def test_the_funnel_of_a_day_is_read_from_an_index(app, at):
    came(1, CHOSEN)
    query = db.select(AnalyticsEvent.step, db.func.count()).where(AnalyticsEvent.day == DAY)
    if db.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL chooses by the number of rows; the bench looks at it")
    text = str(query.group_by(AnalyticsEvent.step).compile(db.engine, compile_kwargs={"literal_binds": True}))
    plan = db.session.execute(db.text(f"EXPLAIN QUERY PLAN {text}")).all()
    assert "ix_analytics_event_day_step_service_reason_visit_id" in str(plan), CHROME
