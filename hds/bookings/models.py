"""Bookings, what happened to them, who takes part, what was paid, and what somebody typed before there was one."""

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ColumnElement, ForeignKey, String, Text, UniqueConstraint, false, or_
from sqlalchemy.orm import Mapped, mapped_column, relationship

from hds.bookings import chain
from hds.bookings.chain import BookingStatus, Details, Fact, FactKind, FactSource, PaymentState
from hds.contacts.models import Contact
from hds.extensions import db
from hds.lib.models import Base, BigId, State, UTCDateTime, one_at_a_time
from hds.lib.moments import announce
from hds.lib.times import utcnow
from hds.services.models import Service

STALE_AFTER = timedelta(seconds=40)  # longer than an attempt with all its look-ups may take
SKEW = timedelta(minutes=1)  # how far the clocks of two hosts may differ
ENDED_EARLY = {BookingStatus.CANCELLED, BookingStatus.DECLINED}
# Kinds that the API cannot tell apart: what it was taken for, until a delivery says which it is.
INSTEAD = {
    FactKind.CONFIRMED: (FactKind.RESCHEDULED,),
    FactKind.RESCHEDULED: (FactKind.CONFIRMED,),
    FactKind.PAYMENT_INITIATED: (FactKind.REQUESTED,),
}
BOOKINGS_LOCK = 4201  # the advisory lock under which facts are recorded, so that a chain is joined by one at a time


class Role(StrEnum):
    BOOKER = "booker"
    GUEST = "guest"


class ContactBooking(Base):
    """Somebody takes part in a booking."""

    __tablename__ = "contact_booking"
    __table_args__ = (UniqueConstraint("booking_id", "contact_id"),)

    booking_id: Mapped[int] = mapped_column(BigId, ForeignKey("booking.id", ondelete="CASCADE"))
    contact_id: Mapped[int] = mapped_column(BigId, ForeignKey("contact.id"), index=True)
    role: Mapped[Role] = mapped_column(State(Role))
    contact: Mapped[Contact] = relationship(lazy="joined")


class BookingEvent(Base):
    """A fact about one uid of a booking, as a delivery stated it: the timeline, and all that a booking is read from."""

    __tablename__ = "booking_event"
    __table_args__ = (UniqueConstraint("uid", "kind", "subject"),)

    booking_id: Mapped[int] = mapped_column(BigId, ForeignKey("booking.id", ondelete="CASCADE"), index=True)
    delivery_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("inbox_delivery.id", ondelete="SET NULL"))
    uid: Mapped[str] = mapped_column(String(200), index=True)
    previous_uid: Mapped[str | None] = mapped_column(String(200), index=True)
    ical_uid: Mapped[str | None] = mapped_column(String(500), index=True)
    ical_sequence: Mapped[int | None]
    kind: Mapped[FactKind] = mapped_column(State(FactKind))
    subject: Mapped[str] = mapped_column(String(320), default="")
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    source: Mapped[FactSource] = mapped_column(State(FactSource), default=FactSource.WEBHOOK, server_default="webhook")

    @property
    def fact(self) -> Fact:
        return Fact(
            self.uid,
            self.kind,
            self.at,
            self.subject,
            self.previous_uid,
            self.ical_sequence,
            Details.model_validate(self.details),
            self.source,
        )

    def keep(self, fact: Fact, ical_uid: str | None, earlier: dict[str, Any] | None = None) -> bool:
        """Whatever tells where this belongs, and who was invited, is kept from each statement of the fact, though only
        one of them stands. `earlier`: the details of the one that stood until now.

        Returns whether there was something new. Of two that differ always the same one is kept, whichever came first.
        """
        details, earlier = self.details, earlier or {}
        before = (self.previous_uid, self.ical_uid, self.ical_sequence, details)
        self.previous_uid = _first_of(self.previous_uid, fact.previous_uid)
        self.ical_uid = _first_of(self.ical_uid, ical_uid)
        numbers = [number for number in (self.ical_sequence, fact.ical_sequence) if number is not None]
        self.ical_sequence = min(numbers, default=None)
        if reference := _first_of(details.get("reference"), fact.details.reference, earlier.get("reference")):
            details = details | {"reference": reference}
        if guests := {*details.get("guests", []), *fact.details.guests, *earlier.get("guests", [])}:
            details = details | {"guests": sorted(guests)}
        self.details = details
        return before != (self.previous_uid, self.ical_uid, self.ical_sequence, details)


def _first_of(*words: str | None) -> str | None:
    return min(filter(None, words), default=None)


class Payment(Base):
    """The money for a booking. Cal.com tells of pending and paid; staff set failed and refunded."""

    __tablename__ = "payment"

    booking_id: Mapped[int] = mapped_column(BigId, ForeignKey("booking.id", ondelete="CASCADE"), unique=True)
    state: Mapped[PaymentState] = mapped_column(State(PaymentState))
    state_at: Mapped[datetime] = mapped_column(UTCDateTime)
    amount: Mapped[int | None] = mapped_column(BigId)
    currency: Mapped[str | None] = mapped_column(String(3))
    external_id: Mapped[str | None] = mapped_column(String(200))
    # Cal.com's API never tells of payments: this one was concluded from the booking's state there.
    is_inferred: Mapped[bool] = mapped_column(default=False, server_default=false())

    @property
    def is_settled_by_staff(self) -> bool:
        return self.state in {PaymentState.FAILED, PaymentState.REFUNDED}

    def take_word_of(self, other: "Payment") -> None:
        """Of two payments that turn out to be one, what staff said stands; the rest is read from the facts again."""
        if other.is_settled_by_staff and not self.is_settled_by_staff:
            self.state, self.state_at = other.state, other.state_at


class Booking(Base):
    """A meeting that somebody booked. Its columns are read from its events (see chain) whenever one is recorded."""

    __tablename__ = "booking"

    uid: Mapped[str] = mapped_column(String(200), unique=True)
    previous_uids: Mapped[list[str]] = mapped_column(JSON, default=list)
    status: Mapped[BookingStatus] = mapped_column(State(BookingStatus), index=True)
    status_at: Mapped[datetime] = mapped_column(UTCDateTime)
    service_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("service.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("contact.id"), index=True)
    event_type_id: Mapped[int | None] = mapped_column(BigId)
    event_type_slug: Mapped[str | None] = mapped_column(String(200))
    title: Mapped[str] = mapped_column(String(500), default="")
    start_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)
    end_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    time_zone: Mapped[str | None] = mapped_column(String(64))
    meeting_url: Mapped[str | None] = mapped_column(String(2000))
    location: Mapped[str | None] = mapped_column(String(500))
    notes: Mapped[str | None] = mapped_column(Text)
    answers: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    price_amount: Mapped[int | None] = mapped_column(BigId)
    price_currency: Mapped[str | None] = mapped_column(String(3))
    reason: Mapped[str | None] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utcnow, index=True)

    service: Mapped[Service | None] = relationship(lazy="joined")
    contact: Mapped[Contact | None] = relationship(lazy="joined")
    payment: Mapped[Payment | None] = relationship(lazy="joined")
    events: Mapped[list[BookingEvent]] = relationship(order_by="(BookingEvent.at, BookingEvent.id)")
    people: Mapped[list[ContactBooking]] = relationship(order_by=ContactBooking.id, cascade="all, delete-orphan")

    @classmethod
    def record(
        cls, fact: Fact, ical_uid: str | None = None, delivery_id: int | None = None, *, is_right: bool | None = None
    ) -> "Booking":
        """Write down what happened to a uid, and bring its booking up to date.

        Finds the booking through any uid of its chain or the calendar's uid; makes one where there is none, and joins
        those that turn out to be one. The same fact again changes nothing. `is_right`: of two that contradict each
        other it is known whether this one is true.
        """
        one_at_a_time(BOOKINGS_LOCK)
        if ical_uid and cls._is_of_series(fact.uid):
            ical_uid = None
        booking = cls._of_chain(fact, ical_uid)
        booking._remember(fact, ical_uid, delivery_id, is_right=is_right)
        booking.refresh()
        return booking

    @classmethod
    def by_uid(cls, uid: str) -> "Booking | None":
        """The booking that has, or had, this uid."""
        return db.session.scalar(db.select(cls).join(BookingEvent).where(BookingEvent.uid == uid).limit(1))

    @classmethod
    def by_reference(cls, reference: str, since: datetime) -> "Booking | None":
        """The booking that a webhook told of under our own reference. Only those that changed since are looked at (an
        index)."""
        brought = BookingEvent.details["reference"].as_string() == reference
        query = db.select(cls).join(BookingEvent).where(cls.changed_at >= since - SKEW, brought)
        return db.session.scalars(query.order_by(cls.id.desc())).unique().first()

    @classmethod
    def contradicting(cls, fact: Fact) -> list[Fact]:
        """What was stated of the very same moment and cannot be true beside this."""
        query = db.select(BookingEvent).filter_by(uid=fact.uid, at=fact.at)
        return [event.fact for event in db.session.scalars(query) if chain.contradicts(fact, event.fact)]

    @classmethod
    def knows(cls, uid: str) -> bool:
        """Whether any fact is about this uid."""
        return db.session.scalar(db.select(BookingEvent.id).filter_by(uid=uid).limit(1)) is not None

    @classmethod
    def is_placed(cls, uid: str, kinds: Collection[FactKind]) -> bool:
        """Whether it is known where this uid belongs: a fact linked it, or one of these kinds was recorded."""
        linked = BookingEvent.previous_uid.is_not(None) | BookingEvent.ical_uid.is_not(None)
        placing = (BookingEvent.uid == uid) & (linked | BookingEvent.kind.in_(kinds))
        return db.session.scalar(db.select(BookingEvent.id).where(placing).limit(1)) is not None

    @classmethod
    def _is_of_series(cls, uid: str) -> bool:
        """Whether it is one of several meetings that may share the calendar's uid: not each body says so."""
        details = db.session.scalars(db.select(BookingEvent.details).filter_by(uid=uid))
        return any(said.get("is_of_series") for said in details)

    @classmethod
    def has_status(cls, status: BookingStatus) -> ColumnElement[bool]:
        """The condition of bookings that `current_status` says this of."""
        over = cls.end_at <= utcnow()
        if status is BookingStatus.COMPLETED:
            return or_(cls.status == status, (cls.status == BookingStatus.CONFIRMED) & over)
        if status is BookingStatus.CONFIRMED:
            return (cls.status == status) & or_(cls.end_at.is_(None), ~over)
        return cls.status == status

    @property
    def current_status(self) -> BookingStatus:
        """The status now: a confirmed meeting whose end has passed is completed, whether or not Cal.com says so."""
        if self.status is BookingStatus.CONFIRMED and self.end_at and self.end_at <= utcnow():
            return BookingStatus.COMPLETED
        return self.status

    @property
    def is_host_asking_to_move(self) -> bool:
        """Cancelled by the host for another time to be picked. What is booked then may or may not be tied to this."""
        return self.status is BookingStatus.CANCELLED and any(
            event.uid == self.uid and event.details.get("asks_to_move") for event in self.events
        )

    @property
    def is_seated(self) -> bool:
        """Whether several people may each have a seat of their own in it."""
        return any(event.details.get("is_seated") for event in self.events)

    def has_left(self, email: str) -> bool:
        """Whether this person gave up a seat in it, and has no other."""
        given_up = any(event.kind is FactKind.SEAT_GIVEN_UP and event.subject == email for event in self.events)
        return given_up and email not in {contact.email for contact in self.bookers}

    def followed(self, email: str) -> list["Booking"]:
        """This booking, and those that this person's seat was moved to since. The last one is where it is."""
        bookings = [self]
        while (following := bookings[-1]._following(email)) and following not in bookings:
            bookings.append(following)
        return bookings

    def _following(self, email: str) -> "Booking | None":
        own = [event for event in self.events if event.subject == email]
        left = next((event for event in own if event.details.get("moved_to")), None)
        if left is None or any(event.kind in chain.TAKING_PART and event.at > left.at for event in own):
            return None
        return Booking.by_uid(left.details["moved_to"])

    @property
    def payment_state(self) -> PaymentState:
        return self.payment.state if self.payment else PaymentState.NONE

    @property
    def bookers(self) -> list[Contact]:
        return [person.contact for person in self.people if person.role is Role.BOOKER]

    @property
    def guests(self) -> list[Contact]:
        return [person.contact for person in self.people if person.role is Role.GUEST]

    def refresh(self) -> None:
        """Read the booking anew from its events, and announce what it now is."""
        db.session.flush()
        db.session.expire(self, ["events", "people", "payment"])
        picture = chain.read([event.fact for event in self.events])
        self._show(picture)
        self._take_part(picture)
        self._settle(picture)
        db.session.flush()
        # Announced each time, since who subscribes writes rows that are unique: the second time is boring.
        # A move that had to be asked for is confirmed anew; one that stands by itself is no new confirmation.
        if self.status is BookingStatus.CONFIRMED:
            announce("booking confirmed", self, picture.agreed_uids)
        elif self.status is BookingStatus.REQUESTED and picture.was_requested:
            announce("booking requested", self)

    def settle_payment(self, state: PaymentState | None) -> None:
        """As staff say. None: they take back what they said, and Cal.com's word stands again."""
        if self.payment is None:
            return
        self.payment.state, self.payment.state_at = state or PaymentState.NONE, utcnow()
        if state is None:
            self._settle(chain.read([event.fact for event in self.events]))

    @classmethod
    def _of_chain(cls, fact: Fact, ical_uid: str | None) -> "Booking":
        uids = [uid for uid in (fact.uid, fact.previous_uid) if uid]
        related = or_(BookingEvent.uid.in_(uids), BookingEvent.previous_uid == fact.uid)
        if ical_uid:
            related = or_(related, BookingEvent.ical_uid == ical_uid)
        ids = db.session.scalars(db.select(BookingEvent.booking_id).where(related).distinct()).all()
        if not ids:
            booking = cls(uid=fact.uid, status=BookingStatus.REQUESTED, status_at=fact.at)
            db.session.add(booking)
            db.session.flush()
            return booking
        first, *others = db.session.scalars(db.select(cls).where(cls.id.in_(ids)).order_by(cls.id)).unique().all()
        for other in others:
            first._absorb(other)
        return first

    def _absorb(self, other: "Booking") -> None:
        """Two that were one all along: the link between them came late."""
        announce("booking absorbed", self, other)
        for event in other.events:
            event.booking_id = self.id
        if other.payment and self.payment:
            self.payment.take_word_of(other.payment)
            db.session.delete(other.payment)
        elif other.payment:
            other.payment.booking_id = self.id
        db.session.flush()
        db.session.expire(other)
        db.session.delete(other)
        db.session.flush()

    def _remember(self, fact: Fact, ical_uid: str | None, delivery_id: int | None, *, is_right: bool | None) -> None:
        key = {"uid": fact.uid, "kind": fact.kind, "subject": fact.subject}
        event = db.session.scalar(db.select(BookingEvent).filter_by(**key))
        if event is None:
            event = BookingEvent(**key, booking_id=self.id, at=fact.at, details={})
            db.session.add(event)
        elif not (chain.stands(fact, event.fact) if is_right is None else is_right):
            if event.keep(fact, ical_uid):
                self.changed_at = utcnow()
            return
        self.changed_at = utcnow()
        earlier = event.details
        event.at, event.delivery_id, event.source = fact.at, delivery_id, fact.source
        event.details = fact.details.model_dump(mode="json", exclude_defaults=True)
        event.keep(fact, ical_uid, earlier)
        if fact.source is not FactSource.API and fact.kind in INSTEAD:
            self._believe_rather(event)

    def _believe_rather(self, fact: BookingEvent) -> None:
        """What was read from the API in the place of a fact that had not come gives way to it; what that told of where
        it belongs is kept."""
        instead = (BookingEvent.uid == fact.uid) & (BookingEvent.subject == fact.subject)
        was_read = (BookingEvent.source == FactSource.API) & BookingEvent.kind.in_(INSTEAD[fact.kind])
        for event in db.session.scalars(db.select(BookingEvent).where(instead, was_read)):
            fact.keep(event.fact, event.ical_uid)
            db.session.delete(event)

    def _show(self, picture: chain.Picture) -> None:
        details = picture.details
        self.uid, self.previous_uids = picture.uid, list(picture.uids[:-1])
        self.status, self.status_at = picture.status, picture.status_at
        self.event_type_id, self.event_type_slug = details.event_type_id, details.event_type_slug
        self.service = Service.by_event_type(details.event_type_id, details.event_type_slug)
        self.title = details.title or ""
        self.start_at, self.end_at = details.start_at, details.end_at
        self.time_zone = picture.bookers[0].time_zone if picture.bookers else None
        self.meeting_url, self.location, self.notes = details.meeting_url, details.location, details.notes
        self.answers = details.answers
        self.price_amount, self.price_currency = details.price, details.currency
        self.reason = details.reason

    def _take_part(self, picture: chain.Picture) -> None:
        """The people of the newest body; who no longer stands in it takes no part."""
        bookers = [Contact.of(**person.model_dump()) for person in picture.bookers]
        guests = [Contact.of(**person.model_dump()) for person in picture.guests]
        self.contact = bookers[0] if bookers else None
        wanted = {contact.id: Role.BOOKER for contact in bookers} | {contact.id: Role.GUEST for contact in guests}
        kept = {person.contact_id: person for person in self.people}
        for contact_id, person in kept.items():
            if contact_id not in wanted:
                self.people.remove(person)
        for contact_id, role in wanted.items():
            if contact_id in kept:
                kept[contact_id].role = role
            else:
                self.people.append(ContactBooking(contact_id=contact_id, role=role))

    def _settle(self, picture: chain.Picture) -> None:
        if picture.payment is PaymentState.NONE:
            return
        payment = self.payment or Payment(booking_id=self.id)
        if not payment.is_settled_by_staff:
            payment.state, payment.is_inferred = picture.payment, picture.is_payment_inferred
            payment.state_at = picture.paid_at or picture.status_at
        payment.amount, payment.currency = self.price_amount, self.price_currency
        payment.external_id = picture.details.external_payment_id
        self.payment = payment


class AttemptState(StrEnum):
    SENDING = "sending"  # on its way to Cal.com; where this lasts, the process that sent it has died
    BOOKED = "booked"
    REFUSED = "refused"  # nothing was booked, and it may be sent again
    UNKNOWN = "unknown"  # Cal.com did not answer, so it may have booked


class Refusal(StrEnum):
    TAKEN = "taken"
    NOT_ACCEPTED = "not_accepted"
    NO_ANSWER = "no_answer"  # Cal.com could not be asked
    PROOF_NEEDED = "proof_needed"  # of the address, by a code
    WRONG_PROOF = "wrong_proof"
    SIGNED_UP = "signed_up"  # this person has a seat there already
    TOO_MANY = "too_many"  # this person has as many bookings ahead as the event type gives to one


class BookingAttempt(Base):
    """What somebody typed into our own booker, and what became of it. The form's token makes a double click one."""

    __tablename__ = "booking_attempt"

    form_token: Mapped[str] = mapped_column(String(64), unique=True)
    reference: Mapped[str] = mapped_column(String(64), unique=True)  # ours, in Cal.com's metadata
    service_id: Mapped[int] = mapped_column(BigId, ForeignKey("service.id"))
    start_at: Mapped[datetime] = mapped_column(UTCDateTime)
    time_zone: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(320))
    phone: Mapped[str | None] = mapped_column(String(50))
    place: Mapped[str | None] = mapped_column(String(20))
    place_detail: Mapped[str | None] = mapped_column(String(500))  # where the booker says where
    notes: Mapped[str | None] = mapped_column(Text)
    minutes: Mapped[int | None]  # where the booker chose a length
    answers: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")  # as Cal.com takes them
    guests: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    state: Mapped[AttemptState] = mapped_column(State(AttemptState))
    state_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utcnow)
    refusal: Mapped[Refusal | None] = mapped_column(State(Refusal))
    booking_uid: Mapped[str | None] = mapped_column(String(200))
    meeting_url: Mapped[str | None] = mapped_column(String(2000))
    awaits_approval: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str | None] = mapped_column(String(500))  # Cal.com's own words, for staff alone

    service: Mapped[Service] = relationship(lazy="joined")

    @classmethod
    def find(cls, form_token: str) -> "BookingAttempt | None":
        return db.session.scalar(db.select(cls).where(cls.form_token == form_token))

    @property
    def is_stale(self) -> bool:
        """Still sending after longer than any call takes: whoever sent it is gone."""
        return self.state is AttemptState.SENDING and utcnow() - self.state_at > STALE_AFTER

    @property
    def is_sending(self) -> bool:
        return self.state is AttemptState.SENDING and not self.is_stale

    @property
    def booking(self) -> Booking | None:
        """The booking that a webhook told of: by its uid; while nobody knows it, the one that brought back our
        reference, else this person's new one at this time."""
        if self.booking_uid:
            booking = Booking.by_uid(self.booking_uid)
            return booking.followed(self.email)[-1] if booking else None
        if self.state not in {AttemptState.SENDING, AttemptState.UNKNOWN}:
            return None
        return Booking.by_reference(self.reference, self.created_at) or self._of_person

    @property
    def _of_person(self) -> Booking | None:
        theirs = (Booking.service_id == self.service_id) & (Booking.start_at == self.start_at)
        is_new = Booking.created_at >= self.created_at - SKEW
        query = db.select(Booking).join(Contact, Booking.contact_id == Contact.id).order_by(Booking.id)
        found = db.session.scalars(query.where(theirs, is_new, Contact.email == self.email)).unique().all()
        return min(found, key=lambda booking: booking.status in ENDED_EARLY, default=None)

    @property
    def stage(self) -> str:
        return self.stage_with(self.booking)

    def stage_with(self, booking: Booking | None) -> str:
        """Where it stands, in a word. What a webhook told, its `booking`, goes before what we remember."""
        if booking:
            if booking.status in ENDED_EARLY:
                return str(booking.status)
            if booking.has_left(self.email):
                return str(BookingStatus.CANCELLED)
            return "requested" if booking.status is BookingStatus.REQUESTED else "booked"
        if self.state is AttemptState.BOOKED:
            return "requested" if self.awaits_approval else "booked"
        if self.state is AttemptState.SENDING:
            return "sending" if self.is_sending else "unknown"
        return str(self.state)

    def becomes(self, state: AttemptState, **outcome: Any) -> None:
        self.state, self.state_at = state, utcnow()
        for name, value in {"refusal": None, "reason": None, **outcome}.items():
            setattr(self, name, value)
