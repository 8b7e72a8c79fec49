"""The edition of the public pages: one number that grows with every edit of what they show.

Pages kept in memory (`lib.pagecache`) belong to an edition; each process looks at the number once a second.
"""

from typing import Any

from sqlalchemy import event, select, update
from sqlalchemy.orm import Mapped, Session, UOWTransaction, mapped_column

from hds.extensions import db
from hds.lib.models import Base, insert_or_ignore
from hds.lib.times import utcnow


class Edition(Base):
    """One row."""

    __tablename__ = "edition"

    number: Mapped[int] = mapped_column(default=1, server_default="1")

    @classmethod
    def current(cls) -> int:
        """0 before the first edit."""
        return db.session.scalar(select(cls.number).where(cls.id == 1)) or 0

    @classmethod
    def begin_next(cls) -> None:
        """In the transaction of the edit, so that nobody sees the number before the edit. The caller commits."""
        if insert_or_ignore(cls, id=1, number=1, created_at=utcnow()) is None:
            db.session.execute(update(cls).where(cls.id == 1).values(number=cls.number + 1))


class Shown:
    """Mixed into the models whose rows stand on public pages: a change of one begins the next edition."""


@event.listens_for(Session, "after_flush")
def _grow(session: Session, _flush: UOWTransaction) -> None:
    changed: list[Any] = [*session.new, *session.deleted, *session.dirty]
    if any(isinstance(row, Shown) and (row not in session.dirty or session.is_modified(row)) for row in changed):
        Edition.begin_next()
