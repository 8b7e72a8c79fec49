"""The catalogue: what is shown, in which order, and which service an event type of Cal.com belongs to."""

from flask import Flask

from hds.services.models import Service
from tests.factories import ServiceFactory


def test_the_catalogue_shows_what_is_active_in_the_owners_order(app: Flask) -> None:
    last = ServiceFactory(position=3)
    ServiceFactory(position=1, active=False)
    first = ServiceFactory(position=2)
    assert Service.catalogue() == [first, last]


def test_a_retired_service_has_no_page(app: Flask) -> None:
    ServiceFactory(slug="old", active=False)
    assert Service.find("old") is None
    assert Service.find("never") is None


def test_an_event_type_is_known_by_its_id_first(app: Flask) -> None:
    by_id = ServiceFactory(cal_event_type_id=7, cal_event_slug="moved")
    ServiceFactory(cal_event_slug="talk")
    assert Service.by_event_type(7, "talk") is by_id


def test_an_event_type_is_known_by_its_slug_where_no_id_is(app: Flask) -> None:
    numbered = ServiceFactory(cal_event_type_id=7, cal_event_slug="talk")
    assert Service.by_event_type(None, "talk") is numbered
    assert Service.by_event_type(8, "talk") is None, "another event type of the same slug: somebody else's"
    unnumbered = ServiceFactory(cal_event_slug="walk")
    assert Service.by_event_type(8, "walk") is unnumbered
    assert Service.by_event_type(None, None) is None


def test_a_retired_service_still_owns_its_bookings(app: Flask) -> None:
    retired = ServiceFactory(cal_event_type_id=7, active=False)
    assert Service.by_event_type(7, None) is retired


def test_how_a_meeting_is_held_is_said_in_words(app: Flask) -> None:
    assert ServiceFactory(meeting_places=["video", "phone"]).meets_by == "Video call or phone"
    assert ServiceFactory(meeting_places=["our office"]).meets_by == "Our office"
    assert ServiceFactory(meeting_places=[]).meets_by == ""


def test_free_is_what_costs_nothing(app: Flask) -> None:
    assert ServiceFactory(price_amount=None).is_free
    assert ServiceFactory(price_amount=0, price_currency="USD").is_free
    assert not ServiceFactory(price_amount=1, price_currency="USD").is_free
