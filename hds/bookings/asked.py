"""What Cal.com is asked where its deliveries leave something open: a link of a chain that no body told, or two bodies
of the same moment that contradict each other.

No transaction stands open while it is asked. Where it does not know the booking or does not answer, nothing changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from hds.bookings.booker import cal
from hds.bookings.chain import TAKING_PART, Details, Fact, FactKind, FactSource, name_of_change
from hds.bookings.models import Booking
from hds.calcom.answers import Booking as CalBooking
from hds.calcom.errors import CalError
from hds.lib import http
from hds.lib.times import utcnow

log = structlog.get_logger(part="bookings")

Answers = dict[str, CalBooking | None]

SECONDS = 4.0  # for one question: a delivery is lent to a worker for half a minute
LONGEST_WALK = 5  # questions about one delivery: how far back the links of a chain are looked for


def ask_api(uid: str) -> CalBooking | None:
    """The booking as Cal.com has it now. None where it does not know it, or does not answer."""
    try:
        with http.within(SECONDS):
            return cal().booking(uid)
    except CalError as error:
        log.warning("booking not known", reason=str(error))
        return None


def open_about(fact: Fact, ical_uid: str | None, answers: Answers) -> set[str]:
    """The uids to ask about before this is recorded: nothing more once there are answers, usable or not."""
    if fact.uid not in answers and Booking.contradicting(fact):
        return {fact.uid}
    if ical_uid or fact.kind not in TAKING_PART or fact.details.is_seated or len(answers) >= LONGEST_WALK:
        return set()
    if fact.uid not in answers:
        return set() if Booking.is_placed(fact.uid, TAKING_PART) else {fact.uid}
    _, ical_uid = linked(fact, ical_uid, answers)
    first = _previous_of(fact, answers)
    if ical_uid or first is None or Booking.knows(first):
        return set()
    oldest = _walk(first, answers)[-1]
    return set() if oldest in answers or Booking.knows(oldest) else {oldest}


def linked(fact: Fact, ical_uid: str | None, answers: Mapping[str, CalBooking | None]) -> tuple[Fact, str | None]:
    """The fact with the links that Cal.com told, where its body had none."""
    answer = answers.get(fact.uid)
    if answer is None or fact.kind not in TAKING_PART or fact.details.is_seated:
        return fact, ical_uid
    if answer.series_uid or fact.details.is_of_series:  # its meetings may share the calendar's uid
        return replace(fact, previous_uid=fact.previous_uid or answer.previous_uid), ical_uid
    return replace(fact, previous_uid=fact.previous_uid or answer.previous_uid), ical_uid or answer.ical_uid


def links(fact: Fact, answers: Mapping[str, CalBooking | None]) -> list[Fact]:
    """The moves before this one that no delivery told of, as Cal.com tells them."""
    first = _previous_of(fact, answers)
    found = [answers.get(uid) for uid in _walk(first, answers)] if first and fact.kind in TAKING_PART else []
    return [_move(booking) for booking in found if booking is not None and booking.previous_uid]


@dataclass(frozen=True)
class Verdict:
    """On a fact that contradicts others: None where nobody knows. `stated`: what Cal.com says in the place of both."""

    is_right: bool | None = None
    stated: Sequence[Fact] = ()


def verdict(fact: Fact, others: Sequence[Fact], answer: CalBooking | None) -> Verdict:
    """Without an answer neither: then a rule decides that knows no order of arrival (`chain.stands`)."""
    if not others or answer is None:
        return Verdict()
    if fact.kind in {FactKind.ABSENT, FactKind.PRESENT}:
        now = [person.is_absent for person in answer.attendees if person.email == fact.subject]
        kind = FactKind.ABSENT if any(now) else FactKind.PRESENT
        said = Fact(fact.uid, kind, utcnow(), subject=fact.subject, source=FactSource.API)
        return Verdict(stated=[said] if now else [])
    if fact.kind is FactKind.LOCATION_CHANGED:
        where = Details(location=answer.location, meeting_url=answer.meeting_url)
        subject = name_of_change("", answer.location)
        return Verdict(stated=[Fact(fact.uid, fact.kind, utcnow(), subject, details=where, source=FactSource.API)])
    theirs = max(_agreement(other, answer) for other in others)
    ours = _agreement(fact, answer)
    return Verdict(None if ours == theirs else ours > theirs)


def _agreement(fact: Fact, answer: CalBooking) -> tuple[bool, bool]:
    return fact.details.start_at == answer.start_at, fact.details.location == answer.location


def _previous_of(fact: Fact, answers: Mapping[str, CalBooking | None]) -> str | None:
    answer = answers.get(fact.uid)
    return fact.previous_uid or (answer.previous_uid if answer else None)


def _walk(first: str, answers: Mapping[str, CalBooking | None]) -> list[str]:
    """From this uid back, as far as the answers lead."""
    uids = [first]
    while (answer := answers.get(uids[-1])) and answer.previous_uid and answer.previous_uid not in uids:
        uids.append(answer.previous_uid)
    return uids


def _move(booking: CalBooking) -> Fact:
    details = Details(
        title=booking.title or None, start_at=booking.start_at, end_at=booking.end_at, by=booking.rescheduled_by
    )
    at = booking.created_at or booking.start_at
    return Fact(
        booking.uid,
        FactKind.RESCHEDULED,
        at,
        previous_uid=booking.previous_uid,
        details=details,
        source=FactSource.API,
    )
