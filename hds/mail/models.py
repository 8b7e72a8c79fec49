"""The outbox: every mail is a row before it leaves, rendered once, and its row says what became of it."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Select, String, Text, UniqueConstraint, update
from sqlalchemy.orm import Mapped, mapped_column

from hds.config import settings
from hds.extensions import db
from hds.lib.due import Due
from hds.lib.jobs import ring_after_commit
from hds.lib.models import BigId, State, UTCDateTime, insert_or_ignore
from hds.lib.times import utcnow

MOST_ATTEMPTS = 10


class MessageState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"  # handed to the transport; what it said is not known yet
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"  # it may have left, and sending it again might make it two
    SKIPPED = "skipped"  # it was of no use any more


class Message(Due):
    """One mail to one recipient. The unique key makes every effect happen once, however often its cause arrives.

    `occurrence` tells two mails of one kind about one booking apart: the Cal.com uid that it is about.
    """

    __tablename__ = "message"

    booking_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("booking.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    recipient: Mapped[str] = mapped_column(String(320))
    occurrence: Mapped[str] = mapped_column(String(200), default="")
    state: Mapped[MessageState] = mapped_column(State(MessageState), default=MessageState.PENDING, index=True)
    state_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utcnow)
    reason: Mapped[str | None] = mapped_column(String(500))
    subject: Mapped[str | None] = mapped_column(String(500))
    text: Mapped[str | None] = mapped_column(Text)
    html: Mapped[str | None] = mapped_column(Text)
    reply_to: Mapped[str | None] = mapped_column(String(320))
    provider_id: Mapped[str | None] = mapped_column(String(200))

    @classmethod
    def further_table_args(cls) -> tuple[Any, ...]:
        return (UniqueConstraint("booking_id", "kind", "recipient", "occurrence"),)

    @classmethod
    def send_once(cls, booking_id: int, kind: str, recipient: str, occurrence: str, no_use: str = "") -> None:
        """Put it in the outbox, unless it is there already or the owner switched this kind off (MAIL_OFF).

        `no_use`: why it is not to be sent, and never will be: the row keeps its place.
        """
        if kind in settings.mail_off or not recipient:
            return
        now = utcnow()
        message_id = insert_or_ignore(
            cls,
            booking_id=booking_id,
            kind=kind,
            recipient=recipient,
            occurrence=occurrence,
            state=MessageState.SKIPPED if no_use else MessageState.PENDING,
            state_at=now,
            reason=no_use or None,
            created_at=now,
            due_at=None if no_use else now,
            attempts=0,
        )
        if message_id is not None and not no_use:
            ring_after_commit("mail", "hds.mail.jobs.deliver", message_id)

    @classmethod
    def is_written(cls, booking_id: int, kind: str, recipient: str, occurrences: Sequence[str]) -> bool:
        about = (cls.booking_id == booking_id) & (cls.kind == kind) & (cls.recipient == recipient)
        query = db.select(cls.id).where(about, cls.occurrence.in_(occurrences)).limit(1)
        return db.session.scalar(query) is not None

    @classmethod
    def move(cls, from_booking_id: int, to_booking_id: int) -> None:
        """Give one booking's mails to another. Their occurrence is a uid, so no two of them collide."""
        db.session.execute(update(cls).filter_by(booking_id=from_booking_id).values(booking_id=to_booking_id))

    @classmethod
    def newest_first(cls) -> Select["Message"]:
        return db.select(cls).order_by(cls.id.desc())

    @property
    def can_be_sent_again(self) -> bool:
        """It did not arrive, or nobody knows. What was sent or is of no use stays as it is."""
        return self.state in {MessageState.FAILED, MessageState.UNKNOWN}

    def send_again(self) -> None:
        """Put it back into the outbox, because somebody asked for it: its words stay as they were."""
        self._become(MessageState.PENDING, None)
        self.attempts, self.leased_until, self.due_at = 0, None, utcnow()
        ring_after_commit("mail", "hds.mail.jobs.deliver", self.id)

    @property
    def is_rendered(self) -> bool:
        return self.subject is not None

    def rendered(self, subject: str, text: str, html: str, reply_to: str | None) -> None:
        """Frozen from here on: each further attempt sends these very words."""
        self.subject = " ".join(subject.split())[:500]
        self.text, self.html, self.reply_to = text, html, reply_to

    def sending(self) -> None:
        self._become(MessageState.SENDING, None)

    def sent(self, provider_id: str) -> None:
        self.provider_id = provider_id[:200]
        self._become(MessageState.SENT, None)
        self.done()

    def skipped(self, reason: str) -> None:
        self._become(MessageState.SKIPPED, reason)
        self.done()

    def failed(self, reason: str) -> None:
        self._become(MessageState.FAILED, reason)
        self.done()

    def unknown(self, reason: str) -> None:
        self._become(MessageState.UNKNOWN, reason)
        self.done()

    def not_sent(self, reason: str) -> None:
        """It surely did not leave: later again, or `failed` once there is no point."""
        if self.attempts >= MOST_ATTEMPTS:
            self.failed(reason)
        else:
            self._become(MessageState.PENDING, reason)
            self.try_again_later()

    def not_tried(self, until: datetime, reason: str) -> None:
        """It waits for no fault of its own, so that is no attempt."""
        self._become(MessageState.PENDING, reason)
        self.attempts, self.leased_until, self.due_at = self.attempts - 1, None, until

    def _become(self, state: MessageState, reason: str | None) -> None:
        self.state, self.state_at, self.reason = state, utcnow(), reason and reason[:500]
