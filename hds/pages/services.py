"""The catalogue as pages: services beside each other, what fits somebody, and each alone with its next free times."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, abort, render_template, request

from hds.bookings.free_times import FreeTime
from hds.lib.htmx import render_page_or_fragment
from hds.lib.pagecache import kept
from hds.services import fit as fits
from hds.services.models import Service

blueprint = Blueprint("services", __name__, url_prefix="/services")

# So many columns can be read without scrolling sideways.
MOST_COMPARED = 3
FREE_TIMES = 4  # beside a service's own words


@dataclass(frozen=True)
class Comparison:
    """`left_out`: whether more were asked for, or are there, than stand beside each other."""

    services: Sequence[Service]
    left_out: bool

    @property
    def words(self) -> str:
        """For who hears the page."""
        names = [service.name for service in self.services]
        return f"Compared: {', '.join(names)}" if len(names) > 1 else f"Shown: {names[0]}"


# With and without the slash it is one page: a link that somebody typed by hand leads here too.
@blueprint.get("", strict_slashes=False)
@kept()
def index() -> Response:
    services = Service.catalogue()
    return render_page_or_fragment(
        "services/index.html",
        "services/_comparison.html",
        services=services,
        comparison=compare(services, request.args.getlist("compare")),
        most=MOST_COMPARED,
        asks_what_fits=bool(fits.questions(services, {})),
    )


# No service can have this slug.
@blueprint.get("/fit")
@kept()
def fit() -> Response:
    services = Service.catalogue()
    questions = fits.questions(services, request.args)
    return render_page_or_fragment(
        "services/fit.html",
        "services/_fit.html",
        services=services,
        questions=questions,
        matches=fits.matches(services, questions),
    )


@blueprint.get("/<slug>")
@kept()
def show(slug: str) -> str:
    service = Service.find(slug) or abort(404)
    others = [other for other in Service.catalogue() if other is not service]
    return render_template(
        "services/show.html", service=service, others=others, free_times=FreeTime.next_for(service, FREE_TIMES)
    )


def compare(services: Sequence[Service], slugs: Sequence[str]) -> Comparison | None:
    """Those named, in the owner's order; all where none is. None where there is nothing at all."""
    if not services:
        return None
    asked = [service for service in services if service.slug in slugs] or services
    return Comparison(asked[:MOST_COMPARED], len(asked) > MOST_COMPARED)
