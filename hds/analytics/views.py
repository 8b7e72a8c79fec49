"""What only the browser knows: `POST /api/events`, for scripts of our own pages (navigator.sendBeacon).

    {"step": "booker_failed", "service": "strategy-consultation", "reason": "timeout"}

`step`: booker_shown, slot_chosen, booked (kept apart from Cal.com's own word) or booker_failed, which needs a `reason`:
timeout, refused, blocked or failed; any other word counts as "other". `service` must be one that can be booked.
Answers 204; nothing that it says changes a booking.
"""

from collections.abc import Callable
from typing import Annotated, Literal, Self

from flask import Blueprint, Flask, current_app, request
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator
from werkzeug.exceptions import RequestEntityTooLarge

from hds.analytics.models import Failure, FunnelStep
from hds.analytics.visits import track
from hds.extensions import csrf, limiter
from hds.lib import limits

blueprint = Blueprint("analytics", __name__)
csrf.exempt(blueprint)  # it knows nobody and changes nothing; the origin is looked at

LARGEST_BODY = 1024  # bytes
STEPS = {
    "booker_shown": FunnelStep.BOOKER_SHOWN,
    "slot_chosen": FunnelStep.SLOT_CHOSEN,
    "booked": FunnelStep.BOOKED_IN_FRAME,
    "booker_failed": FunnelStep.BOOKER_FAILED,
}
# The others are the server's own to tell.
REASONS = (Failure.TIMEOUT, Failure.REFUSED, Failure.BLOCKED, Failure.FAILED)

Answer = tuple[dict[str, str] | str, int]


class BrowserEvent(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    step: Literal["booker_shown", "slot_chosen", "booked", "booker_failed"]
    service: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,100}$")]
    reason: Annotated[str, StringConstraints(min_length=1)] | None = None

    @model_validator(mode="after")
    def _reason_where_it_failed(self) -> Self:
        if (self.step == "booker_failed") != (self.reason is not None):
            raise ValueError("a booker that failed, and nothing else, has a reason")
        return self

    @property
    def failure(self) -> Failure:
        if self.reason is None:
            return Failure.NONE
        return next((known for known in REASONS if known == self.reason), Failure.OTHER)


def register_catalogue(app: Flask, is_offered: Callable[[str], bool]) -> None:
    """Which services there are is known above this package. create_app says how to ask."""
    app.extensions["is_offered"] = is_offered


@blueprint.post("/api/events")
@limiter.limit(limits.EVENTS)
def receive() -> Answer:
    if not is_ours():
        return {"error": "Only this site's own pages tell of events."}, 403
    body = read_body()
    if body is None:
        return {"error": "The body is larger than 1 KiB."}, 413
    try:
        event = BrowserEvent.model_validate_json(body)
    except ValidationError:
        return {"error": "This is no event that this site knows."}, 400
    if not current_app.extensions["is_offered"](event.service):
        return {"error": "This site has no such service."}, 400
    track(STEPS[event.step], event.service, event.failure)
    return "", 204


def is_ours() -> bool:
    """Browsers say where a request comes from, and scripts cannot change it."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None and site != "same-origin":
        return False
    if origin is not None:
        return origin in {f"http://{request.host}", f"https://{request.host}"}
    return site is not None


def read_body() -> bytes | None:
    """JSON, whatever its content type says: a beacon sends text/plain."""
    if (request.content_length or 0) > LARGEST_BODY:
        return None
    try:
        body = request.get_data(cache=False)
    except RequestEntityTooLarge:
        return None
    return body if len(body) <= LARGEST_BODY else None
