"""Our books beside Cal.com's: what no notice told is read from its API, and repaired.

Every five minutes what changed since, each night all that starts in the days around now, and whenever somebody asks.
A worker reads page by page, at the pace of one visitor. Nothing is lost by stopping at any point: a page that was read
is committed before the position moves, and what is read twice writes nothing.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from time import monotonic
from typing import Any

import structlog
from rq.timeouts import JobTimeoutException
from sqlalchemy.exc import OperationalError

from hds.analytics import visits
from hds.bookings import sources
from hds.bookings.booker import cal
from hds.bookings.chain import BookingStatus, Fact
from hds.bookings.models import BOOKINGS_LOCK, Booking, BookingEvent
from hds.bookings.reconciliation import CHANGES, NAMES, WINDOW, Lost, Reconciliation
from hds.bookings.stated import SETTLED, Look, Offer, carried
from hds.calcom.answers import Booking as CalBooking
from hds.calcom.errors import CalError, NotFound, RateLimited, Unavailable
from hds.calcom.listing import CURSORED, Page, Turn
from hds.config import settings
from hds.extensions import db
from hds.lib import jobs
from hds.lib.budget import asked_by
from hds.lib.due import claim
from hds.lib.logs import where
from hds.lib.models import one_at_a_time, only_reading
from hds.lib.moments import quietly
from hds.lib.times import utcnow
from hds.services import sync
from hds.services.models import Service
from hds.webhooks.models import InboxDelivery

log = structlog.get_logger(part="reconcile")

EVERY = timedelta(minutes=5)
OVERLAP = timedelta(minutes=10)  # what Cal.com was still writing when it was asked, and clocks that differ
BEHIND, AHEAD = timedelta(days=2), timedelta(days=90)  # around now: who was absent, and all that is to come
NIGHT = time(3, 30)  # where the owner lives
LATE = timedelta(minutes=30)  # after which what is found is mailed to nobody: Cal.com has told of it
JUST_NOW = timedelta(minutes=5)
WAITED = timedelta(seconds=30)
LEASE = timedelta(minutes=2)  # for one page and what is in it
LONGEST_RUN = 60.0  # seconds; then others have their turn at the worker
MOST_READS = 12  # single bookings of a run, which are a call each
NO_USE = "It was found by looking at Cal.com, long after it happened: Cal.com's own mail has told of it."
KEPT = {"since", "is_listed", "is_quiet", "shown", "to_read", "last_read"}  # of a round, as they are
FIGURES = ("pages", "calls", "shown", "repaired", "unreadable", "failed", "unknown")
UPCOMING = {BookingStatus.CONFIRMED, BookingStatus.REQUESTED}


def is_possible() -> bool:
    """Cal.com lists bookings only for whoever has the key."""
    return bool(cal().account.api_key)


def ring_for_due() -> None:
    """The clock's: Cal.com may be slow, so a worker looks."""
    if not is_possible():
        return
    with only_reading():
        is_new = any(Reconciliation.of(name) is None for name in NAMES)
        is_due = is_new or Reconciliation.is_waiting()
    if is_new:
        Reconciliation.prepare()
        db.session.commit()
    if is_due and not jobs.has_bells("default", enough=10):
        ring()


def ring() -> None:
    jobs.ring("default", "hds.bookings.reconcile.run_due")


def run_due() -> None:
    """The worker's: a run of each round whose time has come; what is not done in it goes on after others' turn."""
    if not is_possible():
        return
    know_prices()
    rows = [look(name) for name in NAMES]
    if any(row.is_due for row in rows if row):
        ring()


def know_prices() -> None:
    """Whether a booking waits for a payment is concluded from what its event type costs."""
    if sync.is_due():
        sync.look(cal())


def look(name: str) -> Reconciliation | None:
    """One run of a round that is due; its row afterwards. None where it is not due, another process is at it, or
    deliveries wait since a while: they come first, or what they would have mailed could be taken for long known."""
    is_theirs = InboxDelivery.has_waited(WAITED)
    db.session.rollback()
    if is_theirs or not claim(Reconciliation, LEASE, where=Reconciliation.name == name):
        return None
    try:
        with asked_by("reconcile"):
            Round.begin(name).run()
    except Lost:
        log.warning("somebody else goes on", round=name)
    db.session.rollback()
    return Reconciliation.of(name)


@dataclass
class Round:
    """What is kept of a round in its row, while a process reads on. `so_far` counts what it did.

    `is_quiet`: nobody knows what was told in the time that it catches up with, as after a backup was restored.
    `shown`: our bookings that the list had. `to_read`: uids that it named and did not show.
    """

    name: str
    lease: datetime
    began_at: datetime
    position: datetime | None
    turn: Turn | None = None
    since: str = ""
    is_listed: bool = False
    is_quiet: bool = False
    shown: list[int] = field(default_factory=list)
    to_read: list[str] = field(default_factory=list)
    last_read: int = 0
    owner: str | None = None  # the address of whose key it is, once it was asked for
    so_far: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(FIGURES, 0)))

    @classmethod
    def begin(cls, name: str) -> "Round":
        """Or go on with the one that has begun."""
        row = db.session.scalars(db.select(Reconciliation).filter_by(name=name)).one()
        now = utcnow()
        lease = row.leased_until or now
        if row.began_at and row.next_page:
            kept = {key: row.next_page[key] for key in KEPT & row.next_page.keys()}
            turn = row.next_page.get("turn")
            self = cls(name, lease, row.began_at, row.position, Turn.read(turn) if turn else None, **kept)
            self.so_far = Counter(row.outcome)
            self.is_quiet |= now - row.began_at > LATE
        else:
            since = now - BEHIND if name == WINDOW else (row.position or now) - OVERLAP
            self = cls(name, lease, now, row.position, since=_iso(since))
            last = Reconciliation.last_success()
            self.is_quiet = last is None or now - last > LATE
        db.session.rollback()
        return self

    def run(self) -> None:
        """As far as it comes in a minute."""
        until = monotonic() + LONGEST_RUN
        try:
            while not self.is_listed:
                self._list()
                if monotonic() > until:
                    return self._rest()
            if self._read_others(until):
                self._end()
            else:
                self._rest()
        except CalError as error:
            db.session.rollback()
            self._wait(error)
        except (Lost, JobTimeoutException):
            raise
        except Exception as error:
            db.session.rollback()
            log.error("round stopped", round=self.name, **where(error))
            self._keep(due_at=utcnow() + EVERY, leased_until=None, trouble=f"It stopped ({type(error).__name__}).")
            raise

    def _list(self) -> None:
        asked_at = utcnow()
        page = cal().list_bookings(self._query(), self.turn)
        self.so_far.update(pages=1, calls=page.calls)
        self.so_far["unreadable"] += page.unreadable
        self._take_in(page.bookings, asked_at)
        self._turn_over(page)
        self._keep(leased_until=self._longer())

    def _query(self) -> dict[str, str]:
        if self.name == CHANGES:
            return {"afterUpdatedAt": self.since, "sortUpdatedAt": "asc"}
        return {"afterStart": self.since, "beforeEnd": _iso(self.began_at + AHEAD), "sortStart": "asc"}

    def _turn_over(self, page: Page) -> None:
        """Pages of changes begin where the one before ended: to skip a number of them would leave out as many as
        changed in between, which go to the end of the list."""
        self.turn, self.is_listed = page.next, page.next is None
        newest = max((booking.updated_at for booking in page.bookings if booking.updated_at), default=None)
        if self.name != CHANGES or page.turn.version == CURSORED or page.turn.cursor or newest is None:
            return
        self.position = max(self.position or newest, min(newest, self.began_at))
        since = _iso(newest - timedelta(milliseconds=1))  # "after" may leave out the moment itself
        if page.next and not page.next.cursor and since > self.since:
            self.since, self.turn = since, Turn.first(page.turn.version)

    def _take_in(self, bookings: Iterable[CalBooking], asked_at: datetime) -> None:
        """Repair what differs, each booking in a transaction of its own: webhooks wait for none but the one."""
        bookings = list(bookings)
        self.so_far["shown"] += len(bookings)
        with only_reading():
            known = _known(bookings)
            looks = [known.look_at(found, asked_at) for found in bookings]
            differing = [seen for seen in looks if seen.news()]
            strange = [seen.found for seen in differing if not seen.known and known.is_strange(seen.found)]
            self.shown += known.ids if self.name == WINDOW else []
            self.to_read += [uid for seen in looks if (uid := seen.moved_to) and uid not in self.to_read]
        theirs = self._elsewhere(strange)
        for seen in differing:
            if seen.found.uid not in theirs:
                self._repair(seen.found, asked_at)

    def _elsewhere(self, strange: list[CalBooking]) -> set[str]:
        """Cal.com lists, too, what the owner booked with somebody else. No delivery tells of that, and it is theirs."""
        if strange and self.owner is None:
            self.so_far["calls"] += 1
            self.owner = cal().me().email or ""
        return {
            found.uid
            for found in strange
            if found.organizer_email != self.owner and self.owner in {person.email for person in found.attendees}
        }

    def _repair(self, found: CalBooking, asked_at: datetime) -> None:
        try:
            one_at_a_time(BOOKINGS_LOCK)  # a notice may have come since
            news = _news_of(found, asked_at)
            with quietly(self._no_use(news)):
                _record(found, news)
            db.session.commit()
            self.so_far["repaired"] += bool(news)
        except (JobTimeoutException, OperationalError):
            raise
        except Exception as error:  # one booking that cannot be understood must not keep all others waiting
            db.session.rollback()
            log.error("booking not repaired", **where(error))
            self.so_far["failed"] += 1

    def _no_use(self, news: list[Fact]) -> str:
        at = max((fact.at for fact in news), default=self.began_at)
        is_known = self.is_quiet and at < self.began_at - JUST_NOW
        return NO_USE if is_known or at < utcnow() - LATE else ""

    def _read_others(self, until: float) -> bool:
        """What the list named or should have shown, a call each. Whether all of it was read."""
        reads = 0
        while self.to_read or self.name == WINDOW:
            with only_reading():
                uid, booking_id = self._next_to_read()
            if uid is None:
                return True
            if reads == MOST_READS or monotonic() > until:
                return False
            reads += 1
            self._read(uid)
            self.last_read = booking_id or self.last_read
            self.to_read = [other for other in self.to_read if other != uid]
            self._keep(leased_until=self._longer())
        return True

    def _next_to_read(self) -> tuple[str | None, int | None]:
        for uid in self.to_read:
            if not Booking.knows(uid):
                return uid, None
        self.to_read = []
        if self.name != WINDOW:
            return None, None
        ahead = Booking.status.in_(UPCOMING) & (Booking.start_at > self.began_at)
        ours = db.select(Booking.uid, Booking.id).where(ahead, Booking.start_at < self.began_at + AHEAD)
        ours = ours.where(Booking.id > self.last_read, Booking.id.not_in(self.shown)).order_by(Booking.id).limit(1)
        row = db.session.execute(ours).first()
        return (row.uid, row.id) if row else (None, None)

    def _read(self, uid: str) -> None:
        """Whose booking Cal.com does not know stays as it is: it may be another account's."""
        asked_at = utcnow()
        self.so_far["calls"] += 1
        try:
            found = cal().booking(uid)
        except NotFound:
            self.so_far["unknown"] += 1
            return
        self._take_in([found], asked_at)

    def _longer(self) -> datetime:
        return utcnow() + LEASE

    def _keep(self, **values: Any) -> None:
        """Committed; the lease that is written is the one that this process goes on with."""
        next_page = {name: getattr(self, name) for name in KEPT} | {"turn": self.turn.kept if self.turn else None}
        kept = {"position": self.position, "began_at": self.began_at, "next_page": next_page} | values
        Reconciliation.write(self.name, self.lease, outcome=dict(self.so_far), **kept)
        db.session.commit()
        self.lease = values.get("leased_until") or self.lease

    def _rest(self) -> None:
        """There is more, and others have their turn first."""
        self._keep(due_at=utcnow(), leased_until=None, trouble="")

    def _end(self) -> None:
        now = utcnow()
        again_at = max(now, self.began_at + EVERY) if self.name == CHANGES else _next_night(now)
        self.position = self.began_at
        self._keep(
            began_at=None,
            next_page={},
            succeeded_at=now,
            trouble="",
            attempts=0,
            due_at=again_at,
            leased_until=None,
        )
        log.info("round", round=self.name, **self.so_far)

    def _wait(self, error: CalError) -> None:
        """For as long as Cal.com says; else until the next look."""
        pause = timedelta(seconds=error.seconds) if isinstance(error, RateLimited) else EVERY
        if isinstance(error, RateLimited):
            trouble = "Cal.com has answered as often as it does in a minute."
        elif isinstance(error, Unavailable):
            trouble = f"Cal.com did not answer as it should: {error}."
        else:
            trouble = f"Cal.com refused: {error}. Is CAL_ACCESS_TOKEN right?"
        log.warning("round waits", round=self.name, reason=str(error), seconds=round(pause.total_seconds()))
        # Else its place in the list may be too old, and be refused each time.
        anew: dict[str, Any] = {} if isinstance(error, Unavailable) else {"began_at": None, "next_page": {}}
        self._keep(due_at=utcnow() + pause, leased_until=None, trouble=trouble[:200], **anew)


def take_word(found: CalBooking, *, is_outcome: bool = False) -> None:
    """Record what Cal.com just answered about a booking. The caller commits.

    `is_outcome`: it says what became of what we asked for, so it goes before all that was told until then.
    """
    one_at_a_time(BOOKINGS_LOCK)
    _record(found, _news_of(found, utcnow(), timedelta(0) if is_outcome else SETTLED))


def _news_of(found: CalBooking, asked_at: datetime, settled: timedelta = SETTLED) -> list[Fact]:
    return _known([found]).look_at(found, asked_at, settled).news()


def _record(found: CalBooking, news: list[Fact]) -> None:
    for fact in news:
        booking = Booking.record(fact, _ical_uid(found))
        sources.note(booking, carried(found, visits.KEY))


@dataclass(frozen=True)
class Known:
    """What our books say about some bookings of Cal.com's."""

    facts: dict[int, list[Fact]]  # by our booking
    owners: dict[str, set[int]]  # our bookings, by each uid that is in them
    offers: dict[tuple[int | None, str | None], Offer | None]

    @property
    def ids(self) -> list[int]:
        return sorted(self.facts)

    def look_at(self, found: CalBooking, asked_at: datetime, settled: timedelta = SETTLED) -> Look:
        uids = [uid for uid in (found.uid, found.previous_uid) if uid]
        ids = {booking_id for uid in uids for booking_id in self.owners.get(uid, ())}
        facts = [fact for booking_id in sorted(ids) for fact in self.facts[booking_id]]
        offer = self.offers[found.event_type_id, found.event_type_slug] or Offer()
        return Look(found, facts, offer, asked_at, settled, is_split=len(ids) > 1)

    def is_strange(self, found: CalBooking) -> bool:
        """Of no service of ours."""
        return self.offers[found.event_type_id, found.event_type_slug] is None


def _known(bookings: list[CalBooking]) -> Known:
    uids = {uid for found in bookings for uid in (found.uid, found.previous_uid) if uid}
    ours = db.select(BookingEvent.booking_id).where(BookingEvent.uid.in_(uids))
    events = db.session.scalars(db.select(BookingEvent).where(BookingEvent.booking_id.in_(ours))).all()
    facts: dict[int, list[Fact]] = {}
    owners: dict[str, set[int]] = {}
    for event in events:
        facts.setdefault(event.booking_id, []).append(event.fact)
        owners.setdefault(event.uid, set()).add(event.booking_id)
    types = {(found.event_type_id, found.event_type_slug) for found in bookings}
    return Known(facts, owners, {kind: _offer(Service.by_event_type(*kind)) for kind in types})


def _offer(service: Service | None) -> Offer | None:
    if service is None:
        return None
    price = service.charged if service.told else service.price
    if price is None or not price.amount:
        return Offer(needs_approval=service.needs_approval)
    return Offer(price.amount, price.currency, service.needs_approval)


def _ical_uid(found: CalBooking) -> str | None:
    """What ties a move to what was moved. A series' meetings and the seats of one may share it and are many."""
    is_shared = found.series_uid or any(person.seat_uid for person in found.attendees)
    return None if is_shared else found.ical_uid


def _next_night(now: datetime) -> datetime:
    local = now.astimezone(settings.owner_zone)
    day = local.date() + timedelta(days=local.time() >= NIGHT)
    return datetime.combine(day, NIGHT, settings.owner_zone)


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
