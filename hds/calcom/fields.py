"""The fields of Cal.com's bodies as types that never fail, save the few without which a booking means nothing.

An optional field of a wrong type, size or form becomes None: one odd value must not cost the whole booking.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

TRIGGER_LENGTH = 80
NAME_LENGTH = 200
LINE_LENGTH = 500
TEXT_LENGTH = 5_000
URL_LENGTH = 2_000
EMAIL_LENGTH = 254
LIST_LENGTH = 100
METADATA_KEYS = 50

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_CONTROLS_IN_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# They reverse what follows them, so that a name reads as something else. Joiners (emoji families) stay.
_REVERSALS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_EMAIL = re.compile(r"[^\s@<>()\[\],;:\\\"]{1,64}@[^\s@<>()\[\],;:\\\"./]+(\.[^\s@<>()\[\],;:\\\"./]+)+")
_UID = re.compile(r"(?!\.+$)[A-Za-z0-9_.:-]{1,200}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8}){0,3}", re.ASCII)


def line(value: object, length: int = LINE_LENGTH) -> str | None:
    """One line: no break, no control character, so that it can be a subject, a header, a calendar line."""
    if not isinstance(value, str):
        return None
    return _REVERSALS.sub("", _CONTROLS.sub(" ", value)).strip()[:length].strip() or None


def name(value: object) -> str | None:
    return line(value, NAME_LENGTH)


def text(value: object, length: int = TEXT_LENGTH) -> str | None:
    """Several lines, as somebody typed them."""
    if not isinstance(value, str):
        return None
    plain = _CONTROLS_IN_TEXT.sub("", value.replace("\r\n", "\n").replace("\r", "\n"))
    return plain.strip()[:length] or None


def email(value: object) -> str | None:
    """Lower-cased; None for what no mail server would take. Whether it arrives is the outbox's to find out."""
    if not isinstance(value, str):
        return None
    address = value.strip().lower()
    return address if len(address) <= EMAIL_LENGTH and _EMAIL.fullmatch(address) else None


def web_address(value: object) -> str | None:
    """An http(s) URL that can be shown as a link, or None. Never cut: half a link is none."""
    if not isinstance(value, str):
        return None
    address = value.strip()
    if len(address) > URL_LENGTH or re.search(r"[\s<>\"\\]", address) or _CONTROLS.search(address):
        return None
    try:
        parts = urlsplit(address)
        host, credentials = parts.hostname, parts.username is not None
    except ValueError:
        return None
    return address if parts.scheme in {"http", "https"} and host and not credentials else None


def time_zone(value: object) -> str | None:
    """An IANA name, old aliases included (Europe/Kiev), or None."""
    return value if isinstance(value, str) and value in _time_zones() else None


def locale(value: object) -> str | None:
    return value if isinstance(value, str) and _LOCALE.fullmatch(value) else None


def currency(value: object) -> str | None:
    """The ISO code in capitals. XXX is ISO's own word for "no currency"."""
    code = value.upper() if isinstance(value, str) else ""
    return code if _CURRENCY.fullmatch(code) and code != "XXX" else None


def uid_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and _UID.fullmatch(value) else None


def whole(lowest: int, highest: int) -> Callable[[object], int | None]:
    """A whole number within what its column can hold, or None. True is not 1."""

    def check(value: object) -> int | None:
        fits = isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest
        return value if fits and isinstance(value, int) else None

    return check


def moment_or_none(value: object) -> datetime | None:
    """An aware time in UTC from ISO text that carries its offset, between 2000 and 2100; else None."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    if moment.tzinfo is None or not 2000 <= moment.year <= 2100:
        return None
    return moment.astimezone(UTC)


def day_or_none(value: object) -> date | None:
    """2026-12-03, also where a time follows; between 2000 and 2100."""
    try:
        day = date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None
    return day if day and 2000 <= day.year <= 2100 else None


def metadata(value: object) -> dict[str, str | int | float | bool | None]:
    """The flat part of somebody's metadata: at most 50 keys, 500 characters each. Nested values are dropped."""
    if not isinstance(value, dict):
        return {}
    kept: dict[str, str | int | float | bool | None] = {}
    for key, item in value.items():
        if len(kept) == METADATA_KEYS:
            break
        if isinstance(item, str):
            kept[key[:LINE_LENGTH]] = item[:LINE_LENGTH]
        elif item is None or (isinstance(item, bool | int | float) and _storable_number(item)):
            kept[key[:LINE_LENGTH]] = item
    return kept


def items(value: object, read: Callable[[object], Any]) -> list[Any]:
    """What `read` could make of each of the first hundred entries of a list."""
    entries = value[:LIST_LENGTH] if isinstance(value, list) else []
    return [entry for entry in map(read, entries) if entry is not None]


def part(value: object, *keys: str) -> object:
    """`value[key][key]…`, or None where anything on the way is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())  # reads a directory: 5 ms each time


def _storable_number(number: float) -> bool:
    return math.isfinite(number) and abs(number) < 2**63


def _required_uid(value: object) -> str:
    if value is None:
        raise PydanticCustomError("uid", "is missing")
    if (uid := uid_or_none(value)) is None:
        raise PydanticCustomError("uid", "is not the id of a booking")
    return uid


def _required_moment(value: object) -> datetime:
    if value is None:
        raise PydanticCustomError("moment", "is missing")
    if (moment := moment_or_none(value)) is None:
        raise PydanticCustomError("moment", "is not a time between 2000 and 2100 with its offset from UTC")
    return moment


type_id = whole(1, 2**31 - 1)

Uid = Annotated[str, BeforeValidator(_required_uid)]
Moment = Annotated[datetime, BeforeValidator(_required_moment)]
OptionalUid = Annotated[str | None, BeforeValidator(uid_or_none)]
OptionalMoment = Annotated[datetime | None, BeforeValidator(moment_or_none)]
OptionalLine = Annotated[str | None, BeforeValidator(line)]
OptionalName = Annotated[str | None, BeforeValidator(name)]
OptionalText = Annotated[str | None, BeforeValidator(text)]
OptionalEmail = Annotated[str | None, BeforeValidator(email)]
OptionalZone = Annotated[str | None, BeforeValidator(time_zone)]
OptionalLocale = Annotated[str | None, BeforeValidator(locale)]
OptionalCurrency = Annotated[str | None, BeforeValidator(currency)]
OptionalUrl = Annotated[str | None, BeforeValidator(web_address)]
Title = Annotated[str, BeforeValidator(lambda value: line(value) or "")]
Name = Annotated[str, BeforeValidator(lambda value: name(value) or "")]
Flag = Annotated[bool, BeforeValidator(lambda value: value is True)]
Price = Annotated[int | None, BeforeValidator(whole(0, 2**63 - 1))]
TypeId = Annotated[int | None, BeforeValidator(type_id)]
Count = Annotated[int | None, BeforeValidator(whole(0, 2**31 - 1))]
Metadata = Annotated[dict[str, str | int | float | bool | None], BeforeValidator(metadata)]
