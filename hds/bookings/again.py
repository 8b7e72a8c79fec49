"""The details form once more with all that was typed, where its POST was refused before anybody read it."""

from enum import StrEnum

from flask import Response, request
from flask_limiter import RequestLimit

from hds.bookings import calendar
from hds.bookings.booker import booker_of
from hds.bookings.forms import DetailsForm
from hds.bookings.steps import DetailsStep
from hds.config import settings
from hds.errors import say_wait
from hds.extensions import db, limiter
from hds.lib import http
from hds.lib.times import utcnow, zone_or_none
from hds.services.models import Service


class Notice(StrEnum):
    """What a page of this says above the form. Nothing was booked."""

    TOO_OFTEN = "too_often"
    NO_TOKEN = "no_token"  # noqa: S105


def too_often(limit: RequestLimit) -> Response | None:
    """Over the limit of `lib.limits`. Cal.com is not asked: what is not known already is left out."""
    with http.within(0):
        return _filled_in(Notice.TOO_OFTEN, 429, wait=say_wait(limiter.seconds_left()))


def without_token() -> Response | None:
    """The cookie that the form's token belongs to is gone or another's. The new page brings both anew."""
    with http.within(http.PAGE_SECONDS):
        return _filled_in(Notice.NO_TOKEN, 400)


def _filled_in(notice: Notice, status: int, *, wait: str = "") -> Response | None:
    """None where it does not say which service and time are meant: then the plain error must do."""
    form, now = DetailsForm(), utcnow()
    start = form.start_at or calendar.read_start(request.args.get("start", ""), now)
    zone = zone_or_none(form.zone.data) or zone_or_none(request.args.get("zone")) or settings.owner_zone
    service = Service.find((request.view_args or {}).get("slug", ""))
    db.session.close()
    if service is None or start is None:
        return None
    booker = booker_of(service, own_steps=True).lasting(request.args.get("duration", type=int))
    form.ask_for(booker)
    form.asks_code = bool(form.code.data)
    return DetailsStep(service, booker, form, zone).show(start, status=status, notice=notice, wait=wait)
