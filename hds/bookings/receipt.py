"""What a done page says of a booking, whichever way it was booked."""

from dataclasses import dataclass
from datetime import datetime

from hds.bookings.calendar_entry import CalendarEntry
from hds.bookings.chain import PaymentState
from hds.bookings.models import ENDED_EARLY, Booking, BookingAttempt
from hds.bookings.words import Where, changeable_until, price, where_chosen, where_on_page
from hds.services.models import Service


@dataclass(frozen=True)
class Receipt:
    """Of what does not take place no link is promised and no money asked for.

    `entry`: for a calendar, while the meeting is ahead. `until`: until when it can be moved online; None from then
    on. `whose`: the address of who booked it, with little of it to read: a mistyped one is known by it."""

    where: Where
    price: str
    entry: CalendarEntry | None = None
    until: datetime | None = None
    whose: str = ""

    @classmethod
    def of(
        cls,
        service: Service,
        booking: Booking | None,
        attempt: BookingAttempt | None = None,
        start: datetime | None = None,
    ) -> "Receipt":
        """What a webhook told goes before what we remember of our own form. `start`: where neither is there."""
        where: Where | None = None
        entry: CalendarEntry | None = None
        if booking:
            where, entry = where_on_page(booking), CalendarEntry.of_booking(booking)
        elif attempt:
            where, entry = where_chosen(attempt), CalendarEntry.of_attempt(attempt)
        start = entry.start_at if entry else start
        is_off = booking is not None and booking.status in ENDED_EARLY
        where = where or Where(service.meets_by)
        if is_off and where.is_video and not where.url:
            where = Where("")
        return cls(
            where=where,
            price="" if is_off and _is_unpaid(booking) else _price(service, booking),
            entry=entry if entry and entry.is_ahead else None,
            until=changeable_until(start) if start else None,
            whose=_masked(booking) if booking else "",
        )


def _price(service: Service, booking: Booking | None) -> str:
    if booking is None or not booking.price_amount:
        return price(service.price_amount, service.price_currency)
    state = PaymentState.NONE if booking.is_seated else booking.payment_state  # with seats it is one of theirs
    return price(booking.price_amount, booking.price_currency, state)


def _is_unpaid(booking: Booking | None) -> bool:
    return booking is not None and booking.payment_state in {PaymentState.PENDING, PaymentState.FAILED}


def _masked(booking: Booking) -> str:
    """Empty where several people have seats: the page may be any of theirs."""
    if booking.contact is None or booking.is_seated:
        return ""
    name, _, domain = booking.contact.email.rpartition("@")
    return f"{name[:1]}…@{domain}"
