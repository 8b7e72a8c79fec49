"""What brought a booking: the first and the last source of the day on which somebody booked, kept for good.

The visit itself is deleted after its time; a visit is known only by the signed reference that the booking brings back.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, String, text
from sqlalchemy.orm import Mapped, mapped_column

from hds.analytics import visits
from hds.analytics.models import ANY, FunnelStep, Visit
from hds.bookings.chain import BookingStatus
from hds.bookings.models import Booking
from hds.extensions import db
from hds.lib import moments
from hds.lib.models import Base, BigId, UTCDateTime

AGREED = {BookingStatus.CONFIRMED, BookingStatus.COMPLETED, BookingStatus.NO_SHOW}


class BookingSource(Base):
    """`visit_id` is None once the visit is deleted. What nobody said is empty."""

    __tablename__ = "booking_source"

    booking_id: Mapped[int] = mapped_column(BigId, ForeignKey("booking.id", ondelete="CASCADE"), unique=True)
    visit_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("visit.id", ondelete="SET NULL"), index=True)
    visited_at: Mapped[datetime] = mapped_column(UTCDateTime)
    first_path: Mapped[str] = mapped_column(String(200), default="")
    first_referrer: Mapped[str] = mapped_column(String(200), default="")
    first_source: Mapped[str] = mapped_column(String(100), default="")
    first_medium: Mapped[str] = mapped_column(String(100), default="")
    first_campaign: Mapped[str] = mapped_column(String(150), default="")
    first_term: Mapped[str] = mapped_column(String(150), default="", server_default=text("''"))
    first_content: Mapped[str] = mapped_column(String(150), default="", server_default=text("''"))
    first_click_kind: Mapped[str] = mapped_column(String(20), default="")
    last_referrer: Mapped[str] = mapped_column(String(200), default="")
    last_source: Mapped[str] = mapped_column(String(100), default="")
    last_medium: Mapped[str] = mapped_column(String(100), default="")
    last_campaign: Mapped[str] = mapped_column(String(150), default="")
    last_click_kind: Mapped[str] = mapped_column(String(20), default="")

    @classmethod
    def of(cls, booking_id: int) -> "BookingSource | None":
        return db.session.scalar(db.select(cls).filter_by(booking_id=booking_id))

    @property
    def first(self) -> str:
        """In a word: the campaign's own name for it, the kind of click, or the site that linked here."""
        return self.first_source or self.first_click_kind or self.first_referrer

    @property
    def last(self) -> str:
        return self.last_source or self.last_click_kind or self.last_referrer

    @property
    def came_back(self) -> bool:
        """Whether something else brought them once more that day."""
        return (self.first, self.first_campaign) != (self.last, self.last_campaign)

    def is_newer_than(self, visit: Visit) -> bool:
        """Of two of the same moment it is always the same one."""
        return (visit.first_seen_at, visit.id) <= (self.visited_at, self.visit_id or 0)

    def take(self, visit: Visit) -> None:
        self.visit_id, self.visited_at, self.first_path = visit.id, visit.first_seen_at, visit.first_path
        self.first_referrer, self.first_source, self.first_medium = visit.referrer, visit.utm_source, visit.utm_medium
        self.first_campaign, self.first_click_kind = visit.utm_campaign, visit.click_kind
        self.first_term, self.first_content = visit.utm_term, visit.utm_content
        for name in ("referrer", "source", "medium", "campaign", "click_kind"):
            setattr(self, f"last_{name}", getattr(visit, f"last_{name}"))


def subscribe() -> None:
    moments.subscribe("booking absorbed", keep)


def note(booking: Booking, reference: str | None, email: str | None = None) -> None:
    """A delivery told of this booking, perhaps with the reference of a visit. What is known already is never erased:
    many deliveries bring nothing, and of two visits the earlier one made the booking.

    `email`: whose visit it was; each seat has a booker of its own.
    """
    source = BookingSource.of(booking.id)
    visit = visits.of_reference(reference)
    if visit and (source is None or source.is_newer_than(visit)):
        source = source or BookingSource(booking_id=booking.id)
        source.take(visit)
        db.session.add(source)
        db.session.flush()
    _tell_people(booking, source, visit, email)
    if source is None or source.visit_id is None:
        return
    service = booking.service.slug if booking.service else ANY
    visits.count(source.visit_id, FunnelStep.BOOKED, service)
    if booking.status in AGREED:
        visits.count(source.visit_id, FunnelStep.CONFIRMED, service)


def _tell_people(booking: Booking, source: BookingSource | None, visit: Visit | None, email: str | None) -> None:
    """The first source of whoever booked. A body that says who they are may be another than the one with the visit."""
    if visit and (contact := next((each for each in booking.bookers if each.email == email), None)):
        contact.was_brought(
            visit.first_seen_at,
            source=visit.utm_source,
            medium=visit.utm_medium,
            campaign=visit.utm_campaign,
            term=visit.utm_term,
            content=visit.utm_content,
            referrer=visit.referrer,
            path=visit.first_path,
            click_kind=visit.click_kind,
        )
    if source and booking.contact and len(booking.bookers) == 1:
        words = ("source", "medium", "campaign", "term", "content", "referrer", "path", "click_kind")
        booking.contact.was_brought(source.visited_at, **{name: getattr(source, f"first_{name}") for name in words})


def keep(booking: Booking, absorbed: Booking) -> None:
    """Two that turned out to be one: the earlier visit of both stands."""
    theirs, ours = BookingSource.of(absorbed.id), BookingSource.of(booking.id)
    if theirs is None:
        return
    if ours is None:
        theirs.booking_id = booking.id
    elif theirs.visited_at < ours.visited_at:
        db.session.delete(ours)
        db.session.flush()
        theirs.booking_id = booking.id
    db.session.flush()
