"""What is booked on a day or on the seven from it, drawn on the server: each where its time is in the owner's zone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from flask import Blueprint, render_template, request
from sqlalchemy import or_

from hds.admin import lists
from hds.bookings.chain import BookingStatus
from hds.bookings.models import ENDED_EARLY, Booking
from hds.config import settings
from hds.extensions import db
from hds.lib.times import utcnow

blueprint = Blueprint("calendar", __name__, url_prefix="/bookings/calendar")

VIEWS = {"day": 1, "week": 7}
ROWS = 4  # of an hour
ALL_ROWS = 24 * ROWS
OFFICE_HOURS = range(9, 17)  # are shown in any case
USUAL = timedelta(minutes=30)  # of a booking whose end is not known
MOST_LANES = 6  # side by side; a day with more is a list


@dataclass(frozen=True)
class Entry:
    """A booking's part of one day: the quarters of an hour from `row` up to `end`, in its `lane` of those that overlap.
    `is_alone`: nothing overlaps it."""

    booking: Booking
    starts: datetime
    ends: datetime
    row: int
    end: int
    lane: int = 0
    is_alone: bool = True

    @property
    def is_request(self) -> bool:
        return self.booking.status is BookingStatus.REQUESTED

    @property
    def is_past(self) -> bool:
        return self.ends <= utcnow()

    @property
    def from_clock(self) -> str:
        return _clock(self.starts)

    @property
    def to_clock(self) -> str:
        return _clock(self.ends)

    @property
    def label(self) -> str:
        return f"{self.from_clock}–{self.to_clock}"

    def place(self, first_hour: int) -> str:
        """The classes that put it there: hour and quarter, how many of each it lasts, and the lane."""
        hour, quarter = divmod(self.row - first_hour * ROWS, ROWS)
        hours, quarters = divmod(self.end - self.row, ROWS)
        lane = "alone" if self.is_alone else f"lane{self.lane}"
        return f"h{hour} q{quarter} for{hours} and{quarters} {lane}"


@dataclass(frozen=True)
class Day:
    """`shift`: how the clocks change on it."""

    date: date
    entries: Sequence[Entry]
    shift: timedelta

    @property
    def lanes(self) -> int:
        return max((entry.lane for entry in self.entries), default=0) + 1

    @property
    def fits(self) -> bool:
        return self.lanes <= MOST_LANES


@blueprint.get("")
def index() -> str:
    today = utcnow().astimezone(settings.owner_zone).date()
    view = request.args.get("view", "")
    view = view if view in VIEWS else "week"
    chosen = lists.day("day") or today
    dates = [chosen + timedelta(days=number) for number in range(VIEWS[view])]
    bookings = _between(lists.begins(dates[0]), lists.ends(dates[-1]))
    days = [_day(each, bookings) for each in dates]
    return render_template(
        "admin/bookings/calendar.html",
        view=view,
        chosen=chosen,
        today=today,
        days=days,
        hours=_hours(days),
        earlier=chosen - timedelta(days=len(dates)),
        later=chosen + timedelta(days=len(dates)),
    )


def _between(begins: datetime, ends: datetime) -> Sequence[Booking]:
    """What is booked or asked for, whatever became of it but that it was cancelled or declined."""
    lasts = or_(Booking.end_at > begins, Booking.end_at.is_(None) & (Booking.start_at >= begins))
    query = (
        db.select(Booking)
        .where(Booking.status.not_in(ENDED_EARLY), Booking.start_at < ends, lasts)
        .order_by(Booking.start_at, Booking.id)
    )
    return db.session.scalars(query).unique().all()


def _day(of: date, bookings: Sequence[Booking]) -> Day:
    begins, ends = lists.begins(of), lists.ends(of)
    entries = [entry for booking in bookings if (entry := _entry(booking, begins, ends))]
    shift = (ends.utcoffset() or timedelta()) - (begins.utcoffset() or timedelta())
    return Day(of, side_by_side(entries), shift)


def _entry(booking: Booking, begins: datetime, ends: datetime) -> Entry | None:
    """By the clock on the wall, so that the day of a change has its hours in the same places as all others."""
    start = booking.start_at
    if start is None:
        return None
    end = max(booking.end_at or start + USUAL, start)
    zone = settings.owner_zone
    if start >= ends or (end <= begins and start < begins):
        return None
    starts, over = max(start, begins).astimezone(zone), min(end, ends).astimezone(zone)
    row = _row(starts)
    last = ALL_ROWS if over >= ends else -(-(over.hour * 60 + over.minute) * ROWS // 60)
    if over.utcoffset() != starts.utcoffset():  # the clocks change meanwhile: as long as it really lasts
        last = row + -(-round(over.timestamp() - starts.timestamp()) * ROWS // 3600)
    last = min(max(last, row + 1), ALL_ROWS)
    return Entry(booking, starts, over, row, last)


def side_by_side(entries: Sequence[Entry]) -> list[Entry]:
    """Each in the first lane that is free where it begins; those that overlap, even by others, are not alone."""
    placed: list[Entry] = []
    group: list[Entry] = []
    for entry in sorted(entries, key=lambda entry: (entry.row, -entry.end, entry.booking.id)):
        if group and entry.row >= max(other.end for other in group):
            placed += group
            group = []
        taken = {other.lane for other in group if other.end > entry.row}
        lane = next(number for number in range(len(group) + 1) if number not in taken)
        group = [replace(other, is_alone=False) for other in group]
        group.append(replace(entry, lane=lane, is_alone=not group))
    return placed + group


def _hours(days: Sequence[Day]) -> range:
    entries = [entry for day in days for entry in day.entries]
    first = min([OFFICE_HOURS.start, *(entry.row // ROWS for entry in entries)])
    last = max([OFFICE_HOURS.stop, *(-(-entry.end // ROWS) for entry in entries)])
    return range(first, last)


def _row(moment: datetime) -> int:
    return (moment.hour * 60 + moment.minute) * ROWS // 60


def _clock(moment: datetime) -> str:
    """10:00; where the clocks go back an hour comes twice, and the zone's letters tell which."""
    is_twice = moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset()
    return f"{moment:%H:%M %Z}" if is_twice else f"{moment:%H:%M}"
