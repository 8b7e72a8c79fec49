"""The end of a booking's life is the same for every order in which its deliveries come, repeated or not.

Lives of every kind are played (see lives), some of their deliveries dropped, and orders of the rest compared: as facts
alone with many examples, and through the real inbox, worker and database with fewer. And once Cal.com's list was read,
it is what Cal.com says, whatever was lost.
"""

import json
import re
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from hds.analytics import visits
from hds.bookings import chain, handlers, reconcile
from hds.bookings.booker import REFERENCE
from hds.bookings.chain import BookingStatus, PaymentState
from hds.bookings.models import Booking
from hds.bookings.reconciliation import CHANGES, Reconciliation
from hds.bookings.sources import BookingSource
from hds.calcom.payloads import read
from hds.extensions import db
from hds.followups.emails import KINDS
from hds.mail.models import Message, MessageState
from hds.mail.renderers import NoUse
from hds.webhooks import jobs
from hds.webhooks.models import DeliveryState, InboxDelivery
from tests.bookings.lives import EVENT_TYPE, PRIYA, Body, arrivals, lives, played
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


@settings(
    max_examples=90,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_whatever_was_lost_it_ends_as_it_is_at_cal_com(
    app: Any, client: Any, noon: Any, use_cal: Any, httpserver: HTTPServer, data: st.DataObject
) -> None:
    """The same in every order, whether the API answers meanwhile or not; and once its list was read, as that says."""
    life = data.draw(played(BEGAN, WORDS))
    answering(httpserver, life.truth)
    up, down = httpserver.url_for("")[:-1], "http://127.0.0.1:9"
    meanwhile = data.draw(st.sampled_from([up, down]))
    ends = []
    for order in data.draw(arrivals(life.bodies))[:2]:
        empty(app)
        charged = {"price": [life.price, "USD"] if life.price else None}
        ServiceFactory(slug="intro", cal_event_type_id=EVENT_TYPE, told=charged)
        use_cal(meanwhile)
        arrive(client, *order)
        use_cal(up, cal_access_token=SecretStr("cal_test"))
        db.session.rollback()
        ends.append([standing(uid) for uid in life.truth])
        read_list()
        assert read_list() == 0
        if life.is_likely:
            for uid, told in life.truth.items():
                assert_is_so(uid, told, is_paid=bool(life.price))
    assert ends[1] == ends[0]


def answering(server: HTTPServer, truth: dict[str, dict[str, Any]]) -> None:
    """Cal.com's API, which knows how it all ended."""

    def one(request: Request) -> Response:
        found = truth.get(request.path.rpartition("/")[2])
        return Response(json.dumps({"status": "success", "data": found}), status=200 if found else 404)

    server.clear()
    everything = {"status": "success", "data": list(truth.values()), "pagination": {"hasNextPage": False}}
    server.expect_request("/v2/bookings").respond_with_json(everything)
    server.expect_request(re.compile("/v2/bookings/.+")).respond_with_handler(one)


def read_list() -> int:
    """How many bookings were repaired."""
    Reconciliation.wake()
    db.session.commit()
    row = reconcile.look(CHANGES)
    assert row is not None
    assert (row.trouble, row.outcome["failed"]) == ("", 0)
    return int(row.outcome["repaired"])


def standing(uid: str) -> Any:
    """How the booking of this uid stands."""
    booking = Booking.by_uid(uid)
    if booking is None:
        return None
    seen = everything(booking)
    return {name: seen[name] for name in ("contact", "service", "payment", "people")} | {
        "booking": [booking.uid, booking.previous_uids, booking.status, booking.start_at, booking.location],
    }


def assert_is_so(uid: str, told: dict[str, Any], *, is_paid: bool) -> None:
    booking = Booking.by_uid(uid)
    moved_to = told.get("rescheduledToUid")
    if booking is None:  # of the first steps of a chain nothing is left at Cal.com but who came after them
        assert moved_to
    elif moved_to:
        assert moved_to in {booking.uid, *booking.previous_uids}
    elif booking.uid != uid:  # the host wished to move it, and by the calendar's uid the next one is the same
        assert uid in booking.previous_uids
    else:
        absent = {person["email"] for person in told["attendees"] if person.get("absent")}
        met = (
            {BookingStatus.NO_SHOW} if PRIYA["email"] in absent else {BookingStatus.CONFIRMED, BookingStatus.COMPLETED}
        )
        ended = {"cancelled": {BookingStatus.CANCELLED}, "rejected": {BookingStatus.DECLINED}}
        so = {"pending": {BookingStatus.REQUESTED}, "accepted": met, **ended}
        assert booking.status in so[told["status"]]
        assert booking.start_at == datetime.fromisoformat(told["start"])
        if told["status"] == "accepted":
            seats = {person["email"] for person in told["attendees"] if "seatUid" in person}
            assert {contact.email for contact in booking.bookers} == (seats or {PRIYA["email"]})
            assert booking.payment_state is (PaymentState.PAID if is_paid else PaymentState.NONE)


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
