"""GET /healthz: whether every part works, for whoever watches. Verdicts only: the reasons go to the log.

Beside them, when all changes at Cal.com were last known to be in our books: no verdict, as its outages are not ours.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from datetime import datetime, timedelta
from http.client import HTTPConnection
from urllib.parse import urlsplit

import structlog
from flask import Blueprint, Flask, Response, current_app, jsonify
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq.worker_registration import REDIS_WORKER_KEYS

from hds.bookings.reconciliation import Reconciliation
from hds.config import settings
from hds.extensions import db
from hds.lib import jobs
from hds.lib.clock import ClockLine
from hds.lib.models import reading
from hds.lib.times import iso_utc, utcnow

blueprint = Blueprint("health", __name__)
log = structlog.get_logger(part="health")

BOUND = 1.0  # seconds for all checks together
# A dead clock shows within three minutes; an idle worker writes every 75 s, a busy one after its job at the latest.
SILENCE = timedelta(seconds=150)
BUSY_SILENCE = timedelta(seconds=200)
# Threads of their own: a check that hangs holds up no page, and only so many hang at once.
CHECKERS = ThreadPoolExecutor(max_workers=5, thread_name_prefix="health")


@blueprint.get("/healthz")
def healthz() -> tuple[Response, int]:
    checks = {"database": database_answers, "queue": queue_answers, "worker": worker_is_alive, "clock": clock_is_alive}
    if settings.uses_sandbox:
        checks["sandbox"] = sandbox_answers
    parts = verdicts(checks)
    works = set(parts.values()) == {"ok"}
    response = jsonify(status="ok" if works else "failing", parts=parts, reconciled_at=_reconciled_at(parts))
    response.headers["Cache-Control"] = "no-store"
    return response, 200 if works else 503


def _reconciled_at(parts: dict[str, str]) -> str | None:
    """None where it never was, or where the database does not answer."""
    last = Reconciliation.last_success() if parts["database"] == "ok" else None
    return iso_utc(last) if last else None


def verdicts(checks: dict[str, Callable[[], bool]]) -> dict[str, str]:
    """All checks at once, each `ok` or `failing`; who has not answered within the bound fails."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    running = {part: CHECKERS.submit(_in_context, app, part, check) for part, check in checks.items()}
    wait_for(running.values(), timeout=BOUND)
    return {part: "ok" if _succeeded(future) else "failing" for part, future in running.items()}


def _succeeded(future: Future[bool]) -> bool:
    future.cancel()  # one that has not begun need not: nobody waits for it
    return future.done() and not future.cancelled() and future.result()


def _in_context(app: Flask, part: str, check: Callable[[], bool]) -> bool:
    try:
        with app.app_context():
            reading.set(True)
            return check()
    except Exception as error:  # whatever it is, the part does not work
        log.warning("part does not work", part=part, error=type(error).__name__)
        return False


def database_answers() -> bool:
    """It answers from one of our tables: a server without them, or a folder without its file, does not count."""
    db.session.execute(db.select(ClockLine.id).limit(1))
    return True


def queue_answers() -> bool:
    return bool(_redis().ping())


def worker_is_alive() -> bool:
    """Every queue is listened to by a worker that wrote lately."""
    served: set[str] = set()
    for key in _redis().smembers(REDIS_WORKER_KEYS):
        heartbeat, queues, state = map(_text, _redis().hmget(_text(key), "last_heartbeat", "queues", "state"))
        allowed = BUSY_SILENCE if state == "busy" else SILENCE
        if heartbeat and queues and utcnow() - datetime.fromisoformat(heartbeat) < allowed:  # RQ writes UTC, with a Z
            served.update(queues.split(","))
    return served >= set(jobs.QUEUES)


def clock_is_alive() -> bool:
    newest = ClockLine.newest_run()
    return newest is not None and utcnow() - newest < max(SILENCE, timedelta(seconds=4 * settings.clock_tick_seconds))


def sandbox_answers() -> bool:
    connection = HTTPConnection(urlsplit(settings.sandbox_url).netloc, timeout=BOUND)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    finally:
        connection.close()


def _redis() -> "Redis":
    """A connection of its own that says at once that nobody answers, instead of trying again."""
    kept = current_app.extensions.get("health_redis")
    if kept is None:
        options = {"socket_timeout": BOUND / 2, "socket_connect_timeout": BOUND / 2, "retry": Retry(NoBackoff(), 0)}
        kept = current_app.extensions["health_redis"] = jobs.connect(**options)
    return kept


def _text(value: bytes | str | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""
