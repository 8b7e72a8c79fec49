"""What Cal.com's API states about a booking, as the facts that its deliveries would have told. Pure.

The API shows how things stand, never what happened: a fact is stated where ours do not say the same already. What it
cannot know is inferred, never more than follows: a paid type's booking is only accepted once it is paid.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from hds.analytics import visits
from hds.bookings import chain
from hds.bookings.booker import REFERENCE
from hds.bookings.chain import BookingStatus, Details, Fact, FactKind, FactSource, Person, name_of_change
from hds.calcom.answers import Booking as CalBooking
from hds.calcom.answers import BookingAttendee
from hds.calcom.fields import web_address
from hds.calcom.responses import SYSTEM_SLUGS

OURS = {REFERENCE, visits.KEY}  # fields that nobody filled in
CONFIRMING = {FactKind.CONFIRMED, FactKind.RESCHEDULED}
WAITING = {FactKind.REQUESTED, FactKind.PAYMENT_INITIATED}
ENDED = {FactKind.CANCELLED, FactKind.DECLINED}
# A delivery may tell something before the API shows it: what was told so shortly before is not contradicted.
SETTLED = timedelta(minutes=5)


@dataclass(frozen=True)
class Offer:
    """What is known of the event type. `price`: what Cal.com takes, in the currency's smallest unit; 0 is free."""

    price: int = 0
    currency: str | None = None
    needs_approval: bool = False


@dataclass(frozen=True)
class Look:
    """One booking as the API showed it at `asked_at`, beside all facts of its chain that are known.

    `settled`: how old these must be to be contradicted. `is_split`: they are of two bookings, though Cal.com says that
    the one was moved and became the other.
    """

    found: CalBooking
    known: Sequence[Fact]
    offer: Offer
    asked_at: datetime
    settled: timedelta = SETTLED
    is_split: bool = False

    def news(self) -> list[Fact]:
        """The facts that ours lack; none where they say the same."""
        if self.moved_to:
            return self._link()
        stated = [fact for fact in (*self._standing(), *self._payment()) if self._is_new(fact)]
        stated = stated or self._told_again()
        return [*stated, *self._absences(), *self._seats_given_up(), *self._place()]

    @property
    def moved_to(self) -> str | None:
        """Which booking took its place: to Cal.com this one is cancelled, to everybody else it was moved."""
        return self.found.next_uid if self.found.status == "cancelled" else None

    @property
    def here(self) -> list[Fact]:
        return [fact for fact in self.known if fact.uid == self.found.uid]

    @property
    def kinds(self) -> set[FactKind]:
        return {fact.kind for fact in self.here}

    @property
    def is_paid_type(self) -> bool:
        """Whether Cal.com takes money for it: what it told of this booking goes before what the site offers."""
        told = [fact for fact in self.known if fact.source is not FactSource.API]
        if any(fact.kind is FactKind.PAYMENT_INITIATED for fact in told):
            return True
        prices = [fact.details.price for fact in told if fact.details.price is not None]
        return any(prices) if prices else self.offer.price > 0

    @property
    def is_paid(self) -> bool:
        return any(fact.kind is FactKind.PAID for fact in self.known)

    def _link(self) -> list[Fact]:
        """A step in the middle of a chain that nobody told of: without it both ends would be two bookings."""
        previous = self.found.previous_uid
        if previous is None or any(fact.previous_uid == previous for fact in self.here):
            return []
        return [self._fact(FactKind.RESCHEDULED, self.found.created_at)]

    def _told_again(self) -> list[Fact]:
        """What was told already, by bodies that left out what had moved, or our reference, or before somebody was
        invited: once more, with these."""
        told = chain.fullest(self.here)
        if told is None or self._has_seats:
            return []
        reference, invited = carried(self.found, REFERENCE), set(_guests(self.found))
        is_lost = reference is not None and not any(fact.details.reference for fact in self.known)
        is_joined = bool(invited) and not self.kinds & ENDED and not invited <= self._everybody
        if not (self.is_split or is_lost or is_joined):
            return []
        link = self.found.previous_uid if self.is_split else told.previous_uid
        more: dict[str, Any] = {"reference": reference} if is_lost else {}
        more |= {"guests": sorted(invited | set(told.details.guests))} if is_joined else {}
        details = told.details.model_copy(update=more)
        return [replace(told, previous_uid=link, details=details, source=FactSource.API)]

    @property
    def _everybody(self) -> set[str]:
        """Who takes part, as far as was told."""
        picture = chain.read(self.here)
        return {person.email for person in (*picture.bookers, *picture.guests)}

    @property
    def _charged(self) -> Offer:
        """What this booking costs: what was told or inferred of it stands, whatever others pay by now."""
        priced = [fact for fact in self.known if fact.details.price is not None]
        if not priced:
            return self.offer
        first = min(priced, key=lambda fact: (fact.source is FactSource.API, fact.at, fact.uid, fact.kind))
        return replace(self.offer, price=first.details.price or 0, currency=first.details.currency)

    def _standing(self) -> list[Fact]:
        """Confirmed, requested, cancelled or declined."""
        if self.found.status == "cancelled":
            return [] if self._is_left_by_all else [self._fact(FactKind.CANCELLED, self.found.updated_at)]
        if self.found.status == "rejected":
            return [self._fact(FactKind.DECLINED, self.found.updated_at)]
        if self.kinds & ENDED:
            return []
        if self.found.status == "accepted":
            return self._of_each(*self._confirmed())
        if self.found.status == "pending" and not self.kinds & CONFIRMING:
            return self._of_each(*self._awaited())
        return []

    def _confirmed(self) -> tuple[FactKind, datetime | None]:
        waited = self.kinds & WAITING or self.offer.needs_approval or self.is_paid_type
        at = self.found.updated_at if waited else self.found.created_at
        if told := self.kinds & CONFIRMING:
            return min(told), at
        is_move = self.found.previous_uid is not None and FactKind.REQUESTED not in self.kinds
        return (FactKind.RESCHEDULED, self.found.created_at) if is_move else (FactKind.CONFIRMED, at)

    def _awaited(self) -> tuple[FactKind, datetime | None]:
        """Who waits for whom is not told: of a paid type, it is the payment, until that is known to have come."""
        paid = [fact.at for fact in self.here if fact.kind is FactKind.PAID]
        if paid and min(paid) > self.asked_at - SETTLED:
            return FactKind.PAYMENT_INITIATED, self.found.created_at
        if FactKind.REQUESTED in self.kinds or self.is_paid or not self.is_paid_type:
            return FactKind.REQUESTED, self.found.created_at
        return FactKind.PAYMENT_INITIATED, self.found.created_at

    def _of_each(self, kind: FactKind, at: datetime | None) -> list[Fact]:
        """Seats share a uid, and each has its own booker."""
        seats = [person for person in self.found.attendees if person.seat_uid and person.email]
        if not seats:
            return [self._fact(kind, at)]
        since = at or self.found.updated_at or self.asked_at
        return [self._fact(kind, max(since, self._left.get(person.email or "", since)), person) for person in seats]

    @cached_property
    def _sitting(self) -> set[str]:
        """Who has a seat, as far as was told."""
        picture = chain.read(self.here) if self.here else None
        is_alive = picture is not None and picture.status is not BookingStatus.CANCELLED
        return {person.email for person in picture.bookers} if picture and is_alive else set()

    @property
    def _left(self) -> dict[str, datetime]:
        """Who gave up a seat and took no other since, as far as was told: a moment after."""
        given = {fact.subject: fact.at for fact in self.here if fact.kind is FactKind.SEAT_GIVEN_UP}
        moment = timedelta(milliseconds=1)
        return {
            email: at + moment
            for email, at in given.items()
            if email not in self._sitting and at < self.asked_at - self.settled
        }

    def _payment(self) -> list[Fact]:
        is_whole = self.found.status == "accepted" and not self.kinds & ENDED
        if not is_whole or not self.is_paid_type or self.is_paid or self._has_seats:
            return []
        return [self._fact(FactKind.PAID, self.found.updated_at)]

    def _absences(self) -> list[Fact]:
        facts = []
        for person in self.found.attendees:
            about = [
                fact
                for fact in self.here
                if fact.kind in {FactKind.ABSENT, FactKind.PRESENT} and fact.subject == person.email
            ]
            newest = max(about, key=lambda fact: fact.at, default=None)
            was_absent = newest is not None and newest.kind is FactKind.ABSENT
            is_settled = newest is None or newest.at < self.asked_at - self.settled
            if person.email and person.is_absent != was_absent and is_settled:
                changed = self.found.updated_at or self.asked_at
                at = changed if newest is None or newest.at < changed else self.asked_at
                kind = FactKind.ABSENT if person.is_absent else FactKind.PRESENT
                source = FactSource.API
                facts.append(Fact(self.found.uid, kind, min(at, self.asked_at), person.email, source=source))
        return facts

    def _seats_given_up(self) -> list[Fact]:
        if self.found.status not in {"accepted", "pending"} or not self._has_seats:
            return []
        seated = {person.email for person in self.found.attendees}
        told = sorted((fact for fact in self.here if fact.kind in CONFIRMING | WAITING), key=lambda fact: fact.at)
        taken = {person.email: fact.at for fact in told if _is_seat(fact) for person in fact.details.attendees}
        at = self.found.updated_at or self.asked_at
        return [
            Fact(self.found.uid, FactKind.SEAT_GIVEN_UP, max(at, since), email, source=FactSource.API)
            for email, since in taken.items()
            if email in self._sitting - seated and since < self.asked_at - SETTLED
        ]

    def _place(self) -> list[Fact]:
        """Somewhere else than we were told when it was confirmed, and by whatever told of a change since."""
        told = [fact for fact in self.here if fact.kind in CONFIRMING | {FactKind.LOCATION_CHANGED}]
        by_api_alone = all(fact.source is FactSource.API and fact.kind in CONFIRMING for fact in told)
        if self.found.status != "accepted" or not told or by_api_alone or self._has_seats or self.kinds & ENDED:
            return []
        newest = max(told, key=lambda fact: (fact.kind is FactKind.LOCATION_CHANGED, fact.at))
        now = details_of(self.found, self.offer)
        said = newest.details
        if now.meeting_url:
            is_other = said.meeting_url != now.meeting_url
        else:
            is_other = bool(now.location) and said.location != now.location
        if not is_other or newest.at > self.asked_at - SETTLED:
            return []
        place = Details(meeting_url=now.meeting_url, location=now.location)
        name = name_of_change(said.location, now.location)
        at = max(self.found.updated_at or self.asked_at, newest.at + timedelta(milliseconds=1))
        return [Fact(self.found.uid, FactKind.LOCATION_CHANGED, at, name, details=place, source=FactSource.API)]

    @property
    def _is_left_by_all(self) -> bool:
        """Whether each seat was given up, one after the other: then it is cancelled, and the seats alone were told."""
        return any(fact.kind is FactKind.SEAT_GIVEN_UP for fact in self.here) and not self._sitting

    @property
    def _has_seats(self) -> bool:
        return any(person.seat_uid for person in self.found.attendees)

    def _fact(self, kind: FactKind, at: datetime | None, seat: BookingAttendee | None = None) -> Fact:
        found = self.found
        at = min(at or found.updated_at or found.created_at or self.asked_at, self.asked_at)
        details = details_of(found, self._charged, seat)
        subject = seat.email or "" if seat else ""
        return Fact(found.uid, kind, at, subject, found.previous_uid, details=details, source=FactSource.API)

    def _is_new(self, fact: Fact) -> bool:
        """What a delivery told stands; what was read before is read anew where it says something else now."""
        same = [known for known in self.here if (known.kind, known.subject) == (fact.kind, fact.subject)]
        if fact.kind is FactKind.PAID:
            return not same
        if fact.details.is_seated and fact.subject in self._left:
            return True
        return all(known.source is FactSource.API and not _says_the_same(known, fact) for known in same)


def _is_seat(fact: Fact) -> bool:
    return bool(fact.details.is_seated or fact.subject)


def _says_the_same(known: Fact, fact: Fact) -> bool:
    """A reference is kept once it was told, and Cal.com may lose it."""
    kept = known.details.reference
    return known.details == (fact.details.model_copy(update={"reference": kept}) if kept else fact.details)


def details_of(found: CalBooking, offer: Offer, seat: BookingAttendee | None = None) -> Details:
    answers = seat.answers if seat else found.answers
    is_link = web_address(found.location) is not None
    place = found.location_kind if is_link else found.location
    return Details(
        event_type_id=found.event_type_id,
        event_type_slug=found.event_type_slug,
        title=found.title or None,
        start_at=found.start_at,
        end_at=found.end_at,
        attendees=[_person(seat)] if seat else _people(found),
        guests=[] if seat else _guests(found),
        answers={slug: value for slug, value in answers.items() if slug not in SYSTEM_SLUGS | OURS},
        notes=found.description or _text(answers.get("notes")),
        meeting_url=found.meeting_url,
        location=place,
        price=offer.price or None,
        currency=offer.currency if offer.price else None,
        reason=found.reason,
        by=found.cancelled_by or found.rescheduled_by,
        reference=carried(found, REFERENCE),
        is_seated=seat is not None,
        seat_uid=seat.seat_uid if seat else None,
        is_of_series=found.series_uid is not None,
        asks_to_move=found.status == "cancelled" and found.is_host_asking_to_move,
    )


def carried(found: CalBooking, key: str) -> str | None:
    """A word of ours that went along with the booking, as metadata or in a hidden field."""
    return _text(found.metadata.get(key)) or _text(found.answers.get(key))


def _people(found: CalBooking) -> list[Person]:
    """The booker first. Where the booker's own address is unusable nobody else takes that place."""
    booker = found.booker
    if booker is None:
        return []
    others = [person for person in found.attendees[1:] if person.email and person.email != booker.email]
    phone = booker.phone or _text(found.answers.get("attendeePhoneNumber"))
    return [_person(booker.model_copy(update={"phone": phone})), *map(_person, others)]


def _guests(found: CalBooking) -> list[str]:
    booker = found.attendees[0].email if found.attendees else None
    addresses = [person.email for person in found.attendees[1:]] + list(found.guests)
    return [address for address in dict.fromkeys(filter(None, addresses)) if address != booker]


def _person(attendee: BookingAttendee) -> Person:
    return Person(
        email=attendee.email or "",
        name=attendee.name,
        phone=attendee.phone and attendee.phone[:50],
        time_zone=attendee.time_zone,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
