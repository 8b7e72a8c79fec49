"""python -m hds.sandbox"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from .app import create_app, desk_of, listen
from .settings import SettingsError, read_settings


def main() -> int:
    try:
        settings = read_settings()
    except SettingsError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 2
    app = create_app(settings)
    try:
        server, address = listen(app)
    except OSError as error:
        reason = error.strerror or error
        print(
            f"sandbox: cannot listen on {settings.host}:{settings.port}: {reason}",
            file=sys.stderr,
        )
        return 1
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    print(f"sandbox ready on {address}", flush=True)
    server.serve_forever()
    desk_of(app).outbox.stop()
    return 0


def _leave(signum: int, frame: FrameType | None) -> None:
    """At once: what is stored is committed, and a restart delivers what was waiting."""
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
