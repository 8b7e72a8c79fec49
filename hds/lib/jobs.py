"""The bell. What must happen is a row in the database; a job only says that somebody should look at it now.

So losing Redis loses nothing: the clock finds the rows again. Jobs carry ids, travel as JSON, and leave after commit.
"""

import logging
import threading
import time
from typing import Any

import structlog
from flask import current_app
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import DequeueStrategy
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from hds.config import settings
from hds.extensions import db
from hds.lib.logs import where

log = structlog.get_logger(part="jobs")

QUEUES = ("mail", "default")
REST_BETWEEN_BELLS = 0.05  # seconds
RESULT_TTL = 60  # seconds; nobody reads results
FAILURE_TTL = 24 * 3600  # seconds; the row has the story, Redis need not keep it for RQ's default of a year

Ring = tuple[str, str, tuple[int, ...]]


class JobFailed(Exception):
    """What RQ is told of a job that failed: it logs and keeps an error's words, which may be somebody's."""


class ContextJob(Job):
    """A job that runs in an application context of its own, so that it begins with a fresh session."""

    def perform(self) -> Any:
        started = time.monotonic()
        with current_app.app_context():
            try:
                result = super().perform()
            except Exception as error:
                log.error("job failed", job=self.func_name, ids=list(self.args), **where(error))
                raise JobFailed(type(error).__name__) from None
        log.info("job", job=self.func_name, ids=list(self.args), ms=round((time.monotonic() - started) * 1000))
        return result


class DbWorker(SimpleWorker):
    """Runs jobs in its own process: our rows carry the retries, so a fork for each job would buy nothing."""

    job_class = ContextJob


def connect(**options: Any) -> "Redis":
    return Redis.from_url(settings.redis_url.get_secret_value(), **options)


def connection() -> "Redis":
    """This application's pooled connection. It tries once more at once, for the restart that it has not noticed, and
    then gives up: a page never waits for the bell."""
    kept = current_app.extensions.get("redis")
    if kept is None:
        options = {"socket_timeout": 2, "socket_connect_timeout": 1, "retry": Retry(NoBackoff(), 1)}
        kept = current_app.extensions["redis"] = connect(**options)
    return kept


def queue(name: str) -> Queue:
    return Queue(name, connection=connection(), serializer=JSONSerializer, job_class=ContextJob)


def ring(queue_name: str, function: str, *ids: int) -> bool:
    """Ask a worker to call `function(*ids)`, a dotted name. False where Redis is silent: the clock rings again."""
    try:
        queue(queue_name).enqueue(function, *ids, result_ttl=RESULT_TTL, failure_ttl=FAILURE_TTL)
    except RedisError as error:
        log.warning("bell not heard", job=function, ids=list(ids), error=type(error).__name__)
        return False
    return True


def has_bells(queue_name: str, enough: int) -> bool:
    """Whether so many are unheard that more would only fill Redis; also where it is silent, and none would be heard."""
    try:
        return queue(queue_name).count >= enough
    except RedisError as error:
        log.warning("bell not heard", queue=queue_name, error=type(error).__name__)
        return True


def ring_after_commit(queue_name: str, function: str, *ids: int) -> None:
    """Ring once the session's transaction is committed, and not at all if it is rolled back."""
    db.session.info.setdefault("bells", []).append((queue_name, function, ids))


@event.listens_for(Session, "after_commit")
def _ring_now(session: Session) -> None:
    if session.in_nested_transaction():  # a savepoint's end is no commit
        return
    rings: list[Ring] = session.info.pop("bells", [])
    for queue_name, function, ids in rings:
        ring(queue_name, function, *ids)


@event.listens_for(Session, "after_soft_rollback")
def _drop(session: Session, ended: SessionTransaction) -> None:
    if not ended.nested:
        session.info.pop("bells", None)


class Bell:
    """One job rung by many callers, off their way: at most one ring in 50 ms, and always one after the last call."""

    def __init__(self, queue_name: str, function: str) -> None:
        self._ring = (queue_name, function)
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def ring(self) -> None:
        self._wanted.set()
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    app = current_app._get_current_object()  # type: ignore[attr-defined]
                    self._thread = threading.Thread(target=self._run, args=(app,), daemon=True, name="bell")
                    self._thread.start()

    def _run(self, app: Any) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            with app.app_context():
                ring(*self._ring)
            time.sleep(REST_BETWEEN_BELLS)


def worker() -> DbWorker:
    """A worker on both queues. A dead one is noticed within minutes."""
    logging.getLogger("rq.worker").setLevel(logging.WARNING)
    redis = connect()
    queues = [Queue(name, connection=redis, serializer=JSONSerializer, job_class=ContextJob) for name in QUEUES]
    return DbWorker(
        queues,
        connection=redis,
        job_class=ContextJob,
        serializer=JSONSerializer,
        worker_ttl=90,
        maintenance_interval=60,
    )


def work(burst: bool = False) -> None:
    """Work on both queues in turn, so that neither a slow mail server nor a flood of webhooks stops the other."""
    worker().work(burst=burst, logging_level="WARNING", dequeue_strategy=DequeueStrategy.ROUND_ROBIN)
