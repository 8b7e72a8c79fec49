"""How a page is found: its words in a search engine's list and on a shared link, and its place among the others.

A public page has a line in PAGES; layouts/_found.html prints what that says, the sitemap lists it and its picture is
drawn from it. Every other page (the steps of a booking, the admin, errors) is kept out of search engines by the same
template, so that a new one is private until somebody says otherwise.

Development is not closed to them: no search engine reaches it, and what is tried there is then what production shows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from hds.config import settings
from hds.lib.money import say_money
from hds.pages import linked_data
from hds.pages.linked_data import Node, absolute
from hds.pages.pictures import Card
from hds.pages.services import MOST_COMPARED
from hds.services import fit as fits
from hds.services.models import FaqEntry, Service

LONGEST_DESCRIPTION = 160  # characters; search engines show no more
FIRST = "home"  # what the first page is called in a picture's address


@dataclass(frozen=True)
class Found:
    """A public page as somebody sees it who is not there yet."""

    path: str
    title: str
    description: str
    heading: str  # on its picture
    line: str = ""  # under it
    trail: tuple[tuple[str, str], ...] = ()  # name and path of the pages between the first one and this
    nodes: list[Node] = field(default_factory=list)  # what else it says to machines

    @property
    def url(self) -> str:
        """Its one address: whatever a campaign or a search wrote behind it is not part of it."""
        return absolute(self.path)

    @property
    def card(self) -> Card:
        return Card(heading=self.heading, line=self.line, site=settings.site_name)

    @property
    def picture_path(self) -> str:
        return url_for("crawlers.picture", version=self.card.version, page=self.path.strip("/") or FIRST)

    @property
    def picture_url(self) -> str:
        return absolute(self.picture_path)

    @property
    def picture_words(self) -> str:
        """For who cannot see the picture: what is written on it."""
        return ". ".join(part.rstrip(".") for part in (self.heading, self.line, settings.site_name) if part)

    @property
    def linked_data(self) -> Node:
        nodes = [linked_data.organization(), *self.nodes]
        if self.path != "/":
            ways = ((settings.site_name, "/"), *self.trail, (self.title, self.path))
            nodes.append(linked_data.breadcrumbs(ways))
        return linked_data.graph(nodes)


def home() -> Found:
    return Found(
        path=url_for("pages.home"),
        title=f"{settings.site_name}: consultations you book online",
        description=shortened(settings.site_summary),
        heading=settings.site_summary,
        nodes=[linked_data.website()],
    )


def services() -> Found:
    return Found(
        path=url_for("services.index"),
        title="Services",
        description="What each consultation is for, how long it takes, what it costs and what you take away.",
        heading="Services",
        line="What each takes, costs and gives, side by side",
        nodes=[linked_data.service(service) for service in Service.catalogue()[:MOST_COMPARED]],
    )


def service(slug: str) -> Found | None:
    offered = Service.find(slug)
    if offered is None:
        return None
    terms = terms_of(offered)
    return Found(
        path=url_for("services.show", slug=slug),
        title=offered.name,
        description=shortened(f"{offered.summary} {terms}."),
        heading=offered.name,
        line=terms,
        trail=(("Services", url_for("services.index")),),
        nodes=[linked_data.service(offered)],
    )


def faq() -> Found:
    path = url_for("pages.faq")
    # A search shows some of them, and nothing is said to machines that is not on the page.
    entries = [] if request.args.get("q") else FaqEntry.all()
    return Found(
        path=path,
        title="Questions",
        description=f"What people ask before and after they book a consultation with {settings.site_name}.",
        heading="Questions people ask",
        line="Before and after they book a consultation",
        nodes=linked_data.questions(path, entries),
    )


def fit() -> Found | None:
    """Where there is nothing to choose between, it asks nothing, and is nothing to find."""
    if not fits.questions(Service.catalogue(), {}):
        return None
    return Found(
        path=url_for("services.fit"),
        title="What fits me?",
        description="A few questions on what you need, what it may cost and how long you have, and which one fits.",
        heading="What fits me?",
        line="A few questions, and which consultation fits",
        trail=(("Services", url_for("services.index")),),
    )


def question(slug: str) -> Found | None:
    entry = FaqEntry.find(slug)
    if entry is None:
        return None
    path = url_for("pages.question", slug=slug)
    return Found(
        path=path,
        title=entry.question,
        description=shortened(entry.answer),
        heading=entry.question,
        line=entry.topic,
        trail=(("Questions", url_for("pages.faq")),),
        nodes=linked_data.questions(path, [entry]),
    )


def privacy() -> Found:
    return Found(
        path=url_for("pages.privacy"),
        title="Privacy",
        description=f"What {settings.site_name} keeps of you, why, and for how long.",
        heading="Privacy",
        line="What we keep of you, why, and for how long",
    )


def booking() -> Found:
    return Found(
        path=url_for("bookings.choose_service"),
        title="Book a consultation",
        description="Choose a consultation and a time that suits you, in your own time zone. No account is needed.",
        heading="Book a consultation",
        line="Choose what, choose when. No account is needed.",
    )


PAGES: dict[str, Callable[..., Found | None]] = {
    "pages.home": home,
    "services.index": services,
    "services.show": service,
    "services.fit": fit,
    "pages.faq": faq,
    "pages.question": question,
    "pages.privacy": privacy,
    "bookings.choose_service": booking,
}


def here() -> Found | None:
    """The page that is asked for, where it is one to be found."""
    return of(request.endpoint, request.view_args or {})


def of(endpoint: str | None, values: dict[str, Any]) -> Found | None:
    describe = PAGES.get(endpoint or "")
    return describe(**values) if describe else None


def at(path: str, app: Flask) -> Found | None:
    """The page of a path; None where there is none to be found."""
    try:
        endpoint, values = app.url_map.bind("").match(path, method="GET")
    except (HTTPException, RequestRedirect):
        return None
    return of(endpoint, dict(values))


def all_pages() -> Iterator[Found]:
    """Every page that is there to be found, each once."""
    several: dict[str, list[str]] = {
        "services.show": [service.slug for service in Service.catalogue()],
        "pages.question": [entry.slug for entry in FaqEntry.all()],
    }
    for endpoint in PAGES:
        for values in [{"slug": slug} for slug in several[endpoint]] if endpoint in several else [{}]:
            if page := of(endpoint, values):
                yield page


def terms_of(service: Service) -> str:
    """60 minutes, $150, by video call."""
    price = say_money(service.price_amount, service.price_currency)
    parts = [f"{service.duration_minutes} minutes", price.lower() if service.is_free else price]
    return ", ".join([*parts, f"by {service.meets_by.lower()}"] if service.meeting_places else parts)


def shortened(text: str) -> str:
    """Not longer than a search engine shows, cut between words where there are any."""
    text = " ".join(text.split())
    if len(text) <= LONGEST_DESCRIPTION:
        return text
    text = text[: LONGEST_DESCRIPTION - 1]
    return f"{(text.rpartition(' ')[0] or text).rstrip(' ,.;:')}…"
