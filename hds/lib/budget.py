"""How many calls a minute somebody else's service gets from all our processes together, so that it never has to refuse.

Three bounds: all calls; those of browsing, which leave a share for what must not wait (a booking); and those that one
visitor causes, so that one who asks for everything takes nothing away from the others. Counted in Redis; while that
is silent each process counts by itself, with its part of the whole.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import structlog
from flask import current_app, has_request_context
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import MovingWindowRateLimiter
from redis import RedisError

from hds.config import settings
from hds.extensions import counting, visitor

log = structlog.get_logger(part="outbound")

SILENCE = 5.0  # seconds that a silent Redis is not asked again

_comes_first: ContextVar[bool] = ContextVar("comes_first", default=False)
_asker: ContextVar[str] = ContextVar("asker", default="")


@contextmanager
def asked_by(name: str) -> Iterator[None]:
    """The calls made in here share what one visitor may cause, so that work in the background leaves the rest alone."""
    token = _asker.set(name)
    try:
        yield
    finally:
        _asker.reset(token)


@contextmanager
def comes_first() -> Iterator[None]:
    """The calls made in here may use the share that browsing leaves. Also as a decorator."""
    token = _comes_first.set(True)
    try:
        yield
    finally:
        _comes_first.reset(token)


@dataclass(frozen=True)
class Budget:
    """Calls in any sixty seconds: `whole` of them, `browsing` of these, and of those `each` for one visitor."""

    name: str
    whole: int
    browsing: int
    each: int

    def has_room(self) -> bool:
        """Takes one call out of it; False where there is none left, and nothing may be sent."""
        counts = Counts.here()
        if not _comes_first.get():
            who = _asker.get() or (visitor() if has_request_context() else "")
            if who and not counts.take(RateLimitItemPerMinute(self.each), self.name, who):
                return False
            if not counts.take(RateLimitItemPerMinute(self.browsing), self.name, "browsing"):
                return False
        return counts.take(RateLimitItemPerMinute(self.whole), self.name, "all")


class Counts:
    """This application's counters."""

    def __init__(self, url: str, options: dict[str, object], processes: int) -> None:
        self._shared = MovingWindowRateLimiter(storage_from_string(url, **options))  # type: ignore[arg-type]
        self._own = MovingWindowRateLimiter(MemoryStorage())
        self._processes = processes
        self._silent_until = 0.0

    @classmethod
    def here(cls) -> "Counts":
        kept: Counts | None = current_app.extensions.get("counts")
        if kept is None:
            url, options = counting(settings)
            kept = current_app.extensions["counts"] = cls(url, options, settings.web_workers + 1)  # and the worker
        return kept

    def take(self, limit: RateLimitItem, *names: str) -> bool:
        if time.monotonic() >= self._silent_until:
            try:
                return self._shared.hit(limit, *names)
            except (RedisError, OSError) as error:
                self._silent_until = time.monotonic() + SILENCE
                log.warning("counted by itself", error=type(error).__name__)
        part = RateLimitItemPerMinute(max(1, limit.amount // self._processes))
        return self._own.hit(part, *names)
