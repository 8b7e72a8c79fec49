"""The bell: it rings after the commit or not at all, its loss is no loss, and a crowd rings it once."""

import itertools
import json
import socket
import threading
import time
import zlib

import pytest
from pydantic import SecretStr

from hds.extensions import db
from hds.lib import jobs
from hds.lib.jobs import REST_BETWEEN_BELLS, Bell, ring_after_commit
from tests.factories import ServiceFactory
from tests.servers import own_valkey

DRAIN = "hds.webhooks.jobs.drain"


def rung(queue: str = "default") -> list[tuple[str, tuple]]:
    return [(job.func_name, tuple(job.args)) for job in jobs.queue(queue).get_jobs()]


@pytest.fixture
def deaf(app, monkeypatch):
    """Redis is down."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = SecretStr(f"redis://127.0.0.1:{probe.getsockname()[1]}/0")
    monkeypatch.setitem(app.config, "HDS", app.config["HDS"].model_copy(update={"redis_url": url}))
    monkeypatch.delitem(app.extensions, "redis", raising=False)
    yield
    app.extensions.pop("redis").close()


def test_it_rings_once_the_transaction_is_committed(app):
    ring_after_commit("mail", "hds.mail.jobs.deliver", 42)
    db.session.add(ServiceFactory.build(slug="x"))
    db.session.flush()
    assert rung("mail") == []
    db.session.commit()
    assert rung("mail") == [("hds.mail.jobs.deliver", (42,))]
    db.session.commit()
    assert len(rung("mail")) == 1


def test_it_does_not_ring_for_what_was_rolled_back(app):
    ring_after_commit("mail", "hds.mail.jobs.deliver", 42)
    db.session.add(ServiceFactory.build(slug="x"))
    db.session.flush()
    db.session.rollback()
    db.session.add(ServiceFactory.build(slug="y"))
    db.session.commit()
    assert rung("mail") == []


def test_it_does_not_ring_for_a_session_that_was_dropped(app):
    ring_after_commit("mail", "hds.mail.jobs.deliver", 42)
    db.session.remove()
    db.session.add(ServiceFactory.build(slug="y"))
    db.session.commit()
    assert rung("mail") == []


def test_a_savepoint_that_is_taken_back_keeps_the_bells_of_the_rest(app):
    ring_after_commit("mail", "hds.mail.jobs.deliver", 1)
    db.session.add(ServiceFactory.build(slug="x"))
    nested = db.session.begin_nested()
    db.session.add(ServiceFactory.build(slug="y"))
    nested.rollback()
    db.session.commit()
    assert rung("mail") == [("hds.mail.jobs.deliver", (1,))]


def test_bells_inside_a_savepoint_wait_for_the_commit(app):
    with db.session.begin_nested():
        ring_after_commit("mail", "hds.mail.jobs.deliver", 1)
        db.session.add(ServiceFactory.build(slug="x"))
    assert rung("mail") == []
    db.session.commit()
    assert rung("mail") == [("hds.mail.jobs.deliver", (1,))]


def test_without_redis_the_commit_stands_and_nobody_waits(app, deaf):
    started = time.monotonic()
    ring_after_commit("mail", "hds.mail.jobs.deliver", 42)
    ServiceFactory(slug="x")
    assert jobs.ring("default", DRAIN) is False
    assert jobs.has_bells("default", 1)
    assert time.monotonic() - started < 10


def test_a_redis_that_was_restarted_is_rung_without_losing_the_bell(app, tmp_path, monkeypatch):
    url = f"unix://{tmp_path}/queue?db=0"
    monkeypatch.setitem(app.config, "HDS", app.config["HDS"].model_copy(update={"redis_url": SecretStr(url)}))
    monkeypatch.delitem(app.extensions, "redis", raising=False)
    for _ in range(2):
        with own_valkey(tmp_path):
            assert jobs.ring("default", DRAIN)
            assert len(rung()) == 1
    app.extensions.pop("redis").close()


def test_jobs_travel_as_json_with_ids_and_are_forgotten_within_a_day(app):
    jobs.ring("mail", "hds.mail.jobs.deliver", 42)
    [job] = jobs.queue("mail").get_jobs()
    assert (list(job.args), job.kwargs) == ([42], {})
    raw = zlib.decompress(jobs.connection().hget(job.key, "data"))
    assert json.loads(raw)[0] == "hds.mail.jobs.deliver"
    assert job.failure_ttl <= 24 * 3600
    assert job.result_ttl <= 60


def test_every_name_that_is_rung_for_is_a_function():
    from hds.mail.jobs import deliver
    from hds.webhooks.jobs import drain

    assert f"{drain.__module__}.{drain.__name__}" == DRAIN
    assert f"{deliver.__module__}.{deliver.__name__}" == "hds.mail.jobs.deliver"


# One job rung by many


@pytest.fixture
def heard(app, monkeypatch):
    """When the bell was rung, in seconds."""
    moments: list[float] = []
    monkeypatch.setattr(jobs, "ring", lambda *_: moments.append(time.monotonic()) or True)
    return moments


def test_a_crowd_rings_once_in_a_while_and_once_after_the_last(app, heard):
    bell = Bell("default", DRAIN)
    until = time.monotonic() + 0.4
    calls, last = 0, 0.0

    def keep_ringing() -> None:
        nonlocal calls, last
        with app.app_context():
            while time.monotonic() < until:
                last = max(last, time.monotonic())
                bell.ring()
                calls += 1
                time.sleep(0.001)

    threads = [threading.Thread(target=keep_ringing) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(4 * REST_BETWEEN_BELLS)
    pauses = [after - before for before, after in itertools.pairwise(heard)]
    assert calls > 50
    assert len(heard) < 12
    assert min(pauses) >= REST_BETWEEN_BELLS * 0.99
    assert heard[-1] >= last


def test_one_caller_is_heard_at_once_and_once(app, heard):
    started = time.monotonic()
    Bell("default", DRAIN).ring()
    time.sleep(6 * REST_BETWEEN_BELLS)
    assert len(heard) == 1
    assert heard[0] - started < 5


def test_nobody_waits_for_a_bell_that_is_slow(app, monkeypatch):
    monkeypatch.setattr(jobs, "ring", lambda *_: time.sleep(0.5))
    bell = Bell("default", DRAIN)
    started = time.monotonic()
    for _ in range(20):
        bell.ring()
    assert time.monotonic() - started < 5


# The worker


def test_the_queues_take_turns(app, monkeypatch):
    """Mails to a silent server take long, and webhooks must not wait for all of them."""
    seen = []
    monkeypatch.setattr("hds.mail.jobs.deliver", lambda _: seen.append("mail"))
    monkeypatch.setattr("hds.webhooks.jobs.drain", lambda: seen.append("default"))
    for number in range(3):
        jobs.ring("mail", "hds.mail.jobs.deliver", number)
        jobs.ring("default", DRAIN)
    jobs.work(burst=True)
    assert seen == ["mail", "default"] * 3
