"""What a booking is, read from the facts that are known about it. Pure: no database, no clock.

A booking is a chain of Cal.com uids: each time it is moved it gets a new one. Every fact belongs to one uid, and the
picture is folded from all of them at once, so that each order of the same deliveries gives the same picture. Status and
times are those of the chain's last uid; nothing that happened to an earlier uid sticks to a later one.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel


class BookingStatus(StrEnum):
    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    DECLINED = "declined"
    COMPLETED = "completed"
    NO_SHOW = "no_show"


class FactKind(StrEnum):
    """What a delivery may state. A booking's timeline is its facts in the order of their times."""

    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    RESCHEDULED = "rescheduled"
    PAYMENT_INITIATED = "payment_initiated"
    PAID = "paid"
    STARTED = "started"
    ENDED = "ended"
    ABSENT = "absent"
    PRESENT = "present"
    SEAT_GIVEN_UP = "seat_given_up"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    LOCATION_CHANGED = "location_changed"
    REASSIGNED = "reassigned"
    HOST_MISSED_CALL = "host_missed_call"
    GUESTS_MISSED_CALL = "guests_missed_call"
    RECORDED = "recorded"
    TRANSCRIBED = "transcribed"


class FactSource(StrEnum):
    """Who told us."""

    WEBHOOK = "webhook"
    API = "api"  # Cal.com, when it was asked
    STAFF = "staff"


class PaymentState(StrEnum):
    NONE = "none"
    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"
    REFUNDED = "refunded"


class Person(BaseModel):
    """Somebody who takes part; the time zone is an IANA name."""

    email: str
    name: str = ""
    phone: str | None = None
    time_zone: str | None = None


class Details(BaseModel):
    """What a body said about the booking. None, or empty: it did not say."""

    event_type_id: int | None = None
    event_type_slug: str | None = None
    title: str | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None
    attendees: list[Person] = []
    guests: list[str] = []
    answers: dict[str, Any] = {}
    notes: str | None = None
    meeting_url: str | None = None
    location: str | None = None
    location_kind: str | None = None  # what was chosen, in Cal.com's words
    price: int | None = None
    currency: str | None = None
    external_payment_id: str | None = None
    reason: str | None = None
    by: str | None = None
    reference: str | None = None  # ours: which page of ours, or which form, it was booked from
    accepted: bool = False
    is_seated: bool = False  # others may have seats of the same uid; each has a booker of its own
    seat_uid: str | None = None
    moved_to: str | None = None  # of a seat that was given up for another one: the uid that this is of
    is_of_series: bool = False  # its meetings may share the calendar's uid, and are many
    asks_to_move: bool = False  # the host cancelled it for the attendee to pick another time
    previous_location: str | None = None
    host: Person | None = None  # who the meeting is with
    hosts_added: list[int] = []  # Cal.com's numbers of its users
    hosts_removed: list[int] = []
    missing: list[str] = []  # who had not joined the call
    links: list[str] = []  # of a recording or transcript
    has_secret_links: bool = False  # there were more, which nobody may keep


@dataclass(frozen=True)
class Fact:
    """One thing that happened to one uid.

    `subject`: what tells it from others of its kind: whom it is about, where it is one person's (absent, gave up the
    seat); which change it is, where several may happen (see `name_of_change`).
    """

    uid: str
    kind: FactKind
    at: datetime
    subject: str = ""
    previous_uid: str | None = None
    ical_sequence: int | None = None
    details: Details = field(default_factory=Details)
    source: FactSource = FactSource.WEBHOOK


@dataclass(frozen=True)
class Picture:
    """A booking as far as its facts tell. `details` is what the fullest body about the last uid said.

    `agreed_uids`: the last uid and those before it that one confirmation is about. A move that has to be asked for,
    or that follows a cancellation, needs another one.
    """

    uids: tuple[str, ...]
    status: BookingStatus
    status_at: datetime
    payment: PaymentState
    paid_at: datetime | None
    is_payment_inferred: bool
    was_requested: bool
    agreed_uids: tuple[str, ...]
    bookers: tuple[Person, ...]
    guests: tuple[Person, ...]
    details: Details

    @property
    def uid(self) -> str:
        return self.uids[-1]


# Which body to believe on a detail that two of them state: the one that Cal.com fills most.
_FULLNESS = {
    FactKind.CONFIRMED: 3,
    FactKind.RESCHEDULED: 3,
    FactKind.LOCATION_CHANGED: 3,
    FactKind.REASSIGNED: 3,
    FactKind.REQUESTED: 2,
    FactKind.PAYMENT_INITIATED: 2,
    FactKind.CANCELLED: 1,
    FactKind.DECLINED: 1,
    FactKind.STARTED: 1,
    FactKind.ENDED: 1,
}
_CONFIRMING = {FactKind.CONFIRMED, FactKind.RESCHEDULED}
TAKING_PART = _CONFIRMING | {FactKind.REQUESTED}
# Details that a move changes: an earlier uid's must not stand in for what the last one did not say.
_OF_ONE_UID = {"meeting_url", "reason", "by", "accepted"}
# What one fact says of itself alone: the timeline shows it there.
_OF_ONE_FACT = {
    "seat_uid",
    "moved_to",
    "is_of_series",
    "asks_to_move",
    "previous_location",
    "hosts_added",
    "hosts_removed",
    "missing",
    "links",
    "has_secret_links",
}
# Of several statements of these the newest stands; of all others the earliest, which a repetition cannot move.
_NEWEST = {
    FactKind.ABSENT,
    FactKind.PRESENT,
    FactKind.SEAT_GIVEN_UP,
    FactKind.LOCATION_CHANGED,
    FactKind.REASSIGNED,
}


def read(facts: Sequence[Fact]) -> Picture:
    """The picture of one booking's facts; there is at least one."""
    facts = sorted(facts, key=lambda fact: (fact.at, fact.uid, fact.kind, fact.subject))  # their order says nothing
    uids = order(facts)
    last = [fact for fact in facts if fact.uid == uids[-1]]
    everybody = _bookers(last) or _bookers(facts)
    gone = _gone(last, everybody)
    remaining = [person for person in everybody if person.email not in gone]
    status, status_at = _status(last or facts, remaining, gone)
    if not remaining:  # a cancelled booking still says whose it was
        remaining, gone = everybody, {}
    details = _details(facts, uids)
    invited = [*(person.email for person in details.attendees), *details.guests]
    bookers = [person.email for person in remaining]
    named = _named(facts)
    paid_at = _first(facts, {FactKind.PAID})
    pending = any(fact.kind is FactKind.PAYMENT_INITIATED for fact in facts)
    of_payment = [fact for fact in facts if fact.kind is (FactKind.PAID if paid_at else FactKind.PAYMENT_INITIATED)]
    return Picture(
        uids=uids,
        status=status,
        status_at=status_at,
        payment=PaymentState.PAID if paid_at else PaymentState.PENDING if pending else PaymentState.NONE,
        paid_at=paid_at,
        is_payment_inferred=all(fact.source is FactSource.API for fact in of_payment),  # which never tells of payments
        was_requested=any(fact.kind is FactKind.REQUESTED for fact in last),
        agreed_uids=_agreed(facts, uids),
        bookers=tuple(named[email] for email in bookers),
        guests=tuple(
            named.get(email, Person(email=email))
            for email in dict.fromkeys(invited)
            if email not in bookers and email not in gone
        ),
        details=details,
    )


def stands(fact: Fact, other: Fact) -> bool:
    """Of two statements of one fact, whether this one stands. Never decided by the order of arrival.

    What Cal.com told by itself goes before what was read from its API, whose newest answer says most. Two at the same
    time are told apart by what they say: the fuller one stands.
    """
    is_read, was_read = fact.source is FactSource.API, other.source is FactSource.API
    is_seat = fact.kind in TAKING_PART and (fact.details.is_seated or other.details.is_seated)
    if fact.kind in _NEWEST or is_seat:
        return (fact.at, not is_read, *_fullness(fact)) > (other.at, not was_read, *_fullness(other))
    if is_read != was_read:
        return was_read
    if is_read:
        return fact.details != other.details
    if fact.at != other.at:
        return fact.at < other.at
    return _fullness(fact) > _fullness(other)


def contradicts(fact: Fact, other: Fact) -> bool:
    """Two statements of the same moment of which only one can be true: nothing here tells which."""
    if (fact.uid, fact.at) != (other.uid, other.at):
        return False
    if {fact.kind, other.kind} == {FactKind.ABSENT, FactKind.PRESENT}:
        return fact.subject == other.subject
    is_same = fact.subject == other.subject or fact.kind is FactKind.LOCATION_CHANGED
    return fact.kind is other.kind and is_same and _when_and_where(fact) != _when_and_where(other)


def seat_moved(uid: str, to: str, person: Person, at: datetime, *, source: FactSource = FactSource.WEBHOOK) -> Fact:
    """Somebody's seat is of the booking `to` now. Its number is left out: it may be the same there, and here again."""
    left = Details(is_seated=True, attendees=[person], moved_to=to)
    return Fact(uid, FactKind.SEAT_GIVEN_UP, at, person.email, details=left, source=source)


def name_of_change(*parts: object) -> str:
    """The subject of a change that may happen several times: the same change from two subscriptions is one."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _fullness(fact: Fact) -> tuple[int, str]:
    said = fact.details.model_dump_json(exclude_defaults=True)
    return len(said), said


def _when_and_where(fact: Fact) -> tuple[object, ...]:
    return fact.details.start_at, fact.details.end_at, fact.details.location


def order(facts: Sequence[Fact]) -> tuple[str, ...]:
    """The chain's uids, oldest first.

    The links say which follows which. Where a link is missing, the calendar's sequence number and the time of the
    first fact decide; never the order of arrival.
    """
    before = {fact.uid: "" for fact in facts}
    ages: dict[str, _Age] = {}
    for fact in facts:
        if fact.previous_uid and fact.previous_uid != fact.uid:
            before[fact.uid] = before[fact.uid] or fact.previous_uid
        stated = _Age(fact.ical_sequence, fact.at, fact.uid)
        ages[fact.uid] = ages[fact.uid].with_(stated) if fact.uid in ages else stated
    before |= {previous: "" for previous in before.values() if previous and previous not in before}
    known = _by_age([uid for uid in before if uid in ages], ages)
    oldest_first = [*known, *sorted(uid for uid in before if uid not in ages)]
    after: dict[str, list[str]] = {uid: [] for uid in before}
    for uid in oldest_first:
        if previous := before[uid]:
            after[previous].append(uid)
    strands: dict[str, list[str]] = {}
    # Where nothing leads into it, a strand starts; a circle of links, which Cal.com never makes, starts anywhere.
    for uid in sorted(oldest_first, key=lambda uid: bool(before[uid])):
        if not any(uid in strand for strand in strands.values()):
            strands[uid] = _strand(uid, after)
    for start, strand in strands.items():
        found = [ages[uid] for uid in strand if uid in ages]
        ages[start] = min(found, key=lambda age: age.at).with_(*found)
    return tuple(dict.fromkeys(uid for start in _by_age(list(strands), ages) for uid in strands[start]))


class _Age(NamedTuple):
    """How old a uid is: the calendar's number, where a body told it, and the time of the first fact."""

    number: int | None
    at: datetime
    uid: str

    def with_(self, *others: "_Age") -> "_Age":
        numbers = [age.number for age in (self, *others) if age.number is not None]
        first = min((self, *others), key=lambda age: (age.at, age.uid))
        return _Age(min(numbers, default=None), first.at, first.uid)


def _by_age(uids: list[str], ages: Mapping[str, _Age]) -> list[str]:
    """In the order of their times; but those with a number stand among themselves in the order of their numbers."""
    by_time = sorted(uids, key=lambda uid: (ages[uid].at, uid))
    numbered = [uid for uid in by_time if ages[uid].number is not None]
    by_number = iter(sorted(numbered, key=lambda uid: (ages[uid].number, ages[uid].at, uid)))
    return [next(by_number) if ages[uid].number is not None else uid for uid in by_time]


def _strand(start: str, after: dict[str, list[str]]) -> list[str]:
    """All that follows from `start`; of two that follow the same uid the later one comes last."""
    strand: list[str] = []
    waiting = [start]
    while waiting:
        uid = waiting.pop()
        if uid not in strand:
            strand.append(uid)
            waiting.extend(reversed(after[uid]))
    return strand


def _agreed(facts: Sequence[Fact], uids: tuple[str, ...]) -> tuple[str, ...]:
    asked = {fact.uid for fact in facts if fact.kind is FactKind.REQUESTED}
    ended = {fact.uid for fact in facts if fact.kind in {FactKind.CANCELLED, FactKind.DECLINED}}
    agreed: list[str] = []
    for uid in reversed(uids):
        if agreed and (agreed[-1] in asked or uid in ended):
            break
        agreed.append(uid)
    return tuple(agreed)


def _status(facts: list[Fact], remaining: list[Person], gone: Mapping[str, datetime]) -> tuple[BookingStatus, datetime]:
    """The strongest fact wins: cancelled > declined > no_show > completed > confirmed > requested."""
    kinds = {fact.kind for fact in facts}
    confirmed = bool(kinds & _CONFIRMING) or any(fact.details.accepted for fact in facts)
    all_gone_at = max(gone.values()) if gone and not remaining else None
    if cancelled_at := _first(facts, {FactKind.CANCELLED}) or all_gone_at:
        return BookingStatus.CANCELLED, cancelled_at
    if declined_at := _first(facts, {FactKind.DECLINED}):
        return BookingStatus.DECLINED, declined_at
    if absent_at := _absent(facts, remaining):
        return BookingStatus.NO_SHOW, absent_at
    if confirmed and (ended_at := _first(facts, {FactKind.ENDED})):
        return BookingStatus.COMPLETED, ended_at
    if confirmed:
        return BookingStatus.CONFIRMED, _first(facts, _CONFIRMING) or min(fact.at for fact in facts)
    return BookingStatus.REQUESTED, min(fact.at for fact in facts)


def _absent(facts: list[Fact], bookers: list[Person]) -> datetime | None:
    """When the last of the bookers was marked absent, if that is the newest word on each.

    Of two at the same time the API's stands, and where it did not say, present.
    """
    newest: dict[str, Fact] = {}
    for fact in sorted(facts, key=lambda fact: (fact.at, fact.source is FactSource.API, fact.kind)):
        if fact.kind in {FactKind.ABSENT, FactKind.PRESENT}:
            newest[fact.subject] = fact
    words = [newest.get(person.email) for person in bookers] if bookers else list(newest.values())
    absent = [word.at for word in words if word and word.kind is FactKind.ABSENT]
    return max(absent) if absent and len(absent) == len(words) else None


def _gone(facts: Iterable[Fact], bookers: list[Person]) -> dict[str, datetime]:
    """Who gave up the seat, and when: told by the seat's uid, else by the address. Who took another one is there."""
    facts = list(facts)
    given = [fact for fact in facts if fact.kind is FactKind.SEAT_GIVEN_UP]
    gone: dict[str, datetime] = {}
    for person in bookers:
        taken = [fact for fact in facts if _is_seat(fact) and person.email in _emails(fact)]
        for up in given:
            seat = up.details.seat_uid
            is_theirs = up.subject == person.email or (seat and any(fact.details.seat_uid == seat for fact in taken))
            if is_theirs and not any(_outlives(fact, up) for fact in taken):
                gone[person.email] = max(gone.get(person.email, up.at), up.at)
    return gone


def _outlives(taken: Fact, given_up: Fact) -> bool:
    """Whether a seat is another one than that which was given up."""
    if taken.details.seat_uid and given_up.details.seat_uid:
        return taken.details.seat_uid != given_up.details.seat_uid
    return taken.at > given_up.at


def _is_seat(fact: Fact) -> bool:
    return fact.kind in TAKING_PART and bool(fact.details.is_seated or fact.subject)


def _people(fact: Fact) -> list[Person]:
    """The bookers of a body: each attendee of a seated one."""
    return fact.details.attendees if fact.details.is_seated else fact.details.attendees[:1]


def _first(facts: Iterable[Fact], kinds: set[FactKind]) -> datetime | None:
    return min((fact.at for fact in facts if fact.kind in kinds), default=None)


def _fullest_first(facts: Iterable[Fact]) -> list[Fact]:
    return sorted(facts, key=lambda fact: (_FULLNESS.get(fact.kind, 0), fact.at, fact.kind, fact.subject), reverse=True)


def fullest(facts: Iterable[Fact]) -> Fact | None:
    """The one that is believed first on each detail."""
    return next(iter(_fullest_first(facts)), None)


def _emails(fact: Fact) -> set[str]:
    return {person.email for person in _people(fact)}


def _bookers(facts: Iterable[Fact]) -> list[Person]:
    """Who booked: the first attendee, or those of each seat."""
    facts = list(facts)
    seated = sorted((fact for fact in facts if _is_seat(fact)), key=lambda fact: (fact.at, fact.subject, fact.kind))
    found: dict[str, Person] = {}
    for fact in seated or _fullest_first(facts):
        if seated or not found:
            for person in _people(fact):
                found.setdefault(person.email, person)
    return list(found.values())


def _named(facts: Iterable[Fact]) -> dict[str, Person]:
    """Everybody of whom a body told more than the address, with all that is known: each body tells some of it."""
    named: dict[str, Person] = {}
    for fact in _fullest_first(facts):
        for person in fact.details.attendees:
            known = named.setdefault(person.email, person)
            news = {name: value for name, value in person if value and not getattr(known, name)}
            named[person.email] = known.model_copy(update=news)
    return named


def _details(facts: Sequence[Fact], uids: tuple[str, ...]) -> Details:
    """Field by field the fullest body's word on the last uid, then what the uids before it said."""
    merged: dict[str, Any] = {}
    for uid in reversed(uids):
        for fact in _fullest_first(fact for fact in facts if fact.uid == uid):
            if fact.kind is FactKind.LOCATION_CHANGED and "location" not in merged and uid == uids[-1]:
                merged.setdefault("meeting_url", fact.details.meeting_url)  # none, where it is no call any more
            for name, value in fact.details:
                if value in (None, "", [], {}) or name in merged or name in _OF_ONE_FACT:
                    continue
                if name not in _OF_ONE_UID or uid == uids[-1]:
                    merged[name] = value
    return Details(**merged)
