"""Once an hour: what is over is summed up, and what is old is deleted."""

from datetime import timedelta

import structlog
from sqlalchemy import select

from hds.analytics import salt, sums
from hds.analytics.models import Visit
from hds.analytics.visits import SUMS_LOCK
from hds.config import settings
from hds.extensions import db
from hds.lib import jobs
from hds.lib.models import one_at_a_time, only_reading
from hds.lib.times import utcnow

SETTLED = 2 * salt.AFTER_MIDNIGHT  # a day is summed up once nothing of it can come any more
log = structlog.get_logger(part="analytics")


def ring() -> None:
    """The clock's line: a worker does it."""
    jobs.ring("default", "hds.analytics.jobs.tidy")


def tidy() -> None:
    """Sum up the days that are over, missed ones too, then delete the visits whose time has passed; a commit for each
    day. The salts go by themselves, and then from the queue's file."""
    today = salt.day_of(utcnow() - SETTLED)
    with only_reading():
        days = sums.days_to_sum(today)
    for day in days:
        sums.sum_up(day)
        db.session.commit()
    if days:
        salt.forget()
    with only_reading():
        newest = today - timedelta(days=settings.visits_kept_days)
        old = db.session.scalars(select(Visit.day).where(Visit.day <= newest).distinct().order_by(Visit.day)).all()
    for day in old:
        one_at_a_time(SUMS_LOCK)
        db.session.execute(db.delete(Visit).where(Visit.day == day, sums.is_summed(day)))
        db.session.commit()
        log.info("visits deleted", day=day.isoformat())
