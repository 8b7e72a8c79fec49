"""The catalogue's rows. They are the owner's: what is seeded once is edited, never written over."""

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Self

from sqlalchemy import JSON, Text, and_, select, true
from sqlalchemy.orm import Mapped, mapped_column

from hds.config import BookerKind
from hds.extensions import db
from hds.lib.edition import Shown
from hds.lib.models import Base, State, UTCDateTime

# How a meeting place is said, in the middle of a sentence.
PLACES = {"video": "video call", "phone": "phone", "in_person": "in person"}


class Price(NamedTuple):
    """In the smallest unit of the currency; nothing or 0 is free."""

    amount: int | None
    currency: str | None


class EventTypeState(StrEnum):
    """How a service's event type stood at Cal.com when it was last looked for."""

    SHOWN = "shown"
    HIDDEN = "hidden"
    GONE = "gone"


class Service(Shown, Base):
    """A consultation that people can book.

    Its facts are the owner's, or were taken over from Cal.com's event type (`services.sync`). `told` is what Cal.com
    said of that at the last look, by the names of our columns; `taken` what of it was taken over: a value that differs
    from that is the owner's own.
    """

    __tablename__ = "service"

    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    summary: Mapped[str] = mapped_column(default="")
    description: Mapped[str] = mapped_column(Text, default="")
    audience: Mapped[str] = mapped_column(Text, default="")
    benefits: Mapped[list[str]] = mapped_column(JSON, default=list)
    duration_minutes: Mapped[int]
    # The lengths that a booker can choose from, where there are several.
    duration_options: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    # What the owner asks for it; what it costs is `price`.
    own_price_amount: Mapped[int | None] = mapped_column("price_amount")
    own_price_currency: Mapped[str | None] = mapped_column("price_currency")
    needs_approval: Mapped[bool] = mapped_column(default=False)
    # What the booking form asks beside name and address, in Cal.com's words.
    questions: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    # How many can book one time, where that is more than one.
    seats: Mapped[int | None]
    can_cancel: Mapped[bool] = mapped_column(default=True, server_default=true())
    can_move: Mapped[bool] = mapped_column(default=True, server_default=true())
    meeting_places: Mapped[list[str]] = mapped_column(JSON, default=list)
    featured: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)
    position: Mapped[int] = mapped_column(default=0)
    cal_event_type_id: Mapped[int | None] = mapped_column(unique=True)
    cal_event_slug: Mapped[str | None]
    told: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    told_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    taken: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    event_type_state: Mapped[EventTypeState | None] = mapped_column(State(EventTypeState))
    # How this one is booked, where it differs from the site's BOOKER.
    booker: Mapped[BookerKind | None] = mapped_column(State(BookerKind))

    @classmethod
    def catalogue(cls) -> list[Self]:
        """What can be booked now, in the owner's order."""
        return list(db.session.scalars(select(cls).where(cls.active).order_by(cls.position, cls.id)))

    @classmethod
    def find(cls, slug: str) -> Self | None:
        """The service of this address; None where there is none, or none any more."""
        return db.session.scalar(select(cls).where(cls.slug == slug, cls.active))

    @classmethod
    def is_offered(cls, slug: str) -> bool:
        return cls.find(slug) is not None

    @classmethod
    def by_event_type(cls, event_type_id: int | None, slug: str | None) -> Self | None:
        """The service that Cal.com's event type belongs to. Its id decides; its slug speaks where no id is known.

        Retired services are found too: a booking of last week still belongs to one.
        """
        if event_type_id and (service := db.session.scalar(select(cls).where(cls.cal_event_type_id == event_type_id))):
            return service
        if not slug:
            return None
        unnumbered = cls.cal_event_type_id.is_(None)
        matches = cls.cal_event_slug == slug
        query = select(cls).where(and_(matches, unnumbered) if event_type_id else matches)
        return db.session.scalars(query.order_by(cls.active.desc(), cls.position, cls.id)).first()

    @property
    def price(self) -> Price:
        """What it costs whoever books it, as every page says: the owner's price, unless Cal.com charges more, or in
        another currency. What Cal.com charges is what is paid, and nobody shall be promised less."""
        own, charged = self.own_price, self.charged
        if charged and (charged.currency != own.currency or (charged.amount or 0) > (own.amount or 0)):
            return charged
        return own

    @property
    def own_price(self) -> Price:
        return Price(self.own_price_amount, self.own_price_currency)

    @property
    def charged(self) -> Price | None:
        """What Cal.com takes when it is booked, as far as it told; None where it takes nothing."""
        amount, currency = (self.told or {}).get("price") or (None, None)
        return Price(amount, currency) if amount else None

    @property
    def price_amount(self) -> int | None:
        return self.price.amount

    @price_amount.setter
    def price_amount(self, amount: int | None) -> None:
        self.own_price_amount = amount

    @property
    def price_currency(self) -> str | None:
        return self.price.currency

    @price_currency.setter
    def price_currency(self, currency: str | None) -> None:
        self.own_price_currency = currency

    @property
    def lengths(self) -> str:
        """30 or 60 minutes, where the booker chooses."""
        *most, last = self.duration_options or [self.duration_minutes]
        return f"{', '.join(map(str, most))} or {last} minutes" if most else f"{last} minutes"

    @property
    def kept_once_booked(self) -> str:
        """What nobody can do any more who has booked it; empty where all can be done."""
        if self.can_move and self.can_cancel:
            return ""
        if self.can_move or self.can_cancel:
            return f"It cannot be {'cancelled' if self.can_move else 'moved'} once it is booked"
        return "It can be neither moved nor cancelled once it is booked"

    @property
    def is_free(self) -> bool:
        return not self.price_amount

    def belongs_to(self, event_type_id: int | None, slug: str | None) -> None:
        """Book it by this event type from now on. What was known of another one is forgotten."""
        if event_type_id != self.cal_event_type_id:
            self.told = self.told_at = self.taken = self.event_type_state = None
        self.cal_event_type_id, self.cal_event_slug = event_type_id, slug or self.cal_event_slug

    @property
    def meets_by(self) -> str:
        """Video call or phone."""
        words = " or ".join(PLACES.get(place, place) for place in self.meeting_places)
        return words[:1].upper() + words[1:]


class FaqEntry(Shown, Base):
    """A question that people ask, and its answer."""

    __tablename__ = "faq_entry"

    slug: Mapped[str] = mapped_column(unique=True)
    topic: Mapped[str]
    question: Mapped[str]
    answer: Mapped[str] = mapped_column(Text)
    position: Mapped[int] = mapped_column(default=0)

    @classmethod
    def find(cls, slug: str) -> Self | None:
        return db.session.scalar(select(cls).where(cls.slug == slug))

    @classmethod
    def first(cls, count: int) -> list[Self]:
        return list(db.session.scalars(select(cls).order_by(cls.position, cls.id).limit(count)))

    @classmethod
    def all(cls) -> list[Self]:
        """In the owner's order."""
        return list(db.session.scalars(select(cls).order_by(cls.position, cls.id)))
