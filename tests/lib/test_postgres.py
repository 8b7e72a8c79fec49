"""No statement, no lock and no vanished server keeps a thread for long."""

import time

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from hds.extensions import db
from hds.lib.postgres import connect_args
from hds.migrate import upgrade
from tests.conftest import ON_SERVERS

needs_server = pytest.mark.skipif(not ON_SERVERS, reason="SQLite has no server that could hang")


def shown(app: Flask, name: str) -> set[str]:
    """A setting of the server, as the site's connections and those of the inbox have it."""
    with app.extensions["inbox"].connect() as connection:
        return {connection.scalar(text(f"SHOW {name}")), db.session.scalar(text(f"SHOW {name}"))}


@needs_server
def test_every_connection_is_bounded(app: Flask) -> None:
    assert (shown(app, "statement_timeout"), shown(app, "lock_timeout")) == ({"10s"}, {"5s"})


@needs_server
def test_a_statement_that_hangs_is_503_in_the_end(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang() -> str:
        db.session.execute(text("SET LOCAL statement_timeout = 100"))
        db.session.execute(text("SELECT pg_sleep(30)"))
        return ""

    monkeypatch.setitem(app.view_functions, "pages.faq", hang)
    began = time.monotonic()
    assert client.get("/faq").status_code == 503
    assert time.monotonic() - began < 25


@needs_server
def test_migrations_may_take_their_time_and_leave_the_pool_as_it_was(app: Flask) -> None:
    db.session.remove()
    seen = []

    @db.event.listens_for(db.engine, "before_cursor_execute")
    def _look(connection, cursor, statement, *_more) -> None:  # type: ignore[no-untyped-def]
        if "alembic_version" in statement:
            with connection.connection.cursor() as own:
                seen.append(own.execute("SHOW statement_timeout").fetchone()[0])

    try:
        upgrade()
    finally:
        db.event.remove(db.engine, "before_cursor_execute", _look)
    assert set(seen) == {"0"}
    assert shown(app, "statement_timeout") == {"10s"}


def test_options_of_the_address_itself_win() -> None:
    stated = connect_args("postgresql+psycopg://h/d?options=-c%20statement_timeout%3D60000")["options"]
    assert stated.endswith("-c lock_timeout=5000 -c statement_timeout=60000")
    assert connect_args("postgresql+psycopg://h/d")["options"].endswith("lock_timeout=5000")


def test_the_driver_knows_every_argument() -> None:
    psycopg.conninfo.make_conninfo("host=localhost", **connect_args("postgresql+psycopg://h/d"))
