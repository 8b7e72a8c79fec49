"""Rows for tests, made as the site makes them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import factory

from hds.accounts.models import Staff
from hds.bookings.chain import Details, Fact, FactKind, Person
from hds.bookings.models import Booking
from hds.extensions import db
from hds.lib.times import utcnow
from hds.services.models import FaqEntry, Service

PASSWORD = "correct horse battery"


class Saved(factory.alchemy.SQLAlchemyModelFactory):
    class Meta:
        abstract = True
        sqlalchemy_session_factory = lambda: db.session  # noqa: E731
        sqlalchemy_session_persistence = "commit"


class ServiceFactory(Saved):
    class Meta:
        model = Service

    slug = factory.Sequence(lambda n: f"consultation-{n}")
    name = "Free Strategy Consultation"
    summary = "Half an hour on your digital presence."
    description = "We look at it together."
    audience = "Owners and decision makers."
    benefits = ["A look at your site", "A roadmap"]
    duration_minutes = 30
    meeting_places = ["video", "phone"]
    position = factory.Sequence(int)


class FaqEntryFactory(Saved):
    class Meta:
        model = FaqEntry

    slug = factory.Sequence(lambda n: f"question-{n}")
    topic = "Booking"
    question = "Is it free?"
    answer = "Yes."


class StaffFactory(Saved):
    class Meta:
        model = Staff

    email = factory.Sequence(lambda n: f"staff{n}@hudson.example")

    @classmethod
    def _create(cls, model_class: type[Staff], *args: Any, **kwargs: Any) -> Staff:
        staff = model_class(*args, **kwargs)
        staff.choose_password(PASSWORD)
        db.session.add(staff)
        db.session.commit()
        return staff


def in_days(days: float) -> datetime:
    """A full hour some days from now."""
    return (utcnow() + timedelta(days=days)).replace(minute=0, second=0, microsecond=0)


def fact(uid: str = "uid1", kind: FactKind = FactKind.CONFIRMED, **given: Any) -> Fact:
    """A fact as a delivery states it. Details by name: start_at, attendees, title …"""
    start = given.pop("start_at", None) or in_days(3)
    about: dict[str, Any] = {
        "event_type_id": 1001,
        "title": "Strategy between Hudson and Priya",
        "start_at": start,
        "end_at": start + timedelta(minutes=30),
        "attendees": [Person(email="priya@acme.example", name="Priya Natarajan", time_zone="America/New_York")],
        "meeting_url": f"https://cal.example/video/{uid}",
    }
    beside = {name: given.pop(name) for name in ("at", "subject", "previous_uid", "ical_sequence") if name in given}
    beside.setdefault("at", datetime(2026, 11, 22, 9, 30, tzinfo=UTC))
    return Fact(uid=uid, kind=kind, details=Details(**(about | given)), **beside)


def make_booking(uid: str = "uid1", kind: FactKind = FactKind.CONFIRMED, **given: Any) -> Booking:
    booking = Booking.record(fact(uid, kind, **given))
    db.session.commit()
    return booking
