"""The free times of a booker, asked of Cal.com in few questions."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from hds.bookings import calendar
from hds.bookings.booker import Booker, cal
from hds.bookings.calendar import MONTHS_AHEAD, Wish, following
from hds.calcom.client import Slot
from hds.calcom.errors import CalError
from hds.lib.times import say_day, utcnow

LOOK_AHEAD_MONTHS = 3  # at a time
PATIENCE = 2.5  # seconds: after a slower answer nothing more is asked for one page
ALTERNATIVES = 6
DAYS_BEFORE, DAYS_AFTER = 3, 11


@dataclass(frozen=True)
class Openings:
    """A month's free times. `day` is the one that is shown, `next_free` the next with times where it has none.
    `opens`, `closes`: the first and the last day that can be booked at all; the last is not always known."""

    wish: Wish
    days: Mapping[date, list[datetime]]
    day: date | None
    next_free: date | None = None
    opens: date | None = None
    closes: date | None = None
    seats: Mapping[datetime, int] = field(default_factory=dict)  # left at a time, where the event type shows that

    def including(self, moment: datetime | None) -> "Openings":
        """With a time that this visitor holds, and that is hidden from all others, where it lies in this month."""
        local = moment.astimezone(self.zone) if moment else None
        if local is None or local.date().replace(day=1) != self.wish.month:
            return self
        times = sorted({*self.days.get(local.date(), []), local})
        return replace(self, days={**self.days, local.date(): times}, day=self.day or local.date())

    @property
    def later(self) -> date | None:
        """The month after, unless nothing can be booked then."""
        month = self.wish.later
        return month if month and not _is_after(month, self.closes) else None

    @property
    def is_too_early(self) -> bool:
        return self.opens is not None and self.opens > self.wish.last_day

    @property
    def is_too_late(self) -> bool:
        return self.closes is not None and self.wish.month > self.closes

    @property
    def zone(self) -> ZoneInfo:
        return self.wish.zone

    @property
    def weeks(self) -> list[list[date | None]]:
        return calendar.weeks(self.wish.month)

    @property
    def times(self) -> list[datetime]:
        return self.days.get(self.day, []) if self.day else []

    @property
    def parts(self) -> list[tuple[str, list[tuple[datetime, str]]]]:
        return calendar.parts_of_day(self.times)

    def seats_at(self, start: datetime) -> int | None:
        return self.seats.get(start)

    @property
    def words(self) -> str:
        """What changed, for who hears the page."""
        shown = say_day(self.day) if self.day else f"{self.wish.month:%B %Y}"
        count = len(self.times)
        return f"{shown}: {count or 'no'} free {'time' if count == 1 else 'times'}"


def _is_after(day: date | None, end: date | None) -> bool:
    """In every zone: Cal.com counts the days of its owner's, and a visitor's may be one ahead or behind."""
    return day is not None and end is not None and day > end + timedelta(days=1)


def openings(booker: Booker, wish: Wish) -> Openings:
    """The wished month, on its first free day unless one is named. Raises CalError.

    Where no month was named and this one is over, the next one that has something.
    """
    began = time.monotonic()
    opens, closes = booker.event_type.window.bounds(wish.today) if booker.event_type else (None, None)
    month = Openings(wish, {}, wish.day, opens=opens, closes=closes)
    days: Mapping[date, list[datetime]] = {}
    if not (_is_after(opens, wish.last_day) or _is_after(wish.month, closes)):
        days = _slots(booker, max(wish.month, wish.today), wish.last_day, wish.zone)
    if wish.day in days or (days and wish.day is None):
        return replace(month, days=days, day=wish.day or min(days))
    later = [day for day in days if wish.day and day > wish.day]
    if later:
        return replace(month, days=days, next_free=min(later))
    ahead = _look_ahead(booker, month, until=began + PATIENCE)
    next_free = min(ahead, default=None)
    if next_free and wish.is_open and not days:
        first = next_free.replace(day=1)
        of_month = {day: times for day, times in ahead.items() if day.replace(day=1) == first}
        return replace(month, wish=replace(wish, month=first), days=of_month, day=next_free)
    return replace(month, days=days, next_free=next_free)


def with_seats(booker: Booker, month: Openings) -> Openings:
    """The same with the seats that are left at the times of its day. Without them where Cal.com does not answer."""
    event_type = booker.event_type
    if event_type is None or not event_type.seats or not event_type.shows_seats or month.day is None:
        return month
    first = max(month.wish.month, month.wish.today)
    try:
        known = cal().seats(booker.target, first, month.wish.last_day, month.zone, booker.minutes)
    except CalError:
        return month
    left = {start: _left(slot, event_type.seats) for start, slot in known.items()}
    return replace(month, seats={start: seats for start, seats in left.items() if seats is not None})


def _left(slot: Slot, seats: int) -> int | None:
    if slot.left is not None:
        return slot.left
    return max(seats - slot.taken, 0) if slot.taken is not None else None


def is_offered(booker: Booker, start: datetime, zone: ZoneInfo) -> bool:
    """Whether this is a time that we offer: the API would book others too. Raises CalError."""
    day = start.astimezone(zone).date()
    return start in _slots(booker, day, day, zone).get(day, [])


def alternatives(booker: Booker, wanted: datetime, zone: ZoneInfo) -> list[datetime]:
    """The nearest free times, in this zone; none where Cal.com does not answer."""
    today = utcnow().astimezone(zone).date()
    day = wanted.astimezone(zone).date()
    try:
        days = _slots(booker, max(day - timedelta(DAYS_BEFORE), today), day + timedelta(DAYS_AFTER), zone)
    except CalError:
        return []
    return calendar.nearest(days, wanted, ALTERNATIVES)


def _look_ahead(booker: Booker, month: Openings, *, until: float) -> Mapping[date, list[datetime]]:
    """The free times of the next few months that have any: asked for in steps, as long as that goes quickly."""
    wish = month.wish
    first = max(following(wish.month), (month.opens or wish.today).replace(day=1))
    end = following(wish.today, MONTHS_AHEAD + 1)
    while first < end and not _is_after(first, month.closes) and time.monotonic() < until:
        after = min(following(first, LOOK_AHEAD_MONTHS), end)
        try:
            found = _slots(booker, first, after - timedelta(days=1), wish.zone)
        except CalError:
            break
        if found:
            return found
        first = after
    return {}


def _slots(booker: Booker, first: date, last: date, zone: ZoneInfo) -> Mapping[date, list[datetime]]:
    return cal().slots(booker.target, first, last, zone, booker.minutes, moving=booker.moving)
