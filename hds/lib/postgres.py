"""How every connection to PostgreSQL is opened: nothing that hangs keeps a thread for longer than seconds."""

from typing import Any

from sqlalchemy import make_url

# The server gives up a statement, or its wait for a lock, after so many milliseconds. Migrations lift the first.
BOUNDS = "-c statement_timeout=10000 -c lock_timeout=5000"


def connect_args(url: str) -> dict[str, Any]:
    """The driver's arguments; `options` that the address itself states come last, so that they win."""
    stated = make_url(url).query.get("options", "")
    return {
        "connect_timeout": 3,
        "options": " ".join((BOUNDS, stated if isinstance(stated, str) else " ".join(stated))).strip(),
        # A server that vanished without a word is noticed, also in the middle of an answer.
        "keepalives": 1,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 15000,
    }
