"""The clock: a small loop over the periodic jobs. Each has a row with its last run and a lease, so that two clocks do
nothing twice, a missed run is caught up, and health can see that no clock is alive."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from flask import Flask
from sqlalchemy import String, or_, update
from sqlalchemy.orm import Mapped, mapped_column

from hds.extensions import db
from hds.lib.logs import where
from hds.lib.models import Base, UTCDateTime, insert_or_ignore
from hds.lib.times import utcnow

log = structlog.get_logger(part="clock")
LEASE = timedelta(seconds=30)  # with the tick, a clock that died in the middle of a line costs less than a minute


@dataclass(frozen=True)
class Line:
    """A line of the schedule: what is called, and how often. `every` zero means at each tick."""

    name: str
    every: timedelta
    function: Callable[[], None]


class ClockLine(Base):
    """When a line of the schedule ran last, and until when a clock holds it."""

    __tablename__ = "clock_line"

    name: Mapped[str] = mapped_column(String(80), unique=True)
    last_run_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    leased_until: Mapped[datetime | None] = mapped_column(UTCDateTime)

    @classmethod
    def newest_run(cls) -> datetime | None:
        return db.session.scalar(db.select(db.func.max(cls.last_run_at)))

    @classmethod
    def take(cls, line: Line) -> bool:
        """Whether this clock may run the line now; the claim is committed."""
        now = utcnow()
        if db.session.scalar(db.select(cls.id).filter_by(name=line.name)) is None:
            insert_or_ignore(cls, name=line.name, created_at=now)  # another clock may be about to
            db.session.commit()
        taken = db.session.scalar(
            update(cls)
            .where(
                cls.name == line.name,
                or_(cls.last_run_at.is_(None), cls.last_run_at <= now - line.every),
                or_(cls.leased_until.is_(None), cls.leased_until < now),
            )
            .values(leased_until=now + LEASE)
            .returning(cls.id)
            .execution_options(synchronize_session=False)
        )
        db.session.commit()
        return taken is not None

    @classmethod
    def note(cls, line: Line) -> None:
        db.session.execute(update(cls).filter_by(name=line.name).values(last_run_at=utcnow(), leased_until=None))
        db.session.commit()


def run_due(lines: Sequence[Line]) -> None:
    """Run each line whose time has come. One that fails says so and does not keep the others waiting."""
    for line in lines:
        try:
            if ClockLine.take(line):
                line.function()
                ClockLine.note(line)
        except Exception as error:  # the clock outlives whatever a line meets
            db.session.rollback()
            log.error("clock line failed", line=line.name, **where(error))


def run(app: Flask, lines: Sequence[Line], tick: float, stop: threading.Event) -> None:
    """Tick until `stop` is set; `tick` in seconds."""
    while not stop.is_set():
        with app.app_context():
            run_due(lines)
        stop.wait(tick)
