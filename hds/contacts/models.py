"""People: everybody who takes part in a booking, known by their address."""

from datetime import datetime

from sqlalchemy import String, text
from sqlalchemy.orm import Mapped, mapped_column

from hds.extensions import db
from hds.lib.models import Base, UTCDateTime, insert_or_ignore
from hds.lib.times import utcnow


class Contact(Base):
    __tablename__ = "contact"

    email: Mapped[str] = mapped_column(String(320), unique=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    phone: Mapped[str | None] = mapped_column(String(50))
    time_zone: Mapped[str | None] = mapped_column(String(64))

    # What brought them on the first day that led to a booking; the time is None while nobody knows.
    first_visited_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    first_source: Mapped[str] = mapped_column(String(100), default="", server_default=text("''"))
    first_medium: Mapped[str] = mapped_column(String(100), default="", server_default=text("''"))
    first_campaign: Mapped[str] = mapped_column(String(150), default="", server_default=text("''"))
    first_term: Mapped[str] = mapped_column(String(150), default="", server_default=text("''"))
    first_content: Mapped[str] = mapped_column(String(150), default="", server_default=text("''"))
    first_referrer: Mapped[str] = mapped_column(String(200), default="", server_default=text("''"))
    first_path: Mapped[str] = mapped_column(String(200), default="", server_default=text("''"))
    first_click_kind: Mapped[str] = mapped_column(String(20), default="", server_default=text("''"))

    @classmethod
    def of(cls, email: str, *, name: str = "", phone: str | None = None, time_zone: str | None = None) -> "Contact":
        """The contact with this address, made where there is none; what is newly known fills what was not."""
        email = email.lower()
        insert_or_ignore(cls, email=email, name=name, phone=phone, time_zone=time_zone, created_at=utcnow())
        contact = db.session.scalars(db.select(cls).filter_by(email=email)).one()
        contact.name = contact.name or name
        contact.phone = contact.phone or phone
        contact.time_zone = contact.time_zone or time_zone
        return contact

    @property
    def brought_by(self) -> str:
        """What brought them first, in a word: the campaign's name, the kind of click, or the site that linked here."""
        return self.first_source or self.first_click_kind or self.first_referrer

    def was_brought(self, visited_at: datetime, **said: str) -> None:
        """A visit led to a booking of theirs. The earliest one's words (source, medium, campaign …) are kept for good,
        in whichever order the bookings are told."""
        if self.first_visited_at is None or visited_at < self.first_visited_at:
            self.first_visited_at = visited_at
            for name, word in said.items():
                setattr(self, f"first_{name}", word)
