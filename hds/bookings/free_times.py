"""The next free times of each service, as rows: public pages show them and never ask Cal.com.

The clock looks each minute. A worker asks Cal.com for the services whose rows are five minutes old, or that have none.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Self
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import ColumnElement, ForeignKey, UniqueConstraint, delete, func, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column, relationship

from hds.bookings.booker import cal
from hds.calcom.client import Target
from hds.calcom.errors import CalError
from hds.config import settings
from hds.extensions import db
from hds.lib import jobs
from hds.lib.edition import Edition, Shown
from hds.lib.models import Base, UTCDateTime, insert_or_ignore, only_reading
from hds.lib.times import utcnow
from hds.services.models import Service

log = structlog.get_logger(part="bookings")

KEPT = 6  # of each service
A_DAY = 2  # of these at most on one day, and not one right after the other
APART = timedelta(hours=2)
FRESH = timedelta(minutes=5)
# Who has not heard from Cal.com for so long does not know any more what is free.
BELIEVED = timedelta(hours=1)
# Asked for the near days first: one question is enough for who has time for others.
NEAR_DAYS, FAR_DAYS = 14, 60

Answers = Mapping[int, Sequence[datetime]]


class FreeTime(Shown, Base):
    """A time that was free when Cal.com was last asked, which its `created_at` says."""

    __tablename__ = "free_time"
    __table_args__ = (UniqueConstraint("service_id", "start_at"),)

    service_id: Mapped[int] = mapped_column(ForeignKey("service.id"))
    start_at: Mapped[datetime] = mapped_column(UTCDateTime)
    service: Mapped[Service] = relationship()

    @classmethod
    def next_for(cls, service: Service, count: int = KEPT) -> list[Self]:
        """The soonest that are still ahead; none where Cal.com has not been heard for an hour."""
        now = utcnow()
        known = select(cls).where(cls.service_id == service.id, cls.start_at > now, cls.created_at > now - BELIEVED)
        return list(db.session.scalars(known.order_by(cls.start_at).limit(count)))

    @classmethod
    def keep(cls, answers: Answers) -> None:
        """The times of these services, by their ids, instead of those that were known. Pages change only where they do.

        Not through the session: a time that was confirmed once more is no edit. The caller commits.
        """
        now, changed = utcnow(), False
        for service_id, starts in answers.items():
            of_service = cls.service_id == service_id
            gone = _delete(of_service, cls.start_at.not_in(starts))
            db.session.execute(update(cls).where(of_service).values(created_at=now))
            new = [insert_or_ignore(cls, service_id=service_id, start_at=start, created_at=now) for start in starts]
            changed |= gone or any(new)
        if changed:
            Edition.begin_next()

    @classmethod
    def asked_for(cls) -> dict[int, datetime]:
        """When Cal.com last told of a service, by its id."""
        newest = select(cls.service_id, func.max(cls.created_at)).group_by(cls.service_id)
        return {row[0]: row[1] for row in db.session.execute(newest)}


def drop_gone() -> None:
    """The clock's: pages in memory must not go on to show a time that has passed, or that nobody vouches for."""
    now = utcnow()
    gone = or_(FreeTime.start_at <= now, FreeTime.created_at <= now - BELIEVED)
    if _delete(gone):
        Edition.begin_next()
    db.session.commit()


def ring_for_refresh() -> None:
    """The clock's: Cal.com may be slow, so a worker asks."""
    is_due = bool(_due())
    db.session.rollback()
    if is_due:
        jobs.ring("default", "hds.bookings.free_times.refresh")


def refresh() -> None:
    """Ask for every service that is due; what is not answered stays as it was. No transaction spans a question."""
    with only_reading():
        due = [(service.id, target) for service in _due() if (target := _target(service))]
    answers = {service_id: starts for service_id, target in due if (starts := _ask(target)) is not None}
    FreeTime.keep(answers)
    db.session.commit()


def spread(times: Iterable[datetime], zone: ZoneInfo, count: int = KEPT) -> list[datetime]:
    """The soonest, but few of one day: somebody who cannot today sees other days."""
    chosen: list[datetime] = []
    for _, of_day in groupby(sorted(times), key=lambda moment: moment.astimezone(zone).date()):
        first, *later = of_day
        chosen += [first, *(moment for moment in later if moment - first >= APART)][:A_DAY]
    return chosen[:count]


def _due() -> list[Service]:
    now, asked = utcnow(), FreeTime.asked_for()
    return [
        service
        for service in Service.catalogue()
        if _target(service) and (service.id not in asked or asked[service.id] <= now - FRESH)
    ]


def _target(service: Service) -> Target | None:
    """What is asked for; None where Cal.com's event type is not known."""
    owner, slug = cal().account.link, service.cal_event_slug or ""
    if service.cal_event_type_id is None and not (owner and slug):
        return None
    return Target(service.cal_event_type_id, slug, owner)


def _ask(target: Target) -> list[datetime] | None:
    """None where Cal.com does not say."""
    zone = settings.owner_zone
    now = utcnow()
    try:
        for days in (NEAR_DAYS, FAR_DAYS):
            found = cal().slots(target, now, now + timedelta(days=days), zone)
            starts = spread((start.astimezone(UTC) for times in found.values() for start in times if start > now), zone)
            if len(starts) == KEPT:
                break
    except CalError as error:
        log.warning("free times not known", event_type=target.event_type_id, reason=str(error))
        return None
    return starts


def _delete(*which: ColumnElement[bool]) -> bool:
    """Whether there were any."""
    return bool(db.session.scalars(delete(FreeTime).where(*which).returning(FreeTime.id)).all())
