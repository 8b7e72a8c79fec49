"""What a 3xx or 4xx means. Cal.com says it in three shapes, and the same thing with several statuses."""

from hds.calcom.body import NotUnderstood, decode
from hds.calcom.errors import (
    AlreadySignedUp,
    CalError,
    HasTooMany,
    Invalid,
    NotAllowed,
    NotFound,
    ProofNeeded,
    SlotTaken,
    Unavailable,
    WrongProof,
)
from hds.calcom.fields import part
from hds.lib.http import Answer

_TEXT_LENGTH = 500
_TAKEN = ("already has booking", "not available", "no longer available")
_SAID: dict[str, type[CalError]] = {
    "email_verification_required": ProofNeeded,
    "invalid_verification_code": WrongProof,
    "already_signed_up_for_this_booking_error": AlreadySignedUp,
    "maximum number of active bookings": HasTooMany,
}
_MEANINGS: dict[int, type[CalError]] = {
    400: Invalid,
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: Invalid,
    422: Invalid,
}


def refusal(method: str, path: str, answer: Answer) -> CalError:
    """The error to raise. Its text is Cal.com's own: for staff, never for visitors."""
    status, text = answer.status, message(answer.body)
    for sign, meaning in _SAID.items():
        if sign in text:
            return meaning("not accepted", status=status, text=text)
    if method == "POST" and _is_taken(path, status, text):
        return SlotTaken("the time is taken", status=status, text=text)
    if status in _MEANINGS:
        return _MEANINGS[status]("not accepted", status=status, text=text)
    if 300 <= status < 400:
        return Unavailable("it sends elsewhere: is CAL_API_URL right?", status=status)
    return Unavailable("an answer that is not documented", status=status, text=text)


def _is_taken(path: str, status: int, text: str) -> bool:
    """A host who is busy is a 400 with a sentence, two bookings at once are a 409, a time kept by another is a 422."""
    if path == "/slots/reservations":
        return status in {409, 422}
    if path != "/bookings" and not path.endswith("/reschedule"):
        return False
    return status == 409 or (status in {400, 422} and any(sign in text.lower() for sign in _TAKEN))


def message(body: bytes) -> str:
    """Cal.com's sentence out of {error: {message}} (Nest, zod, database) or {message} (what slipped through)."""
    try:
        said = decode(body)
    except NotUnderstood:
        return ""
    found = part(said, "error", "message") or part(said, "message") or part(said, "error")
    if isinstance(found, list):
        found = "; ".join(entry for entry in found if isinstance(entry, str))
    return found[:_TEXT_LENGTH] if isinstance(found, str) else ""
