"""The inbox: what anybody posted to us, stored before it is understood, kept so that it can be replayed."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, LargeBinary, Select, String, UniqueConstraint, update
from sqlalchemy.orm import Mapped, mapped_column

from hds.extensions import db
from hds.lib.due import Due, waiting
from hds.lib.models import State, UTCDateTime
from hds.lib.times import utcnow

MOST_ATTEMPTS = 8


class DeliveryState(StrEnum):
    PENDING = "pending"
    APPLIED = "applied"
    IGNORED = "ignored"  # understood, and nothing of ours
    INVALID = "invalid"  # signed, but it cannot be used
    FAILED = "failed"  # our fault: to be replayed once mended


class InboxDelivery(Due):
    """One body that a sender posted. The digest stays for ever, as there is no other guard against a replay."""

    __tablename__ = "inbox_delivery"

    sender: Mapped[str] = mapped_column(String(20))
    digest: Mapped[str] = mapped_column(String(64))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    headers: Mapped[dict[str, str]] = mapped_column(JSON)
    times_seen: Mapped[int] = mapped_column(default=1, server_default="1")
    last_seen_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utcnow)
    state: Mapped[DeliveryState] = mapped_column(State(DeliveryState), default=DeliveryState.PENDING, index=True)
    state_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    trigger: Mapped[str | None] = mapped_column(String(80))
    booking_uid: Mapped[str | None] = mapped_column(String(200), index=True)
    reason: Mapped[str | None] = mapped_column(String(500))

    @classmethod
    def further_table_args(cls) -> tuple[Any, ...]:
        return (UniqueConstraint("sender", "digest"),)

    @classmethod
    def newest_first(cls) -> Select["InboxDelivery"]:
        return db.select(cls).order_by(cls.id.desc())

    @classmethod
    def has_waited(cls, longer_than: timedelta) -> bool:
        """Whether one is due for so long, and nobody is at it: the worker was away, or has more than it can do."""
        overdue = waiting(cls) & (cls.due_at <= utcnow() - longer_than)
        return db.session.scalar(db.select(cls.id).where(overdue).limit(1)) is not None

    @property
    def is_worn_out(self) -> bool:
        """Tried as often as it makes sense, be it that it failed or that it took its worker down each time."""
        return self.attempts > MOST_ATTEMPTS

    def applied(self) -> None:
        self._end(DeliveryState.APPLIED, None)

    def ignored(self, reason: str) -> None:
        self._end(DeliveryState.IGNORED, reason)

    def invalid(self, reason: str) -> None:
        self._end(DeliveryState.INVALID, reason)

    def failed(self, reason: str) -> None:
        self._end(DeliveryState.FAILED, reason)

    def stumbled(self, reason: str) -> None:
        """It did not work this time: again later, or `failed` once there is no point."""
        if self.attempts >= MOST_ATTEMPTS:
            self.failed(reason)
        else:
            self.reason = reason[:500]
            self.try_again_later()

    def replay(self) -> None:
        """Apply it anew. Harmless for one that was applied: its effects are there already."""
        for name, value in _as_new().items():
            setattr(self, name, value)

    @classmethod
    def replay_all(cls, state: DeliveryState) -> int:
        """Apply anew whatever is in this state: how many those are."""
        result = db.session.execute(update(cls).where(cls.state == state).values(_as_new()))
        return int(result.rowcount)  # type: ignore[attr-defined]

    def _end(self, state: DeliveryState, reason: str | None) -> None:
        self.state, self.state_at, self.reason = state, utcnow(), reason and reason[:500]
        self.done()


def _as_new() -> dict[str, Any]:
    now = utcnow()
    due_at = now - timedelta(seconds=1)
    return {
        "state": DeliveryState.PENDING,
        "state_at": now,
        "reason": None,
        "attempts": 0,
        "leased_until": None,
        "due_at": due_at,
    }
