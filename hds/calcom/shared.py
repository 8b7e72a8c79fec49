"""Answers that many ask for at once: one call fetches, all others get its result."""

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, NamedTuple, TypeVar

from cachetools import TTLCache

from hds.calcom.errors import Unavailable
from hds.lib import http

T = TypeVar("T")

_WAIT_SECONDS = 7.0  # a little more than the longest call


class _Kept(NamedTuple, Generic[T]):
    value: T
    at: float


class Shared(Generic[T]):
    """Keeps values for `fresh` seconds, and to `stale` for when Cal.com does not answer or is being asked already."""

    def __init__(self, *, fresh: float, stale: float, size: int = 512) -> None:
        self._fresh = fresh
        self._lock = threading.Lock()
        self._kept: TTLCache[Hashable, _Kept[T]] = TTLCache(maxsize=size, ttl=stale, timer=time.monotonic)
        self._flights: dict[Hashable, Future[T]] = {}

    def get(self, key: Hashable, load: Callable[[], T]) -> T:
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and time.monotonic() - kept.at < self._fresh:
                return kept.value
            flight = self._flights.get(key)
            if flight is None:
                own = self._flights[key] = Future()
        if flight is None:
            return self._fetch(key, own, load, kept)
        if kept is not None:
            return kept.value
        try:
            return flight.result(timeout=min(_WAIT_SECONDS, http.time_left()))
        except TimeoutError:
            raise Unavailable("somebody else's call takes too long") from None

    def clear(self) -> None:
        """Forget everything, and what is on its way: it may be of the time before."""
        with self._lock:
            self._kept.clear()
            self._flights.clear()

    def _fetch(self, key: Hashable, flight: Future[T], load: Callable[[], T], kept: _Kept[T] | None) -> T:
        try:
            value = load()
        except BaseException as error:
            self._land(key, flight)
            flight.set_exception(error)
            if kept is not None and isinstance(error, Unavailable):
                return kept.value
            raise
        if self._land(key, flight):
            with self._lock:
                self._kept[key] = _Kept(value, time.monotonic())
        flight.set_result(value)
        return value

    def _land(self, key: Hashable, flight: Future[T]) -> bool:
        """False where `clear` came in between."""
        with self._lock:
            if self._flights.get(key) is not flight:
                return False
            del self._flights[key]
            return True
