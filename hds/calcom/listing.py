"""GET /v2/bookings, a page at a time. It has two forms: take and skip (2024-08-13), and a cursor with one status a call
(2026-05-01). How it goes on is read from the answer: which form that has, no version promises."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from hds.calcom.answers import Booking
from hds.calcom.fields import line, part

PAGED, CURSORED = "2024-08-13", "2026-05-01"
VERSIONS = (PAGED, CURSORED)
STATUSES = ("upcoming", "unconfirmed", "recurring", "cancelled", "past")  # together every booking
TAKE, LIMIT = 250, 100  # the most that each form gives at once


@dataclass(frozen=True)
class Turn:
    """Which page comes next. It travels through a row as JSON."""

    version: str
    status: str = ""
    cursor: str = ""
    skip: int = 0

    @classmethod
    def first(cls, version: str) -> Self:
        return cls(version, STATUSES[0] if version == CURSORED else "")

    @classmethod
    def read(cls, kept: dict[str, Any]) -> Self:
        return cls(**kept)

    @property
    def kept(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def params(self) -> dict[str, str]:
        by_cursor = self.version == CURSORED or self.cursor
        size = {"limit": str(LIMIT)} if by_cursor else {"take": str(TAKE)}
        wishes = {"status": self.status, "cursor": self.cursor, "skip": str(self.skip or "")}
        return size | {name: value for name, value in wishes.items() if value}

    def after(self, pagination: object, returned: int) -> Self | None:
        """The turn after an answer with this pagination; None where everything was shown."""
        cursor = line(part(pagination, "nextCursor"), 1000)
        if returned and cursor and cursor != self.cursor and part(pagination, "hasMore") is not False:
            return replace(self, cursor=cursor, skip=0)
        if returned and part(pagination, "hasNextPage") is True:
            return replace(self, cursor="", skip=self.skip + returned)
        if not self.status or self.status == STATUSES[-1]:
            return None
        return replace(self, status=STATUSES[STATUSES.index(self.status) + 1], cursor="", skip=0)


@dataclass(frozen=True)
class Page:
    """`unreadable`: how many entries made no sense, and were left out. `calls`: how many it took to be answered."""

    bookings: list[Booking]
    unreadable: int
    turn: Turn
    next: Turn | None
    calls: int = 1

    @classmethod
    def of(cls, turn: Turn, body: object, read: Callable[[object], Booking | None]) -> Self | None:
        """None where it is no list of bookings: an unknown version falls back silently to an older shape."""
        entries = part(body, "data")
        if not isinstance(entries, list):
            return None
        found = [booking for entry in entries if (booking := read(entry))]
        return cls(found, len(entries) - len(found), turn, turn.after(part(body, "pagination"), len(entries)))
