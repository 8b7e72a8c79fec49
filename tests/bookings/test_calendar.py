"""The month that is shown, for every zone, month and odd address."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hds.bookings.calendar import (
    MONTHS_AHEAD,
    following,
    nearest,
    parts_of_day,
    read_start,
    read_wish,
    weeks,
    zone_choices,
)
from hds.lib.times import by_twelve, reads_by_twelve, say_moment, zone_names

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def wish(**asked: str):
    return read_wish(asked, NEW_YORK, NOW)


def test_nothing_asked_is_this_month_in_the_owners_zone() -> None:
    shown = wish()
    assert (shown.month, shown.day, shown.zone) == (date(2026, 11, 1), None, NEW_YORK)
    assert shown.is_open
    assert not shown.names_zone
    assert shown.earlier is None
    assert shown.later == date(2026, 12, 1)


def test_a_day_brings_its_month_and_a_month_keeps_its_day() -> None:
    assert wish(day="2026-12-03").month == date(2026, 12, 1)
    assert wish(day="2026-12-03", month="2026-12").day == date(2026, 12, 3)
    assert wish(day="2026-12-03", month="2027-01").day is None


@pytest.mark.parametrize(
    "asked",
    [
        {"month": "abc"},
        {"month": "2026-13"},
        {"month": "2026-00"},
        {"month": "0000-01"},
        {"month": "9999-12"},
        {"month": "2026-10"},
        {"month": "2028-01"},
        {"month": "２０２６-12"},
        {"month": "2026-12-01"},
        {"day": "2026-11-31"},
        {"day": "2026-02-29"},
        {"day": "yesterday"},
        {"day": "2026-11-21"},
        {"day": "9999-12-31"},
        {"day": "0001-01-01"},
        {"zone": "Foo/Bar"},
        {"zone": "../../etc/passwd"},
        {"zone": "\x00"},
        {"zone": ""},
    ],
)
def test_what_cannot_be_shown_is_left_out(asked: dict[str, str]) -> None:
    shown = wish(**asked)
    assert (shown.month, shown.day, shown.zone.key) == (date(2026, 11, 1), None, "America/New_York")


def test_today_is_the_visitors() -> None:
    """At noon in UTC it is tomorrow in Kiritimati (+14) and midnight has just come to the line's other side (-12)."""
    assert wish(zone="Pacific/Kiritimati").today == date(2026, 11, 23)
    assert wish(zone="Etc/GMT+12").today == date(2026, 11, 22)
    new_year = datetime(2026, 12, 31, 11, tzinfo=UTC)
    assert read_wish({"zone": "Pacific/Kiritimati"}, NEW_YORK, new_year).month == date(2027, 1, 1)


def test_leap_day_can_be_chosen() -> None:
    shown = read_wish({"day": "2028-02-29"}, NEW_YORK, datetime(2028, 2, 1, 12, tzinfo=UTC))
    assert (shown.day, shown.last_day) == (date(2028, 2, 29), date(2028, 2, 29))


def test_months_end_a_year_ahead() -> None:
    last = wish(month="2027-11")
    assert last.month == date(2027, 11, 1)
    assert last.later is None
    assert last.earlier == date(2027, 10, 1)


@given(st.dates(date(2000, 1, 1), date(2098, 1, 1)), st.integers(-24, 24))
def test_months_follow_each_other(day: date, count: int) -> None:
    there = following(day, count)
    assert there.day == 1
    assert following(there, -count) == day.replace(day=1)


@given(st.dates(date(2000, 1, 1), date(2098, 1, 1)))
def test_a_month_has_each_day_once_below_its_weekday(day: date) -> None:
    rows = weeks(day.replace(day=1))
    days = [(cell, column) for row in rows for column, cell in enumerate(row) if cell]
    assert all(cell.weekday() == column for cell, column in days)
    assert [cell.day for cell, _ in days] == list(range(1, (following(day) - timedelta(1)).day + 1))


@given(
    st.dictionaries(st.sampled_from(["month", "day", "zone"]), st.text(max_size=40)),
    st.datetimes(datetime(2000, 1, 2), datetime(2098, 1, 1), timezones=st.just(UTC)),
)
def test_no_address_breaks_it(asked: dict[str, str], now: datetime) -> None:
    shown = read_wish(asked, NEW_YORK, now)
    assert shown.today.replace(day=1) <= shown.month <= following(shown.today, MONTHS_AHEAD)


def test_the_day_has_three_parts() -> None:
    zone = ZoneInfo("Europe/London")
    times = [datetime(2026, 12, 3, hour, tzinfo=zone) for hour in (0, 11, 12, 16, 17, 23)]
    assert [(name, len(group)) for name, group in parts_of_day(times)] == [
        ("Morning", 2),
        ("Afternoon", 2),
        ("Evening", 2),
    ]
    assert parts_of_day([]) == []


@pytest.mark.parametrize(
    ("zone", "first", "labels"),
    [
        (
            "Europe/London",
            datetime(2027, 10, 31, 0, 0, tzinfo=UTC),
            ["01:00 BST", "01:30 BST", "01:00 GMT", "01:30 GMT"],
        ),
        (
            "America/New_York",
            datetime(2027, 11, 7, 5, 0, tzinfo=UTC),
            ["01:00 EDT", "01:30 EDT", "01:00 EST", "01:30 EST"],
        ),
    ],
)
def test_the_hour_that_comes_twice_is_told_apart(zone: str, first: datetime, labels: list[str]) -> None:
    times = [(first + timedelta(minutes=30 * n)).astimezone(ZoneInfo(zone)) for n in range(4)]
    [(_, group)] = parts_of_day(times)
    assert [label for _, label in group] == labels


def test_the_hour_that_is_left_out_is_left_out() -> None:
    times = [datetime(2027, 3, 28, 0, 30, tzinfo=UTC) + timedelta(minutes=30 * n) for n in range(3)]
    [(_, group)] = parts_of_day([moment.astimezone(ZoneInfo("Europe/London")) for moment in times])
    assert [label for _, label in group] == ["00:30", "02:00", "02:30"]


def test_the_nearest_come_in_the_order_of_the_clock_and_without_the_wanted_one() -> None:
    start = datetime(2026, 12, 3, 10, tzinfo=UTC)
    free = [start + timedelta(hours=hours) for hours in (-30, -2, -1, 0, 1, 3, 50)]
    days = {moment.date(): [other for other in free if other.date() == moment.date()] for moment in free}
    assert nearest(days, start, 3) == [start + timedelta(hours=hours) for hours in (-2, -1, 1)]
    assert nearest({}, start, 3) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "2026-11-22T11:59:59Z",
        "2026-12-03T10:00:00",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "2029-01-01T00:00:00Z",
    ],
)
def test_a_start_that_cannot_be_booked_is_none(text: str) -> None:
    assert read_start(text, NOW) is None


def test_a_start_is_read_in_any_offset() -> None:
    assert read_start("2026-12-03T10:00:00-05:00", NOW) == datetime(2026, 12, 3, 15, tzinfo=UTC)


def test_every_zone_can_be_chosen_once() -> None:
    names = [name for _, places in zone_choices() for name, _ in places]
    assert sorted(names) == sorted(zone_names())


@pytest.mark.parametrize(
    ("language", "twelve"),
    [
        *(("en-US", True), ("en", True), ("hi-IN", True), ("en-GB", False), ("de", False), ("fr-CA", False)),
        *(("", False), ("x-klingon", False), ("../etc", False), ("zz-ZZ", False)),
    ],
)
def test_a_language_says_how_its_readers_write_the_clock(language: str, twelve: bool) -> None:
    assert reads_by_twelve(language) is twelve


def test_the_clock_by_twelve_hours() -> None:
    zone = ZoneInfo("Europe/London")
    times = [datetime(2026, 12, 3, hour, 5, tzinfo=zone) for hour in (0, 11, 12, 13, 23)]
    before = by_twelve.set(True)
    try:
        labels = [label for _, group in parts_of_day(times) for _, label in group]
        said = ["12:05 am", "11:05 am", "12:05 pm", "1:05 pm", "11:05 pm"]
        assert labels == [words.replace(" ", "\N{NO-BREAK SPACE}") for words in said]
        assert say_moment(times[3], zone).endswith(", 1:05\N{NO-BREAK SPACE}pm (London)")
    finally:
        by_twelve.reset(before)
    assert say_moment(times[3], zone).endswith(", 13:05 (London)")
