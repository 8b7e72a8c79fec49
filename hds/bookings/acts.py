"""What somebody asks to be done with a booking: who, what and why, and what came of it.

An act is committed before Cal.com is asked and its outcome after, so that no transaction stands open meanwhile and a
double click acts once. The booking itself changes only by what Cal.com states: its answer here, a webhook, or what
reconcile finds. A note and a word on the payment need no Cal.com and are done at once.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import structlog
from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from hds.accounts.models import Staff
from hds.bookings import reconcile
from hds.bookings.booker import cal
from hds.bookings.chain import (
    BookingStatus,
    Details,
    Fact,
    FactKind,
    FactSource,
    PaymentState,
    Person,
    seat_moved,
)
from hds.bookings.models import BOOKINGS_LOCK, Booking, BookingEvent
from hds.calcom.answers import Booking as CalBooking
from hds.calcom.answers import BookingAttendee
from hds.calcom.client import CalClient
from hds.calcom.errors import (
    AlreadySignedUp,
    BookingUnknown,
    CalError,
    Invalid,
    NotConfigured,
    NotFound,
    SlotTaken,
    Unavailable,
)
from hds.extensions import db
from hds.lib import moments
from hds.lib.models import Base, BigId, State, UTCDateTime, insert_or_ignore, one_at_a_time
from hds.lib.times import utcnow

log = structlog.get_logger(part="bookings")

STALE_AFTER = timedelta(seconds=40)  # longer than an act with its look-up may take
UNSURE_FOR = timedelta(days=14)  # longer ago, whoever asked has looked
LONGEST_WAIT = 5.0  # seconds that the second click waits for the first


class Verb(StrEnum):
    MOVE = "move"
    CANCEL = "cancel"
    ACCEPT = "accept"
    DECLINE = "decline"
    ASK_TO_MOVE = "ask_to_move"
    MARK_ABSENT = "mark_absent"
    MARK_PRESENT = "mark_present"
    NOTE = "note"
    SET_REFUNDED = "set_refunded"
    SET_FAILED = "set_failed"
    TAKE_BACK_PAYMENT = "take_back_payment"


class Actor(StrEnum):
    ATTENDEE = "attendee"
    STAFF = "staff"


class ActState(StrEnum):
    ASKED = "asked"  # on its way to Cal.com; where this lasts, the process that asked has died
    TOLD = "told"  # Cal.com has taken it, and has yet to say that it is done
    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"  # Cal.com did not answer, so it may have done it


class ActRefusal(StrEnum):
    """Why nothing was done."""

    TAKEN = "taken"
    OVER = "over"  # cancelled, declined, moved or ended before
    TOO_LATE = "too_late"  # by the rule of the event type
    TOO_EARLY = "too_early"  # whether somebody came is known when it has begun
    REASON_NEEDED = "reason_needed"
    NOT_ALLOWED = "not_allowed"  # a key, or a right, that is missing
    NO_ANSWER = "no_answer"
    NO_SUCH_CALL = "no_such_call"  # an older Cal.com, or one's own, that does not know how to do it
    NOT_ACCEPTED = "not_accepted"


# Of Cal.com's sentences. It says these things with several statuses.
_SAYS = {
    "reason is required": ActRefusal.REASON_NEEDED,
    "does not allow": ActRefusal.TOO_LATE,
    "too late": ActRefusal.TOO_LATE,
    "after their start time": ActRefusal.TOO_EARLY,
    "minimum reschedule notice": ActRefusal.TOO_LATE,
    "already ended": ActRefusal.OVER,
    "already been cancelled": ActRefusal.OVER,
    "has been cancelled": ActRefusal.OVER,
    "has been rejected": ActRefusal.OVER,
    "already confirmed": ActRefusal.OVER,
    "cannot post": ActRefusal.NO_SUCH_CALL,
}
_PAYMENTS = {Verb.SET_REFUNDED: PaymentState.REFUNDED, Verb.SET_FAILED: PaymentState.FAILED}
_OURS = {Verb.NOTE, Verb.TAKE_BACK_PAYMENT, *_PAYMENTS}


@dataclass(frozen=True)
class Wish:
    """What is asked for. `form_token` makes a double click one act; `subject` is the e-mail address of whose absence
    or seat it is; `start_at` is where it shall move."""

    verb: Verb
    by: Actor
    form_token: str
    reason: str = ""
    start_at: datetime | None = None
    subject: str = ""
    seat_uid: str = ""
    staff_id: int | None = None


class BookingAct(Base):
    """A line of the booking's timeline: somebody asked for something. `uid`: what the booking was called then."""

    __tablename__ = "booking_act"

    booking_id: Mapped[int] = mapped_column(BigId, ForeignKey("booking.id", ondelete="CASCADE"), index=True)
    form_token: Mapped[str] = mapped_column(String(64), unique=True)
    uid: Mapped[str] = mapped_column(String(200))
    verb: Mapped[Verb] = mapped_column(State(Verb))
    actor: Mapped[Actor] = mapped_column(State(Actor))
    staff_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("staff.id", ondelete="SET NULL"))
    subject: Mapped[str] = mapped_column(String(320), default="")
    seat_uid: Mapped[str] = mapped_column(String(200), default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    start_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    state: Mapped[ActState] = mapped_column(State(ActState))
    state_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utcnow)
    refusal: Mapped[ActRefusal | None] = mapped_column(State(ActRefusal))
    told: Mapped[str | None] = mapped_column(String(500))  # Cal.com's own words, for staff alone

    booking: Mapped[Booking] = relationship(lazy="joined")
    staff: Mapped[Staff | None] = relationship(lazy="joined")

    @classmethod
    def find(cls, form_token: str) -> "BookingAct | None":
        return db.session.scalar(db.select(cls).filter_by(form_token=form_token))

    @classmethod
    def of_booking(cls, booking_id: int) -> list["BookingAct"]:
        """All that was asked, the oldest first."""
        acts = db.select(cls).filter_by(booking_id=booking_id).order_by(cls.id)
        return list(db.session.scalars(acts).unique())

    @property
    def is_on_its_way(self) -> bool:
        return self.state is ActState.ASKED and utcnow() - self.state_at <= STALE_AFTER

    @property
    def stage(self) -> ActState:
        """Where it stands now: what the booking shows goes before what we remember of the call."""
        if self.state in {ActState.DONE, ActState.REFUSED} or self.is_on_its_way:
            return self.state
        if _is_shown(self, self.booking):
            return ActState.DONE
        return ActState.TOLD if self.state is ActState.TOLD else ActState.UNKNOWN

    def becomes(
        self, state: ActState, refusal: ActRefusal | None = None, told: str = "", *, form: Wish | None = None
    ) -> None:
        self.state, self.state_at, self.refusal, self.told = state, utcnow(), refusal, told[:500] or None
        if form is not None:
            self.uid = self.booking.uid
            self.reason, self.start_at, self.subject = form.reason, form.start_at, form.subject


def subscribe() -> None:
    moments.subscribe("booking absorbed", keep)


def keep(booking: Booking, absorbed: Booking) -> None:
    """Two bookings turned out to be one: what was asked of both is its timeline."""
    db.session.execute(db.update(BookingAct).filter_by(booking_id=absorbed.id).values(booking_id=booking.id))


def is_confirmed_by_staff(booking: Booking, agreed_uids: Sequence[str]) -> bool:
    """Whether it is confirmed because somebody here accepted it, or moved it, which in the host's name confirms."""
    return any(
        act.actor is Actor.STAFF
        and act.state is not ActState.REFUSED
        and (act.verb is Verb.MOVE or (act.verb is Verb.ACCEPT and act.uid in agreed_uids))
        and _is_shown(act, booking)
        for act in BookingAct.of_booking(booking.id)
    )


def _is_shown(act: BookingAct, booking: Booking) -> bool:
    """Whether the booking, as Cal.com has told of it, is what was asked for."""
    if act.verb is Verb.MOVE and act.seat_uid:
        return any(event.details.get("moved_to") for event in _stated(booking, FactKind.SEAT_GIVEN_UP, act))
    if act.verb is Verb.MOVE:
        return act.uid in booking.previous_uids and booking.start_at == act.start_at
    if act.verb is Verb.ACCEPT:
        return any(event.kind is FactKind.CONFIRMED and event.uid == act.uid for event in booking.events)
    if act.verb in _STATES and (act.subject or act.seat_uid) and _stated(booking, _STATES[act.verb], act):
        return True
    return booking.status is _ENDS.get(act.verb)


_STATES = {
    Verb.MARK_ABSENT: FactKind.ABSENT,
    Verb.MARK_PRESENT: FactKind.PRESENT,
    Verb.CANCEL: FactKind.SEAT_GIVEN_UP,
}
_ENDS = {
    Verb.CANCEL: BookingStatus.CANCELLED,
    Verb.ASK_TO_MOVE: BookingStatus.CANCELLED,
    Verb.DECLINE: BookingStatus.DECLINED,
}


def _stated(booking: Booking, kind: FactKind, act: BookingAct) -> list[BookingEvent]:
    """What was stated of this person since it was asked for."""
    since = act.created_at - timedelta(minutes=1)  # clocks differ
    return [
        event for event in booking.events if event.kind is kind and event.subject == act.subject and event.at >= since
    ]


@dataclass(frozen=True)
class Claim:
    """The right to ask Cal.com. `is_unsure`: it may have been done already, so look first."""

    act_id: int
    uid: str
    wish: Wish
    is_unsure: bool = False


@dataclass(frozen=True)
class Outcome:
    state: ActState
    answer: CalBooking | None = None
    refusal: ActRefusal | None = None
    told: str = ""


NEVER_DONE = Outcome(ActState.REFUSED, refusal=ActRefusal.NO_ANSWER)


def perform(booking_id: int, wish: Wish) -> BookingAct:
    """Do it, or find what became of the same form before. Commits; raises LookupError where there is no booking."""
    if wish.verb in _OURS:
        return _write_down(booking_id, wish)
    claim = _claim(booking_id, wish)
    if claim is not None:
        _note(claim, _ask(claim))
    return outcome_of(wish.form_token)


def look(booking_id: int) -> None:
    """Read now what Cal.com shows of a booking, and settle what was unsure: it is done, or it never was.

    Commits. Raises CalError where Cal.com does not say, LookupError where there is no booking.
    """
    booking = db.session.get(Booking, booking_id)
    if booking is None:
        raise LookupError("no such booking")
    uid, now = booking.uid, utcnow()
    acts = [act for act in BookingAct.of_booking(booking_id) if act.stage is ActState.UNKNOWN]
    unsure = [
        # What was sent a moment ago may still be done.
        (Claim(act.id, act.uid, _wish_of(act)), NEVER_DONE if now - act.state_at > STALE_AFTER else None)
        for act in acts
        if now - act.created_at < UNSURE_FOR
    ]
    db.session.rollback()  # nothing stays open while Cal.com is asked
    outcomes = [(claim, _look(claim) or otherwise) for claim, otherwise in unsure]
    found = [cal().booking(uid)]
    if found[0].next_uid:
        found.append(cal().booking(found[0].next_uid))
    for claim, outcome in outcomes:
        if outcome:
            _note(claim, outcome)
    for each in found:
        reconcile.take_word(each)
    db.session.commit()


def look_for(uid: str) -> None:
    """Read now what Cal.com shows of a booking that no delivery has told of. Commits. Raises CalError."""
    db.session.rollback()  # nothing stays open while Cal.com is asked
    found = cal().booking(uid)
    reconcile.take_word(found)
    db.session.commit()


def outcome_of(form_token: str) -> BookingAct:
    """The act of this form; waits a little while another process is at it."""
    until = time.monotonic() + LONGEST_WAIT
    while True:
        act = BookingAct.find(form_token)
        if act is None:
            raise LookupError("no act of this form")
        if not act.is_on_its_way or time.monotonic() > until:
            return act
        db.session.rollback()  # else neither is the news seen nor can it be written
        time.sleep(0.1)


def _write_down(booking_id: int, wish: Wish) -> BookingAct:
    one_at_a_time(BOOKINGS_LOCK)  # a worker may read the payment anew
    booking = db.session.get(Booking, booking_id, populate_existing=True)
    if booking is None:
        raise LookupError("no such booking")
    if _insert(booking, wish, ActState.DONE) is not None and wish.verb is not Verb.NOTE:
        booking.settle_payment(_PAYMENTS.get(wish.verb))
    db.session.commit()
    return outcome_of(wish.form_token)


def _claim(booking_id: int, wish: Wish) -> Claim | None:
    """Committed: from here on this process alone asks. None where it is done, or another process is at it."""
    booking = db.session.get(Booking, booking_id)
    if booking is None:
        raise LookupError("no such booking")
    uid = booking.uid
    new_id = _insert(booking, wish, ActState.ASKED)
    if new_id is not None:
        db.session.commit()
        return Claim(new_id, uid, wish)
    query = db.select(BookingAct).where(BookingAct.form_token == wish.form_token)
    act = db.session.scalars(query.with_for_update(of=BookingAct)).unique().one()
    if act.booking_id != booking_id:
        db.session.rollback()
        raise LookupError("this form belongs to another booking")
    if act.stage in {ActState.DONE, ActState.TOLD} or act.is_on_its_way:
        db.session.rollback()
        return None
    is_unsure = act.state is not ActState.REFUSED
    # What may have been done is looked for as it was asked; what was refused may be asked anew, as it now reads.
    act.becomes(ActState.ASKED, form=None if is_unsure else wish)
    claim = Claim(act.id, act.uid, _wish_of(act) if is_unsure else wish, is_unsure)
    db.session.commit()
    return claim


def _insert(booking: Booking, wish: Wish, state: ActState) -> int | None:
    values: dict[str, Any] = {
        "booking_id": booking.id,
        "form_token": wish.form_token,
        "uid": booking.uid,
        "verb": wish.verb,
        "actor": wish.by,
        "staff_id": wish.staff_id,
        "subject": wish.subject,
        "seat_uid": wish.seat_uid,
        "reason": wish.reason,
        "start_at": wish.start_at,
        "state": state,
    }
    return insert_or_ignore(BookingAct, **values)


def _wish_of(act: BookingAct) -> Wish:
    return Wish(act.verb, act.actor, act.form_token, act.reason, act.start_at, act.subject, act.seat_uid, act.staff_id)


def _ask(claim: Claim) -> Outcome:
    """One call. Where no answer comes, or one that says it is over: look whether it is as was asked."""
    try:
        if claim.is_unsure and (found := _look(claim)):
            return found
        answer = _CALLS[claim.wish.verb](cal(), claim)
    except BookingUnknown:
        return _look_again(claim) or Outcome(ActState.UNKNOWN, told="Cal.com did not answer.")
    except (Invalid, NotFound, AlreadySignedUp) as error:
        return _look_again(claim) or _refused(error)
    except CalError as error:
        return _refused(error)
    return Outcome(ActState.DONE if answer else ActState.TOLD, answer)


def _look_again(claim: Claim) -> Outcome | None:
    try:
        return _look(claim)
    except CalError:
        return None


def _look(claim: Claim) -> Outcome | None:
    """What Cal.com shows, if it is what was asked for."""
    booking, wish = cal().booking(claim.uid), claim.wish
    if wish.verb is Verb.MOVE and wish.seat_uid:
        return None if wish.subject in {person.email for person in booking.attendees} else _look_elsewhere(wish)
    if wish.verb is Verb.MOVE:
        if booking.next_uid is None:
            return None
        booking = cal().booking(booking.next_uid)
        is_so = booking.start_at == wish.start_at
    elif wish.verb in {Verb.MARK_ABSENT, Verb.MARK_PRESENT}:
        stated_of = {person.email: person.is_absent for person in booking.attendees}
        is_so = stated_of.get(wish.subject) is (wish.verb is Verb.MARK_ABSENT)
    elif wish.seat_uid:
        is_so = wish.subject not in {person.email for person in booking.attendees}
    else:
        is_so = booking.status == _SHOWS[wish.verb]
    return Outcome(ActState.DONE, booking) if is_so else None


def _look_elsewhere(wish: Wish) -> Outcome | None:
    """A seat is gone: moved, if this person has one at the time that was asked for."""
    found = cal().find_booking(wish.subject, wish.start_at) if wish.start_at else None
    return Outcome(ActState.DONE, found) if found else None


_SHOWS = {
    Verb.CANCEL: "cancelled",
    Verb.ASK_TO_MOVE: "cancelled",
    Verb.ACCEPT: "accepted",
    Verb.DECLINE: "rejected",
}


def _move(client: CalClient, claim: Claim) -> CalBooking:
    wish, is_host = claim.wish, claim.wish.by is Actor.STAFF
    if wish.start_at is None:
        raise Invalid("a move needs a time")
    # Cal.com confirms at once what the owner moves, and knows the owner by the address.
    by = (client.me().email or "") if is_host else wish.subject
    reason = "" if wish.seat_uid else wish.reason  # with a seat, Cal.com refuses whatever gives one
    return client.reschedule(claim.uid, wish.start_at, reason=reason, by=by, seat_uid=wish.seat_uid, as_host=is_host)


def _cancel(client: CalClient, claim: Claim) -> CalBooking:
    wish = claim.wish
    return client.cancel(claim.uid, wish.reason, seat_uid=wish.seat_uid, as_host=wish.by is Actor.STAFF)


def _mark(client: CalClient, claim: Claim) -> CalBooking:
    return client.mark_absent(claim.uid, {claim.wish.subject: claim.wish.verb is Verb.MARK_ABSENT})


_CALLS: dict[Verb, Callable[[CalClient, Claim], CalBooking | None]] = {
    Verb.MOVE: _move,
    Verb.CANCEL: _cancel,
    Verb.ACCEPT: lambda client, claim: client.confirm(claim.uid),
    Verb.DECLINE: lambda client, claim: client.decline(claim.uid, claim.wish.reason),
    Verb.ASK_TO_MOVE: lambda client, claim: client.ask_to_reschedule(claim.uid, claim.wish.reason),
    Verb.MARK_ABSENT: _mark,
    Verb.MARK_PRESENT: _mark,
}


def _refused(error: CalError) -> Outcome:
    said = error.text.lower()
    if isinstance(error, SlotTaken | AlreadySignedUp):
        refusal = ActRefusal.TAKEN
    elif isinstance(error, Unavailable):
        refusal = ActRefusal.NO_ANSWER
    elif isinstance(error, NotConfigured):
        refusal = ActRefusal.NOT_ALLOWED
    else:
        refusal = next((meaning for words, meaning in _SAYS.items() if words in said), _by_status(error))
    log.warning("act refused", reason=str(error), refusal=refusal.value)
    return Outcome(ActState.REFUSED, refusal=refusal, told=f"{error}: {error.text}" if error.text else str(error))


def _by_status(error: CalError) -> ActRefusal:
    if error.status == 404:
        return ActRefusal.OVER
    return ActRefusal.NOT_ALLOWED if error.status in {401, 403} else ActRefusal.NOT_ACCEPTED


def _note(claim: Claim, outcome: Outcome) -> None:
    """What Cal.com answered is what it states of the booking: recorded as such, together with the outcome."""
    act = db.session.get_one(BookingAct, claim.act_id)
    act.becomes(outcome.state, outcome.refusal, outcome.told)
    if outcome.answer is not None:
        _take_word(act, outcome.answer)
    db.session.commit()


def _take_word(act: BookingAct, answer: CalBooking) -> None:
    """Of a seat the answer shows the others alone: that it was left is stated as of when it was asked for, so that
    the delivery, which comes later, is believed rather."""
    if not act.seat_uid:
        reconcile.take_word(answer, is_outcome=True)
        return
    person = Person(email=act.subject)
    if act.verb is Verb.MOVE:
        if act.subject not in {attendee.email for attendee in answer.attendees}:
            # Without the key Cal.com may show nobody: this person has a seat there.
            them = BookingAttendee(email=act.subject, seatUid=answer.seat_uid or act.seat_uid)
            answer = answer.model_copy(update={"attendees": [*answer.attendees, them]})
        left = seat_moved(act.uid, answer.uid, person, act.created_at, source=FactSource.API)
    else:
        details = Details(is_seated=True, attendees=[person], seat_uid=act.seat_uid, reason=act.reason or None)
        left = Fact(
            act.uid, FactKind.SEAT_GIVEN_UP, act.created_at, act.subject, details=details, source=FactSource.API
        )
    reconcile.take_word(answer, is_outcome=True)
    Booking.record(left)
