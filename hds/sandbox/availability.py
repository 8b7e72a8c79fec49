"""When the host can be met. Pure: times in, times out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from .catalogue import MINIMUM_NOTICE_MINUTES, SLOT_GRID_MINUTES, WINDOW_DAYS

OPENS, CLOSES = time(9), time(17)
Span = tuple[datetime, datetime]


def free_slots(
    zone: ZoneInfo,
    start: datetime,
    end: datetime,
    minutes: int,
    *,
    busy: Iterable[Span],
    now: datetime,
    days: int = WINDOW_DAYS,
) -> list[datetime]:
    """Starts (in UTC order) of meetings that fit the host's week, the notice, the window and what is taken."""
    length, taken = timedelta(minutes=minutes), list(busy)
    earliest = max(start, now + timedelta(minutes=MINIMUM_NOTICE_MINUTES))
    latest = min(end, now + timedelta(days=days))
    slots = []
    day = earliest.astimezone(zone).date()
    while day <= latest.astimezone(zone).date():
        if day.weekday() < 5:
            slots += [
                slot
                for slot in _starts_of_day(datetime.combine(day, OPENS, zone), length)
                if earliest <= slot <= latest and not overlaps((slot, slot + length), taken)
            ]
        day += timedelta(days=1)
    return slots


def _starts_of_day(opening: datetime, length: timedelta) -> list[datetime]:
    """On the wall clock's grid, so that nine o'clock stays nine o'clock when the offset changes."""
    closing = opening.replace(hour=CLOSES.hour, minute=CLOSES.minute)
    starts, step = [], timedelta(minutes=SLOT_GRID_MINUTES)
    while opening + length <= closing:
        starts.append(opening.astimezone(UTC))
        opening += step
    return starts


def is_open(zone: ZoneInfo, start: datetime, end: datetime) -> bool:
    """Whether the host works then. Cal.com's API takes any minute of the working day, not only the grid's."""
    local_start, local_end = start.astimezone(zone), end.astimezone(zone)
    return (
        local_start.weekday() < 5
        and local_start.date() == local_end.date()
        and local_start.time() >= OPENS
        and local_end.time() <= CLOSES
    )


def is_within_window(start: datetime, now: datetime, days: int = WINDOW_DAYS) -> bool:
    return now + timedelta(minutes=MINIMUM_NOTICE_MINUTES) <= start <= now + timedelta(days=days)


def is_inside(window: Mapping[str, Any] | None, start: datetime, now: datetime, zone: ZoneInfo) -> bool:
    """A `bookingWindow` of the API: a range of dates, or so many days (of the week, or working ones) from now on."""
    if window is None:
        return True
    day, today = start.astimezone(zone).date(), now.astimezone(zone).date()
    if window["type"] == "range":
        first, last = window["value"]
        return bool(first[:10] <= day.isoformat() <= last[:10])
    if window["type"] == "calendarDays":
        return bool(day <= today + timedelta(days=window["value"]))
    working = [shift for shift in range(1, (day - today).days + 1) if (today + timedelta(days=shift)).weekday() < 5]
    return len(working) <= window["value"]


def overlaps(span: Span, taken: Iterable[Span]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in taken)
