"""From bytes to plain Python, whatever somebody posted: the first half of reading a webhook or an answer."""

import json
import math
import re
from typing import Any

# What an owner can do about a body that is none of Cal.com's own.
TEMPLATE = (
    "Is a custom payload template set for the webhook at Cal.com? Empty it there: it replaces what this site reads."
)
MAX_DEPTH = 60  # Cal.com's own bodies nest eight deep
_INTEGER_DIGITS = 30  # beyond any number that Cal.com has; Python refuses 4,300 with an error of its own
_FORM = re.compile(r"[\w.%+\[\]-]{1,200}=[^\s{}]*")  # what Cal.com posts for a template that is not JSON
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL refuses NUL, UTF-8 refuses lone surrogates
_SHOWN_BYTES = 64 * 1024
_HIDDEN = "(hidden)"
_SECRET_KEY = re.compile(r"pass(word|code)|token|secret|api_?key|authorization", re.IGNORECASE)
_SECRET_IN_URL = re.compile(
    r"([?&;][^?=&;\s\"]{0,60}(?:token|password|secret|key|signature)[^?=&;\s\"]{0,60}=)[^&;\s\"]+",
    re.IGNORECASE,
)
_SECRET_IN_TEXT = re.compile(
    r"((?:pass(?:word|code)|token|secret|api_?key)[\w.\]-]{0,60}[\"']?\s{0,9}[:=]\s{0,9})"
    r"(?:\"(?:[^\"\\]|\\.)*\"?|[^\s&,}]+)",
    re.IGNORECASE,
)


class NotUnderstood(Exception):
    """A body that cannot be used. `reason` is a sentence that the owner of the site can act on."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decode(raw: bytes) -> Any:
    """The JSON value, fit to be stored: without NUL, lone surrogates, NaN, endless numbers or endless nesting."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotUnderstood("The body is not text in UTF-8, so Cal.com cannot have sent it like this.") from None
    if not text.strip():
        raise NotUnderstood("The body is empty.")
    try:
        value = json.loads(text, parse_int=_integer, parse_float=_number, parse_constant=lambda _: None)
    except RecursionError:
        raise NotUnderstood("The body is nested too deep.") from None
    except ValueError:
        kind = "a form, not JSON" if _FORM.fullmatch(text.strip()) else "not JSON"
        raise NotUnderstood(f"The body is {kind}. {TEMPLATE}") from None
    return _storable(value)


def redact(raw: bytes) -> str:
    """The body as text for staff: indented where it is JSON, without passwords and tokens, at most 64 KB."""
    try:
        text = json.dumps(_without_secrets(decode(raw)), indent=2, ensure_ascii=False)
    except NotUnderstood:
        rough = raw[: _SHOWN_BYTES * 2].decode("utf-8", "replace")
        text = _SECRET_IN_TEXT.sub(rf'\1"{_HIDDEN}"', _UNSTORABLE.sub("\ufffd", rough))
    if len(text.encode()) > _SHOWN_BYTES:
        text = text.encode()[:_SHOWN_BYTES].decode("utf-8", "ignore") + "\n… (cut)"
    return text


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= _INTEGER_DIGITS else None


def _number(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _storable(value: Any, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise NotUnderstood("The body is nested too deep.")
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_storable(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {_UNSTORABLE.sub("\ufffd", key): _storable(item, depth + 1) for key, item in value.items()}
    return value


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _HIDDEN if item and _SECRET_KEY.search(key) else _without_secrets(item) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    if isinstance(value, str):
        return _SECRET_IN_URL.sub(rf"\1{_HIDDEN}", value)
    return value
