"""The first page, the questions people ask, and what is kept of whom."""

from collections.abc import Sequence

from flask import Blueprint, Response, abort, render_template, request

from hds.bookings.free_times import FreeTime
from hds.extensions import limiter
from hds.lib import limits
from hds.lib.htmx import render_page_or_fragment
from hds.lib.pagecache import kept
from hds.services.models import FaqEntry, Service
from hds.services.search import search

blueprint = Blueprint("pages", __name__)

QUESTIONS_ON_FIRST_PAGE = 4
# Nobody types more into a search; what comes from elsewhere is cut, not refused.
LONGEST_SEARCH = 100


@blueprint.get("/")
@kept()
def home() -> str:
    services = Service.catalogue()
    featured = next((service for service in services if service.featured), services[0] if services else None)
    return render_template(
        "pages/home.html",
        services=services,
        featured=featured,
        free_times=FreeTime.next_for(featured) if featured else [],
        questions=FaqEntry.first(QUESTIONS_ON_FIRST_PAGE),
    )


@blueprint.get("/faq", strict_slashes=False)
@kept()
@limiter.limit(limits.SEARCH, exempt_when=lambda: "q" not in request.args)
def faq() -> Response:
    q = request.args.get("q", "").strip()[:LONGEST_SEARCH]
    results = search(FaqEntry.all(), q)
    return render_page_or_fragment(
        "pages/faq.html",
        "pages/_answers.html",
        q=q,
        instead=results.instead,
        are_near=results.are_near,
        topics=by_topic(results.entries),
        count=len(results.entries),
    )


@blueprint.get("/faq/<slug>")
@kept()
def question(slug: str) -> str:
    entry = FaqEntry.find(slug) or abort(404)
    others = [other for other in FaqEntry.all() if other.topic == entry.topic and other is not entry]
    return render_template("pages/question.html", entry=entry, others=others)


@blueprint.get("/privacy")
@kept()
def privacy() -> str:
    return render_template("pages/privacy.html")


def by_topic(entries: Sequence[FaqEntry]) -> dict[str, list[FaqEntry]]:
    """Each topic once, where its first question stands, however the questions are ordered."""
    topics: dict[str, list[FaqEntry]] = {}
    for entry in entries:
        topics.setdefault(entry.topic, []).append(entry)
    return topics
