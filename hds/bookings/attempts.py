"""Booking once, whatever happens: the attempt is committed before Cal.com is called, its outcome after.

No transaction stands open while Cal.com is asked: on SQLite it would keep every other writer out.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from dataclasses import fields as dataclass_fields
from datetime import datetime
from enum import StrEnum

import structlog

from hds.analytics import visits
from hds.bookings.booker import REFERENCE, Booker, cal, new_reference
from hds.bookings.models import AttemptState, BookingAttempt, Refusal
from hds.calcom.answers import Booking as CalBooking
from hds.calcom.client import Person
from hds.calcom.errors import (
    AlreadySignedUp,
    BookingUnknown,
    CalError,
    HasTooMany,
    ProofNeeded,
    SlotTaken,
    Unavailable,
    WrongProof,
)
from hds.calcom.responses import Answer
from hds.extensions import db
from hds.lib.models import insert_or_ignore

log = structlog.get_logger(part="bookings")

PHONE_SLUG = "attendeePhoneNumber"  # Cal.com's own question for the booker's number
LONGEST_WAIT = 5.0  # seconds that the second click waits for the first
LONGEST_TRY = 5.0  # seconds after which nothing is sent a second time


_REFUSALS: dict[type[CalError], Refusal] = {
    SlotTaken: Refusal.TAKEN,
    Unavailable: Refusal.NO_ANSWER,
    ProofNeeded: Refusal.PROOF_NEEDED,
    WrongProof: Refusal.WRONG_PROOF,
    AlreadySignedUp: Refusal.SIGNED_UP,
    HasTooMany: Refusal.TOO_MANY,
}


@dataclass(frozen=True)
class Order:
    """What somebody wants: the columns of an attempt that they typed or chose."""

    start_at: datetime
    time_zone: str
    name: str
    email: str
    phone: str | None
    place: str | None
    notes: str | None
    place_detail: str | None = None
    minutes: int | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)
    guests: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Claim:
    """The right to send an attempt. `earlier`: the order that may have been booked already, to look for first."""

    attempt_id: int
    reference: str
    earlier: Order | None = None


@dataclass(frozen=True)
class Outcome:
    state: AttemptState
    booking: CalBooking | None = None
    refusal: Refusal | None = None
    reason: str = ""


class Earlier(StrEnum):
    """What was there of a form before it came again."""

    NOTHING = "nothing"  # or something that was refused: it may be sent
    ENDED = "ended"  # booked, or on its way by another process
    OPEN = "open"  # sent once, and nobody knows what became of it


def earlier(form_token: str) -> Earlier:
    attempt = BookingAttempt.find(form_token) if form_token else None
    db.session.close()  # which leaves what was read as it was
    if attempt is None or attempt.state is AttemptState.REFUSED:
        return Earlier.NOTHING
    return Earlier.ENDED if attempt.state is AttemptState.BOOKED or attempt.is_sending else Earlier.OPEN


def book(booker: Booker, service_id: int, form_token: str, order: Order, proof: str = "") -> BookingAttempt:
    """Book it, or find what became of the same form before. Commits; the attempt that comes back is settled, or
    still on its way by another process. `proof`: the code that proves the address, which is not kept."""
    claim = _claim(service_id, form_token, order)
    if claim is not None:
        outcome = _settle_earlier(claim) or _send(booker, claim, order, proof)
        _note(claim, outcome)
    return outcome_of(form_token)


def outcome_of(form_token: str) -> BookingAttempt:
    """The attempt of this form; waits a little while somebody else is sending it."""
    until = time.monotonic() + LONGEST_WAIT
    while True:
        attempt = BookingAttempt.find(form_token)
        if attempt is None:
            raise LookupError("no attempt of this form")
        if not attempt.is_sending or time.monotonic() > until:
            return attempt
        db.session.rollback()  # else neither is the news seen nor can it be written
        time.sleep(0.1)


def _claim(service_id: int, form_token: str, order: Order) -> Claim | None:
    """Committed: from here on this process alone sends. None where it is booked, or another process is at it."""
    reference = new_reference()
    typed = {"form_token": form_token, "service_id": service_id, **asdict(order)}
    new_id = insert_or_ignore(BookingAttempt, reference=reference, state=AttemptState.SENDING, **typed)
    if new_id is not None:
        db.session.commit()
        return Claim(new_id, reference)
    query = db.select(BookingAttempt).where(BookingAttempt.form_token == form_token)
    attempt: BookingAttempt = db.session.scalars(query.with_for_update(of=BookingAttempt)).unique().one()
    if attempt.state is AttemptState.BOOKED or attempt.is_sending:
        db.session.rollback()
        return None
    earlier = None
    if attempt.state is AttemptState.REFUSED:
        _write(attempt, order)
    else:
        earlier = _order_of(attempt)
    claim = Claim(attempt.id, attempt.reference, earlier)
    attempt.becomes(AttemptState.SENDING)
    db.session.commit()
    return claim


def _settle_earlier(claim: Claim) -> Outcome | None:
    """What became of an order that was sent without an answer, or whose process died. None: it was never booked."""
    if claim.earlier is None:
        return None
    try:
        return _found(claim, claim.earlier)
    except CalError as error:
        return Outcome(AttemptState.UNKNOWN, reason=str(error))


def _send(booker: Booker, claim: Claim, order: Order, proof: str) -> Outcome:
    """One call. Where no answer comes: look, and if there is nothing, once more, and look again."""
    if claim.earlier is not None and claim.earlier != order:
        attempt = db.session.get_one(BookingAttempt, claim.attempt_id)
        _write(attempt, order)
        db.session.commit()
    began, is_unsure = time.monotonic(), False
    try:
        for _ in range(2):
            outcome = _send_once(booker, claim, order, proof, is_unsure=is_unsure)
            outcome = outcome or _found(claim, order)
            if outcome:
                return outcome
            is_unsure = True
            if time.monotonic() - began > LONGEST_TRY:
                break
    except CalError as error:  # looking did not help
        return Outcome(AttemptState.UNKNOWN, reason=str(error))
    return Outcome(AttemptState.UNKNOWN, reason="Cal.com did not answer, and does not list a booking.")


def _send_once(booker: Booker, claim: Claim, order: Order, proof: str, *, is_unsure: bool) -> Outcome | None:
    """None where no answer came. `is_unsure`: an earlier call may have booked, so a refusal may be our own doing."""
    place = booker.place(order.place)
    words = {REFERENCE: claim.reference} | ({visits.KEY: visit} if (visit := visits.reference()) else {})
    try:
        booking = cal().create_booking(
            booker.target,
            order.start_at,
            Person(order.name, order.email, order.time_zone, order.phone or _number(order)),
            guests=order.guests,
            notes=order.notes or "",
            answers={**booker.carried(words), **order.answers},
            location=place.told(order.phone or order.place_detail) if place else None,
            metadata=words,
            minutes=order.minutes,
            proof=proof,
        )
    except BookingUnknown:
        return None
    except CalError as error:
        log.warning("booking refused", attempt=claim.attempt_id, reason=str(error))
        if is_unsure:
            return _found(claim, order) or (_refused(error) if isinstance(error, SlotTaken | AlreadySignedUp) else None)
        return _refused(error)
    return _booked(booking)


def _number(order: Order) -> str | None:
    """Where the event type asks for the booker's number, whatever the place."""
    number = order.answers.get(PHONE_SLUG)
    return number if isinstance(number, str) else None


def _refused(error: CalError) -> Outcome:
    meant = (refusal for meaning, refusal in _REFUSALS.items() if isinstance(error, meaning))
    refusal = next(meant, Refusal.NOT_ACCEPTED)
    return Outcome(AttemptState.REFUSED, refusal=refusal, reason=f"{error}: {error.text}" if error.text else str(error))


def _found(claim: Claim, order: Order) -> Outcome | None:
    booking = cal().find_booking(order.email, order.start_at, claim.reference)
    return _booked(booking) if booking else None


def _booked(booking: CalBooking) -> Outcome:
    return Outcome(AttemptState.BOOKED, booking)


def _note(claim: Claim, outcome: Outcome) -> None:
    attempt = db.session.get_one(BookingAttempt, claim.attempt_id)
    result: dict[str, object] = {"refusal": outcome.refusal, "reason": outcome.reason[:500] or None}
    if booking := outcome.booking:
        result |= {
            "start_at": booking.start_at,
            "booking_uid": booking.uid,
            "meeting_url": booking.meeting_url,
            "awaits_approval": booking.status == "pending",
        }
    attempt.becomes(outcome.state, **result)
    db.session.commit()


def _order_of(attempt: BookingAttempt) -> Order:
    return Order(**{column.name: getattr(attempt, column.name) for column in dataclass_fields(Order)})


def _write(attempt: BookingAttempt, order: Order) -> None:
    for name, value in asdict(order).items():
        setattr(attempt, name, value)
