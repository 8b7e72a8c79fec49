"""The site's processes, each started by the test that needs it, on a database and a queue of the test's own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import requests
from redis import Redis
from sqlalchemy import NullPool, create_engine, text

from hds.config import ROOT, Settings
from tests import servers
from tests.deliveries import SECRET, URL, as_sent, sign
from tests.processes.tree import environment, free_port, until

# By hand: HDS_TEST_PROCESSES=servers runs these tests on the PostgreSQL server at TEST_DATABASE_URL.
SERVER = os.environ.get("TEST_DATABASE_URL", "") if os.environ.get("HDS_TEST_PROCESSES") == "servers" else ""
KINDS = ["booking_confirmed", "owner_booking_confirmed"]
OWNER = "owner@hudson.example"
TICK = 0.5  # seconds
EVENT_TYPE = 4711  # of the example deliveries


@contextmanager
def template(folder: Path) -> Iterator[str]:
    """A database, migrated and seeded, that each house begins with a copy of: its file, or its name on the server."""
    if not SERVER:
        _prepare(folder, "")
        yield str(folder / "hds.sqlite3")
        return
    with servers.own_database(SERVER) as url:
        _prepare(folder, url)
        yield urlsplit(url).path.strip("/")


def _prepare(folder: Path, url: str) -> None:
    command = [sys.executable, "-m", "hds", "prepare"]
    named = environment(folder, DATABASE_URL=url, CAL_FREE_CONSULTATION_EVENT_ID=EVENT_TYPE)
    subprocess.run(command, cwd=ROOT, env=named, check=True, capture_output=True, timeout=60)


@contextmanager
def database(original: str, folder: Path) -> Iterator[str]:
    """A copy of the template: DATABASE_URL, empty for the file in the folder."""
    if not SERVER:
        shutil.copy(original, folder / "hds.sqlite3")
        yield ""
        return
    name = f"{original}_copy"
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {original}")
        try:
            yield urlunsplit(urlsplit(SERVER)._replace(path=f"/{name}"))
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


class House:
    """Use it as a context: at its end nothing that it started is left."""

    def __init__(self, folder: Path, original: str) -> None:
        self.folder = folder
        self.original = original
        self.settings: dict[str, Any] = {}
        self.processes: list[subprocess.Popen[bytes]] = []
        self.stack = ExitStack()
        self.valkey = ExitStack()

    def __enter__(self) -> "House":
        with ExitStack() as stack:
            url = stack.enter_context(database(self.original, self.folder))
            # A socket's path has room for 107 bytes.
            self.queue_folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hds-")))
            stack.callback(self.valkey.close)
            self.start_queue()
            stack.callback(self._end_processes)
            settings = Settings(_env_file=None, hds_data=self.folder, database_url=url)
            engine = create_engine(settings.database, poolclass=NullPool)
            stack.callback(engine.dispose)
            self.engine = engine
            self.settings = {
                "DATABASE_URL": url,
                "REDIS_URL": self.queue_url,
                "CAL_WEBHOOK_SECRET": SECRET,
                "SECRET_KEY": "a test's secret",
                "CONTACT_EMAIL": OWNER,
                "CLOCK_TICK_SECONDS": TICK,
            }
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    # Processes

    def worker(self) -> "subprocess.Popen[bytes]":
        return self.start("-m", "hds", "work")

    def clock(self) -> "subprocess.Popen[bytes]":
        return self.start("-m", "hds", "clock")

    def heal(self) -> None:
        """What a supervisor starts once something died: a new worker, and the clock that finds what is left."""
        self.worker()
        self.clock()

    def web(self) -> "subprocess.Popen[bytes]":
        self.port = free_port()
        server = self.start(
            *("-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(self.port)),
            *("--http", "1", "--no-ws", "--workers", "1", "--blocking-threads", "4", "wsgi:app"),
        )
        until(self._answers)
        return server

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def dying(self, place: str, *command: str, **popen: Any) -> "Dying":
        marker = self.folder / f"died-{place}"
        arguments = ("-m", "tests.processes.dying", place, str(marker), "--", *(command or ("work",)))
        return Dying(place, marker, self.start(*arguments, **popen))

    def dying_web(self, place: str) -> "Dying":
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            fd = listener.fileno()
            return self.dying(place, "web", str(fd), pass_fds=[fd])

    def start(self, *arguments: str, **popen: Any) -> "subprocess.Popen[bytes]":
        with (self.folder / "output.txt").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=environment(self.folder, **self.settings),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **popen,
            )
        self.processes.append(process)
        return process

    @property
    def output(self) -> str:
        """What all of them said."""
        return (self.folder / "output.txt").read_text()

    def kill(self, process: "subprocess.Popen[bytes]") -> None:
        """SIGKILL to it and to what it started: granian has a child that serves."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)

    def _end_processes(self) -> None:
        for process in self.processes:
            self.kill(process)

    # The queue

    def start_queue(self) -> None:
        self.queue_url = self.valkey.enter_context(servers.own_valkey(self.queue_folder))
        with Redis.from_url(self.queue_url) as redis:
            self.queue_pid: int = redis.info("server")["process_id"]

    def kill_queue(self) -> None:
        """SIGKILL; what it held is gone, as it keeps nothing on disk."""
        self.valkey.close()

    def hang_queue(self, sign: signal.Signals = signal.SIGSTOP) -> None:
        """It accepts connections and says nothing, until SIGCONT."""
        os.kill(self.queue_pid, sign)

    def in_queue(self, name: str) -> int:
        with Redis.from_url(self.queue_url) as redis:
            return int(redis.llen(f"rq:queue:{name}"))

    def flush_queue(self) -> None:
        with Redis.from_url(self.queue_url) as redis:
            redis.flushall()

    # What comes in, and what became of it

    def post(self, body: Any) -> int:
        raw = as_sent(body)
        headers = {"X-Cal-Signature-256": sign(raw), "Content-Type": "application/json"}
        return requests.post(f"http://127.0.0.1:{self.port}{URL}", data=raw, headers=headers, timeout=20).status_code

    def get(self, path: str) -> int:
        return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=20).status_code

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]

    def deliveries(self) -> list[tuple[Any, ...]]:
        """State, attempts and times seen of each."""
        return self.rows("SELECT state, attempts, times_seen FROM inbox_delivery ORDER BY id")

    def bookings(self) -> list[str]:
        return [status for (status,) in self.rows("SELECT status FROM booking ORDER BY id")]

    def messages(self) -> list[tuple[Any, ...]]:
        """Kind, state and attempts of each."""
        return self.rows("SELECT kind, state, attempts FROM message ORDER BY kind, id")

    def is_at_rest(self, bookings: int) -> bool:
        """Every delivery is applied, and one mail of each kind sent for each booking."""
        sent = [kind for kind, state, _ in self.messages() if state == "sent"]
        return {state for state, *_ in self.deliveries()} == {"applied"} and sent == sorted(KINDS * bookings)

    def mailbox(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.folder / "mailbox").glob("*.eml")}

    def let_leases_end(self) -> None:
        """As if the time had passed for which the dead one had borrowed its rows."""
        with self.engine.begin() as connection:
            for table in ("inbox_delivery", "message", "clock_line"):
                connection.execute(text(f"UPDATE {table} SET leased_until = created_at WHERE leased_until IS NOT NULL"))


class Dying:
    """A process that is to die at a place."""

    def __init__(self, place: str, marker: Path, process: "subprocess.Popen[bytes]") -> None:
        self.place = place
        self.marker = marker
        self.process = process

    def has_died_there(self) -> dict[str, Any]:
        """Waits for its end. Returns what it saw at the place."""
        assert self.process.wait(20) == -signal.SIGKILL
        seen: dict[str, Any] = json.loads(self.marker.read_text())
        assert (seen.pop("place"), seen.pop("pid")) == (self.place, self.process.pid)
        return seen
