"""Cal.com's deliveries, each turned into the facts that it states."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from hds.analytics import visits
from hds.bookings import asked, sources
from hds.bookings.booker import REFERENCE
from hds.bookings.chain import TAKING_PART, Details, Fact, FactKind, Person, name_of_change, seat_moved
from hds.bookings.models import BOOKINGS_LOCK, Booking
from hds.calcom.payloads import (
    AbsencePayload,
    Attendee,
    BookingPayload,
    MissedCallPayload,
    NotUnderstood,
    RecordingPayload,
    Trigger,
    Webhook,
    read,
)
from hds.extensions import db
from hds.lib.models import one_at_a_time
from hds.webhooks.models import InboxDelivery

KINDS = {
    Trigger.BOOKING_CREATED: FactKind.CONFIRMED,
    Trigger.BOOKING_REQUESTED: FactKind.REQUESTED,
    Trigger.BOOKING_RESCHEDULED: FactKind.RESCHEDULED,
    Trigger.BOOKING_CANCELLED: FactKind.CANCELLED,
    Trigger.BOOKING_REJECTED: FactKind.DECLINED,
    Trigger.BOOKING_PAYMENT_INITIATED: FactKind.PAYMENT_INITIATED,
    Trigger.BOOKING_PAID: FactKind.PAID,
    Trigger.BOOKING_LOCATION_UPDATED: FactKind.LOCATION_CHANGED,
    Trigger.BOOKING_REASSIGNED: FactKind.REASSIGNED,
    Trigger.MEETING_STARTED: FactKind.STARTED,
    Trigger.MEETING_ENDED: FactKind.ENDED,
    Trigger.RECORDING_READY: FactKind.RECORDED,
    Trigger.RECORDING_TRANSCRIPTION_GENERATED: FactKind.TRANSCRIBED,
    Trigger.AFTER_HOSTS_CAL_VIDEO_NO_SHOW: FactKind.HOST_MISSED_CALL,
    Trigger.AFTER_GUESTS_CAL_VIDEO_NO_SHOW: FactKind.GUESTS_MISSED_CALL,
    Trigger.INSTANT_MEETING_ACCEPTED: FactKind.CONFIRMED,
}
# The status that the builder of a body writes is its trigger's. Another one tells that the name is not right: senders
# have said "created" and "rescheduled" of what waits for the host, and mixed up a refusal with a cancellation.
RATHER = {
    (FactKind.CONFIRMED, "PENDING"): FactKind.REQUESTED,
    (FactKind.RESCHEDULED, "PENDING"): FactKind.REQUESTED,
    (FactKind.CANCELLED, "REJECTED"): FactKind.DECLINED,
    (FactKind.DECLINED, "CANCELLED"): FactKind.CANCELLED,
}
MEETING = {FactKind.STARTED, FactKind.ENDED}
# Whose sequence number is that of the move which made the uid: cancelling and changing count it up.
NUMBERED = TAKING_PART | {FactKind.PAYMENT_INITIATED, FactKind.PAID}
OURS = {REFERENCE, visits.KEY}  # fields that nobody filled in


@dataclass(frozen=True)
class Statement:
    """One fact of a delivery, and the calendar's uid where it ties this to other bookings."""

    fact: Fact
    ical_uid: str | None = None


def apply(delivery: InboxDelivery) -> None:
    """Record what a delivery of Cal.com's says, and end it as applied, ignored or invalid.

    Where that is not enough to go by, Cal.com is asked first, with no transaction open.
    """
    try:
        webhook = read(delivery.body)
    except NotUnderstood as why:
        delivery.invalid(why.reason)
        return
    statements = list(_statements(delivery, webhook))
    answers = _ask_what_is_needed(statements)
    delivery.trigger, delivery.booking_uid = webhook.trigger, webhook.booking_uid
    if webhook.is_ignored:
        delivery.ignored(webhook.kept_because)
        return
    for statement in statements:
        _record(statement, delivery, answers)
    if isinstance(webhook.payload, BookingPayload) and (booking := Booking.by_uid(webhook.payload.uid)):
        booker = webhook.payload.booker
        sources.note(booking, webhook.payload.carried(visits.KEY), booker.email if booker else None)
    delivery.applied()


def _ask_what_is_needed(statements: list[Statement]) -> asked.Answers:
    """What Cal.com says of the uids that leave something open. Ends holding the lock under which facts are recorded,
    so that nothing else has come in between."""
    answers: asked.Answers = {}
    while True:
        one_at_a_time(BOOKINGS_LOCK)
        uids = {
            uid for statement in statements for uid in asked.open_about(statement.fact, statement.ical_uid, answers)
        }
        if not uids:
            return answers
        db.session.rollback()
        answers |= {uid: asked.ask_api(uid) for uid in sorted(uids)}


def _record(statement: Statement, delivery: InboxDelivery, answers: asked.Answers) -> None:
    fact, ical_uid = asked.linked(statement.fact, statement.ical_uid, answers)
    verdict = asked.verdict(fact, Booking.contradicting(fact), answers.get(fact.uid))
    for further in [*asked.links(fact, answers), *verdict.stated]:
        Booking.record(further)
    Booking.record(fact, ical_uid, delivery.id, is_right=verdict.is_right)


def _statements(delivery: InboxDelivery, webhook: Webhook) -> Iterator[Statement]:
    payload, at = webhook.payload, webhook.stated_at or delivery.created_at
    if isinstance(payload, BookingPayload):
        named = KINDS[Trigger(webhook.trigger)]
        kind = RATHER.get((named, payload.status or ""), named)
        yield from _of_booking(payload, kind, _happened_at(payload, kind, at))
    elif isinstance(payload, AbsencePayload):
        for email, is_absent in payload.absences:
            kind = FactKind.ABSENT if is_absent else FactKind.PRESENT
            yield Statement(Fact(payload.uid, kind, at, subject=email))
    elif isinstance(payload, MissedCallPayload | RecordingPayload):
        yield Statement(_of_call(payload, KINDS[Trigger(webhook.trigger)], at))


def _of_booking(payload: BookingPayload, kind: FactKind, at: datetime) -> Iterator[Statement]:
    fact = Fact(
        uid=payload.uid,
        kind=kind,
        at=at,
        subject=_subject(payload, kind),
        previous_uid=payload.previous_uid,
        ical_sequence=payload.ical_sequence if kind in NUMBERED else None,
        details=_details(payload, kind),
    )
    if payload.is_seated:
        yield from _of_seat(payload, fact)
    else:
        yield Statement(fact, None if payload.is_of_series else payload.ical_uid)


def _of_seat(payload: BookingPayload, fact: Fact) -> Iterator[Statement]:
    """Seats share a uid, and each has its own booker. A seat that is given up or moved leaves the others' where they
    are, so no seat ties two bookings together."""
    fact = replace(fact, previous_uid=None)
    before = payload.previous_uid if payload.previous_uid != payload.uid else None
    came_alone = bool(before and payload.seat_uid)
    if came_alone:  # who came is named first, then who sat there already
        fact = replace(fact, details=fact.details.model_copy(update={"attendees": fact.details.attendees[:1]}))
    booker = payload.booker
    seat = (booker.email if booker else None) or payload.seat_uid or ""
    is_one = came_alone or len(payload.people) < 2
    if fact.kind is FactKind.CANCELLED and (is_one and (payload.people or payload.seat_uid)):
        details = fact.details.model_copy(update={"asks_to_move": False})  # that is said of each seat at times
        yield Statement(replace(fact, kind=FactKind.SEAT_GIVEN_UP, subject=seat, details=details))
    elif fact.kind in TAKING_PART and is_one:
        yield Statement(replace(fact, subject=seat))
    else:
        yield Statement(fact)
    if fact.kind in TAKING_PART and before:
        for person in fact.details.attendees:
            yield Statement(seat_moved(before, payload.uid, person, fact.at))


def _of_call(payload: MissedCallPayload | RecordingPayload, kind: FactKind, at: datetime) -> Fact:
    """What Cal Video tells. It has rooms for confirmed bookings alone, so this was one."""
    people = [_person(person) for person in payload.people if person.email]
    details = Details(
        title=payload.title or None, start_at=payload.start_at, end_at=payload.end_at, attendees=people, accepted=True
    )
    if isinstance(payload, RecordingPayload):
        told = {"links": payload.links, "has_secret_links": payload.has_secret_links}
    else:
        missing = [payload.host_email] if kind is FactKind.HOST_MISSED_CALL and payload.host_email else payload.missing
        told = {"missing": missing, "event_type_id": payload.event_type_id}
    return Fact(payload.uid, kind, at, details=details.model_copy(update=told))


def _happened_at(payload: BookingPayload, kind: FactKind, stated_at: datetime) -> datetime:
    """Meetings begin and end by the clock; a flat body's createdAt is the booking's own."""
    if kind not in MEETING:
        return stated_at
    return min(payload.start_at if kind is FactKind.STARTED else payload.end_at, stated_at)


def _subject(payload: BookingPayload, kind: FactKind) -> str:
    if kind is FactKind.LOCATION_CHANGED:
        return name_of_change(payload.previous_location, payload.location)
    if kind is FactKind.REASSIGNED:
        return name_of_change(payload.organizer_email, payload.hosts_added, payload.hosts_removed)
    return ""


def _details(payload: BookingPayload, kind: FactKind) -> Details:
    host = payload.organizer_email and Person(email=payload.organizer_email, name=payload.organizer_name or "")
    return Details(
        event_type_id=payload.event_type_id,
        event_type_slug=payload.event_type_slug,
        title=payload.title or None,
        start_at=payload.start_at,
        end_at=payload.end_at,
        attendees=_people(payload),
        guests=payload.guests,
        answers={slug: answer for slug, answer in payload.answers.items() if slug not in OURS},
        notes=payload.notes,
        meeting_url=payload.meeting_url,
        location=payload.location,
        location_kind=payload.location_kind,
        price=payload.price,
        currency=payload.currency,
        external_payment_id=payload.external_payment_id,
        reason=payload.reason,
        by=payload.cancelled_by or payload.rescheduled_by,
        reference=payload.carried(REFERENCE),
        accepted=kind in MEETING and payload.status == "ACCEPTED",
        is_seated=payload.is_seated,
        seat_uid=payload.seat_uid,
        is_of_series=payload.is_of_series,
        asks_to_move=kind is FactKind.CANCELLED and payload.is_host_asking_to_move,
        previous_location=payload.previous_location,
        host=host or None,
        hosts_added=payload.hosts_added,
        hosts_removed=payload.hosts_removed,
    )


def _people(payload: BookingPayload) -> list[Person]:
    """The booker first. Where the booker's own address is unusable nobody else takes that place."""
    booker = payload.booker
    if booker is None:
        return []
    others = [person for person in payload.people[1:] if person.email and person.email != booker.email]
    return [_person(person) for person in (booker, *others)]


def _person(attendee: Attendee) -> Person:
    return Person(
        email=attendee.email or "",
        name=attendee.name,
        phone=attendee.phone and attendee.phone[:50],
        time_zone=attendee.time_zone,
    )
