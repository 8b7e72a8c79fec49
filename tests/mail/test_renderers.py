"""The words of each mail: who, what, when, in the reader's time, and nothing that somebody slipped in."""

from datetime import UTC, datetime

import html5lib
import pytest
import time_machine

from hds.bookings.chain import FactKind, Person
from hds.bookings.models import Booking
from hds.extensions import db
from hds.mail import renderers
from hds.mail.models import Message
from hds.mail.transports import compose
from tests.factories import ServiceFactory, fact, make_booking

KINDS = ["booking_confirmed", "booking_requested", "owner_booking_confirmed", "owner_booking_requested"]
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _winter(app):
    with time_machine.travel(NOW, tick=False):
        ServiceFactory(cal_event_type_id=1001)
        yield


def write(kind: str = "booking_confirmed", **given) -> renderers.Rendered:
    """The mail of that kind about a booking with these details."""
    state = FactKind.CONFIRMED if kind.endswith("confirmed") else FactKind.REQUESTED
    make_booking(kind=state, **{"start_at": datetime(2026, 3, 3, 15, 0, tzinfo=UTC)} | given)
    return renderers.render(db.session.scalars(db.select(Message).filter_by(kind=kind)).one())


def person(**changed) -> list[Person]:
    known = {"email": "priya@acme.example", "name": "Priya Natarajan", "time_zone": "America/New_York"}
    return [Person(**known | changed)]


def parsed(html: str):
    return html5lib.HTMLParser(namespaceHTMLElements=False).parse(html)


def words_of(html: str) -> str:
    return " ".join("".join(parsed(html).find("body").itertext()).split())


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_line_says_what_and_when(kind):
    mail = write(kind)
    when = "Tuesday 3 March, 10:00 (New York)"
    assert when in mail.text.splitlines()[0]
    assert "Free Strategy Consultation" in mail.text.splitlines()[0]
    assert when in mail.subject
    assert "Free Strategy Consultation" in mail.html.partition("<h1")[0]


def test_each_is_told_with_whom(app):
    assert "Hudson Digital Solutions" in write("booking_confirmed").text.splitlines()[0]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("owner")])
def test_the_owner_reads_who_it_is_and_answers_to_them(kind):
    mail = write(kind, attendees=person(phone="+44 20 7946 0000"), notes="About our shop", answers={"size": ["a", "b"]})
    for words in (mail.text, words_of(mail.html)):
        assert "Priya Natarajan" in words
        assert "priya@acme.example" in words
        assert "+44 20 7946 0000" in words
        assert "About our shop" in words
        assert "a, b" in words
        assert "/admin/bookings/" in mail.text
    assert mail.reply_to == "priya@acme.example"
    assert "Priya Natarajan" in mail.subject


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("owner")])
def test_the_booker_answers_to_the_owner_and_sees_no_notes(kind):
    mail = write(kind, notes="About our shop")
    assert mail.reply_to == "owner@hudson.example"
    assert "Priya Natarajan" in mail.text
    assert "About our shop" not in mail.text + mail.html


def test_a_request_does_not_read_like_a_confirmation():
    mail = write("booking_requested")
    assert mail.subject.startswith("Requested: ")
    assert "Not confirmed yet" in mail.text.splitlines()[0]
    assert "is confirmed" not in mail.text + mail.html


@pytest.mark.parametrize("kind", KINDS)
def test_the_html_is_a_page_that_everybody_can_read(kind):
    tree = parsed(write(kind, guests=["lee@acme.example"], price=15000, currency="EUR").html)
    assert (tree.get("lang"), tree.get("dir")) == ("en", "ltr")
    assert tree.find(".//title").text
    assert len(tree.findall(".//h1")) == 1
    assert all(table.get("role") == "presentation" for table in tree.iter("table"))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_fetched_when_it_is_opened(kind):
    mail = write(kind)
    tree = parsed(mail.html)
    assert not [element.tag for element in tree.iter() if element.get("src") or element.get("background")]
    assert not tree.findall(".//link")
    assert "url(" not in mail.html
    assert "@import" not in mail.html


def test_styles_stand_in_the_elements_and_the_dark_ones_in_a_sheet():
    html = write().html
    assert parsed(html).find(".//h1").get("style")
    assert "prefers-color-scheme: dark" in html
    assert len(html.encode()) < 102_000, "Gmail cuts it"


@pytest.mark.parametrize(
    ("zone", "start", "said"),
    [
        ("Europe/London", datetime(2026, 3, 28, 10, 0, tzinfo=UTC), "Saturday 28 March, 10:00 (London)"),
        ("Europe/London", datetime(2026, 3, 29, 10, 0, tzinfo=UTC), "Sunday 29 March, 11:00 (London)"),
        ("America/New_York", datetime(2026, 11, 1, 5, 30, tzinfo=UTC), "Sunday 1 November, 01:30 EDT (New York)"),
        ("America/New_York", datetime(2026, 11, 1, 15, 0, tzinfo=UTC), "Sunday 1 November, 10:00 (New York)"),
        ("Europe/Kiev", datetime(2026, 7, 1, 10, 0, tzinfo=UTC), "Wednesday 1 July, 13:00 (Kiev)"),
        ("Europe/Kyiv", datetime(2026, 7, 1, 10, 0, tzinfo=UTC), "Wednesday 1 July, 13:00 (Kyiv)"),
        ("Pacific/Kiritimati", datetime(2026, 12, 31, 11, 0, tzinfo=UTC), "Friday 1 January 2027, 01:00 (Kiritimati)"),
        ("Etc/GMT+12", datetime(2026, 7, 1, 10, 0, tzinfo=UTC), "Tuesday 30 June, 22:00 (GMT+12)"),
        ("Asia/Kathmandu", datetime(2026, 7, 1, 10, 0, tzinfo=UTC), "Wednesday 1 July, 15:45 (Kathmandu)"),
        ("UTC", datetime(2028, 2, 29, 10, 0, tzinfo=UTC), "Tuesday 29 February 2028, 10:00 (UTC)"),
    ],
)
def test_the_time_is_the_readers(zone, start, said):
    mail = write(start_at=start, attendees=person(time_zone=zone))
    assert said in mail.subject
    assert said in mail.text
    assert said in words_of(mail.html)


def test_the_owner_reads_their_own_time_first_and_the_bookers_beside_it(app, monkeypatch):
    monkeypatch.setitem(app.config, "HDS", app.config["HDS"].model_copy(update={"owner_time_zone": "Europe/Berlin"}))
    mail = write("owner_booking_confirmed")
    assert "Tuesday 3 March, 16:00 (Berlin)" in mail.subject
    assert "Tuesday 3 March, 10:00 (New York)" in mail.text
    assert "(New York)" not in mail.subject


@pytest.mark.parametrize("zone", [None, "Mars/Olympus"])
def test_without_a_zone_it_is_the_owners(zone):
    assert "Tuesday 3 March, 10:00 (New York)" in write(attendees=person(time_zone=zone)).subject


def test_each_booker_of_a_seat_reads_their_own_time_and_name():
    lee = person(email="lee@acme.example", name="Lee", time_zone="Europe/London")
    write()
    Booking.record(
        fact("uid1", FactKind.CONFIRMED, start_at=datetime(2026, 3, 3, 15, tzinfo=UTC), subject="priya@acme.example")
    )
    Booking.record(
        fact(
            "uid1",
            FactKind.CONFIRMED,
            start_at=datetime(2026, 3, 3, 15, tzinfo=UTC),
            attendees=lee,
            subject="lee@acme.example",
        )
    )
    db.session.commit()
    message = db.session.scalars(db.select(Message).filter_by(recipient="lee@acme.example")).one()
    mail = renderers.render(message)
    assert "15:00 (London)" in mail.subject
    assert "Hello Lee," in mail.text
    assert "Priya" not in mail.text


HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{7*7}}", "{% raise %}", "'-- &amp;", "👩‍💻"]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", KINDS)
def test_what_somebody_typed_is_text_and_nothing_else(kind, name):
    mail = write(
        kind,
        attendees=person(name=name),
        notes=name,
        answers={name: name},
        guests=[],
        meeting_url="https://x.example/?a=<b>",
    )
    tree = parsed(mail.html)
    assert not tree.findall(".//script")
    assert not tree.findall(".//img")
    assert not [a for element in tree.iter() for a in element.attrib if str(a).startswith("on")]
    assert name in mail.text
    assert " ".join(name.split()) in words_of(mail.html)


def test_no_name_adds_a_header(app):
    write("owner_booking_confirmed", attendees=person(name="Priya\r\nBcc: all@evil.example\u2028X-Evil: 1"))
    message = db.session.scalars(db.select(Message).filter_by(kind="owner_booking_confirmed")).one()
    words = renderers.render(message)
    message.rendered(words.subject, words.text, words.html, words.reply_to)
    email = compose(message).email
    assert "Bcc" not in email
    assert "X-Evil" not in email
    assert len(email["Subject"].splitlines()) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_booking_of_which_little_is_known_makes_a_mail_without_gaps(kind):
    mail = write(kind, attendees=person(name="", time_zone=None), meeting_url=None, title=None)
    for words in (mail.subject, mail.text, words_of(mail.html)):
        assert "None" not in words
        assert "Hello ," not in words
    assert "Where" not in mail.text


@pytest.mark.parametrize(("paid", "said"), [(False, "€150, not paid yet"), (True, "€150, paid")])
def test_the_price_says_whether_it_is_paid(paid, said):
    write(price=15000, currency="EUR")
    Booking.record(fact("uid1", FactKind.PAID if paid else FactKind.PAYMENT_INITIATED, price=15000, currency="EUR"))
    db.session.commit()
    mail = renderers.render(db.session.scalars(db.select(Message).filter_by(kind="booking_confirmed")).one())
    assert said in mail.text
    assert said in words_of(mail.html)


def test_the_owners_postal_address_stands_below_where_it_is_known(app, monkeypatch):
    told = app.config["HDS"].model_copy(update={"owner_address": "1 River Street, Hudson"})
    monkeypatch.setitem(app.jinja_env.globals, "settings", told)
    mail = write()
    assert "1 River Street, Hudson" in mail.text
    assert "1 River Street, Hudson" in words_of(mail.html)


def test_long_lines_of_the_text_part_are_left_whole():
    """Links in the text must not be broken; the transfer encoding folds them."""
    url = "https://app.cal.com/video/" + "x" * 900
    mail = write(meeting_url=url)
    assert url in mail.text
