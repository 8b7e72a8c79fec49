"""The end of a booking's life is the same for every order in which its deliveries come, repeated or not.

Lives of every kind are played (see lives), some of their deliveries dropped, and orders of the rest compared: as facts
alone with many examples, and through the real inbox, worker and database with fewer.
"""

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hds.analytics import visits
from hds.bookings import chain, handlers
from hds.bookings.booker import REFERENCE
from hds.bookings.models import Booking
from hds.bookings.sources import BookingSource
from hds.calcom.payloads import read
from hds.extensions import db
from hds.followups.emails import KINDS
from hds.mail.models import Message, MessageState
from hds.mail.renderers import NoUse
from hds.webhooks import jobs
from hds.webhooks.models import DeliveryState, InboxDelivery
from tests.bookings.lives import EVENT_TYPE, Body, arrivals, lives
from tests.bookings.test_sources import came, reference
from tests.conftest import NOON, empty
from tests.deliveries import arrive, as_sent
from tests.factories import ServiceFactory

WORDS = {REFERENCE: "our-reference"}
BEGAN = NOON - timedelta(days=9)
Key = tuple[str, chain.FactKind, str]


def pictures(bodies: list[Body]) -> dict[str, chain.Picture]:
    """What the facts of these tell, by the uid of a seated booking, else of the one chain."""
    kept: dict[Key, chain.Fact] = {}
    for body in bodies:
        delivery = InboxDelivery(body=as_sent(body), created_at=NOON)
        for statement in handlers._statements(delivery, read(delivery.body)):
            fact = statement.fact
            key = (fact.uid, fact.kind, fact.subject)
            if key not in kept or chain.stands(fact, kept[key]):
                kept[key] = fact
    chains: dict[str, list[chain.Fact]] = {}
    for fact in kept.values():
        chains.setdefault(fact.uid if fact.details.is_seated else "", []).append(fact)
    return {uid: chain.read(facts) for uid, facts in chains.items()}


@settings(max_examples=1000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_order_of_a_lifes_facts_matters(noon: Any, data: st.DataObject) -> None:
    first, *others = data.draw(lives(BEGAN, WORDS).flatmap(arrivals))
    expected = pictures(first)
    for order in others:
        assert pictures(order) == expected


# So many that the whole takes about half a minute. What fails is shown as it is: to shrink it would take as many minutes.
@settings(
    max_examples=60,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_no_order_of_a_lifes_deliveries_matters(
    app: Any, client: Any, noon: Any, unreachable: Any, data: st.DataObject
) -> None:
    empty(app)
    words = WORDS | {visits.KEY: reference(app)}
    ends = []
    for order in data.draw(lives(BEGAN, words).flatmap(arrivals)):
        empty(app)
        ServiceFactory(slug="intro", cal_event_type_id=EVENT_TYPE)
        came()
        rows = arrive(client, *order)
        rows[len(rows) // 2].replay()
        db.session.commit()
        jobs.drain()
        ends.append(the_end())
    assert ends[1] == ends[0]
    assert ends[2] == ends[0]


def the_end() -> dict[str, Any]:
    """All that is known in the end: of each booking its columns, payment, people, source and timeline, and who gets
    which mail."""
    db.session.rollback()
    assert set(db.session.scalars(db.select(InboxDelivery.state))) <= {DeliveryState.APPLIED, DeliveryState.IGNORED}
    bookings = db.session.scalars(db.select(Booking).order_by(Booking.uid)).unique().all()
    return {"bookings": [everything(booking) for booking in bookings], "mails": leaving()}


def everything(booking: Booking) -> dict[str, Any]:
    own = {"id", "created_at", "changed_at", "service_id", "contact_id"}
    columns = {
        column.key: getattr(booking, column.key) for column in Booking.__table__.columns if column.key not in own
    }
    payment, source = booking.payment, BookingSource.of(booking.id)
    timeline = [
        (event.uid, event.kind, event.subject, event.at, event.previous_uid, event.ical_uid, event.ical_sequence,
         event.source, repr(sorted(event.details.items())))
        for event in booking.events
    ]  # fmt: skip
    return {
        "columns": columns,
        "contact": booking.contact and booking.contact.email,
        "service": booking.service and booking.service.slug,
        "payment": payment and (payment.state, payment.state_at, payment.amount, payment.currency, payment.external_id),
        "people": sorted((person.role, person.contact.email, person.contact.name) for person in booking.people),
        "source": source and (source.first, source.first_campaign, source.visited_at, source.last),
        "timeline": sorted(timeline),
    }


def leaving() -> set[tuple[str, str, str]]:
    """Kind, recipient and booking of each mail that would leave now."""
    found = set()
    for message in db.session.scalars(db.select(Message).filter_by(state=MessageState.PENDING)):
        try:
            KINDS[message.kind](message)
        except NoUse:
            continue
        booking = db.session.get_one(Booking, message.booking_id)
        found.add((message.kind, message.recipient, booking.uid))
    return found
