"""Where another time for a booking is looked for: as for a new one, and its own time counts as free."""

from hds.bookings.booker import Booker, cal
from hds.bookings.chain import PaymentState
from hds.bookings.models import Booking
from hds.calcom.booker import Choice, Kind
from hds.calcom.client import Target
from hds.extensions import db
from hds.lib.times import utcnow


def booker_of(booking: Booking) -> Booker:
    """Where to look for another time. No transaction stays open. Raises CalError."""
    uid, event_type_id, slug = booking.uid, booking.event_type_id, booking.event_type_slug or ""
    length = booking.end_at - booking.start_at if booking.start_at and booking.end_at else None
    db.session.close()
    client, event_type = cal(), None
    if event_type_id and client.account.api_key:
        event_type = client.event_type(event_type_id)
    elif slug and client.account.link:
        event_type = client.event_type_by_slug(client.account.link, slug)
    target = Target(event_type_id, slug, client.account.link)
    booker = Booker(Choice(Kind.NATIVE), target, (), event_type, moving=uid)
    return booker.lasting(int(length.total_seconds()) // 60 if length else None)


def rebooking_address(booking: Booking) -> str | None:
    """Cal.com's page for who has paid and is asked by the host for another time, as its own mail names it: what is
    booked there takes this one's place and its payment. The API moves nothing that is cancelled, and once the meeting
    would be over, Cal.com leads on to the ordinary page, where one pays again. It names the uid, so it stands in no
    page of ours."""
    is_paid = booking.payment_state is PaymentState.PAID
    if not (is_paid and booking.is_host_asking_to_move and booking.end_at and booking.end_at > utcnow()):
        return None
    return f"{cal().account.pages_url}/reschedule/{booking.uid}?allowRescheduleForCancelledBooking=true"
