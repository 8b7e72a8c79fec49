"""What went wrong with Cal.com, in a sentence for the owner: what it is, and what to do."""

from urllib.parse import urlsplit

from hds.calcom.account import Account
from hds.calcom.errors import CalError, NotAllowed, NotConfigured, NotFound, RateLimited, Unavailable

GET_A_KEY = "make a key at Cal.com under Settings → Developer → API keys, and put it into CAL_ACCESS_TOKEN"
_OTHER_REGION = {
    "api.cal.com": "an account at cal.eu needs CAL_REGION=eu",
    "api.cal.eu": "an account at cal.com needs CAL_REGION=com",
}


def trouble(error: CalError, account: Account) -> str:
    """Cal.com's own words stand in it where nothing else says what to do: it is for staff alone."""
    host = api_host(account)
    match error:
        case NotConfigured():
            words = f"CAL_ACCESS_TOKEN is not set: {GET_A_KEY}."
        case NotAllowed(status=403):
            words = f"{host} does not allow this to the key: {_said(error)}"
        case NotAllowed():
            where = _OTHER_REGION.get(host, "one of Cal.com's own is not known there")
            words = (
                f"{host} does not know the key in CAL_ACCESS_TOKEN: it is mistyped, expired or deleted, or it belongs "
                f"elsewhere ({where})."
            )
        case NotFound():
            words = f"There is no such thing at {host}: check CAL_API_URL, the address of API v2."
        case RateLimited():
            words = f"{host} has had too many calls with this key: try again in {max(1, round(error.seconds))} seconds."
        case Unavailable():
            words = f"{host} gave no usable answer: {error.reason}. Try again, or check CAL_API_URL."
        case _:
            words = f"{host} refused it: {_said(error)}"
    return words


def api_host(account: Account) -> str:
    return urlsplit(account.api_url).netloc or account.api_url


def is_hosted(account: Account) -> bool:
    """Whether it is Cal.com's own, which posts to public addresses alone."""
    return api_host(account) in _OTHER_REGION


def _said(error: CalError) -> str:
    return f"{error.text.rstrip('. ')}." if error.text else f"{error}."
