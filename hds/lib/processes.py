"""Child processes that leave nothing behind: none outlives its parent, and none leaves descendants when it dies.

On Linux that holds for SIGKILL too; elsewhere for every end that can be noticed.
"""

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

FIRST_PAUSE = 0.5  # seconds before a part that died is started again; twice as long each time
LONGEST_PAUSE = 30.0
LONG_ENOUGH = 60.0  # seconds; who lived that long starts again without further delay
PR_SET_PDEATHSIG = 1  # linux/prctl.h
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent(sign: signal.Signals) -> None:
    """Have the kernel send this process `sign` when the thread that started it ends, however it ends. Linux only."""
    if LIBC:
        LIBC.prctl(PR_SET_PDEATHSIG, sign.value, 0, 0, 0)


def session_members(session: int) -> list[int]:
    """The processes of a session that still run, whoever their parent is by now. Linux only, elsewhere none."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):  # it ended while we looked
            # pid (name) state ppid pgrp session …; the name may hold anything, parentheses too.
            state, _, _, sid = stat.read_text().rpartition(")")[2].split()[:4]
            if int(sid) == session and state != "Z":
                members.append(int(stat.parent.name))
    return members


class Stopped(Exception):
    """Somebody asked us to stop."""


class Child:
    """A process with a session of its own, so that Ctrl-C reaches its parent alone and its descendants can be found."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        patience: float = 10,
    ) -> None:
        self.name = name
        self.command = command
        self.environment = environment or {}
        self.patience = patience  # seconds it may take to stop
        self.pause = FIRST_PAUSE
        self.due_at: float | None = None  # when it is started again, once it has died

    def start(self, kept_open: Sequence[int] = (), stdout: int | IO[bytes] | None = None) -> None:
        parent = os.getpid()

        def tie_to_parent() -> None:
            end_with_parent(signal.SIGTERM)
            if os.getppid() != parent:  # it ended before we asked
                os._exit(1)

        self.started_at, self.due_at = time.monotonic(), None
        self.process = subprocess.Popen(
            self.command,
            env=os.environ | self.environment,
            start_new_session=True,
            pass_fds=kept_open,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            preexec_fn=tie_to_parent,  # noqa: PLW1509 - there is one thread
        )

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    @property
    def its_end(self) -> str:
        code = self.process.returncode
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def rest(self) -> float:
        """Note that it died. Returns the seconds until it is to be started again."""
        if time.monotonic() - self.started_at > LONG_ENOUGH:
            self.pause = FIRST_PAUSE
        pause, self.pause = self.pause, min(self.pause * 2, LONGEST_PAUSE)
        self.due_at = time.monotonic() + pause
        return pause

    def kill(self) -> None:
        """End it and all that it started, at once."""
        with suppress(ProcessLookupError, PermissionError):  # the portable way, which misses who left the group
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        until = time.monotonic() + 5
        while (left := session_members(self.process.pid)) and time.monotonic() < until:
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)


class Tree:
    """Children that are started in order, started again when they die, and stopped in the opposite order.

    One per process, and in its main thread: it takes over the signals, and children are tied to the thread's life.
    """

    def __init__(self, say: Callable[[str], None], kept_open: Sequence[int] = ()) -> None:
        self.say = say
        self.kept_open = kept_open
        self.children: list[Child] = []
        self.stop_asked_at: list[float] = []
        self._bell, self._rope = socket.socketpair()  # rung by every signal, so that waiting needs no polling
        self._rope.setblocking(False)
        signal.set_wakeup_fd(self._rope.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # Who starts us by nohup wants us to outlive the terminal.
        hung_up = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
        for sign in (signal.SIGINT, signal.SIGTERM, *hung_up):
            signal.signal(sign, lambda *_: self.stop_asked_at.append(time.monotonic()))

    def start(self, child: Child) -> None:
        child.start(self.kept_open)
        self.children.append(child)

    def run(self, child: Child) -> tuple[int, bytes]:
        """Run a child to its end. Returns its exit code and what it printed."""
        with tempfile.TemporaryFile() as output:
            child.start(self.kept_open, stdout=output)
            try:
                self.wait_for(lambda: not child.is_running)
            finally:
                child.kill()
            output.seek(0)
            return child.process.returncode, output.read()

    def wait_for(self, condition: Callable[[], bool], seconds: float | None = None) -> bool:
        """Look after the children until the condition is true, at most so long. Raises Stopped when asked to stop."""
        until = None if seconds is None else time.monotonic() + seconds
        while not condition():
            if until is not None and time.monotonic() > until:
                return False
            self._look_after()
            self._nap(0.1)
            if self.stop_asked_at:
                raise Stopped
        return True

    def look_after_for_ever(self) -> None:
        """Raises Stopped when asked to stop."""
        while not self.stop_asked_at:
            self._look_after()
            due = [child.due_at for child in self.children if child.due_at is not None]
            self._nap(max(min(due) - time.monotonic(), 0) if due else None)
        raise Stopped

    def _look_after(self) -> None:
        for child in self.children:
            if child.due_at is not None:
                if child.due_at <= time.monotonic():
                    child.start(self.kept_open)
            elif not child.is_running:
                child.kill()  # what it left behind would still serve, or hold its port
                self.say(f"{child.name} {child.its_end}; it is started again in {child.rest():g} s.")

    def stop(self) -> None:
        for child in reversed(self.children):
            if child.due_at is not None:  # it has died, and what it left is ended
                continue
            child.process.terminate()
            until = time.monotonic() + child.patience
            while child.is_running and time.monotonic() < until and not self._in_a_hurry:
                self._nap(0.1)
            child.kill()

    @property
    def _in_a_hurry(self) -> bool:
        """Asked twice. At nearly the same time is once: a signal to a process group may come by two ways."""
        return bool(self.stop_asked_at) and self.stop_asked_at[-1] - self.stop_asked_at[0] > 0.5

    def _nap(self, seconds: float | None) -> None:
        """Wait until a signal comes, at most so long."""
        if select.select([self._bell], [], [], seconds)[0]:
            self._bell.recv(4096)
