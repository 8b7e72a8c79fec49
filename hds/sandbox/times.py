"""One clock, and the spellings of an instant that Cal.com uses."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
ISO_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?")


def utcnow() -> datetime:
    return datetime.now(UTC)


def parse_instant(text: str) -> datetime | None:
    """An ISO 8601 date and time; without an offset it is UTC. None when it is anything else."""
    if not ISO_INSTANT.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_edge(text: str, *, is_end: bool = False) -> datetime | None:
    """An edge of an asked range: an instant, or a date that means its first (or its last) second in UTC."""
    if not ISO_DATE.fullmatch(text):
        return parse_instant(text)
    try:
        midnight = datetime.fromisoformat(text).replace(tzinfo=UTC)
        return midnight + timedelta(days=1, seconds=-1) if is_end else midnight
    except (ValueError, OverflowError):
        return None


def iso_ms(moment: datetime) -> str:
    """2026-12-03T15:00:00.000Z, as JavaScript's toISOString; also how the store keeps an instant."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_z(moment: datetime) -> str:
    """2026-12-03T15:00:00Z"""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def iso_offset(moment: datetime) -> str:
    """2026-12-03T15:00:00+00:00"""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def offset_minutes(zone_name: str, moment: datetime) -> int:
    offset = moment.astimezone(ZoneInfo(zone_name)).utcoffset()
    return int(offset.total_seconds() // 60) if offset else 0


def is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return False
    return bool(name)
