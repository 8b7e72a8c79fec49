"""The account at Cal.com: how it is connected, which event type is whose, and what the services do not say alike."""

import hashlib
import json
from typing import Any, NamedTuple

from flask import Blueprint, Response, flash, render_template, request, url_for

from hds.admin import words
from hds.analytics import visits
from hds.bookings.booker import REFERENCE
from hds.calcom.client import client_from
from hds.config import settings
from hds.extensions import db
from hds.lib import http
from hds.lib.budget import comes_first
from hds.lib.htmx import redirect_to
from hds.services import sync
from hds.services.account import CalAccount, Outcome
from hds.services.connect import connect, last_real_delivery, named_by
from hds.services.models import EventTypeState, Service
from hds.services.sync import Difference

blueprint = Blueprint("cal", __name__, url_prefix="/cal")

PATIENCE = 20.0  # seconds, for all calls to Cal.com together
MAIL_PATIENCE = 5.0  # for the test mail, of these
STATES = {
    EventTypeState.SHOWN: "On your page at Cal.com",
    EventTypeState.HIDDEN: "Hidden at Cal.com, and can be booked here",
    EventTypeState.GONE: "Not there any more: nobody can book it",
}


class Row(NamedTuple):
    """A service with its event type. `setting`: the one that names it, so that it cannot be chosen here."""

    service: Service
    setting: str
    state: str
    differences: list[Difference]


@blueprint.get("")
def index() -> str:
    arrives = last_real_delivery()
    account, rows = CalAccount.known(), [_row(service) for service in Service.catalogue()]
    differences = [each for row in rows for each in row.differences]
    return render_template(
        "admin/cal/index.html",
        account=account,
        arrives=arrives,
        rows=rows,
        has_key=bool(settings.cal_access_token.get_secret_value()),
        seen=_seen(rows),
        count=sum(not each.is_own for each in differences),
        own=sum(each.is_own for each in differences),
        advertised=sync.advertised,
    )


@blueprint.post("/checks")
def check() -> Response:
    """Look at everything; put right what can be and send the tests, unless looking is all that was asked for."""
    with http.within(PATIENCE), comes_first():
        mends, carried = "look" not in request.form, (REFERENCE, visits.KEY)
        found = list(connect(client_from(settings), mends=mends, carried=carried, mail_seconds=MAIL_PATIENCE))
    wrong = sum(finding.outcome is Outcome.WRONG for finding in found)
    if wrong:
        flash(f"{words.counted(wrong, 'thing is', 'things are')} not right: see below.")
    else:
        flash("Everything that was looked at is right.")
    return redirect_to(url_for(".index"))


@blueprint.post("/looks")
def look() -> Response:
    """Ask Cal.com what it says of the event types now."""
    with http.within(PATIENCE), comes_first():
        trouble = sync.look(client_from(settings))
    flash(trouble or "Cal.com was asked just now.")
    return redirect_to(url_for(".index"))


@blueprint.post("/event-types")
def choose() -> Response:
    """Which event type each service is booked by. One that another service has changes its place."""
    known = {kind["id"]: kind["slug"] for kind in CalAccount.known().event_types}
    services = [service for service in Service.catalogue() if not named_by(service.slug, settings)]
    chosen = {service.id: _number(request.form.get(f"service-{service.id}", "")) for service in services}
    changed = [service for service in services if chosen[service.id] != service.cal_event_type_id]
    if odd := [number for service in changed if (number := chosen[service.id]) is not None and number not in known]:
        flash(f"The account has no event type {odd[0]}. Ask Cal.com again, and choose one that is listed.")
    elif _are_double([chosen[service.id] for service in services] + _fixed()):
        flash("Nothing was changed: an event type can belong to one service only.")
    else:
        _give(changed, chosen, known)
        flash("The event types are saved." if changed else "Nothing was changed.")
    return redirect_to(url_for(".index"))


@blueprint.post("/changes")
def take_over() -> Response:
    """Make the services say what Cal.com says, as it was shown; of the owner's own values those that are ticked."""
    services = Service.catalogue()
    if request.form.get("seen") != _seen([_row(service) for service in services]):
        flash("Nothing was changed: something else differs by now. Look again at what would be taken over.")
        return redirect_to(url_for(".index"))
    ticked = [name.rpartition(".") for name in request.form.getlist("take")]
    count = 0
    for service in services:
        count += len(sync.take_over(service, {field for slug, _, field in ticked if slug == service.slug}))
    db.session.commit()
    flash(f"{words.counted(count, 'difference was', 'differences were')} taken over from Cal.com.")
    return redirect_to(url_for(".index"))


def _row(service: Service) -> Row:
    state = STATES[service.event_type_state] if service.event_type_state else "Not found yet"
    return Row(service, named_by(service.slug, settings), state, sync.differences(service))


def _seen(rows: list[Row]) -> str:
    """A name for what differs now, so that nothing is taken over that nobody saw."""
    facts: list[Any] = [
        [row.service.id, each.field, each.ours, each.theirs, each.is_own] for row in rows for each in row.differences
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _give(services: list[Service], chosen: dict[int, int | None], known: dict[int, str]) -> None:
    for service in services:  # freed first: two may change places
        service.belongs_to(None, None)
    db.session.flush()
    for service in services:
        number = chosen[service.id]
        service.belongs_to(number, known[number] if number else None)
    db.session.commit()


def _fixed() -> list[int | None]:
    """What the settings give away."""
    return [service.cal_event_type_id for service in Service.catalogue() if named_by(service.slug, settings)]


def _are_double(numbers: list[int | None]) -> bool:
    given = [number for number in numbers if number is not None]
    return len(set(given)) < len(given)


def _number(text: str) -> int | None:
    """None for no event type; 0, which nothing has, for what is no number."""
    if not text:
        return None
    return int(text) if text.isdecimal() and len(text) < 11 else 0
