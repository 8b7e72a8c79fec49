import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import time_machine

from hds.bookings.chain import FactKind, Person
from hds.extensions import db
from hds.followups import emails
from hds.mail.models import Message
from hds.mail.renderers import Rendered
from tests.analytics.conftest import NOON
from tests.factories import make_booking

NUMBER = "+1 202-555-0123"


def mail(kind: str) -> Rendered:
    return emails.KINDS[kind](db.session.scalars(db.select(Message).filter_by(kind=kind)).one())


@pytest.mark.parametrize("kind", [FactKind.CONFIRMED, FactKind.REQUESTED])
def test_the_booker_can_see_move_and_cancel_from_the_mail(app, client, strategy, kind):
    make_booking("uid42", kind, meeting_url="https://meet.example/a")
    words = mail(f"booking_{kind}")
    links = re.findall(rf"{re.escape(app.config['HDS'].public_url)}(/bookings/\S+)", words.text)
    assert len(links) == 3
    titles = (
        "is confirmed" if kind is FactKind.CONFIRMED else "waits for our answer",
        "does not answer",
        "Cancel this",
    )
    for link, title in zip(links, titles, strict=True):
        assert title in client.get(link).text
        assert f'href="{app.config["HDS"].public_url}{link}"' in words.html
    assert "uid42" not in words.text + words.html


@pytest.mark.parametrize("kind", [FactKind.CONFIRMED, FactKind.REQUESTED])
def test_the_mail_offers_what_the_event_type_allows(strategy, kind):
    strategy.can_move = False
    db.session.commit()
    make_booking("uid1", kind)
    words = mail(f"booking_{kind}")
    assert "Cancel it: http" in words.text
    assert "Move" not in words.text + words.html


@pytest.mark.parametrize("kind", [FactKind.CONFIRMED, FactKind.REQUESTED])
def test_the_mail_says_until_when_it_can_be_moved_in_the_readers_zone(strategy, kind):
    priya = Person(email="priya@acme.example", name="Priya", time_zone="Europe/Berlin")
    with time_machine.travel(NOON, tick=False):
        make_booking("uid1", kind, start_at=NOON + timedelta(hours=26), attendees=[priya])
        words = mail(f"booking_{kind}")
    until = "ntil Tuesday 24 November, 20:00 (Berlin)"
    for text in (words.text, words.html):
        assert until in " ".join(text.split())
        assert "too soon" not in text


@pytest.mark.parametrize("kind", [FactKind.CONFIRMED, FactKind.REQUESTED])
def test_what_begins_soon_cannot_be_moved_online_so_the_mail_says_whom_to_write_to(app, strategy, kind):
    with time_machine.travel(NOON, tick=False):
        make_booking("uid1", kind, start_at=NOON + timedelta(hours=24))
        words = mail(f"booking_{kind}")
    for text in (words.text, words.html):
        assert "too soon to be moved or cancelled online" in text
        assert not re.search(r"/bookings/\S+/(move|cancellation)", text)
        assert app.config["HDS"].contact_email in text


def test_a_call_is_said_to_who_is_called_and_to_who_calls(strategy):
    priya = Person(email="priya@acme.example", name="Priya", phone=NUMBER)
    about = {"location": NUMBER, "location_kind": "phone", "meeting_url": None, "attendees": [priya]}
    make_booking("uid1", **about)
    for kind, said in (("booking_confirmed", f"We call {NUMBER}"), ("owner_booking_confirmed", f"You call {NUMBER}")):
        words = mail(kind)
        assert f"Where: {said}" in words.text
        assert said in words.html
        assert "Join the video call" not in words.html


def test_a_video_call_has_its_link_in_both_forms(strategy):
    make_booking("uid1", meeting_url="https://meet.example/a")
    words = mail("booking_confirmed")
    assert "Where: Video call: https://meet.example/a" in words.text
    assert re.search(r'href="https://meet.example/a"[^>]*>Join the video call', words.html)


def test_the_confirmation_leads_into_calendars(client, strategy):
    make_booking("uid1")
    words = mail("booking_confirmed")
    [file] = re.findall(r"^https?://\S+/calendar\.ics$", words.text, re.MULTILINE)
    assert f'href="{file}"' in words.html
    assert client.get(urlsplit(file).path).mimetype == "text/calendar"
    for form in ("https://calendar.google.com/", "https://outlook.live.com/", "https://outlook.office.com/"):
        assert f'href="{form}' in words.html
    make_booking("uid2", FactKind.REQUESTED)
    assert "calendar.ics" not in mail("booking_requested").html


def test_a_confirmation_says_what_the_time_was_before_it_moved(strategy):
    first, then = NOON + timedelta(days=5), NOON + timedelta(days=7)
    with time_machine.travel(NOON, tick=False):
        make_booking("uid1", FactKind.REQUESTED, start_at=first)
        assert "moved from" not in mail("booking_requested").text
        make_booking("uid2", FactKind.REQUESTED, start_at=then, previous_uid="uid1", at=NOON)
        make_booking("uid2", FactKind.CONFIRMED, start_at=then, at=NOON)
        words = mail("booking_confirmed")
    assert words.subject.startswith("Confirmed at a new time: ")
    assert "(New York).\n\nWhat:" in words.text
    for text in (words.text, words.html):
        assert "moved from Sunday 29 November, 12:00 (New York)" in text
        assert "Tuesday 1 December, 12:00 (New York)" in text


def test_what_never_moved_says_nothing_of_it(strategy):
    make_booking("uid1")
    words = mail("booking_confirmed")
    assert words.subject.startswith("Confirmed: ")
    assert "your consultation is confirmed.\n\nWhat:" in words.text
    assert "moved from" not in words.text + words.html
