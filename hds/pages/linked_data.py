"""JSON-LD in schema.org's words: what a page says, for machines. Nothing that the page or the settings do not say."""

from collections.abc import Iterable, Sequence
from typing import Any

from flask import url_for

from hds.config import settings
from hds.lib.money import plain_amount
from hds.services.models import FaqEntry, Service

Node = dict[str, Any]


def graph(nodes: Iterable[Node]) -> Node:
    return {"@context": "https://schema.org", "@graph": list(nodes)}


def absolute(path: str) -> str:
    """The address at which visitors find it. Not the host that was asked: a copy elsewhere must not name itself."""
    return f"{settings.public_url}{path}"


def organization() -> Node:
    node = {
        "@type": "Organization",
        "@id": absolute("/#organization"),
        "name": settings.owner_name,
        "url": absolute(url_for("pages.home")),
        "logo": absolute(url_for("crawlers.icon", size=512)),
        "email": settings.contact_email,
    }
    return node | ({"address": settings.owner_address} if settings.owner_address else {})


def website() -> Node:
    return {
        "@type": "WebSite",
        "@id": absolute("/#website"),
        "name": settings.site_name,
        "url": absolute(url_for("pages.home")),
        "description": settings.site_summary,
        "inLanguage": "en",
        "publisher": {"@id": absolute("/#organization")},
    }


def service(offered: Service) -> Node:
    url = absolute(url_for("services.show", slug=offered.slug))
    node: Node = {
        "@type": "Service",
        "@id": f"{url}#service",
        "name": offered.name,
        "url": url,
        "provider": {"@id": absolute("/#organization")},
        "offers": offer(offered),
    }
    if offered.summary:
        node["description"] = offered.summary
    if offered.audience:
        node["audience"] = {"@type": "Audience", "audienceType": offered.audience}
    return node


def offer(offered: Service) -> Node:
    """What one booking costs. Free is 0, which needs no currency."""
    node = {
        "@type": "Offer",
        "url": absolute(url_for("bookings.choose_time", slug=offered.slug)),
        "price": plain_amount(offered.price_amount, offered.price_currency),
        "availability": "https://schema.org/InStock",
    }
    return node | ({"priceCurrency": offered.price_currency} if offered.price_currency else {})


def questions(path: str, entries: Iterable[FaqEntry]) -> list[Node]:
    """Google wants a question's answer whole. A page without questions is no FAQPage."""
    asked = [
        {
            "@type": "Question",
            "name": entry.question,
            "url": absolute(url_for("pages.question", slug=entry.slug)),
            "acceptedAnswer": {"@type": "Answer", "text": entry.answer},
        }
        for entry in entries
    ]
    return [{"@type": "FAQPage", "@id": f"{absolute(path)}#questions", "mainEntity": asked}] if asked else []


def breadcrumbs(trail: Sequence[tuple[str, str]]) -> Node:
    """`trail`: name and path of each page from the first one to this."""
    return {
        "@type": "BreadcrumbList",
        "itemListElement": [
            {
                "@type": "ListItem",
                "position": position,
                "name": name,
                "item": {"@type": "WebPage", "@id": absolute(path)},
            }
            for position, (name, path) in enumerate(trail, 1)
        ],
    }
