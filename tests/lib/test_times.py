"""UTC inside, a named zone at the edge."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
import time_machine

from hds.lib import times

NEW_YORK, LONDON = ZoneInfo("America/New_York"), ZoneInfo("Europe/London")


def test_now_is_aware_and_utc():
    assert times.utcnow().tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-12-03T15:00:00Z", datetime(2026, 12, 3, 15, tzinfo=UTC)),
        ("2026-12-03T15:00:00.123Z", datetime(2026, 12, 3, 15, 0, 0, 123000, tzinfo=UTC)),
        ("2026-12-03T10:00:00-05:00", datetime(2026, 12, 3, 15, tzinfo=UTC)),
        ("2026-12-03T20:00:00 05:00", datetime(2026, 12, 3, 15, tzinfo=UTC)),  # a + that came through a query string
        ("2026-12-03T15:00:00", None),
        ("2026-12-03", None),
        ("", None),
        ("tomorrow", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("2026-02-30T00:00:00Z", None),
        ("\x00", None),
    ],
)
def test_only_a_moment_with_its_offset_is_one(text, moment):
    assert times.parse_utc(text) == moment


def test_one_spelling_leaves_the_house():
    moment = datetime(2026, 12, 3, 10, 0, 0, 999, tzinfo=timezone(timedelta(hours=-5)))
    assert times.iso_utc(moment) == "2026-12-03T15:00:00Z"


@pytest.mark.parametrize("name", ["Europe/Kyiv", "Europe/Kiev", "Asia/Calcutta", "Etc/GMT+12", "UTC"])
def test_aliases_are_zones(name):
    assert times.zone_or_none(name).key == name


@pytest.mark.parametrize("name", ["Mars/Olympus", "", None, "../etc/passwd", "europe/london", "America/New_York\x00"])
def test_what_is_no_zone_is_none(name):
    assert times.zone_or_none(name) is None


def test_people_choose_among_places():
    names = times.zone_names()
    assert {"America/New_York", "Europe/London", "Pacific/Kiritimati", "UTC"} <= set(names)
    assert not {"EST5EDT", "Etc/GMT+12", "GMT"} & set(names)
    assert list(names[:-1]) == sorted(names[:-1])


@time_machine.travel(datetime(2026, 11, 22, tzinfo=UTC))
def test_a_day_says_its_year_only_where_it_is_another():
    assert times.say_day(date(2026, 12, 3)) == "Thursday 3 December"
    assert times.say_day(date(2027, 1, 1)) == "Friday 1 January 2027"
    assert times.say_day(date(2028, 2, 29)) == "Tuesday 29 February 2028"


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (datetime(2026, 3, 8, 6, 59, tzinfo=UTC), "01:59"),
        (datetime(2026, 3, 8, 7, 0, tzinfo=UTC), "03:00"),  # the clock went forward
        (datetime(2026, 11, 1, 4, 30, tzinfo=UTC), "00:30"),
        (datetime(2026, 11, 1, 5, 30, tzinfo=UTC), "01:30 EDT"),
        (datetime(2026, 11, 1, 6, 30, tzinfo=UTC), "01:30 EST"),  # and back
    ],
)
def test_the_time_follows_the_zones_clock(moment, said):
    assert times.say_time(moment, NEW_YORK) == said


@time_machine.travel(datetime(2026, 11, 22, tzinfo=UTC))
def test_a_moment_says_day_time_and_place():
    moment = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert times.say_moment(moment, NEW_YORK) == "Thursday 31 December, 18:30 (New York)"
    assert times.say_moment(moment, ZoneInfo("Pacific/Kiritimati")) == "Friday 1 January 2027, 13:30 (Kiritimati)"
    assert times.say_moment(moment, ZoneInfo("UTC")) == "Thursday 31 December, 23:30 (UTC)"
    assert times.say_moment(moment, ZoneInfo("America/Argentina/Buenos_Aires")).endswith("20:30 (Buenos Aires)")


def test_the_machines_own_zone_changes_nothing(monkeypatch):
    import time

    moment = datetime(2026, 12, 3, 15, tzinfo=UTC)
    said = times.say_moment(moment, LONDON)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert times.say_moment(moment, LONDON) == said
        assert times.iso_utc(times.parse_utc("2026-12-03T15:00:00Z")) == "2026-12-03T15:00:00Z"
    finally:
        monkeypatch.undo()
        time.tzset()
