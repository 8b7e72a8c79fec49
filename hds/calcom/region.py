"""Where an account lives: cal.com, cal.eu, or one's own server. A key works only in its own region."""

from typing import NamedTuple
from urllib.parse import urlsplit

REGIONS = ("com", "eu")


class Addresses(NamedTuple):
    """`pages_url`: booking pages, for links. `app_url`: the origin of the embed. None ends with a slash."""

    api_url: str
    app_url: str
    pages_url: str


def addresses(region: str = "com", base_url: str = "", api_url: str = "") -> Addresses:
    """The region's addresses; `base_url` (one's own server) and `api_url` go before it.

    A self-hosted API v2 is an application of its own that may be anywhere. Without `api_url` it is looked for where
    the web application passes it on, at /api/v2.
    """
    hosted = _region_of(base_url) if base_url else region
    if hosted in REGIONS:
        found = Addresses(f"https://api.cal.{hosted}/v2", f"https://app.cal.{hosted}", f"https://cal.{hosted}")
    else:
        base = base_url.rstrip("/")
        found = Addresses(f"{base}/api/v2", base, base)
    return found._replace(api_url=_with_version(api_url)) if api_url else found


def _region_of(base_url: str) -> str | None:
    """The region, where somebody wrote a hosted address as their own."""
    host = (urlsplit(base_url).hostname or "").removeprefix("www.").removeprefix("app.")
    return {"cal.com": "com", "cal.eu": "eu"}.get(host)


def _with_version(api_url: str) -> str:
    address = api_url.rstrip("/")
    return address if address.endswith("/v2") else f"{address}/v2"
