"""What follows when something happened to a booking: rows in the outbox, in the same transaction."""

from collections.abc import Sequence

from hds.bookings import acts
from hds.bookings.models import Booking
from hds.config import settings
from hds.lib import moments
from hds.mail.models import Message


def subscribe() -> None:
    moments.subscribe("booking confirmed", confirm)
    moments.subscribe("booking requested", acknowledge)
    moments.subscribe("booking absorbed", keep_messages)


def confirm(booking: Booking, agreed_uids: Sequence[str]) -> None:
    """What was confirmed here is no news to the owner, who read of the request."""
    own = "It was accepted or moved here." if acts.is_confirmed_by_staff(booking, agreed_uids) else ""
    _write(booking, "booking_confirmed", "owner_booking_confirmed", agreed_uids, no_use_to_owner=own)


def acknowledge(booking: Booking) -> None:
    _write(booking, "booking_requested", "owner_booking_requested", [booking.uid])


def _write(booking: Booking, to_booker: str, to_owner: str, about: Sequence[str], *, no_use_to_owner: str = "") -> None:
    """One mail each, whichever of these uids it was written about.

    Nobody is written to about a meeting that is none of our services: the owner's private ones arrive too.
    """
    if booking.service is None:
        return
    no_use = moments.why_quiet()
    wanted = [(to_booker, contact.email) for contact in booking.bookers] + [(to_owner, settings.contact_email)]
    for kind, recipient in wanted:
        if not Message.is_written(booking.id, kind, recipient, about):
            why = no_use or (no_use_to_owner if kind == to_owner else "")
            Message.send_once(booking.id, kind, recipient, booking.uid, why)


def keep_messages(booking: Booking, absorbed: Booking) -> None:
    """Two bookings turned out to be one: it keeps the mails of both."""
    Message.move(absorbed.id, booking.id)
