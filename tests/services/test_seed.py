"""The seed writes what is missing, and never over what the owner wrote."""

from collections.abc import Callable

from flask import Flask
from sqlalchemy import select

from hds.config import Settings
from hds.extensions import db
from hds.services.models import FaqEntry, Service
from hds.services.seed import DEEP_DIVE, FREE, QUESTIONS, seed
from tests.factories import ServiceFactory

Make = Callable[..., Settings]


def service(slug: str) -> Service:
    return db.session.scalars(select(Service).where(Service.slug == slug)).one()


def test_an_empty_catalogue_gets_two_services_and_their_questions(app: Flask, make_settings: Make) -> None:
    seed(make_settings())
    free, deep = Service.catalogue()
    assert (free.is_free, free.featured, free.duration_minutes, free.needs_approval) == (True, True, 30, False)
    assert (deep.price_amount, deep.price_currency, deep.duration_minutes, deep.needs_approval) == (
        15000,
        "USD",
        60,
        True,
    )
    assert (len(free.benefits), len(deep.benefits)) == (5, 6)
    assert len(FaqEntry.all()) == len(QUESTIONS)


def test_the_four_questions_of_the_first_site_come_first(app: Flask, make_settings: Make) -> None:
    seed(make_settings())
    assert [entry.slug for entry in FaqEntry.first(4)] == ["what-happens", "really-free", "prepare", "reschedule"]


def test_a_second_seed_changes_nothing_that_the_owner_edited(app: Flask, make_settings: Make) -> None:
    seed(make_settings())
    service(FREE).name = "Coffee"
    service(FREE).active = False
    service(DEEP_DIVE).cal_event_type_id = 77
    db.session.commit()
    seed(make_settings())
    assert (service(FREE).name, service(FREE).active) == ("Coffee", False)
    assert service(DEEP_DIVE).cal_event_type_id == 77
    assert len(FaqEntry.all()) == len(QUESTIONS)


def test_the_sandbox_gives_ids_where_the_settings_name_none(app: Flask, make_settings: Make) -> None:
    seed(make_settings(cal_deep_dive_event_id=42))
    assert (service(FREE).cal_event_type_id, service(DEEP_DIVE).cal_event_type_id) == (1001, 42)


def test_without_sandbox_and_settings_there_is_no_id(app: Flask, make_settings: Make) -> None:
    seed(make_settings(sandbox=False))
    assert service(FREE).cal_event_type_id is None


def test_settings_that_change_places_are_followed(app: Flask, make_settings: Make) -> None:
    seed(make_settings(cal_free_consultation_event_id=5, cal_deep_dive_event_id=6))
    db.session.commit()
    seed(make_settings(cal_free_consultation_event_id=6, cal_deep_dive_event_id=5))
    assert (service(FREE).cal_event_type_id, service(DEEP_DIVE).cal_event_type_id) == (6, 5)


def test_the_sandbox_takes_no_id_from_another_service(app: Flask, make_settings: Make) -> None:
    ServiceFactory(slug="own", cal_event_type_id=1001)
    seed(make_settings())
    assert (service("own").cal_event_type_id, service(FREE).cal_event_type_id) == (1001, None)
