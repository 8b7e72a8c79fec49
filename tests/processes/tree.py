"""A site started as people start it, by the supervisor, in a folder and on ports of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hds.config import ROOT
from hds.lib.processes import session_members

PARTS = {
    "queue": "valkey-server",
    "sandbox": "hds.sandbox",
    "worker": "-m hds work",
    "clock": "-m hds clock",
    "web": "bin/granian",
}


def free_port() -> int:
    """One whose neighbour is free too: the sandbox's."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def environment(folder: Path, **settings: Any) -> dict[str, str]:
    """Nothing of this machine's settings: those of the test, and what programs need to run."""
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONDONTWRITEBYTECODE") if name in os.environ
    }
    stated = {"HDS_DATA": folder, "HDS_ENV_FILE": "", "CLOCK_TICK_SECONDS": 0.5, **settings}
    return kept | {name: str(value) for name, value in stated.items()}


def refusal(folder: Path, command: Sequence[str] = ("-m", "hds.up"), **settings: Any) -> tuple[int, str]:
    """Exit code and words of a start that must fail."""
    run = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment(folder, **settings),
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert run.stdout == b""
    return run.returncode, run.stderr.decode()


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, "did not come true in time"
        time.sleep(0.05)
    return result


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


class Site:
    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.port = free_port()
        self.output = folder.with_name(f"{folder.name}-{self.port}.txt")
        self.seen: set[int] = set()
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hds.up"],
                cwd=ROOT,
                env=environment(folder, PORT=self.port, **settings),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            until(lambda: "Everything works" in self.text or self.process.poll() is not None, 40)
            assert self.process.poll() is None, self.text
        except BaseException:
            self.end()
            raise

    @property
    def text(self) -> str:
        return self.output.read_text()

    def health(self) -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, {}

    def pid(self, part: str) -> int | None:
        """The part's own process, the leader of its session."""
        for child in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            try:
                command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if PARTS[part] in command and is_alive(int(child)):
                return int(child)
        return None

    def members(self, part: str) -> set[int]:
        pid = self.pid(part)
        return set(session_members(pid)) if pid else set()

    def everything(self) -> set[int]:
        """All its processes; remembered, so that none is left behind by a test that fails."""
        pids = {self.process.pid}.union(*(self.members(part) for part in PARTS))
        self.seen |= pids
        return pids

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> int:
        self.everything()
        self.process.send_signal(sign)
        return self.process.wait(40)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid in filter(is_alive, self.seen):
            os.kill(pid, signal.SIGKILL)
