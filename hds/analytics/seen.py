"""What one request tells of a visit: a few strings noted on its way, understood later. Pure: no database, no clock."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from crawlerdetect import CrawlerDetect

from hds.analytics.models import ANY, Failure, FunnelStep

CLICKS = ("gclid", "gbraid", "wbraid", "fbclid", "msclkid", "li_fat_id", "ttclid", "twclid")
# Where a visitor goes to book and pay: who comes back from there was not brought by them.
ON_THE_WAY = frozenset({"cal.com", "app.cal.com", "cal.eu", "app.cal.eu", "checkout.stripe.com"})
NOT_PAGES = ("/admin", "/api/", "/static/", "/healthz")
PURPOSES = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_MOZ", "HTTP_X_PURPOSE")
AHEAD = re.compile("prefetch|prerender|preview", re.IGNORECASE)
LONGEST = 2000  # characters of one header or query that are kept for a moment
_SERVICE_PAGE = re.compile(r"/services/(?!fit$)([a-z0-9-]{1,100})", re.ASCII)
_OWN_PAGE = re.compile(r"(/done|^/bookings)/.*", re.DOTALL)
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_LANGUAGE = re.compile(r"[a-z]{2,3}", re.ASCII)
_detector = CrawlerDetect()


class Seen(NamedTuple):
    """One page or step, as noted. It holds the address, so it lives in memory alone, for a second or so."""

    at: datetime
    address: str
    user_agent: str
    host: str
    path: str
    query: str
    referrer: str
    language: str
    step: FunnelStep
    service: str = ANY
    reason: Failure = Failure.NONE


@dataclass(frozen=True)
class Source:
    """What brought somebody. All empty: they typed the address, or nothing was said."""

    referrer: str = ""
    source: str = ""
    medium: str = ""
    campaign: str = ""
    term: str = ""
    content: str = ""
    click: str = field(default="")

    def __bool__(self) -> bool:
        return any((self.referrer, self.source, self.campaign, self.medium, self.click))


def page(environ: Mapping[str, Any], status: str, content_type: str, at: datetime) -> Seen | None:
    """The view of a page; None for all that is none: fragments, files, staff's pages, errors, what is fetched ahead."""
    if environ["REQUEST_METHOD"] != "GET" or "HTTP_HX_REQUEST" in environ or is_ahead(environ):
        return None
    if environ.get("PATH_INFO", "").startswith(NOT_PAGES) or not _is_answered(environ, status[:3], content_type):
        return None
    return step(environ, FunnelStep.PAGE_VIEWED, at)


def step(
    environ: Mapping[str, Any], step: FunnelStep, at: datetime, service: str = ANY, reason: Failure = Failure.NONE
) -> Seen:
    """As it came; `read` makes sense of it."""
    said = environ.get
    return Seen(
        at,
        said("REMOTE_ADDR", ""),
        said("HTTP_USER_AGENT", "")[:LONGEST],
        said("HTTP_HOST", "")[:LONGEST],
        said("PATH_INFO", "")[:LONGEST],
        said("QUERY_STRING", "")[:LONGEST],
        said("HTTP_REFERER", "")[:LONGEST],
        said("HTTP_ACCEPT_LANGUAGE", "")[:LONGEST],
        step,
        service,
        reason,
    )


def read(noted: Seen) -> Seen:
    """The same in real text, with the service whose page it is; a step stands on the page that sent it."""
    seen = noted._replace(
        user_agent=_text(noted.user_agent),
        host=_text(noted.host),
        path=_text(noted.path),
        query=_text(noted.query),
        referrer=_text(noted.referrer),
        language=_text(noted.language),
    )
    if seen.step is FunnelStep.PAGE_VIEWED:
        service = _SERVICE_PAGE.fullmatch(seen.path)
        return seen._replace(service=service[1] if service else ANY)
    # It may come from a fragment or a script, whose own address says nothing.
    return seen._replace(path=own_path(seen.referrer, seen.host), query="", referrer="", service=seen.service[:100])


def _text(said: str) -> str:
    """WSGI's strings are Latin-1 of what came."""
    return said if said.isascii() else said.encode("latin-1", "replace").decode("utf-8", "replace")


def is_ahead(environ: Mapping[str, Any]) -> bool:
    """Whether the browser asks before anybody did."""
    if "HTTP_HX_PRELOADED" in environ:
        return True
    for name in PURPOSES:  # noqa: SIM110 - a generator would cost as much as all the rest
        if name in environ and AHEAD.search(environ[name]):
            return True
    return False


def _is_answered(environ: Mapping[str, Any], status: str, content_type: str) -> bool:
    """A page, an unchanged page, or a redirect that would lose the campaign which its address names."""
    if status == "200":
        return content_type.startswith("text/html")
    if status == "304":
        return "text/html" in str(environ.get("HTTP_ACCEPT", ""))
    query = str(environ.get("QUERY_STRING", ""))
    return status[:1] == "3" and ("utm_" in query or any(f"{click}=" in query for click in CLICKS))


def own_path(referrer: str, host: str) -> str:
    try:
        parts = urlsplit(referrer)
    except ValueError:
        return ""
    return parts.path if parts.netloc.lower() == host.lower() else ""


@lru_cache(maxsize=4096)
def is_bot(user_agent: str) -> bool:
    """The first look takes a fifth of a second."""
    return not user_agent.strip() or bool(_detector.is_crawler(user_agent))


@lru_cache(maxsize=4096)
def device(user_agent: str) -> str:
    """phone, tablet or desktop."""
    agent = user_agent.lower()
    if "ipad" in agent or "tablet" in agent or ("android" in agent and "mobile" not in agent):
        return "tablet"
    return "phone" if "mobi" in agent or "iphone" in agent else "desktop"


def language(accepted: str) -> str:
    """en, out of en-GB,en;q=0.9."""
    found = _LANGUAGE.match(accepted.strip().lower())
    return found[0] if found else ""


def source(seen: Seen) -> Source:
    said = _query(seen.query)
    return Source(
        referrer=_host_elsewhere(seen.referrer, seen.host),
        source=_short(said.get("utm_source"), 100).lower(),
        medium=_short(said.get("utm_medium"), 100).lower(),
        campaign=_short(said.get("utm_campaign"), 150),
        term=_short(said.get("utm_term"), 150),
        content=_short(said.get("utm_content"), 150),
        click=next((click for click in CLICKS if said.get(click)), ""),
    )


def short_path(path: str) -> str:
    """Without the signed part of a booking's own page, which opens it."""
    return _short(_OWN_PAGE.sub(r"\1", path), 200)


def _query(query: str) -> dict[str, str]:
    try:
        return dict(reversed(parse_qsl(query, max_num_fields=50)))  # of two the first counts
    except ValueError:
        return {}


def _host_elsewhere(referrer: str, own: str) -> str:
    try:
        parts = urlsplit(referrer)
        host = (parts.hostname or "").lower()
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or parts.netloc.lower() == own.lower() or host in ON_THE_WAY:
        return ""
    return _short(host.removeprefix("www."), 200)


def _short(text: str | None, length: int) -> str:
    """What a database takes and a page can show."""
    return " ".join(_UNSEEN.sub(" ", text or "").split())[:length].strip()
