"""A day, and seven from it, of what is booked: in the owner's zone, side by side in overlap, whole when clocks change."""

import re
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from hds.admin.calendar import Entry, side_by_side
from hds.bookings.chain import FactKind, Person
from hds.bookings.models import Booking
from tests.factories import fact, make_booking

PAGE = "/admin/bookings/calendar"
numbers = count()


def book(start: str, kind: FactKind = FactKind.CONFIRMED, minutes: int = 30, name: str = "Priya") -> Booking:
    """At a time of UTC."""
    at = datetime.fromisoformat(start).replace(tzinfo=UTC)
    end = datetime.fromtimestamp(at.timestamp() + 60 * minutes, UTC)
    people = [Person(email="priya@acme.example", name=name)]
    return make_booking(f"uid{next(numbers)}", kind, start_at=at, end_at=end, attendees=people)


def days(page: str) -> dict[str, str]:
    """The sections of a page by their day."""
    parts = re.split(r'aria-labelledby="day-', page)[1:]
    return {part[:10]: part.partition("</section>")[0] for part in parts}


def places(part: str) -> list[str]:
    return re.findall(r'class="entry ([^"]+)"', part)


def test_a_week_begins_today_and_has_what_is_booked_where_its_time_is(
    noon: datetime, signed_in: FlaskClient, strategy: Any
) -> None:
    booking = book("2026-11-25T15:15")  # 10:15 in New York
    book("2026-11-26T15:00", FactKind.CANCELLED)
    book("2026-11-24T04:30")  # the evening before there
    page = signed_in.get(PAGE).text
    found = days(page)
    assert list(found) == [f"2026-11-{day}" for day in range(24, 31)]
    assert "10:15–10:45" in found["2026-11-25"]
    assert f'href="/admin/bookings/{booking.id}"' in found["2026-11-25"]
    assert places(found["2026-11-25"]) == ["h1 q1 for0 and2 alone"]
    assert "Nothing booked" in found["2026-11-26"]
    assert "Nothing booked" in found["2026-11-24"]
    assert "today" in found["2026-11-24"]


def test_earlier_and_later_are_seven_days_from_the_day_that_is_chosen(noon: datetime, signed_in: FlaskClient) -> None:
    page = signed_in.get(f"{PAGE}?day=2026-11-29").text  # a Sunday
    assert list(days(page))[::6] == ["2026-11-29", "2026-12-05"]
    leads = re.findall(r'view=week&amp;day=([\d-]+)"( rel="\w+"| aria-current="date")?>(\w+)', page)
    assert leads[:3] == [
        ("2026-11-22", ' rel="prev"', "Earlier"),
        ("2026-11-24", "", "Today"),
        ("2026-12-06", ' rel="next"', "Later"),
    ]
    assert 'day=2026-11-24" aria-current="date">Today' in signed_in.get(PAGE).text


def test_requests_are_marked_by_a_word_and_what_is_over_is_quiet(
    noon: datetime, signed_in: FlaskClient, strategy: Any
) -> None:
    book("2026-11-24T19:00", FactKind.REQUESTED)
    book("2026-11-24T15:00")
    past, asked = places(days(signed_in.get(f"{PAGE}?view=day").text)["2026-11-24"])
    assert (past.endswith(" past"), asked.endswith(" request")) == (True, True)
    assert '<b class="waits"><span>Requested</span></b>' in signed_in.get(f"{PAGE}?view=day").text


def test_who_did_not_come_has_another_sign_than_a_request_and_both_are_explained(
    noon: datetime, signed_in: FlaskClient, strategy: Any
) -> None:
    booking = book("2026-11-24T15:00")
    Booking.record(fact(booking.uid, FactKind.ABSENT, subject="priya@acme.example"))
    page = signed_in.get(f"{PAGE}?view=day").text
    assert '<b class="absent"><span>No show</span></b>' in page
    legend = page.partition('class="legend"')[2].partition("</p>")[0]
    assert ("Requested" in legend, "No show" in legend) == (True, True)


def test_what_overlaps_stands_side_by_side(noon: datetime, signed_in: FlaskClient, strategy: Any) -> None:
    for start, minutes in (("15:00", 60), ("15:30", 60), ("16:00", 30), ("18:00", 30)):
        book(f"2026-11-24T{start}", minutes=minutes)
    part = days(signed_in.get(f"{PAGE}?view=day&day=2026-11-24").text)["2026-11-24"]
    assert "lanes2" in part
    assert [place.split()[4] for place in places(part)] == ["lane0", "lane1", "lane0", "alone"]


def test_a_day_with_more_than_fit_side_by_side_is_a_list(noon: datetime, signed_in: FlaskClient, strategy: Any) -> None:
    for _ in range(7):
        book("2026-11-24T15:00")
    assert '<ol class="listed">' in signed_in.get(f"{PAGE}?view=day").text


@pytest.mark.parametrize(
    ("start", "day", "label", "place"),
    [
        # The clocks go back at two: 01:30 comes twice.
        ("2026-11-01T05:30", "2026-11-01", "01:30 EDT–02:00", "h0 q2 for0 and2"),
        ("2026-11-01T06:30", "2026-11-01", "01:30 EST–02:00", "h0 q2 for0 and2"),
        ("2027-03-14T06:45", "2027-03-14", "01:45–03:15", "h0 q3 for0 and2"),
    ],
)
def test_the_clocks_change(
    noon: datetime, signed_in: FlaskClient, strategy: Any, start: str, day: str, label: str, place: str
) -> None:
    book(start)
    part = days(signed_in.get(f"{PAGE}?view=day&day={day}").text)[day]
    assert f"The clocks go {'back' if day.startswith('2026') else 'forward'} on this day." in part
    expected = label.replace("02:00", "01:00 EST") if "EDT" in label else label
    assert expected in part
    assert places(part)[0].startswith(place)


def test_a_meeting_over_midnight_stands_on_both_days(noon: datetime, signed_in: FlaskClient, strategy: Any) -> None:
    book("2026-11-25T04:30", minutes=60)  # Tuesday 23:30 in New York
    found = days(signed_in.get(PAGE).text)
    assert "23:30–00:00" in found["2026-11-24"]
    assert "00:00–00:30" in found["2026-11-25"]
    assert places(found["2026-11-25"]) == ["h0 q0 for0 and2 alone"]


@pytest.mark.parametrize("asked", ["view=year", "day=soon", "day=2026-02-30", "day=9999-12-31", "day=0001-01-01"])
def test_whatever_the_address_says_there_is_a_calendar(noon: datetime, signed_in: FlaskClient, asked: str) -> None:
    answer = signed_in.get(f"{PAGE}?{asked}")
    assert (answer.status_code, "2026-11-24" in days(answer.text)) == (200, True)


def test_a_week_takes_the_same_few_queries_however_much_is_booked(
    noon: datetime, signed_in: FlaskClient, strategy: Any
) -> None:
    from sqlalchemy import event

    from hds.extensions import db

    for hour in range(10, 20):
        book(f"2026-11-25T{hour}:00")
    statements: list[str] = []
    engine = db.engine
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    signed_in.get(PAGE)
    assert len(statements) <= 4


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 12)), max_size=12))
def test_no_two_share_a_lane_at_one_time(spans: list[tuple[int, int]]) -> None:
    nobody, at = Booking(id=1), datetime(2026, 11, 24, tzinfo=UTC)
    placed = side_by_side([Entry(nobody, at, at, row, row + length) for row, length in spans])
    assert len(placed) == len(spans)
    for number, one in enumerate(placed):
        for other in placed[number + 1 :]:
            overlap = one.row < other.end and other.row < one.end
            assert not (overlap and (one.lane == other.lane or one.is_alone or other.is_alone))
