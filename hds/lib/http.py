"""Outbound calls that cannot take the site down with the one they call.

Each call has timeouts, at most two run at once per process, only GETs are repeated, a service that keeps failing is
left alone for half a minute, and one that says "too many" until it said we may come back. Redirects are not followed.
Where a page makes several calls, `within` gives all of them one deadline.
"""

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import stamina
import structlog
import urllib3
from requests.adapters import HTTPAdapter

log = structlog.get_logger(part="outbound")

CONNECT_SECONDS = 2.0
READ_SECONDS = 3.0
TOTAL_SECONDS = 6.0  # all attempts of one call together
PAGE_SECONDS = 3.0  # all calls of one page together, see `within`
MAX_BODY = 8 * 1024 * 1024
BUDGET_SECONDS = 60.0  # until a used-up budget has room again, at the latest
_SHORTEST_ATTEMPT = 0.5

_until: ContextVar[float] = ContextVar("until", default=math.inf)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """All calls in here together take no longer: what there is no time for is not sent, and is Unavailable."""
    token = _until.set(min(_until.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _until.reset(token)


def time_left() -> float:
    """Seconds until the deadline of `within`; infinite outside."""
    return max(0.0, _until.get() - time.monotonic())


class Unavailable(Exception):
    """No answer that could be used. `reason` is for logs; it names no address, query or body.

    `maybe_sent`: the other side may have received the call and acted on it. Never repeat such a POST blindly.
    `is_momentary`: it failed fast, in a way that the next try of a GET often survives.
    """

    def __init__(
        self, reason: str, *, maybe_sent: bool = False, status: int | None = None, is_momentary: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.maybe_sent = maybe_sent
        self.status = status
        self.is_momentary = is_momentary


class Throttled(Unavailable):
    """Too many calls (429, or none left of our own budget): nothing was done. Another try in `seconds` may succeed."""

    def __init__(self, seconds: float, reason: str = "too many calls", status: int | None = 429) -> None:
        super().__init__(reason, status=status)
        self.seconds = seconds


@dataclass(frozen=True)
class Answer:
    """Any answer below 500 but 429, redirects included: what it means is for the caller to say."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Raises ValueError where the body is not JSON."""
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("nested too deep") from None


class Breaker:
    """After `failures` in a row, refuses at once for `rest` seconds; then lets one call through and sees.

    Not pybreaker's: it holds its lock while the call runs, so that a hanging call makes all others wait in line.
    """

    def __init__(self, failures: int, rest: float) -> None:
        self._allowed_failures = failures
        self._rest = rest
        self._lock = threading.Lock()
        self._failures = 0
        self._rests_until = 0.0
        self._throttled_until = 0.0
        self._trial_runs = False

    def check(self) -> None:
        """Raises where a call would be refused now."""
        with self._lock:
            self._refuse_while_resting()

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around one call: leaving by an exception is a failure."""
        with self._lock:
            self._refuse_while_resting()
            self._trial_runs = self._failures >= self._allowed_failures
        try:
            yield
        except BaseException:
            with self._lock:
                self._trial_runs = False
                self._failures += 1
                if self._failures >= self._allowed_failures:
                    self._rests_until = time.monotonic() + self._rest
            raise
        with self._lock:
            self._trial_runs = False
            self._failures = 0

    def throttle(self, seconds: float) -> None:
        with self._lock:
            self._throttled_until = max(self._throttled_until, time.monotonic() + seconds)

    def _refuse_while_resting(self) -> None:
        now = time.monotonic()
        if now < self._throttled_until:
            raise Throttled(self._throttled_until - now)
        if self._failures >= self._allowed_failures and (now < self._rests_until or self._trial_runs):
            raise Unavailable("it failed several times, not asked again yet")


class Outbound:
    """The way to one service: one per service and process, used by all threads. `has_room`: whether one more call may
    be made now; it is asked once for each."""

    def __init__(
        self,
        name: str,
        *,
        connect: float = CONNECT_SECONDS,
        read: float = READ_SECONDS,
        total: float = TOTAL_SECONDS,
        at_once: int = 2,
        wait: float = 0.25,
        failures: int = 5,
        rest: float = 30.0,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name = name
        self._has_room = has_room
        self._connect, self._read, self._total, self._wait = connect, read, total, wait
        self._places = threading.BoundedSemaphore(at_once)
        self._breaker = Breaker(failures, rest)
        self._session = _session(at_once)

    def call(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        logged_as: str = "",
    ) -> Answer:
        """The answer to one call. A GET is repeated once or twice where it failed fast; nothing else ever is.

        `body`: bytes are sent as they are, all else as JSON.
        `logged_as`: what logs say for the path, where that holds a secret.
        """
        if time_left() < _SHORTEST_ATTEMPT:
            raise Unavailable("no time is left for another call")
        raw = body if isinstance(body, bytes) else None
        as_json = None if raw else body
        request = requests.Request(method, url, params=params, data=raw, json=as_json, headers=dict(headers or {}))
        own = max(self._total, self._connect + self._read)
        deadline = time.monotonic() + min(own, time_left())

        def is_worth_another(error: Exception) -> bool:
            there_is_time = deadline - time.monotonic() > _SHORTEST_ATTEMPT
            return isinstance(error, Unavailable) and error.is_momentary and there_is_time

        attempts = 3 if method == "GET" else 1
        for attempt in stamina.retry_context(
            on=is_worth_another, attempts=attempts, timeout=None, wait_initial=0.1, wait_max=0.4, wait_jitter=0.1
        ):
            with attempt:
                return self._once(request, deadline, logged_as or _path(url))
        raise AssertionError("stamina ends by returning or raising")

    def _once(self, request: requests.Request, deadline: float, path: str) -> Answer:
        started = time.monotonic()
        line = log.bind(to=self.name, method=request.method, path=path)
        try:
            answer = self._in_turn(request, deadline)
        except Unavailable as error:
            line.warning("no answer", reason=error.reason, status=error.status, ms=_since(started))
            raise
        line.info("answer", status=answer.status, ms=_since(started))
        return answer

    def _in_turn(self, request: requests.Request, deadline: float) -> Answer:
        self._breaker.check()  # before the wait for a place: a refusal comes at once
        if not self._places.acquire(timeout=self._wait):
            raise Unavailable("too many calls at the same time")
        try:
            if not self._has_room():
                raise Throttled(BUDGET_SECONDS, "no call is left of our budget", status=None)
            with self._breaker.call():
                answer = self._send(request, deadline)
                if answer.status >= 500:
                    raise _failure(answer.status)
        finally:
            self._places.release()
        if answer.status == 429:
            seconds = seconds_to_wait(answer.headers)
            self._breaker.throttle(seconds)
            raise Throttled(seconds)
        return answer

    def _send(self, request: requests.Request, deadline: float) -> Answer:
        left = max(deadline - time.monotonic(), 0.1)
        # With a total: connecting and reading one after the other could take the time twice.
        timeout = urllib3.Timeout(total=left, connect=min(self._connect, left), read=min(self._read, left))
        try:
            prepared = self._session.prepare_request(request)
            settings = self._session.merge_environment_settings(prepared.url, {}, True, None, None)
            with self._session.send(prepared, timeout=timeout, allow_redirects=False, **settings) as response:  # type: ignore[arg-type]  # types-requests knows no urllib3.Timeout
                body = _read(response, deadline)
                return Answer(response.status_code, response.headers, body)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeError) as error:
            # Without its cause: that one's text holds the query.
            raise _unavailable(error) from None


def seconds_to_wait(headers: Mapping[str, str]) -> float:
    """How long a 429 asks us to stay away: Retry-After, else X-RateLimit-Reset*, else a minute; at most five."""
    seconds = _retry_after(headers.get("Retry-After", ""))
    if seconds is None:
        resets = [value for name, value in headers.items() if name.lower().startswith("x-ratelimit-reset")]
        seconds = max(filter(None, map(_from_now, resets)), default=60.0)
    return min(max(seconds, 1.0), 300.0)


def _retry_after(value: str) -> float | None:
    if value.strip().isdecimal():
        return float(value)
    try:
        return parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None


def _from_now(value: str) -> float | None:
    """Seconds left, or a moment in epoch seconds: both are in use."""
    try:
        number = float(value)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return number - time.time() if number > 1e9 else number


def _session(at_once: int) -> requests.Session:
    session = requests.Session()
    adapter = HTTPAdapter(pool_connections=4, pool_maxsize=at_once, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.headers["Accept"] = "application/json"
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # nobody's session is anybody else's
    session.auth = _as_it_is  # else requests looks for a password in ~/.netrc
    return session


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _read(response: requests.Response, deadline: float) -> bytes:
    """The whole body, piece by piece: the read timeout is one piece's, and pieces can drip for ever."""
    body = bytearray()
    while piece := response.raw.read1(64 * 1024, decode_content=True):
        body += piece
        if len(body) > MAX_BODY:
            raise Unavailable("its answer is too large", maybe_sent=True)
        if time.monotonic() > deadline:
            raise Unavailable("its answer took too long", maybe_sent=True)
    return bytes(body)


def _failure(status: int) -> Unavailable:
    momentary = status in {502, 503, 504}  # a proxy's, mostly while what is behind it restarts
    return Unavailable(f"it answered {status}", maybe_sent=True, status=status, is_momentary=momentary)


def _unavailable(error: Exception) -> Unavailable:
    if isinstance(error, requests.ConnectTimeout):
        return Unavailable("no connection", is_momentary=True)
    if isinstance(error, requests.Timeout | urllib3.exceptions.ReadTimeoutError | TimeoutError):
        return Unavailable("timed out", maybe_sent=True)
    if isinstance(error, requests.ConnectionError):
        cause = error.args[0] if error.args else None
        if isinstance(getattr(cause, "reason", None), urllib3.exceptions.NewConnectionError):
            return Unavailable("no connection", is_momentary=True)
    if isinstance(error, ValueError):  # an address or header that cannot be sent: a setting is wrong
        return Unavailable(f"could not be asked ({type(error).__name__})")
    return Unavailable(f"connection broken ({type(error).__name__})", maybe_sent=True, is_momentary=True)


def _path(url: str) -> str:
    try:
        return urlsplit(url).path[:200]
    except ValueError:
        return ""


def _since(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 1)
