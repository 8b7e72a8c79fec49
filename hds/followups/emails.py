"""The mails about a booking: each kind is a function that looks at the booking again, just before it is written."""

from datetime import datetime
from zoneinfo import ZoneInfo

from hds.bookings.calendar_entry import CalendarEntry, file_address
from hds.bookings.chain import BookingStatus
from hds.bookings.links import Purpose
from hds.bookings.models import Booking
from hds.bookings.theirs import Theirs
from hds.bookings.words import price, where_of
from hds.config import settings
from hds.extensions import db
from hds.lib.times import utcnow, zone_or_none
from hds.mail.models import Message
from hds.mail.renderers import NoUse, Rendered, Renderer, render_templates


def booking_confirmed(message: Message) -> Rendered:
    booking = _still(message, BookingStatus.CONFIRMED)
    context = _for_booker(message, booking) | {"moved_from": _moved_from(booking)}
    return render_templates("booking_confirmed", reply_to=settings.contact_email, **context)


def booking_requested(message: Message) -> Rendered:
    booking = _still(message, BookingStatus.REQUESTED)
    return render_templates("booking_requested", reply_to=settings.contact_email, **_for_booker(message, booking))


def owner_booking_confirmed(message: Message) -> Rendered:
    return _to_owner(message, BookingStatus.CONFIRMED, "owner_booking_confirmed")


def owner_booking_requested(message: Message) -> Rendered:
    return _to_owner(message, BookingStatus.REQUESTED, "owner_booking_requested")


KINDS: dict[str, Renderer] = {
    "booking_confirmed": booking_confirmed,
    "booking_requested": booking_requested,
    "owner_booking_confirmed": owner_booking_confirmed,
    "owner_booking_requested": owner_booking_requested,
}


def _to_owner(message: Message, status: BookingStatus, name: str) -> Rendered:
    booking = _still(message, status)
    booker = booking.contact
    context = {
        **_facts(booking, for_owner=True),
        "booker": booker,
        "zone": settings.owner_zone,
        "booker_zone": _zone(booking),
    }
    return render_templates(name, reply_to=booker.email if booker else None, **context)


def _for_booker(message: Message, booking: Booking) -> dict[str, object]:
    theirs = Theirs.by_email(booking, message.recipient)
    if theirs is None:
        raise NoUse("They do not take part any more.")
    return {
        **_facts(booking),
        "theirs": theirs,
        "booker": theirs.contact,
        "zone": theirs.zone,
        "owner_zone": settings.owner_zone,
        # Who has the mail may move and cancel.
        "links": {purpose.value: theirs.link.address(purpose) for purpose in Purpose},
        "entry": CalendarEntry.of_booking(booking),
        "calendar_file": file_address(booking, theirs.contact),
    }


def _facts(booking: Booking, *, for_owner: bool = False) -> dict[str, object]:
    return {
        "booking": booking,
        "where": where_of(booking, for_owner=for_owner),
        "price": price(booking.price_amount, booking.price_currency, booking.payment_state),
    }


def _moved_from(booking: Booking) -> datetime | None:
    """When it was to be before its last move. A request may move before it is confirmed, also without who asked."""
    for uid in reversed(booking.previous_uids):
        starts = [start for event in booking.events if event.uid == uid and (start := event.fact.details.start_at)]
        if starts:
            return starts[-1] if starts[-1] != booking.start_at else None
    return None


def _zone(booking: Booking) -> ZoneInfo:
    return zone_or_none(booking.time_zone) or settings.owner_zone


def _still(message: Message, status: BookingStatus) -> Booking:
    """The booking, if the mail still says what is so."""
    booking = _booking(message)
    if booking is None:
        db.session.refresh(message)  # another worker may have found two bookings to be one, and moved it just now
        booking = _booking(message)
    if booking is None:
        raise NoUse("The booking is not here any more.")
    if booking.status is not status:
        raise NoUse(f"The booking is {booking.current_status} by now.")
    if message.occurrence != booking.uid and Message.is_written(
        booking.id, message.kind, message.recipient, [booking.uid]
    ):
        raise NoUse("A newer mail says the same of what the booking is now.")
    if booking.start_at is None or booking.start_at <= utcnow():
        raise NoUse("The meeting has begun, so the mail would come too late.")
    return booking


def _booking(message: Message) -> Booking | None:
    return db.session.get(Booking, message.booking_id) if message.booking_id else None
