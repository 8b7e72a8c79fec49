"""People are known by their address; what is newly known fills what was not."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hds.contacts.models import Contact
from hds.extensions import db


def test_one_address_is_one_person_however_it_is_spelled(app):
    first = Contact.of("Priya@ACME.example", name="Priya")
    assert Contact.of("priya@acme.example") is first
    assert first.email == "priya@acme.example"


def test_what_is_newly_known_fills_the_gaps_and_overwrites_nothing(app):
    Contact.of("priya@acme.example", time_zone="Europe/London")
    contact = Contact.of("priya@acme.example", name="Priya", phone="+44 20", time_zone="Asia/Tokyo")
    assert (contact.name, contact.phone, contact.time_zone) == ("Priya", "+44 20", "Europe/London")
    Contact.of("priya@acme.example", name="Somebody else", phone="0")
    assert (contact.name, contact.phone) == ("Priya", "+44 20")


def test_a_person_of_whom_only_the_address_is_known(app):
    contact = Contact.of("lee@acme.example")
    db.session.commit()
    assert (contact.name, contact.phone, contact.time_zone) == ("", None, None)
    assert contact.created_at is not None


@pytest.mark.parametrize("email", ["priya+test@acme.example", "o'neill@acme.example", "zoë@münchen.example"])
def test_odd_addresses_stay_as_they_are(app, email):
    assert Contact.of(email).email == email


def test_many_at_once_make_one_person(app):
    db.session.rollback()
    start = threading.Barrier(5)

    def meet(number: int) -> int:
        with app.app_context():
            start.wait()
            contact_id = Contact.of("priya@acme.example", name=f"Priya {number}").id
            db.session.commit()
            return contact_id

    with ThreadPoolExecutor(5) as pool:
        assert len(set(pool.map(meet, range(5)))) == 1
