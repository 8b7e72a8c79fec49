"""Today's visit, for the views: count a step of it, and give it a name that travels with a booking."""

from datetime import date

from flask import has_request_context, request

from hds.analytics import rows, salt, seen
from hds.analytics.models import ANY, AnalyticsEvent, DailyFunnel, DailyVisits, Failure, FunnelStep, Visit
from hds.analytics.writer import writer
from hds.config import settings
from hds.extensions import db
from hds.lib import tokens
from hds.lib.models import one_at_a_time
from hds.lib.times import utcnow

KEY = "hds-visit"  # the reference's name in a booking's metadata, and the slug of the hidden field
LONGEST_REFERENCE = 500  # Cal.com keeps no longer value
PURPOSE = "visit"
SUMS_LOCK = 4301  # the advisory lock under which a past day's steps and sums change


def track(step: FunnelStep, service: str = ANY, reason: Failure = Failure.NONE) -> None:
    """Count a step of whoever sends this request, once for each service (a slug). It is written a moment later."""
    if not has_request_context() or request.method == "HEAD" or seen.is_ahead(request.environ):
        return
    writer().note(seen.step(request.environ, step, utcnow(), service, reason))


def reference() -> str:
    """The signed name of this request's visit, about 110 characters: metadata `hds-visit` of a booking, or the
    hidden field of that slug. It says nothing of anybody without our database. Empty outside of a request, and without
    Redis."""
    if not has_request_context():
        return ""
    day = salt.day_of(utcnow())
    noted = seen.read(seen.step(request.environ, FunnelStep.PAGE_VIEWED, utcnow()))
    visitor = salt.visitor(day, noted.address, noted.user_agent)
    return tokens.sign(PURPOSE, [day.isoformat(), visitor]) if visitor else ""


def of_reference(token: object) -> Visit | None:
    """The visit that a booking brought back. None where it is not ours, or the visit is not kept any more."""
    if not isinstance(token, str) or not 0 < len(token) <= LONGEST_REFERENCE:
        return None
    match tokens.read(PURPOSE, token, settings.visits_kept_days * 24 * 3600):
        case [str(day), str(visitor)]:
            of_day = Visit.day == date.fromisoformat(day)
            return db.session.scalar(db.select(Visit).where(of_day, Visit.visitor == visitor))
    return None


def count(visit_id: int, step: FunnelStep, service: str = ANY) -> None:
    """A step that no request of the visitor's tells of. The sums of a day that was summed already are made anew."""
    visit = db.session.get(Visit, visit_id)
    if visit is None:
        return
    one_at_a_time(SUMS_LOCK)
    is_new = rows.insert_events([rows.event(visit.id, visit.day, step, service, at=utcnow())])
    if is_new and visit.day != salt.day_of(utcnow()):
        for sums in (DailyFunnel, DailyVisits):
            db.session.execute(db.delete(sums).where(sums.day == visit.day))


def steps_of(visit_id: int) -> list[tuple[FunnelStep, str, Failure]]:
    """What a visit did, in its order: step, service, reason."""
    query = db.select(AnalyticsEvent).where(AnalyticsEvent.visit_id == visit_id)
    events = db.session.scalars(query.order_by(AnalyticsEvent.at, AnalyticsEvent.id))
    return [(event.step, event.service, event.reason) for event in events]
