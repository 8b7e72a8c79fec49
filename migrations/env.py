"""Alembic's environment: the same numbered migrations on PostgreSQL and SQLite."""

from typing import Literal

from alembic import context
from flask import current_app
from sqlalchemy import text

from hds.extensions import db

RENDERED_AS = {"UTCDateTime": "sa.DateTime(timezone=True)", "State": "sa.String(length=32)"}
LOCK_WAIT = "5s"  # a migration that cannot get its lock gives up instead of stopping the site


def plain_type(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Our own column types as the plain ones they stand for, so that an old migration needs none of today's code."""
    return RENDERED_AS.get(type(item).__name__, False) if kind == "type" else False


def run() -> None:
    engine = db.engine
    with engine.connect() as connection:
        on_sqlite = engine.dialect.name == "sqlite"
        if on_sqlite:
            # SQLite alters a table by copying and dropping it; with foreign keys on, ON DELETE CASCADE would take the
            # children's rows along. The pragma does nothing inside a transaction, so it comes before ours.
            driver = connection.connection.driver_connection
            driver.execute("PRAGMA foreign_keys=OFF")
        else:
            connection.detach()  # with these settings it does not go back to the pool
            connection.execute(text(f"SET lock_timeout = '{LOCK_WAIT}'"))
            connection.execute(text("SET statement_timeout = 0"))  # a large table takes its time
            connection.commit()
        context.configure(
            connection=connection,
            target_metadata=db.metadata,
            render_as_batch=on_sqlite,
            compare_type=True,
            # SQLite takes back its DDL as well, now that the driver does not commit by itself: all steps or none.
            transactional_ddl=True,
            render_item=plain_type,
        )
        try:
            with context.begin_transaction():
                context.run_migrations()
                if on_sqlite and (broken := connection.execute(text("PRAGMA foreign_key_check")).fetchall()):
                    raise RuntimeError(f"the migration left {len(broken)} rows that refer to nothing")
        finally:
            if on_sqlite:
                driver.execute("PRAGMA foreign_keys=ON")


if context.is_offline_mode():
    raise SystemExit("Migrations run against a database: see `make migrate`.")
with current_app.app_context():
    run()
