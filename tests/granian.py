"""The site behind its real web server, on the database and queue of this run."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hds.config import ROOT, Settings
from tests.deliveries import SECRET


def environment(settings: Settings, **stated: object) -> dict[str, str]:
    """What a process needs to be a part of this run: nothing of this machine's settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    values = {
        "HDS_ENV_FILE": "",
        "FLASK_SKIP_DOTENV": "1",
        "FLASK_APP": "wsgi.py",
        "HDS_DATA": settings.hds_data,
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "SECRET_KEY": settings.secret_key.get_secret_value(),
        "CAL_WEBHOOK_SECRET": SECRET,
        "CONTACT_EMAIL": settings.contact_email,
    }
    return kept | {name: str(value) for name, value in (values | stated).items()}


@contextmanager
def served(settings: Settings) -> Iterator[int]:
    """The port at which granian serves the site until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    flags = f"--interface wsgi --host 127.0.0.1 --port {port} --http 1 --no-ws --workers 1 --blocking-threads 4"
    command = [str(Path(sys.executable).with_name("granian")), *flags.split(), "--log-level", "warning", "wsgi:app"]
    server = subprocess.Popen(command, cwd=ROOT, env=environment(settings), start_new_session=True)
    try:
        _wait_for(port, server)
        yield port
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(1200):
        assert server.poll() is None, "granian ended at once"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError("granian did not start")
