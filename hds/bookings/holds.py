"""A time that Cal.com keeps from others while somebody fills in the form of it.

Only a click holds one (a POST): links are followed by programs, too, which would take the times from people. It is
advice and no more: a time that could not be held is booked all the same, and one that is held may be lost.
"""

import hashlib
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ForeignKey, String, delete
from sqlalchemy.orm import Mapped, mapped_column

from hds.bookings.booker import Booker, cal
from hds.calcom.errors import CalError, Unavailable
from hds.extensions import db
from hds.lib import http
from hds.lib.models import Base, BigId, UTCDateTime, insert_or_ignore
from hds.lib.times import utcnow

log = structlog.get_logger(part="bookings")

MINUTES = 5  # what Cal.com gives to anybody
MINUTES_WITH_KEY = 10  # a form with questions takes longer than that
RELEASE_SECONDS = 1.5  # nobody waits longer for a time that is given back


class SlotHold(Base):
    """One for each browser, which is known by a hash of a secret in its session. It is written before Cal.com is
    asked, so that the second of two clicks finds the first one's; where no answer comes it stays, without the
    reservation: Cal.com may hide the time from everybody by now, and this browser must not meet that."""

    __tablename__ = "slot_hold"

    browser: Mapped[str] = mapped_column(String(64), unique=True)
    service_id: Mapped[int] = mapped_column(BigId, ForeignKey("service.id", ondelete="CASCADE"))
    start_at: Mapped[datetime] = mapped_column(UTCDateTime)
    minutes: Mapped[int | None]
    reservation_uid: Mapped[str | None] = mapped_column(String(200))  # who knows it can end it
    until_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)

    @classmethod
    def of(cls, secret: str | None) -> "SlotHold | None":
        """This browser's, while it lasts."""
        if not secret:
            return None
        return db.session.scalar(db.select(cls).where(cls.browser == _browser(secret), cls.until_at > utcnow()))

    def covers(self, service_id: int, start: datetime, minutes: int | None) -> bool:
        return (self.service_id, self.start_at, self.minutes) == (service_id, start, minutes)


def held(secret: str | None, service_id: int, minutes: int | None) -> datetime | None:
    """The time of this service, of this length, that this browser holds. No transaction stays open."""
    hold = SlotHold.of(secret)
    start = hold.start_at if hold and hold.covers(service_id, hold.start_at, minutes) else None
    db.session.close()
    return start


def is_held(secret: str | None, service_id: int, start: datetime, minutes: int | None) -> bool | None:
    """None where nobody knows: Cal.com was asked, and has not answered."""
    hold = SlotHold.of(secret)
    known: bool | None = False
    if hold is not None and hold.covers(service_id, start, minutes):
        known = True if hold.reservation_uid else None
    db.session.close()
    return known


def take(booker: Booker, service_id: int, start: datetime, secret: str | None) -> None:
    """Hold this time for this browser, instead of the one that it held before. Commits. Whatever fails, fails."""
    if not secret or booker.event_type is None or is_held(secret, service_id, start, booker.minutes) is not False:
        return
    release(secret)
    minutes = MINUTES_WITH_KEY if cal().account.api_key else None
    until = utcnow() + timedelta(minutes=minutes or MINUTES)
    stated = {"service_id": service_id, "start_at": start, "minutes": booker.minutes, "until_at": until}
    hold_id = insert_or_ignore(SlotHold, browser=_browser(secret), **stated)
    db.session.commit()
    if hold_id is None:  # another click was faster
        return
    uid = None
    try:
        reservation = cal().reserve_slot(booker.event_type.id, start, booker.minutes, for_minutes=minutes)
        uid, until = reservation.uid, min(reservation.until or until, until)
    except CalError as error:
        log.info("time not held", reason=str(error))
        if isinstance(error, Unavailable) and error.maybe_sent:
            return
    # Where another click ended it meanwhile, its number may be that one's now.
    own = (SlotHold.id == hold_id) & (SlotHold.start_at == start) & SlotHold.reservation_uid.is_(None)
    hold = db.session.scalar(db.select(SlotHold).where(own))
    if hold is None or uid is None:
        db.session.execute(delete(SlotHold).where(own))
        db.session.commit()
        if uid:
            _give_back(uid)
        return
    hold.reservation_uid, hold.until_at = uid, until
    db.session.commit()


def release(secret: str | None) -> None:
    """Give this browser's time back to the others, and forget those that are over. Commits."""
    if not secret:
        return
    browser = _browser(secret)
    uid = db.session.scalar(db.select(SlotHold.reservation_uid).where(SlotHold.browser == browser))
    db.session.execute(delete(SlotHold).where((SlotHold.browser == browser) | (SlotHold.until_at < utcnow())))
    db.session.commit()
    if uid:
        _give_back(uid)


def _give_back(uid: str) -> None:
    try:
        with http.within(RELEASE_SECONDS):
            cal().release_slot(uid)
    except CalError as error:
        log.info("time not given back", reason=str(error))  # it ends by itself


def _browser(secret: str) -> str:
    return hashlib.sha256(f"hold {secret}".encode()).hexdigest()
