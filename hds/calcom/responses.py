"""What people said: a booker's answers, Cal.com's `responses`, `{slug: {label, value?, isHidden?}}`, as plain
slug → value; and what a host's reason to cancel means."""

import re
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator

from hds.calcom.fields import LINE_LENGTH, LIST_LENGTH, part, text

Answer = str | int | float | bool | list[str]

# Fields that every event type has: they reach a booking as its name, notes, guests …, never as an own question.
SYSTEM_SLUGS = frozenset(
    {
        "name",
        "email",
        "location",
        "guests",
        "notes",
        "title",
        "rescheduleReason",
        "attendeePhoneNumber",
        "smsReminderNumber",
    }
)


# How Cal.com begins the reason where a host asks to move: in English, and as its catalogue may say it elsewhere.
_PLEASE_MOVE = re.compile(
    r"\s*(please reschedule|bitte\b.{0,30}(verschieb|umplan|neu plan|neuen termin)|(veuillez|merci de)\b.{0,20}"
    r"(reprogramm|replanifi|report)|por favor,?\s.{0,20}(reprogram|reagend|remar[cq])|"
    r"(si prega|per favore)\b.{0,20}riprogramm|(plan|verzet)\b.{0,20}opnieuw)",
    re.IGNORECASE,
)


class Response(NamedTuple):
    value: Answer
    is_hidden: bool


def asks_to_move(reason: str | None, cancelled_by: str | None, host: str | None) -> bool:
    """Whether a reason tells that the host cancelled for another time to be picked, where nothing else says so."""
    return cancelled_by is not None and cancelled_by == host and _PLEASE_MOVE.match(reason or "") is not None


def responses(value: object) -> dict[str, Response] | None:
    """The answered fields, or None where the body has no such object. An unanswered field has no `value`."""
    if not isinstance(value, dict):
        return None
    found: dict[str, Response] = {}
    for slug, field in list(value.items())[:LIST_LENGTH]:
        answered = answer(part(field, "value"))
        if answered is not None and isinstance(slug, str) and 0 < len(slug) <= LINE_LENGTH:
            found[slug] = Response(answered, part(field, "isHidden") is True)
    return found


def answer(value: object) -> Answer | None:
    """One value, whatever kind of field it comes from; None where nothing was answered."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        return [entry for entry in map(_as_text, value[:LIST_LENGTH]) if entry] or None
    if isinstance(value, dict):
        return _as_text(value)
    return value if isinstance(value, bool | int | float) and abs(value) < 2**63 else None


def _as_text(value: object) -> str | None:
    """A choice with its own text ({value, optionValue}), a name in parts ({firstName, lastName}), or a plain one."""
    if isinstance(value, dict):
        if "optionValue" in value:
            return text(value["optionValue"]) or text(value.get("value"))
        return text(" ".join(entry for entry in value.values() if isinstance(entry, str)))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return text(value)
    return str(value)


Responses = Annotated[dict[str, Response] | None, BeforeValidator(responses)]
