"""`make run`, as real processes: what starts, what comes back, what is left."""

import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis, RedisError
from rq.job import Job, JobStatus

from hds.lib import jobs
from tests.processes.tree import PARTS, Site, free_port, is_alive, refusal, until

pytestmark = pytest.mark.processes
WORKS = dict.fromkeys(("database", "queue", "worker", "clock", "sandbox"), "ok")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One tree that the tests share which leave it working."""
    site = Site(tmp_path_factory.mktemp("site") / "data")
    yield site
    site.end()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    started: list[Site] = []

    def start_one(**settings: Any) -> Site:
        started.append(Site(tmp_path / "data", **settings))
        return started[-1]

    yield start_one
    for site in started:
        site.end()


def test_everything_works_and_the_banner_says_where(site: Site) -> None:
    status, health = site.health()
    assert (status, health["status"], health["parts"]) == (200, "ok", WORKS)
    until(lambda: site.health()[1]["reconciled_at"])  # the clock's first tick has Cal.com read
    addresses = [f"http://127.0.0.1:{site.port}{path}" for path in ("", "/admin", "/admin/mailbox")]
    addresses += [f"http://127.0.0.1:{site.port + 1}{path}" for path in ("", "/host")]
    for address in addresses:
        assert re.search(rf"{re.escape(address)}$", site.text, re.MULTILINE)
    assert re.search(r"Sign in as +\S+@\S+\n +Password +\S{12,}", site.text)


def test_data_folder_in_use_is_said_in_one_sentence(site: Site) -> None:
    code, words = refusal(site.folder, PORT=free_port())
    assert code == 1
    assert words == f"The data folder {site.folder} is in use: stop the other start, or set HDS_DATA to another.\n"


def test_busy_port_is_said_in_one_sentence(site: Site, tmp_path: Path) -> None:
    code, words = refusal(tmp_path, PORT=site.port)
    assert code == 1
    assert re.fullmatch(rf"Port {site.port} of 127.0.0.1 cannot be used \(.+\): set PORT to another\.\n", words)


def test_busy_port_of_the_sandbox_is_said_in_one_sentence(tmp_path: Path) -> None:
    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port + 1))
        taken.listen()
        code, words = refusal(tmp_path, PORT=port)
    assert code == 1
    assert words.startswith(f"Port {port + 1} of 127.0.0.1 cannot be used")
    assert words.count("\n") == 1
    assert "sandbox" in words


@pytest.mark.parametrize(
    "settings",
    [{"PORT": "http"}, {"OWNER_TIME_ZONE": "Mars/Olympus"}, {"HDS_ENV": "staging"}, {"HDS_DATA": "/proc/nowhere"}],
    ids=lambda settings: next(iter(settings)),
)
def test_wrong_setting_is_said_in_one_sentence(tmp_path: Path, settings: dict[str, str]) -> None:
    code, words = refusal(tmp_path, **settings)
    assert code == 1
    assert words.count("\n") == 1
    assert next(iter(settings.values())) in words
    assert "Traceback" not in words


def test_every_command_says_what_is_wrong_in_one_sentence(tmp_path: Path) -> None:
    code, words = refusal(tmp_path, ["-m", "flask", "up"], PORT="http")
    assert code == 1
    assert words == "PORT should be a valid integer, unable to parse string as an integer (it is 'http').\n"


@pytest.mark.parametrize("part", PARTS)
def test_killed_part_is_ended_as_a_whole_and_comes_back(site: Site, part: str) -> None:
    old = site.members(part)
    leader = site.pid(part)
    assert leader is not None
    said = site.text.count(f"{part} was ended by SIGKILL")
    os.kill(leader, signal.SIGKILL)
    until(lambda: site.text.count(f"{part} was ended by SIGKILL") == said + 1)
    until(lambda: site.pid(part) not in {None, leader})
    until(lambda: site.health()[0] == 200)
    until(lambda: not any(map(is_alive, old)), 2)


def test_worker_hears_the_queue_again_after_it_was_killed(site: Site) -> None:
    queue = site.pid("queue")
    assert queue is not None
    os.kill(queue, signal.SIGKILL)
    until(lambda: site.pid("queue") not in {None, queue})
    with Redis.from_url(queue_of(site)) as redis:
        until(lambda: answers(redis))
        job = enqueue(redis, "time.sleep", 0.01)
        until(lambda: job.get_status() == JobStatus.FINISHED)


def test_killed_web_worker_comes_back_while_its_master_stays(site: Site) -> None:
    master = site.pid("web")
    workers = site.members("web") - {master}
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    until(lambda: site.members("web") - {master} - workers and site.health()[0] == 200)
    assert site.pid("web") == master
    assert "worker" in site.text


def test_asked_to_stop_it_finishes_the_job_and_leaves_nothing(start: Callable[..., Site]) -> None:
    site = start()
    everything = site.everything()
    with Redis.from_url(queue_of(site)) as redis:
        enqueue(redis, "time.sleep", 2)
        until(
            lambda: (
                redis.scard("rq:workers") and b"busy" in [redis.hget(k, "state") for k in redis.smembers("rq:workers")]
            )
        )
    assert site.stop(signal.SIGTERM) == 0
    assert "job=time.sleep" in site.text
    assert not [pid for pid in everything if is_alive(pid)]


def test_second_start_keeps_the_data_and_ctrl_c_stops_it(start: Callable[..., Site]) -> None:
    first = start()
    secret = (first.folder / "secret_key").read_text()
    first.stop()
    second = start()
    assert (second.folder / "secret_key").read_text() == secret
    everything = second.everything()
    assert second.stop(signal.SIGINT) == 0
    assert not [pid for pid in everything if is_alive(pid)]


def test_killed_supervisor_takes_everything_along(start: Callable[..., Site]) -> None:
    site = start()
    everything = site.everything()
    site.stop(signal.SIGKILL)
    until(lambda: not any(map(is_alive, everything)), 5)


def test_supervisor_and_web_master_killed_at_once_leave_nothing(start: Callable[..., Site]) -> None:
    site = start()
    everything = site.everything()
    master = site.pid("web")
    assert master is not None
    os.kill(master, signal.SIGSTOP)  # so that it cannot do anything between the two
    site.stop(signal.SIGKILL)
    os.kill(master, signal.SIGKILL)
    until(lambda: not any(map(is_alive, everything)), 5)
    start()


def queue_of(site: Site) -> str:
    pid = site.pid("worker")
    environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return next(line for line in environment if line.startswith(b"REDIS_URL=")).decode().partition("=")[2]


def enqueue(redis: "Redis", function: str, *arguments: float) -> Job:
    return jobs.Queue("default", connection=redis, serializer=jobs.JSONSerializer).enqueue(function, *arguments)


def answers(redis: "Redis") -> bool:
    try:
        return bool(redis.ping())
    except RedisError:
        return False
