"""The month that a visitor looks at: what the address asks for, put right; how days and times are laid out. Pure."""

import calendar
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hds.lib.times import parse_utc, say_local, say_zone, zone_names, zone_or_none

MONTHS_AHEAD = 12
Days = Mapping[date, list[datetime]]

_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_PARTS_OF_DAY = (("Morning", 0, 12), ("Afternoon", 12, 17), ("Evening", 17, 24))


@dataclass(frozen=True)
class Wish:
    """What an address asks for, with everything unreadable or out of reach left out."""

    zone: ZoneInfo
    today: date
    month: date  # its first day
    day: date | None = None
    is_open: bool = False  # no month was named: any may be shown
    names_zone: bool = False

    @property
    def last_day(self) -> date:
        return following(self.month) - timedelta(days=1)

    @property
    def earlier(self) -> date | None:
        return following(self.month, -1) if self.month > self.today.replace(day=1) else None

    @property
    def later(self) -> date | None:
        return following(self.month) if self.month < following(self.today, MONTHS_AHEAD) else None


def read_wish(asked: Mapping[str, str], owner_zone: ZoneInfo, now: datetime) -> Wish:
    """month=2026-12, day=2026-12-03, zone=Europe/London: each optional. A month that is past or too far is this one."""
    stated = zone_or_none(asked.get("zone"))
    zone = stated or owner_zone
    today = now.astimezone(zone).date()
    first, last = today.replace(day=1), following(today, MONTHS_AHEAD)
    day = _day(asked.get("day", ""))
    if day is not None and not (today <= day < following(last)):
        day = None
    month = _month(asked.get("month", "")) or (day.replace(day=1) if day else None)
    if month is None or not first <= month <= last:
        return Wish(zone, today, first, is_open=True, names_zone=stated is not None)
    if day is not None and day.replace(day=1) != month:
        day = None
    return Wish(zone, today, month, day, names_zone=stated is not None)


def read_start(text: str, now: datetime) -> datetime | None:
    """A whole minute to come, no further away than the months that can be looked at; None for anything else."""
    moment = parse_utc(text)
    if moment is None or moment.second or moment.microsecond:
        return None
    return moment if now < moment < now + timedelta(days=31 * (MONTHS_AHEAD + 1)) else None


def weeks(month: date) -> list[list[date | None]]:
    """The month's weeks from Monday on; None where a week reaches into its neighbours."""
    rows = calendar.Calendar().monthdayscalendar(month.year, month.month)
    return [[month.replace(day=number) if number else None for number in row] for row in rows]


def parts_of_day(times: Iterable[datetime]) -> list[tuple[str, list[tuple[datetime, str]]]]:
    """The times of one day as morning, afternoon and evening, each with what it is called."""
    named = [(moment, say_local(moment)) for moment in times]
    groups = [
        (name, [(moment, label) for moment, label in named if begins <= moment.hour < ends])
        for name, begins, ends in _PARTS_OF_DAY
    ]
    return [(name, group) for name, group in groups if group]


def nearest(days: Days, wanted: datetime, count: int) -> list[datetime]:
    """The free times closest to the wanted one, without it, in the order of the clock."""
    free = [moment for times in days.values() for moment in times if moment != wanted]
    return sorted(sorted(free, key=lambda moment: abs(moment - wanted))[:count])


def following(month: date, count: int = 1) -> date:
    """The first day of the month that comes `count` after."""
    number = month.year * 12 + month.month - 1 + count
    return date(number // 12, number % 12 + 1, 1)


@cache
def zone_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Every zone that can be chosen, as (America, [(America/New_York, New York), …])."""
    regions: dict[str, list[tuple[str, str]]] = {}
    for name in zone_names():
        region = name.partition("/")[0].replace("_", " ")
        regions.setdefault(region, []).append((name, say_zone(ZoneInfo(name))))
    return [(region, sorted(places, key=lambda place: place[1])) for region, places in regions.items()]


def _month(text: str) -> date | None:
    match = _MONTH.fullmatch(text)
    try:
        return date(int(match[1]), int(match[2]), 1) if match else None
    except ValueError:
        return None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None
