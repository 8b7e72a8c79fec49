"""The list of bookings: what is found, in which order, and that its URL says everything."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import html5lib
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from hds.bookings.chain import FactKind, Person
from hds.bookings.models import Booking
from hds.extensions import db
from hds.lib.times import utcnow
from tests.factories import ServiceFactory, in_days, make_booking

PAGE = "/admin/bookings"
FRAGMENT = {"HX-Request": "true", "HX-Request-Type": "partial"}
NEW_YORK = ZoneInfo("America/New_York")


def listed(client: FlaskClient, **query: Any) -> list[str]:
    """Who stands in the table, from top to bottom."""
    answer = client.get(PAGE, query_string=query, headers=FRAGMENT)
    assert answer.status_code == 200
    root = html5lib.parse(answer.text, namespaceHTMLElements=False)
    rows = [row for body in root.iter("tbody") for row in body.iter("tr")]
    return [" ".join(row[1].itertext()).split()[0] for row in rows]


def book(name: str, **given: Any) -> Booking:
    email = given.pop("email", f"{name.lower()}@acme.example")
    person = Person(email=email, name=f"{name} Smith", time_zone="Asia/Tokyo")
    return make_booking(given.pop("uid", f"uid-{name.lower()}"), attendees=[person], **given)


@pytest.fixture
def three(strategy: Any) -> None:
    book("Berta", start_at=in_days(2), title="Strategy with Berta")
    book("Anna", start_at=in_days(3), kind=FactKind.REQUESTED)
    book("Carl", start_at=in_days(1), event_type_id=77, title="Dinner at 100%")


def test_before_the_first_booking_it_says_how_one_comes(signed_in: FlaskClient) -> None:
    assert "No bookings yet" in signed_in.get(PAGE).text


def test_one_booking_shows_when_who_what_and_what_it_costs(signed_in: FlaskClient) -> None:
    ServiceFactory(cal_event_type_id=1002, name="Deep Dive")
    start = datetime(2027, 7, 6, 18, tzinfo=UTC)
    make_booking(event_type_id=1002, start_at=start, price=15000, currency="USD")
    make_booking(kind=FactKind.PAID, event_type_id=1002, start_at=start, price=15000, currency="USD")
    page = signed_in.get(PAGE).text
    for words in (
        "Tuesday 6 July 2027<br>14:00–14:30",
        "times in New York",
        "Priya Natarajan",
        "priya@acme.example",
        "Deep Dive",
        "Confirmed",
        "$150",
        "Paid",
        "1 booking,",
    ):
        assert words in page


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("berta", ["Berta"]),
        ("BERTA@ACME", ["Berta"]),
        ("uid-anna", ["Anna"]),
        ("smith carl", ["Carl"]),
        ("strategy", ["Anna", "Berta"]),
        ("dinner", ["Carl"]),
        ("100%", ["Carl"]),
        ("%", ["Carl"]),
        ("_", []),
        ("\\", []),
        ("nobody", []),
        ("   ", ["Anna", "Berta", "Carl"]),
        ("' OR 1=1 --", []),
    ],
)
def test_search_finds_every_word_in_name_address_title_or_id(
    signed_in: FlaskClient, three: None, q: str, found: list[str]
) -> None:
    assert listed(signed_in, q=q) == found


def test_search_knows_capitals_of_every_alphabet(signed_in: FlaskClient, strategy: Any) -> None:
    book("Zoë", email="z@acme.example", uid="z")
    assert listed(signed_in, q="ZOË") == ["Zoë"]


def test_search_finds_a_booking_by_a_uid_that_it_had_before_and_by_a_guest(
    signed_in: FlaskClient, strategy: Any
) -> None:
    make_booking("first")
    make_booking("second", FactKind.RESCHEDULED, previous_uid="first", guests=["guest@acme.example"])
    make_booking("late", FactKind.RESCHEDULED, previous_uid="never-seen", start_at=in_days(9))
    assert listed(signed_in, q="first") == ["Priya"]
    assert listed(signed_in, q="guest@") == ["Priya"]
    assert listed(signed_in, q="never-seen") == ["Priya"]


def test_status_means_what_it_is_now(signed_in: FlaskClient, three: None) -> None:
    book("Over", start_at=utcnow() - timedelta(days=1))
    book("Gone", start_at=in_days(4))
    book("Gone", start_at=in_days(4), kind=FactKind.CANCELLED)
    assert listed(signed_in, status="confirmed") == ["Berta", "Carl"]
    assert listed(signed_in, status="requested") == ["Anna"]
    assert listed(signed_in, status="completed") == ["Over"]
    assert listed(signed_in, status="cancelled") == ["Gone"]
    assert listed(signed_in, status="no_show") == []


def test_services_and_what_belongs_to_none(signed_in: FlaskClient, three: None) -> None:
    assert listed(signed_in, service="strategy-consultation") == ["Anna", "Berta"]
    assert listed(signed_in, service="other") == ["Carl"]
    assert listed(signed_in, service="no-such-service") == []


def test_days_are_the_owners(signed_in: FlaskClient, strategy: Any) -> None:
    """22:30 in New York is the next day in UTC."""
    book("Late", start_at=datetime(2026, 12, 1, 22, 30, tzinfo=NEW_YORK))
    book("Early", start_at=datetime(2026, 12, 2, 0, 0, tzinfo=NEW_YORK))
    assert listed(signed_in, **{"from": "2026-12-01", "to": "2026-12-01"}) == ["Late"]
    assert listed(signed_in, **{"from": "2026-12-02"}) == ["Early"]
    assert listed(signed_in, to="2026-12-01") == ["Late"]
    assert listed(signed_in, **{"from": "2026-12-02", "to": "2026-12-01"}) == []


def test_a_day_of_a_changed_clock_has_its_own_length(signed_in: FlaskClient, strategy: Any) -> None:
    book("Late", start_at=datetime(2026, 11, 1, 23, 30, tzinfo=NEW_YORK))  # 25 hours long
    assert listed(signed_in, **{"from": "2026-11-01", "to": "2026-11-01"}) == ["Late"]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("start", ["Carl", "Berta", "Anna"]),
        ("-start", ["Anna", "Berta", "Carl"]),
        ("who", ["Anna", "Berta", "Carl"]),
        ("-who", ["Carl", "Berta", "Anna"]),
        ("created", ["Berta", "Anna", "Carl"]),
        ("-created", ["Carl", "Anna", "Berta"]),
        ("drop table", ["Anna", "Berta", "Carl"]),
        ("--who", ["Anna", "Berta", "Carl"]),
    ],
)
def test_order(signed_in: FlaskClient, three: None, sort: str, order: list[str]) -> None:
    assert listed(signed_in, sort=sort) == order


def test_a_booking_of_unknown_time_comes_last_either_way(signed_in: FlaskClient, three: None) -> None:
    from hds.bookings.chain import Details, Fact

    Booking.record(Fact("stub", FactKind.PAID, utcnow(), details=Details()))
    db.session.commit()
    assert listed(signed_in, sort="start")[-1] == listed(signed_in, sort="-start")[-1] == "Nobody"


def test_headings_sort_and_keep_what_was_asked_for(signed_in: FlaskClient, three: None) -> None:
    page = signed_in.get(f"{PAGE}?q=smith&sort=who").text
    assert f'href="{PAGE}?q=smith&amp;sort=-who"' in page
    assert f'href="{PAGE}?q=smith&amp;sort=start"' in page
    assert 'aria-sort="ascending"' in page
    assert '<input type="hidden" name="sort" value="who" form="filters">' in page


def test_the_form_shows_what_the_url_says(signed_in: FlaskClient, three: None) -> None:
    page = signed_in.get(f"{PAGE}?q=smith&status=requested&service=other&from=2026-01-01&to=2027-01-01").text
    assert 'value="smith"' in page
    assert '<option value="requested" selected>' in page
    assert '<option value="other" selected>' in page
    assert 'value="2026-01-01"' in page
    assert "No booking matches" in page


HOSTILE = [
    "status=xyz",
    "page=-1",
    "page=0",
    "page=999999999999999999999",
    "page=" + "9" * 5000,
    "page=1e3",
    "page=١",
    "from=abc",
    "from=0001-01-01&to=9999-12-31",
    "from=2026-02-30",
    "to=2026-W01-1",
    "q=%ff%fe",
    "q=" + "a+" * 3000,
    "q=" + "%25" * 200,
    "status=confirmed&status=nonsense",
    "q=<script>alert(1)</script>",
    "q={{1234*1234}}",
]


@pytest.mark.parametrize("query", HOSTILE)
@pytest.mark.parametrize("headers", [{}, FRAGMENT])
def test_whatever_the_url_says_there_is_a_page(
    signed_in: FlaskClient, three: None, query: str, headers: dict[str, str]
) -> None:
    answer = signed_in.get(f"{PAGE}?{query}", headers=headers)
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "1522756" not in answer.text


def test_a_page_beyond_the_last_is_the_last(signed_in: FlaskClient, three: None) -> None:
    assert listed(signed_in, page="7") == listed(signed_in)


def test_htmx_gets_the_table_alone_and_its_count_aloud(signed_in: FlaskClient, three: None) -> None:
    answer = signed_in.get(f"{PAGE}?q=smith", headers=FRAGMENT)
    assert answer.text.lstrip().startswith('<div id="bookings">')
    assert '<hx-partial hx-target="#status" hx-swap="innerHTML">3 bookings found</hx-partial>' in answer.text
    assert "HX-Request-Type" in answer.headers["Vary"]
    assert "HX-Request-Type" in signed_in.get(PAGE).headers["Vary"]


def test_today_and_next_stands_above_the_unfiltered_list_alone(signed_in: FlaskClient, three: None) -> None:
    book("Over", start_at=utcnow() - timedelta(days=1))
    book("Now", start_at=utcnow() - timedelta(minutes=10))
    page = signed_in.get(PAGE).text
    agenda = page[page.index('class="agenda"') : page.index("</ol>")]
    assert re.findall(r"<bdi>(\w+) Smith", agenda) == ["Now", "Carl", "Berta", "Anna"]
    assert "Today" in agenda or utcnow().astimezone(NEW_YORK).hour == 0
    assert "Today and next" not in signed_in.get(f"{PAGE}?q=smith").text


@pytest.fixture
def five_hundred(strategy: Any) -> None:
    from hds.bookings.chain import BookingStatus
    from hds.contacts.models import Contact

    for number in range(500):
        contact = Contact(email=f"person{number}@acme.example", name=f"P{number:03}")
        db.session.add(contact)
        db.session.flush()
        start = in_days(1) + timedelta(hours=number)
        values = {"status": BookingStatus.CONFIRMED, "status_at": utcnow(), "service_id": strategy.id}
        booking = Booking(uid=f"u{number}", contact_id=contact.id, start_at=start, end_at=start, **values)
        db.session.add(booking)
    db.session.commit()


def test_five_hundred_come_in_pages_of_fifty(signed_in: FlaskClient, five_hundred: None) -> None:
    seen = [name for page in range(1, 11) for name in listed(signed_in, page=page, sort="start")]
    assert seen == [f"P{number:03}" for number in range(500)]
    page = signed_in.get(f"{PAGE}?sort=start&page=2&status=confirmed").text
    assert "500 bookings," in page
    assert "status=confirmed&amp;sort=start" in page
    assert 'rel="prev"' in page
    assert 'rel="next"' in page


def test_a_long_list_takes_no_more_queries_than_a_short_one(
    app: Flask, signed_in: FlaskClient, five_hundred: None
) -> None:
    statements: list[str] = []
    with app.app_context():
        engine = db.engine

    def count(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", count)
    try:
        signed_in.get(PAGE)
    finally:
        event.remove(engine, "before_cursor_execute", count)
    assert len(statements) <= 9
