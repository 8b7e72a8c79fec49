"""Rows whose time has come, claimed by one worker at a time on both databases."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Index, or_, select, update
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from hds.extensions import db
from hds.lib.models import Base, UTCDateTime
from hds.lib.times import utcnow

FIRST_PAUSE = 10.0  # seconds
LONGEST_PAUSE = 3600.0  # seconds


class Due(Base):
    """A row that waits for a worker. `due_at` None: nothing is left to do.

    A claim lends the row for a while; who dies with it loses it to the next when the lease ends.
    """

    __abstract__ = True

    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    leased_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    attempts: Mapped[int] = mapped_column(default=0)

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Any, ...]:
        waiting = cls.due_at.is_not(None)
        return (
            Index(None, "due_at", postgresql_where=waiting, sqlite_where=waiting),
            *cls.further_table_args(),
        )

    @classmethod
    def further_table_args(cls) -> tuple[Any, ...]:
        return ()

    def done(self) -> None:
        self.due_at = self.leased_until = None

    def try_again_later(self) -> None:
        """Twice as long after each attempt, from 10 s to an hour, and never all at once."""
        pause = min(FIRST_PAUSE * 2 ** max(self.attempts - 1, 0), LONGEST_PAUSE)
        self.due_at = utcnow() + timedelta(seconds=pause * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
        self.leased_until = None


def waiting(model: type[Due]) -> Any:
    """The condition of rows that are due and that nobody holds."""
    now = utcnow()
    return (model.due_at <= now) & or_(model.leased_until.is_(None), model.leased_until < now)


def claim(model: type[Due], lease: timedelta, limit: int = 1, ids: Sequence[int] = (), where: Any = None) -> list[int]:
    """Take up to `limit` due rows, oldest first, and commit the claim. Returns their ids.

    `ids` and the condition `where` narrow down which.
    """
    wanted = select(model.id).where(waiting(model)).order_by(model.due_at, model.id).limit(limit)
    if where is not None:
        wanted = wanted.where(where)
    if ids:
        wanted = wanted.where(model.id.in_(ids))
    claimed = db.session.scalars(
        update(model)
        .where(model.id.in_(wanted.with_for_update(skip_locked=True).scalar_subquery()))
        .values(leased_until=utcnow() + lease, attempts=model.attempts + 1)
        .returning(model.id)
        .execution_options(synchronize_session=False)
    ).all()
    db.session.commit()
    return sorted(claimed)
