"""The account at Cal.com as it was last seen: its event types, and what is right and wrong with the connection."""

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Self

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from hds.extensions import db
from hds.lib.models import Base, UTCDateTime
from hds.lib.times import utcnow

TROUBLE_LENGTH = 300


class Outcome(StrEnum):
    RIGHT = "right"
    MENDED = "mended"  # it was wrong or missing, and was put right just now
    NOTE = "note"
    WRONG = "wrong"


class Finding(NamedTuple):
    """One thing that was looked at, in a sentence. `is_mendable`: it is wrong, and connecting puts it right."""

    outcome: Outcome
    words: str
    is_mendable: bool = False


class CalAccount(Base):
    """One row. `event_types` are those of the last look: id, slug, title, hidden; `trouble`: why it saw nothing."""

    __tablename__ = "cal_account"

    event_types: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    looked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    trouble: Mapped[str] = mapped_column(String(TROUBLE_LENGTH), default="")
    findings: Mapped[list[list[Any]]] = mapped_column(JSON, default=list)
    checked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    @classmethod
    def known(cls) -> Self:
        """The row. Where there is none yet, an empty one, which is stored once something is noted in it."""
        return db.session.scalar(db.select(cls).order_by(cls.id)) or cls(event_types=[], findings=[], trouble="")

    def saw(self, event_types: list[dict[str, Any]]) -> None:
        self.event_types, self.looked_at, self.trouble = event_types, utcnow(), ""
        db.session.add(self)

    def saw_nothing(self, trouble: str) -> None:
        """What was seen before stays known."""
        self.trouble = trouble[:TROUBLE_LENGTH]
        db.session.add(self)

    def checked(self, findings: list[Finding]) -> None:
        self.findings, self.checked_at = [list(finding) for finding in findings], utcnow()
        db.session.add(self)

    @property
    def found(self) -> list[Finding]:
        """What the last check found."""
        return [Finding(Outcome(outcome), *rest) for outcome, *rest in self.findings]

    @property
    def is_connected(self) -> bool:
        return bool(self.checked_at) and all(finding.outcome is not Outcome.WRONG for finding in self.found)
