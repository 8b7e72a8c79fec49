"""Where a month, a day and a time of it are chosen: for a new booking, or another time for one that there is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from urllib.parse import urlencode

from hds.bookings.availability import Openings


@dataclass(frozen=True)
class Picker:
    """What `_slots.html` shows, and where its links and its form lead. It knows nothing of what is booked.

    `page`: the address of the whole step, `piece` of the month and its times alone, and `choice` where the chosen time
    is posted as `start`. In each of them stand the zone and what is `kept`.
    """

    openings: Openings
    page: str
    piece: str
    choice: str
    kept: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    forms: Sequence[str] = ("zone",)  # of the page, by id: a chosen month and day go along with them
    has_token: bool = True  # in its own form; where that changes nothing of anybody's it needs none

    def page_at(self, month: date | None = None, day: date | None = None) -> str:
        return _address(self.page, self._asked(month, day))

    def piece_at(self, month: date | None = None, day: date | None = None) -> str:
        return _address(self.piece, self._asked(month, day))

    @property
    def first_free(self) -> str:
        """The page without a month: it opens on the first that has something."""
        return self.page_at()

    @property
    def chosen(self) -> str:
        return _address(self.choice, self._asked(None, None))

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """What is kept, as fields of a form."""
        return [(name, value) for name, values in self.kept.items() for value in _each(values)]

    def _asked(self, month: date | None, day: date | None) -> dict[str, str | Sequence[str]]:
        wanted = {"month": f"{month:%Y-%m}" if month else "", "day": day.isoformat() if day else ""}
        named = {name: value for name, value in wanted.items() if value}
        return {**named, "zone": self.openings.zone.key, **self.kept}


def _address(path: str, query: Mapping[str, str | Sequence[str]]) -> str:
    return f"{path}?{urlencode(query, doseq=True)}"


def _each(values: str | Sequence[str]) -> Sequence[str]:
    return [values] if isinstance(values, str) else values
