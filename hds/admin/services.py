"""How each service is booked now, and why."""

from typing import NamedTuple

from flask import Blueprint, render_template

from hds.bookings.booker import booker_of
from hds.calcom.booker import Choice, Kind
from hds.config import settings
from hds.extensions import db
from hds.services.models import Service

blueprint = Blueprint("services", __name__, url_prefix="/services")

KINDS = {
    Kind.EMBED: "Cal.com’s booker on our page",
    Kind.NATIVE: "Our own booker",
    Kind.LINK: "A link to Cal.com’s page",
    Kind.WRITE: "By writing to you",
}


class Row(NamedTuple):
    service: Service
    booker: str
    why: str
    without_frame: str
    url: str | None


@blueprint.get("")
def index() -> str:
    services = Service.catalogue()
    db.session.close()  # no transaction stands open while Cal.com is asked
    return render_template("admin/services/index.html", rows=[row_of(service) for service in services])


def row_of(service: Service) -> Row:
    choice = booker_of(service).choice
    why = choice.reason or _wish(service)
    beside = choice.without_frame
    return Row(service, KINDS[choice.kind], why, _in_words(beside) if beside else "", choice.url)


def _wish(service: Service) -> str:
    if service.booker:
        return f"Your choice for this service alone: {service.booker}"
    return f"Your setting BOOKER={settings.booker}"


def _in_words(choice: Choice) -> str:
    return f"{KINDS[choice.kind]}. {choice.reason}" if choice.reason else KINDS[choice.kind]
