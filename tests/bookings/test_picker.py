"""Lengths to choose from, windows, empty months, another time for a booking that there is."""

import itertools
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

from hds.bookings.availability import openings
from hds.bookings.booker import Booker
from hds.bookings.calendar import Wish, following
from hds.bookings.models import BookingAttempt
from hds.bookings.picker import Picker
from hds.calcom.answers import EventType
from hds.calcom.booker import Choice, Kind
from hds.calcom.client import CalClient, Target
from hds.extensions import db
from hds.lib.times import parse_utc
from tests.bookings.test_holds import Chooser
from tests.bookings.visitor import Visitor

MADE = "/book-consultation/made"
ZONE = ZoneInfo("America/New_York")
TODAY = date(2026, 11, 22)  # a Sunday


@pytest.mark.parametrize(
    ("window", "first", "last"),
    [
        (None, TODAY, None),
        ({"disabled": True}, TODAY, None),
        ([{"type": "calendarDays", "value": 2, "rolling": False}], TODAY, date(2026, 11, 24)),
        ([{"type": "calendarDays", "value": 2, "rolling": True}], TODAY, None),
        ([{"type": "businessDays", "value": 5}], TODAY, date(2026, 11, 27)),
        ([{"type": "businessDays", "value": 6}], TODAY, date(2026, 11, 30)),
        ({"type": "range", "value": ["2027-03-01", "2027-03-31T00:00:00.000Z"]}, date(2027, 3, 1), date(2027, 3, 31)),
        ({"type": "range", "value": ["2020-01-01"]}, TODAY, None),
        ({"type": "range", "value": 7}, TODAY, None),
        ({"type": "calendarDays", "value": -1}, TODAY, None),
        ({"type": "businessDays", "value": 10**9}, TODAY, None),
        ("soon", TODAY, None),
    ],
)
def test_a_window_says_from_when_and_until_when(window: object, first: date, last: date | None) -> None:
    event_type = EventType.model_validate({"id": 1, "bookingWindow": window})
    assert event_type.window.bounds(TODAY) == (first, last)


@pytest.mark.parametrize(
    ("window", "zone", "month"),
    [
        (["2026-11-25", "2026-11-30"], "Pacific/Kiritimati", date(2026, 12, 1)),
        (["2026-12-01", "2026-12-10"], "Pacific/Pago_Pago", date(2026, 11, 1)),
    ],
)
def test_a_window_is_of_the_owners_days_and_a_visitors_may_lie_beside_it(
    window: list[str], zone: str, month: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last evening is the first morning of the next month elsewhere."""
    slot = datetime(2026, 12, 1, 4, tzinfo=UTC).astimezone(ZoneInfo(zone))
    assert slot.date().replace(day=1) == month
    event_type = EventType.model_validate({"id": 1, "bookingWindow": {"type": "range", "value": window}})
    booker = Booker(Choice(Kind.NATIVE), Target(1), (), event_type)
    monkeypatch.setattr("hds.bookings.availability._slots", lambda *given: {slot.date(): [slot]})
    found = openings(booker, Wish(ZoneInfo(zone), TODAY, month))
    assert found.times == [slot]
    monkeypatch.setattr("hds.bookings.availability._slots", lambda *given: {})
    empty = openings(booker, Wish(ZoneInfo(zone), TODAY, month))
    assert empty.is_too_early is (empty.opens is not None and empty.opens > slot.date())
    assert empty.is_too_early is not empty.is_too_late  # which the page says of an empty month


@pytest.mark.parametrize(
    ("options", "usual", "asked", "lasts"),
    [
        ([30], 30, 30, None),
        ([], 30, 60, None),
        ([60, 30, 30], 30, None, 30),
        ([60, 30], 30, 60, 60),
        ([60, 30], 30, 45, 30),
        ([60, 90], 30, None, 60),
        ([60, "90", 0, 99999], 30, None, None),
    ],
)
def test_a_length_is_one_of_those_there_are(
    options: list[Any], usual: int, asked: int | None, lasts: int | None
) -> None:
    event_type = EventType.model_validate({"id": 1, "lengthInMinutes": usual, "lengthInMinutesOptions": options})
    assert Booker(Choice(Kind.NATIVE), Target(1), (), event_type).lasting(asked).minutes == lasts


def test_the_chosen_length_goes_all_the_way(
    cal: CalClient, client: FlaskClient, make_type: Callable[..., Any], app: Any
) -> None:
    make_type(lengthInMinutesOptions=[30, 120])
    page = client.get(f"{MADE}?zone=UTC").text
    assert re.search(r'value="30" checked', page)
    short, long = (
        len(re.findall(r'name="start"', client.get(f"{MADE}?zone=UTC&duration={n}").text)) for n in (30, 120)
    )
    assert long < short
    chooser = Chooser(app, "made")
    chooser.shown = chooser.client.get(f"{MADE}?duration=120&zone=UTC").text
    assert re.search(r'action="/book-consultation/made/hold\?zone=UTC&amp;duration=120"', chooser.shown)
    start = re.findall(r'name="start" value="([^"]+)"', chooser.shown)[-1]
    url = f"{MADE}/details?start={start}&zone=UTC&duration=120"
    form = chooser.client.get(url).text
    assert "120 minutes" in form
    visitor = Visitor(chooser.client, start, "made")
    visitor.url = url
    receipt = visitor.send().location
    assert "120 minutes" in chooser.client.get(receipt).text
    attempt = db.session.scalars(db.select(BookingAttempt)).unique().one()
    booking = cal.booking(attempt.booking_uid or "")
    assert booking.end_at - booking.start_at == timedelta(minutes=120)


def test_what_an_address_answers_stays_on_the_way(
    cal: CalClient, client: FlaskClient, make_type: Callable[..., Any]
) -> None:
    make_type(bookingFields=[{"type": "text", "slug": "plan", "label": "Plan", "required": True, "hidden": False}])
    page = client.get(f"{MADE}?plan=Gold&email=priya@acme.example&name=Priya").text
    assert "plan=Gold" in page
    assert "priya" not in page.lower()
    action = re.search(r'action="(\S+/hold\?\S+)"', page)
    assert action
    assert "plan=Gold" in action[1]


def test_a_month_after_the_window_says_until_when(
    cal: CalClient, client: FlaskClient, make_type: Callable[..., Any]
) -> None:
    make_type(bookingWindow={"type": "calendarDays", "value": 10})
    far = (datetime.now(UTC) + timedelta(days=120)).strftime("%Y-%m")
    page = client.get(f"{MADE}?month={far}").text
    assert "Times can be booked until" in page
    assert 'id="later"' not in page


def test_a_range_far_ahead_is_found_and_months_before_it_say_so(
    cal: CalClient, client: FlaskClient, make_type: Callable[..., Any]
) -> None:
    """Beyond the three months that are asked for at once."""
    first = following(datetime.now(UTC).date(), 8)
    make_type(bookingWindow={"type": "range", "value": [first.isoformat(), (first + timedelta(13)).isoformat()]})
    page = client.get(MADE).text
    assert f"<caption>{first:%B %Y}</caption>" in page
    assert page.count('name="start"') > 5
    page = client.get(f"{MADE}?month={following(first, -3):%Y-%m}").text
    assert "Times can be booked from" in page
    assert re.search(rf"Next free day: \w+ \d+ {first:%B}", page)


def test_nothing_is_asked_for_without_end(monkeypatch: pytest.MonkeyPatch, cal: CalClient) -> None:
    """Somebody who has nothing free for a year: a few questions, and an end."""
    asked: list[tuple[date, date]] = []

    def nothing(target: Target, first: date, last: date, *given: Any, **more: Any) -> dict[date, list[datetime]]:
        asked.append((first, last))
        return {}

    monkeypatch.setattr(cal, "slots", nothing)
    found = openings(Booker(Choice(Kind.NATIVE), Target(1), ()), Wish(ZONE, TODAY, TODAY.replace(day=1), is_open=True))
    assert found.next_free is None
    assert 4 <= len(asked) <= 6
    assert all(before[1] < after[0] for before, after in itertools.pairwise(asked))


def test_another_time_for_a_booking_counts_its_own_as_free(
    cal: CalClient, client: FlaskClient, strategy: Any, free_times: Callable[..., list[str]]
) -> None:
    start = free_times(days=14)[2]
    Visitor(client, start).send()
    attempt = db.session.scalars(db.select(BookingAttempt)).unique().one()
    moment = parse_utc(start)
    assert moment
    day = moment.astimezone(ZONE).date()
    wish = Wish(ZONE, datetime.now(ZONE).date(), day.replace(day=1), day)
    booker = Booker(Choice(Kind.NATIVE), Target(1001), ())
    assert moment not in openings(booker, wish).times
    moving = Booker(Choice(Kind.NATIVE), Target(1001), (), moving=attempt.booking_uid)
    found = openings(moving, wish)
    assert moment in found.times
    picker = Picker(found, "/bookings/x", "/bookings/x/times", "/bookings/x/move", {"reason": "late & more"})
    assert picker.chosen == "/bookings/x/move?zone=America%2FNew_York&reason=late+%26+more"
    assert picker.piece_at(day.replace(day=1), day).startswith(f"/bookings/x/times?month={day:%Y-%m}&day={day}&zone=")
    assert (attempt.booking_uid or "") not in picker.chosen + picker.page_at()


def clock_changes(zone: ZoneInfo) -> list[date]:
    """The months of the next year in which this zone's clocks change, as their first days."""
    this = datetime.now(UTC).date().replace(day=1)
    months = [following(this, count) for count in range(1, 13)]

    def offset(day: date) -> timedelta | None:
        return datetime.combine(day, datetime.min.time(), zone).utcoffset()

    return [month for month in months if offset(month) != offset(following(month))]


@pytest.mark.parametrize(
    "zone", ["Etc/GMT+12", "America/New_York", "Europe/London", "Australia/Lord_Howe", "Pacific/Kiritimati"]
)
def test_each_day_of_a_month_has_its_own_times_across_both_clock_changes(
    cal: CalClient, client: FlaskClient, make_type: Callable[..., Any], zone: str
) -> None:
    """The host works from nine to five in New York, on weekdays, whatever the clocks do there or here."""
    there, here = ZoneInfo("America/New_York"), ZoneInfo(zone)
    months = sorted({*clock_changes(there), *clock_changes(here)})
    assert len(months) >= 2
    last = following(months[-1], 2)
    make_type(bookingWindow={"type": "range", "value": [months[0].isoformat(), last.isoformat()]})
    for month in months:
        shown: list[datetime] = []
        page = client.get(MADE, query_string={"month": f"{month:%Y-%m}", "zone": zone}).text
        days = re.findall(r'id="day-(\S+)"[^>]+aria-label="[^,]+, (\d+) free', page)
        for day, count in [*days[:1], *days[len(days) // 2 :: 4]]:
            page = client.get(MADE, query_string={"day": day, "zone": zone}).text
            times = [(parse_utc(start), label) for start, label in TIMES.findall(page)]
            assert len(times) == int(count)
            for start, label in times:
                assert start
                local = start.astimezone(here)
                assert (local.date().isoformat(), f"{local:%H:%M}") == (day, label.split()[0])
                assert 9 <= start.astimezone(there).hour < 17
                shown.append(start)
        assert shown


TIMES = re.compile(r'name="start" value="([^"]+)"><time[^>]*>([^<]+)<')
