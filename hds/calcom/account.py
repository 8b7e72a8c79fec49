"""Which account of Cal.com's: its addresses, its key, its owner's name there."""

from dataclasses import dataclass, field
from typing import Protocol

from pydantic import SecretStr

from hds.calcom.region import addresses
from hds.lib import http

BOOKINGS_VERSION = "2024-08-13"  # known to hosted and self-hosted alike
LIST_VERSION = "2024-08-13"  # a later listing timed out on hosted Cal.com in September 2026


@dataclass(frozen=True)
class Account:
    """Whose Cal.com, and where. `link`: the owner's or team's name in the addresses of their booking pages."""

    api_url: str
    app_url: str = ""
    pages_url: str = ""
    api_key: str | None = field(default=None, repr=False)
    link: str = ""
    bookings_version: str = BOOKINGS_VERSION
    list_version: str = LIST_VERSION
    organization_id: str = ""
    read_seconds: float = http.READ_SECONDS


class CalSettings(Protocol):
    """The settings that name an account."""

    @property
    def cal_api_url(self) -> str: ...
    @property
    def cal_base_url(self) -> str: ...
    @property
    def cal_region(self) -> str: ...
    @property
    def cal_access_token(self) -> SecretStr: ...
    @property
    def cal_link(self) -> str: ...
    @property
    def cal_bookings_version(self) -> str: ...
    @property
    def cal_booking_list_version(self) -> str: ...
    @property
    def cal_organization_id(self) -> str: ...


def account_from(settings: CalSettings) -> Account:
    where = addresses(settings.cal_region, settings.cal_base_url, settings.cal_api_url)
    return Account(
        api_url=where.api_url,
        app_url=where.app_url,
        pages_url=where.pages_url,
        api_key=settings.cal_access_token.get_secret_value() or None,
        link=settings.cal_link.strip().strip("/"),
        bookings_version=settings.cal_bookings_version,
        list_version=settings.cal_booking_list_version,
        organization_id=settings.cal_organization_id.strip(),
    )
