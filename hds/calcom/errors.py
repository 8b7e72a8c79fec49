"""What can go wrong with Cal.com, by what it means for us. `except CalError` catches all of it.

`text` is Cal.com's own sentence: for staff and logs, never for visitors. It can name another person's booking.
"""

from hds.lib import http


class CalError(Exception):
    """Cal.com did not do what was asked. Its own words stay out of str(): that goes into logs."""

    def __init__(self, what: str, *, status: int | None = None, text: str = "") -> None:
        super().__init__(what if status is None else f"{what} ({status})")
        self.status = status
        self.text = text


class SlotTaken(CalError):
    """Somebody else has this time, or the host is no longer free."""


class Invalid(CalError):
    """What was sent cannot be booked like this: too late, too early, a field or a limit of the event type."""


class ProofNeeded(Invalid):
    """The booker's address must be proven by a code, and none was sent along."""


class WrongProof(Invalid):
    """The code that was sent along is wrong, or too old."""


class AlreadySignedUp(CalError):
    """This address has a seat at that time already."""


class HasTooMany(Invalid):
    """The event type gives one address only so many bookings that lie ahead, and it has them."""


class NotAllowed(CalError):
    """The key is missing, wrong, of the other region, or may not do this: nearly always a setting to repair."""


class NotFound(CalError):
    """There is no such booking or event type, or it is not theirs."""


class NotConfigured(CalError):
    """This call needs CAL_ACCESS_TOKEN, and there is none. Nothing was sent."""


class Unavailable(CalError, http.Unavailable):
    """No usable answer, and nothing was done: it did not answer, or it is not asked at the moment."""

    def __init__(self, what: str, *, status: int | None = None, text: str = "", maybe_sent: bool = False) -> None:
        http.Unavailable.__init__(self, what, status=status, maybe_sent=maybe_sent)
        self.text = text


class RateLimited(Unavailable):
    """Too many calls for this key or address: nothing was done. Ask again in `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__("too many calls", status=429)
        self.seconds = seconds


class BookingUnknown(CalError):
    """Sent, and no answer came: it may have been done. Look before trying again (`find_booking`, `booking`)."""
