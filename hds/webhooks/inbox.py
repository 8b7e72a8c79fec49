"""One INSERT by the driver, committed before anybody is answered.

The ORM would cost more than the insert itself (measured: `make bench`), and a committed row is all it takes: the worker
and the clock find it.
"""

import json
import threading
from datetime import datetime
from typing import Any

from flask import Flask, current_app
from sqlalchemy import Engine, NullPool, create_engine

from hds.config import Settings
from hds.lib import postgres
from hds.lib.models import prepare_sqlite

COLUMNS = "sender, digest, body, headers, created_at, last_seen_at, due_at, state, attempts"
REPEATED = "DO UPDATE SET times_seen = inbox_delivery.times_seen + 1, last_seen_at = excluded.last_seen_at"


_kept = threading.local()  # each thread's own connection, and the engine that made it


def init_app(app: Flask, settings: Settings) -> None:
    """An engine of its own, in autocommit: one round trip for each delivery.

    Each thread keeps its connection: taking one from a pool and returning it cost a tenth of a webhook's time.
    """
    connect_args = {} if settings.uses_sqlite else postgres.connect_args(settings.database)
    engine = create_engine(
        settings.database,
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
        hide_parameters=True,
        connect_args=connect_args,
    )
    if settings.uses_sqlite:
        prepare_sqlite(engine)
    app.extensions["inbox"] = engine


def store(sender: str, digest: str, body: bytes, headers: dict[str, str], received_at: datetime) -> None:
    """Store a delivery, or count it where the same bytes came before.

    Raises the driver's error where the database does not take it.
    """
    engine: Engine = current_app.extensions["inbox"]
    on_sqlite = engine.dialect.name == "sqlite"
    at: Any = received_at.strftime("%Y-%m-%d %H:%M:%S.%f") if on_sqlite else received_at
    marks = ", ".join(["?" if on_sqlite else "%s"] * 9)
    statement = f"INSERT INTO inbox_delivery ({COLUMNS}) VALUES ({marks}) ON CONFLICT (sender, digest) {REPEATED}"  # noqa: S608
    values = (sender, digest, body, json.dumps(headers), at, at, at, "pending", 0)
    try:
        _execute(engine, statement, values)
    except engine.dialect.loaded_dbapi.OperationalError:
        # The connection may have died with a restarted server. Twice does no harm: the second one would be counted.
        _execute(engine, statement, values)


def _execute(engine: Engine, statement: str, values: tuple[Any, ...]) -> None:
    if getattr(_kept, "engine", None) is not engine:
        _kept.connection = engine.raw_connection()
        _kept.engine = engine
    try:
        cursor = _kept.connection.cursor()
        cursor.execute(statement, values)
        cursor.close()
    except BaseException:
        hang_up()
        raise


def hang_up() -> None:
    """Close this thread's connection, if it has one; the next delivery opens another."""
    if getattr(_kept, "engine", None):
        _kept.engine = None
        _kept.connection.invalidate()
