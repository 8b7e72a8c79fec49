"""The next free times: asked of Cal.com by a job, shown only while they are true, and pages change when they do."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from flask import Flask

from hds.bookings import free_times
from hds.bookings.free_times import BELIEVED, FRESH, KEPT, FreeTime, drop_gone, refresh, ring_for_refresh, spread
from hds.calcom.client import CalClient
from hds.extensions import db
from hds.lib.edition import Edition
from hds.lib.times import iso_utc, utcnow
from tests.factories import ServiceFactory, in_days

NEW_YORK = ZoneInfo("America/New_York")
NOBODY = "http://127.0.0.1:9"  # the port of a service that nobody runs


def keep(service: Any, *days: float) -> None:
    FreeTime.keep({service.id: [in_days(day) for day in days]})
    db.session.commit()


def starts(service: Any, count: int = KEPT) -> list[datetime]:
    return [time.start_at for time in FreeTime.next_for(service, count)]


def test_refresh_keeps_what_cal_has_free_soonest_first_over_several_days(cal: CalClient, strategy: Any) -> None:
    refresh()
    kept = starts(strategy)
    assert len(kept) == KEPT
    assert kept == sorted(kept)
    assert min(kept) > utcnow()
    days = [start.astimezone(NEW_YORK).date() for start in kept]
    assert all(days.count(day) <= 2 for day in days)
    offered = cal.slots(free_times.Target(1001), kept[0], kept[-1] + timedelta(minutes=1), NEW_YORK)
    assert set(kept) <= {start.astimezone(UTC) for times in offered.values() for start in times}


def test_pages_change_only_when_the_times_do(cal: CalClient, strategy: Any) -> None:
    refresh()
    kept, edition = starts(strategy), Edition.current()
    with time_machine.travel(utcnow() + FRESH, tick=False):
        refresh()
        assert FreeTime.asked_for()[strategy.id] == utcnow(), "it was asked again"
    if starts(strategy) == kept:  # unless a time passed in between
        assert Edition.current() == edition
    keep(strategy, 3, 4)
    assert Edition.current() > edition


def test_who_was_asked_lately_is_not_asked_again(use_cal: Callable[..., CalClient], strategy: Any) -> None:
    keep(strategy, 3)
    use_cal(NOBODY)
    asked = FreeTime.asked_for()
    refresh()
    assert FreeTime.asked_for() == asked


def test_a_cal_that_does_not_answer_leaves_what_is_known_for_an_hour(
    use_cal: Callable[..., CalClient], strategy: Any
) -> None:
    keep(strategy, 3)
    use_cal(NOBODY)
    with time_machine.travel(utcnow() + FRESH, tick=False):
        refresh()
        assert len(starts(strategy)) == 1
    with time_machine.travel(utcnow() + BELIEVED, tick=False):
        assert starts(strategy) == []


def test_a_service_that_cal_does_not_know_keeps_no_other_waiting(cal: CalClient, strategy: Any) -> None:
    ServiceFactory(cal_event_type_id=999999, position=-1)
    refresh()
    assert starts(strategy)


def test_a_service_without_an_event_type_is_not_asked_for(use_cal: Callable[..., CalClient]) -> None:
    use_cal(NOBODY, cal_link="")
    ServiceFactory(cal_event_slug="talk")
    ServiceFactory()
    assert free_times._due() == []


def test_times_that_passed_are_not_shown_and_pages_learn_of_it(app: Flask, strategy: Any) -> None:
    now = utcnow()
    soon, later = now + timedelta(minutes=10), now + timedelta(minutes=40)
    FreeTime.keep({strategy.id: [soon, later]})
    drop_gone()
    edition = Edition.current()
    drop_gone()
    assert Edition.current() == edition
    with time_machine.travel(soon, tick=False):
        assert starts(strategy) == [later]
        drop_gone()
    assert Edition.current() == edition + 1


def test_pages_learn_when_nobody_vouches_for_the_times_any_more(app: Flask, strategy: Any) -> None:
    keep(strategy, 2)
    edition = Edition.current()
    with time_machine.travel(utcnow() + BELIEVED, tick=False):
        drop_gone()
    assert Edition.current() > edition


def test_another_services_times_stay_as_they_are(app: Flask, strategy: Any) -> None:
    other = ServiceFactory()
    keep(strategy, 1)
    keep(other, 2, 3)
    keep(strategy, 2)
    assert (len(starts(strategy)), len(starts(other)), len(starts(other, 1))) == (1, 2, 1)


def test_the_clock_rings_only_for_who_is_due(
    app: Flask, cal: CalClient, strategy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[tuple[str, str]] = []
    monkeypatch.setattr("hds.lib.jobs.ring", lambda *words: rung.append(words))
    ring_for_refresh()
    assert rung == [("default", "hds.bookings.free_times.refresh")]
    keep(strategy, 3)
    ring_for_refresh()
    assert len(rung) == 1
    with time_machine.travel(utcnow() + FRESH, tick=False):
        ring_for_refresh()
    assert len(rung) == 2


def test_of_each_day_two_that_lie_apart() -> None:
    morning = datetime(2026, 12, 1, 14, tzinfo=UTC)
    of_day = [morning + timedelta(minutes=30 * number) for number in range(12)]
    times = [*of_day, *(time + timedelta(days=1) for time in of_day)]
    said = [iso_utc(time) for time in spread(reversed(times), NEW_YORK)]
    assert said == ["2026-12-01T14:00:00Z", "2026-12-01T16:00:00Z", "2026-12-02T14:00:00Z", "2026-12-02T16:00:00Z"]
    assert len(spread(times, NEW_YORK, 3)) == 3
    assert spread([], NEW_YORK) == []


def test_a_day_is_the_owners_day() -> None:
    late = datetime(2026, 12, 2, 0, 30, tzinfo=UTC)  # the evening before in New York
    early = datetime(2026, 12, 2, 15, tzinfo=UTC)
    times = [late, early, early + timedelta(hours=3)]
    assert spread(times, NEW_YORK) == times
