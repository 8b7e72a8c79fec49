"""The one clock, and how times are said to people. UTC inside, a named zone at the edge."""

from contextvars import ContextVar
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from importlib import resources
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale, UnknownLocaleError

# True while a page is made for somebody who reads clocks by twelve hours. Mails and pages for everybody: never.
by_twelve: ContextVar[bool] = ContextVar("by_twelve", default=False)


def utcnow() -> datetime:
    """Now, aware, in UTC. Tests travel by freezing this module's clock, nowhere else."""
    return datetime.now(UTC)


@cache
def zone_names() -> tuple[str, ...]:
    """The zones a person can choose: one for each place that the tz database lists by country, without its aliases."""
    listed = (resources.files("tzdata") / "zoneinfo" / "zone.tab").read_text()
    places = {line.split("\t")[2] for line in listed.splitlines() if line and not line.startswith("#")}
    return (*sorted(places & _known_zones()), "UTC")


@cache
def _known_zones() -> set[str]:
    return available_timezones()  # reads the zone files each time it is asked


def zone_or_none(name: str | None) -> ZoneInfo | None:
    """The zone of an IANA name, aliases included (Europe/Kiev); None where there is no such zone."""
    return ZoneInfo(name) if name and name in _known_zones() else None


def iso_utc(moment: datetime) -> str:
    """2026-12-03T15:00:00Z: the one spelling that leaves the house."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_utc(text: str) -> datetime | None:
    """An aware datetime from ISO text that carries an offset; None for anything else."""
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # a bare + in a query string arrives as a space
    except (ValueError, OverflowError):
        return None
    try:
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def say_day(day: date) -> str:
    """Tuesday 3 December; with the year where it is not the present one."""
    text = f"{day:%A} {day.day} {day:%B}"
    return text if day.year == utcnow().year else f"{text} {day.year}"


def say_clock(local: datetime) -> str:
    """14:30, or 2:30 pm, never parted by the end of a line, for who reads clocks that way."""
    if by_twelve.get():
        return f"{local.hour % 12 or 12}:{local:%M}\N{NO-BREAK SPACE}{'am' if local.hour < 12 else 'pm'}"
    return f"{local:%H:%M}"


def say_local(local: datetime) -> str:
    """14:30. When clocks go back an hour comes twice: only the zone's letters tell which 01:30 is meant."""
    is_twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return f"{say_clock(local)} {local:%Z}" if is_twice else say_clock(local)


def say_time(moment: datetime, zone: ZoneInfo) -> str:
    return say_local(moment.astimezone(zone))


@lru_cache(maxsize=256)  # whatever strangers' browsers say
def reads_by_twelve(language: str) -> bool:
    """Whether people of this language and region (en-US, de) write 2:30 pm; the first region of a bare language."""
    try:
        known = Locale.parse(language, sep="-")
    except (ValueError, UnknownLocaleError):
        return False
    return "a" in str(known.time_formats["short"].pattern)


def say_zone(zone: ZoneInfo) -> str:
    """New York, for America/New_York."""
    return zone.key.rsplit("/", 1)[-1].replace("_", " ")


def say_moment(moment: datetime, zone: ZoneInfo) -> str:
    """Tuesday 3 December, 10:00 (New York)."""
    return f"{say_day(moment.astimezone(zone).date())}, {say_time(moment, zone)} ({say_zone(zone)})"
