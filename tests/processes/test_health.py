"""/healthz: green only while everything works, quick whatever hangs, silent about why."""

import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from rq.worker_registration import REDIS_WORKER_KEYS

from hds.app import create_app
from hds.bookings.reconciliation import Reconciliation
from hds.config import Settings
from hds.extensions import db
from hds.lib.clock import ClockLine
from hds.lib.times import utcnow


@pytest.fixture
def site(app: Flask, make_settings: Callable[..., Settings]) -> Iterator[Flask]:
    """The application of the other tests, with no sandbox to ask for."""
    kept = app.config["HDS"]
    app.config["HDS"] = kept.model_copy(update={"sandbox": False})
    yield app
    app.config["HDS"] = kept


@pytest.fixture
def redis(site: Flask) -> Iterator["Redis"]:
    with Redis.from_url(site.config["HDS"].redis_url.get_secret_value()) as redis:
        yield redis


def health(app: Flask) -> tuple[int, dict[str, Any]]:
    answer = app.test_client().get("/healthz")
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, answer.json


def clock_ran(ago: timedelta) -> None:
    db.session.add(ClockLine(name="a line", last_run_at=utcnow() - ago))
    db.session.commit()


def worker_wrote(redis: "Redis", at: datetime, queues: str = "mail,default", state: str = "idle") -> None:
    key = f"rq:worker:{queues}"
    redis.sadd(REDIS_WORKER_KEYS, key)
    redis.hset(key, mapping={"last_heartbeat": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}", "queues": queues, "state": state})


def test_everything_alive_is_200(site: Flask, redis: "Redis") -> None:
    clock_ran(timedelta(seconds=10))
    worker_wrote(redis, utcnow())
    parts = {"database": "ok", "queue": "ok", "worker": "ok", "clock": "ok"}
    assert health(site) == (200, {"status": "ok", "parts": parts, "reconciled_at": None})


def test_it_says_when_cal_com_was_last_read(site: Flask) -> None:
    Reconciliation.prepare()
    db.session.execute(db.update(Reconciliation).values(succeeded_at=datetime(2026, 11, 22, 17, tzinfo=UTC)))
    db.session.commit()
    assert health(site)[1]["reconciled_at"] == "2026-11-22T17:00:00Z"


def test_two_workers_may_share_the_queues(site: Flask, redis: "Redis") -> None:
    worker_wrote(redis, utcnow(), queues="mail")
    assert health(site)[1]["parts"]["worker"] == "failing"
    worker_wrote(redis, utcnow(), queues="default")
    assert health(site)[1]["parts"]["worker"] == "ok"


@pytest.mark.parametrize(("state", "verdict"), [("idle", "failing"), ("busy", "ok")])
def test_only_a_busy_worker_may_be_silent_for_three_minutes(
    site: Flask, redis: "Redis", state: str, verdict: str
) -> None:
    worker_wrote(redis, utcnow() - timedelta(minutes=3), state=state)
    assert health(site)[1]["parts"]["worker"] == verdict


def test_clock_that_died_silently_is_red_within_three_minutes(site: Flask, redis: "Redis") -> None:
    worker_wrote(redis, utcnow())
    assert health(site)[1]["parts"]["clock"] == "failing"  # it never ran
    clock_ran(timedelta(minutes=3))
    status, said = health(site)
    assert (status, said["status"], said["parts"]["clock"]) == (503, "failing", "failing")


@pytest.mark.parametrize("address", ["unix:///nowhere/at/all", "redis://secret@127.0.0.1:1/0"])
def test_queue_that_is_down_is_red_and_gives_no_reasons(make_settings: Callable[..., Settings], address: str) -> None:
    app = create_app(make_settings(redis_url=address))
    status, said = health(app)
    assert status == 503
    assert said["parts"]["queue"] == said["parts"]["worker"] == "failing"
    assert set(said["parts"].values()) <= {"ok", "failing"}


def test_database_without_our_tables_is_red(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    app = create_app(make_settings(database_url=f"sqlite:///{tmp_path}/empty.sqlite3", hds_data=tmp_path))
    status, said = health(app)
    assert (status, said["parts"]["database"], said["parts"]["clock"]) == (503, "failing", "failing")


def test_queue_that_hangs_keeps_nobody_waiting(make_settings: Callable[..., Settings]) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        app = create_app(make_settings(redis_url=f"redis://127.0.0.1:{silent.getsockname()[1]}/0"))
        for _ in range(3):
            began = time.monotonic()
            assert health(app)[1]["parts"]["queue"] == "failing"
            assert time.monotonic() - began < 15
