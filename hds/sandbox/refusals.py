"""What Cal.com says no to, and in which words."""

from __future__ import annotations

from typing import Any

SLOT_TAKEN = "User either already has booking at this time or is not available"
PAST = "Attempting to book a meeting in the past."
OUT_OF_BOUNDS = (
    "The event type can't be booked at the \"start\" time provided. This could be because it's too soon (violating "
    "the minimum booking notice) or too far in the future (outside the event's scheduling window). Try fetching "
    'available slots first using the GET /v2/slots endpoint and then make a booking with "start" time equal to one '
    "of the available slots."
)
ALREADY_CANCELLED = "This booking has already been cancelled."
ALREADY_ENDED = "Cannot cancel a booking that has already ended"
SEATED = (
    "Booking with uid={uid} is a seated booking which means you have to provide seatUid in the request body to specify "
    "which seat specifically you want to reschedule."
)

NAMES = {
    400: ("BadRequestException", "Bad Request"),
    401: ("UnauthorizedException", "Unauthorized"),
    403: ("ForbiddenException", "Forbidden"),
    404: ("NotFoundException", "Not Found"),
    409: ("ConflictException", "Conflict"),
    422: ("UnprocessableEntityException", "Unprocessable Entity"),
    429: ("ThrottlerException", "Too Many Requests"),
}


class Refusal(Exception):
    """An answer in the error envelope: {"status": "error", ..., "error": {code, message, details}}."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        name, error = NAMES[status]
        self.status = status
        self.message = message
        self.code = code or name
        self.details = details or {
            "message": message,
            "error": error,
            "statusCode": status,
        }


class Conflict(Exception):
    """Two requests for one slot at once, or what is wrong with a seat: errors that slip past Cal.com's envelope, bare
    at the top level."""

    status = 409

    def __init__(self, message: str = "booking_conflict_error") -> None:
        super().__init__(message)
        self.message = message


def invalid(field: str, constraint: str) -> Refusal:
    """One field that fails validation, in the doubled wording of Cal.com's pipe."""
    message = f"{field} property is wrong,{constraint} "
    return Refusal(
        400,
        message,
        details={
            "message": message,
            "errors": [{"property": field, "constraints": {"isValid": constraint}}],
            "error": "Bad Request",
            "statusCode": 400,
        },
    )


def booking_not_found(uid: str) -> Refusal:
    return Refusal(404, f"Booking with uid={uid} was not found in the database")
