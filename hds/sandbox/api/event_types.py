"""/v2/event-types and /v2/me."""

from __future__ import annotations

from typing import Any

from flask import request

from ..catalogue import OWNER_ID, SCHEDULE_ID
from ..refusals import Refusal, invalid
from ..settings import USERNAME
from .blueprint import (
    EVENT_TYPE_VERSIONS,
    EVENT_TYPE_WRITE_VERSIONS,
    api,
    desk,
    is_owner,
    json_body,
    needs_key,
    success,
    version,
    whole_number,
)
from .shapes import event_type_shape


@api.get("/event-types")
@version(*EVENT_TYPE_VERSIONS)
def list_event_types() -> Any:
    """Public for one named user; the key's own ones without a name."""
    username, slug = request.args.get("username"), request.args.get("eventSlug")
    if slug and not username:
        raise Refusal(400, "eventSlug can only be used together with username")
    if not username and not is_owner():
        return success([])
    if username and username != USERNAME:
        return success([])
    found = [event for event in desk().event_types if not slug or event.slug == slug]
    return success([event_type_shape(desk(), event) for event in found])


@api.get("/event-types/<event_type_id>")
@version(*EVENT_TYPE_VERSIONS)
@needs_key
def read_event_type(event_type_id: str) -> Any:
    number = whole_number(event_type_id, "eventTypeId")
    event = next((event for event in desk().event_types if event.id == number), None)
    if event is None:
        raise Refusal(404, f"Event type with id {number} not found")
    return success(event_type_shape(desk(), event))


@api.post("/event-types")
@version(*EVENT_TYPE_WRITE_VERSIONS)
@needs_key
def create_event_type() -> Any:
    """As much of it as decides how something is booked."""
    body = json_body()
    for field in ("title", "slug"):
        if not isinstance(body.get(field), str):
            raise invalid(field, f"{field} must be a string")
    whole_number(body.get("lengthInMinutes"), "lengthInMinutes")
    return success(event_type_shape(desk(), desk().make_event_type(body)), 201)


@api.get("/me")
@needs_key
def read_me() -> Any:
    owner = desk().settings
    return success(
        {
            "id": OWNER_ID,
            "username": owner.username,
            "email": owner.owner_email,
            "name": owner.owner_name,
            "avatarUrl": None,
            "bio": None,
            "timeFormat": 12,
            "defaultScheduleId": SCHEDULE_ID,
            "weekStart": "Sunday",
            "timeZone": owner.time_zone,
            "organizationId": None,
        }
    )
