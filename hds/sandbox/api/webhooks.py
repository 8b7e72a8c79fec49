"""/v2/webhooks: the owner's own. Its bodies are documented; what is refused, and in which words, too."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from flask import request

from ..catalogue import OWNER_ID
from ..refusals import Refusal, invalid
from ..subscriptions import ORGANISATIONS, TIMED, TRIGGERS, UNITS, VERSIONS, Subscription, is_private
from .blueprint import api, desk, json_body, needs_key, success, whole_number

MOST = 250
SAME_ADDRESS = "Webhook with this subscriber url already exists for this user"


@api.get("/webhooks")
@needs_key
def list_webhooks() -> Any:
    take = whole_number(request.args.get("take", str(MOST)), "take")
    skip = whole_number(request.args.get("skip", "0"), "skip")
    if not 1 <= take <= MOST:
        raise invalid("take", f"take must not be greater than {MOST}")
    return success([_shape(found) for found in desk().subscriptions.all()[skip : skip + take]])


@api.post("/webhooks")
@needs_key
def create_webhook() -> Any:
    body = json_body()
    for field in ("active", "subscriberUrl", "triggers"):
        if field not in body:
            raise invalid(field, f"{field} should not be null or undefined")
    given = _read(body)
    _refuse_unfit(given)
    try:
        found = desk().subscriptions.add(given.pop("url"), given.pop("triggers"), **given)
    except sqlite3.IntegrityError:
        raise Refusal(409, SAME_ADDRESS) from None
    return success(_shape(found), 201)


@api.get("/webhooks/<webhook_id>")
@needs_key
def read_webhook(webhook_id: str) -> Any:
    return success(_shape(_found(webhook_id)))


@api.patch("/webhooks/<webhook_id>")
@needs_key
def change_webhook(webhook_id: str) -> Any:
    old, changes = _found(webhook_id), _read(json_body())
    _refuse_unfit({"triggers": old.triggers, "time": old.time, "time_unit": old.time_unit, **changes})
    try:
        desk().subscriptions.change(webhook_id, changes)
    except sqlite3.IntegrityError:
        raise Refusal(409, SAME_ADDRESS) from None
    return success(_shape(_found(webhook_id)))


@api.delete("/webhooks/<webhook_id>")
@needs_key
def delete_webhook(webhook_id: str) -> Any:
    found = _found(webhook_id)
    desk().subscriptions.remove(webhook_id)
    return success(_shape(found))


def _found(webhook_id: str) -> Subscription:
    found = desk().subscriptions.find(webhook_id)
    if found is None:
        raise Refusal(404, f"Webhook with id {webhook_id} not found")
    return found


def _read(body: dict[str, Any]) -> dict[str, Any]:
    """The fields that were sent, under the names of our columns; null takes a text away and leaves the rest alone."""
    given: dict[str, Any] = {}
    for field, (column, read) in FIELDS.items():
        if field in body and (body[field] is not None or read is _text):
            given[column] = read(field, body[field])
    return given


def _switch(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise invalid(field, f"{field} must be a boolean value")
    return value


def _text(field: str, value: object) -> str | None:
    if not isinstance(value, str | None):
        raise invalid(field, f"{field} must be a string")
    return value or None


def _one_of(known: tuple[str, ...]) -> Callable[[str, object], object]:
    def read(field: str, value: object) -> object:
        if value not in known:
            raise invalid(field, f"{field} must be one of the following values: {', '.join(known)}")
        return value

    return read


def _delay(field: str, value: object) -> int:
    if not isinstance(value, int) or value < 1:
        raise invalid(field, f"{field} must not be less than 1")
    return value


def _address(field: str, url: object) -> str:
    if not isinstance(url, str):
        raise invalid(field, f"{field} must be a string")
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise Refusal(400, "Webhook URL is not allowed: Only HTTP and HTTPS URLs are allowed")
    if desk().settings.is_hosted:
        if not url.startswith("https://"):
            raise Refusal(400, "Webhook URL is not allowed: Only HTTPS URLs are allowed")
        if is_private(url):
            raise Refusal(400, "Webhook URL is not allowed: Private IP address")
    return url


def _triggers(field: str, value: object) -> list[str]:
    if not isinstance(value, list) or not all(trigger in TRIGGERS for trigger in value):
        known = ", ".join(TRIGGERS)
        raise invalid(field, f"each value in {field} must be one of the following values: {known}")
    return list(dict.fromkeys(value))


FIELDS: dict[str, tuple[str, Callable[[str, object], Any]]] = {
    "active": ("is_active", _switch),
    "subscriberUrl": ("url", _address),
    "triggers": ("triggers", _triggers),
    "secret": ("secret", _text),
    "payloadTemplate": ("template", _text),
    "version": ("version", _one_of(VERSIONS)),
    "time": ("time", _delay),
    "timeUnit": ("time_unit", _one_of(UNITS)),
}


def _refuse_unfit(given: dict[str, Any]) -> None:
    if any(trigger in ORGANISATIONS for trigger in given["triggers"]):
        raise Refusal(400, "Delegation credential triggers are only available for organization webhooks")
    if TIMED.intersection(given["triggers"]) and not (given.get("time") and given.get("time_unit")):
        raise Refusal(400, "time and timeUnit are required for the no-show triggers")


def _shape(found: Subscription) -> dict[str, Any]:
    return {
        "id": found.id,
        "userId": OWNER_ID,
        "subscriberUrl": found.url,
        "active": found.is_active,
        "triggers": list(found.triggers),
        "payloadTemplate": found.template,
        "secret": found.secret,
        "version": found.version,
        "time": found.time,
        "timeUnit": found.time_unit,
    }
