"""The links by which somebody sees, moves or cancels a booking of theirs: in their mails and on their done pages.

Each is signed for one purpose, one booking and one person. It names them by our own numbers, never by Cal.com's uid,
so it stays right however often the booking moves.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from flask import current_app
from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hds.bookings.models import Booking, BookingAttempt
from hds.config import settings
from hds.extensions import db
from hds.lib import moments, tokens
from hds.lib.models import Base, BigId, insert_or_ignore
from hds.lib.times import utcnow

OLDEST_SECONDS = 400 * 24 * 3600  # a mail is read until the meeting, which can be more than a year away
AFTERWARDS = timedelta(days=7)  # for so long after the meeting they still open


class Purpose(StrEnum):
    """What a link is for, and the name of its page."""

    SEE = "see"
    MOVE = "move"
    CANCEL = "cancel"


class FormerBooking(Base):
    """What a booking was numbered before it turned out to be one with another: links of older mails lead on to that."""

    __tablename__ = "former_booking"
    __table_args__ = (UniqueConstraint("former_id", "booking_id"),)

    former_id: Mapped[int] = mapped_column(BigId)
    booking_id: Mapped[int] = mapped_column(BigId, ForeignKey("booking.id", ondelete="CASCADE"), index=True)


def subscribe() -> None:
    moments.subscribe("booking absorbed", keep)


def keep(booking: Booking, absorbed: Booking) -> None:
    earlier = db.select(FormerBooking.former_id).filter_by(booking_id=absorbed.id)
    for former_id in [absorbed.id, *db.session.scalars(earlier)]:
        insert_or_ignore(FormerBooking, former_id=former_id, booking_id=booking.id, created_at=utcnow())


@dataclass(frozen=True)
class Link:
    """Whose booking it is. While no booking is known, `attempt_id` says what was sent from our own form."""

    booking_id: int = 0
    contact_id: int = 0
    attempt_id: int = 0

    def token(self, purpose: Purpose) -> str:
        return tokens.sign(_signed_for(purpose), [self.booking_id, self.contact_id, self.attempt_id])

    @classmethod
    def read(cls, purpose: Purpose, token: str) -> "Link | None":
        match tokens.read(_signed_for(purpose), token, OLDEST_SECONDS):
            case [int(booking_id), int(contact_id), int(attempt_id)]:
                return cls(booking_id, contact_id, attempt_id)
        return None

    @property
    def attempt(self) -> BookingAttempt | None:
        return db.session.get(BookingAttempt, self.attempt_id) if self.attempt_id else None

    @property
    def bookings(self) -> Iterable[Booking]:
        """Those that have, or had, this number; the numbers of bookings that are gone may be given again."""
        former = db.select(Booking).join(FormerBooking).where(FormerBooking.former_id == self.booking_id)
        own = db.session.get(Booking, self.booking_id)
        return [*([own] if own else []), *db.session.scalars(former).unique()]

    def address(self, purpose: Purpose) -> str:
        """The whole address, for a mail. A worker has no request to build it from."""
        path = current_app.url_map.bind("").build(f"manage.{purpose}", {"token": self.token(purpose)})
        return settings.public_url + path


def _signed_for(purpose: Purpose) -> str:
    return f"{purpose} a booking"
