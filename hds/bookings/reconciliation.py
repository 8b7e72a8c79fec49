"""How far Cal.com's list of bookings has been read: a row for each way of reading it."""

from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy import JSON, String, update
from sqlalchemy.orm import Mapped, mapped_column

from hds.extensions import db
from hds.lib.due import Due, waiting
from hds.lib.models import UTCDateTime, insert_or_ignore
from hds.lib.times import utcnow

CHANGES = "changes"  # what changed at Cal.com since the last time
WINDOW = "window"  # everything that starts in the days around now
NAMES = (CHANGES, WINDOW)
SETTLED = timedelta(minutes=2)  # so long after a call all of Cal.com's changes that were read later include it


class Lost(Exception):
    """Somebody else reads on: this process took longer than its lease."""


class Reconciliation(Due):
    """A round through the list, which may take several runs. `due_at`: when it may go on, or begins anew.

    `position`: every change at Cal.com up to here is in our books. `next_page`: where a round that has begun goes on.
    `outcome`: what the round has done so far, or did, in figures. `trouble`: why it waits, in a sentence.
    """

    __tablename__ = "reconciliation"

    name: Mapped[str] = mapped_column(String(20), unique=True)
    position: Mapped[datetime | None] = mapped_column(UTCDateTime)
    began_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    next_page: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    succeeded_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    trouble: Mapped[str] = mapped_column(String(200), default="")
    outcome: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)

    @classmethod
    def of(cls, name: str) -> Self | None:
        return db.session.scalar(db.select(cls).filter_by(name=name))

    @classmethod
    def prepare(cls) -> None:
        """The rows, due at once where they are new. The caller commits."""
        now = utcnow()
        rest = {"next_page": {}, "trouble": "", "outcome": {}, "attempts": 0, "created_at": now, "due_at": now}
        for name in NAMES:
            insert_or_ignore(cls, name=name, **rest)

    @classmethod
    def wake(cls) -> None:
        """Somebody wants to know now. What waits for Cal.com's own time to pass is asked all the same, once."""
        cls.prepare()
        db.session.execute(update(cls).values(due_at=utcnow()))

    @property
    def is_under_way(self) -> bool:
        """Whether a round has begun and is not through."""
        return self.began_at is not None

    @property
    def figures(self) -> str:
        """What the round did so far: looked at 12 bookings, repaired 2."""
        did = self.outcome
        shown, repaired = did.get("shown", 0), did.get("repaired", 0)
        words = [f"looked at {shown:,} booking{'' if shown == 1 else 's'}"]
        words += [f"repaired {repaired:,}" if repaired else "repaired none"]
        words += [f"{did[name]:,} {name}" for name in ("unreadable", "failed", "unknown") if did.get(name)]
        return ", ".join(words)

    @property
    def is_due(self) -> bool:
        return self.due_at is not None and self.due_at <= utcnow()

    @classmethod
    def is_waiting(cls) -> bool:
        return db.session.scalar(db.select(cls.id).where(waiting(cls)).limit(1)) is not None

    @classmethod
    def last_success(cls) -> datetime | None:
        """When all changes of their time were last known to be in our books."""
        return db.session.scalar(db.select(cls.succeeded_at).filter_by(name=CHANGES))

    @classmethod
    def has_read(cls, sent_at: datetime) -> bool:
        """Whether all that a call of this time may have changed at Cal.com is in our books."""
        last = cls.last_success()
        return last is not None and last > sent_at + SETTLED

    @classmethod
    def write(cls, name: str, lease: datetime, **values: Any) -> None:
        """As the process that holds this lease; Lost where that is not so any more. The caller commits."""
        held = update(cls).where(cls.name == name, cls.leased_until == lease).values(**values).returning(cls.id)
        if db.session.scalar(held.execution_options(synchronize_session=False)) is None:
            db.session.rollback()
            raise Lost
