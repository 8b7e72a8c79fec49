"""Bookings as they leave in JSON: times UTC with Z, money in the smallest unit or null."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import load_only, selectinload

from hds.bookings.models import Booking
from hds.extensions import db
from hds.lib.times import iso_utc
from hds.mail.models import Message


def bookings_as_json(since: datetime | None) -> list[dict[str, Any]]:
    """All bookings, or those to which something happened since; the next meeting last. Few queries, however many."""
    bookings, messages = _bookings(since), defaultdict(list)
    for message in _messages(since):
        messages[message.booking_id].append(message)
    return [booking_as_json(booking, messages[booking.id]) for booking in bookings]


def booking_as_json(booking: Booking, messages: Iterable[Message] | None = None) -> dict[str, Any]:
    """`messages`: its mails, where they have been read already."""
    if messages is None:
        messages = db.session.scalars(db.select(Message).filter_by(booking_id=booking.id).order_by(Message.id))
    return {
        "uid": booking.uid,
        "previous_uids": booking.previous_uids,
        "status": booking.current_status,
        "service": booking.service.slug if booking.service else None,
        "start_at": iso_utc(booking.start_at) if booking.start_at else None,
        "end_at": iso_utc(booking.end_at) if booking.end_at else None,
        "time_zone": booking.time_zone,
        "attendee": {"name": booking.contact.name, "email": booking.contact.email} if booking.contact else None,
        "guests": [contact.email for contact in booking.guests],
        "meeting_url": booking.meeting_url,
        "answers": booking.answers,
        "price": {"amount": booking.price_amount, "currency": booking.price_currency} if booking.price_amount else None,
        "payment": booking.payment_state,
        "timeline": [{"at": iso_utc(event.at), "kind": event.kind} for event in booking.events],
        "messages": [{"kind": message.kind, "to": message.recipient, "state": message.state} for message in messages],
    }


def _bookings(since: datetime | None) -> Sequence[Booking]:
    query = db.select(Booking).order_by(Booking.start_at, Booking.id)
    if since:
        query = query.where(Booking.changed_at >= since)
    query = query.options(selectinload(Booking.events), selectinload(Booking.people))
    return db.session.scalars(query).unique().all()


def _messages(since: datetime | None) -> Iterable[Message]:
    """Without their words, which are most of them."""
    query = db.select(Message).join(Booking, Booking.id == Message.booking_id).order_by(Message.id)
    if since:
        query = query.where(Booking.changed_at >= since)
    told = load_only(Message.booking_id, Message.kind, Message.recipient, Message.state)
    return db.session.scalars(query.options(told))
