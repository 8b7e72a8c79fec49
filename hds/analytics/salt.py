"""The salt of a day. It stands in Redis alone, never in the database or its backups, and is gone soon after midnight:
nobody can tell whose yesterday's hashes were."""

import hashlib
import secrets
import threading
from datetime import date, datetime, time, timedelta

import structlog
from redis import RedisError

from hds.config import settings
from hds.lib import jobs
from hds.lib.times import utcnow

log = structlog.get_logger(part="analytics")
KEY = "visit-salt"
AFTER_MIDNIGHT = timedelta(minutes=10)  # for what was noted just before it

_known: tuple[date, str, str] | None = None  # today's, so that Redis is asked once a day: day, where from, salt
_midnight: threading.Timer | None = None  # forgets it, in a process too that nobody asks any more


def day_of(moment: datetime) -> date:
    """The owner's day."""
    return moment.astimezone(settings.owner_zone).date()


def visitor(day: date, address: str, user_agent: str) -> str | None:
    """The hash by which one browser is known for this day. None where there is no salt: the day is over, or Redis is
    silent."""
    salt = _salt(day)
    if salt is None:
        return None
    text = f"{address}\0{user_agent}".encode("utf-8", "replace")
    return hashlib.blake2b(text, key=bytes.fromhex(salt), digest_size=16).hexdigest()


def forget() -> None:
    """A queue that keeps an append-only file keeps in it what is gone, until the file is written anew."""
    try:
        jobs.connection().bgrewriteaof()
    except RedisError as error:  # one is being written already, or it keeps none
        log.info("salt file not rewritten", error=type(error).__name__)


def _salt(day: date) -> str | None:
    store = settings.redis_url.get_secret_value()
    if _known and _known[:2] == (day, store):
        return _known[2]
    try:
        salt = _kept(day)
    except RedisError as error:
        log.warning("no salt", error=type(error).__name__)
        return None
    if salt and day == day_of(utcnow()):
        _remember((day, store, salt))
    return salt


def _kept(day: date) -> str | None:
    redis, key, now = jobs.connection(), f"{KEY}:{day.isoformat()}", utcnow()
    if day == day_of(now):
        ends = _end_of(day) + AFTER_MIDNIGHT
        redis.set(key, secrets.token_hex(32), nx=True, ex=max(1, int((ends - now).total_seconds())))
    found = redis.get(key)
    return found.decode() if isinstance(found, bytes) else None


def _remember(known: tuple[date, str, str]) -> None:
    """Until the day is over: whoever reads this process's memory tomorrow finds nothing of today."""
    global _known, _midnight  # noqa: PLW0603 - one day's salt per process
    if _midnight:
        _midnight.cancel()
    _known = known
    _midnight = threading.Timer((_end_of(known[0]) - utcnow()).total_seconds(), _drop, [known])
    _midnight.daemon = True
    _midnight.start()


def _drop(known: tuple[date, str, str]) -> None:
    global _known  # noqa: PLW0603
    if _known == known:
        _known = None


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time.min, settings.owner_zone)
